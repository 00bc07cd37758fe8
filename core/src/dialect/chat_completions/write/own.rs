//! Writes what this dialect read itself: member for member as it was.

mod thoughts;

use super::{Ask, choice, function, stops, streams, thinking};
use crate::dialect::chat_completions::mark::{Mark, member, write_defaults, write_members, write_stream_options};
use crate::dialect::chat_completions::proof;
use crate::dialect::chat_completions::read::{SOUNDS, is_raw_call};
use crate::hub::{
    Arguments, CallId, Custom, Format, Function, Media, MediaKind, Part, Request, Role, Shape, Source, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::json::{Text, Writer};

/// Writes all members but the model, the user and what [`super::sampling`] writes.
pub(super) fn members(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let request = ask.request;
    out.field("messages").array(|out| request.turns.iter().for_each(|turn| message(turn, out)));
    tools(request, out);
    if let Some(wanted) = &request.tool_choice {
        own_choice(request, wanted, ask, out);
    }
    if let Some(parallel) = request.parallel_tool_calls {
        out.field("parallel_tool_calls").bool(parallel);
    }
    if let Some(limit) = request.max_tokens {
        out.field_text(limit.name).number(limit.tokens);
    }
    for (name, value) in [("top_k", request.sampling.top_k), ("n", request.sampling.answers)] {
        if let Some(value) = value {
            out.field(name).raw(value);
        }
    }
    if let Some(sequences) = &request.stop {
        stops(sequences, usize::MAX, out);
    }
    if let Some(wanted) = &request.format {
        format(wanted, out);
    }
    if let Some(reasoning) = &request.reasoning {
        thinking::own(request, reasoning, out);
    }
    if streams(request.delivery) {
        out.field("stream").bool(true);
    } else if Mark::StreamFalse.is_in(&request.extra) {
        out.field("stream").bool(false);
    }
    write_stream_options(&request.extra, out);
    write_defaults(&request.extra, out);
    write_members(&request.extra, out);
}

fn own_choice(request: &Request<'_>, wanted: &ToolChoice<'_>, ask: &Ask<'_, '_>, out: &mut Writer) {
    if Mark::LegacyChoice.is_in(&request.extra) {
        out.field("function_call");
        match wanted {
            ToolChoice::Named(name) => out.object(|out| out.field("name").text(*name)),
            word => choice(word, &ask.names, out),
        }
    } else if let (ToolChoice::Named(name), true) = (wanted, Mark::CustomChoice.is_in(&request.extra)) {
        out.field("tool_choice").object(|out| {
            out.field("type").string("custom");
            out.field("custom").object(|out| out.field("name").text(*name));
        });
    } else if Mark::AnyChoice.is_in(&request.extra) {
        out.field("tool_choice").string("any");
    } else {
        choice(wanted, &ask.names, out.field("tool_choice"));
    }
}

fn tools(request: &Request<'_>, out: &mut Writer) {
    let functions = Mark::Legacy.is_in(&request.extra);
    let is_legacy = |tool: &&Tool<'_>| match tool {
        Tool::Function(function) => Mark::Legacy.is_in(&function.extra),
        Tool::Custom(_) => false,
        // A legacy function of unknown form has neither of a tool's members.
        Tool::Other(json) => functions && json.get("type").is_none() && json.get("function").is_none(),
    };
    if request.tools.iter().any(|tool| !is_legacy(&tool)) || Mark::EmptyList.is_in(&request.extra) {
        let modern = request.tools.iter().filter(|tool| !is_legacy(tool));
        out.field("tools").array(|out| modern.for_each(|tool| modern_tool(tool, out)));
    }
    if functions {
        let legacy = request.tools.iter().filter(is_legacy);
        out.field("functions").array(|out| {
            legacy.for_each(|tool| match tool {
                Tool::Function(function) => own_function(function, out),
                Tool::Custom(_) => {}
                Tool::Other(json) => out.raw(*json),
            });
        });
    }
}

fn modern_tool(tool: &Tool<'_>, out: &mut Writer) {
    let function = match tool {
        Tool::Function(function) => function,
        Tool::Custom(custom) => return custom_tool(custom, out),
        Tool::Other(json) => return out.raw(*json),
    };
    out.object(|out| {
        if !Mark::Untyped.is_in(&function.extra) {
            out.field("type").string("function");
        }
        if member(&function.extra, "function").is_none() {
            own_function(function, out.field("function"));
        }
        write_members(&function.extra, out);
    });
}

