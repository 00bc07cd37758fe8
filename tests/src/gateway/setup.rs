//! The configuration of a gateway under test.

use std::fmt::Write as _;

use crate::simulator::Simulator;
use crate::simulator::persona::Dialect;

/// What stands behind the gateway: providers, models, limits. Nothing of the shipped catalogue takes part.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    providers: Vec<Provider>,
    models: String,
    limits: Vec<(String, String)>,
    top: String,
    listen: String,
    envoy: String,
    more: String,
    health: String,
    variables: Vec<(String, String)>,
    demo: bool,
    workers: Workers,
}

/// Threads of Envoy that serve.
#[derive(Clone, Copy, Debug)]
struct Workers(usize);

impl Default for Workers {
    fn default() -> Self {
        Self(1)
    }
}

#[derive(Clone, Debug)]
struct Provider {
    id: String,
    dialect: Dialect,
    url: String,
    key: String,
    more: String,
}

impl Setup {
    /// No provider, no model; a provider may be silent for two seconds. What one request meets is forgotten before the next, so
    /// that tests can share a gateway.
    pub fn new() -> Self {
        let setup = Self { health: "enabled = false".into(), ..Self::default() };
        setup.limit("first_event_timeout", "\"2s\"").limit("connect_timeout", "\"500ms\"")
    }

    /// A provider that is a simulator, in its dialect and with its key.
    pub fn simulator(self, id: &str, simulator: &Simulator) -> Self {
        let persona = simulator.persona();
        self.provider(id, persona.dialect(), &simulator.url(), persona.key())
    }

    /// A provider anywhere.
    pub fn provider(mut self, id: &str, dialect: Dialect, url: &str, key: &str) -> Self {
        let (id, url, key) = (id.to_owned(), url.to_owned(), key.to_owned());
        self.providers.push(Provider { id, dialect, url, key, more: String::new() });
        self
    }

    /// More lines for the last provider, as they stand in its table.
    pub fn with(mut self, lines: &str) -> Self {
        if let Some(provider) = self.providers.last_mut() {
            writeln!(provider.more, "{lines}").ok();
        }
        self
    }

    /// A model that these providers serve under its own name, the first one first.
    pub fn model(mut self, name: &str, providers: &[&str]) -> Self {
        let offers: Vec<String> = providers.iter().map(|provider| format!("\"{provider}/{name}\"")).collect();
        let offers = offers.join(", ");
        writeln!(self.models, "[[model]]\nname = \"{name}\"\noutput_limit = 4096\noffers = [{offers}]\n").ok();
        self
    }

    /// A member of `[limits]`; the value as it stands in the file.
    pub fn limit(mut self, name: &str, value: &str) -> Self {
        self.limits.retain(|limit| limit.0 != name);
        self.limits.push((name.to_owned(), value.to_owned()));
        self
    }

    /// So many workers of Envoy; one when nothing is said.
    pub fn workers(self, count: usize) -> Self {
        Self { workers: Workers(count), ..self }
    }

    /// The built-in demo takes part.
    pub fn demo(self) -> Self {
        Self { demo: true, ..self }
    }

    /// More lines for the top of the file, before any table.
    pub fn top(mut self, lines: &str) -> Self {
        writeln!(self.top, "{lines}").ok();
        self
    }

    /// Failures are remembered, by these lines of `[health]`.
    pub fn health(self, lines: &str) -> Self {
        Self { health: lines.to_owned(), ..self }
    }

    /// More lines for `[listen]`.
    pub fn listen(mut self, lines: &str) -> Self {
        writeln!(self.listen, "{lines}").ok();
        self
    }

    /// More lines for `[envoy]`.
    pub fn envoy(mut self, lines: &str) -> Self {
        writeln!(self.envoy, "{lines}").ok();
        self
    }

    /// More tables for the end of the file.
    pub fn more(mut self, tables: &str) -> Self {
        writeln!(self.more, "{tables}").ok();
        self
    }

    /// A variable of the gateway's environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The file, listening on the ports for callers, the control plane, Envoy's administration and the admin API.
    pub(super) fn toml(&self, [data, control, admin, api]: [u16; 4]) -> String {
        let mut toml = format!("catalog = false\ndiscovery = false\ndemo = {}\n{}\n[listen]\n", self.demo, self.top);
        for (name, port) in [("data", data), ("control", control), ("admin", admin), ("api", api)] {
            writeln!(toml, "{name} = \"127.0.0.1:{port}\"").ok();
        }
        toml.push_str(&self.listen);
        toml.push_str("\n[limits]\n");
        for (name, value) in &self.limits {
            writeln!(toml, "{name} = {value}").ok();
        }
        writeln!(toml, "\n[health]\n{}", self.health).ok();
        writeln!(toml, "\n[envoy]\nconcurrency = {}\n{}", self.workers.0, self.envoy).ok();
        for provider in &self.providers {
            toml.push_str(&provider.toml());
        }
        toml + &self.models + &self.more
    }

    /// How many workers Envoy has.
    pub(super) fn worker_count(&self) -> usize {
        self.workers.0
    }

    /// The keys, as the variables that the file refers to, and the other variables.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let keys = self.providers.iter().map(|provider| (provider.variable(), provider.key.clone()));
        keys.chain(self.variables.iter().cloned()).collect()
    }
}

impl Provider {
    fn variable(&self) -> String {
        let name: String = self.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("TEST_KEY_{}", name.to_ascii_uppercase())
    }

    /// What its persona does besides answering.
    fn operations(&self) -> String {
        let operations: &[&str] = match self.dialect {
            Dialect::Chat => &["embed", "complete", "images", "speech", "transcribe", "moderate", "files"],
            Dialect::Messages | Dialect::Responses => &["count_tokens"],
            Dialect::Gemini => &["count_tokens", "embed"],
            Dialect::ChatV2 => &["embed", "rerank"],
            Dialect::Converse => &[],
        };
        operations.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    fn toml(&self) -> String {
        let (service, prefix, auth, headers) = match self.dialect {
            Dialect::Chat => ("chat_completions", "/v1", "authorization: Bearer {key}", ""),
            Dialect::Messages => ("messages", "/v1", "x-api-key: {key}", "anthropic-version = \"2023-06-01\""),
            Dialect::Gemini => ("generate_content", "/v1beta", "x-goog-api-key: {key}", ""),
            Dialect::Responses => ("responses", "/v1", "authorization: Bearer {key}", ""),
            Dialect::ChatV2 => ("chat_v2", "/v2", "authorization: Bearer {key}", ""),
            Dialect::Converse => ("converse", "", "authorization: Bearer {key}", ""),
        };
        let operations = self.operations();
        format!(
            "[[provider]]\nid = \"{}\"\nbase_url = \"{}\"\nservices = [{{ dialect = \"{service}\", prefix = \"{prefix}\", operations = [{operations}] }}]\n\
             api_key = {{ env = \"{}\" }}\nauth = \"{auth}\"\nheaders = {{ {headers} }}\n{}\n",
            self.id,
            self.url,
            self.variable(),
            self.more,
        )
    }
}
