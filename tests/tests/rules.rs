//! Rules through the real Envoy: what a provider is told and what a client hears, and that rows of the admin API hold at once.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

use std::time::{Duration, Instant};

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Received, Reply, Simulator, When};
use serde_json::{Value, json};

/// Longer than the gateway takes to serve a change, or to keep a Record.
const SOON: Duration = Duration::from_secs(20);

const RULES: &str = r#"
[[rule]]
name = "calm"
routes = ["model"]

[rule.request]
cap = { temperature = 0.8 }
set = { "metadata.team" = "of {caller}" }
append_system = "Be brief."
headers = { x-team = "search" }

[rule.response]
remove = ["system_fingerprint"]
append_text = " (by a machine)"
mask = true
headers = { x-notice = "machine" }

[[rule]]
name = "others"
keys = ["key_of_nobody"]
request = { remove = ["messages"] }
"#;

fn start(provider: &Simulator, rules: &str) -> Gateway {
    let setup =
        Setup::new().simulator("secretive", provider).model("model", &["secretive"]).model("free", &["secretive"]);
    Gateway::start(&setup.more(rules)).expect("a gateway")
}

fn told(provider: &Simulator) -> Received {
    provider.journal().requests().pop().expect("a request").received
}

/// Asks with a temperature that is too high.
fn hot(gateway: &Gateway, client: Dialect, model: &str, stream: bool) -> Answer {
    let mut body = ask(client, model, "hello", stream);
    match client {
        Dialect::Gemini => body["generationConfig"] = json!({ "temperature": 1.5 }),
        _ => body["temperature"] = json!(1.0),
    }
    let answer = gateway.send(&gateway.call(client, model, &body, stream)).expect("an answer");
    assert_eq!(answer.status, 200, "{client:?} {stream} {}", answer.text());
    answer
}

#[test]
fn what_a_rule_says_holds_for_every_client_and_provider_whole_and_streamed() {
    for provider in [Persona::chat("sk-1"), Persona::messages("sk-2"), Persona::gemini("sk-3")] {
        let provider = Simulator::start(provider).expect("a provider");
        let rules = match provider.persona().dialect() {
            // Nobody's rule: not every provider knows the member.
            Dialect::Gemini => RULES.replace("set = { \"metadata.team\" = \"of {caller}\" }\n", ""),
            Dialect::Messages => RULES.replace("metadata.team", "metadata.user_id"),
            _ => RULES.to_owned(),
        };
        let gateway = start(&provider, &rules);
        for client in [Dialect::Chat, Dialect::Messages, Dialect::Gemini, Dialect::Responses] {
            for stream in [false, true] {
                let answer = hot(&gateway, client, "model", stream);
                let what = format!("{client:?} {stream} {}", answer.text());
                let received = told(&provider);
                let body = received.json();
                let temperature = body.pointer("/generationConfig/temperature").unwrap_or(&body["temperature"]);
                assert_eq!(temperature, 0.8, "{body}");
                assert_eq!(body.to_string().matches("Be brief.").count(), 1, "{body}");
                assert_eq!(received.header("x-team"), Some("search"));
                let said = read(client, &answer);
                assert!(said.text.ends_with(" (by a machine)"), "{what}");
                assert_eq!(answer.header("x-notice"), Some("machine"));
                assert_eq!(answer.header("x-dragoman-target"), None);
                assert!(!answer.text().contains("system_fingerprint"), "{what}");
            }
        }
        let exchange =
            hot(&gateway, Dialect::Chat, "model", false).header("x-dragoman-request-id").expect("an id").to_owned();
        let record = gateway.record(&exchange, SOON).expect("a Record");
        assert_eq!(record["rules"], json!(["calm"]), "{record}");
    }
}

