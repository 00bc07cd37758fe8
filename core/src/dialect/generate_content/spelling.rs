//! How a request was spelled, for giving it back the same way.
//!
//! Google's servers take every member in two spellings, `maxOutputTokens` and `max_output_tokens`, take one object where a
//! list is due, and do not care whether `"thought": false` is said or left out. The hub keeps what is meant; the law of
//! identity wants the spelling as well. It stands in the `extra` lists as **marks**: members with the value null, which
//! other dialects pass over, as a null says nothing.
//!
//! - `("\u{1}spelled", null), ("max_output_tokens", null)` – the member that the hub has a value for was spelled so.
//! - `("\u{1}…", null)` – a fact about the spelling; the constants below.
//! - `("\u{2}…", null)` – a **section**: what follows, up to the next section, stood within that object. So the members of
//!   `generationConfig` that the hub has no word for can lie in `Request::extra`, under their own names.
//!
//! No member of a document can have such names: JSON demands an escape for control characters.

use crate::json::{Json, Member, Text, Writer};

/// The next member's name is how a member that was understood was spelled.
const SPELLED: &str = "\u{1}spelled";

/// Members within `generationConfig`.
pub(super) const CONFIG: &str = "\u{2}generationConfig";
/// Members within `toolConfig`.
pub(super) const TOOL_CONFIG: &str = "\u{2}toolConfig";
/// Members within `functionCallingConfig`.
pub(super) const CALLING: &str = "\u{2}functionCallingConfig";
/// Members within a part's `inlineData`, `fileData`, `functionCall` or `functionResponse`.
pub(super) const WITHIN: &str = "\u{2}within";
/// Members of the tool object whose first function carries this section: its function begins a new tool object.
pub(super) const TOOL: &str = "\u{2}tool";

/// `"thought": false` was said.
pub(super) const NOT_A_THOUGHT: &str = "\u{1}thought:false";
/// This thought is none, but the proof of the part before it.
pub(super) const SIGNS: &str = "\u{1}signs";
/// A thought had no `text`.
pub(super) const NO_TEXT: &str = "\u{1}no-text";
/// A call had no `args`.
pub(super) const NO_ARGS: &str = "\u{1}no-args";
/// A function's result did not say which call it answers.
pub(super) const NO_ID: &str = "\u{1}no-id";
/// What a function said was the text `output` of its response.
pub(super) const OUTPUT: &str = "\u{1}output";
/// What a function said was the text `result` of its response.
pub(super) const RESULT: &str = "\u{1}result";
/// What a function said was the text `error` of its response.
pub(super) const ERROR: &str = "\u{1}error";
/// `parts` was missing.
pub(super) const NO_PARTS: &str = "\u{1}no-parts";
/// The role was left out.
pub(super) const NO_ROLE: &str = "\u{1}no-role";
/// The role was `user`, where another or none is usual.
pub(super) const ROLE_USER: &str = "\u{1}role:user";
/// The role was `model`, where another or none is usual.
pub(super) const ROLE_MODEL: &str = "\u{1}role:model";
/// The role was `system`.
pub(super) const ROLE_SYSTEM: &str = "\u{1}role:system";
/// `tools` was one object instead of a list.
pub(super) const ONE_TOOL: &str = "\u{1}one-tool";
/// `tools` was an empty list.
pub(super) const EMPTY_TOOLS: &str = "\u{1}empty-tools";
/// `functionDeclarations` was one object instead of a list.
pub(super) const ONE_FUNCTION: &str = "\u{1}one-function";
/// A schema came without the media type that belongs to it.
pub(super) const NO_MIME: &str = "\u{1}no-mime";
/// The word for how much to think was not spelled as the API does.
pub(super) const AS_SPELLED: &str = "\u{1}as-spelled";
/// The answer shall be text, which it is unless other things are asked for.
pub(super) const TEXT_ONLY: &str = "\u{1}text-only";
/// The mode of calling was `VALIDATED`: as the model likes, and by the schema.
pub(super) const VALIDATED: &str = "\u{1}validated";
/// Arguments of calls shall come piece by piece.
pub(super) const ARGUMENTS_STREAMED: &str = "\u{1}arguments-streamed";
/// Arguments of calls shall come whole, said explicitly.
pub(super) const ARGUMENTS_WHOLE: &str = "\u{1}arguments-whole";
/// The body named the model, too; the next member's name is what stood before it (`models/`).
pub(super) const MODEL: &str = "\u{1}model";

/// A mark.
pub(super) fn mark(name: &'static str) -> Member<'static> {
    (Text::escaped(name), Json::NULL)
}

/// Notes the spelling of a member that was understood, when it is not the usual one.
pub(super) fn note<'a>(extra: &mut Vec<Member<'a>>, name: Text<'a>, usual: &str) {
    if name.raw() != usual {
        extra.extend([mark(SPELLED), (name, Json::NULL)]);
    }
}

/// Whether `extra` has that mark.
pub(super) fn marked(extra: &[Member<'_>], name: &str) -> bool {
    extra.iter().any(|(known, value)| value.is_null() && known.raw() == name)
}

/// The members outside every section.
pub(super) fn outside<'e, 'a>(extra: &'e [Member<'a>]) -> &'e [Member<'a>] {
    let end = extra.iter().position(is_section).unwrap_or(extra.len());
    extra.get(..end).unwrap_or_default()
}

/// The members within a section, or nothing when there is no such section.
pub(super) fn within<'e, 'a>(extra: &'e [Member<'a>], section: &str) -> Option<&'e [Member<'a>]> {
    let start = extra.iter().position(|member| is_section(member) && member.0.raw() == section)?;
    extra.get(start + 1..).map(outside)
}

fn is_section((name, value): &Member<'_>) -> bool {
    value.is_null() && name.raw().starts_with('\u{2}')
}

/// Writes the members of one object: those with a meaning under the name they came with, then the rest.
pub(super) struct Spelled<'e, 'a>(&'e [Member<'a>]);

impl<'e, 'a> Spelled<'e, 'a> {
    /// For an object whose marks and unknown members are `extra`.
    pub(super) fn new(extra: &'e [Member<'a>]) -> Spelled<'e, 'a> {
        Spelled(outside(extra))
    }

    /// The usual spelling or, where that was the caller's, one of the others.
    pub(super) fn name(&self, usual: &'static str, others: &[&'static str]) -> &'static str {
        let mut spellings = self.0.windows(2).filter_map(|pair| match pair {
            [(known, _), (spelling, _)] if known.raw() == SPELLED => others.iter().find(|other| spelling.is(other)),
            _ => None,
        });
        spellings.next().copied().unwrap_or(usual)
    }

    /// What stood before the model's name in the body, when it stood there.
    pub(super) fn before_model(&self) -> Option<Text<'a>> {
        self.0.windows(2).find_map(|pair| match pair {
            [(known, _), (before, _)] if known.raw() == MODEL => Some(*before),
            _ => None,
        })
    }

    /// Whether there is that mark.
    pub(super) fn marked(&self, name: &str) -> bool {
        marked(self.0, name)
    }

    /// Writes the members that nobody here has a word for.
    pub(super) fn rest(&self, out: &mut Writer) {
        let mut members = self.0.iter();
        while let Some((name, value)) = members.next() {
            if matches!(name.raw(), SPELLED | MODEL) {
                members.next();
            } else if !name.raw().starts_with('\u{1}') {
                out.field_text(*name).raw(*value);
            }
        }
    }
}
