//! What Envoy does around the two filters: contexts, routing by slot, retries, its own answers, gRPC to the control plane.
//!
//! Limits: one exchange at a time; a provider that is not there is the only way an attempt fails without a head.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};

use super::pipe::{Direction, Out, Piece, Pipe, pieces};
use super::world::{Context, Header, get, set};
use super::{Code, ControlPlane, Vm};

pub use super::pipe::Ends;

/// Most rounds of questions after one callback; more is a loop.
const MOST_ROUNDS: usize = 50;

/// When the control plane answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Between any two callbacks.
    Prompt,
    /// When the client has said everything.
    Late,
    /// Never; its calls fail then.
    Away,
}

/// What a client sends.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its head.
    pub head: Vec<Header>,
    /// Its body, as the network cut it.
    pub chunks: Vec<Vec<u8>>,
    /// How it ends.
    pub ends: Ends,
    /// How the control plane does meanwhile.
    pub pace: Pace,
}

/// What a provider answers.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its head.
    pub head: Vec<Header>,
    /// Its body, as the network cut it.
    pub chunks: Vec<Vec<u8>>,
    /// How it ends.
    pub ends: Ends,
}

/// What a provider was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Through which cluster.
    pub cluster: String,
    /// The whole head.
    pub head: Vec<Header>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Served {
    /// What went out, attempt by attempt.
    pub attempts: Vec<Sent>,
    /// The head that the client saw.
    pub head: Vec<Header>,
    /// The bytes that the client saw.
    pub body: Vec<u8>,
    /// Whether the stream was reset before its end.
    pub cut: bool,
}

impl Served {
    /// The id of the exchange, as the client or a provider was told it.
    pub fn exchange(&self) -> Option<String> {
        let told = get(&self.head, "x-dragoman-request-id");
        let sent = || get(&self.attempts.first()?.head, "x-dragoman-exchange");
        told.or_else(sent).map(|id| String::from_utf8_lossy(id).into_owned())
    }
}

/// Whether Envoy goes on to the next target.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Target,
    Nobody,
}

/// One worker of Envoy's, with both filters.
pub struct Envoy {
    /// The module.
    pub vm: Vm,
    /// What it asks.
    pub plane: ControlPlane,
    router: u32,
    translator: u32,
    last: u32,
    answered: BTreeSet<u32>,
}

impl Envoy {
    /// Starts the module, configures both filters and answers what they ask.
    ///
    /// # Errors
    /// When the module traps or refuses its configuration.
    pub fn start(code: &Code, plane: ControlPlane) -> Result<Envoy> {
        let mut vm = Vm::load(code)?;
        vm.world().configuration = b"control_plane".to_vec();
        let mut envoy = Envoy { vm, plane, router: 0, translator: 0, last: 0, answered: BTreeSet::new() };
        envoy.configure()?;
        envoy.ask_control_plane()?;
        Ok(envoy)
    }

    /// Makes root contexts for both filters, the VM's first or new ones.
    ///
    /// # Errors
    /// When the module traps or refuses its configuration.
    pub fn configure(&mut self) -> Result<()> {
        for role in ["router", "translator"] {
            let root = self.create(Context { configuration: role.into(), ..Context::default() })?;
            if root == 1 {
                let size = u32::try_from(self.vm.world().configuration.len())?;
                ensure!(self.vm.call("proxy_on_vm_start", &[root, size])? == 1, "the VM does not start");
            }
            ensure!(self.vm.call("proxy_on_configure", &[root, role.len() as u32])? == 1, "{role} is not configured");
            if role == "router" { self.router = root } else { self.translator = root }
        }
        Ok(())
    }

    /// The root contexts of router and translator.
    pub fn roots(&self) -> (u32, u32) {
        (self.router, self.translator)
    }

    /// Makes a context that never was.
    ///
    /// # Errors
    /// When the module traps.
    pub fn create(&mut self, context: Context) -> Result<u32> {
        let known = self.vm.world().contexts.keys().next_back().copied().unwrap_or_default();
        self.last = known.max(self.last) + 1;
        let root = context.root;
        self.vm.world().contexts.insert(self.last, context);
        self.vm.call("proxy_on_context_create", &[self.last, root])?;
        Ok(self.last)
    }

    /// Ends a context.
    ///
    /// # Errors
    /// When the module traps.
    pub fn delete(&mut self, context: u32) -> Result<()> {
        self.vm.call("proxy_on_delete", &[context])?;
        self.vm.world().contexts.remove(&context);
        // Envoy drops what a root context has under way, and tells nobody.
        self.vm.world().calls.retain(|_, call| call.root != context);
        Ok(())
    }

