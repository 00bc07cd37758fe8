//! One of two providers is there for a second and away for the next: callers do not notice, and its breaker keeps them off it.
//!
//! When the breaker is open is told by a breaker of the same kind to which the provider's journal is read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dragoman_core::health::{Breaker, Settings};

use super::crowd::{ask_all, failed};
use super::figures::Figure;
use super::options::{Options, Scenario};
use super::{MODEL, patient, provider, remembering};
use crate::gateway::Gateway;
use crate::simulator::{Reply, Request, Script};

/// Callers at once.
const CALLERS: usize = 4;

/// So long it is there, and then so long away.
const BEAT: Duration = Duration::from_secs(1);

/// Requests that may fail, in percent.
const FAILED: f64 = 0.1;

/// Probes a second that a worker may make.
const PROBES: f64 = 1.0;

/// What was under way when the breaker opened is no probe.
const UNDER_WAY: u64 = 50;

/// Runs it: with breakers as they are usually, and with some that are open for as long as it is away.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let seconds = Duration::from_secs(options.count(Scenario::Flapping) as u64) / 2;
    let mut figures = flap("30s", 30_000, seconds)?;
    figures.extend(flap("1s", 1000, seconds)?);
    Ok(figures)
}

fn flap(open_for: &str, open_ms: u64, seconds: Duration) -> anyhow::Result<Vec<Figure>> {
    let (flapping, steady) = (remembering()?, provider()?);
    let setup = patient().simulator("flapping", &flapping).simulator("steady", &steady);
    let setup = setup.model(MODEL, &["flapping", "steady"]).health(&format!("open_for = \"{open_for}\""));
    let gateway = Gateway::start(&setup)?;
    let (began, is_over) = (Instant::now(), AtomicBool::new(false));
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            for script in [|| Script::always(Reply::reset()), Script::default].iter().cycle() {
                std::thread::sleep(BEAT);
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                flapping.play(script());
            }
        });
        let told = ask_all(&gateway, gateway.key(), &[MODEL], CALLERS, |_| began.elapsed() < seconds);
        is_over.store(true, Ordering::Relaxed);
        told
    })?;
    let journal = flapping.journal().requests();
    let down = journal.iter().filter(|request| request.delivered.status != Some(200)).count();
    let probing = Probing::read(&journal, began, Settings { open_ms, ..Settings::USUAL });
    let mut figures =
        vec![Figure::told(format!("requests while one of two flaps, breakers open for {open_for}"), told.len())];
    figures.extend(failed(&told, FAILED));
    figures.extend([
        Figure::told("attempts at it", journal.len()),
        Figure::told("of these while it was away", down),
        Figure::told("times that its breaker opened", probing.opened),
        Figure::told("seconds that it was not closed", format!("{:.1}", probing.shut_ms as f64 / 1e3)),
        Figure::told("probes in these", probing.probes),
        Figure::at_most("probes a second in these", probing.rate(), PROBES, ""),
    ]);
    Ok(figures)
}

/// What a breaker would have done.
#[derive(Debug, Default)]
struct Probing {
    opened: usize,
    /// How long it was open or half-open.
    shut_ms: u64,
    /// Attempts that began in that time.
    probes: usize,
}

impl Probing {
    fn read(journal: &[Request], began: Instant, settings: Settings) -> Self {
        let ms = |moment: Instant| u64::try_from(moment.saturating_duration_since(began).as_millis()).unwrap_or(0);
        let mut events: Vec<(u64, Option<bool>)> = Vec::new();
        for request in journal {
            events.push((ms(request.received.first_byte), None));
            let ended = request.delivered.ended.map(|ended| (ms(ended), Some(request.delivered.status == Some(200))));
            events.extend(ended);
        }
        events.sort();
        let (mut breaker, mut probing) = (Breaker::default(), Self::default());
        let (mut shut_since, mut opened_ms) = (None, 0);
        for (now, event) in events {
            match event {
                None => {
                    probing.probes += usize::from(!breaker.is_closed() && now > opened_ms + UNDER_WAY);
                    breaker.asked(now);
                }
                Some(true) => _ = breaker.succeeded(&settings, now),
                Some(false) if breaker.failed(&settings, now) => {
                    (opened_ms, probing.opened) = (now, probing.opened + 1)
                }
                Some(false) => {}
            }
            match (breaker.is_closed(), shut_since) {
                (false, None) => shut_since = Some(now),
                (true, Some(since)) => {
                    probing.shut_ms += now - since;
                    shut_since = None;
                }
                _ => {}
            }
        }
        probing.shut_ms += shut_since.map_or(0, |since| ms(Instant::now()) - since);
        probing
    }

    fn rate(&self) -> f64 {
        self.probes as f64 / (self.shut_ms as f64 / 1e3).max(1.0)
    }
}
