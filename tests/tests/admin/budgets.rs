//! Budgets through the real gateway: a spent one stops the next request, and what was spent stands there exactly once.

use std::time::Duration;

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Reply, Simulator, When};
use serde_json::{Value, json};

use super::panel::{Panel, SOON, ask_as, provider, setup, wait};

/// A gateway whose model costs a dollar per million tokens, and answers shortly.
fn priced(provider: &Simulator) -> Setup {
    let tables = "[[price]]\ntarget = \"only/some-model\"\ninput = 1\noutput = 1\n\n\
                  [[route]]\nname = \"cheaper\"\ncandidates = [\"only/some-model\"]\n";
    setup(provider).more(tables)
}

/// A tenant with these budgets, and a key of it.
fn tenant(panel: &Panel, id: &str, budgets: &Value) -> String {
    panel.put(&format!("/accounts/{id}"), &json!({ "kind": "tenant", "terms": { "budgets": budgets } }));
    key(panel, id, &json!({}))
}

fn key(panel: &Panel, account: &str, terms: &Value) -> String {
    let made = panel.post("/keys", &json!({ "name": account, "account": account, "terms": terms }));
    made["key"].as_str().expect("a key").to_owned()
}

fn budget(panel: &Panel, account: &str) -> Value {
    panel.get(&format!("/accounts/{account}/budgets"))["items"][0].clone()
}

/// What a budget has spent once all Records are there.
fn spent(panel: &Panel, account: &str, wanted: u64) {
    let mut last = Value::Null;
    let began = std::time::Instant::now();
    while last["spent"] != wanted {
        assert!(began.elapsed() < SOON, "{account} should have spent {wanted}: {last}");
        std::thread::sleep(Duration::from_millis(50));
        last = budget(panel, account);
    }
}

fn in_dialect(gateway: &Gateway, dialect: Dialect, key: &str) -> Answer {
    let (model, text) = ("some-model", "hello");
    let call = Call::post(&path(dialect, model, false)).json(&ask(dialect, model, text, false));
    let call = credential(dialect, key).iter().fold(call, |call, (name, value)| call.header(name, value));
    gateway.send(&call).expect("an answer")
}

#[test]
fn a_spent_budget_stops_the_next_request_in_every_dialect() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let key = tenant(&panel, "acme", &json!([{ "requests": 3, "per": "month" }]));
    for _ in 0..3 {
        assert_eq!(ask_as(&gateway, &key, "some-model", "hello").status, 200);
    }
    for dialect in Dialect::CLIENTS {
        let refused = in_dialect(&gateway, dialect, &key);
        let text = refused.text();
        assert_eq!(refused.status, 429, "{dialect:?}: {text}");
        assert!(text.contains("the limit of `acme`: 3 requests a month is used up"), "{dialect:?}: {text}");
        assert_eq!(refused.header("x-should-retry"), Some("false"), "{dialect:?}");
        assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()), "{dialect:?}");
        assert_eq!(refused.header("x-dragoman-error-origin"), Some("gateway"));
    }
    assert_eq!(provider.journal().total(), 3, "what is refused costs nothing");
    spent(&panel, "acme", 3);
    // More is given, and served within seconds.
    let more = json!({ "kind": "tenant", "terms": { "budgets": [{ "requests": 4, "per": "month" }] } });
    panel.put("/accounts/acme", &more);
    wait("the raised limit holds", SOON, || ask_as(&gateway, &key, "some-model", "hello").status == 200);
    let records = panel.get("/records?limit=100");
    let denied =
        records["items"].as_array().expect("items").iter().filter(|kept| kept["record"]["refusal"] == "budget_spent");
    assert!(denied.count() >= Dialect::CLIENTS.len(), "{records}");
}

#[test]
fn many_at_the_last_cent_never_pass_a_strict_budget_and_the_ledger_is_what_the_provider_counted() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider)).expect("a gateway");
    let panel = Panel::of(&gateway);
    for (account, strict) in [("strict", true), ("fast", false)] {
        let limit = 20_000_u64;
        let key = tenant(&panel, account, &json!([{ "tokens": limit, "per": "day", "strict": strict }]));
        let before = provider.journal().total();
        let answers: Vec<u16> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..60).map(|_| scope.spawn(|| ask_limited(&gateway, &key, 500).status)).collect();
            asking.into_iter().map(|one| one.join().expect("an answer")).collect()
        });
        let served = answers.iter().filter(|status| **status == 200).count() as u64;
        assert!(answers.iter().all(|status| matches!(status, 200 | 429)), "{account}: {answers:?}");
        assert!((1..60).contains(&served), "{account}: {served} served");
        assert_eq!(provider.journal().total() - before, served, "what is refused is not sent");
        let tokens = recorded_tokens(&gateway, &panel, account, served);
        spent(&panel, account, tokens);
        let budget = budget(&panel, account);
        assert!(tokens <= limit, "{account}: {budget}");
        let sum = ["spent", "leased", "reserved", "free"].map(|member| budget[member].as_u64().expect("a number"));
        assert_eq!(sum.iter().sum::<u64>(), limit, "nothing is lost: {budget}");
    }
}

