//! Answers: from the wire to pieces.
//!
//! ```text
//! message_start (content_block_start content_block_delta* content_block_stop)* message_delta+ message_stop
//! ```
//!
//! with `ping`s anywhere and `error` instead of any of them. A whole answer is one message whose `content` are the blocks.
//! Blocks only this dialect has may be streamed in pieces as well; they are collected and said when complete.

use super::thinking::REDACTED;
use super::{END, USAGE, base64, error};
use crate::dialect::{Aliases, Frame, ReadResponse};
use crate::hub::event::{ErrorClass, Piece, ProviderError, Stop, StopReason};
use crate::json::{Json, Kind, Text, Writer};

/// Most bytes kept of one block that only this dialect has, and of the input a call begins with. Search results are the
/// largest seen, some 100 kB.
const MAX_BLOCK: usize = 8 << 20;

/// Most members that may come later to such a block; one (`content` of a compaction) is known.
const MAX_LATER: usize = 16;

/// What a block being streamed needs to be remembered of.
enum Current {
    /// Nothing: no block, or one of words.
    Nothing,
    /// A call.
    Call {
        slot: u32,
        /// The input it began with; said at the end if no fragment came.
        input: String,
        fragments: bool,
    },
    /// A block that only this dialect has.
    Other {
        /// As it began.
        block: String,
        /// What was streamed of its `input`, decoded.
        input: String,
        /// Members that came later: escaped name, value.
        later: Vec<(String, String)>,
    },
}

/// Reads one answer.
pub(super) struct Reader {
    aliases: Aliases,
    calls: u32,
    current: Current,
    /// What was told to be lost, each once.
    lost: Vec<&'static str>,
}

type Say<'s> = dyn FnMut(Piece<'_>) + 's;

impl ReadResponse for Reader {
    fn read(&mut self, frame: Frame<'_>, say: &mut dyn FnMut(Piece<'_>)) {
        match frame {
            Frame::Whole(body) => self.whole(body, say),
            Frame::Event { data, .. } if data.trim().is_empty() || data.trim() == "[DONE]" => {}
            Frame::Event { name, data } => match Json::parse(data.as_bytes()) {
                Ok(data) => self.framed(name, data, say),
                Err(_) => say(nonsense("the provider sent an event that is not JSON")),
            },
        }
    }
}

impl Reader {
    /// A reader that gives tools the names the caller knows.
    pub(super) fn new(aliases: Aliases) -> Reader {
        Reader { aliases, calls: 0, current: Current::Nothing, lost: Vec::new() }
    }

    /// An event as it is, or, in the frames of an event stream, as the base64 of its bytes.
    fn framed(&mut self, name: &str, data: Json<'_>, say: &mut Say<'_>) {
        if name.ends_with("Exception") {
            return say(Piece::Error(error::of_exception(name, data)));
        }
        let Some(bytes) = data.get("bytes").and_then(Json::text).filter(|_| data.get("type").is_none()) else {
            return self.event(data, say);
        };
        let event = base64::decoded(&bytes.decode()).unwrap_or_default();
        match Json::parse(&event) {
            Ok(event) => self.event(event, say),
            Err(_) => say(nonsense("the provider sent an event that is not JSON")),
        }
    }

    /// Tells, once, that something in the answer has no word outside of this dialect.
    fn lose(&mut self, what: &'static str, say: &mut Say<'_>) {
        if !self.lost.contains(&what) {
            self.lost.push(what);
            say(Piece::Lost(what));
        }
    }

    fn whole(&mut self, body: Json<'_>, say: &mut Say<'_>) {
        if is_error(body) {
            return say(Piece::Error(error::of_envelope(0, body)));
        }
        let Some(content) = body.get("content").filter(|content| content.kind() == Kind::Array) else {
            return say(nonsense("the provider's answer is not a message"));
        };
        start(body, say);
        for block in content.items() {
            self.block(block, say);
        }
        say(Piece::Usage(USAGE.read(body)));
        self.stop(body, say);
        say(Piece::End);
    }

