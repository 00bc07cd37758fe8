//! Whatever a client sends: a clear 4xx in its own dialect, at once; nothing goes upstream and nothing breaks.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::{Duration, Instant};

use dragoman_tests::client::{Answer, Call, everything, everything_after_last_word, everything_until_quiet};
use dragoman_tests::rig::{fresh, only, rig};
use dragoman_tests::said::{ask, path, read};
use dragoman_tests::simulator::persona::Dialect;

/// The marker in bad bodies; good requests of this file do not say it.
const BAD: &str = "badinput";

/// Far above what any refusal takes on a loaded machine, far below any timeout of the gateway.
const AT_ONCE: Duration = Duration::from_secs(5);

fn call(client: Dialect, body: impl Into<Vec<u8>>) -> Call {
    let model = only(client);
    let key = format!("Bearer {}", rig().gateway.key());
    Call::post(&path(client, &model, false)).header("authorization", key).body(body)
}

/// Sends it; whatever comes must be a refusal that a client of this dialect understands.
fn refusal(what: &str, client: Dialect, call: &Call) -> Answer {
    let before = Instant::now();
    let answer = rig().gateway.send(call).unwrap_or_else(|error| panic!("{what}: {error:#}"));
    assert!(before.elapsed() < AT_ONCE, "{what}: {:?}", before.elapsed());
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    let error = read(client, &answer).error.unwrap_or_else(|| panic!("{what}: {} {}", answer.status, answer.text()));
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 8), "{what}: {error}");
    assert!(!answer.text().contains(BAD), "{what}: the body is not repeated: {}", answer.text());
    assert!(answer.header("x-dragoman-request-id").is_some(), "{what}: {:?}", answer.headers);
    assert_eq!(answer.header("x-dragoman-error-origin"), Some("gateway"), "{what}");
    answer
}

/// The gateway still answers well, and its module was never reloaded.
fn assert_unharmed() {
    for client in Dialect::CLIENTS {
        let text = fresh("hello");
        let (answer, said) = rig().ask(client, &only(client), &text, true).expect("an answer");
        assert!(said.complete, "{client:?}: {}", answer.text());
    }
    assert_eq!(rig().gateway.stat("vm_reload_success").expect("Envoy's administration"), 0, "no trap");
    assert_eq!(rig().asked(BAD), 0, "nothing went upstream");
}

/// A good body of this dialect with one more member, as text.
fn with_member(client: Dialect, member: &str) -> String {
    let good = ask(client, &only(client), BAD, false).to_string();
    format!("{{{member},{}", &good[1..])
}

#[test]
fn what_is_no_json_is_refused_with_a_reason() {
    for client in Dialect::CLIENTS {
        let good = ask(client, &only(client), BAD, false).to_string();
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("nothing", Vec::new()),
            ("white space", b" \r\n\t ".to_vec()),
            ("no JSON", b"badinput".to_vec()),
            ("cut short", good.as_bytes()[..good.len() - 2].to_vec()),
            ("something behind it", format!("{good} x").into_bytes()),
            ("two documents", format!("{good}{good}").into_bytes()),
            ("a comma too many", format!("{},}}", &good[..good.len() - 1]).into_bytes()),
            ("single quotes", good.replace('"', "'").into_bytes()),
            ("a comment", format!("/* hi */{good}").into_bytes()),
            ("not a number", with_member(client, "\"temperature\": NaN").into_bytes()),
            ("infinity", with_member(client, "\"temperature\": Infinity").into_bytes()),
            ("a leading zero", with_member(client, "\"temperature\": 01").into_bytes()),
            ("a control character in a string", good.replace(BAD, "badinput\u{1}").into_bytes()),
            ("a wrong escape", good.replace(BAD, "badinput\\x").into_bytes()),
            ("half a surrogate escape", good.replace(BAD, "badinput\\ud8").into_bytes()),
            (
                "invalid UTF-8",
                good.replace(BAD, "badinput!").bytes().map(|byte| if byte == b'!' { 0xff } else { byte }).collect(),
            ),
            ("an overlong UTF-8 sequence", [good.replace(BAD, "badinput").as_bytes(), &[0xc0, 0xaf]].concat()),
            ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("a list", format!("[{good}]").into_bytes()),
            ("a string", b"\"badinput\"".to_vec()),
            ("null", b"null".to_vec()),
        ];
        for (name, body) in cases {
            let what = format!("{name} from a {client:?} client");
            assert_eq!(refusal(&what, client, &call(client, body)).status, 400, "{what}");
        }
    }
    assert_unharmed();
}

