//! What rules make of a request's body, in the dialect in which it is sent.

use super::word::{Block, Fresh, System, Word};
use super::{Action, Holding, Member, Value};
use crate::catalog::DialectId;
use crate::json::edit::{End, insert, map_items};
use crate::json::path::{Absent, Path, Step, alter, remove};
use crate::json::write::{escape_into, quoted};
use crate::json::{Json, Kind, Writer};

/// What stands between the client's words and a rule's, escaped: a blank line.
const BETWEEN: &str = "\\n\\n";

/// What rules made of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The body; `None` when it is as it was.
    pub body: Option<String>,
    /// Which rule changed what.
    pub touched: Vec<Touched>,
}

/// What one rule changed: names of members and headers, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The rule's name.
    pub rule: String,
    /// Names as the rule writes them; `system`, `header x-team`.
    pub members: Vec<String>,
}

impl Holding {
    /// Changes a request of that dialect.
    pub fn change(&self, dialect: DialectId, body: Json<'_>) -> Changed {
        let mut changed = Changed::default();
        for rule in self.rules.iter().filter(|rule| rule.concerns(dialect)) {
            let mut members = Vec::new();
            for action in &rule.request {
                let before = changed.body.as_deref().map_or(body, Json::trusted);
                if let Some(after) = self.act(action, dialect, before) {
                    changed.body = Some(after);
                    members.push(action.name().to_string());
                }
            }
            if !members.is_empty() {
                changed.touched.push(Touched { rule: rule.name.clone(), members });
            }
        }
        changed
    }

    /// The headers that rules set for a provider that is asked in that dialect; of the same name the last one counts.
    pub fn request_headers(&self, dialect: DialectId) -> Vec<(String, String)> {
        let rules = self.rules.iter().filter(|rule| rule.concerns(dialect));
        let headers = rules.flat_map(|rule| &rule.request_headers);
        headers.map(|(name, value)| (name.clone(), value.fill_header(&self.words))).collect()
    }

    /// Which rules set which headers for a provider.
    pub(crate) fn headed(&self, dialect: DialectId, touched: &mut Vec<Touched>) {
        for rule in self.rules.iter().filter(|rule| rule.concerns(dialect) && !rule.request_headers.is_empty()) {
            let names = rule.request_headers.iter().map(|(name, _)| format!("header {name}"));
            match touched.iter_mut().find(|touched| touched.rule == rule.name) {
                Some(touched) => touched.members.extend(names),
                None => touched.push(Touched { rule: rule.name.clone(), members: names.collect() }),
            }
        }
    }

    fn act(&self, action: &Action, dialect: DialectId, body: Json<'_>) -> Option<String> {
        match action {
            Action::Remove(member) => remove(body, member.place(dialect)?.steps()),
            Action::Set(member, value) => {
                let (place, value) = (member.place(dialect)?, self.value(value, member, dialect));
                let set = &mut |old: Json<'_>| (old.as_str() != value).then(|| value.clone());
                alter(body, place.steps(), Absent::Build(&value), set)
            }
            Action::Default(member, value) => {
                let (place, value) = (member.place(dialect)?, self.value(value, member, dialect));
                alter(body, place.steps(), Absent::Build(&value), &mut |_| None)
            }
            Action::Cap(member, most, written) => {
                let within = |old: Json<'_>| old.is_null() || old.f64().is_some_and(|number| number <= *most);
                let place = member.place(dialect)?;
                alter(body, place.steps(), Absent::Leave, &mut |old| (!within(old)).then(|| written.clone()))
            }
            Action::Prepend(text) => say(body, dialect, &text.fill(&self.words), End::Front),
            Action::Append(text) => say(body, dialect, &text.fill(&self.words), End::Back),
        }
    }

    /// The JSON of a value: no more than the dialect takes.
    fn value(&self, value: &Value, member: &Member, dialect: DialectId) -> String {
        let text = value.json(self);
        let Member::Word(word) = member else { return text };
        match (word.most(dialect), text.parse::<f64>()) {
            (Some(most), Ok(number)) if number > most => most.to_string(),
            _ => text,
        }
    }
}

