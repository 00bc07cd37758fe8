//! The parts of a turn.

use super::spelling::{self, mark, note};
use crate::hub::{
    Arguments, CallId, Extra, Media, MediaKind, Part, Role, Shape, Source, Thinking, ToolCall, ToolResult,
};
use crate::json::{Json, Kind, Text};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

/// The calls of the latest model turn, so that results without an id find theirs by name and order.
#[derive(Default)]
pub(super) struct Calls<'a> {
    made: usize,
    open: BTreeMap<Cow<'a, str>, VecDeque<CallId<'a>>>,
    answering: bool,
}

impl<'a> Calls<'a> {
    /// A turn begins. Results answer the turn right before them, so a new turn of the model forgets older calls.
    pub(super) fn turn(&mut self, role: Role) {
        if role == Role::Assistant && self.answering {
            self.open.clear();
            self.answering = false;
        }
    }

    fn call(&mut self, id: Option<Text<'a>>, name: Text<'a>) -> CallId<'a> {
        let id = id.map_or(CallId::Made(self.made), CallId::Given);
        self.made += 1;
        self.open.entry(name.decode()).or_default().push_back(id);
        id
    }

    fn result(&mut self, name: Text<'a>) -> Option<CallId<'a>> {
        self.answering = true;
        self.open.get_mut(&name.decode())?.pop_front()
    }
}

/// What a part is besides its marks.
enum Kernel<'a> {
    None,
    Text(Text<'a>),
    Inline(Json<'a>),
    File(Json<'a>),
    Call(Json<'a>),
    Result(Json<'a>),
}

/// What a part of this API is to the hub: itself and, behind it, its proof, when that is none of a thought or a call.
pub(super) type Parts<'a> = core::iter::Chain<core::iter::Once<Part<'a>>, core::option::IntoIter<Part<'a>>>;

/// Understands a part; `None` when it is not an object. What does not look as expected is kept as it is.
pub(super) fn read_part<'a>(part: Json<'a>, calls: &mut Calls<'a>) -> Option<Parts<'a>> {
    let mut proof = None;
    let part = read_kernel(part, calls, &mut proof)?;
    Some(core::iter::once(part).chain(proof))
}

fn read_kernel<'a>(part: Json<'a>, calls: &mut Calls<'a>, behind: &mut Option<Part<'a>>) -> Option<Part<'a>> {
    if part.kind() != Kind::Object {
        return None;
    }
    let mut kernel = Kernel::None;
    let mut thought = None;
    let mut signature = None;
    let mut extra = Vec::new();
    for (name, value) in part.members() {
        let word = name.decode();
        let (next, usual) = match (word.as_ref(), value.kind()) {
            ("text", Kind::String) => (value.text().map(Kernel::Text), "text"),
            ("inlineData" | "inline_data", Kind::Object) => (Some(Kernel::Inline(value)), "inlineData"),
            ("fileData" | "file_data", Kind::Object) => (Some(Kernel::File(value)), "fileData"),
            ("functionCall" | "function_call", Kind::Object) => (Some(Kernel::Call(value)), "functionCall"),
            ("functionResponse" | "function_response", Kind::Object) => {
                (Some(Kernel::Result(value)), "functionResponse")
            }
            ("thought", Kind::Bool) => {
                thought = value.bool();
                continue;
            }
            ("thoughtSignature" | "thought_signature", Kind::String) => {
                signature = Some((name, value));
                continue;
            }
            _ => {
                extra.push((name, value));
                continue;
            }
        };
        if !matches!(kernel, Kernel::None) {
            // Two kinds at once: not a part of this API.
            return Some(Part::Other(part));
        }
        kernel = next.unwrap_or(Kernel::None);
        note(&mut extra, name, usual);
    }
    let signs = matches!(kernel, Kernel::Text(_) | Kernel::Inline(_) | Kernel::File(_)) && thought != Some(true);
    let proof = signature.filter(|_| signs);
    let assembled = assemble(kernel, thought, signature.filter(|_| !signs), extra, calls);
    *behind = proof.filter(|_| assembled.is_some()).map(proof_of_the_part_before);
    Some(assembled.unwrap_or(Part::Other(part)))
}

/// The proof of words and media as a thought without words, which is what others know such proofs as.
fn proof_of_the_part_before<'a>((name, value): (Text<'a>, Json<'a>)) -> Part<'a> {
    let mut extra = vec![mark(spelling::SIGNS)];
    note(&mut extra, name, "thoughtSignature");
    Part::Thinking(Thinking { text: Text::EMPTY, signature: value.text(), extra })
}

fn assemble<'a>(
    kernel: Kernel<'a>,
    thought: Option<bool>,
    signature: Option<(Text<'a>, Json<'a>)>,
    mut extra: Extra<'a>,
    calls: &mut Calls<'a>,
) -> Option<Part<'a>> {
    let is_thought = thought == Some(true);
    if thought == Some(false) {
        extra.push(mark(spelling::NOT_A_THOUGHT));
    }
    let proof = signature.and_then(|(_, value)| value.text());
    match kernel {
        Kernel::Text(_) | Kernel::None if is_thought => {
            let text = match kernel {
                Kernel::Text(text) => text,
                _ => {
                    extra.push(mark(spelling::NO_TEXT));
                    Text::EMPTY
                }
            };
            note_signature(&mut extra, signature);
            Some(Part::Thinking(Thinking { text, signature: proof, extra }))
        }
        // Thoughts of these kinds do not exist.
        _ if is_thought => None,
        Kernel::None => None,
        Kernel::Call(call) => {
            note_signature(&mut extra, signature);
            read_call(call, proof, extra, calls).map(Part::ToolCall)
        }
        Kernel::Text(text) => Some(Part::Text { text, extra }),
        Kernel::Inline(data) => read_inline(data, extra).map(Part::Media),
        Kernel::File(file) => read_file(file, extra).map(Part::Media),
        Kernel::Result(result) => {
            extra.extend(signature);
            read_result(result, extra, calls).map(Part::ToolResult)
        }
    }
}

