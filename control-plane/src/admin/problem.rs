//! Errors in the words of RFC 9457 (`application/problem+json`): a sentence for the caller, another for the operator's log.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::{error, info};
use utoipa::ToSchema;

use crate::settings;
use crate::store::accounts::NotChanged;
use crate::store::rows::NotEdited;
use crate::store::vault::Fault;

/// An answer that says no; in a box, for most answers say yes.
#[derive(Debug)]
pub struct Problem(Box<Told>);

/// What is told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Told {
    /// A word for programs, as `urn:dragoman:problem:<word>`.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What went wrong and what to do about it.
    detail: String,
    /// Each thing that is wrong with what was sent; all at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Flaw>,
    /// For the log only.
    #[serde(skip)]
    #[schema(ignore)]
    internal: String,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct Flaw {
    /// Which row: `provider/corp`; left out when it is about all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<String>,
    /// Which member of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    /// What is wrong and what to write instead.
    message: String,
}

impl Problem {
    /// A problem with its word and its sentence.
    pub fn new(status: StatusCode, word: &str, detail: impl Into<String>) -> Problem {
        Problem(Box::new(Told {
            kind: format!("urn:dragoman:problem:{word}"),
            title: status.canonical_reason().unwrap_or("Error").to_string(),
            status: status.as_u16(),
            detail: detail.into(),
            problems: Vec::new(),
            internal: String::new(),
        }))
    }

    /// What was sent can't be read or means nothing.
    pub fn bad(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// There is no such thing.
    pub fn missing(what: &str, id: &str) -> Problem {
        let shown: String = id.chars().take(200).collect();
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("There is no {what} `{shown}`."))
    }

    /// The store or something behind it failed; the caller can only try again.
    pub fn failed(error: anyhow::Error) -> Problem {
        let detail = "The store failed. Try again; the log of the control plane says more.";
        let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_failed", detail);
        problem.0.internal = format!("{error:#}");
        problem
    }

    /// An account, a key or a token was not changed, and why.
    pub fn not_changed(what: &str, id: &str, why: NotChanged) -> Problem {
        let shown: String = id.chars().take(200).collect();
        match why {
            NotChanged::Condition => Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "changed_meanwhile",
                format!(
                    "The {what} `{shown}` is not as your precondition says: somebody else changed it. Read it again, then repeat."
                ),
            ),
            NotChanged::Missing => Problem::missing(what, id),
            NotChanged::Wrong(mistakes) => Problem::mistakes(mistakes),
            NotChanged::InUse => Problem::new(
                StatusCode::CONFLICT,
                "in_use",
                format!(
                    "Accounts, good keys, good tokens or credentials hang on the {what} `{shown}`; take those away first."
                ),
            ),
            NotChanged::LastOwner => {
                let detail = "This is the last owner's token; make another one first.";
                Problem::new(StatusCode::CONFLICT, "last_owner", detail)
            }
            NotChanged::Failed(error) => Problem::failed(error),
        }
    }

    /// An account, a key or a token can't be as it was said: everything that is wrong with it.
    pub fn mistakes(list: Vec<String>) -> Problem {
        let detail = "It can't be like that; nothing was changed. Every mistake is listed.";
        let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_terms", detail);
        problem.0.problems = list.into_iter().map(|message| Flaw { row: None, member: None, message }).collect();
        problem
    }

    /// What was sent is wrong, each thing with its place.
    pub fn flaws(list: Vec<settings::Problem>) -> Problem {
        let detail = "What was sent can't be served; nothing was changed. Every mistake is listed.";
        let flaw = |problem: settings::Problem| Flaw {
            row: problem.row.map(|(kind, id)| format!("{}/{id}", kind.name())),
            member: problem.member,
            message: problem.message,
        };
        let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_rows", detail);
        problem.0.problems = list.into_iter().map(flaw).collect();
        problem
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        let said = format!("Nothing was changed: {fault}.");
        match fault {
            Fault::Sealed(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "vault_sealed", said),
            Fault::NoAccount(account) => Problem::missing("account", &account),
            Fault::Full => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "vault_full", said),
            Fault::Failed(error) => Problem::failed(error),
            Fault::Broken(_) => {
                let out = "`dragoman vault reset --tenant NAME` takes away what the tenant has there; then start the control planes again.";
                Problem::new(StatusCode::CONFLICT, "vault_broken", format!("{said} {out}"))
            }
        }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Problem {
        Problem::failed(error)
    }
}

impl From<NotEdited<Vec<settings::Problem>>> for Problem {
    fn from(error: NotEdited<Vec<settings::Problem>>) -> Problem {
        match error {
            NotEdited::Condition(edit) => Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "changed_meanwhile",
                format!(
                    "The {} `{}` is not as your precondition says: somebody else changed it. Read it again, then repeat.",
                    edit.kind.name(),
                    edit.id
                ),
            ),
            NotEdited::Missing(edit) => {
                let shown: String = edit.id.chars().take(200).collect();
                let detail = format!(
                    "This API has said nothing of {} `{shown}`; there is nothing to take away.",
                    edit.kind.name()
                );
                Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
            }
            NotEdited::Refused(list) => Problem::flaws(list),
            NotEdited::Failed(error) => Problem::failed(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.0.status >= 500 {
            error!(status = self.0.status, problem = self.0.kind, "the admin API failed: {}", self.0.internal);
        } else {
            info!(status = self.0.status, problem = self.0.kind, "the admin API said no");
        }
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
