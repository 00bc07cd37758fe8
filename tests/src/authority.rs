//! An authorization server for tests: signs people in as the real ones do, or misbehaves exactly as told, and keeps a journal.
//!
//! ```no_run
//! use dragoman_tests::authority::{Authority, Decision, Endpoint, Fault, Manners};
//!
//! let authority = Authority::start("a", Manners::of("client-of-a"))?;
//! // The person says no; the first answer about tokens is lost.
//! authority.change(|manners| manners.decision = Decision::Deny);
//! authority.fail(Endpoint::Token, [Fault::Cut(0)]);
//! println!("send people to {}", authority.authorize_url());
//! assert_eq!(authority.journal().families_revoked(), 0);
//! # anyhow::Ok(())
//! ```
//!
//! | endpoint | by |
//! |---|---|
//! | `GET /authorize` | RFC 6749, PKCE with S256 only (RFC 7636), `iss` (RFC 9207) |
//! | `POST /token` | codes, refresh tokens that rotate and whose reuse ends their family (RFC 9700), device codes |
//! | `POST /device`, `GET /verify` | RFC 8628; polls that come too early are counted |
//! | `POST /token` | client credentials, and what a service account's key signed (RFC 7523) |
//! | `POST /revoke` | RFC 7009 |
//! | `GET /exchange` | another token for an access token, as GitHub does it |
//!
//! Why our own: what matters is what a client does when the server is wrong, late, silent or an attacker's, and no server that
//! is good at its work can be told to be that. Every secret it gives has the word `canary` in it and is remembered, so that a
//! test can look for all of them wherever something is kept.
//!
//! Limits: no TLS, one client each, nobody logs in: the person is whoever comes.

mod authorize;
mod book;
pub mod clock;
mod http;
pub mod journal;
pub mod manners;
mod pages;
pub mod person;
mod signed;
mod token;
pub mod words;

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;

pub use clock::Clock;
pub use journal::{Asked, Journal};
pub use manners::{Decision, Fault, Issuer, Manners, Redirects, Rotation, Style};
pub use person::{Page, Person};

use book::Book;

/// What it can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Where a browser is sent to.
    Authorize,
    /// Where tokens are had, for a code, a refresh token or a device code.
    Token,
    /// Where a device begins.
    Device,
    /// Where a person says which device.
    Verify,
    /// Where tokens are given back.
    Revoke,
    /// Where a token is exchanged for another.
    Exchange,
    /// Nowhere.
    Unknown,
}

/// A server listening on a free port of 127.0.0.1 until it is dropped.
pub struct Authority {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What every connection needs.
struct Shared {
    address: SocketAddr,
    clock: Clock,
    manners: Mutex<Manners>,
    faults: Mutex<HashMap<Endpoint, VecDeque<Fault>>>,
    book: Mutex<Book>,
    journal: Journal,
    stopped: AtomicBool,
}

impl Authority {
    /// Listens on a free port; `name` stands in all that it gives.
    pub fn start(name: &str, manners: Manners) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("the authority cannot listen")?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            clock: Clock::default(),
            manners: Mutex::new(manners),
            faults: Mutex::default(),
            book: Mutex::new(Book::of(name)),
            journal: Journal::default(),
            stopped: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("authority".into()).spawn(move || accept(&listener, &server))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Where it listens, as `http://127.0.0.1:port`; also the name it has as an issuer.
    pub fn url(&self) -> String {
        self.shared.url()
    }

    /// Where browsers are sent to.
    pub fn authorize_url(&self) -> String {
        format!("{}/authorize", self.url())
    }

    /// Where tokens are had.
    pub fn token_url(&self) -> String {
        self.shared.token_url()
    }

    /// Where devices begin.
    pub fn device_url(&self) -> String {
        format!("{}/device", self.url())
    }

    /// Where tokens are given back.
    pub fn revoke_url(&self) -> String {
        format!("{}/revoke", self.url())
    }

    /// Where tokens are exchanged.
    pub fn exchange_url(&self) -> String {
        format!("{}/exchange", self.url())
    }

    /// Its time.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// What it was asked and what it answered.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// Changes how it behaves from now on.
    pub fn change(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut self.shared.manners());
    }

    /// What goes wrong with the next requests of an endpoint, one after the other; then all is well again.
    pub fn fail(&self, endpoint: Endpoint, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.shared.faults).entry(endpoint).or_default().extend(faults);
    }

    /// What was to go wrong yet does not.
    pub fn forget_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// The person with this code in hand says yes. Whether there is such a code.
    pub fn approve_device(&self, user_code: &str) -> bool {
        self.shared.book().decide(user_code, true)
    }

    /// The person with this code in hand says no.
    pub fn deny_device(&self, user_code: &str) -> bool {
        self.shared.book().decide(user_code, false)
    }

    /// Answers the next poll of this device with `slow_down`, whenever it comes.
    pub fn slow_down(&self, user_code: &str) -> bool {
        self.shared.book().slow_down(user_code)
    }

    /// Whether a token is good now: an access token, or a refresh token that was not used yet.
    pub fn is_good(&self, token: &str) -> bool {
        self.shared.book().is_good(token, self.shared.clock.now())
    }

    /// Ends a family as an operator of the provider's would, without the client's knowing.
    pub fn revoke_all(&self) {
        self.shared.book().revoke_all();
    }

    /// Every secret that it gave or was given.
    pub fn secrets(&self) -> Vec<String> {
        let asked = self.shared.journal.secrets();
        let secret = self.shared.manners().secret.clone();
        self.shared.book().given().iter().cloned().chain(asked).chain(secret).collect()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Whoever accepts has to be woken to see it.
        TcpStream::connect(self.shared.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn token_url(&self) -> String {
        format!("{}/token", self.url())
    }

    fn manners(&self) -> MutexGuard<'_, Manners> {
        lock(&self.manners)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    fn next_fault(&self, endpoint: Endpoint) -> Option<Fault> {
        lock(&self.faults).get_mut(&endpoint)?.pop_front()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.stopped.load(Ordering::Acquire) {
            return;
        }
        let shared = Arc::clone(shared);
        // One that can't be served is closed, as by a server that is down.
        std::thread::Builder::new().name("authority".into()).spawn(move || http::serve(stream, &shared)).ok();
    }
}

#[cfg(test)]
mod tests;
