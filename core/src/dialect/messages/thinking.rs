//! How much to think: the `thinking` member, and what fits beside it.
//!
//! ```text
//! thinking: {type: disabled} | {type: adaptive, display?} | {type: enabled, budget_tokens, display?}
//! ```
//!
//! With thinking on, the provider refuses a forced tool choice, other temperatures than 1, `top_k`, and `top_p` below 0.95
//! (vendor's extended thinking page); for a request of another dialect the writer gives way where less is lost: a forced tool
//! wins over thinking, thinking wins over sampling numbers.

use crate::dialect::Written;
use crate::hub::{Depth, Limit, Part, Reasoning, Request, ToolChoice};
use crate::json::{Json, Text, Writer};

/// The smallest budget the provider takes.
pub const MIN_BUDGET: u64 = 1024;

/// What the member says.
pub(super) struct Read {
    /// How much.
    pub(super) depth: Depth<'static>,
    /// Whether the thoughts shall be shown.
    pub(super) shown: Option<bool>,
    /// Whether that is all it says.
    pub(super) whole: bool,
}

/// Understands the member; what it does not know makes it not `whole`.
pub(super) fn read(value: Json<'_>) -> Read {
    let mut word = Text::EMPTY;
    let mut budget = None;
    let mut shown = None;
    let mut whole = true;
    for (name, value) in value.members() {
        match (name.decode().as_ref(), value.text()) {
            ("type", Some(text)) => word = text,
            ("budget_tokens", None) => budget = value.u64(),
            ("display", Some(text)) if text.is("summarized") => shown = Some(true),
            ("display", Some(text)) if text.is("omitted") => shown = Some(false),
            _ => whole = false,
        }
    }
    let depth = match (word.decode().as_ref(), budget) {
        ("disabled", None) if shown.is_none() => Depth::Off,
        ("adaptive", None) => Depth::Adaptive,
        ("enabled", Some(budget)) => Depth::Budget(budget),
        _ => Depth::Unsaid,
    };
    Read { depth, shown, whole: whole && depth != Depth::Unsaid }
}

/// The forms of the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not said.
    Unsaid,
    /// None.
    Disabled,
    /// As much as the model finds right.
    Adaptive,
    /// Up to so many tokens.
    Enabled(u64),
}

/// Writes the member, unless there is nothing to say.
pub(super) fn write(mode: Mode, shown: Option<bool>, out: &mut Writer) {
    let word = match mode {
        Mode::Unsaid => return,
        Mode::Disabled => "disabled",
        Mode::Adaptive => "adaptive",
        Mode::Enabled(_) => "enabled",
    };
    out.field("thinking").object(|out| {
        out.field("type").string(word);
        if let Mode::Enabled(budget) = mode {
            out.field("budget_tokens").number(budget);
        }
        if let (Some(shown), Mode::Adaptive | Mode::Enabled(_)) = (shown, mode) {
            out.field("display").string(if shown { "summarized" } else { "omitted" });
        }
    });
}

/// What a request of another dialect gets.
pub(super) struct Plan {
    /// The member.
    pub(super) mode: Mode,
    /// The word of `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// Whether thoughts shall be shown.
    pub(super) shown: Option<bool>,
    /// `max_tokens`.
    pub(super) max_tokens: u64,
}

impl Plan {
    /// Whether the model will think, so that sampling must give way.
    pub(super) fn thinks(&self) -> bool {
        matches!(self.mode, Mode::Adaptive | Mode::Enabled(_))
    }
}

/// Decides on thinking and on the limit of tokens, which depend on each other.
pub(super) fn plan(request: &Request<'_>, output_limit: u64, written: &mut Written) -> Plan {
    let (mode, effort) = request.reasoning.as_ref().map_or((Mode::Unsaid, None), |reasoning| wish(reasoning, written));
    let shown = request.reasoning.as_ref().and_then(|reasoning| reasoning.shown);
    let mut plan = Plan { mode, effort, shown, max_tokens: 0 };
    let forced = matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_)));
    if plan.thinks() && forced {
        written.drop("reasoning");
        (plan.mode, plan.effort) = (Mode::Unsaid, None);
    }
    if matches!(plan.mode, Mode::Enabled(_)) && continues_a_call(request) {
        // A budget demands that the turn with the call begins with its own signed thoughts, which nobody else has.
        written.drop("reasoning");
        plan.mode = Mode::Unsaid;
    }
    plan.max_tokens = max_tokens(request.max_tokens, plan.mode, output_limit, written);
    if let Mode::Enabled(budget) = plan.mode {
        plan.mode = fit(budget, plan.max_tokens, written);
    }
    if plan.shown.is_some() && !plan.thinks() && plan.mode != Mode::Disabled {
        written.drop("reasoning.shown");
    }
    plan
}

fn wish(reasoning: &Reasoning<'_>, written: &mut Written) -> (Mode, Option<&'static str>) {
    written.drop_extra("reasoning.", &reasoning.extra);
    match reasoning.depth {
        Depth::Unsaid if reasoning.shown == Some(true) => (Mode::Adaptive, None),
        Depth::Unsaid => (Mode::Unsaid, None),
        Depth::Off => (Mode::Disabled, None),
        Depth::Adaptive => (Mode::Adaptive, None),
        Depth::Budget(tokens) => (Mode::Enabled(tokens), None),
        Depth::Effort(word) => match word.decode().as_ref() {
            "none" => (Mode::Disabled, None),
            "minimal" | "low" => (Mode::Adaptive, Some("low")),
            "medium" => (Mode::Adaptive, Some("medium")),
            "high" => (Mode::Adaptive, Some("high")),
            "xhigh" => (Mode::Adaptive, Some("xhigh")),
            "max" => (Mode::Adaptive, Some("max")),
            _ => {
                written.drop("reasoning.effort");
                (Mode::Unsaid, None)
            }
        },
    }
}

/// Whether the last thing said are results of tools, so that the model goes on in an earlier turn.
fn continues_a_call(request: &Request<'_>) -> bool {
    let last = request.turns.last();
    last.is_some_and(|turn| turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_))))
}

fn max_tokens(asked: Option<Limit<'_>>, mode: Mode, output_limit: u64, written: &mut Written) -> u64 {
    match (asked, output_limit, mode) {
        (Some(limit), 0, _) => limit.tokens,
        (Some(limit), most, _) if limit.tokens > most => {
            written.drop(&limit.name.decode());
            most
        }
        (Some(limit), _, _) => limit.tokens,
        (None, 0, Mode::Enabled(budget)) => super::write::DEFAULT_MAX_TOKENS.saturating_add(budget),
        (None, 0, _) => super::write::DEFAULT_MAX_TOKENS,
        (None, most, _) => most,
    }
}

/// A budget of at least [`MIN_BUDGET`] and below the limit of tokens; half of the limit where it does not fit.
fn fit(budget: u64, max_tokens: u64, written: &mut Written) -> Mode {
    if max_tokens <= MIN_BUDGET {
        written.drop("reasoning");
        return Mode::Unsaid;
    }
    let fitting = match budget {
        0..MIN_BUDGET => MIN_BUDGET,
        _ if budget >= max_tokens => (max_tokens / 2).max(MIN_BUDGET),
        _ => budget,
    };
    if fitting != budget {
        written.drop("reasoning.budget");
    }
    Mode::Enabled(fitting)
}
