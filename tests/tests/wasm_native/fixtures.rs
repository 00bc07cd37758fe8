//! The golden requests and answers, and a control plane that knows a provider for each dialect.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use dragoman_core::admission::{Grant, digest};
use dragoman_core::catalog::{DialectId, Origin, Provider, Service, Target, slot};
use dragoman_core::json::Json;
use dragoman_core::json::edit::{Edit, edit};
use dragoman_core::snapshot::{Loss, Route, Snapshot};
use dragoman_tests::mock_host::world::Header;
use dragoman_tests::mock_host::{Answer, Code, ControlPlane, Ends, Pace, Request};

/// The key that is admitted.
pub const KEY: &str = "caller-key";

/// The module, compiled once for all tests.
pub fn code() -> &'static Code {
    static CODE: OnceLock<Code> = OnceLock::new();
    CODE.get_or_init(|| {
        let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/wasm/dragoman_filters.wasm");
        Code::read(&std::env::var_os("DRAGOMAN_WASM").map_or_else(built, PathBuf::from)).unwrap()
    })
}

pub fn headers(pairs: &[(&str, &str)]) -> Vec<Header> {
    pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

/// The routes of each provider, and one that goes through all: by name, whether the provider takes the client's very bytes.
pub fn route(provider: DialectId, own_name: bool) -> String {
    format!("{}-{}", if own_name { "own" } else { "other" }, provider.name())
}

/// The route through the first three providers, in the order of [`DialectId::ALL`].
pub const CHAIN: &str = "chain";

/// The dialects that clients speak.
pub const CLIENTS: [DialectId; 4] =
    [DialectId::ChatCompletions, DialectId::Messages, DialectId::GenerateContent, DialectId::Responses];

/// A control plane that knows one provider of each dialect; `generation` tells its credentials from another's.
pub fn plane(generation: &str) -> ControlPlane {
    let (mut providers, mut targets, mut routes) = (Vec::new(), Vec::new(), Vec::new());
    let mut plane = ControlPlane::default();
    for (index, dialect) in DialectId::ALL.into_iter().enumerate() {
        let id = dialect.name().to_owned();
        let credential = format!("{id}{generation}");
        let value = format!("secret-of-{credential}").into_bytes();
        plane.credentials.insert(credential.clone(), ("x-api-key".into(), value));
        let cluster = format!("provider_{id}");
        plane.clusters.insert(slot(&cluster).into_bytes(), cluster.clone().into_bytes());
        let prefix = if dialect == DialectId::GenerateContent { "/v1beta" } else { "/v1" };
        providers.push(Provider {
            cluster,
            origin: Origin { tls: true, host: format!("{index}.example"), port: 443, base: "/base".into() },
            services: vec![Service::new(dialect, prefix)],
            credential,
            own_only: false,
            passthrough: Default::default(),
            headers: vec![("x-row".into(), "1".into())],
            omit: vec!["seed".into()],
            rename: vec![("max_completion_tokens".into(), "max_tokens".into())],
            set: vec![],
            price: dragoman_core::price::Price::default(),
            rate_limits: std::sync::Arc::default(),
            dispatch: dragoman_core::catalog::Dispatch::default(),
            share: None,
            region: String::new(),
            data_policy: Vec::new(),
            id: id.clone(),
        });
        for own_name in [true, false] {
            let name = route(dialect, own_name);
            let model = if own_name { name.clone() } else { "target-model".into() };
            routes.push(Route {
                name: name.clone(),
                candidates: vec![targets.len()],
                loss: Loss::Warn,
                ..Route::default()
            });
            let id = format!("{id}/{name}");
            targets.push(Target { output_limit: 8192, ..Target::unlisted(id, index, &model) });
        }
    }
    let candidates = vec![1, 3, 5];
    routes.push(Route { name: CHAIN.into(), candidates, loss: Loss::Warn, ..Route::default() });
    let mut snapshot = Snapshot::new(1, providers, targets, routes, vec![]).unwrap();
    // One fixture's failure must not decide where the next one goes, nor what is asked again.
    snapshot.health.enabled = false;
    plane.snapshot = snapshot.write();
    for caller in [KEY.to_owned(), format!("{KEY}{generation}")] {
        let grant = Grant { caller: caller.clone(), ..Grant::default() };
        plane.grants.insert(digest(caller.as_bytes()).to_vec(), grant.write());
    }
    plane
}

/// Whether an answer is to come at once or in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Whole,
    Streamed,
    /// What only one dialect has: a stream without `alt=sse`.
    Array,
}

