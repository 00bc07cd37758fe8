//! Hosts that misbehave: the module never traps, and serves the next request as if nothing was.

use dragoman_core::catalog::DialectId;
use dragoman_tests::mock_host::calls::STATUSES;
use dragoman_tests::mock_host::world::{Header, NOW_NS, get, set};
use dragoman_tests::mock_host::{Act, Context, Envoy, Mischief};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::fixtures::{CHAIN, CLIENTS, Cut, Delivery, KEY, code, fixtures, plane};
use super::{Both, conversation, good, native};

/// Hosts that are tried.
const HOSTS: u32 = 300;

/// One thing a host does.
#[derive(Debug, Clone)]
enum Op {
    /// Takes the next step of a good exchange.
    Next,
    /// Calls anything with anything.
    Call { callback: usize, context: u32, arguments: [u32; 2] },
    /// Does this with the next host calls.
    Misbehave(Vec<Act>),
    /// Lets a client come.
    Begin { client: usize },
    /// Gives a stream the next bytes of a good request.
    Say { stream: u32, size: usize, end: u32 },
    /// Lets an attempt begin for a stream.
    Attempt { stream: u32, number: u32 },
    /// Gives an attempt the head of an answer.
    Answer { stream: u32, answer: usize, end: u32 },
    /// Gives an attempt bytes of an answer.
    Tell { stream: u32, answer: usize, size: usize, end: u32 },
    /// Puts headers in a stream's place.
    Head { context: u32, place: u32, headers: Vec<Header> },
    /// Changes one header of the next head that a stream begins with.
    Twist(Header),
    /// Puts bytes in a stream's place.
    Body { context: u32, place: u32, bytes: Vec<u8> },
    /// Lets the tick's time pass.
    Tick,
    /// Says something as the control plane, of the call at that place or with that very token.
    Message { context: u32, token: u32, bytes: Vec<u8> },
    /// Answers a question as the control plane should.
    Learn,
    /// Ends all calls.
    Fail,
    /// Ends a context.
    Delete(u32),
    /// Forgets a context without a word.
    Forget(u32),
    /// Moves the clock.
    Clock(u64),
}

fn act(callbacks: usize) -> impl Strategy<Value = ActOf> {
    prop_oneof![
        6 => Just(ActOf::Obey),
        1 => vec(any::<u8>(), 0..40).prop_map(ActOf::Lie),
        1 => any::<[u32; 4]>().prop_map(|numbers| ActOf::Lie(numbers.iter().flat_map(|number| (number >> (number & 31)).to_le_bytes()).collect())),
        3 => prop_oneof![Just(0), proptest::sample::select(STATUSES.to_vec())].prop_map(ActOf::Fail),
        1 => (0..callbacks, 0u32..12, any::<[u32; 2]>()).prop_map(|(name, context, [one, two])| ActOf::CallBack(name, [context, one, two])),
    ]
}

/// An [`Act`] that does not know the exports' names yet.
#[derive(Debug, Clone)]
enum ActOf {
    Obey,
    Fail(u32),
    Lie(Vec<u8>),
    CallBack(usize, [u32; 3]),
}

