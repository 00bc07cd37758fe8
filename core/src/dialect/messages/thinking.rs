//! How much to think: the `thinking` member, and what fits beside it.
//!
//! ```text
//! thinking: {type: disabled} | {type: adaptive, display?} | {type: enabled, budget_tokens, display?}
//! ```
//!
//! With thinking on, the provider refuses a forced tool choice, other temperatures than 1, `top_k`, and `top_p` below 0.95
//! (vendor's extended thinking page); for a request of another dialect the writer gives way where less is lost: a forced tool
//! wins over thinking, thinking wins over sampling numbers.
//!
//! How a model of this dialect is told, by [`ThinkingStyle`]:
//!
//! | asked | words | tokens | not known |
//! |---|---|---|---|
//! | `none` | disabled | disabled | disabled |
//! | `minimal` | adaptive, `low` | 1024 | adaptive, `low` |
//! | `low` | adaptive, `low` | 2048 | adaptive, `low` |
//! | `medium` | adaptive, `medium` | 8192 | adaptive, `medium` |
//! | `high` | adaptive, `high` | 24576 | adaptive, `high` |
//! | `xhigh`, `max` | adaptive, `xhigh`, `max` | 32768 | adaptive, `xhigh`, `max` |
//! | as much as needed | adaptive | 8192 | adaptive |
//! | 0 tokens | disabled | disabled | disabled |
//! | up to 2048 tokens | adaptive, `low` | the number | the number |
//! | up to 12288 | adaptive, `medium` | the number | the number |
//! | above | adaptive, `high` | the number | the number |
//!
//! Every word for a number and number for a word is reported as approximated. Budgets are fitted between [`MIN_BUDGET`] and
//! `max_tokens`. A model that cannot be told is told nothing.

use crate::catalog::ThinkingStyle;
use crate::dialect::{Addressee, Written};
use crate::hub::{Depth, Limit, Part, Reasoning, Request, Role, ToolChoice};
use crate::json::{Json, Text, Writer};

/// The smallest budget the provider takes.
pub const MIN_BUDGET: u64 = 1024;

/// The limit of tokens for a model that thinks as it likes, when nobody said one: thoughts count, and every model that knows
/// this way of thinking takes twice as many.
const ADAPTIVE_MAX_TOKENS: u64 = 32_000;

/// Budgets for words of effort, in tokens.
const BUDGETS: [(&str, u64); 6] =
    [("minimal", MIN_BUDGET), ("low", 2048), ("medium", MEDIUM), ("high", 24_576), ("xhigh", 32_768), ("max", 32_768)];

/// The budget that stands for as much as needed.
const MEDIUM: u64 = 8192;

/// Budgets up to this one are a `low` effort, in tokens.
const MOST_LOW: u64 = 2048;

/// Budgets up to this one are a `medium` effort, in tokens.
const MOST_MEDIUM: u64 = 12_288;

/// How the proof of a thought that is shown to nobody begins within the gateway, so that it goes back in its own form. The
/// proofs of shown thoughts are base64 and have no colon.
pub(super) const REDACTED: &str = "redacted_thinking:";

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
    style: ThinkingStyle,
}

impl Plan {
    /// Whether the model will think, so that sampling must give way.
    pub(super) fn thinks(&self) -> bool {
        matches!(self.mode, Mode::Adaptive | Mode::Enabled(_))
    }

    /// Whether the model may refuse every sampling number: the newest that are told by words do, and the vendor's own SDK no
    /// longer has the members.
    pub(super) fn samples_as_it_likes(&self) -> bool {
        self.style == ThinkingStyle::Words
    }
}

/// Decides on thinking and on the limit of tokens, which depend on each other.
pub(super) fn plan(request: &Request<'_>, to: Addressee<'_>, written: &mut Written) -> Plan {
    let (mode, effort) =
        request.reasoning.as_ref().map_or((Mode::Unsaid, None), |reasoning| wish(reasoning, to.thinking, written));
    let shown = request.reasoning.as_ref().and_then(|reasoning| reasoning.shown);
    let mut plan = Plan { mode, effort, shown, max_tokens: 0, style: to.thinking };
    let forced = matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_)));
    let lacks_thoughts = matches!(plan.mode, Mode::Enabled(_)) && !continues_its_thoughts(request);
    if plan.thinks() && (forced || lacks_thoughts) {
        written.approximate("reasoning");
        if plan.effort.is_some() {
            written.approximate("reasoning.effort");
        }
        (plan.mode, plan.effort) = (Mode::Unsaid, None);
    }
    plan.max_tokens = max_tokens(request.max_tokens, plan.mode, to.output_limit, written);
    if let Mode::Enabled(budget) = plan.mode {
        plan.mode = fit(budget, plan.max_tokens, written);
    }
    if plan.shown.is_some() && !plan.thinks() {
        written.approximate("reasoning.shown");
    }
    plan
}

