//! The file and the API say something of the same row.

use std::time::Instant;

use dragoman_tests::gateway::Gateway;
use dragoman_tests::simulator::persona::Dialect;
use serde_json::json;

use super::panel::{AT_ONCE, Panel, SOON, provider, setup, status, wait, wait_for};

/// Whose answer it is.
fn target(gateway: &Gateway, model: &str) -> String {
    let answer = gateway.ask(Dialect::Chat, model, "hello", false).expect("an answer");
    answer.header("x-dragoman-target").unwrap_or_default().to_owned()
}

#[test]
fn the_api_wins_member_by_member_and_the_file_has_the_word_again_when_its_row_is_gone() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let written = panel.get("/models/some-model");
    assert_eq!((&written["sources"], &written["revision"]), (&json!(["file"]), &json!(0)), "{written}");

    panel.put("/models/some-model", &json!({ "offers": ["only/another-name"] }));
    wait("the API's offer", AT_ONCE, || target(&gateway, "some-model") == "only/another-name");
    let both = panel.get("/models/some-model");
    assert_eq!(both["sources"], json!(["file", "api"]), "{both}");
    assert_eq!(both["effective"]["output_limit"], 4096, "the file's member is left: {both}");
    assert_eq!(both["effective"]["offers"], json!(["only/another-name"]), "{both}");
    assert_eq!(both["row"], json!({ "offers": ["only/another-name"] }), "{both}");

    let longer = gateway.settings().expect("the file").replace("output_limit = 4096", "output_limit = 2048");
    let longer = format!("{longer}\n[[model]]\nname = \"of-the-file\"\noffers = [\"only/of-the-file\"]\n");
    gateway.write_settings(&longer).expect("a new file");
    wait_for(&gateway, "of-the-file", 200, SOON);
    assert_eq!(target(&gateway, "some-model"), "only/another-name", "the API's row holds on");
    let both = panel.get("/models/some-model");
    assert_eq!(both["effective"]["output_limit"], 2048, "the file's new word: {both}");

    let changed = panel.delete("/models/some-model");
    assert!(panel.serves(&changed), "{changed}");
    wait("the file's offer", AT_ONCE, || target(&gateway, "some-model") == "only/some-model");
    let written = panel.get("/models/some-model");
    assert_eq!((&written["sources"], &written["row"]), (&json!(["file"]), &json!(null)), "{written}");
}

#[test]
fn a_file_that_can_not_be_taken_changes_nothing_and_the_api_goes_on() {
    let only = provider("sk-only");
    let setup = setup(&only);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let panel = Panel::of(&gateway);
    gateway.configure_badly(&setup.clone().model("new", &["only"]), "[[route]]\nname = \"odd\"").expect("a bad file");
    gateway.wait_for_log("can't be taken", SOON).expect("it is told");
    let before = Instant::now();
    let changed = panel.put("/routes/said-meanwhile", &json!({ "candidates": ["only/some-model"] }));
    assert!(panel.serves(&changed), "{changed} after {:?}", before.elapsed());
    wait_for(&gateway, "said-meanwhile", 200, AT_ONCE);
    assert_eq!(status(&gateway, "new"), 404, "nothing of the bad file is taken over");
    gateway.configure(&setup.model("new", &["only"])).expect("a good file");
    wait_for(&gateway, "new", 200, SOON);
    assert_eq!(status(&gateway, "said-meanwhile"), 200);
}
