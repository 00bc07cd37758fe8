//! A provider's and a model's rows, as written: every member optional, for a row may change another.

use dragoman_core::catalog::{DialectId, Origin, Service};

use super::members::{Members, Placed, Reading};
use super::secret::SecretRef;

/// Longest id or name of a row: it becomes a header value and a cluster's name.
const MAX_NAME: usize = 200;

/// One `[[provider]]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProviderRow {
    /// Its id; letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// Byte offset of the row.
    pub at: usize,
    /// `enabled = false` takes a shipped provider away.
    pub enabled: Option<bool>,
    /// Where it is.
    pub base_url: Option<BaseUrl>,
    /// Which dialects it speaks, and where below the base URL.
    pub services: Option<Vec<Service>>,
    /// Where its key is found; a provider without one is asked without a credential.
    pub api_key: Option<SecretRef>,
    /// How the key is sent.
    pub auth: Option<Auth>,
    /// Headers of every request.
    pub headers: Option<Vec<(String, String)>>,
    /// Members it refuses.
    pub omit: Option<Vec<String>>,
    /// Members it calls otherwise.
    pub rename: Option<Vec<(String, String)>>,
    /// Prefixes of model names that are its own; the empty prefix takes every other name.
    pub families: Option<Vec<String>>,
    /// Models it serves under their own names.
    pub models: Option<Vec<String>>,
    /// Whether a plain-text connection speaks HTTP/2 from the first byte.
    pub http2: Option<bool>,
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// A variable that overrides the address.
    pub env: Option<String>,
    /// The address.
    pub origin: Option<Origin>,
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

impl Default for Auth {
    fn default() -> Auth {
        Auth { header: "authorization".into(), before: "Bearer ".into(), after: String::new() }
    }
}

/// One `[[model]]`: the same thing, wherever it is served.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ModelRow {
    /// The name callers use.
    pub name: String,
    /// Tokens in and out together.
    pub context_window: Option<u64>,
    /// Tokens out.
    pub output_limit: Option<u64>,
    /// Who serves it, under which name: (`provider`, its name there, byte offset), first choice first.
    pub offers: Vec<(String, String, usize)>,
}

/// Reads one `[[provider]]`.
pub(super) fn provider(reading: &mut Reading<'_>, mut row: Members<'_>) -> ProviderRow {
    let at = row.at;
    let id = row.string(reading, "id");
    if id.is_none() {
        reading.mistake(at, "this provider has no `id`; write for instance id = \"corp\"");
    }
    let read = ProviderRow {
        id: id.map(|id| checked_id(reading, &id)).unwrap_or_default(),
        at,
        enabled: row.flag(reading, "enabled").map(|placed| placed.value),
        base_url: base_url(reading, &mut row),
        services: services(reading, &mut row),
        api_key: api_key(reading, &mut row),
        auth: row.string(reading, "auth").and_then(|text| auth(reading, &text)),
        headers: headers(reading, &mut row),
        omit: plain(row.strings(reading, "omit")),
        rename: row.pairs(reading, "rename").map(|pairs| pairs.into_iter().map(|(key, to)| (key.value, to)).collect()),
        families: plain(row.strings(reading, "families")),
        models: plain(row.strings(reading, "models")),
        http2: row.flag(reading, "http2").map(|placed| placed.value),
    };
    row.end(reading);
    read
}

/// Reads one `[[model]]`.
pub(super) fn model(reading: &mut Reading<'_>, mut row: Members<'_>) -> ModelRow {
    let at = row.at;
    let name = row.string(reading, "name");
    if name.as_ref().is_none_or(|name| name.value.is_empty() || name.value.len() > MAX_NAME) {
        reading.mistake(at, "this model needs a `name` of 1 to 200 bytes, which is what callers will ask for");
    }
    let mut offers = Vec::new();
    for offer in row.strings(reading, "offers").unwrap_or_default() {
        match offer.value.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                offers.push((provider.to_string(), model.to_string(), offer.at));
            }
            _ => reading.mistake(offer.at, "an offer is written \"provider/model\""),
        }
    }
    let read = ModelRow {
        name: name.map(|name| name.value).unwrap_or_default(),
        context_window: row.number(reading, "context_window", 1, u64::from(u32::MAX)),
        output_limit: row.number(reading, "output_limit", 1, u64::from(u32::MAX)),
        offers,
    };
    row.end(reading);
    read
}

