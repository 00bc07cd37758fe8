//! Tokens that nobody reported, guessed from bytes: for comparing with context windows, for reservations, and for attempts
//! whose provider never said what they took.
//!
//! There is no tokenizer: every provider has several, and most are secret. Texts are read once, byte by byte, and every piece
//! (a word, a group of digits, a mark, a character of another script) has a weight in thousandths of a token. The weights are
//! what public tokenizers take, rounded up, and were held against some thousand recorded exchanges of many providers;
//! `tests/tests/estimate.rs` measures and holds the bar. What stands besides the words was fitted to the same recordings.
//!
//! An [`Estimate`] means to be a little too high: whoever bills by it loses nothing.
//!
//! *Limits*: what nobody shows cannot be seen. Providers put prompts of their own before a request: some hundred tokens when
//! there are tools, up to 1,600 at services with a persona. So requests of fewer than a hundred words are off by more than their
//! size, either way, while long ones are within a tenth. Hidden reasoning is in no estimate of an output.
//!
//! ```
//! use dragoman_core::estimate::Ink;
//! use dragoman_core::json::Json;
//! let mut ink = Ink::default();
//! ink.read(Json::parse(br#""The quick brown fox jumps over the lazy dog.""#).unwrap().text().unwrap());
//! assert_eq!(ink.tokens(), 10);
//! ```

mod block;

use crate::json::{Brackets, Text};

/// How far a report may be below what was seen before it is doubted: four times. No two tokenizers differ so much for the same
/// text, and no recorded answer or large input is beyond; what is, is a mistake or a lie. There is no upper end, as providers
/// add to what they read, and think unseen.
pub const BAND: u64 = 4;

/// Fewer tokens than these are never doubted: of little text little is known.
pub const LEAST_TO_DOUBT: u64 = 200;

/// What a request takes besides its words.
pub const REQUEST: u64 = 8;

/// What a turn takes besides its words.
pub const TURN: u64 = 3;

/// What a tool takes besides its words.
pub const TOOL: u64 = 10;

/// What a call or its result takes besides its words: ids and marks.
pub const CALL: u64 = 14;

/// What an answer takes besides its words.
const ANSWER: u64 = 3;

/// What is added for every picture in a reservation: Anthropic takes up to 1,600 tokens, OpenAI up to 1,445 (eight tiles and a
/// base), Gemini 258 for each tile of 768 pixels. OpenAI's smallest models (gpt-4o-mini) count twenty times as many and take as
/// little money for them: so much is not reserved.
pub const PICTURE: u64 = 2_000;

/// What is added for a sound that is not in the request itself: ten minutes at Gemini's 32 tokens a second; others take ten.
pub const SOUND: u64 = 20_000;

/// What is added for a film that is not in the request itself: five minutes at Gemini's 300 tokens a second.
pub const FILM: u64 = 90_000;

/// Bytes of base64 of a sound or a film to one token: 32 tokens a second of speech at 16 kbit/s, which is about the least that
/// anybody sends; films have more bytes to a second than that.
pub const BYTES_TO_A_TOKEN: u64 = 80;

/// What is added for a document at most: some fifteen pages as text and as pictures (Anthropic: 1,500 to 3,000 tokens a page).
pub const DOCUMENT: u64 = 50_000;

/// What is added for a sound, a film or a document at least: a page as text, half a minute of sound.
pub const LEAST_PIECE: u64 = 1_000;

/// What is added for a tool that the provider runs, as what it finds is read too: a few web pages.
pub const FOUND: u64 = 20_000;

/// What is kept for prompts that providers add unseen. The longest in the recordings have some 1,500 tokens; nine of ten requests
/// that have any have fewer than this.
const UNSEEN: u64 = 1_000;

/// By how many percent a reservation exceeds the estimate: the newest tokenizers take up to 35 % more for the same words.
const MARGIN: u64 = 40;

/// Tokens as far as anybody can tell without being told. Never a [`crate::usage::Usage`]: nobody takes one for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Tokens read.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
}

/// The input to reserve for a request of that estimate; with its margin at least what is taken, in 99 of 100 recorded requests.
pub fn reservation_input(estimated: u64) -> u64 {
    with_margin(estimated).saturating_add(UNSEEN)
}

/// So many tokens by the tokenizer that takes the most.
pub fn with_margin(estimated: u64) -> u64 {
    estimated.saturating_add(estimated / 100 * MARGIN)
}

