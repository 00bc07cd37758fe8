use std::sync::Arc;
use std::time::Instant;

use dragoman_core::failure::Failure;
use dragoman_core::record::{Ending, Outcome};

use super::*;
use crate::catalog::{Catalog, known};
use crate::current::Made;
use crate::settings::File;
use crate::store::tests::{Fresh, on_both};

/// A Record of an attempt at that target which ended just now.
pub(crate) fn record(exchange: &str, target: &str, failure: Option<Failure>, wait_ms: u64) -> Record {
    let outcome = Outcome {
        target: target.into(),
        ending: if failure.is_some() { Ending::Retriable } else { Ending::Answered },
        failure,
        status: if failure.is_some() { 503 } else { 200 },
        retry_after_ms: (wait_ms > 0).then_some(wait_ms),
        ..Outcome::default()
    };
    Record { exchange: exchange.into(), began_ms: now(), outcomes: vec![outcome], ..Record::default() }
}

pub(crate) async fn current(store: &Store, more: &str) -> Arc<Current> {
    let text = format!(
        "catalog = false\n{more}[[provider]]\nid = \"p\"\nbase_url = \"http://127.0.0.1:9\"\nmodels = [\"m\", \"n\"]\n"
    );
    let file = File::read("f", &text, &known().unwrap()).unwrap();
    let made = Made::of(Catalog::join(&file, &|_| None).unwrap(), file).unwrap();
    Arc::new(Current::publish(made, 0, store).await.unwrap())
}

/// A control plane's view of that store, which it tells, keeps and follows.
async fn view(fresh: &Fresh) -> (Arc<FleetView>, Arc<Watching>, Arc<Current>) {
    view_with(fresh, "").await
}

async fn view_with(fresh: &Fresh, more: &str) -> (Arc<FleetView>, Arc<Watching>, Arc<Current>) {
    let store = fresh.open().await;
    let current = current(&store, more).await;
    let view = Arc::new(FleetView::begin(store, watch::Sender::new(current.clone()).subscribe()).await.unwrap());
    let watching = Arc::new(Watching::default());
    let (running, told) = (view.clone(), watching.clone());
    tokio::spawn(async move { running.run(&told).await });
    (view, watching, current)
}

async fn within(ms: u64, what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_millis(ms), "{what} takes longer than {ms} ms");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_one_control_plane_heard_the_others_know_within_a_second_and_after_a_restart() {
    for fresh in on_both().await {
        let (one, _, current) = view(&fresh).await;
        let (two, ..) = view(&fresh).await;
        one.observe(&record("x1", "p/m", Some(Failure::Throttled), 60_000), &current);
        (2..7)
            .for_each(|number| one.observe(&record(&format!("x{number}"), "p/n", Some(Failure::Faulty), 0), &current));
        assert!(one.of("p/m").is_some_and(|told| told.rest.is_some()));
        within(1000, "the other control plane", || two.of("p/m").is_some() && two.of("p/n").is_some()).await;
        two.force("me", "p", Force::Open).await.unwrap();
        assert_eq!(two.of("p").and_then(|told| told.force), Some(Force::Open));
        within(1000, "the first control plane", || one.of("p").is_some()).await;
        let (again, ..) = view(&fresh).await;
        for subject in ["p/m", "p/n", "p"] {
            assert_eq!(again.of(subject), one.of(subject), "{subject}");
        }
        again.reset("me", "p/m").await.unwrap();
        within(1000, "what is reset", || one.of("p/m").is_none() && two.of("p/m").is_none()).await;
    }
}

#[tokio::test]
async fn a_burst_of_ten_thousand_subjects_is_told_within_a_second_and_nobody_waits_for_it() {
    let fresh = &on_both().await[0];
    let (view, watching, current) = view(fresh).await;
    let began = Instant::now();
    for number in 0..10_000 {
        view.observe(&record("x", &format!("p/{number}"), Some(Failure::Throttled), 60_000), &current);
    }
    let took = began.elapsed();
    assert!(took < Duration::from_millis(500), "10,000 Records took {took:?}");
    within(1000, "telling", || watching.health().len() > 8000 * 60).await;
}

const WEBHOOK: &str = "[health]\nwebhook = { url = \"http://h/\", secret = { env = \"PATH\" } }\n";

