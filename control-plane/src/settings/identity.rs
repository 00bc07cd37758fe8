//! Who may come without a key: `[[identity]]`.
//!
//! ```toml
//! [[identity]]
//! name = "corp"
//! jwt = { issuer = "https://login.corp.example", audiences = ["llm"], jwks_url = "https://login.corp.example/keys" }
//! account = "acme.{claim:team}.{claim:sub}"
//! ```

mod keys;
mod template;

use dragoman_core::catalog::{self, Proof as Known};
use sha2::{Digest, Sha256};

use super::members::{Members, Placed, Reading};
use crate::store::hex;

pub use keys::TokenKeys;
pub use template::{Template, Testimony};

/// Longest name of an identity.
const MAX_WORD: usize = 64;

/// One `[[identity]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRow {
    /// Its name, and its place.
    pub name: Placed<String>,
    /// What says who somebody is.
    pub proof: Proof,
    /// Which account that is.
    pub account: Template,
    /// What Records call the caller; the subject or the SPIFFE id when nothing is said.
    pub caller: Option<Template>,
    /// What happens to those whose account there is not.
    pub unknown: Unknown,
}

/// What says who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A signed token.
    Jwt(Jwt),
    /// A certificate of this SPIFFE trust domain.
    Mesh(String),
}

/// Which tokens are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// Who signs them.
    pub issuer: String,
    /// For whom they are made: one of these.
    pub audiences: Vec<String>,
    /// What their signatures are checked with.
    pub keys: TokenKeys,
}

/// What happens to those whose account there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unknown {
    /// The nearest account above pays; without any they are refused.
    #[default]
    Ancestor,
    /// They are refused.
    Refuse,
}

impl Unknown {
    /// Both, with their names in configuration.
    const ALL: [(Unknown, &'static str); 2] = [(Unknown::Ancestor, "ancestor"), (Unknown::Refuse, "refuse")];
}

impl IdentityRow {
    /// What the filters need to know of it.
    pub fn published(&self) -> catalog::Identity {
        let caller = self.caller.as_ref().map_or("", Template::text);
        let meaning = format!("{}\n{caller}\n{:?}", self.account.text(), self.unknown);
        let mark = hex(&Sha256::digest(meaning)).chars().take(16).collect();
        let proof = match &self.proof {
            Proof::Mesh(trust_domain) => Known::Peer { trust_domain: trust_domain.clone() },
            Proof::Jwt(jwt) => {
                let named = self.account.claims().chain(self.caller.iter().flat_map(Template::claims));
                let mut claims: Vec<String> = named.chain(["sub"]).map(str::to_string).collect();
                claims.sort();
                claims.dedup();
                Known::Token { issuer: jwt.issuer.clone(), claims }
            }
        };
        catalog::Identity { name: self.name.value.clone(), mark, proof }
    }
}

/// Reads one `[[identity]]`; `None` when something in it is wrong.
pub(super) fn identity(reading: &mut Reading<'_>, mut row: Members<'_>) -> Option<IdentityRow> {
    let at = row.at;
    let name = row.string(reading, "name").unwrap_or(Placed { at, value: String::new() });
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if name.value.is_empty() || name.value.len() > MAX_WORD || !name.value.bytes().all(plain) {
        reading.mistake(name.at, "this identity needs a `name` of at most 64 small letters, digits, `-` and `_`");
    }
    let jwt = row.table(reading, "jwt", "`jwt`").map(|table| jwt(reading, table));
    let mesh = row.table(reading, "mesh", "`mesh`").map(|table| mesh(reading, table));
    let proof = match (jwt, mesh) {
        (Some(jwt), None) => jwt.map(Proof::Jwt),
        (None, Some(domain)) => domain.map(Proof::Mesh),
        _ => {
            reading.mistake(at, "this identity needs either `jwt`, for signed tokens, or `mesh`, for certificates");
            None
        }
    };
    let account = row.string(reading, "account");
    if account.is_none() {
        reading.mistake(at, "this identity needs an `account`, for instance \"acme.{claim:team}.{claim:sub}\"");
    }
    let account = account.and_then(|text| template::account(reading, &text, proof.as_ref()));
    let caller = row.string(reading, "caller").map(|text| template::caller(reading, &text, proof.as_ref()));
    let unknown = row.string(reading, "unknown").map(|text| unknown(reading, &text)).unwrap_or_default();
    row.end(reading);
    let caller = match caller {
        None => None,
        Some(read) => Some(read?),
    };
    Some(IdentityRow { name, proof: proof?, account: account?, caller, unknown })
}

fn jwt(reading: &mut Reading<'_>, mut table: Members<'_>) -> Option<Jwt> {
    let at = table.at;
    let issuer = table.string(reading, "issuer").filter(|text| !text.value.is_empty());
    let audiences: Vec<String> =
        table.strings(reading, "audiences").unwrap_or_default().into_iter().map(|text| text.value).collect();
    let keys = keys::keys(reading, &mut table);
    table.end(reading);
    if issuer.is_none() {
        reading.mistake(at, "`jwt` needs an `issuer`: what stands in the tokens' `iss`");
    }
    if audiences.is_empty() || audiences.iter().any(String::is_empty) {
        reading.mistake(at, "`jwt` needs `audiences`: tokens made for others must not be good here");
        return None;
    }
    Some(Jwt { issuer: issuer?.value, audiences, keys: keys? })
}

fn mesh(reading: &mut Reading<'_>, mut table: Members<'_>) -> Option<String> {
    let at = table.at;
    let domain = table.string(reading, "trust_domain");
    table.end(reading);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let good = domain.filter(|text| !text.value.is_empty() && text.value.len() < 256 && text.value.bytes().all(plain));
    if good.is_none() {
        reading.mistake(at, "`mesh` needs a `trust_domain` such as \"cluster.local\": what follows spiffe:// in an id");
    }
    good.map(|text| text.value)
}

fn unknown(reading: &mut Reading<'_>, text: &Placed<String>) -> Unknown {
    let found = Unknown::ALL.iter().find(|(_, name)| *name == text.value);
    if found.is_none() {
        reading.mistake(text.at, "`unknown` is \"ancestor\" (the nearest account above pays) or \"refuse\"");
    }
    found.map(|(unknown, _)| *unknown).unwrap_or_default()
}

/// Two identities can't be told apart by the same issuer, or the same trust domain.
pub(super) fn check(reading: &mut Reading<'_>, rows: &[IdentityRow]) {
    for (place, row) in rows.iter().enumerate() {
        let before = rows.get(..place).unwrap_or_default();
        let same = |other: &&IdentityRow| match (&other.proof, &row.proof) {
            (Proof::Jwt(one), Proof::Jwt(two)) => one.issuer == two.issuer,
            (Proof::Mesh(one), Proof::Mesh(two)) => one == two,
            _ => false,
        };
        if before.iter().any(|other| other.name.value == row.name.value) {
            reading.mistake(row.name.at, format!("identity `{}` is listed twice", row.name.value));
        } else if let Some(other) = before.iter().find(same) {
            let other = &other.name.value;
            reading.mistake(
                row.name.at,
                format!("`{other}` has the same issuer or trust domain; who comes would be both"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
