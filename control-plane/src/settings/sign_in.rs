//! How people sign in with a provider (OAuth 2.0), and whether a token of theirs may be kept.
//!
//! ```toml
//! [provider.sign_in]
//! policy = "owner_only"
//! authorize_url = "https://corp.example/authorize"
//! token_url = "https://corp.example/token"
//! client_id = { env = "CORP_CLIENT_ID" }
//! redirect_uri = { env = "CORP_REDIRECT_URI" }
//! scopes = ["models"]
//! ```
//!
//! Why the addresses must be TLS or this machine: codes and tokens go there. Why a redirect URI ends with its provider's name: no
//! two providers have the same one, so that a code of one can't be brought to another (RFC 9700, 4.4).

use std::net::SocketAddr;

use dragoman_core::catalog::Passthrough;

use super::address::origin;
use super::members::{Members, Placed, Reading};
use super::provider::{headers, plain, secret_ref};
use super::{Secret, SecretRef};

/// The page where providers send people back to, behind everything that stands before it in the redirect URI.
pub const CALLBACK: &str = "/sign-in/callback/";

/// Fewer characters say nothing of whose a token is.
const SHORTEST_PREFIX: usize = 3;

/// How other things begin than tokens of one provider, and what to say of them instead.
const NO_PREFIX: [(&str, &str); 2] = [
    ("eyJ", "JSON Web Tokens of all issuers begin so: say whose they are in `token_issuers`"),
    ("dgm_", "the gateway's own keys begin so, and go to no provider"),
];

/// What may be done with people's own tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInPolicy {
    /// The official client's own token passes through; none is kept.
    CallerPassthrough,
    /// A token is kept and serves its owner, nobody else.
    OwnerOnly,
    /// Nobody signs in.
    Disabled,
}

impl SignInPolicy {
    /// Every policy.
    pub const ALL: [SignInPolicy; 3] =
        [SignInPolicy::CallerPassthrough, SignInPolicy::OwnerOnly, SignInPolicy::Disabled];

    /// Its name in rows.
    pub fn name(self) -> &'static str {
        match self {
            SignInPolicy::CallerPassthrough => "caller_passthrough",
            SignInPolicy::OwnerOnly => "owner_only",
            SignInPolicy::Disabled => "disabled",
        }
    }
}

/// How a token endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// As the standard says.
    #[default]
    Form,
    /// The same words as JSON.
    Json,
}

/// `sign_in` of a provider, as written: every member optional, for a row may change another.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SignInRow {
    policy: Option<SignInPolicy>,
    authorize_url: Option<String>,
    token_url: Option<String>,
    exchange_url: Option<String>,
    device_url: Option<String>,
    revoke_url: Option<String>,
    issuer: Option<String>,
    client_id: Option<SecretRef>,
    client_secret: Option<SecretRef>,
    redirect_uri: Option<Redirect>,
    scopes: Option<Vec<String>>,
    parameters: Option<Vec<(String, String)>>,
    headers: Option<Vec<(String, String)>>,
    style: Option<Style>,
    verification_hosts: Option<Vec<String>>,
    token_prefixes: Option<Vec<String>>,
    token_issuers: Option<Vec<String>>,
}

/// Where the provider sends people back to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Redirect {
    /// There.
    To(String),
    /// Where one of these variables says.
    In(SecretRef),
}

/// The same as it can be used now. What is missing is a sentence that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The provider.
    pub provider: String,
    /// What may be done with people's tokens.
    pub policy: SignInPolicy,
    /// Where people are asked.
    pub authorize_url: Option<String>,
    /// Where tokens come from.
    pub token_url: Option<String>,
    /// Where a token is exchanged for the one that is served; `None` when it is served itself.
    pub exchange_url: Option<String>,
    /// Where device codes come from.
    pub device_url: Option<String>,
    /// Where tokens are taken back.
    pub revoke_url: Option<String>,
    /// Who answers (RFC 9207).
    pub issuer: Option<String>,
    /// Whom the provider knows us as.
    pub client_id: Result<String, String>,
    /// And proves it, where it wants that.
    pub client_secret: Option<Secret>,
    /// Where it sends people back to.
    pub redirect_uri: Result<String, String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What else stands in the address where people are asked.
    pub parameters: Vec<(String, String)>,
    /// Headers of every request to it.
    pub headers: Vec<(String, String)>,
    /// How its token endpoint is spoken to.
    pub style: Style,
    /// Hosts where people type device codes, besides those of its own addresses.
    pub verification_hosts: Vec<String>,
    /// The tokens that pass through, where the policy says that any do.
    pub tokens: Passthrough,
}