fn note_signature<'a>(extra: &mut Extra<'a>, signature: Option<(Text<'a>, Json<'a>)>) {
    if let Some((name, _)) = signature {
        note(extra, name, "thoughtSignature");
    }
}

fn read_inline<'a>(data: Json<'a>, mut extra: Extra<'a>) -> Option<Media<'a>> {
    let (mut mime, mut base64) = (None, None);
    extra.push(mark(spelling::WITHIN));
    for (name, value) in data.members() {
        match (name.decode().as_ref(), value.text()) {
            ("mimeType" | "mime_type", Some(text)) => {
                mime = Some(text);
                note(&mut extra, name, "mimeType");
            }
            ("data", Some(text)) => base64 = Some(text),
            _ => extra.push((name, value)),
        }
    }
    let (mime, base64) = (mime?, base64?);
    Some(Media { kind: kind_of(mime), source: Source::Data { mime, base64 }, extra })
}

fn read_file<'a>(file: Json<'a>, mut extra: Extra<'a>) -> Option<Media<'a>> {
    let (mut mime, mut uri) = (None, None);
    extra.push(mark(spelling::WITHIN));
    for (name, value) in file.members() {
        match (name.decode().as_ref(), value.text()) {
            ("mimeType" | "mime_type", Some(text)) => mime = Some((name, value, text)),
            ("fileUri" | "file_uri", Some(text)) => {
                uri = Some(text);
                note(&mut extra, name, "fileUri");
            }
            _ => extra.push((name, value)),
        }
    }
    let uri = uri?;
    let kind = mime.map_or(MediaKind::Document, |(_, _, text)| kind_of(text));
    let source = match is_public(uri) {
        true => {
            if let Some((name, _, _)) = mime {
                note(&mut extra, name, "mimeType");
            }
            Source::Url { url: uri, mime: mime.map(|(_, _, text)| text) }
        }
        false => {
            extra.extend(mime.map(|(name, value, _)| (name, value)));
            Source::File(uri)
        }
    };
    Some(Media { kind, source, extra })
}

