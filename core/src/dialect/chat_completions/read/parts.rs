//! Reads contents: a text alone, or a list of typed parts. A part of unknown type or form is kept as it is.

use crate::dialect::chat_completions::mark::Mark;
use crate::dialect::{ReadError, ascii_text};
use crate::hub::{Extra, Media, MediaKind, Part, Shape, Source, Thinking};
use crate::json::{Json, Kind, Member, Text};

/// Takes a `content` that is not null.
pub(super) fn contents<'a>(value: Json<'a>, place: &str) -> Result<(Vec<Part<'a>>, Shape), ReadError> {
    if let Some(text) = value.text() {
        return Ok((vec![Part::Text { text, extra: Vec::new() }], Shape::Bare));
    }
    if value.kind() != Kind::Array {
        return Err(ReadError::new(place, "must be a string or a list"));
    }
    let mut parts = Vec::new();
    for (index, item) in value.items().enumerate() {
        if item.kind() != Kind::Object {
            return Err(ReadError::new(format!("{place}[{index}]"), "must be an object"));
        }
        match thought(item) {
            Some(thoughts) => parts.extend(thoughts),
            None => parts.push(part(item).unwrap_or(Part::Other(item))),
        }
    }
    Ok((parts, Shape::List))
}

fn part<'a>(item: Json<'a>) -> Option<Part<'a>> {
    let kind = item.get("type")?.text()?;
    match kind.decode().as_ref() {
        "text" => {
            let (text, extra) = split(item, "text");
            Some(Part::Text { text: text?.text()?, extra })
        }
        "refusal" => {
            let (refusal, extra) = split(item, "refusal");
            extra.is_empty().then_some(Part::Refusal(refusal?.text()?))
        }
        "image_url" => address(item, "image_url", MediaKind::Image),
        "video_url" => address(item, "video_url", MediaKind::Video),
        "document_url" => document(item),
        "input_audio" => audio(item),
        "file" => file(item),
        _ => None,
    }
}

/// The member that matters, and the rest without the type.
fn split<'a>(item: Json<'a>, wanted: &str) -> (Option<Json<'a>>, Extra<'a>) {
    let mut found = None;
    let mut extra = Extra::new();
    for (name, value) in item.members() {
        match name.decode().as_ref() {
            "type" => {}
            word if word == wanted => found = Some(value),
            _ => extra.push((name, value)),
        }
    }
    (found, extra)
}

/// A thinking chunk: its words are a string, or a list of text chunks as Mistral has it. The first thought keeps the whole chunk,
/// so that it can be written again.
fn thought<'a>(item: Json<'a>) -> Option<Vec<Part<'a>>> {
    let kind = item.get("type")?.text()?;
    let words = item.get("thinking").filter(|_| kind.is("thinking"))?;
    let texts: Option<Vec<Text<'a>>> = match words.text() {
        Some(text) => Some(vec![text]),
        None if words.kind() == Kind::Array => words.items().map(|chunk| chunk.get("text")?.text()).collect(),
        None => None,
    };
    let mut texts = texts?.into_iter();
    let first = texts.next().unwrap_or(Text::EMPTY);
    let mut parts = vec![Part::Thinking(Thinking { text: first, signature: None, extra: item.members().collect() })];
    for text in texts {
        let mut extra = Extra::new();
        Mark::Continued.put(&mut extra);
        parts.push(Part::Thinking(Thinking { text, signature: None, extra }));
    }
    Some(parts)
}

/// `{"type":"image_url","image_url":{"url":"…","detail":"…"}}`, the address perhaps without an object around it.
fn address<'a>(item: Json<'a>, member: &'static str, kind: MediaKind) -> Option<Part<'a>> {
    let (holder, mut extra) = split(item, member);
    let holder = holder?;
    if extra.iter().any(|(name, _)| name.is("detail")) {
        return None;
    }
    let url = match holder.kind() {
        Kind::String => {
            Mark::BareUrl.put(&mut extra);
            holder.text()?
        }
        _ => inner(holder, "url", &["detail"], ascii_text(member), &mut extra)?,
    };
    Some(Part::Media(Media { kind, source: source(url), extra }))
}

/// The text member `wanted` of `holder`. Its members named in `known` go to `extra`; with any other one, the whole holder does,
/// under its `name`, so that it can be written again.
fn inner<'a>(
    holder: Json<'a>,
    wanted: &str,
    known: &[&str],
    name: Text<'a>,
    extra: &mut Extra<'a>,
) -> Option<Text<'a>> {
    let is_known = |(name, _): &Member<'a>| known.iter().any(|word| name.is(word));
    let others: Extra<'a> = holder.members().filter(|(name, _)| !name.is(wanted)).collect();
    match others.iter().all(is_known) {
        true => extra.extend(others),
        false => extra.push((name, holder)),
    }
    holder.get(wanted)?.text()
}

fn document(item: Json<'_>) -> Option<Part<'_>> {
    let (url, mut extra) = split(item, "document_url");
    Mark::DocumentUrl.put(&mut extra);
    let source = source(url?.text()?);
    Some(Part::Media(Media { kind: MediaKind::Document, source, extra }))
}

/// Formats of sound and their media types; OpenAI takes the first two.
pub(in crate::dialect::chat_completions) const SOUNDS: [(&str, &str); 6] = [
    ("wav", "audio/wav"),
    ("mp3", "audio/mp3"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("aac", "audio/aac"),
    ("aiff", "audio/aiff"),
];

fn audio(item: Json<'_>) -> Option<Part<'_>> {
    let (holder, extra) = split(item, "input_audio");
    let holder = holder.filter(|holder| holder.members().count() == 2)?;
    let format = holder.get("format")?.text()?;
    let (_, mime) = SOUNDS.iter().find(|(name, _)| format.is(name))?;
    let source = Source::Data { mime: ascii_text(mime), base64: holder.get("data")?.text()? };
    Some(Part::Media(Media { kind: MediaKind::Audio, source, extra }))
}

/// `{"type":"file","file":{"file_id":"…"}}` or `{…"file":{"filename":"…","file_data":"data:…"}}`.
fn file(item: Json<'_>) -> Option<Part<'_>> {
    let (holder, mut extra) = split(item, "file");
    let holder = holder?;
    let name = ascii_text("file");
    if extra.iter().any(|(name, _)| name.is("filename")) {
        return None;
    }
    let source = match (holder.get("file_id"), holder.get("file_data")) {
        (Some(_), None) => Source::File(inner(holder, "file_id", &["filename"], name, &mut extra)?),
        (None, Some(_)) => match source(inner(holder, "file_data", &["filename"], name, &mut extra)?) {
            Source::Url { url, .. } if !url.raw().starts_with("http") => return None,
            source => source,
        },
        _ => return None,
    };
    Some(Part::Media(Media { kind: MediaKind::Document, source, extra }))
}

/// What an address holds: `data:<type>;base64,<bytes>` holds the bytes, anything else is an address.
fn source(url: Text<'_>) -> Source<'_> {
    let inline = url.raw().strip_prefix("data:").and_then(|rest| rest.split_once(','));
    let data = inline.and_then(|(head, base64)| Some((head.strip_suffix(";base64")?, base64)));
    match data {
        Some((mime, base64)) if !mime.contains(';') && !mime.is_empty() => {
            Source::Data { mime: Text::escaped(mime), base64: Text::escaped(base64) }
        }
        _ => Source::Url { url, mime: None },
    }
}