impl SignInRow {
    /// Takes what `other` says of each member that it names.
    pub fn change(&mut self, other: &SignInRow) {
        fn take<T: Clone>(to: &mut Option<T>, from: &Option<T>) {
            if from.is_some() {
                to.clone_from(from);
            }
        }
        take(&mut self.policy, &other.policy);
        take(&mut self.authorize_url, &other.authorize_url);
        take(&mut self.token_url, &other.token_url);
        take(&mut self.exchange_url, &other.exchange_url);
        take(&mut self.device_url, &other.device_url);
        take(&mut self.revoke_url, &other.revoke_url);
        take(&mut self.issuer, &other.issuer);
        take(&mut self.client_id, &other.client_id);
        take(&mut self.client_secret, &other.client_secret);
        take(&mut self.redirect_uri, &other.redirect_uri);
        take(&mut self.scopes, &other.scopes);
        take(&mut self.parameters, &other.parameters);
        take(&mut self.headers, &other.headers);
        take(&mut self.style, &other.style);
        take(&mut self.verification_hosts, &other.verification_hosts);
        take(&mut self.token_prefixes, &other.token_prefixes);
        take(&mut self.token_issuers, &other.token_issuers);
    }

    /// With what the environment says; `api` is where the admin API is reached, whose pages they are.
    pub fn resolve(
        &self,
        provider: &str,
        api: Option<SocketAddr>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> SignIn {
        let row = self.clone();
        let found = |reference| found(reference, environment).map(|value| value.expose().to_string());
        let client_id = match &row.client_id {
            Some(reference) => found(reference),
            None => Err("its row has no `client_id`".to_string()),
        };
        let redirect_uri = match (&row.redirect_uri, api) {
            (Some(Redirect::To(text)), _) => Ok(text.clone()),
            (Some(Redirect::In(reference)), None) => found(reference),
            (Some(Redirect::In(reference)), Some(api)) => found(reference).or_else(|_| Ok(own_page(api, provider))),
            (None, Some(api)) => Ok(own_page(api, provider)),
            (None, None) => Err("its row has no `redirect_uri`".to_string()),
        };
        SignIn {
            provider: provider.to_string(),
            // Keeping nothing is wrong for nobody.
            policy: row.policy.unwrap_or(SignInPolicy::CallerPassthrough),
            authorize_url: row.authorize_url,
            token_url: row.token_url,
            exchange_url: row.exchange_url,
            device_url: row.device_url,
            revoke_url: row.revoke_url,
            issuer: row.issuer,
            client_id,
            client_secret: row.client_secret.as_ref().and_then(|reference| reference.resolve(environment)),
            redirect_uri: redirect_uri.and_then(|uri| checked_redirect(uri, provider)),
            scopes: row.scopes.unwrap_or_default(),
            parameters: row.parameters.unwrap_or_default(),
            headers: row.headers.unwrap_or_default(),
            style: row.style.unwrap_or_default(),
            verification_hosts: row.verification_hosts.unwrap_or_default(),
            tokens: Passthrough {
                prefixes: row.token_prefixes.unwrap_or_default(),
                issuers: row.token_issuers.unwrap_or_default(),
            },
        }
    }
}

impl SignIn {
    /// Where the gateway itself asks for something.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let all = [&self.token_url, &self.exchange_url, &self.device_url, &self.revoke_url];
        all.into_iter().flatten().map(String::as_str)
    }

    /// The tokens that callers bring and that pass through.
    pub fn passthrough(&self) -> Passthrough {
        if self.policy == SignInPolicy::CallerPassthrough { self.tokens.clone() } else { Passthrough::default() }
    }

    /// Why nobody's token is kept for this provider; `None` when somebody's can be.
    pub fn hindrance(&self) -> Option<String> {
        match (&self.client_id, &self.token_url) {
            _ if self.policy != SignInPolicy::OwnerOnly => {
                Some(format!("its policy for people's own tokens is `{}`", self.policy.name()))
            }
            (Err(why), _) => Some(why.clone()),
            (_, None) => Some("its row has no `token_url`".to_string()),
            _ => None,
        }
    }
}

