//! Does to the gateway what must do it no harm, and prints what came of it. Run by `cargo xtask chaos`.
//!
//! `chaos [control-plane-kills] [reloads] [big-snapshot] [mutations] [records] [last-cent] [aborted-streams] [envoy-kills]
//! [sign-in-kills] [refresh-storm] [fallback] [hints] [slow-target] [flapping] [overload] [weights] [long-streams]
//! [stray-bytes] [--count N] [--minutes N] [--seed N]`

use std::process::ExitCode;

use dragoman_tests::chaos::{Options, run};

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let report = run(&Options::read(&arguments)?)?;
    print!("{}", report.markdown());
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
