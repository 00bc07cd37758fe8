//! Reads tools and the choice among them, in their modern and their legacy form.

use crate::dialect::ReadError;
use crate::dialect::chat_completions::mark::Mark;
use crate::hub::{Custom, Extra, Function, Request, Tool, ToolChoice};
use crate::json::{Json, Kind};

/// Takes `tools`.
pub(super) fn modern<'a>(request: &mut Request<'a>, value: Json<'a>) -> Result<(), ReadError> {
    list(value, "tools", |tool| request.tools.push(modern_tool(tool)))?;
    if value.items().next().is_none() {
        Mark::EmptyList.put(&mut request.extra);
    }
    Ok(())
}

/// Takes `functions`, which were the tools before there were tools.
pub(super) fn legacy<'a>(request: &mut Request<'a>, value: Json<'a>) -> Result<(), ReadError> {
    Mark::Legacy.put(&mut request.extra);
    list(value, "functions", |function| {
        let mut extra = Extra::new();
        Mark::Legacy.put(&mut extra);
        request.tools.push(self::function(function, extra).unwrap_or(Tool::Other(function)));
    })
}

fn list<'a>(value: Json<'a>, place: &str, mut take: impl FnMut(Json<'a>)) -> Result<(), ReadError> {
    if value.kind() != Kind::Array {
        return Err(ReadError::new(place, "must be a list"));
    }
    for (index, item) in value.items().enumerate() {
        if item.kind() != Kind::Object {
            return Err(ReadError::new(format!("{place}[{index}]"), "must be an object"));
        }
        take(item);
    }
    Ok(())
}

fn modern_tool(tool: Json<'_>) -> Tool<'_> {
    let kind = tool.get("type");
    let is = |word: &str| kind.is_none_or(|kind| kind.text().is_some_and(|kind| kind.is(word)));
    let member = match (is("function"), is("custom")) {
        (true, _) => "function",
        (false, true) => "custom",
        (false, false) => return Tool::Other(tool),
    };
    let mut extra = Extra::new();
    let mut object = None;
    for (name, value) in tool.members() {
        match name.decode().as_ref() {
            "type" => {}
            word if word == member && value.kind() == Kind::Object => object = Some(value),
            _ => extra.push((name, value)),
        }
    }
    if kind.is_none() {
        Mark::Untyped.put(&mut extra);
    }
    let understood = object.and_then(|object| match member {
        "custom" => custom(object, extra),
        _ => function(object, extra),
    });
    understood.unwrap_or(Tool::Other(tool))
}

/// `{"name":"…","description":"…","format":{"type":"grammar","grammar":{…}}}`; a member that has no word keeps all of it raw.
fn custom<'a>(object: Json<'a>, mut extra: Extra<'a>) -> Option<Tool<'a>> {
    let (mut title, mut description, mut format, mut whole) = (None, None, None, false);
    for (name, value) in object.members() {
        match (name.decode().as_ref(), value.kind()) {
            ("name", Kind::String) => title = value.text(),
            ("description", Kind::String) => description = value.text(),
            ("format", Kind::Object) => format = Some(value),
            _ => whole = true,
        }
    }
    if whole {
        extra.push((crate::dialect::ascii_text("custom"), object));
    }
    Some(Tool::Custom(Custom { namespace: None, name: title?, description, format, extra }))
}

/// The function inside; a member that has no word keeps the whole function raw in `extra`, under its own name.
fn function<'a>(object: Json<'a>, mut extra: Extra<'a>) -> Option<Tool<'a>> {
    let (mut title, mut description, mut schema, mut strict, mut whole) = (None, None, None, None, false);
    for (name, value) in object.members() {
        match (name.decode().as_ref(), value.kind()) {
            ("name", Kind::String) => title = value.text(),
            ("description", Kind::String) => description = value.text(),
            ("description", Kind::Null) => Mark::NullDescription.put(&mut extra),
            ("parameters", Kind::Object) => schema = Some(value),
            ("parameters", Kind::Null) => Mark::NullParameters.put(&mut extra),
            ("strict", Kind::Bool) => strict = value.bool(),
            ("strict", Kind::Null) => Mark::NullStrict.put(&mut extra),
            _ => whole = true,
        }
    }
    if whole {
        extra.push((crate::dialect::ascii_text("function"), object));
    }
    Some(Tool::Function(Function { namespace: None, name: title?, description, schema, strict, extra }))
}

/// Takes `tool_choice`; false when `function_call` has said it already.
pub(super) fn choice<'a>(request: &mut Request<'a>, value: Json<'a>) -> bool {
    if request.tool_choice.is_some() {
        return false;
    }
    let word = value.text().map(|text| text.decode());
    let choice = match word.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::Never,
        Some("required") => ToolChoice::Any,
        Some("any") => {
            Mark::AnyChoice.put(&mut request.extra);
            ToolChoice::Any
        }
        Some(_) => ToolChoice::Other(value),
        None => match (named(value, "function"), named(value, "custom")) {
            (Some(choice), _) => choice,
            (None, Some(choice)) => {
                Mark::CustomChoice.put(&mut request.extra);
                choice
            }
            (None, None) => ToolChoice::Other(value),
        },
    };
    request.tool_choice = Some(choice);
    true
}

/// `{"type":"function","function":{"name":"…"}}`, or the same with `custom`, and not a word more.
fn named<'a>(value: Json<'a>, kind: &str) -> Option<ToolChoice<'a>> {
    let tool = value.get(kind)?;
    let plain = value.members().count() == 2 && tool.members().count() == 1;
    let typed = value.get("type").and_then(Json::text).is_some_and(|word| word.is(kind));
    let name = tool.get("name").and_then(Json::text)?;
    (plain && typed).then_some(ToolChoice::Named(name))
}

/// Takes `function_call`; false when `tool_choice` has said it already, or it has another form.
pub(super) fn legacy_choice<'a>(request: &mut Request<'a>, value: Json<'a>) -> bool {
    let word = value.text().map(|text| text.decode());
    let choice = match word.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::Never,
        Some(_) => return false,
        None if value.members().count() == 1 => match value.get("name").and_then(Json::text) {
            Some(name) => ToolChoice::Named(name),
            None => return false,
        },
        None => return false,
    };
    if request.tool_choice.is_some() {
        return false;
    }
    request.tool_choice = Some(choice);
    Mark::LegacyChoice.put(&mut request.extra);
    true
}
