//! The headers that no rule may set: credentials, what belongs to a connection or to a body, and what speaks in the gateway's or
//! Envoy's name.

/// How headers begin that are the gateway's, Envoy's, or a signature's.
const RESERVED: [&str; 5] = ["x-dragoman-", "x-envoy-", "x-forwarded-", "x-amz-", "proxy-"];

/// Headers to the provider that the gateway writes itself, or that authenticate.
const OUTGOING: [&str; 23] = [
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
    "traceparent",
    "tracestate",
];

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
    let own = match way {
        Way::Outgoing => &OUTGOING[..],
        Way::Answered => &ANSWERED[..],
    };
    let is_reserved = RESERVED.iter().any(|prefix| name.starts_with(prefix)) || own.contains(&name);
    is_reserved.then_some("is the gateway's own: credentials, connections and bodies are no rule's business")
}
