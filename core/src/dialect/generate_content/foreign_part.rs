//! The parts of a turn of another dialect, written in this API's words.
//!
//! | said | written |
//! |---|---|
//! | a thought with its proof | `thought: true`, and the proof as a part of its own, which is how the API gives it |
//! | a proof behind words | with the words |
//! | a thought without a proof | nothing: it is not this model's, and its words would pass for the answer |
//! | a call that nobody signed | where the model demands one, the word for that, on the first call of a turn |
//! | a call whose arguments are no JSON object | `{"arguments": "…"}`, the text as it was |
//! | a result that is an object | itself, else `{"output": "…"}`; of a tool that failed `{"error": …}` |
//! | pictures within a result | beside it: only newer models take them within, all take them there |

use super::write_part::source;
use super::write_request::Writing;
use crate::hub::{CallId, Media, Part, Source, Thinking, ToolCall, ToolResult, Turn};
use crate::json::{Json, Kind, Text, Writer};

/// Whether something of the turn can be said; an empty turn would be refused.
pub(super) fn says(turn: &Turn<'_>) -> bool {
    turn.parts.iter().any(|part| match part {
        Part::Text { text, .. } | Part::Refusal(text) => !text.is_empty(),
        Part::Media(media) => !matches!(media.source, Source::File(_)),
        Part::Thinking(thought) => thought.signature.is_some(),
        Part::ToolCall(_) | Part::ToolResult(_) => true,
        Part::Other(_) => false,
    })
}

/// Writes parts into an open list; they become one turn.
pub(super) fn parts<'p, 'a: 'p>(
    writing: &mut Writing<'_, 'a>,
    parts: impl Iterator<Item = &'p Part<'a>>,
    out: &mut Writer,
) {
    let mut unsigned = writing.unsigned();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let signature = match part {
            Part::ToolCall(call) => call.signature.or(unsigned),
            Part::Text { text, .. } if !text.is_empty() => parts.peek().and_then(|next| bare_proof(next)),
            _ => None,
        };
        match part {
            // Only the first call of a turn is signed.
            Part::ToolCall(_) => unsigned = None,
            Part::Text { .. } if signature.is_some() => drop(parts.next()),
            _ => {}
        }
        write(writing, part, signature, out);
    }
}

/// The proof that a thought without words is.
fn bare_proof<'a>(part: &Part<'a>) -> Option<Text<'a>> {
    match part {
        Part::Thinking(thought) if thought.text.is_empty() => thought.signature,
        _ => None,
    }
}

fn write<'a>(writing: &mut Writing<'_, 'a>, part: &Part<'a>, signature: Option<Text<'_>>, out: &mut Writer) {
    match part {
        Part::Text { text, extra } => {
            words(*text, signature, out);
            writing.written.lose("messages[].content[].", extra);
        }
        Part::Refusal(text) => words(*text, None, out),
        Part::Media(media) => write_media(writing, media, out),
        Part::Thinking(thought) => write_thought(writing, thought, out),
        Part::ToolCall(call) => write_call(writing, call, signature, out),
        Part::ToolResult(result) => write_result(writing, result, out),
        Part::Other(other) => writing.written.lose_raw("messages[].content[].", *other),
    }
}

fn words(text: Text<'_>, signature: Option<Text<'_>>, out: &mut Writer) {
    if text.is_empty() && signature.is_none() {
        return;
    }
    out.object(|out| {
        out.field("text").text(text);
        if let Some(signature) = signature {
            out.field("thoughtSignature").text(signature);
        }
    });
}

fn write_thought(writing: &mut Writing<'_, '_>, thought: &Thinking<'_>, out: &mut Writer) {
    let Some(signature) = thought.signature else {
        return writing.written.approximate("messages[].thinking");
    };
    if !thought.text.is_empty() {
        out.object(|out| {
            out.field("text").text(thought.text);
            out.field("thought").bool(true);
        });
    }
    words(Text::EMPTY, Some(signature), out);
}

fn write_media<'a>(writing: &mut Writing<'_, 'a>, media: &Media<'a>, out: &mut Writer) {
    let (name, place) = match media.source {
        Source::Data { .. } => ("inlineData", media.source),
        Source::Url { url, mime } => ("fileData", Source::Url { url, mime: mime.or_else(|| mime_of_url(url)) }),
        Source::File(_) => return writing.written.drop("messages[].content[].file_id"),
    };
    out.object(|out| out.field(name).object(|out| source(place, "mimeType", "fileUri", out)));
    writing.written.lose("messages[].content[].", &media.extra);
}

