//! A rule's row: what is changed about requests and answers. Its words are read by the code that keeps to them
//! ([`dragoman_core::rule`]); here they are found in the file, and so are the mistakes.

use std::collections::{BTreeSet, HashSet};

use dragoman_core::json::Json;
use dragoman_core::rule::{MAX_RULES, MAX_SCOPE, Rule};
use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::members::{Members, Placed, Reading};
use super::set::json;
use super::{File, Known};

/// One `[[rule]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRow {
    /// What people call it, and its place.
    pub name: Placed<String>,
    /// The routes for which it holds, each with its place; none for all.
    pub routes: Vec<Placed<String>>,
    /// The row as JSON.
    row: Value,
}

/// Reads every `[[rule]]`.
pub(super) fn rules(reading: &mut Reading<'_>, members: &mut Members<'_>) -> Vec<RuleRow> {
    let Some(value) = members.value("rule") else { return Vec::new() };
    let Some(rows) = value.get_ref().as_array() else {
        reading.mistake(value.span().start, "`rule` must be a list of tables: [[rule]]");
        return Vec::new();
    };
    if rows.len() > MAX_RULES {
        reading.mistake(value.span().start, format!("there are {} rules; {MAX_RULES} are the most", rows.len()));
    }
    rows.iter().filter_map(|row| rule(reading, row)).collect()
}

fn rule(reading: &mut Reading<'_>, row: &Spanned<DeValue<'_>>) -> Option<RuleRow> {
    let at = row.span().start;
    let Some(document) = json(row.get_ref()) else {
        reading.mistake(at, "a rule has no date and no infinite number in it; write a date as a text");
        return None;
    };
    if let Err(wrong) = read(&document) {
        for wrong in wrong {
            reading.mistake(found(row, &wrong.place), wrong.to_string());
        }
        return None;
    }
    let routes = document["routes"].as_array().into_iter().flatten().filter_map(Value::as_str).enumerate();
    let placed = |(index, name): (usize, &str)| {
        let at = found(row, &["routes".to_string(), index.to_string()]);
        Placed { at, value: name.to_string() }
    };
    let name = document["name"].as_str().unwrap_or_default().to_string();
    let name = Placed { at: found(row, &["name".to_string()]), value: name };
    Some(RuleRow { name, routes: routes.map(placed).collect(), row: document })
}

fn read(document: &Value) -> Result<Rule, Vec<dragoman_core::rule::Wrong>> {
    let text = document.to_string();
    let nested = |_| vec![dragoman_core::rule::Wrong { place: Vec::new(), problem: "is nested too deep".into() }];
    Rule::read(Json::parse(text.as_bytes()).map_err(nested)?)
}

