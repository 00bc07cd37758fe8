//! Names of tools and ids of calls as the provider takes them: `[a-zA-Z0-9_-]`, at most 64 of them.

use crate::catalog::slot;
use crate::dialect::Aliases;
use crate::hub::{CallId, Function, Part, Request, Tool, ToolCall, ToolChoice, ToolResult};
use crate::json::{Text, Writer};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most characters of a name and of an id.
const LONGEST: usize = 64;

/// What is kept of an id that is too long; `_` and 16 digits follow.
const KEPT: usize = 40;

/// Most names that are changed. Providers take 128 tools; what is beyond is theirs to refuse.
const MOST: usize = 1024;

/// The names that had to be changed: the caller's, still escaped, to the provider's.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Looks at every name that the request will say, and notes the changed ones for the way back.
    pub(super) fn of(request: &Request<'_>, aliases: &mut Aliases) -> Names {
        let tools = request.tools.iter().filter_map(|tool| match tool {
            Tool::Function(Function { name, .. }) => Some(*name),
            Tool::Custom(_) | Tool::Other(_) => None,
        });
        let parts = request.turns.iter().flat_map(|turn| &turn.parts);
        let calls = parts.filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.name),
            _ => None,
        });
        let chosen = match request.tool_choice {
            Some(ToolChoice::Named(name)) => Some(name),
            _ => None,
        };
        let (fit, odd): (BTreeSet<&str>, BTreeSet<&str>) =
            tools.chain(calls).chain(chosen).map(Text::raw).partition(|name| fits(name));
        let mut changed = BTreeMap::new();
        let mut taken: BTreeSet<String> = fit.into_iter().map(str::to_string).collect();
        for name in odd.into_iter().take(MOST) {
            let alias = free(&Text::escaped(name).decode(), &taken);
            aliases.add(&alias, name);
            taken.insert(alias.clone());
            changed.insert(name.to_string(), alias);
        }
        Names(changed)
    }

    /// Writes a name.
    pub(super) fn write(&self, name: Text<'_>, out: &mut Writer) {
        match self.0.get(name.raw()) {
            Some(alias) => out.string(alias),
            None => out.text(name),
        }
    }
}

fn fits(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_letter)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The name with its refused letters replaced; if somebody has that already or it is too long, with a digest of the whole.
fn free(name: &str, taken: &BTreeSet<String>) -> String {
    let letter = |letter: char| if letter.is_ascii() && is_letter(letter as u8) { letter } else { '_' };
    let plain: String = name.chars().map(letter).collect();
    match fits(&plain) && !taken.contains(&plain) {
        true => plain,
        false => plain.chars().take(KEPT).chain(['_']).chain(slot(name).chars()).collect(),
    }
}

/// The ids of calls, for dialects that give none or longer ones.
#[derive(Default)]
pub(super) struct Ids<'a> {
    made: usize,
    /// The calls without an id that wait for their results.
    waiting: BTreeSet<usize>,
    /// The same by the tool's name; answered ones may still stand there.
    named: BTreeMap<&'a str, VecDeque<usize>>,
}

impl<'a> Ids<'a> {
    /// Writes the id of a call.
    pub(super) fn call(&mut self, call: &ToolCall<'a>, out: &mut Writer) {
        if let Some(id) = given(call.id) {
            return write(id, out);
        }
        self.waiting.insert(self.made);
        self.named.entry(call.name.raw()).or_default().push_back(self.made);
        CallId::Made(self.made).write(out);
        self.made += 1;
    }

    /// Writes the id of the call that a result answers: without an id, the first one of its name that waits, else of any.
    pub(super) fn result(&mut self, result: &ToolResult<'a>, out: &mut Writer) {
        if let Some(id) = given(result.id) {
            return write(id, out);
        }
        let mut number = None;
        let mut named = result.name.and_then(|name| self.named.get_mut(name.raw()));
        while let (None, Some(candidate)) = (number, named.as_mut().and_then(|numbers| numbers.pop_front())) {
            number = self.waiting.take(&candidate);
        }
        CallId::Made(number.or_else(|| self.waiting.pop_first()).unwrap_or(self.made)).write(out);
    }
}

fn given(id: Option<CallId<'_>>) -> Option<CallId<'_>> {
    id.filter(|id| !matches!(id, CallId::Given(text) if text.is_empty()))
}

fn write(id: CallId<'_>, out: &mut Writer) {
    match id {
        CallId::Given(text) if text.raw().len() > LONGEST => {
            let whole = text.decode();
            let kept: String = whole.chars().filter(|letter| letter.is_ascii_graphic()).take(KEPT).collect();
            out.string(&format!("{kept}_{}", slot(&whole)));
        }
        id => id.write(out),
    }
}
