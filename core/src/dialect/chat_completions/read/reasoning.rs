//! Reads how much to think. OpenAI has one member for it, compatible servers have more:
//!
//! | member | whose |
//! |---|---|
//! | `"reasoning_effort": "low"` | OpenAI's, and most others' |
//! | `"reasoning": {"effort": "low", "exclude": true}`, `{"max_tokens": 1024}`, `{"enabled": true}` | OpenRouter's |
//! | `"thinking": {"type": "enabled", "budget_tokens": 1024}`, `disabled`, `adaptive` | DeepSeek's, Z.ai's |
//! | `"enable_thinking": true` | Alibaba's, GPUStack's |
//!
//! The first one counts; a second one, or one of another form, is kept raw.

use crate::dialect::chat_completions::mark::Mark;
use crate::hub::{Depth, Reasoning, Request};
use crate::json::{Json, Text};

/// What a member says, and the mark by which it is written again.
struct Said<'a> {
    depth: Depth<'a>,
    shown: Option<bool>,
    mark: Option<Mark>,
}

/// Takes a member about thinking; false when it has another form or something else was said before.
pub(super) fn take<'a>(request: &mut Request<'a>, name: &str, value: Json<'a>) -> bool {
    if request.reasoning.is_some() {
        return false;
    }
    let said = match name {
        "reasoning_effort" => value.text().map(|word| Said { depth: effort(word), shown: None, mark: None }),
        "reasoning" => object(value),
        "thinking" => thinking(value),
        "enable_thinking" => {
            let depth = value.bool().map(|on| if on { Depth::Adaptive } else { Depth::Off });
            depth.map(|depth| Said { depth, shown: None, mark: Some(Mark::EnableThinking) })
        }
        _ => None,
    };
    let Some(Said { depth, shown, mark }) = said else { return false };
    request.reasoning = Some(Reasoning { depth, shown, extra: Vec::new() });
    if let Some(mark) = mark {
        mark.put(&mut request.extra);
    }
    true
}

fn effort(word: Text<'_>) -> Depth<'_> {
    if word.is("none") { Depth::Off } else { Depth::Effort(word) }
}

/// A whole number in its plain spelling, which is the one that is written.
fn number(value: Json<'_>) -> Option<u64> {
    value.u64().filter(|number| number.to_string() == value.as_str())
}

fn object(value: Json<'_>) -> Option<Said<'_>> {
    let (mut depth, mut mark, mut shown) = (Depth::Unsaid, Mark::EnabledInside, None);
    for (name, value) in value.members() {
        match (name.decode().as_ref(), depth) {
            ("effort", Depth::Unsaid) => (depth, mark) = (effort(value.text()?), Mark::EffortInside),
            ("max_tokens", Depth::Unsaid) => (depth, mark) = (Depth::Budget(number(value)?), Mark::BudgetInside),
            ("enabled", Depth::Unsaid) => depth = if value.bool()? { Depth::Adaptive } else { Depth::Off },
            ("exclude", _) => shown = Some(!value.bool()?),
            _ => return None,
        }
    }
    let said = depth != Depth::Unsaid || shown.is_some();
    said.then_some(Said { depth, shown, mark: Some(mark) })
}

fn thinking(value: Json<'_>) -> Option<Said<'_>> {
    let (mut word, mut budget) = (None, None);
    for (name, value) in value.members() {
        match name.decode().as_ref() {
            "type" => word = Some(value.text()?),
            "budget_tokens" => budget = Some(number(value)?),
            _ => return None,
        }
    }
    let (depth, mark) = match (word?.decode().as_ref(), budget) {
        ("disabled", None) => (Depth::Off, Mark::Thinking),
        ("enabled", None) => (Depth::Adaptive, Mark::Thinking),
        ("enabled", Some(tokens)) => (Depth::Budget(tokens), Mark::Thinking),
        ("adaptive", None) => (Depth::Adaptive, Mark::ThinkingAdaptive),
        _ => return None,
    };
    Some(Said { depth, shown: None, mark: Some(mark) })
}
