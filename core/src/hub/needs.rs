//! What a request needs of whoever answers it.

use super::{Depth, Format, MediaKind, Part, Request, Tool, ToolChoice};
use crate::catalog::Abilities;

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

    /// About how many tokens the words of the request are, for comparing with context windows: four bytes a token. Media are
    /// left out, as their price in tokens has nothing to do with their size.
    pub fn estimated_tokens(&self) -> u64 {
        let words = self.turns.iter().flat_map(|turn| &turn.parts).map(part_bytes).sum::<usize>();
        let tools = self.tools.iter().map(|tool| match tool {
            Tool::Function(function) => {
                function.schema.map_or(0, |schema| schema.as_str().len())
                    + function.description.map_or(0, |text| text.raw().len())
            }
            Tool::Custom(custom) => custom.description.map_or(0, |text| text.raw().len()),
            Tool::Other(json) => json.as_str().len(),
        });
        ((words + tools.sum::<usize>()) / 4) as u64
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

fn part_bytes(part: &Part<'_>) -> usize {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => text.raw().len(),
        Part::Thinking(thought) => thought.text.raw().len(),
        Part::ToolCall(call) => match call.arguments {
            super::Arguments::Object(json) => json.as_str().len(),
            super::Arguments::Encoded(text) | super::Arguments::Plain(text) => text.raw().len(),
        },
        Part::ToolResult(result) => result.content.iter().map(part_bytes).sum(),
        Part::Media(_) | Part::Other(_) => 0,
    }
}
