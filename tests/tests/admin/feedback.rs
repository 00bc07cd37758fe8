//! What is said of exchanges: by whom it may be said, and what can be learnt from it.

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::Gateway;
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use serde_json::{Value, json};

use super::identities::account;
use super::issuer::{ISSUER, Issuer};
use super::mesh::{self, Certificates};
use super::panel::{Panel, SOON, ask_as, provider, setup, wait};

const ROUTE: &str = r#"
[[route]]
name = "auto"
[route.choose]
cheap = ["some-model"]
keep_features = true
"#;

#[test]
fn the_later_word_of_each_holds_and_only_those_speak_who_see_the_exchange() {
    let only = provider("key");
    let gateway = Gateway::start(&setup(&only).more(ROUTE)).expect("a gateway");
    let panel = Panel::of(&gateway);
    for tenant in ["alpha", "beta"] {
        panel.put(&format!("/accounts/{tenant}"), &json!({ "kind": "tenant" }));
    }
    let [alpha, beta] = ["alpha", "beta"].map(|tenant| panel.with(&panel.token_of("tenant-admin", tenant).1));
    let key =
        panel.post("/keys", &json!({ "name": "k", "account": "alpha" }))["key"].as_str().expect("a key").to_owned();
    let answer = ask_as(&gateway, &key, "auto", "Hello");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = answer.header("x-dragoman-request-id").expect("an id").to_owned();
    gateway.record(&id, SOON).expect("a Record");

    let say = |who: &Panel, more: Value| {
        let mut body = json!({ "exchange": id });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        who.send(&who.with_body("POST", "/feedback", &body)).status
    };
    assert_eq!(say(&alpha, json!({ "score": 0.25 })), 200);
    assert_eq!(say(&alpha, json!({ "score": 0.8, "label": "helpful" })), 200);
    assert_eq!(say(&panel, json!({ "label": "seen" })), 200);
    assert_eq!(say(&beta, json!({ "score": 0 })), 404, "another's exchange is not there");
    for wrong in [json!({}), json!({ "score": 1.01 }), json!({ "label": "two words" }), json!({ "score": -0.1 })] {
        assert_eq!(say(&alpha, wrong.clone()), 422, "{wrong}");
    }
    assert_eq!(say(&alpha, json!({ "comment": "it said …" })), 400, "what was said is not kept");

    let items = alpha.get("/feedback")["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(2), "{items}");
    assert_eq!(beta.get("/feedback")["items"], json!([]));
    let said = &panel.get(&format!("/records/{id}"))["feedback"];
    assert_eq!((&said[0]["score"], &said[0]["label"]), (&json!(0.8), &json!("helpful")), "{said}");
    let first = &panel.get("/feedback?limit=1");
    let next = first["next"].as_str().expect("another page").replace(' ', "%20");
    assert_eq!(panel.get(&format!("/feedback?limit=1&after={next}"))["items"].as_array().map(Vec::len), Some(1));

    let examples = panel.get("/feedback/examples")["items"].clone();
    let example = &examples[0];
    assert_eq!(
        (&example["id"], &example["score"], &example["target"]),
        (&json!(id), &json!(0.8), &json!("only/some-model"))
    );
    assert_eq!((&example["bucket"], &example["schema"]), (&json!("cheap"), &json!(1)));
    assert!(example["dense"].as_array().is_some_and(|dense| dense.len() > 50), "{example}");
    assert_eq!(alpha.send(&alpha.call("GET", "/feedback/examples")).status, 403);
}

/// What a caller says with a key.
fn opinion(key: &str, body: &Value) -> Call {
    Call::post("/v1/feedback").header("authorization", format!("Bearer {key}")).json(body)
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-dragoman-request-id").expect("an id").to_owned()
}

#[test]
fn a_caller_says_it_with_its_own_key_as_soon_as_the_answer_has_ended_and_only_of_its_own_account() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    for tenant in ["alpha", "beta"] {
        panel.put(&format!("/accounts/{tenant}"), &json!({ "kind": "tenant" }));
    }
    let key = |account: &str, terms: Value| {
        let made = panel.post("/keys", &json!({ "name": "k", "account": account, "terms": terms }));
        ["id", "key"].map(|member| made[member].as_str().expect("text").to_owned())
    };
    // What it may spend is spent by its one request, and what it says of it costs nothing.
    let [id_of_first, first] = key("alpha", json!({ "budgets": [{ "requests": 1, "per": "total" }] }));
    let [_, second] = key("alpha", json!({ "routes": [] }));
    let [_, stranger] = key("beta", json!({}));
    let say = |call: &Call| gateway.send(call).expect("an answer");

    let streamed =
        Gateway::call_as(&first, Dialect::Chat, "some-model", &ask(Dialect::Chat, "some-model", "Hello", true), true);
    let exchange = id_of(&say(&streamed));
    let answer = say(&opinion(&first, &json!({ "exchange": exchange, "score": 0.25, "label": "short" })));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kept = answer.json().expect("JSON");
    let made = kept["made_ms"].as_i64().expect("a time");
    let whole = json!({ "exchange": exchange, "actor": id_of_first, "account": "alpha", "score": 0.25, "label": "short", "made_ms": made });
    assert_eq!(kept, whole);
    assert_eq!(answer.header("content-type"), Some("application/json"));

    // Keys and tokens have one word each, and a key may stand wherever keys stand.
    let of = |score: f64| json!({ "exchange": exchange, "score": score });
    for (number, name) in (1_u8..).zip(["x-api-key", "x-goog-api-key", "api-key", "x-dragoman-key"]) {
        let call = Call::post("/v1/feedback").header(name, &first).json(&of(f64::from(number) / 10.0));
        assert_eq!(say(&call).status, 200, "{name}");
    }
    assert_eq!(say(&opinion(&second, &of(0.8))).status, 200);
    panel.post("/feedback", &of(1.0));
    let listed = panel.get("/feedback?account=alpha")["items"].clone();
    let mut scores: Vec<f64> =
        listed.as_array().expect("items").iter().filter_map(|item| item["score"].as_f64()).collect();
    scores.sort_by(f64::total_cmp);
    assert_eq!(scores, [0.4, 0.8, 1.0], "{listed}");
    assert_eq!(panel.get(&format!("/records/{exchange}"))["feedback"].as_array().map(Vec::len), Some(3));

    // Of what is another's no more is said than of what is not there.
    let theirs = say(&opinion(&stranger, &of(0.0)));
    let nobodys = say(&opinion(&stranger, &json!({ "exchange": "0199f0c2", "score": 0 })));
    assert_eq!((theirs.status, nobodys.status), (404, 404), "{} {}", theirs.text(), nobodys.text());
    assert_eq!(theirs.text().replace(&exchange, "0199f0c2"), nobodys.text());
    assert_eq!(say(&opinion(gateway.key(), &of(0.0))).status, 404, "a key of no account is of another one");

    for (body, wrong) in [
        (json!({}), "exchange"),
        (json!({ "exchange": exchange }), "score"),
        (json!({ "exchange": exchange, "score": 7 }), "score"),
        (json!({ "exchange": exchange, "label": "two words" }), "label"),
        (json!({ "exchange": exchange, "score": 1, "comment": "it said …" }), "comment"),
    ] {
        let answer = say(&opinion(&first, &body));
        assert_eq!((answer.status, &answer.json().expect("JSON")["error"]["param"]), (400, &json!(wrong)), "{body}");
    }
    let long = opinion(&first, &json!({ "exchange": exchange, "label": "x".repeat(5000) }));
    let unknown = opinion("dgm_nobodys", &of(0.0));
    let keyless = Call::post("/v1/feedback").json(&of(0.0));
    let wrong_method = Call::new("GET", "/v1/feedback").header("x-api-key", &first);
    for (call, status) in [(long, 413), (unknown, 401), (keyless, 401), (wrong_method, 405)] {
        let answer = say(&call);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.header("x-dragoman-error-origin"), Some("gateway"));
    }
    assert_eq!(panel.get("/feedback")["items"].as_array().map(Vec::len), Some(3), "nothing else was kept");
    assert!(only.journal().requests().iter().all(|request| !request.received.path.contains("feedback")));
    assert_eq!(only.journal().requests().iter().filter(|request| request.received.method == "POST").count(), 1);
}

