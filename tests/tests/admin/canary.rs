//! Words that nobody but their holders may see, looked for wherever something is kept or said.

use dragoman_tests::gateway::Gateway;
use dragoman_tests::outside::Outside;
use dragoman_tests::said::read;
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Reply, When};
use serde_json::{Value, json};

use super::manners::{bytes_of_store, have};
use super::panel::{AT_ONCE, Panel, SOON, VARIABLE, ask_as, provider, row, setup, wait, wait_for};

/// What is secret, each with words of its own.
const OF_THE_FILE: &str = "sk-canary-of-the-file-3b9e";
const OF_THE_API: &str = "sk-canary-of-the-api-77d1";
const PROMPT: &str = "canary-of-the-prompt-51ac";
const ANSWER: &str = "canary-of-the-answer-e08f";
const REFUSAL: &str = "canary-of-the-refusal-90cd";

#[test]
fn no_secret_and_no_word_that_was_said_is_kept_or_logged() {
    let (only, added) = (provider(OF_THE_FILE), provider(OF_THE_API));
    let outside = Outside::start().expect("a collector");
    let setup = outside.setup(setup(&only).variable("DRAGOMAN_LOG", "debug").variable(VARIABLE, OF_THE_API));
    let gateway = Gateway::start(&setup).expect("a gateway");
    let first = Panel::of(&gateway);
    let (_, token) = first.token("owner");
    let panel = first.with(&token);
    panel.put("/accounts/acme", &json!({ "kind": "tenant", "terms": outside.terms() }));
    let signs =
        panel.post("/accounts/acme/webhook-secret", &Value::Null)["secret"].as_str().expect("a secret").to_owned();
    let create = json!({ "name": "canary", "account": "acme" });
    let create = panel.with_body("POST", "/keys", &create).header("idempotency-key", "once");
    let key = panel.send(&create).json().expect("JSON")["key"].as_str().expect("a key").to_owned();
    panel.put("/providers/added", &row(&added));
    panel.put("/routes/through-both", &json!({ "candidates": ["only/some-model", "added/some-model"] }));

    wait_for(&gateway, "through-both", 200, AT_ONCE);

    let words = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "some-model",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": ANSWER }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
    });
    only.when(When::mentions(PROMPT), [Reply::json(503, &json!({ "error": { "message": REFUSAL } }))]);
    added.when(When::mentions(PROMPT), [Reply::json(200, &words)]);
    let answer = ask_as(&gateway, &key, "through-both", PROMPT);
    assert_eq!(read(Dialect::Chat, &answer).text, ANSWER, "{} {}", answer.status, answer.text());
    assert_eq!(answer.header("x-dragoman-attempts"), Some("2"));
    let exchange = answer.header("x-dragoman-request-id").expect("an id").to_owned();
    // What is refused is said as well: by the provider, by the gateway, by the API.
    added.when(When::mentions(REFUSAL), [Reply::json(400, &json!({ "error": { "message": REFUSAL } }))]);
    only.when(When::mentions(REFUSAL), [Reply::json(400, &json!({ "error": { "message": REFUSAL } }))]);
    assert_eq!(ask_as(&gateway, &key, "through-both", REFUSAL).status, 400);
    assert_eq!(ask_as(&gateway, "dgm_not-a-key-canary", "through-both", PROMPT).status, 401);
    let body = json!({ "model": "through-both", "messages": [{ "role": "user", "content": PROMPT }] });
    assert_eq!(panel.post("/explain", &json!({ "body": body }))["fate"], "sent");
    for said in [format!("{{\"candidates\": [\"{PROMPT}"), format!("{{\"api_key\": \"{OF_THE_API}\"}}")] {
        let call = panel.call("PUT", "/providers/wrong").header("content-type", "application/json");
        assert!(panel.send(&call.body(said)).status >= 400);
    }
    panel.post("/discovery/added", &json!({}));
    let kept = || panel.send(&panel.call("GET", &format!("/records/{exchange}"))).status == 200;
    wait("the Record", SOON, kept);
    gateway.wait_for_log("DEBUG", SOON).expect("it says a lot");

    let metrics = panel
        .send(&dragoman_tests::client::Call::new("GET", "/metrics").header("authorization", format!("Bearer {token}")));
    assert_eq!(metrics.status, 200, "{}", metrics.text());
    let snapshots = panel.get("/snapshots");
    let versions = snapshots["items"].as_array().expect("items").iter();
    let documents = versions.map(|item| panel.get(&format!("/snapshots/{}", item["version"])).to_string());
    wait("spans and a webhook", SOON, || outside.has("/v1/traces") && outside.has("/told"));
    let sent = outside.places(&gateway).expect("they are there");
    let mut places: Vec<(&str, Vec<u8>)> = vec![
        ("the log", gateway.log().into_bytes()),
        ("the figures", metrics.body),
        ("the Snapshots", documents.collect::<String>().into_bytes()),
        ("the store's files", bytes_of_store(&gateway)),
    ];
    for path in
        ["/records", "/audit", "/export", "/status", "/keys", "/tokens", "/providers", "/discovery", "/metrics/summary"]
    {
        places.push((path, panel.get(path).to_string().into_bytes()));
    }
    let past = format!("/explain/{exchange}");
    places.push(("the past explained", panel.get(&past).to_string().into_bytes()));
    places.extend(sent.iter().map(|(place, text)| (place.as_str(), text.clone().into_bytes())));
    assert!(have(&places[3].1, &exchange) && have(&places[0].1, "through-both"), "these are the right places");
    for (place, bytes) in &places {
        for secret in [OF_THE_FILE, OF_THE_API, &key, &token, &signs, PROMPT, ANSWER, REFUSAL, "not-a-key-canary"] {
            assert!(!have(bytes, secret), "{place}: {secret}");
        }
    }
}
