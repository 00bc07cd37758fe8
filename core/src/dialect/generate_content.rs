//! Being written.
/// Being written.
pub struct GenerateContent;
