//! The parts of a turn, written.

use super::spelling::{self, Spelled};
use super::write_request::{Writing, type_of};
use crate::hub::{CallId, Media, Part, Source, Thinking, ToolCall, ToolResult, Turn};
use crate::json::{Json, Kind, Member, Text, Writer};

/// The signature that the API takes for calls it did not make itself, in base64 as every signature. Its newer models refuse
/// a conversation whose calls have none, and another provider's calls cannot have any.
/// Source: the vendor's guide on thought signatures, "migrating from other models".
const NO_SIGNATURE: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

/// Whether something of another dialect's turn can be said; an empty turn would be refused.
pub(super) fn says(turn: &Turn<'_>) -> bool {
    turn.parts.iter().any(|part| match part {
        Part::Text { text, .. } | Part::Refusal(text) => !text.is_empty(),
        Part::Media(media) => !matches!(media.source, Source::File(_)),
        Part::ToolCall(_) | Part::ToolResult(_) => true,
        Part::Thinking(_) | Part::Other(_) => false,
    })
}

/// Writes parts into an open list.
pub(super) fn parts<'a>(writing: &mut Writing<'_, 'a>, parts: &[Part<'a>], out: &mut Writer) {
    if writing.own() {
        return parts.iter().for_each(|part| own_part(part, out));
    }
    let mut unsigned = true;
    for part in parts {
        // Of calls in parallel only the first has a signature.
        let signature = if unsigned { Text::plain(NO_SIGNATURE) } else { None };
        unsigned &= !matches!(part, Part::ToolCall(_));
        foreign_part(writing, part, signature, out);
    }
}

/// Writes one part.
pub(super) fn part<'a>(writing: &mut Writing<'_, 'a>, part: &Part<'a>, out: &mut Writer) {
    match writing.own() {
        true => own_part(part, out),
        false => foreign_part(writing, part, Text::plain(NO_SIGNATURE), out),
    }
}

fn own_part(part: &Part<'_>, out: &mut Writer) {
    let extra: &[Member<'_>] = match part {
        Part::Text { extra, .. } => extra,
        Part::Media(media) => &media.extra,
        Part::Thinking(thinking) => &thinking.extra,
        Part::ToolCall(call) => &call.extra,
        Part::ToolResult(result) => &result.extra,
        Part::Refusal(_) => &[],
        Part::Other(json) => return out.raw(*json),
    };
    let spelled = Spelled::new(extra);
    let within = spelling::within(extra, spelling::WITHIN).unwrap_or_default();
    let inner = Spelled::new(within);
    out.object(|out| {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => out.field("text").text(*text),
            Part::Thinking(thinking) => own_thinking(thinking, &spelled, out),
            Part::Media(media) => own_media(media, &spelled, &inner, out),
            Part::ToolCall(call) => own_call(call, &spelled, &inner, out),
            Part::ToolResult(result) => own_result(result, &spelled, &inner, out),
            Part::Other(_) => {}
        }
        if spelled.marked(spelling::NOT_A_THOUGHT) {
            out.field("thought").bool(false);
        }
        spelled.rest(out);
    });
}

fn own_thinking(thinking: &Thinking<'_>, spelled: &Spelled<'_, '_>, out: &mut Writer) {
    out.field("thought").bool(true);
    if !spelled.marked(spelling::NO_TEXT) {
        out.field("text").text(thinking.text);
    }
    if let Some(signature) = thinking.signature {
        out.field(spelled.name("thoughtSignature", &["thought_signature"])).text(signature);
    }
}

fn own_media(media: &Media<'_>, spelled: &Spelled<'_, '_>, inner: &Spelled<'_, '_>, out: &mut Writer) {
    let name = match media.source {
        Source::Data { .. } => spelled.name("inlineData", &["inline_data"]),
        Source::Url { .. } | Source::File(_) => spelled.name("fileData", &["file_data"]),
    };
    out.field(name).object(|out| {
        source(media.source, inner.name("mimeType", &["mime_type"]), inner.name("fileUri", &["file_uri"]), out);
        inner.rest(out);
    });
}

/// Writes the members that say where the bytes are.
fn source(source: Source<'_>, mime_name: &str, uri_name: &str, out: &mut Writer) {
    match source {
        Source::Data { mime, base64 } => {
            out.field(mime_name).text(mime);
            out.field("data").text(base64);
        }
        Source::Url { url, mime } => {
            if let Some(mime) = mime {
                out.field(mime_name).text(mime);
            }
            out.field(uri_name).text(url);
        }
        Source::File(uri) => out.field(uri_name).text(uri),
    }
}

fn own_call(call: &ToolCall<'_>, spelled: &Spelled<'_, '_>, inner: &Spelled<'_, '_>, out: &mut Writer) {
    out.field(spelled.name("functionCall", &["function_call"])).object(|out| {
        if let Some(CallId::Given(id)) = call.id {
            out.field("id").text(id);
        }
        out.field("name").text(call.name);
        if let (false, crate::hub::Arguments::Object(arguments)) = (inner.marked(spelling::NO_ARGS), call.arguments) {
            out.field("args").raw(arguments);
        }
        inner.rest(out);
    });
    if let Some(signature) = call.signature {
        out.field(spelled.name("thoughtSignature", &["thought_signature"])).text(signature);
    }
}

