//! What the gateway costs, against bare Envoy with no filter: CPU, latency, throughput, memory.
//!
//! ```no_run
//! use dragoman_tests::bench::{Options, run};
//!
//! let options = Options::read(&["--quick".into(), "--only".into(), "relay".into()])?;
//! println!("{}", run(&options)?);
//! # anyhow::Ok(())
//! ```
//!
//! The same Envoy binary, the same provider stub, the same client and bodies, on the same machine: once as bare Envoy with
//! one route, once as the gateway. Both run all the time; rounds alternate between them, and the ratio is taken round by
//! round, so that a neighbour who takes the machine for a while takes it from both. Medians of the rounds are reported.
//!
//! Envoy has the first core to itself; the load, the stub and the control plane share the second. CPU is the whole Envoy
//! process by the kernel's own clock, its main thread included.
//!
//! Limits: one worker, no TLS, a provider that answers at once. Numbers of two machines do not compare; ratios nearly do.

pub(crate) mod account;
mod admission;
mod bare;
mod choosing;
mod load;
mod machine;
mod own_token;
mod plan;
mod round;
mod shape;
mod soak;
mod stand;
mod stub;
mod table;

use std::time::Instant;

pub use plan::Options;

use round::{Cell, Chunks};
use stand::Stand;

/// Measures what the options ask for and gives back the report in Markdown.
///
/// # Errors
///
/// When a part is missing or does not start, or an answer is not the one expected: a wrong answer is not measured.
pub fn run(options: &Options) -> anyhow::Result<String> {
    let stand = Stand::start(options)?;
    if let Some(count) = options.soak {
        return soak::run(&stand, options, count);
    }
    let until = Instant::now() + options.pace.longest;
    let mut report = table::Report::new(machine::describe(&stand.envoy)?, stand.pinned);
    if options.budgets {
        report.admission = admission::Admission::measure(&stand, options.pace)?;
        return Ok(report.markdown());
    }
    if options.sessions {
        report.own_token = own_token::OwnToken::measure(&stand, options.pace)?;
        return Ok(report.markdown());
    }
    if options.choosing {
        report.choosing = choosing::Choosing::measure(&stand, options.pace)?;
        return Ok(report.markdown());
    }
    for &size in &options.bodies {
        for &shape in &options.shapes {
            if Instant::now() < until {
                report.cells.push(Cell::measure(&stand, shape, size, options.pace)?);
            } else {
                report.left_out.push((shape, size));
            }
        }
    }
    for &shape in options.shapes.iter().filter(|shape| shape.streams()) {
        if Instant::now() < until {
            report.chunks.push(Chunks::measure(&stand, shape, options.pace)?);
        }
    }
    report.admission = admission::Admission::measure(&stand, options.pace)?;
    Ok(report.markdown())
}
