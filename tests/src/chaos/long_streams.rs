//! Thousands of streams that are long open and say little; clients that do not read; a change of the settings in the middle of it. All
//! streams end as they began, memory stands still, and others hardly notice.
//!
//! The provider speaks HTTP/2, so that a stream takes one file of this process and two of Envoy's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::crowd::ask_all;
use super::figures::Figure;
use super::options::{Options, Scenario};
use super::reloads::at;
use super::{MODEL, PROVIDER, provider};
use crate::bench::account::Process;
use crate::client::Open;
use crate::gateway::{Gateway, Setup};
use crate::said::ask;
use crate::simulator::persona::Dialect;
use crate::simulator::{Reply, Script, Simulator};

/// Between two events of a stream.
const BEAT: Duration = Duration::from_secs(5);

/// Streams that are opened at a time, and the pause behind them.
const BATCH: usize = 20;
const BREATH: Duration = Duration::from_millis(20);

/// Clients that do not read, of streams that come as fast as they are taken.
const LAZY: usize = 20;

/// Requests by which the time of an answer is measured, one after the other.
const MEASURED: usize = 300;

/// Most that Envoy's memory may grow while nothing but events comes, in percent.
const GROWTH: f64 = 5.0;

/// Most milliseconds that half of the answers may come later than before; the slowest are told, but hang on what else this machine does.
const LATER: f64 = 5.0;

/// Longest wait until all are open.
const OPENED: Duration = Duration::from_secs(120);

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let (count, open_for) = (options.count(Scenario::LongStreams), options.open_for());
    let (slow, fast, other) = (provider()?, provider()?, provider()?);
    slow.play(Script::always(Reply::persona().pause_between(BEAT)));
    let event = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
    fast.play(Script::always(Reply::event_stream(event.repeat(200_000)).cut_every(1 << 16)));
    let gateway = Gateway::start(&setup(&slow, &fast, &other, "5s"))?;
    let envoy = Process { pid: gateway.envoy_pid()? };
    let quick = latency(&gateway)?;
    let before = envoy.resident()?;

    let words = vec!["word"; usize::try_from(open_for.as_secs() / BEAT.as_secs())?].join(" ");
    let streams = Streams::open(&gateway, count, &words);
    let until = Instant::now() + OPENED;
    while slow.journal().total() < count as u64 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let open = usize::try_from(slow.journal().total())?;
    std::thread::sleep(BEAT);
    let opened = envoy.resident()?;
    let crowded = latency(&gateway)?;
    let lazy: Vec<Open> = (0..LAZY).map(|_| lazy(&gateway)).collect::<anyhow::Result<_>>()?;
    std::thread::sleep(BEAT);
    let held_up = latency(&gateway)?;
    let held = gateway.stat("cx_.x_bytes_buffered")?;
    drop(lazy);
    // Every cluster is another one from now on, and so is the row of the provider whose streams run.
    gateway.configure(&setup(&slow, &fast, &other, "4s"))?;
    std::thread::sleep(BEAT);
    let settled = envoy.resident()?;
    let ended = streams.end()?;
    let end = envoy.resident()?;
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let growth = 100.0 * (end as f64 - settled as f64) / settled as f64;
    Ok(vec![
        Figure::done("streams open at once", open, count),
        Figure::told("each for about", format!("{} s", open_for.as_secs())),
        Figure::none("of them not whole at the end, a change of all clusters in the middle", &ended),
        Figure::told("Envoy's memory before", megabytes(before)),
        Figure::told("with all open", megabytes(opened)),
        Figure::told(
            "of it for each stream",
            format!("{} kB", opened.saturating_sub(before) / 1000 / open.max(1) as u64),
        ),
        Figure::told("after the change", megabytes(settled)),
        Figure::told("at the end", megabytes(end)),
        Figure::at_most("growth between the two", growth, GROWTH, "%"),
        quick.told("before"),
        crowded.told("while they are open"),
        crowded.later_than(&quick, "while they are open"),
        held_up.told("while 20 clients do not read, too"),
        held_up.later_than(&quick, "while 20 clients do not read, too"),
        Figure::told("what Envoy holds for these", megabytes(held)),
    ])
}