/// Where something stands in a row, as near as can be.
fn found(row: &Spanned<DeValue<'_>>, place: &[String]) -> usize {
    let (mut value, mut at) = (row, row.span().start);
    for step in place {
        let next = match value.get_ref() {
            DeValue::Table(table) => table.get(step.as_str()),
            DeValue::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        let Some(next) = next else { break };
        (value, at) = (next, next.span().start);
    }
    at
}

/// Rules have names of their own, and name routes that there are.
pub(super) fn check(reading: &mut Reading<'_>, file: &File, known: &Known) {
    let mut seen = HashSet::new();
    for row in file.rules.iter().filter(|row| !seen.insert(row.name.value.as_str())) {
        reading.mistake(row.name.at, format!("rule `{}` is listed twice", row.name.value));
    }
    let routes = file.routes.iter().map(|row| row.name.value.as_str());
    let defined: HashSet<&str> = routes.chain(file.aliases.iter().map(|(name, _)| name.value.as_str())).collect();
    for row in &file.rules {
        let names = row.names(file).len();
        if let (Some(route), true) = (row.routes.first(), names > MAX_SCOPE) {
            let problem = format!("these routes have {names} names with their aliases; {MAX_SCOPE} are the most");
            reading.mistake(route.at, problem);
        }
    }
    for route in file.rules.iter().flat_map(|row| &row.routes) {
        if !defined.contains(route.value.as_str()) && !known.has(&route.value) {
            reading.mistake(route.at, format!("no route, alias or model is called `{}`", route.value));
        }
    }
}

impl RuleRow {
    /// Every name by which its routes are asked for.
    fn names<'f>(&'f self, file: &'f File) -> BTreeSet<&'f str> {
        let mut names: BTreeSet<&str> = self.routes.iter().map(|route| route.value.as_str()).collect();
        loop {
            let before = names.len();
            let aliases = file.aliases.iter().filter(|(_, to)| names.contains(to.as_str()));
            let aliases: Vec<&str> = aliases.map(|(alias, _)| alias.value.as_str()).collect();
            names.extend(aliases);
            if names.len() == before {
                return names;
            }
        }
    }

    /// The rule as the filters keep to it. Whoever asks by another name of a route asks for that route.
    pub fn rule(&self, file: &File) -> Result<Rule, String> {
        let mut row = self.row.clone();
        if !self.routes.is_empty() {
            row["routes"] = self.names(file).into_iter().collect();
        }
        let told = |wrong: Vec<dragoman_core::rule::Wrong>| {
            let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            format!("rule {}: {}", self.name.value, told.join("; "))
        };
        read(&row).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::known;
    use crate::settings::{Kind, Said, SaidRow};

    fn file(text: &str) -> Result<File, String> {
        File::read("f", text, &known().unwrap()).map_err(|mistakes| mistakes.to_string())
    }

    const GOOD: &str = r#"
        [[route]]
        name = "auto"
        candidates = ["openai/gpt-5-mini"]

        [aliases]
        best = "better"
        better = "auto"
        other = "gpt-5-mini"

        [[rule]]
        name = "calm"
        routes = ["auto"]
        accounts = ["acme.platform"]

        [rule.request]
        cap = { temperature = 0.8 }
        set = { "metadata.team" = "{team}" }
        append_system = "Today is {date}."

        [rule.response]
        mask = true
        "#;

    #[test]
    fn a_rule_holds_for_every_name_of_its_route() {
        let file = file(GOOD).unwrap();
        let rule = file.rules[0].rule(&file).unwrap();
        let holds = |route, account| rule.holds(&dragoman_core::rule::Whom { route, account, caller: "key_1" });
        for (route, held) in [("auto", true), ("better", true), ("best", true), ("other", false)] {
            assert_eq!(holds(route, "acme.platform.search"), held, "{route}");
        }
        assert!(!holds("auto", "acme"));
    }

    #[test]
    fn more_names_than_a_rule_may_have_are_told_at_its_line() {
        let told = |aliases: usize| {
            let names: String = (0..aliases).map(|number| format!("a{number} = \"auto\"\n")).collect();
            let rule = "[[rule]]\nname = \"r\"\nroutes = [\"auto\"]\nrequest = { remove = [\"seed\"] }\n";
            let route = "[[route]]\nname = \"auto\"\ncandidates = [\"openai/gpt-5-mini\"]\n";
            let text = format!("{rule}{route}[aliases]\n{names}");
            File::read("f", &text, &known().unwrap())
        };
        let most = told(MAX_SCOPE - 1).unwrap();
        assert!(most.rules[0].rule(&most).is_ok());
        let mistakes = told(MAX_SCOPE).unwrap_err();
        let lines: Vec<usize> = mistakes.list.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [3], "{mistakes}");
    }

    #[test]
    fn every_mistake_of_every_rule_stands_at_its_line() {
        let text = r#"
[[rule]]
name = "one"
routes = ["nobody"]
request = { remove = ["seed"] }

[[rule]]
name = "one"
request.cap = { temperature = 0.8 }

[[rule]]
name = "two"
[rule.request]
set = { model = "x" }
headers = { authorization = "x" }
since = 2026-01-01

[[rule]]
name = "three"
[rule.request]
headers = { Host = "x", "x-envoy-a" = "x" }
[rule.response]
zz = 1
"#;
        let mistakes = File::read("f", text, &known().unwrap()).unwrap_err();
        let lines: Vec<usize> = mistakes.list.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [4, 8, 11, 21, 21, 23], "{mistakes}");
    }

    #[test]
    fn a_rule_of_the_api_is_told_its_mistakes_by_member() {
        let members = serde_json::json!({
            "request": { "set": { "stream": true } }, "response": { "mask": "yes" }, "routes": ["nobody"],
        });
        let row = SaidRow { kind: Kind::Rule, id: "r".into(), members: members.as_object().unwrap().clone() };
        let problems = Said(vec![row]).read(&known().unwrap()).unwrap_err();
        let members: Vec<Option<&str>> = problems.iter().map(|problem| problem.member.as_deref()).collect();
        assert_eq!(members, [Some("request"), Some("response")], "{problems:?}");
        assert!(problems[0].message.starts_with("`request.set.stream` decides"), "{problems:?}");
        let good = Said::of(GOOD);
        assert_eq!(good.read(&known().unwrap()).unwrap().rules[0].row, file(GOOD).unwrap().rules[0].row);
        assert!(good.find(Kind::Rule, "calm").is_some());
    }
}
