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
