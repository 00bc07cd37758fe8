//! Models that providers list, and what is said of requests before and after.

use dragoman_tests::client::Call;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::ask;
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Simulator, When};
use serde_json::{Value, json};

use super::panel::{AT_ONCE, LOOPBACK, Panel, SOON, provider, setup, status, wait, wait_for};

/// From now on the provider lists these models.
fn lists(provider: &Simulator, models: &[&str]) {
    let data: Vec<Value> = models.iter().map(|id| json!({ "id": id, "object": "model" })).collect();
    provider.when(When::path("/v1/models"), [Reply::json(200, &json!({ "object": "list", "data": data }))]);
}

fn has(list: &Value, name: &str) -> bool {
    list.as_array().is_some_and(|list| list.contains(&json!(name)))
}

#[test]
fn a_model_that_a_provider_lists_is_served_a_vanished_one_is_marked_and_an_operators_row_wins() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    assert_eq!(status(&gateway, "listed-model"), 404);
    lists(&only, &["listed-model", "some-model", "vanishing-model"]);
    let asked = panel.post("/discovery/only", &json!({}));
    assert_eq!((&asked["outcome"], &asked["models"]), (&json!("listed"), &json!(3)), "{asked}");
    wait_for(&gateway, "listed-model", 200, AT_ONCE);
    wait_for(&gateway, "vanishing-model", 200, AT_ONCE);

    panel.put("/models/listed-model", &json!({ "offers": ["only/its-other-name"] }));
    let target = || {
        let answer = gateway.ask(Dialect::Chat, "listed-model", "hello", false).expect("an answer");
        answer.header("x-dragoman-target").unwrap_or_default().to_owned()
    };
    wait("the operator's row", AT_ONCE, || target() == "only/its-other-name");
    panel.post("/discovery/only", &json!({}));
    assert_eq!(target(), "only/its-other-name", "what the provider says again does not change it");

    lists(&only, &["listed-model", "some-model"]);
    let asked = panel.post("/discovery/only", &json!({}));
    assert_eq!(asked["models"], 2, "{asked}");
    let known = panel.get("/discovery")["items"][0].clone();
    assert!(has(&known["vanished"], "vanishing-model") && !has(&known["models"], "vanishing-model"), "{known}");
    assert!(has(&known["models"], "listed-model") && !has(&known["vanished"], "listed-model"), "{known}");
    only.when(When::path("/v1/models"), [Reply::status(500)]);
    let asked = panel.post("/discovery/only", &json!({}));
    assert!(asked["outcome"] != "listed" && asked["models"].is_null(), "{asked}");
    assert!(has(&panel.get("/discovery")["items"][0]["models"], "listed-model"), "a failure takes nothing away");
    let key = only.journal().requests().into_iter().find(|request| request.received.path.contains("/v1/models"));
    let key = key.expect("it was asked").received;
    assert_eq!(key.header("authorization"), Some("Bearer sk-only"), "with the provider's key");
    let nobody = panel.send(&panel.call("POST", "/discovery/nobody"));
    assert_eq!(nobody.status, 404, "{}", nobody.text());
}

/// Two providers of two dialects, and a model that both serve.
fn two(first: &Simulator, second: &Simulator) -> Setup {
    let setup = Setup::new().simulator("first", first).simulator("second", second).top(LOOPBACK);
    setup.model("both", &["first", "second"])
}

/// What would happen to this request.
fn explained(panel: &Panel, body: &Value) -> Value {
    panel.post("/explain", &json!({ "path": "/v1/chat/completions", "body": body }))
}

/// The members that would be left out at a target, as the header lists them.
fn dropped(explained: &Value, target: &str) -> Vec<String> {
    let candidates = explained["candidates"].as_array().expect("candidates");
    let weighed = candidates.iter().find(|weighed| weighed["target"] == target).expect("the target");
    let list = weighed["dropped"].as_array().cloned().unwrap_or_default();
    list.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
}

