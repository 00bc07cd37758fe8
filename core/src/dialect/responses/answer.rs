//! Reads answers: a whole body, or the events of a stream.
//!
//! ```text
//! response.created … output_item.added { content_part.added delta* done } output_item.done … response.completed
//! ```
//!
//! The same words come up to four times: as deltas, in the part's `done`, in the item's `done` and in the response that ends the
//! stream. Servers leave out any of these, so each part is said from whatever tells of it first, and once (`answer/items`). The
//! answer is complete when a response says so; its `output` counts only if no item came before it.

mod items;

use super::{USAGE, error};
use crate::dialect::{Aliases, Frame, ReadResponse};
use crate::hub::event::ErrorClass;
use crate::hub::{Piece, ProviderError, Stop, StopReason};
use crate::json::{Json, Kind, Text};
use items::{Items, Place, Sort};

/// Where pieces go.
type Say<'s> = dyn FnMut(Piece<'_>) + 's;

/// Reads one answer.
pub(super) struct Reader {
    items: Items,
    started: bool,
}

impl Reader {
    /// A reader that calls tools by the caller's names.
    pub(super) fn new(aliases: Aliases) -> Reader {
        Reader { items: Items::new(aliases), started: false }
    }
}

impl ReadResponse for Reader {
    fn read(&mut self, frame: Frame<'_>, say: &mut dyn FnMut(Piece<'_>)) {
        match frame {
            Frame::Whole(body) if body.get("output").is_none() && error::is_error(body) => {
                say(Piece::Error(error::of_json(0, body)));
            }
            Frame::Whole(body) => self.end(body, say),
            Frame::Event { data, .. } if matches!(data.trim(), "" | "[DONE]") => {}
            Frame::Event { name, data } => match Json::parse(data.as_bytes()) {
                Ok(json) => self.event(name, json, say),
                Err(_) if name == "error" => say(Piece::Error(error::read(0, data.as_bytes()))),
                Err(_) => say(bad("the provider sent an event that is not JSON")),
            },
        }
    }
}

/// The members of an event that matter here.
#[derive(Default)]
struct Members<'a> {
    kind: Text<'a>,
    response: Option<Json<'a>>,
    item: Option<Json<'a>>,
    part: Option<Json<'a>>,
    output_index: Option<u64>,
    /// Of the content or of the summary.
    index: u64,
    delta: Option<Text<'a>>,
    /// The whole of what the deltas were.
    whole: Option<Text<'a>>,
    logprobs: bool,
}

fn members(event: Json<'_>) -> Members<'_> {
    let mut found = Members::default();
    for (name, value) in event.members() {
        match name.decode().as_ref() {
            "type" => found.kind = value.text().unwrap_or_default(),
            "response" => found.response = Some(value),
            "item" => found.item = Some(value),
            "part" => found.part = Some(value),
            "output_index" => found.output_index = value.u64(),
            "content_index" | "summary_index" => found.index = value.u64().unwrap_or(0),
            "delta" => found.delta = value.text(),
            "text" | "refusal" | "arguments" | "input" => found.whole = value.text(),
            "logprobs" => found.logprobs = value.items().next().is_some(),
            _ => {}
        }
    }
    found
}

impl Reader {
    fn event(&mut self, name: &str, event: Json<'_>, say: &mut Say<'_>) {
        let found = members(event);
        let kind = found.kind.decode();
        let kind = if kind.is_empty() { name } else { kind.as_ref() };
        let index = found.output_index;
        match kind {
            "error" => say(Piece::Error(error::of_json(0, event))),
            "response.created" | "response.in_progress" | "response.queued" => {
                found.response.into_iter().for_each(|response| self.start(response, say));
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                match found.response {
                    Some(response) => self.end(response, say),
                    None => say(bad("the provider ended its answer without saying which")),
                }
            }
            "response.output_item.added" => {
                found.item.into_iter().for_each(|item| self.items.begin(index, item, say));
            }
            "response.output_item.done" => {
                found.item.into_iter().for_each(|item| self.items.finish(index, item, say));
            }
            "response.content_part.done" | "response.reasoning_summary_part.done" => {
                found.part.into_iter().for_each(|part| self.items.part(index, found.index, part, say));
            }
            "response.output_text.annotation.added" => self.items.lose("annotations", say),
            _ if event.get("error").is_some_and(|error| error.kind() == Kind::Object) => {
                say(Piece::Error(error::of_json(0, event)));
            }
            kind => self.words(kind, &found, say),
        }
    }

    /// Deltas, and the events that say the whole of them.
    fn words(&mut self, kind: &str, found: &Members<'_>, say: &mut Say<'_>) {
        let Some((stem, step)) = kind.rsplit_once('.') else { return };
        let sort = match stem {
            "response.output_text" => Sort::Text,
            "response.refusal" => Sort::Refusal,
            "response.reasoning_summary_text" => Sort::Summary,
            "response.reasoning_text" => Sort::Thought,
            "response.function_call_arguments" => Sort::Arguments,
            "response.custom_tool_call_input" => Sort::Input,
            _ => return,
        };
        if found.logprobs {
            self.items.lose("logprobs", say);
        }
        let place = Place { item: self.items.place(found.output_index), sort, part: found.index };
        match (step, found.delta, found.whole) {
            ("delta", Some(delta), _) => self.items.delta(place, delta, say),
            ("done", _, Some(whole)) => self.items.whole(place, whole, say),
            _ => {}
        }
    }

    fn start(&mut self, response: Json<'_>, say: &mut Say<'_>) {
        let word = |name: &str| response.get(name).and_then(Json::text).filter(|text| !text.is_empty());
        let (id, model) = (word("id"), word("model"));
        if !self.started && (id.is_some() || model.is_some()) {
            self.started = true;
            say(Piece::Start { id, model });
        }
    }

    /// A response that says how it ended.
    fn end(&mut self, response: Json<'_>, say: &mut Say<'_>) {
        if response.kind() != Kind::Object {
            return say(bad("the provider's answer is not an object"));
        }
        self.start(response, say);
        if let Some(failed) = response.get("error").filter(|failed| !failed.is_null()) {
            return say(Piece::Error(error::of_json(0, failed)));
        }
        let status = response.get("status").and_then(Json::text);
        let reason = match status.map(Text::decode).as_deref() {
            // Some servers leave the status out.
            Some("completed" | "complete") | None => StopReason::End,
            Some("incomplete") => reason(response),
            Some("failed") => return say(bad("the provider failed without saying why")),
            Some("cancelled") => return say(bad("the answer was cancelled")),
            Some(_) => return say(Piece::Later),
        };
        if status.is_none() && response.get("output").is_none() {
            return say(bad("the provider's answer has no output"));
        }
        self.items.rest(response.get("output").unwrap_or(Json::NULL), say);
        let usage = response.get("usage").map(|usage| USAGE.read_object(usage)).unwrap_or_default();
        if usage.is_reported() {
            say(Piece::Usage(usage));
        }
        say(Piece::Stop(Stop { reason, sequence: None }));
        say(Piece::End);
    }
}

/// Why an answer is incomplete.
fn reason(response: Json<'_>) -> StopReason {
    let reason = response.at(&["incomplete_details", "reason"]).and_then(Json::text).unwrap_or_default();
    match reason.decode().as_ref() {
        "max_output_tokens" | "max_tokens" | "length" => StopReason::Length,
        "content_filter" => StopReason::Refused,
        _ => StopReason::Other,
    }
}

fn bad(message: &str) -> Piece<'static> {
    let class = ErrorClass::BadAnswer;
    Piece::Error(ProviderError { class, message: message.to_string(), ..ProviderError::default() })
}
