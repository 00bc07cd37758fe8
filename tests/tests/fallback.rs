//! What a provider does wrong before its first byte, the client never learns: the next provider answers.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::{Duration, SystemTime};

use dragoman_tests::client::Answer;
use dragoman_tests::rig::{Rig, all_three, closed, fresh, only, pair, rig};
use dragoman_tests::said::{Said, ask, read};
use dragoman_tests::simulator::persona::{Dialect, event_stream};
use dragoman_tests::simulator::{Fault, Framing, Reply, Wait, When, hints};
use serde_json::json;

/// Words that stand in every fault's body, and must not reach a client that was answered well.
const TELLTALE: &str = "telltale";

/// An error in the words of a provider of this dialect.
fn error_body(dialect: Dialect, status: u16) -> serde_json::Value {
    match dialect {
        Dialect::Chat | Dialect::Responses => {
            json!({"error": {"message": TELLTALE, "type": "some_error", "param": null, "code": null}})
        }
        Dialect::Messages => json!({"type": "error", "error": {"type": "api_error", "message": TELLTALE}}),
        Dialect::Gemini => json!({"error": {"code": status, "message": TELLTALE, "status": "UNAVAILABLE"}}),
        Dialect::ChatV2 => json!({"id": "simulated", "message": TELLTALE}),
        Dialect::Converse => json!({"message": TELLTALE}),
    }
}

