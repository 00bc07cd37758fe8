//! The response object: who answers, what was asked, what is said so far.
//!
//! Clients' types demand that a response repeats what was asked. What was not said gets the value that means so; the provider's
//! defaults for numbers nobody knows.

use super::items::{Form, Status, items};
use crate::dialect::{Reply, ascii_text};
use crate::hub::{Message, ProviderError, Request};
use crate::json::write::escape_into;
use crate::json::{Json, Text, Writer};
use crate::usage::Usage;

/// The prefix of a response's id; clients tell by it that they deal with a response.
const ID: &str = "resp_";

/// The members that are repeated.
const REPEATED: [&str; 19] = [
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Writes the value of a repeated member that was not said.
fn unsaid(name: &str, out: &mut Writer) {
    match name {
        "background" => out.bool(false),
        "metadata" => out.object(|_| {}),
        "parallel_tool_calls" => out.bool(true),
        "reasoning" => out.object(|out| ["effort", "summary"].iter().for_each(|name| out.field(name).null())),
        "service_tier" => out.string("default"),
        "text" => out.object(|out| out.field("format").object(|out| out.field("type").string("text"))),
        "tool_choice" => out.string("auto"),
        "tools" => out.array(|_| {}),
        "top_logprobs" => out.number(0),
        "truncation" => out.string("disabled"),
        _ => out.null(),
    }
}

/// How a response stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It goes on.
    Open,
    /// It is complete.
    Completed,
    /// It ended early, and why.
    Incomplete(&'static str),
}

impl Outcome {
    /// The response's status; an event that ends a stream is named after it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::Open => "in_progress",
            Outcome::Completed => "completed",
            Outcome::Incomplete(_) => "incomplete",
        }
    }
}

/// What all forms of a response have in common.
pub(super) struct Head {
    id: String,
    model: String,
    created: u64,
    /// The repeated members, as the text of an object.
    repeated: String,
}

impl Head {
    /// Of an answer to `request`.
    pub(super) fn new(request: &Request<'_>, reply: Reply) -> Head {
        let body = request.body.unwrap_or(Json::EMPTY_OBJECT);
        let mut said = [None; REPEATED.len()];
        for (name, value) in body.members().filter(|(_, value)| !value.is_null()) {
            let place = REPEATED.iter().zip(said.iter_mut()).find(|(known, _)| name.is(known));
            if let Some((_, place)) = place {
                *place = Some(value);
            }
        }
        let mut out = Writer::new();
        out.object(|out| {
            for (name, said) in REPEATED.iter().zip(said) {
                match said {
                    // Events end with a line, and a body may have many.
                    Some(said) => out.field(name).raw_on_one_line(said),
                    None => unsaid(name, out.field(name)),
                }
            }
        });
        let mut model = String::new();
        escape_into(&reply.model, &mut model);
        Head { id: format!("{ID}{}", reply.exchange), model, created: reply.created, repeated: out.into_string() }
    }

    /// Takes over what the provider says of itself. An id that is no response's would mislead clients.
    pub(super) fn start(&mut self, message: &Message) {
        if let Some(id) = message.id.as_ref().filter(|id| id.starts_with(ID)) {
            self.id.clone_from(id);
        }
        if let Some(model) = message.model.as_ref().filter(|model| !model.is_empty()) {
            self.model.clone_from(model);
        }
    }

    /// Writes the response as it stands.
    pub(super) fn write(&self, outcome: Outcome, message: &Message, form: &Form, out: &mut Writer) {
        out.object(|out| {
            self.begin(outcome.word(), out);
            out.field("error").null();
            match outcome {
                Outcome::Incomplete(reason) => {
                    out.field("incomplete_details").object(|out| out.field("reason").string(reason));
                }
                Outcome::Open | Outcome::Completed => out.field("incomplete_details").null(),
            }
            out.field("output").array(|out| {
                for (index, item) in (0..).zip(items(message)).filter(|_| outcome != Outcome::Open) {
                    form.item(item, index, Status::Complete, out);
                }
            });
            match message.usage.is_reported() && outcome != Outcome::Open {
                true => usage(&message.usage, out.field("usage")),
                false => out.field("usage").null(),
            }
        });
    }

    /// Writes the response that an error ended.
    pub(super) fn failed(&self, code: &str, failure: &ProviderError, spent: &Usage, out: &mut Writer) {
        out.object(|out| {
            self.begin("failed", out);
            out.field("error").object(|out| {
                out.field("code").string(code);
                out.field("message").string(&failure.message);
            });
            out.field("incomplete_details").null();
            out.field("output").array(|_| {});
            match spent.is_reported() {
                true => usage(spent, out.field("usage")),
                false => out.field("usage").null(),
            }
        });
    }

    fn begin(&self, status: &str, out: &mut Writer) {
        out.field("id").text(Text::escaped(&self.id));
        out.field("object").text(ascii_text("response"));
        out.field("created_at").number(self.created);
        out.field("status").string(status);
        out.field("model").text(Text::escaped(&self.model));
        // Nothing is kept, whatever was asked.
        out.field("store").bool(false);
        let repeated = Json::trusted(&self.repeated);
        repeated.members().for_each(|(name, value)| out.field_text(name).raw(value));
    }
}

/// Writes the counts; clients demand every one of them, so what was not reported is zero.
fn usage(usage: &Usage, out: &mut Writer) {
    out.object(|out| {
        out.field("input_tokens").number(usage.input.unwrap_or(0));
        out.field("input_tokens_details").object(|out| {
            out.field("cached_tokens").number(usage.cache_read.unwrap_or(0));
            out.field("cache_write_tokens").number(usage.cache_write.unwrap_or(0));
        });
        out.field("output_tokens").number(usage.output.unwrap_or(0));
        out.field("output_tokens_details").object(|out| {
            out.field("reasoning_tokens").number(usage.reasoning.unwrap_or(0));
        });
        out.field("total_tokens").number(usage.total());
    });
}
