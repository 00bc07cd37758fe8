//! How long a provider wants to be left alone: every known form of saying it, in headers and in bodies.
//!
//! | where | forms |
//! |---|---|
//! | `retry-after-ms`, `x-ms-retry-after-ms` | milliseconds |
//! | `retry-after` | seconds, `1.5`, `120s`, `1h2m3.5s`, the three HTTP dates, seconds since 1970, lists and repetitions (the longest counts) |
//! | `x-ratelimit-reset-*`, `…-ratelimit-*-reset` | durations, seconds, seconds or milliseconds since 1970, RFC 3339; only of what is used up |
//! | the body's `error.details[]` | `retryDelay` of a `RetryInfo`, `metadata.quotaResetDelay` of an `ErrorInfo` |
//! | the body's sentence | "try again in 6m0s", "retry in 26.66s", "reset after 2h7m23s" |
//!
//! ```
//! use dragoman_core::hints;
//! let headers = [("retry-after", "1.5")];
//! assert_eq!(hints::of_head(headers.into_iter(), 0), Some(1500));
//! assert_eq!(hints::of_body(br#"{"error":{"message":"Please try again in 20ms."}}"#), Some(20));
//! ```
//!
//! At most [`MAX_WAIT_MS`] are believed. What makes no sense says nothing. The forms were collected from recordings and from
//! public reports about the providers' APIs.

mod quota;
mod time;

use crate::json::{Json, Kind};
pub use quota::quota_left;
use time::{duration_ms, http_date_ms, rfc3339_ms};

/// The longest wait that is believed: limits of a week are asked about once a day.
pub const MAX_WAIT_MS: u64 = 24 * 60 * 60 * 1000;

/// The longest that is believed of what passes, such as too many requests in a minute: who wants more is asked again after it, in case
/// it was wrong.
pub const MAX_PASSING_MS: u64 = 15 * 60 * 1000;

/// Numbers from here on are moments, in seconds since 1970 (September 2001), not waits.
const FIRST_MOMENT_S: f64 = 1_000_000_001.0;

/// Numbers from here on are moments in milliseconds.
const FIRST_MOMENT_MS: f64 = 100_000_000_000.0;

/// Most bytes of a header's value that are read.
const MAX_VALUE: usize = 256;

/// The wait that a response's headers ask for, in milliseconds. Names are in lower case; `now_ms` is since 1970.
pub fn of_head<'h>(headers: impl Iterator<Item = (&'h str, &'h str)> + Clone, now_ms: u64) -> Option<u64> {
    let values =
        |wanted: &'static str| headers.clone().filter(move |(name, _)| *name == wanted).map(|(_, value)| value);
    let longest = |name: &'static str, read: &dyn Fn(&str) -> Option<f64>| {
        let said = values(name).filter(|value| value.len() <= MAX_VALUE).filter_map(read);
        said.fold(None, |longest: Option<f64>, wait| Some(longest.map_or(wait, |known| known.max(wait))))
    };
    longest("retry-after-ms", &milliseconds)
        .or_else(|| longest("x-ms-retry-after-ms", &milliseconds))
        .or_else(|| longest("retry-after", &|value| retry_after(value, now_ms)))
        .or_else(|| used_up(headers, now_ms))
        .map(believed)
}

/// The wait that an error's body asks for, in milliseconds.
pub fn of_body(body: &[u8]) -> Option<u64> {
    let Ok(json) = Json::parse(body) else {
        return core::str::from_utf8(body).ok().and_then(sentence).map(believed);
    };
    let json = if json.kind() == Kind::Array { json.items().next()? } else { json };
    let error = json.get("error").filter(|error| error.kind() == Kind::Object).unwrap_or(json);
    let details = error.get("details").into_iter().flat_map(|details| details.items());
    let delay =
        details.filter_map(|detail| detail.get("retryDelay").or_else(|| detail.at(&["metadata", "quotaResetDelay"])));
    let said = delay.filter_map(Json::text).find_map(|text| duration_ms(&text.decode()));
    let message = || error.get("message").and_then(Json::text);
    said.or_else(|| message().and_then(|text| sentence(&text.decode()))).map(believed)
}

