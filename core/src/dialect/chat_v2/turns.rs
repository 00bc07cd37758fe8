//! Writes the conversation.
//!
//! One turn may become several messages: the results of tools come first, each its own message right behind the calls; what
//! else the turn says follows, after the pictures that were in the results, for which a `tool` message has no place.

use super::write::Ask;
use crate::catalog::ThinkingStyle;
use crate::dialect::Written;
use crate::hub::{CallId, Media, MediaKind, Part, Role, Source, Thinking, ToolCall, ToolResult, Turn};
use crate::json::{Json, Text, Writer};

/// What stands between two thoughts that become one.
const BREAK: &str = r"\n\n";

/// Writes `messages`.
pub(super) fn write(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let turns = &ask.request.turns;
    let mut calls = Calls::default();
    out.field("messages").array(|out| {
        for turn in turns {
            ask.written.lose("messages[].", &turn.extra);
            write_turn(turn, &mut calls, ask, out);
        }
    });
}

/// The ids of calls that were given none: the n-th call of the conversation is `call_<n>`, found again by its name.
#[derive(Default)]
struct Calls<'r, 'a> {
    count: usize,
    unanswered: Vec<(&'r ToolCall<'a>, usize)>,
}

impl<'r, 'a> Calls<'r, 'a> {
    fn begin(&mut self, call: &'r ToolCall<'a>) -> CallId<'a> {
        let number = self.count;
        self.count += 1;
        if call.id.is_none() {
            self.unanswered.push((call, number));
        }
        call.id.unwrap_or(CallId::Made(number))
    }

    /// The call that a result answers: the first of its name without an answer, else the first without one.
    fn answer(&mut self, result: &ToolResult<'a>) -> CallId<'a> {
        if let Some(id) = result.id {
            return id;
        }
        let is_named =
            |(call, _): &(&ToolCall<'_>, usize)| result.name.is_some_and(|name| name.raw() == call.name.raw());
        let place = self.unanswered.iter().position(is_named).unwrap_or(0);
        match place < self.unanswered.len() {
            true => CallId::Made(self.unanswered.remove(place).1),
            false => CallId::Made(self.count),
        }
    }
}

fn write_turn<'r, 'a>(turn: &'r Turn<'a>, calls: &mut Calls<'r, 'a>, ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let (mut pictures, mut rest) = (Vec::new(), Vec::new());
    for part in &turn.parts {
        match part {
            Part::ToolResult(answer) => result(answer, calls.answer(answer), &mut pictures, ask, out),
            part => rest.push(part),
        }
    }
    match turn.role {
        Role::Assistant => {
            words("user", &pictures, ask, out);
            assistant(&rest, calls, ask, out);
        }
        Role::System | Role::Developer => words("system", &rest, ask, out),
        Role::User | Role::Tool => {
            pictures.extend(rest);
            words("user", &pictures, ask, out);
        }
    }
}

fn result<'r, 'a>(
    result: &'r ToolResult<'a>,
    id: CallId<'_>,
    pictures: &mut Vec<&'r Part<'a>>,
    ask: &mut Ask<'_, '_>,
    out: &mut Writer,
) {
    if result.error == Some(true) {
        ask.written.approximate("messages[].content[].is_error");
    }
    ask.written.lose("messages[].content[].", &result.extra);
    let mut said = Vec::new();
    for part in &result.content {
        match part {
            Part::Media(_) => pictures.push(part),
            Part::Text { .. } | Part::Refusal(_) | Part::Other(_) => said.push(part),
            Part::Thinking(_) | Part::ToolCall(_) | Part::ToolResult(_) => ask.written.drop_part(part),
        }
    }
    out.object(|out| {
        out.field("role").string("tool");
        id.write(out.field("tool_call_id"));
        let out = out.field("content");
        match said.as_slice() {
            [] => out.text(Text::EMPTY),
            [one] => said_by_tool(one, ask, out),
            several => out.array(|out| {
                several.iter().for_each(|part| {
                    out.object(|out| {
                        out.field("type").string("text");
                        said_by_tool(part, ask, out.field("text"));
                    });
                });
            }),
        }
    });
}

/// Writes what a tool said as a string; a result as JSON is said as the text of it.
fn said_by_tool(part: &Part<'_>, ask: &mut Ask<'_, '_>, out: &mut Writer) {
    match part {
        Part::Text { text, extra } => {
            ask.written.lose("messages[].content[].content[].", extra);
            out.text(*text);
        }
        Part::Refusal(text) => out.text(*text),
        Part::Other(json) => out.string(json.as_str()),
        _ => out.text(Text::EMPTY),
    }
}

/// A message of words and pictures; none when nothing of it can be said, as the provider refuses empty ones.
fn words(role: &str, parts: &[&Part<'_>], ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let mut said = Vec::new();
    for part in parts {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => {}
            Part::Text { .. } | Part::Refusal(_) => said.push(*part),
            Part::Media(media) if role == "user" && address(media.source).is_some() && is_picture(media) => {
                said.push(*part);
            }
            part => ask.written.drop_part(part),
        }
    }
    if said.is_empty() {
        return;
    }
    out.object(|out| {
        out.field("role").string(role);
        content(&said, ask, out.field("content"));
    });
}

fn content(parts: &[&Part<'_>], ask: &mut Ask<'_, '_>, out: &mut Writer) {
    match parts {
        [Part::Text { text, extra }] => {
            ask.written.lose("messages[].content[].", extra);
            out.text(*text);
        }
        [Part::Refusal(text)] => out.text(*text),
        parts => out.array(|out| parts.iter().for_each(|part| self::part(part, ask, out))),
    }
}

fn part(part: &Part<'_>, ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let written = &mut ask.written;
    out.object(|out| match part {
        Part::Text { text, extra } => {
            written.lose("messages[].content[].", extra);
            out.field("type").string("text");
            out.field("text").text(*text);
        }
        Part::Refusal(text) => {
            out.field("type").string("text");
            out.field("text").text(*text);
        }
        Part::Thinking(thought) => {
            rest_of_thought(thought, written);
            out.field("type").string("thinking");
            out.field("thinking").text(thought.text);
        }
        Part::Media(media) => {
            let detail = media.extra.iter().find(|(name, _)| name.is("detail")).map(|(_, value)| *value);
            written.lose("messages[].content[].", &without_detail(media));
            out.field("type").string("image_url");
            out.field("image_url").object(|out| {
                if let Some(pieces) = address(media.source) {
                    out.field("url").texts(pieces);
                }
                if let Some(detail) = detail {
                    out.field("detail").raw(detail);
                }
            });
        }
        // Nobody puts these into a content.
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Other(_) => {}
    });
}

/// What stood beside a thought's words is of no meaning without its proof.
fn rest_of_thought(thought: &Thinking<'_>, written: &mut Written) {
    for (name, _) in thought.extra.iter().filter(|(_, value)| !value.is_null()) {
        written.approximate(&format!("messages[].thinking.{}", name.decode()));
    }
}

fn without_detail<'a>(media: &Media<'a>) -> Vec<(Text<'a>, Json<'a>)> {
    media.extra.iter().filter(|(name, _)| !name.is("detail")).copied().collect()
}

fn is_picture(media: &Media<'_>) -> bool {
    media.kind == MediaKind::Image
}

/// The pieces of an address that holds the bytes or says where they are; none for another provider's file.
fn address(source: Source<'_>) -> Option<[Text<'_>; 4]> {
    let (prefix, joint) = (crate::dialect::ascii_text("data:"), crate::dialect::ascii_text(";base64,"));
    match source {
        Source::Data { mime, base64 } => Some([prefix, mime, joint, base64]),
        Source::Url { url, .. } => Some([url, Text::EMPTY, Text::EMPTY, Text::EMPTY]),
        Source::File(_) => None,
    }
}

fn assistant<'r, 'a>(parts: &[&'r Part<'a>], calls: &mut Calls<'r, 'a>, ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let (mut said, mut called, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts.iter().copied() {
        match part {
            Part::ToolCall(call) => called.push((call, calls.begin(call))),
            Part::Thinking(thought) if thought.text.is_empty() => {}
            Part::Thinking(_) if matches!(ask.to.thinking, ThinkingStyle::Words | ThinkingStyle::Tokens) => {
                said.push(part);
            }
            Part::Thinking(thought) => {
                rest_of_thought(thought, &mut ask.written);
                thoughts.push(thought.text);
            }
            Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => {}
            Part::Text { .. } | Part::Refusal(_) => said.push(part),
            part => ask.written.drop_part(part),
        }
    }
    if called.is_empty() && !thoughts.is_empty() {
        // Models that do not think take no thoughts, and the plan belongs to calls.
        ask.written.approximate("messages[].thinking");
    }
    if said.is_empty() && called.is_empty() {
        return;
    }
    out.object(|out| {
        out.field("role").string("assistant");
        if !said.is_empty() {
            content(&said, ask, out.field("content"));
        }
        if called.is_empty() {
            return;
        }
        if !thoughts.is_empty() {
            let breaks = core::iter::once(Text::EMPTY).chain(core::iter::repeat(Text::escaped(BREAK)));
            out.field("tool_plan").texts(breaks.zip(thoughts).flat_map(|(before, thought)| [before, thought]));
        }
        out.field("tool_calls").array(|out| called.iter().for_each(|(call, id)| self::call(call, *id, ask, out)));
    });
}

fn call(call: &ToolCall<'_>, id: CallId<'_>, ask: &mut Ask<'_, '_>, out: &mut Writer) {
    ask.written.lose("messages[].tool_calls[].", &call.extra);
    out.object(|out| {
        id.write(out.field("id"));
        out.field("type").string("function");
        out.field("function").object(|out| {
            ask.names.write(call.name, out.field("name"));
            let out = out.field("arguments");
            match call.arguments.object() {
                Some(object) => out.string(&object),
                // A model's broken arguments are history: kept readable, in an object as the provider expects.
                None => {
                    let mut wrapped = Writer::new();
                    wrapped.object(|out| call.arguments.write_encoded(out.field("arguments")));
                    out.string(wrapped.as_str());
                }
            }
        });
    });
}
