//! The filter that checks tokens, and the clusters that issuers' keys are fetched by.
//!
//! Envoy checks and never refuses: a key is no token, and to the filter that is all the same. What it found good stands in
//! the request's metadata, where no client can write, under the identity's name; the router filter refuses the rest in the
//! client's own dialect.

use serde_json::{Map, Value, json};

use super::{Edge, any, cluster};
use crate::settings::{IdentityRow, Jwt, Proof, TokenKeys};

/// Headers that callers send keys in, and what stands before the key; a token may come wherever a key may.
const HEADERS: [(&str, &str); 6] = [
    ("authorization", "Bearer "),
    ("authorization", "bearer "),
    ("x-api-key", ""),
    ("x-goog-api-key", ""),
    ("api-key", ""),
    ("x-dragoman-key", ""),
];

/// The filter; `None` where no tokens are known.
pub(super) fn filter(edge: &Edge) -> Option<Value> {
    let providers: Map<String, Value> =
        tokens(edge).map(|(row, jwt)| (row.name.value.clone(), issuer(row, jwt))).collect();
    if providers.is_empty() {
        return None;
    }
    let config = json!({
        "providers": providers,
        "rules": [{ "match": { "prefix": "/" }, "requires": { "allow_missing_or_failed": {} } }],
    });
    Some(json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": any("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", config),
    }))
}

fn tokens(edge: &Edge) -> impl Iterator<Item = (&IdentityRow, &Jwt)> {
    edge.identities.iter().filter_map(|row| match &row.proof {
        Proof::Jwt(jwt) => Some((row, jwt)),
        Proof::Mesh(_) => None,
    })
}

fn issuer(row: &IdentityRow, jwt: &Jwt) -> Value {
    let header = |(name, prefix): (&str, &str)| json!({ "name": name, "value_prefix": prefix });
    let (source, keys) = match &jwt.keys {
        TokenKeys::Inline(text) => ("local_jwks", json!({ "inline_string": text })),
        TokenKeys::At { url, .. } => ("remote_jwks", remote(row, url)),
    };
    json!({
        "issuer": jwt.issuer,
        "audiences": jwt.audiences,
        source: keys,
        "from_headers": HEADERS.map(header),
        // The router filter must see that a token came, to refuse one that is not good; no provider ever does.
        "forward": true,
        "payload_in_metadata": row.name.value,
        // A token that never ends could never be taken back.
        "require_expiration": true,
    })
}

fn remote(row: &IdentityRow, url: &str) -> Value {
    json!({
        "http_uri": { "uri": url, "cluster": cluster_of(row), "timeout": "5s" },
        "cache_duration": "300s",
        // An issuer that does not answer must not keep away those who have a key.
        "async_fetch": { "fast_listener": true },
        "retry_policy": { "num_retries": 2 },
    })
}

fn cluster_of(row: &IdentityRow) -> String {
    format!("dragoman_jwks_{}", row.name.value)
}

/// The clusters that issuers' keys are fetched by.
pub(super) fn clusters(edge: &Edge) -> Vec<Value> {
    let fetched = tokens(edge).filter_map(|(row, jwt)| match &jwt.keys {
        TokenKeys::At { origin, .. } => Some(cluster::plain(edge, &cluster_of(row), origin)),
        TokenKeys::Inline(_) => None,
    });
    fetched.collect()
}
