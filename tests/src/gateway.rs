//! The real thing under test: `dragoman up` with the real Envoy and the real wasm module, on free ports.
//!
//! ```no_run
//! use dragoman_tests::gateway::{Gateway, Setup};
//! use dragoman_tests::simulator::persona::Dialect;
//! use dragoman_tests::simulator::{Persona, Simulator};
//!
//! let provider = Simulator::start(Persona::messages("its-key"))?;
//! let setup = Setup::new().simulator("a", &provider).model("some-model", &["a"]);
//! let gateway = Gateway::start(&setup)?;
//! let answer = gateway.ask(Dialect::Chat, "some-model", "hello", false)?;
//! assert_eq!(answer.status, 200);
//! # anyhow::Ok(())
//! ```
//!
//! What it needs is named by the environment and set by `cargo xtask test`: `DRAGOMAN_BIN`, `DRAGOMAN_WASM`,
//! `DRAGOMAN_ENVOY`. Without it, the places where the xtask leaves these are tried; what is missing is an error, never a
//! skipped test.
//!
//! Why a shell stands between us and `dragoman`: it ends the gateway when its input closes, so a test process that dies
//! or keeps the gateway in a static leaves nothing running.

mod keeper;
mod process;
mod setup;

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::client::{Answer, Call, Open};
use crate::said::{ask, credential, path};
use crate::simulator::persona::Dialect;

pub use process::{Checked, Parts, python};
pub use setup::Setup;

use process::{Form, Process};

/// Envoy compiles the module for every worker at its start; a loaded machine takes its time.
const READY: Duration = Duration::from_secs(90);

/// A port may be taken between our look and the gateway's; then other ports are tried.
const STARTS: usize = 3;

/// A running gateway; it ends when this is dropped.
pub struct Gateway {
    process: Process,
    key: String,
    ports: [u16; 4],
}

impl Gateway {
    /// Starts it and waits until it serves.
    pub fn start(setup: &Setup) -> anyhow::Result<Self> {
        Self::start_as(Form::Together, setup)
    }

    /// The same with `dragoman serve` and an Envoy beside it, so that the control plane can end alone.
    pub fn start_apart(setup: &Setup) -> anyhow::Result<Self> {
        Self::start_as(Form::Apart, setup)
    }

    fn start_as(form: Form, setup: &Setup) -> anyhow::Result<Self> {
        let parts = Parts::find()?;
        let mut last = None;
        for _ in 0..STARTS {
            match Self::start_once(&parts, form, setup) {
                Ok(gateway) => return Ok(gateway),
                Err(error) if format!("{error:#}").to_lowercase().contains("address already in use") => {
                    last = Some(error)
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("the gateway was never started")))
    }

    fn start_once(parts: &Parts, form: Form, setup: &Setup) -> anyhow::Result<Self> {
        let ports = [free_port()?, free_port()?, free_port()?, free_port()?];
        let process = Process::start(parts, form, &setup.toml(ports), setup)?;
        process.wait_for_log("serving on http", 0, READY)?;
        let key = process.dragoman(&["key", "create", "--name", "test"])?.trim().to_owned();
        if key.is_empty() {
            bail!("`dragoman key create` printed no key");
        }
        Ok(Self { process, key, ports })
    }

    /// Where it serves, as `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Where it serves, as a URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where the control plane listens for the filters, as `127.0.0.1:port`.
    pub fn control(&self) -> String {
        format!("127.0.0.1:{}", self.ports[1])
    }

    /// Where the admin API listens, as `127.0.0.1:port`.
    pub fn api(&self) -> String {
        format!("127.0.0.1:{}", self.ports[3])
    }

    /// Where Envoy's administration listens, as `127.0.0.1:port`.
    pub fn envoy(&self) -> String {
        format!("127.0.0.1:{}", self.ports[2])
    }

    /// A fresh token of an owner's for the admin API.
    pub fn admin_token(&self) -> anyhow::Result<String> {
        let printed = self.process.dragoman(&["token", "create", "--name", "test", "--role", "owner"])?;
        let token = printed.split_whitespace().find(|word| word.starts_with("dga_"));
        Ok(token.context("`dragoman token create` printed no token")?.to_owned())
    }

    /// The directory of its data.
    pub fn data(&self) -> std::path::PathBuf {
        self.process.data()
    }

    /// A caller's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The process of `dragoman`, for tests that end it.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The process of its Envoy; an error while there is none.
    pub fn envoy_pid(&self) -> anyhow::Result<u32> {
        self.process.envoy().context("there is no Envoy right now")
    }

    /// Ends the control plane by SIGKILL; one that had ended by itself is an error. Its Envoy lives on if it was started
    /// apart.
    pub fn kill_control_plane(&mut self) -> anyhow::Result<()> {
        self.process.kill_control_plane()
    }

    /// Starts the control plane again, of a gateway that was started apart. Does not wait for it.
    pub fn start_control_plane(&mut self) -> anyhow::Result<()> {
        self.process.start_control_plane()
    }

    /// Ends Envoy by SIGKILL, of a gateway that was started apart; one that had ended by itself is an error.
    pub fn kill_envoy(&mut self) -> anyhow::Result<()> {
        self.process.kill_envoy()
    }

    /// Starts Envoy again, of a gateway that was started apart. Does not wait for it.
    pub fn start_envoy(&mut self) -> anyhow::Result<()> {
        self.process.start_envoy()
    }

    /// Replaces the configuration file by this set-up, on the same ports.
    pub fn configure(&self, setup: &Setup) -> anyhow::Result<()> {
        self.process.write_settings(&setup.toml(self.ports))
    }

    /// Replaces the configuration file by this set-up with these lines behind it.
    pub fn configure_badly(&self, setup: &Setup, lines: &str) -> anyhow::Result<()> {
        self.process.write_settings(&format!("{}\n{lines}\n", setup.toml(self.ports)))
    }

    /// The configuration file as it is now.
    pub fn settings(&self) -> anyhow::Result<String> {
        self.process.settings()
    }

    /// Replaces the configuration file by this text.
    pub fn write_settings(&self, toml: &str) -> anyhow::Result<()> {
        self.process.write_settings(toml)
    }

    /// Runs `dragoman check` on this text; one that takes longer is killed, which is an error.
    pub fn check(&self, toml: &str, longest: Duration) -> anyhow::Result<Checked> {
        self.process.check(toml, longest)
    }

    /// Runs another command of `dragoman` on the same data; gives back what it printed.
    pub fn dragoman(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.process.dragoman(arguments)
    }

    /// The same, not yet run: for tests that end it midway.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        self.process.command(arguments)
    }

