//! Header lists as the host writes them: a count, every length, then every text with a zero behind it.
//!
//! ```
//! use dragoman_filters::pairs::{Pairs, encode};
//!
//! let bytes = encode(&[("accept", "*/*")]).unwrap();
//! assert_eq!(Pairs::from(bytes).get("accept"), Some(&b"*/*"[..]));
//! ```
//!
//! Why so: one copy of the whole list and slices of it cost one allocation where a list of strings costs sixty.
//! Names and values are bytes: a client may send 0x80 in a header and nothing here minds.
//!
//! Limits: reading stops at the first entry that does not fit into the list. Writing refuses what the host would
//! silently take for an empty list (more than [`MAX_PAIRS`], more than [`MAX_BYTES`]) and whatever could break out of
//! its line on the wire.

use crate::host::Status;

/// Most entries the host reads; a longer list counts as empty there, which would erase every header.
pub const MAX_PAIRS: usize = 1024;

/// Largest encoded list the host reads, in bytes; same consequence.
pub const MAX_BYTES: usize = 1024 * 1024;

/// A header list, owned as the host wrote it.
#[derive(Debug, Default, Clone)]
pub struct Pairs(Vec<u8>);

impl From<Vec<u8>> for Pairs {
    fn from(bytes: Vec<u8>) -> Self {
        Pairs(bytes)
    }
}

impl Pairs {
    /// Every name (lower case, as the host keeps it) with its value, in order.
    pub fn iter(&self) -> Iter<'_> {
        self.split().unwrap_or_default()
    }

    /// The first value of `name`, which must be in lower case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find_map(|(key, value)| (key == name.as_bytes()).then_some(value))
    }

    /// A copy of every entry, in order.
    pub fn to_vec(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    }

    fn split(&self) -> Option<Iter<'_>> {
        let (count, rest) = self.0.split_first_chunk::<4>()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (lengths, texts) = rest.split_at_checked(count.checked_mul(8)?)?;
        Some(Iter { lengths, texts })
    }
}

/// Walks a [`Pairs`].
#[derive(Debug, Default, Clone)]
pub struct Iter<'a> {
    /// Eight bytes for every entry not yet seen: length of the name, length of the value.
    lengths: &'a [u8],
    /// Their texts.
    texts: &'a [u8],
}

impl<'a> Iter<'a> {
    fn text(&mut self, length: u32) -> Option<&'a [u8]> {
        let (text, rest) = self.texts.split_at_checked(usize::try_from(length).ok()?)?;
        self.texts = rest.get(1..)?;
        Some(text)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[a, b, c, d, e, f, g, h], rest) = self.lengths.split_first_chunk::<8>()?;
        self.lengths = rest;
        let name = self.text(u32::from_le_bytes([a, b, c, d]))?;
        let value = self.text(u32::from_le_bytes([e, f, g, h]))?;
        Some((name, value))
    }
}

/// Writes a header list for the host.
///
/// # Errors
/// [`Status::BadArgument`] for a name or value that may not stand in a header, or a list the host would not read.
pub fn encode<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Result<Vec<u8>, Status> {
    if pairs.len() > MAX_PAIRS {
        return Err(Status::BadArgument);
    }
    let mut out = Vec::new();
    out.extend(length(pairs.len())?);
    for (name, value) in pairs {
        check(name.as_ref(), value.as_ref())?;
        out.extend(length(name.as_ref().len())?);
        out.extend(length(value.as_ref().len())?);
    }
    for (name, value) in pairs {
        for text in [name.as_ref(), value.as_ref()] {
            out.extend_from_slice(text);
            out.push(0);
        }
    }
    if out.len() > MAX_BYTES { Err(Status::BadArgument) } else { Ok(out) }
}

/// Whether this name and value may stand in a header.
///
/// The host does not look in a release build, so a line break in a value would be a second header, or a second request.
///
/// # Errors
/// [`Status::BadArgument`] when they may not.
pub fn check(name: &[u8], value: &[u8]) -> Result<(), Status> {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let rest = name.strip_prefix(b":").unwrap_or(name);
    let name_fits = !rest.is_empty() && rest.iter().all(token);
    let value_fits = value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    if name_fits && value_fits { Ok(()) } else { Err(Status::BadArgument) }
}

fn length(length: usize) -> Result<[u8; 4], Status> {
    u32::try_from(length).map(u32::to_le_bytes).map_err(|_| Status::BadArgument)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: Vec<u8>) -> Vec<(Vec<u8>, Vec<u8>)> {
        Pairs::from(bytes).to_vec()
    }

    #[test]
    fn what_was_written_is_read_back_bytes_beyond_ascii_included() {
        let pairs =
            [(b"x-bytes".to_vec(), vec![0x80, 0xff]), (b":path".to_vec(), b"/".to_vec()), (b"e".to_vec(), vec![])];
        assert_eq!(read(encode(&pairs).unwrap()), pairs);
    }

    #[test]
    fn a_list_cut_anywhere_gives_only_whole_entries_of_the_original() {
        let pairs = [(b"one".to_vec(), b"1".to_vec()), (b"two".to_vec(), b"22".to_vec())];
        let whole = encode(&pairs).unwrap();
        for end in 0..whole.len() {
            let seen = read(whole[..end].to_vec());
            assert_eq!(seen, pairs[..seen.len()], "cut at {end}");
        }
    }

    #[test]
    fn lengths_that_lie_end_the_list() {
        let lie = u32::MAX.to_le_bytes();
        assert_eq!(read([&lie[..], b"rest"].concat()), []);
        assert_eq!(read([&1u32.to_le_bytes()[..], &lie, &lie, b"text"].concat()), []);
    }

    #[test]
    fn a_line_break_never_gets_into_a_header() {
        for (name, value) in
            [("a", "b\r\nc: d"), ("a", "b\nc"), ("a", "b\0"), ("a b", ""), ("", ""), ("a\n", ""), (":", "")]
        {
            assert_eq!(encode(&[(name, value)]), Err(Status::BadArgument), "{name:?} {value:?}");
        }
    }

    #[test]
    fn a_list_the_host_would_take_for_empty_is_refused() {
        assert!(encode(&vec![("a", "b"); MAX_PAIRS]).is_ok());
        assert_eq!(encode(&vec![("a", "b"); MAX_PAIRS + 1]), Err(Status::BadArgument));
        assert_eq!(encode(&[("a", "b".repeat(MAX_BYTES))]), Err(Status::BadArgument));
    }
}
