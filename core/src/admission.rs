//! Who may ask, and for what: the Grant a caller holds.
//!
//! A Grant comes from the control plane at the first sight of a key and is kept for as long as the control plane said. Only
//! the key's digest travels; the key itself stays in the request that brought it, and is stripped from every attempt.

use sha2::{Digest, Sha256};

use crate::json::{Json, Writer};

/// SHA-256 of a caller's key.
pub type KeyDigest = [u8; 32];

/// The digest under which the control plane knows a key.
pub fn digest(key: &[u8]) -> KeyDigest {
    Sha256::digest(key).into()
}

/// What the control plane lets a caller do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The caller's id, as Records name it.
    pub caller: String,
    /// The routes it may ask for; `None` for every one.
    pub routes: Option<Vec<String>>,
}

impl Grant {
    /// Whether the caller may ask for `route`.
    pub fn allows(&self, route: &str) -> bool {
        self.routes.as_ref().is_none_or(|routes| routes.iter().any(|allowed| allowed == route))
    }

    /// The Grant of a document; `None` when it is not one.
    pub fn read(document: &[u8]) -> Option<Grant> {
        let json = Json::parse(document).ok()?;
        let plain = |value: Json<'_>| value.text().map(|text| text.decode().into_owned());
        let routes = match json.get("routes") {
            Some(list) if !list.is_null() => Some(list.items().map(plain).collect::<Option<_>>()?),
            _ => None,
        };
        Some(Grant { caller: json.get("caller").and_then(plain)?, routes })
    }

    /// The document of this Grant.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.object(|out| {
            out.field("caller").string(&self.caller);
            if let Some(routes) = &self.routes {
                out.field("routes").array(|out| routes.iter().for_each(|route| out.string(route)));
            }
        });
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_reads_back_as_written() {
        for routes in [None, Some(vec!["auto".to_string(), "m\"".to_string()]), Some(vec![])] {
            let grant = Grant { caller: "key_1".into(), routes };
            assert_eq!(Grant::read(&grant.write()), Some(grant));
        }
    }

    #[test]
    fn a_grant_without_a_list_allows_every_route_and_an_empty_list_none() {
        assert!(Grant { caller: "a".into(), routes: None }.allows("m"));
        assert!(!Grant { caller: "a".into(), routes: Some(vec![]) }.allows("m"));
    }
}
