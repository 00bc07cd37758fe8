//! Words and what stands between them.

use crate::features::cues::Cues;
use crate::features::grams::{Hash, LONGEST};
use crate::features::{Features, Number, few, permille};

/// Bits of the set of words that were seen.
const SEEN_BITS: u32 = 13;

/// Reads lines, one after the other.
pub(super) struct Reader<'f> {
    features: &'f mut Features,
    /// The two bytes before, the nearer one last.
    before: [u8; 2],
    words: Lengths,
    stem: Lengths,
    /// Words since the last sentence ended, and words of the one before.
    sentence: [u32; 2],
    /// The word before, where it was a number.
    number: Option<u32>,
    /// Words by some bits of their hashes.
    seen: [u64; 1 << (SEEN_BITS - 6)],
    distinct: u32,
}

/// How many words, and how long.
#[derive(Default)]
struct Lengths {
    count: u32,
    bytes: u32,
    long: u32,
    short: u32,
}

impl Lengths {
    fn word(&mut self, length: u32) {
        self.count += 1;
        self.bytes += length;
        self.long += u32::from(length >= 9);
        self.short += u32::from(length <= 3);
    }
}

/// What bytes of words are; every other byte ends one.
const CAPITAL: u8 = 1;
const SMALL: u8 = 2;
const DIGIT: u8 = 4;
const WIDE: u8 = 8;

/// What a byte is: 0, where it is of no word.
fn kind(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => CAPITAL,
        b'a'..=b'z' => SMALL,
        b'0'..=b'9' => DIGIT,
        0x80.. => WIDE,
        _ => 0,
    }
}

/// A word, and what one look at its bytes tells.
struct Word<'t> {
    bytes: &'t [u8],
    /// What they are, all together.
    kinds: u8,
    /// Of the word in lower case.
    hash: Hash,
}

impl<'t> Word<'t> {
    /// The word at the beginning of a text, and what follows it; of no bytes where none begins there.
    fn split(text: &'t [u8]) -> (Word<'t>, &'t [u8]) {
        let (mut kinds, mut hash, mut length) = (0, Hash::new(), 0);
        for byte in text {
            let kind = kind(*byte);
            if kind == 0 {
                break;
            }
            kinds |= kind;
            if length < LONGEST {
                hash = hash.and(byte.to_ascii_lowercase());
            }
            length += 1;
        }
        let (bytes, after) = text.split_at(length);
        let hash = if kinds == DIGIT { Hash::of_number(length) } else { hash };
        (Word { bytes, kinds, hash }, after)
    }

    fn is_name(&self) -> bool {
        let small = |byte: &u8| kind(*byte) == SMALL;
        self.kinds == CAPITAL | SMALL
            && matches!(self.bytes, [first, rest @ ..] if !small(first) && rest.iter().all(small))
    }
}

impl<'f> Reader<'f> {
    pub(super) fn new(features: &'f mut Features) -> Reader<'f> {
        Reader {
            features,
            before: [b'\n'; 2],
            words: Lengths::default(),
            stem: Lengths::default(),
            sentence: [0; 2],
            number: None,
            seen: [0; 1 << (SEEN_BITS - 6)],
            distinct: 0,
        }
    }

    /// Takes a line with its end; `stem` says that it is no option.
    pub(super) fn line(&mut self, line: &str, stem: bool) {
        self.begins(line);
        if stem {
            self.features.add(Number::StemBytes, few(line.len()));
        }
        let mut rest = line.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            let (word, behind) = Word::split(rest);
            if word.bytes.is_empty() {
                self.mark(*byte, after, stem);
                self.before = [self.before[1], *byte];
                rest = after;
            } else {
                self.word(&word, stem);
                rest = behind;
            }
        }
    }

    /// What a line is by its beginning.
    fn begins(&mut self, line: &str) {
        let said = line.trim_ascii_start();
        self.features.add(Number::Lines, 1);
        self.count(Number::Paragraphs, said.is_empty());
        self.count(Number::Indented, line.starts_with("    ") || line.starts_with('\t'));
        self.count(Number::Fences, said.starts_with("```"));
        let numbered = said.trim_start_matches(|c: char| c.is_ascii_digit());
        let listed = ["- ", "* ", "• "].iter().any(|mark| said.starts_with(mark))
            || (numbered.len() < said.len() && (numbered.starts_with(". ") || numbered.starts_with(") ")));
        self.count(Number::Listed, listed);
    }