#[test]
fn depth_is_refused_before_it_costs_anything() {
    for client in Dialect::CLIENTS {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [1_000, 1_000_000] {
                let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let what = format!("{depth} times {open} from a {client:?} client");
                let member = format!("\"metadata\": {nested}, \"x\": \"{BAD}\"");
                assert_eq!(refusal(&what, client, &call(client, with_member(client, &member))).status, 400, "{what}");
                let unclosed = open.repeat(depth);
                assert_eq!(refusal(&what, client, &call(client, unclosed)).status, 400, "{what}, never closed");
            }
        }
    }
    assert_unharmed();
}

#[test]
fn members_of_the_wrong_type_that_decide_policy_are_named() {
    let text = |dialect| ask(dialect, &only(dialect), BAD, false);
    let with = |dialect: Dialect, name: &str, value: &str| {
        let mut body = text(dialect);
        body[name] = serde_json::from_str(value).expect("a value");
        body
    };
    let without = |dialect: Dialect, name: &str| {
        let mut body = text(dialect);
        body.as_object_mut().expect("an object").remove(name);
        body
    };
    let mut cases = Vec::new();
    for dialect in [Dialect::Chat, Dialect::Messages] {
        cases.push((dialect, "model", without(dialect, "model")));
        cases.push((dialect, "messages", without(dialect, "messages")));
        for (name, values) in [
            ("model", &["7", "null", "[]", "{}", "true"][..]),
            (
                "messages",
                &[
                    "{}",
                    "\"hi\"",
                    "7",
                    "null",
                    "[7]",
                    "[null]",
                    "[\"hi\"]",
                    "[[]]",
                    "[{\"content\": \"hi\"}]",
                    "[{\"role\": 7, \"content\": \"hi\"}]",
                ],
            ),
            ("stream", &["\"true\"", "1", "[]", "{}"]),
            ("max_tokens", &["-1", "\"9\"", "[]", "{}", "true"]),
            ("tools", &["{}", "\"f\"", "7", "[7]"]),
        ] {
            cases.extend(values.iter().map(|value| (dialect, name, with(dialect, name, value))));
        }
    }
    for value in ["-1", "\"9\"", "[]"] {
        cases.push((Dialect::Chat, "max_completion_tokens", with(Dialect::Chat, "max_completion_tokens", value)));
    }
    cases.push((Dialect::Gemini, "contents", without(Dialect::Gemini, "contents")));
    for (name, values) in [
        (
            "contents",
            &[
                "\"hi\"",
                "7",
                "null",
                "[7]",
                "[\"hi\"]",
                "[{\"parts\": 7}]",
                "[{\"parts\": [7]}]",
                "[{\"role\": 7, \"parts\": [{\"text\": \"hi\"}]}]",
            ][..],
        ),
        ("generationConfig", &["[]", "7", "{\"maxOutputTokens\": -1}", "{\"maxOutputTokens\": {}}"]),
        ("tools", &["\"f\"", "7", "[7]"]),
    ] {
        cases.extend(values.iter().map(|value| (Dialect::Gemini, name, with(Dialect::Gemini, name, value))));
    }
    for (client, name, body) in cases {
        // To a provider of another dialect, so that the gateway itself must read it.
        let other = if client == Dialect::Gemini { Dialect::Chat } else { Dialect::Gemini };
        let mut body = body;
        if client != Dialect::Gemini && body["model"] == only(client) {
            body["model"] = only(other).into();
        }
        let key = format!("Bearer {}", rig().gateway.key());
        let call = Call::post(&path(client, &only(other), false)).header("authorization", key).json(&body);
        let what = format!("{client:?} {body}");
        let answer = refusal(&what, client, &call);
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        assert!(answer.text().contains(name), "{what}: names the member: {}", answer.text());
    }
    assert_unharmed();
}

