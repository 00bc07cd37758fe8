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
    let store = fresh.open().await;
    let current = current(&store, "").await;
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
