//! Writes how much to think.
//!
//! | asked in another dialect | `Words` | else |
//! |---|---|---|
//! | `minimal`, `low`, `medium`, `high`, `xhigh`, `max` | the word | the nearest of `low`, `medium`, `high` |
//! | no thought | `none` | nothing, and noted: most models know no word for it |
//! | up to 2048 tokens | `low` | `low` |
//! | up to 12288 tokens | `medium` | `medium` |
//! | more tokens | `high` | `high` |
//! | as the model finds right | nothing: that is what it does | nothing |
//!
//! Compatible servers take words for models that are told in tokens, too, and translate themselves. A model that cannot be told
//! is told nothing.

use super::Ask;
use crate::catalog::ThinkingStyle;
use crate::dialect::Written;
use crate::dialect::chat_completions::mark::Mark;
use crate::hub::{Depth, Reasoning, Request};
use crate::json::{Text, Writer};

/// Up to this many tokens of thought count as low effort: the budgets that clients offer as "think" begin at 1024.
const LOW_BUDGET: u64 = 2_048;

/// Up to this many tokens of thought count as medium effort, more as high.
const MEDIUM_BUDGET: u64 = 12_288;

/// Words for effort, and the nearest one that every server with reasoning knows.
const EFFORTS: [(&str, &str); 6] =
    [("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "high"), ("max", "high")];

/// Writes it in the member in which this dialect read it.
pub(super) fn own(request: &Request<'_>, reasoning: &Reasoning<'_>, out: &mut Writer) {
    let said = |mark: Mark| mark.is_in(&request.extra);
    let depth = reasoning.depth;
    if said(Mark::EffortInside) || said(Mark::BudgetInside) || said(Mark::EnabledInside) {
        out.field("reasoning").object(|out| {
            match depth {
                Depth::Off if said(Mark::EnabledInside) => out.field("enabled").bool(false),
                Depth::Off => out.field("effort").string("none"),
                Depth::Adaptive => out.field("enabled").bool(true),
                Depth::Effort(word) => out.field("effort").text(word),
                Depth::Budget(tokens) => out.field("max_tokens").number(tokens),
                Depth::Unsaid => {}
            }
            if let Some(shown) = reasoning.shown {
                out.field("exclude").bool(!shown);
            }
        });
    } else if said(Mark::Thinking) || said(Mark::ThinkingAdaptive) {
        out.field("thinking").object(|out| match depth {
            Depth::Off => out.field("type").string("disabled"),
            Depth::Adaptive if said(Mark::ThinkingAdaptive) => out.field("type").string("adaptive"),
            _ => {
                out.field("type").string("enabled");
                if let Depth::Budget(tokens) = depth {
                    out.field("budget_tokens").number(tokens);
                }
            }
        });
    } else if said(Mark::EnableThinking) {
        out.field("enable_thinking").bool(depth != Depth::Off);
    } else {
        match depth {
            Depth::Effort(word) => out.field("reasoning_effort").text(word),
            Depth::Off => out.field("reasoning_effort").string("none"),
            Depth::Adaptive | Depth::Budget(_) | Depth::Unsaid => {}
        }
    }
}

/// Writes what another dialect asked for.
pub(super) fn foreign(ask: &mut Ask<'_, '_>, reasoning: &Reasoning<'_>, out: &mut Writer) {
    let Written { losses, .. } = &mut ask.written;
    let word = match (reasoning.depth, ask.thinking) {
        (Depth::Adaptive | Depth::Unsaid, _) => None,
        (_, ThinkingStyle::Never) => None,
        (Depth::Budget(0) | Depth::Off, ThinkingStyle::Words) => Some("none"),
        (Depth::Budget(0) | Depth::Off, _) => None,
        (Depth::Budget(..=LOW_BUDGET), _) => Some("low"),
        (Depth::Budget(..=MEDIUM_BUDGET), _) => Some("medium"),
        (Depth::Budget(_), _) => Some("high"),
        (Depth::Effort(word), style) => effort(word, style),
    };
    if let Some(word) = word {
        out.field("reasoning_effort").string(word);
    }
    let exact = match reasoning.depth {
        Depth::Adaptive | Depth::Unsaid => true,
        Depth::Effort(asked) => word.is_some_and(|word| asked.decode().eq_ignore_ascii_case(word)),
        Depth::Off | Depth::Budget(0) => word.is_some(),
        Depth::Budget(_) => false,
    };
    if !exact {
        losses.approximate("reasoning");
    }
    if reasoning.shown.is_some() {
        losses.approximate("reasoning.shown");
    }
    for (name, _) in reasoning.extra.iter().filter(|(_, value)| !value.is_null()) {
        losses.approximate(&format!("reasoning.{}", name.decode()));
    }
}

fn effort(word: Text<'_>, style: ThinkingStyle) -> Option<&'static str> {
    let word = word.decode().to_ascii_lowercase();
    if word == "none" {
        return (style == ThinkingStyle::Words).then_some("none");
    }
    let (known, nearest) = EFFORTS.iter().find(|(known, _)| *known == word)?;
    Some(if style == ThinkingStyle::Words { known } else { nearest })
}