    /// Lets the control plane answer all that was asked, and all that is asked then.
    ///
    /// # Errors
    /// When the module traps, asks what nobody knows, or asks on and on.
    pub fn ask_control_plane(&mut self) -> Result<()> {
        for _ in 0..MOST_ROUNDS {
            let answered = &self.answered;
            let open = self.vm.world().calls.iter().find(|(token, _)| !answered.contains(token));
            let Some((token, call)) = open.map(|(token, call)| (*token, call.clone())) else { return Ok(()) };
            let answer = self.plane.answer(&call).with_context(|| format!("no such method: {}", call.method))?;
            ensure!(call.upstream == b"\x0a\x0f\x0a\x0dcontrol_plane", "asked at {:?}", call.upstream);
            self.answered.insert(token);
            if !call.streams {
                self.vm.world().calls.remove(&token);
            }
            self.receive(call.root, token, answer)?;
        }
        bail!("the control plane is asked on and on")
    }

    /// Hands a gRPC message to a root context.
    ///
    /// # Errors
    /// When the module traps.
    pub fn receive(&mut self, root: u32, token: u32, message: Vec<u8>) -> Result<()> {
        let size = message.len() as u32;
        self.vm.world().message = Some(message);
        self.vm.call("proxy_on_grpc_receive", &[root, token, size])?;
        self.vm.world().message = None;
        Ok(())
    }

    /// Ends every call that is under way, as after its time is over.
    ///
    /// # Errors
    /// When the module traps.
    pub fn fail_calls(&mut self) -> Result<()> {
        const DEADLINE_EXCEEDED: u32 = 4;
        let calls = std::mem::take(&mut self.vm.world().calls);
        for (token, call) in calls {
            self.vm.call("proxy_on_grpc_close", &[call.root, token, DEADLINE_EXCEEDED])?;
        }
        Ok(())
    }

    /// Lets time pass, so that Records are settled.
    ///
    /// # Errors
    /// When the module traps.
    pub fn tick(&mut self) -> Result<()> {
        self.vm.call("proxy_on_tick", &[self.router])?;
        self.ask_control_plane()
    }

    /// Serves a request; `answers` are the providers', attempt by attempt, none where nobody listens.
    ///
    /// # Errors
    /// When the module traps, or something hangs.
    pub fn serve(&mut self, request: &Request, answers: &[Option<Answer>]) -> Result<Served> {
        let stream = self.create(Context { root: self.router, ..Context::default() })?;
        let (mut ask, mut tell) = (Pipe::new(stream, Direction::Request), Pipe::new(stream, Direction::Response));
        for piece in pieces(&request.head, &request.chunks, request.ends) {
            ask.push(&mut self.vm, piece)?;
            if request.pace == Pace::Prompt {
                self.ask_control_plane()?;
                ask.settle(&mut self.vm);
            }
            if self.reply(stream).is_some() {
                break;
            }
        }
        match request.pace {
            Pace::Away => self.fail_calls()?,
            Pace::Prompt | Pace::Late => self.ask_control_plane()?,
        }
        ask.settle(&mut self.vm);
        let mut served = Served::default();
        let (out, refused) = (ask.take(), self.reply(stream));
        match (&refused, out.head) {
            (Some(reply), _) => self.push_all(&mut tell, reply.clone())?,
            (None, Some(head)) if out.ended => self.attempts(head, &out.body, answers, &mut tell, &mut served)?,
            _ => bail!("the request hangs"),
        }
        let mut told = tell.take();
        if let (None, Some(anew)) = (refused, self.reply(stream)) {
            // An answer in the middle of an answer goes to the client past the filters.
            told = Out { head: Some(anew.head), body: anew.chunks.concat(), ended: true };
        }
        served.cut = !told.ended;
        if self.vm.world().contexts.contains_key(&stream) {
            ensure!(told.head.is_some(), "the client never saw a head");
            self.delete(stream)?;
        }
        served.head = told.head.unwrap_or_default();
        served.body = told.body;
        Ok(served)
    }

