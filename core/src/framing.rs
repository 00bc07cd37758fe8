//! Bytes in any chunking become whole frames.
//!
//! A provider's answer comes as one document, as server-sent events, as the items of a JSON array or as binary frames; where
//! the network cuts it means nothing. The framers keep what is unfinished and hand out what is whole, so that any split of
//! the same bytes gives the same frames. (A form is a request's, and is whole when it is looked at: [`multipart`].)
//!
//! Limits: [`MAX_FRAME`] bytes per event, item or frame.

pub mod event_stream;
pub mod json_array;
pub mod multipart;
pub mod sse;

pub use event_stream::EventStream;
pub use json_array::JsonArray;
pub use sse::Sse;

/// Largest frame, in bytes: pictures come as base64 in one event. Beyond it the answer is broken rather than the memory full.
pub const MAX_FRAME: usize = 32 << 20;

/// A frame that is not whole grew past [`MAX_FRAME`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;
