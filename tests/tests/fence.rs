//! Credentials never cross: not from the client to a provider, not from one provider to another, not back to the client.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::Duration;

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::rig::{all_three, fresh, only, pair, provider_key, rig};
use dragoman_tests::said::{ask, path, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Received, Reply};

/// Headers by which keys travel.
const CREDENTIALS: [&str; 6] =
    ["authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"];

/// A request with the caller's key in the client's own place and these headers besides.
fn call(client: Dialect, model: &str, text: &str, stream: bool, more: &[(&str, &str)]) -> Call {
    let call = rig().gateway.call(client, model, &ask(client, model, text, stream), stream);
    more.iter().fold(call, |call, (name, value)| call.header(name, value))
}

fn send(call: &Call) -> Answer {
    rig().gateway.send(call).expect("an answer")
}

/// What Envoy needs in the request's map to find the next target, and can not take out before it writes: always the
/// gateway's own words, and none that tells a provider who the others are.
fn is_envoys_own(name: &str, value: &str) -> bool {
    let slot = name.strip_prefix("x-dragoman-try-").is_some_and(|number| number.parse::<u8>().is_ok());
    match name {
        _ if slot => value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "x-dragoman-exchange" => {
            value.len() == 36 && value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        }
        "x-envoy-attempt-count" => value.parse::<u8>().is_ok(),
        _ => false,
    }
}

/// One credential, this provider's own; nothing of the caller's and nothing of the gateway's inside.
fn assert_fenced(what: &str, received: &Received, provider: &str) {
    let held: Vec<&str> = CREDENTIALS.into_iter().filter(|name| !received.header_values(name).is_empty()).collect();
    assert_eq!(held.len(), 1, "{what}: {held:?}");
    let own = provider_key(provider);
    let crosses = |(name, value): &&(String, Vec<u8>)| {
        let text = String::from_utf8_lossy(value);
        let is_own = CREDENTIALS.contains(&name.as_str()) && text.ends_with(&own);
        let inside = ["x-dragoman-", "x-envoy-", "x-forwarded-"].iter().any(|prefix| name.starts_with(prefix));
        (inside && !is_envoys_own(name, &text))
            || text.contains(rig().gateway.key())
            || (text.contains("canary") && !is_own)
    };
    let crossed: Vec<String> = received
        .headers
        .iter()
        .filter(crosses)
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    assert!(crossed.is_empty(), "{what}: the provider was told {crossed:?}");
    assert!(
        !received.path.contains("canary") && !received.path.contains(rig().gateway.key()),
        "{what}: {}",
        received.path
    );
}

#[test]
fn a_provider_sees_its_own_key_and_no_other() {
    for client in Dialect::CLIENTS {
        for provider in Dialect::ALL {
            for stream in [false, true] {
                let text = fresh("hello");
                let more =
                    [("cookie", "session=canary-cookie"), ("proxy-authorization", "Basic canary"), ("api-key", "")];
                let answer = send(&call(client, &only(provider), &text, stream, &more[..2]));
                let what = format!("{client:?} to {provider:?}, streamed: {stream}");
                assert_eq!(answer.status, 200, "{what}: {}", answer.text());
                assert_fenced(&what, &rig().requests(&text)[0].received, provider.name());
            }
        }
    }
}

#[test]
fn every_provider_of_a_walk_sees_only_its_own_key() {
    for client in Dialect::CLIENTS {
        let text = fresh("hello");
        rig().script(Dialect::Chat, &text, [Reply::status(429)]);
        rig().script(Dialect::Messages, &text, [Reply::status(500)]);
        let answer = send(&call(client, &all_three(), &text, true, &[]));
        assert!(read(client, &answer).complete, "{client:?}: {}", answer.text());
        for provider in [Dialect::Chat, Dialect::Messages, Dialect::Gemini] {
            let seen = rig().first(provider).journal().mentioning(&text);
            assert_eq!(seen.len(), 1, "{client:?}: {provider:?}");
            assert_fenced(&format!("{client:?} walk, {provider:?}"), &seen[0].received, provider.name());
        }
    }
}

