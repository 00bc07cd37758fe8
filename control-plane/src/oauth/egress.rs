//! The one client that talks to providers about tokens: no redirects (codes and tokens would go where nobody sent them), no proxy
//! but what rows name, limits for everything.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use oauth2::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use oauth2::url::form_urlencoded;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Client;

use crate::current::Feed;
use crate::outbound;
use crate::settings::{SignIn, Style};

/// Longest wait for an answer, connection included.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(10);
/// Largest answer: tokens have some kilobytes.
const MAX_BODY: usize = 64 * 1024;

/// The client.
#[derive(Clone, Debug)]
pub struct Egress {
    client: Client,
}

/// The client as it speaks to one provider.
pub(super) struct Line<'t> {
    /// The client.
    pub egress: &'t Egress,
    /// The provider.
    pub terms: &'t SignIn,
}

impl<'c> AsyncHttpClient<'c> for Line<'_> {
    type Error = Unreachable;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Unreachable>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.egress.send(self.terms, request))
    }
}

/// Why there is no answer; without addresses and without what was sent.
#[derive(Debug)]
pub struct Unreachable(pub String);

impl fmt::Display for Unreachable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

impl From<reqwest::Error> for Unreachable {
    fn from(error: reqwest::Error) -> Unreachable {
        let said = match error {
            error if error.is_timeout() => format!("it did not answer within {} seconds", MAX_WAIT.as_secs()),
            error if error.is_connect() => "it can't be reached".to_string(),
            _ => "its answer broke off".to_string(),
        };
        Unreachable(said)
    }
}

impl Egress {
    /// A client that trusts the usual authorities, and those in `authorities` (PEM) besides.
    pub fn new(authorities: Option<&[u8]>) -> anyhow::Result<Egress> {
        Ok(Egress { client: outbound::client(authorities, MAX_WAIT)? })
    }

    /// The same, by the proxies that rows name.
    pub fn by_rows(rows: Feed, authorities: Option<&[u8]>) -> anyhow::Result<Egress> {
        Ok(Egress { client: outbound::client_by(rows, authorities, MAX_WAIT)? })
    }

    /// Sends what the flow says, in the provider's style and with its headers.
    pub(super) async fn send(&self, terms: &SignIn, request: HttpRequest) -> Result<HttpResponse, Unreachable> {
        let (mut parts, mut body) = request.into_parts();
        if terms.style == Style::Json && terms.token_url.as_deref().is_some_and(|url| same(url, &parts.uri)) {
            body = as_json(&body);
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &terms.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
            parts.headers.insert(name, HeaderValue::from_str(value).map_err(|_| unsendable())?);
        }
        self.ask(HttpRequest::from_parts(parts, body)).await
    }

    /// Sends it as it is. A provider that is in trouble has not answered.
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, Unreachable> {
        let request = reqwest::Request::try_from(request).map_err(|_| unsendable())?;
        let mut response = self.client.execute(request).await?;
        let status = response.status();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(Unreachable(format!("it answered with status {}", status.as_u16())));
        }
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > MAX_BODY {
                return Err(Unreachable("its answer is larger than 64 KiB".to_string()));
            }
            body.extend_from_slice(&piece);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

fn unsendable() -> Unreachable {
    Unreachable("what its row says can't be sent".to_string())
}

/// Whether that address, as written in a row, is the one that is asked.
fn same(url: &str, uri: &oauth2::http::Uri) -> bool {
    oauth2::url::Url::parse(url).is_ok_and(|url| *uri == *url.as_str())
}

/// The words of a form as JSON.
fn as_json(form: &[u8]) -> Vec<u8> {
    let words: serde_json::Map<String, serde_json::Value> =
        form_urlencoded::parse(form).map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    serde_json::Value::Object(words).to_string().into_bytes()
}
