//! Writes answers for clients: one body at the end, or the dialect's events.
//!
//! ```text
//! created, in_progress,
//!   (output_item.added, (content_part.added, output_text.delta*, output_text.done, content_part.done)*, output_item.done)*,
//! completed | incomplete | failed
//! ```
//!
//! | of the hub | here |
//! |---|---|
//! | neighbouring blocks of words and refusals | the parts of one `message` |
//! | a block of thoughts | a `reasoning` item with one summary; its proof when the client asked for it |
//! | a call of a function | `function_call`, its group taken off the name again |
//! | a call of a `custom` tool | `custom_tool_call` with its words, not JSON |
//! | the token limit, a filter | `incomplete` with the reason |
//! | an error in a stream | `error`, then `response.failed` |
//!
//! Both forms write the items with the same functions (`reply/items`), the response around them too (`reply/response`).

mod items;
mod names;
mod response;
mod stream;

use crate::dialect::{Reply, WriteResponse};
use crate::hub::message::{End, Message};
use crate::hub::{Delivery, Event, Request, StopReason};
use crate::json::Writer;
use items::Form;
use names::Names;
use response::{Head, Outcome};

/// A writer for an answer to `request`.
pub(super) fn writer(request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse> {
    let form = Form { names: Names::of(request), exchange: reply.exchange.clone() };
    let (delivery, head) = (reply.delivery, Head::new(request, reply));
    match delivery {
        Delivery::Whole => Box::new(Whole { head, form, message: Message::default() }),
        Delivery::Streamed | Delivery::StreamedArray => Box::new(stream::Streamed::new(head, form)),
    }
}

/// How an answer ended, in this dialect's words: the response's status and why it is incomplete.
fn outcome(reason: StopReason, message: &Message) -> Outcome {
    let refused = message.blocks.iter().any(|block| block.kind == crate::hub::message::SaidKind::Refusal);
    match reason {
        StopReason::End | StopReason::Sequence | StopReason::ToolCalls | StopReason::Other => Outcome::Completed,
        // The model's own refusal is a complete answer here.
        StopReason::Refused if refused => Outcome::Completed,
        StopReason::Refused | StopReason::MalformedCall => Outcome::Incomplete("content_filter"),
        // A paused turn is not complete, and of the two reasons this one invites to go on.
        StopReason::Length | StopReason::Paused => Outcome::Incomplete("max_output_tokens"),
    }
}

/// A whole answer being written.
struct Whole {
    head: Head,
    form: Form,
    message: Message,
}

impl WriteResponse for Whole {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.message.push(event);
        if let (Event::Stop(_), End::Stopped(reason, _)) = (event, &self.message.end) {
            let outcome = outcome(*reason, &self.message);
            self.head.start(&self.message);
            let mut json = Writer::with_capacity(1024);
            self.head.write(outcome, &self.message, &self.form, &mut json);
            out.extend_from_slice(json.as_str().as_bytes());
        }
    }
}
