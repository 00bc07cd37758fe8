//! Asking a provider for its models.
//!
//! One client for all: no redirects (the credential would go where nobody sent it), no proxy but what rows name (Envoy uses
//! none either), and limits for everything, for the other end is a stranger. No secret and nothing that the provider wrote
//! stands in a reason.

use std::error::Error;
use std::time::Duration;

use dragoman_core::catalog::DialectId;
use dragoman_core::percent;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, Response, StatusCode};

use super::read::{self, Extent, Listing, MAX_BODY, MAX_MODELS, Page};
use crate::catalog::{Credential, Registered};
use crate::current::Feed;
use crate::outbound;
use crate::settings::ModelsPath;

/// Longest wait for one page, connection included: a list is no work for anybody who has it.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Most pages of one list: at the smallest known page of 20 entries, a thousand models.
const MAX_PAGES: usize = 50;

/// Longest time for all pages: a slow provider must not hold one of the few places for long.
const MAX_TIME: Duration = Duration::from_secs(60);

/// Longest mark of a version that is kept: it is sent back as a header.
const MAX_VALIDATOR: usize = 1024;

/// What shows a provider that we have its list already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// The address that the list came from; of another address it says nothing.
    pub address: String,
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub modified: Option<String>,
}

/// What became of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its models.
    Listed {
        /// All pages together; `next` is empty.
        listing: Listing,
        /// What to ask with the next time; only lists of one page have it.
        validator: Option<Validator>,
    },
    /// The list is as it was.
    NotModified,
    /// There is no list, and why; without secrets.
    Unavailable(String),
}

/// The client that asks.
#[derive(Clone, Debug)]
pub struct Asker {
    client: Client,
}

impl Asker {
    /// A client that trusts the usual authorities, and those in `authorities` (PEM) besides.
    pub fn new(authorities: Option<&[u8]>) -> anyhow::Result<Asker> {
        Ok(Asker { client: outbound::client(authorities, MAX_WAIT)? })
    }

    /// The same, by the proxies that rows name.
    pub fn by_rows(rows: Feed, authorities: Option<&[u8]>) -> anyhow::Result<Asker> {
        Ok(Asker { client: outbound::client_by(rows, authorities, MAX_WAIT)? })
    }

    /// Asks a provider for all its models; `last` is what the last answer came with.
    pub async fn ask(&self, provider: &Registered, last: Option<&Validator>) -> Answer {
        let asked = async {
            let address = endpoint(provider).ok_or("it has no list of models")?;
            self.pages(provider, &address, last).await
        };
        match tokio::time::timeout(MAX_TIME, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => Answer::Unavailable(why),
            Err(_) => Answer::Unavailable(format!("its list took more than {} seconds", MAX_TIME.as_secs())),
        }
    }

    /// Whether anybody is there: whatever is answered is a sign of life.
    pub async fn is_there(&self, provider: &Registered) -> bool {
        let (Some(address), Ok(headers)) = (endpoint(provider), headers(provider)) else { return false };
        self.get(&address, &headers, None).await.is_ok()
    }

    async fn pages(&self, provider: &Registered, address: &str, last: Option<&Validator>) -> Result<Answer, String> {
        let headers = headers(provider)?;
        let mut whole = Listing::default();
        let mut page: Option<Page> = None;
        let mut validator = None;
        for number in 0..MAX_PAGES {
            let conditions = last.filter(|last| number == 0 && last.address == address);
            let response = self.get(&with_page(address, page.as_ref()), &headers, conditions).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_MODIFIED if conditions.is_some() => return Ok(Answer::NotModified),
                status => return Err(refused(status)),
            }
            validator = self::validator(address, response.headers()).filter(|_| number == 0);
            let read = read::read(&body(response).await?)?;
            let next = add(&mut whole, read);
            if next.is_none() {
                return Ok(Answer::Listed { listing: whole, validator });
            }
            if next == page {
                return Err("its list goes on for ever: a page names itself as the next one".into());
            }
            page = next;
        }
        whole.extent = Extent::Cut;
        Ok(Answer::Listed { listing: whole, validator: validator.filter(|_| page.is_none()) })
    }

    async fn get(&self, address: &str, headers: &HeaderMap, last: Option<&Validator>) -> Result<Response, String> {
        let mut request = self.client.get(address).headers(headers.clone());
        for (name, value) in [
            (IF_NONE_MATCH, last.and_then(|last| last.etag.as_ref())),
            (IF_MODIFIED_SINCE, last.and_then(|last| last.modified.as_ref())),
        ] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                request = request.header(name, value);
            }
        }
        request.send().await.map_err(|error| told(&error))
    }
}

