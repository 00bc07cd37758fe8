//! What callers notice while the gateway is killed, changed, overfilled and given nonsense: figures, each with its bar.
//!
//! ```no_run
//! use dragoman_tests::chaos::{Options, run};
//!
//! let report = run(&Options::read(&["reloads".into(), "--count".into(), "10".into()])?)?;
//! println!("{}", report.markdown());
//! # anyhow::Ok(())
//! ```
//!
//! The real Envoy and the real control plane, simulated providers on loopback. Every scenario is bounded in count and in time;
//! what it does at random, it does from a seed. Whatever it starts ends with it, also when it is interrupted.
//!
//! Limits: one machine, mostly one worker of Envoy; the load is there to notice failures, not to measure throughput.

mod aborted_streams;
mod asking;
mod big_snapshot;
mod control_plane_kills;
mod crowd;
mod envoy_kills;
mod fallback;
mod figures;
mod flapping;
mod hedge;
mod hints;
mod kept;
mod last_cent;
mod ledger;
mod load;
mod long_streams;
pub mod mutate;
mod mutations;
mod options;
mod overload;
mod records;
mod refresh_storm;
mod reloads;
pub mod settling;
mod sign_in_kills;
mod slow_target;
mod stray_bytes;
mod tree;
mod weights;

use crate::gateway::Setup;
use crate::simulator::{Persona, Simulator};

pub use figures::Report;
pub use options::{Options, Scenario};

/// The model that is always there.
const MODEL: &str = "some-model";

/// The id of its provider.
const PROVIDER: &str = "only";

/// Runs the scenarios that the options ask for, one after the other.
///
/// # Errors
///
/// When a part is missing or does not start, or a scenario can't be carried out; what does not hold is no error here.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for scenario in &options.scenarios {
        eprintln!("chaos: {}", scenario.name());
        let figures = match scenario {
            Scenario::ControlPlaneKills => control_plane_kills::run(options),
            Scenario::Reloads => reloads::run(options),
            Scenario::BigSnapshot => big_snapshot::run(options),
            Scenario::Mutations => mutations::run(options),
            Scenario::Records => records::run(options),
            Scenario::LastCent => last_cent::run(options),
            Scenario::AbortedStreams => aborted_streams::run(options),
            Scenario::EnvoyKills => envoy_kills::run(options),
            Scenario::SignInKills => sign_in_kills::run(options),
            Scenario::RefreshStorm => refresh_storm::run(options),
            Scenario::Fallback => fallback::run(options),
            Scenario::Hints => hints::run(options),
            Scenario::SlowTarget => slow_target::run(options),
            Scenario::Flapping => flapping::run(options),
            Scenario::Overload => overload::run(options),
            Scenario::Weights => weights::run(options),
            Scenario::Hedge => hedge::run(options),
            Scenario::LongStreams => long_streams::run(options),
            Scenario::StrayBytes => stray_bytes::run(options),
        };
        report.add(*scenario, figures?);
    }
    Ok(report)
}

/// A provider that forgets what it was asked: a long run must not fill the memory.
fn provider() -> anyhow::Result<Simulator> {
    let provider = remembering()?;
    provider.journal().only_count();
    Ok(provider)
}

/// A provider whose journal is read.
fn remembering() -> anyhow::Result<Simulator> {
    Simulator::start(Persona::chat("key-of-the-provider"))
}

/// The set-up that every scenario begins with.
fn setup(provider: &Simulator) -> Setup {
    patient().simulator(PROVIDER, provider).model(MODEL, &[PROVIDER])
}

/// Nothing is to be late here; a loaded machine may let an answer wait.
fn patient() -> Setup {
    Setup::new().limit("first_event_timeout", "\"10s\"").limit("connect_timeout", "\"5s\"")
}
