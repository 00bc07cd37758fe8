//! What happens to callers while the gateway is reconfigured, broken and restarted.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dragoman_tests::client::Call;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, path, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Fault, Persona, Reply, Simulator, Wait, When};

/// Longer than the gateway takes to see a new file or to start an Envoy on a loaded machine.
const SOON: Duration = Duration::from_secs(15);

fn provider() -> Simulator {
    Simulator::start(Persona::chat("sk-provider-canary")).expect("a provider")
}

fn setup(provider: &Simulator) -> Setup {
    Setup::new().simulator("only", provider).model("some-model", &["only"])
}

fn status(gateway: &Gateway, model: &str) -> u16 {
    gateway.ask(Dialect::Chat, model, "hello", false).map_or(0, |answer| answer.status)
}

/// Waits until asking for this model gives this status.
fn wait_for(gateway: &Gateway, model: &str, wanted: u16) {
    let until = Instant::now() + SOON;
    loop {
        let got = status(gateway, model);
        if got == wanted {
            return;
        }
        assert!(Instant::now() < until, "{model}: {got} instead of {wanted} after {SOON:?}:\n{}", gateway.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Tells the other thread to stop, also when this one fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_changed_file_is_taken_over_without_losing_a_request() {
    let provider = provider();
    let gateway = Gateway::start(&setup(&provider)).expect("a gateway");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut failed = Vec::new();
            let mut asked = 0;
            while !stop.load(Ordering::Relaxed) {
                asked += 1;
                match gateway.ask(Dialect::Chat, "some-model", "hello", asked % 2 == 0) {
                    Ok(answer) if answer.status == 200 && read(Dialect::Chat, &answer).complete => {}
                    Ok(answer) => failed.push(format!("{} {}", answer.status, answer.text())),
                    Err(error) => failed.push(format!("{error:#}")),
                }
            }
            (asked, failed)
        });
        {
            let _stopped_however_this_ends = StopAtEnd(&stop);
            for round in 1..=5 {
                let name = format!("model-{round}");
                gateway.configure(&setup(&provider).model(&name, &["only"])).expect("a new file");
                wait_for(&gateway, &name, 200);
            }
        }
        let (asked, failed) = asking.join().expect("the asking thread");
        assert!(failed.is_empty(), "{} of {asked} failed: {:?}", failed.len(), failed.first());
        assert!(asked > 50, "{asked} requests are enough to notice");
    });
    assert_eq!(status(&gateway, "model-1"), 404, "what the new file does not have is gone");
}

#[test]
fn a_stream_outlives_a_change_of_the_file() {
    let provider = provider();
    let gateway = Gateway::start(&setup(&provider)).expect("a gateway");
    let pause = Fault::Stall(Wait::For(Duration::from_millis(1800)));
    provider.when(When::mentions("slowly"), [Reply::persona().after_pieces(3, pause)]);
    let call = gateway.call(Dialect::Chat, "some-model", &ask(Dialect::Chat, "some-model", "slowly", true), true);
    let mut open = gateway.open(&call).expect("a head");
    open.read(1).expect("the first words");
    gateway.configure(&setup(&provider).model("another", &["only"])).expect("a new file");
    wait_for(&gateway, "another", 200);
    let said = read(Dialect::Chat, &open.finish().expect("the rest"));
    assert_eq!((said.text.as_str(), said.complete), ("you said: slowly", true));
}

#[test]
fn a_bad_file_is_refused_with_every_mistake_and_the_last_good_one_keeps_serving() {
    let provider = provider();
    let gateway = Gateway::start(&setup(&provider)).expect("a gateway");
    let mistakes = "[[route]]\nname = \"odd\"\ncandidates = \"no list\"\ncolour = \"green\"";
    gateway.configure_badly(&setup(&provider).model("new", &["only"]), mistakes).expect("a bad file");
    for words in ["colour", "candidates"] {
        gateway.wait_for_log(words, SOON).expect("the mistake is told");
    }
    assert_eq!(status(&gateway, "some-model"), 200);
    assert_eq!(status(&gateway, "new"), 404, "nothing of the bad file is taken over");
    let checked = gateway.dragoman(&["check"]).expect_err("`dragoman check` fails");
    let checked = format!("{checked:#}");
    assert!(checked.contains("colour") && checked.contains("candidates"), "{checked}");
    gateway.configure(&setup(&provider).model("new", &["only"])).expect("a good file");
    wait_for(&gateway, "new", 200);
}

