use super::*;
use crate::catalog::{Abilities, DialectId, Operation, Origin, Passthrough, Paths, Service, ThinkingStyle};
use crate::price::{Price, Rates, Tier};

fn provider(id: &str) -> Provider {
    Provider {
        origin: Origin { tls: true, host: "api.example".into(), port: 443, base: "/x".into() },
        services: vec![Service {
            operations: vec![Operation::CountTokens],
            paths: Some(Paths { whole: "/{model}:whole".into(), streamed: "/{model}:streamed".into() }),
            ..Service::new(DialectId::Messages, "/v1")
        }],
        credential: id.into(),
        passthrough: Passthrough { prefixes: vec!["sub-oat".into()], issuers: vec!["https://id.corp".into()] },
        headers: vec![("anthropic-version".into(), "2023-06-01".into())],
        omit: vec!["seed".into()],
        rename: vec![("max_completion_tokens".into(), "max_tokens".into())],
        set: vec![("version".into(), "\"2\"".into())],
        price: price(),
        ..Provider::plain(id, DialectId::Messages)
    }
}

fn price() -> Price {
    let rates = Rates { input: 3_000_000, output: 15_000_000, ..Rates::default() };
    let long = Rates {
        input: 1,
        output: 2,
        cache_read: Some(3),
        cache_write: Some(4),
        cache_write_1h: Some(5),
        reasoning: Some(6),
        audio_input: Some(7),
        audio_output: Some(8),
        image: Some(9),
        request: Some(10),
    };
    Price { tiers: vec![Tier { above: 200_000, rates: long }], ..Price::of(rates) }
}

fn target(id: &str, provider: usize) -> Target {
    Target {
        output_limit: 8192,
        context_window: 200_000,
        abilities: Abilities::TOOLS.and(Abilities::THINKING),
        thinking: ThinkingStyle::Tokens,
        unsigned: "none".into(),
        price: price(),
        ..Target::unlisted(id.into(), provider, "m \"quoted\"")
    }
}

#[test]
fn a_snapshot_reads_back_as_written() {
    let snapshot = Snapshot::new(
        7,
        vec![provider("a"), provider("b")],
        vec![target("a/m", 0), target("b/m", 1)],
        vec![Route { name: "m".into(), candidates: vec![1, 0], loss: Loss::Strict, ..Route::default() }],
        vec![Family { prefix: "claude-".into(), provider: 0 }, Family { prefix: String::new(), provider: 1 }],
    )
    .unwrap();
    let again = Snapshot::read(&snapshot.write()).unwrap();
    assert_eq!(again, snapshot);
    assert_eq!(again.route("m").unwrap().candidates, [1, 0]);
    assert_eq!(again.target("b/m").unwrap().provider, 1);
}

