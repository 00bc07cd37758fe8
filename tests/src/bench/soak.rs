//! Many requests, and what they leave behind in memory.

use std::fmt::Write as _;
use std::time::Instant;

use super::load;
use super::plan::Options;
use super::shape::size_name;
use super::stand::{Manner, Side, Stand};

/// Connections at once.
const CONNECTIONS: usize = 8;

/// How often memory is looked at.
const LOOKS: usize = 10;

/// Sends `count` requests of each shape and size through the gateway, and reports memory on the way.
pub fn run(stand: &Stand, options: &Options, count: usize) -> anyhow::Result<String> {
    let mut out = format!("gateway's Envoy is process {}\n", stand.process(Side::Gateway).pid);
    eprint!("{out}");
    let each = count.div_ceil(LOOKS * CONNECTIONS).max(1);
    let memory = || stand.process(Side::Gateway).resident().map(|bytes| format!("{:.1}", bytes as f64 / 1e6));
    for &size in &options.bodies {
        for &shape in &options.shapes {
            let manner = if shape.streams() { Manner::Burst } else { Manner::Whole };
            let target = stand.target(Side::Gateway, shape, manner, size)?;
            let mut looks = vec![memory()?];
            let (start, cpu) = (Instant::now(), stand.process(Side::Gateway).cpu()?);
            for _ in 0..LOOKS {
                load::count(&target, CONNECTIONS, each)?;
                looks.push(memory()?);
            }
            let (requests, took) = (each * CONNECTIONS * LOOKS, start.elapsed().as_secs_f64());
            let cpu = (stand.process(Side::Gateway).cpu()? - cpu).as_secs_f64() * 1e6 / requests as f64;
            let (name, size, looks) = (shape.name(), size_name(size), looks.join(" "));
            writeln!(
                out,
                "{requests} × {name} of {size} in {took:.1} s, {cpu:.0} µs of CPU each; memory in MB: {looks}"
            )?;
        }
    }
    Ok(out)
}
