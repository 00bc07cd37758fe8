//! Hashes of the words of a text and of its pairs of neighbouring words.
//!
//! FNV-1a over bytes in lower case, times an odd number, as tables go by the high bits. That two grams share a hash costs a little
//! accuracy and nothing else. Pieces of words were measured and added nothing.

/// Most grams of one kind; what is beyond is left out. A text of [`super::HEAD`] and [`super::TAIL`] has fewer words.
pub const MAX_GRAMS: usize = 8_192;

/// Bytes of a word that are hashed: what is longer is none.
pub(super) const LONGEST: usize = 48;

/// What numbers are told apart by: how many digits they have, up to these.
const NUMBER: &[u8] = b"00000";

/// What a gram is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GramKind {
    /// A word. Numbers are told apart by their length alone.
    Word,
    /// Two words that follow one another.
    Pair,
}

impl GramKind {
    /// Every kind, in the order of their numbers in artifacts.
    pub const ALL: [GramKind; 2] = [GramKind::Word, GramKind::Pair];

    /// Its name in the files of training.
    pub fn name(self) -> &'static str {
        match self {
            GramKind::Word => "words",
            GramKind::Pair => "pairs",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<GramKind> {
        GramKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The grams of a text.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Grams {
    kinds: [Vec<u32>; GramKind::ALL.len()],
    /// The word before, where there was one.
    before: Option<Hash>,
}

/// FNV's start and factor, for 32 bits.
const START: u32 = 0x811c_9dc5;
const FACTOR: u32 = 0x0100_0193;

/// What makes the first word of a pair another than the second.
const FIRST: u32 = 0x9e37_79b1;

/// What carries every bit up.
const SPREAD: u32 = 0x85eb_ca6b;

/// The hash of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash(u32);

impl Hash {
    pub(super) const fn new() -> Hash {
        Hash(START)
    }

    /// With another byte behind.
    pub(super) const fn and(self, byte: u8) -> Hash {
        Hash((self.0 ^ byte as u32).wrapping_mul(FACTOR))
    }

    const fn of(bytes: &[u8]) -> Hash {
        let (mut hash, mut rest) = (Hash::new(), bytes);
        while let [byte, after @ ..] = rest {
            hash = hash.and(*byte);
            rest = after;
        }
        hash
    }

    /// Of a word of so many digits.
    pub(super) fn of_number(digits: usize) -> Hash {
        Hash::of(NUMBER.get(..digits).unwrap_or(NUMBER))
    }

    const fn gram(self) -> u32 {
        self.0.wrapping_mul(SPREAD)
    }
}

/// The gram of a word in lower case.
pub(super) const fn word(word: &[u8]) -> u32 {
    Hash::of(word).gram()
}

impl Grams {
    /// The hashes of one kind.
    pub(super) fn of(&self, kind: GramKind) -> &[u32] {
        self.kinds.get(kind as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes the next word; gives its gram.
    pub(super) fn word(&mut self, word: Hash) -> u32 {
        if let Some(before) = self.before.replace(word) {
            self.push(GramKind::Pair, Hash(before.0.wrapping_mul(FIRST) ^ word.0));
        }
        self.push(GramKind::Word, word);
        word.gram()
    }

    fn push(&mut self, kind: GramKind, hash: Hash) {
        if let Some(grams) = self.kinds.get_mut(kind as usize).filter(|grams| grams.len() < MAX_GRAMS) {
            grams.push(hash.gram());
        }
    }
}