/// Whether a report is further below what was seen than anybody's way of counting explains.
pub fn is_implausible(reported: u64, seen: u64) -> bool {
    seen >= LEAST_TO_DOUBT && reported.saturating_mul(BAND) < seen
}

/// Where the frames of a dialect's streams hold what the model says.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// Names of the members whose values it says or thinks. None of them may hold what was asked.
    pub words: &'static [&'static str],
    /// Name of a member that every call has, as a text.
    pub call: &'static str,
    /// Tokens for each of those, besides the words of the call: Claude writes some 45 around them, others about ten.
    pub call_tokens: u64,
}

impl Said {
    /// A dialect without streams.
    pub const NOTHING: Said = Said { words: &[], call: "", call_tokens: 0 };
}

/// The member that says the words again, with how likely they were.
const REPEATS: &str = "logprobs";

/// What was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Last {
    #[default]
    Nothing,
    Lower,
    Upper,
    Digit,
    Blank,
    Mark,
    Other,
}

/// How much is written in texts, in the order in which they come. It keeps no text and takes no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ink {
    milli_tokens: u64,
    last: Last,
    /// Letters or digits without a break.
    run: u32,
}

impl Ink {
    /// Tokens so far, rounded up.
    pub fn tokens(&self) -> u64 {
        self.milli_tokens.div_ceil(1_000)
    }

    /// Tokens of an answer of which this was seen: a twentieth more, as models seldom write as compactly as text can be read, and the
    /// marks of its end. Nothing when nothing was seen.
    pub fn output_tokens(&self) -> u64 {
        match self.tokens() {
            0 => 0,
            seen => seen.saturating_add(seen.div_ceil(20)).saturating_add(ANSWER),
        }
    }

    /// Whole tokens that no text shows.
    pub fn add(&mut self, tokens: u64) {
        self.weigh(tokens.saturating_mul(1_000));
        self.last = Last::Nothing;
    }

    /// Takes the next piece of the same text.
    pub fn read(&mut self, text: Text<'_>) {
        self.raw(text.raw());
    }

    /// Takes JSON; blanks outside its strings count for nothing, as nobody passes them on.
    pub fn json(&mut self, mut text: &str) {
        self.last = Last::Nothing;
        while let Some((outside, after)) = text.split_once('"') {
            outside.split_ascii_whitespace().for_each(|piece| self.raw(piece));
            let (inside, after) = string(after);
            self.mark();
            self.raw(inside);
            self.mark();
            text = after;
        }
        text.split_ascii_whitespace().for_each(|piece| self.raw(piece));
    }

    /// Takes what a model says in a frame of a stream. It goes by quotes and brackets and never fails; of what is no JSON it makes
    /// something.
    pub fn spoken(&mut self, mut frame: &str, said: &Said) {
        let mut named = false;
        while let Some((_, after)) = frame.split_once('"') {
            let (inside, after) = string(after);
            frame = after;
            let Some(value) = after.trim_ascii_start().strip_prefix(':') else {
                if named {
                    self.raw(inside);
                }
                named = false;
                continue;
            };
            let value = value.trim_ascii_start();
            named = said.words.contains(&inside);
            if inside == said.call && value.starts_with('"') && !value.starts_with("\"\"") {
                self.weigh(said.call_tokens.saturating_mul(1_000));
            }
            let repeats = inside == REPEATS;
            if (named || repeats) && value.starts_with(['{', '[']) {
                let (value, after) = balanced(value);
                if !repeats {
                    self.json(value);
                }
                (frame, named) = (after, false);
            }
        }
    }

    fn raw(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        while let Some(rest) = self.block(bytes) {
            bytes = rest;
        }
        while !bytes.is_empty() {
            bytes = self.byte(bytes);
        }
    }

