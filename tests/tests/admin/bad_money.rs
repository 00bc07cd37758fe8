//! Budgets under bad input, through the real gateway. Where the rows of the reliability list (group J) are held:
//!
//! | row | where |
//! |---|---|
//! | BU-01 last cent | `budgets.rs`, chaos `last-cent` |
//! | BU-02 first requests together | here |
//! | BU-03 lowered below spent | here |
//! | BU-04 five levels | here; against plain sums in `core/src/admission/purse/tests.rs` |
//! | BU-05 worst case | `core/src/exchange/payment/tests.rs`, `tests/tests/estimate.rs` |
//! | BU-06 disconnects | chaos `aborted-streams` |
//! | BU-07 usage missing | here; `core/src/attempt/tests/settling.rs`, `tests/tests/estimate.rs` |
//! | BU-08, BU-09 hostile, too low | here; `core/src/attempt/tests/settling.rs` |
//! | BU-10 two attempts billed | here |
//! | BU-11 every path | here |
//! | BU-12 window edges | `control-plane/src/accounts/period.rs`, `core/src/admission/purse/tests.rs` |
//! | BU-13 holder dies | `control-plane/src/store/budgets/tests.rs`, chaos `envoy-kills` |
//! | BU-15 price in flight | here |
//! | BU-16 rounding | `control-plane/src/store/budgets/tests.rs`, `core/src/price/tests.rs` |
//! | BU-17 bursts | here |
//! | BU-18 forged ids | here |
//!
//! Not held: BU-14 (there are no refunds).

use std::collections::BTreeSet;
use std::time::Duration;

use dragoman_core::catalog::Operation;
use dragoman_core::record::{Charged, Outcome, Record};
use dragoman_core::usage::Usage;
use dragoman_tests::chaos::settling::settle;
use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Fault, Reply, Simulator, When};
use serde_json::{Value, json};

use super::panel::{Panel, SOON, ask_as, provider, setup, wait};

fn priced(provider: &Simulator, dollars: u64) -> Setup {
    setup(provider).more(&format!("[[price]]\ntarget = \"only/some-model\"\ninput = {dollars}\noutput = {dollars}\n"))
}

/// Says what an account is; gives back a key of it.
fn account(panel: &Panel, id: &str, kind: &str, budgets: &Value) -> String {
    panel.put(&format!("/accounts/{id}"), &json!({ "kind": kind, "terms": { "budgets": budgets } }));
    let made = panel.post("/keys", &json!({ "name": id, "account": id }));
    made["key"].as_str().expect("a key").to_owned()
}

/// The id of an account's key.
fn key_of(panel: &Panel, account: &str) -> String {
    let keys = panel.get(&format!("/keys?account={account}"));
    keys["items"][0]["id"].as_str().expect("an id").to_owned()
}

/// How the first budget of an account stands.
fn budget(panel: &Panel, account: &str) -> Value {
    panel.get(&format!("/accounts/{account}/budgets"))["items"][0].clone()
}

fn spent(panel: &Panel, account: &str) -> u64 {
    budget(panel, account)["spent"].as_u64().expect("a number")
}

/// The Record of what was answered, as soon as it is there.
fn record(gateway: &Gateway, answer: &Answer) -> Value {
    let exchange = answer.header("x-dragoman-request-id").expect("an id");
    gateway.record(exchange, SOON).expect("a Record")
}

fn call(key: &str, text: &str, stream: bool) -> Call {
    let body = ask(Dialect::Chat, "some-model", text, stream);
    Gateway::call_as(key, Dialect::Chat, "some-model", &body, stream)
}

