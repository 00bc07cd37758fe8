//! Being written.
/// Being written.
pub struct Messages;
