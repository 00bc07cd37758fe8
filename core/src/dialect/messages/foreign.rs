//! Requests of other dialects, said in this one; what it has no word for is reported.

mod settings;

use super::conversation::{Conversation, Merged, Side, Words, can_say, words_of};
use super::hints::{self, CACHE};
use super::ids::Ids;
use super::thinking::{self, REDACTED};
use super::write;
use crate::dialect::names::{Letters, Names};
use crate::dialect::{Addressee, Written};
use crate::hub::{Delivery, Extra, Format, Media, Part, Request, Shape, Source, Thinking, ToolCall, ToolResult};
use crate::json::{Json, Text, Writer};

/// What asks for JSON in words, as the dialect has no other way to ask for it without a schema.
const ONLY_JSON: &str = "Answer with one JSON object and nothing else.";

/// Members in which other dialects say what a document is called.
const TITLES: [&str; 5] = ["filename", "title", "displayName", "display_name", "document_name"];

/// Longest title passed on, in bytes: file systems end at 255.
const MAX_TITLE: usize = 255;

/// What writing needs to know everywhere.
struct Foreign<'w> {
    written: &'w mut Written,
    names: Names,
    ids: Ids,
    /// Cache marks so far.
    marks: usize,
}

/// Writes a request of another dialect.
pub(super) fn write(request: &Request<'_>, to: Addressee<'_>) -> Written {
    let mut written = Written::default();
    let names = Names::of(request, Letters::USUAL, &mut written.aliases);
    let mut conversation = Conversation::of(request, &mut written);
    if matches!(request.format, Some(Format::JsonObject)) {
        written.approximate("response_format");
        let text = crate::dialect::ascii_text(ONLY_JSON);
        conversation.system.push(Words { text, cache: None });
    }
    let plan = thinking::plan(request, to, &mut written);
    let mut foreign = Foreign { written: &mut written, names, ids: Ids::default(), marks: 0 };
    let mut out = Writer::with_capacity(1024);
    out.object(|out| {
        out.field("model").string(to.model);
        out.field("max_tokens").number(plan.max_tokens);
        foreign.conversation(&conversation, out);
        foreign.tools(request, out);
        foreign.sampling(request, &plan, out);
        foreign.stop(request, out);
        foreign.output(request, &plan, out);
        foreign.user(request, out);
        if request.delivery != Delivery::Whole {
            out.field("stream").bool(true);
        }
    });
    written.lose("", &request.extra);
    written.body = out.into_string();
    written
}

