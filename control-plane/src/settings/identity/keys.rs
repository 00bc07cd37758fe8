//! What tokens' signatures are checked with.

use std::net::IpAddr;

use dragoman_core::catalog::Origin;
use serde_json::Value;

use super::super::address::origin;
use super::super::members::{Members, Reading};
use super::super::set;

/// What tokens' signatures are checked with: a set of public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKeys {
    /// Envoy asks for it, and asks again.
    At {
        /// Where it is.
        url: String,
        /// Its host.
        origin: Origin,
    },
    /// It stands here, as JSON.
    Inline(String),
}

/// Kinds of keys whose public half is another than their secret one.
const KINDS: [&str; 3] = ["RSA", "EC", "OKP"];

/// Reads `jwks_url` or `jwks`.
pub(super) fn keys(reading: &mut Reading<'_>, table: &mut Members<'_>) -> Option<TokenKeys> {
    let at = table.at;
    let url = table.string(reading, "jwks_url");
    let inline = table.value("jwks");
    match (url, inline) {
        (Some(url), None) => match place(&url.value) {
            Ok(origin) => Some(TokenKeys::At { url: url.value, origin }),
            Err(why) => {
                reading.mistake(url.at, why);
                None
            }
        },
        (None, Some(value)) => {
            let read = match value.get_ref().as_str() {
                Some(text) => serde_json::from_str(text).ok(),
                None => set::json(value.get_ref()),
            };
            match checked(&read.unwrap_or_default()) {
                Ok(text) => Some(TokenKeys::Inline(text)),
                Err(why) => {
                    reading.mistake(value.span().start, why);
                    None
                }
            }
        }
        _ => {
            reading.mistake(
                at,
                "`jwt` needs either `jwks_url`, where the issuer's keys are, or `jwks`, the keys themselves",
            );
            None
        }
    }
}

/// The host of a key set's URL. Whoever can change what comes from there can make tokens.
fn place(url: &str) -> Result<Origin, String> {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let origin =
        origin(before).map_err(|_| "`jwks_url` is a URL such as https://login.corp.example/keys".to_string())?;
    let host = origin.host.trim_matches(['[', ']']);
    let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !origin.tls && !near {
        return Err("`jwks_url` must be https: whoever changes the keys on their way can make tokens".to_string());
    }
    if !query.chars().all(|c| c.is_ascii_graphic() && c != '#') {
        return Err("`jwks_url` has nothing invisible and no fragment".to_string());
    }
    Ok(origin)
}

/// A key set as Envoy takes it, if there are public keys in it and nothing else.
fn checked(keys: &Value) -> Result<String, &'static str> {
    let list = keys["keys"].as_array().filter(|list| !list.is_empty());
    let list =
        list.ok_or("`jwks` is a set of keys as JSON: {\"keys\":[{\"kty\":\"RSA\",\"n\":\"…\",\"e\":\"AQAB\"}]}")?;
    if list.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        return Err("`jwks` has a secret key in it; only public ones stand here");
    }
    if !list.iter().all(|key| key["kty"].as_str().is_some_and(|kind| KINDS.contains(&kind))) {
        return Err("a key in `jwks` has the `kty` \"RSA\", \"EC\" or \"OKP\"");
    }
    Ok(keys.to_string())
}
