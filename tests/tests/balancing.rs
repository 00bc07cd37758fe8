//! Who of a pool is asked first, through the real Envoy.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::collections::BTreeMap;

use dragoman_tests::client::Call;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Script, Simulator};

const ROUTES: &str = r#"
[[route]]
name = "weighted"
candidates = ["a/m", "b/m"]
balance = "weighted"
weights = { "a/m" = 3 }

[[route]]
name = "sticky"
candidates = ["a/m", "b/m"]
balance = "round_robin"
affinity = "header:x-session"

[[route]]
name = "last"
candidates = ["c/m", "a/m", "b/m"]

[[route]]
name = "near"
candidates = ["a/m", "c/m", "b/m"]
regions = { require = ["eu"] }

[[route]]
name = "nowhere"
candidates = ["a/m"]
regions = { require = ["moon"] }
"#;

struct Behind {
    all: [Simulator; 4],
    gateway: Gateway,
}

fn start(workers: usize) -> Behind {
    let all = ["a", "b", "c", "d"].map(|id| Simulator::start(Persona::chat(&format!("key-{id}"))).expect("a provider"));
    let [a, b, c, d] = &all;
    let setup = Setup::new()
        .simulator("a", a)
        .with("region = \"us\"")
        .simulator("b", b)
        .with("region = \"eu\"")
        .simulator("c", c)
        .with("region = \"eu\"\ndispatch = \"fallback\"")
        .simulator("d", d)
        .with("dispatch = \"off\"")
        .model("m", &["a", "b", "c", "d"])
        .more(ROUTES)
        .workers(workers);
    let gateway = Gateway::start(&setup).expect("a gateway");
    Behind { all, gateway }
}

impl Behind {
    /// The status, and who answered.
    fn ask(&self, model: &str, session: Option<&str>) -> (u16, String) {
        let session = session.map(|session| ("x-session", session.to_string()));
        let headers = credential(Dialect::Chat, self.gateway.key()).into_iter().chain(session);
        let call = Call::post(&path(Dialect::Chat, model, false));
        let call = headers.fold(call, |call, (name, value)| call.header(name, value));
        let answer = call.json(&ask(Dialect::Chat, model, "hello", false)).send(&self.gateway.address());
        let answer = answer.expect("an answer");
        (answer.status, answer.header("x-dragoman-target").unwrap_or_default().to_string())
    }

    fn counts(&self, model: &str, requests: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..requests {
            *counts.entry(self.ask(model, None).1).or_default() += 1;
        }
        counts
    }
}

#[test]
fn a_pool_shares_requests_as_its_route_says() {
    let behind = start(2);
    let counts = behind.counts("weighted", 400);
    let of = |target: &str| counts.get(target).copied().unwrap_or(0);
    assert!(of("a/m").abs_diff(300) <= 8 && of("b/m").abs_diff(100) <= 8, "2 % of 400: {counts:?}");

    let mut met = BTreeMap::new();
    for number in 0..60 {
        let session = format!("session-{}", number % 12);
        let (_, target) = behind.ask("sticky", Some(&session));
        assert_eq!(met.entry(session).or_insert_with(|| target.clone()), &target);
    }
    let both = |target: &str| met.values().any(|known| known == target);
    assert!(both("a/m") && both("b/m"), "{met:?}");
    let counts = behind.counts("sticky", 40);
    assert!(counts.values().all(|count| count.abs_diff(20) <= 2), "without a session: {counts:?}");
    // Who leaves takes only its own sessions along.
    behind.all[0].play(Script::always(Reply::status(429)));
    for (session, target) in &met {
        assert_eq!(behind.ask("sticky", Some(session)), (200, "b/m".into()), "{session} was with {target}");
    }
}

#[test]
fn fallbacks_are_asked_last_what_is_off_never_and_regions_are_kept_to() {
    let behind = start(1);
    let [a, b, c, d] = &behind.all;
    assert_eq!(behind.counts("last", 5), [("a/m".to_string(), 5)].into());
    assert_eq!(behind.counts("near", 5), [("b/m".to_string(), 5)].into());
    assert_eq!(behind.ask("nowhere", None).0, 404);
    assert_eq!(behind.ask("d/m", None).1, "a/m", "asked by its name, the next one answers");
    a.play(Script::always(Reply::status(503)));
    assert_eq!(behind.ask("last", None).1, "b/m");
    b.play(Script::always(Reply::status(503)));
    assert_eq!(behind.ask("last", None).1, "c/m");
    assert_eq!(behind.ask("near", None).1, "c/m");
    assert_eq!(behind.ask("m", None).1, "c/m");
    let before = a.journal().total();
    c.play(Script::always(Reply::status(503)));
    assert_ne!(behind.ask("near", None).0, 200);
    assert_eq!(a.journal().total(), before, "nobody out of the region is asked");
    assert_eq!(d.journal().total(), 0, "it is off");
}
