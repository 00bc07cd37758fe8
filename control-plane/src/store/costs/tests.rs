use dragoman_core::price::Cost;
use dragoman_core::record::{Ending, Outcome, Record};
use dragoman_core::usage::Usage;

use super::super::records::Settling;
use super::super::rows::Condition;
use super::super::tests::on_both;
use super::*;
use crate::accounts::AccountId;

const ALL: fn() -> Meant = || Meant { from_ms: 0, until_ms: i64::MAX, within: String::new() };

fn outcome(target: &str, tokens: u64) -> Outcome {
    let usage = Usage { input: Some(tokens), output: Some(1), ..Usage::default() };
    Outcome { target: target.into(), ending: Ending::Answered, usage, cost: Some(Cost::micro(0)), ..Outcome::default() }
}

/// Two attempts at two providers, one whose cost nobody knows, one that was denied.
async fn filled(store: &Store) {
    let record = |exchange: &str, account: &str, day: u64, outcomes: Vec<Outcome>| Record {
        exchange: exchange.into(),
        caller: "key_1".into(),
        account: account.into(),
        route: "auto".into(),
        began_ms: day * 86_400_000 + 5,
        outcomes,
        ..Record::default()
    };
    let denied = Record { refusal: "budget_spent".into(), ..record("d", "beta", 2, vec![]) };
    let records = [
        (
            record("a", "acme.search.alice", 1, vec![outcome("p/m", 10), outcome("q/m", 20)]),
            vec![Some(1_600_000), Some(600_000)],
        ),
        (record("b", "acme.search", 1, vec![outcome("p/n", 5)]), vec![Some(900_000)]),
        (record("c", "acme", 2, vec![outcome("p/m", 7)]), vec![None]),
        (denied, vec![]),
    ];
    for (record, pico) in records {
        let costs: Vec<Option<Cost>> = pico.into_iter().map(|pico: Option<u128>| pico.map(Cost::pico)).collect();
        let whole = costs.iter().try_fold(Cost::default(), |sum, cost| cost.map(|cost| sum.and(cost)));
        let document = String::from_utf8(record.write()).unwrap();
        let settling = Settling { record: &record, document: &document, cost: whole, attempts: &costs };
        assert_eq!(store.settle(&[settling]).await.unwrap(), [true]);
        assert_eq!(store.settle(&[settling]).await.unwrap(), [false], "it is a line once");
    }
}

#[tokio::test]
async fn whatever_one_asks_by_the_sum_is_the_same_and_exact() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        filled(&store).await;
        let all = ["provider", "model", "key", "account", "team", "tag:centre", "day", "route", "state"];
        for by in all.map(|by| By::read(by).unwrap()) {
            let report = store.costs(&by, &ALL(), 99).await.unwrap();
            assert_eq!((report.total.cost, report.total.requests), (Amount { micros: 3, rest: 100_000 }, 4), "{by:?}");
            let first = store.costs(&by, &ALL(), 1).await.unwrap();
            assert_eq!((&first.lines[..], first.more), (&report.lines[..1], report.lines.len() > 1), "{by:?}");
            let sum = report.lines.iter().fold(Sums::default(), |sum, (_, sums)| sum.and(*sums));
            assert_eq!((sum.cost, sum.unknown), (Amount { micros: 3, rest: 100_000 }, 1), "{by:?}");
            assert_eq!((sum.attempts, sum.input_tokens, sum.output_tokens), (4, 42, 4), "{by:?}");
        }
        let by_provider = store.costs(&By::Provider, &ALL(), 9).await.unwrap().lines;
        let of = |name: &str| by_provider.iter().find(|(own, _)| own == name).unwrap().1;
        assert_eq!((of("p").requests, of("p").cost), (3, Amount { micros: 2, rest: 500_000 }));
        assert_eq!((of("q").requests, of("q").cost), (1, Amount { micros: 0, rest: 600_000 }));
        assert_eq!((of("").requests, of("").denied), (1, 1), "who was denied went nowhere");
        assert_eq!(By::read("tag:"), None);
        assert_eq!(By::read("colour"), None);
    }
}

