//! Reads tools and the choice among them.

use crate::hub::{Custom, Extra, Function, Request, Tool, ToolChoice};
use crate::json::{Json, Kind, Member, Text};
use std::collections::BTreeSet;

/// Which tools a request has so far, by group and name.
#[derive(Default)]
pub(super) struct Tools<'a>(BTreeSet<(&'a str, &'a str)>);

impl<'a> Tools<'a> {
    /// Adds the tools of a list to a request; one that is already there, as when it was found by a search, is not added again.
    pub(super) fn list(&mut self, list: Json<'a>, request: &mut Request<'a>) {
        for item in list.items() {
            match item.get("tools").filter(|_| kind_of(item).is("namespace")) {
                Some(tools) => self.group(item, tools, request),
                None => self.add(tool(item, None).unwrap_or(Tool::Other(item)), request),
            }
        }
    }

    fn group(&mut self, group: Json<'a>, tools: Json<'a>, request: &mut Request<'a>) {
        let name = group.get("name").and_then(Json::text);
        let purpose = |(name, value): &Member<'a>| name.is("description") && !value.is_null();
        let mut extra: Extra<'a> = group.members().filter(purpose).collect();
        for item in tools.items() {
            let mut tool = tool(item, name).unwrap_or(Tool::Other(item));
            // What the group is for is said once.
            if let Tool::Function(Function { extra: place, .. }) | Tool::Custom(Custom { extra: place, .. }) = &mut tool
            {
                place.append(&mut extra);
            }
            self.add(tool, request);
        }
    }

    fn add(&mut self, tool: Tool<'a>, request: &mut Request<'a>) {
        let new = match &tool {
            Tool::Function(Function { namespace, name, .. }) | Tool::Custom(Custom { namespace, name, .. }) => {
                self.0.insert((namespace.unwrap_or_default().raw(), name.raw()))
            }
            Tool::Other(_) => true,
        };
        if new {
            request.tools.push(tool);
        }
    }
}

fn kind_of(item: Json<'_>) -> Text<'_> {
    item.get("type").and_then(Json::text).unwrap_or_default()
}

fn tool<'a>(item: Json<'a>, namespace: Option<Text<'a>>) -> Option<Tool<'a>> {
    match kind_of(item).decode().as_ref() {
        "function" => function(item, namespace),
        "custom" => custom(item, namespace),
        _ => None,
    }
}

fn function<'a>(item: Json<'a>, namespace: Option<Text<'a>>) -> Option<Tool<'a>> {
    let (mut label, mut description, mut schema, mut strict) = (None, None, None, None);
    let mut extra = Extra::new();
    // Some clients leave chat completions' object around the function.
    let nested = item.get("function").filter(|inside| inside.kind() == Kind::Object);
    let members = nested.into_iter().flat_map(Json::members).chain(item.members());
    for (name, value) in members.filter(|(_, value)| !value.is_null()) {
        match name.decode().as_ref() {
            "type" => {}
            "name" => label = Some(value.text()?),
            "description" => description = Some(value.text()?),
            "parameters" => schema = Some(value),
            "strict" => strict = Some(value.bool()?),
            "function" if nested.is_some() => {}
            _ => extra.push((name, value)),
        }
    }
    Some(Tool::Function(Function { namespace, name: label?, description, schema, strict, extra }))
}

fn custom<'a>(item: Json<'a>, namespace: Option<Text<'a>>) -> Option<Tool<'a>> {
    let (mut label, mut description, mut format) = (None, None, None);
    let mut extra = Extra::new();
    for (name, value) in item.members().filter(|(_, value)| !value.is_null()) {
        match name.decode().as_ref() {
            "type" => {}
            "name" => label = Some(value.text()?),
            "description" => description = Some(value.text()?),
            // Any words are what a function of words takes too.
            "format" if value.get("type").and_then(Json::text).is_some_and(|word| word.is("text")) => {}
            "format" => format = Some(value),
            _ => extra.push((name, value)),
        }
    }
    Some(Tool::Custom(Custom { namespace, name: label?, description, format, extra }))
}

/// Reads `tool_choice`, after the tools.
pub(super) fn choice<'a>(choice: Json<'a>, request: &mut Request<'a>) {
    let word = choice.text().unwrap_or_else(|| kind_of(choice));
    request.tool_choice = Some(match (word.decode().as_ref(), choice.kind()) {
        ("auto", Kind::String) => ToolChoice::Auto,
        ("none", Kind::String) => ToolChoice::Never,
        ("required", Kind::String) => ToolChoice::Any,
        ("function" | "custom", Kind::Object) => {
            let name = choice.get("name").or_else(|| choice.at(&["function", "name"])).and_then(Json::text);
            name.map_or(ToolChoice::Other(choice), ToolChoice::Named)
        }
        ("allowed_tools", Kind::Object) => allowed(choice, request),
        _ => ToolChoice::Other(choice),
    });
}

/// `{"type":"allowed_tools","mode":"required","tools":[…]}`: for everybody else there are no other tools than these.
fn allowed<'a>(choice: Json<'a>, request: &mut Request<'a>) -> ToolChoice<'a> {
    let inside = choice.get("allowed_tools").unwrap_or(choice);
    let (mode, tools) = (inside.get("mode").and_then(Json::text), inside.get("tools"));
    let (Some(mode), Some(tools)) = (mode, tools) else { return ToolChoice::Other(choice) };
    let names: BTreeSet<&str> = tools.items().filter_map(|tool| Some(tool.get("name")?.text()?.raw())).collect();
    let kinds: BTreeSet<&str> = tools.items().map(|tool| kind_of(tool).raw()).collect();
    request.tools.retain(|tool| match tool {
        Tool::Function(Function { name, .. }) | Tool::Custom(Custom { name, .. }) => names.contains(name.raw()),
        Tool::Other(json) => kinds.contains(kind_of(*json).raw()),
    });
    match mode.decode().as_ref() {
        "auto" => ToolChoice::Auto,
        "required" => ToolChoice::Any,
        _ => ToolChoice::Other(choice),
    }
}
