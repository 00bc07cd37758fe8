//! Numbers drawn from a request, by which a model is selected for it.
//!
//! ```
//! use dragoman_core::features::{Features, Number};
//! let features = Features::of_prompt("What is 2 + 2?");
//! assert_eq!((features.get(Number::Turns), features.get(Number::QuestionMarks)), (1, 1));
//! ```
//!
//! Two kinds: **dense** ones are counts and shares in thousandths, named in [`SCHEMA`]; **grams** are hashes of the words, pairs of
//! words and bits of words of the last thing that the user said. Only whole numbers, and no tables of Unicode's, of which compilers
//! bring different ones: so they are the same natively and in wasm.
//!
//! The request is walked once and never fails. Of a long last turn its beginning and its end are read, and of other long texts the
//! beginning stands for the rest, so that a megabyte of history costs little more than finding its parts.
//!
//! *Limits*: texts in media and in parts of unknown kinds count as parts, their words are not read.

mod cues;
mod grams;
mod schema;
mod size;
mod text;

use crate::catalog::DialectId;
use crate::hub::{Delivery, Depth, Format, MediaKind, Part, Request, Role, Shape, Tool, ToolChoice, Turn};
use crate::json::{Text, write};

pub use grams::{GramKind, Grams, MAX_GRAMS};
pub use schema::{Number, SCHEMA};
pub use text::{HEAD, TAIL};

/// Of the schema, the hashes and everything else that a trained weight depends on: what was trained on another is refused.
pub const VERSION: u32 = 1;

/// How many numbers there are.
const COUNT: usize = SCHEMA.len();

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    dense: [u32; COUNT],
    grams: Grams,
}

impl Features {
    /// Looks at a request.
    pub fn of(request: &Request<'_>) -> Features {
        let mut features = Features { dense: [0; COUNT], grams: Grams::default() };
        features.wishes(request);
        let last = request.turns.iter().rposition(|turn| turn.role == Role::User && says_something(turn));
        for (place, turn) in request.turns.iter().enumerate() {
            features.turn(turn, Some(place) == last);
        }
        if let Some(turn) = request.turns.last() {
            let result = |part: &Part<'_>| matches!(part, Part::ToolResult(_));
            features.set(Number::AnswersTool, u32::from(turn.parts.iter().any(result)));
            features.set(Number::GoesOn, u32::from(turn.role == Role::Assistant));
        }
        let size = [Number::SystemTokens, Number::HistoryTokens, Number::LastTokens, Number::ToolTokens];
        let whole = size.map(|number| features.get(number)).into_iter().fold(0, u32::saturating_add);
        features.set(Number::InputTokens, whole);
        if let Some(turn) = last.and_then(|last| request.turns.get(last)) {
            text::read(turn, &mut features);
        }
        features
    }

    /// The same for a request that says nothing but this.
    pub fn of_prompt(prompt: &str) -> Features {
        let mut inside = String::with_capacity(prompt.len() + prompt.len() / 16);
        write::escape_into(prompt, &mut inside);
        let mut request = Request::new(DialectId::ChatCompletions, Delivery::Whole);
        let said = Part::Text { text: Text::escaped(&inside), extra: Vec::new() };
        request.turns.push(Turn { role: Role::User, parts: vec![said], shape: Shape::Bare, extra: Vec::new() });
        Features::of(&request)
    }

    /// The numbers, in the order of [`SCHEMA`].
    pub fn dense(&self) -> &[u32] {
        &self.dense
    }

    /// One of them.
    pub fn get(&self, number: Number) -> u32 {
        self.dense.get(number as usize).copied().unwrap_or_default()
    }

    /// The hashes of one kind, in the order of the text; one for each time that the gram stands there.
    pub fn grams(&self, kind: GramKind) -> &[u32] {
        self.grams.of(kind)
    }

    fn set(&mut self, number: Number, value: u32) {
        if let Some(place) = self.dense.get_mut(number as usize) {
            *place = value;
        }
    }

