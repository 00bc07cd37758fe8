//! What the host knows: contexts with their heads and bodies, gRPC calls under way, the time, and how badly it behaves.

use std::collections::BTreeMap;

/// A header as bytes.
pub type Header = (Vec<u8>, Vec<u8>);

/// Where the mock's clock stands until a test moves it, in nanoseconds since 1970.
pub const NOW_NS: u64 = 1_790_000_000_000_000_000;

/// One direction of one stream in one filter: what its callbacks may see and change right now.
#[derive(Debug, Default, Clone)]
pub struct Side {
    /// The head, while it is held.
    pub head: Option<Vec<Header>>,
    /// The bytes at hand, while there are any to be seen.
    pub body: Option<Vec<u8>>,
    /// The trailers, in their callback.
    pub trailers: Option<Vec<Header>>,
    /// The filter asked to go on.
    pub resumed: bool,
    /// The filter asked for a reset.
    pub closed: bool,
}

/// A context of the module, as the host sees it.
#[derive(Debug, Default, Clone)]
pub struct Context {
    /// Its root context; 0 for a root context.
    pub root: u32,
    /// From the client to the provider.
    pub request: Side,
    /// Back.
    pub response: Side,
    /// The name of the cluster that an attempt goes through.
    pub cluster: Option<Vec<u8>>,
    /// The plugin's configuration, of a root context.
    pub configuration: Vec<u8>,
    /// The answer that the filter gave itself.
    pub reply: Option<(u32, Vec<Header>, Vec<u8>)>,
    /// How often the route was chosen anew.
    pub routed: u32,
    /// The tick's period in milliseconds; 0 for none.
    pub tick_ms: u32,
}

/// A gRPC call or stream that the module began and the host has not ended.
#[derive(Debug, Clone)]
pub struct Call {
    /// The root context that its answers go to.
    pub root: u32,
    /// The serialised GrpcService.
    pub upstream: Vec<u8>,
    /// `package.Service/Method`.
    pub method: String,
    /// The message sent; none on a stream before the first.
    pub message: Option<Vec<u8>>,
    /// Whether more than one answer may come.
    pub streams: bool,
}

/// What the host does instead of what it was asked to.
#[derive(Debug, Clone)]
pub enum Act {
    /// Just that.
    Obey,
    /// Nothing, and says so.
    Fail(u32),
    /// Just that, but hands these bytes over where it has bytes to hand over.
    Lie(Vec<u8>),
    /// Calls this export in the middle of it, then obeys.
    CallBack(String, Vec<u32>),
}

/// What is done with the next host calls, the last first; empty for a host that behaves.
#[derive(Debug, Default)]
pub struct Mischief(pub Vec<Act>);

/// All of it.
#[derive(Debug)]
pub struct World {
    /// The time, in nanoseconds since 1970.
    pub now_ns: u64,
    /// What `random_get` writes, over and over.
    pub random: u8,
    /// The VM's configuration.
    pub configuration: Vec<u8>,
    /// Contexts by their number.
    pub contexts: BTreeMap<u32, Context>,
    /// Calls under way, by their token.
    pub calls: BTreeMap<u32, Call>,
    /// The message that `proxy_on_grpc_receive` tells of.
    pub message: Option<Vec<u8>>,
    /// What was logged, with its level.
    pub logs: Vec<(u32, String)>,
    /// Counters: name and value.
    pub counters: Vec<(String, i64)>,
    /// Histograms: name and values.
    pub histograms: Vec<(String, Vec<u64>)>,
    /// How badly it behaves.
    pub mischief: Mischief,
    /// What the call under way hands over instead of the truth.
    pub(super) lie: Option<Vec<u8>>,
    /// The context that was called, and the one it speaks for.
    current: (u32, Option<u32>),
    last_token: u32,
}

impl Default for World {
    fn default() -> World {
        World {
            now_ns: NOW_NS,
            random: 0x5a,
            configuration: Vec::new(),
            contexts: BTreeMap::new(),
            calls: BTreeMap::new(),
            message: None,
            logs: Vec::new(),
            counters: Vec::new(),
            histograms: Vec::new(),
            mischief: Mischief::default(),
            lie: None,
            current: (0, None),
            last_token: 0,
        }
    }
}

impl World {
    /// A callback of `context` begins; gives back what [`World::leave`] needs.
    pub(super) fn enter(&mut self, context: u32) -> (u32, Option<u32>) {
        std::mem::replace(&mut self.current, (context, None))
    }

    /// The callback is over.
    pub(super) fn leave(&mut self, before: (u32, Option<u32>)) {
        self.current = before;
    }

    /// The context that host calls speak for now.
    pub fn effective(&self) -> u32 {
        self.current.1.unwrap_or(self.current.0)
    }

    /// Makes the rest of the callback speak for another context; false when there is no such context.
    pub(super) fn speak_for(&mut self, context: u32) -> bool {
        let known = self.contexts.contains_key(&context);
        if known {
            self.current.1 = Some(context);
        }
        known
    }

    /// The context that host calls speak for now.
    pub(super) fn context(&mut self) -> Option<&mut Context> {
        let context = self.effective();
        self.contexts.get_mut(&context)
    }

    /// Notes a call; gives its token.
    pub(super) fn begin(&mut self, call: Call) -> u32 {
        self.last_token += 1;
        self.calls.insert(self.last_token, call);
        self.last_token
    }
}

/// The first value of a header.
pub fn get<'h>(headers: &'h [Header], name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| value.as_slice())
}

/// Puts a header in the place of all of its name.
pub fn set(headers: &mut Vec<Header>, name: &[u8], value: &[u8]) {
    let Some(place) = headers.iter().position(|(known, _)| known == name) else {
        return headers.push((name.to_vec(), value.to_vec()));
    };
    let mut at = 0;
    headers.retain(|(known, _)| {
        at += 1;
        known != name || at == place + 1
    });
    if let Some((_, old)) = headers.get_mut(place) {
        *old = value.to_vec();
    }
}

/// Takes every header of that name away.
pub fn remove(headers: &mut Vec<Header>, name: &[u8]) {
    headers.retain(|(known, _)| known != name);
}