/// What is asked for, in the form that the model takes.
fn wish(reasoning: &Reasoning<'_>, style: ThinkingStyle, written: &mut Written) -> (Mode, Option<&'static str>) {
    super::hints::note_as_hints("reasoning.", &reasoning.extra, written);
    let asked = match reasoning.depth {
        Depth::Unsaid if reasoning.shown != Some(true) => return (Mode::Unsaid, None),
        Depth::Unsaid => Depth::Adaptive,
        Depth::Budget(0) => Depth::Off,
        Depth::Effort(word) if word.is("none") => Depth::Off,
        depth => depth,
    };
    if style == ThinkingStyle::Never {
        written.approximate("reasoning");
        return (Mode::Unsaid, None);
    }
    match (asked, style) {
        (Depth::Off, _) => (Mode::Disabled, None),
        (Depth::Adaptive | Depth::Unsaid, ThinkingStyle::Tokens) => {
            written.approximate("reasoning");
            (Mode::Enabled(MEDIUM), None)
        }
        (Depth::Adaptive | Depth::Unsaid, _) => (Mode::Adaptive, None),
        (Depth::Budget(tokens), ThinkingStyle::Words) => {
            written.approximate("reasoning.budget");
            (Mode::Adaptive, Some(word_of(tokens)))
        }
        (Depth::Budget(tokens), _) => (Mode::Enabled(tokens), None),
        (Depth::Effort(word), style) => effort(word, style, written),
    }
}

fn effort(word: Text<'_>, style: ThinkingStyle, written: &mut Written) -> (Mode, Option<&'static str>) {
    let word = word.decode();
    let Some((known, budget)) = BUDGETS.into_iter().find(|(known, _)| *known == word) else {
        // A word that this dialect does not have: the model decides.
        written.approximate("reasoning.effort");
        return match style {
            ThinkingStyle::Tokens => (Mode::Enabled(MEDIUM), None),
            _ => (Mode::Adaptive, None),
        };
    };
    match (style, known) {
        (ThinkingStyle::Tokens, _) => {
            written.approximate("reasoning.effort");
            (Mode::Enabled(budget), None)
        }
        (_, "minimal") => {
            written.approximate("reasoning.effort");
            (Mode::Adaptive, Some("low"))
        }
        (_, known) => (Mode::Adaptive, Some(known)),
    }
}

fn word_of(tokens: u64) -> &'static str {
    match tokens {
        tokens if tokens <= MOST_LOW => "low",
        tokens if tokens <= MOST_MEDIUM => "medium",
        _ => "high",
    }
}

/// Whether the model may go on with a budget: a turn whose calls are being answered must begin with its own signed thoughts.
fn continues_its_thoughts(request: &Request<'_>) -> bool {
    if !continues_a_call(request) {
        return true;
    }
    let called = |part: &Part<'_>| matches!(part, Part::ToolCall(_));
    let turn = request.turns.iter().rposition(|turn| turn.parts.iter().any(called));
    let said = turn.and_then(|turn| request.turns.get(..=turn)).unwrap_or_default();
    // Neighbouring turns of the model are one turn to the provider.
    let own = said.iter().rev().take_while(|turn| turn.role == Role::Assistant);
    own.last()
        .is_some_and(|turn| matches!(turn.parts.first(), Some(Part::Thinking(thought)) if thought.signature.is_some()))
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
            // More than the model ever says: nothing is lost.
            written.approximate(&limit.name.decode());
            most
        }
        (Some(limit), _, _) => limit.tokens,
        (None, 0, Mode::Enabled(budget)) => super::write::DEFAULT_MAX_TOKENS.saturating_add(budget),
        (None, 0, Mode::Adaptive) => ADAPTIVE_MAX_TOKENS,
        (None, 0, _) => super::write::DEFAULT_MAX_TOKENS,
        (None, most, _) => most,
    }
}

/// A budget of at least [`MIN_BUDGET`] and below the limit of tokens; half of the limit where it does not fit.
fn fit(budget: u64, max_tokens: u64, written: &mut Written) -> Mode {
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
    Mode::Enabled(fitting)
}