#[test]
fn an_envoy_that_dies_is_started_again_and_serves_as_before() {
    let provider = provider();
    let gateway = Gateway::start(&setup(&provider)).expect("a gateway");
    let before = gateway.envoy_pid().expect("an Envoy");
    assert_eq!(status(&gateway, "some-model"), 200);
    Command::new("kill").args(["-KILL", &before.to_string()]).status().expect("kill");
    wait_for(&gateway, "some-model", 200);
    assert_ne!(gateway.envoy_pid().expect("an Envoy"), before);
}

#[test]
fn an_envoy_does_not_outlive_its_dragoman() {
    let provider = provider();
    let gateway = Gateway::start(&setup(&provider)).expect("a gateway");
    let envoy = gateway.envoy_pid().expect("an Envoy");
    Command::new("kill").args(["-KILL", &gateway.pid().to_string()]).status().expect("kill");
    let until = Instant::now() + SOON;
    let alive = || {
        let stat = std::fs::read_to_string(format!("/proc/{envoy}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with('Z'))
    };
    while alive() {
        assert!(Instant::now() < until, "Envoy {envoy} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_key_serves_from_its_making_to_its_revocation() {
    let provider = provider();
    let gateway = Gateway::start(&setup(&provider)).expect("a gateway");
    let key = gateway.dragoman(&["key", "create", "--name", "short-lived"]).expect("a key").trim().to_owned();
    let body = ask(Dialect::Chat, "some-model", "hello", false);
    let call = Call::post(&path(Dialect::Chat, "some-model", false)).json(&body);
    let call = call.header("authorization", format!("Bearer {key}"));
    assert_eq!(gateway.send(&call).expect("an answer").status, 200, "a new key serves at once");
    let list = gateway.dragoman(&["key", "list"]).expect("a list");
    assert!(!list.contains(&key), "the list does not tell the key: {list}");
    let line = list.lines().find(|line| line.contains("short-lived")).expect("its line");
    let id = line.split_whitespace().find(|word| word.starts_with("key_")).expect("its id");
    gateway.dragoman(&["key", "revoke", id]).expect("revoked");
    let until = Instant::now() + SOON;
    while gateway.send(&call).expect("an answer").status != 401 {
        assert!(Instant::now() < until, "a revoked key still serves after {SOON:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(status(&gateway, "some-model"), 200, "other keys are not touched");
}

#[test]
fn a_key_for_some_models_gets_no_others() {
    let provider = provider();
    let setup = setup(&provider).model("other-model", &["only"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let arguments = ["key", "create", "--name", "narrow", "--routes", "other-model"];
    let key = gateway.dragoman(&arguments).expect("a key").trim().to_owned();
    for (model, wanted) in
        [("other-model", 200), ("some-model", 403), ("only/some-model", 403), ("only:some-model", 403)]
    {
        for client in Dialect::CLIENTS {
            let call = Call::post(&path(client, model, false)).json(&ask(client, model, "hello", false));
            let answer = gateway.send(&call.header("authorization", format!("Bearer {key}"))).expect("an answer");
            // A path can not carry a slash in a model's name; there it is nobody's path.
            let wanted = if client == Dialect::Gemini && model.contains('/') { 404 } else { wanted };
            let refused = wanted != 200 && matches!(answer.status, 403 | 404);
            assert!(answer.status == wanted || refused, "{client:?} {model}: {} {}", answer.status, answer.text());
        }
    }
}