impl Foreign<'_> {
    fn conversation(&mut self, conversation: &Conversation<'_, '_>, out: &mut Writer) {
        let Conversation { system, messages } = conversation;
        if messages.is_empty() && !system.is_empty() {
            // The provider refuses a conversation in which nobody says anything.
            self.written.approximate("messages[].role");
            return out.field("messages").array(|out| {
                out.object(|out| {
                    out.field("role").string("user");
                    self.words(system, out.field("content"));
                });
            });
        }
        if !system.is_empty() {
            self.words(system, out.field("system"));
        }
        out.field("messages").array(|out| messages.iter().for_each(|message| self.message(message, out)));
    }

    fn words(&mut self, words: &[Words<'_>], out: &mut Writer) {
        match words {
            [Words { text, cache: None }] => out.text(*text),
            words => out.array(|out| {
                for Words { text, cache } in words {
                    out.object(|out| {
                        self::text(*text, out);
                        self.mark(*cache, out);
                    });
                }
            }),
        }
    }

    /// Writes a cache mark, if there is one and the provider takes another.
    fn mark(&mut self, mark: Option<Json<'_>>, out: &mut Writer) {
        let Some(mark) = mark else { return };
        if self.marks == hints::MAX_CACHE_MARKS {
            return self.written.approximate(&format!("messages[].content[].{CACHE}"));
        }
        self.marks += 1;
        out.field(CACHE).raw(mark);
    }

    /// Writes the cache mark among members and reports the others.
    fn rest(&mut self, place: &str, extra: &Extra<'_>, out: &mut Writer) {
        hints::note_uncached(place, extra, self.written);
        match hints::cache_mark(extra) {
            Some(mark) => self.mark(Some(mark), out),
            None if extra.iter().any(|(name, value)| name.is(CACHE) && !value.is_null()) => {
                self.written.approximate(&format!("{place}{CACHE}"));
            }
            None => {}
        }
    }

    fn message(&mut self, message: &Merged<'_, '_>, out: &mut Writer) {
        if message.side == Side::Assistant {
            self.ids.turn();
        }
        out.object(|out| {
            out.field("role").string(match message.side {
                Side::User => "user",
                Side::Assistant => "assistant",
            });
            let out = out.field("content");
            match (message.shape, message.parts.as_slice()) {
                (Shape::Bare, [Part::Text { text, extra }]) if extra.is_empty() => out.text(*text),
                (_, parts) => out.array(|out| parts.iter().for_each(|part| self.part(part, out))),
            }
        });
    }

    fn part(&mut self, part: &Part<'_>, out: &mut Writer) {
        match part {
            Part::Text { text, extra } => out.object(|out| {
                self::text(*text, out);
                self.rest("messages[].content[].", extra, out);
            }),
            Part::Refusal(text) => out.object(|out| self::text(*text, out)),
            Part::Media(media) => out.object(|out| self.media(media, out)),
            Part::Thinking(thought) => self::thought(thought, out),
            Part::ToolCall(call) => self.call(call, out),
            Part::ToolResult(result) => self.result(result, out),
            // Reported when the conversation was put in order.
            Part::Other(_) => {}
        }
    }

    fn media(&mut self, media: &Media<'_>, out: &mut Writer) {
        match words_of(media) {
            Some(words) => {
                let mut escaped = String::with_capacity(words.len() + 16);
                crate::json::write::escape_into(&words, &mut escaped);
                write::written_document(Text::escaped(&escaped), out);
            }
            None => write::media(&Media { source: source_of(media), ..media.clone() }, out),
        }
        let is_document = media.kind == crate::hub::MediaKind::Document;
        let title = media.extra.iter().find_map(|(name, value)| {
            let title = value.text().filter(|title| !title.is_empty() && title.raw().len() <= MAX_TITLE)?;
            (is_document && TITLES.iter().any(|known| name.is(known))).then_some((*name, title))
        });
        if let Some((_, title)) = title {
            out.field("title").text(title);
        }
        let untold = |name: Text<'_>| title.is_none_or(|(said, _)| said != name);
        let extra: Extra<'_> = media.extra.iter().filter(|(name, _)| untold(*name)).copied().collect();
        self.rest("messages[].content[].", &extra, out);
    }

    fn call(&mut self, call: &ToolCall<'_>, out: &mut Writer) {
        if call.signature.is_some() {
            self.written.approximate("messages[].tool_calls[].signature");
        }
        out.object(|out| {
            out.field("type").string("tool_use");
            out.field("id").string(&self.ids.of_call(call.id));
            self.names.write(call.name, out.field("name"));
            let input = out.field("input");
            match call.arguments.object().as_deref().map(|object| Json::parse(object.as_bytes())) {
                Some(Ok(object)) => input.raw(object),
                // A model's broken arguments are history: kept readable, in an object as this dialect demands.
                Some(Err(_)) | None => input.object(|out| call.arguments.write_encoded(out.field("arguments"))),
            }
            self.rest("messages[].tool_calls[].", &call.extra, out);
        });
    }

    fn result(&mut self, result: &ToolResult<'_>, out: &mut Writer) {
        out.object(|out| {
            out.field("type").string("tool_result");
            out.field("tool_use_id").string(&self.ids.of_result(result.id));
            match (result.shape, result.content.as_slice()) {
                (_, []) => {}
                (Shape::Bare, [Part::Text { text, .. }]) => out.field("content").text(*text),
                (_, [Part::Other(json)]) => out.field("content").string(json.as_str()),
                (_, parts) => {
                    let out = out.field("content");
                    out.array(|out| parts.iter().for_each(|part| self.result_part(part, out)));
                }
            }
            if let Some(error) = result.error {
                out.field("is_error").bool(error);
            }
            self.rest("messages[].tool_results[].", &result.extra, out);
        });
    }

    fn result_part(&mut self, part: &Part<'_>, out: &mut Writer) {
        match part {
            // A result as JSON is said as the text of it.
            Part::Other(json) => out.object(|out| {
                out.field("type").string("text");
                out.field("text").string(json.as_str());
            }),
            Part::ToolCall(_) | Part::ToolResult(_) | Part::Thinking(_) => {
                self.written.drop("messages[].tool_results[].content");
            }
            part if can_say(part, Side::User, self.written) => self.part(part, out),
            _ => {}
        }
    }
}

/// The source under the name of the type that the provider knows.
fn source_of<'a>(media: &Media<'a>) -> Source<'a> {
    match media.source {
        Source::Data { mime, base64 } if mime.is("image/jpg") => {
            Source::Data { mime: crate::dialect::ascii_text("image/jpeg"), base64 }
        }
        source => source,
    }
}

/// Writes the members of a text.
fn text(text: Text<'_>, out: &mut Writer) {
    out.field("type").string("text");
    out.field("text").text(text);
}

/// Writes a thought that the provider itself had.
fn thought(thought: &Thinking<'_>, out: &mut Writer) {
    let Some(proof) = thought.signature else { return };
    out.object(|out| match proof.raw().strip_prefix(REDACTED) {
        Some(data) => write::redacted(Text::escaped(data), out),
        None => {
            out.field("type").string("thinking");
            out.field("thinking").text(thought.text);
            out.field("signature").text(proof);
        }
    });
}
