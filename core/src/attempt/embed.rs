//! Vectors of texts, read in the provider's dialect and said in the client's. The answer is one JSON body.

use super::response::{Answer, State};
use super::settle::Counted;
use super::{Attempt, Body};
use crate::catalog::DialectId;
use crate::dialect;
use crate::exchange::Asked;
use crate::framing::MAX_FRAME;
use crate::hub::event::ProviderError;
use crate::interpret::broken;
use crate::json::{Json, Writer};
use crate::record::Ending;
use crate::usage::Usage;

/// An answer that is not complete.
#[derive(Debug, Default)]
pub(super) struct Embedder {
    body: Vec<u8>,
}

impl Embedder {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), ProviderError> {
        self.body.extend_from_slice(chunk);
        match self.body.len() > MAX_FRAME {
            true => Err(broken("the provider's answer is too large")),
            false => Ok(()),
        }
    }

    /// The whole answer, in the client's dialect.
    pub(super) fn say(&self, asked: &Asked, theirs: DialectId) -> Result<(Vec<u8>, Usage), ProviderError> {
        let json = Json::parse(&self.body).map_err(|_| broken("the provider's answer is not JSON"))?;
        let none = || broken("nobody can read the provider's vectors");
        let answer = dialect::of(theirs).embeddings().ok_or_else(none)?.read_answer(json)?;
        let own = dialect::of(asked.endpoint.dialect).embeddings().ok_or_else(none)?;
        let request = own.read_request(&asked.endpoint, asked.content.json()).map_err(|_| none())?;
        if answer.vectors.len() != request.inputs.len() {
            return Err(broken("the provider's answer has not one vector for each input"));
        }
        let mut out = Writer::new();
        own.write_answer(&request, &answer, &asked.reply(), &mut out);
        Ok((out.into_bytes(), answer.usage))
    }
}

impl Attempt {
    /// Takes the next bytes of vectors in another dialect.
    pub(super) fn embedding(&mut self, embedder: &mut Embedder, chunk: &[u8], ends: bool, now_ms: u64) -> Answer {
        if let Err(error) = embedder.push(chunk) {
            return self.fail(error);
        }
        if !ends {
            self.state = State::Embedding(Box::new(core::mem::take(embedder)));
            return Answer::body(Body::Hold);
        }
        match embedder.say(&self.asked, self.theirs()) {
            Err(error) => self.fail(error),
            Ok((body, usage)) => {
                self.outcome.first_event_ms = Some(now_ms.saturating_sub(self.began_ms));
                self.conclude(Ending::Answered, Counted::reported(usage));
                let mut head = self.good_head();
                head.set("content-type", "application/json");
                head.remove("content-length");
                Answer { head: Some(head), body: Body::Replace(body), answers: true }
            }
        }
    }
}
