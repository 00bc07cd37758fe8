//! What the API refuses, and that a refusal changes nothing.

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use serde_json::{Value, json};

use super::panel::{Panel, VARIABLE, ask_as, provider, row, setup};

/// A route that can be served.
fn route() -> Value {
    json!({ "candidates": ["only/some-model"] })
}

/// An answer that says no in RFC 9457's words; gives them back.
fn problem(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.text());
    let said = answer.json().expect("JSON");
    assert_eq!(said["status"], status, "{said}");
    for member in ["type", "title", "detail"] {
        assert!(said[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {said}");
    }
    said
}

#[test]
fn a_precondition_that_does_not_hold_changes_nothing() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let put = |path: &str, header: &str, value: &str| {
        panel.send(&panel.with_body("PUT", path, &route()).header(header, value))
    };
    problem(&put("/routes/one", "if-match", "*"), 412);
    problem(&put("/routes/one", "if-match", "\"1\""), 412);
    let first = put("/routes/one", "if-match", "\"0\"");
    assert_eq!(first.status, 200, "{}", first.text());
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(panel.send(&panel.call("GET", "/routes/one")).header("etag"), Some(tag.as_str()));
    for (header, value) in
        [("if-match", "\"0\""), ("if-none-match", "*"), ("if-match", "\"x\""), ("if-match", "no tag")]
    {
        problem(&put("/routes/one", header, value), 412);
    }
    let both = panel.with_body("PUT", "/routes/one", &route()).header("if-match", "*").header("if-none-match", "*");
    problem(&panel.send(&both), 412);
    let other = json!({ "candidates": ["only/some-model"], "loss": "strict" });
    let second = panel.send(&panel.with_body("PUT", "/routes/one", &other).header("if-match", &tag));
    assert_eq!(second.status, 200, "{}", second.text());
    problem(&put("/routes/one", "if-match", &tag), 412);
    problem(&panel.send(&panel.call("DELETE", "/routes/one").header("if-match", &tag)), 412);
    assert_eq!(put("/routes/two", "if-none-match", "*").status, 200);
    assert_eq!(put("/routes/two", "if-match", "*").status, 200);
    let newest = second.header("etag").expect("a tag").to_owned();
    assert_eq!(panel.get("/routes/one")["revision"], second.json().expect("JSON")["revision"]);
    assert_eq!(panel.send(&panel.call("DELETE", "/routes/one").header("if-match", newest)).status, 200);
    problem(&panel.send(&panel.call("DELETE", "/routes/one")), 404);
}

/// Every byte of the store's files.
pub fn bytes_of_store(gateway: &Gateway) -> Vec<u8> {
    let files = std::fs::read_dir(gateway.data()).expect("the data directory").flatten();
    let mut all = Vec::new();
    for file in files.filter(|file| file.file_name().to_string_lossy().contains(".sqlite")) {
        all.extend(std::fs::read(file.path()).expect("a file"));
    }
    assert!(!all.is_empty(), "there is no database in {}", gateway.data().display());
    all
}

/// Whether the bytes have the words.
pub fn have(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

#[test]
fn the_same_request_twice_is_done_once_and_what_was_shown_is_in_no_file() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let create = |name: &str, key: &str| {
        panel.with_body("POST", "/keys", &json!({ "name": name })).header("idempotency-key", key)
    };
    let first = panel.send(&create("twice", "7f3c-one"));
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None), "{}", first.text());
    let again = panel.send(&create("twice", "7f3c-one"));
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")), "{}", again.text());
    assert_eq!(again.json().expect("JSON"), first.json().expect("JSON"), "the key itself as well");
    assert_eq!(
        panel.get("/keys")["items"].as_array().expect("items").iter().filter(|key| key["name"] == "twice").count(),
        1
    );
    problem(&panel.send(&create("another", "7f3c-one")), 422);
    let elsewhere =
        panel.with_body("POST", "/tokens", &json!({ "name": "twice" })).header("idempotency-key", "7f3c-one");
    problem(&panel.send(&elsewhere), 422);
    let (_, token) = panel.token("owner");
    let others = panel.with(&token);
    let theirs = others.with_body("POST", "/keys", &json!({ "name": "twice" })).header("idempotency-key", "7f3c-one");
    let theirs = panel.send(&theirs);
    assert_eq!((theirs.status, theirs.header("idempotent-replayed")), (201, None), "a key is its holder's");
    problem(&panel.send(&create("x", &"k".repeat(256))), 400);

    let refused = panel.with_body("PUT", "/routes/later", &json!({})).header("idempotency-key", "7f3c-two");
    problem(&panel.send(&refused), 422);
    let mended = panel.with_body("PUT", "/routes/later", &route()).header("idempotency-key", "7f3c-two");
    assert_eq!(panel.send(&mended).status, 200, "what was refused may be asked again");

    let made = first.json().expect("JSON");
    let key = made["key"].as_str().expect("a key");
    assert_eq!(ask_as(&gateway, key, "some-model", "hello").status, 200, "the key serves");
    let bytes = bytes_of_store(&gateway);
    assert!(have(&bytes, made["id"].as_str().expect("its id")), "this is the file that has the key's row");
    for secret in [key, "7f3c-one", &panel.token, &token] {
        assert!(!have(&bytes, secret), "the store has {secret}");
    }
}