fn setup(slow: &Simulator, fast: &Simulator, other: &Simulator, connect_timeout: &str) -> Setup {
    let region = if connect_timeout == "5s" { "here" } else { "there" };
    Setup::new()
        .limit("first_event_timeout", "\"60s\"")
        .limit("connect_timeout", &format!("\"{connect_timeout}\""))
        .simulator("slow", slow)
        .with(&format!("http2 = true\nregion = \"{region}\""))
        .simulator("fast", fast)
        .simulator(PROVIDER, other)
        .model("long", &["slow"])
        .model("endless", &["fast"])
        .model(MODEL, &[PROVIDER])
}

/// How long answers to others take, in milliseconds.
struct Latency {
    half: f64,
    most: f64,
}

impl Latency {
    fn told(&self, when: &str) -> Figure {
        let Self { half, most } = self;
        Figure::told(
            format!("half of the answers to others within, and 99 of 100, {when}"),
            format!("{half:.1} and {most:.0} ms"),
        )
    }

    fn later_than(&self, before: &Self, when: &str) -> Figure {
        Figure::at_most(format!("half of them later {when}"), self.half - before.half, LATER, "ms")
    }
}

fn latency(gateway: &Gateway) -> anyhow::Result<Latency> {
    let told = ask_all(gateway, gateway.key(), &[MODEL], 1, |number| number < MEASURED)?;
    if let Some(wrong) = told.iter().find_map(|told| told.wrong.as_ref()) {
        bail!("another one's request failed: {wrong}");
    }
    let mut took: Vec<f64> = told.iter().map(|told| told.took.as_secs_f64() * 1e3).collect();
    took.sort_by(f64::total_cmp);
    Ok(Latency { half: at(&took, 0.5), most: at(&took, 0.99) })
}

/// A client that has read a byte and reads no more.
fn lazy(gateway: &Gateway) -> anyhow::Result<Open> {
    let body = ask(Dialect::Chat, "endless", "hello", true);
    let mut open = gateway.open(&gateway.call(Dialect::Chat, "endless", &body, true))?;
    open.read(1)?;
    Ok(open)
}

/// Streams that are read by one thread, and what is wrong with those that have ended.
struct Streams(std::thread::JoinHandle<anyhow::Result<Vec<String>>>);

impl Streams {
    fn open(gateway: &Gateway, count: usize, words: &str) -> Self {
        let body = ask(Dialect::Chat, "long", words, true);
        let call = gateway.call(Dialect::Chat, "long", &body, true).header("connection", "close");
        let (address, bytes) = (gateway.address(), Arc::new(call.bytes(&gateway.address())));
        Self(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut all = Vec::with_capacity(count);
                for number in 0..count {
                    all.push(tokio::spawn(follow(address.clone(), Arc::clone(&bytes))));
                    if number % BATCH == BATCH - 1 {
                        tokio::time::sleep(BREATH).await;
                    }
                }
                let mut told = Vec::new();
                for one in all {
                    if let Err(error) = one.await? {
                        told.push(format!("{error:#}"));
                    }
                }
                anyhow::Ok(told)
            })
        }))
    }

    fn end(self) -> anyhow::Result<Vec<String>> {
        self.0.join().map_err(|_| anyhow::anyhow!("the clients panicked"))?
    }
}

/// Reads a stream to its end; an error when that is not its provider's.
async fn follow(address: String, bytes: Arc<Vec<u8>>) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&bytes).await?;
    let (mut chunk, mut tail, mut length) = ([0; 4096], Vec::new(), 0);
    loop {
        let count = socket.read(&mut chunk).await.with_context(|| format!("behind {length} bytes"))?;
        if count == 0 {
            break;
        }
        length += count;
        tail.extend_from_slice(&chunk[..count]);
        // The last words are in the last few bytes.
        tail.drain(..tail.len().saturating_sub(200));
    }
    let tail = String::from_utf8_lossy(&tail);
    match tail.contains("data: [DONE]") && tail.ends_with("0\r\n\r\n") {
        true => Ok(()),
        false => bail!("{length} bytes, and at their end: {tail}"),
    }
}
