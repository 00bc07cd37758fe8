//! Rows as JSON: the words of dragoman.toml in another spelling, for the admin API and for what lies over what.
//!
//! ```text
//! dragoman.toml ─▶ Said ─┐
//!                        ├─▶ Said ─▶ TOML ─▶ the one reader ─▶ File, or every mistake with the row and the member it is in
//! rows of the API ───────┘
//! ```
//!
//! Why so: there is one reader of rows, which knows every word and reports every mistake. Rows from elsewhere are spelled as
//! it reads them, all of them together, so that what they say of one another is checked as in a file.
//!
//! Limits: JSON's `null` has no spelling; a member that is not wanted is left out.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::mistake::Mistakes;
use super::{File, Kind, Known};

/// A row: its kind, its name among its kind, and its members without the ones that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidRow {
    /// What it is about.
    pub kind: Kind,
    /// Its name among its kind. A price's is its target, and behind `@` the day from which it holds if there is one.
    pub id: String,
    /// What it says.
    pub members: Map<String, Value>,
}

/// Rows in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said(pub Vec<SaidRow>);

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The row's kind and id; `None` when the rows together are wrong.
    pub row: Option<(Kind, String)>,
    /// The member that is wrong, if it is one.
    pub member: Option<String>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((kind, id)) = &self.row {
            write!(out, "{} {id}: ", kind.name())?;
        }
        if let Some(member) = &self.member {
            write!(out, "`{member}`: ")?;
        }
        out.write_str(&self.message)
    }
}

impl Said {
    /// The rows of a settings file that was read without a mistake.
    pub fn of(text: &str) -> Said {
        let document: toml::Table = toml::from_str(text).unwrap_or_default();
        let mut rows = Vec::new();
        for kind in Kind::ALL {
            match document.get(if kind == Kind::Alias { "aliases" } else { kind.name() }) {
                Some(toml::Value::Table(aliases)) => rows.extend(aliases.iter().map(|(name, to)| SaidRow {
                    kind,
                    id: name.clone(),
                    members: Map::from_iter([("to".to_string(), json(to))]),
                })),
                Some(toml::Value::Array(list)) => {
                    rows.extend(list.iter().filter_map(toml::Value::as_table).map(|table| row(kind, table)));
                }
                _ => {}
            }
        }
        Said(rows)
    }

    /// The row of that kind and id.
    pub fn find(&self, kind: Kind, id: &str) -> Option<&SaidRow> {
        self.0.iter().find(|row| row.kind == kind && row.id == id)
    }

    /// Puts rows over these: of a provider and a model the members that are said replace those below, of a provider's
    /// variables and of its sign-in each by itself; of the others the whole row does.
    pub fn lay(&mut self, over: impl IntoIterator<Item = SaidRow>) {
        let mut place: std::collections::HashMap<(Kind, String), usize> =
            self.0.iter().enumerate().map(|(at, row)| ((row.kind, row.id.clone()), at)).collect();
        for row in over {
            let known = place.get(&(row.kind, row.id.clone())).and_then(|at| self.0.get_mut(*at));
            match known {
                Some(below) if row.kind.is_joined() => join(&mut below.members, row.members),
                Some(below) => below.members = row.members,
                None => {
                    place.insert((row.kind, row.id.clone()), self.0.len());
                    self.0.push(row);
                }
            }
        }
    }

    /// Reads the rows as a file with nothing else in it; that they are what it said, the caller knows already.
    pub fn read(&self, known: &Known) -> Result<File, Vec<Problem>> {
        let spelled = Spelled::of(self);
        if !spelled.problems.is_empty() {
            return Err(spelled.problems);
        }
        super::file::read("rows", &spelled.text, known).map_err(|mistakes| spelled.problems_of(&mistakes))
    }

    /// The rows as a settings file.
    pub fn toml(&self) -> String {
        Spelled::of(self).text
    }
}

/// The members of `over` replace those of `below`.
fn join(below: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        match (below.get_mut(&name), value) {
            (Some(Value::Object(below)), Value::Object(more)) if name == "variables" || name == "sign_in" => {
                below.extend(more);
            }
            (_, value) => {
                below.insert(name, value);
            }
        }
    }
}

