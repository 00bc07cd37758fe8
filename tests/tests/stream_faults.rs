//! What a provider does wrong inside an answer: never presented as complete, never an endless wait, never a garbled text.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::{Duration, Instant};

use dragoman_tests::client::{Answer, End};
use dragoman_tests::rig::{fresh, only, rig};
use dragoman_tests::said::{Said, ask};
use dragoman_tests::simulator::persona::{Dialect, event_stream};
use dragoman_tests::simulator::{self, Fault, Framing, Reply, Wait};
use serde_json::json;

const SOON: Duration = Duration::from_secs(10);

/// An error in the middle of a stream, in the words of a provider of this dialect.
fn error_event(dialect: Dialect) -> Vec<u8> {
    match dialect {
        Dialect::Chat => "data: {\"error\":{\"message\":\"telltale\",\"type\":\"server_error\",\"code\":null}}\n\n",
        Dialect::Messages => {
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"telltale\"}}\n\n"
        }
        Dialect::Gemini => "data: {\"error\":{\"code\":503,\"message\":\"telltale\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n",
        Dialect::Responses => {
            "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"telltale\",\"param\":null,\"sequence_number\":9}\n\n"
        }
        Dialect::ChatV2 => {
            "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"telltale\"}}\n\n"
        }
        Dialect::Converse => return event_stream::exception("modelStreamErrorException", r#"{"message":"telltale"}"#),
    }
    .into()
}

/// Goes through every client dialect and every provider dialect.
fn each_pair(mut test: impl FnMut(Dialect, Dialect)) {
    for client in Dialect::CLIENTS {
        Dialect::ALL.into_iter().for_each(|provider| test(client, provider));
    }
}

/// Asks the one provider of this dialect, which replies like this.
fn said_after(client: Dialect, provider: Dialect, words: &str, stream: bool, reply: Reply) -> (String, Answer, Said) {
    let text = fresh(words);
    rig().script(provider, &text, [reply]);
    let (answer, said) = rig().ask(client, &only(provider), &text, stream).expect("an answer");
    (text, answer, said)
}

#[test]
fn a_stream_cut_anywhere_is_never_complete_and_says_so() {
    let cut = |client: Dialect, provider: Dialect, fault: Fault, pieces: usize| {
        let what = format!("{fault:?} after {pieces} pieces, {provider:?} to {client:?}");
        let reply = Reply::persona().after_pieces(pieces, fault);
        let (text, answer, said) = said_after(client, provider, "one two three", true, reply);
        assert_eq!(answer.status, 200, "{what}: it had begun");
        assert!(!said.complete, "{what}: {}", answer.text());
        assert!(format!("you said: {text}").starts_with(&said.text), "{what}: {}", said.text);
        let told = said.error.is_some() || answer.end == End::Cut;
        assert!(told, "{what}: the client must see that it is not the end: {}", answer.text());
    };
    std::thread::scope(|scope| {
        each_pair(|client, provider| {
            scope.spawn(move || {
                for fault in [Fault::Cut, Fault::Reset] {
                    // `you said: case #1: one two three` in any dialect: from the first word to all but the last events. One
                    // of them says four things before the first word.
                    let before = usize::from(provider == Dialect::Responses);
                    for pieces in [4, 5, 7, 8].map(|pieces| pieces + before) {
                        cut(client, provider, fault.clone(), pieces);
                    }
                }
            });
        });
    });
}

#[test]
fn an_orderly_end_without_the_dialects_own_last_word_is_a_cut_as_well() {
    each_pair(|client, provider| {
        let what = format!("{provider:?} to {client:?}");
        let reply = Reply::persona().after_pieces(6, Fault::EndWith(Vec::new()));
        let (_, answer, said) = said_after(client, provider, "one two three four", true, reply);
        assert!(!said.complete, "{what}: {}", answer.text());
        assert!(said.error.is_some() || answer.end == End::Cut, "{what}: {}", answer.text());
    });
}

#[test]
fn an_error_in_the_middle_reaches_the_client_in_its_own_dialect() {
    each_pair(|client, provider| {
        for pieces in [4, 6] {
            let what = format!("after {pieces} pieces, {provider:?} to {client:?}");
            let reply = Reply::persona().after_pieces(pieces, Fault::EndWith(error_event(provider)));
            let (text, answer, said) = said_after(client, provider, "one two three", true, reply);
            assert!(!said.complete, "{what}: {}", answer.text());
            let error = said.error.unwrap_or_else(|| panic!("{what}: {}", answer.text()));
            assert!(error["message"].as_str().is_some_and(|words| words.contains("telltale")), "{what}: {error}");
            assert!(format!("you said: {text}").starts_with(&said.text), "{what}: {}", said.text);
        }
    });
}

#[test]
fn a_stream_that_falls_silent_ends_with_an_error_and_lets_the_provider_go() {
    std::thread::scope(|scope| {
        each_pair(|client, provider| {
            scope.spawn(move || {
                let what = format!("{provider:?} to {client:?}");
                let before = Instant::now();
                let reply = Reply::persona().after_pieces(5, Fault::Stall(Wait::Forever));
                let (text, answer, said) = said_after(client, provider, "one two three", true, reply);
                assert!(!said.complete, "{what}: {}", answer.text());
                assert!(said.error.is_some() || answer.end == End::Cut, "{what}: {}", answer.text());
                assert!(before.elapsed() < Duration::from_secs(20), "{what}");
                let ended = rig().first(provider).journal().wait_until(SOON, "the stream to be let go", |requests| {
                    let ours = requests.iter().find(|request| request.received.mentions(&text));
                    ours.is_some_and(|request| request.delivered.end == simulator::End::ClientLeft)
                });
                assert!(ended.is_ok(), "{what}: {:?}", ended.err());
            });
        });
    });
}

#[test]
fn any_cut_of_the_bytes_gives_the_same_answer() {
    each_pair(|client, provider| {
        for step in [1, 2, 3, 7, 64, 4096] {
            let what = format!("every {step} bytes, {provider:?} to {client:?}");
            let words = "Grüße \u{1F680} an \"alle\" \\ hier\tund dort";
            let (text, answer, said) = said_after(client, provider, words, true, Reply::persona().cut_every(step));
            assert!(said.complete, "{what}: {}", answer.text());
            assert_eq!(said.text, format!("you said: {text}"), "{what}");
            let (text, answer, said) = said_after(client, provider, words, false, Reply::persona().cut_every(step));
            assert!(said.complete, "{what}, whole: {}", answer.text());
            assert_eq!(said.text, format!("you said: {text}"), "{what}, whole");
        }
    });
}

#[test]
fn every_way_to_write_an_event_stream_is_read() {
    let chunk = |text: &str, finish: serde_json::Value| {
        json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}],
        })
        .to_string()
    };
    let (one, two) = (chunk("one ", json!(null)), chunk("two", json!("stop")));
    let split = two.replace(",\"model\"", ",\ndata: \"model\"");
    let cases = [
        ("no space after the colon", format!("data:{one}\n\ndata:{two}\n\ndata:[DONE]\n\n")),
        ("CR LF", format!("data: {one}\r\n\r\ndata: {two}\r\n\r\ndata: [DONE]\r\n\r\n")),
        ("CR alone", format!("data: {one}\r\rdata: {two}\r\rdata: [DONE]\r\r")),
        ("byte order mark", format!("\u{feff}data: {one}\n\ndata: {two}\n\ndata: [DONE]\n\n")),
        (
            "comments and unknown fields",
            format!(": hi\n\nid: 1\nretry: 5\ndata: {one}\n\n: PROCESSING\n\nother\ndata: {two}\n\ndata: [DONE]\n\n"),
        ),
        ("data over several lines", format!("data: {one}\n\ndata: {split}\n\ndata: [DONE]\n\n")),
        ("no empty line at the end", format!("data: {one}\n\ndata: {two}\n\ndata: [DONE]\n")),
        ("more after the end", format!("data: {one}\n\ndata: {two}\n\ndata: [DONE]\n\ndata: {{}}\n\n")),
    ];
    for (name, body) in cases {
        for step in [1, 1 << 20] {
            // To a client of its own dialect the bytes pass as they are; the others need them read.
            for client in [Dialect::Messages, Dialect::Gemini] {
                let reply = Reply::event_stream(body.as_str()).cut_every(step);
                let (_, answer, said) = said_after(client, Dialect::Chat, "hello", true, reply);
                assert_eq!(
                    (said.text.as_str(), said.complete),
                    ("one two", true),
                    "{name} to {client:?}: {}",
                    answer.text()
                );
            }
            let reply = Reply::event_stream(body.as_str()).cut_every(step);
            let (_, answer, _) = said_after(Dialect::Chat, Dialect::Chat, "hello", true, reply);
            assert_eq!(answer.body, body.as_bytes(), "{name}");
        }
    }
}

