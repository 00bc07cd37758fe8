//! What was wrong with an attempt, by what follows from it.
//!
//! | class | said by | what follows |
//! |---|---|---|
//! | credential | 401, 403 | the target is asked last for a while; an operator is told |
//! | throttled | 429 | nobody asks the target before the time that it said; without one it is asked last for a moment |
//! | exhausted | 402, codes for quotas and balances | the same, for long |
//! | overloaded | 503, 529 | counts for the target's breaker |
//! | faulty | other 5xx, an answer that is cut or makes no sense | the same |
//! | timeout | 408, 504, silence | the same; silence counts for the provider's breaker too |
//! | unreachable | no connection, a reset | the same |
//! | bad_request | other 4xx | nothing |
//! | content_policy | codes for it | the route's choice |
//! | context_too_long | codes for it | a candidate with a larger context window is asked |

use crate::hub::event::ErrorClass;

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The credential is refused.
    Credential,
    /// Asked too often.
    Throttled,
    /// A quota or a balance is used up.
    Exhausted,
    /// It has too much to do.
    Overloaded,
    /// It fails, or what it says makes no sense.
    Faulty,
    /// It says nothing for too long.
    Timeout,
    /// Nobody is there.
    Unreachable,
    /// The request is at fault.
    BadRequest,
    /// Its policy forbids the content.
    ContentPolicy,
    /// The conversation does not fit.
    ContextTooLong,
}

impl Failure {
    /// Every class.
    pub const ALL: [Failure; 10] = [
        Failure::Credential,
        Failure::Throttled,
        Failure::Exhausted,
        Failure::Overloaded,
        Failure::Faulty,
        Failure::Timeout,
        Failure::Unreachable,
        Failure::BadRequest,
        Failure::ContentPolicy,
        Failure::ContextTooLong,
    ];

    /// Its name in Records and in what operators see.
    pub fn name(self) -> &'static str {
        match self {
            Failure::Credential => "credential",
            Failure::Throttled => "throttled",
            Failure::Exhausted => "exhausted",
            Failure::Overloaded => "overloaded",
            Failure::Faulty => "faulty",
            Failure::Timeout => "timeout",
            Failure::Unreachable => "unreachable",
            Failure::BadRequest => "bad_request",
            Failure::ContentPolicy => "content_policy",
            Failure::ContextTooLong => "context_too_long",
        }
    }

    /// The class of that name.
    pub fn named(name: &str) -> Option<Failure> {
        Failure::ALL.into_iter().find(|failure| failure.name() == name)
    }

    /// The class of what a provider said.
    pub fn of(class: ErrorClass) -> Failure {
        match class {
            ErrorClass::Authentication | ErrorClass::Permission => Failure::Credential,
            ErrorClass::RateLimited => Failure::Throttled,
            ErrorClass::QuotaExhausted => Failure::Exhausted,
            ErrorClass::Overloaded => Failure::Overloaded,
            ErrorClass::Provider | ErrorClass::BadAnswer => Failure::Faulty,
            ErrorClass::Timeout => Failure::Timeout,
            ErrorClass::InvalidRequest | ErrorClass::NotFound | ErrorClass::TooLarge => Failure::BadRequest,
            ErrorClass::ContentPolicy => Failure::ContentPolicy,
            ErrorClass::ContextTooLong => Failure::ContextTooLong,
        }
    }

    /// Whether it says something of the target rather than of the request or of who asks.
    pub fn counts(self) -> bool {
        matches!(self, Failure::Overloaded | Failure::Faulty | Failure::Timeout | Failure::Unreachable)
    }

    /// Whether it says something of the request alone.
    pub fn is_about_request(self) -> bool {
        matches!(self, Failure::BadRequest | Failure::ContentPolicy | Failure::ContextTooLong)
    }

    /// Whether the target would have served, if it were asked less, or by somebody else.
    pub fn is_about_asking(self) -> bool {
        matches!(self, Failure::Credential | Failure::Throttled | Failure::Exhausted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_name_and_is_found_by_it() {
        for failure in Failure::ALL {
            assert_eq!(Failure::named(failure.name()), Some(failure));
        }
        assert_eq!(Failure::named("none"), None);
    }
}
