//! One field of a `multipart/form-data` body (RFC 7578), found without reading the files beside it.
//!
//! ```
//! use dragoman_core::framing::multipart;
//! let body = b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b--\r\n";
//! let boundary = multipart::boundary("multipart/form-data; boundary=b").unwrap();
//! let place = multipart::field(body, boundary, "model").unwrap();
//! assert_eq!(&body[place], b"whisper-1");
//! ```
//!
//! Limits: a part's head is at most [`MAX_HEAD`] bytes; a form has at most [`MAX_PARTS`] parts.

use core::ops::Range;

/// Longest head of a part, in bytes: two or three short headers.
pub const MAX_HEAD: usize = 4096;

/// Most parts that are looked at: the forms of the known APIs have about ten members.
pub const MAX_PARTS: usize = 256;

/// Longest boundary, in bytes (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The boundary that a content type names.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty() && value.len() <= MAX_BOUNDARY).then_some(value)
}

/// Where the value of the first field of that name stands. `None` when there is none, or when the body is not such a form.
pub fn field(body: &[u8], boundary: &str, name: &str) -> Option<Range<usize>> {
    let delimiter = format!("--{boundary}");
    let finder = memchr::memmem::Finder::new(delimiter.as_bytes());
    let mut at = finder.find(body)? + delimiter.len();
    for _ in 0..MAX_PARTS {
        let part = body.get(at..)?.strip_prefix(b"\r\n")?;
        let begin = at + 2;
        let window = part.get(..part.len().min(MAX_HEAD))?;
        let head_end = memchr::memmem::find(window, b"\r\n\r\n")?;
        let (head, value) = (part.get(..head_end)?, begin + head_end + 4);
        let end = value + finder.find(body.get(value..)?)?;
        let value = value..end.checked_sub(2).filter(|end| *end >= value)?;
        if names(head, name) && body.get(value.end..end) == Some(b"\r\n") {
            return Some(value);
        }
        at = end + delimiter.len();
    }
    None
}

/// Whether a part's head says that it is the field of that name.
fn names(head: &[u8], wanted: &str) -> bool {
    let Ok(head) = core::str::from_utf8(head) else { return false };
    head.split("\r\n").any(|line| {
        let Some((header, value)) = line.split_once(':') else { return false };
        header.trim().eq_ignore_ascii_case("content-disposition")
            && value.split(';').filter_map(|parameter| parameter.trim().split_once('=')).any(|(name, value)| {
                name.trim().eq_ignore_ascii_case("name") && value.trim().trim_matches('"') == wanted
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORM: &[u8] = b"preamble\r\n--x y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a model.wav\"\r\n\
        Content-Type: audio/wav\r\n\r\n\x00\xff\r\nmodel--x\r\n--x y\r\ncontent-disposition: form-data; name=model\r\n\r\n\
        whisper-1\r\n--x y--\r\n";

    #[test]
    fn a_field_is_found_behind_a_file() {
        let boundary = boundary("Multipart/Form-Data; charset=utf-8; boundary=\"x y\"").unwrap();
        let place = field(FORM, boundary, "model").unwrap();
        assert_eq!(&FORM[place], b"whisper-1");
        assert_eq!(field(FORM, boundary, "filename"), None);
    }

    #[test]
    fn what_is_no_form_has_no_field() {
        for kind in
            ["application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=b"]
        {
            assert_eq!(boundary(kind), None, "{kind}");
        }
        for body in
            [&b""[..], b"--b", b"--b\r\n", b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx", b"--b--"]
        {
            assert_eq!(field(body, "b", "model"), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut body in Just(FORM.to_vec()), at in 0..FORM.len(), byte: u8, cut in 0..FORM.len()) {
            body[at] = byte;
            let _ = field(&body, "x y", "model");
            let _ = field(&body[..cut], "x y", "model");
        }
    }
}
