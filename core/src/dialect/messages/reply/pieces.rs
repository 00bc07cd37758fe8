//! The pieces of an answer that its streamed and its whole form have in common.

use super::super::thinking::REDACTED;
use crate::hub::event::StopReason;
use crate::hub::{Arguments, provenance};
use crate::json::{Json, Text, Writer};
use crate::usage::Usage;
use std::borrow::Cow;

/// Whether a block is one of this dialect's own that clients know; a foreign provider's are not shown.
pub(super) fn is_own(block: Json<'_>) -> bool {
    let word = block.get("type").and_then(Json::text).unwrap_or_default().decode();
    let known = ["redacted_thinking", "server_tool_use", "mcp_tool_use", "container_upload", "compaction", "fallback"];
    known.contains(&word.as_ref()) || word.ends_with("_tool_result")
}

/// Writes who answers.
pub(super) fn head(id: Option<&str>, model: Option<&str>, exchange: &str, name: &str, json: &mut Writer) {
    match id {
        Some(id) => json.field("id").text(Text::escaped(id)),
        None => json.field("id").string(&format!("msg_{exchange}")),
    }
    json.field("type").string("message");
    json.field("role").string("assistant");
    match model {
        Some(model) => json.field("model").text(Text::escaped(model)),
        None => json.field("model").string(name),
    }
}

pub(super) fn words(kind: &str, text: &str, json: &mut Writer) {
    json.object(|json| {
        json.field("type").string(kind);
        json.field("text").text(Text::escaped(text));
    });
}

pub(super) fn thought(text: &str, signature: &str, json: &mut Writer) {
    json.object(|json| {
        json.field("type").string("thinking");
        json.field("thinking").text(Text::escaped(text));
        json.field("signature").text(Text::escaped(signature));
    });
}

pub(super) fn redacted(data: &str, json: &mut Writer) {
    json.object(|json| {
        json.field("type").string("redacted_thinking");
        json.field("data").text(Text::escaped(data));
    });
}

/// A thought's proof, or the mark of one that nobody made.
pub(super) fn signed(proof: &str) -> Cow<'_, str> {
    match proof.is_empty() {
        true => Cow::Owned(provenance::mark(provenance::NOBODY)),
        false => Cow::Borrowed(proof),
    }
}

/// The data of a thought that is shown to nobody, marked with its maker as its proof was.
pub(super) fn hidden(proof: &str) -> Option<String> {
    match provenance::read(Text::escaped(proof)) {
        Some((maker, proof)) => {
            let data = proof.raw().strip_prefix(REDACTED)?;
            Some(format!("{}{data}", provenance::mark(maker)))
        }
        None => proof.strip_prefix(REDACTED).map(str::to_string),
    }
}

/// The input of a call as the text of a JSON object. Broken arguments stay readable in an object, so that the client's tool
/// can refuse them instead of running without any.
pub(super) fn input_of(arguments: &str) -> String {
    let arguments = Arguments::Encoded(Text::escaped(arguments));
    arguments.object().unwrap_or_else(|| {
        let mut out = Writer::new();
        out.object(|out| arguments.write_encoded(out.field("arguments")));
        out.into_string()
    })
}

pub(super) fn call(id: Option<&str>, name: &str, number: u64, exchange: &str, input: Json<'_>, json: &mut Writer) {
    json.object(|json| {
        json.field("type").string("tool_use");
        match id {
            Some(id) => json.field("id").text(Text::escaped(id)),
            None => json.field("id").string(&format!("toolu_{exchange}_{number}")),
        }
        json.field("name").text(Text::escaped(name));
        json.field("input").raw(input);
    });
}

/// Writes why the answer ended. Words that say no are a refusal here, whatever the provider called its end.
pub(super) fn stop(reason: StopReason, sequence: Option<&str>, refused: bool, json: &mut Writer) {
    let word = match reason {
        StopReason::End if refused => "refusal",
        StopReason::End | StopReason::MalformedCall | StopReason::Other => "end_turn",
        StopReason::Sequence => "stop_sequence",
        StopReason::Length => "max_tokens",
        StopReason::ToolCalls => "tool_use",
        StopReason::Refused => "refusal",
        StopReason::Paused => "pause_turn",
    };
    json.field("stop_reason").string(word);
    match sequence {
        Some(sequence) => json.field("stop_sequence").text(Text::escaped(sequence)),
        None => json.field("stop_sequence").null(),
    }
}

/// Writes the counts: here input is what no cache had a part in. The two totals are demanded, so unreported ones are zero.
pub(super) fn usage(usage: Usage, json: &mut Writer) {
    let cached = usage.cache_read.unwrap_or(0) + usage.cache_write.unwrap_or(0);
    json.field("usage").object(|json| {
        json.field("input_tokens").number(usage.input.unwrap_or(0).saturating_sub(cached));
        count("cache_creation_input_tokens", usage.cache_write, json);
        count("cache_read_input_tokens", usage.cache_read, json);
        json.field("output_tokens").number(usage.output.unwrap_or(0));
        if let Some(reasoning) = usage.reasoning {
            json.field("output_tokens_details").object(|json| json.field("thinking_tokens").number(reasoning));
        }
    });
}

pub(super) fn count(name: &str, count: Option<u64>, json: &mut Writer) {
    match count {
        Some(count) => json.field(name).number(count),
        None => json.field(name).null(),
    }
}
