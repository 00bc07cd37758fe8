//! A request made ready for being said in another dialect: what only some dialects have is put into words that all have, once,
//! so that no writer has to.
//!
//! | the caller's | elsewhere |
//! |---|---|
//! | a tool `name` of the group `group`, also where a choice names it | a function `group__name` |
//! | a tool whose input is plain words | a function whose one argument `input` is the words |
//! | a proof made by somebody else than the target | nothing; see [`super::provenance`] |
//! | a thought in several parts, the last of them with its proof | one part: a proof is worth nothing without all the words it proves |
//! | a result of a call that is not told | the result of the call before it that has none; else its words, as the user's. Most providers refuse a result without its call |
//!
//! The caller's own dialect turns names and inputs back when it says the answer: it knows the request.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};

#[cfg(doc)]
use super::Arguments;
use super::provenance::{opened, withhold};
use super::{CallId, Custom, Function, Part, Request, Role, Shape, Tool, ToolCall, ToolChoice, ToolResult};
use crate::catalog::DialectId;
use crate::json::{Json, Text, schema};
use crate::loss::Losses;

/// What stands between a group and a name.
pub const JOINT: &str = "__";

/// A tool's name with its group, still escaped.
pub fn full_name(namespace: Option<Text<'_>>, name: Text<'_>) -> String {
    match namespace {
        Some(group) if !group.is_empty() => format!("{}{JOINT}{}", group.raw(), name.raw()),
        _ => name.raw().to_string(),
    }
}

/// What a request needs besides its own words: full names, and proofs that were sealed. It must outlive what [`prepare`] gives
/// back.
#[derive(Debug, Default)]
pub struct FullNames {
    /// Group, name, full name.
    names: Vec<(String, String, String)>,
    /// As it was sent, opened.
    proofs: Vec<(String, String)>,
    /// Thoughts in several parts.
    thoughts: Vec<Thought>,
}

/// A thought in several parts.
#[derive(Debug)]
struct Thought {
    turn: usize,
    parts: core::ops::Range<usize>,
    words: String,
}

impl FullNames {
    /// Of every tool and call that belongs to a group.
    pub fn of(request: &Request<'_>) -> FullNames {
        let tools = request.tools.iter().filter_map(|tool| match tool {
            Tool::Function(function) => Some((function.namespace?, function.name)),
            Tool::Custom(custom) => Some((custom.namespace?, custom.name)),
            Tool::Other(_) => None,
        });
        let calls = request.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.namespace?, call.name)),
            _ => None,
        });
        let mut names = FullNames::default();
        for (group, name) in tools.chain(calls) {
            let known = names.names.iter().any(|(one, two, _)| one == group.raw() && two == name.raw());
            if !known {
                let full = full_name(Some(group), name);
                names.names.push((group.raw().to_string(), name.raw().to_string(), full));
            }
        }
        let sealed = request.turns.iter().flat_map(|turn| &turn.parts).filter_map(proof_of);
        names.thoughts = request.turns.iter().enumerate().flat_map(|(at, turn)| thoughts(at, &turn.parts)).collect();
        names.proofs = sealed.filter_map(|proof| Some((proof.raw().to_string(), opened(proof)?))).collect();
        names
    }

    /// Puts thoughts together.
    fn join<'n>(&'n self, request: &mut Request<'n>) {
        // From the end, so that the places of the others stay right.
        for thought in self.thoughts.iter().rev() {
            let Some(turn) = request.turns.get_mut(thought.turn) else { continue };
            let last = thought.parts.end.saturating_sub(1);
            if let Some(Part::Thinking(signed)) = turn.parts.get_mut(last) {
                signed.text = Text::escaped(&thought.words);
                turn.parts.drain(thought.parts.start..last);
            }
        }
    }

    /// Opens what is sealed.
    fn open<'n>(&'n self, request: &mut Request<'n>) {
        let proofs = request.turns.iter_mut().flat_map(|turn| &mut turn.parts).filter_map(|part| match part {
            Part::Thinking(thought) => thought.signature.as_mut(),
            Part::ToolCall(call) => call.signature.as_mut(),
            _ => None,
        });
        for proof in proofs {
            if let Some((_, opened)) = self.proofs.iter().find(|(sealed, _)| sealed == proof.raw()) {
                *proof = Text::escaped(opened);
            }
        }
    }

    /// A choice says no group: unless a tool without one has the name, it means the first that has it.
    fn choose<'n>(&'n self, tools: &[Tool<'n>], chosen: &mut Text<'n>) {
        let named = tools.iter().filter_map(|tool| match tool {
            Tool::Function(Function { namespace, name, .. }) | Tool::Custom(Custom { namespace, name, .. }) => {
                (name.raw() == chosen.raw()).then_some(*namespace)
            }
            Tool::Other(_) => None,
        });
        let groups: Option<Vec<Text<'n>>> = named.collect();
        if let Some(group) = groups.and_then(|groups| groups.first().copied()) {
            self.find(&mut Some(group), chosen);
        }
    }

    fn find<'n>(&'n self, namespace: &mut Option<Text<'n>>, name: &mut Text<'n>) {
        let Some(group) = namespace.take() else { return };
        let found = self.names.iter().find(|(one, two, _)| one == group.raw() && two == name.raw());
        if let Some((_, _, full)) = found {
            *name = Text::escaped(full);
        }
    }
}

