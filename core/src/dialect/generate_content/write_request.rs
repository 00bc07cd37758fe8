//! A [`Request`] into a body.
//!
//! Two callers: the API's own clients, whose spelling is kept (see [`super::spelling`]), and those of other dialects, whose
//! words are put into this API's. What cannot be put is listed.

use super::foreign_part;
use super::spelling::{self, Spelled};
use super::write_config;
use super::write_part;
use crate::catalog::DialectId;
use crate::dialect::names::{Letters, Names};
use crate::dialect::{Addressee, Written};
use crate::hub::{CallId, Function, Part, Request, Role, Shape, Tool, Turn};
use crate::json::{Member, Text, Writer};
use std::collections::BTreeMap;

/// What the API takes as a function's name; its older versions take no longer one.
const NAMES: Letters = Letters { signs: "_.:-", longest: 64, any_first: false };

/// A request on its way out.
pub(super) struct Writing<'r, 'a> {
    pub(super) request: &'r Request<'a>,
    pub(super) to: Addressee<'r>,
    pub(super) written: Written,
    /// What every call was called, by its id.
    called: BTreeMap<String, Text<'a>>,
    /// What the tools are called here.
    pub(super) names: Names,
}

/// Writes a body.
pub(super) fn write_request(request: &Request<'_>, to: Addressee<'_>) -> Written {
    let (written, called, names) = (Written::default(), BTreeMap::new(), Names::default());
    let mut writing = Writing { request, to, written, called, names };
    if !writing.own() {
        writing.called = names_of_calls(request);
        writing.names = Names::of(request, NAMES, &mut writing.written.aliases);
    }
    let mut out = Writer::new();
    out.object(|out| writing.body(out));
    if !writing.own() {
        writing.written.lose("", &request.extra);
    }
    let mut written = writing.written;
    written.body = out.into_string();
    written
}

/// What every call was called, by its id. Once for all, as a conversation may have thousands of results.
fn names_of_calls<'a>(request: &Request<'a>) -> BTreeMap<String, Text<'a>> {
    let mut names = BTreeMap::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        if let Part::ToolCall(call) = part
            && let Some(id) = call.id
        {
            names.entry(key(id)).or_insert(call.name);
        }
    }
    names
}

fn key(id: CallId<'_>) -> String {
    match id {
        CallId::Given(text) => text.decode().into_owned(),
        CallId::Made(number) => format!("call_{number}"),
    }
}

impl<'r, 'a> Writing<'r, 'a> {
    /// Whether the caller speaks this very dialect.
    pub(super) fn own(&self) -> bool {
        self.request.dialect == DialectId::GenerateContent
    }

    /// The marks and unknown members to write; none of another dialect's.
    pub(super) fn spelled<'e>(&self, extra: &'e [Member<'a>]) -> Spelled<'e, 'a> {
        Spelled::new(if self.own() { extra } else { &[] })
    }

