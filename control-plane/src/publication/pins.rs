//! The addresses of providers that the admin API made: resolved and screened here, and written into Envoy's configuration.
//!
//! Why so: a name that is checked now and resolved again later may lead elsewhere by then. Envoy is given the very addresses
//! that were checked. Rows of the catalogue and of the file are the machine's owner's words, and are resolved by Envoy.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::catalog::{Catalog, Registered};
use crate::screen::{Network, resolve_and_screen};
use crate::settings::{Kind, Problem};
use crate::store::rows::Rows;

/// How long addresses are used before they are looked up again, as long as many names' records are valid.
const MAX_AGE: Duration = Duration::from_secs(60);
/// How long a look-up may take.
const LOOK_UP: Duration = Duration::from_secs(2);

/// What was found last.
#[derive(Debug, Default)]
pub struct Pins {
    found: Mutex<HashMap<String, (String, Vec<IpAddr>)>>,
    looked: Mutex<Option<Instant>>,
}

/// Whether the admin API said where that provider is.
pub fn says_address(rows: &Rows, id: &str) -> bool {
    rows.find(Kind::Provider, id).is_some_and(|row| row.document.contains("\"base_url\""))
}

/// Members of `sign_in` that say what may be done, not where codes and tokens go.
const SAYABLE: [&str; 2] = ["policy", "scopes"];

/// What is wrong with a row that would have Envoy fetch keys, or us send people's codes and tokens, to where the admin API says:
/// those addresses are not pinned.
pub fn says_where_trust_is(rows: &Rows, (kind, id): &(Kind, String)) -> Option<Problem> {
    let row = rows.find(*kind, id)?;
    let members: serde_json::Value = serde_json::from_str(&row.document).ok()?;
    let (member, message) = match kind {
        Kind::Identity => {
            members.pointer("/jwt/jwks_url")?;
            let how = "by whom the machine belongs to; give the keys themselves as `jwks`";
            ("jwt", format!("`jwks_url` is said in dragoman.toml only, {how}"))
        }
        Kind::Provider if members.get("service_account").is_some() => {
            ("service_account", "is said in dragoman.toml only, by whom the machine belongs to".to_string())
        }
        Kind::Provider if members.get("proxy").is_some() => {
            ("proxy", "is said in dragoman.toml only, by whom the machine belongs to".to_string())
        }
        Kind::Provider => {
            let name = members.get("sign_in")?.as_object()?.keys().find(|name| !SAYABLE.contains(&name.as_str()))?;
            ("sign_in", format!("`{name}` of a sign-in is said in dragoman.toml only, by whom the machine belongs to"))
        }
        _ => return None,
    };
    Some(Problem { row: Some((*kind, id.clone())), member: Some(member.to_string()), message })
}

/// Looks a provider's host up; an error says why it can't be asked.
pub async fn look_up(provider: &Registered, allowed: &[Network]) -> Result<Vec<IpAddr>, String> {
    let host = provider.origin.host.trim_matches(['[', ']']);
    let found = tokio::time::timeout(LOOK_UP, resolve_and_screen(host, provider.origin.port, allowed)).await;
    found.unwrap_or_else(|_| Err(format!("{host} is not found in time")))
}

impl Pins {
    /// Pins the providers whose address this API said. One that may not be asked is taken out, and told of; one that is not
    /// found now keeps the addresses it had.
    pub async fn put(&self, catalog: &mut Catalog, rows: &Rows, allowed: &[Network]) {
        let mut out = Vec::new();
        let mut pinned = HashMap::new();
        for provider in catalog.providers.iter_mut().filter(|row| says_address(rows, &row.id)) {
            let before = self.found.lock().ok().and_then(|found| found.get(&provider.id).cloned());
            let before = before.filter(|(host, _)| *host == provider.origin.host).map(|(_, addresses)| addresses);
            match (look_up(provider, allowed).await, before) {
                (Ok(addresses), _) => provider.pinned = addresses,
                (Err(_), Some(before)) if !before.is_empty() => provider.pinned = before,
                (Err(why), _) => {
                    catalog.warnings.push(format!("provider {}: unavailable, for {why}", provider.id));
                    out.push(provider.id.clone());
                }
            }
            pinned.insert(provider.id.clone(), (provider.origin.host.clone(), provider.pinned.clone()));
        }
        catalog.providers.retain(|row| !out.contains(&row.id));
        if let Ok(mut looked) = self.looked.lock() {
            *looked = (!pinned.is_empty()).then(Instant::now);
        }
        if let Ok(mut found) = self.found.lock() {
            *found = pinned;
        }
    }

    /// Whether addresses are to be looked up again.
    pub fn are_old(&self) -> bool {
        self.looked.lock().is_ok_and(|looked| looked.is_some_and(|at| at.elapsed() > MAX_AGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::{Condition, Edit};

    #[test]
    fn where_secrets_go_is_not_said_by_the_api() {
        let said = |document: &str| {
            let (kind, id) = (Kind::Provider, "p".to_string());
            let edit = Edit { kind, id: id.clone(), to: Some(document.into()), condition: Condition::None };
            says_where_trust_is(&Rows::default().with(&[edit]), &(kind, id)).and_then(|problem| problem.member)
        };
        for good in ["{}", r#"{"sign_in":{"policy":"owner_only","scopes":[]}}"#, r#"{"variables":{"tenant":"t"}}"#] {
            assert_eq!(said(good), None, "{good}");
        }
        assert_eq!(said(r#"{"sign_in":{"exchange_url":"https://h"}}"#), Some("sign_in".into()));
        assert_eq!(said(r#"{"service_account":{"token_url":"https://h"}}"#), Some("service_account".into()));
        assert_eq!(said(r#"{"proxy":"http://10.0.0.1:3128"}"#), Some("proxy".into()));
    }
}
