//! The upstream filter, once per attempt.

use crate::dispatch::Stream;

/// The upstream filter, once per attempt.
#[derive(Debug)]
pub struct Translator;

impl Translator {
    /// A new stream, named `id` by the host.
    pub fn new(_id: u32) -> Self {
        Translator
    }
}

impl Stream for Translator {}
