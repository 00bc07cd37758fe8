//! Reads answers: a whole body, or the chunks of a stream. Both have the same members, `message` in one, `delta` in the other.
//!
//! Takes what compatible servers do (see the module above) and says it in the order thoughts, words, refusal, calls, stop,
//! usage; what an answer lacks is not invented.

mod calls;
mod lost;
mod thoughts;

use super::{DONE, USAGE, error};
use crate::dialect::{Aliases, Frame, ReadResponse};
use crate::hub::event::ErrorClass;
use crate::hub::{Piece, ProviderError, Stop, StopReason};
use crate::json::{Json, Kind, Text};
use calls::Calls;
use lost::Lost;
use thoughts::Thoughts;

/// Where pieces go.
type Say<'s> = dyn FnMut(Piece<'_>) + 's;

/// Reads one answer.
pub(super) struct Reader {
    calls: Calls,
    thoughts: Thoughts,
    lost: Lost,
    started: bool,
    /// A reason to stop was said; an error that follows it does not undo a complete answer.
    stopped: bool,
}

impl Reader {
    /// A reader that calls tools by the caller's names.
    pub(super) fn new(aliases: Aliases) -> Reader {
        let (thoughts, lost) = (Thoughts::default(), Lost::default());
        Reader { calls: Calls::new(aliases), thoughts, lost, started: false, stopped: false }
    }
}

impl ReadResponse for Reader {
    fn read(&mut self, frame: Frame<'_>, say: &mut dyn FnMut(Piece<'_>)) {
        match frame {
            Frame::Whole(body) => {
                if self.document(body, Form::Whole, say) {
                    self.end(say);
                }
            }
            Frame::Event { name, data } => self.event(name, data.trim(), say),
        }
    }
}

/// In which form a document says its part of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Chunk,
}

/// The members of a document that matter here.
#[derive(Default)]
struct Top<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    choices: Option<Json<'a>>,
    usage: Option<Json<'a>>,
    error: bool,
}

impl Reader {
    fn event(&mut self, name: &str, data: &str, say: &mut Say<'_>) {
        if data == DONE {
            return self.end(say);
        }
        if data.is_empty() {
            return;
        }
        match Json::parse(data.as_bytes()) {
            Ok(json) if name == "error" => say(Piece::Error(error::of_json(0, json))),
            Ok(json) => {
                self.document(json, Form::Chunk, say);
            }
            Err(_) if name == "error" => say(Piece::Error(error::read(0, data.as_bytes()))),
            Err(_) => say(bad("the provider sent an event that is not JSON")),
        }
    }

    /// Says what a body or chunk means; false when it was an error.
    fn document(&mut self, document: Json<'_>, form: Form, say: &mut Say<'_>) -> bool {
        let listed = document.items().next().is_some_and(|first| first.get("error").is_some());
        if document.kind() != Kind::Object && !listed {
            say(bad("the provider's answer is not an object"));
            return false;
        }
        let top = top(document);
        let is_error = top.error || (top.choices.is_none() && error::is_envelope(document));
        if is_error && !self.stopped {
            say(Piece::Error(error::of_json(0, document)));
            return false;
        }
        if !self.started && (top.id.is_some() || top.model.is_some()) {
            self.started = true;
            say(Piece::Start { id: top.id, model: top.model });
        }
        self.lost.of_document(document, say);
        let mut counts = top.usage.map(|usage| USAGE.read_object(usage)).unwrap_or_default();
        let mut found = false;
        for choice in top.choices.into_iter().flat_map(Json::items) {
            if choice.get("index").and_then(Json::u64).unwrap_or(0) != 0 {
                continue;
            }
            found = true;
            let failed = choice.get("error").filter(|error| !error.is_null() && !self.stopped);
            if let Some(failed) = failed {
                say(Piece::Error(error::of_json(0, failed)));
                return false;
            }
            self.choice(choice, form, say);
            if let (None, Some(usage)) = (top.usage, choice.get("usage")) {
                counts = USAGE.read_object(usage);
            }
        }
        if counts.is_reported() {
            say(Piece::Usage(counts));
        }
        let missing = form == Form::Whole && !found;
        if missing {
            say(bad("the provider's answer has no choice"));
        }
        !missing
    }

    fn choice(&mut self, choice: Json<'_>, form: Form, say: &mut Say<'_>) {
        let (mut delta, mut message, mut finish, mut matched) = (None, None, None, None);
        for (name, value) in choice.members() {
            match name.decode().as_ref() {
                "delta" => delta = Some(value),
                "message" => message = Some(value),
                "finish_reason" => finish = value.text(),
                "stop_reason" => matched = value.text(),
                _ => {}
            }
        }
        // Some streams repeat in `message` all that was said so far.
        let news = if form == Form::Chunk { delta.or(message) } else { message.or(delta) };
        self.lost.of_choice(choice, say);
        if let Some(news) = news {
            self.lost.of_message(news, say);
            self.message(news, form, say);
        }
        let Some(finish) = finish.filter(|finish| !finish.is_empty()) else { return };
        self.stopped = reason(finish).is_some();
        self.calls.close(say);
        self.thoughts.say_held(say);
        match (reason(finish), matched) {
            (None, _) => say(bad("the provider broke the answer off with an error")),
            // vLLM tells which stop sequence was met.
            (Some(StopReason::End), Some(sequence)) if !sequence.is_empty() => {
                say(Piece::Stop(Stop { reason: StopReason::Sequence, sequence: Some(sequence) }));
            }
            (Some(reason), _) => say(Piece::Stop(Stop { reason, sequence: None })),
        }
    }

