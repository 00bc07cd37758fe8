//! Writes a whole answer: folds the events and says the sum at the end.

use super::{CallForm, Head, PlainTools, custom_call, finish_reason, usage};
use crate::dialect::chat_completions::proof;
use crate::dialect::{Reply, WriteResponse};
use crate::hub::message::{End, Said, SaidKind};
use crate::hub::{Event, Message, StopReason};
use crate::json::{Text, Writer};

/// A whole answer being written.
pub(super) struct Whole {
    head: Head,
    calls: CallForm,
    plain: PlainTools,
    message: Message,
}

impl Whole {
    pub(super) fn new(reply: Reply, calls: CallForm, plain: PlainTools) -> Whole {
        Whole { head: Head::new(&reply), calls, plain, message: Message::default() }
    }

    fn body(&mut self, reason: StopReason) -> Writer {
        let Whole { head, calls, plain, message } = self;
        head.start(message.id.as_deref(), message.model.as_deref());
        let size: usize = message.blocks.iter().map(|block| block.text.len()).sum();
        let mut out = Writer::with_capacity(size + 512);
        out.object(|out| {
            head.write("chat.completion", out);
            out.field("choices").array(|out| {
                out.object(|out| {
                    out.field("index").number(0);
                    out.field("message").object(|out| said(message, head, (*calls, plain), out));
                    out.field("logprobs").null();
                    out.field("finish_reason").string(finish_reason(reason, *calls));
                });
            });
            if message.usage.is_reported() {
                usage(&message.usage, out.field("usage"));
            }
        });
        out
    }
}

impl WriteResponse for Whole {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.message.push(event);
        if let (Event::Stop(_), End::Stopped(reason, _)) = (event, &self.message.end) {
            let reason = *reason;
            out.extend_from_slice(self.body(reason).as_str().as_bytes());
        }
    }
}

/// The members of `message`.
fn said<'m>(message: &'m Message, head: &Head, (form, plain): (CallForm, &PlainTools), out: &mut Writer) {
    let blocks = |kind: SaidKind| message.blocks.iter().filter(move |block| block.kind == kind);
    let calls: Vec<&Said> =
        message.blocks.iter().filter(|block| matches!(block.kind, SaidKind::ToolCall { .. })).collect();
    let words = |kind| blocks(kind).map(|block| Text::escaped(&block.text));
    let is_said = |kind| blocks(kind).next().is_some();
    out.field("role").string("assistant");
    // Null says that there is something else; an answer of nothing at all is an empty text.
    let silent = !is_said(SaidKind::Text) && (is_said(SaidKind::Refusal) || !calls.is_empty());
    match silent {
        true => out.field("content").null(),
        false => out.field("content").texts(words(SaidKind::Text)),
    }
    match is_said(SaidKind::Refusal) {
        true => out.field("refusal").texts(words(SaidKind::Refusal)),
        false => out.field("refusal").null(),
    }
    if is_said(SaidKind::Thinking) {
        out.field("reasoning_content").texts(words(SaidKind::Thinking));
    }
    let signed = |block: &'m Said| Some((Text::escaped(&block.text), Text::escaped(block.signature.as_deref()?)));
    proof::write(&blocks(SaidKind::Thinking).filter_map(signed).collect::<Vec<_>>(), out);
    match (form, calls.first()) {
        (_, None) => {}
        // The legacy form has room for one call.
        (CallForm::Legacy, Some(call)) => out.field("function_call").object(|out| function(call, out)),
        (CallForm::Modern, Some(_)) => out.field("tool_calls").array(|out| {
            for (index, call) in (0..).zip(&calls) {
                out.object(|out| tool_call(call, index, (head, plain), out));
            }
        }),
    }
}

fn tool_call(call: &Said, index: u64, (head, plain): (&Head, &PlainTools), out: &mut Writer) {
    let SaidKind::ToolCall { id, name } = &call.kind else { return };
    head.call_id(id.as_deref().map(Text::escaped), index, out.field("id"));
    if plain.has(name) {
        return custom_call(name, &call.text, out);
    }
    out.field("type").string("function");
    out.field("function").object(|out| function(call, out));
    if let Some(signature) = &call.signature {
        proof::beside_call(Text::escaped(signature), out);
    }
}

fn function(call: &Said, out: &mut Writer) {
    let SaidKind::ToolCall { name, .. } = &call.kind else { return };
    out.field("name").text(Text::escaped(name));
    // Clients parse the arguments, and nothing is not JSON.
    match call.text.is_empty() {
        true => out.field("arguments").string("{}"),
        false => out.field("arguments").text(Text::escaped(&call.text)),
    }
}
