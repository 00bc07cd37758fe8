//! What rules change of an answer, behind everything else that makes it.

use super::response::Answer;
use super::{Attempt, Body};
use crate::catalog::Operation;
use crate::dialect::{self, Reply};
use crate::exchange::{self, Asked};
use crate::hub::{Delivery, Event, ProviderError, Request, kept};
use crate::json::path::Path;
use crate::record::Ending;
use crate::refusal::ClientError;
use crate::rule::Retouch;
use crate::select::Keeping;

/// The sentence for it.
const TROUBLE: &str = "the answer broke off";

impl Attempt {
    /// Whether the client must not learn who answers.
    pub(super) fn masks(&self) -> bool {
        self.asked.rules.masks(self.asked.endpoint.dialect)
    }

    /// The changes of a good answer's members, if rules want some, or its ids must say who keeps what they name.
    pub(super) fn retouching(&self, content_type: &str) -> Option<Retouch> {
        let Asked { endpoint, rules, .. } = self.asked.as_ref();
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let delivery = match (endpoint.operation, kind.as_str()) {
            (Operation::Generate | Operation::Embed, _) => self.asked.delivery,
            // What it has in it is somebody's own.
            (Operation::Files, _) if endpoint.rest.ends_with("/content") => return None,
            // It comes as the provider has framed it.
            (_, "text/event-stream") => Delivery::Streamed,
            (_, "application/json") => Delivery::Whole,
            _ => return None,
        };
        let ruled = match endpoint.operation {
            Operation::Files => None,
            operation => rules.retouch(endpoint.dialect, operation, delivery, || self.trouble(delivery)),
        };
        let places = self.marked_places();
        if places.is_empty() {
            return ruled;
        }
        let mut retouch = ruled.unwrap_or_else(|| Retouch::none(delivery));
        retouch.mark(places, self.asked.maker(self.planned()?));
        Some(retouch)
    }

    /// Where ids stand that must say who gave them. What was interpreted has none of the provider's.
    fn marked_places(&self) -> Vec<Path> {
        let Asked { endpoint, keeping, .. } = self.asked.as_ref();
        match keeping {
            Keeping::Shared if self.theirs() == endpoint.dialect => kept::places(endpoint.dialect, endpoint.operation),
            Keeping::Shared | Keeping::Alone => Vec::new(),
        }
    }

    /// What is said of a trouble in the midst of an answer whose maker is masked.
    fn trouble(&self, delivery: Delivery) -> Vec<u8> {
        let dialect = self.asked.endpoint.dialect;
        let error = ProviderError { message: TROUBLE.into(), ..ProviderError::default() };
        if delivery != Delivery::Streamed {
            return exchange::error_reply(dialect, &ClientError::of_provider(&error), &self.asked.id).body;
        }
        let reply = Reply { delivery, ..self.asked.reply() };
        let mut out = Vec::new();
        dialect::client(dialect).writer(&Request::new(dialect, delivery), reply).write(&Event::Error(error), &mut out);
        out
    }

    /// An answer as rules want it. Failures pass as they are: they are no answers.
    pub(super) fn retouched(&mut self, answer: Answer, chunk: &[u8], ends: bool) -> Answer {
        let failed = matches!(self.outcome.ending, Ending::Refused | Ending::Retriable);
        let Some(retouch) = self.retouch.as_mut().filter(|_| !failed) else { return answer };
        let body = match answer.body {
            Body::Hold => return Answer { body: Body::Hold, ..answer },
            Body::Keep => retouch.feed(chunk, ends),
            Body::Replace(bytes) => retouch.feed(&bytes, ends),
        };
        let mut head = answer.head;
        if let Some(head) = &mut head {
            head.remove("content-length");
        }
        Answer { head, body: Body::Replace(body), answers: answer.answers }
    }
}
