//! Proofs of thoughts, as compatible servers give them and want them back:
//!
//! ```text
//! "reasoning_details": [{"type":"reasoning.text","text":"…","signature":"…","format":"…","index":0},
//!                       {"type":"reasoning.summary","summary":"…"}, {"type":"reasoning.encrypted","data":"…","id":"…"}]
//! "extra_content": {"google": {"thought_signature": "…"}}
//! ```
//!
//! The first is OpenRouter's, the second Gemini's compatible endpoint's, beside a call or a message. What stands around a proof
//! (`format`, `id`, `index`) must go back with it, and the hub has one word for all: the signature. So a signature that this
//! dialect reads is the JSON text of the whole item without its words, and is taken apart again when it comes back. A signature
//! that is no such text was made elsewhere and is passed on as it is.

use crate::json::{Json, Kind, Text, Writer, write::escape_into};

/// The types of an item of `reasoning_details`, and the members that hold their words.
const WORDS: [(&str, &str); 3] =
    [("reasoning.text", "text"), ("reasoning.summary", "summary"), ("reasoning.encrypted", "")];

/// What an item of `reasoning_details` says.
#[derive(Clone, Copy)]
pub(super) struct Detail<'a> {
    /// The words, if there are any.
    pub(super) words: Option<Text<'a>>,
    /// The member that holds them; empty for an item without words.
    pub(super) words_member: &'static str,
    /// The proof.
    pub(super) proof: Option<Text<'a>>,
    /// The member that holds it.
    pub(super) proof_member: &'static str,
}

/// Understands an item; `None` for a type that nobody here knows.
pub(super) fn detail(item: Json<'_>) -> Option<Detail<'_>> {
    let kind = item.get("type")?.text()?;
    let (kind, words_member) = WORDS.iter().copied().find(|(known, _)| kind.is(known))?;
    let proof_member = if kind == "reasoning.encrypted" { "data" } else { "signature" };
    let text = |name: &str| item.get(name).and_then(Json::text).filter(|text| !text.is_empty());
    Some(Detail { words: text(words_member), words_member, proof: text(proof_member), proof_member })
}

/// The signature that stands for an item, escaped.
pub(super) fn of_item(item: Json<'_>) -> String {
    let mut json = Writer::new();
    json.object(|out| {
        for (name, value) in item.members().filter(|(name, _)| !name.is("text") && !name.is("summary")) {
            out.field_text(name).raw(value);
        }
    });
    escaped(json.as_str())
}

/// The signature that stands for a message's `extra_content`, escaped.
pub(super) fn of_message(extra_content: Json<'_>) -> String {
    let mut json = Writer::new();
    json.object(|out| out.field("extra_content").raw(extra_content));
    escaped(json.as_str())
}

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 32);
    escape_into(json, &mut text);
    text
}

/// Where a signature has its place.
pub(super) enum Place {
    /// In an item of `reasoning_details`: the item's JSON text.
    Detail(String),
    /// In a member of the message: the JSON text of an object with that member.
    Message(String),
    /// Nothing is known of it.
    Unknown,
}

/// Where a signature that came back has its place.
pub(super) fn place(signature: Text<'_>) -> Place {
    if !signature.raw().starts_with('{') {
        return Place::Unknown;
    }
    let text = signature.decode();
    let Ok(json) = Json::parse(text.as_bytes()) else { return Place::Unknown };
    if detail(json).is_some() {
        return Place::Detail(json.as_str().to_string());
    }
    match json.get("extra_content").is_some_and(|content| content.kind() == Kind::Object) {
        true => Place::Message(json.as_str().to_string()),
        false => Place::Unknown,
    }
}

/// Writes the members of a message that hold thoughts and their proofs, given as (words, signature).
pub(super) fn write<'p>(proofs: &[(Text<'p>, Text<'p>)], out: &mut Writer) {
    message_members(proofs.iter().map(|(_, signature)| *signature), out);
    let is_item = |(_, signature): &&(Text<'_>, Text<'_>)| !matches!(place(*signature), Place::Message(_));
    if proofs.iter().any(|proof| is_item(&proof)) {
        out.field("reasoning_details").array(|out| {
            proofs.iter().filter(is_item).for_each(|(words, signature)| write_items(*words, *signature, out));
        });
    }
}

/// Writes the items for a thought: its words and its proof. A proof that belongs beside the message is left to
/// [`message_members`].
pub(super) fn write_items(words: Text<'_>, signature: Text<'_>, out: &mut Writer) {
    match place(signature) {
        Place::Message(_) => {}
        Place::Unknown => out.object(|out| {
            let (kind, member) = match words.is_empty() {
                true => ("reasoning.encrypted", "data"),
                false => ("reasoning.text", "signature"),
            };
            out.field("type").string(kind);
            if !words.is_empty() {
                out.field("text").text(words);
            }
            out.field(member).text(signature);
        }),
        Place::Detail(item) => {
            let Ok(item) = Json::parse(item.as_bytes()) else { return };
            let member = detail(item).map_or("", |detail| detail.words_member);
            if member.is_empty() && !words.is_empty() {
                // Words and a proof without a place for words: the words are the summary of what the proof hides.
                out.object(|out| {
                    out.field("type").string("reasoning.summary");
                    out.field("summary").text(words);
                });
            }
            out.object(|out| {
                item.members().for_each(|(name, value)| out.field_text(name).raw(value));
                if !member.is_empty() && !words.is_empty() {
                    out.field(member).text(words);
                }
            });
        }
    }
}

/// Writes the members of a message that some of its signatures are.
pub(super) fn message_members<'s>(signatures: impl Iterator<Item = Text<'s>>, out: &mut Writer) {
    for signature in signatures {
        if let Place::Message(object) = place(signature)
            && let Ok(object) = Json::parse(object.as_bytes())
        {
            // One of them: the member cannot stand twice.
            object.members().for_each(|(name, value)| out.field_text(name).raw(value));
            return;
        }
    }
}

/// Writes the proof of a call as Gemini's compatible endpoint has it, beside the call's `function`.
pub(super) fn beside_call(signature: Text<'_>, out: &mut Writer) {
    out.field("extra_content").object(|out| {
        out.field("google").object(|out| out.field("thought_signature").text(signature));
    });
}
