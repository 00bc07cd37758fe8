//! Token counts that a provider reported.
//!
//! A dialect says in a [`UsageTable`] where its counts stand and what they include; reading them is the same for all. The
//! meaning is one everywhere: input includes what was read from and written to a cache, output includes reasoning (as in
//! Envoy's `TokenUsage` record). An estimate is not a `Usage`; it is another type, so that nobody bills a guess.

use crate::json::Json;

/// Most tokens a count may claim; more is a provider's nonsense and is clamped, so that sums cannot overflow.
pub const MAX_TOKENS: u64 = 1_000_000_000;

/// Tokens of one answer, or as much of it as was reported so far. `None`: not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// All tokens read, cached ones included.
    pub input: Option<u64>,
    /// Of the input: read from the provider's cache.
    pub cache_read: Option<u64>,
    /// Of the input: written to the provider's cache.
    pub cache_write: Option<u64>,
    /// All tokens written, reasoning included.
    pub output: Option<u64>,
    /// Of the output: reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Whether anything was reported.
    pub fn is_reported(&self) -> bool {
        *self != Usage::default()
    }

    /// Takes over what `later` reports; counts are cumulative, so it corrects rather than adds. A later report that does not
    /// speak of the cache may have left out what came from it, so it does not make the input smaller.
    pub fn update(&mut self, later: Usage) {
        let newer = |old: Option<u64>, new: Option<u64>| new.or(old);
        let cached = |usage: &Usage| usage.cache_read.is_some() || usage.cache_write.is_some();
        let input = match cached(self) && !cached(&later) {
            true => self.input.max(later.input),
            false => newer(self.input, later.input),
        };
        *self = Usage {
            input,
            cache_read: newer(self.cache_read, later.cache_read),
            cache_write: newer(self.cache_write, later.cache_write),
            output: newer(self.output, later.output),
            reasoning: newer(self.reasoning, later.reasoning),
        };
    }

    /// Input and output together.
    pub fn total(&self) -> u64 {
        self.input.unwrap_or(0) + self.output.unwrap_or(0)
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
    /// Output with everything in it.
    Output,
    /// Output without reasoning.
    PlainOutput,
    /// Reasoning.
    Reasoning,
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
        let count = |wanted: Count| {
            let mut found = self.counts.iter().filter(|(_, count)| *count == wanted);
            found.find_map(|(path, _)| object.at(path).and_then(tokens))
        };
        let cache_read = count(Count::CacheRead);
        let cache_write = count(Count::CacheWrite);
        let reasoning = count(Count::Reasoning);
        let cached = cache_read.unwrap_or(0) + cache_write.unwrap_or(0);
        let whole_input = count(Count::Input).or(count(Count::FreshInput).map(|fresh| fresh + cached));
        let plain_output = count(Count::PlainOutput);
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
            output: count(Count::Output).or(thought_and_said.filter(|_| has_plain)),
            reasoning,
        }
    }
}

fn tokens(value: Json<'_>) -> Option<u64> {
    value.u64().map(|tokens| tokens.min(MAX_TOKENS))
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
        for nonsense in ["-1", "1.5", "\"7\"", "null", "[]", "1e400"] {
            assert_eq!(read(&format!(r#"{{"usage":{{"output_tokens":{nonsense}}}}}"#)).output, None, "{nonsense}");
        }
        assert_eq!(read(r#"{"usage":{"output_tokens":18446744073709551615}}"#).output, Some(MAX_TOKENS));
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
        assert_eq!((usage.input, usage.cache_read), (Some(1003), Some(1000)));
        usage.update(read(r#"{"usage":{"input_tokens":3,"cache_read_input_tokens":900}}"#));
        assert_eq!((usage.input, usage.cache_read), (Some(903), Some(900)));
    }
}
