//! Answers: from events to the wire, streamed or whole.
//!
//! The provider reports the input's tokens at the start of a stream; other providers at the end. So `message_start` says zero
//! and `message_delta`, whose counts are cumulative and which the vendor's SDKs let correct the first ones, says them all.
//!
//! A thought must have a signature here. One that nobody signed gets a mark that names nobody: when the client sends it back,
//! it is withheld from providers of this dialect, which would refuse the whole request for it.

mod pieces;

use super::error;
use crate::dialect::{Reply, WriteResponse};
use crate::hub::event::{Block, Event, StopReason};
use crate::hub::message::{End, Message, Said, SaidKind};
use crate::json::{Json, Text, Writer};
use crate::refusal::ClientError;
use crate::usage::Usage;
use pieces::{call, head, hidden, input_of, is_own, redacted, signed, stop, thought, usage, words};

/// Writes a streamed answer.
pub(super) struct Streamed {
    reply: Reply,
    json: Writer,
    usage: Usage,
    /// Blocks begun so far; the open one's index is one less.
    blocks: u64,
    calls: u64,
    open: Open,
    /// The open thought's proof so far: it is said at once, as the vendor's SDKs keep only the last delta of it.
    proof: String,
    refused: bool,
}

/// What the open block is to its deltas.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// There is none, or one that was written whole or not at all.
    Nothing,
    Text,
    /// A thought, before its first words: it may turn out to be one that is not shown.
    FreshThinking,
    Thinking,
    /// A call, before its first fragment.
    FreshCall,
    Call,
}

impl Streamed {
    /// A writer of one answer.
    pub(super) fn new(reply: Reply) -> Streamed {
        let json = Writer::with_capacity(512);
        let (usage, open, proof) = (Usage::default(), Open::Nothing, String::new());
        Streamed { reply, json, usage, blocks: 0, calls: 0, open, proof, refused: false }
    }

    /// Appends an event whose data `fill` adds members to.
    fn event(&mut self, name: &str, out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer)) {
        self.json.clear();
        self.json.object(|json| {
            json.field("type").string(name);
            fill(json);
        });
        self.frame(name, out);
    }

    fn frame(&self, name: &str, out: &mut Vec<u8>) {
        for piece in ["event: ", name, "\ndata: ", self.json.as_str(), "\n\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }

    fn start(&mut self, id: Option<Text<'_>>, model: Option<Text<'_>>, out: &mut Vec<u8>) {
        let (exchange, name) = (self.reply.exchange.clone(), self.reply.model.clone());
        self.event("message_start", out, |json| {
            json.field("message").object(|json| {
                head(id.map(Text::raw), model.map(Text::raw), &exchange, &name, json);
                json.field("content").array(|_| {});
                json.field("stop_reason").null();
                json.field("stop_sequence").null();
                usage(Usage::default(), json);
            });
        });
    }

    fn open(&mut self, block: &Block<'_>, out: &mut Vec<u8>) {
        self.open = match block {
            Block::Text | Block::Refusal => Open::Text,
            Block::Thinking => Open::FreshThinking,
            Block::ToolCall { .. } => Open::FreshCall,
            Block::Other(_) => Open::Nothing,
        };
        self.refused |= *block == Block::Refusal;
        let (call, exchange) = (self.calls, self.reply.exchange.clone());
        match block {
            Block::Text | Block::Refusal => self.begin(out, |json| words("text", "", json)),
            Block::Thinking => self.proof.clear(),
            Block::ToolCall { id, name } => {
                self.calls += 1;
                self.begin(out, |json| {
                    self::call(id.map(Text::raw), name.raw(), call, &exchange, Json::EMPTY_OBJECT, json);
                });
            }
            Block::Other(block) if is_own(*block) => {
                self.begin(out, |json| json.raw_on_one_line(*block));
                self.end(out);
            }
            Block::Other(_) => {}
        }
    }

    /// Begins a block that `fill` writes.
    fn begin(&mut self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Writer)) {
        let index = self.blocks;
        self.blocks += 1;
        self.event("content_block_start", out, |json| {
            json.field("index").number(index);
            fill(json.field("content_block"));
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1);
        self.event("content_block_stop", out, |json| json.field("index").number(index));
    }

    fn delta(&mut self, text: Text<'_>, out: &mut Vec<u8>) {
        match self.open {
            Open::Nothing => {}
            Open::FreshThinking if text.is_empty() => {}
            Open::Text => self.block_delta("text_delta", "text", text, out),
            Open::FreshThinking => {
                self.open = Open::Thinking;
                self.begin(out, |json| thought("", "", json));
                self.block_delta("thinking_delta", "thinking", text, out);
            }
            Open::Thinking => self.block_delta("thinking_delta", "thinking", text, out),
            // Some servers say `null` for no arguments; here that is no fragment.
            Open::FreshCall if text.raw() == "null" => {}
            Open::FreshCall | Open::Call => {
                self.open = Open::Call;
                self.block_delta("input_json_delta", "partial_json", text, out);
            }
        }
    }

    fn block_delta(&mut self, kind: &str, member: &str, text: Text<'_>, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1);
        self.event("content_block_delta", out, |json| {
            json.field("index").number(index);
            json.field("delta").object(|json| {
                json.field("type").string(kind);
                json.field(member).text(text);
            });
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match core::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => return,
            Open::FreshThinking => return self.close_silent(out),
            Open::Thinking => self.sign(out),
            Open::Text | Open::FreshCall | Open::Call => {}
        }
        self.end(out);
    }

    /// Ends a thought without words: its proof is all there is, or nothing is.
    fn close_silent(&mut self, out: &mut Vec<u8>) {
        if self.proof.is_empty() {
            return;
        }
        match hidden(&self.proof) {
            Some(data) => self.begin(out, |json| redacted(&data, json)),
            None => {
                self.begin(out, |json| thought("", "", json));
                self.sign(out);
            }
        }
        self.end(out);
    }

    fn sign(&mut self, out: &mut Vec<u8>) {
        let proof = core::mem::take(&mut self.proof);
        self.block_delta("signature_delta", "signature", Text::escaped(&signed(&proof)), out);
    }

    fn stop(&mut self, reason: StopReason, sequence: Option<Text<'_>>, out: &mut Vec<u8>) {
        let (counts, refused) = (self.usage, self.refused);
        self.event("message_delta", out, |json| {
            json.field("delta").object(|json| stop(reason, sequence.map(Text::raw), refused, json));
            usage(counts, json);
        });
        self.event(super::END, out, |_| {});
    }
}

impl WriteResponse for Streamed {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => self.start(*id, *model, out),
            Event::Open(block) => self.open(block, out),
            Event::Delta(text) => self.delta(*text, out),
            Event::Signature(signature) => {
                if matches!(self.open, Open::FreshThinking | Open::Thinking) {
                    self.proof.push_str(signature.raw());
                }
            }
            Event::Close => self.close(out),
            Event::Lost(_) => {}
            Event::Usage(usage) => self.usage = *usage,
            Event::Stop(said) => self.stop(said.reason, said.sequence, out),
            Event::Error(failure) => {
                let told = ClientError::of_provider(failure);
                self.json.clear();
                error::write(&told, &mut self.json);
                self.frame("error", out);
            }
        }
    }
}

