use super::super::{FinalHead, Head};
use super::*;
use crate::admission::{AtLimit, Grant, Lease, Leases, Mode, digest};
use crate::catalog::{DialectId, Provider, Target};
use crate::hub::kept::Kept;
use crate::json::Json;
use crate::price::{Price, Rates};
use crate::rule::{Rule, Whom};
use crate::snapshot::{Hedge, HedgeAfter, Loss, Route, Snapshot};
use crate::usage::Usage;

const MONTH: &str = "acme/usd/month";

fn memory(budgets: Vec<Budget>) -> Memory {
    let provider = Provider::plain("p", DialectId::ChatCompletions);
    let target = |model: &str, output: u64| Target {
        price: Price::of(Rates { input: 1_000_000, output, ..Rates::default() }),
        output_limit: 1000,
        ..Target::unlisted(format!("p/{model}"), 0, model)
    };
    let route =
        |name: &str, at| Route { name: name.into(), candidates: vec![at], loss: Loss::Warn, ..Route::default() };
    let targets = vec![target("dear", 100_000_000), target("cheap", 1_000_000)];
    let routes = vec![route("dear", 0), route("cheap", 1)];
    let mut memory = Memory::default();
    memory.publish(Snapshot::new(1, vec![provider], targets, routes, vec![]).unwrap());
    let grant = Grant { caller: "key_1".into(), account: "acme".into(), budgets: budgets.into(), ..Grant::default() };
    memory.admit(digest(b"k"), Some(grant), 1_000_000, 0);
    memory
}

fn month() -> Budget {
    Budget::of("acme", Unit::Usd, "month")
}

fn learn(memory: &mut Memory, lease: Lease) {
    let lease = Lease { id: MONTH.into(), window_ms: 7, valid_for_ms: 60_000, limit: 1_000_000, ..lease };
    memory.purse.learn(&Leases { list: vec![lease] }, 0);
}

