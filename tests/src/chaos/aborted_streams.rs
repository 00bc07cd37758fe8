//! Clients that leave: at once, before the first event, after some of them, at the end. The provider has done its work by then,
//! so all of it is billed: per exchange never less than the provider had sent when it noticed.
//!
//! Which Record is which exchange: a client who leaves early never hears the exchange's id. So every caller has a key of its own
//! and asks one after the other, for the models in turn; its Records are in the order of its requests, and their models say which
//! of these the gateway never read, since the connection was closed before. Each request has a number that the provider's journal
//! has too.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Value, json};

use super::figures::Figure;
use super::ledger::Entry;
use super::mutate::Dice;
use super::options::{Options, Scenario};
use super::tree::Tree;
use super::{PROVIDER, setup};
use crate::api::Api;
use crate::client::{Call, PATIENCE};
use crate::gateway::{Gateway, Setup};
use crate::said::ask;
use crate::simulator::persona::Dialect;
use crate::simulator::{End, Persona, Reply, Request, Script, Simulator};

/// Callers at once.
const CALLERS: usize = 8;

/// Models that are asked for in turn.
const MODELS: u64 = 16;

/// Words of an answer, each an event of its own.
const WORDS: u64 = 40;

/// Between two events of the provider.
const BEAT: Duration = Duration::from_millis(1);

/// More than a dollar for each token that can come of a run.
const ENOUGH: &str = "1000000";

/// Where a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// After so long, whatever has come.
    After(Duration),
    /// After so many events.
    Events(u64),
    /// When everything has come.
    Never,
}

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let asked = options.count(Scenario::AbortedStreams);
    let until = options.until(Scenario::AbortedStreams);
    let provider = Simulator::start(Persona::chat("key-of-the-provider"))?;
    provider.play(Script::always(Reply::persona().pause_between(BEAT)));
    let offer = |setup: Setup, number| {
        let price = format!("[[price]]\ntarget = \"{PROVIDER}/{}\"\ninput = 1\noutput = 1\n", model(number));
        setup.model(&model(number), &[PROVIDER]).more(&price)
    };
    let gateway = Gateway::start(&(0..MODELS).fold(setup(&provider), offer))?;
    let api = Api::of(&gateway)?;
    let budgets =
        json!([{ "usd": ENOUGH, "per": "month" }, { "tokens": 1_000_000_000_000_u64 }, { "requests": 1_000_000_000 }]);
    let trees = (0..CALLERS).map(|number| Tree::plant(&api, &format!("caller-{number}"), &budgets));
    let trees: Vec<Tree> = trees.collect::<anyhow::Result<_>>()?;
    let mut dice = Dice::new(options.seed);
    let seeds: Vec<u64> = trees.iter().map(|_| dice.below(u64::MAX)).collect();
    let done: Vec<anyhow::Result<u64>> = std::thread::scope(|scope| {
        let callers: Vec<_> = trees
            .iter()
            .zip(seeds)
            .map(|(tree, seed)| {
                let (address, count) = (gateway.address(), asked.div_ceil(CALLERS) as u64);
                scope.spawn(move || leave_again_and_again(&address, tree, Dice::new(seed), count, until))
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap_or_else(|_| bail!("a caller panicked"))).collect()
    });
    let done: Vec<u64> = done.into_iter().collect::<anyhow::Result<_>>()?;
    let begun: u64 = done.iter().sum();
    let entries = Entry::settled(&api, |entries| entries.len() as u64 >= begun)?;
    let journal = provider.journal().wait_ended(PATIENCE)?;
    let mut figures = vec![Figure::done("streams", usize::try_from(begun)?, asked)];
    figures.extend(compare(&trees, &done, &entries, &journal));
    for tree in &trees {
        figures.push(tree.agrees(&api, &entries)?);
    }
    Ok(figures)
}

/// What is told of a caller's stream at its provider, by tenant and number.
fn by_number(journal: &[Request]) -> HashMap<(String, u64), &Request> {
    let mut found = HashMap::new();
    for request in journal {
        let body = request.received.json();
        let text = body.pointer("/messages/0/content").and_then(Value::as_str).unwrap_or_default();
        let mut words = text.split(' ').skip(1);
        if let (Some(tenant), Some(Ok(number))) = (words.next(), words.next().map(str::parse)) {
            found.insert((tenant.to_owned(), number), request);
        }
    }
    found
}