#[test]
fn nonsense_instead_of_an_answer_is_a_clear_502_in_the_clients_dialect() {
    let page = "<html><body>telltale</body></html>";
    let cases = [
        ("a page", Reply::status(200).header("content-type", "text/html").body(page)),
        ("a page that says it is JSON", Reply::status(200).header("content-type", "application/json").body(page)),
        (
            "half a document",
            Reply::status(200).header("content-type", "application/json").body("{\"choices\": [{\"telltale\""),
        ),
        ("an empty document", Reply::status(200).header("content-type", "application/json")),
        ("a document of nothing", Reply::status(200).header("content-type", "application/json").body("{}")),
        ("a list of numbers", Reply::status(200).header("content-type", "application/json").body("[1, 2, 3]")),
        ("no content type", Reply::status(200).body("telltale")),
        (
            "bytes that are no text",
            Reply::status(200).header("content-type", "application/json").body(b"\xff\xfe{}".to_vec()),
        ),
        (
            "a length that is a lie",
            Reply::status(200)
                .header("content-type", "application/json")
                .body("{\"id\"")
                .framing(Framing::Declared(99)),
        ),
        ("an event stream of nonsense", Reply::event_stream("data: <html>telltale</html>\n\n")),
        ("an event stream of another dialect", Reply::event_stream("event: what\ndata: {\"telltale\": 1}\n\n")),
    ];
    each_pair(|client, provider| {
        for (name, reply) in &cases {
            for stream in [false, true] {
                let what = format!("{name}: {provider:?} to {client:?}, streamed: {stream}");
                let (_, answer, said) = said_after(client, provider, "hello", stream, reply.clone());
                // A connection that breaks is told as such; there Envoy speaks before the filters do.
                let broken = name.contains("lie") && answer.status == 503;
                assert!(answer.status == 502 || broken, "{what}: {} {}", answer.status, answer.text());
                assert!(said.error.is_some(), "{what}: {}", answer.text());
                assert!(
                    !answer.text().contains("telltale"),
                    "{what}: the provider's words stay out: {}",
                    answer.text()
                );
                assert!(
                    answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")),
                    "{what}"
                );
            }
        }
    });
}

