//! One pass over bytes that says whether they are JSON, and the skipping that relies on it.
//!
//! [`document`] checks everything once: UTF-8, the grammar of RFC 8259, depth. All later walking ([`skip_value`]) trusts it
//! and only finds ends. Both are loops with a counter or a bit stack, so that no nesting can exhaust the stack.

/// Deepest nesting accepted. Real requests stay below 20, JSON schemas below 40; one bit of a `u128` each.
pub const MAX_DEPTH: u32 = 128;

/// Most members the outermost object may have. The largest API has about 40; more is an attack on whoever compares names.
pub const MAX_TOP_LEVEL_MEMBERS: usize = 256;

/// Why bytes are not acceptable JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Not UTF-8.
    Encoding,
    /// A byte that the grammar does not allow here.
    Unexpected,
    /// The text ends inside a value.
    Truncated,
    /// A control character or an unknown escape in a string.
    BadString,
    /// A number in a spelling JSON does not have.
    BadNumber,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Something follows the value.
    Trailing,
}

/// What was wrong, and the offset of the byte where it was noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScanError {
    /// Offset in bytes from the start of the text.
    pub at: usize,
    /// What was wrong there.
    pub trouble: Trouble,
}

impl core::fmt::Display for ScanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let what = match self.trouble {
            Trouble::Encoding => "the text is not UTF-8",
            Trouble::Unexpected => "unexpected character",
            Trouble::Truncated => "the text ends too early",
            Trouble::BadString => "control character or unknown escape in a string",
            Trouble::BadNumber => "not a number",
            Trouble::TooDeep => "nested too deeply",
            Trouble::Trailing => "something follows the value",
        };
        write!(f, "{what} at byte {}", self.at)
    }
}

/// Where a large value starts and ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset just behind it.
    pub end: usize,
}

/// Smallest value, in bytes, worth a [`Span`]: below it, walking over it costs about as much as looking the span up.
pub const MIN_SPAN: usize = 128;

/// Where the one value in `text` stands, or what is wrong with it. The spans of its large values go into `spans`, in order of
/// their starts, for whoever will walk over it more than once.
pub(crate) fn document(text: &str, spans: Option<&mut Vec<Span>>) -> Result<Span, ScanError> {
    let bytes = text.as_bytes();
    let start = skip_space(bytes, 0);
    let mut scanner = Scanner { bytes, at: start, nesting: Nesting::default(), spans, open: Vec::new() };
    scanner.value()?;
    let end = scanner.at;
    let rest = skip_space(bytes, end);
    match rest == bytes.len() {
        true => Ok(Span { start, end }),
        false => Err(ScanError { at: rest, trouble: Trouble::Trailing }),
    }
}

/// The text of `bytes`, if they are UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, ScanError> {
    core::str::from_utf8(bytes).map_err(not_utf8)
}

pub(crate) fn not_utf8(error: core::str::Utf8Error) -> ScanError {
    ScanError { at: error.valid_up_to(), trouble: Trouble::Encoding }
}

/// The offset of the first byte from `at` on that is not JSON white space.
pub(crate) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// The offset just behind the value that starts at `at`. The text must have passed [`document`].
pub(crate) fn skip_value(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => skip_string(bytes, at + 1),
        Some(b'{' | b'[') => skip_container(bytes, at),
        Some(_) => skip_scalar(bytes, at),
        None => at,
    }
}

