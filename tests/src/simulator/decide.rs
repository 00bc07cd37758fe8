//! From a request and the reply meant for it to the steps a connection plays.

use std::time::Duration;

use super::Shared;
use super::journal::{Received, Tokens};
use super::persona::Production;
use super::reply::{Cuts, Fault, Framing, Place, Reply, Source, Wait};

/// One thing a connection does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send the head.
    Head,
    /// Send these body bytes as one write.
    Bytes(Vec<u8>),
    /// Send nothing.
    Pause(Wait),
    /// Close the connection in order; nothing follows.
    Cut,
    /// Reset; nothing follows.
    Reset,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub framing: Framing,
}

/// Everything a connection must know to play one answer.
pub(super) struct Performance {
    /// `None`: the bytes are the whole answer, head included.
    pub head: Option<Head>,
    pub steps: Vec<Step>,
    /// The length of the whole body, even where a fault cuts it short: an honest `content-length`.
    pub length: usize,
    pub tokens: Option<Tokens>,
    /// (body offset, output tokens before it), rising.
    marks: Vec<(usize, u64)>,
}

impl Performance {
    /// The output tokens that are wholly in the first `sent` body bytes.
    pub fn output_before(&self, sent: usize) -> u64 {
        self.marks.iter().take_while(|mark| mark.0 <= sent).last().map_or(0, |mark| mark.1)
    }
}

/// Takes the next reply of the script and lets the persona speak where it is meant to.
pub(super) fn decide(shared: &Shared, received: &Received) -> Performance {
    let reply = shared.script().next(received);
    match &reply.source {
        Source::Raw(bytes) => {
            let body = Body::of(vec![(bytes.clone(), 0)]);
            let steps = arrange(&reply, &body, None);
            Performance { head: None, steps, length: bytes.len(), tokens: None, marks: Vec::new() }
        }
        Source::Fixed { status, headers, body } => {
            let body = Body::of(vec![(body.clone(), 0)]);
            perform(&reply, *status, headers.clone(), body, None)
        }
        Source::Persona => {
            let Production { status, headers, pieces, tokens } = shared.persona.answer(received);
            let headers = headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
            let body = Body::of(pieces.into_iter().map(|piece| (piece.bytes, piece.tokens)).collect());
            perform(&reply, status, headers, body, tokens)
        }
    }
}

fn perform(
    reply: &Reply,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
    tokens: Option<Tokens>,
) -> Performance {
    let streamed =
        headers.iter().any(|(name, value)| name == "content-type" && value.starts_with(b"text/event-stream"));
    let framing =
        reply.framing.unwrap_or(if streamed || body.ends.len() > 1 { Framing::Chunked } else { Framing::Length });
    let head = Head { status, headers, framing };
    let steps = arrange(reply, &body, Some(Step::Head));
    let length = match &reply.fault {
        Some((place, Fault::EndWith(bytes))) => body.offset(*place) + bytes.len(),
        _ => body.bytes.len(),
    };
    Performance { head: Some(head), steps, length, tokens, marks: body.marks() }
}

/// A body and where its pieces end.
struct Body {
    bytes: Vec<u8>,
    /// (offset behind a piece, output tokens in it).
    ends: Vec<(usize, u64)>,
}

impl Body {
    fn of(pieces: Vec<(Vec<u8>, u64)>) -> Self {
        let mut body = Self { bytes: Vec::new(), ends: Vec::new() };
        for (piece, tokens) in pieces {
            body.bytes.extend(piece);
            body.ends.push((body.bytes.len(), tokens));
        }
        body
    }

    fn marks(&self) -> Vec<(usize, u64)> {
        let mut sum = 0;
        let add = |&(end, tokens): &(usize, u64)| {
            sum += tokens;
            (end, sum)
        };
        self.ends.iter().map(add).collect()
    }

    fn offset(&self, place: Place) -> usize {
        match place {
            Place::BeforeHead | Place::Piece(0) => 0,
            Place::Byte(offset) => offset.min(self.bytes.len()),
            Place::Piece(count) => self.ends.get(count - 1).map_or(self.bytes.len(), |end| end.0),
        }
    }

    fn cuts(&self, cuts: &Cuts) -> Vec<usize> {
        match cuts {
            Cuts::AsMade => self.ends.iter().map(|end| end.0).collect(),
            Cuts::At(offsets) => offsets.clone(),
            Cuts::Every(step) => (*step..self.bytes.len()).step_by(*step).collect(),
        }
    }
}

