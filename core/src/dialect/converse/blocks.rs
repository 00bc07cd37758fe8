//! Content blocks: each is an object whose one member says what it is.
//!
//! ```text
//! {"text": …} {"image": …} {"toolUse": {toolUseId, name, input}} {"toolResult": {toolUseId, content, status}}
//! {"reasoningContent": {"reasoningText": {text, signature}} | {"redactedContent": base64}} {"cachePoint": …}
//! ```

use super::REDACTED;
use super::conversation::{Message, Side, can_say};
use super::ids::Ids;
use super::media::Sayable;
use crate::dialect::Written;
use crate::dialect::names::Names;
use crate::hub::{MediaKind, Part, Thinking, ToolCall, ToolResult};
use crate::json::{Json, Kind, Member, Text, Writer};

/// Most cache points that the service takes.
const MAX_CACHE_POINTS: usize = 4;

/// How other dialects mark the end of what shall be cached.
const CACHE_MARK: &str = "cache_control";

/// Where a part's members are, in the report.
const PLACE: &str = "messages[].content[].";

/// Writes blocks, and remembers what must be counted across them.
pub(super) struct Blocks<'w> {
    pub(super) written: &'w mut Written,
    pub(super) names: &'w Names,
    ids: Ids,
    documents: usize,
    cache_points: usize,
}

impl<'w> Blocks<'w> {
    /// A writer for one request.
    pub(super) fn new(written: &'w mut Written, names: &'w Names) -> Blocks<'w> {
        Blocks { written, names, ids: Ids::default(), documents: 0, cache_points: 0 }
    }

    /// Writes the system prompt, which is a list of texts.
    pub(super) fn system(&mut self, parts: &[&Part<'_>], out: &mut Writer) {
        if !parts.is_empty() {
            out.field("system").array(|out| parts.iter().for_each(|part| self.block(part, out)));
        }
    }

    /// Writes a message.
    pub(super) fn message(&mut self, message: &Message<'_, '_>, out: &mut Writer) {
        out.object(|out| {
            out.field("role").string(match message.side {
                Side::User => "user",
                Side::Assistant => "assistant",
            });
            out.field("content").array(|out| message.parts.iter().for_each(|part| self.block(part, out)));
        });
    }

    /// Writes a block, and a cache point behind it where the caller marked it.
    fn block(&mut self, part: &Part<'_>, out: &mut Writer) {
        let extra = extra_of(part);
        let mark = extra.iter().find(|(name, mark)| name.is(CACHE_MARK) && mark.kind() == Kind::Object);
        let Some((_, mark)) = mark.filter(|_| self.cache_points < MAX_CACHE_POINTS) else {
            self.written.lose(PLACE, extra);
            return self.part(part, out);
        };
        self.cache_points += 1;
        // For how long is left to the service: not every model may be told.
        if mark.get("ttl").is_some_and(|time| !time.is_null()) {
            self.written.approximate(&format!("{PLACE}{CACHE_MARK}.ttl"));
        }
        let unsaid: Vec<Member<'_>> = extra.iter().filter(|(name, _)| !name.is(CACHE_MARK)).copied().collect();
        self.written.lose(PLACE, &unsaid);
        self.part(part, out);
        out.object(|out| out.field("cachePoint").object(|out| out.field("type").string("default")));
    }

    fn part(&mut self, part: &Part<'_>, out: &mut Writer) {
        out.object(|out| match part {
            Part::Text { text, .. } => out.field("text").text(*text),
            Part::Refusal(text) => {
                self.written.approximate("messages[].content[].refusal");
                out.field("text").text(*text);
            }
            Part::Media(media) => {
                if let Some(sayable) = Sayable::of(media) {
                    self.documents += 1;
                    sayable.write(self.documents, out);
                }
            }
            Part::Thinking(thought) => thinking(thought, out),
            Part::ToolCall(call) => self.call(call, out),
            Part::ToolResult(result) => self.result(result, out),
            // Reported when the conversation was put in order.
            Part::Other(_) => {}
        });
    }

    fn call(&mut self, call: &ToolCall<'_>, out: &mut Writer) {
        if call.signature.is_some() {
            self.written.approximate("thinking.signature");
        }
        out.field("toolUse").object(|out| {
            self.ids.write_call(call.id, out.field("toolUseId"));
            self.names.write(call.name, out.field("name"));
            let out = out.field("input");
            match call.arguments.object().as_deref().map(|object| Json::parse(object.as_bytes())) {
                Some(Ok(object)) => out.raw(object),
                // A model's broken arguments are history: kept readable, in an object as the service demands.
                Some(Err(_)) | None => {
                    self.written.approximate("messages[].tool_calls[].arguments");
                    out.object(|out| call.arguments.write_encoded(out.field("arguments")));
                }
            }
        });
    }

    fn result(&mut self, result: &ToolResult<'_>, out: &mut Writer) {
        out.field("toolResult").object(|out| {
            self.ids.write_result(result.id, out.field("toolUseId"));
            out.field("content").array(|out| result.content.iter().for_each(|part| self.result_part(part, out)));
            // Success is what the service takes for granted, and not every model may be told of it.
            if result.error == Some(true) {
                out.field("status").string("error");
            }
        });
    }

    fn result_part(&mut self, part: &Part<'_>, out: &mut Writer) {
        match part {
            Part::Other(json) if json.kind() == Kind::Object => out.object(|out| out.field("json").raw(*json)),
            Part::Other(json) => out.object(|out| out.field("text").string(json.as_str())),
            Part::ToolCall(_) | Part::ToolResult(_) | Part::Thinking(_) => {
                self.written.drop("messages[].tool_results[].content");
            }
            Part::Media(media) if Sayable::of(media).is_some_and(|media| media.kind == MediaKind::Audio) => {
                self.written.drop("messages[].tool_results[].content[].audio");
            }
            part if can_say(part, Side::User, self.written) => {
                self.written.lose("messages[].tool_results[].content[].", extra_of(part));
                self.part(part, out);
            }
            _ => {}
        }
    }
}

fn thinking(thought: &Thinking<'_>, out: &mut Writer) {
    let signature = thought.signature.unwrap_or_default();
    out.field("reasoningContent").object(|out| match signature.raw().strip_prefix(REDACTED) {
        Some(content) => out.field("redactedContent").text(Text::escaped(content)),
        None => out.field("reasoningText").object(|out| {
            out.field("text").text(thought.text);
            out.field("signature").text(signature);
        }),
    });
}

fn extra_of<'p, 'a>(part: &'p Part<'a>) -> &'p [Member<'a>] {
    match part {
        Part::Text { extra, .. } => extra,
        Part::Media(media) => &media.extra,
        Part::Thinking(thought) => &thought.extra,
        Part::ToolCall(call) => &call.extra,
        Part::ToolResult(result) => &result.extra,
        Part::Refusal(_) | Part::Other(_) => &[],
    }
}
