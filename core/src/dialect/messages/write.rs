//! Requests of this very dialect, written so that they equal what was read: only the model is another's word.

use super::read::Mark;
use super::thinking::{self, Mode};
use crate::dialect::{Addressee, Written};
use crate::hub::{
    Arguments, Delivery, Depth, Extra, Format, Function, Media, MediaKind, Part, Reasoning, Request, Role, Shape,
    Source, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::json::{Json, Member, Text, Writer};

/// The limit of tokens for a request that has none, when the model's own is unknown. The dialect demands one; every model
/// since 2024 takes this one, and it holds a long answer.
pub const DEFAULT_MAX_TOKENS: u64 = 8192;

/// Writes a request that was read by [`super::read`].
pub(super) fn own(request: &Request<'_>, to: Addressee<'_>) -> Written {
    let mut out = Writer::with_capacity(1024);
    out.object(|out| {
        out.field("model").string(to.model);
        if let Some(limit) = request.max_tokens {
            out.field("max_tokens").number(limit.tokens);
        }
        conversation(&request.turns, out);
        tools(request, out);
        sampling(request, out);
        if !has(&request.extra, "metadata")
            && let Some(user) = request.user
        {
            out.field("metadata").object(|out| out.field("user_id").text(user));
        }
        output(request, out);
        if request.delivery != Delivery::Whole {
            out.field("stream").bool(true);
        } else if marked(&request.extra, Mark::NOT_STREAMED) {
            out.field("stream").bool(false);
        }
        if marked(&request.extra, Mark::NO_TOOLS) {
            out.field("tools").array(|_| {});
        }
        let marks = [Mark::NOT_STREAMED, Mark::NO_TOOLS];
        let said = |name: Text<'_>, value: Json<'_>| !(value.is_null() && marks.iter().any(|mark| name.is(mark)));
        for (name, value) in request.extra.iter().filter(|(name, value)| said(*name, *value)) {
            out.field_text(*name).raw(*value);
        }
    });
    let mut written = Written { body: out.into_string(), ..Written::default() };
    if goes_on_unthought(request) {
        written.approximate("thinking");
    }
    written
}

/// Whether thinking is to be on although the turn that goes on with results began without a thought: the provider refuses that.
/// So it is when the thought was somebody else's and was withheld.
fn goes_on_unthought(request: &Request<'_>) -> bool {
    let is_on = request.reasoning.as_ref().is_some_and(|reasoning| matches!(mode(reasoning), Mode::Enabled(_)));
    let last = request.turns.iter().rfind(|turn| turn.role == Role::Assistant);
    request.withheld
        && is_on
        && last.is_some_and(|turn| {
            let calls = turn.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
            calls && !matches!(turn.parts.first(), Some(Part::Thinking(_)))
        })
}

fn has(extra: &Extra<'_>, wanted: &str) -> bool {
    extra.iter().any(|(name, _)| name.is(wanted))
}

fn marked(extra: &Extra<'_>, mark: &str) -> bool {
    extra.iter().any(|(name, value)| value.is_null() && name.is(mark))
}

/// The members but for a mark.
fn members(extra: &[Member<'_>], mark: &str, out: &mut Writer) {
    for (name, value) in extra.iter().filter(|(name, value)| !(value.is_null() && name.is(mark))) {
        out.field_text(*name).raw(*value);
    }
}

fn conversation(turns: &[Turn<'_>], out: &mut Writer) {
    let (system, turns) = match turns.split_first() {
        Some((first, rest)) if first.role == Role::System && !marked(&first.extra, Mark::AMONG_MESSAGES) => {
            (Some(first), rest)
        }
        _ => (None, turns),
    };
    if let Some(system) = system {
        content(&system.parts, system.shape, out.field("system"));
    }
    out.field("messages").array(|out| {
        for turn in turns {
            out.object(|out| {
                out.field("role").string(role(turn.role));
                content(&turn.parts, turn.shape, out.field("content"));
                members(&turn.extra, Mark::AMONG_MESSAGES, out);
            });
        }
    });
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

/// Writes what a turn or a result says: bare words, or a list.
pub(super) fn content(parts: &[Part<'_>], shape: Shape, out: &mut Writer) {
    match (shape, parts) {
        (Shape::Bare, [Part::Text { text, .. }]) => out.text(*text),
        _ => out.array(|out| parts.iter().for_each(|part| self::part(part, out))),
    }
}

fn part(part: &Part<'_>, out: &mut Writer) {
    match part {
        Part::Text { text, extra } if marked(extra, Mark::DOCUMENT) => out.object(|out| {
            written_document(*text, out);
            members(extra, Mark::DOCUMENT, out);
        }),
        Part::Text { text, extra } => out.object(|out| {
            out.field("type").string("text");
            out.field("text").text(*text);
            out.members(extra);
        }),
        Part::Refusal(text) => out.object(|out| {
            out.field("type").string("text");
            out.field("text").text(*text);
        }),
        Part::Media(media) => out.object(|out| {
            self::media(media, out);
            out.members(&media.extra);
        }),
        Part::Thinking(thinking) => thought(thinking, out),
        Part::ToolCall(call) => tool_call(call, out),
        Part::ToolResult(result) => tool_result(result, out),
        Part::Other(json) => out.raw(*json),
    }
}

/// Writes the type and the source of a document that is its words.
pub(super) fn written_document(text: Text<'_>, out: &mut Writer) {
    out.field("type").string("document");
    out.field("source").object(|out| {
        out.field("type").string("text");
        out.field("media_type").string("text/plain");
        out.field("data").text(text);
    });
}

/// Writes the type and the source of a picture or document.
pub(super) fn media(media: &Media<'_>, out: &mut Writer) {
    out.field("type").string(if media.kind == MediaKind::Image { "image" } else { "document" });
    out.field("source").object(|out| match media.source {
        Source::Data { mime, base64 } => {
            out.field("type").string("base64");
            out.field("media_type").text(mime);
            out.field("data").text(base64);
        }
        Source::Url { url, .. } => {
            out.field("type").string("url");
            out.field("url").text(url);
        }
        Source::File(id) => {
            out.field("type").string("file");
            out.field("file_id").text(id);
        }
    });
}

fn thought(thinking: &Thinking<'_>, out: &mut Writer) {
    if let (true, Some(data)) = (marked(&thinking.extra, Mark::REDACTED), thinking.signature) {
        return out.object(|out| {
            redacted(data, out);
            members(&thinking.extra, Mark::REDACTED, out);
        });
    }
    out.object(|out| {
        out.field("type").string("thinking");
        out.field("thinking").text(thinking.text);
        if let Some(signature) = thinking.signature {
            out.field("signature").text(signature);
        }
        out.members(&thinking.extra);
    });
}

/// Writes the type and the data of a thought that is shown to nobody.
pub(super) fn redacted(data: Text<'_>, out: &mut Writer) {
    out.field("type").string("redacted_thinking");
    out.field("data").text(data);
}

fn tool_call(call: &ToolCall<'_>, out: &mut Writer) {
    out.object(|out| {
        out.field("type").string("tool_use");
        if let Some(id) = call.id {
            id.write(out.field("id"));
        }
        out.field("name").text(call.name);
        match call.arguments {
            Arguments::Object(json) => out.field("input").raw(json),
            Arguments::Encoded(text) | Arguments::Plain(text) => out.field("input").text(text),
        }
        out.members(&call.extra);
    });
}

fn tool_result(result: &ToolResult<'_>, out: &mut Writer) {
    out.object(|out| {
        out.field("type").string("tool_result");
        if let Some(id) = result.id {
            id.write(out.field("tool_use_id"));
        }
        // Nothing at all is bare and empty.
        if !(result.content.is_empty() && result.shape == Shape::Bare) {
            content(&result.content, result.shape, out.field("content"));
        }
        if let Some(error) = result.error {
            out.field("is_error").bool(error);
        }
        out.members(&result.extra);
    });
}

fn tools(request: &Request<'_>, out: &mut Writer) {
    if !request.tools.is_empty() {
        out.field("tools").array(|out| {
            for tool in &request.tools {
                match tool {
                    Tool::Function(function) => self::function(function, out),
                    Tool::Custom(_) => {}
                    Tool::Other(json) => out.raw(*json),
                }
            }
        });
    }
    let Some(choice) = &request.tool_choice else { return };
    let out = out.field("tool_choice");
    if let ToolChoice::Other(json) = choice {
        return out.raw(*json);
    }
    out.object(|out| tool_choice(choice, request.parallel_tool_calls, out));
}

/// Writes the members of a choice.
pub(super) fn tool_choice(choice: &ToolChoice<'_>, parallel: Option<bool>, out: &mut Writer) {
    match choice {
        ToolChoice::Auto | ToolChoice::Other(_) => out.field("type").string("auto"),
        ToolChoice::Never => out.field("type").string("none"),
        ToolChoice::Any => out.field("type").string("any"),
        ToolChoice::Named(name) => {
            out.field("type").string("tool");
            out.field("name").text(*name);
        }
    }
    if let Some(parallel) = parallel {
        out.field("disable_parallel_tool_use").bool(!parallel);
    }
}

fn function(function: &Function<'_>, out: &mut Writer) {
    out.object(|out| {
        if marked(&function.extra, Mark::CUSTOM) {
            out.field("type").string("custom");
        }
        out.field("name").text(function.name);
        if let Some(description) = function.description {
            out.field("description").text(description);
        }
        if let Some(schema) = function.schema {
            out.field("input_schema").raw(schema);
        }
        if let Some(strict) = function.strict {
            out.field("strict").bool(strict);
        }
        members(&function.extra, Mark::CUSTOM, out);
    });
}

fn sampling(request: &Request<'_>, out: &mut Writer) {
    let sampling = &request.sampling;
    let numbers = [("temperature", sampling.temperature), ("top_p", sampling.top_p), ("top_k", sampling.top_k)];
    for (name, value) in numbers {
        if let Some(value) = value {
            out.field(name).raw(value);
        }
    }
    if let Some(stop) = &request.stop {
        out.field("stop_sequences").array(|out| stop.sequences.iter().for_each(|text| out.text(*text)));
    }
}

/// Thinking, effort and format; members that were kept whole are among the extras.
fn output(request: &Request<'_>, out: &mut Writer) {
    let reasoning = request.reasoning.as_ref();
    if goes_on_unthought(request) {
        thinking::write(Mode::Disabled, None, out);
    } else if !has(&request.extra, "thinking")
        && let Some(reasoning) = reasoning
    {
        thinking::write(mode(reasoning), reasoning.shown, out);
    }
    let format = request.format.as_ref().and_then(|format| match format {
        Format::JsonSchema { schema, extra, .. } => Some((*schema, extra)),
        Format::Text | Format::JsonObject | Format::Other(_) => None,
    });
    let older = format.is_some_and(|(_, extra)| marked(extra, Mark::OLDER_PLACE));
    let write_format = |out: &mut Writer, name: &str| {
        if let Some((schema, extra)) = format {
            out.field(name).object(|out| {
                out.field("type").string("json_schema");
                out.field("schema").raw(schema);
                members(extra, Mark::OLDER_PLACE, out);
            });
        }
    };
    if older {
        write_format(out, "output_format");
    }
    let effort =
        reasoning.filter(|reasoning| matches!(reasoning.depth, Depth::Effort(_)) || has(&reasoning.extra, "effort"));
    if has(&request.extra, "output_config") || (effort.is_none() && (format.is_none() || older)) {
        return;
    }
    out.field("output_config").object(|out| {
        match effort.map(|reasoning| (reasoning.depth, &reasoning.extra)) {
            Some((Depth::Effort(word), _)) => out.field("effort").text(word),
            Some((_, extra)) => members(extra, Mark::ADAPTIVE, out),
            None => {}
        }
        if !older {
            write_format(out, "format");
        }
    });
}

fn mode(reasoning: &Reasoning<'_>) -> Mode {
    match reasoning.depth {
        Depth::Off => Mode::Disabled,
        Depth::Adaptive => Mode::Adaptive,
        Depth::Budget(budget) => Mode::Enabled(budget),
        Depth::Effort(_) if marked(&reasoning.extra, Mark::ADAPTIVE) => Mode::Adaptive,
        Depth::Effort(_) | Depth::Unsaid => Mode::Unsaid,
    }
}
