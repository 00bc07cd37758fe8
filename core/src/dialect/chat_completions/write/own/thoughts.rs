//! Writes the thoughts of an earlier answer into the members in which they stood.

use crate::dialect::chat_completions::mark::{Mark, write_members};
use crate::dialect::chat_completions::proof::{self, Place};
use crate::hub::Thinking;
use crate::json::{Member, Text, Writer};

/// Writes the members for `thoughts`; `turn` holds notes about empty ones.
pub(super) fn write(thoughts: &[&Thinking<'_>], turn: &[Member<'_>], out: &mut Writer) {
    for (mark, name) in [(Mark::NoReasoningContent, "reasoning_content"), (Mark::NoReasoning, "reasoning")] {
        if mark.is_in(turn) {
            out.field(name).text(Text::EMPTY);
        }
    }
    let is_detail = |thought: &&&Thinking<'_>| Mark::Detail.is_in(&thought.extra);
    for thought in thoughts.iter().filter(|thought| !is_detail(thought)) {
        for (mark, name) in [(Mark::ReasoningContent, "reasoning_content"), (Mark::Reasoning, "reasoning")] {
            if mark.is_in(&thought.extra) {
                out.field(name).text(thought.text);
            }
        }
    }
    let details: Vec<&&Thinking<'_>> = thoughts.iter().filter(is_detail).collect();
    for (name, value) in details.iter().flat_map(|thought| &thought.extra).filter(|(name, _)| is_message_member(name)) {
        out.field_text(*name).raw(*value);
    }
    proof::message_members(details.iter().filter_map(|thought| thought.signature), out);
    if !details.is_empty() || Mark::Detail.is_in(turn) {
        out.field("reasoning_details").array(|out| details.iter().for_each(|thought| item(thought, out)));
    }
}

/// Whether a member stood beside the item, in the message.
fn is_message_member(name: &Text<'_>) -> bool {
    name.is("reasoning") || name.is("reasoning_content")
}

fn item(thought: &Thinking<'_>, out: &mut Writer) {
    if let Some(signature) = thought.signature
        && !matches!(proof::place(signature), Place::Unknown)
    {
        // A proof that was told to the client in one word: the words around it are inside.
        return proof::write_items(thought.text, signature, out);
    }
    let kind = thought.extra.iter().find(|(name, _)| name.is("type"));
    let encrypted = kind.and_then(|(_, kind)| kind.text()).is_some_and(|kind| kind.is("reasoning.encrypted"));
    let summary = kind.and_then(|(_, kind)| kind.text()).is_some_and(|kind| kind.is("reasoning.summary"));
    out.object(|out| {
        if !thought.text.is_empty() {
            out.field(if summary { "summary" } else { "text" }).text(thought.text);
        }
        if let Some(signature) = thought.signature {
            out.field(if encrypted { "data" } else { "signature" }).text(signature);
        }
        let members: Vec<Member<'_>> =
            thought.extra.iter().filter(|(name, _)| !is_message_member(name)).copied().collect();
        write_members(&members, out);
    });
}
