//! The host's statistics, fed from Records: once for each exchange, so that no chunk pays for them.
//!
//! Why so: a Record says all there is to count, and it is made when nobody waits any more. What is counted stands in
//! [`dragoman_core::record::stats`]; here it is given a number of the host's, once for each series.
//!
//! Limits: [`MAX_COUNTERS`] and [`MAX_HISTOGRAMS`] series; beyond them rows are no longer told apart.

use std::collections::HashMap;

use dragoman_core::record::Record;
use dragoman_core::record::stats::{Kind, Label, Metric, Sample, samples};
use dragoman_core::snapshot::Snapshot;

use crate::host;

/// Most counters whose rows are told apart: ten for each of 400 targets, a few hundred bytes each at the host.
pub const MAX_COUNTERS: usize = 4096;
/// Most histograms whose rows are told apart: two for each of 250 targets. Each has its buckets in every worker of the host.
pub const MAX_HISTOGRAMS: usize = 512;

/// The host's numbers of series, by name.
#[derive(Debug, Default)]
pub struct Stats {
    /// None where the host would not have it: it is not asked again.
    ids: HashMap<String, Option<u32>>,
    counters: usize,
    histograms: usize,
}

impl Stats {
    /// Counts an exchange that is over.
    pub fn exchange(&mut self, record: &Record, snapshot: Option<&Snapshot>) {
        samples(record, snapshot).iter().for_each(|sample| self.take(sample));
    }

    /// Counts Records that were lost.
    pub fn lost(&mut self, records: u32) {
        self.take(&Sample { metric: Metric::RecordsLost, labels: Vec::new(), value: u64::from(records) });
    }

    /// Counts how long a request's Plan took, waits for the control plane not counted.
    pub fn planned(&mut self, bucket: &str, microseconds: u64) {
        self.take(&Sample { metric: Metric::PlanUs, labels: vec![(Label::Bucket, bucket)], value: microseconds });
    }

    fn take(&mut self, sample: &Sample<'_>) {
        let Some(id) = self.id(sample, host::define) else { return };
        // Whatever the host says of it: a number that is lost changes nothing.
        let _ = match sample.metric.kind() {
            Kind::Counter => host::increment(id, sample.value),
            Kind::Histogram => host::record(id, sample.value),
        };
    }

    /// The host's number of the sample's series, which is defined at its first.
    fn id<E>(&mut self, sample: &Sample<'_>, define: impl FnOnce(Kind, &str) -> Result<u32, E>) -> Option<u32> {
        let name = sample.name();
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        let kind = sample.metric.kind();
        let (made, most) = match kind {
            Kind::Counter => (&mut self.counters, MAX_COUNTERS),
            Kind::Histogram => (&mut self.histograms, MAX_HISTOGRAMS),
        };
        let name = if *made < most { name } else { sample.folded() };
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        *made = made.saturating_add(1);
        let id = define(kind, &name).ok();
        self.ids.insert(name, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(metric: Metric, target: &str) -> Sample<'_> {
        Sample { metric, labels: vec![(Label::Target, target)], value: 1 }
    }

    #[test]
    fn a_series_is_defined_once_even_when_the_host_would_not_have_it() {
        let mut stats = Stats::default();
        let metric = Metric::Attempts;
        assert_eq!(stats.id(&sample(metric, "a"), |_, _| Ok::<_, ()>(7)), Some(7));
        assert_eq!(stats.id(&sample(metric, "a"), |_, _| -> Result<u32, ()> { panic!("twice") }), Some(7));
        assert_eq!(stats.id(&sample(metric, "b"), |_, _| Err(())), None);
        assert_eq!(stats.id(&sample(metric, "b"), |_, _| -> Result<u32, ()> { panic!("twice") }), None);
    }

    #[test]
    fn the_number_of_series_is_bounded_and_nothing_goes_uncounted() {
        let mut stats = Stats::default();
        for (metric, most) in [(Metric::Attempts, MAX_COUNTERS), (Metric::FirstEventMs, MAX_HISTOGRAMS)] {
            let before = stats.ids.len();
            for number in 0..2 * most {
                let target = format!("p/{number}");
                let id = stats
                    .id(&sample(metric, &target), |_, name| Ok::<_, ()>(u32::from(name.ends_with("target=other"))));
                assert_eq!(id, Some(u32::from(number >= most)), "{number}");
            }
            assert_eq!(stats.ids.len() - before, most + 1, "and one for all others");
        }
    }

    #[test]
    fn without_a_host_nothing_happens() {
        let mut stats = Stats::default();
        stats.exchange(&Record::default(), None);
        stats.lost(3);
        assert!(stats.ids.values().all(Option::is_none) && stats.ids.len() == 2);
    }
}