    /// What the model demands as the proof of a call that nobody signed.
    pub(super) fn unsigned(&self) -> Option<Text<'r>> {
        Text::plain(self.to.unsigned).filter(|word| !word.is_empty())
    }

    /// The name of the tool that was called under that id.
    pub(super) fn name_of_call(&self, id: CallId<'a>) -> Option<Text<'a>> {
        self.called.get(&key(id)).copied()
    }

    fn body(&mut self, out: &mut Writer) {
        let request = self.request;
        let spelled = self.spelled(&request.extra);
        let system = self.system(spelled.name("systemInstruction", &["system_instruction"]), out);
        out.field("contents").array(|out| self.contents(system, out));
        let said_tools = self.tools(&spelled, out);
        let tool_config = spelled.name("toolConfig", &["tool_config"]);
        write_config::tool_config(self, tool_config, said_tools, out);
        let config = spelled.name("generationConfig", &["generation_config"]);
        write_config::generation_config(self, config, out);
        if let Some(before) = spelled.before_model() {
            let model = self.to.model.strip_prefix("models/").unwrap_or(self.to.model);
            out.field("model").string(&format!("{}{model}", before.decode()));
        }
        spelled.rest(out);
    }

    /// Writes the turns that say how to behave; gives their number.
    fn system(&mut self, name: &str, out: &mut Writer) -> usize {
        let turns = &self.request.turns;
        let is_system = |turn: &&Turn<'_>| matches!(turn.role, Role::System | Role::Developer);
        if self.own() {
            let Some(turn) = turns.first().filter(is_system) else { return 0 };
            out.field(name).object(|out| self.own_turn(turn, out));
            return 1;
        }
        let leading = turns.iter().take_while(is_system).count();
        let (system, rest) = turns.split_at(leading);
        if !rest.iter().any(foreign_part::says) {
            // The API wants something to answer to: instructions alone are said as the user.
            return 0;
        }
        if system.iter().any(foreign_part::says) {
            out.field(name).object(|out| {
                out.field("parts").array(|out| {
                    system.iter().for_each(|turn| self.foreign_turn_extra(turn));
                    foreign_part::parts(self, system.iter().flat_map(|turn| &turn.parts), out);
                });
            });
        }
        leading
    }

    fn contents(&mut self, from: usize, out: &mut Writer) {
        let turns = self.request.turns.get(from..).unwrap_or_default();
        if self.own() {
            for turn in turns {
                out.object(|out| self.own_turn(turn, out));
            }
            return;
        }
        // All results of one turn's calls belong into one turn, and so do the calls that they answer.
        let belongs =
            |one: &Turn<'_>, next: &Turn<'_>| one.role == next.role && matches!(one.role, Role::Tool | Role::Assistant);
        for turns in turns.chunk_by(belongs) {
            self.foreign_turns(turns, out);
        }
    }

    fn own_turn(&mut self, turn: &Turn<'a>, out: &mut Writer) {
        let spelled = self.spelled(&turn.extra);
        let role = match turn.role {
            Role::User if spelled.marked(spelling::NO_ROLE) => None,
            Role::User => Some("user"),
            Role::Assistant => Some("model"),
            Role::Tool => Some("function"),
            Role::System | Role::Developer => {
                let words =
                    [(spelling::ROLE_USER, "user"), (spelling::ROLE_MODEL, "model"), (spelling::ROLE_SYSTEM, "system")];
                words.iter().find(|(mark, _)| spelled.marked(mark)).map(|(_, word)| *word)
            }
        };
        if let Some(role) = role {
            out.field("role").string(role);
        }
        let is_null = turn.extra.iter().any(|(name, value)| name.is("parts") && value.is_null());
        match (turn.shape, turn.parts.first()) {
            _ if is_null || spelled.marked(spelling::NO_PARTS) => {}
            (Shape::Bare, Some(_)) => write_part::parts(&turn.parts, self.unsigned(), out.field("parts")),
            _ => out.field("parts").array(|out| write_part::parts(&turn.parts, self.unsigned(), out)),
        }
        spelled.rest(out);
    }

    fn foreign_turns(&mut self, turns: &[Turn<'a>], out: &mut Writer) {
        for turn in turns {
            self.foreign_turn_extra(turn);
        }
        let Some(first) = turns.first() else { return };
        let parts = || turns.iter().flat_map(|turn| &turn.parts);
        if !turns.iter().any(foreign_part::says) {
            // The API refuses empty turns; but what they had that cannot be said is told.
            foreign_part::parts(self, parts(), &mut Writer::new());
            return;
        }
        let role = match first.role {
            Role::Assistant => "model",
            Role::User | Role::Tool => "user",
            Role::System | Role::Developer => {
                // There is one place for instructions, before everything; this one came later.
                self.written.approximate("messages[].role");
                "user"
            }
        };
        out.object(|out| {
            out.field("role").string(role);
            out.field("parts").array(|out| {
                foreign_part::parts(self, parts(), out);
                foreign_part::media_of_results(self, parts(), out);
            });
        });
    }

    fn foreign_turn_extra(&mut self, turn: &Turn<'a>) {
        self.written.lose("messages[].", &turn.extra);
    }

    /// Writes the tools; says whether there are functions among them.
    fn tools(&mut self, spelled: &Spelled<'_, 'a>, out: &mut Writer) -> bool {
        let tools = &self.request.tools;
        let any = tools.iter().any(|tool| matches!(tool, Tool::Function(_)));
        if self.own() {
            if spelled.marked(spelling::ONE_TOOL) {
                out.field("tools");
                self.own_tools(out);
            } else if !tools.is_empty() || spelled.marked(spelling::EMPTY_TOOLS) {
                out.field("tools").array(|out| self.own_tools(out));
            }
            return any;
        }
        for tool in tools {
            if let Tool::Other(other) = tool {
                self.written.lose_raw("tools[].", *other);
            }
        }
        if any {
            out.field("tools").array(|out| {
                out.object(|out| {
                    out.field("functionDeclarations").array(|out| {
                        for tool in tools {
                            if let Tool::Function(function) = tool {
                                self.foreign_function(function, out);
                            }
                        }
                    });
                });
            });
        }
        any
    }

    /// Puts the functions back into the tool objects they came in.
    fn own_tools(&mut self, out: &mut Writer) {
        let begins = |tool: &Tool<'a>| match tool {
            Tool::Function(function) => spelling::within(&function.extra, spelling::TOOL).is_some(),
            Tool::Custom(_) | Tool::Other(_) => true,
        };
        for group in self.request.tools.chunk_by(|_, next| !begins(next)) {
            let Some(Tool::Function(first)) = group.first() else {
                if let Some(Tool::Other(other)) = group.first() {
                    out.raw(*other);
                }
                continue;
            };
            let beside = spelling::within(&first.extra, spelling::TOOL).unwrap_or_default();
            let spelled = Spelled::new(beside);
            out.object(|out| {
                let functions = group.iter().filter_map(|tool| match tool {
                    Tool::Function(function) => Some(function),
                    Tool::Custom(_) | Tool::Other(_) => None,
                });
                out.field(spelled.name("functionDeclarations", &["function_declarations"]));
                match spelled.marked(spelling::ONE_FUNCTION) {
                    true => functions.for_each(|function| own_function(function, out)),
                    false => out.array(|out| functions.for_each(|function| own_function(function, out))),
                }
                spelled.rest(out);
            });
        }
    }

    fn foreign_function(&mut self, function: &Function<'a>, out: &mut Writer) {
        out.object(|out| {
            self.names.write(function.name, out.field("name"));
            if let Some(description) = function.description {
                out.field("description").text(description);
            }
            if let Some(schema) = function.schema {
                out.field("parametersJsonSchema").raw(schema);
            }
        });
        // Not strict is what every function here is.
        if function.strict == Some(true) {
            self.written.approximate("tools[].strict");
        }
        self.written.lose("tools[].", &function.extra);
    }
}

fn own_function(function: &Function<'_>, out: &mut Writer) {
    let spelled = Spelled::new(&function.extra);
    out.object(|out| {
        out.field("name").text(function.name);
        if let Some(description) = function.description {
            out.field("description").text(description);
        }
        if let Some(schema) = function.schema {
            out.field(spelled.name("parametersJsonSchema", &["parameters_json_schema", "parameters"])).raw(schema);
        }
        spelled.rest(out);
    });
}