    /// Waits until the log has these words.
    pub fn wait_for_log(&self, words: &str, deadline: Duration) -> anyhow::Result<()> {
        self.process.wait_for_log(words, 0, deadline)
    }

    /// Waits until the log has these words behind its first `from` bytes.
    pub fn wait_for_log_behind(&self, from: usize, words: &str, deadline: Duration) -> anyhow::Result<()> {
        self.process.wait_for_log(words, from, deadline)
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A request in this dialect with the caller's key and this body.
    pub fn call(&self, dialect: Dialect, model: &str, body: &Value, stream: bool) -> Call {
        Self::call_as(&self.key, dialect, model, body, stream)
    }

    /// The same with another key.
    pub fn call_as(key: &str, dialect: Dialect, model: &str, body: &Value, stream: bool) -> Call {
        let call = Call::post(&path(dialect, model, stream)).json(body);
        credential(dialect, key).iter().fold(call, |call, (name, value)| call.header(name, value))
    }

    /// Asks one thing and reads the whole answer.
    pub fn ask(&self, dialect: Dialect, model: &str, text: &str, stream: bool) -> anyhow::Result<Answer> {
        self.send(&self.call(dialect, model, &ask(dialect, model, text, stream), stream))
    }

    /// Sends a call and reads the whole answer.
    pub fn send(&self, call: &Call) -> anyhow::Result<Answer> {
        call.send(&self.address())
    }

    /// Sends a call and reads the head of the answer.
    pub fn open(&self, call: &Call) -> anyhow::Result<Open> {
        call.open(&self.address())
    }

    /// The Records that are durable, newest first.
    pub fn records(&self) -> anyhow::Result<Vec<Value>> {
        let lines = self.process.dragoman(&["records", "--json", "--limit", "10000000"])?;
        let record = |line: &str| serde_json::from_str(line).with_context(|| format!("`{line}` is no record"));
        lines.lines().filter(|line| !line.is_empty()).map(record).collect()
    }

    /// The Record of one exchange, as soon as it is durable.
    pub fn record(&self, exchange: &str, deadline: Duration) -> anyhow::Result<Value> {
        let until = std::time::Instant::now() + deadline;
        loop {
            let records = self.records()?;
            if let Some(record) = records.iter().find(|record| record["exchange"] == exchange) {
                return Ok(record.clone());
            }
            if std::time::Instant::now() > until {
                bail!("no Record of {exchange} within {deadline:?}; there are {}", records.len());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The value of one counter or gauge of Envoy's, 0 when it has none of that name.
    pub fn stat(&self, name: &str) -> anyhow::Result<u64> {
        let answer = Call::new("GET", &format!("/stats?filter={name}")).send(&self.envoy())?;
        let number = |line: &str| line.rsplit(": ").next().and_then(|value| value.parse::<u64>().ok());
        Ok(answer.text().lines().filter_map(number).sum())
    }
}

/// A port nobody listens on, from below the range that outgoing connections take theirs from.
fn free_port() -> anyhow::Result<u16> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    const STRETCH: u32 = 61;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that start one after the other must not look at the same ports: a control plane that is killed leaves its port
    // free for a moment, and Envoy would take another's word for it. Each has a stretch of its own.
    let start = u16::try_from(std::process::id().wrapping_mul(STRETCH) % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port from {FIRST} on")
}
