//! Envoy as a child: started, started again when it dies, ended with us.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

/// The wait before Envoy is started again; a gateway that is down a second is noticed.
const AGAIN: Duration = Duration::from_millis(50);
/// The wait when it died young, so that a wrong set-up does not spin.
const AGAIN_AFTER_SHORT_LIFE: Duration = Duration::from_millis(500);
/// What is a short life.
const SHORT_LIFE: Duration = Duration::from_secs(5);
/// How long Envoy may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What opens the store, its digests, the vault and the admin API is none of its business.
const SECRETS: [&str; 4] =
    [crate::cli::STORE, crate::cli::TOKEN, crate::store::pepper::VARIABLE, crate::vault::VARIABLE];

/// How to start Envoy.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its bootstrap.
    pub bootstrap: PathBuf,
    /// Worker threads.
    pub concurrency: u64,
}

impl Program {
    /// Runs Envoy until `stop` ends, however often it dies before. Must be called on a thread that lives as long as the
    /// process: the kernel ends the child when the thread that made it ends.
    pub async fn supervise(&self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::pin!(stop);
        loop {
            let born = Instant::now();
            let mut child = self.spawn()?;
            let status = tokio::select! {
                status = child.wait() => status?,
                () = &mut stop => {
                    end(&mut child).await?;
                    return Ok(());
                }
            };
            let wait = if born.elapsed() < SHORT_LIFE { AGAIN_AFTER_SHORT_LIFE } else { AGAIN };
            warn!("Envoy ended ({}); it is started again", described(status));
            tokio::select! {
                () = sleep(wait) => {}
                () = &mut stop => return Ok(()),
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .arg("--config-path")
            .arg(&self.bootstrap)
            .args(["--concurrency", &self.concurrency.to_string()])
            // Several may run beside one another, and none takes over from another.
            .arg("--disable-hot-restart")
            .args(["--log-level", "warning", "--drain-time-s", "5"])
            .stdin(Stdio::null())
            // What we print is for the operator's eyes or pipes; Envoy's own words go to the log.
            .stdout(Stdio::null())
            .kill_on_drop(true);
        SECRETS.iter().for_each(|name| {
            command.env_remove(name);
        });
        end_with_us(&mut command);
        command
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let child = self.command().spawn().with_context(|| {
            format!("Envoy ({}) can't be started; name its program with --envoy", self.path.display())
        })?;
        info!(pid = child.id(), "Envoy started");
        Ok(child)
    }
}

/// Asks the kernel to end the child when we end, even by SIGKILL.
fn end_with_us(command: &mut Command) {
    // SAFETY: the closure runs in the child between fork and exec; it makes one system call with constant arguments, which is
    // safe after a fork, and allocates nothing.
    #[allow(unsafe_code, reason = "the standard library has no other way to run prctl in the child")]
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

/// Ends the child: politely first.
async fn end(child: &mut Child) -> anyhow::Result<()> {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // SAFETY: a system call with two numbers; the child was not waited for, so its id is still its own.
        #[allow(unsafe_code, reason = "the standard library sends SIGKILL only")]
        unsafe {
            libc::kill(pid, libc::SIGTERM);
        }
    }
    if timeout(FAREWELL, child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}

fn described(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "unknown".to_string(),
    }
}

/// Whether the gateway at `address` answers HTTP. It is asked something that Envoy refuses before any filter sees it, so that
/// asking leaves no Record.
pub async fn answers(address: std::net::SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nno_such_header: 1\r\n\r\n").await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        head.starts_with(b"HTTP/1.1 400").then_some(())
    };
    timeout(Duration::from_secs(1), ask).await.is_ok_and(|answer| answer.is_some())
}

/// Whether anybody listens at `address`: what can be seen of a gateway that speaks TLS.
pub async fn listens(address: std::net::SocketAddr) -> bool {
    timeout(Duration::from_secs(1), TcpStream::connect(address)).await.is_ok_and(|connected| connected.is_ok())
}

/// The program in the search path, or where `named` says.
pub fn find(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| PathBuf::from("envoy"), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_inherits_none_of_our_secrets() {
        let program = Program { path: "envoy".into(), bootstrap: "b".into(), concurrency: 1 };
        let command = program.command();
        let removed: Vec<_> =
            command.as_std().get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        for name in ["DRAGOMAN_STORE", "DRAGOMAN_ADMIN_TOKEN", "DRAGOMAN_PEPPER", "DRAGOMAN_VAULT_KEY"] {
            assert!(removed.contains(&std::ffi::OsStr::new(name)), "{name}");
        }
    }
}
