//! The report: Markdown, as it stands in the README.

use std::fmt::Write as _;

use super::admission::Admission;
use super::choosing::Choosing;
use super::machine::Machine;
use super::own_token::OwnToken;
use super::round::{Both, Cell, Chunks, median};
use super::shape::{Shape, size_name};
use super::stand::{LONG_PIECES, PIECES};

/// Everything that was measured.
pub struct Report {
    machine: Machine,
    pinned: bool,
    /// The rows.
    pub cells: Vec<Cell>,
    /// The cost of streamed events.
    pub chunks: Vec<Chunks>,
    /// What budgets cost.
    pub admission: Option<Admission>,
    /// What people's own tokens cost.
    pub own_token: Option<OwnToken>,
    /// What choosing a model costs.
    pub choosing: Vec<Choosing>,
    /// Rows there was no time for.
    pub left_out: Vec<(Shape, usize)>,
}

/// The most CPU a streamed event may take more than with bare Envoy, in microseconds.
const EVENT_BAR: f64 = 10.0;

/// The most CPU that paying may take, in microseconds.
const WARM_BAR: f64 = 15.0;

/// The most that the first request of a key may wait for the control plane, in milliseconds.
const COLD_BAR: f64 = 2.0;

/// The most CPU a request may take, as a multiple of bare Envoy's.
const BARS: [(Shape, usize, f64); 2] = [(Shape::Relay, 2_000, 1.3), (Shape::Interpret, 2_000, 1.6)];

/// The cost of a byte between 100 kB and 1 MB as a multiple of its cost between 2 kB and 100 kB that still counts as linear.
/// What grows with the square of the body would be at ten.
const LINEAR: f64 = 2.0;

impl Report {
    /// An empty one.
    pub fn new(machine: Machine, pinned: bool) -> Self {
        Self {
            machine,
            pinned,
            cells: Vec::new(),
            chunks: Vec::new(),
            admission: None,
            own_token: None,
            choosing: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// All of it.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        self.write(&mut out).ok();
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Machine { processor, cores, kernel, envoy, commit } = &self.machine;
        writeln!(
            out,
            "Measured on {processor}, {cores} cores, Linux {kernel}; Envoy {envoy}, one worker; commit {commit}."
        )?;
        match self.pinned {
            true => writeln!(out, "Envoy had the first core, load, provider and control plane shared the second.\n")?,
            false => writeln!(out, "Envoy shared its cores with the load: throughput and latency say little.\n")?,
        }
        if self.cells.is_empty() {
            self.owning(out)?;
            self.choices(out)?;
            return self.paying(out);
        }
        self.rows(out)?;
        self.events(out)?;
        self.paying(out)?;
        self.bars(out)?;
        self.linear(out)
    }

    fn rows(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "| exchange | body | CPU bare, µs | CPU, µs | ratio | p50 added, µs | p99 added, µs | req/s bare | req/s | memory bare, MB | memory, MB |"
        )?;
        writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for cell in &self.cells {
            let (cpu, throughput) = (medians(&cell.cpu), medians(&cell.throughput));
            writeln!(
                out,
                "| {} | {} | {:.0} | {:.0} | **{:.2}** | {:+.0} | {:+.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
                cell.shape.name(),
                size_name(cell.size),
                cpu.bare,
                cpu.gateway,
                ratio(&cell.cpu),
                median(cell.p50.iter().map(|both| both.added())),
                median(cell.p99.iter().map(|both| both.added())),
                throughput.bare,
                throughput.gateway,
                cell.memory.bare,
                cell.memory.gateway,
            )?;
        }
        for (shape, size) in &self.left_out {
            writeln!(out, "| {} | {} | not measured: no time left |", shape.name(), size_name(*size))?;
        }
        let (bare, gateway) = (lowest(&self.cells, |both| both.bare), lowest(&self.cells, |both| both.gateway));
        let control = median(self.cells.iter().map(|cell| median(cell.control_plane.iter().copied())));
        writeln!(
            out,
            "\nCPU is of the whole Envoy process for one request: whole answers with 8 connections that ask again at once, \
             streams at the fixed rate. req/s is with those 8 connections; Envoy used at least {:.0} % (bare) and {:.0} % \
             (gateway) of its core. Latency is to the first byte of the answer's body at {}. Clients speak chat completions, \
             bodies are 1500-byte turns of a conversation, bare Envoy relays them to the same provider. Streams have {PIECES} \
             words, an event each, 1 ms apart (for req/s: as fast as they can be written). The control plane used \
             {control:.0} µs a request beside it.\n",
            bare * 100.0,
            gateway * 100.0,
            self.rates(),
        )
    }

    /// `200 requests/s (2 kB), 100 (100 kB)`.
    fn rates(&self) -> String {
        let mut rates: Vec<(usize, usize)> = self.cells.iter().map(|cell| (cell.size, cell.rate)).collect();
        rates.dedup();
        let rates: Vec<String> =
            rates.iter().map(|(size, rate)| format!("{rate} requests/s ({})", size_name(*size))).collect();
        rates.join(", ")
    }

    fn events(&self, out: &mut String) -> std::fmt::Result {
        if self.chunks.is_empty() {
            return Ok(());
        }
        writeln!(out, "| one streamed event | CPU bare, µs | CPU, µs | ratio |\n|---|--:|--:|--:|")?;
        for chunks in &self.chunks {
            let cpu = medians(&chunks.cpu);
            let (name, ratio) = (chunks.shape.name(), ratio(&chunks.cpu));
            writeln!(out, "| {name} | {:.1} | {:.1} | **{ratio:.2}** |", cpu.bare, cpu.gateway)?;
        }
        writeln!(out, "\nFrom the difference between streams of {LONG_PIECES} and of {PIECES} events, 1 ms apart.\n")
    }

