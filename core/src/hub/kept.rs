//! Who keeps what an id names: an answer that was stored, a file, a batch.
//!
//! An id means something to the provider that gave it alone. Where another one could be asked about it as well, what the client is given
//! ends with a mark of its keeper; when it comes back, the mark is taken off, and nobody but the keeper is asked:
//!
//! ```text
//! resp_68ab…                          what the provider says and hears
//! resp_68ab…_dgm1_0123456789abcdef    what the client hears and says
//! ```
//!
//! Why so: nothing has to be remembered, so it holds at once, in every worker of every Envoy, and after any restart.
//!
//! Limits: where there is one provider only, ids pass as they are, and an id without a mark says nothing of its keeper. Ids of items and
//! conversations, and names of the dialect that calls its files by their paths, are not marked.

use crate::catalog::{DialectId, Operation};
use crate::json::edit::{map_items, map_members};
use crate::json::path::Path;
use crate::json::{Json, Kind, Text};

/// What stands between an id and its keeper's [`crate::catalog::slot`].
const MARK: &str = "_dgm1_";

/// Length of a keeper's name in a mark, in bytes.
const KEEPER: usize = 16;

/// The members of a request whose values are ids that may be marked, at any depth.
const SAID: [&str; 4] = ["previous_response_id", "file_id", "file_ids", "input_file_id"];

/// Who keeps what a request names by ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Kept {
    /// It says of nobody.
    #[default]
    Anywhere,
    /// The provider of this [`crate::catalog::slot`], as a number.
    By(u64),
    /// Several, and nobody has it all.
    Apart,
}

impl Kept {
    /// Whether all of it is with the provider of that slot.
    pub fn is_with(self, slot: &str) -> bool {
        match self {
            Kept::Anywhere => true,
            Kept::By(keeper) => u64::from_str_radix(slot, 16) == Ok(keeper),
            Kept::Apart => false,
        }
    }

    fn and(self, keeper: u64) -> Kept {
        match self {
            Kept::Anywhere => Kept::By(keeper),
            Kept::By(known) if known == keeper => self,
            Kept::By(_) | Kept::Apart => Kept::Apart,
        }
    }

    /// Takes the marks off a path and its query; `None` when there are none.
    pub(crate) fn read_path(&mut self, path: &str) -> Option<String> {
        if !path.contains(MARK) {
            return None;
        }
        let is_end = |letter| matches!(letter, '/' | '?' | '&' | '=');
        let plain = path.split_inclusive(is_end).map(|part| {
            let id = part.trim_end_matches(is_end);
            let (plain, keeper) = unmarked(id)?;
            *self = self.and(keeper);
            Some(format!("{plain}{}", part.get(id.len()..).unwrap_or_default()))
        });
        let plain: Vec<Option<String>> = plain.collect();
        let parts = path.split_inclusive(is_end).zip(plain);
        Some(parts.map(|(part, plain)| plain.unwrap_or_else(|| part.to_string())).collect())
    }

    /// Takes the marks off the ids in a body; what is no JSON has none.
    pub(crate) fn read_body(&mut self, body: Vec<u8>) -> Vec<u8> {
        if memchr::memmem::find(&body, MARK.as_bytes()).is_none() {
            return body;
        }
        let json = Json::parse(&body).ok();
        let plain = json.and_then(|json| self.plain(json, Text::escaped("")));
        plain.map_or(body, String::into_bytes)
    }

    /// The value of that member without marks; `None` when there are none.
    fn plain(&mut self, value: Json<'_>, name: Text<'_>) -> Option<String> {
        match value.kind() {
            Kind::Object => map_members(value, &mut |name, inner| self.plain(inner, name)),
            Kind::Array => map_items(value, &mut |_, item| self.plain(item, name)),
            Kind::String if SAID.iter().any(|known| name.is(known)) => {
                let (id, keeper) = unmarked(value.text()?.raw())?;
                *self = self.and(keeper);
                Some(format!("\"{id}\""))
            }
            _ => None,
        }
    }
}

/// An id with a keeper's mark (JSON text), unless it has one.
pub(crate) fn marked(id: Json<'_>, keeper: &str) -> Option<String> {
    let id = id.text()?.raw();
    (!id.is_empty() && unmarked(id).is_none()).then(|| format!("\"{id}{MARK}{keeper}\""))
}

/// An id without its mark, and its keeper.
fn unmarked(id: &str) -> Option<(&str, u64)> {
    let (id, keeper) = id.split_at_checked(id.len().checked_sub(KEEPER)?)?;
    let id = id.strip_suffix(MARK).filter(|id| !id.is_empty())?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let keeper = keeper.bytes().all(is_digit).then(|| u64::from_str_radix(keeper, 16).ok());
    Some((id, keeper??))
}