fn header() -> impl Strategy<Value = Header> {
    let name = prop_oneof![
        3 => proptest::sample::select(vec![
            ":method", ":path", ":status", "content-type", "content-length", "authorization", "x-api-key",
            "x-dragoman-exchange", "x-dragoman-try-1", "x-dragoman-retry", "x-envoy-attempt-count", "retry-after",
        ]).prop_map(|name| name.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    let value = prop_oneof![
        2 => proptest::sample::select(vec![
            "POST", "/v1/messages", "/v1beta/models/%zz:streamGenerateContent", "200", "-1", "99999999999999999999",
            "text/event-stream", "1", "0", "nan", "Bearer k",
        ]).prop_map(|value| value.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..9),
        1 => vec(0x80u8..=0xff, 0..9),
    ];
    (name, value)
}

fn op(callbacks: Vec<String>) -> impl Strategy<Value = Op> {
    // Roots are 1 and 2; streams come behind them.
    let context = || prop_oneof![8 => 0u32..14, 1 => any::<u32>()];
    let number = || prop_oneof![4 => 0u32..6, 1 => any::<u32>()];
    let end = || 0u32..3;
    let count = callbacks.len();
    let acts = vec(act(count), 0..12).prop_map(move |acts| {
        let named = |act| match act {
            ActOf::Obey => Act::Obey,
            ActOf::Fail(status) => Act::Fail(status),
            ActOf::Lie(bytes) => Act::Lie(bytes),
            ActOf::CallBack(name, arguments) => Act::CallBack(callbacks[name].clone(), arguments.to_vec()),
        };
        Op::Misbehave(acts.into_iter().map(named).collect())
    });
    prop_oneof![
        30 => Just(Op::Next),
        6 => (0..count, context(), [number(), number()])
            .prop_map(|(callback, context, arguments)| Op::Call { callback, context, arguments }),
        4 => acts,
        4 => (0usize..3).prop_map(|client| Op::Begin { client }),
        4 => (context(), 0usize..2000, end()).prop_map(|(stream, size, end)| Op::Say { stream, size, end }),
        4 => (context(), 0u32..5).prop_map(|(stream, number)| Op::Attempt { stream, number }),
        4 => (context(), 0usize..12, end()).prop_map(|(stream, answer, end)| Op::Answer { stream, answer, end }),
        6 => (context(), 0usize..12, 0usize..2000, end())
            .prop_map(|(stream, answer, size, end)| Op::Tell { stream, answer, size, end }),
        2 => (context(), 0u32..4, vec(header(), 0..6))
            .prop_map(|(context, place, headers)| Op::Head { context, place, headers }),
        2 => (context(), 0u32..2, vec(any::<u8>(), 0..60))
            .prop_map(|(context, place, bytes)| Op::Body { context, place, bytes }),
        2 => (context(), number(), vec(any::<u8>(), 0..60))
            .prop_map(|(context, token, bytes)| Op::Message { context, token, bytes }),
        3 => Just(Op::Learn),
        2 => Just(Op::Tick),
        3 => header().prop_map(Op::Twist),
        1 => Just(Op::Fail),
        2 => context().prop_map(Op::Delete),
        1 => context().prop_map(Op::Forget),
        1 => prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), Just(NOW_NS + 60_000_000_000)].prop_map(Op::Clock),
    ]
}

/// How far a good exchange has come, while everything else happens too.
#[derive(Debug, Default)]
struct Story {
    told: usize,
    step: usize,
    stream: u32,
    attempt: u32,
}

/// A host that does what it is told, right or wrong.
struct Host {
    envoy: Envoy,
    story: Story,
    twist: Option<Header>,
    callbacks: Vec<String>,
    bodies: Vec<(Vec<Header>, Vec<u8>)>,
    answers: Vec<(Vec<Header>, Vec<u8>)>,
}

impl Host {
    fn start() -> Host {
        let ask = |client: &DialectId| conversation(*client).ask(CHAIN, Delivery::Streamed);
        let answers = fixtures("answers");
        Host {
            envoy: Envoy::start(code(), plane("")).unwrap(),
            story: Story::default(),
            twist: None,
            callbacks: code().callbacks().into_iter().map(|(name, _)| name).collect(),
            bodies: CLIENTS.iter().map(ask).collect(),
            answers: answers.iter().map(|answer| (answer.answer(&mut Cut(3)).head, answer.bytes.clone())).collect(),
        }
    }

    /// A context's two sides; they are made when there is no such context.
    fn context(&mut self, context: u32) -> &mut Context {
        self.envoy.vm.world().contexts.entry(context).or_default()
    }

    fn twisted(&mut self, mut head: Vec<Header>) -> Vec<Header> {
        if let Some((name, value)) = self.twist.take() {
            set(&mut head, &name, &value);
        }
        head
    }

