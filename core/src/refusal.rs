//! Every way the gateway says no, and what the client is told when a provider does.
//!
//! Errors speak twice: [`ClientError::message`] for the caller, [`Refusal::code`] and the Record for the operator. Neither
//! contains a word of the prompt, of an answer or of a secret.

mod retry;
mod spent;

use crate::failure::Failure;
use crate::hub::event::{ErrorClass, ProviderError};
use crate::json::ScanError;
use crate::preferences::Several;

pub use spent::SpentBudget;

/// A path is known, but not with this method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMethod {
    /// The methods it takes, as the `allow` header says them.
    pub allow: &'static str,
}

/// Who says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The gateway itself.
    Gateway,
    /// The provider; the gateway only passes it on.
    Provider,
}

/// An error as a client will see it, before its dialect gives it a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// HTTP status.
    pub status: u16,
    /// What class of error; each dialect has its own word for it.
    pub class: ErrorClass,
    /// The provider's own code, or the refusal's; empty when there is none.
    pub code: String,
    /// One sentence for the caller.
    pub message: String,
    /// The request member at fault, where one is.
    pub param: Option<String>,
    /// Who says so.
    pub origin: Origin,
}

impl ClientError {
    /// What a client is told of a provider's error.
    pub fn of_provider(error: &ProviderError) -> ClientError {
        let message = match error.message.is_empty() {
            true => "the provider failed without saying why".to_string(),
            false => error.message.clone(),
        };
        ClientError {
            status: status_of(error),
            class: error.class,
            code: error.code.clone(),
            message,
            param: error.param.clone(),
            origin: Origin::Provider,
        }
    }
}

/// The status for a provider's error: its own where it has one that says "error", else that of its class.
fn status_of(error: &ProviderError) -> u16 {
    match error.status {
        400..=599 => error.status,
        _ => default_status(error.class),
    }
}

/// The status that says a class of error.
pub fn default_status(class: ErrorClass) -> u16 {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::ContextTooLong | ErrorClass::ContentPolicy => 400,
        ErrorClass::Authentication => 401,
        ErrorClass::Permission => 403,
        ErrorClass::NotFound => 404,
        ErrorClass::TooLarge => 413,
        ErrorClass::RateLimited | ErrorClass::QuotaExhausted => 429,
        ErrorClass::Overloaded => 503,
        ErrorClass::Timeout => 504,
        ErrorClass::Provider | ErrorClass::BadAnswer => 502,
    }
}

/// The class that a status says.
pub fn class_of_status(status: u16) -> ErrorClass {
    match status {
        401 => ErrorClass::Authentication,
        402 => ErrorClass::QuotaExhausted,
        403 => ErrorClass::Permission,
        404 => ErrorClass::NotFound,
        408 | 504 => ErrorClass::Timeout,
        413 => ErrorClass::TooLarge,
        429 => ErrorClass::RateLimited,
        503 | 529 => ErrorClass::Overloaded,
        400..=499 => ErrorClass::InvalidRequest,
        _ => ErrorClass::Provider,
    }
}

