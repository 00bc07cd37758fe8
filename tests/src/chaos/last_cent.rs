//! Many callers at once at the last of a budget: two gateways, each with two workers and a control plane of its own, that
//! share one PostgreSQL. What the provider counted is what may not be more than the limit.
//!
//! The requests are written at the same time, each on a connection and a thread of its own; a request takes about as many
//! tokens as half of what is reserved for it, and half of all requests fit. Then the rest of the budget is asked away.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::figures::Figure;
use super::ledger::Entry;
use super::options::{Options, Scenario};
use super::tree::{PRICE, Standing, Tree};
use super::{MODEL, setup};
use crate::api::Api;
use crate::client::{Answer, Call};
use crate::gateway::Gateway;
use crate::postgres::database;
use crate::said::ask;
use crate::simulator::persona::Dialect;
use crate::simulator::{Persona, Simulator};

/// Words of a prompt, each a token.
const WORDS: usize = 2000;

/// Most tokens of an answer.
const ANSWER: usize = 40;

/// More than is reserved for a request, which is about twice what it takes.
const RESERVED: usize = 3 * (WORDS + ANSWER);

/// The share of a limit that is spent in any case: so much of it is never lent to workers whom nobody asks.
const LEAST: u64 = 4;

/// What a thread of a caller needs.
const STACK: usize = 256 << 10;

/// Callers that ask the rest away.
const MOPPING: usize = 4;

/// And how often in a row they take no for an answer.
const PATIENCE: usize = 3;

/// Of the limit that a fast budget may be passed by.
const PERMILLE: f64 = 1.0;

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let asked = options.count(Scenario::LastCent);
    let provider = Simulator::start(Persona::chat("key-of-the-provider"))?;
    let setup = setup(&provider).workers(2).more(PRICE).variable("DRAGOMAN_STORE", &database()?);
    let setup = setup.variable("DRAGOMAN_PEPPER", &"5e".repeat(32));
    let gateways = [Gateway::start_apart(&setup)?, Gateway::start_apart(&setup)?];
    let api = Api::of(&gateways[0])?;
    let stage = Stage { provider, gateways, api, asked };
    let mut figures = vec![Figure::told("requests at once, for each kind of budget", asked)];
    let mut trees = Vec::new();
    for (unit, strict) in [("requests", true), ("usd", true), ("requests", false), ("usd", false)] {
        let (tree, found) = stage.round(unit, strict)?;
        trees.push(tree);
        figures.extend(found);
    }
    for tree in &trees {
        figures.push(tree.comes_to_rest(&stage.api)?);
    }
    Ok(figures)
}

struct Stage {
    provider: Simulator,
    gateways: [Gateway; 2],
    api: Api,
    asked: usize,
}

/// What was answered.
#[derive(Default)]
struct Answers {
    served: AtomicUsize,
    refused: AtomicUsize,
    away: AtomicUsize,
    others: std::sync::Mutex<Vec<String>>,
}

