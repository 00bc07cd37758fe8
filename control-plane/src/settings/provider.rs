//! A provider's row, as written: every member optional, for a row may change another.

use dragoman_core::catalog::{Dispatch, Origin, Service};

use super::address::{BaseUrl, base_url};
use super::members::{Members, Placed, Reading};
use super::proxy::proxy;
use super::rate_limit::{RateLimit, rate_limits};
use super::secret::{Secret, SecretRef};
use super::service::services;
use super::service_account::{ServiceAccountRow, service_account};
use super::set::set;
use super::sign_in::{SignInRow, sign_in};
use super::signing::{Signing, signing};
use super::variable::{Variables, mention, variables};
use super::{MAX_NAME, pool};

/// One `[[provider]]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProviderRow {
    /// Its id; letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// Byte offset of the row.
    pub at: usize,
    /// Whether it takes part; `false` takes a shipped provider away.
    pub enabled: Option<Enabled>,
    /// Where it is.
    pub base_url: Option<BaseUrl>,
    /// Which dialects it speaks, and where below the base URL.
    pub services: Option<Vec<Service>>,
    /// Where its key is found; a provider without one is asked without a credential.
    pub api_key: Option<SecretRef>,
    /// Whose tokens are minted when there is no key.
    pub service_account: Option<ServiceAccountRow>,
    /// How the key is sent.
    pub auth: Option<Auth>,
    /// Whether it takes part although its key is not found: accounts bring their own.
    pub own_keys: Option<bool>,
    /// How people sign in with it.
    pub sign_in: Option<SignInRow>,
    /// Who signs its requests when there is no key.
    pub signing: Option<Signing>,
    /// Headers of every request.
    pub headers: Option<Vec<(String, String)>>,
    /// Members it refuses.
    pub omit: Option<Vec<String>>,
    /// Members it calls otherwise.
    pub rename: Option<Vec<(String, String)>>,
    /// Members it wants: (name, JSON text).
    pub set: Option<Vec<(String, String)>>,
    /// What the names in braces stand for, in addresses and paths.
    pub variables: Option<Variables>,
    /// The names in braces, and where they stand.
    pub mentions: Vec<Placed<String>>,
    /// Prefixes of model names that are its own; the empty prefix takes every other name.
    pub families: Option<Vec<String>>,
    /// Models it serves under their own names.
    pub models: Option<Vec<String>>,
    /// Where it lists its models, when not where its first dialect does.
    pub models_path: Option<ModelsPath>,
    /// How fast it may be asked.
    pub rate_limits: Option<Vec<RateLimit>>,
    /// Whether a plain-text connection speaks HTTP/2 from the first byte.
    pub http2: Option<bool>,
    /// When it is asked.
    pub dispatch: Option<Dispatch>,
    /// How many of a hundred requests of a pool go to it.
    pub share: Option<u8>,
    /// Where it is.
    pub region: Option<String>,
    /// What it promises to do with data.
    pub data_policy: Option<Vec<String>>,
    /// The proxy by which it is reached.
    pub proxy: Option<Origin>,
}

/// Where a provider lists its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelsPath {
    /// At this path of its host, with its query; the base URL's own path does not stand before it.
    At(String),
    /// Nowhere: it is not asked.
    Never,
}

/// When a provider takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enabled {
    /// Whenever it can.
    Yes,
    /// Never.
    No,
    /// When one of these environment variables is set: they show that somebody wants it.
    With(Vec<String>),
}

/// How a key is sent: one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The header's name, in lower case.
    pub header: String,
    /// What stands before the key.
    pub before: String,
    /// What stands after it.
    pub after: String,
}

impl Auth {
    /// The header that authenticates with this key: its name and its value.
    pub fn header(&self, key: &Secret) -> (String, Secret) {
        (self.header.clone(), Secret::new(format!("{}{}{}", self.before, key.expose(), self.after)))
    }
}

impl Default for Auth {
    fn default() -> Auth {
        Auth { header: "authorization".into(), before: "Bearer ".into(), after: String::new() }
    }
}

/// Reads one `[[provider]]`.
pub(super) fn provider(reading: &mut Reading<'_>, mut row: Members<'_>) -> ProviderRow {
    let at = row.at;
    let id = row.string(reading, "id");
    if id.is_none() {
        reading.mistake(at, "this provider has no `id`; write for instance id = \"corp\"");
    }
    let mut mentions = Vec::new();
    let read = ProviderRow {
        id: id.map(|id| checked_id(reading, &id)).unwrap_or_default(),
        at,
        enabled: enabled(reading, &mut row),
        base_url: base_url(reading, &mut row, &mut mentions),
        services: services(reading, &mut row, &mut mentions),
        api_key: secret_ref(reading, &mut row, "api_key"),
        service_account: service_account(reading, &mut row, &mut mentions),
        auth: row.string(reading, "auth").and_then(|text| auth(reading, &text)),
        own_keys: row.flag(reading, "own_keys").map(|placed| placed.value),
        sign_in: sign_in(reading, &mut row),
        signing: signing(reading, &mut row, &mut mentions),
        headers: headers(reading, &mut row),
        omit: plain(row.strings(reading, "omit")),
        rename: row.pairs(reading, "rename").map(|pairs| pairs.into_iter().map(|(key, to)| (key.value, to)).collect()),
        set: set(reading, &mut row),
        variables: variables(reading, &mut row, &mut mentions),
        families: plain(row.strings(reading, "families")),
        models: plain(row.strings(reading, "models")),
        models_path: models_path(reading, &mut row, &mut mentions),
        rate_limits: rate_limits(reading, &mut row),
        http2: row.flag(reading, "http2").map(|placed| placed.value),
        dispatch: pool::dispatch(reading, &mut row),
        share: pool::share(reading, &mut row),
        region: pool::region(reading, &mut row, &mut mentions),
        data_policy: pool::data_policy(reading, &mut row),
        proxy: proxy(reading, &mut row),
        mentions,
    };
    row.end(reading);
    read
}

