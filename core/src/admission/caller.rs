//! Who a caller is: whoever holds a key, or somebody whose token or certificate says so.
//!
//! ```
//! use dragoman_core::admission::{Caller, digest};
//!
//! assert_eq!(Caller::Key(digest(b"k")).digest(), digest(b"k"));
//! let workload = Caller::Workload { identity: "mesh".into(), mark: "1".into(), spiffe: "spiffe://corp/sa/a".into() };
//! assert_eq!(Caller::read(&workload.document()), Some(workload));
//! ```
//!
//! Whether a token is good, Envoy has found out by then; here only stands what it says. A token is read from the very header
//! that Envoy checked, by the whole value of it: what Envoy checked and what is read can't be two things.

use super::{KeyDigest, digest};
use crate::catalog::{Identity, Proof, is_jwt, payload};
use crate::json::{Json, Writer};

/// What stands before the text of an identity that is digested. No header has a NUL in it, so that no key is this text.
const DOMAIN: &[u8] = b"\0dragoman identity\0";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Whoever holds this key.
    Key(KeyDigest),
    /// Whom a token names.
    Token {
        /// The identity's name.
        identity: String,
        /// Its [`Identity::mark`].
        mark: String,
        /// Who signed it.
        issuer: String,
        /// The claims that matter, as far as the token has them.
        claims: Vec<(String, String)>,
    },
    /// Whom a certificate names.
    Workload {
        /// The identity's name.
        identity: String,
        /// Its [`Identity::mark`].
        mark: String,
        /// `spiffe://trust.domain/a/path`
        spiffe: String,
    },
}

impl Caller {
    /// Whom a token (see [`is_token`]) says it names; `None` when it can't be read or nobody here knows its issuer. Whether it
    /// speaks the truth is not known yet.
    pub fn of_token(token: &[u8], identities: &[Identity]) -> Option<Caller> {
        let payload = payload(token)?;
        let payload = Json::parse(&payload).ok()?;
        let issuer = claim(payload, "iss")?;
        let row = Identity::of_issuer(identities, &issuer)?;
        let Proof::Token { claims, .. } = &row.proof else { return None };
        let claims = claims.iter().filter_map(|name| Some((name.clone(), claim(payload, name)?))).collect();
        Some(Caller::Token { identity: row.name.clone(), mark: row.mark.clone(), issuer, claims })
    }

    /// Whether it has the form of a token and is of nobody who is known here: of another issuer, or not of the kind at all.
    pub fn is_anothers(token: &[u8], identities: &[Identity]) -> bool {
        if !is_token(token) || !is_jwt(token) {
            return is_token(token);
        }
        let payload = payload(token);
        let payload = payload.as_deref().and_then(|payload| Json::parse(payload).ok());
        let issuer = payload.and_then(|payload| claim(payload, "iss"));
        issuer.is_some_and(|issuer| Identity::of_issuer(identities, &issuer).is_none())
    }

    /// Whom a certificate names; `None` when nobody here knows its trust domain.
    pub fn of_workload(spiffe: &str, identities: &[Identity]) -> Option<Caller> {
        let row = Identity::of_workload(identities, spiffe)?;
        Some(Caller::Workload { identity: row.name.clone(), mark: row.mark.clone(), spiffe: spiffe.to_string() })
    }

    /// What its Grant is remembered by. No key has the digest of anything but a key.
    pub fn digest(&self) -> KeyDigest {
        match self {
            Caller::Key(digest) => *digest,
            Caller::Token { .. } | Caller::Workload { .. } => digest(&[DOMAIN, &self.document()].concat()),
        }
    }

    /// What the control plane is told; empty for a key, of which only the digest travels.
    pub fn document(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Caller::Key(_) => {}
            Caller::Token { identity, mark, issuer, claims } => out.object(|out| {
                out.field("identity").string(identity);
                out.field("mark").string(mark);
                out.field("issuer").string(issuer);
                out.field("claims").object(|out| {
                    claims.iter().for_each(|(name, value)| out.field(name).string(value));
                });
            }),
            Caller::Workload { identity, mark, spiffe } => out.object(|out| {
                out.field("identity").string(identity);
                out.field("mark").string(mark);
                out.field("spiffe").string(spiffe);
            }),
        }
        out.into_bytes()
    }

    /// The caller of a document; `None` when it is not one.
    pub fn read(document: &[u8]) -> Option<Caller> {
        let json = Json::parse(document).ok()?;
        let (identity, mark) = (json.get("identity").and_then(Json::string)?, json.get("mark").and_then(Json::string)?);
        if let Some(spiffe) = json.get("spiffe").and_then(Json::string) {
            return Some(Caller::Workload { identity, mark, spiffe });
        }
        let issuer = json.get("issuer").and_then(Json::string)?;
        let claim = |(name, value): crate::json::Member<'_>| Some((name.decode().into_owned(), value.string()?));
        let claims = json.get("claims")?.members().map(claim).collect::<Option<_>>()?;
        Some(Caller::Token { identity, mark, issuer, claims })
    }
}

