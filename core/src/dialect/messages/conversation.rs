//! Turns of another dialect, put into this one's order: system apart, neighbours of one role merged, results of tools first.

use crate::dialect::Written;
use crate::hub::{MediaKind, Part, Request, Role, Shape, Source, Turn};
use crate::json::{Json, Text};

/// A conversation in this dialect's order.
pub(super) struct Conversation<'r, 'a> {
    /// What the operator says: texts only.
    pub(super) system: Vec<Text<'a>>,
    /// User and assistant by turns.
    pub(super) messages: Vec<Merged<'r, 'a>>,
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
            written.drop_extra("messages[].", &turn.extra);
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
        for part in &turn.parts {
            match part {
                Part::Text { text, extra } => {
                    written.drop_extra("messages[].content[].", extra);
                    self.system.extend(Some(*text).filter(|text| !is_blank(*text)));
                }
                _ => written.drop(&path_of(part)),
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

/// Whether there is nothing but white space: the provider refuses such blocks, and nothing is lost without them.
fn is_blank(text: Text<'_>) -> bool {
    let mut rest = text.raw().trim_start();
    while let Some(after) = ["\\n", "\\r", "\\t"].iter().find_map(|escape| rest.strip_prefix(escape)) {
        rest = after.trim_start();
    }
    rest.is_empty()
}

/// Whether a part can be said on that side; reports it when not.
pub(super) fn can_say(part: &Part<'_>, side: Side, written: &mut Written) -> bool {
    let can = match part {
        Part::Text { text, .. } | Part::Refusal(text) if is_blank(*text) => return false,
        Part::Text { .. } | Part::Refusal(_) => true,
        Part::Media(media) => {
            let kind_fits = match (media.kind, media.source) {
                (MediaKind::Image, Source::Data { mime, .. }) => mime.raw().starts_with("image/"),
                (MediaKind::Document, Source::Data { mime, .. }) => mime.is("application/pdf"),
                (MediaKind::Image | MediaKind::Document, Source::Url { url, .. }) => is_web(url),
                (_, Source::File(_)) | (MediaKind::Audio | MediaKind::Video, _) => false,
            };
            kind_fits && side == Side::User
        }
        Part::ToolCall(_) => side == Side::Assistant,
        Part::ToolResult(_) => side == Side::User,
        Part::Thinking(_) | Part::Other(_) => false,
    };
    if !can {
        written.drop(&path_of(part));
    }
    can
}

/// Whether the provider can fetch it.
fn is_web(url: Text<'_>) -> bool {
    let url = url.decode();
    url.starts_with("https://") || url.starts_with("http://")
}

/// What a part that can't be said is called in the report.
fn path_of(part: &Part<'_>) -> String {
    let word = match part {
        Part::Thinking(_) => return "messages[].thinking".to_string(),
        Part::Text { .. } => "text",
        Part::Refusal(_) => "refusal",
        Part::ToolCall(_) => "tool_call",
        Part::ToolResult(_) => "tool_result",
        Part::Media(media) => match (media.kind, media.source) {
            (_, Source::File(_)) => "file",
            (MediaKind::Image, _) => "image",
            (MediaKind::Audio, _) => "audio",
            (MediaKind::Video, _) => "video",
            (MediaKind::Document, _) => "document",
        },
        Part::Other(json) => return format!("messages[].content[].{}", word_of(*json)),
    };
    format!("messages[].content[].{word}")
}

/// The word for a part or tool of a foreign dialect: its type, or the name of its first member.
pub(super) fn word_of(json: Json<'_>) -> String {
    let word = json.get("type").and_then(Json::text).or_else(|| json.members().next().map(|(name, _)| name));
    word.map_or_else(|| "unknown".to_string(), |word| word.decode().into_owned())
}
