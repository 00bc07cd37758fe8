//! Answers: from the wire to pieces.
//!
//! ```text
//! messageStart (contentBlockStart? contentBlockDelta* contentBlockStop)* messageStop metadata
//! ```
//!
//! or an exception instead of any of them. Only calls, results and pictures have a `contentBlockStart`; everything says by
//! `contentBlockIndex` where it belongs. A whole answer holds the same blocks in `output.message.content`.

use super::{END, REDACTED, USAGE, error};
use crate::dialect::{Aliases, Frame, ReadResponse};
use crate::framing::event_stream::FAILURE;
use crate::hub::event::{ErrorClass, Piece, ProviderError, Stop, StopReason};
use crate::json::{Json, Kind, Text};
use std::collections::BTreeMap;

/// Most calls open at a time; the service makes one after the other.
const MAX_OPEN: usize = 1024;

/// What the provider's own tools did, for the caller's report.
const SERVER_TOOLS: &str = "server_tools";

/// A call that has begun and not ended.
enum Call {
    /// The caller's to run; whether arguments have come.
    Client { spoken: bool },
    /// The provider ran it itself.
    Server,
}

/// Reads one answer.
pub(super) struct Reader {
    aliases: Aliases,
    /// The calls that are open, by their index.
    calls: BTreeMap<u64, Call>,
    /// The block that spoke last.
    current: Option<u64>,
    stopped: bool,
}

type Say<'s> = dyn FnMut(Piece<'_>) + 's;

impl ReadResponse for Reader {
    fn read(&mut self, frame: Frame<'_>, say: &mut dyn FnMut(Piece<'_>)) {
        match frame {
            Frame::Whole(body) => self.whole(body, say),
            Frame::Event { name, data } if is_failure(name) => say(Piece::Error(error::of_event(name, data))),
            Frame::Event { data, .. } if data.trim().is_empty() => {}
            Frame::Event { name, data } => match Json::parse(data.as_bytes()) {
                Ok(data) => self.event(name, data, say),
                Err(_) => say(nonsense("the provider sent an event that is not JSON")),
            },
        }
    }
}

/// Exceptions are marked by the framing; by their names they can be told as well.
fn is_failure(name: &str) -> bool {
    name.starts_with(FAILURE) || name.ends_with("Exception")
}

impl Reader {
    /// A reader that gives tools the names the caller knows.
    pub(super) fn new(aliases: Aliases) -> Reader {
        Reader { aliases, calls: BTreeMap::new(), current: None, stopped: false }
    }

    fn whole(&mut self, body: Json<'_>, say: &mut Say<'_>) {
        let content = body.at(&["output", "message", "content"]).filter(|content| content.kind() == Kind::Array);
        let Some(content) = content else {
            return say(match error::is_error(body) {
                true => Piece::Error(error::of_body(0, body)),
                false => nonsense("the provider's answer is not a message"),
            });
        };
        say(Piece::Start { id: None, model: None });
        for (index, block) in content.items().enumerate() {
            self.block(index as u64, block, say);
        }
        say(Piece::Usage(USAGE.read(body)));
        trace(body, say);
        self.stop(body, say);
        say(Piece::End);
    }

    /// A complete block.
    fn block(&mut self, index: u64, block: Json<'_>, say: &mut Say<'_>) {
        for (name, value) in block.members() {
            match name.decode().as_ref() {
                "text" => say(Piece::Text(value.text().unwrap_or_default())),
                "toolUse" => {
                    self.begin_call(index, value, say);
                    let input = value.get("input").filter(|input| input.kind() == Kind::Object);
                    if let (Some(Call::Client { spoken }), Some(arguments)) = (self.calls.get_mut(&index), input) {
                        *spoken = true;
                        say(Piece::Arguments { slot: slot(index), arguments });
                    }
                }
                "reasoningContent" => match value.get("reasoningText") {
                    Some(thought) => {
                        say(Piece::Thinking(text(thought, "text")));
                        sign(text(thought, "signature"), say);
                    }
                    None => redacted(value, say),
                },
                "citationsContent" => {
                    say(Piece::Lost("citations"));
                    let words = value.get("content").into_iter().flat_map(Json::items);
                    words.for_each(|words| say(Piece::Text(text(words, "text"))));
                }
                name => lost(name, say),
            }
        }
        self.end(index, say);
    }

    fn event(&mut self, name: &str, data: Json<'_>, say: &mut Say<'_>) {
        let index = data.get("contentBlockIndex").and_then(Json::u64).unwrap_or(0);
        match name {
            "messageStart" => say(Piece::Start { id: None, model: None }),
            "contentBlockStart" => {
                self.enter(index, say);
                for (name, start) in data.get("start").into_iter().flat_map(Json::members) {
                    match name.is("toolUse") {
                        true => self.begin_call(index, start, say),
                        false => lost(&name.decode(), say),
                    }
                }
            }
            "contentBlockDelta" => {
                self.enter(index, say);
                for (name, delta) in data.get("delta").into_iter().flat_map(Json::members) {
                    self.delta(index, &name.decode(), delta, say);
                }
            }
            "contentBlockStop" => self.end(index, say),
            END => {
                self.stop(data, say);
            }
            "metadata" => {
                say(Piece::Usage(USAGE.read(data)));
                trace(data, say);
                if self.stopped {
                    say(Piece::End);
                }
            }
            // `initial-response`, and what the vendor may add.
            _ => {}
        }
    }

