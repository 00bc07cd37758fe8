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

/// The text of the one value in `bytes`, or what is wrong with it.
pub fn document(bytes: &[u8]) -> Result<&str, ScanError> {
    let text = core::str::from_utf8(bytes)
        .map_err(|error| ScanError { at: error.valid_up_to(), trouble: Trouble::Encoding })?;
    let start = skip_space(bytes, 0);
    let mut scanner = Scanner { bytes, at: start, nesting: Nesting::default() };
    scanner.value()?;
    let end = scanner.at;
    let rest = skip_space(bytes, end);
    if rest != bytes.len() {
        return Err(ScanError { at: rest, trouble: Trouble::Trailing });
    }
    text.get(start..end).ok_or(ScanError { at: end, trouble: Trouble::Truncated })
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
        let rest = bytes.get(at..).unwrap_or_default();
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(found) if rest.get(found) == Some(&b'"') => return at + found + 1,
            Some(found) => at += found + 2,
            None => return bytes.len(),
        }
    }
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

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    nesting: Nesting,
}

impl Scanner<'_> {
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
        self.at = skip_space(self.bytes, self.at + 1);
        let end = if object { b'}' } else { b']' };
        if self.peek() == Some(end) {
            self.at += 1;
            self.nesting.pop();
            return Ok(false);
        }
        if object {
            self.name()?;
        }
        Ok(true)
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
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.nesting.pop();
                }
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
        self.at += 1;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.bytes.len();
                return self.fail(Trouble::Truncated);
            };
            let plain = rest.get(..found).unwrap_or_default();
            // A fold over the whole run, without an early exit, is what the compiler turns into SIMD.
            if plain.iter().fold(false, |bad, byte| bad | (*byte < 0x20)) {
                return self.fail(Trouble::BadString);
            }
            self.at += found;
            if self.peek() == Some(b'"') {
                self.at += 1;
                return Ok(false);
            }
            self.escape()?;
        }
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
