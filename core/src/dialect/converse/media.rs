//! Pictures, sounds, films and documents: the format in one word, the bytes in base64 or in a bucket of the vendor's store.
//!
//! Any other address the service does not fetch, so it cannot be said.

use crate::hub::{Media, MediaKind, Source};
use crate::json::{Text, Writer};

/// What an address in the vendor's own store begins with.
const STORE: &str = "s3://";

/// The formats of a kind: media type, the service's word.
type Formats = &'static [(&'static str, &'static str)];

const IMAGES: Formats = &[
    ("image/png", "png"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
];

const DOCUMENTS: Formats = &[
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("text/x-markdown", "md"),
];

const VIDEOS: Formats = &[
    ("video/x-matroska", "mkv"),
    ("video/quicktime", "mov"),
    ("video/mov", "mov"),
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/flv", "flv"),
    ("video/mpeg", "mpeg"),
    ("video/mpg", "mpg"),
    ("video/x-ms-wmv", "wmv"),
    ("video/wmv", "wmv"),
    ("video/3gpp", "three_gp"),
];

const SOUNDS: Formats = &[
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/opus", "opus"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/wave", "wav"),
    ("audio/vnd.wave", "wav"),
    ("audio/aac", "aac"),
    ("audio/x-aac", "x-aac"),
    ("audio/flac", "flac"),
    ("audio/x-flac", "flac"),
    ("audio/mp4", "mp4"),
    ("audio/m4a", "m4a"),
    ("audio/x-m4a", "m4a"),
    ("audio/ogg", "ogg"),
    ("audio/x-matroska", "mka"),
    ("audio/webm", "webm"),
    ("audio/pcm", "pcm"),
    ("audio/l16", "pcm"),
];

/// A media as the service can be told of it.
#[derive(Clone, Copy)]
pub(super) struct Sayable<'a> {
    /// What it is.
    pub(super) kind: MediaKind,
    format: &'static str,
    place: Place<'a>,
}

#[derive(Clone, Copy)]
enum Place<'a> {
    Bytes(Text<'a>),
    Store(Text<'a>),
}

impl<'a> Sayable<'a> {
    /// How a media is said; `None` when the service has no word for its format or cannot reach it.
    pub(super) fn of(media: &Media<'a>) -> Option<Sayable<'a>> {
        let kind = media.kind;
        let (format, place) = match media.source {
            Source::Data { mime, base64 } => (by_type(kind, mime)?, Place::Bytes(base64)),
            Source::Url { url, mime } if url.raw().starts_with(STORE) => {
                let format = mime.and_then(|mime| by_type(kind, mime)).or_else(|| by_name(kind, url))?;
                (format, Place::Store(url))
            }
            Source::Url { .. } | Source::File(_) => return None,
        };
        Some(Sayable { kind, format, place })
    }

    /// Writes the block's one member. `number` makes a document's name: the service demands different ones, and advises
    /// against telling the model what the caller calls them.
    pub(super) fn write(self, number: usize, out: &mut Writer) {
        let member = match self.kind {
            MediaKind::Image => "image",
            MediaKind::Audio => "audio",
            MediaKind::Video => "video",
            MediaKind::Document => "document",
        };
        out.field(member).object(|out| {
            out.field("format").string(self.format);
            if self.kind == MediaKind::Document {
                out.field("name").string(&format!("document-{number}"));
            }
            out.field("source").object(|out| match self.place {
                Place::Bytes(base64) => out.field("bytes").text(base64),
                Place::Store(url) => out.field("s3Location").object(|out| out.field("uri").text(url)),
            });
        });
    }
}

fn formats(kind: MediaKind) -> Formats {
    match kind {
        MediaKind::Image => IMAGES,
        MediaKind::Audio => SOUNDS,
        MediaKind::Video => VIDEOS,
        MediaKind::Document => DOCUMENTS,
    }
}

/// By the media type, whose parameters (`; charset=utf-8`) say nothing here.
fn by_type(kind: MediaKind, mime: Text<'_>) -> Option<&'static str> {
    let mime = mime.decode().to_ascii_lowercase();
    let essence = mime.split(';').next().unwrap_or_default().trim();
    formats(kind).iter().find(|(known, _)| *known == essence).map(|(_, format)| *format)
}

/// By what stands behind the last dot of an address.
fn by_name(kind: MediaKind, url: Text<'_>) -> Option<&'static str> {
    let url = url.decode().to_ascii_lowercase();
    let ending = match url.rsplit_once('.')?.1 {
        "jpg" => "jpeg",
        "htm" => "html",
        "3gp" => "three_gp",
        ending => ending,
    };
    formats(kind).iter().find(|(_, format)| *format == ending).map(|(_, format)| *format)
}
