//! Variables of a provider's row: what the names in braces in its addresses stand for.
//!
//! ```toml
//! [[provider]]
//! id = "corp"
//! base_url = "https://{host}"
//! services = [{ dialect = "chat_completions", prefix = "/projects/{project}/v1" }]
//!
//! [provider.variables]
//! project = { env = "CORP_PROJECT" }
//! region = { env = ["CORP_REGION", "REGION"], default = "global" }
//! host = { by = "region", cases = { global = "llm.corp.example", "*" = "{region}.llm.corp.example" } }
//! ```
//!
//! Why so: hosted clouds put an account, a project and a place into the address. With variables such a provider is one row and
//! some words of the environment, and the row needs no code. A variable without a value makes its provider unavailable, never
//! an address with a hole in it.
//!
//! Limits: cases choose by a plain variable and are filled with plain variables; there are no expressions.

use super::members::{Members, Placed, Reading};

/// The name in braces that is no variable: the model asked for, filled in for each request.
pub const MODEL: &str = "model";

/// The case of every value that has none of its own.
const OTHERWISE: &str = "*";

/// Longest value: it becomes part of a host name or a path.
const MAX_VALUE: usize = 200;

/// A look at the environment.
type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The first of these environment variables that is set, else the default.
    Given {
        /// Names in the environment.
        env: Vec<String>,
        /// What it is when none is set.
        default: Option<String>,
    },
    /// What stands beside the value of another variable.
    Chosen {
        /// The other variable.
        by: String,
        /// Its value, `*` for every other one, and what is meant then.
        cases: Vec<(String, String)>,
    },
}

/// The variables of one row.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Variables(Vec<(String, Variable)>);

impl Variables {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Takes what `other` says of each variable that it names.
    pub fn change(&mut self, other: &Variables) {
        for (name, variable) in &other.0 {
            match self.0.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.clone_from(variable),
                None => self.0.push((name.clone(), variable.clone())),
            }
        }
    }

    /// The text with its variables filled in; `{model}` stays. An error says why it can't be done.
    pub fn fill(&self, text: &str, environment: Environment<'_>) -> Result<String, String> {
        replaced(text, |name| self.value(name, environment))
    }

    fn value(&self, name: &str, environment: Environment<'_>) -> Result<String, String> {
        match self.named(name)? {
            Variable::Given { .. } => self.given(name, environment),
            Variable::Chosen { by, cases } => {
                let value = self.given(by, environment)?;
                let case = |wanted: &str| cases.iter().find(|(case, _)| case == wanted).map(|(_, text)| text);
                let Some(text) = case(&value).or_else(|| case(OTHERWISE)) else {
                    return Err(format!("`{name}` has no case for {by} = \"{value}\""));
                };
                replaced(text, |inner| self.given(inner, environment))
            }
        }
    }

    fn given(&self, name: &str, environment: Environment<'_>) -> Result<String, String> {
        let Variable::Given { env, default } = self.named(name)? else {
            return Err(format!("`{name}` is itself chosen by another variable"));
        };
        let mut values = env.iter().filter_map(|name| Some((name, environment(name)?.trim().to_string())));
        let found = values.find(|(_, value)| !value.is_empty());
        match (found, default) {
            (Some((_, value)), _) if is_value(&value) => Ok(value),
            (Some((env, _)), _) => Err(format!("{env} has a character that no address has")),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) if env.is_empty() => Err(format!("`{name}` has no value")),
            (None, None) => Err(format!("{} is not set", env.join(" or "))),
        }
    }

    fn named(&self, name: &str) -> Result<&Variable, String> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, variable)| variable);
        found.ok_or_else(|| format!("`{{{name}}}` is no variable of its row"))
    }
}

