//! The two pages that people see when they sign in: one that sends them to the provider, one where they come back.
//!
//! They take no token of this API, for whoever signs in has none. Who may finish a sign-in is who was given its page, and in the
//! browser that opened it last. Nothing here leads anywhere but to the provider of the sign-in: there is no address to return to.
//! No scripts, nothing from elsewhere, and no page of others may frame these; what others wrote is escaped.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::oauth::{Came, OAuth, Offered, Returned};
use crate::settings::Secret;
use crate::store::hex;
use crate::store::pepper::random;

/// What all of a page looks like.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem;color:#222;background:#fff}\
                     h1{font-size:1.4rem}a#go{display:inline-block;padding:.6rem 1.2rem;background:#14507a;color:#fff;\
                     border-radius:.3rem;text-decoration:none}code{word-break:break-all}";

/// The pages.
pub fn router<S: Clone + Send + Sync + 'static>(oauth: OAuth) -> Router<S> {
    Router::new()
        .route("/sign-in/{id}", get(start))
        .route("/sign-in/callback/{provider}", get(callback))
        .with_state(oauth)
}

/// What providers send people back with; what else they add is theirs.
#[derive(Deserialize)]
struct Back {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

async fn start(State(oauth): State<OAuth>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match oauth.open_page(&id, &|name| cookie(&headers, name)).await {
        Ok(offered) => offer(&offered),
        Err(why) => page(StatusCode::NOT_FOUND, "This sign-in can't go on", &paragraph(&why)),
    }
}

async fn callback(
    State(oauth): State<OAuth>,
    Path(provider): Path<String>,
    back: Result<Query<Back>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    // A word that comes twice is none: nobody knows which one is meant.
    let returned = match back {
        Ok(Query(Back { code, state, iss, error })) => Returned { code, state, iss, error },
        Err(_) => Returned::default(),
    };
    match oauth.come_back(&provider, returned, &|name| cookie(&headers, name)).await {
        Came::In { provider, account } => {
            let said = format!(
                "<p>The gateway now uses your account at <b>{}</b> for the requests of <b>{}</b>, and for nobody else's. You \
                 can close this page.</p>",
                escaped(&provider),
                escaped(&account)
            );
            page(StatusCode::OK, "You are signed in", &said)
        }
        Came::Not(why) => page(StatusCode::BAD_REQUEST, "You are not signed in", &paragraph(&why)),
    }
}

fn offer(offered: &Offered) -> Response {
    let Offered { provider, account, made_by, scopes, host, address, cookie: (name, value, tls) } = offered;
    let scopes: String = scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escaped(scope))).collect();
    let body = format!(
        "<p><b>{by}</b> asks you to let this gateway use your account at <b>{provider}</b>, for the requests of <b>{account}</b> and \
         nobody else's. It asks for:</p><ul>{scopes}</ul><p>Go on only if you know who asks and <b>{account}</b> is yours: whoever \
         uses that account uses yours at {provider}.</p><p><a id=\"go\" href=\"{address}\">Go to {host}</a></p>",
        by = escaped(made_by),
        provider = escaped(provider),
        account = escaped(account),
        host = escaped(host),
        address = escaped(address.expose()),
    );
    let mut response = page(StatusCode::OK, &format!("Sign in with {provider}"), &body);
    let secure = if *tls { "; Secure" } else { "" };
    // Lax: the provider sends the browser back from elsewhere, and the cookie has to come with it.
    let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600{secure}", value.expose());
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// A page of ours; `body` is HTML already, the title is not.
fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let Ok(nonce) = random::<16>().map(|bytes| hex(&bytes)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let title = escaped(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body><h1>{title}</h1>{body}</body></html>\n"
    );
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // The address of this page has a code in it.
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escaped(text))
}

/// A text as HTML, in a paragraph or an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The cookie of that name; none when there are two, for nobody knows which one is ours.
fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(known, _)| *known == name).map(|(_, value)| Secret::new(value));
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests;