#[test]
fn an_answer_whose_members_alone_are_changed_is_relayed_byte_for_byte_but_for_them() {
    let provider = Simulator::start(Persona::chat("sk-1")).expect("a provider");
    let gateway = start(
        &provider,
        "[[rule]]\nname = \"plain\"\nroutes = [\"model\"]\nresponse = { remove = [\"system_fingerprint\"], rename = { \"usage.cost\" = \"price\" }, mask = true }\n",
    );
    let whole = r#"{ "id":"1", "object":"chat.completion","created":1,"model":"secret-1","system_fingerprint":"fp", "choices":[{"index":0,"message":{"role":"assistant","content":"h\u00e9"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cost":1.0e-0} }"#;
    let chunk = r#"{"id":"1","object":"chat.completion.chunk","model":"secret-1","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"hé"},"finish_reason":"stop"}]}"#;
    let stream = format!(": hello\n\ndata: {chunk}\n\ndata: [DONE]\n\n");
    let changed = |text: &str| {
        let text = text.replace("\"system_fingerprint\":\"fp\", ", "").replace(",\"system_fingerprint\":\"fp\"", "");
        // What a provider says beside its events may say who it is.
        text.replace("secret-1", "model").replace("\"cost\"", "\"price\"").replace(": hello", ":")
    };
    let expected = whole
        .replace(",\"system_fingerprint\":\"fp\",", ",")
        .replace("secret-1", "model")
        .replace("\"cost\"", "\"price\"");
    provider.when(When::mentions("whole"), [Reply::json(200, &Value::Null).body(whole).header("x-corp", "secret")]);
    provider.when(When::mentions("streamed"), [Reply::event_stream(stream.clone()).cut_every(7)]);
    let answer = gateway.ask(Dialect::Chat, "model", "whole", false).expect("an answer");
    assert_eq!((answer.status, answer.text().as_ref()), (200, expected.as_str()));
    assert_eq!(answer.header("x-corp"), None);
    let answer = gateway.ask(Dialect::Chat, "model", "streamed", true).expect("an answer");
    assert_eq!(answer.text(), changed(&stream));

    provider.when(When::mentions("whole"), [Reply::json(200, &Value::Null).body(whole)]);
    let answer = gateway.ask(Dialect::Chat, "free", "whole", false).expect("an answer");
    assert_eq!(answer.text(), whole, "for another route nothing is changed");
    assert_eq!(answer.header("x-dragoman-target"), Some("secretive/free"));
}

#[test]
fn a_rule_of_the_admin_api_holds_at_once_and_a_wrong_one_is_refused_with_every_mistake() {
    let provider = Simulator::start(Persona::chat("sk-1")).expect("a provider");
    let gateway = start(&provider, "");
    let token = gateway.admin_token().expect("a token");
    let api = |method: &str, path: &str, body: &Value| {
        let call = Call::new(method, &format!("/api/v1{path}")).header("authorization", format!("Bearer {token}"));
        let call = call.header("content-type", "application/json").json(body);
        call.send(&gateway.api()).expect("the admin API")
    };
    let wrong = json!({ "routes": ["nobody"], "request": { "set": { "model": "x", "temperature": 3 }, "headers": { "host": "x" } }, "zz": 1 });
    let refused = api("PUT", "/rules/calm", &wrong);
    assert_eq!(refused.status, 422, "{}", refused.text());
    for part in ["request.set.model", "request.set.temperature", "request.headers.host", "zz"] {
        assert!(refused.text().contains(part), "{part}: {}", refused.text());
    }
    let row = json!({ "routes": ["model"], "request": { "cap": { "temperature": 0.5 } } });
    assert_eq!(api("PUT", "/rules/calm", &row).status, 200);
    let began = Instant::now();
    loop {
        hot(&gateway, Dialect::Chat, "model", false);
        if told(&provider).json()["temperature"] == 0.5 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(1), "the rule holds at once");
    }
    hot(&gateway, Dialect::Chat, "free", false);
    assert_eq!(told(&provider).json()["temperature"], 1.0);
    let mut body = ask(Dialect::Chat, "model", "hello", false);
    body["temperature"] = json!(2);
    let explained = api("POST", "/explain", &json!({ "body": body })).json().expect("JSON");
    assert_eq!(explained["rules"], json!(["calm"]), "{explained}");
    let changed = json!([{ "rule": "calm", "members": ["temperature"] }]);
    assert_eq!(explained["candidates"][0]["changed"], changed, "{explained}");
    let export = api("GET", "/export", &Value::Null).text().to_string();
    assert!(export.contains("calm"), "{export}");
    assert_eq!(api("DELETE", "/rules/calm", &Value::Null).status, 200);
}
