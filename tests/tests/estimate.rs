//! The estimates of tokens against what real providers reported for recorded exchanges.
//!
//! The bars are held against all recordings, and against each half of them, parted by the name of the test that made them: so no
//! figure hangs on few tests. Without recordings beside the repository there is nothing to measure.
#![expect(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use dragoman_core::dialect;
use dragoman_core::estimate::{Ink, is_implausible};
use dragoman_core::framing::Sse;
use dragoman_core::hub::{Part, Request, Tool};
use dragoman_core::interpret::Framing;
use dragoman_core::json::Json;
use dragoman_tests::corpus;
use dragoman_tests::corpus::asked::Asked;
use dragoman_tests::corpus::heard::{Heard, hear};
use dragoman_tests::corpus::recording::{Recording, files};
use serde_json::Value;

/// The most by which the estimate of all tokens together may be off, in percent of what was reported.
const BAR: f64 = 15.0;

/// Fewer tokens than these are mostly what providers add unseen.
const TINY: u64 = 100;

/// One number that was estimated, and the provider's.
struct Measured {
    id: String,
    groups: [String; 2],
    /// Of which half.
    is_odd: bool,
    estimate: u64,
    actual: u64,
    /// What would have been reserved.
    reserved: u64,
}

/// Estimates of a group against reports.
#[derive(Default)]
struct Row {
    exchanges: u64,
    actual: u64,
    estimate: u64,
    apart: u64,
    upward: u64,
}

impl Row {
    fn add(&mut self, one: &Measured) {
        self.exchanges += 1;
        self.actual += one.actual;
        self.estimate += one.estimate;
        self.apart += one.estimate.abs_diff(one.actual);
        self.upward += u64::from(one.estimate >= one.actual);
    }

    /// In percent of all tokens, above what was reported.
    fn signed(&self) -> f64 {
        100.0 * (self.estimate as f64 - self.actual as f64) / self.actual.max(1) as f64
    }
}

fn sum<'m>(measured: impl IntoIterator<Item = &'m Measured>) -> Row {
    measured.into_iter().fold(Row::default(), |mut row, one| {
        row.add(one);
        row
    })
}

/// Prints what was measured, by dialect and provider and altogether.
fn print(title: &str, measured: &[Measured]) {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for one in measured {
        let size = if one.actual > TINY { "more than 100 tokens" } else { "100 tokens or fewer" };
        for group in one.groups.iter().map(String::as_str).chain([size, "together"]) {
            rows.entry(group.to_owned()).or_default().add(one);
        }
    }
    println!("\n{title}\n{:34}{:>10}{:>10}{:>9}{:>9}{:>9}", "", "exchanges", "tokens", "signed", "apart", "upward");
    for (group, row) in rows.iter().filter(|(_, row)| row.exchanges >= 10) {
        let apart = 100.0 * row.apart as f64 / row.actual.max(1) as f64;
        let upward = 100.0 * row.upward as f64 / row.exchanges as f64;
        let (exchanges, tokens, signed) = (row.exchanges, row.actual, row.signed());
        println!("{group:34}{exchanges:>10}{tokens:>10}{signed:>+8.1}%{apart:>8.1}%{upward:>8.1}%");
    }
}

/// Together within the bar and not below what was reported; a half may be a little below.
fn hold(all: &[Measured]) {
    let halves = [true, false].map(|odd| sum(all.iter().filter(|one| one.is_odd == odd)).signed());
    println!("halves: {:+.1} % and {:+.1} %", halves[0], halves[1]);
    assert!(halves.iter().all(|signed| signed.abs() <= BAR), "a half is off: {halves:?}");
    // Small inputs are not doubted: unseen prompts and tools are most of them.
    let large = all.iter().filter(|one| one.reserved == 0 || one.estimate >= 2_000);
    let doubted: Vec<&Measured> = large.filter(|one| is_implausible(one.actual, one.estimate)).collect();
    doubted.iter().for_each(|one| println!("  suspect: {} reported, {} seen: {}", one.actual, one.estimate, one.id));
    assert!(doubted.is_empty(), "good reports would be suspect");
    let signed = sum(all).signed();
    assert!((0.0..=BAR).contains(&signed), "{signed:+.1} % of all tokens");
}

fn recordings() -> Option<Vec<(Recording, bool)>> {
    let Some(folder) = corpus::folder() else {
        println!("skipped: there are no recordings beside the repository");
        return None;
    };
    Some(corpus::on_all_cores(&files(&folder), |file| (Recording::read(file).unwrap(), is_odd(file))))
}

/// Which half it belongs to: by the name of the test that made it, so that no half has a twin in the other.
fn is_odd(file: &Path) -> bool {
    let value: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut hasher = DefaultHasher::new();
    value["source_test"].as_str().unwrap_or_default().hash(&mut hasher);
    hasher.finish().is_multiple_of(2)
}

fn measured(recording: &Recording, is_odd: bool, estimate: u64, actual: u64, reserved: u64) -> Measured {
    let dialect = recording.dialect.map_or("none", |dialect| dialect.name());
    let groups = [dialect.to_owned(), format!("{dialect} at {}", recording.provider)];
    Measured { id: recording.id.clone(), groups, is_odd, estimate, actual, reserved }
}

/// Whether everything that the model read stands in the request as words: no media, nothing that the provider keeps or finds.
fn is_in_words(request: &Request<'_>) -> bool {
    let words = |part: &Part<'_>| !matches!(part, Part::Media(_) | Part::Other(_));
    let own = |tool: &Tool<'_>| !matches!(tool, Tool::Other(_));
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    request.tied.is_none() && parts.into_iter().all(words) && request.tools.iter().all(own)
}

