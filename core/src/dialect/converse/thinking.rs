//! How much to think, and what fits beside it.
//!
//! | asked | told in words | told in tokens |
//! |---|---|---|
//! | nothing, or to think not at all | nothing | nothing |
//! | as the model finds right | `thinking: adaptive` | [`MEDIUM`] tokens |
//! | `minimal` | `adaptive`, effort `low` | [`MIN_BUDGET`] |
//! | `low`, `medium`, `high` | `adaptive`, the same effort | [`LOW`], [`MEDIUM`], [`HIGH`] |
//! | `xhigh`, `max` | `adaptive`, the same effort | [`MOST`] |
//! | up to 2048, 12288, more tokens | `adaptive`, effort `low`, `medium`, `high` | the tokens |
//!
//! Effort is a word of the service's own (`outputConfig.effort`); `thinking` is a field of the models that think this way and
//! goes below `additionalModelRequestFields`. A model of which nobody said how it is told is told in the caller's way.
//!
//! With thinking on, those models refuse a forced call, other temperatures than 1, `top_k`, `top_p` below 0.95, and a budget
//! not below `maxTokens`; a budget also wants a turn that goes on after a call to begin with its own signed thoughts. Where
//! both cannot be had, a forced call and an unfinished turn win over thinking, and thinking over sampling.

use crate::catalog::ThinkingStyle;
use crate::dialect::{Addressee, Written};
use crate::hub::{Depth, Part, Reasoning, Request, Role, ToolChoice};
use crate::json::Writer;

/// The smallest budget the models take.
pub const MIN_BUDGET: u64 = 1024;

/// The budget for low effort; up to here tokens are low effort.
pub const LOW: u64 = 2048;

/// The budget for medium effort.
pub const MEDIUM: u64 = 8192;

/// Up to here tokens are medium effort.
pub const MEDIUM_END: u64 = 12288;

/// The budget for high effort.
pub const HIGH: u64 = 24576;

/// The budget for more than that.
pub const MOST: u64 = 32000;

/// Room for the answer beside a budget, when nobody said how long it may be.
const ANSWER: u64 = 8192;

/// What the models are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing.
    Unsaid,
    /// As much as the model finds right.
    Adaptive,
    /// Up to so many tokens.
    Budget(u64),
}

/// What a request gets.
pub(super) struct Plan {
    pub(super) mode: Mode,
    /// The word of `outputConfig.effort`.
    pub(super) effort: Option<&'static str>,
    /// Whether thoughts shall be shown.
    shown: Option<bool>,
    /// The limit of tokens, if there shall be one.
    pub(super) max_tokens: Option<u64>,
}

impl Plan {
    /// Whether the model will think, so that sampling must give way.
    pub(super) fn thinks(&self) -> bool {
        self.mode != Mode::Unsaid
    }

    /// Writes the field of the models that think this way.
    pub(super) fn write(&self, out: &mut Writer) {
        let word = match self.mode {
            Mode::Unsaid => return,
            Mode::Adaptive => "adaptive",
            Mode::Budget(_) => "enabled",
        };
        out.field("thinking").object(|out| {
            out.field("type").string(word);
            if let Mode::Budget(tokens) = self.mode {
                out.field("budget_tokens").number(tokens);
            }
            // The models that take a budget always show their thoughts.
            if let (Some(shown), Mode::Adaptive) = (self.shown, self.mode) {
                out.field("display").string(if shown { "summarized" } else { "omitted" });
            }
        });
    }
}

/// Decides on thinking and on the limit of tokens, which depend on each other.
pub(super) fn plan(request: &Request<'_>, to: Addressee<'_>, written: &mut Written) -> Plan {
    let mut plan = Plan { mode: Mode::Unsaid, effort: None, shown: None, max_tokens: None };
    if let Some(reasoning) = &request.reasoning {
        written.lose("reasoning.", &reasoning.extra);
        (plan.mode, plan.effort) = wish(reasoning, to.thinking, written);
        plan.shown = reasoning.shown;
    }
    let forced = matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_)));
    let unfinished = matches!(plan.mode, Mode::Budget(_)) && goes_on_unsigned(request);
    if plan.thinks() && (forced || unfinished) {
        written.approximate("reasoning");
        if plan.effort.is_some() {
            written.approximate("reasoning.effort");
        }
        (plan.mode, plan.effort) = (Mode::Unsaid, None);
    }
    plan.max_tokens = max_tokens(request, plan.mode, to.output_limit, written);
    if let Mode::Budget(budget) = plan.mode {
        plan.mode = fit(budget, plan.max_tokens, written);
    }
    let unheard = match plan.mode {
        Mode::Unsaid => plan.shown.is_some(),
        Mode::Adaptive => false,
        Mode::Budget(_) => plan.shown == Some(false),
    };
    if unheard {
        written.approximate("reasoning.shown");
    }
    plan
}

