//! Paths into a JSON value, and what is done at their ends: what the path does not lead to stays byte for byte.
//!
//! ```
//! use dragoman_core::json::{Json, path::{Absent, Path, alter, remove}};
//! let body = Json::parse(br#"{ "config" : {"t": 1.50}, "n":1 }"#).unwrap();
//! let path = Path::read("config.t").unwrap();
//! let lowered = alter(body, path.steps(), Absent::Leave, &mut |_| Some("0.8".into()));
//! assert_eq!(lowered.as_deref(), Some(r#"{ "config" : {"t": 0.8}, "n":1 }"#));
//! assert_eq!(remove(body, path.steps()).as_deref(), Some(r#"{ "config" : {}, "n":1 }"#));
//! ```
//!
//! A path is written `choices[].message.model`: names with points between them, `[]` for every item of a list. Limits:
//! [`MAX_STEPS`] steps; a name that has a point or a bracket in it can't be written.

use super::edit::{Edit, edit, map_items, map_members};
use super::{Json, Kind, Writer};

/// Most steps of a path; no known dialect nests what one would change deeper.
pub const MAX_STEPS: usize = 16;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a member, by any of the names that mean it; the first one is written where there is none.
    Member(Vec<String>),
    /// Into every item.
    Each,
}

/// Where something stands in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

impl Path {
    /// Reads a path as it is written; an error says what is wrong with it.
    pub fn read(text: &str) -> Result<Path, &'static str> {
        let mut steps = Vec::new();
        for name in text.split('.') {
            let bare = name.trim_end_matches("[]");
            if bare.is_empty() || bare.contains(['[', ']']) || bare.chars().any(char::is_control) {
                return Err("is no path: write names with points between them, and `[]` behind a list");
            }
            steps.push(Step::Member(vec![bare.to_string()]));
            steps.extend((0..(name.len() - bare.len()) / 2).map(|_| Step::Each));
        }
        if steps.len() > MAX_STEPS {
            return Err("is longer than 16 steps");
        }
        match steps.last() {
            Some(Step::Member(_)) => Ok(Path(steps)),
            _ => Err("ends with `[]`; name the member of the items"),
        }
    }

    /// A path of members, each with the names that mean it.
    pub fn of(members: &[&[&str]]) -> Path {
        let step = |names: &&[&str]| Step::Member(names.iter().map(|name| (*name).to_string()).collect());
        Path(members.iter().map(step).collect())
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path as it is written.
    pub fn written(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                Step::Member(names) => {
                    text.push_str(if text.is_empty() { "" } else { "." });
                    text.push_str(names.first().map_or("", String::as_str));
                }
                Step::Each => text.push_str("[]"),
            }
        }
        text
    }

    /// Whether one of the two leads to the other, or to where it passes.
    pub fn meets(&self, other: &Path) -> bool {
        self.0.iter().zip(&other.0).all(|(one, two)| match (one, two) {
            (Step::Member(ones), Step::Member(twos)) => ones.iter().any(|name| twos.contains(name)),
            (Step::Each, Step::Each) => true,
            _ => false,
        })
    }
}

/// What is done where a path leads to nothing, or to `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent<'v> {
    /// Nothing.
    Leave,
    /// The last member is added with this value (JSON text), if all before it is there.
    Add(&'v str),
    /// The same, and what is not there before it is made.
    Build(&'v str),
}

impl Absent<'_> {
    /// The value to stand where these steps would have gone on.
    fn built(self, steps: &[Step]) -> Option<String> {
        match self {
            Absent::Leave => None,
            Absent::Add(value) => steps.is_empty().then(|| value.to_string()),
            Absent::Build(value) => steps.iter().rev().try_fold(value.to_string(), |inner, step| {
                let Step::Member(names) = step else { return None };
                let mut out = Writer::with_capacity(inner.len() + 32);
                out.object(|out| out.field(names.first().map_or("", String::as_str)).raw(Json::trusted(&inner)));
                Some(out.into_string())
            }),
        }
    }
}

