//! Writes the messages of another dialect's request.
//!
//! One turn may become several messages: the results of tools come first, each its own message, because chat completions wants
//! them right behind the calls; what else the turn says follows. Pictures in a result, for which its message has no place,
//! follow as the user's.

use super::{Ask, kind_of};
use crate::dialect::Written;
use crate::dialect::chat_completions::read::SOUNDS;
use crate::dialect::chat_completions::write::names::Names;
use crate::dialect::chat_completions::write::own::address;
use crate::hub::{CallId, Media, MediaKind, Part, Role, Source, ToolCall, ToolResult, Turn};
use crate::json::{Text, Writer};

/// The name of a file that has none: OpenAI demands one beside its bytes, and looks at its ending.
fn file_name(source: Source<'_>) -> &'static str {
    match source {
        Source::Data { mime, .. } if mime.decode().starts_with("text/") => "document.txt",
        _ => "document.pdf",
    }
}

/// Writes `messages`.
pub(super) fn write(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let request = ask.request;
    let mut calls = Calls::default();
    let (names, written) = (&ask.names, &mut ask.written);
    out.field("messages").array(|out| {
        for turn in &request.turns {
            written.drop_extra("messages[].", &turn.extra);
            write_turn(turn, names, &mut calls, written, out);
        }
    });
}

/// The ids of the calls so far, for dialects that do not give any: `call_<n>`, found again by the tool's name.
#[derive(Default)]
struct Calls<'r, 'a> {
    count: usize,
    open: Vec<(&'r ToolCall<'a>, usize)>,
}

impl<'r, 'a> Calls<'r, 'a> {
    /// The id of a call. Counts every call, so that the n-th one is `call_<n>` whoever gave the others' ids.
    fn begin(&mut self, call: &'r ToolCall<'a>) -> CallId<'a> {
        let number = self.count;
        self.count += 1;
        if call.id.is_none() {
            self.open.push((call, number));
        }
        call.id.unwrap_or(CallId::Made(number))
    }

    /// The id of the call that a result answers: the first unanswered one of its name, else the first unanswered one.
    fn answer(&mut self, result: &ToolResult<'a>) -> CallId<'a> {
        if let Some(id) = result.id {
            return id;
        }
        let named = |(call, _): &(&ToolCall<'_>, usize)| result.name.is_some_and(|name| name.raw() == call.name.raw());
        let place = self.open.iter().position(named).unwrap_or(0);
        match place < self.open.len() {
            true => CallId::Made(self.open.remove(place).1),
            false => CallId::Made(self.count),
        }
    }
}

fn write_turn<'r, 'a>(
    turn: &'r Turn<'a>,
    names: &Names,
    calls: &mut Calls<'r, 'a>,
    written: &mut Written,
    out: &mut Writer,
) {
    let (mut moved, mut rest, mut answered) = (Vec::new(), Vec::new(), false);
    for part in &turn.parts {
        match part {
            Part::ToolResult(answer) => {
                result(answer, calls.answer(answer), &mut moved, written, out);
                answered = true;
            }
            _ => rest.push(part),
        }
    }
    moved.extend(rest);
    match turn.role {
        Role::Assistant => assistant(&moved, names, calls, written, out),
        // The results were all there was to say.
        _ if answered && moved.is_empty() => {}
        Role::System => words("system", &moved, written, out),
        Role::Developer => words("developer", &moved, written, out),
        Role::User | Role::Tool => words("user", &moved, written, out),
    }
}

fn result<'r, 'a>(
    result: &'r ToolResult<'a>,
    id: CallId<'a>,
    moved: &mut Vec<&'r Part<'a>>,
    written: &mut Written,
    out: &mut Writer,
) {
    if result.error == Some(true) {
        written.drop("messages[].content[].is_error");
    }
    written.drop_extra("messages[].content[].", &result.extra);
    let mut inside = Vec::new();
    for part in &result.content {
        match part {
            Part::Media(_) => moved.push(part),
            _ => inside.push(part),
        }
    }
    out.object(|out| {
        out.field("role").string("tool");
        id.write(out.field("tool_call_id"));
        match inside.as_slice() {
            [] => out.field("content").string(""),
            [Part::Text { text, extra }] => {
                written.drop_extra("messages[].content[].content[].", extra);
                out.field("content").text(*text);
            }
            // A response object is said as the text of its JSON.
            [Part::Other(json)] => out.field("content").string(json.as_str()),
            several => out.field("content").array(|out| {
                several.iter().for_each(|part| match part {
                    Part::Other(json) => text_part(out, |out| out.string(json.as_str())),
                    other => content(other, written, out),
                })
            }),
        }
    });
}

fn text_part(out: &mut Writer, text: impl FnOnce(&mut Writer)) {
    out.object(|out| {
        out.field("type").string("text");
        text(out.field("text"));
    });
}

/// A turn of words and media. Other dialects put calls and thoughts into the model's turns only.
fn words(role: &str, parts: &[&Part<'_>], written: &mut Written, out: &mut Writer) {
    let sayable: Vec<&Part<'_>> = parts.iter().copied().filter(|part| is_sayable(role, part, written)).collect();
    out.object(|out| {
        out.field("role").string(role);
        match sayable.as_slice() {
            [] => out.field("content").string(""),
            [Part::Text { text, extra }] => {
                written.drop_extra("messages[].content[].", extra);
                out.field("content").text(*text);
            }
            several => {
                out.field("content").array(|out| several.iter().for_each(|part| content(part, written, out)));
            }
        }
    });
}

/// Whether a message of that role has a place for the part; if not, that is noted.
fn is_sayable(role: &str, part: &Part<'_>, written: &mut Written) -> bool {
    match part {
        Part::Text { .. } => true,
        Part::Media(media) if role == "user" && has_form(media) => true,
        Part::Media(media) => {
            written.drop(&format!("messages[].content[].{}", media_kind(media.kind)));
            false
        }
        Part::Thinking(_) => {
            written.drop("messages[].thinking");
            false
        }
        Part::Other(json) => {
            written.drop(&format!("messages[].content[].{}", kind_of(*json)));
            false
        }
        Part::Refusal(_) => {
            written.drop("messages[].refusal");
            false
        }
        Part::ToolCall(_) | Part::ToolResult(_) => {
            written.drop("messages[].tool_calls");
            false
        }
    }
}

fn media_kind(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    }
}

/// Whether OpenAI's specification has a part for it.
fn has_form(media: &Media<'_>) -> bool {
    match (media.kind, media.source) {
        (MediaKind::Image, Source::Data { .. } | Source::Url { .. }) => true,
        (MediaKind::Audio, Source::Data { mime, .. }) => sound(mime).is_some(),
        (MediaKind::Document, Source::Data { .. }) => true,
        // A file of another provider's store, and what is only an address, cannot be fetched from here.
        _ => false,
    }
}

/// The word for a sound's format; OpenAI has two.
fn sound(mime: Text<'_>) -> Option<&'static str> {
    match mime.decode().to_ascii_lowercase().as_str() {
        "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mpeg" => Some("mp3"),
        mime => SOUNDS.iter().take(2).find(|(_, known)| *known == mime).map(|(format, _)| *format),
    }
}

fn content(part: &Part<'_>, written: &mut Written, out: &mut Writer) {
    match part {
        Part::Text { text, extra } => {
            written.drop_extra("messages[].content[].", extra);
            text_part(out, |out| out.text(*text));
        }
        Part::Media(held) => {
            written.drop_extra("messages[].content[].", &held.extra);
            media(held, out);
        }
        _ => {}
    }
}

fn media(media: &Media<'_>, out: &mut Writer) {
    out.object(|out| match (media.kind, media.source) {
        (MediaKind::Audio, Source::Data { mime, base64 }) => {
            out.field("type").string("input_audio");
            out.field("input_audio").object(|out| {
                out.field("data").text(base64);
                out.field("format").string(sound(mime).unwrap_or_default());
            });
        }
        (MediaKind::Document, source) => {
            out.field("type").string("file");
            out.field("file").object(|out| {
                out.field("filename").string(file_name(source));
                address(source, out.field("file_data"));
            });
        }
        (_, source) => {
            out.field("type").string("image_url");
            out.field("image_url").object(|out| address(source, out.field("url")));
        }
    });
}

fn assistant<'r, 'a>(
    parts: &[&'r Part<'a>],
    names: &Names,
    calls: &mut Calls<'r, 'a>,
    written: &mut Written,
    out: &mut Writer,
) {
    let (mut said, mut called, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts.iter().copied() {
        match part {
            Part::ToolCall(call) => called.push((call, calls.begin(call))),
            Part::Refusal(text) => refusals.push(*text),
            _ if is_sayable("assistant", part, written) => said.push(part),
            _ => {}
        }
    }
    if said.is_empty() && called.is_empty() && refusals.is_empty() {
        return; // Only thoughts, which were noted; servers refuse an answer without content.
    }
    out.object(|out| {
        out.field("role").string("assistant");
        match said.as_slice() {
            [] => out.field("content").null(),
            [Part::Text { text, extra }] => {
                written.drop_extra("messages[].content[].", extra);
                out.field("content").text(*text);
            }
            several => {
                out.field("content").array(|out| several.iter().for_each(|part| content(part, written, out)));
            }
        }
        if !refusals.is_empty() {
            out.field("refusal").texts(refusals);
        }
        if !called.is_empty() {
            out.field("tool_calls").array(|out| {
                called.iter().for_each(|(wanted, id)| call(wanted, *id, names, written, out));
            });
        }
    });
}

fn call(call: &ToolCall<'_>, id: CallId<'_>, names: &Names, written: &mut Written, out: &mut Writer) {
    written.drop_extra("messages[].tool_calls[].", &call.extra);
    if call.signature.is_some() {
        written.drop("messages[].tool_calls[].signature");
    }
    out.object(|out| {
        id.write(out.field("id"));
        out.field("type").string("function");
        out.field("function").object(|out| {
            out.field("name").text(names.get(call.name));
            match call.arguments.object() {
                Some(object) => out.field("arguments").string(&object),
                None => call.arguments.write_encoded(out.field("arguments")),
            }
        });
    });
}