fn custom_tool(custom: &Custom<'_>, out: &mut Writer) {
    out.object(|out| {
        out.field("type").string("custom");
        if member(&custom.extra, "custom").is_none() {
            out.field("custom").object(|out| {
                out.field("name").text(custom.name);
                if let Some(description) = custom.description {
                    out.field("description").text(description);
                }
                if let Some(format) = custom.format {
                    out.field("format").raw(format);
                }
            });
        }
        write_members(&custom.extra, out);
    });
}

fn own_function(wanted: &Function<'_>, out: &mut Writer) {
    if let (Some(whole), true) = (member(&wanted.extra, "function"), Mark::Legacy.is_in(&wanted.extra)) {
        return out.raw(whole);
    }
    let schema = |out: &mut Writer| {
        if let Some(schema) = wanted.schema {
            out.field("parameters").raw(schema);
        }
    };
    out.object(|out| {
        function(wanted, wanted.name, schema, out);
        let nulls = [
            (Mark::NullDescription, "description"),
            (Mark::NullParameters, "parameters"),
            (Mark::NullStrict, "strict"),
        ];
        for (_, name) in nulls.into_iter().filter(|(mark, _)| mark.is_in(&wanted.extra)) {
            out.field(name).null();
        }
    });
}

fn format(format: &Format<'_>, out: &mut Writer) {
    let out = out.field("response_format");
    match format {
        Format::Text => out.object(|out| out.field("type").string("text")),
        Format::JsonObject => out.object(|out| out.field("type").string("json_object")),
        Format::JsonSchema { name, description, schema, strict, extra } => out.object(|out| {
            out.field("type").string("json_schema");
            out.field("json_schema").object(|out| {
                for (member, text) in [("name", name), ("description", description)] {
                    if let Some(text) = text {
                        out.field(member).text(*text);
                    }
                }
                out.field("schema").raw(*schema);
                if let Some(strict) = strict {
                    out.field("strict").bool(*strict);
                }
                write_members(extra, out);
            });
        }),
        Format::Other(json) => out.raw(*json),
    }
}

fn message(turn: &Turn<'_>, out: &mut Writer) {
    out.object(|out| {
        match (turn.role, turn.parts.first()) {
            (Role::Tool, Some(Part::ToolResult(answer))) => result(answer, out),
            (role, _) => said(role, turn, out),
        }
        write_members(&turn.extra, out);
    });
}

fn result(result: &ToolResult<'_>, out: &mut Writer) {
    match result.id {
        Some(CallId::Made(_)) => out.field("role").string("function"),
        _ => out.field("role").string("tool"),
    }
    if let Some(CallId::Given(id)) = result.id {
        out.field("tool_call_id").text(id);
    }
    if let Some(name) = result.name {
        out.field("name").text(name);
    }
    let parts: Vec<&Part<'_>> = result.content.iter().collect();
    contents(&parts, result.shape, out);
}

fn said(role: Role, turn: &Turn<'_>, out: &mut Writer) {
    out.field("role").string(match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    });
    let refusal_inside = Mark::RefusalPart.is_in(&turn.extra);
    let (mut inside, mut calls, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
    for part in &turn.parts {
        match part {
            Part::ToolCall(ToolCall { id: Some(CallId::Made(_)), name, arguments, .. }) => {
                out.field("function_call").object(|out| named_arguments(*name, *arguments, out));
            }
            Part::ToolCall(_) => calls.push(part),
            Part::Other(json) if role == Role::Assistant && is_raw_call(*json) => calls.push(part),
            Part::Thinking(thinking) if Mark::Continued.is_in(&thinking.extra) => {}
            Part::Thinking(thinking) if !is_chunk(thinking) => thoughts.push(thinking),
            Part::Refusal(text) if !refusal_inside => out.field("refusal").text(*text),
            _ => inside.push(part),
        }
    }
    if role == Role::Assistant {
        thoughts::write(&thoughts, &turn.extra, out);
    }
    contents(&inside, turn.shape, out);
    if !calls.is_empty() || Mark::EmptyList.is_in(&turn.extra) {
        out.field("tool_calls").array(|out| calls.iter().for_each(|part| call(part, out)));
    }
}

/// Whether a thought stood in the list of contents rather than beside it.
fn is_chunk(thinking: &Thinking<'_>) -> bool {
    member(&thinking.extra, "type").is_some() && !Mark::Detail.is_in(&thinking.extra)
}

