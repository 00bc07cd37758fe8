//! Writes another dialect's turns as items: what a turn says becomes messages, and its thoughts, calls and results become items
//! of their own, in the order in which they stand.

use super::Ask;
use super::ids::Ids;
use crate::dialect::names::Names;
use crate::dialect::{Written, ascii_text};
use crate::hub::{Media, MediaKind, Part, Role, Shape, Source, Thinking, ToolCall, ToolResult, Turn};
use crate::json::{Member, Text, Writer};

/// What writing items needs to know everywhere.
struct Items<'w, 'a> {
    names: &'w Names,
    written: &'w mut Written,
    ids: Ids<'a>,
}

/// Writes `input`.
pub(super) fn write(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let mut items = Items { names: &ask.names, written: &mut ask.written, ids: Ids::default() };
    out.field("input").array(|out| ask.request.turns.iter().for_each(|turn| items.turn(turn, out)));
}

impl<'a> Items<'_, 'a> {
    fn turn(&mut self, turn: &Turn<'a>, out: &mut Writer) {
        self.written.lose("messages[].", &turn.extra);
        let role = match turn.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        let mut said: Vec<&Part<'a>> = Vec::new();
        for part in &turn.parts {
            match part {
                Part::ToolCall(_) | Part::ToolResult(_) | Part::Thinking(_) => {
                    self.message(role, &core::mem::take(&mut said), turn.shape, out);
                    self.item(part, out);
                }
                part if self.is_sayable(role, part) => said.push(part),
                _ => {}
            }
        }
        self.message(role, &said, turn.shape, out);
    }

    fn item(&mut self, part: &Part<'a>, out: &mut Writer) {
        match part {
            Part::ToolCall(call) => self.call(call, out),
            Part::ToolResult(result) => self.result(result, out),
            Part::Thinking(thought) => self.thought(thought, out),
            _ => {}
        }
    }

    fn message(&mut self, role: &str, said: &[&Part<'a>], shape: Shape, out: &mut Writer) {
        if role == "assistant" {
            return said.iter().for_each(|part| self.answer(part, out));
        }
        if said.is_empty() {
            return;
        }
        out.object(|out| {
            out.field("role").string(role);
            let out = out.field("content");
            match (said, shape) {
                ([Part::Text { text, extra }], Shape::Bare) => {
                    self.written.lose("messages[].content[].", extra);
                    out.text(*text);
                }
                _ => out.array(|out| said.iter().for_each(|part| self.part(part, out))),
            }
        });
    }

    /// A message of the model: words alone, and none if there are none, as beside calls. Parts would make it an item that the
    /// provider once said and has an id for.
    fn answer(&mut self, part: &Part<'_>, out: &mut Writer) {
        let words = match part {
            Part::Text { text, extra } => {
                self.written.lose("messages[].content[].", extra);
                *text
            }
            Part::Refusal(text) => {
                self.written.approximate("messages[].refusal");
                *text
            }
            _ => return,
        };
        if words.is_empty() {
            return;
        }
        out.object(|out| {
            out.field("role").string("assistant");
            out.field("content").text(words);
        });
    }

    fn part(&mut self, part: &Part<'_>, out: &mut Writer) {
        match part {
            Part::Text { text, extra } => {
                self.written.lose("messages[].content[].", extra);
                words("input_text", *text, out);
            }
            Part::Media(held) => {
                let own = |(name, _): &Member<'_>| is_of(held, *name);
                let (own, rest): (Vec<Member<'_>>, Vec<_>) = held.extra.iter().copied().partition(own);
                self.written.lose("messages[].content[].", &rest);
                media(held, &own, out);
            }
            _ => {}
        }
    }

    /// Whether a message of that role has a place for the part; if not, that is noted.
    fn is_sayable(&mut self, role: &str, part: &Part<'_>) -> bool {
        match part {
            Part::Text { .. } => true,
            Part::Refusal(_) if role == "assistant" => true,
            Part::Media(held) if role == "user" && has_form(held) => true,
            Part::Refusal(_) => {
                self.written.drop("messages[].refusal");
                false
            }
            Part::Media(_) | Part::Other(_) => {
                self.written.drop_part(part);
                false
            }
            Part::Thinking(_) | Part::ToolCall(_) | Part::ToolResult(_) => false,
        }
    }

    /// A thought with the provider's own proof goes back; without one the provider would not know it for its own.
    fn thought(&mut self, thought: &Thinking<'_>, out: &mut Writer) {
        let Some(proof) = thought.signature.filter(|proof| !proof.is_empty()) else {
            return self.written.approximate("messages[].thinking");
        };
        self.written.lose("messages[].thinking.", &thought.extra);
        out.object(|out| {
            out.field("type").string("reasoning");
            out.field("summary").array(|out| {
                if !thought.text.is_empty() {
                    words("summary_text", thought.text, out);
                }
            });
            out.field("encrypted_content").text(proof);
        });
    }

    fn call(&mut self, call: &ToolCall<'a>, out: &mut Writer) {
        self.written.lose("messages[].tool_calls[].", &call.extra);
        if call.signature.is_some() {
            self.written.approximate("messages[].tool_calls[].signature");
        }
        out.object(|out| {
            out.field("type").string("function_call");
            self.ids.call(call, out.field("call_id"));
            self.names.write(call.name, out.field("name"));
            let out = out.field("arguments");
            match call.arguments.object() {
                Some(object) => out.string(&object),
                // A model's broken arguments are history.
                None => call.arguments.write_encoded(out),
            }
        });
    }

    fn result(&mut self, result: &ToolResult<'a>, out: &mut Writer) {
        self.written.lose("messages[].tool_results[].", &result.extra);
        if result.error == Some(true) {
            self.written.approximate("messages[].tool_results[].is_error");
        }
        out.object(|out| {
            out.field("type").string("function_call_output");
            self.ids.result(result, out.field("call_id"));
            let out = out.field("output");
            match result.content.as_slice() {
                [] => out.string(""),
                // Servers that know only strings are served whenever one will do.
                [Part::Text { text, extra }] => {
                    self.written.lose("messages[].tool_results[].content[].", extra);
                    out.text(*text);
                }
                [Part::Other(json)] => out.string(json.as_str()),
                several => {
                    let said: Vec<_> = several.iter().filter(|part| self.is_output(part)).collect();
                    match said.is_empty() {
                        true => out.string(""),
                        false => out.array(|out| said.iter().for_each(|part| self.output(part, out))),
                    }
                }
            }
        });
    }

    /// Whether an output has a place for the part. A result that is JSON is said as its text.
    fn is_output(&mut self, part: &Part<'_>) -> bool {
        matches!(part, Part::Other(_)) || self.is_sayable("user", part)
    }

    fn output(&mut self, part: &Part<'_>, out: &mut Writer) {
        match part {
            Part::Other(json) => out.object(|out| {
                out.field("type").string("input_text");
                out.field("text").string(json.as_str());
            }),
            part => self.part(part, out),
        }
    }
}

fn words(kind: &str, text: Text<'_>, out: &mut Writer) {
    out.object(|out| {
        out.field("type").string(kind);
        out.field("text").text(text);
    });
}

/// Whether the dialect has a part for it. A file in another provider's store cannot be had from here.
fn has_form(media: &Media<'_>) -> bool {
    match (media.kind, media.source) {
        (_, Source::File(_)) | (MediaKind::Audio | MediaKind::Video, _) => false,
        (MediaKind::Image | MediaKind::Document, _) => true,
    }
}

/// Whether a member of another dialect's media is one of this dialect's too.
fn is_of(media: &Media<'_>, name: Text<'_>) -> bool {
    match (media.kind, media.source) {
        (MediaKind::Image, _) => name.is("detail"),
        (MediaKind::Document, Source::Data { .. }) => name.is("filename"),
        _ => false,
    }
}

fn media(media: &Media<'_>, own: &[Member<'_>], out: &mut Writer) {
    out.object(|out| match (media.kind, media.source) {
        (MediaKind::Document, Source::Data { mime, .. }) => {
            out.field("type").string("input_file");
            if own.is_empty() {
                // Beside bytes a name is demanded, and its ending looked at.
                let is_text = mime.decode().starts_with("text/");
                out.field("filename").string(if is_text { "document.txt" } else { "document.pdf" });
            }
            out.members(own);
            address(media.source, out.field("file_data"));
        }
        (MediaKind::Document, source) => {
            out.field("type").string("input_file");
            address(source, out.field("file_url"));
        }
        (_, source) => {
            out.field("type").string("input_image");
            if own.is_empty() {
                out.field("detail").string("auto");
            }
            out.members(own);
            address(source, out.field("image_url"));
        }
    });
}

/// An address, or the bytes as a `data:` one.
fn address(source: Source<'_>, out: &mut Writer) {
    match source {
        Source::Data { mime, base64 } => out.texts([ascii_text("data:"), mime, ascii_text(";base64,"), base64]),
        Source::Url { url, .. } | Source::File(url) => out.text(url),
    }
}
