//! The artifacts that models are chosen by: where they come from, which one is in use, which ones arms of experiments name, and that
//! everybody learns of them.
//!
//! ```text
//! source ─ looked at every `refresh` ─▶ checked ─▶ store ◀─ operators (add, use, remove)
//!                                          │         │ looked at twice a second, by every control plane
//!                                       refused      ▼
//!                                               Watch streams, explain
//! ```
//!
//! What can't be used is told in the log and by the admin API, and the one before serves on.
//!
//! Limits: a source is asked by every control plane that shares the store; the first that finds something new is heard.

mod source;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dragoman_core::artifact::Artifact;
use dragoman_core::memory;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use crate::current::Feed;
use crate::data_plane::{Shared, Watching};
use crate::outbound;
use crate::run::environment;
use crate::settings::{ArtifactSource, TuningSettings};
use crate::store::{Store, hex};
use crate::tuning::{SHIPPED, shipped_digest};

use source::{Found, Mark};

/// How often it is looked which one is in use.
const LOOK: Duration = Duration::from_millis(500);
/// How long a source may take to answer.
const LONGEST: Duration = Duration::from_secs(20);

/// What a source had when it was looked at last.
#[derive(Default)]
struct Heard {
    /// Where that was, or why it is nowhere.
    source: Option<Result<ArtifactSource, String>>,
    /// By what it knows whether it changed.
    mark: Mark,
    /// The SHA-256 of the whole file, good or not; empty for none.
    digest: Option<String>,
    /// Why it could not be had; empty when it could.
    trouble: String,
}

/// What arms of experiments named when it was looked at last.
#[derive(Default)]
struct Named {
    /// How digests begin.
    begins: BTreeSet<String>,
    /// Those of them that nobody has.
    missing: BTreeSet<String>,
    /// What there is.
    files: Vec<Shared>,
}

/// The artifacts, as one control plane follows them.
pub struct Artifacts {
    store: Store,
    rows: Feed,
    client: reqwest::Client,
    watching: Arc<Watching>,
    heard: Mutex<Heard>,
    /// The change that was looked at last; held while it is looked.
    seen: Mutex<Option<i64>>,
    named: Mutex<Named>,
    known: watch::Sender<memory::Artifacts>,
}

impl Artifacts {
    /// Begins with the one that is in use by the store, or with what a source of this machine has.
    pub async fn begin(
        store: Store,
        rows: Feed,
        watching: Arc<Watching>,
        authorities: Option<&[u8]>,
    ) -> anyhow::Result<Artifacts> {
        let client = outbound::client(authorities, LONGEST)?;
        let (heard, seen, named) = (Mutex::default(), Mutex::default(), Mutex::default());
        let artifacts =
            Artifacts { store, rows, client, watching, heard, seen, named, known: watch::Sender::default() };
        artifacts.look().await?;
        let settings = artifacts.settings();
        if !matches!(settings.source(&environment), Ok(ArtifactSource::Address(_))) {
            artifacts.ask(&settings).await?;
        }
        artifacts.look_for_named().await?;
        Ok(artifacts)
    }

    /// Those that models are chosen by.
    pub fn known(&self) -> memory::Artifacts {
        self.known.borrow().clone()
    }

    /// Follows the store, the settings and the source for ever.
    pub async fn run(&self) {
        tokio::join!(self.follow_store(), self.follow_source());
    }

