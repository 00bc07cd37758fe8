//! Notes about how something was written, for writing it the same way again.
//!
//! A mark is a member of some `extra` whose name begins with a control character. No member of a wire document can have such
//! a name (JSON demands an escape there), so marks never collide; their value is null, so that no other dialect reports them
//! as dropped. Only this dialect writes its own `extra`, so a mark never reaches a wire.
//!
//! Why not words in the hub: which of two equivalent spellings a caller used is nobody else's business.

use crate::hub::Extra;
use crate::json::{Json, Member, Text, Writer};

/// How something was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// `"stream": false` was said rather than left out.
    StreamFalse,
    /// `stream_options` were exactly `{"include_usage":true}`.
    UsageWanted,
    /// The function stood in `functions`.
    Legacy,
    /// The choice stood in `function_call`.
    LegacyChoice,
    /// `"tool_choice": "any"`, Mistral's word for `required`.
    AnyChoice,
    /// `tools` or `tool_calls` were an empty list.
    EmptyList,
    /// A tool or a call had no `type`.
    Untyped,
    /// The function's `description` was null.
    NullDescription,
    /// The function's `parameters` were null.
    NullParameters,
    /// The function's `strict` was null.
    NullStrict,
    /// An image's address stood without an object around it.
    BareUrl,
    /// A document's address stood in `document_url`, as Mistral has it.
    DocumentUrl,
    /// The refusal stood in the list of contents.
    RefusalPart,
}

impl Mark {
    fn name(self) -> &'static str {
        match self {
            Mark::StreamFalse => "\u{1}stream_false",
            Mark::UsageWanted => "\u{1}usage_wanted",
            Mark::Legacy => "\u{1}legacy",
            Mark::LegacyChoice => "\u{1}legacy_choice",
            Mark::AnyChoice => "\u{1}any",
            Mark::EmptyList => "\u{1}empty",
            Mark::Untyped => "\u{1}untyped",
            Mark::NullDescription => "\u{1}null_description",
            Mark::NullParameters => "\u{1}null_parameters",
            Mark::NullStrict => "\u{1}null_strict",
            Mark::BareUrl => "\u{1}bare_url",
            Mark::DocumentUrl => "\u{1}document_url",
            Mark::RefusalPart => "\u{1}refusal_part",
        }
    }

    /// Leaves the note.
    pub(super) fn put(self, extra: &mut Extra<'_>) {
        extra.push((Text::escaped(self.name()), Json::NULL));
    }

    /// Whether the note was left.
    pub(super) fn is_in(self, extra: &[Member<'_>]) -> bool {
        extra.iter().any(|(name, _)| name.raw() == self.name())
    }
}

/// Writes the members of `extra` that came from a wire.
pub(super) fn write_members(extra: &[Member<'_>], out: &mut Writer) {
    for (name, value) in extra.iter().filter(|(name, _)| !name.raw().starts_with('\u{1}')) {
        out.field_text(*name).raw(*value);
    }
}

/// The member of `extra` with that name.
pub(super) fn member<'a>(extra: &[Member<'a>], wanted: &str) -> Option<Json<'a>> {
    extra.iter().find(|(name, _)| name.is(wanted)).map(|(_, value)| *value)
}

/// Writes the proof of a thought as Gemini's compatible endpoint has it, beside a call's `function`.
pub(super) fn thought_signature(signature: Text<'_>, out: &mut Writer) {
    out.field("extra_content").object(|out| {
        out.field("google").object(|out| out.field("thought_signature").text(signature));
    });
}