impl Value {
    /// As JSON.
    pub(super) fn json(&self, holding: &Holding) -> String {
        match self {
            Value::Json(text) => text.clone(),
            Value::Text(template) => quoted(&template.fill(&holding.words)),
        }
    }
}

impl Action {
    fn name(&self) -> &str {
        match self {
            Action::Remove(member) | Action::Set(member, _) | Action::Default(member, _) | Action::Cap(member, ..) => {
                member.name()
            }
            Action::Prepend(_) | Action::Append(_) => "system",
        }
    }
}

impl Member {
    fn name(&self) -> &str {
        match self {
            Member::Word(word) => word.name(),
            Member::At(_, written) => written,
        }
    }

    fn place(&self, dialect: DialectId) -> Option<&Path> {
        match self {
            Member::Word(word) => Word::place(*word, dialect),
            Member::At(path, _) => Some(path),
        }
    }
}

/// Adds to the operator's words. `None` where the body has no place for them: then it is no request of the dialect.
fn say(body: Json<'_>, dialect: DialectId, text: &str, end: End) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    match System::of(dialect) {
        System::Member { place, block, fresh } => {
            let new = match fresh {
                Fresh::Text => quoted(text),
                Fresh::Blocks => format!("[{}]", block.written(text)),
            };
            let join = &mut |old: Json<'_>| joined(old, text, block, end);
            alter(body, Path::of(place).steps(), Absent::Build(&new), join)
        }
        System::Turn { roles } => {
            let turns = Path::of(&[&["messages"]]);
            alter(body, turns.steps(), Absent::Leave, &mut |turns| in_turn(turns, roles, text, end))
        }
    }
}

/// Adds to the first turn of the operator's, or puts one before all others.
fn in_turn(turns: Json<'_>, roles: &[&str], text: &str, end: End) -> Option<String> {
    if turns.kind() != Kind::Array {
        return None;
    }
    let is_operators = |turn: Json<'_>| {
        let role = turn.get("role").and_then(Json::text);
        role.is_some_and(|role| roles.iter().any(|known| role.is(known)))
    };
    let Some(place) = turns.items().position(is_operators) else {
        let mut turn = Writer::new();
        turn.object(|out| {
            out.field("role").string(roles.first().copied().unwrap_or_default());
            out.field("content").string(text);
        });
        return Some(insert(turns, turn.as_str(), End::Front));
    };
    let content = [Step::Member(vec!["content".to_string()])];
    map_items(turns, &mut |index, turn| {
        let join = &mut |old: Json<'_>| joined(old, text, Block::Typed, end);
        (index == place).then(|| alter(turn, &content, Absent::Build(&quoted(text)), join)).flatten()
    })
}

/// What stands there with the text before or behind it.
fn joined(old: Json<'_>, text: &str, block: Block, end: End) -> Option<String> {
    match old.kind() {
        Kind::String => {
            let (old, mut new) = (old.text()?.raw(), String::new());
            escape_into(text, &mut new);
            Some(match (old.is_empty(), end) {
                (true, _) => format!("\"{new}\""),
                (false, End::Front) => format!("\"{new}{BETWEEN}{old}\""),
                (false, End::Back) => format!("\"{old}{BETWEEN}{new}\""),
            })
        }
        Kind::Array => Some(insert(old, &block.written(text), end)),
        // Some take one block where a list is due.
        Kind::Object => Some(insert(Json::trusted(&format!("[{}]", old.as_str())), &block.written(text), end)),
        Kind::Null | Kind::Bool | Kind::Number => None,
    }
}

impl Block {
    fn written(self, text: &str) -> String {
        let mut out = Writer::with_capacity(text.len() + 32);
        out.object(|out| {
            if self == Block::Typed {
                out.field("type").string("text");
            }
            out.field("text").string(text);
        });
        out.into_string()
    }
}
