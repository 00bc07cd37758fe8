//! The root context of a filter: learns the filter's role; the router's also talks with the control plane.
//!
//! ```text
//! Watch:   Closed ──tick, when the pause is over──▶ Open ──gone, or a Snapshot refused──▶ Closed (a longer pause)
//! Settle:  a batch ──▶ acknowledged: forgotten │ failed: sent again after a pause; one at a time
//! ```
//!
//! Limits: one try to watch per pause of 250 ms to 5 s; the last good Snapshot serves meanwhile.

use dragoman_core::artifact::Artifact;
use dragoman_core::exchange::Question;
use dragoman_core::health::Fleet;
use dragoman_core::memory::{Changes, CoolDown, CredentialId};
use dragoman_core::snapshot::Snapshot;
use prost::Message;

use crate::contract::{Change, SettleRequest, SettleResponse, SnapshotUpdate, WatchRequest};
use crate::dispatch::Role;
use crate::host::{self, Level, Status};
use crate::worker::Worker;

/// Time between two looks at what is to be done, in milliseconds: so long a Record waits for others to go with.
const TICK_MS: u32 = 250;
/// Looks between two at the leases: they last for seconds at least.
const RENEW_TICKS: u32 = 2;
/// Longest pause between two tries, in milliseconds: so long after the control plane is back all workers know it.
const LONGEST_PAUSE_MS: u64 = 5000;
/// Most text that a refusal of a Snapshot says, in characters; the first mistakes are enough to find the rest.
const MAX_REFUSED: usize = 1000;

/// A pause after a failure, longer after each one.
#[derive(Debug, Default)]
struct Pause {
    length_ms: u64,
    until_ms: u64,
}

impl Pause {
    fn lengthen(&mut self, worker: &mut Worker) {
        self.length_ms = self.length_ms.saturating_mul(2).clamp(u64::from(TICK_MS), LONGEST_PAUSE_MS);
        let half = self.length_ms / 2;
        // Workers that lost the control plane together must not come back together.
        self.until_ms = host::now_ms().saturating_add(half).saturating_add(worker.ids.below(half));
    }

    fn is_over(&self) -> bool {
        host::now_ms() >= self.until_ms
    }
}

#[derive(Debug, Default)]
enum Watch {
    #[default]
    Closed,
    Open(u32),
}

/// One per filter configuration and VM.
#[derive(Debug, Default)]
pub struct Root {
    role: Option<Role>,
    watch: Watch,
    watch_pause: Pause,
    /// Why the last Snapshot was refused; empty when it was not.
    refused: String,
    /// The batch under way, by its token.
    settling: Option<u32>,
    settle_pause: Pause,
    ticks: u32,
}

impl Root {
    /// Which filter this is, once its configuration was taken.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// Takes the filter's configuration; false refuses it.
    pub fn on_configure(&mut self, worker: &mut Worker, configuration: &[u8]) -> bool {
        self.role = Role::read(configuration);
        if self.role == Some(Role::Router) {
            if host::set_tick(TICK_MS).is_err() {
                host::log(Level::Error, "no timer: the control plane cannot be watched");
            }
            self.watch(worker);
        }
        self.role.is_some()
    }

    /// Time has passed.
    pub fn on_tick(&mut self, worker: &mut Worker) {
        worker.wake_overdue(host::now_ms());
        worker.wake_waiting(host::now_ms());
        if matches!(self.watch, Watch::Closed) && self.watch_pause.is_over() {
            self.watch(worker);
        }
        if self.settle_pause.is_over() {
            self.settle(worker);
        }
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(RENEW_TICKS) {
            let due = worker.memory.purse.due(host::now_ms());
            if !due.is_empty() {
                worker.ask(&Question::Lend(due), None);
            }
        }
    }

    /// A message of a call or stream of ours.
    pub fn on_grpc_message(&mut self, worker: &mut Worker, token: u32, message: &[u8]) {
        if matches!(self.watch, Watch::Open(watch) if watch == token) {
            match SnapshotUpdate::decode(message) {
                Ok(update) => self.update(worker, token, update),
                Err(_) => self.refuse(worker, token, "not a SnapshotUpdate".into()),
            }
        } else if self.settling == Some(token) {
            self.settling = None;
            let settled = SettleResponse::decode(message).map(|answer| answer.settled).unwrap_or_default();
            if settled.is_empty() {
                return self.settle_pause.lengthen(worker);
            }
            self.settle_pause = Pause::default();
            worker.ledger.settled(&settled);
            if worker.ledger.has_full_batch() {
                self.settle(worker);
            }
        } else {
            worker.answered(token, Some(message));
        }
    }

    /// The end of a call or stream of ours, by a gRPC status code; or of one that never began and has an unknown token.
    pub fn on_grpc_close(&mut self, worker: &mut Worker, token: u32, status: u32) {
        if matches!(self.watch, Watch::Open(watch) if watch == token) {
            let _ = host::grpc_close(token);
            // Said once, not with every try.
            if self.watch_pause.length_ms == 0 {
                host::log(Level::Warn, &format!("the control plane is no longer watched (gRPC status {status})"));
            }
            self.watch = Watch::Closed;
            self.watch_pause.lengthen(worker);
        } else if self.settling == Some(token) {
            self.settling = None;
            self.settle_pause.lengthen(worker);
        } else {
            worker.answered(token, None);
        }
    }

