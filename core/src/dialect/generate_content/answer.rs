//! An answer's frames into pieces.
//!
//! A whole body, an event's data and an item of a streamed array are the same object, `GenerateContentResponse`; a whole
//! body may also be the array of a stream that somebody collected.

use super::partial::Partial;
use super::{USAGE, error, read_part};
use crate::dialect::{Aliases, Frame, ReadResponse};
use crate::hub::event::ErrorClass;
use crate::hub::{MediaKind, Piece, ProviderError, Stop, StopReason};
use crate::json::{Json, Kind, Text};

/// Where pieces go.
type Say<'s> = dyn FnMut(Piece<'_>) + 's;

/// The reader of one answer.
pub(super) struct Answer {
    aliases: Aliases,
    /// The number of the next call.
    next: u32,
    /// A call whose arguments come piece by piece.
    partial: Option<(u32, Partial)>,
    stopped: bool,
    /// What was reported as lost; once for each is enough.
    lost: Vec<&'static str>,
}

impl Answer {
    pub(super) fn new(aliases: Aliases) -> Answer {
        Answer { aliases, next: 0, partial: None, stopped: false, lost: Vec::new() }
    }
}

impl ReadResponse for Answer {
    fn read(&mut self, frame: Frame<'_>, say: &mut dyn FnMut(Piece<'_>)) {
        match frame {
            Frame::Whole(body) if body.kind() == Kind::Array => {
                body.items().for_each(|chunk| self.chunk(chunk, say));
                self.end(say);
            }
            Frame::Whole(body) => {
                self.chunk(body, say);
                self.end(say);
            }
            Frame::Event { data, .. } if data.trim().is_empty() => {}
            Frame::Event { data, .. } => match Json::parse(data.as_bytes()) {
                Ok(chunk) => self.chunk(chunk, say),
                Err(_) => say(nonsense("the provider's stream has an event that is not JSON")),
            },
        }
    }
}

impl Answer {
    /// The end of a whole body. Not the end of an answer when the body does not say why it ended.
    fn end(&mut self, say: &mut Say<'_>) {
        match self.stopped {
            true => say(Piece::End),
            false => say(nonsense("the provider's answer has no finish reason")),
        }
    }

    fn chunk(&mut self, chunk: Json<'_>, say: &mut Say<'_>) {
        if chunk.kind() != Kind::Object {
            return say(nonsense("the provider's answer is not an object"));
        }
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return say(Piece::Error(error::read_in_stream(error)));
        }
        let (mut id, mut model, mut candidates, mut feedback) = (None, None, None, None);
        for (name, value) in chunk.members() {
            match name.decode().as_ref() {
                "responseId" => id = value.text(),
                "modelVersion" => model = value.text(),
                "candidates" => candidates = Some(value),
                "promptFeedback" => feedback = Some(value),
                _ => {}
            }
        }
        say(Piece::Start { id, model });
        let usage = USAGE.read(chunk);
        if usage.is_reported() {
            say(Piece::Usage(usage));
        }
        if candidates.is_some_and(has_others) {
            self.lose("candidates", say);
        }
        if let Some(candidate) = candidates.and_then(first) {
            self.candidate(candidate, say);
        } else if feedback.is_some_and(is_blocked) {
            self.stop(StopReason::Refused, say);
        }
    }

    fn lose(&mut self, what: &'static str, say: &mut Say<'_>) {
        if !self.lost.contains(&what) {
            self.lost.push(what);
            say(Piece::Lost(what));
        }
    }

    fn stop(&mut self, reason: StopReason, say: &mut Say<'_>) {
        self.finish_partial(say);
        self.stopped = true;
        say(Piece::Stop(Stop { reason, sequence: None }));
    }

    fn candidate(&mut self, candidate: Json<'_>, say: &mut Say<'_>) {
        let mut reason = None;
        for (name, value) in candidate.members() {
            match name.decode().as_ref() {
                "content" => value.get("parts").into_iter().flat_map(Json::items).for_each(|part| self.part(part, say)),
                "finishReason" => reason = reason_of(value),
                name if says_something(value) => {
                    if let Some((_, what)) = LOST.iter().find(|(known, _)| *known == name) {
                        self.lose(what, say);
                    }
                }
                _ => {}
            }
        }
        if let Some(reason) = reason {
            self.stop(reason, say);
        }
    }

    fn part(&mut self, part: Json<'_>, say: &mut Say<'_>) {
        let (mut text, mut call, mut thought, mut signature, mut other) = (None, None, false, None, None);
        for (name, value) in part.members() {
            match (name.decode().as_ref(), value.kind()) {
                ("text", Kind::String) => text = value.text(),
                ("functionCall", Kind::Object) => call = Some(value),
                ("thought", _) => thought = value.bool() == Some(true),
                ("thoughtSignature", Kind::String) => signature = value.text().filter(|proof| !proof.is_empty()),
                (name, Kind::Object) if other.is_none() => other = Some(kind_of_other(name, value)),
                _ => {}
            }
        }
        if let Some(call) = call {
            return self.call(call, signature, say);
        }
        if thought {
            say(Piece::Thinking(text.unwrap_or(Text::EMPTY)));
        } else if let Some(text) = text {
            say(Piece::Text(text));
        } else if let Some(what) = other {
            // Its proof stays within.
            say(Piece::Other(part));
            return self.lose(what, say);
        }
        // A proof of words becomes a thought without words behind them: others have no better place, and it comes back.
        if let Some(signature) = signature {
            say(Piece::Signature { slot: None, signature });
            // The next part has a proof of its own; two in one thought would be none.
            say(Piece::EndBlock);
        }
    }

    fn call(&mut self, call: Json<'_>, signature: Option<Text<'_>>, say: &mut Say<'_>) {
        let name = call.get("name").and_then(Json::text).filter(|name| !name.is_empty());
        let goes_on = call.get("willContinue").and_then(Json::bool) == Some(true);
        let pieces = call.get("partialArgs");
        let Some(name) = name else { return self.more_of_call(call, say) };
        self.finish_partial(say);
        let slot = self.next;
        self.next += 1;
        say(Piece::ToolCall { slot, id: call.get("id").and_then(Json::text), name: self.aliases.undo(name) });
        if let Some(signature) = signature {
            say(Piece::Signature { slot: Some(slot), signature });
        }
        if goes_on || pieces.is_some() {
            self.partial = Some((slot, Partial::default()));
            return self.more_of_call(call, say);
        }
        let arguments = call.get("args").filter(|args| !args.is_null()).unwrap_or(Json::EMPTY_OBJECT);
        say(Piece::Arguments { slot, arguments });
        say(Piece::EndBlock);
    }

    /// Arguments of the call that was named before.
    fn more_of_call(&mut self, call: Json<'_>, say: &mut Say<'_>) {
        let Some((_, partial)) = &mut self.partial else {
            return say(nonsense("the provider calls a tool without a name"));
        };
        let mut pieces = call.get("partialArgs").into_iter().flat_map(Json::items);
        if !pieces.all(|piece| partial.add(piece)) {
            return say(nonsense("the provider streams a tool's arguments in a way that cannot be followed"));
        }
        if call.get("willContinue").and_then(Json::bool) != Some(true) {
            self.finish_partial(say);
        }
    }

    /// Says the call whose arguments have come.
    fn finish_partial(&mut self, say: &mut Say<'_>) {
        if let Some((slot, partial)) = self.partial.take() {
            let text = partial.into_json();
            let arguments = Json::parse(text.as_bytes()).unwrap_or(Json::EMPTY_OBJECT);
            say(Piece::Arguments { slot, arguments });
            say(Piece::EndBlock);
        }
    }
}

