//! Rules: what an operator changes about requests and answers, by route, account or key.
//!
//! ```
//! use dragoman_core::catalog::DialectId;
//! use dragoman_core::json::Json;
//! use dragoman_core::rule::{Holding, Rule, Whom};
//! let row = br#"{"name":"calm","accounts":["acme"],"request":{"cap":{"temperature":0.8},"append_system":"For {tenant}."}}"#;
//! let rule = Rule::read(Json::parse(row).unwrap()).unwrap();
//! let whom = Whom { route: "auto", account: "acme.search", caller: "key_1" };
//! let holding = Holding::of(&[rule.into()], &whom, 0);
//! let body = Json::parse(br#"{"max_tokens":9, "temperature":1.0}"#).unwrap();
//! let changed = holding.change(DialectId::Messages, body);
//! assert_eq!(changed.body.unwrap(), r#"{"max_tokens":9, "temperature":0.8,"system":"For acme."}"#);
//! ```
//!
//! ```text
//! [[rule]] ─▶ Rule::read ─▶ Snapshot ─▶ Holding::of (once per exchange) ─▶ change (each attempt's request)
//!              every mistake                                            └▶ Retouch, closing text, headers (its answer)
//! ```
//!
//! **In whose words.** What most dialects have is said in the hub's words ([`Word`]) and holds whoever is asked. Everything else
//! is a path into the request as it is sent to the provider, or into the answer as it is sent to the client; `dialects` says for
//! which.
//!
//! **Order.** Rules in their order; of one rule: remove, set, default, cap, prepend, append. Later ones see what earlier ones did.
//!
//! Limits: [`MAX_RULES`] rules, [`MAX_ACTIONS`] changes per rule, [`MAX_SCOPE`] names in a list, [`template::MAX_TEXT`] bytes of a
//! text. Members and texts are changed of what is generated only; headers of everything, and all JSON and all events are masked.

mod header;
mod read;
mod request;
mod response;
mod retouch;
pub mod template;
mod word;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::admission::ancestors;
use crate::catalog::DialectId;
use crate::estimate::Ink;
use crate::json::path::Path;
use crate::json::write::quoted;

pub(crate) use header::GATEWAYS;
pub use read::Wrong;
pub use request::{Changed, Touched};
pub use retouch::Retouch;
pub use template::Template;
pub use word::Word;

use template::Words;

/// Most rules of a Snapshot; each is looked at for every request.
pub const MAX_RULES: usize = 1000;

/// Most changes of one rule; each may copy the body once.
pub const MAX_ACTIONS: usize = 64;

/// Most routes, accounts or keys that one rule names.
pub const MAX_SCOPE: usize = 1000;

/// A row: what is changed, and for whom.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What people call it; it stands in explanations and Records.
    pub name: String,
    routes: BTreeSet<String>,
    accounts: BTreeSet<String>,
    keys: BTreeSet<String>,
    dialects: Vec<DialectId>,
    request: Vec<Action>,
    request_headers: Vec<(String, Template)>,
    response: Vec<Touch>,
    response_headers: Vec<(String, Template)>,
    closing: Option<Template>,
    masks: bool,
    /// The row as it was read.
    document: String,
}

impl PartialEq for Rule {
    /// All else follows from the row.
    fn eq(&self, other: &Rule) -> bool {
        self.document == other.document
    }
}

impl Eq for Rule {}

/// One change of a request.
#[derive(Clone, Debug)]
enum Action {
    Remove(Member),
    Set(Member, Value),
    Default(Member, Value),
    /// The number, and how it is written.
    Cap(Member, f64, String),
    Prepend(Template),
    Append(Template),
}

/// One change of an answer.
#[derive(Clone, Debug)]
enum Touch {
    Remove(Path),
    Rename(Path, String),
    Set(Path, Value),
}

/// What is changed.
#[derive(Clone, Debug)]
enum Member {
    /// What most dialects have.
    Word(Word),
    /// What stands there, and how that was written.
    At(Path, String),
}

/// What it is to be.
#[derive(Clone, Debug)]
enum Value {
    /// JSON text.
    Json(String),
    /// A text with variables.
    Text(Template),
}