#[test]
fn what_a_client_says_in_the_gateways_own_headers_is_not_heard() {
    let spoofs = [
        ("x-dragoman-try-1", "provider_messages"),
        ("x-dragoman-try-2", "provider_gemini"),
        ("x-dragoman-exchange", "1"),
        ("x-dragoman-retry", "1"),
        ("x-dragoman-target", "gemini/only-gemini"),
        ("x-dragoman-attempts", "9"),
        ("x-dragoman-request-id", "mine"),
        ("x-envoy-attempt-count", "9"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-original-path", "/v1/messages"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-expected-rq-timeout-ms", "1"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil.example"),
        ("x-request-id", "mine"),
    ];
    for client in Dialect::CLIENTS {
        for (name, value) in spoofs {
            let text = fresh("hello");
            let what = format!("{name}: {value} from a {client:?} client");
            let answer = send(&call(client, &only(Dialect::Chat), &text, true, &[(name, value)]));
            assert!(read(client, &answer).complete, "{what}: {} {}", answer.status, answer.text());
            assert_eq!(answer.header("x-dragoman-target"), Some("chat/only-chat"), "{what}");
            assert_eq!(answer.header("x-dragoman-attempts"), Some("1"), "{what}");
            assert_ne!(answer.header("x-dragoman-request-id"), Some("mine"), "{what}");
            let seen = rig().requests(&text);
            assert_eq!(seen.len(), 1, "{what}");
            assert_ne!(seen[0].received.header(name), Some(value), "{what}");
            assert_fenced(&what, &seen[0].received, "chat");
        }
    }
}

#[test]
fn a_provider_can_not_speak_in_the_gateways_name() {
    for status in [200, 400] {
        let text = fresh("hello");
        let body = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;
        let reply = Reply::status(status)
            .header("content-type", "application/json")
            .header("x-dragoman-target", "spoofed")
            .header("x-dragoman-attempts", "77")
            .header("x-dragoman-dropped", "spoofed")
            .header("x-dragoman-request-id", "spoofed")
            .header("set-cookie", "spoofed=1")
            .body(body);
        rig().script(Dialect::Chat, &text, [reply]);
        let answer = send(&call(Dialect::Chat, &only(Dialect::Chat), &text, false, &[]));
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-dragoman-attempts"), Some("1"));
        let spoofed: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(_, value)| value.windows(7).any(|window| window == b"spoofed"))
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(spoofed.is_empty(), "{status}: {spoofed:?}");
    }
}

#[test]
fn a_provider_can_not_ask_for_a_retry_by_the_gateways_own_sign() {
    let text = fresh("hello");
    let body = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    let reply =
        Reply::status(400).header("content-type", "application/json").header("x-dragoman-retry", "1").body(body);
    rig().script(Dialect::Chat, &text, [reply]);
    let answer = send(&call(Dialect::Chat, &pair(Dialect::Chat, Dialect::Chat), &text, false, &[]));
    assert_eq!((answer.status, rig().asked(&text)), (400, 1));
}

#[test]
fn a_provider_that_repeats_its_key_does_not_tell_it_to_the_client() {
    for provider in Dialect::ALL {
        for client in Dialect::CLIENTS {
            for (status, stream) in [(401, false), (400, true), (500, false)] {
                let text = fresh("hello");
                let key = provider_key(provider.name());
                let message = format!("Incorrect API key provided: {key}.");
                let body = match provider {
                    Dialect::Chat | Dialect::Responses => {
                        serde_json::json!({"error": {"message": message, "type": "x", "param": null, "code": null}})
                    }
                    Dialect::Messages => {
                        serde_json::json!({"type": "error", "error": {"type": "x", "message": message}})
                    }
                    Dialect::Gemini => {
                        serde_json::json!({"error": {"code": status, "message": message, "status": "X"}})
                    }
                    Dialect::ChatV2 | Dialect::Converse => serde_json::json!({ "message": message }),
                };
                let reply = Reply::json(status, &body).header("x-goog-api-key", &key).header("x-echo", &key);
                rig().script(provider, &text, [reply]);
                let answer = send(&call(client, &only(provider), &text, stream, &[]));
                let what = format!("{status} from {provider:?} to {client:?}");
                assert_eq!(answer.status, status, "{what}");
                assert!(!answer.text().contains(&key), "{what}: {}", answer.text());
                let holds = |value: &Vec<u8>| value.windows(key.len()).any(|window| window == key.as_bytes());
                let holders: Vec<&String> =
                    answer.headers.iter().filter(|header| holds(&header.1)).map(|header| &header.0).collect();
                assert!(holders.is_empty(), "{what}: {holders:?}");
            }
        }
    }
}

