//! The tools of an OpenAI responses request: functions, tools that take any text (`custom`), and groups of both
//! (`namespace`).

use serde_json::{Value, json};

use super::Dialect;
use super::answer::Choice;
use super::shape::{Checked, Object, closed_schema, function_name, json_schema, wrong};

/// Tools the provider runs itself; nothing the persona would call.
const OWN: [&str; 12] = [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "shell",
    "tool_search",
    "web_search",
    "web_search_preview",
];

/// A tool the client runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offered {
    pub name: String,
    pub namespace: Option<String>,
    /// Whether it takes any text instead of an object.
    pub custom: bool,
}

impl Offered {
    /// What tells it from the others.
    pub fn key(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The tools offered so far.
#[derive(Default)]
pub(super) struct Tools {
    offered: Vec<Offered>,
    schemas: Vec<Value>,
    /// Whether the provider's own tools are there as well.
    own: bool,
}

impl Tools {
    pub(super) fn take(self) -> (Vec<Offered>, Vec<Value>) {
        (self.offered, self.schemas)
    }

    /// Adds the tools of this member.
    pub(super) fn list(&mut self, object: &Object, member: &str) -> Checked<()> {
        for (index, tool) in object.list(member)?.iter().enumerate() {
            self.tool(tool, &format!("{}[{index}]", object.at(member)), None)?;
        }
        Ok(())
    }

    fn tool(&mut self, value: &Value, place: &str, namespace: Option<&str>) -> Checked<()> {
        let any = Object::any(value, place)?;
        match any.text("type")? {
            "function" => {
                let allowed = [
                    "type",
                    "name",
                    "description",
                    "parameters",
                    "strict",
                    "defer_loading",
                    "allowed_callers",
                    "output_schema",
                ];
                let tool = Object::of(value, place, &allowed)?;
                tool.maybe_text("description")?;
                // The real one wants the member, if only as null.
                if !tool.has("parameters") {
                    return Err(tool.wrong("parameters", "missing required parameter"));
                }
                let schema = tool.get("parameters").cloned().unwrap_or_else(|| json!({"type": "object"}));
                json_schema(&schema, &tool.at("parameters"))?;
                if tool.flag("strict")? {
                    closed_schema(&schema, &tool.at("parameters"))?;
                }
                self.offer(&tool, namespace, false, schema)
            }
            "custom" => {
                let allowed = ["type", "name", "description", "format", "defer_loading", "allowed_callers"];
                let tool = Object::of(value, place, &allowed)?;
                if let Some(format) = tool.get("format") {
                    let format = Object::of(format, &tool.at("format"), &["type", "syntax", "definition"])?;
                    if format.word("type", &["text", "grammar"])? == Some("grammar") {
                        format.word("syntax", &["lark", "regex"])?;
                        format.text("definition")?;
                    }
                }
                let schema = json!({"type": "object", "properties": {"input": {"type": "string"}}});
                self.offer(&tool, namespace, true, schema)
            }
            "namespace" if namespace.is_none() => {
                let group = Object::of(value, place, &["type", "name", "description", "tools"])?;
                let name = group.text("name")?;
                function_name(name, &group.at("name"), Dialect::Responses)?;
                for (index, tool) in group.list("tools")?.iter().enumerate() {
                    self.tool(tool, &format!("{}[{index}]", group.at("tools")), Some(name))?;
                }
                Ok(())
            }
            own if OWN.iter().any(|known| own.starts_with(known)) => {
                self.own = true;
                Ok(())
            }
            stranger => Err(any.wrong("type", format!("invalid value: '{stranger}'"))),
        }
    }

    fn offer(&mut self, tool: &Object, namespace: Option<&str>, custom: bool, schema: Value) -> Checked<()> {
        let name = tool.text("name")?;
        function_name(name, &tool.at("name"), Dialect::Responses)?;
        let offered = Offered { name: name.to_owned(), namespace: namespace.map(str::to_owned), custom };
        if self.offered.iter().any(|known| known.key() == offered.key()) {
            return Err(tool.wrong("name", format!("the tool `{name}` is there twice")));
        }
        self.offered.push(offered);
        self.schemas.push(schema);
        Ok(())
    }

    /// What the request says about calling them.
    pub(super) fn choice(&self, request: &Object) -> Checked<Choice> {
        let Some(choice) = request.get("tool_choice") else { return Ok(Choice::Auto) };
        if self.offered.is_empty() && !self.own && choice != "none" && choice != "auto" {
            return Err(request.wrong("tool_choice", "must be 'none' or 'auto' when 'tools' are not specified"));
        }
        if choice.is_string() {
            return Ok(match request.word("tool_choice", &["none", "auto", "required"])? {
                Some("none") => Choice::None,
                Some("required") => Choice::Any,
                _ => Choice::Auto,
            });
        }
        let named = Object::of(choice, "tool_choice", &["type", "name", "namespace", "mode", "tools", "server_label"])?;
        match named.text("type")? {
            "function" | "custom" => {
                let name = named.text("name")?;
                let tool = self.offered.iter().find(|tool| tool.name == name);
                let tool =
                    tool.ok_or_else(|| wrong("tool_choice", format!("tool choice '{name}' not found in 'tools'")))?;
                Ok(Choice::Tool(tool.key()))
            }
            "allowed_tools" => Ok(match named.word("mode", &["auto", "required"])? {
                Some("required") => Choice::Any,
                _ => Choice::Auto,
            }),
            own if OWN.contains(&own) => Ok(Choice::Auto),
            stranger => Err(named.wrong("type", format!("invalid value: '{stranger}'"))),
        }
    }
}