#[test]
fn a_page_with_an_error_status_keeps_the_status_and_loses_the_page() {
    each_pair(|client, provider| {
        for status in [400, 403, 404, 500, 502, 503] {
            let what = format!("{status}: {provider:?} to {client:?}");
            let reply = Reply::status(status).header("content-type", "text/html").body("<html>telltale</html>");
            let (_, answer, said) = said_after(client, provider, "hello", true, reply);
            assert_eq!(answer.status, status, "{what}");
            assert!(said.error.is_some(), "{what}: {}", answer.text());
            assert!(!answer.text().contains("<html>"), "{what}: {}", answer.text());
        }
    });
}

#[test]
fn the_other_form_of_answer_than_asked_for_is_converted_or_refused() {
    each_pair(|client, provider| {
        for stream in [false, true] {
            let text = fresh("hello");
            // What the provider would say to the opposite wish, from its own persona.
            let other = rig().second(provider);
            let opposite = ask(provider, "some-model", &text, !stream);
            let call = dragoman_tests::client::Call::post(&dragoman_tests::said::path(provider, "some-model", !stream))
                .json(&opposite);
            let key = other.persona().key().to_owned();
            let call = dragoman_tests::said::credential(provider, &key)
                .iter()
                .fold(call, |call, (name, value)| call.header(name, value));
            let recorded = call.send(&other.address().to_string()).expect("the persona's answer");
            let kind = recorded.header("content-type").expect("a content type").to_owned();
            let reply = Reply::status(200).header("content-type", kind).body(recorded.body).framing(Framing::Chunked);
            rig().script(provider, &text, [reply]);
            let (answer, said) = rig().ask(client, &only(provider), &text, stream).expect("an answer");
            let what = format!("{provider:?} to {client:?}, streamed: {stream}");
            match answer.status {
                200 => {
                    assert!(said.complete, "{what}: {}", answer.text());
                    assert_eq!(said.text, format!("you said: {text}"), "{what}");
                    let is_stream =
                        answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
                    assert_eq!(is_stream, stream, "{what}: the client gets the form it asked for");
                }
                502 => assert!(said.error.is_some(), "{what}: {}", answer.text()),
                status => panic!("{what}: {status}: {}", answer.text()),
            }
        }
    });
}