/// From the first byte inside a string to the offset behind its closing quote.
fn skip_string(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at = special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

/// The offset, from `at` on, of the first byte that is not just a character of a string: a quote, a backslash or a control
/// character. The length when there is none.
///
/// Blocks first, by a fold without an early exit, which the compiler turns into SIMD; then eight bytes at a time, by the
/// arithmetic that finds a zero byte in a word: escapes are often close together, and a search that must be set up anew for
/// each of them costs more than it saves.
fn special(bytes: &[u8], mut at: usize) -> usize {
    while let Some((block, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<16>) {
        if block.iter().fold(false, |found, byte| found | (*byte == b'"') | (*byte == b'\\') | (*byte < 0x20)) {
            break;
        }
        at += 16;
    }
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some((word, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        let found =
            zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | (word.wrapping_sub(ONES * 0x20) & !word & HIGH);
        if found != 0 {
            // The lowest mark is exact: a borrow can only falsify those above it.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| *byte != b'"' && *byte != b'\\' && *byte >= 0x20) {
        at += 1;
    }
    at
}

fn skip_scalar(bytes: &[u8], mut at: usize) -> usize {
    while !matches!(bytes.get(at), None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

fn skip_container(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0u32;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = skip_string(bytes, at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    at
}

/// Which containers are open: one bit each, set for an object.
#[derive(Default)]
struct Nesting {
    objects: u128,
    depth: u32,
}

impl Nesting {
    fn push(&mut self, object: bool) -> bool {
        if self.depth == MAX_DEPTH {
            return false;
        }
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth += 1;
        true
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

struct Scanner<'a, 's> {
    bytes: &'a [u8],
    at: usize,
    nesting: Nesting,
    spans: Option<&'s mut Vec<Span>>,
    /// Places in `spans` of the containers that are open.
    open: Vec<usize>,
}

impl Scanner<'_, '_> {
    /// One value with everything in it, as a loop: open, element, close.
    fn value(&mut self) -> Result<(), ScanError> {
        loop {
            // A value starts here.
            let opened = match self.peek() {
                Some(b'{') => self.open(true)?,
                Some(b'[') => self.open(false)?,
                Some(b'"') => self.string()?,
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(_) => return self.fail(Trouble::Unexpected),
                None => return self.fail(Trouble::Truncated),
            };
            if !opened && !self.after_value()? {
                return Ok(());
            }
        }
    }

    /// Enters a container. True when a value (of the first member or item) comes next, false when it was empty.
    fn open(&mut self, object: bool) -> Result<bool, ScanError> {
        if !self.nesting.push(object) {
            return self.fail(Trouble::TooDeep);
        }
        if let Some(spans) = &mut self.spans {
            self.open.push(spans.len());
            spans.push(Span { start: self.at, end: self.at });
        }
        self.at = skip_space(self.bytes, self.at + 1);
        let end = if object { b'}' } else { b']' };
        if self.peek() == Some(end) {
            self.close();
            return Ok(false);
        }
        if object {
            self.name()?;
        }
        Ok(true)
    }

    /// Leaves a container. A small one needs no span, and neither did what was in it.
    fn close(&mut self) {
        self.at += 1;
        self.nesting.pop();
        if let (Some(spans), Some(place)) = (&mut self.spans, self.open.pop())
            && let Some(span) = spans.get_mut(place)
        {
            span.end = self.at;
            if span.end - span.start < MIN_SPAN {
                spans.truncate(place);
            }
        }
    }

    /// What follows a finished value. True when another value comes next, false when the outermost one is complete.
    fn after_value(&mut self) -> Result<bool, ScanError> {
        while self.nesting.depth > 0 {
            self.at = skip_space(self.bytes, self.at);
            let object = self.nesting.in_object();
            match (self.peek(), object) {
                (Some(b','), _) => {
                    self.at = skip_space(self.bytes, self.at + 1);
                    if object {
                        self.name()?;
                    }
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => self.close(),
                (Some(_), _) => return self.fail(Trouble::Unexpected),
                (None, _) => return self.fail(Trouble::Truncated),
            }
        }
        Ok(false)
    }

    /// A member's name and the colon behind it.
    fn name(&mut self) -> Result<(), ScanError> {
        if self.peek() != Some(b'"') {
            return self.fail(if self.at < self.bytes.len() { Trouble::Unexpected } else { Trouble::Truncated });
        }
        self.string()?;
        self.at = skip_space(self.bytes, self.at);
        if self.peek() != Some(b':') {
            return self.fail(if self.at < self.bytes.len() { Trouble::Unexpected } else { Trouble::Truncated });
        }
        self.at = skip_space(self.bytes, self.at + 1);
        Ok(())
    }

    fn string(&mut self) -> Result<bool, ScanError> {
        let start = self.at;
        self.at += 1;
        loop {
            self.at = special(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return self.fail(Trouble::BadString),
                None => return self.fail(Trouble::Truncated),
            }
        }
        self.at += 1;
        if self.at - start >= MIN_SPAN
            && let Some(spans) = &mut self.spans
        {
            spans.push(Span { start, end: self.at });
        }
        Ok(false)
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
                if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.fail(Trouble::BadString);
                }
                6
            }
            Some(_) => return self.fail(Trouble::BadString),
            None => return self.fail(Trouble::Truncated),
        };
        self.at += length;
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<bool, ScanError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return self.fail(if word.starts_with(rest) { Trouble::Truncated } else { Trouble::Unexpected });
        }
        self.at += word.len();
        Ok(false)
    }

    fn number(&mut self) -> Result<bool, ScanError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return self.fail(Trouble::BadNumber),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // `01`, `1x` and `1-2` are neither numbers nor anything else.
        match self.peek() {
            Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-' | b'_') => self.fail(Trouble::BadNumber),
            _ => Ok(false),
        }
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fail(Trouble::BadNumber);
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fail<T>(&self, trouble: Trouble) -> Result<T, ScanError> {
        Err(ScanError { at: self.at, trouble })
    }
}
