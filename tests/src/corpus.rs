//! The recorded traffic of real clients and real providers, run through the pure core: what must hold of every exchange.
//!
//! [`recording`] reads one exchange, [`verdict`] keeps what was checked of it, [`report`] adds up. The checks:
//! [`expected`] (an independent reading), [`cross`] (every other client), [`asked`] with [`meaning`] and [`silent`] (requests),
//! [`cuts`] (streams in other pieces, streams that break off), [`failure`] (errors), [`relay`] (the very bytes).
//!
//! *Limits*: the machines and the dialects are driven natively and without Envoy; other tests do that.

pub mod asked;
pub mod cross;
pub mod cuts;
pub mod embed;
pub mod expected;
pub mod failure;
pub mod heard;
pub mod meaning;
pub mod recording;
pub mod relay;
pub mod report;
pub mod silent;
pub mod types;
pub mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dragoman_core::catalog::DialectId;

use asked::Asked;
use cross::CLIENTS;
use recording::Recording;
use verdict::{Invariant, Verdict};

/// Where the recordings are, beside the repository; `None` where they are not.
pub fn folder() -> Option<PathBuf> {
    let open = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open");
    open.is_dir().then_some(open)
}

/// How many threads share the work.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Does `work` for every item on all cores; the results in the order of the items.
pub fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                while let Some((index, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((index, items.get(index)?)))
                {
                    let result = work(item);
                    if let Ok(mut done) = done.lock() {
                        done.push((index, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Everything that can be checked of one exchange.
pub fn judge(recording: &Recording) -> Verdict {
    let mut verdict = Verdict {
        id: recording.id.clone(),
        api: recording.api.clone(),
        dialect: recording.dialect,
        streamed: recording.is_streamed(),
        checks: Vec::new(),
    };
    let parts: &[fn(&Recording, DialectId, &mut Verdict)] = match recording.dialect {
        Some(_) => &[request, answer, error],
        None => &[vectors],
    };
    let Some(dialect) = recording.dialect.or(embed::dialect_of(recording)) else { return verdict };
    for part in parts {
        let checked = catch_unwind(AssertUnwindSafe(|| {
            let mut inside = Verdict::default();
            part(recording, dialect, &mut inside);
            inside.checks
        }));
        match checked {
            Ok(checks) => verdict.checks.extend(checks),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
                verdict.note(Invariant::Panic, None, vec![said.unwrap_or_else(|| "a panic".to_owned())]);
            }
        }
    }
    verdict.note(Invariant::Panic, None, Vec::new());
    verdict
}

fn request(recording: &Recording, dialect: DialectId, verdict: &mut Verdict) {
    let Some(sent) = &recording.sent else { return };
    if let Some(asked) = Asked::of(dialect, sent, recording.is_error()) {
        judge_request(&asked, verdict);
    }
}

/// Everything that can be checked of one request.
pub fn judge_request(asked: &Asked, verdict: &mut Verdict) {
    verdict.note(Invariant::Identity, None, asked.identity());
    for to in DialectId::ALL.into_iter().filter(|to| *to != asked.dialect) {
        if let Some((unsaid, silent)) = asked.said_in(to) {
            verdict.note(Invariant::Request, Some(to), unsaid);
            verdict.note(Invariant::Silent, Some(to), silent);
        }
    }
}

fn answer(recording: &Recording, dialect: DialectId, verdict: &mut Verdict) {
    if recording.is_error() {
        return;
    }
    let direct = heard::hear(dialect, recording.framing, [recording.bytes.as_slice()]);
    verdict.note(Invariant::Answer, None, expected::answer(&recording.expect, &direct));
    match dragoman_core::dialect::of(dialect).client() {
        Some(_) => {
            let (bytes, counts) = relay::problems(recording, dialect, &direct);
            verdict.note(Invariant::Relay, None, bytes);
            verdict.note(Invariant::Usage, None, counts);
        }
        None => verdict.note(Invariant::Usage, None, relay::counted(recording, dialect)),
    }
    for client in CLIENTS {
        verdict.note(Invariant::Cross, Some(client), cross::problems(recording, dialect, client, &direct));
    }
    if recording.is_streamed() {
        verdict.note(Invariant::Rechunk, None, cuts::rechunk(recording, dialect));
        verdict.note(Invariant::Truncation, None, cuts::truncation(recording, dialect, &direct));
    }
}

fn vectors(recording: &Recording, dialect: DialectId, verdict: &mut Verdict) {
    verdict.note(Invariant::Vectors, None, embed::problems(recording, dialect));
    if recording.is_error() {
        error(recording, dialect, verdict);
    }
}

fn error(recording: &Recording, dialect: DialectId, verdict: &mut Verdict) {
    if !recording.is_error() {
        return;
    }
    verdict.note(Invariant::Error, None, failure::reading(recording, dialect));
    if recording.dialect.is_some() && dragoman_core::dialect::of(dialect).client().is_some() {
        verdict.note(Invariant::Relay, None, relay::error_problems(recording, dialect));
    }
    for client in CLIENTS.into_iter().filter(|client| *client != dialect) {
        verdict.note(Invariant::Error, Some(client), failure::telling(recording, dialect, client));
    }
}
