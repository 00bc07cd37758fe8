//! A streamed answer: every event has its type, a number that grows by one, and the places it belongs to.

use super::items::{Form, Item, Status, arguments, is_own, part, summary};
use super::names::{Input, words};
use super::outcome;
use super::response::{Head, Outcome};
use crate::dialect::WriteResponse;
use crate::dialect::responses::error;
use crate::hub::message::{End, Message, Said};
use crate::hub::{Block, Event, ProviderError};
use crate::json::{Text, Writer};
use crate::refusal::ClientError;

/// A streamed answer being written.
pub(super) struct Streamed {
    head: Head,
    form: Form,
    /// All that was said so far: events at the end of a part, an item and the answer repeat it.
    message: Message,
    json: Writer,
    /// The number of the next event.
    sequence: u64,
    /// The index of the open item, or of the next one.
    index: u64,
    /// Where the open message begins among the blocks, and the index of its next part.
    words: Option<(usize, u64)>,
    open: Open,
}

/// What the open block is to its deltas.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Refusal,
    Thinking,
    /// A call of a function, before its first fragment.
    FreshCall,
    Call,
    /// A call whose input is said when it is complete.
    PlainCall,
    /// Nothing more is said.
    Over,
}

/// What an event is about.
struct About<'e> {
    /// The event.
    kind: &'static str,
    /// The member with the index inside of the item, and that index.
    inside: Option<(&'static str, u64)>,
    /// Whose id is said.
    item: Item<'e>,
}

impl Streamed {
    /// A writer of one answer.
    pub(super) fn new(head: Head, form: Form) -> Streamed {
        let (message, json) = (Message::default(), Writer::with_capacity(1024));
        Streamed { head, form, message, json, sequence: 0, index: 0, words: None, open: Open::Nothing }
    }

    /// Appends an event that belongs to the open item.
    fn of_item(&mut self, about: About<'_>, out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer)) {
        let Streamed { json, form, index, sequence, .. } = self;
        event(about.kind, sequence, json, out, |json| {
            form.id(about.item, *index, json.field("item_id"));
            json.field("output_index").number(*index);
            if let Some((name, index)) = about.inside {
                json.field(name).number(index);
            }
            fill(json);
        });
    }

    /// Appends an event that shows the open item.
    fn show(&mut self, kind: &'static str, status: Status, item: Item<'_>, out: &mut Vec<u8>) {
        let Streamed { json, form, index, sequence, .. } = self;
        event(kind, sequence, json, out, |json| {
            json.field("output_index").number(*index);
            form.item(item, *index, status, json.field("item"));
        });
    }

    /// Appends an event that shows the response.
    fn response(&mut self, outcome: Outcome, kind: &'static str, out: &mut Vec<u8>) {
        let Streamed { json, form, head, message, sequence, .. } = self;
        event(kind, sequence, json, out, |json| head.write(outcome, message, form, json.field("response")));
    }

    fn open(&mut self, block: &Block<'_>, said: &Said, out: &mut Vec<u8>) {
        match block {
            Block::Text | Block::Refusal => {
                self.open = if *block == Block::Text { Open::Text } else { Open::Refusal };
                if self.words.is_none() {
                    self.words = Some((self.message.blocks.len(), 0));
                    self.show("response.output_item.added", Status::Begun, Item::Message(&[]), out);
                }
                let about = self.part("response.content_part.added");
                self.of_item(about, out, |json| part(said, "", json.field("part")));
            }
            Block::Thinking => {
                self.end_message(out);
                self.open = Open::Thinking;
                self.show("response.output_item.added", Status::Begun, Item::Reasoning(said), out);
            }
            Block::ToolCall { .. } => {
                self.end_message(out);
                let plain = self.form.called(said).input == Input::Plain;
                self.open = if plain { Open::PlainCall } else { Open::FreshCall };
                self.show("response.output_item.added", Status::Begun, Item::Call(said), out);
            }
            Block::Other(json) => {
                self.open = Open::Nothing;
                if is_own(*json) {
                    self.end_message(out);
                    self.show("response.output_item.added", Status::Complete, Item::Own(said), out);
                    self.end_item(Item::Own(said), out);
                }
            }
        }
    }

