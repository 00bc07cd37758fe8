//! Turns back what was said in plainer words elsewhere: groups of tools, and tools whose input is words.

use crate::hub::foreign::full_name;
use crate::hub::{Custom, Function, Request, Tool};
use crate::json::{Json, Text};
use std::collections::BTreeMap;

/// What the client calls a tool.
#[derive(Clone, Debug)]
pub(super) struct Called {
    /// Its group, still escaped.
    pub(super) namespace: Option<String>,
    /// Its name, still escaped.
    pub(super) name: String,
    /// What its input is.
    pub(super) input: Input,
}

/// What a tool takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A JSON object.
    Arguments,
    /// Words.
    Plain,
}

/// The tools that others know by another name or form.
pub(super) struct Names(BTreeMap<String, Called>);

impl Names {
    /// Of the tools that the request offers.
    pub(super) fn of(request: &Request<'_>) -> Names {
        let mut names = BTreeMap::new();
        for tool in &request.tools {
            let (namespace, name, input) = match tool {
                Tool::Function(Function { namespace: None, .. }) | Tool::Other(_) => continue,
                Tool::Function(Function { namespace, name, .. }) => (*namespace, *name, Input::Arguments),
                Tool::Custom(Custom { namespace, name, .. }) => (*namespace, *name, Input::Plain),
            };
            let full = Text::escaped(&full_name(namespace, name)).decode().into_owned();
            let namespace = namespace.map(|group| group.raw().to_string());
            names.insert(full, Called { namespace, name: name.raw().to_string(), input });
        }
        Names(names)
    }

    /// What the client calls the tool that the answer calls `name` (escaped).
    pub(super) fn called(&self, name: &str) -> Called {
        let known = if self.0.is_empty() { None } else { self.0.get(Text::escaped(name).decode().as_ref()) };
        known.cloned().unwrap_or(Called { namespace: None, name: name.to_string(), input: Input::Arguments })
    }
}

/// The words of a call whose arguments (escaped JSON text) hold them; the arguments themselves when they are something else.
pub(super) fn words(arguments: &str) -> String {
    let text = Text::escaped(arguments).decode();
    let held = Json::parse(text.as_bytes()).ok().and_then(|json| Some(json.get("input")?.text()?.raw().to_string()));
    match (held, text.as_ref()) {
        (Some(words), _) => words,
        (None, "" | "null" | "{}") => String::new(),
        (None, _) => arguments.to_string(),
    }
}
