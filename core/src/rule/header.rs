//! The headers that no rule may set: credentials, what belongs to a connection or to a body, and what speaks in the gateway's or
//! Envoy's name.

/// How headers begin that are the gateway's, Envoy's, or a signature's.
const RESERVED: [&str; 5] = ["x-dragoman-", "x-envoy-", "x-forwarded-", "x-amz-", "proxy-"];

/// Headers that the gateway itself writes to a provider: credentials, what belongs to a connection or to a body, and what tells
/// where somebody sits. Neither a client's nor a rule's reach it.
pub(crate) const GATEWAYS: [&str; 21] = [
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "cookie",
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    "content-encoding",
    "content-type",
    "accept-encoding",
    "forwarded",
    "via",
    "x-real-ip",
    "x-request-id",
];

/// Others that no rule may set: a client's trace is the client's.
const TRACES: [&str; 2] = ["traceparent", "tracestate"];

/// Headers to the client that say how the answer is to be read, or that change what the client keeps.
const ANSWERED: [&str; 19] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-encoding",
    "content-type",
    "set-cookie",
    "www-authenticate",
    "authorization",
    "x-api-key",
    "alt-svc",
    "location",
    "retry-after",
    "retry-after-ms",
    "x-request-id",
    "host",
];

/// Which way a header goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the provider.
    Outgoing,
    /// To the client.
    Answered,
}

/// Why a rule may not set this header; `None` when it may.
pub(super) fn problem(name: &str, way: Way) -> Option<&'static str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) {
        return Some("is no header; a name has lower-case letters, digits and `-`");
    }
    let is_own = match way {
        Way::Outgoing => GATEWAYS.contains(&name) || TRACES.contains(&name),
        Way::Answered => ANSWERED.contains(&name),
    };
    let is_reserved = is_own || RESERVED.iter().any(|prefix| name.starts_with(prefix));
    is_reserved.then_some("is the gateway's own: credentials, connections and bodies are no rule's business")
}
