//! The control plane as the module sees it: answers what is asked, at once, from what a test has put in.
//!
//! Why so: the few messages are written and read here by hand, so that a mistake of the module's in the contract is not made
//! twice.

use std::collections::BTreeMap;

use super::world::Call;

/// How long answers may be used, in milliseconds: longer than any test.
const VALID_FOR_MS: u64 = 1_000_000_000;

/// What it answers with, and what it was told.
#[derive(Debug, Default, Clone)]
pub struct ControlPlane {
    /// The Snapshot's document.
    pub snapshot: Vec<u8>,
    /// What is told of everybody's health: a Fleet document; empty when nothing is.
    pub health: Vec<u8>,
    /// Grants by the digest of their key; every other key is refused.
    pub grants: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Header and value by the credential's id.
    pub credentials: BTreeMap<String, (String, Vec<u8>)>,
    /// The cluster that each slot header stands for, as the route configuration has it.
    pub clusters: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The Records that were settled.
    pub records: Vec<Vec<u8>>,
    /// The methods that were called, in order.
    pub asked: Vec<String>,
}

impl ControlPlane {
    /// The message that answers a call; none for a method that the contract does not have.
    pub fn answer(&mut self, call: &Call) -> Option<Vec<u8>> {
        let asked = fields(call.message.as_deref().unwrap_or_default());
        let first = |number: u64| asked.iter().find(|(known, _)| *known == number).map(|(_, value)| value.clone());
        let name = call.method.strip_prefix("dragoman.v1.DataPlane/")?.to_owned();
        let mut out = Vec::new();
        match name.as_str() {
            "Watch" => {
                number(1, 1, &mut out);
                bytes(2, &self.snapshot, &mut out);
                if !self.health.is_empty() {
                    bytes(8, &self.health, &mut out);
                }
            }
            "Admit" => {
                let grant = self.grants.get(&first(1).unwrap_or_default());
                bytes(1, grant.map_or(&[], Vec::as_slice), &mut out);
                number(2, VALID_FOR_MS, &mut out);
            }
            "Credential" => {
                let id = String::from_utf8(first(1).unwrap_or_default()).unwrap_or_default();
                if let Some((header, value)) = self.credentials.get(&id) {
                    bytes(1, header.as_bytes(), &mut out);
                    bytes(2, value, &mut out);
                    number(3, VALID_FOR_MS, &mut out);
                }
            }
            "Settle" => {
                for (_, record) in asked.into_iter().filter(|(number, _)| *number == 1) {
                    bytes(1, exchange(&record).as_bytes(), &mut out);
                    self.records.push(record);
                }
            }
            _ => return None,
        }
        self.asked.push(name);
        Some(out)
    }
}

fn exchange(record: &[u8]) -> String {
    let record: serde_json::Value = serde_json::from_slice(record).unwrap_or_default();
    record["exchange"].as_str().unwrap_or_default().to_owned()
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a field of a message: a number.
pub fn number(field: u64, value: u64, out: &mut Vec<u8>) {
    varint(field << 3, out);
    varint(value, out);
}

/// Writes a field of a message: text or bytes.
pub fn bytes(field: u64, value: &[u8], out: &mut Vec<u8>) {
    varint(field << 3 | 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// The fields of a message that are text or bytes, by number, as far as it can be read.
pub fn fields(message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let (mut at, mut found) = (0, Vec::new());
    let read = |at: &mut usize| {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *message.get(*at)?;
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    while let Some(tag) = read(&mut at) {
        let Some(value) = read(&mut at) else { break };
        if tag & 7 == 2 {
            let size = value as usize;
            let Some(text) = message.get(at..).and_then(|rest| rest.get(..size)) else { break };
            found.push((tag >> 3, text.to_vec()));
            at += size;
        }
    }
    found
}