/// Whether a chunk is the last that matters: it says why the answer, or the prompt, was ended.
pub(super) fn is_last(chunk: Json<'_>) -> bool {
    let finished = |candidate: Json<'_>| candidate.get("finishReason").and_then(reason_of).is_some();
    let candidate = chunk.get("candidates").and_then(first);
    candidate.is_some_and(finished) || chunk.get("promptFeedback").is_some_and(is_blocked)
}

/// Members of a candidate that no other dialect has words for, and what they are.
const LOST: [(&str, &str); 5] = [
    ("citationMetadata", "citations"),
    ("groundingMetadata", "citations"),
    ("urlContextMetadata", "server_tools"),
    ("logprobsResult", "logprobs"),
    ("continuationToken", "continuation"),
];

fn says_something(value: Json<'_>) -> bool {
    match value.kind() {
        Kind::Object => value.members().next().is_some(),
        Kind::Null => false,
        _ => true,
    }
}

/// What a part is that is neither words nor a call.
fn kind_of_other(name: &str, value: Json<'_>) -> &'static str {
    match name {
        "inlineData" | "fileData" => match value.get("mimeType").and_then(Json::text).map(read_part::kind_of) {
            Some(MediaKind::Image) => "images",
            Some(MediaKind::Audio) => "audio",
            Some(MediaKind::Video) => "videos",
            Some(MediaKind::Document) | None => "files",
        },
        "executableCode" | "codeExecutionResult" | "toolCall" | "toolResponse" => "server_tools",
        _ => "parts",
    }
}

fn has_others(candidates: Json<'_>) -> bool {
    candidates.items().any(|candidate| candidate.get("index").and_then(Json::u64).unwrap_or(0) != 0)
}

/// The first candidate, which is the one without an index or with index 0.
fn first(candidates: Json<'_>) -> Option<Json<'_>> {
    candidates.items().find(|candidate| candidate.get("index").and_then(Json::u64).unwrap_or(0) == 0)
}

fn is_blocked(feedback: Json<'_>) -> bool {
    let Some(reason) = feedback.get("blockReason") else { return false };
    let unsaid = reason
        .text()
        .is_some_and(|word| matches!(word.raw(), "" | "BLOCKED_REASON_UNSPECIFIED" | "BLOCK_REASON_UNSPECIFIED"));
    !reason.is_null() && !unsaid && reason.u64() != Some(0)
}

/// The API's words for why a model stopped. Older Vertex clients ask for numbers instead, in the order of its enumeration.
fn reason_of(reason: Json<'_>) -> Option<StopReason> {
    if let Some(number) = reason.u64() {
        return Some(match number {
            0 => return None,
            1 => StopReason::End,
            2 => StopReason::Length,
            3 | 4 | 6..=8 | 10..=13 => StopReason::Refused,
            9 | 15 => StopReason::MalformedCall,
            _ => StopReason::Other,
        });
    }
    Some(match reason.text()?.decode().as_ref() {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" => StopReason::End,
        "MAX_TOKENS" => StopReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => StopReason::Refused,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" => StopReason::MalformedCall,
        // The client may go on with what it has.
        "CONTINUATION" => StopReason::Paused,
        _ => StopReason::Other,
    })
}

fn nonsense(message: &str) -> Piece<'static> {
    let class = ErrorClass::BadAnswer;
    Piece::Error(ProviderError { class, message: message.into(), ..ProviderError::default() })
}
