//! What the API is told is served when it answers, and stays.

use std::sync::atomic::{AtomicBool, Ordering};

use dragoman_tests::gateway::Gateway;
use dragoman_tests::said::read;
use dragoman_tests::simulator::persona::Dialect;
use serde_json::{Value, json};

use super::panel::{AT_ONCE, Panel, SOON, VARIABLE, provider, row, setup, status, wait, wait_for};

/// Tells the other thread to stop, also when this one fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks for a model all the time while something is done; no request may fail.
fn while_asking(gateway: &Gateway, model: &str, done: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let (mut asked, mut failed) = (0, Vec::new());
            while !stop.load(Ordering::Relaxed) {
                asked += 1;
                match gateway.ask(Dialect::Chat, model, "hello", asked % 2 == 0) {
                    Ok(answer) if read(Dialect::Chat, &answer).complete => {}
                    Ok(answer) => failed.push(format!("{} {}", answer.status, answer.text())),
                    Err(error) => failed.push(format!("{error:#}")),
                }
            }
            (asked, failed)
        });
        {
            let _stopped_however_this_ends = StopAtEnd(&stop);
            done();
        }
        let (asked, failed) = asking.join().expect("the asking thread");
        assert!(failed.is_empty(), "{} of {asked} failed: {:?}", failed.len(), failed.first());
        assert!(asked > 20, "{asked} requests are enough to notice");
    });
}

#[test]
fn every_kind_of_row_is_served_when_it_is_answered_and_no_request_notices() {
    let (only, added) = (provider("sk-only"), provider("sk-added"));
    let gateway = Gateway::start(&setup(&only).variable(VARIABLE, "sk-added")).expect("a gateway");
    let panel = Panel::of(&gateway);
    let before = panel.get("/export");
    while_asking(&gateway, "some-model", || {
        let provider = panel.put("/providers/added", &row(&added));
        assert!(panel.serves(&provider), "{provider}");
        let model = json!({ "offers": ["added/new-model"], "output_limit": 4096 });
        let rows = [
            ("/models/new-model", model, "new-model"),
            ("/routes/new-route", json!({ "candidates": ["added/new-model"] }), "new-route"),
            ("/aliases/new-alias", json!({ "to": "new-route" }), "new-alias"),
        ];
        for (path, row, name) in &rows {
            let changed = panel.put(path, row);
            assert!(panel.serves(&changed), "{path}: {changed}");
            wait_for(&gateway, name, 200, AT_ONCE);
        }
        let changed = panel.put("/prices/added%2Fnew-model", &json!({ "input": 1000, "output": 2000 }));
        assert!(changed["snapshot"].is_u64(), "{changed}");
        let answer = gateway.ask(Dialect::Chat, "new-alias", "what is it", false).expect("an answer");
        assert_eq!(answer.header("x-dragoman-target"), Some("added/new-model"));
        let exchange = answer.header("x-dragoman-request-id").expect("an id").to_owned();
        let kept = || panel.send(&panel.call("GET", &format!("/records/{exchange}")));
        wait("the Record", SOON, || kept().status == 200);
        let cost = kept().json().expect("JSON")["cost_micros"].as_u64();
        assert!(cost.is_some_and(|cost| cost >= 2000), "{cost:?} by a price of 1000 dollars a million");
        assert!(added.journal().total() > 0, "the new provider was asked");

        panel.delete("/prices/added%2Fnew-model");
        for (path, _, name) in rows.iter().rev() {
            let changed = panel.delete(path);
            assert!(changed["snapshot"].is_u64(), "{changed}");
            if *path != "/models/new-model" {
                wait_for(&gateway, name, 404, AT_ONCE);
            }
        }
        panel.delete("/providers/added");
        wait_for(&gateway, "new-model", 404, AT_ONCE);
    });
    assert_eq!(panel.get("/export"), before, "what was there is back");
}