#[test]
fn a_key_of_no_account_speaks_of_what_was_asked_for_no_account() {
    let only = provider("sk-only");
    let mut gateway = Gateway::start_apart(&setup(&only)).expect("a gateway");
    let exchange = id_of(&ask_as(&gateway, gateway.key(), "some-model", "Hello"));
    let said = opinion(gateway.key(), &json!({ "exchange": exchange, "label": "helpful" }));
    let answer = gateway.send(&said).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());

    // What can't be kept is not acknowledged.
    gateway.kill_control_plane().expect("it ran");
    let answer = gateway.send(&said).expect("an answer");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.text());
    gateway.start_control_plane().expect("it starts");
    wait("it is kept again", SOON, || gateway.send(&said).is_ok_and(|answer| answer.status == 200));
}

#[test]
fn who_has_a_token_or_a_certificate_instead_of_a_key_says_it_as_well() {
    let (issuer, certificates, only) = (Issuer::new(), Certificates::new("feedback"), provider("sk-only"));
    certificates.sign("alice", "ca", "URI:spiffe://corp.example/ns/search/sa/alice");
    let identities = format!(
        "[[identity]]\nname = \"corp\"\naccount = \"acme.{{claim:team}}\"\n\
         jwt = {{ issuer = \"{ISSUER}\", audiences = [\"llm\"], jwks = '{}' }}\n\
         [[identity]]\nname = \"mesh\"\nmesh = {{ trust_domain = \"corp.example\" }}\naccount = \"acme.{{path:2}}\"",
        issuer.jwks()
    );
    let setup = setup(&only).listen(&mesh::settings(&certificates)).more(&identities);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let panel = Panel::of(&gateway);
    account(&panel, "acme", "tenant", &json!({}));
    account(&panel, "acme.search", "team", &json!({}));

    let call =
        Call::post(&path(Dialect::Chat, "some-model", false)).json(&ask(Dialect::Chat, "some-model", "Hi", false));
    let token = issuer.token(&json!({}));
    let by_token = |call: Call| {
        credential(Dialect::Chat, &token).iter().fold(call, |call, (name, value)| call.header(name, value))
    };
    let answer = certificates.send(&gateway, None, &by_token(call));
    let exchange = answer.lines().find_map(|line| line.strip_prefix("x-dragoman-request-id: ")).expect("an id").trim();
    let said = Call::post("/v1/feedback").json(&json!({ "exchange": exchange, "score": 1 }));
    for (certificate, call, actor) in [
        (None, by_token(said.clone()), "jwt:corp/alice"),
        (Some("alice"), said.clone(), "spiffe://corp.example/ns/search/sa/alice"),
    ] {
        let answer = certificates.send(&gateway, certificate, &call);
        assert_eq!(mesh::status(&answer), "200", "{answer}");
        assert!(answer.contains(&format!("\"actor\":\"{actor}\"")), "{answer}");
    }
    assert_eq!(mesh::status(&certificates.send(&gateway, None, &said)), "401");
    let items = panel.get("/feedback")["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(2), "{items}");
}
