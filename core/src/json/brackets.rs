//! Where in a JSON text one is, told byte by byte: for text that comes in pieces.

/// How deep inside brackets the last byte was, and whether inside a string.
#[derive(Debug, Default)]
pub struct Brackets {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Brackets {
    /// Takes the next byte.
    pub fn step(&mut self, byte: u8) {
        if self.in_string {
            match (self.escaped, byte) {
                (true, _) => self.escaped = false,
                (false, b'\\') => self.escaped = true,
                (false, b'"') => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// How many brackets are open.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether a string is open.
    pub fn in_string(&self) -> bool {
        self.in_string
    }
}
