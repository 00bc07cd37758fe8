//! A settings file as the admin API takes its rows: by kind and id. What is wrong with a row, the API says.

use serde_json::{Map, Value};

use super::bad_input::bad;
use crate::settings::{Kind, Mistake, Said, SaidRow};

/// Rows, and what stands beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Rows by kind and id.
    pub rows: Value,
    /// Settings of the file that no API changes.
    pub left: Vec<String>,
}

/// The rows of a settings file.
pub fn read(name: &str, text: &str) -> anyhow::Result<Bundle> {
    let document: toml::Table = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        bad(format!("{name}:{}", Mistake::at(text, at, error.message())))
    })?;
    let mut left = Vec::new();
    for (member, value) in &document {
        let kind = Kind::ALL.into_iter().find(|kind| table(*kind) == member);
        let rows = value.as_array().filter(|list| !list.is_empty() && list.iter().all(toml::Value::is_table));
        match (kind, value) {
            (Some(Kind::Alias), toml::Value::Table(_)) => {}
            (Some(Kind::Alias), _) => return Err(bad(format!("{name}: [aliases] must be a table"))),
            (Some(_), toml::Value::Array(list)) if list.is_empty() || rows.is_some() => {}
            (Some(kind), _) => return Err(bad(format!("{name}: a {0} is written [[{0}]]", kind.name()))),
            // Only rows are lists of tables: this one would be lost.
            (None, _) if rows.is_some() => {
                let known: Vec<&str> = Kind::ALL.map(table).to_vec();
                return Err(bad(format!("{name}: there are no rows [[{member}]]; there are {}", known.join(", "))));
            }
            (None, _) => left.push(member.clone()),
        }
    }
    Ok(Bundle { rows: bundle(name, Said::of(text))?, left })
}

/// What holds the rows of a kind in a file.
fn table(kind: Kind) -> &'static str {
    if kind == Kind::Alias { "aliases" } else { kind.name() }
}

fn bundle(name: &str, said: Said) -> anyhow::Result<Value> {
    let mut bundle = Map::new();
    for row in said.0 {
        let kind = row.kind.name();
        if row.id.is_empty() {
            return Err(bad(format!("{name}: a [[{kind}]] has no `{}`", row.kind.identity())));
        }
        let rows = bundle.entry(kind).or_insert_with(|| Value::Object(Map::new()));
        let Some(rows) = rows.as_object_mut() else { continue };
        if rows.contains_key(&row.id) {
            return Err(bad(format!("{name}: {kind} `{}` is listed twice; put everything into one row", row.id)));
        }
        rows.insert(row.id, Value::Object(row.members));
    }
    Ok(Value::Object(bundle))
}

/// The rows of a bundle, in the order of a file.
pub fn said(bundle: &Value) -> Said {
    let rows = |kind: Kind| {
        let rows = bundle[kind.name()].as_object().into_iter().flatten();
        rows.map(move |(id, members)| SaidRow {
            kind,
            id: id.clone(),
            members: members.as_object().cloned().unwrap_or_default(),
        })
    };
    Said(Kind::ALL.into_iter().flat_map(rows).collect())
}

#[cfg(test)]
mod tests {
    use super::super::bad_input::BadInput;
    use super::*;
    use serde_json::json;

    const FILE: &str = "demo = true\n[listen]\ndata = \"127.0.0.1:1\"\n[[provider]]\nid = \"a\"\nbase_url = \"http://h\"\n\
                        [[price]]\ntarget = \"a/m\"\nfrom = 2026-01-01\ninput = 1\n[aliases]\nq = \"m\"\n";

    #[test]
    fn a_file_becomes_rows_and_what_is_left_is_told() {
        let bundle = read("f", FILE).unwrap();
        let expected = json!({
            "provider": { "a": { "base_url": "http://h" } },
            "price": { "a/m@2026-01-01": { "input": 1 } },
            "alias": { "q": { "to": "m" } },
        });
        assert_eq!(bundle.rows, expected);
        assert_eq!(bundle.left, ["demo", "listen"]);
    }

    #[test]
    fn rows_become_the_file_again() {
        let rows = read("f", FILE).unwrap().rows;
        let again = read("f", &said(&rows).toml()).unwrap();
        assert_eq!((again.rows, again.left), (rows, vec![]));
    }

    #[test]
    fn nothing_is_lost_without_a_word() {
        for (text, word) in [
            ("a = ", "f:1:"),
            ("[[providr]]\nid = \"a\"", "providr"),
            ("[[provider]]\nbase_url = \"http://h\"", "no `id`"),
            ("[[provider]]\nid = 5", "no `id`"),
            ("[provider]\nid = \"a\"", "[[provider]]"),
            ("provider = [1]", "[[provider]]"),
            ("aliases = 1", "[aliases]"),
            ("[[route]]\nname = \"r\"\n[[route]]\nname = \"r\"", "twice"),
        ] {
            let error = read("f", text).unwrap_err();
            assert!(error.is::<BadInput>() && error.to_string().contains(word), "{text}: {error:#}");
        }
    }
}
