//! Writes the messages of another dialect's request.
//!
//! One turn may become several messages: the results of tools come first, each its own message, because chat completions wants
//! them right behind the calls; what else the turn says follows. Pictures in a result, for which its message has no place,
//! follow as the user's.
//!
//! Thoughts go back only with the proof that the addressee gave for them: OpenAI refuses members it does not know, and servers
//! that show thoughts do not need them again.

use super::Ask;
use crate::dialect::chat_completions::proof::{self, Place};
use crate::dialect::chat_completions::read::SOUNDS;
use crate::dialect::chat_completions::write::own::address;
use crate::dialect::names::Names;
use crate::dialect::{THINKING, Written};
use crate::hub::{CallId, Media, MediaKind, Part, Role, Source, Thinking, ToolCall, ToolResult, Turn};
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
    let (voice, written) = (Voice { names: &ask.names, unsigned: ask.unsigned }, &mut ask.written);
    out.field("messages").array(|out| {
        for turn in &request.turns {
            written.lose("messages[].", &turn.extra);
            write_turn(turn, voice, &mut calls, written, out);
        }
    });
}

/// How the addressee calls the tools, and what it wants to see as the proof of a call that nobody signed.
#[derive(Clone, Copy)]
struct Voice<'v> {
    names: &'v Names,
    unsigned: &'v str,
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
    voice: Voice<'_>,
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
        Role::Assistant => assistant(&moved, voice, calls, written, out),
        // The results were all there was to say.
        _ if answered && moved.is_empty() => {}
        // OpenAI takes both for the same, and most compatible servers know no `developer`.
        Role::System | Role::Developer => words("system", &moved, written, out),
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
        // The words of a failure say that it is one.
        written.approximate("messages[].content[].is_error");
    }
    written.lose("messages[].content[].", &result.extra);
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
                written.lose("messages[].content[].content[].", extra);
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
                written.lose("messages[].content[].", extra);
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
        Part::Media(_) | Part::Other(_) => {
            written.drop_part(part);
            false
        }
        Part::Thinking(_) => {
            written.approximate(THINKING);
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
            written.lose("messages[].content[].", extra);
            text_part(out, |out| out.text(*text));
        }
        Part::Media(held) => {
            // The members that are said as they were.
            let said = |name: &Text<'_>| match held.kind {
                MediaKind::Document => name.is("filename"),
                MediaKind::Image => name.is("detail"),
                MediaKind::Audio | MediaKind::Video => false,
            };
            let extra: Vec<_> = held.extra.iter().filter(|(name, _)| !said(name)).copied().collect();
            written.lose("messages[].content[].", &extra);
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
                match text_member(media, "filename").or(text_member(media, "title")) {
                    Some(name) => out.field("filename").text(name),
                    None => out.field("filename").string(file_name(source)),
                }
                address(source, out.field("file_data"));
            });
        }
        (_, source) => {
            out.field("type").string("image_url");
            out.field("image_url").object(|out| {
                address(source, out.field("url"));
                if let Some(detail) = text_member(media, "detail") {
                    out.field("detail").text(detail);
                }
            });
        }
    });
}

fn text_member<'a>(media: &Media<'a>, wanted: &str) -> Option<Text<'a>> {
    let member = media.extra.iter().find(|(name, _)| name.is(wanted));
    member.and_then(|(_, value)| value.text()).filter(|text| !text.is_empty())
}

fn assistant<'r, 'a>(
    parts: &[&'r Part<'a>],
    voice: Voice<'_>,
    calls: &mut Calls<'r, 'a>,
    written: &mut Written,
    out: &mut Writer,
) {
    let (mut said, mut called, mut refusals, mut thoughts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in parts.iter().copied() {
        match part {
            Part::ToolCall(call) => called.push((call, calls.begin(call))),
            Part::Refusal(text) => refusals.push(*text),
            Part::Thinking(thinking) => thoughts.push(thinking),
            _ if is_sayable("assistant", part, written) => said.push(part),
            _ => {}
        }
    }
    let proofs = Proofs::of(&thoughts, &called, written);
    if said.is_empty() && called.is_empty() && refusals.is_empty() && proofs.is_empty() {
        return; // Only thoughts, which were noted; servers refuse an answer without content.
    }
    out.object(|out| {
        out.field("role").string("assistant");
        match said.as_slice() {
            [] => out.field("content").null(),
            [Part::Text { text, extra }] => {
                written.lose("messages[].content[].", extra);
                out.field("content").text(*text);
            }
            several => {
                out.field("content").array(|out| several.iter().for_each(|part| content(part, written, out)));
            }
        }
        if !refusals.is_empty() {
            out.field("refusal").texts(refusals);
        }
        proof::write(&proofs.0, out);
        if !called.is_empty() {
            let signed = called.iter().any(|(call, _)| call.signature.is_some());
            out.field("tool_calls").array(|out| {
                for (index, (wanted, id)) in called.iter().enumerate() {
                    let unsigned = if signed || index > 0 { "" } else { voice.unsigned };
                    call(wanted, *id, Voice { unsigned, ..voice }, written, out);
                }
            });
        }
    });
}

/// The thoughts that go back with their proofs: words and signature.
struct Proofs<'a>(Vec<(Text<'a>, Text<'a>)>);

impl<'a> Proofs<'a> {
    /// Takes thoughts and the proofs of calls that stand in the message. Words that came just before a proof without words
    /// belong to it: some servers give the proof after the answer has begun.
    fn of(thoughts: &[&Thinking<'a>], called: &[(&ToolCall<'a>, CallId<'a>)], written: &mut Written) -> Proofs<'a> {
        let mut proofs = Vec::new();
        let mut waiting: Option<Text<'a>> = None;
        for thought in thoughts {
            match thought.signature {
                Some(signature) => {
                    let words = if thought.text.is_empty() { waiting.take() } else { None };
                    proofs.push((words.unwrap_or(thought.text), signature));
                }
                None => {
                    let unsaid = waiting.replace(thought.text);
                    note_unsaid(unsaid, written);
                }
            }
        }
        note_unsaid(waiting, written);
        let in_message = |signature: &Text<'a>| !matches!(proof::place(*signature), Place::Unknown);
        let of_calls = called.iter().filter_map(|(call, _)| call.signature).filter(in_message);
        proofs.extend(of_calls.map(|signature| (Text::EMPTY, signature)));
        Proofs(proofs)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn note_unsaid(words: Option<Text<'_>>, written: &mut Written) {
    if words.is_some_and(|words| !words.is_empty()) {
        written.approximate("messages[].thinking");
    }
}

fn call(call: &ToolCall<'_>, id: CallId<'_>, voice: Voice<'_>, written: &mut Written, out: &mut Writer) {
    written.lose("messages[].tool_calls[].", &call.extra);
    out.object(|out| {
        id.write(out.field("id"));
        out.field("type").string("function");
        out.field("function").object(|out| {
            out.field("name").text(voice.names.get(call.name));
            match call.arguments.object() {
                Some(object) => out.field("arguments").string(&object),
                None => call.arguments.write_encoded(out.field("arguments")),
            }
        });
        match call.signature {
            Some(signature) if matches!(proof::place(signature), Place::Unknown) => proof::beside_call(signature, out),
            None if !voice.unsigned.is_empty() => {
                let mut escaped = String::new();
                crate::json::write::escape_into(voice.unsigned, &mut escaped);
                proof::beside_call(Text::escaped(&escaped), out);
            }
            Some(_) | None => {}
        }
    });
}