/// Whether this is a signed token and no key: three parts of base64url with dots between. The last is empty when it claims to
/// need no signature.
pub fn is_token(key: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let mut parts = key.split(|byte| *byte == b'.');
    let (head, payload, signature) = (parts.next(), parts.next(), parts.next());
    let said = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(plain));
    said(head) && said(payload) && signature.is_some_and(|part| part.iter().all(plain)) && parts.next().is_none()
}

/// A claim that is a string or a whole number; by its name, or by its path when none has that name.
fn claim(payload: Json<'_>, name: &str) -> Option<String> {
    let nested = || payload.at(&name.split('.').collect::<Vec<_>>());
    let value = payload.get(name).or_else(nested)?;
    match value.text() {
        Some(text) => Some(text.decode().into_owned()),
        None => value.u64().map(|number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn identities() -> Vec<Identity> {
        let claims = ["sub", "org.team", "https://corp/x", "number", "list"].map(String::from).to_vec();
        vec![Identity {
            name: "corp".into(),
            mark: "m".into(),
            proof: Proof::Token { issuer: "https://issuer".into(), claims },
        }]
    }

    fn token(payload: &str) -> Vec<u8> {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)).into_bytes()
    }

    #[test]
    fn a_token_is_told_from_a_key_by_its_form() {
        for good in ["a.b.c", "a.b.", "eyJ0-_.eyJ.x"] {
            assert!(is_token(good.as_bytes()), "{good}");
        }
        for other in
            ["", "..", "a..c", ".b.c", "a.b", "a.b.c.d", "a.b.c ", "a.b.c,a.b.c", "a.b.c~", "dgm_0123", "a.b=.c"]
        {
            assert!(!is_token(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_token_says_the_claims_that_matter_and_no_others() {
        let payload = r#"{"iss":"https://issuer","sub":"al\"ice","org":{"team":"search"},"https://corp/x":"y","number":7,
                          "list":["a"],"email":"secret"}"#;
        let Some(Caller::Token { identity, claims, .. }) = Caller::of_token(&token(payload), &identities()) else {
            panic!("no caller")
        };
        let expected = [("sub", "al\"ice"), ("org.team", "search"), ("https://corp/x", "y"), ("number", "7")];
        assert_eq!((identity.as_str(), claims), ("corp", expected.map(|(n, v)| (n.into(), v.into())).to_vec()));
    }

    #[test]
    fn a_token_of_nobody_we_know_names_nobody() {
        for payload in ["", "[]", "{}", r#"{"iss":"https://other"}"#, r#"{"iss":["https://issuer"]}"#, "{"] {
            assert_eq!(Caller::of_token(&token(payload), &identities()), None, "{payload}");
        }
        assert_eq!(Caller::of_token(b"a.!.c", &identities()), None);
    }

    #[test]
    fn a_document_reads_back_as_written_and_says_all_that_the_digest_means() {
        let caller = Caller::of_token(&token(r#"{"iss":"https://issuer","sub":"a"}"#), &identities()).unwrap();
        assert_eq!(Caller::read(&caller.document()), Some(caller.clone()));
        let others = [
            Caller::of_token(&token(r#"{"iss":"https://issuer","sub":"b"}"#), &identities()).unwrap(),
            Caller::Workload { identity: "corp".into(), mark: "m".into(), spiffe: "spiffe://a/b".into() },
            Caller::Key(digest(&caller.document())),
        ];
        assert!(others.iter().all(|other| other.digest() != caller.digest()));
        assert!(Caller::Key([0; 32]).document().is_empty());
        assert_eq!(Caller::read(b"{}"), None);
    }
}