fn own_result(result: &ToolResult<'_>, spelled: &Spelled<'_, '_>, inner: &Spelled<'_, '_>, out: &mut Writer) {
    out.field(spelled.name("functionResponse", &["function_response"])).object(|out| {
        if let (false, Some(CallId::Given(id))) = (inner.marked(spelling::NO_ID), result.id) {
            out.field("id").text(id);
        }
        if let Some(name) = result.name {
            out.field("name").text(name);
        }
        let is_media = |part: &&Part<'_>| matches!(part, Part::Media(_));
        for part in result.content.iter().filter(|part| !is_media(part)) {
            if let Part::Other(response) = part {
                out.field("response").raw(*response);
            }
        }
        if result.content.iter().any(|part| is_media(&part)) {
            out.field("parts").array(|out| result.content.iter().filter(is_media).for_each(|part| own_part(part, out)));
        }
        inner.rest(out);
    });
}

fn foreign_part<'a>(writing: &mut Writing<'_, 'a>, part: &Part<'a>, unsigned: Option<Text<'_>>, out: &mut Writer) {
    match part {
        Part::Text { text, extra } => {
            if !text.is_empty() {
                out.object(|out| out.field("text").text(*text));
            }
            writing.written.drop_extra("messages[].content[].", extra);
        }
        Part::Refusal(text) if text.is_empty() => {}
        Part::Refusal(text) => out.object(|out| out.field("text").text(*text)),
        Part::Media(media) => foreign_media(writing, media, out),
        // Another provider's thoughts are not this model's, and words without proof would pass for its answer.
        Part::Thinking(_) => writing.written.drop("messages[].thinking"),
        Part::ToolCall(call) => foreign_call(writing, call, unsigned, out),
        Part::ToolResult(result) => foreign_result(writing, result, out),
        Part::Other(other) => writing.written.drop(&format!("messages[].content[].{}", type_of(*other))),
    }
}

fn foreign_media<'a>(writing: &mut Writing<'_, 'a>, media: &Media<'a>, out: &mut Writer) {
    let (name, place) = match media.source {
        Source::Data { .. } => ("inlineData", media.source),
        Source::Url { url, mime } => ("fileData", Source::Url { url, mime: mime.or_else(|| mime_of_url(url)) }),
        Source::File(_) => return writing.written.drop("messages[].content[].file_id"),
    };
    out.object(|out| out.field(name).object(|out| source(place, "mimeType", "fileUri", out)));
    writing.written.drop_extra("messages[].content[].", &media.extra);
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

fn foreign_call<'a>(writing: &mut Writing<'_, 'a>, call: &ToolCall<'a>, unsigned: Option<Text<'_>>, out: &mut Writer) {
    let arguments = call.arguments.object();
    if arguments.is_none() {
        writing.written.drop("messages[].tool_calls[].function.arguments");
    }
    let arguments = arguments.as_deref().map_or(Json::EMPTY_OBJECT, Json::trusted);
    let name = writing.tool_name(call.name);
    out.object(|out| {
        out.field("functionCall").object(|out| {
            if let Some(CallId::Given(id)) = call.id {
                out.field("id").text(id);
            }
            out.field("name").text(Text::escaped(&name));
            out.field("args").raw(arguments);
        });
        if let Some(signature) = call.signature.or(unsigned) {
            out.field("thoughtSignature").text(signature);
        }
    });
    writing.written.drop_extra("messages[].tool_calls[].", &call.extra);
}

fn foreign_result<'a>(writing: &mut Writing<'_, 'a>, result: &ToolResult<'a>, out: &mut Writer) {
    let name = result.name.or_else(|| result.id.and_then(|id| writing.name_of_call(id)));
    // The API wants a name; a result nobody called for is the provider's to refuse.
    let name = name.map_or("unknown".into(), |name| writing.tool_name(name));
    out.object(|out| {
        out.field("functionResponse").object(|out| {
            if let Some(CallId::Given(id)) = result.id {
                out.field("id").text(id);
            }
            out.field("name").text(Text::escaped(&name));
            out.field("response");
            response(result, out);
        });
    });
    for part in &result.content {
        match part {
            Part::Text { extra, .. } => writing.written.drop_extra("messages[].content[].", extra),
            Part::Other(other) => writing.written.drop(&format!("messages[].content[].{}", type_of(*other))),
            _ => {}
        }
    }
    writing.written.drop_extra("messages[].content[].", &result.extra);
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
    let name = if result.error == Some(true) { "error" } else { "result" };
    let decoded = only.filter(|text| text.raw().trim_start().starts_with('{')).map(Text::decode);
    let object = decoded.as_ref().and_then(|text| Json::parse(text.as_bytes()).ok());
    match object.filter(|json| json.kind() == Kind::Object) {
        Some(object) if name == "result" => out.raw(object),
        Some(object) => out.object(|out| out.field(name).raw(object)),
        None => {
            let between = Text::escaped("\\n");
            let lines =
                texts().enumerate().flat_map(|(index, text)| (index > 0).then_some(between).into_iter().chain([text]));
            out.object(|out| out.field(name).texts(lines));
        }
    }
}

/// Writes what tools showed, behind all results: only newer models take pictures within a result, all take them beside it.
pub(super) fn media_of_results<'a>(writing: &mut Writing<'_, 'a>, parts: &[Part<'a>], out: &mut Writer) {
    for part in parts {
        let Part::ToolResult(result) = part else { continue };
        for part in &result.content {
            if let Part::Media(media) = part {
                foreign_media(writing, media, out);
            }
        }
    }
}