#[test]
fn how_a_route_is_shared_reads_back_as_written_and_older_documents_say_nothing_of_it() {
    let pool = Pool {
        size: 1,
        balance: Balance::LeastLatency,
        weights: vec![3],
        affinity: Some(Affinity::Header("x-session".into())),
        slow_start_ms: 30_000,
    };
    let regions = Regions { required: vec!["eu".into()], preferred: vec!["eu-west".into()] };
    let on_content_policy = OnContentPolicy::Fallback;
    let wait = Some(Wait { at_most_ms: 10_000, queue: 7 });
    let hedge = Some(Hedge { after: HedgeAfter::Time(800), share: 7 });
    let patience =
        Patience { on_content_policy, first_event_ms: Some(300_000), between_events_ms: Some(9), wait, hedge };
    let shadow = Some(Shadow { to: "a/n".into(), share: 10 });
    let route = Route { name: "m".into(), candidates: vec![1, 0], pool, regions, patience, shadow, ..Route::default() };
    let mut row = provider("a");
    (row.dispatch, row.share, row.region) = (crate::catalog::Dispatch::Fallback, Some(20), "eu".into());
    let targets = vec![target("a/m", 0), target("a/n", 0)];
    let mut snapshot = Snapshot::new(7, vec![row], targets.clone(), vec![route.clone()], vec![]).unwrap();
    snapshot.silence = Silence { first_event_ms: 1, thinking_ms: 2, between_events_ms: 3 };
    assert_eq!(Snapshot::read(&snapshot.write()).unwrap(), snapshot);

    let unsaid = Route { shadow: None, patience: Patience::default(), ..route };
    let older = Route { pool: Pool::default(), regions: Regions::default(), ..unsaid };
    let snapshot = Snapshot::new(7, vec![provider("a")], targets, vec![older.clone()], vec![]).unwrap();
    let text = String::from_utf8(snapshot.write()).unwrap();
    assert!(
        !["pool", "balance", "regions", "dispatch", "share", "policy", "_ms"].iter().any(|word| text.contains(word)),
        "{text}"
    );
    assert_eq!(Snapshot::read(text.as_bytes()).unwrap().routes, [older]);
    let wrong = text.replace(r#""loss":"warn""#, r#""loss":"warn","balance":"dice""#);
    assert!(Snapshot::read(wrong.as_bytes()).unwrap_err()[0].starts_with("routes[0]"));
}

#[test]
fn who_may_come_without_a_key_reads_back_as_written() {
    use crate::catalog::{Identity, Proof};
    let identity = |name: &str, proof| Identity { name: name.into(), mark: "0f".into(), proof };
    let token = Proof::Token { issuer: "https://issuer".into(), claims: vec!["sub".into(), "org.team".into()] };
    let mut snapshot = Snapshot::new(7, vec![], vec![], vec![], vec![]).unwrap();
    snapshot.identities =
        vec![identity("corp", token), identity("mesh", Proof::Peer { trust_domain: "cluster.local".into() })];
    assert_eq!(Snapshot::read(&snapshot.write()).unwrap(), snapshot);
    let broken = br#"{"version":1,"providers":[],"targets":[],"routes":[],"families":[],"identities":[{"name":"a"}]}"#;
    assert!(Snapshot::read(broken).unwrap_err()[0].starts_with("identities[0]"));
}

#[test]
fn every_mistake_is_reported_at_once() {
    let mistakes = Snapshot::new(
        1,
        vec![provider("a"), provider("a")],
        vec![target("a/m", 5)],
        vec![Route { name: "m".into(), candidates: vec![], loss: Loss::Warn, ..Route::default() }],
        vec![],
    )
    .unwrap_err();
    assert_eq!(
        mistakes,
        ["provider a: listed twice", "target a/m: its provider is not listed", "route m: has no candidates"]
    );
}

#[test]
fn a_document_that_cannot_be_read_says_where() {
    for (document, expected) in [
        (&b"{"[..], "snapshot: the text ends too early at byte 1"),
        (
            br#"{"version":1,"providers":[],"targets":[{"id":1}],"routes":[],"families":[]}"#,
            "targets[0]: a member is missing or has the wrong type",
        ),
    ] {
        assert_eq!(Snapshot::read(document).unwrap_err(), [expected]);
    }
}

fn rule(name: &str) -> Rule {
    let row = format!(r#"{{"name":"{name}", "request":{{"cap":{{"temperature":0.80}}}}}}"#);
    Rule::read(crate::json::Json::parse(row.as_bytes()).unwrap()).unwrap()
}

#[test]
fn rules_read_back_as_written_and_have_names_of_their_own() {
    let empty = || Snapshot::new(7, vec![], vec![], vec![], vec![]).unwrap();
    let snapshot = empty().with_rules(vec![rule("b"), rule("a")]).unwrap();
    let again = Snapshot::read(&snapshot.write()).unwrap();
    assert_eq!(again, snapshot);
    assert_ne!(again, empty(), "a Snapshot with rules is another");
    let names: Vec<&str> = again.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(empty().with_rules(vec![rule("a"), rule("a")]).unwrap_err(), ["rule a: listed twice"]);
    let many = (0..=MAX_RULES).map(|number| rule(&format!("r{number}"))).collect();
    assert_eq!(empty().with_rules(many).unwrap_err(), ["there are 1001 rules; 1000 are the most"]);
    let wrong = br#"{"version":1,"providers":[],"targets":[],"routes":[],"families":[],"rules":[{"name":"r","request":{"set":{"model":"m"},"zz":1}}]}"#;
    let mistakes = Snapshot::read(wrong).unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].starts_with("rules[0]: `request."), "{mistakes:?}");
}
