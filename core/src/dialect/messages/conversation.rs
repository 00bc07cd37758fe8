//! Turns of another dialect, put into this one's order: system apart, neighbours of one role merged, results of tools first.

use super::hints;
use crate::dialect::{THINKING, Written, is_blank};
use crate::hub::{Media, MediaKind, Part, Request, Role, Shape, Source, Turn};
use crate::json::{Json, Text};

/// A conversation in this dialect's order.
pub(super) struct Conversation<'r, 'a> {
    /// What the operator says.
    pub(super) system: Vec<Words<'a>>,
    /// User and assistant by turns.
    pub(super) messages: Vec<Merged<'r, 'a>>,
}

/// A text, and whether what ends with it is worth caching.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    /// The text.
    pub(super) text: Text<'a>,
    /// The cache mark as it was written.
    pub(super) cache: Option<Json<'a>>,
}

/// One or more neighbouring turns of a role.
pub(super) struct Merged<'r, 'a> {
    /// Whose.
    pub(super) side: Side,
    /// What is said, as far as it can be.
    pub(super) parts: Vec<&'r Part<'a>>,
    /// Bare when it is one text that stood alone.
    pub(super) shape: Shape,
}

/// Whose message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The person's, and the tools'.
    User,
    /// The model's.
    Assistant,
}

impl<'r, 'a> Conversation<'r, 'a> {
    /// Puts the turns in order and reports what can't be said.
    pub(super) fn of(request: &'r Request<'a>, written: &mut Written) -> Conversation<'r, 'a> {
        let mut conversation = Conversation { system: Vec::new(), messages: Vec::new() };
        for turn in &request.turns {
            written.lose("messages[].", &turn.extra);
            match turn.role {
                Role::System | Role::Developer => conversation.add_system(turn, written),
                Role::User | Role::Tool => conversation.add(Side::User, turn, written),
                Role::Assistant => conversation.add(Side::Assistant, turn, written),
            }
        }
        for message in conversation.messages.iter_mut().filter(|message| message.side == Side::User) {
            // Stable, so both the results and the rest keep their order.
            message.parts.sort_by_key(|part| !matches!(part, Part::ToolResult(_)));
        }
        conversation
    }

    fn add_system(&mut self, turn: &'r Turn<'a>, written: &mut Written) {
        if !self.messages.is_empty() {
            // Said before the conversation instead of within it.
            written.approximate("messages[].role");
        }
        for part in &turn.parts {
            match part {
                Part::Text { text, .. } if is_blank(*text) => {}
                Part::Text { text, extra } => {
                    let cache = hints::cache_mark(extra);
                    hints::note_uncached("messages[].content[].", extra, written);
                    self.system.push(Words { text: *text, cache });
                }
                _ => written.drop_part(part),
            }
        }
    }

    fn add(&mut self, side: Side, turn: &'r Turn<'a>, written: &mut Written) {
        let parts: Vec<_> = turn.parts.iter().filter(|part| can_say(part, side, written)).collect();
        if parts.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.side == side => {
                last.parts.extend(parts);
                last.shape = Shape::List;
            }
            _ => self.messages.push(Merged { side, parts, shape: turn.shape }),
        }
    }
}

/// Whether a part can be said on that side; reports it when not.
pub(super) fn can_say(part: &Part<'_>, side: Side, written: &mut Written) -> bool {
    let can = match part {
        Part::Text { text, .. } | Part::Refusal(text) if is_blank(*text) => return false,
        Part::Text { .. } | Part::Refusal(_) => true,
        Part::Media(media) => side == Side::User && can_show(media),
        Part::ToolCall(_) => side == Side::Assistant,
        Part::ToolResult(_) => side == Side::User,
        // What proof is still there is the provider's own; without it thoughts are refused, and models do not need old ones.
        Part::Thinking(thought) if thought.signature.is_none() => {
            if !thought.text.is_empty() {
                written.approximate(THINKING);
            }
            return false;
        }
        Part::Thinking(_) => side == Side::Assistant,
        Part::Other(_) => false,
    };
    if !can {
        written.drop_part(part);
    }
    can
}

fn can_show(media: &Media<'_>) -> bool {
    match (media.kind, media.source) {
        (MediaKind::Image, Source::Data { mime, .. }) => mime.raw().starts_with("image/"),
        (MediaKind::Document, Source::Data { mime, .. }) => mime.is(PDF) || words_of(media).is_some(),
        (MediaKind::Image | MediaKind::Document, Source::Url { url, .. }) => is_web(url),
        (_, Source::File(_)) | (MediaKind::Audio | MediaKind::Video, _) => false,
    }
}

/// The one kind of document that may come as bytes.
const PDF: &str = "application/pdf";

/// The words of a document that is nothing but words (`text/…`, JSON, XML).
pub(super) fn words_of(media: &Media<'_>) -> Option<String> {
    let (MediaKind::Document, Source::Data { mime, base64 }) = (media.kind, media.source) else { return None };
    let mime = mime.decode().to_ascii_lowercase();
    let mime = mime.split(';').next().unwrap_or_default().trim();
    let written = mime.starts_with("text/")
        || ["application/json", "application/xml", "application/yaml", "application/x-yaml"].contains(&mime);
    match written {
        true => super::base64::decoded_text(&base64.decode()),
        false => None,
    }
}

/// Whether the provider can fetch it.
fn is_web(url: Text<'_>) -> bool {
    let url = url.decode();
    url.starts_with("https://") || url.starts_with("http://")
}
