//! A client's own trace (W3C Trace Context), so that an exchange is found from the application's side.
//!
//! ```
//! use dragoman_core::record::Trace;
//! let trace = Trace::read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
//! assert_eq!((trace.id, trace.parent, trace.flags), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01"));
//! assert_eq!(Trace::read("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
//! ```

use core::fmt;

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace<'a> {
    /// The trace: 32 hexadecimal digits in lower case, not all of them zero.
    pub id: &'a str,
    /// The client's span: 16 such digits.
    pub parent: &'a str,
    /// Two such digits; the last bit says that the client keeps its trace.
    pub flags: &'a str,
}

impl<'a> Trace<'a> {
    /// Reads a header's value; `None` when it is none. A later version may say more, which is left out.
    pub fn read(value: &'a str) -> Option<Trace<'a>> {
        let mut parts = value.split('-');
        let version = hex(parts.next()?, 2)?;
        let id = hex(parts.next()?, 32).filter(|id| !is_zero(id))?;
        let parent = hex(parts.next()?, 16).filter(|parent| !is_zero(parent))?;
        let flags = hex(parts.next()?, 2)?;
        let says_more = parts.next().is_some();
        (version != "ff" && (version != "00" || !says_more)).then_some(Trace { id, parent, flags })
    }
}

impl fmt::Display for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{}", self.id, self.parent, self.flags)
    }
}

fn hex(digits: &str, length: usize) -> Option<&str> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (digits.len() == length && digits.bytes().all(is_digit)).then_some(digits)
}

fn is_zero(digits: &str) -> bool {
    digits.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_is_written_as_it_was_read() {
        assert_eq!(Trace::read(GOOD).unwrap().to_string(), GOOD);
        let later = GOOD.replacen("00", "42", 1) + "-more";
        assert_eq!(Trace::read(&later).unwrap().to_string(), GOOD, "a later version says more");
    }

    #[test]
    fn nonsense_is_no_trace() {
        let cases = [
            String::new(),
            GOOD.to_uppercase(),
            GOOD.replacen("00-", "ff-", 1),
            GOOD.replace("00f067aa0ba902b7", "0000000000000000"),
            GOOD.replace("-01", ""),
            GOOD.replace("-01", "-1"),
            format!("{GOOD}-more"),
            GOOD.replace("4bf9", "4bg9"),
        ];
        for case in cases {
            assert_eq!(Trace::read(&case), None, "{case:?}");
        }
    }
}
