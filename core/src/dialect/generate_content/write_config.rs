//! `generationConfig` and `toolConfig`, written.

use super::read_config::LEVELS;
use super::spelling::{self, Spelled};
use super::write_request::Writing;
use crate::hub::{Depth, Format, Reasoning, ToolChoice};
use crate::json::{Json, Member, Text, Writer};

/// Most stop sequences the API takes.
const MAX_STOP_SEQUENCES: usize = 5;

/// Most tokens of thought that all of the API's thinking models take.
const MAX_BUDGET: u64 = 24_576;

/// How many tokens of thought the common words mean, from the vendor's own table for its OpenAI-compatible endpoint.
/// Budgets, because every thinking model takes them; levels are refused by the older ones.
const BUDGETS: [(&str, u64); 6] = [
    ("minimal", 1024),
    ("low", 1024),
    ("medium", 8192),
    ("high", MAX_BUDGET),
    ("xhigh", MAX_BUDGET),
    ("max", MAX_BUDGET),
];

/// Writes `toolConfig`, if there is something to say.
pub(super) fn tool_config(writing: &mut Writing<'_, '_>, name: &str, said_tools: bool, out: &mut Writer) {
    let request = writing.request;
    if writing.own() {
        let Some(extra) = spelling::within(&request.extra, spelling::TOOL_CONFIG) else { return };
        let spelled = Spelled::new(extra);
        out.field(name).object(|out| {
            if let Some(choice) = &request.tool_choice {
                out.field(spelled.name("functionCallingConfig", &["function_calling_config"]));
                tool_choice(writing, choice, out);
            }
            spelled.rest(out);
        });
        return;
    }
    if request.parallel_tool_calls == Some(false) {
        writing.written.drop("parallel_tool_calls");
    }
    let Some(choice) = &request.tool_choice else { return };
    match (choice, said_tools) {
        (ToolChoice::Other(_), _) => writing.written.drop("tool_choice"),
        // Without functions the API refuses to be told how to choose among them, and these two mean nothing then.
        (ToolChoice::Auto | ToolChoice::Never, false) => {}
        (ToolChoice::Any | ToolChoice::Named(_), false) => writing.written.drop("tool_choice"),
        (_, true) => out.field(name).object(|out| {
            out.field("functionCallingConfig");
            tool_choice(writing, choice, out);
        }),
    }
}

fn tool_choice<'a>(writing: &mut Writing<'_, 'a>, choice: &ToolChoice<'a>, out: &mut Writer) {
    let mode = match choice {
        ToolChoice::Auto => "AUTO",
        ToolChoice::Never => "NONE",
        ToolChoice::Any | ToolChoice::Named(_) => "ANY",
        ToolChoice::Other(raw) => return out.raw(*raw),
    };
    out.object(|out| {
        out.field("mode").string(mode);
        if let ToolChoice::Named(name) = choice {
            let name = writing.tool_name(*name);
            out.field("allowedFunctionNames").array(|out| out.text(Text::escaped(&name)));
        }
    });
}

/// Writes `generationConfig`, if there is something to say.
pub(super) fn generation_config(writing: &mut Writing<'_, '_>, name: &str, out: &mut Writer) {
    let extra: Option<&[Member<'_>]> = match writing.own() {
        true => spelling::within(&writing.request.extra, spelling::CONFIG),
        false => None,
    };
    let spelled = Spelled::new(extra.unwrap_or_default());
    let mut config = Writer::new();
    config.object(|out| {
        sampling(writing, &spelled, out);
        limits(writing, &spelled, out);
        format(writing, &spelled, out);
        if let Some(reasoning) = &writing.request.reasoning {
            let name = spelled.name("thinkingConfig", &["thinking_config"]);
            thinking_config(writing, reasoning, name, out);
        }
        spelled.rest(out);
    });
    if extra.is_some() || config.as_str() != Json::EMPTY_OBJECT.as_str() {
        out.field(name).raw(Json::trusted(config.as_str()));
    }
}

