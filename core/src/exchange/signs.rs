//! What a request shows of which model it is for, where its route leaves that to the request.

use super::affinity;
use crate::features::Features;
use crate::hub::{Part, Request, Role, ToolChoice};
use crate::preferences::Preferences;
use crate::select::choose::Wanted;

/// What a request shows.
#[derive(Clone, Debug)]
pub(crate) struct Signs {
    /// Its numbers.
    pub(crate) features: Features,
    /// The number of its conversation.
    pub(crate) conversation: u64,
    /// Whether it goes on with one that began before.
    pub(crate) goes_on: bool,
    /// Whether it leaves open how much is thought about it, and nothing of it forbids thought.
    pub(crate) is_open: bool,
    /// What it says itself.
    pub(crate) wanted: Wanted,
}

impl Signs {
    /// Those of a request.
    pub(crate) fn of(request: &Request<'_>, preferences: &Preferences) -> Signs {
        Signs {
            features: Features::of(request),
            conversation: affinity::prefix(request),
            goes_on: request.turns.iter().any(|turn| turn.role == Role::Assistant),
            is_open: is_open(request),
            wanted: Wanted { alpha: preferences.alpha, bucket: preferences.bucket },
        }
    }
}

/// Providers refuse thought beside a forced call and sampling numbers, and in the midst of a turn that began without any.
fn is_open(request: &Request<'_>) -> bool {
    let sampling = &request.sampling;
    let is_forced = matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_) | ToolChoice::Other(_)));
    let goes_on = request.turns.last().is_some_and(|turn| {
        turn.role == Role::Tool || turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_)))
    });
    let is_sampled = [sampling.temperature, sampling.top_p, sampling.top_k].iter().any(Option::is_some);
    request.reasoning.is_none() && !is_forced && !goes_on && !is_sampled
}
