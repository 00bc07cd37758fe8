//! What an attempt took: as reported, doubted where it cannot be, and estimated where nobody said it.
//!
//! | How it ended | Estimate |
//! |---|---|
//! | answered, and all was reported | none, unless the report is implausible |
//! | answered, something was not reported | that |
//! | broke off, or the client left | what was seen, where it is more than what was reported so far |
//! | a good head and then nothing | the input: the provider had read it |
//! | no head for [`SURELY_SENT_MS`] | the input: a connection that fails does so sooner, so the request was on its way |
//! | the client left before a head | the input: the request was probably on its way |
//! | a no, or no connection | none |
//!
//! What is estimated is never below what was reported. Only answers and vectors are estimated: nobody knows what a file takes.

use super::{Attempt, State};
use crate::catalog::Operation;
use crate::estimate::{self, Estimate, Ink};
use crate::exchange::Asked;
use crate::interpret::Interpreter;
use crate::record::{Ending, Outcome};
use crate::usage::Usage;

/// An attempt that waits so long for a head has sent its request: connecting takes two seconds unless an operator says otherwise.
pub(crate) const SURELY_SENT_MS: u64 = 5_000;

/// Bytes of a request to one reported token of input, from which on it is asked whether that can be. Plain text has four to six,
/// and media make it more without being at fault.
const BYTES_TO_DOUBT: u64 = 10;

/// What is known of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    /// As the provider reported it.
    pub(super) usage: Usage,
    /// Tokens of output that were seen.
    pub(super) seen: u64,
}

impl Counted {
    /// What is known of an answer that is said anew.
    pub(super) fn of(interpreter: &Interpreter) -> Counted {
        Counted { usage: interpreter.usage(), seen: interpreter.output_seen() }
    }

    /// What was reported of an answer that nobody looked into.
    pub(super) fn reported(usage: Usage) -> Counted {
        Counted { usage, seen: 0 }
    }
}

impl Attempt {
    /// The last word on what it took. Called when the ending is known.
    pub(super) fn settle(&mut self) {
        let Usage { input, output, .. } = self.outcome.usage;
        let generates = self.asked.endpoint.operation == Operation::Generate;
        if !generates && self.asked.endpoint.operation != Operation::Embed {
            self.outcome.usage.suspect |= self.outcome.usage.contradicts_itself();
            return;
        }
        let low_output = output.is_some_and(|output| estimate::is_implausible(output, self.seen));
        let low_input = input.and_then(|input| self.low_input(input));
        let usage = &mut self.outcome.usage;
        usage.suspect |= usage.contradicts_itself() || low_output || low_input.is_some();
        if !self.may_be_billed() {
            return;
        }
        let fills_output = match output {
            None => generates && self.outcome.ending != Ending::Silent,
            Some(output) => low_output || (self.outcome.ending != Ending::Answered && output < self.seen),
        };
        if input.is_some() && !fills_output && low_input.is_none() {
            return;
        }
        let read = low_input.or(input).unwrap_or_else(|| input_of(&self.asked));
        let estimate = Estimate { input: read, output: output.unwrap_or(0).max(self.seen) };
        self.outcome.estimate = Some(estimate).filter(|estimate| *estimate != Estimate::default());
    }

    /// Whether the provider may take something for it.
    fn may_be_billed(&self) -> bool {
        match self.outcome.ending {
            Ending::Answered | Ending::Broken | Ending::Abandoned | Ending::Outrun => true,
            Ending::Silent => match self.outcome.status {
                0 => self.outcome.total_ms >= SURELY_SENT_MS,
                status => (200..300).contains(&status),
            },
            Ending::Refused | Ending::Retriable => false,
        }
    }

    /// The estimate of an input that was reported too low.
    fn low_input(&self, input: u64) -> Option<u64> {
        let bytes = self.asked.content.bytes().len() as u64;
        let is_doubtful = bytes > input.saturating_mul(BYTES_TO_DOUBT);
        let estimated = is_doubtful.then(|| input_of(&self.asked))?;
        Some(estimated).filter(|estimated| *estimated >= LARGE && estimate::is_implausible(input, *estimated))
    }
}

/// Inputs estimated at fewer tokens are not doubted: what stands besides the words is a part of them that differs.
const LARGE: u64 = 2_000;

/// The client left before anything was heard: nobody knows whether the provider has read the request, so it is taken to have.
/// Else whoever leaves soon enough would pay nothing for what the provider bills.
pub(crate) fn left_unheard(asked: &Asked, outcome: &mut Outcome) {
    let read = matches!(asked.endpoint.operation, Operation::Generate | Operation::Embed);
    if read && outcome.status == 0 && outcome.estimate.is_none() {
        let estimate = Estimate { input: input_of(asked), output: 0 };
        outcome.estimate = Some(estimate).filter(|estimate| *estimate != Estimate::default());
    }
}

/// About how many tokens of input were asked to be read.
fn input_of(asked: &Asked) -> u64 {
    match asked.endpoint.operation {
        Operation::Generate => asked.bounds.words,
        _ => {
            let mut ink = Ink::default();
            ink.json(asked.content.json().as_str());
            ink.tokens()
        }
    }
}

impl State {
    /// What is known of the answer at hand.
    pub(super) fn counted(&self) -> Counted {
        match self {
            State::Gate(gate) => gate.counted(),
            State::Relaying(relay) => relay.counted(),
            State::Interpreting(interpreter) => Counted::of(interpreter),
            _ => Counted::default(),
        }
    }
}