fn sampling(writing: &mut Writing<'_, '_>, spelled: &Spelled<'_, '_>, out: &mut Writer) {
    let said = &writing.request.sampling;
    let numbers: [(Option<Json<'_>>, &'static str, &[&'static str]); 6] = [
        (said.temperature, "temperature", &[]),
        (said.top_p, "topP", &["top_p"]),
        (said.top_k, "topK", &["top_k"]),
        (said.presence_penalty, "presencePenalty", &["presence_penalty"]),
        (said.frequency_penalty, "frequencyPenalty", &["frequency_penalty"]),
        (said.seed, "seed", &[]),
    ];
    for (number, usual, others) in numbers {
        if let Some(number) = number {
            out.field(spelled.name(usual, others)).raw(number);
        }
    }
    if let Some(answers) = said.answers {
        if writing.own() {
            out.field(spelled.name("candidateCount", &["candidate_count"])).raw(answers);
        } else if answers.u64() != Some(1) {
            writing.written.drop("n");
        }
    }
}

fn limits(writing: &mut Writing<'_, '_>, spelled: &Spelled<'_, '_>, out: &mut Writer) {
    let request = writing.request;
    let own = writing.own();
    if let Some(limit) = request.max_tokens {
        let name = if own { limit.name } else { Text::escaped("maxOutputTokens") };
        out.field_text(name).number(limit.tokens);
    }
    if let Some(stop) = &request.stop {
        let most = if own { usize::MAX } else { MAX_STOP_SEQUENCES };
        if stop.sequences.len() > most {
            writing.written.drop("stop");
        }
        if own || !stop.sequences.is_empty() {
            out.field(spelled.name("stopSequences", &["stop_sequences"]))
                .array(|out| stop.sequences.iter().take(most).for_each(|sequence| out.text(*sequence)));
        }
    }
    if !own && request.user.is_some() {
        writing.written.drop("user");
    }
}

fn format(writing: &mut Writing<'_, '_>, spelled: &Spelled<'_, '_>, out: &mut Writer) {
    let Some(format) = &writing.request.format else { return };
    let mime = match format {
        Format::Text => "text/plain",
        Format::JsonObject | Format::JsonSchema { .. } => "application/json",
        Format::Other(_) => return writing.written.drop("response_format"),
    };
    if !spelled.marked(spelling::NO_MIME) {
        out.field(spelled.name("responseMimeType", &["response_mime_type"])).string(mime);
    }
    if let Format::JsonSchema { description, schema, extra, .. } = format {
        let others = ["responseSchema", "response_schema", "response_json_schema"];
        out.field(spelled.name("responseJsonSchema", &others)).raw(*schema);
        // The schema's name is only a label and strictness the rule here; neither is lost.
        if description.is_some() {
            writing.written.drop("response_format.json_schema.description");
        }
        if !writing.own() {
            writing.written.drop_extra("response_format.json_schema.", extra);
        }
    }
}

fn thinking_config(writing: &mut Writing<'_, '_>, reasoning: &Reasoning<'_>, name: &str, out: &mut Writer) {
    let own = writing.own();
    let spelled = writing.spelled(&reasoning.extra);
    let mut config = Writer::new();
    config.object(|out| {
        match reasoning.depth {
            Depth::Unsaid => {}
            Depth::Off => out.field(spelled.name("thinkingBudget", &["thinking_budget"])).number(0),
            Depth::Adaptive => {
                out.field(spelled.name("thinkingBudget", &["thinking_budget"])).raw(Json::trusted("-1"));
            }
            Depth::Budget(tokens) => {
                let most = if own { u64::MAX } else { MAX_BUDGET };
                if tokens > most {
                    writing.written.drop("thinking.budget_tokens");
                }
                out.field(spelled.name("thinkingBudget", &["thinking_budget"])).number(tokens.min(most));
            }
            Depth::Effort(word) if own => {
                let level = LEVELS.iter().find(|(_, common)| word.raw() == *common);
                let level = level.filter(|_| !spelled.marked(spelling::AS_SPELLED));
                let level = level.and_then(|(ours, _)| Text::plain(ours)).unwrap_or(word);
                out.field(spelled.name("thinkingLevel", &["thinking_level"])).text(level);
            }
            Depth::Effort(word) => match budget_of(word) {
                Some(budget) => out.field("thinkingBudget").number(budget),
                None => writing.written.drop("reasoning_effort"),
            },
        }
        // Who asks for thoughts and does not say whether to see them is shown them.
        let asked = !own && thinks(reasoning.depth);
        if let Some(shown) = reasoning.shown.or(asked.then_some(true)) {
            out.field(spelled.name("includeThoughts", &["include_thoughts"])).bool(shown);
        }
        spelled.rest(out);
    });
    if own || config.as_str() != Json::EMPTY_OBJECT.as_str() {
        out.field(name).raw(Json::trusted(config.as_str()));
    }
    if !own {
        writing.written.drop_extra("reasoning.", &reasoning.extra);
    }
}

/// Whether thinking was asked for.
fn thinks(depth: Depth<'_>) -> bool {
    match depth {
        Depth::Unsaid | Depth::Off => false,
        Depth::Adaptive | Depth::Budget(_) => true,
        Depth::Effort(word) => budget_of(word).is_some_and(|budget| budget > 0),
    }
}

/// The tokens that a word for how much to think means.
fn budget_of(word: Text<'_>) -> Option<u64> {
    let word = word.decode().to_ascii_lowercase();
    if word == "none" {
        return Some(0);
    }
    BUDGETS.iter().find(|(known, _)| *known == word).map(|(_, budget)| *budget)
}