/// Writes a whole answer.
pub(super) struct Whole {
    reply: Reply,
    message: Message,
}

impl Whole {
    /// A writer of one answer.
    pub(super) fn new(reply: Reply) -> Whole {
        Whole { reply, message: Message::default() }
    }

    fn message(&self, reason: StopReason, sequence: Option<&str>) -> String {
        let message = &self.message;
        let refused = message.blocks.iter().any(|block| block.kind == SaidKind::Refusal);
        let mut json = Writer::with_capacity(1024);
        json.object(|json| {
            head(message.id.as_deref(), message.model.as_deref(), &self.reply.exchange, &self.reply.model, json);
            json.field("content").array(|json| {
                let mut calls = 0;
                for block in &message.blocks {
                    self.block(block, calls, json);
                    calls += u64::from(matches!(block.kind, SaidKind::ToolCall { .. }));
                }
            });
            stop(reason, sequence, refused, json);
            usage(message.usage, json);
        });
        json.into_string()
    }

    fn block(&self, block: &Said, calls: u64, json: &mut Writer) {
        match &block.kind {
            SaidKind::Text | SaidKind::Refusal => words("text", &block.text, json),
            SaidKind::Thinking => {
                let proof = block.signature.as_deref().unwrap_or_default();
                match hidden(proof).filter(|_| block.text.is_empty()) {
                    Some(data) => redacted(&data, json),
                    None if block.text.is_empty() && proof.is_empty() => {}
                    None => thought(&block.text, &signed(proof), json),
                }
            }
            SaidKind::ToolCall { id, name } => {
                let input = input_of(&block.text);
                let input = Json::parse(input.as_bytes()).unwrap_or(Json::EMPTY_OBJECT);
                call(id.as_deref(), name, calls, &self.reply.exchange, input, json);
            }
            SaidKind::Other => {
                if let Some(block) = Json::parse(block.text.as_bytes()).ok().filter(|block| is_own(*block)) {
                    json.raw(block);
                }
            }
        }
    }
}

impl WriteResponse for Whole {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.message.push(event);
        if let (Event::Stop(_), End::Stopped(reason, sequence)) = (event, &self.message.end) {
            out.extend_from_slice(self.message(*reason, sequence.as_deref()).as_bytes());
        }
    }
}
