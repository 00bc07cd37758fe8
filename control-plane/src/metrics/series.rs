//! Families with a bound: names come from strangers, and every new one is a line on each page from then on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::table::{Kind, NAMES, Row};

/// Most label sets of all families together: some ten megabytes of page, which is what a scraper takes without complaint.
pub const MAX_SERIES: usize = 10_000;
/// What stands for a name that is not configured, or for which there was no room.
pub const OTHER: &str = "other";

type Labels = Vec<(&'static str, String)>;

/// How many label sets there may still be.
#[derive(Clone, Debug)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    /// Room for so many.
    pub fn of(series: usize) -> Room {
        Room(Arc::new(AtomicUsize::new(series)))
    }

    /// Takes the place of one, if there is any.
    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// The metrics of one family.
#[derive(Debug)]
pub struct Series<M> {
    labels: &'static [&'static str],
    family: Family<Labels, M>,
    room: Room,
}

impl<M: Clone + TypedMetric + EncodeMetric + std::fmt::Debug + Send + Sync + 'static> Series<M> {
    /// Puts a family on the page; `make` makes one metric of it.
    pub fn register(registry: &mut Registry, row: &Row, room: &Room, make: fn() -> M) -> Series<M> {
        let family = Family::new_with_constructor(make);
        // The page's writer adds the suffix of counters and the full stop itself.
        let name = match row.kind {
            Kind::Counter => row.name.trim_end_matches("_total"),
            Kind::Gauge | Kind::Histogram => row.name,
        };
        registry.register(name, row.help, family.clone());
        Series { labels: row.labels, family, room: room.clone() }
    }

    /// The metric with these values of the family's labels. Without room for another one, names are counted as [`OTHER`].
    pub fn with(&self, values: &[&str]) -> M {
        let mut labels: Labels = self.labels.iter().copied().zip(values.iter().map(|value| escaped(value))).collect();
        // The guard must be gone before a new metric is made: both take the family's lock.
        if let Some(metric) = self.family.get(&labels).map(|metric| metric.clone()) {
            return metric;
        }
        if !self.room.take() {
            let names = labels.iter_mut().filter(|(label, _)| NAMES.contains(label));
            names.for_each(|(_, value)| *value = OTHER.to_string());
        }
        self.family.get_or_create(&labels).clone()
    }
}

/// A label's value as the page wants it; its writer does not escape.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