/// Letters and digits, and what else stands in names of projects and places.
fn is_value(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !value.is_empty() && value.len() <= MAX_VALUE && value.chars().all(plain)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The text with every name in braces replaced, `{model}` excepted.
fn replaced(text: &str, mut value: impl FnMut(&str) -> Result<String, String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut left = text;
    while let Some((before, after)) = left.split_once('{') {
        let (name, rest) = after.split_once('}').ok_or("a brace `{` is not closed")?;
        out.push_str(before);
        match name {
            MODEL => out.push_str("{model}"),
            _ => out.push_str(&value(name)?),
        }
        left = rest;
    }
    out.push_str(left);
    Ok(out)
}

/// The text with something harmless for every name in braces, to look whether the rest of it is well written.
pub(super) fn stand_in(text: &str) -> String {
    replaced(text, |_| Ok("1".to_string())).unwrap_or_else(|_| text.to_string())
}

/// Notes which variables a text needs, and every brace that is wrong. Says how often the model is named.
pub(super) fn mention(reading: &mut Reading<'_>, text: &Placed<String>, mentions: &mut Vec<Placed<String>>) -> usize {
    let mut names = Vec::new();
    let filled = replaced(&text.value, |name| {
        names.push(name.to_string());
        Ok(String::new())
    });
    let models = text.value.matches("{model}").count();
    let whole = filled.is_ok_and(|filled| !filled.replace("{model}", "").contains(['{', '}']));
    if !whole || !names.iter().all(|name| is_name(name)) {
        reading.mistake(text.at, "braces hold the name of a variable: lower-case letters, digits and `_`");
        return models;
    }
    mentions.extend(names.into_iter().map(|value| Placed { at: text.at, value }));
    models
}

/// Reads `variables = { name = "value", name = { env = "NAME", default = "…" }, name = { by = "…", cases = { … } } }`.
pub(super) fn variables(
    reading: &mut Reading<'_>,
    row: &mut Members<'_>,
    mentions: &mut Vec<Placed<String>>,
) -> Option<Variables> {
    let value = row.value("variables")?;
    let Some(table) = value.get_ref().as_table() else {
        reading.mistake(value.span().start, "`variables` must be a table such as { region = { env = \"REGION\" } }");
        return None;
    };
    let mut variables = Variables::default();
    for (name, value) in table {
        let at = name.span().start;
        let name = name.get_ref().to_string();
        if !is_name(&name) || name == MODEL {
            reading.mistake(at, "a variable has a name of lower-case letters, digits and `_`, other than `model`");
        }
        let read = match (value.get_ref().as_str(), value.get_ref().as_table()) {
            (Some(text), _) => {
                let text = checked_value(reading, Placed { at: value.span().start, value: text.to_string() });
                Variable::Given { env: Vec::new(), default: Some(text) }
            }
            (_, Some(table)) => variable(reading, Members::of("a variable", at, table), mentions),
            _ => {
                reading.mistake(at, "a variable is a string, { env = \"NAME\", default = \"…\" } or { by, cases }");
                continue;
            }
        };
        variables.0.push((name, read));
    }
    Some(variables)
}

fn variable(reading: &mut Reading<'_>, mut table: Members<'_>, mentions: &mut Vec<Placed<String>>) -> Variable {
    let at = table.at;
    let env = table.one_or_more(reading, "env").unwrap_or_default();
    let default = table.string(reading, "default").map(|text| checked_value(reading, text));
    let by = table.string(reading, "by");
    let cases = table.pairs(reading, "cases");
    table.end(reading);
    let given = !env.is_empty() || default.is_some();
    match (by, cases) {
        (Some(by), Some(cases)) if !given => {
            for (case, text) in &cases {
                mention(reading, &Placed { at: case.at, value: text.clone() }, mentions);
            }
            mentions.push(by.clone());
            Variable::Chosen { by: by.value, cases: cases.into_iter().map(|(case, text)| (case.value, text)).collect() }
        }
        (None, None) if given => Variable::Given { env, default },
        _ => {
            let wanted = "a variable has `env`, `default` or both; or else `by` and `cases`";
            reading.mistake(at, wanted);
            Variable::Given { env, default }
        }
    }
}

fn checked_value(reading: &mut Reading<'_>, value: Placed<String>) -> String {
    if !is_value(&value.value) {
        reading.mistake(value.at, "a variable's value has 1 to 200 letters, digits, `-`, `_`, `.` or `:`");
    }
    value.value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(env: &[&str], default: Option<&str>) -> Variable {
        Variable::Given { env: env.iter().map(|name| name.to_string()).collect(), default: default.map(str::to_string) }
    }

    fn cloud() -> Variables {
        let cases = [("global", "llm.example"), ("*", "{place}.llm.example")];
        let cases = cases.map(|(case, text)| (case.to_string(), text.to_string())).to_vec();
        Variables(vec![
            ("project".into(), given(&["PROJECT"], None)),
            ("place".into(), given(&["PLACE"], Some("global"))),
            ("host".into(), Variable::Chosen { by: "place".into(), cases }),
        ])
    }

    fn filled(text: &str, set: &[(&str, &str)]) -> Result<String, String> {
        cloud().fill(text, &|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string()))
    }

    #[test]
    fn names_in_braces_are_filled_from_the_environment_or_the_default_and_the_model_stays() {
        let text = "https://{host}/projects/{project}/at/{place}/{model}:go";
        assert_eq!(
            filled(text, &[("PROJECT", "p-1\n"), ("PLACE", "eu")]),
            Ok("https://eu.llm.example/projects/p-1/at/eu/{model}:go".into())
        );
        assert_eq!(filled("{host}", &[("PROJECT", "p")]), Ok("llm.example".into()));
    }

    #[test]
    fn a_variable_without_a_value_or_with_a_wrong_one_is_told_of_and_never_sent() {
        assert_eq!(filled("{project}", &[("PROJECT", " ")]), Err("PROJECT is not set".into()));
        let error = filled("{project}", &[("PROJECT", "a/../b")]).unwrap_err();
        assert!(error.starts_with("PROJECT has") && !error.contains(".."), "{error}");
        assert!(filled("{nobody}", &[]).is_err() && filled("{project", &[]).is_err());
    }

    #[test]
    fn what_another_row_says_of_a_variable_replaces_what_was_said() {
        let mut variables = cloud();
        variables.change(&Variables(vec![("project".into(), given(&[], Some("mine")))]));
        assert_eq!(variables.fill("{project}/{place}", &|_| None), Ok("mine/global".into()));
    }
}
