//! Ids of calls as the provider takes them: at most 64 characters.

use crate::catalog::slot;
use crate::hub::{CallId, ToolCall, ToolResult};
use crate::json::Writer;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most characters of an id.
const LONGEST: usize = 64;

/// What is kept of an id that is too long; `_` and 16 digits follow.
const KEPT: usize = 40;

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