/// The media types of the endings that pictures and documents have; a URL does not say its type, and the API asks for it.
const ENDINGS: [(&str, &str); 13] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".gif", "image/gif"),
    (".heic", "image/heic"),
    (".pdf", "application/pdf"),
    (".txt", "text/plain"),
    (".mp3", "audio/mp3"),
    (".wav", "audio/wav"),
    (".mp4", "video/mp4"),
    (".mov", "video/mov"),
    (".webm", "video/webm"),
];

fn mime_of_url(url: Text<'_>) -> Option<Text<'static>> {
    let decoded = url.decode();
    let path = decoded.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let (_, mime) = ENDINGS.iter().find(|(ending, _)| path.ends_with(ending))?;
    Text::plain(mime)
}

fn write_call<'a>(writing: &mut Writing<'_, 'a>, call: &ToolCall<'a>, signature: Option<Text<'_>>, out: &mut Writer) {
    let arguments = call.arguments.object();
    if arguments.is_none() {
        writing.written.approximate("messages[].tool_calls[].function.arguments");
    }
    out.object(|out| {
        out.field("functionCall").object(|out| {
            if let Some(CallId::Given(id)) = call.id {
                out.field("id").text(id);
            }
            writing.names.write(call.name, out.field("name"));
            match &arguments {
                Some(object) => out.field("args").raw(Json::trusted(object)),
                // A model's broken arguments are history: kept readable, in an object as the API demands.
                None => out.field("args").object(|out| call.arguments.write_encoded(out.field("arguments"))),
            }
        });
        if let Some(signature) = signature {
            out.field("thoughtSignature").text(signature);
        }
    });
    writing.written.lose("messages[].tool_calls[].", &call.extra);
}

fn write_result<'a>(writing: &mut Writing<'_, 'a>, result: &ToolResult<'a>, out: &mut Writer) {
    // The API goes by name: that of the call, then what the result itself says.
    let name = result.id.and_then(|id| writing.name_of_call(id)).or(result.name);
    // A result nobody called for is the provider's to refuse.
    let name = name.unwrap_or(Text::escaped("unknown"));
    out.object(|out| {
        out.field("functionResponse").object(|out| {
            if let Some(CallId::Given(id)) = result.id {
                out.field("id").text(id);
            }
            writing.names.write(name, out.field("name"));
            out.field("response");
            response(result, out);
        });
    });
    for part in &result.content {
        match part {
            Part::Text { extra, .. } => writing.written.lose("messages[].content[].", extra),
            Part::Other(other) if other.kind() == Kind::Object && other.get("type").is_some() => {
                writing.written.lose_raw("messages[].content[].", *other);
            }
            _ => {}
        }
    }
    writing.written.lose("messages[].content[].", &result.extra);
}

/// Writes what the tool said as the object that the API wants: itself when it is one, else under the customary name.
fn response(result: &ToolResult<'_>, out: &mut Writer) {
    let texts = || {
        result.content.iter().filter_map(|part| match part {
            Part::Text { text, .. } | Part::Refusal(text) => Some(*text),
            _ => None,
        })
    };
    let mut all = texts();
    let only = all.next().filter(|_| all.next().is_none());
    let name = if result.error == Some(true) { "error" } else { "output" };
    let decoded = only.filter(|text| text.raw().trim_start().starts_with('{')).map(Text::decode);
    let object = decoded.as_ref().and_then(|text| Json::parse(text.as_bytes()).ok());
    match object.filter(|json| json.kind() == Kind::Object) {
        Some(object) if result.error != Some(true) => out.raw(object),
        Some(object) => out.object(|out| out.field(name).raw(object)),
        None => {
            let between = Text::escaped("\\n");
            let lines =
                texts().enumerate().flat_map(|(index, text)| (index > 0).then_some(between).into_iter().chain([text]));
            out.object(|out| out.field(name).texts(lines));
        }
    }
}

/// Writes what tools showed, behind all results.
pub(super) fn media_of_results<'p, 'a: 'p>(
    writing: &mut Writing<'_, 'a>,
    parts: impl Iterator<Item = &'p Part<'a>>,
    out: &mut Writer,
) {
    for part in parts {
        let Part::ToolResult(result) = part else { continue };
        for part in &result.content {
            if let Part::Media(media) = part {
                write_media(writing, media, out);
            }
        }
    }
}
