//! `Idempotency-Key`: a change that is asked for twice is made once, and answered the same both times.
//!
//! Only good answers are kept; what was refused changed nothing and may be asked again.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Admin;
use super::body::MAX_BODY;
use super::policy::Caller;
use super::problem::Problem;
use crate::store::hex;
use crate::store::repeated::{self, Standing};

/// The header.
pub const HEADER: &str = "idempotency-key";
/// Longest key: a UUID has 36 characters.
const MAX_KEY: usize = 255;
/// Largest answer that is kept.
const MAX_ANSWER: usize = 1 << 20;

/// Runs the handler, unless the request was answered before.
pub async fn once(admin: &Admin, caller: &Caller, request: Request, next: Next) -> Result<Response, Problem> {
    let Some(key) = request.headers().get(HEADER).filter(|_| request.method() != Method::GET).cloned() else {
        return Ok(next.run(request).await);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    let key = key.ok_or_else(|| Problem::bad("An Idempotency-Key has 1 to 255 printable characters."))?.to_string();
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| super::body::too_large())?;
    let mut digest = Sha256::new();
    [head.method.as_str().as_bytes(), b" ", head.uri.to_string().as_bytes(), b"\n", &body]
        .iter()
        .for_each(|part| digest.update(part));
    let asked = repeated::Request { holder: caller.id.clone(), key, digest: hex(&digest.finalize()) };
    match admin.repeated.begin(&asked).await? {
        Standing::Fresh => {}
        Standing::Answered(status, body) => return Ok(again(status, body)),
        Standing::Running => {
            let detail = "A request with this Idempotency-Key is being answered right now; repeat it in a moment.";
            return Err(Problem::new(StatusCode::CONFLICT, "being_answered", detail));
        }
        Standing::Other => {
            let detail = "This Idempotency-Key was used for another request; every request needs a key of its own.";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_used", detail));
        }
    }
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    if !response.status().is_success() {
        admin.repeated.forget(&asked).await?;
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER).await.map_err(|error| Problem::failed(error.into()))?;
    admin.repeated.finish(&asked, head.status.as_u16(), &body).await?;
    Ok(Response::from_parts(head, Body::from(body)))
}

fn again(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}
