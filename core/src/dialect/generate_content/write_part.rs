//! The parts of a turn, written as this API's own clients wrote them. Those of others: [`super::foreign_part`].

use super::spelling::{self, Spelled};
use crate::hub::{Arguments, CallId, Media, Part, Source, Thinking, ToolCall, ToolResult};
use crate::json::{Member, Text, Writer};

/// Writes the parts of one turn: into an open list, or one where a list is not due. Of the calls of one turn the first is
/// signed; where nobody signed it, the word for that may be demanded.
pub(super) fn parts(parts: &[Part<'_>], unsigned: Option<Text<'_>>, out: &mut Writer) {
    let mut unsigned = unsigned;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 && proof(part).is_some() {
            continue;
        }
        let is_call = matches!(part, Part::ToolCall(_));
        own_part(part, parts.get(index + 1).and_then(proof), unsigned.filter(|_| is_call), out);
        unsigned = unsigned.filter(|_| !is_call);
    }
}

/// The proof of the part before it, which is what this thought is.
fn proof<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Thinking<'a>> {
    match part {
        Part::Thinking(thought) if spelling::marked(&thought.extra, spelling::SIGNS) => Some(thought),
        _ => None,
    }
}

fn own_part(part: &Part<'_>, proof: Option<&Thinking<'_>>, unsigned: Option<Text<'_>>, out: &mut Writer) {
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
            Part::ToolCall(call) => own_call(call, unsigned, &spelled, &inner, out),
            Part::ToolResult(result) => own_result(result, &spelled, &inner, out),
            Part::Other(_) => {}
        }
        if let Some(proof) = proof {
            own_proof(proof, out);
        }
        if spelled.marked(spelling::NOT_A_THOUGHT) {
            out.field("thought").bool(false);
        }
        spelled.rest(out);
    });
}

fn own_proof(proof: &Thinking<'_>, out: &mut Writer) {
    if let Some(signature) = proof.signature {
        let name = Spelled::new(&proof.extra).name("thoughtSignature", &["thought_signature"]);
        out.field(name).text(signature);
    }
}

fn own_thinking(thinking: &Thinking<'_>, spelled: &Spelled<'_, '_>, out: &mut Writer) {
    if spelled.marked(spelling::SIGNS) {
        // The part that it proved is gone.
        out.field("text").string("");
        return own_proof(thinking, out);
    }
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
pub(super) fn source(source: Source<'_>, mime_name: &str, uri_name: &str, out: &mut Writer) {
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

fn own_call(
    call: &ToolCall<'_>,
    unsigned: Option<Text<'_>>,
    spelled: &Spelled<'_, '_>,
    inner: &Spelled<'_, '_>,
    out: &mut Writer,
) {
    out.field(spelled.name("functionCall", &["function_call"])).object(|out| {
        if let Some(CallId::Given(id)) = call.id {
            out.field("id").text(id);
        }
        out.field("name").text(call.name);
        if let (false, Arguments::Object(arguments)) = (inner.marked(spelling::NO_ARGS), call.arguments) {
            out.field("args").raw(arguments);
        }
        inner.rest(out);
    });
    if let Some(signature) = call.signature.or(unsigned) {
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
            own_response(part, out);
        }
        if result.content.iter().any(|part| is_media(&part)) {
            out.field("parts")
                .array(|out| result.content.iter().filter(is_media).for_each(|part| own_part(part, None, None, out)));
        }
        inner.rest(out);
    });
}

fn own_response(part: &Part<'_>, out: &mut Writer) {
    match part {
        Part::Other(response) => out.field("response").raw(*response),
        Part::Text { text, extra } => {
            let names = [(spelling::OUTPUT, "output"), (spelling::RESULT, "result"), (spelling::ERROR, "error")];
            let name = names.iter().find(|(mark, _)| spelling::marked(extra, mark)).map_or("output", |(_, name)| name);
            out.field("response").object(|out| out.field(name).text(*text));
        }
        _ => {}
    }
}
