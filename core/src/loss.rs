//! What an interpretation could not say as it was said.
//!
//! ```
//! use dragoman_core::loss::Losses;
//! let mut losses = Losses::default();
//! losses.drop("top_k");
//! losses.drop("top_k");
//! assert_eq!(losses.dropped, ["top_k"]);
//! ```

mod harmless;

use crate::json::{Json, Kind, Member};

/// Most members listed as lost: no honest request loses more, and the list must fit into a header.
pub const MAX_LOST: usize = 64;

/// Longest name in that list, in characters.
pub const MAX_LOST_NAME: usize = 80;

/// What an interpretation could not say as it was said. Whatever stands in neither list was kept.
///
/// Names are paths in the caller's words, such as `top_k` or `messages[].name`; no duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Said with another, near meaning: effort in words for a budget in tokens, a proof withheld from whom it means nothing.
    pub approximated: Vec<String>,
    /// Not said.
    pub dropped: Vec<String>,
}

impl Losses {
    /// Notes a member that was said with a near meaning.
    pub fn approximate(&mut self, path: &str) {
        note(&mut self.approximated, path);
    }

    /// Notes a member that could not be said.
    pub fn drop(&mut self, path: &str) {
        note(&mut self.dropped, path);
    }

    /// Notes everything that `other` notes.
    pub fn add(&mut self, other: Losses) {
        other.approximated.iter().for_each(|path| self.approximate(path));
        other.dropped.iter().for_each(|path| self.drop(path));
    }

    /// Notes every member of `extra` below `place` (with its trailing dot, or empty for the top level), unless it is null: as
    /// approximated when the same question is asked without it, else as dropped.
    pub fn lose(&mut self, place: &str, extra: &[Member<'_>]) {
        for (name, value) in extra.iter().filter(|(_, value)| !value.is_null()) {
            let name = name.decode();
            let path = format!("{place}{name}");
            match harmless::is_harmless(place, &name, *value) {
                true => self.approximate(&path),
                false => self.drop(&path),
            }
        }
    }

    /// Notes a tool, a part or another value that only the caller's dialect has, under the name it gives itself: its `type`,
    /// else its first member that holds an object, else its first. A search among tools has nothing to find where all tools are
    /// told in full.
    pub fn lose_raw(&mut self, place: &str, value: Json<'_>) {
        let named = value.get("type").and_then(Json::text);
        // Marks such as proofs may stand before what the value is.
        let kernel = || value.members().find(|(_, value)| value.kind() == Kind::Object).or(value.members().next());
        let kind = named.or_else(|| kernel().map(|(name, _)| name));
        let kind = kind.map_or_else(|| "unknown".to_string(), |text| text.decode().into_owned());
        match kind.starts_with("tool_search") {
            true => self.approximate(&format!("{place}{kind}")),
            false => self.drop(&format!("{place}{kind}")),
        }
    }
}

fn note(list: &mut Vec<String>, path: &str) {
    if list.len() > MAX_LOST {
        return;
    }
    // Names are the caller's, and the list goes into a header.
    let plain = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '?' };
    let shown: String = path.chars().take(MAX_LOST_NAME).map(plain).collect();
    let shown = if list.len() == MAX_LOST { "and-more".to_string() } else { shown };
    if !list.contains(&shown) {
        list.push(shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(place: &str, body: &str) -> (Vec<String>, Vec<String>) {
        let body = Json::parse(body.as_bytes()).unwrap();
        let mut losses = Losses::default();
        losses.lose(place, &body.members().collect::<Vec<_>>());
        (losses.approximated, losses.dropped)
    }

    #[test]
    fn what_the_answer_does_not_depend_on_is_no_loss() {
        let body = r#"{"metadata":{"a":1},"audio":{"voice":"x"},"logprobs":true,"odd":null,"plugins":[],"modalities":["text"]}"#;
        let (approximated, dropped) = lost("", body);
        assert_eq!(approximated, ["metadata", "plugins", "modalities"]);
        assert_eq!(dropped, ["audio", "logprobs"]);
        assert_eq!(lost("messages[].", r#"{"logprobs":[1],"odd":1}"#).0, ["messages[].logprobs"]);
    }

    #[test]
    fn a_value_without_a_type_is_named_by_what_it_holds() {
        for (value, name) in [
            (r#"{"a":{},"type":"web_search"}"#, "tools[].web_search"),
            (r#"{"thoughtSignature":"x","toolCall":{}}"#, "tools[].toolCall"),
            (r#"{"a":1}"#, "tools[].a"),
            ("7", "tools[].unknown"),
        ] {
            let mut losses = Losses::default();
            losses.lose_raw("tools[].", Json::parse(value.as_bytes()).unwrap());
            assert_eq!(losses.dropped, [name]);
        }
    }

    #[test]
    fn the_list_stays_short_and_fit_for_a_header() {
        let mut losses = Losses::default();
        for number in 0..2 * MAX_LOST {
            losses.drop(&format!("a\r\n,{number}"));
        }
        assert_eq!(losses.dropped.len(), MAX_LOST + 1);
        assert_eq!((losses.dropped[0].as_str(), losses.dropped[MAX_LOST].as_str()), ("a???0", "and-more"));
    }
}
