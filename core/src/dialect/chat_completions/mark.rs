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
    /// `stream_options` had `"include_usage":true`.
    UsageWanted,
    /// `stream_options` had `"include_usage":false`.
    UsageUnwanted,
    /// `stream_options` had `"include_obfuscation":true`.
    Obfuscated,
    /// `stream_options` had `"include_obfuscation":false`.
    Plain,
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
    /// The choice named a tool of plain words.
    CustomChoice,
    /// How much to think stood in `reasoning.effort`, as OpenRouter has it.
    EffortInside,
    /// It stood in `reasoning.max_tokens`.
    BudgetInside,
    /// It stood in `reasoning.enabled`.
    EnabledInside,
    /// It stood in `thinking`, whose type was a word for on or off.
    Thinking,
    /// It stood in `thinking`, whose type was `adaptive`.
    ThinkingAdaptive,
    /// It stood in `enable_thinking`.
    EnableThinking,
    /// The thought stood in `reasoning_content`.
    ReasoningContent,
    /// The thought stood in `reasoning`.
    Reasoning,
    /// An empty thought stood in `reasoning_content`.
    NoReasoningContent,
    /// An empty thought stood in `reasoning`.
    NoReasoning,
    /// The thought stood in `reasoning_details`.
    Detail,
    /// The thought goes on; the one before it is written for both.
    Continued,
}

/// Members that say what holds anyhow: their names, their marks, their values. Nothing is lost when nobody says them.
const DEFAULTS: [(&str, &str, &str); 6] = [
    ("logprobs", "\u{1}=logprobs", "false"),
    ("store", "\u{1}=store", "false"),
    ("service_tier", "\u{1}=service_tier", "\"auto\""),
    ("modalities", "\u{1}=modalities", "[\"text\"]"),
    ("logit_bias", "\u{1}=logit_bias", "{}"),
    ("metadata", "\u{1}=metadata", "{}"),
];

/// Members of `stream_options` and their marks.
const STREAM_OPTIONS: [(&str, bool, Mark); 4] = [
    ("include_usage", true, Mark::UsageWanted),
    ("include_usage", false, Mark::UsageUnwanted),
    ("include_obfuscation", true, Mark::Obfuscated),
    ("include_obfuscation", false, Mark::Plain),
];

/// Whether a member says what holds anyhow.
pub(super) fn is_default(name: &str, value: Json<'_>) -> bool {
    DEFAULTS.iter().any(|(known, _, usual)| *known == name && *usual == value.as_str())
}

/// Writes the members that said what holds anyhow.
pub(super) fn write_defaults(extra: &[Member<'_>], out: &mut Writer) {
    for (name, mark, usual) in DEFAULTS {
        if extra.iter().any(|(known, _)| known.raw() == mark) {
            out.field(name).raw(Json::trusted(usual));
        }
    }
}

/// Writes `stream_options` as they were, if their marks are there.
pub(super) fn write_stream_options(extra: &[Member<'_>], out: &mut Writer) {
    let said = || STREAM_OPTIONS.iter().filter(|(_, _, mark)| mark.is_in(extra));
    if said().next().is_some() {
        out.field("stream_options").object(|out| said().for_each(|(name, value, _)| out.field(name).bool(*value)));
    }
}

impl Mark {
    /// Notes a member that says what holds anyhow.
    pub(super) fn put_default(name: &str, extra: &mut Extra<'_>) {
        if let Some((_, mark, _)) = DEFAULTS.iter().find(|(known, _, _)| *known == name) {
            extra.push((Text::escaped(mark), Json::NULL));
        }
    }

    /// The mark of a member of `stream_options`.
    pub(super) fn of_stream_option(name: Text<'_>, value: Json<'_>) -> Option<Mark> {
        let value = value.bool()?;
        let known = STREAM_OPTIONS.iter().find(|(known, said, _)| name.is(known) && *said == value);
        known.map(|(_, _, mark)| *mark)
    }

    fn name(self) -> &'static str {
        match self {
            Mark::StreamFalse => "\u{1}stream_false",
            Mark::UsageWanted => "\u{1}usage_wanted",
            Mark::UsageUnwanted => "\u{1}usage_unwanted",
            Mark::Obfuscated => "\u{1}obfuscated",
            Mark::Plain => "\u{1}plain",
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
            Mark::CustomChoice => "\u{1}custom_choice",
            Mark::EffortInside => "\u{1}reasoning.effort",
            Mark::BudgetInside => "\u{1}reasoning.max_tokens",
            Mark::EnabledInside => "\u{1}reasoning.enabled",
            Mark::Thinking => "\u{1}thinking",
            Mark::ThinkingAdaptive => "\u{1}thinking.adaptive",
            Mark::EnableThinking => "\u{1}enable_thinking",
            Mark::ReasoningContent => "\u{1}reasoning_content",
            Mark::Reasoning => "\u{1}reasoning",
            Mark::NoReasoningContent => "\u{1}no_reasoning_content",
            Mark::NoReasoning => "\u{1}no_reasoning",
            Mark::Detail => "\u{1}detail",
            Mark::Continued => "\u{1}continued",
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
