//! What the operator says: one TOML file, read whole, every mistake reported at once with its place.
//!
//! ```toml
//! [listen]
//! data = "127.0.0.1:10000"
//!
//! [[provider]]
//! id = "corp"
//! base_url = "https://llm.corp.example/v1"
//! api_key = { env = "CORP_KEY" }
//! models = ["our-model"]
//!
//! [[route]]
//! name = "auto"
//! candidates = ["corp/our-model", "openai/gpt-5-mini"]
//! ```
//!
//! The rows that ship with Dragoman (`catalog/*.toml`) are written in the same words and read by the same code: a
//! `[[provider]]` of the same id changes the members it names and leaves the others.
//!
//! Limits: secrets stand in the environment, never in the file; listening addresses, the data directory and Envoy's own
//! settings are read at start only, everything else while running.

mod address;
mod choose;
mod example;
mod experiment;
mod file;
mod health;
mod identity;
mod kind;
mod members;
mod mistake;
mod model;
mod patience;
mod pool;
mod price;
mod provider;
mod proxy;
mod rate_limit;
mod route;
mod rule;
mod said;
mod secret;
mod service;
mod service_account;
mod set;
mod shadow;
mod sign_in;
mod signing;
mod suspension;
mod tuning;
mod variable;
pub mod watch;
pub(crate) use file::split_address;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use address::{BaseUrl, origin};
pub use choose::ChooseRow;
pub use dragoman_core::price::micro_dollars;
pub use example::EXAMPLE;
pub use experiment::{ExperimentRow, Rollout};
pub use health::{HealthSettings, OperatorsWebhook};
pub use identity::{IdentityRow, Jwt, Proof, Template, Testimony, TokenKeys, Unknown};
pub use kind::Kind;
pub use members::Placed;
pub use mistake::{Mistake, Mistakes};
pub use model::{Modality, ModelRow, Status};
pub use pool::PoolRow;
pub use price::{PriceRow, Pricing, Unpriced};
pub use provider::{Auth, Enabled, ModelsPath, ProviderRow};
pub use rate_limit::{RateLimit, terms_of};
pub use route::{MAX_CANDIDATES, MAX_CHAIN, RouteRow, Strategy};
pub use rule::RuleRow;
pub use said::{Problem, Said, SaidRow};
pub use secret::{Secret, SecretRef};
pub use service_account::{KnownBy, ServiceAccount, ServiceAccountRow};
pub use sign_in::{CALLBACK, SignIn, SignInPolicy, SignInRow, Style};
pub use signing::Signing;
pub use suspension::Suspension;
pub use tuning::{ARTIFACT_URL, ArtifactSource, TuningSettings};
pub use variable::{Variable, Variables};

use dragoman_core::snapshot::Loss;

use crate::screen::Network;

/// The file looked for when none is named.
pub const DEFAULT_FILE: &str = "dragoman.toml";

/// Longest id or name of a row: it becomes a header value and a cluster's name.
const MAX_NAME: usize = 200;

/// Largest settings file read: ten thousand rows fit.
pub const MAX_FILE: u64 = 4 << 20;

