//! What a turn or a result says: from the wire to the hub's parts.

use super::{Mark, take};
use crate::dialect::ReadError;
use crate::hub::{Arguments, CallId, Media, MediaKind, Part, Shape, Source, Thinking, ToolCall, ToolResult};
use crate::json::{Json, Kind, Text};

/// Reads bare words or a list.
pub(super) fn content<'a>(value: Json<'a>, place: &str) -> Result<(Vec<Part<'a>>, Shape), ReadError> {
    if let Some(text) = value.text() {
        return Ok((vec![Part::Text { text, extra: Vec::new() }], Shape::Bare));
    }
    if value.kind() != Kind::Array {
        return Err(ReadError::new(place, "must be a string or a list"));
    }
    let mut parts = Vec::new();
    for (at, item) in value.items().enumerate() {
        if item.kind() != Kind::Object {
            return Err(ReadError::new(format!("{place}[{at}]"), "must be an object"));
        }
        parts.push(part(item));
    }
    Ok((parts, Shape::List))
}

fn part(part: Json<'_>) -> Part<'_> {
    let word = part.get("type").and_then(Json::text).unwrap_or_default();
    let known = match word.decode().as_ref() {
        "text" => text(part),
        "image" => media(part, MediaKind::Image),
        "document" => written_document(part).or_else(|| media(part, MediaKind::Document)),
        "thinking" => thought(part),
        "redacted_thinking" => redacted(part),
        "tool_use" => tool_call(part),
        "tool_result" => tool_result(part),
        _ => None,
    };
    known.unwrap_or(Part::Other(part))
}

fn text(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, text], extra) = take(part, ["type", "text"]);
    Some(Part::Text { text: text?.text()?, extra })
}

/// A document whose source is its words: elsewhere the words can be said as they are.
fn written_document(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, source], mut extra) = take(part, ["type", "source"]);
    let ([word, mime, data], rest) = take(source?, ["type", "media_type", "data"]);
    let plain = word?.text()?.is("text") && mime?.text()?.is("text/plain") && rest.is_empty();
    let text = data?.text().filter(|_| plain)?;
    Mark::set(&mut extra, Mark::DOCUMENT);
    Some(Part::Text { text, extra })
}

/// Whether a part is kept by the provider, so that only the provider can read it.
pub(super) fn is_stored(part: &Part<'_>) -> bool {
    match part {
        Part::Media(media) => matches!(media.source, Source::File(_)),
        Part::ToolResult(result) => result.content.iter().any(is_stored),
        Part::Other(json) => json.get("type").and_then(Json::text).is_some_and(|word| word.is("container_upload")),
        _ => false,
    }
}

fn media(part: Json<'_>, kind: MediaKind) -> Option<Part<'_>> {
    let ([_, source], extra) = take(part, ["type", "source"]);
    let ([word, mime, data, url, file], rest) = take(source?, ["type", "media_type", "data", "url", "file_id"]);
    let word = word?.text()?.decode();
    let source = match (word.as_ref(), mime, data, url, file) {
        ("base64", Some(mime), Some(data), None, None) => Source::Data { mime: mime.text()?, base64: data.text()? },
        ("url", None, None, Some(url), None) => Source::Url { url: url.text()?, mime: None },
        ("file", None, None, None, Some(file)) => Source::File(file.text()?),
        _ => return None,
    };
    rest.is_empty().then_some(Part::Media(Media { kind, source, extra }))
}

fn thought(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, text, signature], extra) = take(part, ["type", "thinking", "signature"]);
    let signature = match signature {
        Some(signature) => Some(signature.text()?),
        None => None,
    };
    Some(Part::Thinking(Thinking { text: text?.text()?, signature, extra }))
}

/// A thought that the provider keeps to itself: what is shown of it is its proof.
fn redacted(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, data], mut extra) = take(part, ["type", "data"]);
    let signature = Some(data?.text()?);
    Mark::set(&mut extra, Mark::REDACTED);
    Some(Part::Thinking(Thinking { text: Text::EMPTY, signature, extra }))
}

fn tool_call(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, id, name, input], extra) = take(part, ["type", "id", "name", "input"]);
    let input = input.filter(|input| input.kind() == Kind::Object)?;
    Some(Part::ToolCall(ToolCall {
        namespace: None,
        id: Some(CallId::Given(id?.text()?)),
        name: name?.text()?,
        arguments: Arguments::Object(input),
        signature: None,
        extra,
    }))
}

fn tool_result(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, id, said, failed], extra) = take(part, ["type", "tool_use_id", "content", "is_error"]);
    // Nothing at all is bare and empty; an empty list is a list.
    let (content, shape) = match said {
        Some(said) => content(said, "").ok()?,
        None => (Vec::new(), Shape::Bare),
    };
    let error = match failed {
        Some(failed) => Some(failed.bool()?),
        None => None,
    };
    let id = Some(CallId::Given(id?.text()?));
    Some(Part::ToolResult(ToolResult { id, name: None, content, shape, error, extra }))
}