impl Stage {
    fn round(&self, unit: &str, strict: bool) -> anyhow::Result<(Tree, Vec<Figure>)> {
        let name = format!("{}-{unit}", if strict { "strict" } else { "fast" });
        let limit = match unit {
            "usd" => self.asked * (WORDS + ANSWER) / 2,
            _ => self.asked / 2,
        };
        let words = match unit {
            "usd" => json!(format!("{}.{:06}", limit / 1_000_000, limit % 1_000_000)),
            _ => json!(limit),
        };
        let tree = Tree::plant(&self.api, &name, &json!([{ unit: words, "per": "month", "strict": strict }]))?;
        let answers = Answers::default();
        let done = AtomicBool::new(false);
        let peak = std::thread::scope(|scope| {
            let watching = scope.spawn(|| self.watch(&tree, &done));
            let asked = self.ask_at_once(&tree, &answers).and_then(|()| self.ask_away(&tree, &answers));
            done.store(true, Ordering::Relaxed);
            let peak = watching.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))??;
            asked.map(|()| peak)
        })?;
        let figures = self.found(&tree, &answers, peak, strict)?;
        Ok((tree, figures))
    }

    /// All at the same time, half of them at each gateway.
    fn ask_at_once(&self, tree: &Tree, answers: &Answers) -> anyhow::Result<()> {
        let call = call(tree);
        let barrier = Barrier::new(self.asked);
        std::thread::scope(|scope| {
            for number in 0..self.asked {
                let address = self.gateways[number % self.gateways.len()].address();
                let (call, barrier) = (&call, &barrier);
                let ask = move || {
                    barrier.wait();
                    answers.note(call.send(&address));
                };
                // Whoever is missing would be waited for for ever.
                let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, ask);
                if let Err(error) = thread {
                    eprintln!("chaos: only {number} threads: {error}");
                    std::process::exit(2);
                }
            }
        });
        Ok(())
    }

    /// Some go on until they are refused again and again.
    fn ask_away(&self, tree: &Tree, answers: &Answers) -> anyhow::Result<()> {
        let call = call(tree);
        std::thread::scope(|scope| {
            for number in 0..MOPPING {
                let address = self.gateways[number % self.gateways.len()].address();
                let call = &call;
                scope.spawn(move || {
                    let mut refused = 0;
                    while refused < PATIENCE {
                        refused = if answers.note(call.send(&address)) { 0 } else { refused + 1 };
                        std::thread::sleep(Duration::from_millis(if refused == 0 { 0 } else { 500 }));
                    }
                });
            }
        });
        Ok(())
    }

    /// The most that was lent, and the most that was beyond the limit, of the tenant's budget at any moment.
    fn watch(&self, tree: &Tree, done: &AtomicBool) -> anyhow::Result<(u64, u64)> {
        let (mut leased, mut over) = (0, 0);
        while !done.load(Ordering::Relaxed) {
            let tenant = tenant(&tree.standings(&self.api)?, tree)?;
            (leased, over) = (leased.max(tenant.leased), over.max(tenant.over));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok((leased, over))
    }

    fn found(&self, tree: &Tree, answers: &Answers, peak: (u64, u64), strict: bool) -> anyhow::Result<Vec<Figure>> {
        let name = &tree.tenant;
        let served = answers.served.load(Ordering::Relaxed);
        let journal = self.provider.journal().mentioning(&words(tree));
        let own = |entry: &&Entry| tree.has(&entry.account) && entry.refusal.is_empty();
        let entries = Entry::settled(&self.api, |entries| entries.iter().filter(own).count() >= served)?;
        let agrees = tree.agrees(&self.api, &entries)?;
        let standing = tenant(&tree.standings(&self.api)?, tree)?;
        let counted = journal.iter().filter_map(|one| one.delivered.tokens).map(|tokens| tokens.input + tokens.output);
        let produced = if name.ends_with("usd") { counted.sum() } else { journal.len() as u64 };
        let share = 100.0 * standing.spent as f64 / standing.limit as f64;
        let beyond = produced.saturating_sub(standing.limit);
        // Whoever goes on until there is no room leaves less than one reservation, and what other workers are still lent; of a
        // strict budget nothing is lent. If nobody was served, most of it would be lent, or free.
        let reservation = if name.ends_with("usd") { RESERVED as u64 } else { 1 };
        let left = standing.leased + reservation;
        let least = standing.limit.saturating_sub(left).max(standing.limit / LEAST);
        let most = if strict { 0.0 } else { (standing.limit as f64 * PERMILLE / 1000.0).min(peak.0 as f64) };
        let differs = |found: u64, what: &str, wanted: u64| match found == wanted {
            true => Vec::new(),
            false => vec![format!("{found} {what}, {wanted} wanted")],
        };
        let of = entries.iter().filter(own).count() as u64;
        let unit = if name.ends_with("usd") { "µ$" } else { "requests" };
        Ok(vec![
            Figure::told(format!("{name}: limit, {unit}"), standing.limit),
            Figure::told(format!("{name}: spent in the end, % of it"), format!("{share:.2}")),
            Figure::at_least(format!("{name}: spent in the end"), standing.spent, least, unit),
            Figure::told(format!("{name}: served, refused, unanswered by the control plane"), answers.counts()),
            Figure::none(format!("{name}: other answers"), &answers.others()),
            Figure::at_most(format!("{name}: overspent, by the provider's count"), beyond as f64, most, unit),
            Figure::at_most(format!("{name}: most beyond the limit at any moment"), peak.1 as f64, most, unit),
            Figure::told(format!("{name}: most that was lent at any moment"), peak.0),
            Figure::none(
                format!("{name}: served, not what the provider saw"),
                &differs(served as u64, "served", journal.len() as u64),
            ),
            Figure::none(
                format!("{name}: Records of what was served, not as many"),
                &differs(of, "Records", served as u64),
            ),
            Figure::none(
                format!("{name}: spent, not what the provider counted"),
                &differs(standing.spent, "spent", produced),
            ),
            agrees,
        ])
    }
}

impl Answers {
    /// Whether it was served.
    fn note(&self, answer: anyhow::Result<Answer>) -> bool {
        let other = match answer {
            Ok(answer) if answer.status == 200 => {
                self.served.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            Ok(answer) if answer.status == 429 => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            // So many ask at once that some are not answered in time.
            Ok(answer) if answer.status == 503 && answer.text().contains("budget_unknown") => {
                self.away.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            Ok(answer) => format!("{} {}", answer.status, answer.text()),
            Err(error) => format!("{error:#}"),
        };
        self.others.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(other);
        false
    }

    fn counts(&self) -> String {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        format!("{}, {}, {}", count(&self.served), count(&self.refused), count(&self.away))
    }

    fn others(&self) -> Vec<String> {
        self.others.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

fn tenant(standings: &[Standing], tree: &Tree) -> anyhow::Result<Standing> {
    let own = |one: &&Standing| one.id.split('/').next() == Some(&tree.tenant);
    standings.iter().find(own).cloned().context("the tenant has no budget")
}

/// What the requests of a tree say, and no others.
fn words(tree: &Tree) -> String {
    format!("of {}", tree.tenant)
}

fn call(tree: &Tree) -> Call {
    let text = format!("long {} {}", words(tree), "on ".repeat(WORDS));
    let mut body: Value = ask(Dialect::Chat, MODEL, &text, false);
    body["max_tokens"] = json!(ANSWER);
    Gateway::call_as(&tree.key, Dialect::Chat, MODEL, &body, false)
}
