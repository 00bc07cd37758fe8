use std::task::Poll;

use dragoman_core::admission::Window;
use dragoman_core::price::Cost;
use dragoman_core::record::{Charged, Outcome, Record};
use dragoman_core::usage::Usage;

use super::super::records::Settling;
use super::super::rows::Condition;
use super::super::tests::on_both;
use super::*;
use crate::accounts::{AccountId, AccountKind};

const BUDGET: &str = "acme/tokens/total";

async fn tenant(store: &Store, terms: &str) {
    let (id, terms) = (AccountId::read("acme").unwrap(), serde_json::from_str(terms).unwrap());
    store.put_account("me", &id, AccountKind::Tenant, &terms, Condition::None).await.unwrap();
}

fn want(id: &str, taken: u64, wanted: u64) -> Want {
    Want { id: id.into(), window_ms: 0, taken, wanted }
}

async fn window(store: &Store, id: &str) -> Window {
    let mut change = store.exclusive().await.unwrap();
    let id = BudgetId::read(id).unwrap();
    let now = store.engine.now_ms(&mut change).await.unwrap();
    Windows::default().now(&mut change, &id, now).await.unwrap().unwrap().kept.window
}

/// Asks for one hold; gives what was held.
async fn hold(store: &Store, exchange: &str, wants: &[Want]) -> Vec<bool> {
    let answers = store.hold(&[asking(exchange, wants)]).await.unwrap();
    answers[0].list.iter().map(|lease| lease.is_held).collect()
}

fn asking(exchange: &str, wants: &[Want]) -> Hold {
    let [vm, exchange, caller, account] = ["vm1", exchange, "key_1", "acme"].map(String::from);
    Hold { vm, exchange, caller, account, wants: wants.to_vec() }
}

fn record(exchange: &str, budget: &str, tokens: u64) -> Record {
    Record {
        exchange: format!("{exchange}-vm1"),
        caller: "key_1".into(),
        charged: vec![Charged { budget: budget.into(), window_ms: 0 }],
        outcomes: vec![Outcome { usage: Usage { input: Some(tokens), ..Usage::default() }, ..Outcome::default() }],
        began_ms: u64::try_from(super::super::now_ms()).unwrap(),
        ..Record::default()
    }
}

async fn settle(store: &Store, records: &[Record], cost: Option<Cost>) {
    let documents: Vec<String> = records.iter().map(|record| String::from_utf8(record.write()).unwrap()).collect();
    let settling: Vec<Settling<'_>> = records
        .iter()
        .zip(&documents)
        .map(|(record, document)| Settling { record, document, cost, attempts: &[] })
        .collect();
    store.settle(&settling).await.unwrap();
}

#[tokio::test]
async fn what_is_lent_to_all_is_never_more_than_the_limit_and_comes_back_when_leases_end() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        tenant(&store, r#"{"budgets":[{"tokens":1000}]}"#).await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..8 {
            let store = fresh.open().await;
            tasks.spawn(async move {
                let leases =
                    store.lend(&format!("vm{number}"), &[want(BUDGET, 0, 300)], &HashMap::new()).await.unwrap();
                leases.list[0].lent
            });
        }
        let lent: u64 = tasks.join_all().await.into_iter().sum();
        assert_eq!((lent, window(&store, BUDGET).await.leased), (1000, 1000));
        let more = store.lend("vm9", &[want(BUDGET, 0, 1)], &HashMap::new()).await.unwrap();
        assert_eq!((more.list[0].lent, more.list[0].is_all, more.list[0].used), (0, true, 1000));
        assert_eq!(store.reap().await.unwrap(), Reaped::default(), "none has ended");
        sqlx::query("UPDATE lease SET expires_ms = 1").execute(&store.writer).await.unwrap();
        assert_eq!(store.reap().await.unwrap().leases, 9);
        assert_eq!(window(&store, BUDGET).await.free(), 1000);
    }
}

#[tokio::test]
async fn a_record_is_charged_once_and_leases_become_spent() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        tenant(&store, r#"{"budgets":[{"tokens":1000}]}"#).await;
        store.lend("vm1", &[want(BUDGET, 0, 400)], &HashMap::new()).await.unwrap();
        for _ in 0..3 {
            settle(&store, &[record("a", BUDGET, 100), record("b", BUDGET, 50)], None).await;
        }
        let window = window(&store, BUDGET).await;
        assert_eq!((window.spent, window.leased, window.free()), (150, 250, 600));
        // What was asked for before the Records came is counted over all: nothing more is lent.
        let again = store.lend("vm1", &[want(BUDGET, 150, 250)], &HashMap::new()).await.unwrap();
        assert_eq!(again.list[0].lent, 400);
    }
}