/// Where the ids stand in an answer that its provider keeps, or that is about what it keeps.
pub(crate) fn places(dialect: DialectId, operation: Operation) -> Vec<Path> {
    let names: &[&str] = match (dialect, operation) {
        (DialectId::Responses, Operation::Generate | Operation::Stored) => ANSWERS,
        (DialectId::ChatCompletions | DialectId::Messages, Operation::Files) => FILES,
        (DialectId::ChatCompletions | DialectId::Messages, Operation::Batches) => BATCHES,
        _ => &[],
    };
    names.iter().filter_map(|name| Path::read(name).ok()).collect()
}

const ANSWERS: &[&str] = &["id", "previous_response_id", "response.id", "response.previous_response_id"];
const FILES: &[&str] = &["id", "data[].id", "first_id", "last_id"];
const BATCHES: &[&str] = &[
    "id",
    "input_file_id",
    "output_file_id",
    "error_file_id",
    "data[].id",
    "data[].input_file_id",
    "data[].output_file_id",
    "data[].error_file_id",
    "first_id",
    "last_id",
];

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00000000000000aa";
    const B: &str = "ff000000000000bb";

    fn path(path: &str) -> (Option<String>, Kept) {
        let mut kept = Kept::default();
        (kept.read_path(path), kept)
    }

    fn body(body: &str) -> (String, Kept) {
        let mut kept = Kept::default();
        (String::from_utf8(kept.read_body(body.as_bytes().to_vec())).unwrap(), kept)
    }

    #[test]
    fn a_marked_id_comes_back_without_its_mark_and_with_its_keeper() {
        let id = marked(Json::parse(b"\"resp_1\"").unwrap(), A).unwrap();
        assert_eq!(id, format!("\"resp_1_dgm1_{A}\""));
        assert_eq!(marked(Json::parse(id.as_bytes()).unwrap(), B), None, "it has one");
        let id = id.trim_matches('"');
        let (plain, kept) = path(&format!("/v1/responses/{id}/input_items?after={id}&limit=2"));
        assert_eq!(plain.as_deref(), Some("/v1/responses/resp_1/input_items?after=resp_1&limit=2"));
        assert!(kept.is_with(A) && !kept.is_with(B));
        let (plain, kept) = body(&format!("{{ \"previous_response_id\" : \"{id}\", \"input\":\"{id}\" }}"));
        assert_eq!(
            plain,
            format!("{{ \"previous_response_id\" : \"resp_1\", \"input\":\"{id}\" }}"),
            "words are words"
        );
        assert_eq!(kept, Kept::By(0xaa));
        let deep = |one: &str, two: &str| {
            let part = format!("{{\"file_id\":\"f_dgm1_{two}\"}}");
            body(&format!(
                "{{\"tools\":[{{\"file_ids\":[\"e_dgm1_{one}\",\"x\"]}}],\"input\":[{{\"content\":[{part}]}}]}}"
            ))
        };
        let (plain, kept) = deep(B, B);
        assert_eq!(plain, r#"{"tools":[{"file_ids":["e","x"]}],"input":[{"content":[{"file_id":"f"}]}]}"#);
        assert!(kept.is_with(B));
        let (_, kept) = deep(A, B);
        assert!(kept == Kept::Apart && !kept.is_with(A) && !kept.is_with(B), "nobody has both");
    }

    #[test]
    fn what_is_no_mark_stays() {
        for text in [
            "",
            "/",
            "/v1/responses/resp_1",
            "/v1/responses/resp_dgm1_00AA0000000000aa",
            "/x_dgm1_0/y",
            "/_dgm1_00000000000000aa",
        ] {
            let (plain, kept) = path(text);
            assert!(plain.is_none_or(|plain| plain == text) && kept == Kept::Anywhere, "{text}");
        }
        for text in
            ["no JSON _dgm1_", "{\"previous_response_id\":null,\"a\":\"_dgm1_\"}", "[1,\"_dgm1_00000000000000aa\"]"]
        {
            assert_eq!(body(text), (text.to_string(), Kept::Anywhere));
        }
        assert_eq!(marked(Json::parse(b"\"\"").unwrap(), A), None);
        assert_eq!(marked(Json::parse(b"null").unwrap(), A), None);
    }

    #[test]
    fn every_place_is_a_path() {
        for (dialect, operation, count) in [
            (DialectId::Responses, Operation::Generate, 4),
            (DialectId::Messages, Operation::Files, 4),
            (DialectId::ChatCompletions, Operation::Batches, 10),
            (DialectId::ChatCompletions, Operation::Generate, 0),
            (DialectId::GenerateContent, Operation::Files, 0),
        ] {
            assert_eq!(places(dialect, operation).len(), count, "{dialect:?} {operation:?}");
        }
    }
}
