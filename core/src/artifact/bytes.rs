//! Numbers and texts as an artifact has them: little endian, every count held against its limit before anything is made of it.

use super::{ArtifactError, MAX_NAME};

/// What is still to be read.
pub(super) struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Source<'a> {
        Source(bytes)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ArtifactError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ArtifactError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ArtifactError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(ArtifactError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, ArtifactError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, ArtifactError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, ArtifactError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A finite number; sums and products of a few of them are finite too, as they are made with 64 bits.
    pub(super) fn f32(&mut self, part: &'static str) -> Result<f32, ArtifactError> {
        let number = f32::from_le_bytes(self.array()?);
        number.is_finite().then_some(number).ok_or(ArtifactError::Wrong { part, problem: "a number is not finite" })
    }

    /// As many finite numbers.
    pub(super) fn f32s(&mut self, count: usize, part: &'static str) -> Result<Vec<f32>, ArtifactError> {
        // What is not there is not made room for.
        if count > self.0.len() / 4 {
            return Err(ArtifactError::Truncated);
        }
        (0..count).map(|_| self.f32(part)).collect()
    }

    /// As many whole numbers of one byte.
    pub(super) fn signed(&mut self, count: usize) -> Result<Vec<i8>, ArtifactError> {
        Ok(self.bytes(count)?.iter().map(|byte| byte.cast_signed()).collect())
    }

    /// How many of something follow.
    pub(super) fn count(&mut self, most: usize, part: &'static str) -> Result<usize, ArtifactError> {
        let count = usize::from(self.u16()?);
        (count <= most).then_some(count).ok_or(ArtifactError::Wrong { part, problem: "too many" })
    }

    /// A list, each item of which is read by `item`.
    pub(super) fn list<T>(
        &mut self,
        most: usize,
        part: &'static str,
        mut item: impl FnMut(&mut Source<'a>) -> Result<T, ArtifactError>,
    ) -> Result<Vec<T>, ArtifactError> {
        let count = self.count(most, part)?;
        (0..count).map(|_| item(self)).collect()
    }

    pub(super) fn text(&mut self, most: usize, part: &'static str) -> Result<String, ArtifactError> {
        let length = self.u32()? as usize;
        if length > most {
            return Err(ArtifactError::Wrong { part, problem: "a text is too long" });
        }
        let text = core::str::from_utf8(self.bytes(length)?);
        text.map(str::to_owned).map_err(|_| ArtifactError::Wrong { part, problem: "a text is not UTF-8" })
    }

    /// A name that can be shown anywhere.
    pub(super) fn name(&mut self, part: &'static str) -> Result<String, ArtifactError> {
        let name = self.text(MAX_NAME, part)?;
        let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        good.then_some(name).ok_or(ArtifactError::Wrong { part, problem: "a name is empty or not plain" })
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), ArtifactError> {
        let left = ArtifactError::Wrong { part: "the end", problem: "something follows the last part" };
        self.0.is_empty().then_some(()).ok_or(left)
    }
}

/// What is being written. Counts beyond their limits are cut off here and refused by whoever reads it.
#[derive(Default)]
pub(super) struct Sink(pub(super) Vec<u8>);

impl Sink {
    pub(super) fn bytes(&mut self, bytes: impl IntoIterator<Item = u8>) {
        self.0.extend(bytes);
    }

    pub(super) fn signed(&mut self, numbers: &[i8]) {
        self.bytes(numbers.iter().map(|number| number.cast_unsigned()));
    }

    pub(super) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.bytes(number.to_le_bytes());
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.bytes(number.to_le_bytes());
    }

    pub(super) fn f32(&mut self, number: f32) {
        self.bytes(number.to_le_bytes());
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Sink, &T)) {
        let count = u16::try_from(items.len()).unwrap_or(u16::MAX);
        self.u16(count);
        items.iter().take(usize::from(count)).for_each(|one| item(self, one));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.bytes(text.bytes());
    }
}