/// Where a provider lists its models: where its row says, else where its first dialect does. `None` when it is not asked.
pub fn endpoint(provider: &Registered) -> Option<String> {
    // Accounts' own keys are for their own traffic, and tokens that are minted for requests.
    if provider.own_only || matches!(provider.credential, Some(Credential::Minted(_))) {
        return None;
    }
    let origin = &provider.origin;
    let scheme = if origin.tls { "https" } else { "http" };
    let host = format!("{scheme}://{}", origin.authority());
    match &provider.models_path {
        Some(ModelsPath::Never) => return None,
        Some(ModelsPath::At(path)) => return Some(format!("{host}{path}")),
        None => {}
    }
    // Where the paths are a provider's own, nothing is known of the path of its list.
    let service = provider.services.first().filter(|service| service.paths.is_none())?;
    let prefix = &service.prefix;
    let path = match service.dialect {
        DialectId::ChatCompletions | DialectId::Responses | DialectId::Messages => format!("{prefix}/models"),
        DialectId::GenerateContent => format!("{prefix}/models?pageSize=1000"),
        // The dialect is at its second version, the list at its first.
        DialectId::ChatV2 => format!("{}/v1/models?page_size=1000", prefix.strip_suffix("/v2")?),
        DialectId::Converse => return None,
    };
    Some(format!("{host}{}{path}", origin.base))
}

fn with_page(address: &str, page: Option<&Page>) -> String {
    let Some(page) = page else { return address.to_string() };
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}{}={}", page.parameter, percent::encoded(&page.value))
}

fn headers(provider: &Registered) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("application/json"));
    headers.insert("accept-encoding", HeaderValue::from_static("identity"));
    let own = provider.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in own {
        let (name, value) = header(name, value)?;
        headers.insert(name, value);
    }
    if let Some((name, secret)) = provider.credential.as_ref().and_then(Credential::header) {
        let (name, mut value) = header(name, secret.expose())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || format!("its header {name} can't be sent");
    let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
    Ok((HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value))
}

fn refused(status: StatusCode) -> String {
    match status.as_u16() {
        code @ (401 | 403) => format!("it refuses our credential ({code})"),
        404 => "it has no list of models there (404); see `models_path`".into(),
        code @ 300..=399 => format!("it sends us elsewhere ({code}), and redirects are not followed"),
        code => format!("it answered with status {code}"),
    }
}

fn validator(address: &str, headers: &HeaderMap) -> Option<Validator> {
    let text = |name: HeaderName| {
        let value = headers.get(name)?.to_str().ok()?;
        (value.len() <= MAX_VALIDATOR).then(|| value.to_string())
    };
    let (etag, modified) = (text(ETAG), text(LAST_MODIFIED));
    (etag.is_some() || modified.is_some()).then(|| Validator { address: address.to_string(), etag, modified })
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| told(&error))? {
        if body.len() + piece.len() > MAX_BODY {
            return Err("its list is larger than 8 MiB".into());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Adds a page; says where the list goes on, if there is room for more.
fn add(whole: &mut Listing, page: Listing) -> Option<Page> {
    whole.skipped += page.skipped;
    whole.idle += page.idle;
    if page.extent == Extent::Cut {
        whole.extent = Extent::Cut;
    }
    let room = MAX_MODELS.saturating_sub(whole.models.len());
    if page.models.len() > room {
        whole.extent = Extent::Cut;
    }
    whole.models.extend(page.models.into_iter().take(room));
    let next = page.next;
    if next.is_some() && whole.models.len() >= MAX_MODELS {
        whole.extent = Extent::Cut;
        return None;
    }
    next
}

/// An error of the connection in our words and the system's. The address is left out, and so is what was sent.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("it did not answer within {} seconds", MAX_WAIT.as_secs());
    }
    let what = if error.is_connect() { "it can't be reached" } else { "its answer broke off" };
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(deeper) = cause.and_then(Error::source) {
        cause = Some(deeper);
    }
    match cause {
        Some(cause) => format!("{what}: {cause}"),
        None => what.into(),
    }
}

#[cfg(test)]
mod tests;
