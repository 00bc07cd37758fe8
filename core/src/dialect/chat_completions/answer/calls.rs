//! Tells the calls of an answer apart.
//!
//! A call comes in fragments that name it by `index`. Some servers leave the index out, some say 0 for every call and tell
//! them apart by id only, some give the name later than the id; a few send the arguments as an object.

use super::{Say, bad};
use crate::dialect::Aliases;
use crate::hub::Piece;
use crate::json::{Json, Kind, Text, write::escape_into};

/// Most bytes of arguments kept for a call whose name has not come yet. Names come with the first fragment or the next.
const MAX_HELD: usize = 64 << 10;

/// The calls so far; the place in the list is the slot.
pub(super) struct Calls {
    known: Vec<Call>,
    aliases: Aliases,
}

/// A call that has begun.
struct Call {
    key: Key,
    /// The provider's id, still escaped; empty when it gave none.
    id: String,
    naming: Naming,
    plain: Plain,
}

/// Whether the arguments are an input of plain words, which becomes the one member of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plain {
    /// They are JSON.
    No,
    /// The object is open.
    Open,
}

/// How the provider's fragments name a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Index(u64),
    Unnumbered,
    Legacy,
}

/// Whether the call was said.
enum Naming {
    /// The name has not come; the arguments wait here, still escaped.
    Awaited(String),
    Named,
}

/// The member that an input of plain words becomes, up to the words: a piece of escaped JSON text.
const INPUT: &str = r#"\"input\":\""#;

/// What stands behind the words.
const INPUT_END: &str = r#"\"}"#;

impl Calls {
    pub(super) fn new(aliases: Aliases) -> Calls {
        Calls { known: Vec::new(), aliases }
    }

    /// The slot of the call with that id.
    pub(super) fn slot_of(&self, wanted: Text<'_>) -> Option<u32> {
        let found = self.known.iter().position(|call| !call.id.is_empty() && call.id == wanted.raw());
        found.and_then(|slot| u32::try_from(slot).ok())
    }

    /// Whether no call has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Ends the inputs of tools of plain words, of which nothing more comes.
    pub(super) fn close(&mut self, say: &mut Say<'_>) {
        for (slot, call) in (0..).zip(&mut self.known) {
            if core::mem::replace(&mut call.plain, Plain::No) == Plain::Open {
                say(Piece::ArgumentsText { slot, fragment: Text::escaped(INPUT_END) });
            }
        }
    }

    /// Whether no call still waits for its name.
    pub(super) fn all_named(&self) -> bool {
        self.known.iter().all(|call| matches!(call.naming, Naming::Named))
    }

    /// An item of a whole body's `tool_calls`: each is a call of its own, whatever its index.
    pub(super) fn whole(&mut self, item: Json<'_>, say: &mut Say<'_>) {
        let Some(function) = function(item) else { return say(Piece::Other(item)) };
        let slot = self.add(Key::Unnumbered, id(item));
        self.said(slot, item, function, say);
    }

    /// An item of a chunk's `tool_calls`.
    pub(super) fn chunk(&mut self, item: Json<'_>, say: &mut Say<'_>) {
        let Some(function) = function(item) else { return say(Piece::Other(item)) };
        let (id, named) = (id(item), name(function).is_some());
        let key = item.get("index").and_then(Json::u64).map_or(Key::Unnumbered, Key::Index);
        let slot = self.find(key, id, named).unwrap_or_else(|| self.add(key, id));
        self.said(slot, item, function, say);
    }

    /// `function_call`, of which an answer has one at most.
    pub(super) fn legacy(&mut self, function: Json<'_>, say: &mut Say<'_>) {
        let known = self.known.iter().position(|call| call.key == Key::Legacy);
        let empty = function.get("arguments").and_then(Json::text).is_none_or(Text::is_empty);
        if known.is_none() && empty && name(function).is_none() {
            return; // Some servers send the member with empty strings when there is no call.
        }
        let slot = known.unwrap_or_else(|| self.add(Key::Legacy, Text::EMPTY));
        self.said(slot, Json::NULL, function, say);
    }

    fn add(&mut self, key: Key, id: Text<'_>) -> usize {
        let naming = Naming::Awaited(String::new());
        self.known.push(Call { key, id: id.raw().to_string(), naming, plain: Plain::No });
        self.known.len() - 1
    }