fn wish(reasoning: &Reasoning<'_>, style: ThinkingStyle, written: &mut Written) -> (Mode, Option<&'static str>) {
    let depth = match reasoning.depth {
        Depth::Effort(word) if word.is("none") => Depth::Off,
        Depth::Budget(0) => Depth::Off,
        Depth::Unsaid if reasoning.shown == Some(true) && style != ThinkingStyle::Tokens => Depth::Adaptive,
        depth => depth,
    };
    match (depth, style) {
        // Who is told in tokens thinks only when told; of the others nobody knows.
        (Depth::Unsaid, _) | (Depth::Off, ThinkingStyle::Tokens) => (Mode::Unsaid, None),
        (Depth::Off, _) | (_, ThinkingStyle::Never) => {
            written.approximate("reasoning");
            (Mode::Unsaid, None)
        }
        (Depth::Adaptive, ThinkingStyle::Tokens) => {
            written.approximate("reasoning");
            (Mode::Budget(MEDIUM), None)
        }
        (Depth::Adaptive, _) => (Mode::Adaptive, None),
        (Depth::Budget(tokens), ThinkingStyle::Words) => {
            written.approximate("reasoning.budget");
            (Mode::Adaptive, Some(effort_of(tokens)))
        }
        (Depth::Budget(tokens), _) => (Mode::Budget(tokens), None),
        (Depth::Effort(word), ThinkingStyle::Tokens) => {
            written.approximate("reasoning.effort");
            (Mode::Budget(budget_of(&word.decode())), None)
        }
        (Depth::Effort(word), _) => (Mode::Adaptive, effort(&word.decode(), written)),
    }
}

fn effort_of(tokens: u64) -> &'static str {
    match tokens {
        tokens if tokens <= LOW => "low",
        tokens if tokens <= MEDIUM_END => "medium",
        _ => "high",
    }
}

/// A word nobody knows is worth a medium budget: the caller wanted some.
fn budget_of(word: &str) -> u64 {
    match word {
        "minimal" => MIN_BUDGET,
        "low" => LOW,
        "high" => HIGH,
        "xhigh" | "max" => MOST,
        _ => MEDIUM,
    }
}

fn effort(word: &str, written: &mut Written) -> Option<&'static str> {
    let known = ["low", "medium", "high", "xhigh", "max"].into_iter().find(|known| *known == word);
    if known.is_none() {
        written.approximate("reasoning.effort");
    }
    known.or((word == "minimal").then_some("low"))
}

/// Whether the model goes on in a turn that it began with a call, and that does not begin with a signed thought.
fn goes_on_unsigned(request: &Request<'_>) -> bool {
    let is_result = |part: &Part<'_>| matches!(part, Part::ToolResult(_));
    let goes_on = request.turns.last().is_some_and(|turn| turn.parts.iter().any(is_result));
    let mut begun = request.turns.iter().rev().skip_while(|turn| turn.role != Role::Assistant);
    let signed = |part: &Part<'_>| matches!(part, Part::Thinking(thought) if thought.signature.is_some());
    goes_on && !begun.next().is_some_and(|turn| turn.parts.first().is_some_and(signed))
}

fn max_tokens(request: &Request<'_>, mode: Mode, most: u64, written: &mut Written) -> Option<u64> {
    match (request.max_tokens, most, mode) {
        (Some(limit), 1.., _) if limit.tokens > most => {
            written.approximate(&limit.name.decode());
            Some(most)
        }
        (Some(limit), _, _) => Some(limit.tokens),
        // The service's own limit may be below a budget.
        (None, 0, Mode::Budget(budget)) => Some(budget.saturating_add(ANSWER)),
        (None, most, Mode::Budget(_)) => Some(most),
        (None, ..) => None,
    }
}

/// A budget of at least [`MIN_BUDGET`] and below the limit of tokens; half of the limit where it does not fit.
fn fit(budget: u64, max_tokens: Option<u64>, written: &mut Written) -> Mode {
    let max_tokens = max_tokens.unwrap_or(u64::MAX);
    if max_tokens <= MIN_BUDGET {
        written.approximate("reasoning");
        return Mode::Unsaid;
    }
    let fitting = match budget {
        0..MIN_BUDGET => MIN_BUDGET,
        _ if budget >= max_tokens => (max_tokens / 2).max(MIN_BUDGET),
        _ => budget,
    };
    if fitting != budget {
        written.approximate("reasoning.budget");
    }
    Mode::Budget(fitting)
}
