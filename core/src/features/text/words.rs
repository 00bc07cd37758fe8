//! Words and what stands between them.

use crate::features::cues::Cues;
use crate::features::{Features, Number, few, permille};

/// Bits of the set of words that were seen.
const SEEN_BITS: u32 = 13;

/// Reads lines, one after the other.
pub(super) struct Reader<'f> {
    features: &'f mut Features,
    /// The two bytes before, the nearer one last.
    before: [u8; 2],
    /// The word in lower case; its room is used again.
    lower: Vec<u8>,
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

/// Letters, digits and everything beyond ASCII make words.
fn is_of_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

impl<'f> Reader<'f> {
    pub(super) fn new(features: &'f mut Features) -> Reader<'f> {
        Reader {
            features,
            before: [b'\n'; 2],
            lower: Vec::new(),
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
            if is_of_word(byte) {
                let length = rest.iter().position(|byte| !is_of_word(byte)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(length);
                self.word(word, stem);
                rest = after;
            } else {
                self.mark(*byte, after, stem);
                self.before = [self.before[1], *byte];
                rest = after;
            }
        }
    }

    /// What a line is by its beginning.
    fn begins(&mut self, line: &str) {
        let said = line.trim_ascii_start();
        self.features.add(Number::Lines, 1);
        self.features.add(Number::Paragraphs, u32::from(said.is_empty()));
        self.features.add(Number::Indented, u32::from(line.starts_with("    ") || line.starts_with('\t')));
        self.features.add(Number::Fences, u32::from(said.starts_with("```")));
        let numbered = said.trim_start_matches(|c: char| c.is_ascii_digit());
        let listed = ["- ", "* ", "• "].iter().any(|mark| said.starts_with(mark))
            || (numbered.len() < said.len() && (numbered.starts_with(". ") || numbered.starts_with(") ")));
        self.features.add(Number::Listed, u32::from(listed));
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

    fn word(&mut self, word: &[u8], stem: bool) {
        let length = few(word.len());
        self.lower.clear();
        self.lower.extend(word.iter().map(u8::to_ascii_lowercase));
        let gram = self.features.grams.word(&self.lower);
        let cues = Cues::of(gram);
        self.words.word(length);
        self.remember(gram);
        if let Some((words, number)) = cues.measure().zip(self.number) {
            self.features.set(Number::WordsAsked, number.saturating_mul(words));
        }
        self.number = str::from_utf8(word).ok().and_then(|word| word.parse().ok());
        if stem {
            if self.stem.count == 0 {
                cues.beginning().for_each(|number| self.features.set(number, 1));
            }
            self.stem.word(length);
            self.sentence[0] += 1;
            self.features.add(Number::Letters, u32::from(word.len() == 1 && word.iter().all(u8::is_ascii_alphabetic)));
        }
        if word.iter().any(u8::is_ascii_digit) {
            self.digits(word, stem);
        }
        let shouted = word.len() > 1 && word.iter().all(u8::is_ascii_uppercase);
        self.features.add(Number::Shouted, u32::from(shouted));
        let named = matches!(self.before, [b'a'..=b'z' | b',', b' '])
            && matches!(word, [b'A'..=b'Z', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_lowercase));
        self.features.add(Number::Names, u32::from(named));
        let command = self.before[1] == b'\\' && word.first().is_some_and(u8::is_ascii_alphabetic);
        self.features.add(Number::Commands, u32::from(command));
        for cue in cues.counted() {
            self.features.add(cue, 1);
            if cue == Number::Denials {
                self.features.add(Number::StemDenials, u32::from(stem));
                self.features.add(Number::ShoutedDenials, u32::from(shouted));
            }
        }
        self.before = match word {
            [.., one, two] => [*one, *two],
            [one] => [self.before[1], *one],
            [] => self.before,
        };
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
        self.features.add(Number::Decimals, u32::from(decimal));
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
        self.features.add(Number::Years, u32::from(year));
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
