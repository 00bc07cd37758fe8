//! A provider for tests: answers like the real one, or fails exactly as told, and keeps a journal of both.
//!
//! ```no_run
//! use dragoman_tests::simulator::{Persona, Reply, Script, Simulator};
//!
//! let provider = Simulator::start(Persona::chat("sk-test"))?;
//! // First a 429, from then on the persona's own answers.
//! provider.play(Script::of([Reply::status(429).header("retry-after", "20"), Reply::persona()]));
//! println!("speaks at {}", provider.url());
//! # anyhow::Ok(())
//! ```
//!
//! Why our own: a mock library cannot send a byte-exact answer, stop in the middle of one, or reset the connection, and
//! that is what providers do. HTTP/1.1 is written by hand for that reason; HTTP/2 (prior knowledge, same port) goes
//! through `h2`, where raw bytes make no sense and a reset is a stream reset.
//!
//! Limits: no TLS; one thread per simulator, which is plenty for tests.

mod decide;
pub mod hints;
mod http1;
mod http2;
pub mod journal;
pub mod persona;
pub mod reply;
pub mod script;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

pub use journal::{Delivered, End, Journal, Received, Request, Tokens};
pub use persona::Persona;
pub use reply::{Fault, Framing, Reply, Wait};
pub use script::{Script, When};

/// A provider listening on a free port of 127.0.0.1 until it is dropped.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What every connection needs.
struct Shared {
    persona: Persona,
    script: Mutex<Script>,
    journal: Arc<Journal>,
    connections: AtomicU64,
}

impl Simulator {
    /// Listens on a free port and answers as `persona` until a script says otherwise.
    pub fn start(persona: Persona) -> anyhow::Result<Self> {
        Self::start_on(persona, 0)
    }

    /// The same on a port of the caller's choice; 0 takes a free one.
    pub fn start_on(persona: Persona, port: u16) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).context("the simulator cannot listen")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            persona,
            script: Mutex::new(Script::default()),
            journal: Arc::new(Journal::default()),
            connections: AtomicU64::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let server = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("simulator".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, server) => {}
                }
            });
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `http://127.0.0.1:port` without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it answers to when no rule says otherwise.
    pub fn persona(&self) -> &Persona {
        &self.shared.persona
    }

    /// Replaces the script; the count of replies already used starts anew.
    pub fn play(&self, script: Script) {
        *self.shared.script() = script;
    }

    /// Puts a rule in front of the script, so that tests can share one provider.
    pub fn when(&self, when: When, replies: impl IntoIterator<Item = Reply>) {
        self.shared.script().insert_first(when, replies);
    }

    /// What was asked and what was produced.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself; then nobody listens and nothing is left to stop.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let connection = shared.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(connect(stream, Arc::clone(&shared), connection));
    }
}

/// Prior-knowledge HTTP/2 is told by its preface; everything else is HTTP/1.1.
async fn connect(stream: TcpStream, shared: Arc<Shared>, connection: u64) {
    stream.set_nodelay(true).ok();
    let mut start = [0; 3];
    loop {
        match stream.peek(&mut start).await {
            Ok(0) | Err(_) => return,
            Ok(3) => break,
            Ok(_) if b"PRI".starts_with(&start[..1]) => tokio::task::yield_now().await,
            Ok(_) => break,
        }
    }
    match &start {
        b"PRI" => http2::serve(stream, shared, connection).await,
        _ => http1::serve(stream, shared, connection).await,
    }
}

/// A port of 127.0.0.1 that refuses every connection as long as this value lives.
///
/// It is bound and never listens, so no other program can take it meanwhile.
pub struct ClosedPort {
    socket: TcpSocket,
}

impl ClosedPort {
    /// Takes a free port.
    pub fn take() -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self { socket })
    }

    /// The address that refuses.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// The address that refuses, as `http://127.0.0.1:port`.
    pub fn url(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.address()?))
    }
}
