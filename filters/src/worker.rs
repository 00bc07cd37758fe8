//! What every context of one VM shares: one VM per worker thread of the host, both filters in it.
//!
//! Why so: the router leaves an exchange here under its id, and the translator of each attempt finds it by that id. A VM that
//! was loaded anew has an empty registry, and says so rather than guess.
//!
//! Limits: an exchange stays until the client's stream and every attempt are gone, which the host promises to tell.

use std::collections::HashMap;
use std::rc::Rc;

use dragoman_core::admission::{Grant, KeyDigest, Leases};
use dragoman_core::exchange::{Exchange, HeadEdits, Question};
use dragoman_core::memory::{Credential, CredentialId, Memory};
use dragoman_core::secret::Secret;
use prost::Message;

use crate::calls::Calls;
use crate::contract::{
    AdmitRequest, AdmitResponse, CredentialRequest, CredentialResponse, FeedbackRequest, FeedbackResponse, LendRequest,
    LendResponse, SERVICE, Want,
};
use crate::host::{self, Level, Method};
use crate::ids::Ids;
use crate::ledger::Ledger;
use crate::stats::Stats;

/// How long an answer of the control plane is awaited. It stands next door and answers within milliseconds or is away.
const CALL_TIMEOUT_MS: u32 = 1000;

/// The same for a credential of the gateway's: it may have to be minted, but the other targets of the Plan wait with it.
const CREDENTIAL_TIMEOUT_MS: u32 = 3000;

/// The same for an account's own credential: a token that is over is renewed first, and its provider takes its time.
const OWN_CREDENTIAL_TIMEOUT_MS: u32 = 10_000;

/// The same for feedback: the Record of an answer that has just ended is awaited for three seconds before it is said not to be there.
const FEEDBACK_TIMEOUT_MS: u32 = 5000;

/// Most shadows under way in one VM: with the largest bodies that have one they take an eighth of it.
const MAX_SHADOWS: usize = 128;

/// The memory that the router and the translator of one worker have in common.
#[derive(Debug, Default)]
pub struct Worker {
    /// Name of the cluster behind which the control plane answers.
    control_plane: String,
    /// Streams whose wait is over, by their context.
    woken: Vec<u32>,
    /// What the control plane said.
    pub memory: Memory,
    /// Requests under way, by id.
    pub exchanges: HashMap<String, Exchange>,
    /// How many of them are shadows.
    shadows: usize,
    /// Bytes of their bodies, but for those of shadows.
    pub bodies: usize,
    /// What the control plane was asked and has not answered.
    pub calls: Calls,
    /// Records under way.
    pub ledger: Ledger,
    /// Names and chance.
    pub ids: Ids,
    /// Until when something is awaited of streams, by their contexts.
    deadlines: HashMap<u32, u64>,
    /// The streams of the requests that wait for their turn.
    seats: HashMap<String, u32>,
    /// The streams of the attempts that wait at the hop, by their exchanges.
    at_hop: HashMap<String, Vec<u32>>,
    /// What the host's statistics are told.
    pub stats: Stats,
    /// Records that were lost.
    lost: u32,
}

impl Worker {
    /// Takes the VM's configuration: the name of the control plane's cluster. False when it is no name.
    pub fn start(&mut self, configuration: &[u8]) -> bool {
        let mut seed = [0; 8];
        // Without chance the time has to tell VMs apart.
        let seed = host::random(&mut seed).map_or_else(|_| host::now_ms(), |()| u64::from_le_bytes(seed));
        // Called for each filter of the VM; a fresh seed makes no id twice.
        self.ids = Ids::new(seed);
        let Ok(name) = str::from_utf8(configuration.trim_ascii()) else { return false };
        self.control_plane = name.to_owned();
        !name.is_empty()
    }

    /// A method of the control plane.
    pub fn method<'a>(&'a self, name: &'a str) -> Method<'a> {
        Method { cluster: &self.control_plane, service: SERVICE, name }
    }

    /// Calls a method of the control plane; gives the call's token.
    pub fn call(&self, name: &str, message: &impl Message) -> Option<u32> {
        self.call_within(CALL_TIMEOUT_MS, name, message)
    }

    fn call_within(&self, timeout_ms: u32, name: &str, message: &impl Message) -> Option<u32> {
        host::grpc_call(self.method(name), &message.encode_to_vec(), timeout_ms).ok()
    }