/// The callback of our own pages, for a browser of this machine.
fn own_page(api: SocketAddr, provider: &str) -> String {
    format!("http://{}{CALLBACK}{provider}", crate::run::reachable(api))
}

/// What a variable has; an error says which ones have nothing.
pub(super) fn found(reference: &SecretRef, environment: &dyn Fn(&str) -> Option<String>) -> Result<Secret, String> {
    reference.resolve(environment).ok_or_else(|| format!("{} is not set", reference.env.join(" or ")))
}

fn checked_redirect(uri: String, provider: &str) -> Result<String, String> {
    match address(&uri) {
        Ok(()) if uri.ends_with(&format!("{CALLBACK}{provider}")) => Ok(uri),
        Ok(()) => Err(format!("its redirect URI does not end with {CALLBACK}{provider}")),
        Err(why) => Err(format!("its redirect URI is wrong: {why}")),
    }
}

/// Whether codes and tokens may go to that address.
pub(super) fn address(text: &str) -> Result<(), String> {
    let origin = origin(text)?;
    match origin.tls || ["127.0.0.1", "localhost", "[::1]"].contains(&origin.host.as_str()) {
        true => Ok(()),
        false => Err("codes and tokens go to https addresses only, or to this machine".to_string()),
    }
}

/// Beginnings of tokens. A short one, or one of other things, would send those of others there.
fn token_prefixes(reading: &mut Reading<'_>, table: &mut Members<'_>) -> Option<Vec<String>> {
    let prefixes = table.strings(reading, "token_prefixes")?;
    for short in prefixes.iter().filter(|prefix| prefix.value.len() < SHORTEST_PREFIX) {
        let least = SHORTEST_PREFIX;
        reading.mistake(
            short.at,
            format!("a beginning of tokens has at least {least} characters: it says whose they are"),
        );
    }
    for prefix in &prefixes {
        let other = NO_PREFIX.iter().find(|(begins, _)| prefix.value.starts_with(begins));
        if let Some((_, why)) = other {
            reading.mistake(prefix.at, (*why).to_string());
        }
    }
    plain(Some(prefixes))
}

/// Reads `sign_in = { … }`.
pub(super) fn sign_in(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<SignInRow> {
    let mut table = row.table(reading, "sign_in", "`sign_in`")?;
    let policy = table
        .string(reading, "policy")
        .and_then(|text| named(reading, &text, SignInPolicy::ALL.map(|policy| (policy.name(), policy)).as_slice()));
    let style = table
        .string(reading, "style")
        .and_then(|text| named(reading, &text, &[("form", Style::Form), ("json", Style::Json)]));
    let mut url = |reading: &mut Reading<'_>, name| {
        let text = table.string(reading, name)?;
        address(&text.value).map_err(|why| reading.mistake(text.at, why)).ok()?;
        Some(text.value)
    };
    let read = SignInRow {
        policy,
        authorize_url: url(reading, "authorize_url"),
        token_url: url(reading, "token_url"),
        exchange_url: url(reading, "exchange_url"),
        device_url: url(reading, "device_url"),
        revoke_url: url(reading, "revoke_url"),
        issuer: url(reading, "issuer"),
        client_id: secret_ref(reading, &mut table, "client_id"),
        client_secret: secret_ref(reading, &mut table, "client_secret"),
        redirect_uri: redirect(reading, &mut table),
        scopes: plain(table.strings(reading, "scopes")),
        parameters: parameters(reading, &mut table),
        headers: headers(reading, &mut table),
        style,
        verification_hosts: plain(table.strings(reading, "verification_hosts")),
        token_prefixes: token_prefixes(reading, &mut table),
        token_issuers: plain(table.strings(reading, "token_issuers")),
    };
    table.end(reading);
    Some(read)
}

fn named<T: Copy>(reading: &mut Reading<'_>, text: &Placed<String>, known: &[(&str, T)]) -> Option<T> {
    let found = known.iter().find(|(name, _)| *name == text.value).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        reading.mistake(text.at, format!("this is one of `{}`", names.join("`, `")));
    }
    found
}

fn redirect(reading: &mut Reading<'_>, table: &mut Members<'_>) -> Option<Redirect> {
    if table.is_string("redirect_uri") {
        let text = table.string(reading, "redirect_uri")?;
        address(&text.value).map_err(|why| reading.mistake(text.at, why)).ok()?;
        return Some(Redirect::To(text.value));
    }
    secret_ref(reading, table, "redirect_uri").map(Redirect::In)
}

