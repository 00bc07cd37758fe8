//! Answers of the gateway's own.

use super::{Exchange, FinalHead, HeadEdits, Header, Phase, REQUEST_ID, RETRY, Step, head};
use crate::catalog::DialectId;
use crate::dialect;
use crate::json::Writer;
use crate::refusal::{ClientError, Origin, Refusal};

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
    pub(super) fn json(status: u16, body: Vec<u8>, exchange: &str) -> LocalReply {
        let mut reply = LocalReply { status, headers: Vec::new(), body };
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
    let mut reply = LocalReply::json(error.status, out.into_bytes(), exchange);
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
    LocalReply::json(200, out.into_bytes(), exchange)
}

impl Exchange {
    /// Says no for a reason that only the worker knows.
    pub fn refuse(&mut self, refusal: Refusal) -> Step {
        self.phase = Phase::Answered;
        Step::Reply(self.reply(&refusal))
    }

    fn reply(&mut self, refusal: &Refusal) -> LocalReply {
        let error = refusal.to_client();
        self.record.status = error.status;
        self.record.refusal = refusal.code().to_string();
        let mut reply = error_reply(self.dialect(), &error, &self.id);
        refusal.retry_headers().iter().for_each(|(name, value)| reply.set(name, value));
        if let Refusal::UnknownMethod(unknown) = refusal {
            reply.set("allow", unknown.allow);
        }
        reply
    }

    /// Envoy says no before the request was sent: too large a body, or a client that took too long.
    pub(super) fn before_the_answer(&mut self, status: u16) -> FinalHead {
        match (&self.phase, status) {
            (Phase::Reading { .. }, 413) => self.replace(Refusal::TooLarge(head::MAX_BODY)),
            _ => {
                let mut edits = HeadEdits::default();
                edits.set(REQUEST_ID, &self.id);
                FinalHead::Pass(edits)
            }
        }
    }

    /// Says a refusal instead of Envoy's own words.
    pub(super) fn replace(&mut self, refusal: Refusal) -> FinalHead {
        let reply = self.reply(&refusal);
        let mut edits = HeadEdits::default();
        edits.set(":status", &reply.status.to_string());
        for (name, value) in reply.headers {
            edits.set_bytes(&name, value);
        }
        if self.running > 0 || !self.record.outcomes.is_empty() {
            let attempts = self.running + self.record.outcomes.len();
            edits.set("x-dragoman-attempts", &attempts.to_string());
        }
        edits.remove("content-length");
        edits.remove(RETRY);
        FinalHead::Replace(edits, reply.body)
    }
}
