//! What a request brings to say who it comes from.
//!
//! ```text
//! a key ──────────────────────────────────────────▶ Proven
//! a token of an issuer we know ─▶ Claimed ─┐  the host says that it is good, or whose certificate it is
//! nothing, where meshes are known ─▶ Peer ─┴────────▶ Proven, or refused
//! ```
//!
//! A provider's token is nothing of ours: where it stands in the place of a key, the connection says who brings it.
//!
//! Where nobody is known but by a key, nothing of this costs anything: a token is then a key that nobody has.

use super::{Head, Question};
use crate::admission::{Caller, digest, is_token};
use crate::catalog::Identity;
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;

/// What only the host can say of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The issuer of the token that it found good for the identity of this name.
    Token(String),
    /// The SPIFFE id of the certificate that it found good.
    Peer,
}

/// Who a request says it comes from, and whether that is known to be true.
#[derive(Debug)]
pub(super) enum Presented {
    /// It is true.
    Proven(Caller),
    /// It is what a token says.
    Claimed(Caller),
    /// The connection may say it.
    Peer,
    /// Nothing was brought yet.
    Nothing,
}

impl Presented {
    /// What a head brings.
    pub(super) fn of(head: &Head, known: Option<&Snapshot>) -> Result<Presented, Refusal> {
        let identities = identities(known);
        let any_peer = Identity::any_peer(identities);
        let key = match head.key() {
            Err(Refusal::NoKey) if any_peer => return Ok(Presented::Peer),
            other => other?,
        };
        let may_be_token = is_token(&key) && Identity::any_token(identities);
        if let Some(caller) = Caller::of_token(&key, identities).filter(|_| may_be_token) {
            return match head.brings_only(&key, |other| Caller::is_anothers(other, identities)) {
                true => Ok(Presented::Claimed(caller)),
                false => Err(Refusal::SeveralKeys),
            };
        }
        if any_peer && !head.brings_own() && known.is_some_and(|known| known.passes(&key)) {
            return Ok(Presented::Peer);
        }
        if may_be_token { Err(Refusal::BadToken) } else { Ok(Presented::Proven(Caller::Key(digest(&key)))) }
    }

    /// Who it is, once that is known.
    pub(super) fn caller(&self) -> Option<&Caller> {
        if let Presented::Proven(caller) = self { Some(caller) } else { None }
    }

    /// What the host has to say before it is known who this is; `None` when it is known.
    pub(super) fn evidence(&self) -> Option<Evidence> {
        match self {
            Presented::Claimed(Caller::Token { identity, .. }) => Some(Evidence::Token(identity.clone())),
            Presented::Peer => Some(Evidence::Peer),
            Presented::Claimed(_) | Presented::Proven(_) | Presented::Nothing => None,
        }
    }

    /// What is known once the host has said what it knows.
    pub(super) fn proven_by(self, said: Option<&[u8]>, known: Option<&Snapshot>) -> Result<Presented, Refusal> {
        match self {
            Presented::Claimed(caller) => match &caller {
                Caller::Token { issuer, .. } if said == Some(issuer.as_bytes()) => Ok(Presented::Proven(caller)),
                _ => Err(Refusal::BadToken),
            },
            Presented::Peer => {
                let spiffe = said.filter(|said| !said.is_empty()).ok_or(Refusal::NoKey)?;
                let caller =
                    core::str::from_utf8(spiffe).ok().and_then(|id| Caller::of_workload(id, identities(known)));
                caller.map(Presented::Proven).ok_or(Refusal::UnknownIdentity)
            }
            other => Ok(other),
        }
    }
}

/// Who is known without a key.
fn identities(known: Option<&Snapshot>) -> &[Identity] {
    known.map_or(&[], |known| &known.identities)
}

/// How the control plane is asked about a caller.
pub(super) fn question(caller: &Caller) -> Question {
    match caller {
        Caller::Key(digest) => Question::Admit(*digest),
        identity => Question::Recognise(identity.clone()),
    }
}

