//! How much to think, written: in tokens or in words, whichever the model is told in.
//!
//! | asked | in tokens (`thinkingBudget`) | in words (`thinkingLevel`) |
//! |---|---|---|
//! | nothing (`none`) | 0 | `LOW`, the least that every such model takes |
//! | `minimal` | 1024 | `MINIMAL` |
//! | `low` | 2048 | `LOW` |
//! | `medium` | 8192 | `MEDIUM` |
//! | `high` | 24576 | `HIGH` |
//! | `xhigh`, `max` | 24576 | `HIGH` |
//! | tokens | as they are, at most 24576 | up to 2048 `LOW`, up to 12288 `MEDIUM`, above `HIGH` |
//! | as the model likes | -1 | nothing, as that is what it does |
//!
//! A model of which nobody said how it is told gets tokens: older models refuse words, newer ones still take tokens. A model
//! that cannot be told gets nothing at all, since the API refuses even `includeThoughts` there. Tokens of thought count against
//! the answer's limit, so a budget that leaves nothing of it becomes half of it. Whatever is not said as it was asked is
//! reported as approximated.
//!
//! Sources: the vendor's guide on thinking, its table for its OpenAI-compatible endpoint, and reports of which model refuses
//! which form.

use super::read_config::LEVELS;
use super::spelling;
use super::write_request::Writing;
use crate::catalog::{DialectId, ThinkingStyle};
use crate::hub::{Depth, Reasoning};
use crate::json::{Json, Text, Writer};

/// Most tokens of thought that all of the API's thinking models take.
const MAX_BUDGET: u64 = 24_576;

/// Fewest tokens of thought that a budget is cut to; the smallest models take no less.
const MIN_BUDGET: u64 = 512;

/// Up to how many tokens a budget is a little, and up to how many it is middling.
const LITTLE: u64 = 2048;
const MIDDLING: u64 = 12_288;

/// The common words: the tokens they mean and the API's word for them.
const WORDS: [(&str, u64, &str); 7] = [
    ("none", 0, "LOW"),
    ("minimal", 1024, "MINIMAL"),
    ("low", 2048, "LOW"),
    ("medium", 8192, "MEDIUM"),
    ("high", MAX_BUDGET, "HIGH"),
    ("xhigh", MAX_BUDGET, "HIGH"),
    ("max", MAX_BUDGET, "HIGH"),
];

