//! Words of the operator's at the end of an answer.
//!
//! Which words are the last is known only when the answer stops, so the end of every text is held until what comes next is known.
//! An answer that waits for results of tools, was withheld or is not complete has no end to say something at. Nothing is said twice,
//! and what is said belongs to the last text, or is one of its own where the answer ends with something else.

use crate::hub::event::{Block, Event, StopReason};
use crate::json::Text;
use crate::json::write::escape_into;
use crate::usage::Usage;

/// What is to be said, and what is held meanwhile.
#[derive(Debug)]
pub(super) enum Closing {
    /// Nothing is to be said.
    Silent,
    /// This.
    Says(Box<Saying>),
}

#[derive(Debug)]
pub(super) struct Saying {
    /// Escaped.
    text: String,
    open: Open,
    usage: Option<Usage>,
}

/// What is open in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// No block of text.
    Other,
    /// A block of text.
    Text,
    /// A block of text whose end is held.
    Held,
}

impl Closing {
    pub(super) fn with(text: Option<&str>) -> Closing {
        let Some(plain) = text.filter(|text| !text.is_empty()) else { return Closing::Silent };
        let mut text = String::with_capacity(plain.len());
        escape_into(plain, &mut text);
        Closing::Says(Box::new(Saying { text, open: Open::Other, usage: None }))
    }

    /// Passes an event on, perhaps later, perhaps with others before it.
    pub(super) fn pass(&mut self, event: &Event<'_>, say: &mut dyn FnMut(&Event<'_>)) {
        let Closing::Says(saying) = self else { return say(event) };
        let Saying { text, open, usage } = saying.as_mut();
        match event {
            Event::Close if *open == Open::Text => *open = Open::Held,
            Event::Usage(counts) => *usage = Some(*counts),
            Event::Open(block) => {
                if *open == Open::Held {
                    say(&Event::Close);
                }
                *open = if *block == Block::Text { Open::Text } else { Open::Other };
                say(event);
                if matches!(block, Block::ToolCall { .. }) {
                    // The answer goes on when the tool has spoken.
                    *self = Closing::Silent;
                }
            }
            Event::Stop(stop) => {
                if matches!(
                    stop.reason,
                    StopReason::End | StopReason::Sequence | StopReason::Length | StopReason::Other
                ) {
                    if *open != Open::Held {
                        say(&Event::Open(Block::Text));
                        *open = Open::Held;
                    }
                    say(&Event::Delta(Text::escaped(text)));
                }
                Closing::release(open, usage, say);
                say(event);
            }
            Event::Error(_) => {
                Closing::release(open, usage, say);
                say(event);
            }
            _ => say(event),
        }
    }

    /// Says what was held.
    fn release(open: &mut Open, usage: &mut Option<Usage>, say: &mut dyn FnMut(&Event<'_>)) {
        if core::mem::replace(open, Open::Other) == Open::Held {
            say(&Event::Close);
        }
        if let Some(counts) = usage.take() {
            say(&Event::Usage(counts));
        }
    }
}
