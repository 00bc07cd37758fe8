//! What becomes of an attempt that is no answer.

use super::*;

/// Bodies of a 200 that are no answer.
const NO_ANSWERS: [(&str, &str); 6] = [
    (SSE, ""),
    (SSE, "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":503}}\n\n"),
    (SSE, ": ping\n\n: ping\n\n"),
    (JSON, "{\"id\":\"1\",\"choi"),
    (JSON, "{\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":503}}"),
    ("text/html", "<html>bad gateway</html>"),
];

#[test]
fn a_200_without_an_answer_is_retried_and_at_last_told_as_an_error() {
    for (kind, body) in NO_ANSWERS {
        for from in CLIENTS {
            let asked = asked(&mut memory(&[CHAT, CHAT]), from, kind == SSE);
            let (mut first, _) = begin(&asked, 1);
            let passed = answer(&mut first, "200", kind, &[body.as_bytes()]);
            assert!(passed.retry, "{from:?} {body}");
            assert_eq!(first.end(1010).ending, Ending::Retriable);
            let (mut last, _) = begin(&asked, 2);
            let passed = answer(&mut last, "200", kind, &[body.as_bytes()]);
            assert!(!passed.retry);
            assert!(passed.status.as_deref().is_some_and(|status| status.starts_with('5')), "{passed:?}");
            assert!(Json::parse(&passed.bytes).unwrap().get("error").is_some(), "{}", passed.text());
            assert!(!passed.text().contains("html"), "{}", passed.text());
        }
    }
}

#[test]
fn statuses_are_retried_or_told() {
    let error = br#"{"error":{"message":"no","type":"t"}}"#;
    for (status, retried) in [
        (429, true),
        (408, true),
        (409, true),
        (500, true),
        (503, true),
        (529, true),
        (400, false),
        (401, false),
        (403, false),
        (404, false),
        (413, false),
        (422, false),
    ] {
        let asked = asked(&mut memory(&[CHAT, CHAT]), MESSAGES, false);
        let (mut attempt, _) = begin(&asked, 1);
        let passed = answer(&mut attempt, &status.to_string(), JSON, &[error]);
        assert_eq!(passed.retry, retried, "{status}");
        if !retried {
            assert_eq!(Json::parse(&passed.bytes).unwrap().get("type").unwrap().as_str(), "\"error\"");
        }
    }
}

#[test]
fn a_head_without_a_body_is_retried_or_explained() {
    for status in ["200", "429", "529", "404"] {
        let asked = asked(&mut memory(&[CHAT, CHAT]), MESSAGES, false);
        let head =
            vec![(b":status".to_vec(), status.as_bytes().to_vec()), (b"x-echo".to_vec(), b"secret-of-p2".to_vec())];
        let (mut last, _) = begin(&asked, 2);
        let HeadVerdict::Say(edits, body) = last.response_head(&head, true, 1001) else { panic!("{status}") };
        assert!(Json::parse(&body).unwrap().get("error").is_some());
        assert!(edits.remove.contains(&b"x-echo".to_vec()), "the credential must not be told: {edits:?}");
        let (mut first, _) = begin(&asked, 1);
        let verdict = first.response_head(&head, true, 1001);
        assert_eq!(matches!(verdict, HeadVerdict::Pass(_)), status != "404", "{status}: {verdict:?}");
    }
}

/// What the first of such targets makes of an error with that code; windows are theirs, in order.
fn first_meets(code: &str, windows: &[u64], on_content_policy: OnContentPolicy) -> (bool, Outcome) {
    let mut memory = memory(&vec![CHAT; windows.len()]);
    let mut snapshot = memory.snapshot().map(|snapshot| Snapshot::clone(snapshot)).unwrap();
    for (target, window) in snapshot.targets.iter_mut().zip(windows) {
        target.context_window = *window;
    }
    snapshot.routes[0].patience.on_content_policy = on_content_policy;
    memory.publish(snapshot);
    let (mut first, _) = begin(&asked(&mut memory, CHAT, false), 1);
    let error = format!(r#"{{"error":{{"message":"no","type":"t","code":"{code}"}}}}"#);
    let passed = answer(&mut first, "400", JSON, &[error.as_bytes()]);
    assert_eq!(passed.status.as_deref().unwrap_or("400"), "400", "the provider's word on it");
    (passed.retry, first.end(1010))
}

#[test]
fn what_does_not_fit_goes_to_whoever_may_have_more_room() {
    let refuse = OnContentPolicy::Refuse;
    for (windows, goes_on) in [
        (&[8000, 32_000][..], true),
        (&[8000, 0], true),
        (&[8000, 8000, 9000], true),
        (&[0, 32_000], true),
        (&[8000, 8000], false),
        (&[8000, 4000], false),
        (&[8000], false),
    ] {
        let (retried, outcome) = first_meets("context_length_exceeded", windows, refuse);
        assert_eq!(retried, goes_on, "{windows:?}");
        assert_eq!(outcome.failure, Some(Failure::ContextTooLong));
    }
}

#[test]
fn what_a_policy_forbids_goes_on_where_the_route_says_so() {
    for (way, windows, goes_on) in [
        (OnContentPolicy::Refuse, &[0, 0][..], false),
        (OnContentPolicy::Fallback, &[0, 0], true),
        (OnContentPolicy::Fallback, &[0], false),
    ] {
        let (retried, outcome) = first_meets("content_filter", windows, way);
        assert_eq!((retried, outcome.failure), (goes_on, Some(Failure::ContentPolicy)), "{way:?} {windows:?}");
        let (retried, _) = first_meets("invalid_request_error", windows, way);
        assert!(!retried, "nothing else does");
    }
}
