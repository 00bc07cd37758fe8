//! What that cannot be said is called.

use crate::hub::{MediaKind, Part, Source};
use crate::json::{Json, Text};

/// What a part that can't be said is called.
pub(super) fn path_of(part: &Part<'_>) -> String {
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

/// The word for a part or tool that only another dialect has: its type, or the name of its first member.
pub(super) fn word_of(json: Json<'_>) -> String {
    let word = json.get("type").and_then(Json::text).or_else(|| json.members().next().map(|(name, _)| name));
    word.map_or_else(|| "unknown".to_string(), |word| word.decode().into_owned())
}

/// Whether there is nothing but white space: the service refuses such texts, and nothing is lost without them.
pub(super) fn is_blank(text: Text<'_>) -> bool {
    let mut rest = text.raw().trim_start();
    while let Some(after) = ["\\n", "\\r", "\\t"].iter().find_map(|escape| rest.strip_prefix(escape)) {
        rest = after.trim_start();
    }
    rest.is_empty()
}