    /// The call that a fragment continues; `None` when it begins one.
    fn find(&self, key: Key, id: Text<'_>, named: bool) -> Option<usize> {
        let same_id = |call: &Call| !id.is_empty() && call.id == id.raw();
        if key == Key::Unnumbered {
            return match (id.is_empty(), named) {
                (false, _) => self.known.iter().rposition(same_id),
                (true, true) => None,
                (true, false) => self.known.len().checked_sub(1),
            };
        }
        let found = self.known.iter().rposition(|call| call.key == key)?;
        // Under a known index, a named fragment with another id is another call.
        let call = self.known.get(found)?;
        let other = named && !id.is_empty() && !call.id.is_empty() && call.id != id.raw();
        (!other).then_some(found)
    }

    /// Says what a fragment adds to the call in `slot`.
    fn said(&mut self, slot: usize, item: Json<'_>, function: Json<'_>, say: &mut Say<'_>) {
        let Calls { known, aliases } = self;
        let Some(call) = known.get_mut(slot) else { return };
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        if call.id.is_empty() {
            call.id.push_str(id(item).raw());
        }
        if let Naming::Awaited(held) = &mut call.naming {
            match name(function) {
                Some(name) => {
                    let id = (!call.id.is_empty()).then(|| Text::escaped(&call.id));
                    say(Piece::ToolCall { slot, id, name: aliases.undo(name) });
                    let held = core::mem::take(held);
                    call.naming = Naming::Named;
                    if !held.is_empty() {
                        say(Piece::ArgumentsText { slot, fragment: Text::escaped(&held) });
                    }
                }
                None => return hold(held, function, say),
            }
        }
        if let Some(signature) = signature(item) {
            say(Piece::Signature { slot: Some(slot), signature });
        }
        if let Some(input) = function.get("input").and_then(Json::text) {
            if core::mem::replace(&mut call.plain, Plain::Open) == Plain::No {
                say(Piece::ArgumentsText { slot, fragment: Text::escaped("{") });
                say(Piece::ArgumentsText { slot, fragment: Text::escaped(INPUT) });
            }
            let mut twice = String::with_capacity(input.raw().len() + 16);
            escape_into(input.raw(), &mut twice);
            say(Piece::ArgumentsText { slot, fragment: Text::escaped(&twice) });
        }
        let Some(arguments) = function.get("arguments") else { return };
        match (arguments.text(), arguments.kind()) {
            (Some(fragment), _) if !fragment.is_empty() => say(Piece::ArgumentsText { slot, fragment }),
            (None, Kind::Object) => say(Piece::Arguments { slot, arguments }),
            _ => {}
        }
    }
}

fn hold(held: &mut String, function: Json<'_>, say: &mut Say<'_>) {
    let arguments = function.get("arguments").and_then(Json::text).unwrap_or_default();
    match held.len() + arguments.raw().len() > MAX_HELD {
        true => say(bad("the provider's answer has a tool call without a name")),
        false => held.push_str(arguments.raw()),
    }
}

/// The function of an item, or its tool of plain words, whose `input` stands for the arguments; empty where a fragment has none,
/// `None` for calls of another kind.
fn function(item: Json<'_>) -> Option<Json<'_>> {
    let kind = item.get("type").and_then(Json::text);
    let other = kind.is_some_and(|kind| !kind.is_empty() && !kind.is("function") && !kind.is("custom"));
    let object = item.get("function").or_else(|| item.get("custom"));
    match object.filter(|object| object.kind() == Kind::Object) {
        Some(function) => Some(function),
        None => (!other).then_some(Json::EMPTY_OBJECT),
    }
}

fn id(item: Json<'_>) -> Text<'_> {
    item.get("id").and_then(Json::text).unwrap_or_default()
}

fn name(function: Json<'_>) -> Option<Text<'_>> {
    function.get("name").and_then(Json::text).filter(|name| !name.is_empty())
}

/// The proof that Gemini's compatible endpoint puts beside the function.
fn signature(item: Json<'_>) -> Option<Text<'_>> {
    item.at(&["extra_content", "google", "thought_signature"]).and_then(Json::text)
}