fn believed(wait: f64) -> u64 {
    wait.clamp(0.0, MAX_WAIT_MS as f64).ceil() as u64
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

fn milliseconds(value: &str) -> Option<f64> {
    number(value).filter(|wait| *wait >= 0.0)
}

/// `retry-after`: a date has a comma itself, so lists are taken apart only when the whole is no date.
fn retry_after(value: &str, now_ms: u64) -> Option<f64> {
    if let Some(moment) = http_date_ms(value) {
        return Some(since(moment, now_ms));
    }
    let waits = value.split(',').filter_map(|item| wait(item, now_ms));
    waits.fold(None, |longest: Option<f64>, wait| Some(longest.map_or(wait, |known| known.max(wait))))
}

/// Seconds, a moment or a duration.
fn wait(value: &str, now_ms: u64) -> Option<f64> {
    match number(value) {
        Some(negative) if negative < 0.0 => None,
        Some(moment) if moment >= FIRST_MOMENT_MS => Some(since(moment, now_ms)),
        Some(moment) if moment >= FIRST_MOMENT_S => Some(since(moment * 1000.0, now_ms)),
        Some(seconds) => Some(seconds * 1000.0),
        None => duration_ms(value).or_else(|| rfc3339_ms(value.trim()).map(|moment| since(moment, now_ms))),
    }
}

fn since(moment_ms: f64, now_ms: u64) -> f64 {
    (moment_ms - now_ms as f64).max(0.0)
}

/// When the limit that is used up begins anew; the longest, when there are several. A limit of which something remains says
/// nothing about this refusal.
fn used_up<'h>(headers: impl Iterator<Item = (&'h str, &'h str)> + Clone, now_ms: u64) -> Option<f64> {
    let remains = |wanted: &str| {
        let found = headers.clone().find(|(name, _)| *name == wanted);
        found.and_then(|(_, value)| number(value)).is_some_and(|remaining| remaining > 0.0)
    };
    let mut longest: Option<f64> = None;
    for (name, value) in headers.clone().filter(|(_, value)| value.len() <= MAX_VALUE) {
        let remaining = match (name.strip_prefix("x-ratelimit-reset"), name.strip_suffix("-reset")) {
            (Some(kind), _) => format!("x-ratelimit-remaining{kind}"),
            (None, Some(limit)) if limit.contains("-ratelimit-") => format!("{limit}-remaining"),
            _ => continue,
        };
        if let (false, Some(wait)) = (remains(&remaining), wait(value, now_ms)) {
            longest = Some(longest.map_or(wait, |known| known.max(wait)));
        }
    }
    longest
}

