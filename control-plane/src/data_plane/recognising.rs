//! Who a token or a certificate names: the account that pays, and what it may do.
//!
//! Envoy found the token or the certificate good, and the filters say what it says; here the row of the identity says what
//! that means. Nobody gets in without an account: whom no account is for is refused.

use std::time::Duration;

use dragoman_core::admission::{Caller, Grant};
use tracing::warn;

use super::{GRANT_VALIDITY, REFUSAL_VALIDITY};
use crate::accounts::grant;
use crate::settings::{IdentityRow, Testimony, Unknown};
use crate::store::Store;

/// How long it is remembered that somebody's own account is not there and one above pays: one that is made is theirs soon.
const ANCESTOR_VALIDITY: Duration = Duration::from_secs(60);
/// Longest name of a caller in Records; a subject has 255 bytes at most.
const MAX_NAME: usize = 512;

/// Somebody without a key.
#[derive(Debug, PartialEq)]
pub(super) struct Recognised {
    pub(super) grant: Grant,
    /// How long that may be remembered. Whether the token is still good, Envoy looks at every time.
    pub(super) valid_for: Duration,
}

/// Who that is; `None` when nobody may come so.
pub(super) async fn recognise(
    caller: &Caller,
    identities: &[IdentityRow],
    store: &Store,
) -> anyhow::Result<Option<Recognised>> {
    let (name, mark) = match caller {
        Caller::Key(_) => return Ok(None),
        Caller::Token { identity, mark, .. } | Caller::Workload { identity, mark, .. } => (identity, mark),
    };
    let Some(row) = identities.iter().find(|row| row.name.value == *name) else { return Ok(None) };
    let Some(caller_name) = named(row, caller) else {
        warn!(identity = name, "a token says nothing by which its caller could be named; it is refused");
        return Ok(None);
    };
    let (wanted, whole) = row.account.account(testimony(caller));
    let Some(wanted) = wanted else { return Ok(None) };
    let levels = store.levels(wanted.as_str()).await?;
    let account = levels.first().map(|level| level.holder.clone()).unwrap_or_default();
    let exact = whole && account == wanted.as_str();
    if account.is_empty() || (row.unknown == Unknown::Refuse && !exact) {
        warn!(
            identity = name,
            caller = caller_name,
            account = wanted.as_str(),
            "there is no such account; it is refused"
        );
        return Ok(None);
    }
    let valid_for = match (exact, row.published().mark == *mark) {
        // The filter has other rows than we; it will have ours in a moment.
        (_, false) => REFUSAL_VALIDITY,
        (false, true) => ANCESTOR_VALIDITY,
        (true, true) => GRANT_VALIDITY,
    };
    Ok(Some(Recognised { grant: grant(&caller_name, &account, &levels), valid_for }))
}

fn testimony(caller: &Caller) -> Testimony<'_> {
    match caller {
        Caller::Token { claims, .. } => Testimony::Claims(claims),
        Caller::Workload { spiffe, .. } => Testimony::Spiffe(spiffe),
        Caller::Key(_) => Testimony::Claims(&[]),
    }
}

/// What Records call the caller. It begins with what it is known by, so that nobody is called like a key.
fn named(row: &IdentityRow, caller: &Caller) -> Option<String> {
    let said = match (&row.caller, caller) {
        (Some(template), _) => template.filled(testimony(caller))?,
        (None, Caller::Token { claims, .. }) => claims.iter().find(|(name, _)| name == "sub")?.1.clone(),
        (None, Caller::Workload { spiffe, .. }) => return good(spiffe.clone()),
        (None, Caller::Key(_)) => return None,
    };
    let kind = if matches!(caller, Caller::Workload { .. }) { "mesh" } else { "jwt" };
    if said.is_empty() { None } else { good(format!("{kind}:{}/{said}", row.name.value)) }
}

fn good(name: String) -> Option<String> {
    (name.len() <= MAX_NAME && !name.chars().any(char::is_control)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{AccountId, AccountKind, Terms};
    use crate::settings::{File, Known};
    use crate::store::rows::Condition;
    use crate::store::tests::Directory;

    fn rows() -> Vec<IdentityRow> {
        let jwt = |name: &str, more: &str| {
            format!(
                "[[identity]]\nname = \"{name}\"\njwt = {{ issuer = \"{name}\", audiences = [\"a\"], jwks_url = \"https://h\" }}\n\
                 account = \"acme.{{claim:team}}.{{claim:sub}}\"\n{more}\n"
            )
        };
        let text = jwt("corp", "")
            + &jwt("strict", "unknown = \"refuse\"\ncaller = \"{claim:email}\"")
            + "[[identity]]\nname = \"mesh\"\nmesh = { trust_domain = \"corp\" }\naccount = \"acme.{path:2}.{path:4}\"\n";
        File::read("f", &text, &Known::default()).unwrap().identities
    }

    fn token(identity: &str, claims: &[(&str, &str)]) -> Caller {
        let mark = rows().iter().find(|row| row.name.value == identity).map(|row| row.published().mark);
        let claims = claims.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Caller::Token { identity: identity.into(), mark: mark.unwrap_or_default(), issuer: identity.into(), claims }
    }

    #[tokio::test]
    async fn a_caller_pays_from_its_own_account_or_the_nearest_above_and_nobody_from_none() {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        for (id, kind) in [
            ("acme", AccountKind::Tenant),
            ("acme.search", AccountKind::Team),
            ("acme.search.alice", AccountKind::User),
        ] {
            let id = AccountId::read(id).unwrap();
            store.put_account("me", &id, kind, &Terms::default(), Condition::None).await.unwrap();
        }
        let of = async |caller: Caller| recognise(&caller, &rows(), &store).await.unwrap();
        let who =
            |found: Option<Recognised>| found.map(|found| (found.grant.caller, found.grant.account, found.valid_for));
        let alice = [("team", "Search"), ("sub", "alice")];
        assert_eq!(
            who(of(token("corp", &alice)).await),
            Some(("jwt:corp/alice".into(), "acme.search.alice".into(), GRANT_VALIDITY))
        );
        let bob = [("team", "search"), ("sub", "bob|1")];
        assert_eq!(
            who(of(token("corp", &bob)).await),
            Some(("jwt:corp/bob|1".into(), "acme.search".into(), ANCESTOR_VALIDITY))
        );
        let named = [("team", "search"), ("sub", "alice"), ("email", "a@b")];
        assert_eq!(of(token("strict", &named)).await.unwrap().grant.caller, "jwt:strict/a@b");
        for refused in [
            token("strict", &alice),
            token("strict", &[("team", "search"), ("sub", "bob"), ("email", "b@b")]),
            token("corp", &[("team", "search")]),
            token("corp", &[("team", "search"), ("sub", "")]),
            token("corp", &[("team", "search"), ("sub", "a\nb")]),
            token("nobody", &alice),
            Caller::Key([0; 32]),
        ] {
            assert_eq!(of(refused.clone()).await, None, "{refused:?}");
        }
        let spiffe = "spiffe://corp/ns/search/sa/alice".to_string();
        let found =
            who(of(Caller::Workload { identity: "mesh".into(), mark: "old".into(), spiffe: spiffe.clone() }).await);
        assert_eq!(found, Some((spiffe, "acme.search.alice".into(), REFUSAL_VALIDITY)), "its filter has other rows");
    }

    #[tokio::test]
    async fn without_any_account_nobody_is_let_in() {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        let alice = token("corp", &[("team", "search"), ("sub", "alice")]);
        assert_eq!(recognise(&alice, &rows(), &store).await.unwrap(), None);
    }
}
