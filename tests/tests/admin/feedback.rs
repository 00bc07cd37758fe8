//! What is said of exchanges: by whom it may be said, and what can be learnt from it.

use dragoman_tests::gateway::Gateway;
use serde_json::{Value, json};

use super::panel::{Panel, SOON, ask_as, provider, setup};

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