#[tokio::test]
async fn costs_are_of_a_time_of_a_tree_of_a_team_and_of_a_tag() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        filled(&store).await;
        for (id, kind, terms) in [
            ("acme", AccountKind::Tenant, r#"{"tags":{"centre":"1"}}"#),
            ("acme.search", AccountKind::Team, r#"{"tags":{"centre":"2"}}"#),
        ] {
            let (id, terms) = (AccountId::read(id).unwrap(), serde_json::from_str(terms).unwrap());
            store.put_account("me", &id, kind, &terms, Condition::None).await.unwrap();
        }
        let names = async |by: &str, meant: Meant| -> Vec<(String, i64)> {
            let mut lines = store.costs(&By::read(by).unwrap(), &meant, 99).await.unwrap().lines;
            lines.sort_by(|one, two| one.0.cmp(&two.0));
            lines.into_iter().map(|(name, sums)| (name, sums.requests)).collect()
        };
        let of = |within: &str| Meant { within: within.into(), ..ALL() };
        let said =
            |list: &[(&str, i64)]| list.iter().map(|(name, count)| (name.to_string(), *count)).collect::<Vec<_>>();
        assert_eq!(names("team", ALL()).await, said(&[("", 2), ("acme.search", 2)]));
        assert_eq!(names("tag:centre", ALL()).await, said(&[("", 1), ("1", 1), ("2", 2)]));
        assert_eq!(names("day", ALL()).await, said(&[("1970-01-02", 2), ("1970-01-03", 2)]));
        assert_eq!(names("account", of("acme.search")).await, said(&[("acme.search", 1), ("acme.search.alice", 1)]));
        assert_eq!(names("account", of("beta")).await, said(&[("beta", 1)]));
        assert_eq!(names("account", of("acm")).await, said(&[]));
        let second = Meant { from_ms: 2 * DAY_MS, until_ms: 3 * DAY_MS, within: String::new() };
        assert_eq!(names("key", second).await, said(&[("key_1", 2)]));
        let bill = store.bill("p", 1, 1).await.unwrap();
        let expected = [
            (1, "m".to_string(), Amount { micros: 1, rest: 600_000 }),
            (1, "n".to_string(), Amount { micros: 0, rest: 900_000 }),
        ];
        assert_eq!(bill, expected);
    }
}

#[tokio::test]
async fn many_reports_at_once_wait_for_nobody_but_the_store() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        filled(&store).await;
        let mut tasks = tokio::task::JoinSet::new();
        for by in ["team", "tag:centre"].into_iter().cycle().take(24) {
            let store = store.clone();
            tasks.spawn(async move { store.costs(&By::read(by).unwrap(), &ALL(), 99).await.map(|_| ()) });
        }
        for done in tasks.join_all().await {
            done.unwrap();
        }
    }
}

#[tokio::test]
async fn pages_of_the_ledger_have_each_exchange_with_its_own_attempts() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        filled(&store).await;
        for (within, said) in
            [("", vec![("a", 2), ("b", 1), ("c", 1), ("d", 0)]), ("acme.search", vec![("a", 2), ("b", 1)])]
        {
            let meant = Meant { within: within.into(), ..ALL() };
            for limit in 1..5 {
                let (mut after, mut seen) = ((i64::MIN, String::new()), Vec::new());
                loop {
                    let page = store.ledger(&meant, &after, limit).await.unwrap();
                    let Some(last) = page.last() else { break };
                    after = (last.began_ms, last.exchange.clone());
                    for exchange in page {
                        let numbers: Vec<i64> = exchange.attempts.iter().map(|attempt| attempt.number).collect();
                        assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
                        seen.push((exchange.exchange, numbers.len()));
                    }
                }
                let seen: Vec<(&str, usize)> = seen.iter().map(|(id, count)| (id.as_str(), *count)).collect();
                assert_eq!(seen, said, "{within} {limit}");
            }
        }
    }
}
