//! Turns put into the service's order: the system prompt apart, user and assistant by turns, results of tools first.

use super::media::Sayable;
use crate::dialect::{THINKING, Written, is_blank};
use crate::hub::{Part, Request, Role, Turn};

/// A conversation in the service's order; what can't be said is not in it.
pub(super) struct Conversation<'r, 'a> {
    /// What the operator says: texts only.
    pub(super) system: Vec<&'r Part<'a>>,
    /// User and assistant by turns.
    pub(super) messages: Vec<Message<'r, 'a>>,
}

/// One or more neighbouring turns of a side.
pub(super) struct Message<'r, 'a> {
    /// Whose.
    pub(super) side: Side,
    /// What is said.
    pub(super) parts: Vec<&'r Part<'a>>,
}

/// Whose message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The person's, and the tools'.
    User,
    /// The model's.
    Assistant,
}

impl<'r, 'a> Conversation<'r, 'a> {
    /// Puts the turns in order and reports what can't be said.
    pub(super) fn of(request: &'r Request<'a>, written: &mut Written) -> Conversation<'r, 'a> {
        let mut conversation = Conversation { system: Vec::new(), messages: Vec::new() };
        for turn in &request.turns {
            written.lose("messages[].", &turn.extra);
            match turn.role {
                Role::System | Role::Developer => conversation.instruct(turn, written),
                Role::User | Role::Tool => conversation.add(Side::User, turn, written),
                Role::Assistant => conversation.add(Side::Assistant, turn, written),
            }
        }
        for message in conversation.messages.iter_mut().filter(|message| message.side == Side::User) {
            // Stable, so both the results and the rest keep their order.
            message.parts.sort_by_key(|part| !matches!(part, Part::ToolResult(_)));
        }
        if conversation.messages.is_empty() && !conversation.system.is_empty() {
            // The service wants a message; elsewhere instructions alone are a request.
            written.approximate("messages[].role");
            let parts = core::mem::take(&mut conversation.system);
            conversation.messages.push(Message { side: Side::User, parts });
        }
        conversation
    }

    fn instruct(&mut self, turn: &'r Turn<'a>, written: &mut Written) {
        for part in &turn.parts {
            match part {
                Part::Text { text, .. } if is_blank(*text) => {}
                Part::Text { .. } => self.system.push(part),
                _ => written.drop_part(part),
            }
        }
    }

    fn add(&mut self, side: Side, turn: &'r Turn<'a>, written: &mut Written) {
        let parts: Vec<_> = turn.parts.iter().filter(|part| can_say(part, side, written)).collect();
        if parts.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.side == side => last.parts.extend(parts),
            _ => self.messages.push(Message { side, parts }),
        }
    }
}

/// Whether a part can be said on that side; reports it when not.
pub(super) fn can_say(part: &Part<'_>, side: Side, written: &mut Written) -> bool {
    let can = match part {
        Part::Text { text, .. } | Part::Refusal(text) if is_blank(*text) => return false,
        // A thought without its proof is refused by the models that give proofs, and by most that do not.
        Part::Thinking(thought) if thought.signature.is_none() => {
            written.approximate(THINKING);
            return false;
        }
        Part::Text { .. } | Part::Refusal(_) => true,
        Part::Media(media) => side == Side::User && Sayable::of(media).is_some(),
        Part::Thinking(_) | Part::ToolCall(_) => side == Side::Assistant,
        Part::ToolResult(_) => side == Side::User,
        Part::Other(_) => false,
    };
    if !can {
        written.drop_part(part);
    }
    can
}