fn plain(list: Option<Vec<Placed<String>>>) -> Option<Vec<String>> {
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

/// `base_url = "https://…"` or `{ env = "NAME", default = "https://…" }`.
fn base_url(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<BaseUrl> {
    let value = row.value("base_url")?;
    let at = value.span().start;
    if let Some(text) = value.get_ref().as_str() {
        return Some(BaseUrl { env: None, origin: checked_origin(reading, at, text) });
    }
    let Some(table) = value.get_ref().as_table() else {
        reading.mistake(at, "`base_url` must be a string or { env = \"NAME\", default = \"https://…\" }");
        return None;
    };
    let mut members = Members::of("`base_url`", at, table);
    let env = members.string(reading, "env").map(|name| name.value);
    let default = members.string(reading, "default");
    members.end(reading);
    Some(BaseUrl { env, origin: default.and_then(|text| checked_origin(reading, text.at, &text.value)) })
}

fn checked_origin(reading: &mut Reading<'_>, at: usize, text: &str) -> Option<Origin> {
    origin(text).map_err(|message| reading.mistake(at, message)).ok()
}

/// Takes a base URL apart; an error says what is wrong with it.
pub fn origin(text: &str) -> Result<Origin, String> {
    let wrong = |what: &str| format!("{what}; a base URL looks like https://api.example.com/v1");
    let (tls, after) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(after), _) => (true, after),
        (_, Some(after)) => (false, after),
        _ => return Err(wrong("this is not an http or https URL")),
    };
    let (authority, path) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
    if path.contains(['?', '#', ' ']) {
        return Err(wrong("a base URL has no query and no fragment"));
    }
    if authority.contains('@') {
        return Err(wrong("a base URL carries no user or password; use `api_key`"));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (
            host,
            port.parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| wrong("the port is no number from 1 to 65535"))?,
        ),
        _ => (authority, if tls { 443 } else { 80 }),
    };
    let literal = host.starts_with('[') && host.ends_with(']');
    let named = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !literal && !named {
        return Err(wrong("the host is no name and no address"));
    }
    let base = path.trim_end_matches('/').to_string();
    Ok(Origin { tls, host: host.to_ascii_lowercase(), port, base })
}

fn services(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Vec<Service>> {
    let at = row.at;
    let tables = row.tables(reading, "services", "a service")?;
    if tables.is_empty() {
        reading.mistake(at, "`services` is empty; leave it out for chat_completions, or name at least one dialect");
    }
    let mut services = Vec::new();
    for mut table in tables {
        let place = table.at;
        let dialect = table.string(reading, "dialect");
        let prefix = table.string(reading, "prefix");
        table.end(reading);
        let prefix = prefix.map(|prefix| checked_prefix(reading, prefix)).unwrap_or_default();
        match dialect.as_ref().map(|name| (name.at, DialectId::named(&name.value))) {
            Some((_, Some(dialect))) => services.push(Service { dialect, prefix }),
            other => {
                let names: Vec<&str> = DialectId::ALL.iter().map(|id| id.name()).collect();
                let at = other.map_or(place, |(at, _)| at);
                reading.mistake(at, format!("a service needs a `dialect`, one of `{}`", names.join("`, `")));
            }
        }
    }
    Some(services)
}

fn checked_prefix(reading: &mut Reading<'_>, prefix: Placed<String>) -> String {
    let text = prefix.value.trim_end_matches('/');
    if !text.is_empty() && (!text.starts_with('/') || text.contains(['?', '#', ' '])) {
        reading.mistake(prefix.at, "a prefix begins with `/`, for instance \"/v1\"");
    }
    text.to_string()
}

fn api_key(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<SecretRef> {
    let value = row.value("api_key")?;
    let at = value.span().start;
    let Some(table) = value.get_ref().as_table() else {
        reading.mistake(
            at,
            "a key never stands in this file; name the variable that has it: api_key = { env = \"NAME\" }",
        );
        return None;
    };
    let mut members = Members::of("`api_key`", at, table);
    let env = match table.get("env").map(|value| value.get_ref().is_array()) {
        Some(true) => plain(members.strings(reading, "env")).unwrap_or_default(),
        _ => members.string(reading, "env").map(|name| vec![name.value]).unwrap_or_default(),
    };
    members.end(reading);
    if env.is_empty() {
        reading.mistake(at, "`api_key` names no variable; write { env = \"NAME\" }");
    }
    Some(SecretRef { env })
}

/// `auth = "authorization: Bearer {key}"`.
fn auth(reading: &mut Reading<'_>, text: &Placed<String>) -> Option<Auth> {
    let parts = text.value.split_once(':').and_then(|(name, value)| {
        let (before, after) = value.trim().split_once("{key}")?;
        Some(Auth { header: name.trim().to_ascii_lowercase(), before: before.to_string(), after: after.to_string() })
    });
    let whole = parts.filter(|auth| is_header_name(&auth.header) && is_header_value(&auth.before));
    if whole.is_none() {
        reading.mistake(text.at, "`auth` is one header with the place of the key, for instance \"x-api-key: {key}\"");
    }
    whole
}

fn headers(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Vec<(String, String)>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart() {
        let all = |url: &str| origin(url).map(|o| (o.tls, o.host, o.port, o.base));
        assert_eq!(all("https://Api.Groq.com/openai/v1/"), Ok((true, "api.groq.com".into(), 443, "/openai/v1".into())));
        assert_eq!(all("http://127.0.0.1:11434/v1"), Ok((false, "127.0.0.1".into(), 11434, "/v1".into())));
        assert_eq!(all("http://[::1]:80"), Ok((false, "[::1]".into(), 80, "".into())));
        assert_eq!(all("https://[::1]"), Ok((true, "[::1]".into(), 443, "".into())));
    }

    #[test]
    fn a_wrong_base_url_is_refused() {
        for url in [
            "",
            "api.example.com",
            "ftp://x",
            "https://",
            "http://x:0",
            "http://x:99999",
            "https://u:p@x/",
            "http://x/?a",
        ] {
            assert!(origin(url).is_err(), "{url}");
        }
    }
}
