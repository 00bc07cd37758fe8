//! Accounts bring keys of their own: each request goes with its own account's, and nobody else's is ever sent.

use dragoman_tests::client::Answer;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Reply, Simulator, When};
use serde_json::{Value, json};

use super::manners::{bytes_of_store, have};
use super::panel::{LOOPBACK, Panel, SOON, ask_as, in_store, provider, wait};

/// What is secret here.
const OF_THE_GATEWAY: &str = "sk-canary-of-the-gateway-11aa";
const OF_ACME: &str = "sk-canary-of-acme-22bb";
const OF_SEARCH: &str = "sk-canary-of-acme-search-33cc";
const OF_OTHERS: &str = "sk-canary-of-others-44dd";
const OF_THE_SECOND: &str = "sk-canary-of-the-second-55ee";

/// A key of that account.
fn key(gateway: &Gateway, panel: &Panel, account: &str) -> String {
    let made = panel.post("/keys", &json!({ "name": account }));
    let id = made["id"].as_str().expect("an id");
    in_store(gateway, &format!("UPDATE caller SET account = '{account}' WHERE id = '{id}'"));
    made["key"].as_str().expect("a key").to_owned()
}

/// An answer of the provider's, whatever key comes.
fn words() -> Value {
    json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "some-model",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
    })
}

/// The keys that a provider was sent with what mentions this text.
fn sent(provider: &Simulator, text: &str) -> Vec<String> {
    let requests = provider.journal().mentioning(text);
    let key = |value: &[u8]| String::from_utf8_lossy(value).trim_start_matches("Bearer ").to_owned();
    requests.iter().flat_map(|one| one.received.header_values("authorization")).map(key).collect()
}

/// Asks with a key and has these providers answer whatever key comes.
fn ask(gateway: &Gateway, providers: &[&Simulator], key: &str, model: &str, text: &str) -> Answer {
    for provider in providers {
        provider.when(When::mentions(text), [Reply::json(200, &words())]);
    }
    ask_as(gateway, key, model, text)
}

fn account(gateway: &Gateway, id: &str, kind: &str) {
    in_store(gateway, &format!("INSERT INTO account VALUES ('{id}', '{kind}', '{{}}', 0, 0, 0, 'test')"));
}