    /// The next step of the story, in the host's own order.
    fn next(&mut self) -> anyhow::Result<()> {
        const ALL: usize = usize::MAX;
        let Story { told, step, stream, attempt } = self.story;
        self.story.step += 1;
        let before = self.envoy.vm.world().contexts.keys().next_back().copied().unwrap_or_default();
        let op = match step {
            0 => Op::Begin { client: told % self.bodies.len() },
            1 => Op::Say { stream, size: 50, end: 0 },
            2 => Op::Learn,
            3 => Op::Say { stream, size: ALL, end: 1 },
            4 => Op::Learn,
            5 => Op::Attempt { stream, number: 1 },
            6 => Op::Say { stream: attempt, size: ALL, end: 1 },
            7 => Op::Answer { stream: attempt, answer: told, end: 0 },
            8 => Op::Tell { stream: attempt, answer: told, size: 700, end: 0 },
            9 => Op::Tell { stream: attempt, answer: told, size: ALL, end: 1 },
            10 => Op::Answer { stream, answer: told, end: 0 },
            11 => Op::Tell { stream, answer: told, size: 700, end: 1 },
            12 => Op::Delete(attempt),
            13 => Op::Delete(stream),
            14 => Op::Tick,
            _ => {
                self.story = Story { told: told + 1, ..Story::default() };
                Op::Learn
            }
        };
        self.run(op)?;
        // What was begun just now is what goes on.
        let made = self.envoy.vm.world().contexts.keys().next_back().copied().unwrap_or_default();
        match step {
            0 if made > before => self.story.stream = made,
            5 if made > before => self.story.attempt = made,
            _ => {}
        }
        Ok(())
    }

    fn run(&mut self, op: Op) -> anyhow::Result<()> {
        match op {
            Op::Next => self.next()?,
            Op::Twist(header) => self.twist = Some(header),
            Op::Call { callback, context, arguments: [one, two] } => {
                let name = self.callbacks[callback].clone();
                self.envoy.vm.call(&name, &[context, one, two])?;
            }
            Op::Misbehave(acts) => self.envoy.vm.world().mischief = Mischief(acts),
            Op::Begin { .. } | Op::Say { .. } | Op::Attempt { .. } | Op::Answer { .. } | Op::Tell { .. } => {
                self.traffic(op)?;
            }
            Op::Head { context, place, headers } => {
                let context = self.context(context);
                match place {
                    0 => context.request.head = Some(headers),
                    1 => context.request.trailers = Some(headers),
                    2 => context.response.head = Some(headers),
                    _ => context.response.trailers = Some(headers),
                }
            }
            Op::Body { context, place, bytes } => {
                let context = self.context(context);
                if place == 0 { context.request.body = Some(bytes) } else { context.response.body = Some(bytes) }
            }
            Op::Tick => {
                let (router, _) = self.envoy.roots();
                self.envoy.vm.call("proxy_on_tick", &[router])?;
            }
            Op::Message { context, token, bytes } => {
                let call = self.envoy.vm.world().calls.iter().nth(token as usize);
                let (root, token) = call.map_or((context, token), |(token, call)| (call.root, *token));
                self.envoy.receive(root, token, bytes)?;
            }
            Op::Learn => {
                if let Err(error) = self.envoy.ask_control_plane() {
                    // What it asks for in a host that lies may be nonsense; a trap may not be.
                    anyhow::ensure!(!format!("{error:#}").contains("trapped"), "{error:#}");
                }
            }
            Op::Fail => self.envoy.fail_calls()?,
            Op::Delete(context) => self.envoy.delete(context)?,
            Op::Forget(context) => drop(self.envoy.vm.world().contexts.remove(&context)),
            Op::Clock(now) => self.envoy.vm.world().now_ns = now,
        }
        Ok(())
    }