fn row(kind: Kind, table: &toml::Table) -> SaidRow {
    let mut members: Map<String, Value> = table.iter().map(|(name, value)| (name.clone(), json(value))).collect();
    let mut take = |name: &str| members.remove(name).and_then(|value| value.as_str().map(str::to_string));
    let mut id = take(kind.identity()).unwrap_or_default();
    if kind == Kind::Price
        && let Some(from) = take("from")
    {
        let _ = write!(id, "@{from}");
    }
    SaidRow { kind, id, members }
}

fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(flag) => Value::from(*flag),
        toml::Value::Datetime(moment) => Value::from(moment.to_string()),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => table.iter().map(|(name, value)| (name.clone(), json(value))).collect(),
    }
}

/// A key, in quotes where it needs them.
fn key_of(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { key.to_string() } else { text(key) }
}

/// Rows spelled as TOML, one member a line, and what each line is about.
struct Spelled {
    text: String,
    lines: Vec<(Kind, String, Option<String>)>,
    problems: Vec<Problem>,
}

impl Spelled {
    fn of(said: &Said) -> Spelled {
        let mut spelled = Spelled { text: String::new(), lines: Vec::new(), problems: Vec::new() };
        for row in said.0.iter().filter(|row| row.kind != Kind::Alias) {
            spelled.gap(row);
            spelled.line(row, None, &format!("[[{}]]", row.kind.name()));
            let (id, from) = match row.id.rsplit_once('@') {
                Some((target, from)) if row.kind == Kind::Price && is_day(from) => (target, Some(from)),
                _ => (row.id.as_str(), None),
            };
            spelled.line(row, None, &format!("{} = {}", row.kind.identity(), text(id)));
            if let Some(from) = from {
                spelled.line(row, None, &format!("from = {}", text(from)));
            }
            row.members.iter().for_each(|(name, value)| spelled.member(row, name, name, value));
        }
        let mut aliases = said.0.iter().filter(|row| row.kind == Kind::Alias).peekable();
        if let Some(first) = aliases.peek() {
            spelled.gap(first);
            spelled.line(first, None, "[aliases]");
        }
        for row in aliases {
            match row.members.get("to") {
                Some(to @ (Value::String(_) | Value::Null)) => spelled.member(row, "to", &row.id, to),
                Some(_) => spelled.problem(
                    row,
                    "to",
                    "must be a string: the name of a model or a route, or \"provider/model\"",
                ),
                None => spelled.problem(row, "to", "is missing: an alias says what it stands for"),
            }
            for name in row.members.keys().filter(|name| *name != "to") {
                spelled.problem(row, name, "is not known; an alias has `to` and nothing else");
            }
        }
        spelled
    }

    /// An empty line before a table that is not the first.
    fn gap(&mut self, row: &SaidRow) {
        if !self.text.is_empty() {
            self.line(row, None, "");
        }
    }

    fn line(&mut self, row: &SaidRow, member: Option<&str>, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.lines.push((row.kind, row.id.clone(), member.map(str::to_string)));
    }

    fn member(&mut self, row: &SaidRow, name: &str, key: &str, value: &Value) {
        if row.kind != Kind::Alias && (name == row.kind.identity() || (row.kind == Kind::Price && name == "from")) {
            return self.problem(row, name, "is said by the row's own name; leave it out");
        }
        match spell(value) {
            Some(value) => self.line(row, Some(name), &format!("{} = {value}", key_of(key))),
            None => self.problem(row, name, "is or has null, which means nothing here; leave the member out"),
        }
    }

    fn problem(&mut self, row: &SaidRow, member: &str, message: &str) {
        let row = Some((row.kind, row.id.clone()));
        self.problems.push(Problem { row, member: Some(member.to_string()), message: message.to_string() });
    }

    fn problems_of(&self, mistakes: &Mistakes) -> Vec<Problem> {
        let problem = |mistake: &super::Mistake| {
            let line = self.lines.get(mistake.line.saturating_sub(1));
            Problem {
                row: line.map(|(kind, id, _)| (*kind, id.clone())),
                member: line.and_then(|(_, _, member)| member.clone()),
                message: mistake.message.clone(),
            }
        };
        mistakes.list.iter().map(problem).collect()
    }
}

