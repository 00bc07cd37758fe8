//! Which version of each of a tenant's rows is the last one, under a code that only the vault's key makes.
//!
//! Why one for each tenant: it is written anew with every change, and a gateway may have thousands of tenants.

use anyhow::Context;
use hmac::Mac;
use serde::{Deserialize, Serialize};

use super::ring::Ring;
use super::{Broken, Purpose, Slot};
use crate::store::{hex, unhex};

/// Most secrets of one tenant; its manifest has some hundred kilobytes then.
pub const MAX_MARKS: usize = 4096;

/// One row, as it was written last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where the secret belongs.
    pub slot: Slot,
    /// The row's id.
    pub id: String,
    /// Its version.
    pub version: i64,
}

/// All rows of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Rises with every change of any of them, and is the version of the row that changed: no version ever comes twice.
    pub generation: i64,
    /// The rows.
    pub marks: Vec<Mark>,
}

/// A manifest as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// What it says.
    pub text: String,
    /// Which of the vault's keys made the code.
    pub key_id: String,
    /// The code, in hexadecimal digits.
    pub tag: String,
}

/// Row, version, purpose, account, provider.
type Words<S> = (S, i64, S, S, S);

#[derive(Serialize, Deserialize)]
struct Written<S> {
    generation: i64,
    marks: Vec<Words<S>>,
}

impl Manifest {
    /// What it says of a place.
    pub fn find(&self, slot: &Slot) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.slot == *slot)
    }

    /// Notes that the row of a place is a new one, or that it is gone.
    pub fn change(&mut self, slot: &Slot, id: Option<&str>) -> i64 {
        self.generation += 1;
        self.marks.retain(|mark| mark.slot != *slot);
        self.marks.extend(id.map(|id| Mark { slot: slot.clone(), id: id.to_string(), version: self.generation }));
        self.generation
    }

    /// What a text says, whoever wrote it.
    pub fn read(text: &str) -> Option<Manifest> {
        let written: Written<String> = serde_json::from_str(text).ok()?;
        let mark = |(id, version, purpose, account, provider): Words<String>| {
            Some(Mark { slot: Slot { purpose: Purpose::named(&purpose)?, account, provider }, id, version })
        };
        let marks = written.marks.into_iter().map(mark).collect::<Option<_>>()?;
        Some(Manifest { generation: written.generation, marks })
    }

    fn text(&self) -> anyhow::Result<String> {
        let marks = self.marks.iter().map(|mark| {
            let Slot { purpose, account, provider } = &mark.slot;
            (mark.id.as_str(), mark.version, purpose.name(), account.as_str(), provider.as_str())
        });
        let written = Written { generation: self.generation, marks: marks.collect() };
        serde_json::to_string(&written).context("a manifest can't be written")
    }
}

impl Ring {
    /// A tenant's manifest with its code.
    pub fn tag(&self, tenant: &str, manifest: &Manifest) -> anyhow::Result<Tagged> {
        let (key, text) = (self.first()?, manifest.text()?);
        let tag = hex(&key.tag(b"manifest", &[tenant.as_bytes(), &[0], text.as_bytes()])?.finalize().into_bytes());
        Ok(Tagged { text, key_id: key.id.clone(), tag })
    }

    /// A tenant's manifest, if its code is right.
    pub fn check(&self, tenant: &str, tagged: &Tagged) -> Result<Manifest, Broken> {
        let key = self.find(&tagged.key_id).ok_or_else(|| Broken::NoKey(tagged.key_id.clone()))?;
        let code = key.tag(b"manifest", &[tenant.as_bytes(), &[0], tagged.text.as_bytes()]);
        let said = unhex(&tagged.tag).ok_or(Broken::Changed)?;
        // Takes the same time whatever differs.
        code.map_err(|_| Broken::Changed)?.verify_slice(&said).map_err(|_| Broken::Changed)?;
        Manifest::read(&tagged.text).ok_or(Broken::Changed)
    }
}