/// A reason of the gateway's own to say no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No dialect has that path.
    UnknownPath,
    /// The path is known, the method is not one that it takes.
    UnknownMethod(UnknownMethod),
    /// No key came with the request.
    NoKey,
    /// Several different keys came with the request.
    SeveralKeys,
    /// The key came in the query, where logs keep it.
    KeyInQuery,
    /// The key is unknown, expired or revoked.
    UnknownKey,
    /// The token is not good here: expired, of another issuer, for another audience, or not signed by its issuer.
    BadToken,
    /// Nobody here knows whom the token or the certificate names.
    UnknownIdentity,
    /// The caller may not ask for this route.
    RouteForbidden(String),
    /// The caller may not come from where it comes from.
    SourceForbidden,
    /// A budget has no room for it.
    BudgetSpent(Box<SpentBudget>),
    /// Whoever could answer is asked as fast as it may be.
    RateLimited(Box<SpentBudget>),
    /// The caller's own token met its limit at the only provider that could answer; so many milliseconds are left.
    Cooling(u64),
    /// Whoever could answer is to be left alone for so many milliseconds; 0 when nobody knows how long.
    Resting {
        /// What for.
        why: Failure,
        /// How long.
        wait_ms: u64,
    },
    /// What was lent of this budget has ended, and the control plane does not answer.
    BudgetUnknown(String),
    /// The body is not JSON.
    BadJson(ScanError),
    /// A member is missing, has the wrong type or stands twice.
    BadMember {
        /// Where, as a path such as `messages[3].content`.
        param: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The body is compressed; policy must see what the provider sees.
    CompressedBody,
    /// The body is larger than the limit in bytes.
    TooLarge(usize),
    /// This worker holds as many large bodies as it can.
    Busy,
    /// No route, family or provider has that model.
    UnknownModel(String),
    /// Nobody who serves the model can do what the request needs (see [`crate::catalog::Abilities`]).
    Unable {
        /// The model asked for.
        model: String,
        /// What is missing.
        lacking: Vec<&'static str>,
    },
    /// The request has a member that only a provider of this very dialect can honour, and none serves the model.
    Tied {
        /// The model asked for.
        model: String,
        /// The member.
        member: &'static str,
    },
    /// No provider does this in this dialect.
    Unserved {
        /// The model asked for; empty when none was.
        model: String,
        /// What was to be done (see [`crate::catalog::Operation`]).
        operation: &'static str,
    },
    /// What it names by an id is kept by a provider that the model does not lead to, or by several.
    NotKept(String),
    /// Nobody who serves the model is in a region that its route requires.
    Elsewhere(String),
    /// Whoever could answer for that model is not as the caller prefers: one or another does not satisfy these.
    Unmet(String, Several),
    /// The route is strict, and these members cannot be said to any of its targets.
    CannotSay(Vec<String>),
    /// The filters have not been told anything by the control plane yet.
    NotReady,
    /// The control plane did not answer, and nothing is remembered about the key.
    ControlPlaneAway,
    /// The caller says something of an exchange that is not there, or not the caller's.
    UnknownExchange(String),
    /// What the caller says of an exchange could not be kept, for the control plane did not answer.
    Unheard,
    /// No credential is configured for any target of the plan.
    NoCredential(String),
    /// No target could be reached.
    NoAnswer(Unanswered),
    /// The exchange is gone (the VM was reloaded); the client may try again.
    Forgotten,
}

/// Why no target answered, as Envoy tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// No connection, or it broke before an answer.
    Unreachable,
    /// No answer in time.
    Silent,
}

const SPENT: &str = "budget_spent";
const TOO_FAST: &str = "rate_limited";
const UNKNOWN: &str = "budget_unknown";

/// The codes of refusals for want of a budget.
pub(crate) const DENIALS: [&str; 3] = [SPENT, TOO_FAST, UNKNOWN];