#[test]
fn whatever_a_provider_says_it_used_nothing_is_given_back() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider, 1)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let usages = ["-5", "0", "9223372036854775808", "1e308", "1.5", "\"7\"", "null", "[]", "18446744073709551616"];
    for (number, count) in usages.iter().enumerate() {
        let id = format!("hostile-{number}");
        let budgets = json!([{ "tokens": 1_000_000, "per": "day" }, { "usd": "1000", "per": "day" }]);
        let key = account(&panel, &id, "tenant", &budgets);
        assert_eq!(ask_as(&gateway, &key, "some-model", "hello").status, 200);
        wait("the first is charged", SOON, || spent(&panel, &id) > 0);
        let before = spent(&panel, &id);
        let body = format!(
            r#"{{"id":"c","object":"chat.completion","created":1,"model":"some-model","choices":[{{"index":0,"message":{{"role":"assistant","content":"hi"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{count},"completion_tokens":{count},"total_tokens":{count}}}}}"#
        );
        let reply = Reply::status(200).header("content-type", "application/json").body(body);
        provider.when(When::mentions(&id), [reply]);
        let answer = ask_as(&gateway, &key, "some-model", &id);
        record(&gateway, &answer);
        let standing = budget(&panel, &id);
        assert!(standing["spent"].as_u64().expect("a number") >= before, "{count}: {standing}");
        let sum = |names: &[&str]| names.iter().map(|name| standing[*name].as_u64().expect("a number")).sum::<u64>();
        assert_eq!(sum(&["limit", "over"]), sum(&["spent", "leased", "reserved", "free"]), "{count}: {standing}");
    }
}

#[test]
fn what_a_provider_does_not_report_is_estimated_and_charged() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider, 1)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let key = account(&panel, "acme", "tenant", &json!([{ "tokens": 1_000_000 }]));
    let silent = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "some-model",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "one two three" }, "finish_reason": "stop" }],
    });
    provider.when(When::mentions("unreported"), [Reply::json(200, &silent)]);
    let record = record(&gateway, &ask_as(&gateway, &key, "some-model", "unreported"));
    let estimate = &record["outcomes"][0]["estimate"];
    let tokens = ["input", "output"].map(|name| estimate[name].as_u64().unwrap_or_else(|| panic!("{record}")));
    assert!(tokens[0] > 0 && tokens[1] >= 3, "{record}");
    wait("it is charged", SOON, || spent(&panel, "acme") == tokens[0] + tokens[1]);
}

#[test]
fn nobody_makes_another_pay_by_saying_so() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider, 1)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let budgets = json!([{ "requests": 100 }]);
    let own = account(&panel, "alice", "tenant", &budgets);
    account(&panel, "bob", "tenant", &budgets);
    let mut body = ask(Dialect::Chat, "some-model", "hello", false);
    body["user"] = json!("bob");
    let mut asked = Gateway::call_as(&own, Dialect::Chat, "some-model", &body, false);
    for name in ["account", "caller", "exchange", "user", "grant", "tenant", "request-id", "budget"] {
        asked = asked.header(&format!("x-dragoman-{name}"), "bob");
    }
    for name in ["x-envoy-attempt-count", "x-forwarded-user", "openai-organization", "x-request-id"] {
        asked = asked.header(name, "2");
    }
    let answer = gateway.send(&asked).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(record(&gateway, &answer)["account"], "alice");
    wait("alice pays", SOON, || spent(&panel, "alice") == 1);
    assert_eq!(spent(&panel, "bob"), 0);
}