    /// About the next part of the open message.
    fn part(&self, kind: &'static str) -> About<'static> {
        let part = self.words.map_or(0, |(_, part)| part);
        About { kind, inside: Some(("content_index", part)), item: Item::Message(&[]) }
    }

    fn delta(&mut self, text: Text<'_>, said: &Said, out: &mut Vec<u8>) {
        match self.open {
            Open::Nothing | Open::PlainCall | Open::Over => {}
            Open::Text => {
                let about = self.part("response.output_text.delta");
                self.of_item(about, out, |json| {
                    json.field("delta").text(text);
                    json.field("logprobs").array(|_| {});
                });
            }
            Open::Refusal => {
                let about = self.part("response.refusal.delta");
                self.of_item(about, out, |json| json.field("delta").text(text));
            }
            Open::Thinking => {
                // The first words bring the part with them: a thought may have a proof only.
                if said.text.len() == text.raw().len() {
                    let about = thought("response.reasoning_summary_part.added", said);
                    self.of_item(about, out, |json| summary("", json.field("part")));
                }
                let about = thought("response.reasoning_summary_text.delta", said);
                self.of_item(about, out, |json| json.field("delta").text(text));
            }
            // Some servers say `null` for no arguments.
            Open::FreshCall if text.raw() == "null" => {}
            Open::FreshCall | Open::Call => {
                self.open = Open::Call;
                self.arguments(text, said, out);
            }
        }
    }

    fn arguments(&mut self, text: Text<'_>, said: &Said, out: &mut Vec<u8>) {
        let about = call("response.function_call_arguments.delta", said);
        self.of_item(about, out, |json| json.field("delta").text(text));
    }

    fn close(&mut self, said: &Said, out: &mut Vec<u8>) {
        let text = Text::escaped(&said.text);
        match core::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Over => self.open = Open::Over,
            Open::Text => {
                let about = self.part("response.output_text.done");
                self.of_item(about, out, |json| {
                    json.field("text").text(text);
                    json.field("logprobs").array(|_| {});
                });
                self.end_part(said, out);
            }
            Open::Refusal => {
                let about = self.part("response.refusal.done");
                self.of_item(about, out, |json| json.field("refusal").text(text));
                self.end_part(said, out);
            }
            Open::Thinking => {
                if !text.is_empty() {
                    let about = thought("response.reasoning_summary_text.done", said);
                    self.of_item(about, out, |json| json.field("text").text(text));
                    let about = thought("response.reasoning_summary_part.done", said);
                    self.of_item(about, out, |json| summary(&said.text, json.field("part")));
                }
                self.end_item(Item::Reasoning(said), out);
            }
            Open::PlainCall => {
                let words = words(&said.text);
                let about = call("response.custom_tool_call_input.delta", said);
                self.of_item(about, out, |json| json.field("delta").text(Text::escaped(&words)));
                let about = call("response.custom_tool_call_input.done", said);
                self.of_item(about, out, |json| json.field("input").text(Text::escaped(&words)));
                self.end_item(Item::Call(said), out);
            }
            open @ (Open::FreshCall | Open::Call) => {
                let whole = Text::escaped(arguments(&said.text));
                if open == Open::FreshCall {
                    self.arguments(whole, said, out);
                }
                let name = self.form.called(said).name;
                let about = call("response.function_call_arguments.done", said);
                self.of_item(about, out, |json| {
                    json.field("name").text(Text::escaped(&name));
                    json.field("arguments").text(whole);
                });
                self.end_item(Item::Call(said), out);
            }
        }
    }

    fn end_part(&mut self, said: &Said, out: &mut Vec<u8>) {
        let about = self.part("response.content_part.done");
        self.of_item(about, out, |json| part(said, &said.text, json.field("part")));
        self.words = self.words.map(|(from, part)| (from, part + 1));
    }

    /// Ends the open message, if one is: words that follow something else are another.
    fn end_message(&mut self, out: &mut Vec<u8>) {
        let Some((from, _)) = self.words.take() else { return };
        let blocks = core::mem::take(&mut self.message.blocks);
        self.end_item(Item::Message(blocks.get(from..).unwrap_or_default()), out);
        self.message.blocks = blocks;
    }

    fn end_item(&mut self, item: Item<'_>, out: &mut Vec<u8>) {
        self.show("response.output_item.done", Status::Complete, item, out);
        self.index += 1;
    }

    /// Says the error, as an event of its own and as the end of the response.
    fn fail(&mut self, failure: &ProviderError, out: &mut Vec<u8>) {
        let told = ClientError::of_provider(failure);
        let failure = ProviderError { message: told.message.clone(), ..failure.clone() };
        let Streamed { json, head, message, sequence, .. } = self;
        event("error", sequence, json, out, |json| {
            json.field("message").string(&told.message);
            error::members(&told, json);
        });
        event("response.failed", sequence, json, out, |json| {
            head.failed(error::code_in_stream(told.class), &failure, &message.usage, json.field("response"));
        });
        self.open = Open::Over;
    }
}

fn thought<'e>(kind: &'static str, said: &'e Said) -> About<'e> {
    About { kind, inside: Some(("summary_index", 0)), item: Item::Reasoning(said) }
}

fn call<'e>(kind: &'static str, said: &'e Said) -> About<'e> {
    About { kind, inside: None, item: Item::Call(said) }
}

/// Appends an event whose data `fill` adds members to.
fn event(kind: &str, sequence: &mut u64, json: &mut Writer, out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer)) {
    json.clear();
    json.object(|json| {
        json.field("type").string(kind);
        fill(json);
        json.field("sequence_number").number(*sequence);
    });
    *sequence += 1;
    for piece in ["event: ", kind, "\ndata: ", json.as_str(), "\n\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

impl WriteResponse for Streamed {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.open == Open::Over {
            return;
        }
        self.message.push(event);
        if let End::Failed(failure) = &self.message.end {
            let failure = failure.clone();
            return self.fail(&failure, out);
        }
        match event {
            Event::Start { .. } => {
                self.head.start(&self.message);
                self.response(Outcome::Open, "response.created", out);
                self.response(Outcome::Open, "response.in_progress", out);
            }
            Event::Open(_) | Event::Delta(_) | Event::Close => self.block(event, out),
            Event::Signature(_) | Event::Lost(_) | Event::Usage(_) | Event::Error(_) => {}
            Event::Stop(stop) => {
                self.end_message(out);
                let outcome = outcome(stop.reason, &self.message);
                let kind = match outcome {
                    Outcome::Incomplete(_) => "response.incomplete",
                    Outcome::Open | Outcome::Completed => "response.completed",
                };
                self.response(outcome, kind, out);
                self.open = Open::Over;
            }
        }
    }
}

impl Streamed {
    /// Says a step of the last block, which is lent out of the message meanwhile.
    fn block(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let Some(said) = self.message.blocks.pop() else { return };
        match event {
            Event::Open(block) => self.open(block, &said, out),
            Event::Delta(text) => self.delta(*text, &said, out),
            _ => self.close(&said, out),
        }
        self.message.blocks.push(said);
    }
}
