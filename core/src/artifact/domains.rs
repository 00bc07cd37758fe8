//! Which fields a request is of, as far as its numbers tell; and the numbers themselves on one scale, for what adds them up.

use super::ArtifactError;
use super::bytes::{Sink, Source};
use crate::features::SCHEMA;

/// Most domains.
pub const MAX_DOMAINS: usize = 256;

/// How far from the usual a number counts, in its own measure: what is further says no more.
const FAR: f64 = 4.0;

/// Where it stands in messages.
const PART: &str = "domains";

/// How the numbers before it are levelled, and how fields follow from the levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Domains {
    /// Their shares are called `<name>.0`, `<name>.1`, …
    pub name: String,
    /// For each number before: what is usual, and one over how far from it is usual.
    pub scales: Vec<(f32, f32)>,
    /// How many domains each way of dividing has; the shares of one come to a whole.
    pub groups: Vec<u16>,
    /// Of each domain, what its sum begins with.
    pub biases: Vec<f32>,
    /// For each number the weights in all domains.
    pub weights: Vec<f32>,
}

impl Default for Domains {
    /// None, and of an artifact without tables and vocabularies every number on its own scale.
    fn default() -> Domains {
        let scales = vec![(0.0, 1.0); SCHEMA.len()];
        Domains { name: "domain".into(), scales, groups: Vec::new(), biases: Vec::new(), weights: Vec::new() }
    }
}

impl Domains {
    /// Reads what stands behind `width` numbers.
    pub(super) fn read(source: &mut Source<'_>, width: usize) -> Result<Domains, ArtifactError> {
        let name = source.name(PART)?;
        let scales = source.list(width, PART, |source| Ok((source.f32(PART)?, source.f32(PART)?)))?;
        if scales.len() != width {
            return Err(ArtifactError::Wrong { part: PART, problem: "not every number has a scale" });
        }
        let groups = source.list(MAX_DOMAINS, PART, Source::u16)?;
        let biases = source.list(MAX_DOMAINS, PART, |source| source.f32(PART))?;
        if groups.iter().map(|group| usize::from(*group)).sum::<usize>() != biases.len() {
            return Err(ArtifactError::Wrong { part: PART, problem: "the groups are not those of the domains" });
        }
        let weights = source.f32s(width * biases.len(), PART)?;
        Ok(Domains { name, scales, groups, biases, weights })
    }

    pub(super) fn write(&self, out: &mut Sink) {
        out.text(&self.name);
        out.list(&self.scales, |out, (usual, inverse)| {
            out.f32(*usual);
            out.f32(*inverse);
        });
        out.list(&self.groups, |out, group| out.u16(*group));
        out.list(&self.biases, |out, bias| out.f32(*bias));
        self.weights.iter().for_each(|weight| out.f32(*weight));
    }

    /// Levels the numbers, of which the first `counts` are counts, and adds the domains' shares to both.
    pub(super) fn extend(&self, counts: usize, numbers: &mut Vec<f64>) -> Vec<f64> {
        let level = |(place, (number, (usual, inverse))): (usize, (&f64, &(f32, f32)))| {
            let number = if place < counts { magnitude(*number) } else { *number };
            ((number - f64::from(*usual)) * f64::from(*inverse)).clamp(-FAR, FAR)
        };
        let mut levels: Vec<f64> = numbers.iter().zip(&self.scales).enumerate().map(level).collect();
        let mut sums: Vec<f64> = self.biases.iter().map(|bias| f64::from(*bias)).collect();
        let weights = levels.iter().zip(self.weights.chunks_exact(sums.len().max(1)));
        // What is as usual says nothing.
        for (level, weights) in weights.filter(|(level, _)| **level != 0.0) {
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += f64::from(*weight) * level);
        }
        let mut rest = sums.as_mut_slice();
        for group in &self.groups {
            let Some((group, after)) = rest.split_at_mut_checked(usize::from(*group)) else { break };
            shares(group);
            rest = after;
        }
        numbers.extend(&sums);
        levels.extend(&sums);
        levels
    }
}

/// Makes shares of sums: what is below zero has none, and squares set the likely apart from the unlikely, as powers would.
fn shares(sums: &mut [f64]) {
    sums.iter_mut().for_each(|sum| *sum = sum.max(0.0) * sum.max(0.0));
    let whole = sums.iter().fold(0.0, |whole, sum| whole + sum);
    if whole > 0.0 {
        sums.iter_mut().for_each(|sum| *sum /= whole);
    }
}

/// The logarithm of a count and one to the base of two, on straight lines between powers of two: compilers agree on it.
fn magnitude(count: f64) -> f64 {
    let count = count as u64 + 1;
    let power = count.ilog2();
    f64::from(power) + count as f64 / (1u64 << power) as f64 - 1.0
}

#[cfg(test)]
mod tests {
    use super::magnitude;

    #[test]
    fn magnitudes_meet_the_logarithm_at_powers_of_two() {
        for (count, expected) in [(0.0, 0.0), (1.0, 1.0), (2.0, 1.5), (3.0, 2.0), (5.0, 2.5), (4_294_967_295.0, 32.0)] {
            assert_eq!(magnitude(count), expected, "{count}");
        }
    }
}