/// Why a caller that the control plane does not let in is refused.
pub(super) fn unknown(caller: &Caller) -> Refusal {
    match caller {
        Caller::Key(_) => Refusal::UnknownKey,
        Caller::Token { .. } | Caller::Workload { .. } => Refusal::UnknownIdentity,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::super::{Exchange, Step, brought};
    use super::*;
    use crate::admission::Grant;
    use crate::catalog::{DialectId, Passthrough, Proof, Provider, Target};
    use crate::memory::Memory;
    use crate::snapshot::Snapshot;

    fn identity(name: &str, proof: Proof) -> Identity {
        Identity { name: name.into(), mark: "1".into(), proof }
    }

    fn memory(identities: Vec<Identity>) -> Memory {
        let mut snapshot = Snapshot::new(1, vec![], vec![], vec![], vec![]).unwrap();
        snapshot.identities = identities;
        let mut memory = Memory::default();
        memory.publish(snapshot);
        memory
    }

    fn mesh() -> Identity {
        identity("mesh", Proof::Peer { trust_domain: "corp".into() })
    }

    fn both() -> Memory {
        let token = Proof::Token { issuer: "https://issuer".into(), claims: vec!["sub".into()] };
        memory(vec![identity("jwt", token), mesh()])
    }

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    fn good() -> String {
        token(r#"{"iss":"https://issuer","sub":"alice"}"#)
    }

    /// The next step of a request with these headers, and its Exchange.
    fn begun(headers: &[(&str, &str)], memory: &mut Memory) -> (Exchange, Step) {
        let all = [(":method", "POST"), (":path", "/v1/chat/completions")].iter().chain(headers);
        let headers = all.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
        Exchange::begin(Head { headers }, "x".into(), memory, 0)
    }

    fn status(step: &Step) -> u16 {
        if let Step::Reply(reply) = step { reply.status } else { panic!("{step:?}") }
    }

    #[test]
    fn a_token_counts_once_the_host_has_found_it_good_and_never_before() {
        for header in ["authorization", "x-api-key", "x-goog-api-key", "api-key"] {
            let value = if header == "authorization" { format!("Bearer {}", good()) } else { good() };
            let mut memory = both();
            let (mut exchange, step) = begun(&[(header, &value)], &mut memory);
            assert!(matches!(step, Step::Identify(Evidence::Token(name)) if name == "jwt"), "{header}");
            let step = exchange.is_proven_by(Some(b"https://issuer"), &mut memory, 0);
            let Step::Ask(questions) = step else { panic!("{step:?}") };
            let [Question::Recognise(caller)] = &questions[..] else { panic!("{questions:?}") };
            let grant = Grant { caller: "jwt:jwt/alice".into(), account: "acme".into(), ..Grant::default() };
            memory.admit(caller.digest(), Some(grant), 1000, 0);
            assert!(matches!(exchange.advance(&mut memory, 0), Step::Wait), "the body is awaited");
            exchange.close();
            let record = exchange.record().unwrap();
            assert_eq!((record.caller.as_str(), record.account.as_str()), ("jwt:jwt/alice", "acme"));
        }
    }

    #[test]
    fn what_the_host_did_not_find_good_is_refused() {
        for said in [None, Some(&b""[..]), Some(b"https://other")] {
            let mut memory = both();
            let (mut exchange, _) = begun(&[("x-api-key", &good())], &mut memory);
            assert_eq!(status(&exchange.is_proven_by(said, &mut memory, 0)), 401, "{said:?}");
        }
        for payload in ["{}", "x", r#"{"iss":"https://other","sub":"alice"}"#] {
            assert_eq!(status(&begun(&[("x-api-key", &token(payload))], &mut both()).1), 401, "{payload}");
        }
    }

    #[test]
    fn a_token_and_a_key_are_several_keys_and_one_token_twice_is_one() {
        let bearer = format!("Bearer {}", good());
        let (_, step) = begun(&[("authorization", &bearer), ("x-api-key", "dgm_1")], &mut both());
        assert_eq!(status(&step), 401);
        let (_, step) = begun(&[("authorization", &bearer), ("x-api-key", &good()), ("api-key", "")], &mut both());
        assert!(matches!(step, Step::Identify(_)));
        // Envoy would find the good one and vouch for the other.
        let other = token(r#"{"iss":"https://issuer","sub":"mallory"}"#);
        for (name, value) in [
            ("authorization", format!("Basic Bearer {}", good())),
            ("authorization", format!("x{bearer}")),
            ("x-goog-api-key", bearer.clone()),
        ] {
            let (_, step) = begun(&[("x-api-key", &other), (name, &value)], &mut both());
            assert_eq!(status(&step), 401, "{name}: {value}");
        }
    }

    #[test]
    fn a_certificate_counts_where_no_key_came() {
        let mut memory = both();
        let (mut exchange, step) = begun(&[], &mut memory);
        assert!(matches!(step, Step::Identify(Evidence::Peer)));
        let step = exchange.is_proven_by(Some(b"spiffe://corp/ns/a/sa/b"), &mut memory, 0);
        let Step::Ask(questions) = step else { panic!("{step:?}") };
        assert!(matches!(&questions[..], [Question::Recognise(Caller::Workload { .. })]), "{questions:?}");

        for (said, expected) in [(None, 401), (Some(&b""[..]), 401), (Some(b"spiffe://evil/a"), 403)] {
            let (mut exchange, _) = begun(&[], &mut memory);
            assert_eq!(status(&exchange.is_proven_by(said, &mut memory, 0)), expected, "{said:?}");
        }
        let (_, step) = begun(&[("x-api-key", "dgm_1")], &mut memory);
        assert!(matches!(&step, Step::Ask(questions) if matches!(questions[..], [Question::Admit(_)])), "{step:?}");
    }

    const OWN: &str = "sub-oat-alices-own";

    /// The same with a provider whose tokens begin with `sub-oat`, or are signed by its issuer.
    fn with_people(identities: Vec<Identity>) -> Memory {
        let passthrough = Passthrough { prefixes: vec!["sub-oat".into()], issuers: vec!["https://people".into()] };
        let people = Provider { passthrough, ..brought::tests::provider("people", DialectId::ChatCompletions) };
        let target = Target::unlisted("people/m".into(), 0, "m");
        let mut snapshot = Snapshot::new(1, vec![people], vec![target], vec![], vec![]).unwrap();
        snapshot.identities = identities;
        let mut memory = Memory::default();
        memory.publish(snapshot);
        memory
    }

    /// What is brought to a provider by whoever was proven, once it is planned; `None` when nothing is.
    fn sent(headers: &[(&str, &str)], said: &str, memory: &mut Memory) -> Option<String> {
        let (mut exchange, step) = begun(headers, memory);
        assert!(matches!(step, Step::Identify(_)), "{headers:?}: {step:?}");
        // Whoever came before is remembered.
        if let Step::Ask(questions) = exchange.is_proven_by(Some(said.as_bytes()), memory, 0) {
            let [Question::Recognise(caller)] = &questions[..] else { panic!("{questions:?}") };
            memory.admit(caller.digest(), Some(Grant { caller: "c".into(), ..Grant::default() }), 1000, 0);
        }
        let body = br#"{"model":"people/m","messages":[{"role":"user","content":"hi"}]}"#;
        let step = exchange.body(body.to_vec(), memory, 0);
        assert!(matches!(step, Step::Send(_) | Step::Reply(_)), "{step:?}");
        let asked = exchange.asked()?;
        let credential = asked.plan[0].credential.as_ref()?;
        let value = String::from_utf8(credential.value.expose().to_vec()).unwrap();
        assert!(!exchange.record.bearer.is_empty());
        Some(format!("{}: {value}", credential.header))
    }

    #[test]
    fn whoever_a_certificate_names_brings_their_own_token_where_a_key_would_stand() {
        let spiffe = "spiffe://corp/ns/a/sa/b";
        let signed = token(r#"{"iss":"https://people","sub":"alice"}"#);
        for identities in [both().snapshot().unwrap().identities.clone(), vec![mesh()]] {
            let mut memory = with_people(identities);
            for token in [OWN, &signed] {
                let bearer = format!("Bearer {token}");
                let brought = sent(&[("authorization", &bearer)], spiffe, &mut memory);
                assert_eq!(brought, Some(format!("authorization: {bearer}")));
                let brought = sent(&[("x-api-key", token), ("x-goog-api-key", "")], spiffe, &mut memory);
                assert_eq!(brought, Some(format!("x-api-key: {token}")));
            }
            assert_eq!(sent(&[], spiffe, &mut memory), None);
            // Without a certificate it is nothing, and what no provider takes is a key that nobody has.
            for said in [None, Some(&b""[..])] {
                let (mut exchange, _) = begun(&[("x-api-key", OWN)], &mut memory);
                assert_eq!(status(&exchange.is_proven_by(said, &mut memory, 0)), 401, "{said:?}");
            }
            let (_, step) = begun(&[("x-api-key", OWN), ("authorization", "Bearer dgm_1")], &mut memory);
            assert_eq!(status(&step), 401);
            for key in ["dgm_1", "sub-oa", "sub"] {
                let (_, step) = begun(&[("x-api-key", key)], &mut memory);
                assert!(
                    matches!(&step, Step::Ask(questions) if matches!(questions[..], [Question::Admit(_)])),
                    "{key}"
                );
            }
        }
        // Where no certificate is known it is a key like any other.
        let mut memory = with_people(Vec::new());
        assert!(matches!(begun(&[("x-api-key", OWN)], &mut memory).1, Step::Ask(_)));
    }

    #[test]
    fn a_token_of_ones_own_stands_beside_one_that_says_who_it_is() {
        let mut memory = with_people(both().snapshot().unwrap().identities.clone());
        let people = token(r#"{"iss":"https://people","sub":"alice"}"#);
        for own in [OWN, &people, "sub-oat.two.dots"] {
            for (name, value) in [("authorization", format!("Bearer {own}")), ("x-api-key", own.to_string())] {
                let headers = [("x-dragoman-key", good()), (name, value.clone())];
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                assert_eq!(sent(&headers, "https://issuer", &mut memory), Some(format!("{name}: {value}")));
            }
        }
        // One of an issuer that is known, wherever Envoy might find it, might be what it has found good.
        let other = token(r#"{"iss":"https://issuer","sub":"mallory"}"#);
        for value in [
            format!("Bearer {other}"),
            format!("x Bearer {other}"),
            format!("Bearer {other}~"),
            format!("Bearer {people} Bearer {other}"),
            format!("Bearer {OWN} Bearer {other}"),
            format!("Bearer {}", token("x")),
        ] {
            let (_, step) = begun(&[("x-dragoman-key", &good()), ("authorization", &value)], &mut memory);
            assert_eq!(status(&step), 401, "{value}");
        }
        for (one, two) in [(&other, &good()), (&good(), &other)] {
            let (_, step) = begun(&[("x-dragoman-key", one), ("x-dragoman-key", two)], &mut memory);
            assert_eq!(status(&step), 401);
        }
        let (mut exchange, _) = begun(&[("x-dragoman-key", &good()), ("x-api-key", OWN)], &mut memory);
        assert_eq!(status(&exchange.is_proven_by(None, &mut memory, 0)), 401, "not found good");
        let (_, step) = begun(&[("x-dragoman-key", &people), ("x-api-key", OWN)], &mut memory);
        assert_eq!(status(&step), 401, "nobody knows that issuer");
    }

    #[test]
    fn where_nobody_is_known_without_a_key_nothing_is_looked_at() {
        let mut memory = memory(Vec::new());
        assert_eq!(status(&begun(&[], &mut memory).1), 401);
        let (_, step) = begun(&[("x-api-key", &good())], &mut memory);
        assert!(matches!(&step, Step::Ask(questions) if *questions == [Question::Admit(digest(good().as_bytes()))]));
    }

    #[test]
    fn whoever_the_control_plane_does_not_know_is_refused() {
        let mut memory = both();
        let (mut exchange, _) = begun(&[("x-api-key", &good())], &mut memory);
        let Step::Ask(questions) = exchange.is_proven_by(Some(b"https://issuer"), &mut memory, 0) else { panic!() };
        let [Question::Recognise(caller)] = &questions[..] else { panic!("{questions:?}") };
        memory.admit(caller.digest(), None, 1000, 0);
        assert_eq!(status(&exchange.advance(&mut memory, 0)), 403);
    }
}
