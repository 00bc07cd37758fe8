//! Plain text, 64 bytes at once: what [`Ink`] weighs byte by byte, counted by bits.
//!
//! Why so: every request is weighed, and byte by byte that took longer than all of its reading and planning. Each kind of byte has a
//! number here with a bit for every place, so that "a letter behind a letter" is a shift and an AND, and a weight is paid for all
//! places at once.

use super::{Ink, Last};

/// Bytes of a block.
const BLOCK: usize = 64;

/// Which kind of byte stands where: the first place is the lowest bit. What is of no kind is not plain.
#[derive(Clone, Copy, Default)]
struct Kinds {
    lower: u64,
    upper: u64,
    digit: u64,
    blank: u64,
    line: u64,
    mark: u64,
}

/// Words of eight bytes, where there is nothing wider.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod word {
    /// In each byte of a word its lowest bit, and its highest.
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;

    /// The highest bit of every byte of a word that is from `first` to `last`, both below 0x80.
    pub(super) fn within(word: u64, first: u8, last: u8) -> u64 {
        // No byte of these sums reaches the next one.
        let at_least = |least: u8| (word & !HIGH) + ONES * u64::from(0x80 - least);
        at_least(first) & !at_least(last + 1) & !word & HIGH
    }

    /// The highest bits of the bytes of a word, side by side.
    pub(super) fn gathered(word: u64) -> u64 {
        // Byte i has its bit at 8 i, and of the factors only 2^(56 - 7 i) takes it to 56 + i.
        (word >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }
}

impl Kinds {
    /// As the filters have it: 16 places in one step.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    fn of(block: &[u8; BLOCK]) -> Kinds {
        use core::arch::wasm32::{i8x16_bitmask, i64x2, u8x16_eq, u8x16_lt, u8x16_splat, u8x16_sub, v128, v128_or};
        let mut kinds = Kinds::default();
        for (quarter, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
            let [low, high] = bytes.as_chunks::<8>().0 else { continue };
            let bytes = i64x2(i64::from_le_bytes(*low), i64::from_le_bytes(*high));
            let places = |found: v128| u64::from(i8x16_bitmask(found)) << (16 * quarter);
            let within = |first: u8, last: u8| {
                places(u8x16_lt(u8x16_sub(bytes, u8x16_splat(first)), u8x16_splat(last + 1 - first)))
            };
            let is = |byte: u8| u8x16_eq(bytes, u8x16_splat(byte));
            kinds.lower |= within(b'a', b'z');
            kinds.upper |= within(b'A', b'Z');
            kinds.digit |= within(b'0', b'9');
            kinds.blank |= places(v128_or(is(b' '), is(b'\t')));
            kinds.line |= places(is(b'\n'));
            kinds.mark |= within(0x21, 0x7e) & !places(is(b'\\'));
        }
        kinds.mark &= !(kinds.lower | kinds.upper | kinds.digit);
        kinds
    }

    /// The same anywhere else: 8 places in one step.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    fn of(block: &[u8; BLOCK]) -> Kinds {
        let mut kinds = Kinds::default();
        for (eighth, word) in block.as_chunks::<8>().0.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            let within = |first: u8, last: u8| word::within(word, first, last);
            let is = |byte: u8| within(byte, byte);
            let (lower, upper, digit) = (within(b'a', b'z'), within(b'A', b'Z'), within(b'0', b'9'));
            let mark = within(0x21, 0x7e) & !(lower | upper | digit | is(b'\\'));
            let places = |found: u64| word::gathered(found) << (8 * eighth);
            kinds.lower |= places(lower);
            kinds.upper |= places(upper);
            kinds.digit |= places(digit);
            kinds.blank |= places(is(b' ') | is(b'\t'));
            kinds.line |= places(is(b'\n'));
            kinds.mark |= places(mark);
        }
        kinds
    }

    /// Places of any kind.
    fn plain(&self) -> u64 {
        self.lower | self.upper | self.digit | self.blank | self.line | self.mark
    }

    fn each(self, keep: impl Fn(u64) -> u64) -> Kinds {
        Kinds {
            lower: keep(self.lower),
            upper: keep(self.upper),
            digit: keep(self.digit),
            blank: keep(self.blank),
            line: keep(self.line),
            mark: keep(self.mark),
        }
    }
}

