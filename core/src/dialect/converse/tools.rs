//! What the model may call: `toolConfig`.
//!
//! The service demands it as soon as a message has a call or a result, and has no word for "do not call". So:
//!
//! | asked | calls in the history | written |
//! |---|---|---|
//! | tools, may not be called | no | nothing |
//! | tools, may not be called | yes | the tools, and no choice |
//! | no tools | yes | the names that were called, with any arguments |

use super::conversation::Conversation;
use crate::dialect::Written;
use crate::dialect::names::Names;
use crate::hub::{Function, Part, Request, Tool, ToolChoice};
use crate::json::{Json, Text, Writer, schema};

/// Writes the member, if there is anything to say.
pub(super) fn write(
    request: &Request<'_>,
    conversation: &Conversation<'_, '_>,
    names: &Names,
    written: &mut Written,
    out: &mut Writer,
) {
    let mut functions = Vec::new();
    for tool in &request.tools {
        match tool {
            Tool::Function(function) => functions.push(function),
            Tool::Custom(_) => written.drop("tools[].custom"),
            Tool::Other(json) => written.lose_raw("tools[].", *json),
        }
    }
    let history = History::of(conversation);
    let never = matches!(request.tool_choice, Some(ToolChoice::Never));
    if functions.is_empty() {
        if matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_) | ToolChoice::Other(_))) {
            written.drop("tool_choice");
        }
        if !history.called.is_empty() {
            written.approximate("tools");
            out.field("toolConfig").object(|out| {
                out.field("tools").array(|out| {
                    for name in &history.called {
                        tool(out, |out| {
                            names.write(*name, out.field("name"));
                            input_schema(None, out);
                        });
                    }
                });
            });
        }
        return;
    }
    if never && !history.has_tools {
        return written.approximate("tools");
    }
    out.field("toolConfig").object(|out| {
        out.field("tools").array(|out| {
            functions.iter().for_each(|function| self::function(function, names, written, out));
        });
        choice(request, names, written, out);
    });
}

/// What the messages say of tools.
struct History<'a> {
    has_tools: bool,
    /// The names that were called, each once.
    called: Vec<Text<'a>>,
}

impl<'a> History<'a> {
    fn of(conversation: &Conversation<'_, 'a>) -> History<'a> {
        let mut history = History { has_tools: false, called: Vec::new() };
        let mut known = std::collections::BTreeSet::new();
        for part in conversation.messages.iter().flat_map(|message| &message.parts) {
            history.has_tools |= matches!(part, Part::ToolCall(_) | Part::ToolResult(_));
            if let Part::ToolCall(call) = part
                && known.insert(call.name.raw())
            {
                history.called.push(call.name);
            }
        }
        history
    }
}

fn function(function: &Function<'_>, names: &Names, written: &mut Written, out: &mut Writer) {
    written.lose("tools[].", &function.extra);
    tool(out, |out| {
        names.write(function.name, out.field("name"));
        // An empty description is refused.
        if let Some(description) = function.description.filter(|text| !text.is_empty()) {
            out.field("description").text(description);
        }
        input_schema(function.schema, out);
        if function.strict == Some(true) {
            out.field("strict").bool(true);
        }
    });
}

fn tool(out: &mut Writer, fill: impl FnOnce(&mut Writer)) {
    out.object(|out| out.field("toolSpec").object(fill));
}

fn input_schema(schema: Option<Json<'_>>, out: &mut Writer) {
    out.field("inputSchema").object(|out| schema::write_input(schema, out.field("json")));
}

fn choice(request: &Request<'_>, names: &Names, written: &mut Written, out: &mut Writer) {
    if request.parallel_tool_calls == Some(false) {
        written.approximate("parallel_tool_calls");
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Never) => written.approximate("tool_choice"),
        Some(ToolChoice::Other(_)) => written.drop("tool_choice"),
        Some(ToolChoice::Auto) => out.field("toolChoice").object(|out| out.field("auto").object(|_| {})),
        Some(ToolChoice::Any) => out.field("toolChoice").object(|out| out.field("any").object(|_| {})),
        Some(ToolChoice::Named(name)) => out.field("toolChoice").object(|out| {
            out.field("tool").object(|out| names.write(*name, out.field("name")));
        }),
    }
}
