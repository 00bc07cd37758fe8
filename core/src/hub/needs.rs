//! What a request needs of whoever answers it.

use super::{Arguments, Depth, Format, Media, MediaKind, Part, Request, Source, Tool, ToolChoice};
use crate::catalog::{Abilities, DialectId};
use crate::estimate::{self, Ink};
use crate::json::{Json, Kind, Text};

/// A text of so many bytes without a blank is no text: a picture or a sound that only the caller's dialect can say.
const BLOB: usize = 512;

impl Request<'_> {
    /// What would be lost at a target that lacks it. Thinking counts when it is asked for, tools when they may be called.
    pub fn needs(&self) -> Abilities {
        let mut needs = Abilities::NONE;
        let runs = |tool: &Tool<'_>| matches!(tool, Tool::Function(_) | Tool::Custom(_));
        if self.tools.iter().any(runs) && !matches!(self.tool_choice, Some(ToolChoice::Never)) {
            needs = needs.and(Abilities::TOOLS);
        }
        if let Some(Format::JsonSchema { .. }) = self.format {
            needs = needs.and(Abilities::JSON_SCHEMA);
        }
        if self.reasoning.as_ref().is_some_and(|reasoning| !matches!(reasoning.depth, Depth::Off | Depth::Unsaid)) {
            needs = needs.and(Abilities::THINKING);
        }
        self.turns.iter().flat_map(|turn| &turn.parts).fold(needs, |needs, part| needs.and(part_needs(part)))
    }

    /// About how many tokens the words of the request are (see [`estimate`]), for comparing with context windows and for settling
    /// what nobody reported. Media are left out, as their price in tokens has little to do with their size.
    pub fn estimated_tokens(&self) -> u64 {
        self.weight().words
    }

    /// How much it is, and how much to reserve, from one look at the words.
    pub fn weight(&self) -> Weight {
        let size = self.size();
        let words = size.words.tokens();
        let found = self.tools.iter().filter(|tool| matches!(tool, Tool::Other(_))).count() as u64;
        let allowance = found.saturating_mul(estimate::FOUND).saturating_add(size.media);
        Weight { words, reserved: estimate::reservation_input(words).saturating_add(allowance) }
    }

    fn size(&self) -> Size {
        let mut size = Size::default();
        size.words.add(estimate::REQUEST);
        for turn in &self.turns {
            size.words.add(estimate::TURN);
            turn.parts.iter().for_each(|part| size.part(part));
        }
        for tool in &self.tools {
            size.words.add(estimate::TOOL);
            size.tool(tool);
        }
        if let Some(Format::JsonSchema { schema, .. }) = &self.format {
            size.words.json(schema.as_str());
        }
        if !self.tools.is_empty() {
            size.words.add(tool_prompt(self.dialect));
        }
        size
    }
}

/// What providers of a dialect put before a request with tools, on the average of the recordings: Anthropic explains tools to its
/// models at length, servers of open models (chat completions) write templates, OpenAI itself next to nothing.
fn tool_prompt(dialect: DialectId) -> u64 {
    match dialect {
        DialectId::Messages | DialectId::Converse => 600,
        DialectId::ChatCompletions | DialectId::ChatV2 => 140,
        DialectId::Responses => 60,
        DialectId::GenerateContent => 35,
    }
}

/// How many tokens a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Its words, about ([`Request::estimated_tokens`]).
    pub words: u64,
    /// What to reserve: the words with a margin, and an allowance for every piece of media and for what the provider's own tools
    /// find.
    pub reserved: u64,
}

/// How large a request is, in tokens.
#[derive(Default)]
struct Size {
    words: Ink,
    /// At most, for all media together.
    media: u64,
}

impl Size {
    fn text(&mut self, text: Text<'_>) {
        self.words.add(0);
        self.words.read(text);
    }

    fn part(&mut self, part: &Part<'_>) {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => self.text(*text),
            Part::Thinking(thought) => self.text(thought.text),
            Part::ToolCall(call) => {
                self.words.add(estimate::CALL);
                self.text(call.name);
                match call.arguments {
                    Arguments::Object(json) => self.words.json(json.as_str()),
                    Arguments::Encoded(text) | Arguments::Plain(text) => self.text(text),
                }
            }
            Part::ToolResult(result) => {
                self.words.add(estimate::CALL);
                result.content.iter().for_each(|part| self.part(part));
            }
            Part::Media(media) => self.media = self.media.saturating_add(allowance(media)),
            Part::Other(json) => self.other(*json),
        }
    }

    /// A part that nobody here has a word for: its texts count, what is in base64 is media.
    fn other(&mut self, json: Json<'_>) {
        match json.kind() {
            Kind::Array => json.items().for_each(|item| self.other(item)),
            Kind::Object => json.members().for_each(|(name, value)| {
                self.text(name);
                self.other(value);
            }),
            Kind::String => {
                let text = json.text().unwrap_or_default();
                match text.raw().len() > BLOB && !text.raw().contains(' ') {
                    true => self.media = self.media.saturating_add(estimate::DOCUMENT.min(text.raw().len() as u64)),
                    false => self.text(text),
                }
            }
            _ => self.words.json(json.as_str()),
        }
    }

    fn tool(&mut self, tool: &Tool<'_>) {
        let (name, description, form) = match tool {
            Tool::Function(function) => (function.name, function.description, function.schema),
            Tool::Custom(custom) => (custom.name, custom.description, custom.format),
            Tool::Other(json) => (Text::EMPTY, None, Some(*json)),
        };
        [Some(name), description].into_iter().flatten().for_each(|text| self.text(text));
        if let Some(form) = form {
            self.words.json(form.as_str());
        }
    }
}

/// The most tokens that a piece of media is thought to take.
fn allowance(media: &Media<'_>) -> u64 {
    let inline = match media.source {
        Source::Data { base64, .. } => Some(base64.raw().len() as u64),
        Source::Url { .. } | Source::File(_) => None,
    };
    let of_stream = |bytes: u64| bytes.div_ceil(estimate::BYTES_TO_A_TOKEN).max(estimate::LEAST_PIECE);
    match media.kind {
        MediaKind::Image => estimate::PICTURE,
        MediaKind::Audio => inline.map_or(estimate::SOUND, of_stream),
        MediaKind::Video => inline.map_or(estimate::FILM, of_stream),
        MediaKind::Document => {
            inline.map_or(estimate::DOCUMENT, |bytes| bytes.clamp(3 * estimate::LEAST_PIECE, estimate::DOCUMENT))
        }
    }
}

fn part_needs(part: &Part<'_>) -> Abilities {
    match part {
        Part::Media(media) => match media.kind {
            MediaKind::Image => Abilities::IMAGES,
            MediaKind::Audio => Abilities::AUDIO,
            MediaKind::Video => Abilities::VIDEO,
            MediaKind::Document => Abilities::DOCUMENTS,
        },
        Part::ToolResult(result) => {
            result.content.iter().fold(Abilities::NONE, |needs, part| needs.and(part_needs(part)))
        }
        _ => Abilities::NONE,
    }
}