#[test]
fn what_can_not_be_read_or_served_is_refused_with_its_place_and_changes_nothing() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let before = (panel.get("/export"), panel.get("/status"));
    let unknown = json!({ "candidates": ["only/some-model"], "colour": "green", "strategy": "luck" });
    let said = problem(&panel.send(&panel.with_body("PUT", "/routes/odd", &unknown)), 422);
    let flaws = said["problems"].as_array().expect("flaws");
    for member in ["colour", "strategy"] {
        let flaw = flaws.iter().find(|flaw| flaw["member"] == member);
        assert!(flaw.is_some_and(|flaw| flaw["row"] == "route/odd"), "{member}: {said}");
    }
    let bundle = json!({ "route": { "good": { "candidates": ["only/m"] }, "bad": { "candidates": [] } } });
    let said = problem(&panel.send(&panel.with_body("POST", "/apply", &bundle)), 422);
    assert_eq!(said["problems"][0]["row"], "route/bad", "{said}");
    let nobody = json!({ "candidates": ["no-such-provider/m"] });
    problem(&panel.send(&panel.with_body("PUT", "/routes/odd", &nobody)), 422);
    let mut keyless = row(&only);
    keyless["api_key"] = json!({ "env": "NOT_SET_ANYWHERE" });
    let said = problem(&panel.send(&panel.with_body("PUT", "/providers/keyless", &keyless)), 422);
    assert_eq!(said["problems"][0]["row"], "provider/keyless", "{said}");
    let mut told = row(&only);
    told["api_key"] = json!("sk-in-the-clear");
    let answer = panel.send(&panel.with_body("PUT", "/providers/told", &told));
    problem(&answer, 422);
    assert!(!answer.text().contains("sk-in-the-clear"), "a secret in the wrong place is not said again");

    let put =
        |kind: &str, body: &str| panel.send(&panel.call("PUT", "/routes/odd").header("content-type", kind).body(body));
    let good = route().to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        problem(&put(kind, &good), 415);
    }
    problem(&panel.send(&panel.call("PUT", "/routes/odd").body(good.clone())), 415);
    for body in ["", "{", "[]", "null", "{\"candidates\": [1,]}", "{} {}"] {
        problem(&put("application/json", body), 400);
    }
    problem(&put("application/json", &format!("{{\"x\": \"{}\"}}", "y".repeat(16 << 20))), 413);
    problem(&panel.send(&panel.call("GET", "/nothing/here")), 404);
    problem(&panel.send(&Call::new("GET", "/")), 404);
    problem(&panel.send(&panel.call("POST", "/routes/odd")), 405);
    problem(&panel.send(&panel.call("PATCH", "/routes")), 405);
    for query in ["?limit=0", "?limit=1001", "?limit=x", "?colour=green"] {
        problem(&panel.send(&panel.call("GET", &format!("/routes{query}"))), 400);
    }
    let dry = panel.put("/routes/odd?dry_run=true", &route());
    assert_eq!(dry["snapshot"], Value::Null, "{dry}");
    assert_eq!((panel.get("/export"), panel.get("/status")), before, "nothing was changed");
}

#[test]
fn a_provider_that_only_we_could_reach_is_refused_and_changes_nothing() {
    let only = provider("sk-only");
    let inside = Setup::new().simulator("only", &only).model("some-model", &["only"]).variable(VARIABLE, "sk-x");
    let gateway = Gateway::start(&inside).expect("a gateway");
    let panel = Panel::of(&gateway);
    let before = (panel.get("/export"), panel.get("/status"), panel.get("/audit"));
    for host in [
        "169.254.169.254",
        "10.0.0.1",
        "127.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[fd00::1]",
        "[fe80::1]",
    ] {
        let mut row = row(&only);
        row["base_url"] = json!(format!("http://{host}:8080"));
        let refused = |answer: &Answer| {
            let said = problem(answer, 422);
            let flaws = said["problems"].as_array().expect("flaws");
            let named = |flaw: &Value| flaw["row"] == "provider/inside" && flaw["member"] == "base_url";
            assert!(flaws.iter().any(named), "{host}: {said}");
        };
        refused(&panel.send(&panel.with_body("PUT", "/providers/inside", &row)));
        refused(&panel.send(&panel.with_body("PUT", "/providers/inside?dry_run=true", &row)));
        refused(&panel.send(&panel.with_body("POST", "/apply", &json!({ "provider": { "inside": row } }))));
    }
    // The file's own provider is on loopback too: its address may be said by the file, not moved by the API.
    let moved = json!({ "base_url": "http://127.0.0.1:1" });
    problem(&panel.send(&panel.with_body("PUT", "/providers/only", &moved)), 422);
    assert_eq!((panel.get("/export"), panel.get("/status"), panel.get("/audit")), before, "nothing was changed");
    assert_eq!(ask_as(&gateway, gateway.key(), "some-model", "hello").status, 200);
}
