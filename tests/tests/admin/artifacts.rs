//! Artifacts, by which models are chosen: a new one is taken while everything runs, by every gateway of a store; a damaged one by
//! nobody; and there is a way back.

use std::path::PathBuf;

use dragoman_core::artifact::{Artifact, Head, Parts};
use dragoman_tests::client::Answer;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::ask;
use dragoman_tests::simulator::Simulator;
use dragoman_tests::simulator::persona::Dialect;
use serde_json::{Value, json};

use super::pair::pair;
use super::panel::{Panel, SOON, provider, setup, wait};

const ROUTES: &str = r#"
[[route]]
name = "auto"
[route.choose]
cheap = ["only/small"]
mid = ["only/middling"]
hard = ["only/large"]
"#;

/// A directory for files, gone at the end.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dragoman-artifacts-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    /// Replaced as a whole, as whoever publishes one does.
    fn write(&self, file: &[u8]) {
        let beside = self.0.join("beside");
        std::fs::write(&beside, file).expect("a file");
        std::fs::rename(&beside, self.path()).expect("the file in its place");
    }

    fn path(&self) -> PathBuf {
        self.0.join("tuning.artifact")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// An artifact to which every request is alike: `cheap` or `hard`.
fn file(name: &str, bucket: &str) -> Vec<u8> {
    let head = |name: &str| Head { name: name.into(), knots: vec![(0.0, 0.5), (1.0, 0.5)], ..Head::default() };
    let least = if bucket == "cheap" { 0 } else { 1000 };
    let metadata = json!({ "metrics": { "apgr": 0.7 }, "made_by": "a test" }).to_string();
    let heads = vec![head("cheap"), head("mid"), head(name)];
    Parts { name: name.into(), metadata, thresholds: [least, least], heads, ..Parts::default() }.write()
}

fn digest(file: &[u8]) -> String {
    Artifact::read(file).expect("an artifact").digest().to_owned()
}

fn choosing(provider: &Simulator, source: &str) -> Setup {
    setup(provider).more(ROUTES).more(&format!("[tuning]\nartifact = \"{source}\"\nrefresh = \"200ms\"\n"))
}

fn say(gateway: &Gateway) -> Answer {
    gateway.ask(Dialect::Chat, "auto", "Hello!", false).expect("an answer")
}

fn bucket(gateway: &Gateway) -> String {
    say(gateway).header("x-dragoman-bucket").unwrap_or_default().to_owned()
}

fn wait_for(gateway: &Gateway, wanted: &str) {
    wait(&format!("requests are {wanted}"), SOON, || bucket(gateway) == wanted);
}

#[test]
fn a_new_file_chooses_for_the_next_request_a_damaged_one_does_not_and_there_is_a_way_back() {
    let (files, only) = (Files::new("file"), provider("sk-only"));
    let (first, second) = (file("first", "cheap"), file("second", "hard"));
    files.write(&first);
    let gateway = Gateway::start(&choosing(&only, &files.path().display().to_string())).expect("a gateway");
    let panel = Panel::of(&gateway);
    let (pid, envoy) = (gateway.pid(), gateway.envoy_pid().expect("its Envoy"));
    wait_for(&gateway, "cheap");

    files.write(&second);
    wait_for(&gateway, "hard");
    let answer = say(&gateway);
    assert_eq!(answer.header("x-dragoman-target"), Some("only/large"));
    let id = answer.header("x-dragoman-request-id").expect("an id");
    let chosen = gateway.record(id, SOON).expect("a Record")["chosen"].clone();
    let question = json!({ "body": ask(Dialect::Chat, "auto", "Hello!", false) });
    let explained = panel.post("/explain", &question);
    for member in ["bucket", "by", "cheap", "mid", "artifact"] {
        assert_eq!(explained["chosen"][member], chosen[member], "what is explained is what is done: {member}");
    }
    assert_eq!((&chosen["by"], &chosen["artifact"]), (&json!("artifact"), &json!(digest(&second)[..12])));

    let mut damaged = file("third", "cheap");
    damaged[60] ^= 1;
    files.write(&damaged);
    let listed = || panel.get("/tuning/artifacts");
    let refused = || listed()["refused"]["why"].as_str().unwrap_or_default().to_owned();
    wait("it is refused", SOON, || refused().contains("tampered"));
    assert_eq!((bucket(&gateway).as_str(), &listed()["in_use"]), ("hard", &json!(digest(&second))));
    gateway.wait_for_log("an artifact was refused", SOON).expect("it is in the log");

    panel.post(&format!("/tuning/artifacts/{}/use", &digest(&first)[..12]), &Value::Null);
    wait_for(&gateway, "cheap");
    files.write(&second);
    wait("what it has can be used again", SOON, || refused().is_empty());
    assert_eq!(bucket(&gateway), "cheap", "the source has nothing new");
    files.write(&file("fourth", "hard"));
    wait_for(&gateway, "hard");
    let audit = panel.get("/audit");
    let uses = audit["items"].as_array().expect("items").iter();
    let uses: Vec<&str> =
        uses.filter(|entry| entry["action"] == "use").filter_map(|entry| entry["id"].as_str()).collect();
    assert_eq!(uses, [digest(&file("fourth", "hard")), digest(&first), digest(&second), digest(&first)]);
    assert_eq!((gateway.pid(), gateway.envoy_pid().expect("its Envoy")), (pid, envoy), "nothing was started again");
}

#[test]
fn what_is_put_in_use_at_one_gateway_the_other_follows() {
    let only = provider("sk-only");
    let (one, other, here, there) = pair(choosing(&only, "none"), &only);
    let upload = |file: Vec<u8>| {
        let call = here.call("POST", "/tuning/artifacts").header("content-type", "application/octet-stream");
        here.send(&call.body(file))
    };
    let (first, second) = (file("first", "hard"), file("second", "cheap"));
    for file in [&first, &second] {
        let answer = upload(file.clone());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json().expect("JSON")["in_use"], false);
    }
    let refused = upload(b"nonsense".to_vec());
    assert!(refused.status == 422 && refused.text().contains("no tuning artifact"), "{}", refused.text());
    assert_eq!(upload(vec![0; (2 << 20) + 1]).status, 413);
    assert_eq!(bucket(&one), "cheap", "by the rules");

    let (one_digest, two_digest) = (digest(&first), digest(&second));
    there.post(&format!("/tuning/artifacts/{one_digest}/use"), &Value::Null);
    for gateway in [&one, &other] {
        wait_for(gateway, "hard");
    }
    let path = format!("/tuning/artifacts/{one_digest}");
    let shown = there.get(&path);
    assert_eq!((&shown["metadata"]["made_by"], &shown["heads"]["first"]), (&json!("a test"), &json!([])));
    assert_eq!(there.send(&there.call("DELETE", &path)).status, 409, "it is in use");
    let compared = there.get(&format!("{path}/compare/{two_digest}"));
    assert_eq!((&compared["only_one"], &compared["only_other"]), (&json!(["first"]), &json!(["second"])));
    let cheap = json!({ "name": "thresholds.cheap", "one": 1000, "other": 0 });
    assert!(compared["figures"].as_array().expect("figures").contains(&cheap), "{compared}");

    here.post(&format!("/tuning/artifacts/{two_digest}/use"), &Value::Null);
    for gateway in [&one, &other] {
        wait_for(gateway, "cheap");
    }
    assert_eq!(there.delete(&path), json!({ "digest": one_digest }));
    assert_eq!(there.send(&there.call("GET", &path)).status, 404);
}
