//! Splices into a JSON object: the named members change, every other byte stays.
//!
//! ```
//! use dragoman_core::json::{Json, edit::{Edit, edit}};
//! let body = Json::parse(br#"{ "model" : "auto", "n":1 }"#).unwrap();
//! let edits = [Edit::Set("model", "\"gpt-4o\"".into()), Edit::Remove("n")];
//! assert_eq!(edit(body, &edits), r#"{ "model" : "gpt-4o" }"#);
//! ```
//!
//! Providers cache prompts by their exact prefix and models see number spellings, so a relay must not reprint what it
//! does not mean to change.

use super::{Json, Kind, Walk};

/// One change to the members of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<'e> {
    /// Give the member this value (JSON text); it is added at the end when absent.
    Set(&'e str, String),
    /// Leave the member out.
    Remove(&'e str),
    /// Call the member otherwise and keep its value.
    Rename(&'e str, &'e str),
}

impl<'e> Edit<'e> {
    fn name(&self) -> &'e str {
        match self {
            Edit::Set(name, _) | Edit::Remove(name) | Edit::Rename(name, _) => name,
        }
    }
}

/// The object's text with `edits` applied; anything but an object is returned as it is.
pub fn edit(object: Json<'_>, edits: &[Edit<'_>]) -> String {
    let text = object.as_str();
    if object.kind() != Kind::Object {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len() + 64);
    let mut kept_to = 0;
    let mut members_left = 0usize;
    let mut seen = vec![false; edits.len()];
    let mut previous_end = 1;
    for place in places(object) {
        let hit = edits.iter().position(|edit| place.name.is(edit.name()));
        match hit.and_then(|index| edits.get(index)) {
            Some(Edit::Set(_, value)) => {
                out.push_str(text.get(kept_to..place.value).unwrap_or_default());
                out.push_str(value);
                kept_to = place.end;
                members_left += 1;
            }
            Some(Edit::Rename(_, name)) => {
                out.push_str(text.get(kept_to..place.start).unwrap_or_default());
                out.push('"');
                super::write::escape_into(name, &mut out);
                out.push('"');
                kept_to = place.name_end;
                members_left += 1;
            }
            Some(Edit::Remove(_)) => {
                // With the comma before it, or, for the first one left, with the comma behind it.
                if members_left == 0 {
                    out.push_str(text.get(kept_to..previous_end.max(kept_to)).unwrap_or_default());
                    kept_to = place.next;
                } else {
                    out.push_str(text.get(kept_to..previous_end.max(kept_to)).unwrap_or_default());
                    kept_to = place.end;
                }
            }
            None => members_left += 1,
        }
        if let Some(flag) = hit.and_then(|index| seen.get_mut(index)) {
            *flag = true;
        }
        previous_end = if members_left == 0 { kept_to } else { place.end };
    }
    out.push_str(text.get(kept_to..text.len() - 1).unwrap_or_default());
    for (edit, seen) in edits.iter().zip(seen) {
        if let (Edit::Set(name, value), false) = (edit, seen) {
            append(&mut out, name, value, members_left > 0);
            members_left += 1;
        }
    }
    out.push('}');
    out
}

/// Adds a member behind the last one, before any white space that closes the object.
fn append(out: &mut String, name: &str, value: &str, comma: bool) {
    let end = out.trim_end_matches([' ', '\n', '\r', '\t']).len();
    let tail = out.split_off(end);
    if comma {
        out.push(',');
    }
    out.push('"');
    super::write::escape_into(name, out);
    out.push_str("\":");
    out.push_str(value);
    out.push_str(&tail);
}

/// The object with the members for which `change` gives a value (JSON text) changed; `None` when there is none. Anything but
/// an object has no members.
pub fn map_members<'a>(
    object: Json<'a>,
    change: &mut dyn FnMut(super::Text<'a>, Json<'a>) -> Option<String>,
) -> Option<String> {
    let mut splice = Splice::of(object);
    object.members().for_each(|(name, value)| splice.put(value, change(name, value)));
    splice.end()
}

/// The array with the items for which `change` gives a value (JSON text) changed; `None` when there is none. Anything but an
/// array has no items.
pub fn map_items<'a>(array: Json<'a>, change: &mut dyn FnMut(usize, Json<'a>) -> Option<String>) -> Option<String> {
    let mut splice = Splice::of(array);
    array.items().enumerate().for_each(|(index, item)| splice.put(item, change(index, item)));
    splice.end()
}

/// Which end of a list or of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Before all others.
    Front,
    /// Behind all others.
    Back,
}

/// The array with one more item (JSON text); anything but an array is returned as it is.
pub fn insert(array: Json<'_>, item: &str, end: End) -> String {
    let text = array.as_str();
    let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return text.to_string() };
    let kept = inside.trim_end_matches([' ', '\n', '\r', '\t']);
    let comma = if kept.is_empty() { "" } else { "," };
    match end {
        End::Front => format!("[{item}{comma}{inside}]"),
        End::Back => format!("[{kept}{comma}{item}{}]", inside.get(kept.len()..).unwrap_or_default()),
    }
}

/// A value of which some values are replaced.
struct Splice<'a> {
    value: Json<'a>,
    out: String,
    kept_to: usize,
}

impl<'a> Splice<'a> {
    fn of(value: Json<'a>) -> Splice<'a> {
        Splice { value, out: String::new(), kept_to: 0 }
    }

    /// Puts something else where `old` stands, if there is something.
    fn put(&mut self, old: Json<'a>, new: Option<String>) {
        let Some(new) = new else { return };
        let start = old.at - self.value.at;
        self.out.push_str(self.value.text.get(self.kept_to..start).unwrap_or_default());
        self.out.push_str(&new);
        self.kept_to = start + old.text.len();
    }

    fn end(mut self) -> Option<String> {
        if self.kept_to == 0 {
            return None;
        }
        self.out.push_str(self.value.text.get(self.kept_to..).unwrap_or_default());
        Some(self.out)
    }
}

/// Where a member stands: offsets into the object's text.
struct Place<'a> {
    name: super::Text<'a>,
    start: usize,
    name_end: usize,
    value: usize,
    end: usize,
    /// Where the next member starts, or the end of this one when it is the last.
    next: usize,
}

fn places<'a>(object: Json<'a>) -> impl Iterator<Item = Place<'a>> {
    let mut walk = Walk::inside(object, Kind::Object);
    core::iter::from_fn(move || {
        let name = walk.value()?;
        walk.separator();
        let inner = walk.value()?;
        walk.separator();
        let (start, value) = (name.at - object.at, inner.at - object.at);
        let end = value + inner.text.len();
        let last = matches!(object.text.as_bytes().get(walk.at), None | Some(b'}'));
        let next = if last { end } else { walk.at };
        Some(Place { name: name.text()?, start, name_end: start + name.text.len(), value, end, next })
    })
}