impl Refusal {
    /// One word for Records and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::UnknownPath => "unknown_path",
            Refusal::UnknownMethod(_) => "unknown_method",
            Refusal::NoKey => "no_key",
            Refusal::SeveralKeys => "several_keys",
            Refusal::KeyInQuery => "key_in_query",
            Refusal::UnknownKey => "unknown_key",
            Refusal::BadToken => "bad_token",
            Refusal::UnknownIdentity => "unknown_identity",
            Refusal::RouteForbidden(_) => "route_forbidden",
            Refusal::SourceForbidden => "source_forbidden",
            Refusal::BudgetSpent(spent) => spent.code(),
            Refusal::RateLimited(_) => "targets_limited",
            Refusal::Cooling(_) => "caller_cooling",
            Refusal::Resting { .. } => "targets_resting",
            Refusal::BudgetUnknown(_) => UNKNOWN,
            Refusal::BadJson(_) => "bad_json",
            Refusal::BadMember { .. } => "bad_member",
            Refusal::CompressedBody => "compressed_body",
            Refusal::TooLarge(_) => "too_large",
            Refusal::Busy => "busy",
            Refusal::UnknownModel(_) => "model_not_found",
            Refusal::Unable { .. } => "unable",
            Refusal::Tied { .. } => "tied",
            Refusal::Unserved { .. } => "unserved",
            Refusal::Elsewhere(_) => "out_of_region",
            Refusal::NotKept(_) => "kept_elsewhere",
            Refusal::Unmet(..) => "preferences_unmet",
            Refusal::CannotSay(_) => "cannot_say",
            Refusal::NotReady => "not_ready",
            Refusal::ControlPlaneAway => "control_plane_away",
            Refusal::UnknownExchange(_) => "unknown_exchange",
            Refusal::Unheard => "feedback_not_kept",
            Refusal::NoCredential(_) => "no_credential",
            Refusal::NoAnswer(_) => "no_answer",
            Refusal::Forgotten => "forgotten",
        }
    }

    fn class(&self) -> ErrorClass {
        match self {
            Refusal::UnknownPath | Refusal::UnknownMethod(_) | Refusal::UnknownModel(_) => ErrorClass::NotFound,
            Refusal::NoKey | Refusal::SeveralKeys | Refusal::KeyInQuery | Refusal::UnknownKey | Refusal::BadToken => {
                ErrorClass::Authentication
            }
            Refusal::UnknownIdentity | Refusal::RouteForbidden(_) | Refusal::SourceForbidden => ErrorClass::Permission,
            Refusal::BudgetSpent(spent) => spent.class(),
            Refusal::RateLimited(_)
            | Refusal::Cooling(_)
            | Refusal::Resting { why: Failure::Throttled | Failure::Exhausted, .. } => ErrorClass::RateLimited,
            Refusal::BadJson(_)
            | Refusal::BadMember { .. }
            | Refusal::CompressedBody
            | Refusal::Unable { .. }
            | Refusal::Tied { .. }
            | Refusal::NotKept(_)
            | Refusal::Unmet(..)
            | Refusal::CannotSay(_) => ErrorClass::InvalidRequest,
            Refusal::Unserved { .. } | Refusal::Elsewhere(_) | Refusal::UnknownExchange(_) => ErrorClass::NotFound,
            Refusal::TooLarge(_) => ErrorClass::TooLarge,
            Refusal::Busy
            | Refusal::Resting { .. }
            | Refusal::NotReady
            | Refusal::ControlPlaneAway
            | Refusal::Unheard
            | Refusal::BudgetUnknown(_)
            | Refusal::NoCredential(_)
            | Refusal::NoAnswer(Unanswered::Unreachable)
            | Refusal::Forgotten => ErrorClass::Overloaded,
            Refusal::NoAnswer(Unanswered::Silent) => ErrorClass::Timeout,
        }
    }

    fn status(&self) -> u16 {
        match self {
            Refusal::UnknownMethod(_) => 405,
            Refusal::CompressedBody => 415,
            _ => default_status(self.class()),
        }
    }

    fn message(&self) -> String {
        match self {
            Refusal::UnknownPath => "this gateway has no such path".into(),
            Refusal::UnknownMethod(unknown) => format!("this path takes {} only", unknown.allow),
            Refusal::NoKey => "no API key: send it as `Authorization: Bearer`, `x-api-key` or `x-goog-api-key`".into(),
            Refusal::SeveralKeys => "several different API keys came with this request; send one".into(),
            Refusal::KeyInQuery => {
                "the API key stands in the URL, where logs keep it; send it as the header `x-goog-api-key`".into()
            }
            Refusal::UnknownKey => "the API key is unknown, expired or revoked".into(),
            Refusal::BadToken => {
                "the token is not good here: it has expired, or its issuer, its audience or its signature is not the right one"
                    .into()
            }
            Refusal::UnknownIdentity => "this identity is known, but no account is here for it".into(),
            Refusal::RouteForbidden(route) => format!("this API key may not use the model `{route}`"),
            Refusal::SourceForbidden => "this API key may not be used from this address".into(),
            Refusal::BudgetSpent(spent) => spent.message(),
            // Which providers there are is the operator's business.
            Refusal::RateLimited(_) => {
                "whoever could answer this is asked as often as the operator allows; try again later".into()
            }
            Refusal::Cooling(_) => {
                "your own token has reached its limit at the provider, and nobody else serves this; try again later".into()
            }
            Refusal::Resting { why: Failure::Throttled | Failure::Exhausted, .. } => {
                "whoever could answer this has reached a limit at its provider; try again later".into()
            }
            Refusal::Resting { .. } => "whoever could answer this is left alone for a while; try again later".into(),
            Refusal::BudgetUnknown(budget) => {
                format!("what is left of the budget `{budget}` cannot be asked right now; try again in a moment")
            }
            Refusal::BadJson(error) => format!("the request body is not JSON: {error}"),
            Refusal::BadMember { param, problem } => format!("`{param}` {problem}"),
            Refusal::CompressedBody => "compressed request bodies are not accepted; send it as it is".into(),
            Refusal::TooLarge(limit) => format!("the request body is larger than {limit} bytes"),
            Refusal::Busy => "the gateway holds as many large requests as it can; try again in a moment".into(),
            Refusal::UnknownModel(model) => format!("no provider serves the model `{model}`"),
            Refusal::Unable { model, lacking } => {
                format!("nobody who serves the model `{model}` can do what this request needs: {}", lacking.join(", "))
            }
            Refusal::Tied { model, member } => {
                format!("`{member}` needs a provider that speaks this API itself, and none of those of `{model}` does")
            }
            Refusal::Unserved { model, operation } if model.is_empty() => {
                format!("no provider is configured for `{operation}` in this API")
            }
            Refusal::Unserved { model, operation } => {
                format!("no provider of the model `{model}` does `{operation}` in this API")
            }
            Refusal::Elsewhere(model) => format!("no provider of the model `{model}` is in a region where it may be answered"),
            Refusal::NotKept(_) => "what this request names by an id is kept by a provider that can't be asked for this".into(),
            Refusal::Unmet(model, preferences) => {
                let names: Vec<&str> = preferences.names().collect();
                format!("nobody who could answer for the model `{model}` satisfies what you prefer: {}", names.join(", "))
            }
            Refusal::CannotSay(members) => {
                format!("no candidate of this strict route can be told: {}", members.join(", "))
            }
            Refusal::NotReady => "the gateway is starting; try again in a moment".into(),
            Refusal::ControlPlaneAway => "the API key cannot be checked right now; try again in a moment".into(),
            Refusal::UnknownExchange(exchange) => {
                format!("there is no exchange `{exchange}` of yours whose answer has ended")
            }
            Refusal::Unheard => "what you say of the exchange cannot be kept right now; try again in a moment".into(),
            Refusal::NoCredential(provider) => format!("no credential is configured for the provider `{provider}`"),
            Refusal::NoAnswer(Unanswered::Unreachable) => "no provider could be reached for this model".into(),
            Refusal::NoAnswer(Unanswered::Silent) => "no provider answered in time".into(),
            Refusal::Forgotten => "the gateway lost this request and did not send it; try again".into(),
        }
    }

    /// What the client is told.
    pub fn to_client(&self) -> ClientError {
        let param = match self {
            Refusal::BadMember { param, .. } => Some(param.clone()),
            Refusal::Tied { member, .. } => Some((*member).to_string()),
            Refusal::UnknownExchange(_) => Some("exchange".into()),
            Refusal::UnknownModel(_)
            | Refusal::RouteForbidden(_)
            | Refusal::Unserved { .. }
            | Refusal::Elsewhere(_) => Some("model".into()),
            _ => None,
        };
        ClientError {
            status: self.status(),
            class: self.class(),
            code: self.code().into(),
            message: self.message(),
            param,
            origin: Origin::Gateway,
        }
    }
}
