//! The commented example that `dragoman init` writes.

/// A whole settings file with every member in it, all of them commented out: it means the same as no file.
pub const EXAMPLE: &str = include_str!("example.toml");
