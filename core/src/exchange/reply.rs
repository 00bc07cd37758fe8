//! Answers of the gateway's own.

use super::{Header, REQUEST_ID};
use crate::catalog::DialectId;
use crate::dialect;
use crate::json::Writer;
use crate::refusal::{ClientError, Origin};

/// An answer of the gateway's own.
#[derive(Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: Vec<Header>,
    /// The body, in the client's dialect.
    pub body: Vec<u8>,
}

impl LocalReply {
    /// A JSON body.
    pub(super) fn json(status: u16, body: Writer, exchange: &str) -> LocalReply {
        let mut reply = LocalReply { status, headers: Vec::new(), body: body.into_bytes() };
        reply.set("content-type", "application/json");
        reply.set(REQUEST_ID, exchange);
        reply
    }

    /// Adds a header.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.headers.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    }
}

/// An error in a dialect, as a whole answer.
pub fn error_reply(dialect: DialectId, error: &ClientError, exchange: &str) -> LocalReply {
    let mut out = Writer::new();
    dialect::client(dialect).write_error(error, &mut out);
    let mut reply = LocalReply::json(error.status, out, exchange);
    let origin = match error.origin {
        Origin::Gateway => "gateway",
        Origin::Provider => "provider",
    };
    reply.set("x-dragoman-error-origin", origin);
    reply
}

/// For whoever only looks whether anybody is here.
pub(super) fn greeting(exchange: &str) -> LocalReply {
    let mut out = Writer::new();
    out.object(|out| out.field("service").string("dragoman"));
    LocalReply::json(200, out, exchange)
}
