//! What one data plane meets all others know within a second, what operators force holds everywhere, and neither is lost.

use std::time::{Duration, Instant};

use dragoman_tests::gateway::Setup;
use dragoman_tests::simulator::{Reply, Script};
use serde_json::{Value, json};

use super::pair::pair;
use super::panel::{AT_ONCE, LOOPBACK, Panel, SOON, provider, status, wait};

/// The only reason why a provider does not well, if there is one.
fn why(panel: &Panel, provider: &str) -> Value {
    panel.get(&format!("/health/providers/{provider}"))["reasons"][0]["why"].clone()
}

#[test]
fn a_hint_that_one_envoy_hears_is_kept_by_another_within_a_second_and_so_is_an_operators_word() {
    let (first, second) = (provider("sk-first"), provider("sk-second"));
    let setup = Setup::new().simulator("first", &first).simulator("second", &second).top(LOOPBACK).health("");
    let (mut one, other, here, there) = pair(setup.model("some-model", &["first", "second"]), &first);
    first.play(Script::always(Reply::status(429).header("retry-after", "60")));
    assert_eq!(status(&one, "some-model"), 200, "the second answers");
    let (asked, heard) = (first.journal().requests().len(), Instant::now());
    assert_eq!(asked, 1);
    std::thread::sleep(AT_ONCE.saturating_sub(heard.elapsed()));
    for _ in 0..5 {
        assert_eq!((status(&one, "some-model"), status(&other, "some-model")), (200, 200));
    }
    assert_eq!(first.journal().requests().len(), asked, "it said for how long");
    assert_eq!((why(&here, "first"), why(&there, "first")), (json!("throttled"), json!("throttled")));
    let body = json!({ "model": "some-model", "messages": [{ "role": "user", "content": "hello" }] });
    let explained = there.post("/explain", &json!({ "body": body }));
    assert_eq!(explained["plan"], json!(["second/some-model"]), "{explained}");
    let candidates = explained["candidates"].as_array().expect("candidates");
    let first_one = candidates.iter().find(|one| one["target"] == "first/some-model").expect("the first");
    let rests = &first_one["rests"];
    assert_eq!((&rests["why"], &rests["firmness"]), (&json!("throttled"), &json!("banned")), "{explained}");
    let health = there.get("/health/providers");
    let states: Vec<&Value> = health["items"].as_array().expect("items").iter().map(|item| &item["status"]).collect();
    assert_eq!(states, ["unhealthy", "healthy"], "{health}");

    let forced = here.post("/health/subjects/second%2Fsome-model/force-open", &Value::Null);
    assert_eq!(forced, json!({ "subject": "second/some-model", "forced": "open" }));
    for gateway in [&one, &other] {
        wait("nobody is asked", AT_ONCE, || status(gateway, "some-model") == 429);
    }
    one.kill_control_plane().expect("it ran");
    let length = one.log().len();
    one.start_control_plane().expect("it starts");
    one.wait_for_log_behind(length, "serving on http://", SOON).expect("it serves");
    assert_eq!((why(&here, "second"), why(&here, "first")), (json!("forced_open"), json!("throttled")));
    there.post("/health/subjects/second%2Fsome-model/reset", &Value::Null);
    for gateway in [&one, &other] {
        wait("the second is asked again", AT_ONCE, || status(gateway, "some-model") == 200);
    }
    first.play(Script::always(Reply::persona()));
    there.post("/health/subjects/first%2Fsome-model/reset", &Value::Null);
    wait("the first is asked again", AT_ONCE, || {
        status(&one, "some-model") == 200 && first.journal().requests().len() > asked
    });
    // The first minutes went with the control plane that was killed; in which one the answer came is the clock's choice.
    let minutes = |panel: &Panel| panel.get("/health/providers/first/timeline")["items"].clone();
    let has_answers = |minute: &Value| minute["figures"]["answered"].as_u64().is_some_and(|answered| answered > 0);
    wait("minutes are kept, and both tell them", Duration::from_secs(8), || {
        let told = minutes(&there);
        told.as_array().is_some_and(|items| items.iter().any(has_answers)) && told == minutes(&here)
    });
    let entries = here.get("/audit?limit=2");
    assert_eq!((&entries["items"][0]["action"], &entries["items"][0]["kind"]), (&json!("reset"), &json!("health")));
}

/// What each target of that pool got first, what it was to get, its attempts and its answers.
fn shares(panel: &Panel, route: &str) -> Vec<Value> {
    let pool = panel.get(&format!("/health/pools/{route}"));
    let columns = ["target", "first", "first_permille", "due_permille", "attempts", "answered"];
    let targets = pool["targets"].as_array().expect("targets");
    targets.iter().map(|target| columns.iter().map(|name| target[*name].clone()).collect()).collect()
}

#[test]
fn two_control_planes_show_the_same_of_how_a_pool_was_shared() {
    let (first, second) = (provider("sk-first"), provider("sk-second"));
    let setup = Setup::new().simulator("first", &first).simulator("second", &second).top(LOOPBACK);
    let route = "[[route]]\nname = \"shared\"\ncandidates = [\"first/some-model\", \"second/some-model\"]\n\
                 balance = \"weighted\"\nweights = { \"first/some-model\" = 3 }\n";
    let setup = setup.model("some-model", &["first", "second"]).more(route);
    let (one, other, here, there) = pair(setup, &first);
    for _ in 0..4 {
        assert_eq!((status(&one, "shared"), status(&other, "shared")), (200, 200));
    }
    second.play(Script::always(Reply::status(503)));
    for _ in 0..4 {
        assert_eq!(status(&one, "shared"), 200, "the first answers for the second");
    }
    let expected = [json!(["first/some-model", 9, 750, 750, 10, 10]), json!(["second/some-model", 3, 250, 250, 3, 2])];
    for panel in [&here, &there] {
        wait("minutes are kept", Duration::from_secs(12), || shares(panel, "shared") == expected);
    }
    let pools = here.get("/health/pools");
    let names: Vec<&Value> = pools["items"].as_array().expect("items").iter().map(|pool| &pool["route"]).collect();
    assert_eq!(names, ["shared", "some-model"]);
    assert_eq!(shares(&there, "some-model")[0], json!(["first/some-model", 0, null, 1000, 0, 0]));
}
