//! Writes a streamed answer.

use super::{CallForm, Head, PlainTools, UsageWish, custom_call, finish_reason, usage};
use crate::dialect::chat_completions::{DONE, error, proof};
use crate::dialect::{Reply, WriteResponse};
use crate::hub::message::MAX_MESSAGE;
use crate::hub::{Block, Event, ProviderError, Stop};
use crate::json::{Text, Writer};
use crate::refusal::ClientError;
use crate::usage::Usage;

/// The member that holds thoughts.
const THOUGHT: &str = "reasoning_content";

/// A streamed answer being written.
pub(super) struct Chunks {
    head: Head,
    calls: CallForm,
    plain: PlainTools,
    wish: UsageWish,
    open: Open,
    /// What is said once its block is complete: a thought, in case a proof comes with it, or the input of a tool of plain words.
    kept: String,
    /// The proof of the open thought.
    proof: String,
    /// How many calls have begun.
    called: u64,
    usage: Usage,
    /// The chunk being written; kept, so that its memory is used again.
    chunk: Writer,
}

/// What deltas belong to.
#[derive(Clone, PartialEq, Eq)]
enum Open {
    /// Nothing, or a block that chat completions has no place for.
    Nothing,
    /// A member of the delta that holds words.
    Words(&'static str),
    /// A call without arguments so far.
    NewCall,
    /// A call with arguments.
    Call,
    /// A call of a tool of plain words: nothing was said of it yet.
    PlainCall { id: Option<String>, name: String },
}

impl Chunks {
    pub(super) fn new(reply: Reply, calls: CallForm, plain: PlainTools, wish: UsageWish) -> Chunks {
        let head = Head::new(&reply);
        let (usage, kept, proof, chunk) = (Usage::default(), String::new(), String::new(), Writer::new());
        Chunks { head, calls, plain, wish, open: Open::Nothing, kept, proof, called: 0, usage, chunk }
    }

    /// Appends a chunk whose delta `fill` writes.
    fn say(&mut self, finish: Option<&str>, out: &mut Vec<u8>, fill: impl FnOnce(&Head, &mut Writer)) {
        let Chunks { head, chunk, wish, .. } = self;
        chunk.clear();
        chunk.object(|chunk| {
            head.write("chat.completion.chunk", chunk);
            chunk.field("choices").array(|chunk| {
                chunk.object(|chunk| {
                    chunk.field("index").number(0);
                    chunk.field("delta").object(|chunk| fill(head, chunk));
                    chunk.field("logprobs").null();
                    match finish {
                        Some(word) => chunk.field("finish_reason").string(word),
                        None => chunk.field("finish_reason").null(),
                    }
                });
            });
            if *wish == UsageWish::Asked {
                chunk.field("usage").null();
            }
        });
        event(chunk.as_str(), out);
    }

    fn open(&mut self, block: &Block<'_>, out: &mut Vec<u8>) {
        self.open = match block {
            Block::Text => Open::Words("content"),
            Block::Thinking => Open::Words(THOUGHT),
            Block::Refusal => Open::Words("refusal"),
            Block::Other(_) => Open::Nothing,
            // The legacy form has room for one call.
            Block::ToolCall { .. } if self.calls == CallForm::Legacy && self.called > 0 => Open::Nothing,
            Block::ToolCall { id, name } if self.plain.has(name.raw()) => {
                Open::PlainCall { id: id.map(|id| id.raw().to_string()), name: name.raw().to_string() }
            }
            Block::ToolCall { id, name } => {
                self.begin_call(*id, *name, out);
                Open::NewCall
            }
        };
    }

    fn begin_call(&mut self, id: Option<Text<'_>>, name: Text<'_>, out: &mut Vec<u8>) {
        let (index, form) = (self.called, self.calls);
        self.called += 1;
        self.say(None, out, |head, delta| {
            let function = |out: &mut Writer| {
                out.object(|out| {
                    out.field("name").text(name);
                    out.field("arguments").text(Text::EMPTY);
                });
            };
            match form {
                CallForm::Legacy => function(delta.field("function_call")),
                CallForm::Modern => delta.field("tool_calls").array(|out| {
                    out.object(|out| {
                        out.field("index").number(index);
                        head.call_id(id, index, out.field("id"));
                        out.field("type").string("function");
                        function(out.field("function"));
                    });
                }),
            }
        });
    }

