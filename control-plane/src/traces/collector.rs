//! The collector: where it is, what it wants to be told, and the one call.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, ensure};
use dragoman_core::percent;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde_json::Value;

use super::span;
use crate::settings::Secret;

/// How long a collector may take for a batch.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of its answer that are read, so that the connection can be used again.
const MAX_ANSWER: usize = 64 << 10;
/// Where collectors take traces.
const PATH: &str = "/v1/traces";
/// The service when nobody names it.
const SERVICE: &str = "dragoman";

/// What the environment says, in the variables of OpenTelemetry's specification.
pub(super) struct Settings {
    /// Where spans are posted.
    pub(super) url: Url,
    /// Headers of every message.
    pub(super) headers: Vec<(HeaderName, Secret)>,
    /// The service's name.
    pub(super) service: String,
}

/// Without the address: some collectors want a token in it.
impl fmt::Debug for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settings").field("headers", &self.headers).finish_non_exhaustive()
    }
}

impl Settings {
    /// `None` when there is no collector. A mistake names the variable and never its value: it may hold a secret.
    pub(super) fn of(environment: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Option<Settings>> {
        let said =
            |name: &str| environment(name).map(|value| value.trim().to_string()).filter(|value| !value.is_empty());
        let (name, address) = match (said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), said("OTEL_EXPORTER_OTLP_ENDPOINT")) {
            (Some(whole), _) => ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", whole),
            (None, Some(base)) => ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("{}{PATH}", base.trim_end_matches('/'))),
            (None, None) => return Ok(None),
        };
        let url = Url::parse(&address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.with_context(|| format!("{name} is no http:// or https:// address"))?;
        let mut headers: Vec<(HeaderName, Secret)> = Vec::new();
        for name in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"] {
            for pair in said(name).iter().flat_map(|list| list.split(',')).filter(|pair| !pair.trim().is_empty()) {
                let (header, value) = header(pair).with_context(|| format!("{name} is no list of name=value"))?;
                headers.retain(|(known, _)| *known != header);
                headers.push((header, value));
            }
        }
        Ok(Some(Settings { url, headers, service: said("OTEL_SERVICE_NAME").unwrap_or_else(|| SERVICE.to_string()) }))
    }
}

fn header(pair: &str) -> Option<(HeaderName, Secret)> {
    let (name, value) = pair.split_once('=')?;
    Some((name.trim().parse().ok()?, Secret::new(percent::decoded(value.trim())?)))
}

/// A collector that can be asked.
pub(super) struct Collector {
    url: Url,
    service: String,
    client: Client,
}

impl Collector {
    pub(super) fn new(settings: Settings) -> anyhow::Result<Collector> {
        let mut headers = HeaderMap::new();
        for (name, value) in settings.headers {
            let mut value = HeaderValue::from_str(value.expose())
                .ok()
                .with_context(|| format!("the value of the collector's header {name} can't be sent"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // A redirect would take the headers to somebody else.
        let redirects = reqwest::redirect::Policy::none();
        let mut client = Client::builder().default_headers(headers).timeout(TIMEOUT).redirect(redirects);
        if is_here(&settings.url) {
            client = client.no_proxy();
        }
        let client = client.build().context("no client for the collector")?;
        Ok(Collector { url: settings.url, service: settings.service, client })
    }

    /// The host, for the log; the address may hold a secret.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Sends a batch once.
    pub(super) async fn send(&self, spans: Vec<Value>) -> anyhow::Result<()> {
        let document = span::document(&self.service, spans).to_string();
        // An error's own text has the address in it.
        let sent = self.client.post(self.url.clone()).body(document).send().await;
        let mut answer = sent.map_err(reqwest::Error::without_url)?;
        ensure!(answer.status().is_success(), "it answers {}", answer.status());
        let mut read = 0;
        while let (true, Ok(Some(bytes))) = (read < MAX_ANSWER, answer.chunk().await) {
            read += bytes.len();
        }
        Ok(())
    }
}

fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> anyhow::Result<Option<Settings>> {
        Settings::of(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string()))
    }

    #[test]
    fn without_an_address_there_is_no_collector() {
        assert!(settings(&[("OTEL_SERVICE_NAME", "x")]).unwrap().is_none());
        assert!(settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_none());
    }

    #[test]
    fn the_path_is_added_to_the_base_and_not_to_the_whole_address() {
        let url = |variables: &[(&str, &str)]| settings(variables).unwrap().unwrap().url.to_string();
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
        assert_eq!(url(&[base]), "http://c:4318/v1/traces");
        assert_eq!(url(&[base, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://d/x")]), "https://d/x");
    }

    #[test]
    fn headers_are_decoded_and_not_printed() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        let list = ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%3Db, X-Tenant = one,");
        let settings =
            settings(&[endpoint, list, ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-tenant=two")]).unwrap().unwrap();
        let headers: Vec<(&str, &str)> =
            settings.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(headers, [("api-key", "a=b"), ("x-tenant", "two")]);
        assert!(!format!("{settings:?}").contains("a=b"));
    }

    #[test]
    fn a_mistake_names_the_variable_and_not_its_value() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "canary:4317"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "canary"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "canary"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=canary%zz"),
        ] {
            let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
            let error = format!("{:#}", settings(&[(name, value), endpoint]).unwrap_err());
            assert!(error.contains(name) && !error.contains("canary"), "{error}");
        }
        let unsendable = settings(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=canary%0A"),
        ]);
        let error = format!("{:#}", Collector::new(unsendable.unwrap().unwrap()).err().unwrap());
        assert!(error.contains("header a") && !error.contains("canary"), "{error}");
    }
}