fn call(part: &Part<'_>, out: &mut Writer) {
    let call = match part {
        Part::ToolCall(call) => call,
        Part::Other(json) => return out.raw(*json),
        _ => return,
    };
    out.object(|out| {
        if let Some(CallId::Given(id)) = call.id {
            out.field("id").text(id);
        }
        if let Arguments::Plain(input) = call.arguments {
            out.field("type").string("custom");
            out.field("custom").object(|out| {
                out.field("name").text(call.name);
                out.field("input").text(input);
            });
            return write_members(&call.extra, out);
        }
        if !Mark::Untyped.is_in(&call.extra) {
            out.field("type").string("function");
        }
        if member(&call.extra, "function").is_none() {
            out.field("function").object(|out| named_arguments(call.name, call.arguments, out));
        }
        if let Some(signature) = call.signature {
            proof::beside_call(signature, out);
        }
        write_members(&call.extra, out);
    });
}

fn named_arguments(name: Text<'_>, arguments: Arguments<'_>, out: &mut Writer) {
    out.field("name").text(name);
    match arguments {
        Arguments::Encoded(text) => out.field("arguments").text(text),
        Arguments::Object(json) => out.field("arguments").raw(json),
        Arguments::Plain(_) => arguments.write_encoded(out.field("arguments")),
    }
}

/// `content`: absent when nothing stood there (a null is in the turn's `extra`).
fn contents(parts: &[&Part<'_>], shape: Shape, out: &mut Writer) {
    match (shape, parts) {
        (Shape::Bare, []) => {}
        (Shape::Bare, [Part::Text { text, .. }]) => out.field("content").text(*text),
        _ => out.field("content").array(|out| parts.iter().for_each(|part| content(part, out))),
    }
}

fn content(part: &Part<'_>, out: &mut Writer) {
    match part {
        Part::Other(json) => out.raw(*json),
        Part::Text { text, extra } => out.object(|out| {
            out.field("type").string("text");
            out.field("text").text(*text);
            write_members(extra, out);
        }),
        Part::Refusal(text) => out.object(|out| {
            out.field("type").string("refusal");
            out.field("refusal").text(*text);
        }),
        Part::Thinking(thinking) => out.object(|out| write_members(&thinking.extra, out)),
        Part::Media(held) => media(held, out),
        Part::ToolCall(_) | Part::ToolResult(_) => {}
    }
}

fn media(media: &Media<'_>, out: &mut Writer) {
    let kind = match (media.kind, Mark::DocumentUrl.is_in(&media.extra)) {
        (MediaKind::Image, _) => "image_url",
        (MediaKind::Video, _) => "video_url",
        (MediaKind::Audio, _) => "input_audio",
        (MediaKind::Document, true) => "document_url",
        (MediaKind::Document, false) => "file",
    };
    let beside = |name: &Text<'_>| !name.is("detail") && !name.is("filename");
    out.object(|out| {
        out.field("type").string(kind);
        if member(&media.extra, kind).is_none() {
            out.field(kind);
            holder(kind, media, out);
        }
        let extra: Vec<_> = media.extra.iter().filter(|(name, _)| beside(name)).copied().collect();
        write_members(&extra, out);
    });
}

/// What stands in the member that is named like the type.
fn holder(kind: &str, media: &Media<'_>, out: &mut Writer) {
    if Mark::BareUrl.is_in(&media.extra) || kind == "document_url" {
        return address(media.source, out);
    }
    out.object(|out| {
        match (kind, media.source) {
            ("input_audio", Source::Data { mime, base64 }) => {
                out.field("data").text(base64);
                if let Some((format, _)) = SOUNDS.iter().find(|(_, known)| mime.is(known)) {
                    out.field("format").string(format);
                }
            }
            ("file", Source::File(id)) => out.field("file_id").text(id),
            ("file", source) => address(source, out.field("file_data")),
            (_, source) => address(source, out.field("url")),
        }
        let known = media.extra.iter().filter(|(name, _)| name.is("detail") || name.is("filename"));
        known.for_each(|(name, value)| out.field_text(*name).raw(*value));
    });
}

/// An address, or the bytes as a `data:` one.
pub(super) fn address(source: Source<'_>, out: &mut Writer) {
    match source {
        Source::Data { mime, base64 } => {
            let piece = crate::dialect::ascii_text;
            out.texts([piece("data:"), mime, piece(";base64,"), base64]);
        }
        Source::Url { url, .. } => out.text(url),
        Source::File(id) => out.text(id),
    }
}