#[tokio::test]
async fn money_is_added_up_without_rounding() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let budget = "acme/usd/total";
        tenant(&store, r#"{"budgets":[{"usd":"1"}]}"#).await;
        for batch in 0..4 {
            let records: Vec<Record> = (0..10).map(|number| record(&format!("{batch}-{number}"), budget, 1)).collect();
            settle(&store, &records, Some(Cost::pico(150_000))).await;
        }
        assert_eq!(window(&store, budget).await.spent, 6, "forty times 0.15 micro-dollars");
    }
}

#[tokio::test]
async fn a_strict_budget_is_held_for_all_or_nothing_and_given_back_with_the_record() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        tenant(&store, r#"{"budgets":[{"tokens":100,"strict":true},{"requests":1,"strict":true}]}"#).await;
        let wants = [want(BUDGET, 0, 60), want("acme/requests/total", 0, 1)];
        let hold = async |exchange: &str| hold(&store, exchange, &wants).await.into_iter().all(|held| held);
        assert!(hold("a-vm1").await && hold("a-vm1").await, "asked twice, held once");
        assert!(!hold("b-vm1").await);
        assert_eq!(window(&store, BUDGET).await.reserved, 60);
        let mut over = record("a", BUDGET, 10);
        over.charged.push(Charged { budget: "acme/requests/total".into(), window_ms: 0 });
        settle(&store, &[over], None).await;
        let window = window(&store, BUDGET).await;
        assert_eq!((window.reserved, window.spent), (0, 10));
        assert!(!hold("c-vm1").await, "the one request is spent");
    }
}

#[tokio::test]
async fn those_who_ask_together_are_answered_as_if_they_had_asked_one_after_another() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        tenant(&store, r#"{"budgets":[{"tokens":100,"strict":true},{"requests":2,"strict":true}]}"#).await;
        let wants = |tokens| [want("acme/requests/total", 0, 1), want(BUDGET, 0, tokens)];
        let asked = [("a", 60), ("b", 50), ("a", 60), ("c", 40), ("d", 1)];
        let asked: Vec<Hold> = asked.iter().map(|(exchange, tokens)| asking(exchange, &wants(*tokens))).collect();
        let answers = store.hold(&asked).await.unwrap();
        let held: Vec<bool> = answers.iter().map(|leases| leases.list.iter().all(|lease| lease.is_held)).collect();
        assert_eq!(held, [true, false, true, true, false]);
        assert_eq!(answers[0].list.len(), 2);
        assert_eq!(window(&store, BUDGET).await.reserved, 100);
        assert_eq!(window(&store, "acme/requests/total").await.reserved, 2, "what was not held leaves nothing");
    }
}

#[tokio::test]
async fn a_strict_budget_that_only_warns_stands_in_nobodys_way() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let terms = r#"{"budgets":[{"tokens":100,"strict":true},{"requests":0,"strict":true,"at_limit":"warn"}]}"#;
        tenant(&store, terms).await;
        let wants = [want(BUDGET, 0, 60), want("acme/requests/total", 0, 1)];
        assert_eq!(hold(&store, "a-vm1", &wants).await, [true, false]);
        assert_eq!(window(&store, BUDGET).await.reserved, 60);
        settle(&store, &[record("a", BUDGET, 10)], None).await;
        assert_eq!(window(&store, BUDGET).await.reserved, 0);
    }
}

#[tokio::test]
async fn what_a_dead_data_plane_had_reserved_is_settled_as_estimated() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        tenant(&store, r#"{"budgets":[{"tokens":100,"strict":true}]}"#).await;
        hold(&store, "a-vm1", &[want(BUDGET, 0, 60)]).await;
        store.seen(&["vm1".into()]).await.unwrap();
        assert_eq!(store.reap().await.unwrap(), Reaped::default());
        let die = async || sqlx::query("UPDATE data_plane SET seen_ms = 1").execute(&store.writer).await.unwrap();
        die().await;
        store.presume_alive().await.unwrap();
        assert_eq!(store.reap().await.unwrap(), Reaped::default(), "a control plane that was away saw nobody die");
        die().await;
        assert_eq!(store.reap().await.unwrap().exchanges, 1);
        let window = window(&store, BUDGET).await;
        assert_eq!((window.reserved, window.spent), (0, 60));
        let kept = store.record("a-vm1").await.unwrap().unwrap();
        assert!(kept.document.contains("data_plane_lost"));
        assert!(kept.document.contains(BUDGET), "it says what it was charged to: {}", kept.document);
        // It was not dead after all: its Record comes late and changes nothing.
        settle(&store, &[record("a", BUDGET, 10)], None).await;
        assert_eq!(self::window(&store, BUDGET).await.spent, 60);
    }
}