#[test]
fn what_the_api_said_outlives_the_control_plane() {
    let only = provider("sk-only");
    let mut gateway = Gateway::start_apart(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    panel.put("/routes/kept", &json!({ "candidates": ["only/some-model"] }));
    let changed = panel.put("/aliases/also-kept", &json!({ "to": "kept" }));
    let (rows, status_before) = (panel.get("/export"), panel.get("/status"));
    gateway.kill_control_plane().expect("it ran");
    let length = gateway.log().len();
    gateway.start_control_plane().expect("it starts");
    gateway.wait_for_log_behind(length, "serving on http://", SOON).expect("it serves");
    let list = ["routes/kept", "aliases/also-kept"];
    assert!(list.iter().all(|path| panel.get(&format!("/{path}"))["sources"] == json!(["api"])));
    assert_eq!(panel.get("/export"), rows);
    let status_after = panel.get("/status");
    for member in ["snapshot", "revision", "last_revision"] {
        assert_eq!(status_after[member], status_before[member], "{member}");
    }
    assert_eq!(status_after["revision"], changed["revision"]);
    for name in ["kept", "also-kept", "some-model"] {
        wait_for(&gateway, name, 200, AT_ONCE);
    }
    let changed = panel.put("/aliases/newer", &json!({ "to": "kept" }));
    assert!(changed["revision"].as_u64() > status_before["revision"].as_u64(), "{changed}");
    wait_for(&gateway, "newer", 200, SOON);
}

#[test]
fn going_back_to_a_snapshot_brings_rows_and_models_back_and_the_audit_log_tells_who() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let (id, token) = panel.token("operator");
    let operator = panel.with(&token);
    let (first, second) = (json!({ "candidates": ["only/one"] }), json!({ "candidates": ["only/two"] }));
    let good = operator.put("/routes/moved", &first);
    let rows = operator.get("/export");
    operator.put("/routes/moved", &second);
    let last = operator.put("/routes/too-much", &first);
    wait_for(&gateway, "too-much", 200, AT_ONCE);

    let listed = operator.get("/snapshots");
    let served: Vec<&Value> =
        listed["items"].as_array().expect("items").iter().filter(|item| item["served"] == true).collect();
    assert!(served.len() == 1 && served[0]["version"] == last["snapshot"], "{listed}");
    let version = good["snapshot"].as_u64().expect("a version");
    let difference = operator.get(&format!("/snapshots/{version}/diff"));
    assert_eq!(difference["to"], last["snapshot"], "{difference}");
    let has = |member: &str, row: &str| difference[member].as_array().is_some_and(|rows| rows.contains(&json!(row)));
    assert!(has("added", "route/too-much") && has("changed", "route/moved"), "{difference}");
    assert!(!has("removed", "route/moved"), "{difference}");

    let back = operator.post(&format!("/snapshots/{version}/rollback"), &json!({}));
    assert_eq!(back["remaining"], json!([]), "{back}");
    assert!(operator.serves(&back), "{back}");
    assert_eq!(operator.get("/export"), rows);
    wait_for(&gateway, "too-much", 404, AT_ONCE);
    let answer = gateway.ask(Dialect::Chat, "moved", "hello", false).expect("an answer");
    assert_eq!(answer.header("x-dragoman-target"), Some("only/one"));

    let changes = operator.get("/audit")["items"].clone();
    let find = |action: &str, row: &str| -> Vec<Value> {
        let all = changes.as_array().expect("items").iter();
        all.filter(|change| change["action"] == action && change["id"] == row).cloned().collect()
    };
    let puts = find("put", "moved");
    assert_eq!((&puts[0]["before"], &puts[0]["after"]), (&first, &second), "the newest first: {changes}");
    assert_eq!((&puts[1]["before"], &puts[1]["after"]), (&Value::Null, &first));
    let action = format!("roll back to Snapshot {version}");
    let rolled = find(&action, "moved");
    assert_eq!((&rolled[0]["before"], &rolled[0]["after"]), (&second, &first), "{changes}");
    assert_eq!(find(&action, "too-much")[0]["after"], Value::Null);
    let (tokens, rows): (Vec<&Value>, Vec<&Value>) =
        changes.as_array().expect("items").iter().partition(|change| change["kind"] == "token");
    let first = tokens.last().map(|change| &change["actor"]);
    assert!(tokens.len() == 2 && first == Some(&json!("at start")), "the first one made the other: {tokens:?}");
    assert!(tokens[0]["id"] == json!(id) && tokens[0]["action"] == "create", "{tokens:?}");
    // The harness made its key without the API.
    for change in rows.into_iter().filter(|change| change["kind"] != "key") {
        assert!(change["actor"].as_str().is_some_and(|actor| actor.contains(&id)), "{change}");
        assert!(change["at_ms"].as_u64().is_some_and(|at| at > 0), "{change}");
    }
    assert_eq!(status(&gateway, "some-model"), 200);
}
