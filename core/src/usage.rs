//! Token counts that a provider reported.
//!
//! A dialect says in a [`UsageTable`] where its counts stand and what they include; reading them is the same for all. The
//! meaning is one everywhere: input includes what was read from and written to a cache, output includes reasoning (as in
//! Envoy's `TokenUsage` record). An estimate is not a `Usage`; it is another type, so that nobody bills a guess.

use crate::estimate::Said;
use crate::json::{Json, Kind};

/// Most tokens a count may claim; more is a provider's nonsense and is clamped, so that sums cannot overflow.
pub const MAX_TOKENS: u64 = 1_000_000_000;

/// Most pictures that an answer may claim to be.
pub const MAX_IMAGES: u64 = 10_000;

/// Tokens of one answer, or as much of it as was reported so far. `None`: not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// All tokens read, cached ones included.
    pub input: Option<u64>,
    /// Of the input: read from the provider's cache.
    pub cache_read: Option<u64>,
    /// Of the input: written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Of what was written to the cache: for an hour.
    pub cache_write_1h: Option<u64>,
    /// Of the input: sound.
    pub audio_input: Option<u64>,
    /// All tokens written, reasoning included.
    pub output: Option<u64>,
    /// Of the output: reasoning.
    pub reasoning: Option<u64>,
    /// Of the output: sound.
    pub audio_output: Option<u64>,
    /// Pictures made.
    pub images: Option<u64>,
    /// What was reported is not to be believed as it is: a count was no count, was clamped or shrank, a part is larger than its
    /// whole, or it cannot be what these bytes took (see [`crate::estimate`]).
    pub suspect: bool,
}

impl Usage {
    /// Whether anything was reported.
    pub fn is_reported(&self) -> bool {
        Usage { suspect: false, ..*self } != Usage::default()
    }

    /// Takes over what `later` reports; counts are cumulative, so it corrects rather than adds. A later report that does not
    /// speak of the cache may have left out what came from it, so it does not make the input smaller. Any other count that
    /// shrinks is the provider's last word, as some correct themselves by a little, but a suspect one.
    pub fn update(&mut self, later: Usage) {
        let cached = |usage: &Usage| usage.cache_read.is_some() || usage.cache_write.is_some();
        let mut shrank = false;
        let mut newer = |old: Option<u64>, new: Option<u64>| {
            shrank |= new.is_some() && new < old;
            new.or(old)
        };
        let input = match cached(self) && !cached(&later) {
            true => self.input.max(later.input),
            false => newer(self.input, later.input),
        };
        let mut usage = Usage {
            input,
            cache_read: newer(self.cache_read, later.cache_read),
            cache_write: newer(self.cache_write, later.cache_write),
            cache_write_1h: newer(self.cache_write_1h, later.cache_write_1h),
            audio_input: newer(self.audio_input, later.audio_input),
            output: newer(self.output, later.output),
            reasoning: newer(self.reasoning, later.reasoning),
            audio_output: newer(self.audio_output, later.audio_output),
            images: newer(self.images, later.images),
            suspect: self.suspect || later.suspect,
        };
        usage.suspect |= shrank;
        *self = usage;
    }

    /// Output without reasoning. Reasoning that does not fit into the output stands beside it: xAI reports it so.
    pub fn said(&self) -> u64 {
        let (output, thought) = (self.output.unwrap_or(0), self.reasoning.unwrap_or(0));
        if thought > output { output } else { output - thought }
    }

    /// Input and output together.
    pub fn total(&self) -> u64 {
        let output = self.said().saturating_add(self.reasoning.unwrap_or(0));
        self.input.unwrap_or(0).saturating_add(output)
    }

    /// Whether a part is larger than what it is a part of, reasoning aside (see [`Usage::said`]). Known only at the end: a stream may report the part first.
    pub fn contradicts_itself(&self) -> bool {
        let count = |tokens: Option<u64>| tokens.unwrap_or(0);
        let cached = count(self.cache_read).saturating_add(count(self.cache_write));
        [
            (cached, self.input),
            (count(self.audio_input), self.input),
            (count(self.cache_write_1h), self.cache_write),
            (count(self.audio_output), self.output),
        ]
        .into_iter()
        .any(|(part, whole)| part > count(whole))
    }
}

/// A count as a provider names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Input with everything in it.
    Input,
    /// Input without what was read from or written to a cache.
    FreshInput,
    /// Read from a cache.
    CacheRead,
    /// Written to a cache.
    CacheWrite,
    /// Written to a cache for an hour.
    CacheWrite1h,
    /// Sound heard.
    AudioInput,
    /// Output with everything in it.
    Output,
    /// Output without reasoning.
    PlainOutput,
    /// Reasoning.
    Reasoning,
    /// Sound made.
    AudioOutput,
    /// Pictures made.
    Images,
}