    async fn follow_store(&self) {
        let mut interval = interval(LOOK);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rows = self.rows.clone();
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                // Arms go by the rules until what they name is there.
                Ok(()) = rows.changed() => {}
            }
            let looked = async { self.look().await.and(self.look_for_named().await) };
            if let Err(failed) = looked.await {
                error!("the store failed, and which artifacts are in use is not seen: {failed:#}");
            }
        }
    }

    async fn follow_source(&self) {
        let mut rows = self.rows.clone();
        loop {
            let settings = self.settings();
            if let Err(failed) = self.ask(&settings).await {
                error!("the store failed, and what the artifact's source has is not taken: {failed:#}");
            }
            let changed = async {
                while rows.changed().await.is_ok() {
                    if rows.borrow_and_update().file.tuning != settings {
                        return;
                    }
                }
                std::future::pending().await
            };
            tokio::select! {
                () = sleep(settings.refresh) => {}
                () = changed => {}
            }
        }
    }

    fn settings(&self) -> TuningSettings {
        self.rows.borrow().file.tuning.clone()
    }

    /// Takes which one is in use by the store, and tells everybody.
    pub async fn look(&self) -> anyhow::Result<()> {
        let mut seen = self.seen.lock().await;
        let used = self.store.artifact_in_use().await?;
        if *seen == Some(used.revision) {
            return Ok(());
        }
        let file = match used.digest.as_str() {
            "" => Some(Vec::new()),
            digest => self.store.artifact_file(digest).await?,
        };
        *seen = Some(used.revision);
        let mut put = Err("it is not kept".to_owned());
        if let Some(file) = &file {
            self.known.send_modify(|known| put = known.put_in_use(file).map_err(|why| why.to_string()));
        }
        if let Err(why) = put {
            // Another version of the program may have put one in use that this one can't read.
            error!(digest = used.digest, "the artifact in use can't be read here, the one before serves on: {why}");
            return Ok(());
        }
        match self.known.borrow().in_use() {
            Some(artifact) => info!(name = artifact.name(), digest = used.digest, "an artifact is in use"),
            None => info!("no artifact is in use: rules say how hard requests are"),
        }
        self.watching.tell_artifact(&used.digest, Arc::new(file.unwrap_or_default()));
        Ok(())
    }

    /// Takes the artifacts that arms of experiments name, and tells everybody. What nobody has is looked for again each time, and said
    /// once.
    async fn look_for_named(&self) -> anyhow::Result<()> {
        let mut seen = self.named.lock().await;
        let begins = self.rows.borrow().file.named_artifacts();
        if begins == seen.begins && seen.missing.is_empty() {
            return Ok(());
        }
        let mut now = Named { begins, ..Named::default() };
        let mut fresh = Vec::new();
        for begins in &now.begins {
            let is_it = |one: &&Shared| one.digest.starts_with(begins);
            if now.files.iter().any(|one| is_it(&one)) {
                continue;
            }
            match seen.files.iter().find(is_it) {
                Some(known) => now.files.push(known.clone()),
                None => match self.kept(begins).await? {
                    Some(found) => {
                        fresh.push(found.file.clone());
                        now.files.push(found);
                    }
                    None => drop(now.missing.insert(begins.clone())),
                },
            }
        }
        for begins in now.missing.difference(&seen.missing) {
            warn!(artifact = begins, "arms of an experiment name an artifact that is not kept: they go by the rules");
        }
        if now.files != seen.files {
            let digests: Vec<String> = now.files.iter().map(|one| one.digest.clone()).collect();
            let (files, mut refused): (Vec<&[u8]>, _) = (fresh.iter().map(|file| &file[..]).collect(), Vec::new());
            self.known.send_modify(|known| refused = known.hold(&digests, &files));
            for why in refused {
                error!("an artifact that an arm names can't be read here, the rules stand in for it: {why}");
            }
            info!(artifacts = digests.join(","), "arms of experiments name artifacts");
            self.watching.tell_named_artifacts(now.files.clone());
        }
        *seen = now;
        Ok(())
    }

    /// The one whose digest begins so, if anybody has it.
    async fn kept(&self, begins: &str) -> anyhow::Result<Option<Shared>> {
        let shipped = shipped_digest();
        if shipped.starts_with(begins) {
            return Ok(Some(Shared { digest: shipped, file: Arc::new(SHIPPED.to_vec()) }));
        }
        let Some(digest) = self.store.artifact_beginning(begins).await? else { return Ok(None) };
        let file = self.store.artifact_file(&digest).await?;
        Ok(file.map(|file| Shared { digest, file: Arc::new(file) }))
    }

    /// Looks what the source has; an error is the store's.
    async fn ask(&self, settings: &TuningSettings) -> anyhow::Result<()> {
        let mut heard = self.heard.lock().await;
        let source = settings.source(&environment);
        if heard.source.as_ref() != Some(&source) {
            *heard = Heard { source: Some(source.clone()), ..Heard::default() };
        }
        let found = match &source {
            Ok(source) => source::fetch(source, &heard.mark, &self.client).await,
            Err(wrong) => Err(wrong.clone()),
        };
        match found {
            Ok(Found::AsBefore) => heard.trouble.clear(),
            Ok(Found::File { file, mark }) => {
                let digest = if file.is_empty() { String::new() } else { hex(&Sha256::digest(&file)) };
                if heard.digest.as_ref() != Some(&digest) || !heard.trouble.is_empty() {
                    let name = source.map(|source| source.name()).unwrap_or_default();
                    self.offered(&name, &file).await?;
                }
                // Noted last: what the store did not take is offered again.
                (heard.mark, heard.digest) = (mark, Some(digest));
                heard.trouble.clear();
            }
            Err(why) if why == heard.trouble => {}
            Err(why) => {
                warn!("the artifact can't be had, the one in use serves on: {why}");
                self.store.refuse_artifact(&why).await?;
                // Asked for as a whole when it can be had again, for then it is offered again.
                (heard.mark, heard.trouble) = (Mark::default(), why);
            }
        }
        Ok(())
    }

    async fn offered(&self, source: &str, file: &[u8]) -> anyhow::Result<()> {
        let artifact = match file {
            [] => None,
            file => match Artifact::read(file) {
                Ok(artifact) => Some(artifact),
                Err(why) => {
                    error!(source, "an artifact was refused, the one in use serves on: {why}");
                    return self.store.refuse_artifact(&format!("{source}: {why}")).await;
                }
            },
        };
        let offered = artifact.as_ref().map(|artifact| (artifact, file));
        let named = self.rows.borrow().file.named_artifacts();
        if self.store.offer_artifact(source, offered, &named).await? {
            info!(source, "its artifact is put in use");
        }
        self.look().await
    }
}

#[cfg(test)]
mod tests;
