//! What an answer says, in nobody's dialect: the words a comparison needs.

use std::cell::RefCell;
use std::rc::Rc;

use dragoman_core::catalog::DialectId;
use dragoman_core::dialect::{self, Aliases, Endpoint, Reply, WriteResponse};
use dragoman_core::hub::message::{End, SaidKind};
use dragoman_core::hub::{Delivery, Event, Message, ProviderError, Request, StopReason};
use dragoman_core::interpret::{Framing, Interpreter, Progress};
use dragoman_core::json::Json;
use dragoman_core::usage::Usage;
use serde_json::Value;

/// A call, its arguments as JSON (as text when they are none).
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The provider's id, where it gave one.
    pub id: Option<String>,
    /// The tool.
    pub name: String,
    /// The arguments.
    pub arguments: Value,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// Well, for this reason.
    Well(StopReason),
    /// With an error.
    Badly(ProviderError),
    /// Not at all: nothing said that it is over.
    Never,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// All text.
    pub text: String,
    /// All words that say no.
    pub refusal: String,
    /// All thoughts.
    pub thinking: String,
    /// The calls in order.
    pub calls: Vec<Call>,
    /// The proofs in order.
    pub proofs: Vec<String>,
    /// How it ended.
    pub ended: Ended,
    /// What it cost.
    pub usage: Usage,
}

impl Heard {
    /// What a folded answer says.
    pub fn of(message: &Message) -> Heard {
        let words = |wanted: &SaidKind| -> String {
            message.blocks.iter().filter(|block| block.kind == *wanted).map(|block| decode(&block.text)).collect()
        };
        let calls = message.blocks.iter().filter_map(|block| match &block.kind {
            SaidKind::ToolCall { id, name } => {
                let id = id.as_deref().map(decode);
                Some(Call { id, name: decode(name), arguments: arguments(&decode(&block.text)) })
            }
            _ => None,
        });
        Heard {
            text: words(&SaidKind::Text),
            refusal: words(&SaidKind::Refusal),
            thinking: words(&SaidKind::Thinking),
            calls: calls.collect(),
            proofs: message.blocks.iter().filter_map(|block| block.signature.as_deref().map(decode)).collect(),
            ended: match &message.end {
                End::Stopped(reason, _) => Ended::Well(*reason),
                End::Failed(error) => Ended::Badly(error.clone()),
                End::Open => Ended::Never,
            },
            usage: message.usage,
        }
    }

    /// Whether it ended well.
    pub fn is_complete(&self) -> bool {
        matches!(self.ended, Ended::Well(_))
    }
}

/// Arguments as JSON. No words at all are an empty object; what is no JSON stays text.
pub fn arguments(text: &str) -> Value {
    match text.trim() {
        "" => Value::Object(serde_json::Map::new()),
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

/// The characters of an escaped text.
pub fn decode(escaped: &str) -> String {
    let quoted = format!("\"{escaped}\"");
    match Json::parse(quoted.as_bytes()) {
        Ok(json) => json.text().map(|text| text.decode().into_owned()).unwrap_or_default(),
        Err(_) => format!("not a JSON string: {quoted}"),
    }
}

/// Folds events.
struct Fold(Rc<RefCell<Message>>);

impl WriteResponse for Fold {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.0.borrow_mut().push(event);
        // An answer of which nothing was written does not count as one.
        out.push(b' ');
    }
}

/// What the dialect's own reader understands of an answer, cut into these chunks.
pub fn hear<'b>(dialect: DialectId, framing: Framing, chunks: impl IntoIterator<Item = &'b [u8]>) -> Heard {
    hear_with(dialect, framing, Aliases::default(), chunks)
}

/// The same, where tool names had been changed.
pub fn hear_with<'b>(
    dialect: DialectId,
    framing: Framing,
    aliases: Aliases,
    chunks: impl IntoIterator<Item = &'b [u8]>,
) -> Heard {
    let message = Rc::new(RefCell::new(Message::default()));
    let writer = Box::new(Fold(Rc::clone(&message)));
    let reader = dialect::of(dialect).reader(aliases);
    let mut interpreter = Interpreter::new(framing, reader, writer, Delivery::Streamed, None);
    feed(&mut interpreter, chunks);
    drop(interpreter);
    let message = message.borrow();
    Heard::of(&message)
}

fn feed<'b>(interpreter: &mut Interpreter, chunks: impl IntoIterator<Item = &'b [u8]>) -> Progress {
    for chunk in chunks {
        interpreter.feed(chunk, false);
    }
    interpreter.feed(b"", true)
}

/// What a client was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How they are framed.
    pub framing: Framing,
    /// How the gateway says it ended.
    pub progress: Progress,
    /// What is listed as lost.
    pub lost: Vec<&'static str>,
    /// The counts for the Record.
    pub usage: Usage,
}

/// A provider for the marks of proofs: any slot will do.
pub const MAKER: &str = "00000000000000aa";

/// What a client asked who wants to be told all there is to tell: chat completions says the counts of a stream only when asked.
fn ask(dialect: DialectId) -> &'static str {
    match dialect {
        DialectId::ChatCompletions => {
            r#"{"model":"asked-model","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#
        }
        DialectId::Messages => r#"{"model":"asked-model","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#,
        DialectId::GenerateContent => r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        DialectId::Responses => r#"{"model":"asked-model","input":"hi"}"#,
        DialectId::ChatV2 | DialectId::Converse => "{}",
    }
}

/// Says an answer of `provider`'s dialect to a client of `client`'s.
pub fn tell<'b>(
    provider: (DialectId, Framing),
    client: (DialectId, Delivery),
    chunks: impl IntoIterator<Item = &'b [u8]>,
) -> Told {
    let (to, delivery) = client;
    let reply = Reply { delivery, exchange: "exchange-1".into(), created: 1_790_000_000, model: "asked-model".into() };
    let asked = ask(to);
    let request = Json::parse(asked.as_bytes()).ok().and_then(|body| {
        let endpoint =
            Endpoint { model: Some("asked-model".into()), delivery: Some(delivery), ..Endpoint::generate(to) };
        dialect::client(to).read_request(&endpoint, body).ok()
    });
    let request = request.unwrap_or_else(|| Request::new(to, delivery));
    let writer = dialect::client(to).writer(&request, reply);
    let reader = dialect::of(provider.0).reader(Aliases::default());
    let maker = (provider.0 != to).then_some(MAKER);
    let mut interpreter = Interpreter::new(provider.1, reader, writer, delivery, maker);
    let mut bytes = Vec::new();
    for chunk in chunks {
        interpreter.feed(chunk, false);
        bytes.append(&mut interpreter.take());
    }
    let progress = interpreter.feed(b"", true);
    bytes.append(&mut interpreter.take());
    let framing = match delivery {
        Delivery::Whole => Framing::Whole,
        Delivery::Streamed => Framing::Sse,
        Delivery::StreamedArray => Framing::Array,
    };
    Told { bytes, framing, progress, lost: interpreter.lost().to_vec(), usage: interpreter.usage() }
}
