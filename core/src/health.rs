//! How the targets do, as one worker sees it.

mod pulse;

pub use pulse::{FULL, Pulse, Pulses};
