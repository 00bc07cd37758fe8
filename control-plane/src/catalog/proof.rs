//! How a provider knows the gateway.

use super::Environment;
use crate::settings::{ProviderRow, Secret, ServiceAccount, SignIn, Signing, Variables};

/// What authenticates the gateway to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// This header: its name and its value.
    Header(String, Secret),
    /// A token that is minted for this account, and again before it ends.
    Minted(ServiceAccount),
}

impl Credential {
    /// The header, if it is always the same.
    pub fn header(&self) -> Option<(&str, &Secret)> {
        match self {
            Credential::Header(name, value) => Some((name, value)),
            Credential::Minted(_) => None,
        }
    }
}

/// What each of the ways of a row leads to.
#[derive(Clone, Debug, Default)]
pub(super) struct Proof {
    /// The gateway's own.
    pub credential: Option<Credential>,
    /// There is none, and whoever asks brings one.
    pub own_only: bool,
    /// There is none, and Envoy signs.
    pub signing: Option<Signing>,
}

/// By its key; where there is none by the tokens of its service account; then, where the row says so, by what accounts bring, or by
/// a signature. What is signed carries no key, so `own_keys` comes first.
pub(super) fn proof(
    row: &ProviderRow,
    sign_in: Option<&SignIn>,
    environment: Environment<'_>,
    variables: &Variables,
) -> Result<Proof, String> {
    let hindrance = sign_in.map(SignIn::hindrance);
    let passes = sign_in.is_some_and(|sign_in| !sign_in.passthrough().is_empty());
    let mut missing = Vec::new();
    if let Some(reference) = &row.api_key {
        match reference.resolve(environment) {
            Some(key) => {
                let (name, value) = row.auth.clone().unwrap_or_default().header(&key);
                return Ok(Proof { credential: Some(Credential::Header(name, value)), ..Proof::default() });
            }
            None => missing.push(format!("{} is not set", reference.env.join(" or "))),
        }
    }
    match row.service_account.as_ref().map(|account| account.resolve(variables, environment)) {
        Some(Ok(account)) => {
            return Ok(Proof { credential: Some(Credential::Minted(account)), ..Proof::default() });
        }
        Some(Err(why)) => missing.push(format!("{why}, and so there is no service account")),
        None => {}
    }
    // Whoever signed in has a token, and so has whoever brings one.
    if row.own_keys == Some(true) || hindrance == Some(None) || passes {
        return Ok(Proof { own_only: true, ..Proof::default() });
    }
    if let Some(signing) = &row.signing {
        let region = variables.fill(&signing.region, environment).map_err(|why| format!("unavailable, for {why}"))?;
        let signing = Some(Signing { service: signing.service.clone(), region });
        return Ok(Proof { signing, ..Proof::default() });
    }
    match hindrance.flatten() {
        _ if !missing.is_empty() => Err(format!("unavailable, for {}", missing.join("; "))),
        Some(why) => Err(format!("unavailable, for nobody can sign in: {why}")),
        None => Ok(Proof::default()),
    }
}