pub(super) fn plain(list: Option<Vec<Placed<String>>>) -> Option<Vec<String>> {
    list.map(|list| list.into_iter().map(|placed| placed.value).collect())
}

fn checked_id(reading: &mut Reading<'_>, id: &Placed<String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.value.is_empty() || id.value.len() > MAX_NAME || !id.value.chars().all(plain) {
        reading.mistake(
            id.at,
            "an `id` has 1 to 200 letters, digits, `-`, `_` or `.`, for it stands in names and headers",
        );
    }
    id.value.clone()
}

/// `enabled = true`, `false` or `{ env = "NAME" }`.
fn enabled(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Enabled> {
    let value = row.value("enabled")?;
    let at = value.span().start;
    match (value.get_ref().as_bool(), value.get_ref().as_table()) {
        (Some(true), _) => Some(Enabled::Yes),
        (Some(false), _) => Some(Enabled::No),
        (_, Some(table)) => {
            let mut members = Members::of("`enabled`", at, table);
            let env = members.one_or_more(reading, "env").unwrap_or_default();
            members.end(reading);
            if env.is_empty() {
                reading.mistake(at, "`enabled` names no variable; write true, false or { env = \"NAME\" }");
            }
            Some(Enabled::With(env))
        }
        _ => {
            reading.mistake(at, "`enabled` must be true, false or { env = \"NAME\" }");
            None
        }
    }
}

/// `models_path = "/api/tags"` or `false`.
fn models_path(
    reading: &mut Reading<'_>,
    row: &mut Members<'_>,
    mentions: &mut Vec<Placed<String>>,
) -> Option<ModelsPath> {
    let value = row.value("models_path")?;
    let at = value.span().start;
    if value.get_ref().as_bool() == Some(false) {
        return Some(ModelsPath::Never);
    }
    let plain = |text: &&str| text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic() && c != '#');
    let Some(text) = value.get_ref().as_str().filter(plain) else {
        reading.mistake(at, "`models_path` is a path of the host such as \"/v1/models\", or false: do not ask");
        return None;
    };
    let text = Placed { at, value: text.to_string() };
    if mention(reading, &text, mentions) > 0 {
        reading.mistake(at, "the list of models is one for all; `{model}` stands in `path` and `stream_path`");
    }
    Some(ModelsPath::At(text.value))
}

/// How the gateway's own variables begin: the store's password and the pepper are among them.
const OWN_VARIABLES: &str = "DRAGOMAN_";

/// Where a secret is found: `{ env = "NAME" }`, never the secret itself.
pub(super) fn secret_ref(reading: &mut Reading<'_>, row: &mut Members<'_>, name: &'static str) -> Option<SecretRef> {
    let value = row.value(name)?;
    let at = value.span().start;
    let Some(table) = value.get_ref().as_table() else {
        reading.mistake(
            at,
            format!("this never stands in this file; name the variable that has it: {name} = {{ env = \"NAME\" }}"),
        );
        return None;
    };
    let mut members = Members::of("what names a variable", at, table);
    let env = members.one_or_more(reading, "env").unwrap_or_default();
    members.end(reading);
    if env.is_empty() {
        reading.mistake(at, format!("`{name}` names no variable; write {{ env = \"NAME\" }}"));
    }
    // Whoever may write rows may name a provider of their own: what is sent there must not be the gateway's own secrets.
    if env.iter().any(|name| name.to_ascii_uppercase().starts_with(OWN_VARIABLES)) {
        reading.mistake(at, "variables that begin with DRAGOMAN_ are the gateway's own, and are sent to nobody");
    }
    Some(SecretRef { env })
}

/// `auth = "authorization: Bearer {key}"`.
fn auth(reading: &mut Reading<'_>, text: &Placed<String>) -> Option<Auth> {
    let parts = text.value.split_once(':').and_then(|(name, value)| {
        let (before, after) = value.trim().split_once("{key}")?;
        Some(Auth { header: name.trim().to_ascii_lowercase(), before: before.to_string(), after: after.to_string() })
    });
    let is_header = |auth: &Auth| {
        is_header_name(&auth.header) && [&auth.before, &auth.after].into_iter().all(|part| is_header_value(part))
    };
    let whole = parts.filter(is_header);
    if whole.is_none() {
        reading.mistake(text.at, "`auth` is one header with the place of the key, for instance \"x-api-key: {key}\"");
    }
    whole
}

pub(super) fn headers(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Vec<(String, String)>> {
    let pairs = row.pairs(reading, "headers")?;
    let mut headers = Vec::new();
    for (name, value) in pairs {
        let lower = name.value.to_ascii_lowercase();
        if !is_header_name(&lower) || !is_header_value(&value) {
            reading
                .mistake(name.at, "this is no header: a name has letters, digits and `-`, a value is printable ASCII");
        }
        if lower.starts_with("x-dragoman-") || matches!(lower.as_str(), "host" | "content-length" | "connection") {
            reading.mistake(name.at, "this header is the gateway's own; leave it out");
        }
        headers.push((lower, value));
    }
    Some(headers)
}

fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_header_value(value: &str) -> bool {
    value.chars().all(|c| c == ' ' || c.is_ascii_graphic())
}
