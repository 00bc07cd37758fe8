//! The test stand: stubs, bare Envoy and the gateway, all running for the whole bench.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::account::Process;
use super::bare::Bare;
use super::load::Target;
use super::machine;
use super::plan::Options;
use super::shape::{Shape, body};
use super::stub::{Delivery, Stub};
use crate::authority::{Authority, Manners};
use crate::gateway::{Gateway, Parts, Setup};
use crate::people::signing_in;
use crate::simulator::persona::Dialect;

/// How the provider gives its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// In one piece.
    Whole,
    /// As fast as it can be written, an event a write.
    Burst,
    /// An event a millisecond.
    Paced,
    /// The same, five times as long.
    Long,
}

/// Events of text in a stream, and in a long one.
pub const PIECES: usize = 50;
pub const LONG_PIECES: usize = 250;

/// Between two events: so that each is a read of its own for Envoy, as tokens are.
const PAUSE: Duration = Duration::from_millis(1);

const MANNERS: [Manner; 4] = [Manner::Whole, Manner::Burst, Manner::Paced, Manner::Long];

impl Manner {
    fn delivery(self) -> Delivery {
        match self {
            Self::Whole => Delivery::Whole,
            Self::Burst => Delivery::Stream { pieces: PIECES, pause: Duration::ZERO },
            Self::Paced => Delivery::Stream { pieces: PIECES, pause: PAUSE },
            Self::Long => Delivery::Stream { pieces: LONG_PIECES, pause: PAUSE },
        }
    }

    fn index(self) -> usize {
        MANNERS.iter().position(|manner| *manner == self).unwrap_or_default()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Burst => "burst",
            Self::Paced => "paced",
            Self::Long => "long",
        }
    }
}

/// The two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Envoy with no filter.
    Bare,
    /// The gateway.
    Gateway,
}

/// All that runs.
pub struct Stand {
    bare: Bare,
    gateway: Option<Gateway>,
    gateway_envoy: Process,
    authority: Option<Authority>,
    /// The Envoy binary of both.
    pub envoy: PathBuf,
    /// Whether Envoy has a core to itself.
    pub pinned: bool,
}

/// Envoy's core, and everybody else's.
const ENVOY_CORE: usize = 0;
const OTHER_CORE: usize = 1;

impl Stand {
    /// Starts everything and puts it on its cores.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let envoy = Parts::find()?.envoy;
        let stubs = MANNERS.map(|manner| Stub::start(manner.delivery()).map(|stub| stub.address));
        let stubs = stubs.into_iter().collect::<anyhow::Result<Vec<SocketAddr>>>()?;
        let bare = Bare::start(&envoy, &stubs)?;
        let authority = options.sessions.then(|| Authority::start("bench", Manners::of("client"))).transpose()?;
        let setup = setup(&stubs, authority.as_ref());
        let gateway = if options.bare_only { None } else { Some(Gateway::start(&setup)?) };
        let gateway_envoy = match &gateway {
            Some(gateway) => Process::child_of(gateway.pid(), "envoy")?,
            None => bare.process(),
        };
        let own = Process { pid: std::process::id() };
        let others = [Some(own), gateway.as_ref().map(|gateway| Process { pid: gateway.pid() })];
        // Where there is one core only, or no `taskset`, all share what there is, and the report says so.
        let pinned = machine::cores() > 1
            && others.into_iter().flatten().all(|process| process.pin(OTHER_CORE))
            && [bare.process(), gateway_envoy].into_iter().all(|process| process.pin(ENVOY_CORE));
        Ok(Self { bare, gateway, gateway_envoy, authority, envoy, pinned })
    }

    /// The Envoy process of a side.
    pub fn process(&self, side: Side) -> Process {
        match side {
            Side::Bare => self.bare.process(),
            Side::Gateway => self.gateway_envoy,
        }
    }

    /// The control plane, if it runs.
    pub fn control_plane(&self) -> Option<Process> {
        self.gateway.as_ref().map(|gateway| Process { pid: gateway.pid() })
    }

    /// What to send where. Both sides get the same bytes.
    pub fn target(&self, side: Side, shape: Shape, manner: Manner, size: usize) -> anyhow::Result<Target> {
        let listener = self.bare.listeners.get(manner.index()).copied().context("no listener for it")?;
        let address = match (&self.gateway, side) {
            (Some(gateway), Side::Gateway) => gateway.address().parse()?,
            _ => listener,
        };
        let key = self.gateway.as_ref().map_or("none", Gateway::key);
        Ok(Target { address, ..self.target_of(key, shape, manner, size)? })
    }

    /// The gateway, if it runs.
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_ref()
    }

    /// Whether people can sign in with the provider that relays whole answers.
    pub fn has_sign_in(&self) -> bool {
        self.authority.is_some()
    }

    /// The same at the gateway, with this key.
    pub fn target_of(&self, key: &str, shape: Shape, manner: Manner, size: usize) -> anyhow::Result<Target> {
        let mut target = self.request(key, &body(&model(shape, manner), shape.streams(), size))?;
        if self.gateway.is_none() {
            target.address = self.bare.listeners.get(manner.index()).copied().context("no listener for it")?;
        }
        Ok(target)
    }

    /// This body to the gateway, with this key.
    pub fn request(&self, key: &str, body: &str) -> anyhow::Result<Target> {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = self.gateway.as_ref().map_or(Ok(nowhere), |gateway| gateway.address().parse())?;
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n\
             authorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Ok(Target { address, request: (head + body).into_bytes() })
    }
}

/// The model that this dialect's provider serves in this manner.
pub fn model(shape: Shape, manner: Manner) -> String {
    format!("{}-{}", shape.name(), manner.name())
}

/// The route that leaves its model to the request; it is the one that relays whole answers, whatever is asked.
pub const CHOSEN: &str = "chosen";

/// Every stub twice: as a provider of chat completions, and as one of messages.
fn setup(stubs: &[SocketAddr], authority: Option<&Authority>) -> Setup {
    // Nothing is to fail over here; a loaded machine may let an answer wait.
    let mut setup = Setup::new().limit("first_event_timeout", "\"10s\"");
    let relay = model(Shape::Relay, Manner::Whole);
    setup = setup.more(&format!(
        "[tuning]\nartifact = \"shipped\"\n\n[[route]]\nname = \"{CHOSEN}\"\n\n\
         [route.choose]\ncheap = [\"{relay}\"]\nmid = [\"{relay}\"]\nhard = [\"{relay}\"]\n"
    ));
    for (manner, stub) in MANNERS.into_iter().zip(stubs) {
        let url = format!("http://{stub}");
        for shape in Shape::ALL.into_iter().filter(|shape| shape.streams() == (manner != Manner::Whole)) {
            let dialect = match shape {
                Shape::Relay | Shape::StreamRelay => Dialect::Chat,
                Shape::Interpret | Shape::StreamInterpret => Dialect::Messages,
            };
            let model = model(shape, manner);
            setup = setup.provider(&model, dialect, &url, "key-of-stub").model(&model, &[&model]);
            if let Some(authority) = authority.filter(|_| (shape, manner) == (Shape::Relay, Manner::Whole)) {
                setup = signing_in(setup, authority);
            }
        }
    }
    setup
}