    /// Takes the first byte, or what begins with it; gives back what follows.
    fn byte<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some((&byte, rest)) = bytes.split_first() else { return bytes };
        match byte {
            b'a'..=b'z' => self.letter(Last::Lower),
            b'A'..=b'Z' => self.letter(Last::Upper),
            b'0'..=b'9' => self.digit(),
            b' ' | b'\t' => self.blank(),
            b'\n' => self.line(),
            b'\\' => return self.escape(rest),
            0x21..=0x7e => self.mark(),
            0x80..=0xff => return self.wide(byte, rest),
            _ => {}
        }
        rest
    }

    fn weigh(&mut self, milli_tokens: u64) {
        self.milli_tokens = self.milli_tokens.saturating_add(milli_tokens);
    }

    /// A word is a token, and a little more for its length; `camelCase` is two. Base64 falls into such words and comes to the
    /// two tokens for three characters that tokenizers make of it.
    fn letter(&mut self, case: Last) {
        let goes_on =
            matches!(self.last, Last::Lower | Last::Upper) && (case == Last::Lower || self.last == Last::Upper);
        self.run = if goes_on { self.run.saturating_add(1) } else { 1 };
        self.weigh(match (goes_on, case, self.run) {
            (false, ..) => 1_000,
            (true, Last::Upper, _) => 350,
            (true, _, ..=4) => 0,
            _ => 90,
        });
        self.last = case;
    }

    /// Three digits are a token for some, one for others.
    fn digit(&mut self) {
        self.run = if self.last == Last::Digit { self.run.saturating_add(1) } else { 0 };
        self.weigh(if self.run.is_multiple_of(3) { 1_000 } else { 350 });
        self.last = Last::Digit;
    }

    /// One blank belongs to the word behind it.
    fn blank(&mut self) {
        if self.last == Last::Blank {
            self.weigh(100);
        }
        self.last = Last::Blank;
    }

    fn line(&mut self) {
        self.weigh(600);
        self.last = Last::Blank;
    }

    /// Marks that stand together are often one token.
    fn mark(&mut self) {
        self.weigh(if self.last == Last::Mark { 250 } else { 700 });
        self.last = Last::Mark;
    }

    /// What stands behind a backslash; gives back what follows it.
    fn escape<'b>(&mut self, rest: &'b [u8]) -> &'b [u8] {
        let Some((&byte, after)) = rest.split_first() else { return rest };
        match byte {
            b'n' => self.line(),
            b't' => self.blank(),
            b'r' | b'b' | b'f' => {}
            b'u' => {
                let Some((digits, after)) = after.split_at_checked(4) else { return after };
                let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0);
                match digits.iter().fold(0u32, |unit, digit| unit * 16 + value(digit)) {
                    0..0x80 => self.mark(),
                    // The second half of a pair: the first was counted.
                    0xdc00..=0xdfff => {}
                    0xd800..=0xdbff => self.character(0x1_0000),
                    unit => self.character(unit),
                }
                return after;
            }
            _ => self.mark(),
        }
        after
    }

    /// A character of several bytes; gives back what follows it.
    fn wide<'b>(&mut self, first: u8, rest: &'b [u8]) -> &'b [u8] {
        let (length, start) = match first {
            0xc0..=0xdf => (1, u32::from(first & 0x1f)),
            0xe0..=0xef => (2, u32::from(first & 0x0f)),
            0xf0..=0xff => (3, u32::from(first & 0x07)),
            _ => return rest,
        };
        let Some((more, after)) = rest.split_at_checked(length) else { return &[] };
        self.character(more.iter().fold(start, |point, byte| (point << 6) | u32::from(byte & 0x3f)));
        after
    }

    fn character(&mut self, point: u32) {
        self.weigh(match point {
            // Latin with accents.
            0..0x250 => 600,
            // Greek, Cyrillic, Hebrew, Arabic.
            0x250..0x800 => 450,
            // Dashes, quotes, arrows, boxes.
            0x2000..0x2e80 => 1_000,
            // Kana.
            0x3040..0x3100 => 900,
            // Pictures and rare scripts.
            0x1_0000.. => 2_500,
            // Ideographs, Hangul, the scripts of India and all others.
            _ => 1_100,
        });
        self.last = Last::Other;
    }
}

/// The inside of a string whose opening quote is behind us, and what follows its end.
fn string(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = bytes.get(from..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        let at = from + found;
        if bytes.get(at) == Some(&b'"') {
            return (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        }
        from = at + 2;
    }
    (text, "")
}

/// The value in brackets at the start of `text`, and what follows it.
fn balanced(text: &str) -> (&str, &str) {
    let mut brackets = Brackets::default();
    let mut begun = false;
    let end = text.bytes().position(|byte| {
        brackets.step(byte);
        begun |= brackets.depth() > 0;
        begun && brackets.depth() == 0
    });
    text.split_at_checked(end.map_or(text.len(), |end| end + 1)).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests;
