//! Which of a provider's response headers a client never sees.

use super::Attempt;

/// Response headers that belong to the provider's connection or would tell its secrets; all others go to the client.
const WITHHELD: [&str; 13] = [
    "set-cookie",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "alt-svc",
    "strict-transport-security",
    "server",
    "via",
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "www-authenticate",
];

/// Response headers that do not tell who answers: all that a client sees where a rule masks the provider.
const UNTELLING: [&str; 7] = [
    ":status",
    "content-type",
    "content-length",
    "cache-control",
    "retry-after",
    "retry-after-ms",
    "transfer-encoding",
];

impl Attempt {
    /// The headers that no client may see: those of the provider's connection, those that speak in the gateway's name, and
    /// whatever repeats the credential.
    pub(super) fn withheld<H: AsRef<[u8]>>(&self, headers: &[(H, H)]) -> Vec<Vec<u8>> {
        let secret = self.credential.as_ref().map(|known| known.value.expose());
        let secret = secret.map(|value| value.strip_prefix(b"Bearer ").unwrap_or(value)).unwrap_or_default();
        let masks = self.masks();
        let hidden = |(name, value): &(&[u8], &[u8])| {
            // A shorter value can't hold it; and making a searcher costs more than looking at a length.
            let echoes =
                !secret.is_empty() && value.len() >= secret.len() && memchr::memmem::find(value, secret).is_some();
            let tells = masks && !UNTELLING.iter().any(|known| known.as_bytes() == *name);
            tells
                || echoes
                || name.starts_with(b"x-dragoman-")
                || WITHHELD.iter().any(|known| known.as_bytes() == *name)
        };
        let headers = headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        headers.filter(hidden).map(|(name, _)| name.to_vec()).collect()
    }
}