/// A settings file, read; nothing in it has been resolved against the catalogue or the environment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct File {
    /// Where to listen.
    pub listen: Listen,
    /// Where the data directory is; the command line comes first.
    pub data_dir: Option<PathBuf>,
    /// Bounds and times.
    pub limits: Limits,
    /// How health is judged, and who is told.
    pub health: HealthSettings,
    /// Where the artifact comes from that models are chosen by.
    pub tuning: TuningSettings,
    /// The Envoy beside us.
    pub envoy: EnvoySettings,
    /// Whether the shipped providers and models take part.
    pub catalog: Option<bool>,
    /// `demo = true`: the demo answers even though others could.
    pub demo: bool,
    /// `discovery = false`: providers are not asked for their models.
    pub discovery: Option<bool>,
    /// Networks that providers of the admin API may be in, besides public ones.
    pub allow_networks: Vec<Network>,
    /// What happens on routes that do not say so themselves.
    pub loss: Loss,
    /// Who else is asked, after its offers, for a model that no route names.
    pub fallback: Strategy,
    /// Providers, in the order of the file.
    pub providers: Vec<ProviderRow>,
    /// Models, in the order of the file.
    pub models: Vec<ModelRow>,
    /// Routes, in the order of the file.
    pub routes: Vec<RouteRow>,
    /// Other names: (alias, what it stands for).
    pub aliases: Vec<(Placed<String>, String)>,
    /// Targets that are not asked for a while.
    pub suspensions: Vec<Suspension>,
    /// What is changed about requests and answers, in the order of the file.
    pub rules: Vec<RuleRow>,
    /// Who may come without a key, in the order of the file.
    pub identities: Vec<IdentityRow>,
    /// Experiments with the requests of some names, in the order of the file.
    pub experiments: Vec<ExperimentRow>,
    /// The rows as they were written.
    pub said: Said,
    /// Prices, in the order of the file.
    pub prices: Vec<PriceRow>,
    /// What happens to those without a price.
    pub pricing: Pricing,
}

/// Where the parties listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The gateway itself, for callers.
    pub data: SocketAddr,
    /// The control plane, for Envoy and the filters only.
    pub control: SocketAddr,
    /// Envoy's administration; `None` when it is off.
    pub admin: Option<SocketAddr>,
    /// The admin API, for operators; `None` when it is off.
    pub api: Option<SocketAddr>,
    /// TLS towards callers; plain text when nothing is said.
    pub tls: Option<ListenTls>,
}

/// TLS towards callers; the paths are as Envoy sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenTls {
    /// Our certificate and those between it and its authority.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of callers' certificates; none are asked for when there is none.
    pub client_ca: Option<PathBuf>,
    /// Whether callers without a certificate may come, with a key.
    pub clients: ClientCertificates,
}

/// Whether callers need a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Whoever has none comes by a key.
    Welcome,
    /// Whoever has none is not listened to.
    Required,
}

impl Default for Listen {
    fn default() -> Listen {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Listen {
            data: local(10_000),
            control: local(10_001),
            admin: Some(local(9_901)),
            api: Some(local(10_002)),
            tls: None,
        }
    }
}

/// Bounds and times of the data path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body, in bytes.
    pub max_body_bytes: u64,
    /// Longest silence of a provider before the first event.
    pub first_event_timeout: Duration,
    /// The same where thought is asked of a model that thinks.
    pub thinking_timeout: Duration,
    /// Longest silence of a provider between two events.
    pub between_events_timeout: Duration,
    /// Longest wait for a connection to a provider.
    pub connect_timeout: Duration,
    /// Longest time in which nothing moves between us and a caller.
    pub stream_idle_timeout: Duration,
    /// Most connections of callers at one time.
    pub max_connections: u64,
    /// Most memory Envoy may take before it refuses new requests, in bytes.
    pub max_heap_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // Anthropic's own limit for a request; the others are lower or about the same.
            max_body_bytes: 32 << 20,
            first_event_timeout: Duration::from_secs(60),
            thinking_timeout: Duration::from_secs(300),
            between_events_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(2),
            stream_idle_timeout: Duration::from_secs(600),
            max_connections: 10_000,
            max_heap_bytes: 4 << 30,
        }
    }
}

/// The Envoy beside us.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EnvoySettings {
    /// The program; `envoy` from the search path when not given.
    pub program: Option<PathBuf>,
    /// The filters' module as Envoy sees it.
    pub wasm: Option<PathBuf>,
    /// Worker threads; as many as there are cores when not given.
    pub concurrency: Option<u64>,
    /// The certificates of the authorities that providers' certificates are checked against.
    pub ca_file: Option<PathBuf>,
    /// Where Envoy and the filters reach the control plane, `host:port`; the address it listens on when not given.
    pub control_address: Option<String>,
}