/// Makes a request ready for the dialect `to` at the provider `maker`; notes what changed its meaning. Nothing changes in the
/// caller's own dialect but the proofs.
pub fn prepare<'n>(
    mut request: Request<'n>,
    names: &'n FullNames,
    to: DialectId,
    maker: &str,
    losses: &mut Losses,
) -> Request<'n> {
    names.open(&mut request);
    if request.dialect != to {
        names.join(&mut request);
    }
    if withhold(&mut request, to, maker) {
        losses.approximate(match request.dialect {
            // There the proof is a document of several members.
            DialectId::ChatCompletions => "messages[].reasoning_details",
            _ => "thinking.signature",
        });
    }
    if request.dialect == to {
        return request;
    }
    if let Some(ToolChoice::Named(chosen)) = &mut request.tool_choice {
        names.choose(&request.tools, chosen);
    }
    for tool in &mut request.tools {
        if let Tool::Custom(custom) = tool {
            *tool = Tool::Function(function_of(custom, losses));
        }
        if let Tool::Function(function) = tool {
            names.find(&mut function.namespace, &mut function.name);
        }
    }
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        if let Part::ToolCall(call) = part {
            names.find(&mut call.namespace, &mut call.name);
        }
    }
    adopt_orphans(&mut request, losses);
    request
}

/// Gives results whose calls are not told to the calls before them that have none, in order; what is left becomes words.
fn adopt_orphans(request: &mut Request<'_>, losses: &mut Losses) {
    let parts = || request.turns.iter().flat_map(|turn| &turn.parts);
    // Most requests have none, and sets cost.
    if parts().all(|part| result_id(part).is_none()) {
        return;
    }
    let called: HashSet<Cow<'_, str>> = parts().filter_map(call_id).map(|id| id.decode()).collect();
    let answered: HashSet<Cow<'_, str>> = parts().filter_map(result_id).map(|id| id.decode()).collect();
    let mut waiting: VecDeque<Text<'_>> = VecDeque::new();
    for turn in &mut request.turns {
        if turn.role == Role::Assistant {
            waiting = turn.parts.iter().filter_map(call_id).filter(|id| !answered.contains(&id.decode())).collect();
        }
        let is_orphan = |part: &Part<'_>| result_id(part).is_some_and(|id| !called.contains(&id.decode()));
        if !turn.parts.iter().any(is_orphan) {
            continue;
        }
        losses.approximate("messages[].tool_results");
        let mut kept = Vec::with_capacity(turn.parts.len());
        for part in core::mem::take(&mut turn.parts) {
            match (is_orphan(&part), part) {
                (true, Part::ToolResult(mut result)) => match waiting.pop_front() {
                    Some(id) => {
                        result.id = Some(CallId::Given(id));
                        kept.push(Part::ToolResult(result));
                    }
                    None => kept.extend(result.content),
                },
                (_, part) => kept.push(part),
            }
        }
        turn.parts = kept;
        if turn.role == Role::Tool && !turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_))) {
            turn.role = Role::User;
            turn.shape = Shape::List;
        }
    }
}

/// The thoughts of a turn that stand in several parts.
fn thoughts(turn: usize, parts: &[Part<'_>]) -> Vec<Thought> {
    let mut found = Vec::new();
    let (mut begin, mut words) = (0, String::new());
    for (at, part) in parts.iter().enumerate() {
        let Part::Thinking(thought) = part else {
            (begin, words) = (at + 1, String::new());
            continue;
        };
        words.push_str(thought.text.raw());
        if thought.signature.is_some() {
            let words = core::mem::take(&mut words);
            if at > begin {
                found.push(Thought { turn, parts: begin..at + 1, words });
            }
            begin = at + 1;
        }
    }
    found
}

fn proof_of<'n>(part: &Part<'n>) -> Option<Text<'n>> {
    match part {
        Part::Thinking(thought) => thought.signature,
        Part::ToolCall(call) => call.signature,
        _ => None,
    }
}

fn call_id<'n>(part: &Part<'n>) -> Option<Text<'n>> {
    match part {
        Part::ToolCall(ToolCall { id: Some(CallId::Given(id)), .. }) => Some(*id),
        _ => None,
    }
}

fn result_id<'n>(part: &Part<'n>) -> Option<Text<'n>> {
    match part {
        Part::ToolResult(ToolResult { id: Some(CallId::Given(id)), .. }) => Some(*id),
        _ => None,
    }
}

