//! Reads what is inside of a message or of a tool's output: words alone, or a list of parts.

use crate::dialect::ascii_text;
use crate::hub::{Extra, Media, MediaKind, Part, Shape, Source};
use crate::json::{Json, Kind, Text};

/// The formats of `input_audio` and their media types.
const SOUNDS: [(&str, &str); 2] = [("wav", "audio/wav"), ("mp3", "audio/mp3")];

/// What a file without a `data:` address is, told by how its name ends.
const ENDINGS: [(&str, &str); 4] =
    [(".pdf", "application/pdf"), (".txt", "text/plain"), (".md", "text/markdown"), (".csv", "text/csv")];

/// Reads a content; `None` when it is neither a string nor a list of objects.
pub(super) fn read(content: Json<'_>) -> Option<(Vec<Part<'_>>, Shape)> {
    if let Some(text) = content.text() {
        return Some((vec![Part::Text { text, extra: Vec::new() }], Shape::Bare));
    }
    let fits = content.kind() == Kind::Array && content.items().all(|item| item.kind() == Kind::Object);
    fits.then(|| (content.items().map(|item| part(item).unwrap_or(Part::Other(item))).collect(), Shape::List))
}

fn part(part: Json<'_>) -> Option<Part<'_>> {
    match part.get("type")?.text()?.decode().as_ref() {
        "input_text" | "output_text" | "text" => words(part),
        "refusal" => part.get("refusal")?.text().map(Part::Refusal),
        "input_image" => image(part),
        "input_file" => file(part),
        "input_audio" => sound(part),
        _ => None,
    }
}

fn words(part: Json<'_>) -> Option<Part<'_>> {
    let mut text = None;
    let mut extra = Extra::new();
    for (name, value) in part.members().filter(|(_, value)| !value.is_null()) {
        match name.decode().as_ref() {
            "type" => {}
            "text" => text = value.text(),
            "annotations" | "logprobs" if value.items().next().is_none() => {}
            _ => extra.push((name, value)),
        }
    }
    Some(Part::Text { text: text?, extra })
}

fn image(part: Json<'_>) -> Option<Part<'_>> {
    let mut source = None;
    let mut extra = Extra::new();
    for (name, value) in part.members().filter(|(_, value)| !value.is_null()) {
        match name.decode().as_ref() {
            "type" => {}
            // Some clients wrap the address as chat completions does.
            "image_url" => source = Some(address(value.text().or_else(|| value.get("url")?.text())?)),
            "file_id" => source = Some(Source::File(value.text()?)),
            // What is so anyway.
            "detail" if value.text().is_some_and(|word| word.is("auto")) => {}
            _ => extra.push((name, value)),
        }
    }
    Some(Part::Media(Media { kind: MediaKind::Image, source: source?, extra }))
}

fn file(part: Json<'_>) -> Option<Part<'_>> {
    let (mut data, mut url, mut id, mut label) = (None, None, None, None);
    let mut extra = Extra::new();
    for (name, value) in part.members().filter(|(_, value)| !value.is_null()) {
        match name.decode().as_ref() {
            "type" => {}
            "file_data" => data = Some(value.text()?),
            "file_url" => url = Some(value.text()?),
            "file_id" => id = Some(value.text()?),
            _ => {
                label = if name.is("filename") { value.text() } else { label };
                extra.push((name, value));
            }
        }
    }
    let source = match (data, url, id) {
        (Some(data), ..) => match address(data) {
            // Bytes without an address: the name must tell what they are.
            Source::Url { url, .. } => Source::Data { mime: ascii_text(ending(label?)?), base64: url },
            source => source,
        },
        (None, Some(url), _) => Source::Url { url, mime: None },
        (None, None, id) => Source::File(id?),
    };
    let kind = match source {
        Source::Data { mime, .. } => kind_of(mime),
        _ => MediaKind::Document,
    };
    Some(Part::Media(Media { kind, source, extra }))
}

fn ending(name: Text<'_>) -> Option<&'static str> {
    let name = name.decode().to_ascii_lowercase();
    ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, mime)| *mime)
}

fn kind_of(mime: Text<'_>) -> MediaKind {
    let mime = mime.decode();
    match mime.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

fn sound(part: Json<'_>) -> Option<Part<'_>> {
    let inside = part.get("input_audio")?;
    let format = inside.get("format")?.text()?;
    let (_, mime) = SOUNDS.iter().find(|(known, _)| format.is(known))?;
    let source = Source::Data { mime: ascii_text(mime), base64: inside.get("data")?.text()? };
    Some(Part::Media(Media { kind: MediaKind::Audio, source, extra: Vec::new() }))
}

/// An address as it is, or the bytes that a `data:` one holds.
fn address(url: Text<'_>) -> Source<'_> {
    let held = url.raw().strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match held {
        Some((kind, bytes)) => {
            // What follows the type are its parameters.
            let mime = kind.split(';').next().unwrap_or(kind);
            Source::Data { mime: Text::escaped(mime), base64: Text::escaped(bytes) }
        }
        None => Source::Url { url, mime: None },
    }
}
