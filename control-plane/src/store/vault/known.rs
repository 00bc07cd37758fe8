//! What this process has seen last of each tenant's manifest: nothing older is believed, and what is still the same is neither read
//! nor checked again. A tenant may have thousands of secrets, and its manifest is asked with every use of one of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::vault::{Broken, Manifest, Ring, Tagged};

/// A manifest whose code was right; of a tenant that has none, an empty one.
#[derive(Debug, Default)]
pub struct Known {
    pub manifest: Manifest,
    pub key_id: String,
    pub tag: String,
}

impl Known {
    /// One that was just made.
    pub fn made(manifest: Manifest, tagged: &Tagged) -> Arc<Known> {
        Arc::new(Known { manifest, key_id: tagged.key_id.clone(), tag: tagged.tag.clone() })
    }

    /// Whether it is the one of that code: nobody makes the same code of another text.
    fn is(&self, tagged: &Tagged) -> bool {
        !self.tag.is_empty() && self.tag == tagged.tag && self.key_id == tagged.key_id
    }

    /// The one that was read, if it is right and no older than this one. One that is gone is as old as any can be.
    pub fn then(self: &Arc<Self>, ring: &Ring, tenant: &str, read: Option<Tagged>) -> Result<Arc<Known>, Broken> {
        let next = match read {
            Some(tagged) if self.is(&tagged) => Arc::clone(self),
            Some(tagged) => Known::made(ring.check(tenant, &tagged)?, &tagged),
            None => Arc::default(),
        };
        if next.manifest.generation < self.manifest.generation { Err(Broken::RolledBack) } else { Ok(next) }
    }
}

/// The manifests of all tenants that were asked for.
#[derive(Default)]
pub struct Manifests(Mutex<HashMap<String, Arc<Known>>>);

impl Manifests {
    /// What was seen last.
    pub fn last(&self, tenant: &str) -> Arc<Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned().unwrap_or_default()
    }

    /// Remembers one that is committed, unless a later one was seen meanwhile.
    pub fn saw(&self, tenant: &str, known: &Arc<Known>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(tenant) {
            Some(last) if last.manifest.generation > known.manifest.generation => {}
            Some(last) => *last = Arc::clone(known),
            None => {
                all.insert(tenant.to_string(), Arc::clone(known));
            }
        }
    }
}