#[test]
fn a_budget_that_is_lowered_below_what_is_spent_lets_streams_end_and_nothing_begin() {
    let provider = provider("key-of-only");
    provider.when(When::mentions("slowly"), [Reply::persona().pause_between(Duration::from_millis(400))]);
    let gateway = Gateway::start(&priced(&provider, 1)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let key = account(&panel, "acme", "tenant", &json!([{ "requests": 100 }]));
    assert_eq!(ask_as(&gateway, &key, "some-model", "hello").status, 200);
    wait("the first is charged", SOON, || spent(&panel, "acme") == 1);
    let mut slow = gateway.open(&call(&key, "slowly now please", true)).expect("a head");
    slow.read(1).expect("an event");
    panel.put("/accounts/acme", &json!({ "kind": "tenant", "terms": { "budgets": [{ "requests": 1 }] } }));
    wait("nothing begins any more", SOON, || ask_as(&gateway, &key, "some-model", "hello").status == 429);
    let answer = slow.finish().expect("the rest");
    assert!(read(Dialect::Chat, &answer).complete, "{}", answer.text());
    record(&gateway, &answer);
    wait("all that was served is charged", SOON, || {
        spent(&panel, "acme") as usize == provider.journal().requests().len()
    });
    let standing = budget(&panel, "acme");
    assert!(standing["over"].as_u64() > Some(0) && standing["free"] == 0, "{standing}");
}

#[test]
fn of_five_levels_the_tightest_is_named() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider, 1)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let kinds = [("tenant", ""), ("department", ".dep"), ("team", ".dep.team"), ("user", ".dep.team.user")];
    for tightest in 0..=kinds.len() {
        // Below a tight budget there may be no looser one of the same kind.
        let limit = |level: usize| match level == tightest {
            true => json!([{ "requests": 1 }]),
            false => json!([{ "requests": 50, "per": "month" }]),
        };
        let root = format!("tree-{tightest}");
        for (level, (kind, path)) in kinds.iter().enumerate() {
            let terms = json!({ "kind": kind, "terms": { "budgets": limit(level) } });
            panel.put(&format!("/accounts/{root}{path}"), &terms);
        }
        let user = format!("{root}.dep.team.user");
        let made =
            panel.post("/keys", &json!({ "name": root, "account": user, "terms": { "budgets": limit(kinds.len()) } }));
        let key = made["key"].as_str().expect("a key");
        assert_eq!(ask_as(&gateway, key, "some-model", "hello").status, 200, "{tightest}");
        let refused = ask_as(&gateway, key, "some-model", "hello");
        let named = kinds.get(tightest).map(|(_, path)| format!("`{root}{path}`"));
        let named = named.unwrap_or_else(|| "key".to_owned());
        assert_eq!(refused.status, 429, "{tightest}: {}", refused.text());
        assert!(refused.text().contains(&named), "{named}: {}", refused.text());
    }
}

#[test]
fn first_requests_that_come_together_are_counted_together() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider, 1)).expect("a gateway");
    let panel = Panel::of(&gateway);
    for (id, strict) in [("strict", true), ("fast", false)] {
        let key = account(&panel, id, "tenant", &json!([{ "requests": 3, "strict": strict }]));
        let answers: Vec<u16> = std::thread::scope(|scope| {
            let ask = || ask_as(&gateway, &key, "some-model", id).status;
            let asking: Vec<_> = (0..32).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().expect("an answer")).collect()
        });
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 3, "{id}: {answers:?}");
        assert_eq!(provider.journal().mentioning(id).len(), 3);
    }
}

#[test]
fn every_attempt_that_a_provider_may_bill_is_charged() {
    let (first, second) = (provider("key-of-only"), provider("key-of-other"));
    first.when(When::mentions("twice"), [Reply::persona().after_bytes(0, Fault::Cut)]);
    let price = |id: &str| format!("[[price]]\ntarget = \"{id}/pair\"\ninput = 1\noutput = 1\n");
    let both = setup(&first).simulator("other", &second).model("pair", &["only", "other"]);
    let gateway = Gateway::start(&both.more(&price("only")).more(&price("other"))).expect("a gateway");
    let panel = Panel::of(&gateway);
    let key = account(&panel, "acme", "tenant", &json!([{ "usd": "100" }]));
    let answer = ask_as(&gateway, &key, "pair", "say it twice");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let record = record(&gateway, &answer);
    let costs: Vec<u64> = (0..2)
        .map(|number| record["outcomes"][number]["cost_pico"].as_u64().unwrap_or_else(|| panic!("{record}")))
        .collect();
    assert!(costs.iter().all(|cost| *cost > 0), "{record}");
    wait("both are charged, once", SOON, || spent(&panel, "acme") == costs.iter().sum::<u64>() / 1_000_000);
}

