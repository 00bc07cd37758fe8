//! Whose a token is that a caller brings: nothing of it is believed, it is only decided who may see it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::Json;

/// Letters of a head that tell what it is; whole groups of four, so that they can be decoded without the rest.
const HEAD_START: usize = 16;

/// The tokens of callers' own that are a provider's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passthrough {
    /// How they begin.
    pub prefixes: Vec<String>,
    /// Who signs them, where they are JSON Web Tokens: all of those begin alike.
    pub issuers: Vec<String>,
}

impl Passthrough {
    /// Whether no token is.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.issuers.is_empty()
    }

    /// Whether this one is. A JSON Web Token is by its issuer alone: however it begins, one that names another issuer, or none,
    /// is another's.
    pub fn takes(&self, token: &[u8]) -> bool {
        if !is_jwt(token) {
            let begins = |prefix: &String| !prefix.is_empty() && token.starts_with(prefix.as_bytes());
            return self.prefixes.iter().any(begins);
        }
        let payload = payload(token);
        let payload = payload.as_deref().and_then(|payload| Json::parse(payload).ok());
        let mut said = payload.into_iter().flat_map(Json::members).filter(|(name, _)| name.is("iss"));
        // Of two nobody knows which one the issuer's own library reads.
        let issuer = said.next().filter(|_| said.next().is_none()).and_then(|(_, issuer)| issuer.string());
        issuer.is_some_and(|issuer| self.issuers.contains(&issuer))
    }
}

/// What a JSON Web Token says, unverified.
pub fn payload(token: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(token.split(|byte| *byte == b'.').nth(1)?).ok()
}

/// Whether it is a JSON Web Token, by its head: what is before the first dot is an object.
pub fn is_jwt(token: &[u8]) -> bool {
    let mut parts = token.split(|byte| *byte == b'.');
    let head = parts.next().unwrap_or_default();
    let start = URL_SAFE_NO_PAD.decode(head.get(..HEAD_START).unwrap_or(head));
    parts.next().is_some() && start.is_ok_and(|start| start.trim_ascii_start().starts_with(b"{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(head: &str, payload: &str) -> Vec<u8> {
        let [head, payload] = [head, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{head}.{payload}.c2ln").into_bytes()
    }

    fn of(prefixes: &[&str], issuers: &[&str]) -> Passthrough {
        let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_string()).collect();
        Passthrough { prefixes: all(prefixes), issuers: all(issuers) }
    }

    #[test]
    fn a_signed_token_is_its_issuers_however_it_begins() {
        let corp = of(&["eyJ", "ey", "e", "sub-oat"], &["https://id.corp", "https://id2.corp"]);
        for head in [r#"{"alg":"ES256"}"#, r#"{ "alg": "none" }"#, " \n{ }", "{}", r#"{"typ":"JWT"}"#] {
            for good in [r#"{"iss":"https://id.corp","aud":"x"}"#, r#"{"a":{"iss":"y"},"iss":"https:\/\/id2.corp"}"#] {
                assert!(corp.takes(&jwt(head, good)), "{head} {good}");
            }
            for other in [
                r#"{"iss":"https://id.corp/"}"#,
                r#"{"iss":"https://id.corp.evil"}"#,
                r#"{"iss":"https://evil","aud":"https://id.corp"}"#,
                r#"{"iss":["https://id.corp"]}"#,
                r#"{"claims":{"iss":"https://id.corp"}}"#,
                r#"{"iss":null}"#,
                r#"{"iss":"https://id.corp","iss":"https://evil"}"#,
                r#"{"iss":"https://id.corp","\u0069ss":"https://evil"}"#,
                "{}",
                "https://id.corp",
                "",
            ] {
                assert!(!corp.takes(&jwt(head, other)), "{head} {other}");
            }
        }
        assert!(!corp.takes(b"eyJhbGciOiJub25lIn0.%%%.x") && !corp.takes(b"eyJhbGciOiJub25lIn0."));
        assert!(!of(&["eyJ"], &[]).takes(&jwt("{}", r#"{"iss":"https://id.corp"}"#)));
    }

    #[test]
    fn any_other_token_is_whose_it_begins_as() {
        let corp = of(&["sub-oat", "ya29.", ""], &["https://id.corp"]);
        for (token, is_theirs) in [
            ("sub-oat", true),
            ("sub-oat-x.y.z", true),
            ("ya29.a0Af.b.c", true),
            ("sub-oa", false),
            (" sub-oat", false),
            ("dgm_1", false),
            ("", false),
        ] {
            assert_eq!(corp.takes(token.as_bytes()), is_theirs, "{token}");
        }
        assert!(of(&[], &[]).is_empty() && !of(&[], &["x"]).is_empty());
    }
}
