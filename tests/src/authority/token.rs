//! What clients ask without a browser: tokens, a device's beginning, giving tokens back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Shared;
use super::book::{No, Tokens};
use super::http::{Request, Said};
use super::manners::{Manners, Style};
use super::signed;
use super::words::{one, read};

/// The grant of RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Tokens for a code, a refresh token or a device code.
pub fn token(request: &Request, shared: &Shared) -> Said {
    let manners = shared.manners().clone();
    let wanted = match manners.style {
        Style::Form => "application/x-www-form-urlencoded",
        Style::Json => "application/json",
    };
    if !request.header("content-type").starts_with(wanted) {
        return refuse("invalid_request");
    }
    let word = |name: &str| one(&request.words, name);
    if word("grant_type") == Some(JWT_BEARER) {
        let scopes = manners.key.as_ref().and_then(|key| signed::scopes(word("assertion")?, key, &shared.token_url()));
        let Some(scopes) = scopes else { return refuse("invalid_grant") };
        let tokens = shared.book().mint(&scopes, &manners, shared.clock.now());
        return Said::json(200, &told(&tokens), "ok");
    }
    if let Err(said) = authenticate(request, &manners) {
        return said;
    }
    let (mut book, now) = (shared.book(), shared.clock.now());
    let answer = match (word("grant_type"), word("code"), word("refresh_token"), word("device_code")) {
        (Some("authorization_code"), Some(code), ..) => {
            book.redeem(code, word("redirect_uri"), word("code_verifier"), &manners, now)
        }
        (Some("refresh_token"), _, Some(token), _) => book.refresh(token, &manners, now),
        (Some("urn:ietf:params:oauth:grant-type:device_code"), _, _, Some(code)) => book.poll(code, &manners, now),
        (Some("client_credentials"), ..) if manners.secret.is_some() => {
            Ok(book.mint(word("scope").unwrap_or_default(), &manners, now))
        }
        (Some("authorization_code" | "refresh_token"), ..) => return refuse("invalid_request"),
        _ => return refuse("unsupported_grant_type"),
    };
    match answer {
        Ok(tokens) => Said::json(200, &told(&tokens), "ok"),
        Err(No { error, early }) => Said { early, ..refuse(error) },
    }
}

/// A device begins.
pub fn device(request: &Request, shared: &Shared) -> Said {
    let manners = shared.manners().clone();
    if let Err(said) = authenticate(request, &manners) {
        return said;
    }
    let started = shared.book().device(one(&request.words, "scope").unwrap_or_default(), &manners, shared.clock.now());
    let page = manners.verification.unwrap_or_else(|| format!("{}/verify", shared.url()));
    let said = json!({
        "device_code": started.device_code,
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", started.user_code),
        "expires_in": manners.device_lasts.as_secs(),
        "interval": manners.interval.as_secs(),
    });
    Said::json(200, &said, "ok")
}

/// A token is given back; one that nobody knows is as good as gone.
pub fn revoke(request: &Request, shared: &Shared) -> Said {
    if let Err(said) = authenticate(request, &shared.manners().clone()) {
        return said;
    }
    let Some(token) = one(&request.words, "token") else { return refuse("invalid_request") };
    shared.book().revoke(token);
    Said::json(200, &json!({}), "ok")
}

/// Another token for the one that came.
pub fn exchange(request: &Request, shared: &Shared) -> Said {
    let (manners, token) = (shared.manners().clone(), request.header("authorization").strip_prefix("Bearer "));
    let given = token.and_then(|token| shared.book().exchange(token, &manners, shared.clock.now()));
    let Some(token) = given else {
        return Said::json(401, &json!({ "message": "Bad credentials" }), "invalid_token");
    };
    let ends = signed::now_s() + manners.exchanged_lasts.as_secs();
    let api = json!({ "api": "https://elsewhere.example" });
    Said::json(200, &json!({ "token": token, "expires_at": ends, "endpoints": api }), "ok")
}

/// By the body or by `Basic`, not by both.
fn authenticate(request: &Request, manners: &Manners) -> Result<(), Said> {
    let basic = request.header("authorization").strip_prefix("Basic ").map(|text| {
        let text = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        // Both halves are written as in a form: RFC 6749, section 2.3.1.
        let half = |text: &str| read(&format!("x={text}")).pop().map(|word| word.1);
        let (client, secret) = text.split_once(':').unwrap_or((&text, ""));
        (half(client), half(secret))
    });
    let word = |name: &str| one(&request.words, name).map(str::to_owned);
    let (client, secret) = match basic {
        Some(_) if word("client_secret").is_some() => return Err(refuse("invalid_request")),
        Some(shown) => shown,
        None => (word("client_id"), word("client_secret")),
    };
    if client.as_ref() == Some(&manners.client) && secret == manners.secret {
        return Ok(());
    }
    Err(Said::json(401, &json!({ "error": "invalid_client" }), "invalid_client"))
}

fn told(tokens: &Tokens) -> Value {
    let mut told = json!({
        "access_token": tokens.access,
        "token_type": "Bearer",
        "expires_in": tokens.lasts.as_secs(),
        "scope": tokens.scopes,
    });
    if !tokens.refresh.is_empty() {
        told["refresh_token"] = tokens.refresh.clone().into();
    }
    told
}

fn refuse(error: &'static str) -> Said {
    Said::json(400, &json!({ "error": error, "error_description": "as told by a simulated server" }), error)
}