fn of_request(recording: &Recording, is_odd: bool, wanted: fn(&Request<'_>) -> bool) -> Option<Measured> {
    let asked = Asked::of(recording.dialect?, recording.sent.as_ref()?, false)?;
    let actual = recording.expect["usage"]["input_total"].as_u64().filter(|actual| *actual > 0)?;
    let json = Json::parse(asked.body.as_bytes()).ok()?;
    let request = dialect::client(asked.dialect).read_request(&asked.endpoint, json).ok()?;
    let weight = request.weight();
    wanted(&request).then(|| measured(recording, is_odd, weight.words, actual, weight.reserved))
}

#[test]
fn input_is_estimated_within_the_bar_and_upward() {
    let Some(recordings) = recordings() else { return };
    let all: Vec<Measured> = recordings
        .iter()
        .filter(|(recording, _)| !recording.is_error())
        .filter_map(|(recording, odd)| of_request(recording, *odd, is_in_words))
        .collect();
    print("Input", &all);
    hold(&all);
    let larger: Vec<&Measured> = all.iter().filter(|one| one.actual > TINY).collect();
    let short: Vec<&&Measured> = larger.iter().filter(|one| one.reserved < one.actual).collect();
    let reserved: u64 = larger.iter().map(|one| one.reserved).sum();
    let actual: u64 = larger.iter().map(|one| one.actual).sum();
    println!(
        "\nreserved: enough for {} of {} requests of more than {TINY} tokens; {:.2} times what was taken",
        larger.len() - short.len(),
        larger.len(),
        reserved as f64 / actual as f64,
    );
    short.iter().for_each(|one| println!("  too little: {} reserved, {} taken: {}", one.reserved, one.actual, one.id));
    assert!(short.len() * 100 <= larger.len(), "more than one of a hundred took more than was reserved");
}

#[test]
fn what_is_reserved_for_media_is_enough() {
    let Some(recordings) = recordings() else { return };
    let has_media = |request: &Request<'_>| {
        let own = |tool: &Tool<'_>| !matches!(tool, Tool::Other(_));
        let mut parts = request.turns.iter().flat_map(|turn| &turn.parts);
        request.tied.is_none() && request.tools.iter().all(own) && parts.any(|part| matches!(part, Part::Media(_)))
    };
    let all: Vec<Measured> = recordings
        .iter()
        .filter(|(recording, _)| !recording.is_error())
        .filter_map(|(recording, odd)| of_request(recording, *odd, has_media))
        .collect();
    let short: Vec<&Measured> = all.iter().filter(|one| one.reserved < one.actual).collect();
    println!("with media: enough was reserved for {} of {}", all.len() - short.len(), all.len());
    short.iter().for_each(|one| println!("  too little: {} reserved, {} taken: {}", one.reserved, one.actual, one.id));
    assert!(short.len() * 20 <= all.len(), "more than one of twenty took more than was reserved");
}

/// The output, where all of it shows. Where there was reasoning, nobody can tell: some providers count it apart, some beside, some
/// as a part that is larger than the whole, and what they show of it is often a summary.
fn shown(expect: &Value, heard: &Heard) -> Option<u64> {
    let usage = &expect["usage"];
    let thought = usage["reasoning"].as_u64().is_some_and(|reasoning| reasoning > 0) || !heard.thinking.is_empty();
    usage["output_total"].as_u64().filter(|output| *output > 0 && !thought && heard.is_complete())
}

#[test]
fn output_is_estimated_within_the_bar_and_upward() {
    let Some(recordings) = recordings() else { return };
    let answers = recordings.iter().filter(|(recording, _)| !recording.is_error());
    let all: Vec<Measured> = answers
        .filter_map(|(recording, odd)| {
            let heard = hear(recording.dialect?, recording.framing, [recording.bytes.as_slice()]);
            let actual = shown(&recording.expect, &heard)?;
            let mut ink = Ink::default();
            for text in [&heard.text, &heard.refusal] {
                ink.json(&serde_json::to_string(text).unwrap());
            }
            for call in &heard.calls {
                ink.add(dialect::of(recording.dialect?).usage().said.call_tokens);
                ink.json(&format!("{} {}", call.name, call.arguments));
            }
            Some(measured(recording, *odd, ink.output_tokens(), actual, 0))
        })
        .collect();
    print("Output", &all);
    hold(&all);
}

/// What the tap of a relay makes of a stream's frames.
fn seen(recording: &Recording) -> Option<u64> {
    let said = &dialect::of(recording.dialect?).usage().said;
    let mut ink = Ink::default();
    Sse::default().push(&recording.bytes, &mut |_, data| ink.spoken(&String::from_utf8_lossy(data), said)).ok()?;
    Some(ink.output_tokens())
}

#[test]
fn what_a_relayed_stream_says_is_counted_upward() {
    let Some(recordings) = recordings() else { return };
    let streams = recordings.iter().filter(|(recording, _)| !recording.is_error() && recording.framing == Framing::Sse);
    let all: Vec<Measured> = streams
        .filter_map(|(recording, odd)| {
            let heard = hear(recording.dialect?, recording.framing, [recording.bytes.as_slice()]);
            let shown = shown(&recording.expect, &heard)?;
            let thought =
                if heard.thinking.is_empty() { 0 } else { recording.expect["usage"]["reasoning"].as_u64()? };
            Some(measured(recording, *odd, seen(recording)?, shown + thought, 0))
        })
        .collect();
    print("Output of relayed streams", &all);
    hold(&all);
}
