//! Words with a place in space: where a text is, is the mean of its words' places.

use super::ArtifactError;
use super::bytes::{Sink, Source};
use crate::features::{Features, GramKind};

/// Most words.
pub const MAX_WORDS: usize = 1 << 16;

/// Most dimensions.
pub const MAX_DIMENSIONS: usize = 300;

/// Where it stands in messages.
const PART: &str = "vocabularies";

/// Places of words. Every word counts once, however often it is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    /// Its dimensions are called `<name>.0`, `<name>.1`, …
    pub name: String,
    /// The words' grams, rising.
    pub words: Vec<u32>,
    /// How much each word counts.
    pub weights: Vec<u8>,
    /// What one is worth, in each dimension.
    pub scales: Vec<f32>,
    /// The places, one after the other.
    pub places: Vec<i8>,
    /// For each value of a gram's first twelve bits how many words begin with less.
    begins: Vec<u32>,
}

/// Bits of a gram that [`Vocabulary::begins`] goes by.
const FIRST: u32 = 12;

impl Vocabulary {
    pub(super) fn read(source: &mut Source<'_>) -> Result<Vocabulary, ArtifactError> {
        let wrong = |problem| ArtifactError::Wrong { part: PART, problem };
        let name = source.name(PART)?;
        let count = source.u32()? as usize;
        if count > MAX_WORDS {
            return Err(wrong("too many words"));
        }
        let words: Vec<u32> =
            source.bytes(count * 4)?.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        if !words.is_sorted_by(|one, next| one < next) {
            return Err(wrong("the words are in no order"));
        }
        let weights = source.bytes(count)?.to_vec();
        let scales = source.list(MAX_DIMENSIONS, PART, |source| source.f32(PART))?;
        let places = source.signed(count * scales.len())?;
        Ok(Vocabulary::new(name, words, weights, scales, places))
    }

    /// Of these words.
    pub fn new(name: String, words: Vec<u32>, weights: Vec<u8>, scales: Vec<f32>, places: Vec<i8>) -> Vocabulary {
        let before = |first: u64| words.partition_point(|word| u64::from(*word) < first << (32 - FIRST)) as u32;
        let begins = (0..=1 << FIRST).map(before).collect();
        Vocabulary { name, words, weights, scales, places, begins }
    }

    pub(super) fn write(&self, out: &mut Sink) {
        out.text(&self.name);
        out.u32(u32::try_from(self.words.len()).unwrap_or(u32::MAX));
        self.words.iter().for_each(|word| out.u32(*word));
        out.bytes(self.weights.iter().copied());
        out.list(&self.scales, |out, scale| out.f32(*scale));
        out.signed(&self.places);
    }

    fn find(&self, gram: u32) -> Option<usize> {
        let first = (gram >> (32 - FIRST)) as usize;
        let (from, to) = (*self.begins.get(first)? as usize, *self.begins.get(first + 1)? as usize);
        let near = self.words.get(from..to)?.iter().position(|word| *word == gram)?;
        Some(from + near)
    }

    /// Adds a number for each dimension; zeros where no word is known. Sums are whole numbers, so the order of words makes no
    /// difference.
    pub(super) fn extend(&self, features: &Features, vector: &mut Vec<f64>) {
        let dimensions = self.scales.len();
        let mut sums = vec![0i32; dimensions];
        let mut seen = vec![0u64; self.words.len().div_ceil(64)];
        let mut whole = 0u32;
        for word in features.grams(GramKind::Word).iter().filter_map(|gram| self.find(*gram)) {
            let Some(bits) = seen.get_mut(word / 64) else { continue };
            let bit = 1u64 << (word % 64);
            if *bits & bit != 0 {
                continue;
            }
            *bits |= bit;
            let weight = self.weights.get(word).copied().unwrap_or_default();
            let place = self.places.get(word * dimensions..).unwrap_or_default();
            sums.iter_mut().zip(place).for_each(|(sum, along)| *sum += i32::from(weight) * i32::from(*along));
            whole += u32::from(weight);
        }
        let whole = f64::from(whole.max(1));
        vector.extend(sums.iter().zip(&self.scales).map(|(sum, scale)| f64::from(*scale) * (f64::from(*sum) / whole)));
    }
}
