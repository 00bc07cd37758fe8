//! Records on their way to the control plane, kept until it says that they are durable.
//!
//! Why so: a Record is money. It is sent again until its id comes back, and the store keeps one for each id, so sending twice
//! costs nothing and losing happens only where it is counted.
//!
//! Limits: [`MAX_RECORDS`] and [`MAX_BYTES`]; beyond them the oldest goes. What a VM still holds when it ends is lost.

use std::collections::{HashSet, VecDeque};

/// Most Records kept: what 16 requests a second make in an hour without a control plane.
pub const MAX_RECORDS: usize = 65_536;
/// Most bytes of Records kept: a sixteenth of what a VM may have.
pub const MAX_BYTES: usize = 64 << 20;
/// Most Records of one batch: what a store takes in one transaction within milliseconds.
pub const BATCH_RECORDS: usize = 512;
/// Most bytes of one batch: well below the 4 MiB that gRPC servers take by default.
pub const BATCH_BYTES: usize = 1 << 20;

/// Records, oldest first.
#[derive(Debug, Default)]
pub struct Ledger {
    records: VecDeque<(String, Vec<u8>)>,
    bytes: usize,
}

impl Ledger {
    /// Takes the Record of an exchange; gives how many old ones had to go for it.
    pub fn push(&mut self, exchange: String, record: Vec<u8>) -> u32 {
        self.bytes = self.bytes.saturating_add(record.len());
        self.records.push_back((exchange, record));
        let mut lost = 0_u32;
        while self.records.len() > MAX_RECORDS || self.bytes > MAX_BYTES {
            let Some((_, record)) = self.records.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(record.len());
            lost = lost.saturating_add(1);
        }
        lost
    }

    /// The oldest Records that fit into one batch, at least one if there is any. They stay.
    pub fn batch(&self) -> Vec<Vec<u8>> {
        let (mut batch, mut bytes) = (Vec::new(), 0_usize);
        for (_, record) in self.records.iter().take(BATCH_RECORDS) {
            bytes = bytes.saturating_add(record.len());
            if bytes > BATCH_BYTES && !batch.is_empty() {
                break;
            }
            batch.push(record.clone());
        }
        batch
    }

    /// Whether a whole batch is waiting.
    pub fn has_full_batch(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    /// Forgets the Records of these exchanges, which were of the batch just sent. They are looked for where the batch was: at
    /// the front, so that a long queue behind it costs nothing.
    pub fn settled(&mut self, exchanges: &[String]) {
        let settled: HashSet<&str> = exchanges.iter().map(String::as_str).collect();
        let mut kept = Vec::new();
        for _ in 0..self.records.len().min(BATCH_RECORDS) {
            let Some((exchange, record)) = self.records.pop_front() else { break };
            if settled.contains(exchange.as_str()) {
                self.bytes = self.bytes.saturating_sub(record.len());
            } else {
                kept.push((exchange, record));
            }
        }
        kept.into_iter().rev().for_each(|record| self.records.push_front(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_sent_until_it_is_settled() {
        let mut ledger = Ledger::default();
        for id in ["a", "b", "c"] {
            assert_eq!(ledger.push(id.into(), id.into()), 0);
        }
        assert_eq!(ledger.batch(), [b"a", b"b", b"c"]);
        ledger.settled(&["b".into(), "unknown".into()]);
        assert_eq!(ledger.batch(), [b"a", b"c"]);
        ledger.settled(&["a".into(), "c".into()]);
        assert_eq!((ledger.batch().len(), ledger.bytes), (0, 0));
    }

    #[test]
    fn a_batch_has_a_bounded_number_and_size_but_never_nothing() {
        let mut ledger = Ledger::default();
        ledger.push("huge".into(), vec![0; BATCH_BYTES + 1]);
        ledger.push("small".into(), vec![0]);
        assert_eq!(ledger.batch().len(), 1);
        ledger.settled(&["huge".into()]);
        assert!(!ledger.has_full_batch());
        for number in 0..BATCH_RECORDS {
            ledger.push(number.to_string(), vec![0]);
        }
        assert_eq!(ledger.batch().len(), BATCH_RECORDS);
        assert!(ledger.has_full_batch());
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room_and_is_counted() {
        let mut ledger = Ledger::default();
        let lost: u32 = (0..MAX_RECORDS + 3).map(|number| ledger.push(number.to_string(), b"r".to_vec())).sum();
        assert_eq!((lost, ledger.records.len(), ledger.records[0].0.as_str()), (3, MAX_RECORDS, "3"));
        assert!(ledger.push("huge".into(), vec![0; MAX_BYTES]) > 1);
        assert!(ledger.bytes <= MAX_BYTES);
    }
}