/// The first event of a stream that is an error.
fn error_event(dialect: Dialect) -> Vec<u8> {
    let error = error_body(dialect, 503);
    match dialect {
        Dialect::Chat | Dialect::Gemini => format!("data: {error}\n\n").into(),
        Dialect::Messages => format!("event: error\ndata: {error}\n\n").into(),
        Dialect::Responses => {
            let event = json!({"type": "error", "sequence_number": 0, "code": "server_error", "message": TELLTALE, "param": null});
            format!("event: error\ndata: {event}\n\n").into()
        }
        Dialect::ChatV2 => {
            let event = json!({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": TELLTALE}});
            format!("event: message-end\ndata: {event}\n\n").into()
        }
        Dialect::Converse => event_stream::exception("internalServerException", &error.to_string()),
    }
}

/// Everything that sends a request to the next provider at once.
fn retried(dialect: Dialect, stream: bool) -> Vec<(String, Reply)> {
    let status = |status: u16| (format!("status {status}"), Reply::json(status, &error_body(dialect, status)));
    let mut faults: Vec<(String, Reply)> = [408, 429, 500, 502, 503, 504, 529].map(status).into();
    let conflict = Reply::json(409, &error_body(dialect, 409)).header("x-should-retry", "true");
    faults.push(("409 that asks to be tried again".into(), conflict));
    faults.push(("reset before the head".into(), Reply::reset()));
    faults.push(("closed before the head".into(), Reply::hang_up()));
    faults.push(("200 with an empty body".into(), Reply::status(200).header("content-type", "application/json")));
    faults.push((
        "200 with a page".into(),
        Reply::status(200).header("content-type", "text/html").body("<html>telltale</html>"),
    ));
    if stream {
        faults.push(("error as first event".into(), Reply::stream_of(dialect, error_event(dialect))));
        faults.push(("empty stream".into(), Reply::stream_of(dialect, "")));
        faults.push(("stream of comments".into(), Reply::event_stream(": telltale\n\n: telltale\n\n")));
        faults.push(("closed after the head".into(), Reply::persona().after_bytes(0, Fault::Cut)));
        faults.push(("reset in the first event".into(), Reply::persona().after_bytes(9, Fault::Reset)));
    } else {
        faults.push(("error inside a 200".into(), Reply::json(200, &error_body(dialect, 503))));
        faults.push((
            "half a document".into(),
            Reply::status(200).header("content-type", "application/json").body("{\"id\": \"telltale"),
        ));
        faults.push(("closed in the document".into(), Reply::persona().after_bytes(30, Fault::Cut)));
        faults.push(("reset in the document".into(), Reply::persona().after_bytes(30, Fault::Reset)));
    }
    faults
}

/// The second provider's answer, with nothing of the first one's in it, and headers that tell the story.
fn assert_second_answered(what: &str, text: &str, target: &str, answer: &Answer, said: &Said) {
    let body = answer.text();
    assert_eq!(answer.status, 200, "{what}: {body}");
    assert!(said.complete, "{what}: {body}");
    assert_eq!(said.text, format!("you said: {text}"), "{what}");
    assert!(!body.contains(TELLTALE), "{what}: {body}");
    assert_eq!(answer.header("x-dragoman-target"), Some(target), "{what}");
    assert_eq!(answer.header("x-dragoman-attempts"), Some("2"), "{what}");
    assert!(answer.header("x-dragoman-request-id").is_some_and(|id| id.len() >= 16), "{what}: {:?}", answer.headers);
    let internal =
        answer.headers.iter().find(|(name, _)| name.starts_with("x-dragoman-try") || name == "x-dragoman-retry");
    assert_eq!(internal, None, "{what}");
}

fn falls_back(client: Dialect, first: Dialect, second: Dialect, stream: bool) {
    let rig = rig();
    for (name, reply) in retried(first, stream) {
        let text = fresh("hello");
        rig.script(first, &text, [reply]);
        let model = pair(first, second);
        let what = format!("{name}: {client:?} client, {model}, streamed: {stream}");
        let (answer, said) = rig.ask(client, &model, &text, stream).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        assert_second_answered(&what, &text, &format!("{}-b/{model}", second.name()), &answer, &said);
        assert_eq!(rig.first(first).journal().mentioning(&text).len(), 1, "{what}: the first is asked once");
        assert_eq!(rig.second(second).journal().mentioning(&text).len(), 1, "{what}: the second is asked once");
    }
}

#[test]
fn a_chat_client_is_answered_whole_by_the_next_provider_whatever_the_first_does() {
    Dialect::ALL.into_iter().for_each(|first| falls_back(Dialect::Chat, first, Dialect::Messages, false));
}

#[test]
fn a_chat_client_is_streamed_to_by_the_next_provider_whatever_the_first_does() {
    Dialect::ALL.into_iter().for_each(|first| falls_back(Dialect::Chat, first, Dialect::Chat, true));
}

#[test]
fn a_messages_client_is_answered_whole_by_the_next_provider_whatever_the_first_does() {
    Dialect::ALL.into_iter().for_each(|first| falls_back(Dialect::Messages, first, Dialect::Gemini, false));
}

#[test]
fn a_messages_client_is_streamed_to_by_the_next_provider_whatever_the_first_does() {
    Dialect::ALL.into_iter().for_each(|first| falls_back(Dialect::Messages, first, Dialect::Chat, true));
}

#[test]
fn a_gemini_client_is_answered_whole_by_the_next_provider_whatever_the_first_does() {
    Dialect::ALL.into_iter().for_each(|first| falls_back(Dialect::Gemini, first, Dialect::Gemini, false));
}

#[test]
fn a_gemini_client_is_streamed_to_by_the_next_provider_whatever_the_first_does() {
    Dialect::ALL.into_iter().for_each(|first| falls_back(Dialect::Gemini, first, Dialect::Messages, true));
}

#[test]
fn a_provider_that_refuses_connections_is_passed_over() {
    for client in Dialect::CLIENTS {
        for second in Dialect::ALL {
            for stream in [false, true] {
                let text = fresh("hello");
                let model = closed(second);
                let what = format!("{client:?} client, {model}, streamed: {stream}");
                let (answer, said) = rig().ask(client, &model, &text, stream).expect("an answer");
                assert_second_answered(&what, &text, &format!("{}-b/{model}", second.name()), &answer, &said);
            }
        }
    }
}

#[test]
fn a_provider_silent_for_longer_than_its_time_loses_the_request() {
    let never = Fault::Stall(Wait::Forever);
    let cases = [
        ("no head", false, Reply::silence(Wait::Forever)),
        ("no head", true, Reply::silence(Wait::Forever)),
        ("a head and no event", true, Reply::persona().after_bytes(0, never.clone())),
        ("a head and half an event", true, Reply::persona().after_bytes(20, never)),
    ];
    std::thread::scope(|scope| {
        for (name, stream, reply) in cases {
            for first in Dialect::ALL {
                let reply = reply.clone();
                scope.spawn(move || {
                    let text = fresh("hello");
                    rig().script(first, &text, [reply]);
                    let model = pair(first, Dialect::Chat);
                    let what = format!("{name}: {model}, streamed: {stream}");
                    let (answer, said) = rig().ask(Dialect::Chat, &model, &text, stream).expect("an answer");
                    assert_second_answered(&what, &text, &format!("chat-b/{model}"), &answer, &said);
                });
            }
        }
    });
}

#[test]
fn every_form_of_retry_hint_leads_to_the_next_provider() {
    for hint in hints::all(SystemTime::now()) {
        let text = fresh("hello");
        rig().script(Dialect::Chat, &text, [hint.reply()]);
        let model = pair(Dialect::Chat, Dialect::Messages);
        let (answer, said) = rig().ask(Dialect::Chat, &model, &text, false).expect("an answer");
        assert_second_answered(&hint.form, &text, &format!("messages-b/{model}"), &answer, &said);
    }
}

#[test]
fn refusals_that_would_be_the_same_everywhere_are_passed_on_in_the_clients_dialect() {
    let rig = rig();
    for status in [400, 401, 403, 404, 413, 422] {
        for first in Dialect::ALL {
            for client in Dialect::CLIENTS {
                for stream in [false, true] {
                    let text = fresh("hello");
                    rig.script(first, &text, [Reply::json(status, &error_body(first, status))]);
                    let what = format!("{status} from {first:?} to {client:?}, streamed: {stream}");
                    let (answer, said) =
                        rig.ask(client, &pair(first, Dialect::Chat), &text, stream).expect("an answer");
                    assert_eq!(answer.status, status, "{what}: {}", answer.text());
                    let error = said.error.unwrap_or_else(|| panic!("{what}: {}", answer.text()));
                    assert!(error["message"].as_str().is_some_and(|words| words.contains(TELLTALE)), "{what}: {error}");
                    assert_eq!(answer.header("x-dragoman-attempts"), Some("1"), "{what}");
                    assert_eq!(answer.header("x-dragoman-error-origin"), Some("provider"), "{what}");
                    assert_eq!(rig.asked(&text), 1, "{what}: nobody else is asked");
                }
            }
        }
    }
}

#[test]
fn after_the_first_byte_nothing_is_asked_again() {
    let broken = |first: Dialect, second: Dialect, client: Dialect, fault: Fault| {
        let text = fresh("one two three");
        rig().script(first, &text, [Reply::persona().after_pieces(5, fault.clone())]);
        let what = format!("{fault:?} from {first:?} to {client:?}");
        let (answer, said) = rig().ask(client, &pair(first, second), &text, true).expect("an answer");
        assert_eq!(answer.status, 200, "{what}");
        assert!(!said.complete, "{what}: {}", answer.text());
        assert!(format!("you said: {text}").starts_with(&said.text), "{what}: {}", said.text);
        assert_eq!(answer.header("x-dragoman-attempts"), Some("1"), "{what}");
        assert_eq!(rig().asked(&text), 1, "{what}: nobody else is asked");
    };
    std::thread::scope(|scope| {
        for first in Dialect::ALL {
            // A model that breaks too often is asked last, so each is broken twice only.
            let mut seconds = Dialect::ALL.into_iter().cycle();
            for client in Dialect::CLIENTS {
                for fault in [Fault::Cut, Fault::Reset, Fault::EndWith(error_event(first))] {
                    let second = seconds.next().unwrap_or(Dialect::Chat);
                    scope.spawn(move || broken(first, second, client, fault));
                }
            }
        }
    });
}

#[test]
fn when_every_provider_refuses_the_client_gets_the_last_refusal_in_its_dialect() {
    let rig = rig();
    for client in Dialect::CLIENTS {
        for stream in [false, true] {
            let text = fresh("hello");
            let model = all_three();
            for dialect in Dialect::ALL {
                rig.script(dialect, &text, [Reply::json(429, &error_body(dialect, 429)).header("retry-after", "7")]);
            }
            let (answer, said) = rig.ask(client, &model, &text, stream).expect("an answer");
            assert_eq!(answer.status, 429, "{client:?}: {}", answer.text());
            assert!(said.error.is_some(), "{client:?}: {}", answer.text());
            assert_eq!(answer.header("x-dragoman-attempts"), Some("3"), "{client:?}: {:?}", answer.headers);
            assert_eq!(answer.header("retry-after"), Some("7"), "{client:?}: {:?}", answer.headers);
            assert_eq!(rig.asked(&text), 3, "{client:?}: each once");
        }
    }
}

#[test]
fn a_model_of_one_provider_has_nobody_to_fall_back_to_and_says_so() {
    let rig = rig();
    let cases = [("429", Reply::status(429), 429), ("reset", Reply::reset(), 503), ("529", Reply::status(529), 529)];
    for (name, reply, status) in cases {
        for client in Dialect::CLIENTS {
            let text = fresh("hello");
            rig.script(Dialect::Messages, &text, [reply.clone()]);
            let (answer, said) = rig.ask(client, &only(Dialect::Messages), &text, false).expect("an answer");
            assert_eq!(answer.status, status, "{name} to {client:?}: {}", answer.text());
            assert!(said.error.is_some(), "{name} to {client:?}: {}", answer.text());
            assert_eq!(rig.asked(&text), 1, "{name} to {client:?}");
        }
    }
}

#[test]
fn the_walk_goes_on_past_the_second_provider() {
    let rig = rig();
    for client in Dialect::CLIENTS {
        let text = fresh("hello");
        rig.script(Dialect::Chat, &text, [Reply::status(429)]);
        rig.script(Dialect::Messages, &text, [Reply::stream_of(Dialect::Messages, error_event(Dialect::Messages))]);
        let (answer, said) = rig.ask(client, &all_three(), &text, true).expect("an answer");
        assert!(said.complete, "{client:?}: {}", answer.text());
        assert_eq!(said.text, format!("you said: {text}"), "{client:?}");
        assert_eq!(answer.header("x-dragoman-target"), Some("gemini/all-three"), "{client:?}");
        assert_eq!(answer.header("x-dragoman-attempts"), Some("3"), "{client:?}");
    }
}

#[test]
fn the_next_provider_gets_the_clients_request_and_not_the_last_ones() {
    let rig = rig();
    let text = fresh("hello");
    rig.script(Dialect::Chat, &text, [Reply::status(500)]);
    rig.script(Dialect::Messages, &text, [Reply::status(500)]);
    let body = ask(Dialect::Chat, &all_three(), &text, true);
    let answer = rig.gateway.send(&rig.gateway.call(Dialect::Chat, &all_three(), &body, true)).expect("an answer");
    assert!(read(Dialect::Chat, &answer).complete, "{}", answer.text());
    let one = |dialect: Dialect| rig.first(dialect).journal().mentioning(&text).remove(0).received;
    assert_eq!(one(Dialect::Chat).json(), body, "the first one gets it as it was");
    assert_eq!(one(Dialect::Messages).json()["messages"], json!([{"role": "user", "content": text}]));
    let gemini = one(Dialect::Gemini);
    assert_eq!(gemini.json()["contents"][0]["parts"][0]["text"], json!(text));
    assert!(gemini.path.ends_with("/models/all-three:streamGenerateContent?alt=sse"), "{}", gemini.path);
}

#[test]
fn a_large_request_falls_back_like_a_small_one() {
    let rig = rig();
    let text = fresh(&"many words ".repeat(200_000));
    let words = &text[..text.find("many").expect("the words")];
    rig.script(Dialect::Chat, words, [Reply::status(503)]);
    let (answer, said) =
        rig.ask(Dialect::Chat, &pair(Dialect::Chat, Dialect::Gemini), &text, false).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text().chars().take(300).collect::<String>());
    assert_eq!(said.text.len(), "you said: ".len() + text.len());
}

#[test]
fn a_refusal_with_a_body_that_never_ends_does_not_hold_the_request() {
    let rig = rig();
    let text = fresh("hello");
    let endless = Reply::json(503, &error_body(Dialect::Chat, 503)).framing(Framing::Chunked);
    rig.script(Dialect::Chat, &text, [endless.after_bytes(5, Fault::Stall(Wait::Forever))]);
    let before = std::time::Instant::now();
    let (answer, _) = rig.ask(Dialect::Chat, &pair(Dialect::Chat, Dialect::Chat), &text, true).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(before.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_provider_that_recovers_is_asked_first_again() {
    let rig = Rig::start().expect("a rig of its own: what is learned of a target must not matter to others");
    let words = "recovering";
    rig.first(Dialect::Chat).when(When::mentions(words), [Reply::status(503), Reply::persona()]);
    let model = pair(Dialect::Chat, Dialect::Messages);
    let (first, _) = rig.ask(Dialect::Chat, &model, words, false).expect("an answer");
    assert_eq!(first.header("x-dragoman-target"), Some(format!("messages-b/{model}").as_str()));
    let recovered = (0..40).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        let (answer, _) = rig.ask(Dialect::Chat, &model, words, false).expect("an answer");
        answer.header("x-dragoman-target") == Some(format!("chat/{model}").as_str())
    });
    assert!(recovered, "within ten seconds of its recovery");
}
