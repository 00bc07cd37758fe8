//! A rule's row, read and checked: every mistake is told, with its place.

use std::collections::BTreeSet;

use super::header::{self, Way};
use super::template::MAX_TEXT;
use super::word::Takes;
use super::{Action, MAX_ACTIONS, MAX_SCOPE, Member, Rule, Template, Touch, Value, Word};
use crate::admission::is_account;
use crate::catalog::DialectId;
use crate::json::path::{Path, Step};
use crate::json::{Json, Kind};

/// One thing wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where: names of members, from the outermost in; of a list the item's number.
    pub place: Vec<String>,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

impl core::fmt::Display for Wrong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.place.is_empty() {
            true => f.write_str(&self.problem),
            false => write!(f, "`{}` {}", self.place.join("."), self.problem),
        }
    }
}

/// Members that decide who is asked and how the answer comes; what they say was acted upon before any rule.
const DECISIVE: [&str; 3] = ["model", "stream", "stream_options"];

const ROW: [&str; 7] = ["name", "routes", "accounts", "keys", "dialects", "request", "response"];
const REQUEST: [&str; 7] = ["remove", "set", "default", "cap", "prepend_system", "append_system", "headers"];
const RESPONSE: [&str; 6] = ["remove", "rename", "set", "mask", "append_text", "headers"];

impl Rule {
    /// Reads a row; every mistake is reported.
    pub fn read(row: Json<'_>) -> Result<Rule, Vec<Wrong>> {
        let mut reader = Reader::default();
        let mut rule = Rule {
            name: String::new(),
            routes: BTreeSet::new(),
            accounts: BTreeSet::new(),
            keys: BTreeSet::new(),
            dialects: Vec::new(),
            request: Vec::new(),
            request_headers: Vec::new(),
            response: Vec::new(),
            response_headers: Vec::new(),
            closing: None,
            masks: false,
            document: row.as_str().to_string(),
        };
        for (name, value) in reader.members(row, "a [[rule]]", &ROW) {
            reader.within(&name, |reader| match name.as_str() {
                "name" => rule.name = reader.name(value),
                "routes" => rule.routes = reader.scope(value, "a route", |name| !name.is_empty()),
                "accounts" => rule.accounts = reader.scope(value, "an account such as \"acme.search\"", is_account),
                "keys" => rule.keys = reader.scope(value, "the id of a key", |name| !name.is_empty()),
                "dialects" => rule.dialects = reader.dialects(value),
                "request" => reader.request(value, &mut rule),
                _ => reader.response(value, &mut rule),
            });
        }
        if row.get("name").is_none() {
            reader.wrong("this rule needs a `name`, which stands in explanations and Records");
        }
        match reader.actions {
            0 if reader.mistakes.is_empty() => {
                reader.wrong("this rule changes nothing; say what in `request` or `response`")
            }
            actions if actions > MAX_ACTIONS => reader.wrong(&format!("a rule has at most {MAX_ACTIONS} changes")),
            _ => {}
        }
        if reader.mistakes.is_empty() { Ok(rule) } else { Err(reader.mistakes) }
    }
}

#[derive(Default)]
struct Reader {
    place: Vec<String>,
    mistakes: Vec<Wrong>,
    actions: usize,
}

impl Reader {
    fn wrong(&mut self, problem: &str) {
        self.mistakes.push(Wrong { place: self.place.clone(), problem: problem.to_string() });
    }

    fn within<T>(&mut self, name: &str, read: impl FnOnce(&mut Reader) -> T) -> T {
        self.place.push(name.to_string());
        let value = read(self);
        self.place.pop();
        value
    }