    /// The filter's configuration is gone.
    pub fn on_done(&mut self, worker: &mut Worker) {
        if let Watch::Open(token) = self.watch {
            let _ = host::grpc_cancel(token);
        }
        if self.role == Some(Role::Router) {
            worker.give_up_calls();
        }
    }

    fn watch(&mut self, worker: &mut Worker) {
        let version = worker.memory.snapshot().map_or(0, |snapshot| snapshot.version);
        let artifacts = &worker.memory.artifacts;
        let request = WatchRequest {
            vm: worker.ids.vm(),
            version,
            refused: self.refused.clone(),
            revision: worker.memory.told(),
            artifact: artifacts.in_use().map(Artifact::digest).unwrap_or_default().to_owned(),
            named_artifacts: artifacts.named().map(|artifact| artifact.digest().to_owned()).collect(),
        };
        let open = || -> Result<u32, Status> {
            let token = host::grpc_stream(worker.method("Watch"))?;
            host::grpc_send(token, &request.encode_to_vec())?;
            // Only our half: the control plane answers when it knows that nothing more comes.
            host::grpc_close(token)?;
            Ok(token)
        };
        match open() {
            Ok(token) => self.watch = Watch::Open(token),
            Err(_) => self.watch_pause.lengthen(worker),
        }
    }

    fn update(&mut self, worker: &mut Worker, token: u32, update: SnapshotUpdate) {
        let mut credentials = Vec::new();
        let mut changes = Changes::default();
        for Change { revision, key_digest, account, credential } in &update.changes {
            match (key_digest.as_slice().try_into(), account.as_str(), credential.as_str()) {
                (Ok(key), ..) => changes.key(key, *revision),
                (_, "", _) => changes.everything(*revision),
                (_, account, "") => changes.account(account, *revision),
                (_, account, provider) => changes.own(provider, account, *revision),
            }
        }
        for renewed in update.renewed_credentials {
            match renewed.strip_suffix('@') {
                None => credentials.push(renewed),
                // Asked for anew by the next request of an account, of which there may be thousands.
                Some(id) => changes.own(id, "", u64::MAX),
            }
        }
        if let Some(told) = update.cool_downs {
            let known = |told: crate::contract::CoolDown| CoolDown {
                provider: told.provider,
                bearer: told.bearer,
                until_ms: told.until_ms,
            };
            worker.memory.cool_downs.learn(told.list.into_iter().map(known).collect(), host::now_ms());
        }
        if let Some(fleet) = update.health.as_deref().and_then(Fleet::read) {
            worker.memory.learn_health(fleet, host::now_ms());
        }
        let artifacts = &mut worker.memory.artifacts;
        // Those that are named first: the one that was in use may be among them.
        for why in update.named_artifacts.map(|told| artifacts.hold(&told.digests, &told.files)).into_iter().flatten() {
            host::log(Level::Error, &format!("an artifact was refused, its arms go by the rules: {why}"));
        }
        if let Some(Err(why)) = update.artifact.map(|file| artifacts.put_in_use(&file)) {
            host::log(Level::Error, &format!("an artifact was refused, the last one serves on: {why}"));
        }
        let told = if update.revision > 0 { update.revision } else { worker.memory.told() };
        worker.memory.forget(&changes, told);
        if !update.snapshot.is_empty() {
            match Snapshot::read(&update.snapshot) {
                Ok(snapshot) => {
                    let unknown = snapshot.providers.iter().map(|provider| &provider.credential);
                    let now = host::now_ms();
                    let unknown = unknown.filter(|id| {
                        !id.is_empty() && worker.memory.credential(&CredentialId::of_gateway(id), now).is_none()
                    });
                    credentials.extend(unknown.cloned());
                    worker.memory.publish(snapshot);
                }
                Err(mistakes) => return self.refuse(worker, token, mistakes.join("; ")),
            }
        }
        // The old ones serve until the new ones are here. What cannot be asked now is asked by the first request.
        for id in credentials {
            worker.ask(&Question::Credential(CredentialId::of_gateway(&id)), None);
        }
        self.refused.clear();
        self.watch_pause = Pause::default();
    }

    /// Keeps the last good Snapshot, and says why to whoever watches the control plane's log.
    fn refuse(&mut self, worker: &mut Worker, token: u32, mistakes: String) {
        self.refused = mistakes.chars().take(MAX_REFUSED).collect();
        host::log(Level::Error, &format!("a Snapshot was refused, the last one serves on: {}", self.refused));
        let _ = host::grpc_cancel(token);
        self.watch = Watch::Closed;
        self.watch_pause.lengthen(worker);
    }

    fn settle(&mut self, worker: &mut Worker) {
        let records = worker.ledger.batch();
        if records.is_empty() || self.settling.is_some() {
            return;
        }
        self.settling = worker.call("Settle", &SettleRequest { records });
        if self.settling.is_none() {
            self.settle_pause.lengthen(worker);
        }
    }
}
