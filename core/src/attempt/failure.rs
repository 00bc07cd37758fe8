//! What becomes of an attempt that did not answer: the next target is tried, or the client is told.

use super::response::{Answer, MAX_ERROR_BODY};
use super::settle::Counted;
use super::{Attempt, Body};
use crate::dialect;
use crate::exchange::{self, HeadEdits, Planned};
use crate::failure::Failure;
use crate::hints::MAX_PASSING_MS;
use crate::hub::event::{ErrorClass, ProviderError};
use crate::json::Json;
use crate::record::Ending;
use crate::refusal::ClientError;
use crate::snapshot::OnContentPolicy;

impl Attempt {
    /// A failure before anything went to the client.
    pub(super) fn fail(&mut self, error: ProviderError) -> Answer {
        match self.goes_on(Failure::of(error.class)) && self.another_may(error.class) {
            true => self.retry_without_body(error),
            false => self.say(&error),
        }
    }

    /// Whether another target may do better after an error of that class, which is final at this one.
    fn another_may(&self, class: ErrorClass) -> bool {
        match class {
            ErrorClass::ContextTooLong => {
                let window = |planned: &Planned| planned.target.context_window;
                let own = self.planned().map_or(0, window);
                let mut later = self.asked.plan.iter().skip(self.turn.place + 1).map(window);
                later.any(|window| window == 0 || window > own)
            }
            ErrorClass::ContentPolicy => self.asked.patience.on_content_policy == OnContentPolicy::Fallback,
            ErrorClass::InvalidRequest
            | ErrorClass::Authentication
            | ErrorClass::Permission
            | ErrorClass::NotFound
            | ErrorClass::TooLarge => false,
            _ => true,
        }
    }

    /// Tells Envoy to try the next target. A local reply would not be retried; a status is.
    pub(super) fn retry(&mut self, error: ProviderError) -> HeadEdits {
        self.conclude(Ending::Retriable, self.state.counted());
        self.note(&error);
        let status = ClientError::of_provider(&error).status;
        let mut head = HeadEdits::default();
        head.set(":status", &status.to_string());
        head.set(exchange::RETRY, "yes");
        head
    }

    /// Tells Envoy to try the next target, once the body was heard.
    pub(super) fn retry_explained(&mut self, body: &[u8], status: u16) -> Answer {
        self.retry_without_body(dialect::of(self.theirs()).read_error(status, body))
    }

    fn retry_without_body(&mut self, error: ProviderError) -> Answer {
        Answer { head: Some(self.retry(error)), body: Body::Replace(Vec::new()), answers: false }
    }

    /// A provider's no, told to the client: the very bytes in its own dialect, said anew in another.
    pub(super) fn explain(&mut self, body: Vec<u8>, status: u16) -> Answer {
        let (own, theirs) = (self.asked.endpoint.dialect, self.theirs());
        let error = dialect::of(theirs).read_error(status, &body);
        let is_about_content = matches!(error.class, ErrorClass::ContextTooLong | ErrorClass::ContentPolicy);
        if is_about_content && self.goes_on(Failure::of(error.class)) && self.another_may(error.class) {
            return self.retry_without_body(error);
        }
        let leaks = self.credential.as_ref().is_some_and(|credential| {
            let value = credential.value.expose();
            let secret = value.strip_prefix(b"Bearer ").unwrap_or(value);
            !secret.is_empty() && memchr::memmem::find(&body, secret).is_some()
        });
        let is_dialects = Json::parse(&body).is_ok_and(|json| json.get("error").is_some());
        if theirs != own || leaks || self.masks() || !is_dialects || body.len() >= MAX_ERROR_BODY {
            let message = if leaks { String::new() } else { error.message };
            return self.say(&ProviderError { message, ..error });
        }
        self.note(&error);
        self.conclude(Ending::Refused, Counted::default());
        let mut head = self.error_head();
        head.remove("content-length");
        Answer { head: Some(head), body: Body::Replace(body), answers: true }
    }

    /// Says an error in the client's dialect.
    fn say(&mut self, error: &ProviderError) -> Answer {
        self.note(error);
        self.conclude(Ending::Refused, self.state.counted());
        let told = match self.masks() {
            // What a provider says may say whose words they are, and so may its codes.
            true => {
                let ProviderError { class, status, .. } = *error;
                ClientError::of_provider(&ProviderError { class, status, ..ProviderError::default() })
            }
            false => ClientError::of_provider(error),
        };
        let reply = exchange::error_reply(self.asked.endpoint.dialect, &told, &self.asked.id);
        let mut head = self.error_head();
        head.set(":status", &reply.status.to_string());
        for (name, value) in reply.headers {
            head.set_bytes(&name, value);
        }
        head.remove("content-length");
        Answer { head: Some(head), body: Body::Replace(reply.body), answers: true }
    }

    fn note(&mut self, error: &ProviderError) {
        self.outcome.code = code_of(error);
        self.outcome.failure = Some(Failure::of(error.class));
    }

    fn error_head(&self) -> HeadEdits {
        let mut head = HeadEdits { remove: self.withheld.clone(), set: Vec::new() };
        head.remove("content-encoding");
        // Of a redirect: nobody follows it, and where it leads is between the provider and us.
        head.remove("location");
        head.set("x-dragoman-error-origin", "provider");
        if let Some(wait) = self.outcome.retry_after_ms {
            let passes = self.outcome.failure != Some(Failure::Exhausted) && self.brought().is_none();
            let wait = if passes { wait.min(MAX_PASSING_MS) } else { wait };
            // Whole seconds, as the header has no others; never sooner than was asked for.
            head.set("retry-after", &wait.div_ceil(1000).to_string());
            head.set("retry-after-ms", &wait.to_string());
        }
        head
    }
}

/// One word for Records: the provider's own code, else the class.
pub(super) fn code_of(error: &ProviderError) -> String {
    match error.code.is_empty() {
        true => format!("{:?}", error.class).to_lowercase(),
        false => error.code.chars().take(64).collect(),
    }
}

/// Whether another target may do better. 409 is "try again" unless the provider says it is not.
pub(super) fn is_retriable(status: u16, asks_again: bool) -> bool {
    match status {
        408 | 429 | 500..=599 => true,
        409 => asks_again,
        _ => false,
    }
}