/// What is written about how much to think.
#[derive(Clone, Copy)]
enum Said {
    Nothing,
    Tokens(u64),
    AsItLikes,
    Level(&'static str),
}

/// Writes `thinkingConfig` under `name`, if there is something to say.
pub(super) fn config(writing: &mut Writing<'_, '_>, reasoning: &Reasoning<'_>, name: &str, out: &mut Writer) {
    match writing.own() {
        true => own(writing, reasoning, out.field(name)),
        false => foreign(writing, reasoning, name, out),
    }
}

fn own(writing: &Writing<'_, '_>, reasoning: &Reasoning<'_>, out: &mut Writer) {
    let spelled = writing.spelled(&reasoning.extra);
    let budget = spelled.name("thinkingBudget", &["thinking_budget"]);
    out.object(|out| {
        match reasoning.depth {
            Depth::Unsaid => {}
            Depth::Off => out.field(budget).number(0),
            Depth::Adaptive => out.field(budget).raw(Json::trusted("-1")),
            Depth::Budget(tokens) => out.field(budget).number(tokens),
            Depth::Effort(word) => {
                let level = LEVELS.iter().find(|(_, common)| word.raw() == *common);
                let level = level.filter(|_| !spelled.marked(spelling::AS_SPELLED));
                let level = level.and_then(|(ours, _)| Text::plain(ours)).unwrap_or(word);
                out.field(spelled.name("thinkingLevel", &["thinking_level"])).text(level);
            }
        }
        if let Some(shown) = reasoning.shown {
            out.field(spelled.name("includeThoughts", &["include_thoughts"])).bool(shown);
        }
        spelled.rest(out);
    });
}

fn foreign(writing: &mut Writing<'_, '_>, reasoning: &Reasoning<'_>, name: &str, out: &mut Writer) {
    writing.written.lose("reasoning.", &reasoning.extra);
    let said = match writing.to.thinking {
        ThinkingStyle::Never => return never(writing, reasoning),
        ThinkingStyle::Words => in_words(writing, reasoning.depth),
        ThinkingStyle::Tokens | ThinkingStyle::Unknown => in_tokens(writing, reasoning.depth),
    };
    // Who asks for thoughts and does not say whether to see them is shown them.
    let shown = reasoning.shown.or(thinks(reasoning.depth).then_some(true));
    if let (Said::Nothing, None) = (said, shown) {
        return;
    }
    out.field(name).object(|out| {
        match said {
            Said::Nothing => {}
            Said::Tokens(tokens) => out.field("thinkingBudget").number(tokens),
            Said::AsItLikes => out.field("thinkingBudget").raw(Json::trusted("-1")),
            Said::Level(level) => out.field("thinkingLevel").string(level),
        }
        if let Some(shown) = shown {
            out.field("includeThoughts").bool(shown);
        }
    });
}

fn never(writing: &mut Writing<'_, '_>, reasoning: &Reasoning<'_>) {
    match reasoning.depth {
        Depth::Unsaid if reasoning.shown.is_some() => writing.written.approximate("reasoning.shown"),
        Depth::Unsaid => {}
        Depth::Budget(_) => writing.written.approximate(budget_path(writing.request.dialect)),
        _ => writing.written.approximate(effort_path(writing.request.dialect)),
    }
}

fn in_tokens(writing: &mut Writing<'_, '_>, depth: Depth<'_>) -> Said {
    match depth {
        Depth::Unsaid => Said::Nothing,
        Depth::Off => Said::Tokens(0),
        Depth::Adaptive => Said::AsItLikes,
        Depth::Budget(tokens) => {
            let fitting = fit(writing, tokens);
            if fitting != tokens {
                writing.written.approximate(budget_path(writing.request.dialect));
            }
            Said::Tokens(fitting)
        }
        Depth::Effort(word) => {
            let known = meaning(word);
            if known.is_none_or(|(_, tokens, _)| tokens > 0) {
                writing.written.approximate(effort_path(writing.request.dialect));
            }
            known.map_or(Said::Nothing, |(_, tokens, _)| Said::Tokens(fit(writing, tokens)))
        }
    }
}

fn in_words(writing: &mut Writing<'_, '_>, depth: Depth<'_>) -> Said {
    let effort = effort_path(writing.request.dialect);
    match depth {
        Depth::Unsaid | Depth::Adaptive => Said::Nothing,
        Depth::Off => {
            writing.written.approximate(effort);
            Said::Level("LOW")
        }
        Depth::Budget(tokens) => {
            writing.written.approximate(budget_path(writing.request.dialect));
            Said::Level(if tokens <= LITTLE {
                "LOW"
            } else if tokens <= MIDDLING {
                "MEDIUM"
            } else {
                "HIGH"
            })
        }
        Depth::Effort(word) => match meaning(word) {
            Some((common, _, level)) => {
                if !common.eq_ignore_ascii_case(level) {
                    writing.written.approximate(effort);
                }
                Said::Level(level)
            }
            None => {
                writing.written.approximate(effort);
                Said::Nothing
            }
        },
    }
}

/// A budget that the models take and that leaves something of the answer's limit.
fn fit(writing: &Writing<'_, '_>, tokens: u64) -> u64 {
    let tokens = tokens.min(MAX_BUDGET);
    match writing.request.max_tokens {
        Some(limit) if tokens >= limit.tokens && tokens > 0 => (limit.tokens / 2).max(MIN_BUDGET).min(tokens),
        _ => tokens,
    }
}

/// Whether thinking was asked for.
fn thinks(depth: Depth<'_>) -> bool {
    match depth {
        Depth::Unsaid | Depth::Off => false,
        Depth::Adaptive | Depth::Budget(_) => true,
        Depth::Effort(word) => meaning(word).is_some_and(|(_, tokens, _)| tokens > 0),
    }
}

fn meaning(word: Text<'_>) -> Option<(&'static str, u64, &'static str)> {
    let word = word.decode();
    WORDS.into_iter().find(|(known, _, _)| known.eq_ignore_ascii_case(&word))
}

/// What the caller calls how much to think, in words.
fn effort_path(dialect: DialectId) -> &'static str {
    match dialect {
        DialectId::ChatCompletions => "reasoning_effort",
        DialectId::Messages => "output_config.effort",
        _ => "reasoning.effort",
    }
}

/// What the caller calls how much to think, in tokens.
fn budget_path(dialect: DialectId) -> &'static str {
    match dialect {
        DialectId::Messages => "thinking.budget_tokens",
        _ => "reasoning.max_tokens",
    }
}