#[test]
fn duplicate_members_that_decide_policy_are_refused_however_they_are_spelled() {
    for client in [Dialect::Chat, Dialect::Messages] {
        let cases = [
            ("model", "\"model\": \"only-gemini\""),
            ("model", "\"mod\\u0065l\": \"only-gemini\""),
            ("model", "\"\\u006d\\u006F\\u0064el\": \"only-gemini\""),
            ("stream", "\"stream\": true, \"stream\": false"),
            ("stream", "\"stream\": true, \"str\\u0065am\": true"),
            ("max_tokens", "\"max_tokens\": 1, \"max_tokens\": 100000"),
            ("max_tokens", "\"max_tokens\": 1, \"max\\u005ftokens\": 1"),
            ("messages", "\"messages\": []"),
        ];
        for (name, member) in cases {
            let what = format!("{member} from a {client:?} client");
            let answer = refusal(&what, client, &call(client, with_member(client, member)));
            assert_eq!(answer.status, 400, "{what}");
            assert!(answer.text().contains(name), "{what}: {}", answer.text());
        }
    }
    for member in [
        "\"contents\": []",
        "\"generationConfig\": {\"maxOutputTokens\": 1, \"maxOutputTokens\": 9}",
        "\"generationConfig\": {}, \"generationConfig\": {\"maxOutputTokens\": 9}",
    ] {
        refusal(member, Dialect::Gemini, &call(Dialect::Gemini, with_member(Dialect::Gemini, member)));
    }
    assert_unharmed();
}

#[test]
fn unknown_paths_and_methods_are_told_apart() {
    let key = format!("Bearer {}", rig().gateway.key());
    let paths = [
        "/",
        "/v1",
        "/v1/",
        "/v1/chat",
        "/v1/chat/completions/x",
        "/v2/chat/completions",
        "/v1/unknown",
        "/v1/messagesx",
        "/v1beta/models/m:unknown",
        "/v1beta/models/:generateContent",
        "/v1/chat/completions%2f",
        "/v1/%6dessages/../x",
        "/favicon.ico",
        "/.env",
    ];
    for path in paths {
        let call = Call::post(path).header("authorization", &key).body(format!("{{\"x\": \"{BAD}\"}}"));
        let answer = rig().gateway.send(&call).unwrap_or_else(|error| panic!("{path}: {error:#}"));
        assert!(matches!(answer.status, 400 | 404), "{path}: {} {}", answer.status, answer.text());
    }
    for path in ["/v1/models", "/v1/models/m", "/v1beta/models", "/v1beta/models/m"] {
        let call = Call::post(path).header("authorization", &key).body("{}");
        let answer = rig().gateway.send(&call).unwrap_or_else(|error| panic!("{path}: {error:#}"));
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")), "{path}: {}", answer.text());
    }
    for client in Dialect::CLIENTS {
        for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"] {
            let path = path(client, &only(client), false);
            let call = Call::new(method, &path).header("authorization", &key);
            let bytes = call.header("connection", "close").bytes("127.0.0.1");
            let answer = everything(&rig().gateway.address(), &bytes).expect("an answer");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(matches!(status, "400" | "403" | "404" | "405"), "{method} {path}: {answer}");
        }
    }
    assert_unharmed();
}

#[test]
fn compressed_bodies_are_refused_by_name() {
    for client in Dialect::CLIENTS {
        for coding in ["gzip", "br", "deflate", "zstd", "GZIP", "gzip, gzip", "x-odd"] {
            let body = ask(client, &only(client), BAD, false).to_string();
            let what = format!("{coding} from a {client:?} client");
            let answer = refusal(&what, client, &call(client, body).header("content-encoding", coding));
            assert!(matches!(answer.status, 400 | 415), "{what}: {}", answer.status);
        }
    }
    assert_unharmed();
}

#[test]
fn a_body_above_the_limit_is_refused_in_the_clients_dialect() {
    let limit = 32 << 20;
    for client in Dialect::CLIENTS {
        let body = with_member(client, &format!("\"metadata\": \"{}\"", "a".repeat(limit)));
        let what = format!("{} bytes from a {client:?} client", body.len());
        assert_eq!(refusal(&what, client, &call(client, body)).status, 413, "{what}");
    }
    assert_unharmed();
}