    /// Asks the control plane, unless the question is on its way already. `stream` is woken when it is over. False when nobody
    /// can be asked.
    pub fn ask(&mut self, question: &Question, stream: Option<u32>) -> bool {
        let mut calls = std::mem::take(&mut self.calls);
        let asked = calls.join(question, stream, || match question {
            Question::Admit(key) => {
                let request = AdmitRequest { key_digest: key.to_vec(), vm: self.ids.vm(), ..Default::default() };
                self.call("Admit", &request)
            }
            Question::Recognise(caller) => {
                let request = AdmitRequest { identity: caller.document(), vm: self.ids.vm(), ..Default::default() };
                self.call("Admit", &request)
            }
            Question::Lend(budgets) => {
                let wants = self.memory.purse.wants(budgets);
                self.lend(LendRequest::default(), &wants)
            }
            Question::Hold { exchange, caller, account, wants } => {
                let (exchange, caller, account) = (exchange.clone(), caller.clone(), account.clone());
                self.lend(LendRequest { exchange, caller, account, ..Default::default() }, wants)
            }
            Question::Credential(which) => {
                let rejected = self.memory.take_rejected(which).map(|digest| digest.to_vec()).unwrap_or_default();
                let CredentialId { id, account } = which.clone();
                let request = CredentialRequest { credential: id, caller: account, rejected };
                let timeout = if request.caller.is_empty() { CREDENTIAL_TIMEOUT_MS } else { OWN_CREDENTIAL_TIMEOUT_MS };
                self.call_within(timeout, "Credential", &request)
            }
            Question::Feedback { caller, account, opinion, .. } => {
                let (opinion, caller, account) = (opinion.clone(), caller.clone(), account.clone());
                self.call_within(FEEDBACK_TIMEOUT_MS, "Feedback", &FeedbackRequest { opinion, caller, account })
            }
        });
        self.calls = calls;
        if !asked && matches!(question, Question::Lend(_) | Question::Hold { .. }) {
            self.memory.purse.unanswered(host::now_ms());
        }
        asked
    }

    fn lend(&self, request: LendRequest, wants: &[dragoman_core::admission::Want]) -> Option<u32> {
        let want = |want: &dragoman_core::admission::Want| Want {
            budget: want.id.clone(),
            window_ms: want.window_ms,
            taken: want.taken,
            wanted: want.wanted,
        };
        let wants = wants.iter().map(want).collect();
        self.call("Lend", &LendRequest { vm: self.ids.vm(), wants, ..request })
    }

    /// Takes the end of a call, with its answer if there is one. A call nobody knows never began.
    pub fn answered(&mut self, token: u32, answer: Option<&[u8]>) {
        let Some(call) = self.calls.take(token) else { return };
        if answer.is_none() && matches!(call.question, Question::Lend(_) | Question::Hold { .. }) {
            self.memory.purse.unanswered(host::now_ms());
        }
        if answer.is_some_and(|answer| self.learn(call.question, answer).is_none()) {
            host::log(Level::Error, "an answer of the control plane could not be read");
        }
        call.waiting.into_iter().for_each(|stream| self.wake(stream));
    }

    /// Gives up the calls that end with a root context. Who waits is told; who comes later asks again.
    pub fn give_up_calls(&mut self) {
        let waiting: Vec<u32> = self.calls.take_all().flat_map(|call| call.waiting).collect();
        waiting.into_iter().for_each(|stream| self.wake(stream));
    }

    fn learn(&mut self, question: Question, answer: &[u8]) -> Option<()> {
        let now = host::now_ms();
        match question {
            Question::Admit(key) => self.admit(key, answer, now)?,
            Question::Recognise(caller) => self.admit(caller.digest(), answer, now)?,
            Question::Lend(_) => {
                let answer = LendResponse::decode(answer).ok()?;
                self.memory.purse.learn(&Leases::read(&answer.leases)?, now);
            }
            Question::Hold { exchange, .. } => {
                let answer = LendResponse::decode(answer).ok()?;
                // Who left meanwhile needs nothing any more; its Record gives back what is held.
                if self.exchanges.contains_key(&exchange) {
                    self.memory.purse.learn_held(exchange, Leases::read(&answer.leases)?);
                }
            }
            Question::Feedback { exchange, .. } => {
                let FeedbackResponse { kept } = FeedbackResponse::decode(answer).ok()?;
                if let Some(exchange) = self.exchanges.get_mut(&exchange) {
                    exchange.is_kept(kept);
                }
            }
            Question::Credential(which) => {
                let answer = CredentialResponse::decode(answer).ok()?;
                let CredentialResponse { header, value, valid_for_ms, revision, renewable } = answer;
                if header.is_empty() {
                    self.memory.forget_credential(&which);
                } else {
                    let credential = Credential { header, value: Secret::new(value), renewable };
                    self.memory.equip_as_of(which, credential, revision, valid_for_ms, now);
                }
            }
        }
        Some(())
    }