#[tokio::test]
async fn each_share_of_a_limit_is_noticed_once() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        tenant(&store, r#"{"budgets":[{"tokens":100}]}"#).await;
        let noticed = async || -> Vec<i64> {
            let rows = sqlx::query("SELECT percent FROM budget_notice ORDER BY percent").fetch_all(&store.reader).await;
            rows.unwrap().iter().map(|row| row.try_get("percent").unwrap()).collect()
        };
        settle(&store, &[record("a", BUDGET, 49)], None).await;
        assert!(noticed().await.is_empty());
        settle(&store, &[record("b", BUDGET, 1)], None).await;
        settle(&store, &[record("c", BUDGET, 1)], None).await;
        assert_eq!(noticed().await, [50]);
        settle(&store, &[record("d", BUDGET, 70)], None).await;
        assert_eq!(noticed().await, [50, 100]);
    }
}

#[tokio::test]
async fn a_budget_that_is_no_more_limits_nothing() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        tenant(&store, "{}").await;
        let lease = store.lend("vm1", &[want(BUDGET, 7, 5)], &HashMap::new()).await.unwrap().list.remove(0);
        assert!(lease.lent > 12 && !lease.is_all);
        settle(&store, &[record("a", BUDGET, 5)], None).await;
    }
}

#[tokio::test]
async fn what_is_long_over_is_forgotten_and_what_was_spent_of_a_month_is_not() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        tenant(&store, r#"{"budgets":[{"tokens":1000,"per":"minute"},{"tokens":1000,"per":"month"},{"tokens":100}]}"#)
            .await;
        let budgets = ["acme/tokens/minute", "acme/tokens/month", "acme/tokens/total"];
        let counts = async || {
            let mut counts = Vec::new();
            for table in ["budget_window", "lease", "budget_notice", "data_plane"] {
                let count = format!("SELECT COUNT(*) FROM {table}");
                let row = sqlx::query(sqlx::AssertSqlSafe(count)).fetch_one(&store.reader).await.unwrap();
                counts.push(row.try_get::<i64, _>(0).unwrap());
            }
            counts
        };
        let age = async |columns: &str, days: i64| {
            let at = super::super::now_ms() - days * 86_400_000;
            for set in columns.split(", ") {
                let (table, column) = set.split_once('.').unwrap();
                let update = format!("UPDATE {table} SET {column} = {at}");
                sqlx::query(sqlx::AssertSqlSafe(update)).execute(&store.writer).await.unwrap();
            }
        };
        store.seen(&["vm1".into()]).await.unwrap();
        store.lend("vm1", &budgets.map(|budget| want(budget, 0, 5)), &HashMap::new()).await.unwrap();
        settle(&store, &[record("a", budgets[2], 60)], None).await;
        // What is lent is never forgotten, however old it is.
        age("budget_window.began_ms, budget_notice.made_ms, data_plane.seen_ms", 60).await;
        sqlx::query("UPDATE data_plane SET seen_ms = seen_ms + 86400000").execute(&store.writer).await.unwrap();
        assert_eq!((store.forget().await.unwrap(), counts().await), (1, vec![3, 3, 1, 0]));
        store.seen(&["vm1".into()]).await.unwrap();
        sqlx::query("UPDATE budget_window SET leased = 0").execute(&store.writer).await.unwrap();
        age("lease.ended_ms, budget_notice.told_ms", 3).await;
        assert_eq!(store.forget().await.unwrap(), 3, "the window of a minute, its lease, and what was told");
        assert_eq!(counts().await, [2, 2, 0, 1]);
        age("lease.ended_ms", 60).await;
        assert_eq!(
            (store.forget().await.unwrap(), counts().await),
            (1, vec![2, 1, 0, 1]),
            "whoever lives may come back"
        );
        age("data_plane.seen_ms", 60).await;
        store.forget().await.unwrap();
        assert_eq!(counts().await, [2, 0, 0, 0]);
    }
}

