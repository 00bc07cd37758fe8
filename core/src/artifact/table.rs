//! Sums of weights: what the grams of a text say together.

use super::ArtifactError;
use super::bytes::{Sink, Source};
use crate::features::{Features, GramKind};

/// Most bits of a row's number: what is counted for each row is made anew for every request.
pub const MAX_BITS: u8 = 18;

/// Most columns of a table.
pub const MAX_WIDTH: usize = 128;

/// Where it stands in messages.
const PART: &str = "tables";

/// What sums are divided by, so that long texts and short ones compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Nothing.
    None,
    /// The length of the vector of counts: the root of the sum of their squares.
    Length,
    /// How many rows were added.
    Mean,
}

/// How a column's whole numbers are to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// What one is worth.
    pub scale: f32,
    /// What is added at the end; all there is for a text without grams.
    pub bias: f32,
}

/// Rows of weights, of which every gram picks one by the low bits of its hash.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its columns are called `<name>.0`, `<name>.1`, …
    pub name: String,
    /// Which grams pick rows.
    pub grams: Vec<GramKind>,
    /// How often a row counts at most, however often it is picked.
    pub most: u8,
    /// What the sums are divided by.
    pub norm: Norm,
    /// How many rows there are, as a power of two.
    pub bits: u8,
    /// What each column means.
    pub columns: Vec<Column>,
    /// The weights, row after row.
    pub weights: Vec<i8>,
}

impl Table {
    pub(super) fn read(source: &mut Source<'_>) -> Result<Table, ArtifactError> {
        let wrong = |problem| ArtifactError::Wrong { part: PART, problem };
        let name = source.name(PART)?;
        let grams = source.list(GramKind::ALL.len(), PART, |source| {
            let kind = usize::from(source.u8()?);
            GramKind::ALL.get(kind).copied().ok_or(wrong("no such kind of gram"))
        })?;
        let most = source.u8()?;
        let norm = match source.u8()? {
            0 => Norm::None,
            1 => Norm::Length,
            2 => Norm::Mean,
            _ => return Err(wrong("no such norm")),
        };
        let bits = source.u8()?;
        if bits > MAX_BITS {
            return Err(wrong("too many rows"));
        }
        let columns =
            source.list(MAX_WIDTH, PART, |source| Ok(Column { scale: source.f32(PART)?, bias: source.f32(PART)? }))?;
        let weights = source.signed(columns.len() << bits)?;
        Ok(Table { name, grams, most, norm, bits, columns, weights })
    }

    pub(super) fn write(&self, out: &mut Sink) {
        out.text(&self.name);
        out.list(&self.grams, |out, kind| out.u8(*kind as u8));
        out.u8(self.most);
        out.u8(match self.norm {
            Norm::None => 0,
            Norm::Length => 1,
            Norm::Mean => 2,
        });
        out.u8(self.bits);
        out.list(&self.columns, |out, column| {
            out.f32(column.scale);
            out.f32(column.bias);
        });
        out.signed(&self.weights);
    }

    /// Adds a number for each column. The sums are whole numbers, so no order of grams makes a difference.
    pub(super) fn extend(&self, features: &Features, vector: &mut Vec<f64>) {
        let width = self.columns.len();
        let mut sums = vec![0i32; width];
        let mut times = Times::new(self.most, self.bits);
        let (mut added, mut squares) = (0u32, 0u32);
        for gram in self.grams.iter().flat_map(|kind| features.grams(*kind)) {
            // The high bits; of no bits there is one row.
            let row = (u64::from(*gram) << self.bits >> 32) as usize;
            let Some(before) = times.another(row) else { continue };
            // From one square to the next.
            squares += 2 * u32::from(before) + 1;
            added += 1;
            let weights = self.weights.get(row * width..).unwrap_or_default();
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += i32::from(*weight));
        }
        let norm = match self.norm {
            Norm::None => 1.0,
            Norm::Length => f64::from(squares.max(1)).sqrt(),
            Norm::Mean => f64::from(added.max(1)),
        };
        vector.extend(
            sums.iter()
                .zip(&self.columns)
                .map(|(sum, column)| f64::from(column.bias) + f64::from(column.scale) * f64::from(*sum) / norm),
        );
    }
}

/// How often each row was picked.
enum Times {
    /// At most once: a bit for each row. This is the usual case, and an eighth of the memory is an eighth of what it takes from the
    /// caches of whoever comes next.
    Once(Vec<u64>),
    /// At most so often: a byte for each.
    Often(Vec<u8>, u8),
}

impl Times {
    fn new(most: u8, bits: u8) -> Times {
        match most {
            1 => Times::Once(vec![0; (1usize << bits).div_ceil(64)]),
            most => Times::Often(vec![0; 1 << bits], most),
        }
    }

    /// Picks a row, unless it was picked as often as it may be; how often that was before.
    fn another(&mut self, row: usize) -> Option<u8> {
        match self {
            Times::Once(rows) => {
                let (word, bit) = (rows.get_mut(row / 64)?, 1u64 << (row % 64));
                let is_new = *word & bit == 0;
                *word |= bit;
                is_new.then_some(0)
            }
            Times::Often(rows, most) => {
                let times = rows.get_mut(row).filter(|times| **times < *most)?;
                *times += 1;
                Some(*times - 1)
            }
        }
    }
}
