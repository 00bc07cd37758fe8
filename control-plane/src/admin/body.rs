//! Reading what a request says, strictly; every fault is a [`Problem`].

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::store::rows::Condition;

/// Largest body: a configuration of ten thousand rows fits.
pub const MAX_BODY: usize = 16 << 20;

/// What a body is that is a file.
pub const OCTETS: &str = "application/octet-stream";

/// Longest name in a path, in characters: as long as a row's may be.
pub const MAX_ID: usize = 200;

/// The Problem of a body that is larger.
pub fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("A body has at most {MAX_BODY} bytes."))
}

/// A JSON body of a type that refuses members it does not know.
pub struct Said<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Said<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Said<T>, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
            let detail = "A body is JSON and says so: `content-type: application/json`.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
        }
        let bytes = axum::body::to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| too_large())?;
        // The message names members and places, never what stands there.
        let read = serde_json::from_slice(&bytes);
        read.map(Said).map_err(|error| Problem::bad(format!("The body can't be read: {error}.")))
    }
}

/// A body that is a file of at most so many bytes.
pub struct Attached<const MOST: usize>(pub Bytes);

impl<S: Send + Sync, const MOST: usize> FromRequest<S> for Attached<MOST> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Attached<MOST>, Problem> {
        if request.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != OCTETS) {
            let detail = format!("This body is a file and says so: `content-type: {OCTETS}`.");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_file", detail));
        }
        let too_large = |_| {
            let detail = format!("This file has at most {MOST} bytes.");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
        };
        axum::body::to_bytes(request.into_body(), MOST).await.map(Attached).map_err(too_large)
    }
}

/// The one parameter of a path.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id, Problem> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        let id = path.map_err(|_| Problem::bad("The path holds something that is no text."))?.0;
        match id.chars().count() {
            1..=MAX_ID => Ok(Id(id)),
            _ => Err(Problem::bad(format!("What a path names has 1 to {MAX_ID} characters."))),
        }
    }
}

/// The two parameters of a path.
pub struct Ids(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Ids, Problem> {
        let path: Result<Path<(String, String)>, PathRejection> = Path::from_request_parts(parts, state).await;
        let (one, two) = path.map_err(|_| Problem::bad("The path holds something that is no text."))?.0;
        match [&one, &two].iter().all(|id| (1..=MAX_ID).contains(&id.chars().count())) {
            true => Ok(Ids(one, two)),
            false => Err(Problem::bad(format!("What a path names has 1 to {MAX_ID} characters."))),
        }
    }
}

/// The parameters of a query, of a type that refuses those it does not know.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, Problem> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Asked(asked)).map_err(|error| {
            let why = error.body_text();
            let why = why.strip_prefix("Failed to deserialize query string: ").unwrap_or(&why);
            Problem::bad(format!("The query can't be read: {why}."))
        })
    }
}

/// What `If-Match` and `If-None-Match` ask for.
pub fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
    let revision = |tag: &str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Condition::None),
        (None, Some("*")) => Ok(Condition::Absent),
        (Some("*"), None) => Ok(Condition::Present),
        (Some(tag), None) => Ok(match revision(tag) {
            // What the catalogue or the file says is not there yet as far as this API is concerned.
            Some(0) => Condition::Absent,
            // A tag that we never gave matches nothing.
            other => Condition::Unchanged(other.unwrap_or(u64::MAX)),
        }),
        _ => {
            let detail = "Send `If-Match: \"<etag>\"`, `If-Match: *` or `If-None-Match: *`, and one of them only.";
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, "unknown_precondition", detail))
        }
    }
}

/// A body of JSON with its entity tag.
pub fn tagged(revision: u64, body: impl serde::Serialize) -> impl axum::response::IntoResponse {
    ([(header::ETAG, format!("\"{revision}\""))], Json(body))
}
