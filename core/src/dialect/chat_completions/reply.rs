//! Writes answers for clients: one body at the end, or a chunk for every step.
//!
//! ```text
//! data: {"id":"…","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{…},…}]}
//! ```
//!
//! The role comes first, the reason to stop last; then the usage, if the client asked for it, and `[DONE]`. After an error
//! nothing follows, as a stream with `[DONE]` counts as good. A client that offered `functions` gets a `function_call`; one that
//! offered a tool of plain words gets a `custom` call, in one piece.
//!
//! Thoughts stand in `reasoning_content`. One that has a proof is said again in `reasoning_details` when it is complete, words
//! and proof together, as OpenRouter has it: a client that sends these back lets the provider check them.

mod chunks;
mod whole;

use super::mark::{Mark, member};
use crate::catalog::DialectId;
use crate::dialect::{Reply, WriteResponse, ascii_text};
use crate::hub::foreign::full_name;
use crate::hub::{Delivery, Request, StopReason, Tool};
use crate::json::{Json, Text, Writer};
use crate::usage::Usage;

/// A writer for an answer to `request`.
pub(super) fn writer(request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse> {
    let calls = match request.dialect == DialectId::ChatCompletions && only_legacy(request) {
        true => CallForm::Legacy,
        false => CallForm::Modern,
    };
    let plain = PlainTools::of(request);
    match reply.delivery {
        Delivery::Whole => Box::new(whole::Whole::new(reply, calls, plain)),
        // Chat completions has one form of stream.
        Delivery::Streamed | Delivery::StreamedArray => {
            Box::new(chunks::Chunks::new(reply, calls, plain, asks_usage(request)))
        }
    }
}

/// The names of the client's tools whose input is plain words. Other dialects know them as functions of one argument, `input`.
struct PlainTools(Vec<String>);

impl PlainTools {
    fn of(request: &Request<'_>) -> PlainTools {
        let customs = request.tools.iter().filter_map(|tool| match tool {
            Tool::Custom(custom) => Some(full_name(custom.namespace, custom.name)),
            Tool::Function(_) | Tool::Other(_) => None,
        });
        PlainTools(customs.collect())
    }

    /// Whether that tool, its name escaped, takes plain words.
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

/// Writes `"type"` and `"custom"` of a call of a tool of plain words, whose `arguments` are escaped JSON text. Arguments of another
/// form are given as they are, since a tool of plain words can read anything.
fn custom_call(name: &str, arguments: &str, out: &mut Writer) {
    let text = Text::escaped(arguments).decode();
    let input = Json::parse(text.as_bytes()).ok().and_then(|json| json.get("input")).and_then(Json::text);
    out.field("type").string("custom");
    out.field("custom").object(|out| {
        out.field("name").text(Text::escaped(name));
        out.field("input").text(input.unwrap_or(Text::escaped(arguments)));
    });
}

/// Whether calls are said in `tool_calls` or in `function_call`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CallForm {
    Modern,
    Legacy,
}

/// Whether the client offered `functions` and no tools.
fn only_legacy(request: &Request<'_>) -> bool {
    let legacy = |tool: &Tool<'_>| match tool {
        Tool::Function(function) => Mark::Legacy.is_in(&function.extra),
        Tool::Custom(_) => false,
        Tool::Other(_) => true,
    };
    Mark::Legacy.is_in(&request.extra) && request.tools.iter().all(legacy)
}

/// What a client wants to know about tokens in a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UsageWish {
    Asked,
    NotAsked,
}

fn asks_usage(request: &Request<'_>) -> UsageWish {
    let options = member(&request.extra, "stream_options");
    let said = options.and_then(|options| options.get("include_usage")).and_then(Json::bool) == Some(true);
    match said || Mark::UsageWanted.is_in(&request.extra) {
        true => UsageWish::Asked,
        false => UsageWish::NotAsked,
    }
}

/// The members that all chunks and the whole body begin with. Strings are escaped text.
struct Head {
    id: String,
    model: String,
    created: String,
    exchange: String,
}

impl Head {
    fn new(reply: &Reply) -> Head {
        let mut model = String::new();
        crate::json::write::escape_into(&reply.model, &mut model);
        let exchange = ascii_text(&reply.exchange).raw().to_string();
        Head { id: format!("chatcmpl-{exchange}"), model, created: reply.created.to_string(), exchange }
    }

    /// Takes over what the provider says of itself.
    fn start(&mut self, id: Option<&str>, model: Option<&str>) {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.id = id.to_string();
        }
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            self.model = model.to_string();
        }
    }

    fn write(&self, object: &str, out: &mut Writer) {
        out.field("id").text(Text::escaped(&self.id));
        out.field("object").string(object);
        out.field("created").raw(Json::trusted(&self.created));
        out.field("model").text(Text::escaped(&self.model));
    }

    /// The id of the call number `index` in this answer, if the provider gave none.
    fn call_id(&self, id: Option<Text<'_>>, index: u64, out: &mut Writer) {
        match id.filter(|id| !id.is_empty()) {
            Some(id) => out.text(id),
            None => out.string(&format!("call_{}_{index}", self.exchange)),
        }
    }
}

/// Chat completions' word for why a model stopped.
pub(super) fn finish_reason(reason: StopReason, calls: CallForm) -> &'static str {
    match reason {
        StopReason::End | StopReason::Sequence | StopReason::Other => "stop",
        // A paused turn is not finished; of the words there are, only this one says so.
        StopReason::Length | StopReason::Paused => "length",
        StopReason::ToolCalls if calls == CallForm::Legacy => "function_call",
        StopReason::ToolCalls => "tool_calls",
        // The call was withheld because it was malformed.
        StopReason::Refused | StopReason::MalformedCall => "content_filter",
    }
}

/// The object of token counts; what was not reported is left out, or 0 where the specification demands a number.
fn usage(usage: &Usage, out: &mut Writer) {
    out.object(|out| {
        out.field("prompt_tokens").number(usage.input.unwrap_or(0));
        out.field("completion_tokens").number(usage.output.unwrap_or(0));
        out.field("total_tokens").number(usage.total());
        if usage.cache_read.is_some() || usage.cache_write.is_some() {
            out.field("prompt_tokens_details").object(|out| {
                for (name, count) in [("cached_tokens", usage.cache_read), ("cache_write_tokens", usage.cache_write)] {
                    if let Some(count) = count {
                        out.field(name).number(count);
                    }
                }
            });
        }
        if let Some(reasoning) = usage.reasoning {
            out.field("completion_tokens_details").object(|out| out.field("reasoning_tokens").number(reasoning));
        }
    });
}
