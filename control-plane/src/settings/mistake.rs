//! What is wrong with a settings file, and where.

use std::fmt;

/// One thing wrong, with its place and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Mistake {
    /// A mistake at a byte offset of `text`.
    pub fn at(text: &str, offset: usize, message: impl Into<String>) -> Mistake {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Mistake {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: message.into(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Every mistake of one file, in the order of their places; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The file's name as the operator gave it.
    pub file: String,
    /// What is wrong.
    pub list: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len();
        write!(out, "{count} mistake{} in {}", if count == 1 { "" } else { "s" }, self.file)?;
        self.list.iter().try_for_each(|mistake| write!(out, "\n  {}:{mistake}", self.file))
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let text = "a = 1\nbé = 2\n";
        assert_eq!(Mistake::at(text, 0, "m").to_string(), "1:1: m");
        assert_eq!(Mistake::at(text, text.find("= 2").unwrap(), "m").to_string(), "2:4: m");
        assert_eq!(Mistake::at(text, 999, "m").line, 3);
    }
}