    /// What Envoy does for clients and providers.
    fn traffic(&mut self, op: Op) -> anyhow::Result<()> {
        match op {
            Op::Begin { client } => {
                let (router, _) = self.envoy.roots();
                let stream = self.envoy.create(Context { root: router, ..Context::default() })?;
                let head = self.bodies[client].0.clone();
                self.context(stream).request.head = Some(self.twisted(head));
                self.envoy.vm.call("proxy_on_request_headers", &[stream, 9, 0])?;
            }
            Op::Say { stream, size, end } => {
                let path = self.context(stream).request.head.as_ref().and_then(|head| get(head, ":path"));
                let path = path.map(<[u8]>::to_vec);
                let all = self.bodies.iter().find(|(head, _)| get(head, ":path") == path.as_deref());
                let all = all.map(|(_, body)| body.clone()).unwrap_or_default();
                let body = self.context(stream).request.body.get_or_insert_default();
                let next = all.into_iter().skip(body.len());
                body.extend(next.take(if end == 0 { size } else { usize::MAX }));
                let size = body.len() as u32;
                self.envoy.vm.call("proxy_on_request_body", &[stream, size, end])?;
            }
            Op::Attempt { stream, number } => {
                let mut head = self.context(stream).request.head.clone().unwrap_or_default();
                let slot = get(&head, &format!("x-dragoman-try-{number}"));
                let cluster = slot.and_then(|slot| self.envoy.plane.clusters.get(slot).cloned());
                set(&mut head, b"x-envoy-attempt-count", number.to_string().as_bytes());
                let (_, translator) = self.envoy.roots();
                let stream = self.envoy.create(Context { root: translator, cluster, ..Context::default() })?;
                self.context(stream).request.head = Some(self.twisted(head));
                self.envoy.vm.call("proxy_on_request_headers", &[stream, 9, 0])?;
            }
            Op::Answer { stream, answer, end } => {
                let (head, _) = self.answers[answer % self.answers.len()].clone();
                self.context(stream).response.head = Some(self.twisted(head));
                self.envoy.vm.call("proxy_on_response_headers", &[stream, 6, end])?;
            }
            Op::Tell { stream, answer, size, end } => {
                let (_, bytes) = self.answers[answer % self.answers.len()].clone();
                self.context(stream).response.body = Some(bytes.into_iter().take(size).collect());
                self.envoy.vm.call("proxy_on_response_body", &[stream, size as u32, end])?;
            }
            _ => {}
        }
        Ok(())
    }

    /// From now on everything is as it should be.
    fn mend(&mut self) -> anyhow::Result<()> {
        let world = self.envoy.vm.world();
        world.mischief = Mischief::default();
        (world.now_ns, world.random, world.message) = (NOW_NS, 0xa5, None);
        self.envoy.fail_calls()?;
        let contexts: Vec<u32> = self.envoy.vm.world().contexts.keys().rev().copied().collect();
        contexts.into_iter().try_for_each(|context| self.envoy.delete(context))?;
        self.envoy.plane = plane("-new");
        let root = self.envoy.create(Context::default())?;
        self.envoy.vm.call("proxy_on_vm_start", &[root, 13])?;
        self.envoy.configure()?;
        self.envoy.ask_control_plane()
    }
}

pub fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() })
}

#[test]
fn no_order_of_callbacks_and_no_host_makes_it_trap_and_the_next_request_is_served() {
    let callbacks = code().callbacks().into_iter().map(|(name, _)| name).collect();
    let strategy = vec(op(callbacks), 1..80);
    let outcome = runner(HOSTS).run(&strategy, |ops| {
        let mut host = Host::start();
        for op in ops {
            let shown = format!("{op:?}");
            host.run(op).map_err(|error| TestCaseError::fail(format!("{shown}: {error:#}")))?;
        }
        host.mend().map_err(|error| TestCaseError::fail(format!("mending: {error:#}")))?;
        let native = native::memory(&host.envoy.plane);
        let mut both = Both { wasm: host.envoy, native };
        let mut ask = conversation(DialectId::Messages).ask(CHAIN, Delivery::Streamed);
        set(&mut ask.0, b"authorization", format!("Bearer {KEY}-new").as_bytes());
        let answers = [None, Some(good(DialectId::Messages, true))];
        let served = both.settled(&Cut(1).request(ask), &answers).map_err(TestCaseError::fail)?;
        prop_assert_eq!(served.attempts.len(), 2);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