/// Whose exchange it is, as rules ask.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    /// The model's name that the client asked for; empty when it asked for none.
    pub route: &'a str,
    /// The account's id; empty when the caller has none.
    pub account: &'a str,
    /// The key's id.
    pub caller: &'a str,
}

impl Rule {
    /// The row as it was read.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Whether it holds for that exchange.
    pub fn holds(&self, whom: &Whom<'_>) -> bool {
        let named = |list: &BTreeSet<String>, name: &str| list.is_empty() || list.contains(name);
        let within = || ancestors(whom.account).any(|account| self.accounts.contains(account));
        named(&self.routes, whom.route) && named(&self.keys, whom.caller) && (self.accounts.is_empty() || within())
    }

    /// Whether it says something of that dialect.
    fn concerns(&self, dialect: DialectId) -> bool {
        self.dialects.is_empty() || self.dialects.contains(&dialect)
    }
}

/// The rules that hold for one exchange, in their order.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    rules: Vec<Arc<Rule>>,
    words: Words,
}

impl Holding {
    /// Those of `rules` that hold. `at_ms` is when the exchange began, for the variable `{date}`.
    pub fn of(rules: &[Arc<Rule>], whom: &Whom<'_>, at_ms: u64) -> Holding {
        let rules: Vec<Arc<Rule>> = rules.iter().filter(|rule| rule.holds(whom)).cloned().collect();
        if rules.is_empty() {
            return Holding::default();
        }
        let words = Words {
            account: whom.account.to_string(),
            caller: whom.caller.to_string(),
            route: whom.route.to_string(),
            date: template::date(at_ms),
        };
        Holding { rules, words }
    }

    /// Whether none holds.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }

    /// The most tokens of the answer once the rules have changed the request; `said` is what the request says. Whoever is asked, it
    /// is not more: of a rule that is for some dialects only what it raises counts.
    pub fn output_limit(&self, said: Option<u64>) -> Option<u64> {
        self.rules.iter().fold(said, |before, rule| {
            let after = rule.request.iter().fold(before, |limit, action| action.limited(Word::MaxOutputTokens, limit));
            match (rule.dialects.is_empty(), before, after) {
                (true, ..) => after,
                (false, Some(before), Some(after)) => Some(before.max(after)),
                (false, ..) => None,
            }
        })
    }

    /// How many answers are wanted at once when the rules have changed the request; `said` is what the request says. Rules can only
    /// make it fewer, so those that are for some dialects only do not count.
    pub fn answers(&self, said: Option<u64>) -> Option<u64> {
        let rules = self.rules.iter().filter(|rule| rule.dialects.is_empty());
        rules.flat_map(|rule| &rule.request).fold(said, |answers, action| action.limited(Word::Answers, answers))
    }

    /// About how many tokens the rules' own words are, whoever is asked.
    pub fn added_tokens(&self) -> u64 {
        let mut ink = Ink::default();
        for action in self.rules.iter().flat_map(|rule| &rule.request) {
            match action {
                // What has a word is a number, or where to stop.
                Action::Set(Member::At(..), value) | Action::Default(Member::At(..), value) => {
                    ink.json(&value.json(self))
                }
                Action::Prepend(text) | Action::Append(text) => ink.json(&quoted(&text.fill(&self.words))),
                _ => {}
            }
        }
        ink.tokens()
    }
}

impl Action {
    /// What it makes of a number that stands under that word.
    fn limited(&self, of: Word, limit: Option<u64>) -> Option<u64> {
        let is_it = |member: &Member| matches!(member, Member::Word(word) if *word == of);
        let number = |value: &Value| match value {
            Value::Json(text) => text.parse().ok(),
            Value::Text(_) => None,
        };
        match self {
            Action::Remove(member) if is_it(member) => None,
            Action::Set(member, value) if is_it(member) => number(value),
            Action::Default(member, value) if is_it(member) => limit.or(number(value)),
            Action::Cap(member, _, most) if is_it(member) => {
                let most: Option<u64> = most.parse().ok();
                limit.map(|limit| most.map_or(limit, |most| limit.min(most)))
            }
            _ => limit,
        }
    }
}

#[cfg(test)]
mod tests;