/// Whether anybody may fetch the address. The API's own file store has web addresses too, for the key's owner only.
fn is_public(uri: Text<'_>) -> bool {
    let uri = uri.decode();
    let is_web = uri.starts_with("https://") || uri.starts_with("http://");
    is_web && !["/v1beta/files/", "/v1/files/", "/v1alpha/files/"].iter().any(|store| uri.contains(store))
}

/// The kind that a media type says.
pub(super) fn kind_of(mime: Text<'_>) -> MediaKind {
    match mime.decode().split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

fn read_call<'a>(
    call: Json<'a>,
    signature: Option<Text<'a>>,
    mut extra: Extra<'a>,
    calls: &mut Calls<'a>,
) -> Option<ToolCall<'a>> {
    let (mut id, mut called, mut arguments) = (None, None, None);
    extra.push(mark(spelling::WITHIN));
    for (name, value) in call.members() {
        match (name.decode().as_ref(), value.kind()) {
            ("id", Kind::String) => id = value.text(),
            ("name", Kind::String) => called = value.text(),
            ("args", Kind::Object) => arguments = Some(value),
            _ => extra.push((name, value)),
        }
    }
    let name = called?;
    if arguments.is_none() {
        extra.push(mark(spelling::NO_ARGS));
    }
    let arguments = Arguments::Object(arguments.unwrap_or(Json::EMPTY_OBJECT));
    let id = Some(calls.call(id, name));
    Some(ToolCall { id, namespace: None, name, arguments, signature, extra })
}

fn read_result<'a>(result: Json<'a>, mut extra: Extra<'a>, calls: &mut Calls<'a>) -> Option<ToolResult<'a>> {
    let (mut id, mut called, mut response, mut media) = (None, None, None, Vec::new());
    extra.push(mark(spelling::WITHIN));
    for (name, value) in result.members() {
        match (name.decode().as_ref(), value.kind()) {
            ("id", Kind::String) => id = value.text(),
            ("name", Kind::String) => called = value.text(),
            ("response", Kind::Object) => response = Some(value),
            ("parts", Kind::Array) => match read_media(value) {
                Some(read) if !read.is_empty() => media = read,
                _ => extra.push((name, value)),
            },
            _ => extra.push((name, value)),
        }
    }
    let name = called?;
    let paired = calls.result(name);
    if id.is_none() {
        extra.push(mark(spelling::NO_ID));
    }
    // The API's convention: a member `error` says that the tool failed.
    let failure = response.and_then(|response| response.get("error")).filter(|error| !error.is_null());
    let error = failure.is_some().then_some(true);
    let content = response.map(read_response).into_iter().chain(media).collect();
    let id = id.map(CallId::Given).or(paired);
    Some(ToolResult { id, name: Some(name), content, shape: Shape::List, error, extra })
}

/// What a function said: words where the response is nothing but one of the customary members, else the response itself.
fn read_response<'a>(response: Json<'a>) -> Part<'a> {
    let mut members = response.members();
    let (Some((name, value)), None) = (members.next(), members.next()) else { return Part::Other(response) };
    let customary = match name.raw() {
        "output" => spelling::OUTPUT,
        "result" => spelling::RESULT,
        "error" => spelling::ERROR,
        _ => return Part::Other(response),
    };
    match value.text() {
        Some(text) => Part::Text { text, extra: vec![mark(customary)] },
        None => Part::Other(response),
    }
}

/// The media of a result, when all its parts are media.
fn read_media<'a>(parts: Json<'a>) -> Option<Vec<Part<'a>>> {
    parts.items().map(read_one_media).collect()
}

fn read_one_media<'a>(part: Json<'a>) -> Option<Part<'a>> {
    let mut read = read_part(part, &mut Calls::default())?;
    let media = read.next().filter(|part| matches!(part, Part::Media(_)));
    // A proof has no place here.
    media.filter(|_| read.next().is_none())
}
