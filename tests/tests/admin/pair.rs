//! Two gateways share a store: what one is told both serve, and neither needs the other.

use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::postgres::database;
use dragoman_tests::simulator::Simulator;
use serde_json::{Value, json};

use super::panel::{AT_ONCE, Panel, SOON, VARIABLE, provider, row, setup, wait, wait_for};

/// Two control planes, each with an Envoy of its own, and one store.
fn two(provider: &Simulator) -> (Gateway, Gateway, Panel, Panel) {
    pair(setup(provider), provider)
}

/// The same of that set-up.
pub fn pair(setup: Setup, provider: &Simulator) -> (Gateway, Gateway, Panel, Panel) {
    let shared = database().expect("a database");
    let setup: Setup = setup.variable("DRAGOMAN_STORE", &shared).variable(VARIABLE, provider.persona().key());
    let setup = setup.variable("DRAGOMAN_PEPPER", &"5e".repeat(32));
    let one = Gateway::start_apart(&setup).expect("a gateway");
    let other = Gateway::start_apart(&setup).expect("another gateway");
    let panel = Panel::of(&one);
    // The first token was made and shown by whoever was first; it is good at both.
    let beside = panel.at(&other);
    (one, other, panel, beside)
}

/// Which Snapshot is served, and which change it has.
fn state(panel: &Panel) -> (Value, Value) {
    let status = panel.get("/status");
    (status["snapshot"].clone(), status["revision"].clone())
}

#[test]
fn what_one_control_plane_is_told_both_serve_within_a_second_and_one_goes_on_alone() {
    let only = provider("sk-only");
    let (mut one, other, here, there) = two(&only);
    assert_eq!(here.get("/status")["store"], "postgresql");
    assert_eq!(state(&here), state(&there), "they begin alike");
    for round in 0..20 {
        let (told, beside, gateway) = if round % 2 == 0 { (&here, &there, &other) } else { (&there, &here, &one) };
        let changed = match round % 5 {
            4 => told.delete(&format!("/routes/round-{}", round - 4)),
            _ => told.put(&format!("/routes/round-{round}"), &json!({ "candidates": ["only/some-model"] })),
        };
        assert!(told.serves(&changed), "{changed}");
        let wanted = state(told);
        wait(&format!("{wanted:?} at the other, change {round}"), AT_ONCE, || state(beside) == wanted);
        if round % 5 != 4 {
            wait_for(gateway, &format!("round-{round}"), 200, AT_ONCE);
        }
    }
    assert_eq!(here.get("/export"), there.get("/export"));
    assert_eq!(here.get("/audit"), there.get("/audit"));
    let changed = there.put("/providers/added", &row(&only));
    assert!(there.serves(&changed), "{changed}");
    wait("the new provider at the other", 2 * AT_ONCE, || state(&here) == state(&there));

    one.kill_control_plane().expect("it ran");
    for round in 0..3 {
        let name = format!("alone-{round}");
        let changed = there.put(&format!("/routes/{name}"), &json!({ "candidates": ["added/some-model"] }));
        assert!(there.serves(&changed), "{changed}");
        wait_for(&other, &name, 200, AT_ONCE);
    }
    assert_eq!(super::panel::status(&one, "round-1"), 200, "its Envoy serves on as it was");
    let length = one.log().len();
    one.start_control_plane().expect("it starts");
    one.wait_for_log_behind(length, "serving on http://", SOON).expect("it serves");
    assert_eq!(state(&here), state(&there), "it has what it missed");
    wait_for(&one, "alone-2", 200, SOON);
}

#[test]
fn of_two_who_change_a_row_at_two_control_planes_at_once_one_wins_and_the_other_is_told() {
    let only = provider("sk-only");
    let (_one, _other, here, there) = two(&only);
    let made = here.put("/routes/wanted", &json!({ "candidates": ["only/some-model"] }));
    let tag = format!("\"{}\"", made["revision"]);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let racing: Vec<_> = [&here, &there, &here, &there]
            .into_iter()
            .enumerate()
            .map(|(number, panel)| {
                let row = json!({ "candidates": [format!("only/of-{number}")] });
                let call = panel.with_body("PUT", "/routes/wanted", &row).header("if-match", &tag);
                scope.spawn(move || panel.send(&call).status)
            })
            .collect();
        racing.into_iter().map(|racer| racer.join().expect("an answer")).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 412].contains(status)), "{answers:?}");
    wait("both have the winner's", AT_ONCE, || state(&here) == state(&there));
    assert_eq!(here.get("/routes/wanted"), there.get("/routes/wanted"));
    // One row each at the same time: nobody's is lost.
    std::thread::scope(|scope| {
        for (name, panel) in [("here", &here), ("there", &there)] {
            scope.spawn(move || {
                for number in 0..10 {
                    panel.put(&format!("/routes/{name}-{number}"), &json!({ "candidates": ["only/some-model"] }));
                }
            });
        }
    });
    wait("both have all", 2 * AT_ONCE, || state(&here) == state(&there));
    let rows = here.get("/export")["route"].as_object().expect("routes").len();
    assert_eq!(rows, 21, "{}", here.get("/export"));
    assert_eq!(here.get("/export"), there.get("/export"));
}