    /// The members of a table that are known; all others are mistakes.
    fn members<'a>(&mut self, table: Json<'a>, what: &str, known: &[&str]) -> Vec<(String, Json<'a>)> {
        let (good, bad): (Vec<_>, Vec<_>) =
            self.table(table).into_iter().partition(|(name, _)| known.contains(&name.as_str()));
        for (name, _) in bad {
            let problem = format!("is no word here: {what} has no member `{name}`; it knows `{}`", known.join("`, `"));
            self.within(&name, |reader| reader.wrong(&problem));
        }
        good
    }

    fn table<'a>(&mut self, table: Json<'a>) -> Vec<(String, Json<'a>)> {
        if table.kind() != Kind::Object {
            self.wrong("must be a table");
        }
        table.members().map(|(name, value)| (name.decode().into_owned(), value)).collect()
    }

    fn text(&mut self, value: Json<'_>) -> Option<String> {
        let text = value.string();
        if text.is_none() {
            self.wrong("must be a string");
        }
        text
    }

    fn name(&mut self, value: Json<'_>) -> String {
        let name = self.text(value).unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            self.wrong("has 1 to 64 letters, digits, `-`, `_` or `.`");
        }
        name
    }

    fn list(&mut self, value: Json<'_>) -> Vec<String> {
        if value.kind() != Kind::Array {
            self.wrong("must be a list of strings");
        }
        let items: Vec<Json<'_>> = value.items().collect();
        let text = |(index, item): (usize, Json<'_>)| self.within(&index.to_string(), |reader| reader.text(item));
        items.into_iter().enumerate().map(text).map(Option::unwrap_or_default).collect()
    }

    fn scope(&mut self, value: Json<'_>, what: &str, good: fn(&str) -> bool) -> BTreeSet<String> {
        let names = self.list(value);
        if names.is_empty() || names.len() > MAX_SCOPE {
            self.wrong(&format!("names 1 to {MAX_SCOPE}; without it the rule holds for all"));
        }
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !good(name)) {
            self.within(&index.to_string(), |reader| reader.wrong(&format!("is not {what}: \"{name}\"")));
        }
        names.into_iter().collect()
    }

    fn dialects(&mut self, value: Json<'_>) -> Vec<DialectId> {
        let mut dialects = Vec::new();
        let names = self.list(value);
        if names.is_empty() {
            self.wrong("names one dialect or more; without it the rule is for all");
        }
        for (index, name) in names.iter().enumerate() {
            match DialectId::named(name) {
                Some(dialect) => dialects.push(dialect),
                None => {
                    let known = DialectId::ALL.map(DialectId::name).join(", ");
                    self.within(&index.to_string(), |reader| {
                        reader.wrong(&format!("is no dialect; there are {known}"))
                    });
                }
            }
        }
        dialects
    }

    fn request(&mut self, table: Json<'_>, rule: &mut Rule) {
        let said = self.members(table, "`request`", &REQUEST);
        // In the order in which they are done, whatever the order in which they were said.
        let ordered = REQUEST.iter().filter_map(|known| said.iter().find(|(name, _)| name == known));
        for (name, value) in ordered {
            self.within(name, |reader| match name.as_str() {
                "remove" => {
                    let members = reader.removed(*value);
                    rule.request.extend(members.into_iter().map(Action::Remove));
                }
                "set" => {
                    rule.request.extend(reader.values(*value).into_iter().map(|(member, to)| Action::Set(member, to)))
                }
                "default" => {
                    rule.request
                        .extend(reader.values(*value).into_iter().map(|(member, to)| Action::Default(member, to)));
                }
                "cap" => reader.caps(*value, rule),
                "prepend_system" => rule.request.extend(reader.template(*value).map(Action::Prepend)),
                "append_system" => rule.request.extend(reader.template(*value).map(Action::Append)),
                _ => rule.request_headers = reader.headers(*value, Way::Outgoing),
            });
        }
    }

    fn response(&mut self, table: Json<'_>, rule: &mut Rule) {
        let said = self.members(table, "`response`", &RESPONSE);
        let ordered = RESPONSE.iter().filter_map(|known| said.iter().find(|(name, _)| name == known));
        for (name, value) in ordered {
            self.within(name, |reader| match name.as_str() {
                "remove" => {
                    for (index, written) in reader.list(*value).iter().enumerate() {
                        let path = reader.within(&index.to_string(), |reader| reader.path(written));
                        rule.response.extend(path.map(Touch::Remove));
                    }
                }
                "rename" => reader.renames(*value, rule),
                "set" => {
                    for (written, value) in reader.table(*value) {
                        reader.within(&written, |reader| {
                            let set = reader.path(&written).zip(reader.value(value));
                            rule.response.extend(set.map(|(path, value)| Touch::Set(path, value)));
                        });
                    }
                }
                "mask" => {
                    reader.actions += 1;
                    match value.bool() {
                        Some(masks) => rule.masks = masks,
                        None => reader.wrong("must be true or false"),
                    }
                }
                "append_text" => rule.closing = reader.template(*value),
                _ => rule.response_headers = reader.headers(*value, Way::Answered),
            });
        }
    }

    fn removed(&mut self, value: Json<'_>) -> Vec<Member> {
        let names = self.list(value);
        let member = |(index, name): (usize, &String)| self.within(&index.to_string(), |reader| reader.member(name));
        names.iter().enumerate().filter_map(member).collect()
    }

    fn renames(&mut self, value: Json<'_>, rule: &mut Rule) {
        for (written, to) in self.table(value) {
            self.within(&written, |reader| {
                let (path, name) = (reader.path(&written), reader.text(to).unwrap_or_default());
                let plain = Path::read(&name).is_ok_and(|path| path.steps().len() == 1);
                let same =
                    path.as_ref().and_then(|path| path.steps().last()) == Some(&Step::Member(vec![name.clone()]));
                if !plain || same {
                    reader.wrong("must be another name, for the member stays where it is");
                }
                rule.response.extend(path.map(|path| Touch::Rename(path, name)));
            });
        }
    }

    /// `set` and `default`: members and what they are to be.
    fn values(&mut self, table: Json<'_>) -> Vec<(Member, Value)> {
        let mut values: Vec<(Member, Value)> = Vec::new();
        for (written, value) in self.table(table) {
            self.within(&written, |reader| {
                let Some(member) = reader.member(&written) else { return };
                let value = match &member {
                    Member::Word(word) => reader.word(*word, value),
                    Member::At(path, _) => {
                        if values.iter().any(|(other, _)| matches!(other, Member::At(other, _) if other.meets(path))) {
                            reader.wrong("leads to or through another member that is set; say both in one");
                        }
                        reader.value(value)
                    }
                };
                values.extend(value.map(|value| (member, value)));
            });
        }
        values
    }

    fn word(&mut self, word: Word, value: Json<'_>) -> Option<Value> {
        if word == Word::Answers {
            // What is reserved and what can be told in other dialects depends on it.
            self.wrong("can be capped or removed, not set");
            return None;
        }
        let takes = word.takes();
        let good = match takes {
            Takes::Texts => value.kind() == Kind::Array && value.items().all(|item| item.text().is_some()),
            Takes::Number(..) | Takes::Whole(..) => takes.holds(value),
        };
        if !good {
            self.wrong(&format!("must be {takes}"));
        }
        good.then(|| Value::Json(value.as_str().to_string()))
    }

    fn caps(&mut self, table: Json<'_>, rule: &mut Rule) {
        for (written, value) in self.table(table) {
            self.within(&written, |reader| {
                let Some(member) = reader.member(&written) else { return };
                let takes = match &member {
                    Member::Word(Word::Seed | Word::Stop) => return reader.wrong("has no more and no less; set it"),
                    Member::Word(word) => word.takes(),
                    Member::At(..) => Takes::Number(f64::MIN, f64::MAX),
                };
                match value.f64().filter(|_| takes.holds(value)) {
                    Some(most) => rule.request.push(Action::Cap(member, most, value.as_str().to_string())),
                    None => reader.wrong(&format!("must be {takes}")),
                }
            });
        }
    }

    /// A member of a request, by a word or by its place.
    fn member(&mut self, written: &str) -> Option<Member> {
        if let Some(word) = Word::named(written) {
            self.actions += 1;
            return Some(Member::Word(word));
        }
        let path = self.path(written)?;
        let first = match path.steps().first() {
            Some(Step::Member(names)) => names.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default(),
            _ => String::new(),
        };
        if DECISIVE.contains(&first.as_str()) {
            self.wrong("decides who is asked and how the answer comes, which no rule may change");
            return None;
        }
        let places = DialectId::ALL.into_iter().flat_map(|dialect| Word::ALL.map(|word| (word, word.place(dialect))));
        let word = places.into_iter().find(|(_, place)| place.is_some_and(|place| place.meets(&path)));
        if let Some((word, _)) = word {
            self.wrong(&format!("is `{0}` in some dialect; say `{0}`, which holds in all of them", word.name()));
            return None;
        }
        Some(Member::At(path, written.to_string()))
    }

    fn path(&mut self, written: &str) -> Option<Path> {
        self.actions += 1;
        Path::read(written).map_err(|problem| self.wrong(problem)).ok()
    }

    /// Any value; a text may have variables.
    fn value(&mut self, value: Json<'_>) -> Option<Value> {
        if value.as_str().len() > MAX_TEXT {
            self.wrong(&format!("has more than {MAX_TEXT} bytes"));
            return None;
        }
        match value.text() {
            Some(text) => Template::read(&text.decode()).map_err(|problem| self.wrong(&problem)).ok().map(Value::Text),
            None => Some(Value::Json(value.as_str().to_string())),
        }
    }

    fn template(&mut self, value: Json<'_>) -> Option<Template> {
        self.actions += 1;
        let text = self.text(value)?;
        if text.is_empty() {
            self.wrong("is empty");
        }
        Template::read(&text).map_err(|problem| self.wrong(&problem)).ok()
    }

    fn headers(&mut self, table: Json<'_>, way: Way) -> Vec<(String, Template)> {
        let mut headers = Vec::new();
        for (name, value) in self.table(table) {
            self.actions += 1;
            self.within(&name, |reader| {
                let lower = name.to_ascii_lowercase();
                if let Some(problem) = header::problem(&lower, way) {
                    reader.wrong(problem);
                }
                let Some(text) = reader.text(value) else { return };
                if !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
                    reader.wrong("has something invisible or not of ASCII in it, which no header carries");
                }
                match Template::read(&text) {
                    Ok(template) => headers.push((lower, template)),
                    Err(problem) => reader.wrong(&problem),
                }
            });
        }
        headers
    }
}
