//! Bare Envoy: one listener, one route, one cluster for each stub; no filter but its own router.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::account::Process;
use crate::client::Call;

/// Envoy is up in a second; a loaded machine takes its time.
const READY: Duration = Duration::from_secs(30);

/// Ends Envoy when our end of its input closes, however we die.
const KEEPER: &str = r#"
"$@" </dev/null >/dev/null &
echo "$!"
while read -r line; do :; done
kill -KILL "$!"
wait
"#;

/// A running one; it ends when this is dropped.
pub struct Bare {
    keeper: Child,
    process: Process,
    config: PathBuf,
    /// Where it listens, for each stub in their order.
    pub listeners: Vec<SocketAddr>,
}

impl Bare {
    /// Starts it before these stubs and waits until it answers.
    pub fn start(envoy: &Path, stubs: &[SocketAddr]) -> anyhow::Result<Self> {
        // Ports are found by binding and letting go: nothing else on this machine is in a hurry to take them.
        let free =
            |_: &SocketAddr| std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let listeners = stubs.iter().map(free).collect::<Result<Vec<_>, _>>()?;
        let config = std::env::temp_dir().join(format!("dragoman-bench-{}.json", std::process::id()));
        let mut file = std::fs::File::create(&config)?;
        write!(file, "{}", bootstrap(&listeners, stubs))?;
        let mut keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(envoy)
            .args(["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error", "-c"])
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the shell that keeps bare Envoy")?;
        let mut pid = String::new();
        if let Some(output) = keeper.stdout.take() {
            BufReader::new(output).read_line(&mut pid)?;
        }
        let process = Process { pid: pid.trim().parse().context("the pid of bare Envoy")? };
        let bare = Self { keeper, process, config, listeners };
        bare.wait()?;
        Ok(bare)
    }

    /// Its books.
    pub fn process(&self) -> Process {
        self.process
    }

    fn wait(&self) -> anyhow::Result<()> {
        let until = Instant::now() + READY;
        while Instant::now() < until {
            let answers = |address: &SocketAddr| {
                let answer = Call::post("/v1/chat/completions").body("{}").send(&address.to_string());
                answer.is_ok_and(|answer| answer.status == 200)
            };
            if self.listeners.iter().all(answers) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("bare Envoy does not answer within {READY:?}")
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // Its input closes; it serves nobody any more, and one that has ended already is as good.
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
        std::fs::remove_file(&self.config).ok();
    }
}

fn bootstrap(listeners: &[SocketAddr], stubs: &[SocketAddr]) -> Value {
    let each = || listeners.iter().zip(stubs).enumerate();
    json!({
        "static_resources": {
            "listeners": each().map(|(index, (address, _))| listener(&name(index), address)).collect::<Vec<_>>(),
            "clusters": each().map(|(index, (_, stub))| cluster(&name(index), stub)).collect::<Vec<_>>(),
        },
    })
}

fn name(index: usize) -> String {
    format!("stub_{index}")
}

fn socket(address: &SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

fn listener(name: &str, address: &SocketAddr) -> Value {
    let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": name } });
    json!({
        "name": name,
        "address": socket(address),
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
                }],
            },
        }] }],
    })
}

fn cluster(name: &str, stub: &SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket(stub) } }] }],
        },
    })
}