fn arrange(reply: &Reply, body: &Body, head: Option<Step>) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some((Place::BeforeHead, fault)) = &reply.fault
        && !go_wrong(fault, &mut steps)
    {
        return steps;
    }
    steps.extend(head);
    let fault = reply.fault.as_ref().filter(|(place, _)| *place != Place::BeforeHead);
    let fault = fault.map(|(place, fault)| (body.offset(*place), fault));
    let mut cuts = body.cuts(&reply.cuts);
    cuts.extend(fault.map(|(offset, _)| offset));
    cuts.push(body.bytes.len());
    cuts.sort_unstable();
    cuts.dedup();
    let mut start = 0;
    for cut in cuts {
        let piece = body.bytes.get(start..cut).unwrap_or_default();
        if !piece.is_empty() {
            if start > 0 && reply.between > Duration::ZERO {
                steps.push(Step::Pause(Wait::For(reply.between)));
            }
            steps.push(Step::Bytes(piece.to_vec()));
            start = cut;
        }
        if let Some((offset, fault)) = fault
            && offset == cut
            && !go_wrong(fault, &mut steps)
        {
            return steps;
        }
    }
    steps
}

/// Adds the fault; says whether anything may follow it.
fn go_wrong(fault: &Fault, steps: &mut Vec<Step>) -> bool {
    match fault {
        Fault::Stall(wait) => steps.push(Step::Pause(*wait)),
        Fault::Cut => steps.push(Step::Cut),
        Fault::Reset => steps.push(Step::Reset),
        Fault::EndWith(bytes) => steps.push(Step::Bytes(bytes.clone())),
    }
    matches!(fault, Fault::Stall(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(reply: &Reply, pieces: &[&str]) -> Vec<Step> {
        let body = Body::of(pieces.iter().map(|piece| (piece.as_bytes().to_vec(), 1)).collect());
        arrange(reply, &body, Some(Step::Head))
    }

    fn bytes(text: &str) -> Step {
        Step::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn cuts_and_faults_fall_where_the_reply_says() {
        let pause = Duration::from_millis(5);
        let forever = Fault::Stall(Wait::Forever);
        let cases = [
            (Reply::persona(), vec![Step::Head, bytes("one "), bytes("two")]),
            (Reply::persona().cut_at([2, 6]), vec![Step::Head, bytes("on"), bytes("e tw"), bytes("o")]),
            (Reply::persona().cut_every(3), vec![Step::Head, bytes("one"), bytes(" tw"), bytes("o")]),
            (Reply::persona().after_pieces(1, Fault::Cut), vec![Step::Head, bytes("one "), Step::Cut]),
            (Reply::persona().after_bytes(2, Fault::Reset), vec![Step::Head, bytes("on"), Step::Reset]),
            (Reply::persona().after_bytes(0, Fault::Cut), vec![Step::Head, Step::Cut]),
            (Reply::persona().after_bytes(99, Fault::Cut), vec![Step::Head, bytes("one "), bytes("two"), Step::Cut]),
            (Reply::reset(), vec![Step::Reset]),
            (
                Reply::persona().after_pieces(1, forever),
                vec![Step::Head, bytes("one "), Step::Pause(Wait::Forever), bytes("two")],
            ),
            (
                Reply::persona().pause_between(pause),
                vec![Step::Head, bytes("one "), Step::Pause(Wait::For(pause)), bytes("two")],
            ),
            (
                Reply::persona().after_pieces(1, Fault::EndWith(b"!".to_vec())),
                vec![Step::Head, bytes("one "), bytes("!")],
            ),
        ];
        for (reply, expected) in cases {
            assert_eq!(steps(&reply, &["one ", "two"]), expected, "{reply:?}");
        }
    }

    #[test]
    fn tokens_count_as_sent_only_when_their_piece_is_whole() {
        let body = Body::of(vec![(b"head".to_vec(), 0), (b"one ".to_vec(), 1), (b"two".to_vec(), 2)]);
        let performance = Performance { head: None, steps: Vec::new(), length: 11, tokens: None, marks: body.marks() };
        for (sent, tokens) in [(0, 0), (4, 0), (7, 0), (8, 1), (10, 1), (11, 3)] {
            assert_eq!(performance.output_before(sent), tokens, "after {sent} bytes");
        }
    }
}