#[test]
fn words_reach_the_client_while_the_provider_is_still_speaking() {
    each_pair(|client, provider| {
        let what = format!("{provider:?} to {client:?}");
        let text = fresh("one two three");
        let pause = Fault::Stall(Wait::For(Duration::from_millis(1200)));
        rig().script(provider, &text, [Reply::persona().after_pieces(6, pause)]);
        let model = only(provider);
        let call = rig().gateway.call(client, &model, &ask(client, &model, &text, true), true);
        let mut open = rig().gateway.open(&call).expect("a head");
        while !open.answer.text().contains("said: ") {
            open.read(open.answer.body.len() + 1).expect("more of the stream");
        }
        let seen = rig().first(provider).journal().mentioning(&text);
        assert_eq!(
            seen[0].delivered.end,
            simulator::End::Running,
            "{what}: the first words must not wait for the last"
        );
        let answer = open.finish().expect("the rest");
        assert_eq!(answer.end, End::Complete, "{what}");
    });
}

#[test]
fn a_client_that_leaves_ends_the_providers_stream() {
    each_pair(|client, provider| {
        let what = format!("{provider:?} to {client:?}");
        let text = fresh("one two three");
        rig().script(provider, &text, [Reply::persona().after_pieces(6, Fault::Stall(Wait::Forever))]);
        let model = only(provider);
        let call = rig().gateway.call(client, &model, &ask(client, &model, &text, true), true);
        let mut open = rig().gateway.open(&call).expect("a head");
        open.read(1).expect("the first bytes");
        drop(open);
        let before = Instant::now();
        let left = rig().first(provider).journal().wait_until(SOON, "the provider to be let go", |requests| {
            let ours = requests.iter().find(|request| request.received.mentions(&text));
            ours.is_some_and(|request| request.delivered.end == simulator::End::ClientLeft)
        });
        assert!(left.is_ok(), "{what}: {:?}", left.err());
        assert!(before.elapsed() < Duration::from_millis(1800), "{what}: by the client's leaving, not by the silence");
    });
}

#[test]
fn every_exchange_leaves_one_record_with_the_usage_the_provider_reported() {
    each_pair(|client, provider| {
        for stream in [false, true] {
            let what = format!("{provider:?} to {client:?}, streamed: {stream}");
            let (text, answer, said) = said_after(client, provider, "one two three four", stream, Reply::persona());
            let exchange = answer.header("x-dragoman-request-id").expect("an id").to_owned();
            let record = rig().gateway.record(&exchange, SOON).expect("a Record");
            let tokens =
                rig().first(provider).journal().mentioning(&text)[0].delivered.tokens.expect("a persona counts");
            let recorded = ["input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"]
                .map(|name| record["outcomes"][0][name].as_u64().unwrap_or_default());
            let reported = [tokens.input, tokens.cached, tokens.output, tokens.reasoning];
            assert_eq!(recorded, reported, "{what}: {record}");
            let told = said.usage.unwrap_or_else(|| panic!("{what}: no usage: {}", answer.text()));
            assert_eq!((told.input, told.cached, told.output), (tokens.input, tokens.cached, tokens.output), "{what}");
            assert!(!record.to_string().contains(&text), "{what}: no word of the prompt");
        }
    });
}
