//! One direction of one stream through one filter: what Envoy's filter manager does with the answers of callbacks.
//!
//! Limits: no watermarks and no buffer limit; what a filter holds is held whole.

use anyhow::Result;

use super::Vm;
use super::world::{Header, Side};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the provider.
    Request,
    /// Back.
    Response,
}

/// What comes in.
#[derive(Debug, Clone)]
pub enum Piece {
    /// The head; true when nothing follows.
    Head(Vec<Header>, bool),
    /// Bytes of the body; true when nothing follows.
    Body(Vec<u8>, bool),
    /// Trailers, which end it.
    Trailers,
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// With its head.
    Head,
    /// With its last chunk.
    LastChunk,
    /// With a chunk of nothing.
    EmptyChunk,
    /// With trailers.
    Trailers,
    /// Not at all: the one who speaks is reset.
    Breaks,
    /// Not at all: the client leaves.
    Leaves,
}

/// A message in pieces.
pub fn pieces(head: &[Header], chunks: &[Vec<u8>], ends: Ends) -> Vec<Piece> {
    let mut pieces = vec![Piece::Head(head.to_vec(), ends == Ends::Head)];
    if ends == Ends::Head {
        return pieces;
    }
    pieces.extend(chunks.iter().map(|chunk| Piece::Body(chunk.clone(), false)));
    match (ends, pieces.last_mut()) {
        (Ends::Breaks | Ends::Leaves, _) => {}
        (Ends::Trailers, _) => pieces.push(Piece::Trailers),
        (Ends::LastChunk, Some(Piece::Body(_, end))) => *end = true,
        _ => pieces.push(Piece::Body(Vec::new(), true)),
    }
    pieces
}

/// What came out since it was last taken.
#[derive(Debug, Default)]
pub struct Out {
    /// The head, once.
    pub head: Option<Vec<Header>>,
    /// Bytes.
    pub body: Vec<u8>,
    /// Nothing more will come.
    pub ended: bool,
}

/// What the filter said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Held,
    /// Not even the body may come.
    HeldAll,
}

/// The pipe.
#[derive(Debug)]
pub struct Pipe {
    context: u32,
    direction: Direction,
    flow: Flow,
    ended: bool,
    out: Out,
}

impl Pipe {
    /// That direction of that context.
    pub fn new(context: u32, direction: Direction) -> Pipe {
        Pipe { context, direction, flow: Flow::Held, ended: false, out: Out::default() }
    }

    /// Whose it is.
    pub fn context(&self) -> u32 {
        self.context
    }

    /// Puts a piece in.
    ///
    /// # Errors
    /// When the module traps.
    pub fn push(&mut self, vm: &mut Vm, piece: Piece) -> Result<()> {
        if self.flow == Flow::HeldAll {
            return Ok(());
        }
        let (name, count, end) = match piece {
            Piece::Head(head, end) => {
                let count = head.len();
                self.side(vm).head = Some(head);
                ("headers", count, Some(end))
            }
            Piece::Body(chunk, end) => {
                let body = self.side(vm).body.get_or_insert_default();
                body.extend(chunk);
                ("body", body.len(), Some(end))
            }
            Piece::Trailers => {
                self.side(vm).trailers = Some(vec![(b"x-trailer".to_vec(), b"1".to_vec())]);
                ("trailers", 1, None)
            }
        };
        self.ended = end.unwrap_or(true);
        let direction = if self.direction == Direction::Request { "request" } else { "response" };
        let mut arguments = vec![self.context, u32::try_from(count)?];
        arguments.extend(end.map(u32::from));
        let said = vm.call(&format!("proxy_on_{direction}_{name}"), &arguments)?;
        self.side(vm).trailers = None;
        match (said, name) {
            (0, _) => self.release(vm),
            (3, "body") => {
                self.side(vm).body = None;
                self.flow = Flow::Held;
            }
            (4, "headers") => self.flow = Flow::HeldAll,
            _ => self.flow = Flow::Held,
        }
        self.settle(vm);
        Ok(())
    }

    /// Does what the filter asked for outside of this direction's own callbacks.
    pub fn settle(&mut self, vm: &mut Vm) {
        if std::mem::take(&mut self.side(vm).resumed) {
            self.release(vm);
        }
    }

    /// What came out.
    pub fn take(&mut self) -> Out {
        self.out.ended = self.ended && self.flow == Flow::On;
        std::mem::take(&mut self.out)
    }

    /// Whether the filter asked for a reset.
    pub fn is_closed(&self, vm: &mut Vm) -> bool {
        self.side(vm).closed
    }

    fn release(&mut self, vm: &mut Vm) {
        self.flow = Flow::On;
        let side = self.side(vm);
        let (head, body) = (side.head.take(), side.body.take());
        if head.is_some() {
            self.out.head = head;
        }
        self.out.body.extend(body.unwrap_or_default());
    }

    fn side<'v>(&self, vm: &'v mut Vm) -> &'v mut Side {
        let context = vm.world().contexts.entry(self.context).or_default();
        match self.direction {
            Direction::Request => &mut context.request,
            Direction::Response => &mut context.response,
        }
    }
}