#[test]
fn a_model_nobody_serves_is_a_404_whatever_its_name_looks_like() {
    let names = [
        "no-such-model",
        "../../etc/passwd",
        "http://evil.example/",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "<script>",
        "model\\r\\nX-Admin: 1",
        "provider_chat",
        "chat/",
        "/chat",
        "nobody:only-chat",
        "ONLY-CHAT",
        " only-chat",
        "\\u0000",
    ];
    for client in [Dialect::Chat, Dialect::Messages] {
        for name in names {
            let body = ask(client, "NAME", BAD, false).to_string().replace("NAME", name);
            let what = format!("{name} from a {client:?} client");
            let answer = refusal(&what, client, &call(client, body));
            assert!(matches!(answer.status, 400 | 404), "{what}: {} {}", answer.status, answer.text());
            assert!(answer.headers.iter().all(|(name, _)| name != "x-admin"), "{what}");
        }
        let long = ask(client, &"m".repeat(1 << 20), BAD, false);
        let answer = refusal("a name of a megabyte", client, &call(client, long.to_string()));
        assert!(answer.body.len() < 4096, "the name is not repeated in full: {} bytes", answer.body.len());
    }
    assert_unharmed();
}

#[test]
fn header_values_of_any_bytes_pass_or_are_refused_and_never_trap() {
    let good = ask(Dialect::Chat, &only(Dialect::Chat), "hello", false).to_string();
    for name in ["x-custom", "user-agent", "accept", "openai-organization", "traceparent", "x-dragoman-try-1"] {
        for byte in (0x01..=0x08).chain(0x0e..=0x1f).chain(0x7f..=0xff) {
            let call = call(Dialect::Chat, good.as_str()).header(name, [b'a', byte, b'z']);
            let answer = rig().gateway.send(&call).expect("an answer");
            assert!(matches!(answer.status, 200 | 400), "{name} with {byte:#x}: {}", answer.text());
        }
    }
    for name in ["authorization", "x-api-key", "x-goog-api-key", "content-type", "anthropic-version"] {
        for value in [&b"\xff\xfe"[..], b"\x80", b"Bearer \xc3\x28", b"caf\xc3\xa9", b"\xf0\x9f\x9a\x80"] {
            let call = Call::new("POST", "/v1/messages").header(name, value).body("{}");
            let answer = rig().gateway.send(&call).expect("an answer");
            assert!((400..500).contains(&answer.status), "{name}: {value:?}: {}", answer.text());
        }
    }
    assert_unharmed();
}

#[test]
fn ambiguous_framing_never_becomes_a_second_request() {
    let rig = rig();
    let smuggled =
        call(Dialect::Chat, ask(Dialect::Chat, &only(Dialect::Chat), BAD, false).to_string()).bytes("127.0.0.1");
    let smuggled = String::from_utf8(smuggled).expect("text");
    let length = smuggled.len() + 5;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n";
    let cases = [
        (
            "a length and chunks",
            format!("{head}content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        ("two lengths", format!("{head}content-length: 0\r\ncontent-length: {length}\r\n\r\n{smuggled}")),
        ("a space before the colon", format!("{head}content-length : {length}\r\n\r\n{smuggled}")),
        ("an odd coding", format!("{head}transfer-encoding: xchunked\r\n\r\n{smuggled}")),
        ("a folded header", format!("{head}x-a: b\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n")),
        ("a negative length", format!("{head}content-length: -1\r\n\r\n{smuggled}")),
        ("no request at all", "\u{0}\u{1}\u{2}\r\n\r\n".to_owned()),
        ("an upgrade", format!("{head}connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\n{{}}")),
    ];
    for (name, bytes) in cases {
        let quiet = Duration::from_secs(1);
        let answer =
            everything_until_quiet(&rig.gateway.address(), bytes.as_bytes(), quiet).expect("an answer or a close");
        let text = String::from_utf8_lossy(&answer);
        let refused = text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.1 501");
        assert!(answer.is_empty() || refused, "{name}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count().min(2), usize::from(!answer.is_empty()), "{name}: {text}");
    }
    assert_unharmed();
}

#[test]
fn a_request_that_stops_in_its_body_harms_nobody() {
    for client in Dialect::CLIENTS {
        let whole = call(client, ask(client, &only(client), BAD, false).to_string()).bytes("127.0.0.1");
        for cut in [whole.len() - 1, whole.len() / 2, 20] {
            let answer = everything_after_last_word(&rig().gateway.address(), &whole[..cut]).expect("a close");
            let text = String::from_utf8_lossy(&answer);
            assert!(answer.is_empty() || text.starts_with("HTTP/1.1 4"), "{cut} bytes: {text}");
        }
    }
    assert_unharmed();
}
