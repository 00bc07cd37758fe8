//! A person with a browser, as far as a sign-in needs one: opens addresses, keeps cookies, follows redirects.
//!
//! Limits: cookies know hosts and paths, not ports (as in browsers); no scripts; the pages' links are found by their ids. TLS is
//! told by the address alone: what speaks it for a host is a listener in clear that [`Person::behind`] names.

use anyhow::{Context as _, bail};

use super::words::{Words, of_url, one};
use crate::client::{Answer, Call};

/// Longer than any sign-in.
const HOPS: usize = 10;

/// Who keeps cookies.
#[derive(Clone, Debug, Default)]
pub struct Person {
    cookies: Vec<Cookie>,
    /// Hosts that speak TLS, and where they listen.
    fronts: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
    secure: bool,
}

/// What is shown in the end.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its address.
    pub url: String,
    /// Its status.
    pub status: u16,
    /// All of it.
    pub answer: Answer,
}

impl Page {
    /// What stands there.
    pub fn text(&self) -> String {
        self.answer.text()
    }

    /// Where the link with this id leads.
    pub fn link(&self, id: &str) -> anyhow::Result<String> {
        let text = self.text();
        let marked = format!("id=\"{id}\"");
        let mut tags = text.split('<').filter_map(|tag| tag.split('>').next());
        let tag = tags.find(|tag| tag.contains(&marked)).with_context(|| format!("no link `{id}` in {text}"))?;
        let (_, behind) = tag.split_once("href=\"").with_context(|| format!("no address in <{tag}>"))?;
        let to = behind.split('"').next().unwrap_or_default();
        let to = [("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
            .into_iter()
            .fold(to.to_owned(), |to, (written, meant)| to.replace(written, meant));
        Ok(absolute(&self.url, &to))
    }

    /// A parameter of its address.
    pub fn word(&self, name: &str) -> Option<String> {
        one(&of_url(&self.url), name).map(str::to_owned)
    }
}

impl Person {
    /// Somebody for whom `https://` and this host is what listens in clear at that address.
    pub fn behind(host: &str, address: &str) -> Self {
        Self { fronts: vec![(host.to_owned(), address.to_owned())], ..Self::default() }
    }

    /// Opens an address and goes nowhere else.
    pub fn open(&mut self, url: &str) -> anyhow::Result<Page> {
        let (tls, host, path) = parts(url)?;
        let cookies = self.sent(tls, host, path);
        let call = Call::new("GET", path).header("accept", "text/html").header("connection", "close");
        let call = if cookies.is_empty() { call } else { call.header("cookie", cookies) };
        let front = self.fronts.iter().find(|(front, _)| tls && front == host);
        if tls && front.is_none() {
            bail!("nobody speaks TLS for {host}");
        }
        let answer = call.send(front.map_or(host, |(_, address)| address))?;
        for (_, value) in answer.headers.iter().filter(|header| header.0 == "set-cookie") {
            self.keep(tls, host, &String::from_utf8_lossy(value));
        }
        Ok(Page { url: url.to_owned(), status: answer.status, answer })
    }

    /// Opens an address and goes where it is sent, until it is shown something.
    pub fn follow(&mut self, url: &str) -> anyhow::Result<Page> {
        let mut page = self.open(url)?;
        for _ in 0..HOPS {
            match page.answer.header("location").filter(|_| (300..400).contains(&page.status)) {
                Some(to) => page = self.open(&absolute(&page.url, to))?,
                None => return Ok(page),
            }
        }
        bail!("sent from one place to the next more than {HOPS} times: {}", page.url)
    }

    /// Opens an address and goes where it is sent, but not to an address that holds these words: gives that back.
    pub fn follow_up_to(&mut self, url: &str, words: &str) -> anyhow::Result<String> {
        let mut next = url.to_owned();
        for _ in 0..HOPS {
            if next.contains(words) {
                return Ok(next);
            }
            let page = self.open(&next)?;
            let to = page.answer.header("location").with_context(|| format!("{}: {}", page.status, page.text()))?;
            next = absolute(&page.url, to);
        }
        bail!("never sent to {words}")
    }

    /// The cookies that a host is shown at a path, in clear.
    pub fn shown(&self, host: &str, path: &str) -> String {
        self.sent(false, host, path)
    }

    fn sent(&self, tls: bool, host: &str, path: &str) -> String {
        let fits =
            |cookie: &&Cookie| cookie.host == name(host) && path.starts_with(&cookie.path) && (tls || !cookie.secure);
        let pair = |cookie: &Cookie| format!("{}={}", cookie.name, cookie.value);
        self.cookies.iter().filter(fits).map(pair).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, tls: bool, host: &str, said: &str) {
        let mut parts = said.split(';').map(str::trim);
        let Some((cookie, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let attributes: Words = parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(lower).collect();
        let path = one(&attributes, "path").unwrap_or("/").to_owned();
        let secure = one(&attributes, "secure").is_some();
        // As browsers take them: RFC 6265bis, 5.7.
        let hosts_own = secure && path == "/" && one(&attributes, "domain").is_none();
        if (secure && !tls) || (cookie.starts_with("__Host-") && !hosts_own) {
            return;
        }
        let (host, cookie, value) = (name(host).to_owned(), cookie.to_owned(), value.to_owned());
        self.cookies.retain(|other| (&other.host, &other.name, &other.path) != (&host, &cookie, &path));
        if one(&attributes, "max-age") != Some("0") {
            self.cookies.push(Cookie { host, path, name: cookie, value, secure });
        }
    }
}

fn lower((name, value): (&str, &str)) -> (String, String) {
    (name.to_lowercase(), value.to_owned())
}

/// Whether it is TLS, host with port, path with query.
fn parts(url: &str) -> anyhow::Result<(bool, &str, &str)> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    if !matches!(scheme, "http" | "https") {
        bail!("{url} is no address");
    }
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    Ok((scheme == "https", host, path))
}

fn name(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn absolute(from: &str, to: &str) -> String {
    if to.contains("://") {
        return to.to_owned();
    }
    let (tls, host, _) = parts(from).unwrap_or_default();
    format!("{}://{host}{to}", if tls { "https" } else { "http" })
}
