//! Who may come without a key: callers whose token or certificate says who they are.

/// One way to be known: the tokens of an issuer, or the certificates of a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Stands for everything that the control plane makes of it: what was admitted before that changed is not known any more.
    pub mark: String,
    /// What says who somebody is.
    pub proof: Proof,
}

/// What says who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A signed token, which Envoy has checked.
    Token {
        /// Whose tokens.
        issuer: String,
        /// The claims that matter here; one inside another is named by its path, `realm.team`.
        claims: Vec<String>,
    },
    /// The certificate of the connection, which Envoy has checked.
    Peer {
        /// The SPIFFE trust domain.
        trust_domain: String,
    },
}

impl Identity {
    /// The identity whose tokens that issuer signs.
    pub fn of_issuer<'i>(all: &'i [Identity], wanted: &str) -> Option<&'i Identity> {
        all.iter().find(|row| matches!(&row.proof, Proof::Token { issuer, .. } if issuer == wanted))
    }

    /// The identity of a SPIFFE id (`spiffe://trust.domain/a/path`).
    pub fn of_workload<'i>(all: &'i [Identity], spiffe: &str) -> Option<&'i Identity> {
        let (domain, path) = spiffe.strip_prefix("spiffe://")?.split_once('/')?;
        let is_it = |row: &&Identity| matches!(&row.proof, Proof::Peer { trust_domain } if trust_domain == domain);
        all.iter().find(is_it).filter(|_| !path.is_empty())
    }

    /// Whether any of them is known by tokens.
    pub fn any_token(all: &[Identity]) -> bool {
        all.iter().any(|row| matches!(row.proof, Proof::Token { .. }))
    }

    /// Whether any of them is known by certificates.
    pub fn any_peer(all: &[Identity]) -> bool {
        all.iter().any(|row| matches!(row.proof, Proof::Peer { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_known_by_its_whole_trust_domain() {
        let proof = Proof::Peer { trust_domain: "corp.example".into() };
        let all = [Identity { name: "mesh".into(), mark: String::new(), proof }];
        assert!(Identity::of_workload(&all, "spiffe://corp.example/ns/a/sa/b").is_some());
        for other in [
            "spiffe://corp.example",
            "spiffe://corp.example/",
            "spiffe://corp.example.evil/ns/a",
            "spiffe://evil/corp.example/",
            "https://corp.example/ns/a",
            "SPIFFE://corp.example/ns/a",
            "",
        ] {
            assert!(Identity::of_workload(&all, other).is_none(), "{other}");
        }
    }
}