fn ask(memory: &mut Memory, body: &str) -> (Exchange, Step) {
    let pairs = [(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", "Bearer k")];
    let headers = pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let (mut exchange, _) = Exchange::begin(Head { headers }, "x-vm1".into(), memory, 0);
    let step = exchange.body(body.as_bytes().to_vec(), memory, 0);
    (exchange, step)
}

fn body(more: &str) -> String {
    ["{\"model\":\"dear\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]", more, "}"].concat()
}

fn refused(step: Step) -> (u16, String, Vec<(String, String)>) {
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let headers = reply.headers.into_iter().map(|(name, value)| (text(name), text(value))).collect();
    (reply.status, text(reply.body), headers)
}

#[test]
fn a_warm_lease_pays_and_gets_back_what_was_not_needed() {
    let mut memory = memory(vec![month()]);
    learn(&mut memory, Lease { lent: 200_000, ..Lease::default() });
    let (mut exchange, step) = ask(&mut memory, &body(""));
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    // A thousand tokens at a hundred dollars a million are reserved: a tenth of a dollar; a second one does not fit.
    let (_, second) = ask(&mut memory, &body(""));
    assert!(matches!(second, Step::Ask(_)), "{second:?}");
    exchange.attempt_began(1, &mut memory);
    let usage = Usage { input: Some(10), output: Some(20), ..Usage::default() };
    exchange.attempt_ended(1, Outcome { target: "p/dear".into(), usage, ..Outcome::default() }, &mut memory, 0);
    exchange.close();
    exchange.true_up(&mut memory);
    let record = exchange.record().unwrap();
    assert_eq!(record.charged, [Charged { budget: MONTH.into(), window_ms: 7 }]);
    assert_eq!(record.outcomes[0].cost.map(Cost::micro_dollars), Some(10 + 2000));
    assert_eq!((record.account.as_str(), record.vm()), ("acme", "vm1"));
    let (_, third) = ask(&mut memory, &body(""));
    assert!(matches!(third, Step::Send(_)), "{third:?}");
}

#[test]
fn what_is_reserved_is_the_worst_case() {
    for (more, fits) in [
        ("", false),
        (",\"max_tokens\":10", true),
        (",\"max_tokens\":10,\"n\":100", false),
        (",\"max_completion_tokens\":999999", false),
    ] {
        let mut memory = memory(vec![month()]);
        learn(&mut memory, Lease { lent: 50_000, is_all: true, used: 1_000_000, ..Lease::default() });
        let (_, step) = ask(&mut memory, &body(more));
        assert_eq!(matches!(step, Step::Send(_)), fits, "{more}: {step:?}");
    }
}

#[test]
fn where_two_may_be_asked_at_once_both_are_reserved_as_far_as_they_read() {
    let mut memory = memory(vec![month()]);
    let mut snapshot = Snapshot::clone(memory.snapshot().unwrap());
    snapshot.routes[0].candidates = vec![0, 1];
    let needed = |memory: &mut Memory, snapshot: &Snapshot| {
        memory.publish(snapshot.clone());
        let (_, step) = ask(memory, &body(""));
        assert!(matches!(step, Step::Ask(_)), "{step:?}");
        memory.purse.wants(&[MONTH.into()])[0].wanted
    };
    let alone = needed(&mut memory, &snapshot);
    snapshot.routes[0].patience.hedge = Some(Hedge { after: HedgeAfter::Slowest, share: 5 });
    let both = needed(&mut memory, &snapshot);
    assert!(both > alone && both < 2 * alone, "{alone} {both}: the one that is let go says nothing");
}

#[test]
fn a_spent_budget_is_refused_in_the_clients_words_and_tells_when() {
    let mut memory = memory(vec![month()]);
    let resets_in_ms = Some(864_000_000);
    learn(&mut memory, Lease { is_all: true, used: 1_000_000, resets_in_ms, ..Lease::default() });
    let (exchange, step) = ask(&mut memory, &body(""));
    let (status, text, headers) = refused(step);
    assert_eq!(status, 429);
    assert!(text.contains("`acme`: $1.00 a month is used up") && text.contains("insufficient_quota"), "{text}");
    for (name, value) in [("retry-after", "864000"), ("x-should-retry", "false")] {
        assert!(headers.contains(&(name.into(), value.into())), "{headers:?}");
    }
    assert_eq!(exchange.record.refusal, "budget_spent");
    assert_eq!(exchange.record.standing().name(), "denied");
}

#[test]
fn a_lease_is_asked_for_once_and_a_control_plane_that_is_away_is_not_waited_for() {
    let mut memory = memory(vec![month()]);
    let (mut exchange, step) = ask(&mut memory, &body(""));
    let Step::Ask(questions) = step else { panic!("{step:?}") };
    assert_eq!(questions, [Question::Lend(vec![MONTH.into()])]);
    assert_eq!(memory.purse.wants(&[MONTH.into()])[0].wanted, 101_012, "in micro-dollars");
    memory.purse.unanswered(0);
    let (status, text, headers) = refused(exchange.advance(&mut memory, 0));
    assert_eq!((status, text.contains("cannot be asked right now")), (503, true));
    assert!(headers.contains(&("retry-after".into(), "1".into())));
    let (_, step) = ask(&mut memory, &body(""));
    assert_eq!(refused(step).0, 503, "nobody asks while nobody answers");
    learn(&mut memory, Lease { lent: 200_000, ..Lease::default() });
    assert!(matches!(ask(&mut memory, &body("")).1, Step::Send(_)));
}

#[test]
fn a_strict_budget_is_held_before_the_request_goes() {
    let mut memory = memory(vec![Budget { mode: Mode::Strict, ..month() }]);
    let (mut exchange, step) = ask(&mut memory, &body(""));
    let Step::Ask(questions) = step else { panic!("{step:?}") };
    let [Question::Hold { exchange: id, caller, account, wants }] = &questions[..] else { panic!("{questions:?}") };
    assert_eq!((id.as_str(), caller.as_str(), account.as_str()), ("x-vm1", "key_1", "acme"));
    assert_eq!((wants[0].id.as_str(), wants[0].wanted), (MONTH, 101_012));
    let held = Lease { id: MONTH.into(), window_ms: 7, is_held: true, ..Lease::default() };
    memory.purse.learn_held("x-vm1".into(), Leases { list: vec![held] });
    assert!(matches!(exchange.advance(&mut memory, 0), Step::Send(_)));
    exchange.close();
    exchange.true_up(&mut memory);
    assert_eq!(exchange.record().unwrap().charged.len(), 1);
}

#[test]
fn a_cheaper_route_answers_when_the_budget_says_so() {
    let mut memory = memory(vec![Budget { at_limit: AtLimit::Downgrade("cheap".into()), ..month() }]);
    learn(&mut memory, Lease { is_all: true, used: 990_000, tell_from: 50, ..Lease::default() });
    let (mut exchange, step) = ask(&mut memory, &body(""));
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    let asked = exchange.asked().unwrap();
    assert_eq!(asked.plan.iter().map(|planned| planned.target.id.as_str()).collect::<Vec<_>>(), ["p/cheap"]);
    assert_eq!((exchange.record.downgraded.as_str(), asked.model.as_str()), ("cheap", "dear"));
    exchange.attempt_answers(1, &crate::loss::Losses::default());
    let FinalHead::Pass(edits) = exchange.response_head(200, false, &memory) else { panic!() };
    let said = |wanted: &str| {
        let found = edits.set.iter().find(|(name, _)| name == wanted.as_bytes());
        found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
    };
    assert_eq!(said(DOWNGRADED).as_deref(), Some("cheap"));
    assert_eq!(said(BUDGET).as_deref(), Some("acme/usd/month; used=99%"));
    exchange.close();
    exchange.true_up(&mut memory);
    assert_eq!(exchange.record().unwrap().passed, [MONTH]);
}

/// What a request comes to under a rule with these changes.
fn bounds(path: &str, body: &str, changes: &str) -> Bounds {
    let pairs = [(":method", "POST"), (":path", path), ("content-type", "application/json")];
    let headers = pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let head = Head { headers };
    let endpoint = head.endpoint().unwrap();
    let content = Content::read(endpoint.operation, &head, body.as_bytes().to_vec()).unwrap();
    let row = format!(r#"{{"name":"r","request":{changes}}}"#);
    let rule = Rule::read(Json::parse(row.as_bytes()).unwrap()).unwrap();
    let rules = Holding::of(&[rule.into()], &Whom { route: "m", account: "", caller: "k" }, 0);
    let wish = Wish::read(&endpoint, &head, &content, Kept::Anywhere, &Snapshot::default()).unwrap();
    Bounds::of(&wish, &content, &rules)
}

const OTHER: &str = r#"{"remove":["seed"]}"#;

#[test]
fn every_answer_that_is_wanted_is_reserved_however_it_is_said_unless_a_rule_forbids_it() {
    let gemini = "/v1beta/models/m:generateContent";
    let said = |config: &str| format!(r#"{{"contents":[{{"role":"user","parts":[{{"text":"hi"}}]}}],{config}}}"#);
    for config in [
        r#""generationConfig":{"candidateCount":8}"#,
        r#""generationConfig":{"candidate_count":8}"#,
        r#""generation_config":{"candidate_count":8.0}"#,
        r#""generation_config":{"candidateCount":8}"#,
    ] {
        assert_eq!(bounds(gemini, &said(config), OTHER).answers, 8, "{config}");
    }
    let chat = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"n":5}"#;
    for (changes, answers) in
        [(OTHER, 5), (r#"{"cap":{"answers":1}}"#, 1), (r#"{"cap":{"answers":9}}"#, 5), (r#"{"remove":["answers"]}"#, 1)]
    {
        assert_eq!(bounds("/v1/chat/completions", chat, changes).answers, answers, "{changes}");
    }
}

#[test]
fn what_rules_say_is_reserved_and_estimated_too() {
    let chat = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let path = "/v1/chat/completions";
    let before = bounds(path, chat, OTHER);
    let words = "word ".repeat(1000);
    for (changes, added) in [
        (format!(r#"{{"append_system":"{words}"}}"#), 1000),
        (format!(r#"{{"prepend_system":"{words}","set":{{"x":"{words}"}}}}"#), 2000),
        (r#"{"set":{"temperature":1}}"#.to_string(), 0),
    ] {
        let after = bounds(path, chat, &changes);
        let (words, input) = (after.words - before.words, after.input - before.input);
        assert!((added..added + 20).contains(&words) && input >= words * 13 / 10, "{words} {input}");
    }
}

#[test]
fn a_rule_promises_nothing_of_what_it_does_not_change() {
    let changes = r#"{"cap":{"answers":1},"set":{"max_output_tokens":1}}"#;
    let relayed = bounds("/v1/completions", r#"{"model":"m","prompt":"hi","n":5}"#, changes);
    assert_eq!((relayed.answers, relayed.output), (5, None));
}
