//! Events into answers: whole, as server-sent events, or as the items of an array.
//!
//! ```text
//! data: {"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}␍␊␍␊
//! ```
//!
//! A call is one part, so it is said when it is complete. A call whose arguments are no JSON object cannot be said; the
//! answer then ends with the API's own word for that, `MALFORMED_FUNCTION_CALL`, or with `MAX_TOKENS` where that cut it off.
//!
//! Limits: one candidate; a whole answer is bounded by [`crate::hub::message::MAX_MESSAGE`], the arguments of one call by
//! the same number.

mod stream;

use self::stream::{Framing, Stream};
use crate::dialect::{Reply, WriteResponse};
use crate::hub::message::{End, Said, SaidKind};
use crate::hub::{Arguments, Delivery, Event, Message, StopReason, provenance};
use crate::json::{Json, Kind, Text, Writer, write::escape_into};
use crate::usage::Usage;

/// The writer for one answer.
pub(super) fn writer(reply: Reply) -> Box<dyn WriteResponse> {
    match reply.delivery {
        Delivery::Whole => Box::new(Whole { message: Message::default(), reply }),
        Delivery::Streamed => Box::new(Stream::new(Framing::Events, reply)),
        Delivery::StreamedArray => Box::new(Stream::new(Framing::Array { begun: false }, reply)),
    }
}

/// What every chunk ends with: the model and the answer's id, both escaped.
struct Head {
    model: String,
    id: String,
}

impl Head {
    fn new(reply: &Reply, id: Option<&str>, model: Option<&str>) -> Head {
        let or = |given: Option<&str>, ours: &str| match given {
            Some(given) if !given.is_empty() => given.to_string(),
            _ => {
                let mut escaped = String::with_capacity(ours.len());
                escape_into(ours, &mut escaped);
                escaped
            }
        };
        Head { model: or(model, &reply.model), id: or(id, &reply.exchange) }
    }

    fn write(&self, out: &mut Writer) {
        out.field("modelVersion").text(Text::escaped(&self.model));
        out.field("responseId").text(Text::escaped(&self.id));
    }
}

/// How an answer ended.
struct Ending<'e> {
    reason: &'static str,
    message: Option<&'e str>,
}

/// Folds, and says everything at the end.
struct Whole {
    message: Message,
    reply: Reply,
}

impl WriteResponse for Whole {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.message.push(event);
        if let (Event::Stop(_), End::Stopped(reason, _)) = (event, &self.message.end) {
            out.extend(self.body(*reason).into_bytes());
        }
    }
}

impl Whole {
    fn body(&self, reason: StopReason) -> Writer {
        let message = &self.message;
        let mut refused = false;
        let mut malformed = None;
        let mut body = Writer::new();
        body.object(|out| {
            let mut parts = Writer::new();
            parts.array(|out| {
                for said in &message.blocks {
                    refused |= said.kind == SaidKind::Refusal;
                    if let Some(name) = block(said, out) {
                        malformed = Some(name);
                    }
                }
            });
            let ending = ending(reason, refused, malformed.as_deref());
            candidates(out, Some(&ending), |out| out.raw(Json::trusted(parts.as_str())));
            usage_metadata(message.usage, out);
            Head::new(&self.reply, message.id.as_deref(), message.model.as_deref()).write(out);
        });
        body
    }
}

/// Writes a block as a part; gives the name of a call that could not be written.
fn block(said: &Said, out: &mut Writer) -> Option<String> {
    let text = Text::escaped(&said.text);
    match &said.kind {
        SaidKind::Text | SaidKind::Refusal => out.object(|out| out.field("text").text(text)),
        SaidKind::Thinking => out.object(|out| {
            out.field("text").text(text);
            out.field("thought").bool(true);
            if let Some(signature) = &said.signature {
                proof(signature, out);
            }
        }),
        SaidKind::ToolCall { id, name } => {
            let call = Call { id: id.as_deref(), name, arguments: &said.text, signature: said.signature.as_deref() };
            if !call.write(out) {
                return Some(name.clone());
            }
        }
        SaidKind::Other => {
            if let Some(part) = own_part(Json::trusted(&said.text)) {
                out.raw(part);
            }
        }
    }
    None
}

/// A call to write; all strings escaped, the arguments twice.
struct Call<'c> {
    id: Option<&'c str>,
    name: &'c str,
    arguments: &'c str,
    signature: Option<&'c str>,
}

impl Call<'_> {
    /// Writes the call as a part, unless its arguments are no JSON object.
    fn write(&self, out: &mut Writer) -> bool {
        let Some(arguments) = Arguments::Encoded(Text::escaped(self.arguments)).object() else { return false };
        out.object(|out| {
            out.field("functionCall").object(|out| {
                if let Some(id) = self.id {
                    out.field("id").text(Text::escaped(id));
                }
                out.field("name").text(Text::escaped(self.name));
                out.field("args").raw(Json::trusted(&arguments));
            });
            if let Some(signature) = self.signature {
                proof(signature, out);
            }
        });
        true
    }
}

/// Writes a proof (escaped). This API's are bytes in base64, and its clients refuse others: see [`provenance::sealed`].
fn proof(signature: &str, out: &mut Writer) {
    out.field("thoughtSignature").text(Text::escaped(&provenance::sealed(Text::escaped(signature))));
}

/// A block that no other dialect has, if it is one of this dialect's.
fn own_part(block: Json<'_>) -> Option<Json<'_>> {
    const KINDS: [&str; 6] =
        ["inlineData", "fileData", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"];
    let is_own = KINDS.iter().any(|kind| block.get(kind).is_some_and(|value| value.kind() == Kind::Object));
    is_own.then_some(block)
}

/// Which word ends the answer.
fn ending(reason: StopReason, refused: bool, malformed: Option<&str>) -> Ending<'_> {
    let word = match reason {
        // A call that was cut off is one that ended early, and why is known.
        StopReason::Length => "MAX_TOKENS",
        _ if malformed.is_some() => "MALFORMED_FUNCTION_CALL",
        StopReason::Refused => "SAFETY",
        _ if refused => "SAFETY",
        StopReason::End | StopReason::Sequence | StopReason::ToolCalls => "STOP",
        StopReason::MalformedCall => "MALFORMED_FUNCTION_CALL",
        StopReason::Paused | StopReason::Other => "OTHER",
    };
    Ending { reason: word, message: malformed }
}

fn candidates(out: &mut Writer, ending: Option<&Ending<'_>>, parts: impl FnOnce(&mut Writer)) {
    out.field("candidates").array(|out| {
        out.object(|out| {
            out.field("content").object(|out| {
                parts(out.field("parts"));
                out.field("role").string("model");
            });
            if let Some(ending) = ending {
                out.field("finishReason").string(ending.reason);
                if let Some(name) = ending.message {
                    let begin = Text::escaped("Malformed function call: ");
                    out.field("finishMessage").texts([begin, Text::escaped(name)]);
                }
            }
            out.field("index").number(0);
        });
    });
}

fn usage_metadata(usage: Usage, out: &mut Writer) {
    if !usage.is_reported() {
        return;
    }
    let plain_output = usage.output.map(|output| output.saturating_sub(usage.reasoning.unwrap_or(0)));
    let counts = [
        ("promptTokenCount", usage.input),
        ("cachedContentTokenCount", usage.cache_read),
        ("candidatesTokenCount", plain_output),
        ("thoughtsTokenCount", usage.reasoning),
        ("totalTokenCount", Some(usage.total())),
    ];
    out.field("usageMetadata").object(|out| {
        for (name, count) in counts {
            if let Some(count) = count {
                out.field(name).number(count);
            }
        }
    });
}
