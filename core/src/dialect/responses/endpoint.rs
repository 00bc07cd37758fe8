//! Paths.
//!
//! | method and path | what |
//! |---|---|
//! | `POST /v1/responses` | an answer |
//! | `POST /v1/responses/input_tokens` | counting tokens |
//! | `POST /v1/responses/compact` | a shorter conversation; relayed |
//! | `GET`, `DELETE /v1/responses/{id}` | an answer that the provider keeps |
//! | `POST /v1/responses/{id}/cancel`, `GET /v1/responses/{id}/input_items` | the same |
//!
//! Clients whose base address lacks `/v1`, or has `/openai/v1` as at a cloud's, are served alike.

use crate::catalog::{DialectId, Operation};
use crate::dialect::Endpoint;
use crate::refusal::UnknownMethod;

/// What the paths begin with.
const PREFIXES: [&str; 3] = ["/v1/responses", "/openai/v1/responses", "/responses"];

/// The endpoint that a method and a path name, if it is one of this dialect's.
pub(super) fn of(method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>> {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let below = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix))?;
    let segments: Vec<&str> = match below.strip_prefix('/') {
        Some(rest) => rest.split('/').collect(),
        None if below.is_empty() => Vec::new(),
        // `/v1/responses-of-something-else`
        None => return None,
    };
    let (operation, allow) = match segments.as_slice() {
        [] => (Operation::Generate, "POST"),
        ["input_tokens"] => (Operation::CountTokens, "POST"),
        ["compact"] => (Operation::Stored, "POST"),
        [""] => return None,
        [_] => (Operation::Stored, "GET, DELETE"),
        ["", _] => return None,
        [_, "cancel"] => (Operation::Stored, "POST"),
        [_, "input_items"] => (Operation::Stored, "GET"),
        _ => return None,
    };
    if !allow.split(", ").any(|allowed| allowed == method) {
        return Some(Err(UnknownMethod { allow }));
    }
    let rest = match operation {
        Operation::Generate => String::new(),
        _ => format!("/responses{below}"),
    };
    Some(Ok(Endpoint::of(DialectId::Responses, operation, &rest)))
}
