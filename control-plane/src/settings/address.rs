//! Where a provider is: one address, taken apart.

use std::net::Ipv6Addr;

use dragoman_core::catalog::Origin;

use super::members::{Members, Placed, Reading};
use super::variable::{mention, stand_in};

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// A variable of the environment that overrides the address.
    pub env: Option<String>,
    /// The address; names in braces are filled in when the provider registers.
    pub text: Option<String>,
}

/// `base_url = "https://…"` or `{ env = "NAME", default = "https://…" }`.
pub(super) fn base_url(
    reading: &mut Reading<'_>,
    row: &mut Members<'_>,
    mentions: &mut Vec<Placed<String>>,
) -> Option<BaseUrl> {
    let value = row.value("base_url")?;
    let at = value.span().start;
    if let Some(text) = value.get_ref().as_str() {
        let text = Placed { at, value: text.to_string() };
        return Some(BaseUrl { env: None, text: checked(reading, text, mentions) });
    }
    let Some(table) = value.get_ref().as_table() else {
        reading.mistake(at, "`base_url` must be a string or { env = \"NAME\", default = \"https://…\" }");
        return None;
    };
    let mut members = Members::of("`base_url`", at, table);
    let env = members.string(reading, "env").map(|name| name.value);
    let default = members.string(reading, "default");
    members.end(reading);
    Some(BaseUrl { env, text: default.and_then(|text| checked(reading, text, mentions)) })
}

fn checked(reading: &mut Reading<'_>, text: Placed<String>, mentions: &mut Vec<Placed<String>>) -> Option<String> {
    if mention(reading, &text, mentions) > 0 {
        reading
            .mistake(text.at, "an address is the same for every model; `{model}` stands in `path` and `stream_path`");
    }
    origin(&stand_in(&text.value)).map_err(|message| reading.mistake(text.at, message)).ok()?;
    Some(text.value)
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
    if path.contains(['?', '#']) || !path.chars().all(|c| c.is_ascii_graphic()) {
        return Err(wrong("a base URL has no query, no fragment and nothing invisible"));
    }
    if authority.contains('@') {
        return Err(wrong("a base URL carries no user or password; use `api_key`"));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (
            host,
            port.parse()
                .ok()
                .filter(|_| port.starts_with(|c: char| ('1'..='9').contains(&c)))
                .ok_or_else(|| wrong("the port is no number from 1 to 65535"))?,
        ),
        _ => (authority, if tls { 443 } else { 80 }),
    };
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let literal = inside.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok());
    let named = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !literal && !named {
        return Err(wrong("the host is no name and no address"));
    }
    let base = path.trim_end_matches('/').to_string();
    Ok(Origin { tls, host: host.to_ascii_lowercase(), port, base })
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
            "http://x:+80",
            "http://x/a\nb",
            "http://[here]",
        ] {
            assert!(origin(url).is_err(), "{url}");
        }
    }
}