#[test]
fn what_is_explained_is_what_happens_before_and_after() {
    let first = Simulator::start(Persona::messages("sk-first")).expect("a provider");
    let second = provider("sk-second");
    let gateway = Gateway::start(&two(&first, &second)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let mut body = ask(Dialect::Chat, "both", "explain this", false);
    body["seed"] = json!(7);
    body["frequency_penalty"] = json!(0.5);
    let call = Call::post("/v1/chat/completions").header("authorization", format!("Bearer {}", gateway.key()));

    let said = explained(&panel, &body);
    assert_eq!(said["fate"], "sent", "{said}");
    assert_eq!(said["plan"], json!(["first/both", "second/both"]), "{said}");
    assert_eq!(first.journal().total() + second.journal().total(), 0, "nobody was asked");
    let answer = gateway.send(&call.clone().json(&body)).expect("an answer");
    assert_eq!((answer.status, answer.header("x-dragoman-target")), (200, Some("first/both")), "{}", answer.text());
    let told: Vec<String> =
        answer.header("x-dragoman-dropped").unwrap_or_default().split(',').map(|name| name.trim().to_owned()).collect();
    assert_eq!(dropped(&said, "first/both"), told, "{said}");
    assert!(told.contains(&"frequency_penalty".to_owned()), "{told:?}");

    first.when(When::mentions("explain this"), [Reply::status(503)]);
    let answer = gateway.send(&call.clone().json(&body)).expect("an answer");
    assert_eq!((answer.status, answer.header("x-dragoman-attempts")), (200, Some("2")), "{}", answer.text());
    assert_eq!(answer.header("x-dragoman-target"), Some("second/both"), "the plan's second");
    let exchange = answer.header("x-dragoman-request-id").expect("an id").to_owned();
    let past = || panel.send(&panel.call("GET", &format!("/explain/{exchange}")));
    wait("the Record", SOON, || past().status == 200);
    let past = past().json().expect("JSON");
    assert_eq!(past["plan"], said["plan"], "{past}");
    assert_eq!(past["record"]["exchange"], exchange.as_str(), "{past}");
    assert_eq!(past["record"]["outcomes"].as_array().map(Vec::len), Some(2), "{past}");

    for (name, model, wanted) in [("an unknown model", "nobody-has-it", 404), ("no model", "", 400)] {
        body["model"] = json!(model);
        let said = explained(&panel, &body);
        let answer = gateway.send(&call.clone().json(&body)).expect("an answer");
        assert_eq!(answer.status, wanted, "{name}: {}", answer.text());
        assert_eq!((&said["fate"], &said["refusal"]["status"]), (&json!("refused"), &json!(wanted)), "{name}: {said}");
    }
}

#[test]
fn a_suspended_target_is_left_out_until_the_suspension_is_deleted() {
    let first = Simulator::start(Persona::messages("sk-first")).expect("a provider");
    let second = provider("sk-second");
    let gateway = Gateway::start(&two(&first, &second)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let body = ask(Dialect::Chat, "both", "hello", false);
    let target = || {
        let answer = gateway.ask(Dialect::Chat, "both", "hello", false).expect("an answer");
        answer.header("x-dragoman-target").unwrap_or_default().to_owned()
    };
    assert_eq!(target(), "first/both");
    for id in ["first%2Fboth", "first%2F*"] {
        let changed = panel.put(&format!("/suspensions/{id}"), &json!({ "reason": "a test" }));
        assert!(panel.serves(&changed), "{changed}");
        wait("the suspension", AT_ONCE, || target() == "second/both");
        assert_eq!(explained(&panel, &body)["plan"], json!(["second/both"]), "{id}");
        panel.delete(&format!("/suspensions/{id}"));
        wait("its end", AT_ONCE, || target() == "first/both");
        assert_eq!(explained(&panel, &body)["plan"], json!(["first/both", "second/both"]), "{id}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_millis();
    let until = u64::try_from(now).expect("a number") + 2_000;
    panel.put("/suspensions/first%2Fboth", &json!({ "until_ms": until }));
    wait("the suspension", AT_ONCE, || target() == "second/both");
    wait("its end by the clock", SOON, || target() == "first/both");
}
