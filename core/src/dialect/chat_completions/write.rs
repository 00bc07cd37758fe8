//! Writes a request: the top level. What stands in the messages is said by [`own`] or [`foreign`].

mod foreign;
mod own;
mod thinking;

use crate::catalog::{DialectId, ThinkingStyle};
use crate::dialect::names::{Letters, Names};
use crate::dialect::{Addressee, Written};
use crate::hub::{Delivery, Function, Request, Sampling, Shape, Stops, ToolChoice};
use crate::json::{Text, Writer};

/// Most stop sequences that OpenAI's specification allows.
const MAX_STOPS: usize = 4;

/// Room for the frame around what the caller said, so that most bodies are written without growing the buffer.
const FRAME: usize = 512;

/// Writes `request` for a provider.
pub(super) fn request(request: &Request<'_>, to: Addressee<'_>) -> Written {
    let mut written = Written::default();
    // A request of this dialect keeps its names whatever they are.
    let names = match request.dialect {
        DialectId::ChatCompletions => Names::default(),
        _ => Names::of(request, Letters::USUAL, &mut written.aliases),
    };
    let mut ask = Ask { request, names, written, thinking: to.thinking, unsigned: to.unsigned };
    let mut out = Writer::with_capacity(room(request));
    out.object(|out| {
        out.field("model").string(to.model);
        match ask.is_own() {
            true => own::members(&mut ask, out),
            false => foreign::members(&mut ask, out),
        }
        sampling(&request.sampling, out);
        if let Some(user) = request.user {
            out.field("user").text(user);
        }
    });
    ask.written.body = out.into_string();
    ask.written
}

/// About how long the body will be: the texts, which are nearly all of it.
fn room(request: &Request<'_>) -> usize {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let said: usize = parts
        .map(|part| match part {
            crate::hub::Part::Text { text, .. } => text.raw().len() + 64,
            crate::hub::Part::Media(media) => match media.source {
                crate::hub::Source::Data { base64, .. } => base64.raw().len() + 128,
                _ => 256,
            },
            _ => 256,
        })
        .sum();
    said + FRAME
}

/// A request being written.
struct Ask<'r, 'a> {
    request: &'r Request<'a>,
    names: Names,
    written: Written,
    /// How the model is told how much to think.
    thinking: ThinkingStyle,
    /// What to write as the proof of a call that nobody signed; empty when none is demanded.
    unsigned: &'r str,
}

impl Ask<'_, '_> {
    fn is_own(&self) -> bool {
        self.request.dialect == DialectId::ChatCompletions
    }
}

/// The numbers that both kinds of request may say; what only some may is left to them.
fn sampling(sampling: &Sampling<'_>, out: &mut Writer) {
    let numbers = [
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("presence_penalty", sampling.presence_penalty),
        ("frequency_penalty", sampling.frequency_penalty),
        ("seed", sampling.seed),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            out.field(name).raw(value);
        }
    }
}

/// Whether the answer is to be streamed.
fn streams(delivery: Delivery) -> bool {
    matches!(delivery, Delivery::Streamed | Delivery::StreamedArray)
}

fn stops(stops: &Stops<'_>, most: usize, out: &mut Writer) {
    out.field("stop");
    match (stops.shape, stops.sequences.first()) {
        (Shape::Bare, Some(sequence)) => out.text(*sequence),
        _ => out.array(|out| stops.sequences.iter().take(most).for_each(|sequence| out.text(*sequence))),
    }
}

/// Writes the members of a function's object; `None` when the schema is not said and nothing stands for it.
fn function(function: &Function<'_>, name: Text<'_>, schema: impl FnOnce(&mut Writer), out: &mut Writer) {
    out.field("name").text(name);
    if let Some(description) = function.description {
        out.field("description").text(description);
    }
    schema(out);
    if let Some(strict) = function.strict {
        out.field("strict").bool(strict);
    }
}

/// `{"type":"function","function":{"name":"…"}}`, or the word.
fn choice(choice: &ToolChoice<'_>, names: &Names, out: &mut Writer) {
    match choice {
        ToolChoice::Auto => out.string("auto"),
        ToolChoice::Never => out.string("none"),
        ToolChoice::Any => out.string("required"),
        ToolChoice::Named(name) => out.object(|out| {
            out.field("type").string("function");
            out.field("function").object(|out| out.field("name").text(names.get(*name)));
        }),
        ToolChoice::Other(json) => out.raw(*json),
    }
}
