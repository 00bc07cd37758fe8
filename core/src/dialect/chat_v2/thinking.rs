//! How much to think: `thinking`, whose table stands in [`super`].

use super::write::Ask;
use crate::catalog::ThinkingStyle;
use crate::hub::{Depth, Reasoning};
use crate::json::Writer;

/// Tokens for effort in words.
const BUDGETS: [(&str, u64); 4] = [("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 20000)];

/// Tokens to leave for the answer where there is room for as much: what the vendor recommends at least.
const ANSWER: u64 = 1000;

/// What the member says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Unsaid,
    Disabled,
    /// Perhaps up to so many tokens.
    Enabled(Option<u64>),
}

/// Writes the member, unless there is nothing to say.
pub(super) fn write(ask: &mut Ask<'_, '_>, max_tokens: Option<u64>, out: &mut Writer) {
    let Some(reasoning) = &ask.request.reasoning else { return };
    ask.written.lose("reasoning.", &reasoning.extra);
    let mode = mode(reasoning, ask, max_tokens);
    // Thoughts are always shown; whoever does not want to see them need not look.
    if reasoning.shown == Some(false) || (reasoning.shown.is_some() && !matches!(mode, Mode::Enabled(_))) {
        ask.written.approximate("reasoning.shown");
    }
    let (word, budget) = match mode {
        Mode::Unsaid => return,
        Mode::Disabled => ("disabled", None),
        Mode::Enabled(budget) => ("enabled", budget),
    };
    out.field("thinking").object(|out| {
        out.field("type").string(word);
        if let Some(budget) = budget {
            out.field("token_budget").number(budget);
        }
    });
}

fn mode(reasoning: &Reasoning<'_>, ask: &mut Ask<'_, '_>, max_tokens: Option<u64>) -> Mode {
    if reasoning.depth != Depth::Unsaid && ask.to.thinking == ThinkingStyle::Never {
        ask.written.approximate("reasoning");
        return Mode::Unsaid;
    }
    match reasoning.depth {
        Depth::Unsaid if reasoning.shown == Some(true) => Mode::Enabled(None),
        Depth::Unsaid => Mode::Unsaid,
        Depth::Off | Depth::Budget(0) => Mode::Disabled,
        Depth::Adaptive => Mode::Enabled(None),
        Depth::Budget(budget) => {
            let fitting = fit(budget, max_tokens);
            if fitting != budget {
                ask.written.approximate("reasoning.budget");
            }
            Mode::Enabled(Some(fitting))
        }
        Depth::Effort(word) if word.is("none") => Mode::Disabled,
        Depth::Effort(word) => {
            ask.written.approximate("reasoning.effort");
            let known = BUDGETS.iter().find(|(known, _)| word.is(known));
            Mode::Enabled(known.map(|(_, budget)| fit(*budget, max_tokens)))
        }
    }
}

/// Thoughts count against the limit of tokens, so some of it must be left for the answer.
fn fit(budget: u64, max_tokens: Option<u64>) -> u64 {
    let room = max_tokens.map_or(u64::MAX, |most| most.saturating_sub(ANSWER).max(most / 2));
    budget.min(room).max(1)
}