#[tokio::test]
async fn a_targets_limit_counts_what_it_was_asked_itself() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let budgets = serde_json::from_str(r#"[{"requests":5,"per":"minute"},{"tokens":90,"per":"minute"}]"#).unwrap();
        let terms = HashMap::from([("@p".to_string(), Terms { budgets, ..Terms::default() })]);
        let (requests, tokens) = ("@p/requests/minute", "@p/tokens/minute");
        let leases = store.lend("vm1", &[want(requests, 0, 5), want(tokens, 0, 90)], &terms).await.unwrap();
        assert_eq!(leases.list.iter().map(|lease| (lease.limit, lease.lent)).collect::<Vec<_>>(), [(5, 5), (90, 90)]);
        let window_ms = leases.list[0].window_ms;
        let attempt = |target: &str| Outcome {
            target: target.into(),
            usage: Usage { input: Some(10), ..Usage::default() },
            ..Outcome::default()
        };
        let charged = [requests, tokens].map(|budget| Charged { budget: budget.into(), window_ms });
        let over = Record {
            charged: charged.to_vec(),
            outcomes: ["p/a", "p/b", "q/a"].map(attempt).to_vec(),
            ..record("x", requests, 0)
        };
        settle(&store, &[over], None).await;
        for (budget, spent) in [(requests, 2), (tokens, 20)] {
            let mut change = store.exclusive().await.unwrap();
            let began = i64::try_from(window_ms).unwrap();
            let id = BudgetId::read(budget).unwrap();
            let mut windows = Windows::default();
            assert_eq!(windows.of(&mut change, &id, began).await.unwrap().kept.window.spent, spent, "{budget}");
        }
        let gone = store.lend("vm1", &[want(requests, 5, 1)], &HashMap::new()).await.unwrap();
        assert!(gone.list[0].lent > 5, "a limit that is no more limits nothing");
    }
}

/// Polls a future so often, then drops it where it stands, as a process that is killed does.
async fn killed_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (std::pin::pin!(future), polls);
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Times that all changes are ended a poll later each: how many points there are depends on how fast the store answers.
const ROUNDS: u64 = 8;

/// At every point at which a change waits for the store it may end; whoever asked asks again.
#[tokio::test]
async fn wherever_a_change_ends_nothing_is_lost_or_done_twice() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let (held, lent) = ("acme/requests/total", BUDGET);
        tenant(&store, r#"{"budgets":[{"tokens":100000},{"requests":1000,"strict":true}]}"#).await;
        let (mut count, mut rounds, mut polls) = (0, 0, 0);
        while rounds < ROUNDS {
            (count, polls) = (count + 1, polls + 1);
            let exchange = format!("{count}-vm1");
            let asked = [asking(&exchange, &[want(held, 0, 1)])];
            let over = Record {
                charged: [held, lent].map(|budget| Charged { budget: budget.into(), window_ms: 0 }).to_vec(),
                ..record(&count.to_string(), lent, 10)
            };
            let wants = [want(lent, 0, 50)];
            let ends = [
                killed_after(polls, store.hold(&asked)).await.is_some(),
                killed_after(polls, store.lend("vm1", &wants, &HashMap::new())).await.is_some(),
                killed_after(polls, settle(&store, std::slice::from_ref(&over), None)).await.is_some(),
                killed_after(polls, store.reap()).await.is_some(),
            ];
            if ends.iter().all(|ended| *ended) {
                (rounds, polls) = (rounds + 1, 0);
            }
            store.hold(&asked).await.unwrap();
            settle(&store, &[over], None).await;
            for (budget, spent) in [(held, count), (lent, 10 * count)] {
                let window = window(&store, budget).await;
                assert_eq!(window.spent, spent, "{budget}, ended after {polls}");
                assert!(window.used() <= window.limit, "{window:?}, ended after {polls}");
            }
            assert!(count < 900, "it ends at some time");
        }
        store.reap().await.unwrap();
        assert_eq!(window(&store, held).await.reserved, 0);
        assert_eq!(store.records(&Default::default(), 2000).await.unwrap().len() as u64, count);
        assert!(count > ROUNDS, "some of them were ended");
    }
}