    fn paying(&self, out: &mut String) -> std::fmt::Result {
        let Some(Admission { warm, questions, cold }) = &self.admission else { return Ok(()) };
        let added = median(warm.iter().map(|both| both.added()));
        let verdict = |holds: bool| if holds { "holds" } else { "does not hold" };
        writeln!(
            out,
            "- a warm key with seven budgets on four levels at most {WARM_BAR} µs of CPU more than one without: {added:.1}, **{}**; \
             {questions:.4} questions a request",
            verdict(added <= WARM_BAR)
        )?;
        let cold = median(cold.iter().copied());
        writeln!(
            out,
            "- the first request of such a key at most {COLD_BAR} ms later than the next one, in the median: {cold:.2}, **{}**",
            verdict(cold <= COLD_BAR)
        )
    }

    fn owning(&self, out: &mut String) -> std::fmt::Result {
        let Some(OwnToken { warm, requests, calls: [plain, own] }) = &self.own_token else { return Ok(()) };
        let Both { bare, gateway } = medians(warm);
        writeln!(
            out,
            "- a request with a person's own token takes {gateway:.1} µs of CPU, one with the gateway's key {bare:.1} at the same provider; \
             in {requests:.0} requests the control plane was called {own} times, in as many rounds with the gateway's key {plain} times, \
             to settle Records"
        )
    }

    fn choices(&self, out: &mut String) -> std::fmt::Result {
        for choosing in &self.choosing {
            let Choosing { size, bar, cpu, named, chosen } = choosing;
            let Both { bare, gateway } = medians(cpu);
            let (added, size) = (choosing.added(), size_name(*size));
            let verdict = if added <= *bar { "holds" } else { "does not hold" };
            writeln!(
                out,
                "- to choose the model of a prompt of {size} adds {:.0} µs to planning in the median, and {added:.0} in the 99th percentile \
                 (at most {bar}, **{verdict}**): {:.0} and {:.0} beside {:.0} and {:.0} where it is named, of {} and {} requests; CPU of a \
                 request {gateway:.1} µs beside {bare:.1}",
                chosen.p50 - named.p50,
                chosen.p50,
                chosen.p99,
                named.p50,
                named.p99,
                chosen.count,
                named.count,
            )?;
        }
        Ok(())
    }

    fn bars(&self, out: &mut String) -> std::fmt::Result {
        for (shape, size, bar) in BARS {
            let Some(cell) = self.cells.iter().find(|cell| cell.shape == shape && cell.size == size) else { continue };
            let ratio = ratio(&cell.cpu);
            let (name, size) = (shape.name(), size_name(size));
            writeln!(
                out,
                "- {name} of {size} at most {bar} × bare Envoy's CPU: {ratio:.2}, {}",
                verdict(ratio <= bar)
            )?;
        }
        for chunks in &self.chunks {
            let cpu = medians(&chunks.cpu);
            let (name, added) = (chunks.shape.name(), cpu.gateway - cpu.bare);
            let verdict = verdict(added <= EVENT_BAR);
            writeln!(out, "- an event of {name} at most {EVENT_BAR} µs more than bare Envoy: {added:.1}, {verdict}")?;
        }
        Ok(())
    }

    fn linear(&self, out: &mut String) -> std::fmt::Result {
        // A stream's cost is that of its events; what the body adds drowns in their noise.
        for shape in Shape::ALL.into_iter().filter(|shape| !shape.streams()) {
            let cells: Vec<&Cell> = self.cells.iter().filter(|cell| cell.shape == shape).collect();
            let &[.., small, middle, big] = cells.as_slice() else { continue };
            let slope = |from: &Cell, to: &Cell| {
                let (low, high) = (medians(&from.cpu), medians(&to.cpu));
                let bytes = to.size.abs_diff(from.size) as f64;
                Both { bare: (high.bare - low.bare) / bytes, gateway: (high.gateway - low.gateway) / bytes }
            };
            let (low, high) = (slope(small, middle), slope(middle, big));
            let growth = high.gateway / low.gateway;
            let [small, middle, big] = [small, middle, big].map(|cell| size_name(cell.size));
            writeln!(
                out,
                "- {} is linear in the body: {:.2} µs/kB from {small} to {middle}, {:.2} from {middle} to {big}, \
                 {growth:.2} × (at most {LINEAR}), {}; bare Envoy {:.2} and {:.2}",
                shape.name(),
                low.gateway * 1e3,
                high.gateway * 1e3,
                verdict(growth <= LINEAR),
                low.bare * 1e3,
                high.bare * 1e3,
            )?;
        }
        Ok(())
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "**holds**" } else { "**does not hold**" }
}

fn medians(all: &[Both]) -> Both {
    Both { bare: median(all.iter().map(|both| both.bare)), gateway: median(all.iter().map(|both| both.gateway)) }
}

/// Of the pairs, not of the medians: the two rounds of a pair had the same neighbours.
fn ratio(all: &[Both]) -> f64 {
    median(all.iter().map(|both| both.ratio()))
}

fn lowest(cells: &[Cell], side: impl Fn(&Both) -> f64) -> f64 {
    cells.iter().map(|cell| median(cell.busy.iter().map(&side))).fold(f64::INFINITY, f64::min)
}