/// The value with `change` done to everything that the path leads to; `None` when that changes nothing.
pub fn alter(
    value: Json<'_>,
    steps: &[Step],
    absent: Absent<'_>,
    change: &mut dyn FnMut(Json<'_>) -> Option<String>,
) -> Option<String> {
    if value.is_null()
        && let Some(built) = absent.built(steps)
    {
        return Some(built);
    }
    match steps.split_first() {
        None => change(value),
        Some((Step::Each, rest)) => map_items(value, &mut |_, item| alter(item, rest, absent, change)),
        Some((Step::Member(names), rest)) => {
            let mut found = false;
            let changed = map_members(value, &mut |name, inner| {
                if !names.iter().any(|known| name.is(known)) {
                    return None;
                }
                found = true;
                alter(inner, rest, absent, change)
            });
            if found || value.kind() != Kind::Object {
                return changed;
            }
            let name = names.first()?;
            Some(edit(value, &[Edit::Set(name, absent.built(rest)?)]))
        }
    }
}

/// The value without what the path leads to; `None` when it leads nowhere.
pub fn remove(value: Json<'_>, steps: &[Step]) -> Option<String> {
    at_last(value, steps, &mut |object, names| {
        let there = names.iter().any(|name| object.get(name).is_some());
        let edits: Vec<Edit<'_>> = names.iter().map(|name| Edit::Remove(name)).collect();
        there.then(|| edit(object, &edits))
    })
}

/// The value with the member that the path leads to called otherwise; what had that name before is gone. `None` when the path
/// leads nowhere.
pub fn rename(value: Json<'_>, steps: &[Step], new: &str) -> Option<String> {
    at_last(value, steps, &mut |object, names| {
        let name = names.iter().find(|name| object.get(name).is_some())?;
        Some(edit(object, &[Edit::Remove(new), Edit::Rename(name, new)]))
    })
}

/// Does something to every object that has the last member of a path, which may go by several names.
fn at_last(
    value: Json<'_>,
    steps: &[Step],
    change: &mut dyn FnMut(Json<'_>, &[String]) -> Option<String>,
) -> Option<String> {
    let Some((Step::Member(names), before)) = steps.split_last() else { return None };
    alter(value, before, Absent::Leave, &mut |object| change(object, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use proptest::prelude::*;

    fn path(text: &str) -> Path {
        Path::read(text).unwrap()
    }

    fn set(body: &str, at: &str, value: &str) -> Option<String> {
        let body = Json::parse(body.as_bytes()).unwrap();
        alter(body, path(at).steps(), Absent::Build(value), &mut |_| Some(value.to_string()))
    }

    #[test]
    fn what_is_set_stands_where_the_path_leads_and_is_made_where_it_is_not() {
        for (body, at, made) in [
            ("{}", "a.b", r#"{"a":{"b":1}}"#),
            (r#"{ "a" : null }"#, "a.b", r#"{ "a" : {"b":1} }"#),
            (r#"{"a":{"c":2 } }"#, "a.b", r#"{"a":{"c":2,"b":1 } }"#),
            (r#"{"l":[{"b":0}, {} ]}"#, "l[].b", r#"{"l":[{"b":1}, {"b":1} ]}"#),
            (r#"{"\u0061":{"b":0}}"#, "a.b", r#"{"\u0061":{"b":1}}"#),
        ] {
            assert_eq!(set(body, at, "1").as_deref(), Some(made), "{body} {at}");
        }
        for (body, at) in [(r#"{"a":"text"}"#, "a.b"), (r#"{"l":[]}"#, "l[].b"), ("[]", "a"), (r#"{}"#, "l[].b")] {
            assert_eq!(set(body, at, "1"), None, "{body} {at}");
        }
    }

    #[test]
    fn only_what_is_there_is_removed_and_renamed() {
        let body = Json::parse(br#"{"c":[{"x":1,"y":2},{"y":3}],"z":0}"#).unwrap();
        assert_eq!(remove(body, path("c[].x").steps()).as_deref(), Some(r#"{"c":[{"y":2},{"y":3}],"z":0}"#));
        assert_eq!(remove(body, path("c[].q").steps()), None);
        assert_eq!(rename(body, path("c[].x").steps(), "y").as_deref(), Some(r#"{"c":[{"y":1},{"y":3}],"z":0}"#));
        assert_eq!(rename(body, path("q").steps(), "y"), None);
        let spelled = Path::of(&[&["q", "z"]]);
        assert_eq!(remove(body, spelled.steps()).as_deref(), Some(r#"{"c":[{"x":1,"y":2},{"y":3}]}"#));
    }

    #[test]
    fn a_wrong_path_is_refused() {
        for wrong in ["", ".", "a.", ".a", "a..b", "a[", "a[0]", "[]", "a[]", "a[].", &"a.".repeat(20)] {
            assert!(Path::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_path_is_written_as_it_was_read() {
        for text in ["a", "a.b", "a[].b", "a[][].b.c"] {
            assert_eq!(path(text).written(), text);
        }
    }

    #[test]
    fn paths_meet_where_one_leads_through_the_other() {
        let config = Path::of(&[&["generationConfig", "generation_config"], &["temperature"]]);
        for (text, meets) in
            [("generation_config", true), ("generationConfig.temperature.x", true), ("temperature", false)]
        {
            assert_eq!(path(text).meets(&config), meets, "{text}");
        }
    }

    #[test]
    fn what_a_document_knows_of_its_large_values_changes_nothing() {
        let long = "long ".repeat(100);
        let text = format!(
            r#" {{"x" : [ "{long}", {{"{long}":1}} ], "l":[ {{"b":"{long}" , "c":1}}, "{long}" ,{{"b" : {{}}}}],"a":{{"{long}":[],"b": "{long}"}} }}"#
        );
        let document = Document::read(text.clone().into_bytes()).unwrap();
        let (known, plain) = (document.json(), Json::parse(text.as_bytes()).unwrap());
        for at in ["l[].b", "a.b", "x", "a.c", "l[].c"] {
            let steps = path(at);
            let steps = steps.steps();
            let set = |json| alter(json, steps, Absent::Build("7"), &mut |_| Some("7".into()));
            assert!(set(plain).is_some_and(|set| Json::parse(set.as_bytes()).is_ok()));
            assert_eq!((set(known), remove(known, steps)), (set(plain), remove(plain, steps)), "{at}");
            assert_eq!(rename(known, steps, "y"), rename(plain, steps, "y"), "{at}");
        }
    }

    proptest! {
        /// Whatever the object, what comes out is JSON, and setting the same again changes nothing more.
        #[test]
        fn what_comes_out_is_json(names in prop::collection::vec("[ab]", 0..4), at in "[ab](\\[\\])?\\.[ab]") {
            let members: Vec<String> = names.iter().map(|name| format!(" \"{name}\" : {{\"a\":[1, {{}}]}}")).collect();
            let body = format!("{{{}}}", members.join(" ,"));
            let changed = set(&body, &at, "7").unwrap_or(body);
            prop_assert!(Json::parse(changed.as_bytes()).is_ok(), "{}", changed);
            prop_assert_eq!(set(&changed, &at, "7").unwrap_or_else(|| changed.clone()), changed.as_str());
            let json = Json::parse(changed.as_bytes()).unwrap();
            if let Some(removed) = remove(json, path(&at).steps()) {
                prop_assert!(Json::parse(removed.as_bytes()).is_ok(), "{}", removed);
            }
        }
    }
}
