//! Answers: from events to the wire, streamed or whole.
//!
//! The provider reports the input's tokens at the start of a stream; other providers at the end. So `message_start` says zero
//! and `message_delta`, whose counts are cumulative and which the vendor's SDKs let correct the first ones, says them all.

use super::error;
use crate::dialect::{Reply, WriteResponse};
use crate::hub::event::{Block, Event, StopReason};
use crate::hub::message::{End, Message, Said, SaidKind};
use crate::json::{Json, Kind, Text, Writer};
use crate::refusal::ClientError;
use crate::usage::Usage;

/// Writes a streamed answer.
pub(super) struct Streamed {
    reply: Reply,
    json: Writer,
    usage: Usage,
    /// Blocks begun so far; the open one's index is one less.
    blocks: u64,
    calls: u64,
    open: Open,
    refused: bool,
}

/// What the open block is to its deltas.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// There is none, or one that was written whole or not at all.
    Nothing,
    Text,
    Thinking,
    /// A call, before its first fragment.
    FreshCall,
    Call,
}

impl Streamed {
    /// A writer of one answer.
    pub(super) fn new(reply: Reply) -> Streamed {
        let json = Writer::with_capacity(512);
        Streamed { reply, json, usage: Usage::default(), blocks: 0, calls: 0, open: Open::Nothing, refused: false }
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
            Block::Thinking => Open::Thinking,
            Block::ToolCall { .. } => Open::FreshCall,
            Block::Other(json) if is_own(*json) => Open::Nothing,
            Block::Other(_) => {
                self.open = Open::Nothing;
                return;
            }
        };
        self.refused |= *block == Block::Refusal;
        let (index, call, exchange) = (self.blocks, self.calls, self.reply.exchange.clone());
        self.event("content_block_start", out, |json| {
            json.field("index").number(index);
            let json = json.field("content_block");
            match block {
                Block::Text | Block::Refusal => words("text", "", json),
                Block::Thinking => thought("", "", json),
                Block::ToolCall { id, name } => {
                    self::call(id.map(Text::raw), name.raw(), call, &exchange, Json::EMPTY_OBJECT, json);
                }
                Block::Other(block) => json.raw_on_one_line(*block),
            }
        });
        self.blocks += 1;
        self.calls += u64::from(matches!(block, Block::ToolCall { .. }));
        if matches!(block, Block::Other(_)) {
            self.event("content_block_stop", out, |json| json.field("index").number(index));
        }
    }

    fn delta(&mut self, text: Text<'_>, out: &mut Vec<u8>) {
        match self.open {
            Open::Nothing => {}
            Open::Text => self.block_delta("text_delta", "text", text, out),
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
        if self.open == Open::Nothing {
            return;
        }
        self.open = Open::Nothing;
        let index = self.blocks.saturating_sub(1);
        self.event("content_block_stop", out, |json| json.field("index").number(index));
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
                if self.open == Open::Thinking {
                    self.block_delta("signature_delta", "signature", *signature, out);
                }
            }
            Event::Close => self.close(out),
            Event::Usage(usage) => self.usage = *usage,
            Event::Stop(said) => self.stop(said.reason, said.sequence, out),
            Event::Error(failure) => {
                let told = ClientError::of_provider(failure);
                self.json.clear();
                error::write(told.class, &told.message, &mut self.json);
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
            SaidKind::Thinking => thought(&block.text, block.signature.as_deref().unwrap_or_default(), json),
            SaidKind::ToolCall { id, name } => {
                let arguments = Text::escaped(&block.text).decode();
                let input = Json::parse(arguments.as_bytes()).unwrap_or(Json::EMPTY_OBJECT);
                let input = if input.kind() == Kind::Object { input } else { Json::EMPTY_OBJECT };
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

/// Whether a block is one of this dialect's own that clients know; a foreign provider's are not shown.
fn is_own(block: Json<'_>) -> bool {
    let word = block.get("type").and_then(Json::text).unwrap_or_default().decode();
    let known = ["redacted_thinking", "server_tool_use", "mcp_tool_use", "container_upload", "compaction", "fallback"];
    known.contains(&word.as_ref()) || word.ends_with("_tool_result")
}

/// Writes who answers.
fn head(id: Option<&str>, model: Option<&str>, exchange: &str, name: &str, json: &mut Writer) {
    match id {
        Some(id) => json.field("id").text(Text::escaped(id)),
        None => json.field("id").string(&format!("msg_{exchange}")),
    }
    json.field("type").string("message");
    json.field("role").string("assistant");
    match model {
        Some(model) => json.field("model").text(Text::escaped(model)),
        None => json.field("model").string(name),
    }
}

fn words(kind: &str, text: &str, json: &mut Writer) {
    json.object(|json| {
        json.field("type").string(kind);
        json.field("text").text(Text::escaped(text));
    });
}

fn thought(text: &str, signature: &str, json: &mut Writer) {
    json.object(|json| {
        json.field("type").string("thinking");
        json.field("thinking").text(Text::escaped(text));
        json.field("signature").text(Text::escaped(signature));
    });
}

fn call(id: Option<&str>, name: &str, number: u64, exchange: &str, input: Json<'_>, json: &mut Writer) {
    json.object(|json| {
        json.field("type").string("tool_use");
        match id {
            Some(id) => json.field("id").text(Text::escaped(id)),
            None => json.field("id").string(&format!("toolu_{exchange}_{number}")),
        }
        json.field("name").text(Text::escaped(name));
        json.field("input").raw(input);
    });
}

/// Writes why the answer ended. Words that say no are a refusal here, whatever the provider called its end.
fn stop(reason: StopReason, sequence: Option<&str>, refused: bool, json: &mut Writer) {
    let word = match reason {
        StopReason::End if refused => "refusal",
        StopReason::End | StopReason::MalformedCall | StopReason::Other => "end_turn",
        StopReason::Sequence => "stop_sequence",
        StopReason::Length => "max_tokens",
        StopReason::ToolCalls => "tool_use",
        StopReason::Refused => "refusal",
        StopReason::Paused => "pause_turn",
    };
    json.field("stop_reason").string(word);
    match sequence {
        Some(sequence) => json.field("stop_sequence").text(Text::escaped(sequence)),
        None => json.field("stop_sequence").null(),
    }
}

/// Writes the counts: here input is what no cache had a part in. The two totals are demanded, so unreported ones are zero.
fn usage(usage: Usage, json: &mut Writer) {
    let cached = usage.cache_read.unwrap_or(0) + usage.cache_write.unwrap_or(0);
    json.field("usage").object(|json| {
        json.field("input_tokens").number(usage.input.unwrap_or(0).saturating_sub(cached));
        count("cache_creation_input_tokens", usage.cache_write, json);
        count("cache_read_input_tokens", usage.cache_read, json);
        json.field("output_tokens").number(usage.output.unwrap_or(0));
        if let Some(reasoning) = usage.reasoning {
            json.field("output_tokens_details").object(|json| json.field("thinking_tokens").number(reasoning));
        }
    });
}

fn count(name: &str, count: Option<u64>, json: &mut Writer) {
    match count {
        Some(count) => json.field(name).number(count),
        None => json.field(name).null(),
    }
}
