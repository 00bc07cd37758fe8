//! The rows: what a provider, a model and a target are to the data plane.
//!
//! A provider is a row, not code: where it is, which dialects it speaks at which paths, which members it rejects. The
//! control plane owns the full rows (prices, discovery, who changed what); here stands what a request needs.

/// A wire format. What each one can say stands in its file under [`crate::dialect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialectId {
    /// OpenAI chat completions, and everything compatible with it.
    ChatCompletions,
    /// Anthropic messages.
    Messages,
    /// Gemini generateContent and streamGenerateContent.
    GenerateContent,
}

impl DialectId {
    /// Every dialect there is.
    pub const ALL: [DialectId; 3] = [DialectId::ChatCompletions, DialectId::Messages, DialectId::GenerateContent];

    /// Its one name in configuration, JSON, headers and prose.
    pub fn name(self) -> &'static str {
        match self {
            DialectId::ChatCompletions => "chat_completions",
            DialectId::Messages => "messages",
            DialectId::GenerateContent => "generate_content",
        }
    }

    /// The dialect of that name.
    pub fn named(name: &str) -> Option<DialectId> {
        DialectId::ALL.into_iter().find(|id| id.name() == name)
    }
}

/// Where a provider listens, taken apart once so that no request has to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether the connection is TLS; the cluster's business, kept for `render` and for absolute URLs.
    pub tls: bool,
    /// Host name or address literal, lower case, without port.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What stands before every path, without a trailing slash: `""`, `/openai`, `/api`.
    pub base: String,
}

impl Origin {
    /// The value of `:authority`: the port is written only when it is not the scheme's own.
    pub fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        match self.port == default {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// One dialect as one provider speaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which wire format.
    pub dialect: DialectId,
    /// The prefix of its endpoints below [`Origin::base`], for instance `/v1` or `/v1beta`; no trailing slash.
    pub prefix: String,
}

/// Where to reach a provider and how it differs from its dialect's own specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The operator's name for it: `openai`, `local`; also the prefix in `provider/model`.
    pub id: String,
    /// The Envoy cluster that reaches it and whose upstream filter is the translator.
    pub cluster: String,
    /// Where it is.
    pub origin: Origin,
    /// The dialects it serves, the preferred one first.
    pub services: Vec<Service>,
    /// Which credential to ask the control plane for; empty when it needs none.
    pub credential: String,
    /// Headers every request to it carries, for instance `anthropic-version`; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Top-level request members it refuses; left out and reported.
    pub omit: Vec<String>,
    /// Top-level request members it calls otherwise: (the dialect's name, the provider's name).
    pub rename: Vec<(String, String)>,
}

/// What stands for a cluster in a slot header: 16 hexadecimal digits of its name's SHA-256. Envoy keeps one header map for all
/// attempts, so each provider sees the slots; who else might be asked is none of its business.
pub fn slot(cluster: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(cluster.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// One model at one provider: the thing an attempt goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `provider/model`, unique in a Snapshot; what headers and Records show.
    pub id: String,
    /// Index into the Snapshot's providers.
    pub provider: usize,
    /// The model's name as the provider knows it.
    pub model: String,
    /// The most output tokens the model gives; for dialects that require a limit. 0 when unknown.
    pub output_limit: u64,
    /// The most tokens in and out together; 0 when unknown.
    pub context_window: u64,
}
