//! What rules change of an answer, behind everything else that makes it.

use super::response::Answer;
use super::{Attempt, Body};
use crate::catalog::Operation;
use crate::record::Ending;
use crate::rule::Retouch;

impl Attempt {
    /// Whether the client must not learn who answers.
    pub(super) fn masks(&self) -> bool {
        self.asked.rules.masks(self.asked.endpoint.dialect)
    }

    /// The changes of a good answer's members, if rules want some. What is not generated is nothing that they know.
    pub(super) fn retouching(&self) -> Option<Retouch> {
        let asked = &self.asked;
        match asked.endpoint.operation {
            Operation::Generate => asked.rules.retouch(asked.endpoint.dialect, asked.delivery),
            _ => None,
        }
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