    /// Appends a chunk about the call that is open.
    fn of_call(&mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer)) {
        let index = self.called.saturating_sub(1);
        self.say(None, out, |_, delta| {
            delta.field("tool_calls").array(|out| {
                out.object(|out| {
                    out.field("index").number(index);
                    fill(out);
                });
            });
        });
    }

    fn arguments(&mut self, fragment: Text<'_>, out: &mut Vec<u8>) {
        self.open = Open::Call;
        let function = |out: &mut Writer| out.object(|out| out.field("arguments").text(fragment));
        match self.calls {
            CallForm::Legacy => self.say(None, out, |_, delta| function(delta.field("function_call"))),
            CallForm::Modern => self.of_call(out, |out| function(out.field("function"))),
        }
    }

    fn delta(&mut self, text: Text<'_>, out: &mut Vec<u8>) {
        match self.open {
            Open::Words(member) => {
                if member == THOUGHT && self.kept.len() < MAX_MESSAGE {
                    self.kept.push_str(text.raw());
                }
                self.say(None, out, |_, delta| delta.field(member).text(text));
            }
            Open::NewCall | Open::Call => self.arguments(text, out),
            Open::PlainCall { .. } => self.kept.push_str(text.raw()),
            Open::Nothing => {}
        }
    }

    fn sign(&mut self, signature: Text<'_>, out: &mut Vec<u8>) {
        match (&self.open, self.calls) {
            (Open::Words(THOUGHT), _) => self.proof.push_str(signature.raw()),
            (Open::NewCall | Open::Call, CallForm::Modern) => self.of_call(out, |out| {
                // Clients that add fragments up expect a function in each.
                out.field("function").object(|out| out.field("arguments").text(Text::EMPTY));
                proof::beside_call(signature, out);
            }),
            _ => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let (kept, proof) = (core::mem::take(&mut self.kept), core::mem::take(&mut self.proof));
        match core::mem::replace(&mut self.open, Open::Nothing) {
            // Clients parse the arguments, and nothing is not JSON.
            Open::NewCall => self.arguments(crate::dialect::ascii_text("{}"), out),
            Open::PlainCall { id, name } => self.plain_call(id.as_deref(), &name, &kept, out),
            Open::Words(THOUGHT) if !proof.is_empty() => self.say(None, out, |_, delta| {
                proof::write(&[(Text::escaped(&kept), Text::escaped(&proof))], delta);
            }),
            Open::Words(_) | Open::Call | Open::Nothing => {}
        }
        self.open = Open::Nothing;
    }

    /// Says a call of a tool of plain words in one piece: its input is inside of the arguments, which are complete only now.
    fn plain_call(&mut self, id: Option<&str>, name: &str, arguments: &str, out: &mut Vec<u8>) {
        let index = self.called;
        self.called += 1;
        self.say(None, out, |head, delta| {
            delta.field("tool_calls").array(|out| {
                out.object(|out| {
                    out.field("index").number(index);
                    head.call_id(id.map(Text::escaped), index, out.field("id"));
                    custom_call(name, arguments, out);
                });
            });
        });
    }

    fn stop(&mut self, stop: &Stop<'_>, out: &mut Vec<u8>) {
        let word = finish_reason(stop.reason, self.calls);
        self.say(Some(word), out, |_, _| {});
        if self.wish == UsageWish::Asked && self.usage.is_reported() {
            let Chunks { head, chunk, usage: counts, .. } = self;
            chunk.clear();
            chunk.object(|chunk| {
                head.write("chat.completion.chunk", chunk);
                chunk.field("choices").array(|_| {});
                usage(counts, chunk.field("usage"));
            });
            event(chunk.as_str(), out);
        }
        event(DONE, out);
    }

    fn fail(&mut self, failed: &ProviderError, out: &mut Vec<u8>) {
        self.chunk.clear();
        error::write(&ClientError::of_provider(failed), &mut self.chunk);
        event(self.chunk.as_str(), out);
    }
}

impl WriteResponse for Chunks {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                self.head.start(id.map(Text::raw), model.map(Text::raw));
                self.say(None, out, |_, delta| {
                    delta.field("role").string("assistant");
                    delta.field("content").text(Text::EMPTY);
                });
            }
            Event::Open(block) => self.open(block, out),
            Event::Delta(text) => self.delta(*text, out),
            Event::Signature(signature) => self.sign(*signature, out),
            Event::Lost(_) => {}
            Event::Close => self.close(out),
            Event::Usage(usage) => self.usage = *usage,
            Event::Stop(stop) => self.stop(stop, out),
            Event::Error(error) => self.fail(error, out),
        }
    }
}

fn event(data: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}
