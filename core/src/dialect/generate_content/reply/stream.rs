//! A streamed answer: every event becomes a chunk at once, only calls wait for their end.

use super::super::error::write_status;
use super::{Call, Head, candidates, ending, own_part, proof, usage_metadata};
use crate::dialect::{Reply, WriteResponse};
use crate::hub::message::MAX_MESSAGE;
use crate::hub::{Block, Event, ProviderError, StopReason};
use crate::json::{Json, Text, Writer};
use crate::refusal::default_status;
use crate::usage::Usage;

/// How chunks are told apart.
pub(super) enum Framing {
    /// Server-sent events.
    Events,
    /// Items of an array, the first of which may have been said.
    Array { begun: bool },
}

/// Which block is open.
enum Open {
    Nothing,
    Text,
    Thinking { signature: Option<String> },
    Call { id: Option<String>, name: String, arguments: String, signature: Option<String> },
}

/// Says things as they come.
pub(super) struct Stream {
    framing: Framing,
    reply: Reply,
    head: Head,
    open: Open,
    usage: Usage,
    refused: bool,
    malformed: Option<String>,
    chunk: Writer,
}

impl WriteResponse for Stream {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                self.head = Head::new(&self.reply, id.map(Text::raw), model.map(Text::raw));
            }
            Event::Open(block) => self.open(*block, out),
            Event::Delta(text) => self.delta(*text, out),
            Event::Signature(text) => self.sign(*text),
            Event::Close => self.close(out),
            Event::Lost(_) => {}
            Event::Usage(usage) => self.usage = *usage,
            Event::Stop(stop) => self.stop(stop.reason, out),
            Event::Error(error) => self.fail(error, out),
        }
    }
}

impl Stream {
    pub(super) fn new(framing: Framing, reply: Reply) -> Stream {
        Stream {
            framing,
            head: Head::new(&reply, None, None),
            reply,
            open: Open::Nothing,
            usage: Usage::default(),
            refused: false,
            malformed: None,
            chunk: Writer::new(),
        }
    }

    fn open(&mut self, block: Block<'_>, out: &mut Vec<u8>) {
        self.open = match block {
            Block::Text => Open::Text,
            Block::Thinking => Open::Thinking { signature: None },
            Block::Refusal => {
                self.refused = true;
                Open::Text
            }
            Block::ToolCall { id, name } => Open::Call {
                id: id.map(|id| id.raw().to_string()),
                name: name.raw().to_string(),
                arguments: String::new(),
                signature: None,
            },
            Block::Other(block) => {
                if let Some(part) = own_part(block) {
                    self.part(out, |out| out.raw(part));
                }
                Open::Nothing
            }
        };
    }

    fn delta(&mut self, text: Text<'_>, out: &mut Vec<u8>) {
        match &mut self.open {
            Open::Text => self.part(out, |out| out.object(|out| out.field("text").text(text))),
            Open::Thinking { .. } => self.part(out, |out| {
                out.object(|out| {
                    out.field("text").text(text);
                    out.field("thought").bool(true);
                });
            }),
            Open::Call { arguments, .. } => {
                if arguments.len() + text.raw().len() <= MAX_MESSAGE {
                    arguments.push_str(text.raw());
                }
            }
            Open::Nothing => {}
        }
    }

    /// A proof may come in pieces and is said as one.
    fn sign(&mut self, text: Text<'_>) {
        match &mut self.open {
            Open::Thinking { signature } | Open::Call { signature, .. } => {
                signature.get_or_insert_default().push_str(text.raw());
            }
            Open::Text | Open::Nothing => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let (id, name, arguments, signature) = match core::mem::replace(&mut self.open, Open::Nothing) {
            Open::Call { id, name, arguments, signature } => (id, name, arguments, signature),
            Open::Thinking { signature: Some(signature) } => {
                return self.part(out, |out| {
                    out.object(|out| {
                        out.field("text").string("");
                        out.field("thought").bool(true);
                        proof(&signature, out);
                    });
                });
            }
            Open::Thinking { .. } | Open::Text | Open::Nothing => return,
        };
        let call = Call { id: id.as_deref(), name: &name, arguments: &arguments, signature: signature.as_deref() };
        let mut part = Writer::with_capacity(arguments.len() + 128);
        match call.write(&mut part) {
            true => self.part(out, |out| out.raw(Json::trusted(part.as_str()))),
            false => self.malformed = Some(name),
        }
    }

    fn stop(&mut self, reason: StopReason, out: &mut Vec<u8>) {
        self.chunk.clear();
        let ending = ending(reason, self.refused, self.malformed.as_deref());
        self.chunk.object(|out| {
            // An empty text, because clients read the text of every chunk.
            let parts = |out: &mut Writer| out.array(|out| out.object(|out| out.field("text").string("")));
            candidates(out, Some(&ending), parts);
            usage_metadata(self.usage, out);
            self.head.write(out);
        });
        self.frame(out);
        self.end_array(out);
    }

    /// Says the error in place of more of the answer; nothing says why it ended well.
    fn fail(&mut self, error: &ProviderError, out: &mut Vec<u8>) {
        let status = match error.status {
            400..=599 => error.status,
            _ => default_status(error.class),
        };
        let message = match error.message.is_empty() {
            true => "the provider failed without saying why",
            false => &error.message,
        };
        self.chunk.clear();
        self.chunk.object(|out| {
            out.field("error");
            write_status(status, error.class, &error.code, message, None, out);
        });
        self.frame(out);
        self.end_array(out);
    }

    /// Says a chunk with one part.
    fn part(&mut self, out: &mut Vec<u8>, part: impl FnOnce(&mut Writer)) {
        self.chunk.clear();
        let head = &self.head;
        self.chunk.object(|out| {
            candidates(out, None, |out| out.array(part));
            head.write(out);
        });
        self.frame(out);
    }

    fn frame(&mut self, out: &mut Vec<u8>) {
        let chunk = self.chunk.as_str().as_bytes();
        match &mut self.framing {
            Framing::Events => {
                out.extend_from_slice(b"data: ");
                // Arguments and own parts are as their provider wrote them, perhaps over several lines; an event's data is one
                // line. In JSON, line ends stand between tokens only.
                for line in chunk.split(|byte| matches!(byte, b'\n' | b'\r')) {
                    out.extend_from_slice(line);
                }
                out.extend_from_slice(b"\r\n\r\n");
            }
            Framing::Array { begun } => {
                out.extend_from_slice(if *begun { b"\r\n,\r\n".as_slice() } else { b"[" });
                out.extend_from_slice(chunk);
                *begun = true;
            }
        }
    }

    fn end_array(&mut self, out: &mut Vec<u8>) {
        if let Framing::Array { .. } = self.framing {
            out.extend_from_slice(b"\r\n]");
        }
    }
}