    fn message(&mut self, message: Json<'_>, form: Form, say: &mut Say<'_>) {
        let said = said(message);
        self.thoughts.read(&said, &self.calls, say);
        if let Some(content) = said.content {
            contents(content, say);
        }
        if let Some(text) = said.refusal {
            say(Piece::Refusal(text));
        }
        for item in said.tool_calls.into_iter().flat_map(Json::items) {
            match form {
                Form::Whole => self.calls.whole(item, say),
                Form::Chunk => self.calls.chunk(item, say),
            }
        }
        if let Some(call) = said.function_call {
            self.calls.legacy(call, say);
        }
        self.thoughts.say_of_calls(&self.calls, say);
    }

    /// The provider's mark that it is done.
    fn end(&mut self, say: &mut Say<'_>) {
        self.calls.close(say);
        self.thoughts.say_held(say);
        match self.calls.all_named() {
            true => say(Piece::End),
            false => say(bad("the provider's answer has a tool call without a name")),
        }
    }
}

fn top(document: Json<'_>) -> Top<'_> {
    let mut top = Top { error: document.kind() == Kind::Array, ..Top::default() };
    for (name, value) in document.members() {
        match name.decode().as_ref() {
            "id" => top.id = value.text().filter(|id| !id.is_empty()),
            "model" => top.model = value.text().filter(|model| !model.is_empty()),
            "choices" if value.kind() == Kind::Array => top.choices = Some(value),
            "usage" if value.kind() == Kind::Object => top.usage = Some(value),
            "x_groq" if top.usage.is_none() => top.usage = value.get("usage"),
            "error" => top.error |= !value.is_null(),
            "object" => top.error |= value.text().is_some_and(|kind| kind.is("error")),
            _ => {}
        }
    }
    top
}

/// The members of a message or delta that matter here.
#[derive(Default)]
struct SaidMembers<'a> {
    content: Option<Json<'a>>,
    reasoning_content: Option<Text<'a>>,
    reasoning: Option<Text<'a>>,
    details: Option<Json<'a>>,
    extra_content: Option<Json<'a>>,
    refusal: Option<Text<'a>>,
    tool_calls: Option<Json<'a>>,
    function_call: Option<Json<'a>>,
}

fn said(message: Json<'_>) -> SaidMembers<'_> {
    let mut said = SaidMembers::default();
    let words = |value: Json<'_>| value.text().is_some_and(|text| !text.is_empty());
    for (name, value) in message.members() {
        match name.decode().as_ref() {
            "content" => said.content = Some(value),
            "reasoning_content" if words(value) => said.reasoning_content = value.text(),
            "reasoning" if words(value) => said.reasoning = value.text(),
            "reasoning_details" => said.details = Some(value),
            "extra_content" if value.kind() == Kind::Object => said.extra_content = Some(value),
            "refusal" if words(value) => said.refusal = value.text(),
            "tool_calls" => said.tool_calls = Some(value),
            "function_call" if value.kind() == Kind::Object => said.function_call = Some(value),
            _ => {}
        }
    }
    said
}

/// A text alone, or a list of chunks.
fn contents(content: Json<'_>, say: &mut Say<'_>) {
    if let Some(text) = content.text() {
        return say(Piece::Text(text));
    }
    for chunk in content.items() {
        let kind = chunk.get("type").and_then(Json::text).map(Text::decode);
        let text = |name: &str| chunk.get(name).and_then(Json::text);
        match kind.as_deref() {
            Some("text") => text("text").into_iter().for_each(|text| say(Piece::Text(text))),
            Some("refusal") => text("refusal").into_iter().for_each(|text| say(Piece::Refusal(text))),
            Some("thinking") => thinking_chunk(chunk, say),
            _ => say(Piece::Other(chunk)),
        }
    }
}

/// `{"type":"thinking","thinking":[{"type":"text","text":"…"}]}`, as Mistral has it, or with a plain string.
fn thinking_chunk(chunk: Json<'_>, say: &mut Say<'_>) {
    let Some(thinking) = chunk.get("thinking") else { return };
    if let Some(text) = thinking.text() {
        return say(Piece::Thinking(text));
    }
    for text in thinking.items().filter_map(|item| item.get("text")?.text()) {
        say(Piece::Thinking(text));
    }
}

/// Why the model stopped; `None` when it did not, but failed.
fn reason(word: Text<'_>) -> Option<StopReason> {
    Some(match word.decode().to_ascii_lowercase().as_str() {
        "stop" | "eos" | "end_turn" | "complete" => StopReason::End,
        "stop_sequence" => StopReason::Sequence,
        "length" | "model_length" | "max_tokens" => StopReason::Length,
        "tool_calls" | "function_call" | "tool_use" => StopReason::ToolCalls,
        "content_filter" | "refusal" | "safety" => StopReason::Refused,
        "error" => return None,
        _ => StopReason::Other,
    })
}

fn bad(message: &str) -> Piece<'static> {
    let class = ErrorClass::BadAnswer;
    Piece::Error(ProviderError { class, message: message.to_string(), ..ProviderError::default() })
}