fn compare(trees: &[Tree], done: &[u64], entries: &[Entry], journal: &[Request]) -> Vec<Figure> {
    let journal_of = by_number(journal);
    let (mut rows, mut unbilled, mut below, mut whole) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let (mut billed, mut produced, mut unread, mut unsent) = (0_u64, 0_u64, 0, 0);
    for (tree, count) in trees.iter().zip(done) {
        let of_number = in_order(tree, *count, entries);
        let left = entries.iter().filter(|entry| tree.has(&entry.account)).count() - of_number.len();
        if left > 0 {
            rows.push(format!("{}: {left} Records of no request", tree.tenant));
        }
        for number in 0..*count {
            let request = journal_of.get(&(tree.tenant.clone(), number));
            let (entry, request) = match (of_number.get(&number), request) {
                (Some(entry), Some(request)) => (entry, request),
                (None, Some(_)) => {
                    rows.push(format!("{} {number}: no Record", tree.tenant));
                    continue;
                }
                (Some(_), None) => {
                    unsent += 1;
                    continue;
                }
                (None, None) => {
                    unread += 1;
                    continue;
                }
            };
            let tokens = request.tokens();
            whole += usize::from(request.delivered.end == End::Complete);
            if entry.tokens == 0 {
                unbilled.push(entry.exchange.clone());
            }
            if entry.tokens < tokens {
                below.push(format!("{} of {tokens}: {} {:?}", entry.tokens, entry.exchange, entry.endings));
            }
            (billed, produced) = (billed + entry.tokens, produced + tokens);
        }
    }
    let sum = if billed < produced { vec![format!("{billed} of {produced}")] } else { Vec::new() };
    let over = 100.0 * (billed as f64 / produced.max(1) as f64 - 1.0);
    vec![
        Figure::told("requests that reached the provider", journal.len()),
        Figure::told("of them answered wholly all the same", whole),
        Figure::told("requests whose client left before they were sent", unsent),
        Figure::told("requests whose client left before they were read", unread),
        Figure::none("requests at the provider without a Record, or Records of no request", &rows),
        Figure::none("exchanges that nobody is billed for", &unbilled),
        Figure::none("exchanges billed below what the provider had sent", &below),
        Figure::none("all of it billed below what the provider had sent", &sum),
        Figure::told("tokens the provider had read and sent", produced),
        Figure::told("billed more than that, on average", format!("{over:.1} %")),
    ]
}

/// The Records of a caller's requests, by their numbers. A Record is of the next request for its model.
fn in_order<'e>(tree: &Tree, count: u64, entries: &'e [Entry]) -> HashMap<u64, &'e Entry> {
    let mut own: Vec<&Entry> = entries.iter().filter(|entry| tree.has(&entry.account)).collect();
    own.sort_by(|one, other| one.exchange.cmp(&other.exchange));
    let (mut found, mut next) = (HashMap::new(), 0);
    for entry in own {
        if let Some(number) = (next..count.min(next + MODELS)).find(|number| model(*number) == entry.route) {
            found.insert(number, entry);
            next = number + 1;
        }
    }
    found
}

/// Which model the request of this number is for.
fn model(number: u64) -> String {
    format!("model-{}", number % MODELS)
}

fn leave_again_and_again(
    address: &str,
    tree: &Tree,
    mut dice: Dice,
    count: u64,
    until: Instant,
) -> anyhow::Result<u64> {
    let mut begun = 0;
    for number in 0..count {
        if Instant::now() > until {
            break;
        }
        let leave = match dice.below(10) {
            0 | 1 => Leave::After(Duration::from_micros(dice.below(20_000))),
            2 => Leave::Never,
            _ => Leave::Events(1 + dice.below(WORDS + 4)),
        };
        stream(address, &call(tree, number), leave)?;
        begun += 1;
    }
    Ok(begun)
}

fn call(tree: &Tree, number: u64) -> Call {
    let text = format!(
        "long {} {number} {}",
        tree.tenant,
        "and tell it as you would tell a child ".repeat(usize::try_from(number % 8).unwrap_or(0))
    );
    let mut body = ask(Dialect::Chat, &model(number), &text, true);
    body["max_tokens"] = json!(WORDS);
    Gateway::call_as(&tree.key, Dialect::Chat, &model(number), &body, true)
}

/// Asks and leaves.
fn stream(address: &str, call: &Call, leave: Leave) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(&call.bytes(address))?;
    if let Leave::After(pause) = leave {
        std::thread::sleep(pause);
        return Ok(());
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut bytes)?;
        heard.extend(bytes.iter().take(count));
        let events = heard.windows(6).filter(|window| window.starts_with(b"data: ")).count() as u64;
        let enough = matches!(leave, Leave::Events(wanted) if events >= wanted);
        if enough || count == 0 || heard.ends_with(b"0\r\n\r\n") {
            return Ok(());
        }
        if heard.starts_with(b"HTTP/1.1 ") && !heard.starts_with(b"HTTP/1.1 200") {
            bail!("a stream was refused: {}", String::from_utf8_lossy(&heard));
        }
    }
}
