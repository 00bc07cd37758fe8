//! The HTTP/2 side: the same steps, told to `h2`. A cut drops the connection, a reset resets the stream.
//!
//! Raw answers need HTTP/1.1; here they reset the stream, so that a test that mixes them up fails.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::Shared;
use super::decide::{Head, Performance, Step, decide};
use super::journal::{End, Received};
use super::reply::{DEPARTURE, Wait};

/// Serves one connection until it ends or a script cuts it.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, connection: u64) {
    let cut = Arc::new(Notify::new());
    let Ok(mut streams) = server::handshake(stream).await else { return };
    loop {
        let accepted = tokio::select! {
            accepted = streams.accept() => accepted,
            () = cut.notified() => return,
        };
        let Some(Ok((request, respond))) = accepted else { return };
        tokio::spawn(exchange(request, respond, Arc::clone(&shared), connection, Arc::clone(&cut)));
    }
}

async fn exchange(
    request: http::Request<RecvStream>,
    respond: server::SendResponse<Bytes>,
    shared: Arc<Shared>,
    connection: u64,
    cut: Arc<Notify>,
) {
    let Some(received) = receive(request, connection).await else { return };
    let performance = decide(&shared, &received);
    let id = shared.journal.begin(received);
    shared.journal.update(id, |delivered| delivered.tokens = performance.tokens);
    let end = Player { respond, body: None, shared: &shared, id }.play(&performance, &cut).await;
    shared.journal.update(id, |delivered| {
        delivered.end = end;
        delivered.ended = Some(Instant::now());
    });
}

async fn receive(request: http::Request<RecvStream>, connection: u64) -> Option<Received> {
    let first_byte = Instant::now();
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk.ok()?;
        stream.flow_control().release_capacity(chunk.len()).ok()?;
        body.extend_from_slice(&chunk);
    }
    let mut headers: Vec<(String, Vec<u8>)> =
        head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    if let Some(authority) = head.uri.authority() {
        headers.insert(0, ("host".to_owned(), authority.as_str().as_bytes().to_vec()));
    }
    Some(Received {
        connection,
        protocol: "HTTP/2",
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers,
        body,
        first_byte,
        complete: Instant::now(),
    })
}

struct Player<'a> {
    respond: server::SendResponse<Bytes>,
    body: Option<SendStream<Bytes>>,
    shared: &'a Shared,
    id: usize,
}

impl Player<'_> {
    async fn play(mut self, performance: &Performance, cut: &Notify) -> End {
        for step in &performance.steps {
            match step {
                Step::Head => {
                    let Some(head) = &performance.head else { continue };
                    if self.head(head).is_none() {
                        return End::ClientLeft;
                    }
                }
                Step::Bytes(bytes) => {
                    if self.body.is_none() {
                        self.respond.send_reset(Reason::INTERNAL_ERROR);
                        return End::Faulted;
                    }
                    if self.send(bytes, performance).await.is_none() {
                        return End::ClientLeft;
                    }
                }
                Step::Pause(wait) => {
                    if self.left_while_waiting(*wait).await {
                        return End::ClientLeft;
                    }
                }
                Step::Cut => {
                    tokio::time::sleep(DEPARTURE).await;
                    cut.notify_one();
                    return End::Faulted;
                }
                Step::Reset => {
                    match &mut self.body {
                        Some(body) => {
                            tokio::time::sleep(DEPARTURE).await;
                            body.send_reset(Reason::INTERNAL_ERROR);
                        }
                        None => self.respond.send_reset(Reason::INTERNAL_ERROR),
                    }
                    return End::Faulted;
                }
            }
        }
        match self.body.as_mut().map(|body| body.send_data(Bytes::new(), true)) {
            Some(Ok(())) => End::Complete,
            _ => End::ClientLeft,
        }
    }

    fn head(&mut self, head: &Head) -> Option<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(head.status).ok()?;
        for (name, value) in &head.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            response.headers_mut().append(name, HeaderValue::from_bytes(value).ok()?);
        }
        self.body = Some(self.respond.send_response(response, false).ok()?);
        self.shared.journal.update(self.id, |delivered| {
            delivered.status = Some(head.status);
            delivered.head = Some(Instant::now());
        });
        Some(())
    }

    async fn send(&mut self, bytes: &[u8], performance: &Performance) -> Option<()> {
        let body = self.body.as_mut()?;
        let mut left = Bytes::copy_from_slice(bytes);
        while !left.is_empty() {
            body.reserve_capacity(left.len());
            let capacity = std::future::poll_fn(|context| body.poll_capacity(context)).await?.ok()?;
            let piece = left.split_to(capacity.min(left.len()));
            let length = piece.len();
            body.send_data(piece, false).ok()?;
            self.shared.journal.update(self.id, |delivered| {
                delivered.bytes += length;
                delivered.first_byte.get_or_insert_with(Instant::now);
                delivered.output_sent = performance.output_before(delivered.bytes);
            });
        }
        Some(())
    }

    async fn left_while_waiting(&mut self, wait: Wait) -> bool {
        let body = &mut self.body;
        let respond = &mut self.respond;
        let gone = std::future::poll_fn(|context| match body {
            Some(body) => body.poll_reset(context).map(drop),
            None => respond.poll_reset(context).map(drop),
        });
        match wait {
            Wait::Forever => {
                gone.await;
                true
            }
            Wait::For(time) => tokio::time::timeout(time, gone).await.is_ok(),
        }
    }
}
