//! Being written.
/// Being written.
pub struct ChatCompletions;