    fn delta(&mut self, index: u64, name: &str, delta: Json<'_>, say: &mut Say<'_>) {
        match name {
            "text" => say(Piece::Text(delta.text().unwrap_or_default())),
            "toolUse" => {
                let fragment = text(delta, "input");
                match self.calls.get_mut(&index) {
                    Some(Call::Server) => return,
                    Some(Call::Client { spoken }) => *spoken |= !fragment.is_empty(),
                    None => {}
                }
                say(Piece::ArgumentsText { slot: slot(index), fragment });
            }
            "reasoningContent" => {
                say(Piece::Thinking(text(delta, "text")));
                sign(text(delta, "signature"), say);
                redacted(delta, say);
            }
            "citation" => say(Piece::Lost("citations")),
            name => lost(name, say),
        }
    }

    /// Words of another block than the last are another block, whether or not the last was ended.
    fn enter(&mut self, index: u64, say: &mut Say<'_>) {
        if self.current.is_some_and(|current| current != index) && self.calls.is_empty() {
            say(Piece::EndBlock);
        }
        self.current = Some(index);
    }

    fn begin_call(&mut self, index: u64, call: Json<'_>, say: &mut Say<'_>) {
        if self.calls.contains_key(&index) {
            return;
        }
        if self.calls.len() == MAX_OPEN {
            return say(nonsense("more tool calls at once than an answer may have"));
        }
        if text(call, "type").is("server_tool_use") {
            self.calls.insert(index, Call::Server);
            return say(Piece::Lost(SERVER_TOOLS));
        }
        self.calls.insert(index, Call::Client { spoken: false });
        let id = Some(text(call, "toolUseId")).filter(|id| !id.is_empty());
        say(Piece::ToolCall { slot: slot(index), id, name: self.aliases.undo(text(call, "name")) });
    }

    fn end(&mut self, index: u64, say: &mut Say<'_>) {
        match self.calls.remove(&index) {
            Some(Call::Client { spoken: false }) => {
                say(Piece::Arguments { slot: slot(index), arguments: Json::EMPTY_OBJECT });
            }
            Some(_) => {}
            None if self.current.is_some_and(|current| current != index) => return,
            None => {}
        }
        // Of calls at the same time the sequencer knows best which one is said.
        if self.calls.is_empty() {
            say(Piece::EndBlock);
        }
    }

    /// Says why the model stopped; a call that was not ended is ended by it.
    fn stop(&mut self, place: Json<'_>, say: &mut Say<'_>) {
        let open: Vec<u64> = self.calls.keys().copied().collect();
        open.into_iter().for_each(|index| self.end(index, say));
        let Some(word) = place.get("stopReason").and_then(Json::text) else { return };
        self.stopped = true;
        let reason = match word.decode().as_ref() {
            "end_turn" => StopReason::End,
            "tool_use" => StopReason::ToolCalls,
            "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
            "stop_sequence" => StopReason::Sequence,
            "guardrail_intervened" | "content_filtered" => StopReason::Refused,
            "malformed_tool_use" => StopReason::MalformedCall,
            _ => StopReason::Other,
        };
        say(Piece::Stop(Stop { reason, sequence: None }));
    }
}

/// A block or a part of one that no other dialect has.
fn lost(name: &str, say: &mut Say<'_>) {
    say(Piece::Lost(match name {
        "toolResult" => SERVER_TOOLS,
        "image" => "images",
        "audio" => "audio",
        "video" => "video",
        // The block's kind beside its one member, in answers that went through other hands.
        "type" => return,
        _ => "blocks",
    }));
}

/// What the guardrails found.
fn trace(place: Json<'_>, say: &mut Say<'_>) {
    if place.at(&["trace", "guardrail"]).is_some() {
        say(Piece::Lost("guardrail"));
    }
}

/// A thought that is not shown goes back as the proof of an empty one.
fn redacted(content: Json<'_>, say: &mut Say<'_>) {
    let hidden = text(content, "redactedContent");
    if !hidden.is_empty() {
        let marked = format!("{REDACTED}{}", hidden.raw());
        say(Piece::Signature { slot: None, signature: Text::escaped(&marked) });
    }
}

fn sign(signature: Text<'_>, say: &mut Say<'_>) {
    if !signature.is_empty() {
        say(Piece::Signature { slot: None, signature });
    }
}

fn slot(index: u64) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The text of a member, or none.
fn text<'a>(object: Json<'a>, name: &str) -> Text<'a> {
    object.get(name).and_then(Json::text).unwrap_or_default()
}

fn nonsense(message: &str) -> Piece<'static> {
    let class = ErrorClass::BadAnswer;
    Piece::Error(ProviderError { class, message: message.into(), ..ProviderError::default() })
}
