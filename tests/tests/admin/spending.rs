//! What is spent is seen, told, exported, and held against a bill.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use dragoman_tests::gateway::Gateway;
use serde_json::{Value, json};

use super::panel::{Panel, SOON, ask_as, provider, setup, wait};

/// A receiver of webhooks on loopback; each request is its head and its body.
fn receiver() -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/told", listener.local_addr().expect("its address"));
    let (told, all) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (mut reader, mut head, mut length) = (BufReader::new(stream), String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a line");
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("an answer");
            if told.send((head, String::from_utf8(body).expect("text"))).is_err() {
                return;
            }
        }
    });
    (url, all)
}

#[test]
fn a_budget_is_seen_and_its_threshold_is_told_once() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let (url, told) = receiver();
    let terms = json!({ "webhook": { "url": url }, "budgets": [{ "requests": 4, "tell_at": [50] }] });
    panel.put("/accounts/acme", &json!({ "kind": "tenant", "terms": terms }));
    panel.put("/accounts/acme.team", &json!({ "kind": "team" }));
    let private = json!({ "kind": "team", "terms": { "webhook": { "url": "http://169.254.169.254/" } } });
    let refused = panel.send(&panel.with_body("PUT", "/accounts/acme.other", &private));
    assert_eq!(refused.status, 422, "{}", refused.text());
    let secret =
        panel.post("/accounts/acme/webhook-secret", &Value::Null)["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("dgw_"));
    let key = panel.post("/keys", &json!({ "account": "acme.team", "name": "one" }))["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    for _ in 0..3 {
        assert_eq!(ask_as(&gateway, &key, "some-model", "hello").status, 200);
    }
    let (head, body) = told.recv_timeout(SOON).expect("a notice");
    assert!(head.to_lowercase().contains("x-dragoman-signature: t="), "{head}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&body["account"], &body["percent"], &body["limit"]), (&json!("acme"), &json!(50), &json!(4)), "{body}");
    let spent = || panel.get("/accounts/acme.team/budgets?all=true")["items"][0].clone();
    wait("three requests are spent", SOON, || spent()["spent"] == 3);
    let budget = spent();
    let part = |name: &str| budget[name].as_u64().expect("a number");
    assert_eq!(
        part("limit") + part("over"),
        part("spent") + part("leased") + part("reserved") + part("free"),
        "{budget}"
    );
    assert!(told.recv_timeout(std::time::Duration::from_secs(3)).is_err(), "it is told once");
    let deleted = panel.send(&panel.call("DELETE", "/accounts/acme"));
    assert_eq!(deleted.status, 409, "{}", deleted.text());
}

#[test]
fn what_was_spent_is_reported_exported_and_held_against_a_bill() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    panel.put("/prices/only%2Fsome-model", &json!({ "input": "1000", "output": "1000" }));
    panel.put("/accounts/acme", &json!({ "kind": "tenant", "terms": { "tags": { "centre": "42" } } }));
    let made = panel.post("/keys", &json!({ "account": "acme", "name": "one" }));
    let key = made["key"].as_str().expect("a key").to_owned();
    for _ in 0..3 {
        assert_eq!(ask_as(&gateway, &key, "some-model", "hello").status, 200);
    }
    assert_eq!(ask_as(&gateway, gateway.key(), "some-model", "hello").status, 200);
    let total = || panel.get("/costs")["total"]["requests"].as_u64().expect("a number");
    wait("four Records", SOON, || total() == 4);
    let whole = panel.get("/costs")["total"].clone();
    assert!(whole["cost_micros"].as_u64().expect("a number") > 0 && whole["unknown"] == 0, "{whole}");
    let lines = |by: &str| panel.get(&format!("/costs?by={by}"))["items"].as_array().expect("items").clone();
    for by in ["provider", "model", "key", "account", "team", "tag:centre", "day", "route", "state"] {
        let sum: u64 = lines(by)
            .iter()
            .map(|line| {
                line["sums"]["cost_micros"].as_u64().expect("a number") * 1_000_000
                    + line["sums"]["cost_rest"].as_u64().expect("a number")
            })
            .sum();
        let expected = whole["cost_micros"].as_u64().expect("a number") * 1_000_000
            + whole["cost_rest"].as_u64().expect("a number");
        assert_eq!(sum, expected, "{by}");
    }
    let of = |by: &str, name: &str| {
        lines(by).into_iter().find(|line| line["name"] == name).expect("its line")["sums"]["requests"].clone()
    };
    assert_eq!((of("provider", "only"), of("account", "acme"), of("tag:centre", "42")), (json!(4), json!(3), json!(3)));
    assert_eq!(panel.get("/costs?account=acme")["total"]["requests"], 3);

    let csv = panel.send(&panel.call("GET", "/ledger/export?account=acme")).text();
    assert_eq!(csv.lines().count(), 4, "{csv}");
    let events = panel.send(&panel.call("GET", "/ledger/export?format=cloudevents"));
    assert_eq!(events.header("content-type"), Some("application/x-ndjson"));
    let states: Vec<Value> = events
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["data"]["state"].clone())
        .collect();
    assert_eq!(states, vec![json!("settled"); 4]);

    let day = lines("day")[0]["name"].as_str().expect("a day").to_owned();
    let bill = |amount: &str| json!({ "provider": "only", "invoice": format!("date,model,cost\n{day},some-model,{amount}\n") });
    let same = panel.post("/ledger/reconcile", &bill("0"))["ledger_usd"].as_str().expect("dollars").to_owned();
    let verdict = |amount: &str| panel.post("/ledger/reconcile", &bill(amount))["items"][0]["verdict"].clone();
    assert_eq!((verdict(&same), verdict("1000")), (json!("same"), json!("invoice_is_higher")));
    let wrong =
        panel.send(&panel.with_body("POST", "/ledger/reconcile", &json!({ "provider": "only", "invoice": "a,b\n" })));
    assert_eq!(wrong.status, 422, "{}", wrong.text());
}