    fn admit(&mut self, caller: KeyDigest, answer: &[u8], now: u64) -> Option<()> {
        let answer = AdmitResponse::decode(answer).ok()?;
        let grant = if answer.grant.is_empty() { None } else { Some(Grant::read(&answer.grant)?) };
        if !answer.leases.is_empty() {
            self.memory.purse.learn(&Leases::read(&answer.leases)?, now);
        }
        self.memory.admit(caller, grant, answer.valid_for_ms, now);
        Some(())
    }

    /// Puts the Record of an exchange that is over into the ledger and the statistics, and forgets the exchange.
    pub fn finish(&mut self, exchange: &str) {
        let Some(over) = self.exchanges.get_mut(exchange).filter(|known| known.record().is_some()) else { return };
        over.true_up(&mut self.memory);
        let Some(record) = self.exchanges.get(exchange).and_then(Exchange::record) else { return };
        self.stats.exchange(record, self.memory.snapshot().map(Rc::as_ref));
        let lost = self.ledger.push(exchange.to_owned(), record.write());
        self.forget(exchange);
        if lost > 0 {
            if self.lost == 0 {
                host::log(Level::Error, "the control plane is away too long: the oldest Records are being lost");
            }
            self.lost = self.lost.saturating_add(lost);
            self.stats.lost(lost);
        }
        // Where it was, there may be room now.
        self.wake_waiting(host::now_ms());
    }

    fn forget(&mut self, exchange: &str) {
        let is_shadow = self.exchanges.remove(exchange).is_some_and(|known| known.is_shadow());
        self.shadows = self.shadows.saturating_sub(usize::from(is_shadow));
    }

    /// Has Envoy mirror an exchange that is about to be sent, where it has a shadow, which is named.
    pub fn shadow(&mut self, exchange: &str, edits: &mut HeadEdits) -> Option<String> {
        let known = self.exchanges.get(exchange).filter(|_| self.shadows < MAX_SHADOWS)?;
        let (now, ids) = (host::now_ms(), &mut self.ids);
        let (shadow, questions) = known.shadow(|| ids.next(now), &mut self.memory, now)?;
        shadow.mirror(edits);
        let id = shadow.id().to_owned();
        self.exchanges.insert(id.clone(), shadow);
        self.shadows = self.shadows.saturating_add(1);
        for question in questions {
            self.ask(&question, None);
        }
        Some(id)
    }

    /// A shadow that has not come to a translator while its client was there never will.
    pub fn leave_unmade(&mut self, shadow: &str) {
        if let Some(known) = self.exchanges.get_mut(shadow).filter(|known| known.is_unmade()) {
            known.true_up(&mut self.memory);
            self.forget(shadow);
        }
    }

    /// Has `on_wake` of this stream called at that time, unless another is set before; with none, not at all.
    pub fn await_until(&mut self, stream: u32, deadline_ms: Option<u64>) {
        match deadline_ms {
            Some(deadline) => self.deadlines.insert(stream, deadline),
            None => self.deadlines.remove(&stream),
        };
    }

    /// Whether that time has come for this stream; told once.
    pub fn is_overdue(&mut self, stream: u32, now_ms: u64) -> bool {
        let is_overdue = self.deadlines.get(&stream).is_some_and(|deadline| *deadline <= now_ms);
        if is_overdue {
            self.deadlines.remove(&stream);
        }
        is_overdue
    }

    /// Wakes every stream whose time has come.
    pub fn wake_overdue(&mut self, now_ms: u64) {
        let overdue = self.deadlines.iter().filter(|(_, deadline)| **deadline <= now_ms);
        self.woken.extend(overdue.map(|(stream, _)| *stream));
    }

    /// A request waits for its turn.
    pub fn seat(&mut self, exchange: &str, stream: u32) {
        self.seats.insert(exchange.to_owned(), stream);
    }

    /// A request waits no longer.
    pub fn unseat(&mut self, exchange: &str) {
        self.seats.remove(exchange);
    }

    /// Wakes those who wait and whose turn it may be.
    pub fn wake_waiting(&mut self, now_ms: u64) {
        if !self.memory.waiting.is_empty() {
            let due = self.memory.waiting.due(now_ms);
            self.woken.extend(due.iter().filter_map(|exchange| self.seats.get(exchange)));
        }
    }

    /// An attempt waits at the hop.
    pub fn wait_at_hop(&mut self, exchange: &str, stream: u32) {
        self.at_hop.entry(exchange.to_owned()).or_default().push(stream);
    }

    /// Wakes the attempts of an exchange that wait at the hop; those whose turn it is not wait again.
    pub fn wake_at_hop(&mut self, exchange: &str) {
        self.woken.extend(self.at_hop.remove(exchange).into_iter().flatten());
    }

    /// Has `on_wake` of this stream called when the current callback returns; a stream that is gone is left alone.
    pub fn wake(&mut self, stream: u32) {
        self.woken.push(stream);
    }

    /// The streams to wake now.
    pub(crate) fn take_woken(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.woken)
    }
}
