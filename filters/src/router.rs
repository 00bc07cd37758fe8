//! The downstream filter.

use crate::dispatch::Stream;

/// The downstream filter.
#[derive(Debug)]
pub struct Router;

impl Router {
    /// A new stream, named `id` by the host.
    pub fn new(_id: u32) -> Self {
        Router
    }
}

impl Stream for Router {}