#[test]
fn a_key_is_changed_and_rotated_and_ends() {
    let only = provider("sk-only");
    let gateway = Gateway::start(&setup(&only)).expect("a gateway");
    let panel = Panel::of(&gateway);
    let made = panel.post("/keys", &json!({ "name": "one", "terms": { "routes": ["some-model", "not-there"] } }));
    assert_eq!(made["warnings"], json!(["`routes`: there is no `not-there` now"]));
    let (id, first) = (made["id"].as_str().expect("its id"), made["key"].as_str().expect("a key"));
    assert_eq!(ask_as(&gateway, first, "some-model", "hello").status, 200);
    let second = panel.post(&format!("/keys/{id}/rotate"), &json!({ "overlap_seconds": 0 }));
    let second = second["key"].as_str().expect("a key");
    assert_eq!(ask_as(&gateway, second, "some-model", "hello").status, 200);
    wait("the old secret has ended", SOON, || ask_as(&gateway, first, "some-model", "hello").status == 401);
    let tag = panel.get(&format!("/keys/{id}"))["revision"].as_u64().expect("a number");
    let narrow = json!({ "name": "one", "terms": { "routes": ["not-there"] } });
    let put = |tag: u64| {
        let call = panel.with_body("PUT", &format!("/keys/{id}"), &narrow).header("if-match", format!("\"{tag}\""));
        panel.send(&call).status
    };
    assert_eq!((put(tag + 999), put(tag)), (412, 200));
    wait("the narrower key is known", SOON, || ask_as(&gateway, second, "some-model", "hello").status == 403);
    panel.put(&format!("/keys/{id}"), &json!({ "name": "one", "expires_ms": 1 }));
    wait("the key has ended", SOON, || ask_as(&gateway, second, "some-model", "hello").status == 401);
    for wrong in [
        json!({ "expires_ms": 1, "expires_in_seconds": 1 }),
        json!({ "terms": { "webhook": { "url": "https://h/" } } }),
    ] {
        let answer = panel.send(&panel.with_body("POST", "/keys", &wrong));
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
}