/// Words of the address that are not ours to say: with another of these the flow would be another one.
const OWN_PARAMETERS: [&str; 8] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "request",
    "request_uri",
    "response_type",
    "state",
];

fn parameters(reading: &mut Reading<'_>, table: &mut Members<'_>) -> Option<Vec<(String, String)>> {
    let pairs = table.pairs(reading, "parameters")?;
    for (name, _) in pairs.iter().filter(|(name, _)| OWN_PARAMETERS.contains(&name.value.as_str())) {
        reading.mistake(name.at, "this parameter is the flow's own; leave it out");
    }
    Some(pairs.into_iter().map(|(name, value)| (name.value, value)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{File, Known, Mistakes};
    use super::*;

    fn row(members: &str) -> Result<SignInRow, Mistakes> {
        let text = format!("[[provider]]\nid = \"corp\"\nsign_in = {{ {members} }}\n");
        File::read("f", &text, &Known::default()).map(|file| file.providers[0].sign_in.clone().unwrap())
    }

    fn resolved(members: &str, set: &[(&str, &str)]) -> SignIn {
        let api = Some(SocketAddr::from(([0, 0, 0, 0], 10002)));
        let environment = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        row(members).unwrap().resolve("corp", api, &environment)
    }

    #[test]
    fn what_is_missing_is_said_by_its_name() {
        let all = "policy = \"owner_only\", token_url = \"https://h/token\", client_id = { env = [\"A\", \"B\"] }";
        assert_eq!(resolved(all, &[]).hindrance(), Some("A or B is not set".into()));
        assert_eq!(resolved(all, &[("B", "me\n")]).hindrance(), None);
        assert_eq!(resolved(all, &[("B", "me")]).client_id, Ok("me".into()));
        assert!(resolved("", &[]).hindrance().unwrap().contains("`caller_passthrough`"));
        assert!(resolved("policy = \"disabled\"", &[]).hindrance().unwrap().contains("`disabled`"));
        let no_url = resolved("policy = \"owner_only\", client_id = { env = \"B\" }", &[("B", "me")]);
        assert_eq!(no_url.hindrance(), Some("its row has no `token_url`".into()));
    }

    #[test]
    fn a_redirect_uri_is_one_providers_and_tls_or_this_machines() {
        let of = |value: &str| resolved("redirect_uri = { env = \"R\" }", &[("R", value)]).redirect_uri;
        assert_eq!(of(""), Ok("http://127.0.0.1:10002/sign-in/callback/corp".into()));
        for good in ["https://gate.example/x/sign-in/callback/corp", "http://localhost:1/sign-in/callback/corp"] {
            assert_eq!(of(good), Ok(good.into()));
        }
        for bad in [
            "https://gate.example/sign-in/callback/other",
            "https://gate.example/",
            "http://gate.example/sign-in/callback/corp",
            "https://u:p@gate.example/sign-in/callback/corp",
            "https://gate.example/?to=/sign-in/callback/corp",
            "https://gate.example/#/sign-in/callback/corp",
            "javascript:/sign-in/callback/corp",
            "//gate.example/sign-in/callback/corp",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn codes_go_to_no_address_in_clear_and_the_flow_is_nobody_elses() {
        for bad in [
            "token_url = \"http://corp.example/token\"",
            "authorize_url = \"ftp://corp.example\"",
            "redirect_uri = \"http://corp.example/sign-in/callback/corp\"",
            "client_id = \"me\"",
            "client_secret = { env = \"DRAGOMAN_PEPPER\" }",
            "policy = \"pool\"",
            "style = \"xml\"",
            "parameters = { code_challenge_method = \"plain\" }",
            "headers = { host = \"h\" }",
            "nonsense = 1",
        ] {
            assert!(row(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_another_row_says_replaces_member_by_member() {
        let mut shipped =
            row("policy = \"caller_passthrough\", token_url = \"https://h/t\", scopes = [\"a\"]").unwrap();
        shipped.change(&row("policy = \"owner_only\"").unwrap());
        assert_eq!(shipped, row("policy = \"owner_only\", token_url = \"https://h/t\", scopes = [\"a\"]").unwrap());
    }
}
