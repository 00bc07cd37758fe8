//! What an attempt took, when nobody says it or what is said cannot be.

use super::super::settle::SURELY_SENT_MS;
use super::*;
use crate::estimate::Estimate;
use crate::usage::Usage;

/// When [`begin`] begins.
const BEGUN_MS: u64 = 1_000;

fn head() -> Vec<Header> {
    vec![(b":status".to_vec(), b"200".to_vec()), (b"content-type".to_vec(), SSE.as_bytes().to_vec())]
}

fn chat(text: &str) -> String {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

fn end(usage: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}],\"usage\":{usage}}}\n\ndata: [DONE]\n\n"
    )
}

/// The outcome of a client of `from` that hears these bytes of a streamed chat completion, and leaves after them unless they end.
fn outcome(from: DialectId, bytes: &str, ends: bool) -> Outcome {
    let asked = asked(&mut memory(&[CHAT]), from, true);
    let (mut attempt, _) = begin(&asked, 1);
    attempt.response_head(&head(), false, BEGUN_MS);
    attempt.response_body(bytes.as_bytes(), ends, BEGUN_MS);
    attempt.end(BEGUN_MS + 10)
}

#[test]
fn a_client_that_leaves_is_told_from_a_provider_that_is_silent() {
    let asked = asked(&mut memory(&[CHAT]), CHAT, true);
    let (silent, _) = begin(&asked, 1);
    assert_eq!(silent.end(1010).ending, Ending::Silent);
    let (mut left, _) = begin(&asked, 1);
    let head = vec![(b":status".to_vec(), b"200".to_vec()), (b"content-type".to_vec(), SSE.as_bytes().to_vec())];
    left.response_head(&head, false, 1001);
    left.response_body(&CHAT_STREAM.as_bytes()[..500], false, 1001);
    assert_eq!(left.end(1010).ending, Ending::Abandoned);
}

#[test]
fn what_was_said_before_the_client_left_is_estimated() {
    let said: String = (0..100).map(|_| chat("one two ")).collect();
    for from in [CHAT, MESSAGES] {
        let left = outcome(from, &said, false);
        assert_eq!((left.ending, left.usage), (Ending::Abandoned, Usage::default()));
        let Estimate { input, output } = left.estimate.unwrap();
        assert!((5..40).contains(&input) && (200..260).contains(&output), "{from:?}: {input}, {output}");
        let unreported = outcome(from, &(said.clone() + &end("null")), true);
        assert_eq!((unreported.ending, unreported.estimate), (Ending::Answered, left.estimate));
    }
}

#[test]
fn what_was_reported_is_not_estimated() {
    let said = chat("one two three");
    let whole = outcome(CHAT, &(said + &end(r#"{"prompt_tokens":9,"completion_tokens":3}"#)), true);
    assert_eq!((whole.usage.output, whole.usage.suspect, whole.estimate), (Some(3), false, None));
}

#[test]
fn what_is_missing_is_filled_in_and_never_below_the_report() {
    let start = r#"event: message_start
data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"x","content":[],"usage":{"input_tokens":500,"output_tokens":4}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

"#;
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" one two three four\"}}\n\n";
    let asked = asked(&mut memory(&[MESSAGES]), MESSAGES, true);
    for (deltas, expected) in [(0, None), (1, Some(8..=9)), (50, Some(200..=240))] {
        let (mut attempt, _) = begin(&asked, 1);
        attempt.response_head(&head(), false, BEGUN_MS);
        attempt.response_body(start.as_bytes(), false, BEGUN_MS);
        (0..deltas).for_each(|_| drop(attempt.response_body(delta.as_bytes(), false, BEGUN_MS)));
        let left = attempt.end(BEGUN_MS);
        let estimate = left.estimate.map(|estimate| (estimate.input, estimate.output));
        assert_eq!(estimate.map(|(input, _)| input), expected.as_ref().map(|_| 500), "as reported");
        assert!(estimate.is_none_or(|(_, output)| expected.unwrap().contains(&output)), "{estimate:?}");
    }
}

#[test]
fn a_hostile_report_is_suspect_and_takes_nothing_back() {
    let said: String = (0..1_000).map(|_| chat("one two three ")).collect();
    for hostile in ["-5", "0", "1.5", "\"7\"", "-1e308", "9223372036854775808", "1e308", "[]", "1"] {
        let usage = format!(r#"{{"prompt_tokens":9,"completion_tokens":{hostile}}}"#);
        let outcome = outcome(CHAT, &(said.clone() + &end(&usage)), true);
        assert!(outcome.usage.suspect, "{hostile}");
        let estimated = outcome.estimate.map_or(0, |estimate| estimate.output);
        assert!(outcome.usage.output.unwrap_or(0).max(estimated) >= 3_000, "{hostile}: {outcome:?}");
    }
    let shrank = said.clone()
        + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4000}}\n\n"
        + &end(r#"{"prompt_tokens":9,"completion_tokens":0}"#);
    let outcome = outcome(CHAT, &shrank, true);
    assert!(outcome.usage.suspect && outcome.estimate.is_some_and(|estimate| estimate.output >= 3_000));
}

#[test]
fn one_token_for_a_megabyte_is_implausible_in_either_way() {
    let said = chat(&"word ".repeat(200_000)) + &end(r#"{"prompt_tokens":9,"completion_tokens":1}"#);
    for from in [CHAT, MESSAGES] {
        let outcome = outcome(from, &said, true);
        assert!(outcome.usage.suspect && outcome.usage.output == Some(1), "{from:?}");
        assert!(outcome.estimate.is_some_and(|estimate| estimate.output >= 200_000));
    }
}

#[test]
fn a_connection_that_died_costs_the_input_where_it_was_surely_read() {
    let asked = asked(&mut memory(&[CHAT]), CHAT, false);
    let ended = |answers: bool, after_ms: u64| {
        let (mut attempt, _) = begin(&asked, 1);
        if answers {
            attempt.response_head(&head(), false, BEGUN_MS);
        }
        let outcome = attempt.end(BEGUN_MS + after_ms);
        assert_eq!(outcome.ending, Ending::Silent);
        outcome.estimate.map(|estimate| (estimate.input > 0, estimate.output))
    };
    assert_eq!(ended(false, SURELY_SENT_MS - 1), None, "perhaps nothing was sent");
    assert_eq!(ended(false, SURELY_SENT_MS), Some((true, 0)));
    assert_eq!(ended(true, 1), Some((true, 0)));
}