fn function_of<'n>(custom: &Custom<'n>, losses: &mut Losses) -> Function<'n> {
    if custom.format.is_some() {
        losses.approximate("tools[].format");
    }
    Function {
        namespace: custom.namespace,
        name: custom.name,
        description: custom.description,
        schema: Json::parse(schema::INPUT.as_bytes()).ok(),
        strict: None,
        extra: custom.extra.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Delivery, Turn};

    fn t(text: &str) -> Text<'_> {
        Text::escaped(text)
    }

    fn turn<'a>(role: Role, parts: Vec<Part<'a>>) -> Turn<'a> {
        Turn { role, parts, shape: Shape::List, extra: Vec::new() }
    }

    fn call(id: &'static str) -> Part<'static> {
        Part::ToolCall(ToolCall {
            id: Some(CallId::Given(t(id))),
            namespace: Some(t("group")),
            name: t("tool"),
            arguments: crate::hub::Arguments::Plain(t(r#"say \"hi\""#)),
            signature: None,
            extra: Vec::new(),
        })
    }

    fn result(id: &'static str) -> Part<'static> {
        Part::ToolResult(ToolResult {
            id: Some(CallId::Given(t(id))),
            name: None,
            content: vec![Part::Text { text: t(id), extra: Vec::new() }],
            shape: Shape::Bare,
            error: None,
            extra: Vec::new(),
        })
    }

    #[test]
    fn groups_and_plain_words_become_functions() {
        let mut request = Request::new(DialectId::Responses, Delivery::Whole);
        let format = Json::parse(br#"{"type":"grammar"}"#).ok();
        let namespace = Some(t("group"));
        request.tools =
            vec![Tool::Custom(Custom { namespace, name: t("tool"), description: None, format, extra: vec![] })];
        request.turns = vec![turn(Role::Assistant, vec![call("1")])];
        let (names, mut losses) = (FullNames::of(&request), Losses::default());
        let request = prepare(request, &names, DialectId::Messages, "", &mut losses);
        let Tool::Function(function) = &request.tools[0] else { panic!("{:?}", request.tools) };
        assert_eq!((function.name.raw(), function.schema.unwrap().as_str()), ("group__tool", schema::INPUT));
        let Part::ToolCall(call) = &request.turns[0].parts[0] else { panic!() };
        assert_eq!(call.name.raw(), "group__tool");
        assert_eq!(call.arguments.object().unwrap(), r#"{"input":"say \"hi\""}"#);
        assert_eq!(losses.approximated, ["tools[].format"]);
    }

    #[test]
    fn a_choice_names_a_tool_within_its_group_unless_one_outside_has_the_name() {
        let tool = |namespace| {
            let name = t("tool");
            Tool::Custom(Custom { namespace, name, description: None, format: None, extra: vec![] })
        };
        for (tools, wanted) in [
            (vec![tool(Some(t("one"))), tool(Some(t("two")))], "one__tool"),
            (vec![tool(Some(t("one"))), tool(None)], "tool"),
            (vec![], "tool"),
        ] {
            let mut request = Request::new(DialectId::Responses, Delivery::Whole);
            request.tool_choice = Some(ToolChoice::Named(t("tool")));
            request.tools = tools;
            let names = FullNames::of(&request);
            let request = prepare(request, &names, DialectId::Messages, "", &mut Losses::default());
            assert!(matches!(request.tool_choice, Some(ToolChoice::Named(name)) if name.raw() == wanted), "{wanted}");
        }
    }

    #[test]
    fn a_thought_in_several_parts_is_one_with_its_proof() {
        let thought = |text, signature: Option<&'static str>| {
            let (text, signature) = (t(text), signature.map(t));
            Part::Thinking(crate::hub::Thinking { text, signature, extra: Vec::new() })
        };
        let proof = "dgm1:00000000000000aa:s";
        let parts = vec![thought("a", None), thought("b", None), thought("", Some(proof)), thought("c", None)];
        let mut request = Request::new(DialectId::GenerateContent, Delivery::Whole);
        request.turns = vec![turn(Role::Assistant, parts)];
        let names = FullNames::of(&request);
        let request = prepare(request, &names, DialectId::Messages, "00000000000000aa", &mut Losses::default());
        let said: Vec<_> = request.turns[0]
            .parts
            .iter()
            .map(|part| match part {
                Part::Thinking(thought) => (thought.text.raw(), thought.signature.map(Text::raw)),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(said, [("ab", Some("s")), ("c", None)]);
    }

    #[test]
    fn a_result_without_its_call_becomes_words() {
        let mut request = Request::new(DialectId::Responses, Delivery::Whole);
        request.turns = vec![
            turn(Role::Assistant, vec![call("1"), call("2")]),
            turn(Role::Tool, vec![result("1"), result("second"), result("lost")]),
            turn(Role::Tool, vec![result("gone")]),
        ];
        let (names, mut losses) = (FullNames::of(&request), Losses::default());
        let request = prepare(request, &names, DialectId::Messages, "", &mut losses);
        let [Part::ToolResult(_), Part::ToolResult(second), Part::Text { .. }] = &request.turns[1].parts[..] else {
            panic!("{:?}", request.turns[1])
        };
        assert!(second.id.is_some_and(|id| id.same(CallId::Given(t("2")))));
        assert_eq!(request.turns[2].role, Role::User);
        assert!(matches!(request.turns[2].parts[..], [Part::Text { .. }]));
        assert_eq!(losses.approximated, ["messages[].tool_results"]);
    }
}