#[test]
fn each_accounts_traffic_goes_with_its_own_key_and_falls_back_without_it() {
    let (one, second) = (provider(OF_THE_GATEWAY), provider(OF_THE_SECOND));
    let setup = Setup::new().simulator("one", &one).simulator("second", &second).top(LOOPBACK);
    let setup = setup.model("some-model", &["one", "second"]).variable("DRAGOMAN_LOG", "debug");
    let gateway = Gateway::start(&setup).expect("a gateway");
    let panel = Panel::of(&gateway);
    for (id, kind) in [("acme", "tenant"), ("acme.search", "team"), ("others", "tenant"), ("poor", "tenant")] {
        account(&gateway, id, kind);
    }
    for (id, secret) in [("acme", OF_ACME), ("acme.search", OF_SEARCH), ("others", OF_OTHERS)] {
        let put = panel.put(&format!("/credentials/{id}/one"), &json!({ "secret": secret }));
        assert_eq!((put["last_four"].as_str(), put["secret"].as_str()), (Some(&secret[secret.len() - 4..]), None));
    }
    let callers = [
        (key(&gateway, &panel, "acme"), OF_ACME),
        (key(&gateway, &panel, "acme.search"), OF_SEARCH),
        (key(&gateway, &panel, "others"), OF_OTHERS),
        (key(&gateway, &panel, "poor"), OF_THE_GATEWAY),
        (gateway.key().to_owned(), OF_THE_GATEWAY),
    ];
    for round in 0..3 {
        for (at, (key, secret)) in callers.iter().enumerate() {
            let text = format!("words-{round}-{at}-end");
            let answer = ask(&gateway, &[&one], key, "some-model", &text);
            assert_eq!(answer.status, 200, "{text}: {}", answer.text());
            assert_eq!(sent(&one, &text), [*secret], "{text}");
        }
    }
    // From a provider with a key of the account's to one without.
    let text = "words-of-a-walk";
    one.when(When::mentions(text), [Reply::json(503, &json!({ "error": { "message": "later" } }))]);
    let walked = ask(&gateway, &[&second], &callers[0].0, "some-model", text);
    assert_eq!(walked.header("x-dragoman-target"), Some("second/some-model"), "{}", walked.text());
    assert_eq!((sent(&one, text), sent(&second, text)), (vec![OF_ACME.to_owned()], vec![OF_THE_SECOND.to_owned()]));
    // The provider rejects one tenant's key: it is asked for anew, and everybody is served on.
    let text = "words-that-are-rejected";
    one.when(When::mentions(text), [Reply::json(401, &json!({ "error": { "message": "no" } }))]);
    assert_eq!(ask_as(&gateway, &callers[0].0, "some-model", text).status, 401);
    assert_eq!(sent(&one, text).len(), 1, "a key is what it is: nothing is sent twice");
    for (at, (key, secret)) in callers.iter().enumerate() {
        let text = format!("words-after-{at}-end");
        assert_eq!(ask(&gateway, &[&one], key, "some-model", &text).status, 200);
        assert_eq!(sent(&one, &text), [*secret]);
    }
    panel.delete("/credentials/acme.search/one");
    let mut asked = 0;
    let mut last = || {
        asked += 1;
        let text = format!("words-of-search-{asked}-end");
        ask(&gateway, &[&one], &callers[1].0, "some-model", &text);
        sent(&one, &text)
    };
    wait("the nearest above gives its own", SOON, || last() == [OF_ACME]);

    let listed = panel.get("/credentials?account=acme");
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let said = [panel.get("/audit"), panel.get("/credentials"), panel.get("/export"), panel.get("/records")];
    let said: String = said.iter().map(Value::to_string).collect();
    for secret in [OF_ACME, OF_SEARCH, OF_OTHERS, OF_THE_GATEWAY, OF_THE_SECOND] {
        assert!(!have(&bytes_of_store(&gateway), secret) && !gateway.log().contains(secret), "{secret}");
        assert!(!said.contains(secret), "{secret}");
    }
}

#[test]
fn a_provider_without_a_key_of_the_gateways_opens_to_who_brings_one() {
    let (one, bare) = (provider(OF_THE_GATEWAY), provider(OF_ACME));
    let row = format!(
        "[[provider]]\nid = \"bare\"\nbase_url = \"{}\"\nservices = [{{ dialect = \"chat_completions\", prefix = \"/v1\" }}]\n\
         api_key = {{ env = \"NOBODY_SETS_THIS\" }}\nown_keys = true\nmodels = [\"bare-model\"]\n",
        bare.url()
    );
    let setup = Setup::new().simulator("one", &one).model("some-model", &["one"]).top(LOOPBACK).more(&row);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let panel = Panel::of(&gateway);
    account(&gateway, "acme", "tenant");
    let acme = key(&gateway, &panel, "acme");
    let status = |key: &str| ask_as(&gateway, key, "bare-model", "hello").status;
    assert_eq!((status(gateway.key()), status(&acme)), (503, 503), "nobody has a key for it");
    panel.put("/credentials/acme/bare", &json!({ "secret": OF_ACME }));
    wait("the account's own key is used", SOON, || status(&acme) == 200);
    let refused = ask_as(&gateway, gateway.key(), "bare-model", "hello");
    assert!(refused.status == 503 && refused.text().contains("credential"), "{}", refused.text());
    panel.put("/credentials/acme/bare", &json!({ "secret": "sk-wrong" }));
    wait("the new one is used", SOON, || status(&acme) == 401);
    panel.delete("/credentials/acme/bare");
    wait("it is taken away", SOON, || status(&acme) == 503);
    assert_eq!(gateway.ask(Dialect::Chat, "some-model", "hello", false).expect("an answer").status, 200);
}