/// The notices that operators are told within so long, by what they are about.
async fn told(store: &Store, most: Duration) -> Vec<serde_json::Value> {
    let (began, mut list) = (Instant::now(), Vec::new());
    while began.elapsed() < most {
        while let Some(notice) = store.claim_health_notice().await.unwrap() {
            list.push(serde_json::from_str(&notice.document).unwrap());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    list
}

#[tokio::test]
async fn operators_are_told_once_of_each_change_that_holds_and_of_a_refused_credential() {
    let fresh = &on_both().await[0];
    let (one, _, current) = view_with(fresh, WEBHOOK).await;
    let (two, ..) = view_with(fresh, WEBHOOK).await;
    let store = fresh.open().await;
    one.force("me", "p", Force::Open).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    one.reset("me", "p").await.unwrap();
    assert!(told(&store, Duration::from_secs(3)).await.is_empty(), "it did not hold");

    one.force("me", "p/m", Force::Open).await.unwrap();
    let degraded = told(&store, Duration::from_secs(5)).await;
    assert_eq!(degraded.len(), 1, "{degraded:#?}");
    assert_eq!((&degraded[0]["type"], &degraded[0]["before"]), (&"provider.degraded".into(), &"healthy".into()));
    assert_eq!(degraded[0]["reasons"][0]["why"], "forced_open");
    two.force("me", "p/n", Force::Open).await.unwrap();
    one.observe(&record("x1", "p/m", Some(Failure::Credential), 0), &current);
    one.observe(&record("x2", "p/n", Some(Failure::Credential), 0), &current);
    let mut more: Vec<String> =
        told(&store, Duration::from_secs(5)).await.iter().map(|notice| notice["type"].to_string()).collect();
    more.sort();
    assert_eq!(more, ["\"provider.credential\"", "\"provider.unhealthy\""], "all its targets are out");
    for subject in ["p/m", "p/n"] {
        two.reset("me", subject).await.unwrap();
    }
    let well = told(&store, Duration::from_secs(5)).await;
    assert_eq!((well.len(), &well[0]["type"]), (1, &"provider.healthy".into()));
    let reports = one.reports(&current);
    assert_eq!((reports.len(), reports[0].status, reports[0].reasons.len()), (1, status::Status::Healthy, 0));
}

#[tokio::test]
async fn a_tenth_of_attempts_that_fail_makes_a_provider_degraded() {
    let fresh = &on_both().await[0];
    let (view, _, current) = view(fresh).await;
    for number in 0..40 {
        let failure = (number % 4 == 0).then_some(Failure::Faulty);
        view.observe(&record("x", "p/m", failure, 0), &current);
    }
    // What the request is at fault for is nobody's error, and what only a client named is in the provider's sums alone.
    view.observe(&record("x", "p/unlisted", Some(Failure::BadRequest), 0), &current);
    within(12_000, "the store's minutes", || view.reports(&current)[0].status == status::Status::Degraded).await;
    assert_eq!(view.reports(&current)[0].reasons[0].why, "errors");
    let minutes = fresh.open().await.minutes_since(0, None).await.unwrap();
    assert_eq!((minutes[0].1.attempts, minutes[0].1.failed), (41, 10));
    let minutes = fresh.open().await.minutes_since(0, Some("p")).await.unwrap();
    assert_eq!((minutes.len(), minutes[0].1.attempts), (1, 40));
}

#[tokio::test]
async fn a_dead_provider_is_found_and_brought_back_by_probes_and_one_that_never_was_is_not_told_of() {
    let fresh = &on_both().await[0];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let store = fresh.open().await;
    let text = format!(
        "catalog = false\n[health]\nopen_for = \"50ms\"\n[[provider]]\nid = \"p\"\nbase_url = \"http://{address}\"\nmodels = [\"m\"]\n"
    );
    let file = File::read("f", &text, &known().unwrap()).unwrap();
    let made = Made::of(Catalog::join(&file, &|_| None).unwrap(), file).unwrap();
    let current = Arc::new(Current::publish(made, 0, &store).await.unwrap());
    let view = FleetView::begin(store, watch::Sender::new(current.clone()).subscribe()).await.unwrap();
    let asker = crate::discovery::Asker::new(None).unwrap();
    let rows = current.catalog.providers.clone();
    let probe = async |times: usize| {
        for _ in 0..times {
            view.probe_all(&asker, rows.clone()).await;
        }
    };
    drop(listener);
    probe(6).await;
    assert!(view.of("p").is_none(), "it never answered anything");
    view.observe(&record("x", "p/m", None, 0), &current);
    probe(5).await;
    assert!(view.of("p").is_some_and(|told| told.open_until_ms.is_some()));
    assert!(view.of("p/m").is_none());
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        }
    });
    tokio::time::sleep(Duration::from_millis(60)).await;
    probe(2).await;
    assert!(view.of("p").is_none(), "whatever it answers, it is there");
}

#[tokio::test]
async fn what_a_routes_targets_got_is_counted_and_what_is_not_the_routes_is_not() {
    let fresh = &on_both().await[0];
    let store = fresh.open().await;
    let route = "[[route]]\nname = \"r\"\ncandidates = [\"p/m\", \"p/n\"]\n[[route]]\nname = \"cheap\"\ncandidates = [\"p/n\"]\n";
    let current = current(&store, route).await;
    let pools = pools::Pools::default();
    let exchange = |route: &str, plan: &[&str], downgraded: &str| {
        let attempts = plan.iter().zip([Some(Failure::Faulty), None]);
        let outcomes = attempts.flat_map(|(target, failure)| record("x", target, failure, 0).outcomes).collect();
        let plan = plan.iter().map(|target| (*target).to_string()).collect();
        Record { route: route.into(), downgraded: downgraded.into(), plan, outcomes, ..Record::default() }
    };
    for record in [
        exchange("r", &["p/m", "p/n"], ""),
        exchange("r", &["p/n", "p/elsewhere"], ""),
        exchange("r", &["p/n"], "cheap"),
        exchange("unheard-of", &["p/m"], ""),
        exchange("r", &[], ""),
    ] {
        pools.observe(&record, &current.snapshot, 60_123);
    }
    let place = |route: &str, target: &str| (route.to_string(), target.to_string(), 60_000);
    let got = |first, attempts, answered| Got { first, attempts, answered };
    let expected =
        [(place("cheap", "p/n"), got(1, 1, 0)), (place("r", "p/m"), got(1, 1, 0)), (place("r", "p/n"), got(1, 2, 1))];
    assert_eq!(pools.take(), expected);
}