/// Names that a file may use without defining them.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Ids of providers.
    pub providers: BTreeSet<String>,
    /// Names of models, and the names that providers have for them.
    pub models: BTreeSet<String>,
    /// Prefixes of names; never the empty one, which would know everything.
    pub families: BTreeSet<String>,
    /// Variables: the provider's id and the variable's name.
    pub variables: BTreeSet<(String, String)>,
}

impl Known {
    /// Adds what `file` defines.
    pub fn add(&mut self, file: &File) {
        for row in &file.providers {
            self.providers.insert(row.id.clone());
            self.models.extend(row.models.iter().flatten().cloned());
            let names = row.variables.iter().flat_map(Variables::names);
            self.variables.extend(names.map(|name| (row.id.clone(), name.to_string())));
            self.families.extend(row.families.iter().flatten().filter(|prefix| !prefix.is_empty()).cloned());
        }
        for row in &file.models {
            self.models.insert(row.name.clone());
            self.models.extend(row.offers.iter().map(|(_, name, _)| name.clone()));
        }
    }

    /// Whether the provider has a variable of that name.
    pub fn has_variable(&self, provider: &str, name: &str) -> bool {
        self.variables.iter().any(|(known, variable)| known == provider && variable == name)
    }

    /// Whether a candidate of that name can mean something.
    pub fn has(&self, name: &str) -> bool {
        let provider =
            |mark| name.split_once(mark).is_some_and(|(id, model)| self.providers.contains(id) && !model.is_empty());
        self.models.contains(name)
            || provider('/')
            || provider(':')
            || self.families.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }
}

impl File {
    /// Whether any route hedges: only then Envoy has the hop.
    pub fn hedges(&self) -> bool {
        self.routes.iter().any(|row| row.patience.hedge.is_some())
    }

    /// Reads a settings file's text; `name` is its name in messages, `known` what it may name without defining it.
    pub fn read(name: &str, text: &str, known: &Known) -> Result<File, Mistakes> {
        Ok(File { said: Said::of(text), ..file::read(name, text, known)? })
    }

    /// The path of the file that `load` would read, if it would read one.
    pub fn path(named: Option<&Path>) -> Option<PathBuf> {
        match named {
            Some(path) => Some(path.to_path_buf()),
            None => Path::new(DEFAULT_FILE).exists().then(|| PathBuf::from(DEFAULT_FILE)),
        }
    }

    /// These settings with rows of the admin API over those of the file. `shipped` is what the catalogue defines.
    pub fn with(&self, rows: impl IntoIterator<Item = SaidRow>, shipped: &Known) -> Result<File, Vec<Problem>> {
        let mut said = self.said.clone();
        said.lay(rows);
        if said == self.said {
            return Ok(self.clone());
        }
        let nothing = Known::default();
        let read = said.read(if self.catalog.unwrap_or(true) { shipped } else { &nothing })?;
        Ok(File {
            providers: read.providers,
            models: read.models,
            routes: read.routes,
            aliases: read.aliases,
            prices: read.prices,
            suspensions: read.suspensions,
            rules: read.rules,
            identities: read.identities,
            experiments: read.experiments,
            said,
            ..self.clone()
        })
    }

    /// Reads the file at `path`; `None` stands for [`DEFAULT_FILE`] if that is there, else for the built-in defaults.
    pub fn load(path: Option<&Path>, known: &Known) -> anyhow::Result<File> {
        let Some(path) = File::path(path) else { return Ok(File::default()) };
        let name = path.display().to_string();
        let size = std::fs::metadata(&path).map_err(|error| anyhow::anyhow!("{name}: {error}"))?.len();
        anyhow::ensure!(size <= MAX_FILE, "{name}: {size} bytes are more than the {MAX_FILE} that are read");
        let text = std::fs::read_to_string(&path).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        Ok(File::read(&name, &text, known)?)
    }
}

#[cfg(test)]
mod mutated;
#[cfg(test)]
mod tests;
