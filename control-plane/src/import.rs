//! Configurations of other gateways, said in the words of `dragoman.toml`.
//!
//! What can be said is written, what can't is listed with its reason; nothing is left out without a word. No secret is copied:
//! the settings file names variables of the environment, and so does what is written here. Which prefix means which row stands
//! in `catalog/litellm.toml`.

mod litellm;
mod prefixes;
mod rows;
mod target;
mod words;

pub use litellm::{MAX_TEXT, litellm};

/// A configuration, imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// A settings file that reads without mistakes.
    pub toml: String,
    /// Every setting that was not carried over as it stood: its path, and why.
    pub notes: Vec<String>,
}

/// What is to be said of the settings that were not carried over.
#[derive(Debug, Default)]
struct Notes(Vec<String>);

impl Notes {
    fn say(&mut self, path: &str, why: &str) {
        self.0.push(format!("{path}: {why}"));
    }
}

/// As much of a stranger's word as a sentence may repeat.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
