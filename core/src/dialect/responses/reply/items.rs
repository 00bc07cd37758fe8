//! The items of an answer as this dialect writes them.

use super::names::{Called, Input, Names, words};
use crate::hub::message::{Message, Said, SaidKind};
use crate::hub::provenance;
use crate::json::{Json, Text, Writer};

/// What writing items needs to know.
pub(super) struct Form {
    /// What the client calls its tools.
    pub(super) names: Names,
    /// The gateway's id of the exchange, of which all ids are made.
    pub(super) exchange: String,
}

/// How far an item has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Just begun: it has no content yet.
    Begun,
    /// Complete.
    Complete,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Begun => "in_progress",
            Status::Complete => "completed",
        }
    }
}

/// An item: the blocks that it is made of.
#[derive(Clone, Copy)]
pub(super) enum Item<'m> {
    /// Words and refusals, each a part.
    Message(&'m [Said]),
    /// A thought.
    Reasoning(&'m Said),
    /// A call.
    Call(&'m Said),
    /// An item of this dialect itself.
    Own(&'m Said),
}

/// The items of a message: neighbouring words are one item, what clients would not know is none.
pub(super) fn items(message: &Message) -> Vec<Item<'_>> {
    let blocks = message.blocks.as_slice();
    let is_words = |block: &Said| matches!(block.kind, SaidKind::Text | SaidKind::Refusal);
    let chunks = blocks.chunk_by(|one, two| (is_words(one) || is_foreign(one)) && (is_words(two) || is_foreign(two)));
    let items = chunks.filter_map(|chunk| match chunk {
        [block] if block.kind == SaidKind::Thinking => Some(Item::Reasoning(block)),
        [block @ Said { kind: SaidKind::ToolCall { .. }, .. }] => Some(Item::Call(block)),
        [block] if block.kind == SaidKind::Other => (!is_foreign(block)).then_some(Item::Own(block)),
        parts => parts.iter().any(is_words).then_some(Item::Message(parts)),
    });
    items.collect()
}

/// Whether a block is another dialect's, which this one has no item for.
fn is_foreign(block: &Said) -> bool {
    block.kind == SaidKind::Other && !Json::parse(block.text.as_bytes()).is_ok_and(is_own)
}

/// Whether a block of some provider's dialect is an item of this one.
pub(super) fn is_own(block: Json<'_>) -> bool {
    const KNOWN: [&str; 4] = ["mcp_list_tools", "mcp_approval_request", "compaction", "program"];
    let kind = block.get("type").and_then(Json::text).unwrap_or_default().decode();
    let known = KNOWN.contains(&kind.as_ref()) || kind.ends_with("_call") || kind.ends_with("_output");
    known && block.get("id").is_some()
}

impl Form {
    /// Writes the id of the item at `index`.
    pub(super) fn id(&self, item: Item<'_>, index: u64, out: &mut Writer) {
        let prefix = match item {
            Item::Message(_) => "msg",
            Item::Reasoning(_) => "rs",
            Item::Call(call) if self.called(call).input == Input::Plain => "ctc",
            Item::Call(_) => "fc",
            Item::Own(block) => {
                let id = Json::parse(block.text.as_bytes()).ok().and_then(|own| own.get("id")?.text());
                return out.text(id.unwrap_or_default());
            }
        };
        out.string(&format!("{prefix}_{}_{index}", self.exchange));
    }

    /// What the client calls the tool of a call.
    pub(super) fn called(&self, call: &Said) -> Called {
        match &call.kind {
            SaidKind::ToolCall { name, .. } => self.names.called(name),
            _ => self.names.called(""),
        }
    }

    /// Writes an item.
    pub(super) fn item(&self, item: Item<'_>, index: u64, status: Status, out: &mut Writer) {
        if let Item::Own(block) = item {
            return out.raw_on_one_line(Json::parse(block.text.as_bytes()).unwrap_or(Json::NULL));
        }
        out.object(|out| {
            self.id(item, index, out.field("id"));
            match item {
                Item::Message(parts) => message(parts, status, out),
                Item::Reasoning(thought) => self.reasoning(thought, status, out),
                Item::Call(call) => self.call(call, index, status, out),
                Item::Own(_) => {}
            }
        });
    }

    fn reasoning(&self, thought: &Said, status: Status, out: &mut Writer) {
        out.field("type").string("reasoning");
        out.field("summary").array(|out| {
            if status == Status::Complete && !thought.text.is_empty() {
                summary(&thought.text, out);
            }
        });
        if status == Status::Complete {
            // Nothing is kept here, so a thought that comes back must say whose it is: nobody's is told to no provider, which would
            // look for an item of that id.
            match &thought.signature {
                Some(proof) => out.field("encrypted_content").text(Text::escaped(proof)),
                None => out.field("encrypted_content").string(&provenance::mark(provenance::NOBODY)),
            }
        }
    }

    fn call(&self, call: &Said, index: u64, status: Status, out: &mut Writer) {
        let called = self.called(call);
        let complete = status == Status::Complete;
        match called.input {
            Input::Plain => {
                out.field("type").string("custom_tool_call");
                let words = if complete { words(&call.text) } else { String::new() };
                out.field("input").text(Text::escaped(&words));
            }
            Input::Arguments => {
                out.field("type").string("function_call");
                let arguments = if complete { arguments(&call.text) } else { "" };
                out.field("arguments").text(Text::escaped(arguments));
            }
        }
        out.field("status").string(status.word());
        out.field("name").text(Text::escaped(&called.name));
        if let Some(group) = &called.namespace {
            out.field("namespace").text(Text::escaped(group));
        }
        match &call.kind {
            SaidKind::ToolCall { id: Some(id), .. } if !id.is_empty() => out.field("call_id").text(Text::escaped(id)),
            _ => out.field("call_id").string(&format!("call_{}_{index}", self.exchange)),
        }
    }
}

/// The arguments of a call, still escaped: nothing and `null` are no JSON object, and clients parse one.
pub(super) fn arguments(text: &str) -> &str {
    match text {
        "" | "null" => "{}",
        text => text,
    }
}

fn message(parts: &[Said], status: Status, out: &mut Writer) {
    out.field("type").string("message");
    out.field("status").string(status.word());
    out.field("role").string("assistant");
    out.field("content").array(|out| {
        let said = parts.iter().filter(|part| status == Status::Complete && part.kind != SaidKind::Other);
        said.for_each(|said| part(said, &said.text, out));
    });
}

/// Writes a part of a message with the words it has so far.
pub(super) fn part(part: &Said, text: &str, out: &mut Writer) {
    out.object(|out| match part.kind {
        SaidKind::Refusal => {
            out.field("type").string("refusal");
            out.field("refusal").text(Text::escaped(text));
        }
        _ => {
            out.field("type").string("output_text");
            out.field("annotations").array(|_| {});
            out.field("logprobs").array(|_| {});
            out.field("text").text(Text::escaped(text));
        }
    });
}

/// Writes the summary of a thought.
pub(super) fn summary(text: &str, out: &mut Writer) {
    out.object(|out| {
        out.field("type").string("summary_text");
        out.field("text").text(Text::escaped(text));
    });
}
