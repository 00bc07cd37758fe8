//! Questions for accounts' credentials, as filters ask them: gRPC, many at a time.
//!
//! Why our own: a hundred thousand questions through Envoy would measure Envoy. The two messages are written by hand here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::mock_host::control_plane::{bytes, fields};

/// Questions at a time on one connection: servers take two hundred.
const STREAMS: usize = 100;

/// An answer to one of them.
#[derive(Debug)]
pub struct Answered {
    /// How long it took, since it was wanted.
    pub took: Duration,
    /// The value of the header; else why there is none.
    pub given: anyhow::Result<String>,
}

/// Asks for all of them at the same time; gives the answers in that order.
pub fn at_once(address: &str, provider: &str, accounts: &[String]) -> anyhow::Result<Vec<Answered>> {
    block_on(async {
        let lines = Lines::open(address, accounts.len().div_ceil(STREAMS)).await?;
        let mut asking = JoinSet::new();
        let began = Instant::now();
        for (number, account) in accounts.iter().enumerate() {
            let (line, message) = (lines.line(number), message(provider, account));
            asking.spawn(async move { (number, answered(line.ask(message).await, began)) });
        }
        let mut answers = asking.join_all().await;
        answers.sort_by_key(|answer| answer.0);
        Ok(answers.into_iter().map(|answer| answer.1).collect())
    })
}

/// Asks for one after the other, one every so long, until it is told to stop. An answer that is late holds up no question.
pub fn one_by_one(
    address: &str,
    provider: &str,
    accounts: &[String],
    every: Duration,
    stop: &AtomicBool,
) -> anyhow::Result<Vec<Answered>> {
    block_on(async {
        let lines = Lines::open(address, 1).await?;
        let mut asking = JoinSet::new();
        let mut ticks = tokio::time::interval(every);
        for account in accounts.iter().cycle() {
            ticks.tick().await;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let (line, message) = (lines.line(0), message(provider, account));
            let began = Instant::now();
            asking.spawn(async move { answered(line.ask(message).await, began) });
        }
        Ok(asking.join_all().await)
    })
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn answered(given: anyhow::Result<String>, began: Instant) -> Answered {
    Answered { took: began.elapsed(), given }
}

fn message(provider: &str, account: &str) -> Bytes {
    let mut asked = Vec::new();
    bytes(1, provider.as_bytes(), &mut asked);
    bytes(2, account.as_bytes(), &mut asked);
    // Not compressed, and so long.
    let mut framed = vec![0];
    framed.extend_from_slice(&(asked.len() as u32).to_be_bytes());
    framed.extend_from_slice(&asked);
    framed.into()
}

/// Connections to a control plane.
struct Lines(Vec<Line>);

#[derive(Clone)]
struct Line {
    address: Arc<str>,
    requests: SendRequest<Bytes>,
}

impl Lines {
    async fn open(address: &str, count: usize) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        for _ in 0..count.max(1) {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (requests, connection) = h2::client::handshake(stream).await?;
            tokio::spawn(connection);
            lines.push(Line { address: address.into(), requests });
        }
        Ok(Self(lines))
    }

    fn line(&self, number: usize) -> Line {
        self.0[number % self.0.len()].clone()
    }
}

impl Line {
    async fn ask(self, message: Bytes) -> anyhow::Result<String> {
        let request = http::Request::post(format!("http://{}/dragoman.v1.DataPlane/Credential", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let (answer, mut body) = self.requests.ready().await?.send_request(request, false)?;
        body.send_data(message, true)?;
        let (head, mut stream) = answer.await?.into_parts();
        let mut said = Vec::new();
        while let Some(chunk) = stream.data().await {
            let chunk = chunk?;
            stream.flow_control().release_capacity(chunk.len())?;
            said.extend_from_slice(&chunk);
        }
        // A refusal has no body, and its status stands in the head.
        let trailers = stream.trailers().await?.unwrap_or(head.headers);
        let status = trailers.get("grpc-status").context("no status")?;
        if status != "0" {
            bail!("status {status:?}: {:?}", trailers.get("grpc-message"));
        }
        let value = fields(said.get(5..).context("no message")?).into_iter().find(|field| field.0 == 2);
        Ok(String::from_utf8(value.context("no credential")?.1)?)
    }
}