impl Count {
    /// Where it stands in a list of counts: the member that tells the items apart, its value, and the member that counts.
    fn item(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Count::AudioInput | Count::AudioOutput => Some(("modality", "AUDIO", "tokenCount")),
            Count::CacheWrite1h => Some(("ttl", "1h", "inputTokens")),
            _ => None,
        }
    }
}

/// Where a dialect reports its counts.
#[derive(Debug)]
pub struct UsageTable {
    /// Paths, from the top of a whole body or of a frame's data, to the object with the counts.
    pub places: &'static [&'static [&'static str]],
    /// A word that every frame with counts contains; frames without it are not looked into.
    pub marker: &'static str,
    /// Paths within that object, and what stands there.
    pub counts: &'static [(&'static [&'static str], Count)],
    /// Where a stream's frames hold what is counted, for when nobody counted it.
    pub said: Said,
}

impl UsageTable {
    /// The counts in a whole body or a frame, or nothing reported. Never fails: nonsense is not a count.
    pub fn read(&self, document: Json<'_>) -> Usage {
        let mut usage = Usage::default();
        for object in self.places.iter().filter_map(|place| document.at(place)) {
            usage.update(self.read_object(object));
        }
        usage
    }

    /// The counts in the object that holds them.
    pub fn read_object(&self, object: Json<'_>) -> Usage {
        let mut suspect = false;
        let mut count = |wanted: Count| {
            let mut named = self.counts.iter().filter(|(_, count)| *count == wanted);
            named.find_map(|(path, _)| {
                let said = tokens(object.at(path)?, wanted);
                suspect |= matches!(said, Found::Clamped(_) | Found::Nonsense);
                said.count()
            })
        };
        let cache_read = count(Count::CacheRead);
        let cache_write = count(Count::CacheWrite);
        let cached = cache_read.unwrap_or(0) + cache_write.unwrap_or(0);
        let whole_input = count(Count::Input).or(count(Count::FreshInput).map(|fresh| fresh + cached));
        let (reasoning, plain_output) = (count(Count::Reasoning), count(Count::PlainOutput));
        // A model that only thought reports no plain output at all.
        let thought_and_said = match (plain_output, reasoning) {
            (None, None) => None,
            _ => Some(plain_output.unwrap_or(0) + reasoning.unwrap_or(0)),
        };
        let has_plain = self.counts.iter().any(|(_, count)| *count == Count::PlainOutput);
        Usage {
            input: whole_input,
            cache_read,
            cache_write,
            cache_write_1h: count(Count::CacheWrite1h),
            audio_input: count(Count::AudioInput),
            output: count(Count::Output).or(thought_and_said.filter(|_| has_plain)),
            reasoning,
            audio_output: count(Count::AudioOutput),
            images: count(Count::Images),
            suspect,
        }
    }
}

/// What stands where a count should.
enum Found {
    /// A count.
    Count(u64),
    /// A count larger than any can be: the largest.
    Clamped(u64),
    /// `null`, or a list without the item.
    Nothing,
    /// Something that is no count: negative, a fraction, a text.
    Nonsense,
}

impl Found {
    fn count(self) -> Option<u64> {
        match self {
            Found::Count(tokens) => Some(tokens),
            Found::Clamped(most) => Some(most),
            Found::Nothing | Found::Nonsense => None,
        }
    }
}

fn tokens(value: Json<'_>, wanted: Count) -> Found {
    let most = if wanted == Count::Images { MAX_IMAGES } else { MAX_TOKENS };
    match (value.kind(), wanted.item()) {
        (Kind::Null, _) => Found::Nothing,
        (Kind::Array, Some((name, word, counter))) => {
            let is_it = |item: &Json<'_>| item.get(name).and_then(Json::text).is_some_and(|said| said.is(word));
            let item = value.items().find(is_it).and_then(|item| item.get(counter));
            item.map_or(Found::Nothing, |item| number(item, most))
        }
        _ => number(value, most),
    }
}

fn number(value: Json<'_>, most: u64) -> Found {
    match (value.u64(), value.f64()) {
        (Some(count), _) if count <= most => Found::Count(count),
        (Some(_), _) => Found::Clamped(most),
        (None, Some(number)) if number > most as f64 => Found::Clamped(most),
        (None, _) => Found::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: UsageTable = UsageTable {
        places: &[&["message", "usage"], &["usage"]],
        marker: "usage",
        counts: &[
            (&["input_tokens"], Count::FreshInput),
            (&["cache_read_input_tokens"], Count::CacheRead),
            (&["output_tokens"], Count::Output),
        ],
        said: Said::NOTHING,
    };

    fn read(text: &str) -> Usage {
        TABLE.read(Json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn input_includes_what_was_cached() {
        let usage = read(r#"{"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":2}}"#);
        assert_eq!((usage.input, usage.cache_read, usage.output), (Some(15), Some(5), Some(2)));
    }

    #[test]
    fn nonsense_is_not_a_count() {
        let output = |said: &str| {
            let usage = read(&format!(r#"{{"usage":{{"output_tokens":{said}}}}}"#));
            (usage.output, usage.suspect)
        };
        for nonsense in ["-1", "-9223372036854775808", "1.5", "\"7\"", "\"NaN\"", "[]", "{}", "true", "-1e308", "1e400"]
        {
            assert_eq!(output(nonsense), (None, true), "{nonsense}");
        }
        for huge in ["9223372036854775808", "18446744073709551615", "1e308", "1000000001"] {
            assert_eq!(output(huge), (Some(MAX_TOKENS), true), "{huge}");
        }
        assert_eq!([output("null"), output("0"), output("7.0")], [(None, false), (Some(0), false), (Some(7), false)]);
    }

    #[test]
    fn later_counts_correct_earlier_ones() {
        let mut usage = read(r#"{"message":{"usage":{"input_tokens":10,"output_tokens":1}}}"#);
        usage.update(read(r#"{"usage":{"output_tokens":9}}"#));
        assert_eq!((usage.input, usage.output, usage.total()), (Some(10), Some(9), 19));
    }

    #[test]
    fn a_report_without_the_cache_does_not_forget_it() {
        let mut usage = read(r#"{"message":{"usage":{"input_tokens":3,"cache_read_input_tokens":1000}}}"#);
        usage.update(read(r#"{"usage":{"input_tokens":3,"output_tokens":9}}"#));
        assert_eq!((usage.input, usage.cache_read, usage.suspect), (Some(1003), Some(1000), false));
    }

    #[test]
    fn a_count_that_shrinks_is_the_last_word_and_suspect() {
        let mut usage = read(r#"{"message":{"usage":{"input_tokens":3,"cache_read_input_tokens":1000}}}"#);
        usage.update(read(r#"{"usage":{"input_tokens":3,"cache_read_input_tokens":900}}"#));
        assert_eq!((usage.input, usage.cache_read, usage.suspect), (Some(903), Some(900), true));
        let mut usage = Usage { output: Some(9), ..Usage::default() };
        usage.update(Usage { output: Some(0), ..Usage::default() });
        assert_eq!((usage.output, usage.suspect), (Some(0), true));
    }

    #[test]
    fn parts_of_a_count_are_read_where_they_stand_and_in_lists() {
        static LISTS: UsageTable = UsageTable {
            places: &[&[]],
            marker: "",
            counts: &[
                (&["prompt", "audio"], Count::AudioInput),
                (&["candidates"], Count::AudioOutput),
                (&["cached"], Count::CacheWrite1h),
            ],
            said: Said::NOTHING,
        };
        let usage = |text: &str| LISTS.read(Json::parse(text.as_bytes()).unwrap());
        let found = usage(
            r#"{"prompt":{"audio":4},"candidates":[{"modality":"TEXT","tokenCount":1},{"modality":"AUDIO","tokenCount":5}],
            "cached":[{"ttl":"5m","inputTokens":6},{"ttl":"1h","inputTokens":7}]}"#,
        );
        assert_eq!((found.audio_input, found.audio_output, found.cache_write_1h), (Some(4), Some(5), Some(7)));
        assert_eq!(usage(r#"{"prompt":{},"candidates":[],"cached":[{"ttl":"5m"}]}"#), Usage::default());
    }

    #[test]
    fn reasoning_that_does_not_fit_into_the_output_stands_beside_it() {
        let usage = |output, reasoning| Usage { output: Some(output), reasoning: Some(reasoning), ..Usage::default() };
        assert_eq!((usage(28, 267).said(), usage(28, 267).total()), (28, 295));
        assert_eq!((usage(295, 267).said(), usage(295, 267).total()), (28, 295));
    }

    #[test]
    fn a_part_larger_than_its_whole_is_a_contradiction() {
        let usage = Usage { input: Some(5), output: Some(5), ..Usage::default() };
        assert!(!usage.contradicts_itself());
        for part in [
            Usage { cache_read: Some(3), cache_write: Some(3), ..usage },
            Usage { audio_input: Some(6), ..usage },
            Usage { cache_write_1h: Some(1), ..usage },
            Usage { audio_output: Some(6), ..usage },
        ] {
            assert!(part.contradicts_itself(), "{part:?}");
        }
    }
}