#[test]
fn nobody_is_served_without_a_known_key_and_nothing_is_sent_upstream() {
    let rig = rig();
    for client in Dialect::CLIENTS {
        let model = only(client);
        for stream in [false, true] {
            let text = fresh("hello");
            let bare = Call::post(&path(client, &model, stream)).json(&ask(client, &model, &text, stream));
            let key = rig.gateway.key();
            let other_case = key.to_uppercase();
            let cases = [
                ("no key", bare.clone()),
                ("an empty key", bare.clone().header("authorization", "Bearer ")),
                ("an unknown key", bare.clone().header("authorization", "Bearer dgm_0000000000000000000000000000")),
                ("a provider's key", bare.clone().header("x-api-key", provider_key(client.name()))),
                ("a key cut short", bare.clone().header("x-goog-api-key", &key[..key.len() - 1])),
                ("a key in another case", bare.clone().header("x-api-key", other_case)),
                ("two different keys", bare.clone().header("x-api-key", key).header("authorization", "Bearer other")),
                ("the key as a cookie", bare.clone().header("cookie", format!("key={key}"))),
            ];
            for (name, call) in cases {
                let answer = send(&call);
                let what = format!("{name}, {client:?}, streamed: {stream}");
                assert!(matches!(answer.status, 400 | 401 | 403), "{what}: {} {}", answer.status, answer.text());
                assert!(read(client, &answer).error.is_some(), "{what}: {}", answer.text());
                assert!(!answer.text().contains(key), "{what}");
            }
            assert_eq!(rig.asked(&text), 0, "{client:?}");
        }
    }
}

#[test]
fn a_client_may_send_its_key_in_any_dialects_place() {
    for client in Dialect::CLIENTS {
        let key = rig().gateway.key().to_owned();
        let bearer = format!("Bearer {key}");
        let places: [&[(&str, &str)]; 5] = [
            &[("authorization", bearer.as_str())],
            &[("Authorization", bearer.as_str())],
            &[("x-api-key", key.as_str())],
            &[("x-goog-api-key", key.as_str())],
            // The vendors' own clients send two of them.
            &[("authorization", bearer.as_str()), ("x-api-key", key.as_str())],
        ];
        for place in places {
            let text = fresh("hello");
            let model = only(Dialect::Messages);
            let call = Call::post(&path(client, &model, false)).json(&ask(client, &model, &text, false));
            let answer = send(&place.iter().fold(call, |call, (name, value)| call.header(name, value)));
            assert_eq!(answer.status, 200, "{client:?} {place:?}: {}", answer.text());
            assert_fenced(&format!("{client:?} {place:?}"), &rig().requests(&text)[0].received, "messages");
        }
    }
}

#[test]
fn no_secret_and_no_word_of_a_prompt_is_in_the_log_or_the_records() {
    let rig = rig();
    let text = fresh("prompt-canary");
    for client in Dialect::CLIENTS {
        for provider in Dialect::ALL {
            let answer = send(&call(client, &only(provider), &text, true, &[]));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let broken = Call::post(&path(client, "only-chat", false))
            .header("authorization", format!("Bearer {}", rig.gateway.key()));
        send(&broken.body(format!("{{\"model\": \"{text}\" oops")));
    }
    std::thread::sleep(Duration::from_secs(1));
    let records: String = rig.gateway.records().expect("records").iter().map(ToString::to_string).collect();
    assert!(!records.is_empty(), "there must be something to look at");
    for (place, written) in [("log", rig.gateway.log()), ("records", records)] {
        for secret in [rig.gateway.key(), "sk-provider-canary", "prompt-canary"] {
            let line = written.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} in the {place}");
        }
    }
}
