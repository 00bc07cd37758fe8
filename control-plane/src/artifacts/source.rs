//! Has the file of an artifact from where it is.
//!
//! Addresses are asked by `object_store`, which knows how buckets want requests to be signed, through our own client: one TLS, one set of
//! authorities, no proxy and no redirect. Credentials and the endpoint of what speaks like S3 come from its usual variables
//! (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, …).
//!
//! Limits: [`MAX_ARTIFACT`] bytes are read, of an answer to one question within the client's time.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use dragoman_core::artifact::MAX_ARTIFACT;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::http::HttpBuilder;
use object_store::{ClientOptions, GetOptions, ObjectStore, RetryConfig};
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Client, Url};
use tokio::io::AsyncReadExt as _;

use crate::settings::ArtifactSource;
use crate::tuning::SHIPPED;

/// Most characters that are said of why an address has nothing: hosts answer with whole pages.
const MAX_WHY: usize = 300;

/// By what an address is asked only for what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark(Option<String>);

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What was there before, by its mark.
    AsBefore,
    /// A file; empty where there is none on purpose.
    File {
        /// What is in it.
        file: Vec<u8>,
        /// Its mark.
        mark: Mark,
    },
}

/// Has the file of a source, or says why not.
pub(super) async fn fetch(source: &ArtifactSource, before: &Mark, client: &Client) -> Result<Found, String> {
    let plain = |file: Vec<u8>| Ok(Found::File { file, mark: Mark::default() });
    match source {
        ArtifactSource::Shipped => plain(SHIPPED.to_vec()),
        ArtifactSource::Nowhere => plain(Vec::new()),
        ArtifactSource::File(path) => plain(read(path).await.map_err(|error| format!("{}: {error}", path.display()))?),
        ArtifactSource::Address(url) => {
            let answer = ask(url, before, client, AmazonS3Builder::from_env()).await;
            // What lies above the cause says how long it took, and would be another trouble each time.
            answer.map_err(|error| format!("{url}: {}", error.root_cause()).chars().take(MAX_WHY).collect())
        }
    }
}

/// One byte more than may be tells that there are too many.
async fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut file = Vec::new();
    tokio::fs::File::open(path).await?.take(MAX_ARTIFACT as u64 + 1).read_to_end(&mut file).await?;
    anyhow::ensure!(!file.is_empty(), "it is empty");
    Ok(file)
}

async fn ask(url: &Url, before: &Mark, client: &Client, buckets: AmazonS3Builder) -> anyhow::Result<Found> {
    // We ask again by ourselves.
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let connector = Ours(client.clone());
    let store: Box<dyn ObjectStore> = match url.scheme() {
        "s3" => Box::new(buckets.with_url(url.as_str()).with_retry(retry).with_http_connector(connector).build()?),
        _ => {
            let host = url.origin().ascii_serialization();
            Box::new(HttpBuilder::new().with_url(host).with_retry(retry).with_http_connector(connector).build()?)
        }
    };
    let path = object_store::path::Path::from_url_path(url.path())?;
    let options = GetOptions { if_none_match: before.0.clone(), ..GetOptions::default() };
    match store.get_opts(&path, options).await {
        Ok(found) => {
            let mark = Mark(found.meta.e_tag.clone());
            let file = found.bytes().await?.to_vec();
            anyhow::ensure!(!file.is_empty(), "it is empty");
            Ok(Found::File { file, mark })
        }
        Err(object_store::Error::NotModified { .. }) => Ok(Found::AsBefore),
        Err(error) => Err(error.into()),
    }
}

/// Our client, in the words of `object_store`.
#[derive(Clone, Debug)]
struct Ours(Client);

impl HttpConnector for Ours {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Ours {
    // What `async fn` in a trait of theirs is written as.
    fn call<'own, 'call>(
        &'own self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'own: 'call,
        Self: 'call,
    {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.as_bytes().cloned().unwrap_or_default();
            let question = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
            let failed = |error: reqwest::Error| HttpError::new(HttpErrorKind::Unknown, error.without_url());
            let mut answer = question.send().await.map_err(failed)?;
            let mut file = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(failed)? {
                file.extend_from_slice(&chunk);
                if file.len() > MAX_ARTIFACT {
                    return Err(HttpError::new(HttpErrorKind::Decode, TooLarge));
                }
            }
            // It is wanted, and what came in chunks has none.
            answer.headers_mut().insert(CONTENT_LENGTH, file.len().into());
            let mut response = HttpResponse::new(file.into());
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(response)
        })
    }
}

/// More than an artifact may have.
#[derive(Debug)]
struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "it has more than {MAX_ARTIFACT} bytes")
    }
}

impl std::error::Error for TooLarge {}

#[cfg(test)]
mod tests;
