//! Answers: from the wire to pieces.
//!
//! ```text
//! message-start (tool-plan-delta | content-start content-delta* content-end | tool-call-start tool-call-delta* tool-call-end
//!                | citation-start citation-end)* message-end
//! ```
//!
//! Each event's news lies in `delta.message`, in the shape of the member of a whole answer that it is a piece of. Events may
//! come without names, and `[DONE]` may follow; an event without a type that has a message is an error.

use super::{END, USAGE, error};
use crate::dialect::{Aliases, Frame, ReadResponse};
use crate::hub::event::{ErrorClass, Piece, ProviderError, Stop, StopReason};
use crate::json::{Json, Kind, Text};

/// Reads one answer.
pub(super) struct Reader {
    aliases: Aliases,
    /// The call that is being said.
    call: Option<Call>,
    /// Calls so far, for slots where no index is said.
    calls: u32,
    cited: bool,
    weighed: bool,
}

struct Call {
    slot: u32,
    /// Whether anything of its arguments came.
    argued: bool,
}

type Say<'s> = dyn FnMut(Piece<'_>) + 's;

impl ReadResponse for Reader {
    fn read(&mut self, frame: Frame<'_>, say: &mut dyn FnMut(Piece<'_>)) {
        match frame {
            Frame::Whole(body) => self.whole(body, say),
            Frame::Event { data, .. } if data.trim().is_empty() || data.trim() == "[DONE]" => {}
            Frame::Event { name, data } => match Json::parse(data.as_bytes()) {
                Ok(data) => self.event(name, data, say),
                Err(_) => say(nonsense("the provider sent an event that is not JSON")),
            },
        }
    }
}

impl Reader {
    /// A reader that gives tools the names the caller knows.
    pub(super) fn new(aliases: Aliases) -> Reader {
        Reader { aliases, call: None, calls: 0, cited: false, weighed: false }
    }

    fn whole(&mut self, body: Json<'_>, say: &mut Say<'_>) {
        let Some(message) = body.get("message").filter(|message| message.kind() == Kind::Object) else {
            return say(match error::is_one(body) {
                true => Piece::Error(error::of_json(0, body)),
                false => nonsense("the provider's answer is not a message"),
            });
        };
        start(body, say);
        say(Piece::Thinking(text(message, "tool_plan")));
        match message.get("content") {
            Some(content) if content.kind() == Kind::String => say(Piece::Text(content.text().unwrap_or_default())),
            Some(content) => content.items().for_each(|part| self.content(part, say)),
            None => {}
        }
        for call in message.get("tool_calls").into_iter().flat_map(Json::items) {
            self.begin(None, call, say);
            self.end(say);
        }
        self.notice(message, say);
        self.notice(body, say);
        say(Piece::Usage(USAGE.read(body)));
        if stop(body, say) {
            say(Piece::End);
        }
    }

    fn event(&mut self, name: &str, data: Json<'_>, say: &mut Say<'_>) {
        let kind = text(data, "type").decode();
        let kind = if kind.is_empty() { name } else { kind.as_ref() };
        let news = data.at(&["delta", "message"]).unwrap_or(Json::NULL);
        match kind {
            "message-start" => {
                start(data, say);
                self.message(news, say);
            }
            "content-start" | "content-delta" => {
                if let Some(part) = news.get("content") {
                    self.content_piece(part, say);
                }
                self.notice(data, say);
            }
            "tool-plan-delta" => say(Piece::Thinking(text(news, "tool_plan"))),
            "tool-call-start" => self.begin(slot(data), news.get("tool_calls").unwrap_or(Json::NULL), say),
            "tool-call-delta" => {
                let function = news.at(&["tool_calls", "function"]);
                let arguments = function.and_then(|function| function.get("arguments"));
                self.arguments(slot(data), arguments.unwrap_or(Json::NULL), say);
            }
            "tool-call-end" => self.end(say),
            "content-end" => say(Piece::EndBlock),
            "citation-start" => self.notice(news, say),
            END => {
                self.end(say);
                say(Piece::Usage(USAGE.read(data)));
                let delta = data.get("delta").unwrap_or(Json::NULL);
                if stop(delta, say) {
                    say(Piece::End);
                }
            }
            "error" | "stream-error" => say(Piece::Error(error::of_json(0, data))),
            "" | "message" if error::is_one(data) => say(Piece::Error(error::of_json(0, data))),
            // `citation-end`, `debug`, and what the vendor may add.
            _ => {}
        }
    }

    /// What a stream may begin with; usually nothing.
    fn message(&mut self, message: Json<'_>, say: &mut Say<'_>) {
        say(Piece::Thinking(text(message, "tool_plan")));
        message.get("content").into_iter().flat_map(Json::items).for_each(|part| self.content(part, say));
        self.notice(message, say);
    }

