//! Answers to choose from, as tests give them: lines that begin with `A.`, `(B)`, `C:` …, in order.

use crate::features::{Features, Number, few};

/// The letters that are known.
const LETTERS: &[u8] = b"ABCDEFGHIJ";

/// The options of a text; none, where there are fewer than two.
pub(super) struct Options<'t> {
    /// Of each the place of its line, and its words.
    found: Vec<(usize, &'t str)>,
}

impl<'t> Options<'t> {
    pub(super) fn find(text: &'t str) -> Options<'t> {
        let mut found: Vec<(usize, &str)> = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let Some(letter) = LETTERS.get(found.len()) else { break };
            found.extend(option(line, *letter).map(|words| (place, words)));
        }
        if found.len() < 2 {
            found.clear();
        }
        Options { found }
    }

    /// The line at which they begin; what is before it is the stem.
    pub(super) fn begin(&self) -> usize {
        self.found.first().map_or(usize::MAX, |(place, _)| *place)
    }

    pub(super) fn count(&self, features: &mut Features) {
        let lengths = || self.found.iter().map(|(_, words)| few(words.len()));
        features.set(Number::Options, few(self.found.len()));
        features.set(Number::OptionLeast, lengths().min().unwrap_or(0));
        features.set(Number::OptionMost, lengths().max().unwrap_or(0));
        features.set(Number::OptionBytes, lengths().sum());
        features.set(Number::OptionLast, lengths().next_back().unwrap_or(0));
        let first = self.found.first().and_then(|(_, words)| words.split_ascii_whitespace().next());
        for (_, said) in &self.found {
            let words = || said.split_ascii_whitespace();
            let letter = said.bytes().any(|byte| byte.is_ascii_alphabetic());
            let digit = said.bytes().any(|byte| byte.is_ascii_digit());
            let lower = said.to_ascii_lowercase();
            features.add(Number::OptionNumbers, u32::from(digit && !letter));
            features.add(Number::OptionSingles, u32::from(words().count() == 1));
            features.add(Number::OptionWords, few(words().count()));
            features.add(Number::OptionAlike, u32::from(first.is_some() && words().next() == first));
            features.add(Number::OptionOthers, u32::from(OTHERS.iter().any(|words| lower.contains(words))));
            features.add(Number::OptionCommas, few(said.bytes().filter(|byte| *byte == b',').count()));
            features.add(Number::OptionCapitals, u32::from(said.starts_with(|c: char| c.is_ascii_uppercase())));
            features.add(Number::OptionTruths, u32::from(is_truth(&lower)));
        }
    }
}

/// How an option names others.
const OTHERS: [&str; 5] = ["none of", "all of", "both", "neither", "cannot be"];

/// The words of the option with that letter, if the line is it.
fn option(line: &str, letter: u8) -> Option<&str> {
    let line = line.trim_ascii_start();
    let line = line.strip_prefix('(').unwrap_or(line);
    let rest = line.strip_prefix(char::from(letter))?.strip_prefix(['.', ')', ':'])?;
    rest.starts_with([' ', '\t']).then(|| rest.trim_ascii())
}

/// Whether it says no more than whether something is so.
fn is_truth(lower: &str) -> bool {
    let words = lower.split([' ', ',']).filter(|word| !word.is_empty());
    let mut count = 0;
    let all = words.inspect(|_| count += 1).all(|word| ["true", "false", "wrong", "not", "yes", "no"].contains(&word));
    all && count > 0
}