    fn mark(&mut self, byte: u8, after: &[u8], stem: bool) {
        match byte {
            b'.' | b'!' | b'?' if stem && after.first().is_none_or(u8::is_ascii_whitespace) => {
                self.features.add(Number::Sentences, 1);
                if self.sentence[0] > 0 {
                    self.sentence = [0, self.sentence[0]];
                }
            }
            b':' if after.starts_with(b"//") => self.features.add(Number::Links, 1),
            _ => {}
        }
    }

    fn word(&mut self, word: &Word<'_>, stem: bool) {
        let length = few(word.bytes.len());
        let gram = self.features.grams.word(word.hash);
        let cues = Cues::of(gram);
        self.words.word(length);
        self.remember(gram);
        if stem {
            if self.stem.count == 0 {
                cues.beginning().for_each(|number| self.features.set(number, 1));
            }
            self.stem.word(length);
            self.sentence[0] += 1;
            let letter = length == 1 && word.kinds & (CAPITAL | SMALL) != 0;
            self.count(Number::Letters, letter);
        }
        if let Some((words, number)) = cues.measure().zip(self.number) {
            self.features.set(Number::WordsAsked, number.saturating_mul(words));
        }
        self.number = None;
        if word.kinds & DIGIT != 0 {
            self.number = str::from_utf8(word.bytes).ok().and_then(|word| word.parse().ok());
            self.digits(word.bytes, stem);
        }
        let shouted = length > 1 && word.kinds == CAPITAL;
        self.count(Number::Shouted, shouted);
        let within = matches!(self.before, [b'a'..=b'z' | b',', b' ']);
        self.count(Number::Names, within && word.is_name());
        let command = self.before[1] == b'\\' && word.bytes.first().is_some_and(u8::is_ascii_alphabetic);
        self.count(Number::Commands, command);
        for cue in cues.counted() {
            self.features.add(cue, 1);
            if cue == Number::Denials {
                self.count(Number::StemDenials, stem);
                self.count(Number::ShoutedDenials, shouted);
            }
        }
        self.before = match word.bytes {
            [.., one, two] => [*one, *two],
            [one] => [self.before[1], *one],
            [] => self.before,
        };
    }

    fn count(&mut self, number: Number, is_so: bool) {
        if is_so {
            self.features.add(number, 1);
        }
    }

    /// Counts a word that was not seen before.
    fn remember(&mut self, gram: u32) {
        let place = gram >> (32 - SEEN_BITS);
        if let Some(bits) = self.seen.get_mut(place as usize / 64) {
            let bit = 1 << (place % 64);
            self.distinct += u32::from(*bits & bit == 0);
            *bits |= bit;
        }
    }

    /// Runs of digits in a word. `1,234.5` is one number of three.
    fn digits(&mut self, word: &[u8], stem: bool) {
        let goes_on = matches!(self.before, [b'0'..=b'9', b'.' | b',']) && word.first().is_some_and(u8::is_ascii_digit);
        let decimal = goes_on && self.before[1] == b'.';
        self.count(Number::Decimals, decimal);
        let runs = || word.split(|byte| !byte.is_ascii_digit()).filter(|run| !run.is_empty());
        let numbers = few(runs().count()).saturating_sub(u32::from(goes_on));
        self.features.add(Number::Numbers, numbers);
        if stem {
            self.features.add(Number::StemNumbers, numbers);
        }
        let longest = few(runs().map(<[u8]>::len).max().unwrap_or(0));
        self.features.add(Number::LargeNumbers, few(runs().filter(|run| run.len() > 2).count()));
        self.features.set(Number::LongestNumber, self.features.get(Number::LongestNumber).max(longest));
        let year =
            matches!(word, [b'1', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'] | [b'2', b'0', b'0'..=b'9', b'0'..=b'9']);
        self.count(Number::Years, year);
    }

    /// Says what only the whole text tells.
    pub(super) fn end(self) {
        let Reader { features, words, stem, sentence, distinct, .. } = self;
        features.set(Number::Words, words.count);
        features.set(Number::StemWords, stem.count);
        features.set(Number::WordLength, permille(words.bytes, words.count));
        features.set(Number::StemWordLength, permille(stem.bytes, stem.count));
        features.set(Number::LongWords, permille(words.long, words.count));
        features.set(Number::ShortWords, permille(words.short, words.count));
        features.set(Number::Distinct, permille(distinct, words.count));
        features.set(Number::LastWords, if sentence[0] > 0 { sentence[0] } else { sentence[1] });
    }
}