#[test]
fn a_price_that_changes_under_way_is_that_of_the_beginning() {
    let provider = provider("key-of-only");
    provider.when(When::mentions("slowly"), [Reply::persona().pause_between(Duration::from_millis(700))]);
    let gateway = Gateway::start(&priced(&provider, 1)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let key = account(&panel, "acme", "tenant", &json!([{ "usd": "100" }]));
    let mut slow = gateway.open(&call(&key, "slowly now please", true)).expect("a head");
    slow.read(1).expect("an event");
    let cost = |record: &Value| {
        let outcome = &record["outcomes"][0];
        let tokens = ["input_tokens", "output_tokens"].map(|name| outcome[name].as_u64().expect("a count"));
        (outcome["cost_pico"].as_u64().expect("a cost"), tokens.iter().sum::<u64>())
    };
    gateway.configure(&priced(&provider, 7)).expect("another price");
    let mut per_token = 0;
    wait("the new price holds", SOON, || {
        let (cost, tokens) = cost(&record(&gateway, &ask_as(&gateway, &key, "some-model", "hello")));
        per_token = cost / tokens;
        per_token == 7_000_000
    });
    let answer = slow.finish().expect("the rest");
    let (cost, tokens) = cost(&record(&gateway, &answer));
    assert_eq!(cost, tokens * 1_000_000, "{}", answer.text());
}

#[test]
fn a_record_that_comes_again_is_charged_once_whatever_it_says() {
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider, 1)).expect("a gateway");
    let panel = Panel::of(&gateway);
    account(&panel, "acme", "tenant", &json!([{ "tokens": 1_000_000 }]));
    let told = |tokens: u64| Record {
        exchange: "01a21c9f-88be-7174-8000-60f2aefa1f99".to_owned(),
        caller: "key_1".to_owned(),
        account: "acme".to_owned(),
        dialect: "chat_completions".to_owned(),
        charged: vec![Charged { budget: "acme/tokens/total".to_owned(), window_ms: 0 }],
        outcomes: vec![Outcome { usage: Usage { input: Some(tokens), ..Usage::default() }, ..Outcome::default() }],
        ..Record::default()
    };
    for records in [vec![told(10)], vec![told(10), told(10)], vec![told(0)], vec![told(500_000)]] {
        settle(&gateway.control(), &records).expect("it is acknowledged");
        assert_eq!(spent(&panel, "acme"), 10);
    }
}