/// A golden file.
pub struct Fixture {
    pub dialect: DialectId,
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

impl Fixture {
    pub fn deliveries(&self) -> &'static [Delivery] {
        match self.dialect {
            DialectId::GenerateContent => &[Delivery::Whole, Delivery::Streamed, Delivery::Array],
            _ => &[Delivery::Whole, Delivery::Streamed],
        }
    }

    /// As a client asks it for `model`; the head and the body.
    pub fn ask(&self, model: &str, delivery: Delivery) -> (Vec<Header>, Vec<u8>) {
        let body = || {
            let stream = (delivery != Delivery::Whole).to_string();
            let edits = [Edit::Set("model", format!("\"{model}\"")), Edit::Set("stream", stream)];
            edit(Json::parse(&self.bytes).unwrap(), &edits).into_bytes()
        };
        let generate = match delivery {
            Delivery::Whole => "generateContent",
            Delivery::Streamed => "streamGenerateContent?alt=sse",
            Delivery::Array => "streamGenerateContent",
        };
        let (path, body) = match self.dialect {
            DialectId::ChatCompletions => ("/v1/chat/completions?beta=1".to_owned(), body()),
            DialectId::Messages => ("/v1/messages?beta=true".to_owned(), body()),
            DialectId::GenerateContent => (format!("/v1beta/models/{model}:{generate}"), self.bytes.clone()),
            DialectId::Responses => ("/v1/responses".to_owned(), body()),
            DialectId::ChatV2 | DialectId::Converse => unreachable!("no client speaks it"),
        };
        let mut head = headers(&[
            (":method", "POST"),
            (":scheme", "https"),
            (":path", &path),
            (":authority", "gateway"),
            ("content-length", &body.len().to_string()),
            ("authorization", &format!("Bearer {KEY}")),
            ("user-agent", "test"),
            ("cookie", "private"),
            ("x-custom", "kept"),
            ("x-dragoman-try-1", "spoofed"),
            ("x-dragoman-exchange", "spoofed"),
        ]);
        head.push((b"x-bytes".to_vec(), vec![0x80, 0xff]));
        (head, body)
    }

    /// As a provider answers it.
    pub fn answer(&self, cut: &mut Cut) -> Answer {
        let sse = self.path.extension().is_some_and(|extension| extension == "sse");
        let kind = if sse { "text/event-stream" } else { "application/json" };
        let length = self.bytes.len().to_string();
        let mut head = headers(&[
            (":status", "200"),
            ("content-type", kind),
            ("server", "theirs"),
            ("set-cookie", "private"),
            ("x-provider", "kept"),
            ("x-dragoman-target", "spoofed"),
            ("x-dragoman-retry", "spoofed"),
        ]);
        if !sse {
            head.extend(headers(&[("content-length", &length)]));
        }
        Answer { head, chunks: cut.chunks(&self.bytes), ends: cut.ends() }
    }
}

/// Every source of that kind: the files whose name has one dot only.
pub fn fixtures(kind: &str) -> Vec<Fixture> {
    let mut found = Vec::new();
    for dialect in DialectId::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(kind).join(dialect.name());
        // No client speaks some of them.
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().matches('.').count() == 1 {
                found.push(Fixture { dialect, bytes: fs::read(&path).unwrap(), path });
            }
        }
    }
    found.sort_by(|one, two| one.path.cmp(&two.path));
    assert!(found.len() > 6, "no {kind}");
    found
}

/// Cuts bytes in ever other places, the same in every run.
pub struct Cut(pub u64);

impl Cut {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }

    pub fn chunks(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut cuts = vec![0, bytes.len()];
        cuts.extend((0..self.below(5)).map(|_| self.below(bytes.len() + 1)).collect::<Vec<_>>());
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
    }

    pub fn ends(&mut self) -> Ends {
        [Ends::LastChunk, Ends::EmptyChunk, Ends::LastChunk, Ends::Trailers][self.below(4)]
    }

    pub fn request(&mut self, (head, body): (Vec<Header>, Vec<u8>)) -> Request {
        let pace = [Pace::Prompt, Pace::Late][self.below(2)];
        Request { head, chunks: self.chunks(&body), ends: self.ends(), pace }
    }
}