    fn add(&mut self, number: Number, more: u32) {
        self.set(number, self.get(number).saturating_add(more));
    }

    /// What is said of the answer, and what may be called for it.
    fn wishes(&mut self, request: &Request<'_>) {
        self.set(Number::Tools, few(request.tools.len()));
        for tool in &request.tools {
            self.add(Number::ToolTokens, size::tool(tool));
            self.add(Number::ProviderTools, u32::from(matches!(tool, Tool::Other(_))));
        }
        let forced = matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_)));
        self.set(Number::ToolForced, u32::from(forced));
        match &request.format {
            Some(Format::JsonObject) => self.set(Number::JsonObject, 1),
            Some(Format::JsonSchema { schema, .. }) => self.set(Number::SchemaTokens, size::json(*schema).max(1)),
            _ => {}
        }
        self.set(
            Number::MaxTokens,
            request.max_tokens.map_or(0, |limit| u32::try_from(limit.tokens).unwrap_or(u32::MAX)),
        );
        self.set(Number::Stops, request.stop.as_ref().map_or(0, |stop| few(stop.sequences.len())));
        self.set(Number::Reasoning, request.reasoning.as_ref().map_or(0, |reasoning| asked(reasoning.depth)));
    }

    fn turn(&mut self, turn: &Turn<'_>, last: bool) {
        self.add(Number::Turns, 1);
        let (said, tokens) = match turn.role {
            Role::System | Role::Developer => (None, Number::SystemTokens),
            Role::User if last => (Some(Number::UserTurns), Number::LastTokens),
            Role::User => (Some(Number::UserTurns), Number::HistoryTokens),
            Role::Assistant => (Some(Number::AnswerTurns), Number::HistoryTokens),
            Role::Tool => (None, Number::HistoryTokens),
        };
        said.into_iter().for_each(|number| self.add(number, 1));
        turn.parts.iter().for_each(|part| self.part(part, tokens));
    }

    fn part(&mut self, part: &Part<'_>, tokens: Number) {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => self.add(tokens, size::text(*text)),
            Part::Thinking(thought) => {
                self.add(Number::Thoughts, 1);
                self.add(tokens, size::text(thought.text));
            }
            Part::ToolCall(call) => {
                self.add(Number::ToolCalls, 1);
                self.add(tokens, size::arguments(&call.arguments));
            }
            Part::ToolResult(result) => {
                self.add(Number::ToolResults, 1);
                self.add(Number::ToolErrors, u32::from(result.error == Some(true)));
                result.content.iter().for_each(|part| self.part(part, tokens));
            }
            Part::Media(media) => self.add(
                match media.kind {
                    MediaKind::Image => Number::Images,
                    MediaKind::Audio => Number::Sounds,
                    MediaKind::Video => Number::Films,
                    MediaKind::Document => Number::Documents,
                },
                1,
            ),
            Part::Other(_) => self.add(Number::OtherParts, 1),
        }
    }
}

/// Whether a turn has words; results of tools come as turns of the user in some dialects.
fn says_something(turn: &Turn<'_>) -> bool {
    turn.parts.iter().any(|part| matches!(part, Part::Text { text, .. } if !text.is_empty()))
}

/// How much thought is asked for: 0 where nobody said.
fn asked(depth: Depth<'_>) -> u32 {
    match depth {
        Depth::Unsaid => 0,
        Depth::Off => 1,
        Depth::Adaptive => 3,
        Depth::Effort(effort) => match effort.raw() {
            "none" => 1,
            "minimal" | "low" => 2,
            "medium" => 3,
            _ => 4,
        },
        Depth::Budget(0) => 1,
        Depth::Budget(..4_096) => 2,
        Depth::Budget(..16_384) => 3,
        Depth::Budget(_) => 4,
    }
}

fn few(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// How many thousandths of `whole` are `part`.
fn permille(part: u32, whole: u32) -> u32 {
    few((u64::from(part) * 1_000 / u64::from(whole.max(1))) as usize)
}

#[cfg(test)]
mod tests;