/// Every path that goes on to a provider, in each dialect; the bodies name the model where the path does not.
const PATHS: [(&str, &str); 34] = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/moderations"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/images/edits"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/files"),
    ("GET", "/v1/files"),
    ("GET", "/v1/files/f"),
    ("GET", "/v1/files/f/content"),
    ("DELETE", "/v1/files/f"),
    ("POST", "/v1/batches"),
    ("GET", "/v1/batches"),
    ("GET", "/v1/batches/b"),
    ("POST", "/v1/batches/b/cancel"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/responses/r"),
    ("DELETE", "/v1/responses/r"),
    ("GET", "/v1/responses/r/input_items"),
    ("POST", "/v1/responses/r/cancel"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/messages/batches"),
    ("GET", "/v1/messages/batches"),
    ("GET", "/v1/messages/batches/b"),
    ("GET", "/v1/messages/batches/b/results"),
    ("POST", "/v1beta/models/some-model:generateContent"),
    ("POST", "/v1beta/models/some-model:streamGenerateContent"),
    ("POST", "/v1beta/models/some-model:countTokens"),
    ("POST", "/v1beta/models/some-model:embedContent"),
    ("POST", "/upload/v1beta/files"),
    ("GET", "/v1beta/files"),
];

#[test]
fn no_path_to_a_provider_is_free_of_key_and_budget() {
    // Every service generates, and what the gateway answers itself has none.
    let is_served = |name: &&str| {
        let operation = Operation::named(name).expect("an operation");
        operation != Operation::Generate && !operation.is_answered_here()
    };
    let operations: Vec<&str> = Operation::names().filter(is_served).collect();
    let everything = |dialect: &str, prefix: &str| {
        format!("{{ dialect = \"{dialect}\", prefix = \"{prefix}\", operations = {operations:?} }}")
    };
    let services =
        [("chat_completions", "/v1"), ("responses", "/v1"), ("messages", "/v1"), ("generate_content", "/v1beta")];
    let services = services.map(|(dialect, prefix)| everything(dialect, prefix)).join(", ");
    let provider = provider("key-of-only");
    let setup = Setup::new().more(&format!(
        "[[provider]]\nid = \"only\"\nbase_url = \"{}\"\nmodels = [\"some-model\"]\nfamilies = [\"\"]\nservices = [{services}]\n",
        provider.url()
    ));
    let gateway = Gateway::start(&setup).expect("a gateway");
    let panel = Panel::of(&gateway);
    let none = account(&panel, "none", "tenant", &json!([{ "requests": 0 }]));
    let body = json!({
        "model": "some-model", "max_tokens": 1, "input": "hi", "prompt": "hi", "contents": [{ "parts": [{ "text": "hi" }] }],
        "messages": [{ "role": "user", "content": "hi" }], "content": { "parts": [{ "text": "hi" }] },
    });
    for (method, path) in PATHS {
        let call = |key: &str| {
            let call = Call::new(method, path).header("content-type", "application/json");
            let call = if key.is_empty() { call } else { call.header("authorization", format!("Bearer {key}")) };
            let call = if method == "POST" { call.json(&body) } else { call };
            call.send(&gateway.address()).expect("an answer")
        };
        for (key, status) in [("", 401), ("sk-nobodys", 401), (none.as_str(), 429)] {
            let answer = call(key);
            assert_eq!(answer.status, status, "{method} {path} with {key:?}: {}", answer.text());
        }
    }
    let seen: Vec<String> =
        provider.journal().requests().iter().map(|request| request.received.route().to_string()).collect();
    assert!(seen.is_empty(), "reached the provider unpaid: {seen:?}");
    let asked = || -> BTreeSet<String> {
        let records = panel.get(&format!("/records?limit=200&caller={}", key_of(&panel, "none")));
        let records = records["items"].as_array().expect("a list").iter();
        records.map(|record| record["record"]["operation"].as_str().expect("a word").to_string()).collect()
    };
    // Nobody who speaks to us has a path for reranking.
    let asked_for = operations.iter().filter(|name| **name != "rerank").chain([&"generate"]);
    let all: BTreeSet<String> = asked_for.map(ToString::to_string).collect();
    wait("every operation was asked for", SOON, || asked() == all);
}

#[test]
fn a_burst_against_a_limit_of_a_minute_lets_as_many_through_as_it_says() {
    const LIMIT: usize = 20;
    let provider = provider("key-of-only");
    let gateway = Gateway::start(&priced(&provider, 1).workers(2)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let key = account(&panel, "acme", "tenant", &json!([{ "requests": LIMIT, "per": "minute" }]));
    let window = || budget(&panel, "acme")["window_began_ms"].as_i64().expect("a moment");
    let before = window();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..100).map(|_| scope.spawn(|| ask_as(&gateway, &key, "some-model", "burst"))).collect();
        asking.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    let minutes = usize::try_from((window() - before) / 60_000).expect("some minutes") + 1;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((LIMIT..=LIMIT * minutes).contains(&served), "{served} in {minutes} minutes");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.status, 429, "{}", refused.text());
        let wait: u64 = refused.header("retry-after").expect("when to come back").parse().expect("seconds");
        assert!(wait <= 60 && refused.header("x-should-retry") == Some("true"), "{:?}", refused.headers);
    }
}
