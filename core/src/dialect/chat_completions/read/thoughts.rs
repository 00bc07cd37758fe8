//! Reads the thoughts of an earlier answer, which stand in `reasoning_content`, `reasoning` or `reasoning_details`.
//!
//! An item of `reasoning_details` is a thought of its own, with its proof. Words that stand in several members are the same
//! words, so they become one thought.

use crate::dialect::chat_completions::mark::Mark;
use crate::dialect::chat_completions::proof;
use crate::hub::{Extra, Part, Thinking};
use crate::json::{Json, Kind, Member, Text};

/// The members of a message that hold thoughts, as they come.
#[derive(Default)]
pub(super) struct Thoughts<'a> {
    content: Option<Member<'a>>,
    reasoning: Option<Member<'a>>,
    details: Option<Member<'a>>,
}

impl<'a> Thoughts<'a> {
    /// Takes a member; false when it holds no thoughts of a known form.
    pub(super) fn take(&mut self, name: Text<'a>, value: Json<'a>) -> bool {
        let (place, kind) = match name.decode().as_ref() {
            "reasoning_content" => (&mut self.content, Kind::String),
            "reasoning" => (&mut self.reasoning, Kind::String),
            "reasoning_details" => (&mut self.details, Kind::Array),
            _ => return false,
        };
        let known = value.kind() == kind && place.is_none();
        if known {
            *place = Some((name, value));
        }
        known
    }

    /// The thoughts; what is no thought goes to the turn's `extra`.
    pub(super) fn parts(self, extra: &mut Extra<'a>) -> Vec<Part<'a>> {
        let mut words = Vec::new();
        let members = [
            (self.content, Mark::ReasoningContent, Mark::NoReasoningContent),
            (self.reasoning, Mark::Reasoning, Mark::NoReasoning),
        ];
        for (member, mark, nothing) in members {
            let Some((name, value)) = member else { continue };
            match value.text().filter(|text| !text.is_empty()) {
                Some(text) => words.push((text, mark, (name, value))),
                None => nothing.put(extra),
            }
        }
        let mut details = self.details.map(|member| details(member, extra)).unwrap_or_default();
        let told = details.iter().any(|thought| !thought.text.is_empty());
        if let (true, Some(first)) = (told, details.first_mut()) {
            first.extra.extend(words.drain(..).map(|(_, _, member)| member));
        }
        let mut thoughts: Vec<Thinking<'a>> = Vec::new();
        for (text, mark, member) in words {
            match thoughts.last_mut() {
                None => thoughts.push(Thinking { text, signature: None, extra: Vec::new() }),
                Some(before) if before.text.raw() == text.raw() => {}
                Some(_) => {
                    extra.push(member);
                    continue;
                }
            }
            if let Some(thought) = thoughts.last_mut() {
                mark.put(&mut thought.extra);
            }
        }
        thoughts.into_iter().chain(details).map(Part::Thinking).collect()
    }
}

/// The items of `reasoning_details`; with one of unknown form, all of them are kept raw.
fn details<'a>(member: Member<'a>, extra: &mut Extra<'a>) -> Vec<Thinking<'a>> {
    let thoughts: Option<Vec<_>> = member.1.items().map(thought).collect();
    match thoughts {
        None => extra.push(member),
        Some(thoughts) if thoughts.is_empty() => Mark::Detail.put(extra),
        Some(thoughts) => return thoughts,
    }
    Vec::new()
}

fn thought<'a>(item: Json<'a>) -> Option<Thinking<'a>> {
    let detail = proof::detail(item)?;
    let mut extra = Extra::new();
    Mark::Detail.put(&mut extra);
    for (name, value) in item.members() {
        let is = |member: &str, text: Option<Text<'_>>| text.is_some() && name.is(member);
        if is(detail.words_member, detail.words) || is(detail.proof_member, detail.proof) {
            continue;
        }
        if name.is("reasoning") || name.is("reasoning_content") {
            return None; // Those names are the message's.
        }
        extra.push((name, value));
    }
    Some(Thinking { text: detail.words.unwrap_or(Text::EMPTY), signature: detail.proof, extra })
}