    /// A whole part.
    fn content(&mut self, part: Json<'_>, say: &mut Say<'_>) {
        match text(part, "type").decode().as_ref() {
            "text" | "thinking" | "" => self.content_piece(part, say),
            _ => say(Piece::Other(part)),
        }
        say(Piece::EndBlock);
    }

    /// A piece of a part; which kind it is, is told by its member.
    fn content_piece(&mut self, part: Json<'_>, say: &mut Say<'_>) {
        say(Piece::Thinking(text(part, "thinking")));
        say(Piece::Text(text(part, "text")));
    }

    fn begin(&mut self, slot: Option<u32>, call: Json<'_>, say: &mut Say<'_>) {
        self.end(say);
        let slot = slot.unwrap_or(self.calls);
        self.calls = self.calls.saturating_add(1);
        self.call = Some(Call { slot, argued: false });
        let function = call.get("function").unwrap_or(Json::NULL);
        let id = call.get("id").and_then(Json::text).filter(|id| !id.is_empty());
        say(Piece::ToolCall { slot, id, name: self.aliases.undo(text(function, "name")) });
        self.arguments(Some(slot), function.get("arguments").unwrap_or(Json::NULL), say);
    }

    fn arguments(&mut self, slot: Option<u32>, arguments: Json<'_>, say: &mut Say<'_>) {
        let Some(slot) = slot.or(self.call.as_ref().map(|call| call.slot)) else { return };
        let fresh = self.call.as_ref().is_some_and(|call| call.slot == slot && !call.argued);
        let piece = match (arguments.kind(), arguments.text()) {
            // What some models write for a tool that takes none.
            (_, Some(fragment)) if fresh && fragment.is("null") => return,
            (_, Some(fragment)) if !fragment.is_empty() => Piece::ArgumentsText { slot, fragment },
            (Kind::Object, _) => Piece::Arguments { slot, arguments },
            _ => return,
        };
        if let Some(call) = self.call.as_mut().filter(|call| call.slot == slot) {
            call.argued = true;
        }
        say(piece);
    }

    /// Ends the call that is being said, if one is. No arguments at all are none.
    fn end(&mut self, say: &mut Say<'_>) {
        let Some(call) = self.call.take() else { return };
        if !call.argued {
            say(Piece::Arguments { slot: call.slot, arguments: Json::EMPTY_OBJECT });
        }
        say(Piece::EndBlock);
    }

    /// Notices what has no word in the hub.
    fn notice(&mut self, holder: Json<'_>, say: &mut Say<'_>) {
        let holds = |name: &str| {
            let value = holder.get(name);
            value.is_some_and(|value| value.items().next().is_some() || value.kind() == Kind::Object)
        };
        if !self.cited && holds("citations") {
            self.cited = true;
            say(Piece::Lost("citations"));
        }
        if !self.weighed && holds("logprobs") {
            self.weighed = true;
            say(Piece::Lost("logprobs"));
        }
    }
}

/// The text of a member, or none.
fn text<'a>(object: Json<'a>, name: &str) -> Text<'a> {
    object.get(name).and_then(Json::text).unwrap_or_default()
}

fn slot(data: Json<'_>) -> Option<u32> {
    data.get("index").and_then(Json::u64).and_then(|index| u32::try_from(index).ok())
}

fn start(holder: Json<'_>, say: &mut Say<'_>) {
    let member = |name: &str| holder.get(name).and_then(Json::text).filter(|text| !text.is_empty());
    say(Piece::Start { id: member("id"), model: member("model") });
}

/// Says why the model stopped; false when it broke down instead.
fn stop(place: Json<'_>, say: &mut Say<'_>) -> bool {
    let word = text(place, "finish_reason").decode();
    let class = match word.as_ref() {
        "ERROR" => Some(ErrorClass::Provider),
        "TIMEOUT" => Some(ErrorClass::Timeout),
        _ => None,
    };
    if let Some(class) = class {
        let said = text(place, "error").decode();
        let message = match said.is_empty() {
            true => "the provider broke off its answer".to_string(),
            false => error::bounded(&said),
        };
        say(Piece::Error(ProviderError { class, code: word.into_owned(), message, ..ProviderError::default() }));
        return false;
    }
    let reason = match word.as_ref() {
        "" => return true,
        "COMPLETE" => StopReason::End,
        "STOP_SEQUENCE" => StopReason::Sequence,
        "MAX_TOKENS" | "ERROR_LIMIT" => StopReason::Length,
        "TOOL_CALL" => StopReason::ToolCalls,
        "ERROR_TOXIC" => StopReason::Refused,
        _ => StopReason::Other,
    };
    say(Piece::Stop(Stop { reason, sequence: None }));
    true
}

fn nonsense(message: &str) -> Piece<'static> {
    let class = ErrorClass::BadAnswer;
    Piece::Error(ProviderError { class, message: message.into(), ..ProviderError::default() })
}
