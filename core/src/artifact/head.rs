//! One predicted thing.

use super::bytes::{Sink, Source};
use super::trees::{MAX_TREES, Tree};
use super::{ArtifactError, Extended};

/// Most other names of a head's model.
pub const MAX_ALSO: usize = 64;

/// Most knots of a calibration.
pub const MAX_KNOTS: usize = 128;

/// Where it stands in messages.
const PART: &str = "heads";

/// What is predicted from a vector: a sum, read off a line.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Head {
    /// `cheap`, `mid`, or the model whose quality it is.
    pub name: String,
    /// Other names of the same model.
    pub also: Vec<String>,
    /// What the sum begins with.
    pub base: f32,
    /// Levels that are added, each times a weight.
    pub linear: Vec<(u16, f32)>,
    /// Trees whose leaves are added.
    pub trees: Vec<Tree>,
    /// The line from sums to chances: sums rise, chances are of 0 to 1 and never fall.
    pub knots: Vec<(f32, f32)>,
}

impl Head {
    pub(super) fn read(source: &mut Source<'_>, width: usize) -> Result<Head, ArtifactError> {
        let wrong = |problem| ArtifactError::Wrong { part: PART, problem };
        let name = source.name(PART)?;
        let also = source.list(MAX_ALSO, PART, |source| source.name(PART))?;
        let base = source.f32(PART)?;
        let linear = source.list(width, PART, |source| Ok((source.u16()?, source.f32(PART)?)))?;
        if linear.iter().any(|(feature, _)| usize::from(*feature) >= width) {
            return Err(wrong("a feature is out of range"));
        }
        let trees = source.list(MAX_TREES, PART, |source| Tree::read(source, width))?;
        let knots = source.list(MAX_KNOTS, PART, |source| Ok((source.f32(PART)?, source.f32(PART)?)))?;
        if knots.len() < 2 || !knots.iter().all(|(_, chance)| (0.0..=1.0).contains(chance)) {
            return Err(wrong("fewer than two knots, or a chance that is none"));
        }
        if !knots.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1) {
            return Err(wrong("the knots are in no order"));
        }
        Ok(Head { name, also, base, linear, trees, knots })
    }

    pub(super) fn write(&self, out: &mut Sink) {
        out.text(&self.name);
        out.list(&self.also, |out, name| out.text(name));
        out.f32(self.base);
        let pair = |out: &mut Sink, one: f32, two: f32| {
            out.f32(one);
            out.f32(two);
        };
        out.list(&self.linear, |out, (feature, weight)| {
            out.u16(*feature);
            out.f32(*weight);
        });
        out.list(&self.trees, |out, tree| tree.write(out));
        out.list(&self.knots, |out, (sum, chance)| pair(out, *sum, *chance));
    }

    /// The sum itself: it ranks requests more finely than the chance, which has ends.
    pub(super) fn sum(&self, seen: &Extended) -> f64 {
        let level = |feature: u16| seen.levels.get(usize::from(feature)).copied().unwrap_or(0.0);
        let add = |sum: f64, (feature, weight): &(u16, f32)| sum + f64::from(*weight) * level(*feature);
        let linear = self.linear.iter().fold(f64::from(self.base), add);
        self.trees.iter().fold(linear, |sum, tree| sum + tree.value(&seen.numbers))
    }

    /// The chance, or the quality, of 0 to 1.
    pub(super) fn chance(&self, seen: &Extended) -> f64 {
        let sum = self.sum(seen);
        let behind = self.knots.partition_point(|(known, _)| f64::from(*known) <= sum);
        let knot = |place: Option<usize>| place.and_then(|place| self.knots.get(place));
        match (knot(behind.checked_sub(1)), knot(Some(behind))) {
            (Some(before), Some(after)) => {
                let (before_sum, before_chance) = (f64::from(before.0), f64::from(before.1));
                let (after_sum, after_chance) = (f64::from(after.0), f64::from(after.1));
                before_chance + (after_chance - before_chance) * ((sum - before_sum) / (after_sum - before_sum))
            }
            (Some(end), None) | (None, Some(end)) => f64::from(end.1),
            (None, None) => 0.0,
        }
    }
}