    /// A complete block.
    fn block(&mut self, block: Json<'_>, say: &mut Say<'_>) {
        self.begin(block, say);
        self.end(say);
    }

    fn event(&mut self, data: Json<'_>, say: &mut Say<'_>) {
        if is_error(data) {
            return say(Piece::Error(error::of_envelope(0, data)));
        }
        match text(data, "type").decode().as_ref() {
            "message_start" => {
                if let Some(message) = data.get("message") {
                    start(message, say);
                }
                say(Piece::Usage(USAGE.read(data)));
            }
            "content_block_start" => {
                self.end(say);
                if let Some(block) = data.get("content_block") {
                    self.begin(block, say);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = data.get("delta") {
                    self.delta(delta, say);
                }
            }
            "content_block_stop" => self.end(say),
            "message_delta" => {
                say(Piece::Usage(USAGE.read(data)));
                if let Some(delta) = data.get("delta") {
                    self.stop(delta, say);
                }
            }
            END => {
                self.end(say);
                say(Piece::End);
            }
            // `ping`, and what the vendor may add: its versioning policy allows new events.
            _ => {}
        }
    }

    fn begin(&mut self, block: Json<'_>, say: &mut Say<'_>) {
        self.current = Current::Nothing;
        match text(block, "type").decode().as_ref() {
            "text" => {
                if block.get("citations").is_some_and(|citations| citations.items().next().is_some()) {
                    self.lose("citations", say);
                }
                say(Piece::Text(text(block, "text")));
            }
            "thinking" => {
                say(Piece::Thinking(text(block, "thinking")));
                sign(text(block, "signature"), say);
            }
            "tool_use" => {
                let slot = self.calls;
                self.calls += 1;
                let id = block.get("id").and_then(Json::text);
                say(Piece::ToolCall { slot, id, name: self.aliases.undo(text(block, "name")) });
                let input =
                    block.get("input").filter(|input| input.kind() == Kind::Object).unwrap_or(Json::EMPTY_OBJECT);
                self.current = Current::Call { slot, input: bounded(input), fragments: false };
            }
            "redacted_thinking" => {
                let proof = format!("{REDACTED}{}", text(block, "data").raw());
                say(Piece::Signature { slot: None, signature: Text::escaped(&proof) });
            }
            word => {
                self.lose(kind_of(word), say);
                self.current = Current::Other { block: bounded(block), input: String::new(), later: Vec::new() };
            }
        }
    }

    fn delta(&mut self, delta: Json<'_>, say: &mut Say<'_>) {
        match (text(delta, "type").decode().as_ref(), &mut self.current) {
            ("text_delta", Current::Nothing) => say(Piece::Text(text(delta, "text"))),
            ("thinking_delta", Current::Nothing) => say(Piece::Thinking(text(delta, "thinking"))),
            ("signature_delta", Current::Nothing) => sign(text(delta, "signature"), say),
            ("input_json_delta", Current::Call { slot, fragments, .. }) => {
                let fragment = text(delta, "partial_json");
                *fragments |= !fragment.is_empty();
                say(Piece::ArgumentsText { slot: *slot, fragment });
            }
            ("input_json_delta", Current::Other { input, .. }) => {
                input.push_str(&text(delta, "partial_json").decode());
                if input.len() > MAX_BLOCK {
                    say(nonsense("a block of the provider's answer is too large"));
                }
            }
            (_, Current::Other { later, .. }) => {
                for (name, value) in delta.members().filter(|(name, _)| !name.is("type")) {
                    later.retain(|(known, _)| known != name.raw());
                    if later.len() < MAX_LATER {
                        later.push((name.raw().to_string(), bounded(value)));
                    }
                }
            }
            ("citations_delta", _) => self.lose("citations", say),
            // What the vendor may add.
            _ => {}
        }
    }

    /// Says why the model stopped, if it did: the place is the message itself or the delta of a `message_delta`.
    fn stop(&mut self, place: Json<'_>, say: &mut Say<'_>) {
        let Some(word) = place.get("stop_reason").and_then(Json::text) else { return };
        let reason = match word.decode().as_ref() {
            "end_turn" => StopReason::End,
            "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
            "stop_sequence" => StopReason::Sequence,
            "tool_use" => StopReason::ToolCalls,
            "pause_turn" | "compaction" => StopReason::Paused,
            "refusal" => StopReason::Refused,
            _ => StopReason::Other,
        };
        if place.get("stop_details").is_some_and(|details| !details.is_null()) {
            self.lose("stop_details", say);
        }
        say(Piece::Stop(Stop { reason, sequence: place.get("stop_sequence").and_then(Json::text) }));
    }

    fn end(&mut self, say: &mut Say<'_>) {
        match core::mem::replace(&mut self.current, Current::Nothing) {
            Current::Nothing => {}
            Current::Call { fragments: true, .. } => {}
            Current::Call { slot, input, fragments: false } => {
                if let Ok(arguments) = Json::parse(input.as_bytes()) {
                    say(Piece::Arguments { slot, arguments });
                }
            }
            Current::Other { block, input, later } => {
                let complete = complete(&block, &input, &later);
                if let Ok(block) = Json::parse(complete.as_bytes()) {
                    say(Piece::Other(block));
                }
            }
        }
        say(Piece::EndBlock);
    }
}

/// A block as it began, with what came later.
fn complete(block: &str, input: &str, later: &[(String, String)]) -> String {
    if input.is_empty() && later.is_empty() {
        return block.to_string();
    }
    let Ok(began) = Json::parse(block.as_bytes()) else { return String::new() };
    let input = Json::parse(input.as_bytes()).ok();
    let mut out = Writer::with_capacity(block.len());
    out.object(|out| {
        for (name, value) in began.members() {
            let is_later = later.iter().any(|(known, _)| known == name.raw());
            match input.filter(|_| name.is("input")) {
                Some(input) => out.field_text(name).raw(input),
                None if is_later => {}
                None => out.field_text(name).raw(value),
            }
        }
        for (name, value) in later {
            if let Ok(value) = Json::parse(value.as_bytes()) {
                out.field_text(Text::escaped(name)).raw(value);
            }
        }
    });
    out.into_string()
}

/// What is kept of a value; nothing of one that is too large.
fn bounded(value: Json<'_>) -> String {
    if value.as_str().len() > MAX_BLOCK { String::new() } else { value.as_str().to_string() }
}

/// The text of a member, or none.
fn text<'a>(object: Json<'a>, name: &str) -> Text<'a> {
    object.get(name).and_then(Json::text).unwrap_or_default()
}

fn is_error(data: Json<'_>) -> bool {
    text(data, "type").is("error") || data.get("error").is_some_and(|error| error.kind() == Kind::Object)
}

fn start(message: Json<'_>, say: &mut Say<'_>) {
    let member = |name: &str| message.get(name).and_then(Json::text).filter(|text| !text.is_empty());
    say(Piece::Start { id: member("id"), model: member("model") });
}

fn sign(signature: Text<'_>, say: &mut Say<'_>) {
    if !signature.is_empty() {
        say(Piece::Signature { slot: None, signature });
    }
}

/// What a block that only this dialect has is called when it is lost.
fn kind_of(word: &str) -> &'static str {
    match word {
        "compaction" => "compaction",
        "container_upload" => "files",
        "server_tool_use" | "mcp_tool_use" => "server_tools",
        word if word.ends_with("_tool_result") => "server_tools",
        _ => "blocks",
    }
}

fn nonsense(message: &str) -> Piece<'static> {
    let class = ErrorClass::BadAnswer;
    Piece::Error(ProviderError { class, message: message.into(), ..ProviderError::default() })
}
