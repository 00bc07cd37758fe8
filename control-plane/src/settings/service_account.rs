//! Who the gateway is where a provider takes no key but tokens that end: a service account, for which the control plane mints them.
//!
//! ```toml
//! [provider.service_account]
//! token_url = "https://id.corp.example/{tenant}/token"
//! client_id = { env = "CORP_CLIENT_ID" }         # client credentials (RFC 6749, 4.4)
//! client_secret = { env = "CORP_CLIENT_SECRET" }
//! scopes = ["models"]
//! ```
//!
//! With `key` instead of the two in the midst it signs for itself (RFC 7523).
//!
//! Why a name in braces stands in the path only: the admin API may say variables, and must not say where secrets go.

use super::members::{Members, Placed, Reading};
use super::provider::{plain, secret_ref};
use super::sign_in::{address, found};
use super::variable::{Variables, mention, stand_in};
use super::{Secret, SecretRef};

/// `service_account` of a provider, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountRow {
    token_url: String,
    scopes: Vec<String>,
    shows: Shows,
}

/// What it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shows {
    Key(SecretRef),
    Client { id: SecretRef, secret: SecretRef },
}

/// The same as it can be used now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Where its tokens come from.
    pub token_url: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// How it is known there.
    pub known_by: KnownBy,
}

/// What proves who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// A key that signs: its document, or the path of a file with it, which is read for each token.
    Key(Secret),
    /// The id and the secret of a client.
    Client {
        /// Who it is.
        id: String,
        /// What proves it.
        secret: Secret,
    },
}

impl ServiceAccountRow {
    /// With what the environment says. An error names what is not there.
    pub fn resolve(
        &self,
        variables: &Variables,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ServiceAccount, String> {
        let known_by = match &self.shows {
            Shows::Key(key) => KnownBy::Key(found(key, environment)?),
            Shows::Client { id, secret } => KnownBy::Client {
                id: found(id, environment)?.expose().to_string(),
                secret: found(secret, environment)?,
            },
        };
        let token_url = variables.fill(&self.token_url, environment)?;
        Ok(ServiceAccount { token_url, scopes: self.scopes.clone(), known_by })
    }
}

/// Reads `service_account = { … }`.
pub(super) fn service_account(
    reading: &mut Reading<'_>,
    row: &mut Members<'_>,
    mentions: &mut Vec<Placed<String>>,
) -> Option<ServiceAccountRow> {
    let mut table = row.table(reading, "service_account", "`service_account`")?;
    let at = table.at;
    let token_url = table.string(reading, "token_url").and_then(|text| token_url(reading, text, mentions));
    let key = secret_ref(reading, &mut table, "key");
    let id = secret_ref(reading, &mut table, "client_id");
    let secret = secret_ref(reading, &mut table, "client_secret");
    let scopes = plain(table.strings(reading, "scopes")).unwrap_or_default();
    table.end(reading);
    let shows = match (key, id, secret) {
        (Some(key), None, None) => Some(Shows::Key(key)),
        (None, Some(id), Some(secret)) => Some(Shows::Client { id, secret }),
        _ => None,
    };
    match (token_url, shows) {
        (Some(token_url), Some(shows)) => Some(ServiceAccountRow { token_url, scopes, shows }),
        _ => {
            reading.mistake(
                at,
                "a service account has a `token_url`, and either a `key` or a `client_id` with its `client_secret`",
            );
            None
        }
    }
}

fn token_url(reading: &mut Reading<'_>, text: Placed<String>, mentions: &mut Vec<Placed<String>>) -> Option<String> {
    let host = text.value.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    if mention(reading, &text, mentions) > 0 || host.contains('{') {
        reading.mistake(text.at, "names in braces stand in its path only, and `{model}` not at all");
        return None;
    }
    address(&stand_in(&text.value)).map_err(|why| reading.mistake(text.at, why)).ok()?;
    Some(text.value)
}

#[cfg(test)]
mod tests {
    use super::super::{File, Known, Mistakes};
    use super::*;

    const CLIENT: &str = "client_id = { env = \"ID\" }, client_secret = { env = \"SECRET\" }";

    fn row(members: &str) -> Result<(ServiceAccountRow, Variables), Mistakes> {
        let text = format!(
            "[[provider]]\nid = \"corp\"\nvariables = {{ tenant = {{ env = \"TENANT\" }} }}\nservice_account = {{ {members} }}\n"
        );
        let file = File::read("f", &text, &Known::default())?;
        let row = &file.providers[0];
        Ok((row.service_account.clone().unwrap(), row.variables.clone().unwrap()))
    }

    fn resolved(members: &str, set: &[(&str, &str)]) -> Result<ServiceAccount, String> {
        let environment = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        let (row, variables) = row(members).unwrap();
        row.resolve(&variables, &environment)
    }

    #[test]
    fn it_shows_a_key_or_a_client_and_says_what_is_missing() {
        let url = "token_url = \"https://id.example/{tenant}/token\"";
        let client = format!("{url}, {CLIENT}, scopes = [\"a\"]");
        assert_eq!(resolved(&client, &[("ID", "me")]), Err("SECRET is not set".into()));
        assert_eq!(resolved(&client, &[("ID", "me"), ("SECRET", "s")]), Err("TENANT is not set".into()));
        let known_by = KnownBy::Client { id: "me".into(), secret: Secret::new("s") };
        let token_url = "https://id.example/t-1/token".to_string();
        assert_eq!(
            resolved(&client, &[("ID", "me"), ("SECRET", "s\n"), ("TENANT", "t-1")]),
            Ok(ServiceAccount { token_url, scopes: vec!["a".into()], known_by })
        );
        let key = "token_url = \"http://127.0.0.1:1/t\", key = { env = [\"A\", \"B\"] }";
        assert_eq!(resolved(key, &[]), Err("A or B is not set".into()));
        assert_eq!(resolved(key, &[("B", "{}")]).unwrap().known_by, KnownBy::Key(Secret::new("{}")));
    }

    #[test]
    fn secrets_go_to_no_address_in_clear_nor_to_one_that_a_variable_says() {
        let key = "key = { env = \"A\" }";
        for bad in [
            String::new(),
            key.to_string(),
            "token_url = \"https://h/t\"".to_string(),
            format!("token_url = \"http://h/t\", {key}"),
            format!("token_url = \"https://{{tenant}}.example/t\", {key}"),
            format!("token_url = \"https://{{tenant}}\", {key}"),
            format!("token_url = \"https://h/{{nobody}}\", {key}"),
            format!("token_url = \"https://h/{{model}}\", {key}"),
            format!("token_url = \"https://h/t\", {key}, {CLIENT}"),
            "token_url = \"https://h/t\", client_id = { env = \"A\" }".to_string(),
            "token_url = \"https://h/t\", key = { env = \"DRAGOMAN_PEPPER\" }".to_string(),
            "token_url = \"https://h/t\", key = \"{}\"".to_string(),
            format!("token_url = \"https://h/t\", {key}, nonsense = 1"),
        ] {
            assert!(row(&bad).is_err(), "{bad}");
        }
    }
}
