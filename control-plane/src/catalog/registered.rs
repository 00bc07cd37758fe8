//! A provider as it can be asked.

use std::net::IpAddr;

use dragoman_core::catalog::{Dispatch, Origin, Passthrough, Service};

use super::{Credential, DEMO, plain_service};
use crate::settings::{Auth, ModelsPath, RateLimit, Signing};

/// A provider that can be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub origin: Origin,
    /// The dialects it serves, the preferred one first.
    pub services: Vec<Service>,
    /// The gateway's credential; `None` when it needs none.
    pub credential: Option<Credential>,
    /// How any key for it is sent, the gateway's or an account's own.
    pub auth: Auth,
    /// The gateway has no key for it, and whoever asks it brings one.
    pub own_only: bool,
    /// How tokens begin that callers bring for it.
    pub passthrough: Passthrough,
    /// How Envoy signs its requests; `None` when they carry a credential or nothing.
    pub signing: Option<Signing>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// Members it refuses.
    pub omit: Vec<String>,
    /// Members it calls otherwise.
    pub rename: Vec<(String, String)>,
    /// Members it wants: (name, JSON text).
    pub set: Vec<(String, String)>,
    /// Prefixes of names that are its own.
    pub families: Vec<String>,
    /// Where it lists its models, when not where its first dialect does.
    pub models_path: Option<ModelsPath>,
    /// Whether plain text speaks HTTP/2.
    pub http2: bool,
    /// How fast it may be asked.
    pub rate_limits: Vec<RateLimit>,
    /// When it is asked.
    pub dispatch: Dispatch,
    /// How many of a hundred requests of a pool go to it, where somebody said so.
    pub share: Option<u8>,
    /// Where it is; empty when nobody said.
    pub region: String,
    /// What it promises to do with data.
    pub data_policy: Vec<String>,
    /// The proxy by which it is reached; it has TLS then.
    pub proxy: Option<Origin>,
    /// The addresses that Envoy connects to; empty when it resolves the name by itself.
    pub pinned: Vec<IpAddr>,
}

impl Registered {
    /// The name of its cluster in Envoy.
    pub fn cluster(&self) -> String {
        format!("provider_{}", self.id)
    }

    /// The built-in demo, listening at `origin`.
    pub fn demo(origin: Origin) -> Registered {
        Registered {
            id: DEMO.into(),
            origin,
            services: plain_service(),
            credential: None,
            auth: Auth::default(),
            own_only: false,
            passthrough: Passthrough::default(),
            signing: None,
            headers: Vec::new(),
            omit: Vec::new(),
            rename: Vec::new(),
            set: Vec::new(),
            families: vec![String::new()],
            // Its one model stands in the catalogue already.
            models_path: Some(ModelsPath::Never),
            http2: false,
            rate_limits: Vec::new(),
            dispatch: Dispatch::default(),
            share: None,
            region: String::new(),
            data_policy: Vec::new(),
            proxy: None,
            pinned: Vec::new(),
        }
    }
}