/// Whether a text is a day such as `2026-01-31`.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}

/// A value on one line of TOML; `None` when there is a null in it. JSON's strings and numbers are TOML's.
fn spell(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Array(items) => format!("[{}]", items.iter().map(spell).collect::<Option<Vec<_>>>()?.join(", ")),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| Some(format!("{} = {}", key_of(name), spell(value)?));
            format!("{{ {} }}", members.iter().map(member).collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::String(own) => text(own),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            // Digit by digit, for an amount of money has no exponent: 0.00001, not 1e-5.
            Some(float) if float.fract() == 0.0 => format!("{float:.1}"),
            Some(float) => float.to_string(),
            None => number.to_string(),
        },
        other => other.to_string(),
    })
}

/// A text as TOML spells it, which has no control character in it, not even the one that JSON leaves as it is.
fn text(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::known;

    fn provider(id: &str, members: Value) -> SaidRow {
        SaidRow { kind: Kind::Provider, id: id.into(), members: members.as_object().unwrap().clone() }
    }

    #[test]
    fn rows_spelled_again_are_read_as_the_same_rows() {
        let text = "[[provider]]\nid = \"a\"\nbase_url = \"http://h\"\nmodels = [\"m\"]\nvariables = { x = { env = \"X\", default = \"1\" } }\n\
                    [[model]]\nname = \"m\"\noutput_limit = 7\n[[route]]\nname = \"r\"\ncandidates = [\"a/m\"]\n[aliases]\n\"q\\\"\" = \"m\"\n";
        let known = known().unwrap();
        let (file, again) = (File::read("f", text, &known).unwrap(), Said::of(text).read(&known).unwrap());
        assert_eq!(Said::of(&Said::of(text).toml()), Said::of(text));
        assert_eq!(
            (file.models[0].output_limit, &file.models[0].name),
            (again.models[0].output_limit, &again.models[0].name)
        );
        assert_eq!(file.providers[0].variables, again.providers[0].variables);
        assert_eq!(file.aliases[0].1, again.aliases[0].1);
    }

    #[test]
    fn what_is_laid_over_changes_the_members_it_names() {
        let mut said = Said(vec![provider(
            "a",
            serde_json::json!({ "base_url": "http://h", "omit": ["x"], "variables": { "r": "1", "s": "2" } }),
        )]);
        said.lay([
            provider("a", serde_json::json!({ "omit": [], "variables": { "r": "9" } })),
            provider("b", serde_json::json!({})),
        ]);
        let expected = serde_json::json!({ "base_url": "http://h", "omit": [], "variables": { "r": "9", "s": "2" } });
        assert_eq!((Value::Object(said.0[0].members.clone()), said.0.len()), (expected, 2));
    }

    #[test]
    fn every_mistake_names_its_row_and_its_member() {
        let rows = Said(vec![
            provider("a", serde_json::json!({ "base_url": "ftp://h", "nonsense": 1 })),
            provider("b", serde_json::json!({ "base_url": null })),
        ]);
        let problems = rows.read(&known().unwrap()).unwrap_err();
        assert_eq!(problems[0].row, Some((Kind::Provider, "b".into())));
        let problems = Said(rows.0[..1].to_vec()).read(&known().unwrap()).unwrap_err();
        let members: Vec<Option<&str>> = problems.iter().map(|problem| problem.member.as_deref()).collect();
        assert_eq!(members, [Some("base_url"), Some("nonsense")], "{problems:?}");
    }

    #[test]
    fn a_price_is_named_by_its_target_and_its_day() {
        let text = "[[price]]\ntarget = \"a/m@1\"\nfrom = 2026-01-01\ninput = \"1\"\n";
        let said = Said::of(text);
        assert_eq!(said.0[0].id, "a/m@1@2026-01-01");
        assert!(said.toml().contains("target = \"a/m@1\"\nfrom = \"2026-01-01\""), "{}", said.toml());
    }
}