    /// Goes from target to target.
    fn attempts(
        &mut self,
        mut head: Vec<Header>,
        body: &[u8],
        answers: &[Option<Answer>],
        tell: &mut Pipe,
        served: &mut Served,
    ) -> Result<()> {
        let retries = get(&head, "x-envoy-max-retries").and_then(|number| str::from_utf8(number).ok()?.parse().ok());
        let retries: usize = retries.context("nobody said how often to retry")?;
        for number in 1..=retries + 1 {
            let slot = get(&head, &format!("x-dragoman-try-{number}"));
            if slot.is_none() && number > 1 {
                self.push_all(tell, unreachable())?;
                break;
            }
            let cluster =
                slot.and_then(|slot| self.plane.clusters.get(slot)).context("no cluster in the slot")?.clone();
            set(&mut head, b"x-envoy-attempt-count", number.to_string().as_bytes());
            let context = Context { root: self.translator, cluster: Some(cluster.clone()), ..Context::default() };
            let stream = self.create(context)?;
            let mut ask = Pipe::new(stream, Direction::Request);
            // Two chunks, for what is said anew must not be said twice.
            let (one, two) = body.split_at(body.len() / 2);
            for piece in pieces(&head, &[one.to_vec(), two.to_vec()], Ends::LastChunk) {
                ask.push(&mut self.vm, piece)?;
            }
            if let Some(reply) = self.reply(stream) {
                self.push_all(tell, reply)?;
                return self.delete(stream);
            }
            let out = ask.take();
            head = out.head.filter(|_| out.ended).context("the attempt hangs")?;
            let cluster = String::from_utf8_lossy(&cluster).into_owned();
            served.attempts.push(Sent { cluster, head: head.clone(), body: out.body });
            let answer = answers.get(number - 1).and_then(Option::as_ref);
            let next = self.answer(stream, answer, number <= retries, tell)?;
            if answer.is_some_and(|answer| answer.ends == Ends::Leaves) && next == Next::Nobody {
                self.delete(tell.context())?;
            }
            self.delete(stream)?;
            if next == Next::Nobody {
                break;
            }
        }
        Ok(())
    }

    /// Takes an answer through the translator and on to the router, unless the next target is to be tried.
    fn answer(&mut self, stream: u32, answer: Option<&Answer>, more: bool, tell: &mut Pipe) -> Result<Next> {
        let Some(answer) = answer else {
            return if more { Ok(Next::Target) } else { self.push_all(tell, unreachable()).map(|()| Next::Nobody) };
        };
        let mut hear = Pipe::new(stream, Direction::Response);
        let mut told = false;
        for piece in pieces(&answer.head, &answer.chunks, answer.ends) {
            hear.push(&mut self.vm, piece)?;
            if hear.is_closed(&mut self.vm) {
                return if told { Ok(Next::Nobody) } else { self.answer(stream, None, more, tell) };
            }
            let out = hear.take();
            if let Some(head) = out.head {
                if more && get(&head, "x-dragoman-retry").is_some() {
                    return Ok(Next::Target);
                }
                told = true;
                tell.push(&mut self.vm, Piece::Head(head, out.ended && answer.ends == Ends::Head))?;
            }
            if told && answer.ends != Ends::Head && (out.ended || !out.body.is_empty()) {
                tell.push(&mut self.vm, Piece::Body(out.body, out.ended))?;
            }
        }
        match answer.ends {
            Ends::Breaks if !told => self.answer(stream, None, more, tell),
            ends => {
                ensure!(told || ends == Ends::Leaves, "the answer hangs");
                Ok(Next::Nobody)
            }
        }
    }

    /// The answer that a filter gave itself.
    fn reply(&mut self, stream: u32) -> Option<Answer> {
        let (status, headers, body) = self.vm.world().contexts.get_mut(&stream)?.reply.clone()?;
        let mut head = vec![(b":status".to_vec(), status.to_string().into_bytes())];
        head.extend(headers);
        set(&mut head, b"content-length", body.len().to_string().as_bytes());
        Some(Answer { head, chunks: vec![body], ends: Ends::LastChunk })
    }

    fn push_all(&mut self, pipe: &mut Pipe, answer: Answer) -> Result<()> {
        for piece in pieces(&answer.head, &answer.chunks, answer.ends) {
            pipe.push(&mut self.vm, piece)?;
        }
        Ok(())
    }
}

/// What Envoy says when nobody listens.
pub fn unreachable() -> Answer {
    let body = b"upstream connect error or disconnect/reset before headers".to_vec();
    let length = body.len().to_string();
    let head = [(":status", "503"), ("content-length", length.as_str()), ("content-type", "text/plain")];
    let head = head.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    Answer { head, chunks: vec![body], ends: Ends::LastChunk }
}