impl Ink {
    /// Takes the first block of a text, and what reaches beyond it; gives back the rest. `None` where there is no whole block.
    pub(super) fn block<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let kinds = Kinds::of(bytes.first_chunk()?);
        if kinds.plain() == u64::MAX {
            self.plain(kinds, 64);
            return bytes.get(BLOCK..);
        }
        let mut at = 0;
        while at < BLOCK {
            let rest = kinds.each(|places| places >> at);
            let count = rest.plain().trailing_ones();
            if count > 0 {
                self.plain(rest, count);
                at += count as usize;
            } else {
                let special = bytes.get(at..).unwrap_or_default();
                at += special.len() - self.byte(special).len();
            }
        }
        Some(bytes.get(at..).unwrap_or_default())
    }

    /// Takes so many plain bytes, at least one and no more than a block.
    fn plain(&mut self, kinds: Kinds, count: u32) {
        // The places behind are as if there was nothing; with the first at the lowest bit, none comes from there.
        let kept = u64::MAX >> (64 - count);
        let kinds = kinds.each(|places| places & kept);
        let goes_on = self.letters(&kinds);
        self.digits(kinds.digit);
        let behind = |places: u64, last: bool| (places << 1) | u64::from(last);
        let blanks = behind(kinds.blank | kinds.line, self.last == Last::Blank);
        let marks = behind(kinds.mark, self.last == Last::Mark);
        self.pay(kinds.blank & blanks, 100);
        self.pay(kinds.line, 600);
        self.pay(kinds.mark & marks, 250);
        self.pay(kinds.mark & !marks, 700);
        self.ends(&kinds, goes_on, count);
    }

    fn pay(&mut self, places: u64, weight: u64) {
        self.weigh(u64::from(places.count_ones()) * weight);
    }

    /// Pays for letters; gives back which of them go on with a word.
    fn letters(&mut self, kinds: &Kinds) -> u64 {
        let Kinds { lower, upper, .. } = *kinds;
        let is_letter = matches!(self.last, Last::Lower | Last::Upper);
        let behind_letter = ((lower | upper) << 1) | u64::from(is_letter);
        let behind_upper = (upper << 1) | u64::from(self.last == Last::Upper);
        let goes_on = (lower & behind_letter) | (upper & behind_upper);
        // Of the three places before the block, the last at the highest bit: whether they went on.
        let before = if is_letter { !(u64::MAX >> self.run.saturating_sub(1).min(3)) } else { 0 };
        let earlier = |places: u32| (goes_on << places) | (before >> (64 - places));
        let long = lower & goes_on & earlier(1) & earlier(2) & earlier(3);
        self.pay((lower | upper) & !goes_on, 1_000);
        self.pay(upper & goes_on, 350);
        self.pay(long, 90);
        goes_on
    }

    /// Pays for digits: every third of a group begins a token.
    fn digits(&mut self, mut digits: u64) {
        let mut before = if self.last == Last::Digit { u64::from(self.run) + 1 } else { 0 };
        let mut place = 0;
        while digits != 0 {
            let skipped = digits.trailing_zeros();
            if place + skipped > 0 {
                before = 0;
            }
            digits >>= skipped;
            let group = digits.trailing_ones();
            // How many of the numbers before, …, before + group - 1 are multiples of three.
            let length = u64::from(group);
            let begun = (before + length).div_ceil(3) - before.div_ceil(3);
            self.weigh(begun * 1_000 + (length - begun) * 350);
            digits = digits.checked_shr(group).unwrap_or(0);
            place += skipped + group;
        }
    }

    /// What was read last, after so many places.
    fn ends(&mut self, kinds: &Kinds, goes_on: u64, count: u32) {
        let at_end = |places: u64| (places << (64 - count)).leading_ones();
        let (was, run) = (self.last, self.run);
        // The last place is of one kind: its number, without a branch that nobody can foresee.
        let numbered = [kinds.lower, kinds.upper, kinds.digit, kinds.mark].into_iter().zip(1..);
        let is_last = |places: u64| ((places >> (count - 1)) & 1) as usize;
        let number = numbered.fold(0, |number, (places, kind)| number + is_last(places) * kind);
        self.last =
            [Last::Blank, Last::Lower, Last::Upper, Last::Digit, Last::Mark].get(number).copied().unwrap_or_default();
        match self.last {
            Last::Lower | Last::Upper => {
                let length = at_end(goes_on);
                self.run = if length == count { run.saturating_add(length) } else { length + 1 };
            }
            Last::Digit => {
                let length = at_end(kinds.digit);
                self.run = if length == count && was == Last::Digit { run.saturating_add(length) } else { length - 1 };
            }
            _ => {}
        }
    }
}
