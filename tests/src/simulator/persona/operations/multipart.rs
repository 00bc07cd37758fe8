//! Forms with files, read strictly: every part is delimited, the last one closed.

use super::super::shape::{Checked, wrong};
use crate::simulator::journal::Received;

/// A file of a form.
pub(super) struct File<'a> {
    pub name: String,
    pub bytes: &'a [u8],
}

struct Part<'a> {
    name: String,
    filename: Option<String>,
    bytes: &'a [u8],
}

/// The parts of a form.
pub(super) struct Form<'a>(Vec<Part<'a>>);

impl<'a> Form<'a> {
    /// Takes the body of a request apart.
    pub(super) fn of(received: &'a Received) -> Checked<Self> {
        let kind = received.header("content-type").unwrap_or_default();
        let boundary = kind.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary="));
        let boundary = boundary.ok_or_else(|| wrong("content-type", "must be multipart/form-data with a boundary"))?;
        let delimiter = format!("--{}", boundary.1.trim_matches('"'));
        let mut parts = Vec::new();
        let mut rest = &received.body[..];
        rest = rest.strip_prefix(delimiter.as_bytes()).ok_or_else(|| wrong("", "the form has no beginning"))?;
        let between = format!("\r\n{delimiter}");
        loop {
            if rest.strip_prefix(b"--").is_some() {
                return Ok(Self(parts));
            }
            let part = rest.strip_prefix(b"\r\n").ok_or_else(|| wrong("", "a part does not begin on its own line"))?;
            let end = find(part, between.as_bytes()).ok_or_else(|| wrong("", "the form has no end"))?;
            parts.push(part_of(&part[..end])?);
            rest = &part[end + between.len()..];
        }
    }

    /// The text of a field that is no file.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let part = self.0.iter().find(|part| part.name == name && part.filename.is_none())?;
        String::from_utf8(part.bytes.to_vec()).ok()
    }

    /// A file.
    pub(super) fn file(&self, name: &str) -> Option<File<'a>> {
        let part = self.0.iter().find(|part| part.name == name)?;
        Some(File { name: part.filename.clone()?, bytes: part.bytes })
    }
}

fn part_of(part: &[u8]) -> Checked<Part<'_>> {
    let end = find(part, b"\r\n\r\n").ok_or_else(|| wrong("", "a part has no head"))?;
    let head = String::from_utf8_lossy(&part[..end]);
    let parameter = |name: &str| {
        let (_, rest) = head.split_once(&format!("; {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let name = parameter("name").ok_or_else(|| wrong("", "a part has no name"))?;
    Ok(Part { name, filename: parameter("filename"), bytes: &part[end + 4..] })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