/// The duration in a sentence such as "Please try again in 6m0s."
fn sentence(message: &str) -> Option<f64> {
    let lower = message.get(..message.len().min(4096)).unwrap_or_default().to_ascii_lowercase();
    ["again in ", "retry in ", "retry after ", "reset after ", "resets in ", "wait "].iter().find_map(|lead| {
        let (_, rest) = lower.split_once(lead)?;
        let mut words = rest.split_whitespace();
        let first = words.next()?.trim_end_matches(['.', ',', ';', ')', '"']);
        let unit = words.next().unwrap_or_default();
        match number(first) {
            Some(count) if unit.starts_with("ms") || unit.starts_with("milli") => Some(count),
            Some(count) if unit.starts_with("min") => Some(count * 60_000.0),
            Some(count) if unit.starts_with("hour") => Some(count * 3_600_000.0),
            Some(count) if unit.starts_with("sec") => Some(count * 1000.0),
            Some(_) => None,
            None => duration_ms(first),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_792_567_600_000; // 2026-10-21 07:26:40 GMT

    fn head(name: &str, value: &str) -> Option<u64> {
        of_head([(name, value)].into_iter(), NOW)
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let forms = [
            ("20", Some(20_000)),
            ("1.5", Some(1500)),
            ("0", Some(0)),
            ("-5", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", Some(80_000)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(0)),
            ("Wednesday, 21-Oct-26 07:28:00 GMT", Some(80_000)),
            ("Wed Oct 21 07:28:00 2026", Some(80_000)),
            ("120s", Some(120_000)),
            ("", None),
            ("1, 2", Some(2000)),
            ("1e9", Some(MAX_WAIT_MS)),
            ("1792567630", Some(30_000)),
            ("1792567630000", Some(30_000)),
            ("2026-10-21T07:27:00Z", Some(20_000)),
            ("zwölf", None),
            ("NaN", None),
            ("inf", None),
        ];
        for (value, wait) in forms {
            assert_eq!(head("retry-after", value), wait, "{value}");
        }
        let twice = [("retry-after", "3"), ("retry-after", "7")];
        assert_eq!(of_head(twice.into_iter(), NOW), Some(7000));
    }

    #[test]
    fn milliseconds_are_more_exact_than_seconds() {
        let both = [("retry-after", "2"), ("retry-after-ms", "1500")];
        assert_eq!(of_head(both.into_iter(), NOW), Some(1500));
        assert_eq!(head("x-ms-retry-after-ms", "250"), Some(250));
    }

    #[test]
    fn every_form_of_a_limits_reset_is_read() {
        let forms = [
            ("x-ratelimit-reset-requests", "1s", Some(1000)),
            ("x-ratelimit-reset-requests", "6m0s", Some(360_000)),
            ("x-ratelimit-reset-tokens", "20ms", Some(20)),
            ("x-ratelimit-reset-tokens", "1h2m3.5s", Some(3_723_500)),
            ("x-ratelimit-reset", "1792567630", Some(30_000)),
            ("x-ratelimit-reset", "1792567630000", Some(30_000)),
            ("anthropic-ratelimit-requests-reset", "2026-10-21T07:27:00Z", Some(20_000)),
            ("anthropic-ratelimit-output-tokens-reset", "2026-10-21T09:27:00+02:00", Some(20_000)),
            ("x-ratelimit-limit-requests", "60", None),
        ];
        for (name, value, wait) in forms {
            assert_eq!(head(name, value), wait, "{name}: {value}");
        }
    }

    #[test]
    fn only_the_limit_that_is_used_up_counts() {
        let headers = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "2s"),
            ("x-ratelimit-remaining-tokens", "900"),
            ("x-ratelimit-reset-tokens", "50s"),
        ];
        assert_eq!(of_head(headers.into_iter(), NOW), Some(2000));
    }

    #[test]
    fn bodies_say_it_too() {
        let bodies = [
            (
                r#"{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"39s"}]}}"#,
                39_000,
            ),
            (r#"[{"error":{"details":[{"x":1},{"retryDelay":"45.837906927s"}]}}]"#, 45_838),
            (r#"{"error":{"details":[{"metadata":{"quotaResetDelay":"373.801628ms"}}]}}"#, 374),
            (r#"{"error":{"message":"Quota exceeded. Please retry in 26.66s."}}"#, 26_660),
            (r#"{"error":{"message":"Your quota will reset after 2h7m23s."}}"#, 7_643_000),
            (r#"{"error":{"message":"Rate limit reached. Please try again in 20 seconds"}}"#, 20_000),
            (r#"{"message":"Please try again in 6m0s."}"#, 360_000),
            ("slow down, try again in 3s", 3000),
        ];
        for (body, wait) in bodies {
            assert_eq!(of_body(body.as_bytes()), Some(wait), "{body}");
        }
        for body in ["", "{}", "[]", "null", r#"{"error":{"message":"try again in a while"}}"#, r#"{"error":"x"}"#] {
            assert_eq!(of_body(body.as_bytes()), None, "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_words_make_it_panic(value in "\\PC{0,40}", name in "retry-after|x-ratelimit-reset|retry-after-ms") {
            let _ = head(&name, &value);
            let _ = of_body(value.as_bytes());
            let _ = of_body(format!("{{\"error\":{{\"message\":\"try again in {value}\"}}}}").as_bytes());
        }
    }
}