fn ask_limited(gateway: &Gateway, key: &str, most: u64) -> Answer {
    let mut body = ask(Dialect::Chat, "some-model", "hello", false);
    body["max_tokens"] = json!(most);
    let call = Call::post(&path(Dialect::Chat, "some-model", false)).json(&body);
    let call = credential(Dialect::Chat, key).iter().fold(call, |call, (name, value)| call.header(name, value));
    gateway.send(&call).expect("an answer")
}

/// The tokens of the Records of an account, once so many of its exchanges that were served are there.
fn recorded_tokens(_gateway: &Gateway, panel: &Panel, account: &str, served: u64) -> u64 {
    let mut tokens = 0;
    wait("all Records are there", SOON, || {
        let records = panel.get("/records?limit=500");
        let own = records["items"].as_array().expect("items").iter().map(|kept| &kept["record"]);
        let own: Vec<&Value> = own.filter(|one| one["account"] == account && one["status"] == 200).collect();
        let count = |one: &&Value| {
            let outcome = &one["outcomes"][0];
            outcome["input_tokens"].as_u64().unwrap_or(0) + outcome["output_tokens"].as_u64().unwrap_or(0)
        };
        tokens = own.iter().map(count).sum();
        own.len() as u64 == served
    });
    tokens
}

#[test]
fn one_at_a_time_is_one_at_a_time_and_the_slot_comes_back() {
    let provider = provider("key-of-only");
    provider.when(When::mentions("slowly"), [Reply::persona().pause_between(Duration::from_millis(200))]);
    let gateway = Gateway::start(&priced(&provider)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let key = tenant(&panel, "acme", &json!([{ "concurrent": 1 }]));
    assert_eq!(ask_as(&gateway, &key, "some-model", "hello").status, 200);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let body = ask(Dialect::Chat, "some-model", "slowly", true);
            let call = Call::post(&path(Dialect::Chat, "some-model", true)).json(&body);
            let call =
                credential(Dialect::Chat, &key).iter().fold(call, |call, (name, value)| call.header(name, value));
            gateway.send(&call).expect("an answer").status
        });
        wait("the slow one is under way", SOON, || provider.journal().mentioning("slowly").len() == 1);
        let second = ask_as(&gateway, &key, "some-model", "hello");
        assert_eq!((second.status, second.header("x-should-retry")), (429, Some("true")), "{}", second.text());
        assert_eq!(slow.join().expect("the slow one"), 200);
    });
    wait("the slot is free again", SOON, || ask_as(&gateway, &key, "some-model", "hello").status == 200);
}

#[test]
fn a_limit_may_lead_to_a_cheaper_route_or_only_warn() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let leading = json!([{ "requests": 1, "at_limit": "downgrade", "downgrade_to": "cheaper" }]);
    let key = tenant(&panel, "leading", &leading);
    assert_eq!(ask_as(&gateway, &key, "some-model", "hello").header("x-dragoman-downgraded"), None);
    let second = ask_as(&gateway, &key, "some-model", "hello");
    assert_eq!((second.status, second.header("x-dragoman-downgraded")), (200, Some("cheaper")), "{}", second.text());
    let key = tenant(&panel, "warned", &json!([{ "requests": 2, "at_limit": "warn", "tell_at": [50, 100] }]));
    for _ in 0..3 {
        assert_eq!(ask_as(&gateway, &key, "some-model", "hello").status, 200);
    }
    wait("callers are told", SOON, || {
        let answer = ask_as(&gateway, &key, "some-model", "hello");
        answer.header("x-dragoman-budget").is_some_and(|told| told.starts_with("warned/requests/total; used="))
    });
}

#[test]
fn a_key_goes_where_its_terms_say_and_comes_from_where_they_say() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider)).expect("a gateway");
    let panel = Panel::of(&gateway);
    tenant(&panel, "acme", &json!([]));
    for (terms, status) in [
        (json!({ "networks": ["127.0.0.0/8"] }), 200),
        (json!({ "networks": ["10.0.0.0/8"] }), 403),
        (json!({ "providers": ["only"], "models": ["some-model"] }), 200),
        (json!({ "providers": ["other"] }), 403),
        (json!({ "models": ["only/another"] }), 403),
        (json!({ "routes": ["cheap*"] }), 403),
    ] {
        let key = key(&panel, "acme", &terms);
        let answer = ask_as(&gateway, &key, "some-model", "hello");
        assert_eq!(answer.status, status, "{terms}: {}", answer.text());
    }
}

#[test]
fn a_warm_key_goes_on_without_the_control_plane_and_everything_is_charged_when_it_is_back() {
    let provider = provider("key-of-only");
    let mut gateway = Gateway::start_apart(&priced(&provider)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let key = tenant(&panel, "acme", &json!([{ "requests": 1000, "per": "month" }]));
    assert_eq!(ask_as(&gateway, &key, "some-model", "hello").status, 200);
    gateway.kill_control_plane().expect("it is killed");
    for _ in 0..20 {
        let answer = ask_as(&gateway, &key, "some-model", "hello");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let logged = gateway.log().len();
    gateway.start_control_plane().expect("it starts");
    gateway.wait_for_log_behind(logged, "serving on http://", SOON).expect("it serves");
    spent(&Panel::of(&gateway).at(&gateway), "acme", 21);
}
