//! What choosing between two models by a score would have come to, on rows whose outcomes are known.
//!
//! The words are RouteLLM's (arXiv 2406.18665): *PGR* is the share of the way from the weak model's quality to the strong one's,
//! *APGR* the area under it when ever more rows go to the strong model, the neediest first, and *CPT(x)* how many percent must go
//! there for a PGR of x. The arithmetic is that of the published scorers to the last step, their ten bins and numpy's interpolation
//! included: figures compare only if they are made alike.
//!
//! Limits: of fewer rows than ten the bins say nothing; a pair whose models are equally good has no gap to measure.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// Bins of the score in which RouteLLM measures.
const BINS: usize = 10;

/// One row, as far as a pair goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Breaks ties, by its hash.
    pub id: String,
    /// How well the strong model did, and what it cost.
    pub strong: (f64, f64),
    /// How well the weak one did, and what it cost.
    pub weak: (f64, f64),
}

/// Outcomes, and their means.
#[derive(Debug)]
pub struct Outcomes {
    rows: Vec<Outcome>,
    /// Of each row, where its hash stands between 0 and 1.
    ties: Vec<f64>,
    /// Mean quality and cost of the strong model.
    pub strong: (f64, f64),
    /// Mean quality and cost of the weak one.
    pub weak: (f64, f64),
}

/// Where a router ends that sends some rows to the strong model and the others to the weak one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The share that went to the strong one.
    pub share: f64,
    /// The mean quality.
    pub quality: f64,
    /// The mean cost.
    pub cost: f64,
}

impl Outcomes {
    /// Takes rows.
    pub fn new(rows: Vec<Outcome>) -> Outcomes {
        let mean = |of: fn(&Outcome) -> (f64, f64)| {
            let sum = rows.iter().map(of).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            (sum.0 / rows.len() as f64, sum.1 / rows.len() as f64)
        };
        let (strong, weak) = (mean(|row| row.strong), mean(|row| row.weak));
        let ties = rows.iter().map(|row| tie(&row.id)).collect();
        Outcomes { rows, ties, strong, weak }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The rows in order of their scores, the neediest first.
    fn ranked(&self, scores: &[f64]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|one, two| {
            let by_tie = || self.ties[*one].total_cmp(&self.ties[*two]);
            scores[*two].total_cmp(&scores[*one]).then_with(by_tie)
        });
        order
    }

    /// Every router by that score, from asking the weak model alone to asking the strong one alone.
    pub fn curve(&self, scores: &[f64]) -> Vec<Point> {
        let count = self.rows.len() as f64;
        let (mut quality, mut cost) = (0.0, 0.0);
        let mut curve = vec![Point { share: 0.0, quality: self.weak.0, cost: self.weak.1 }];
        for (place, row) in self.ranked(scores).into_iter().enumerate() {
            let Outcome { strong, weak, .. } = &self.rows[row];
            quality += strong.0 - weak.0;
            cost += strong.1 - weak.1;
            let share = (place + 1) as f64 / count;
            curve.push(Point { share, quality: quality / count + self.weak.0, cost: cost / count + self.weak.1 });
        }
        curve
    }

    /// The area under PGR.
    pub fn apgr(&self, scores: &[f64]) -> f64 {
        let curve = self.curve(scores);
        let area = area(curve.iter().map(|point| (point.share, point.quality)));
        (area - self.weak.0) / (self.strong.0 - self.weak.0)
    }

    /// How many percent must go to the strong model for each of those shares of the gap.
    pub fn cpt<const N: usize>(&self, scores: &[f64], shares: [f64; N]) -> [f64; N] {
        let count = self.rows.len();
        // The neediest row has the highest rank.
        let mut ranks = vec![0.0; count];
        self.ranked(scores).into_iter().enumerate().for_each(|(place, row)| ranks[row] = (count - place) as f64);
        let quantile = |bin: usize| 1.0 + bin as f64 / BINS as f64 * (count as f64 - 1.0);
        let mut points: Vec<(f64, f64)> = Vec::with_capacity(BINS + 1);
        for bin in (0..=BINS).rev() {
            let asked = |row: usize| if bin < BINS { ranks[row] >= quantile(bin) } else { false };
            let qualities = self.rows.iter().enumerate().map(|(row, outcome)| match asked(row) {
                true => outcome.strong.0,
                false => outcome.weak.0,
            });
            let calls = (0..count).filter(|row| asked(*row)).count();
            points.push((calls as f64 / count as f64 * 100.0, qualities.sum::<f64>() / count as f64 * 100.0));
        }
        let gap = (self.strong.0 - self.weak.0) * 100.0;
        shares.map(|share| interpolated(share * gap + self.weak.0 * 100.0, &points))
    }

    /// The share of the strong model's cost that is saved at the cheapest point of the curve that is as good as `quality`.
    pub fn saving(&self, curve: &[Point], quality: f64) -> Option<f64> {
        let good = curve.iter().filter(|point| point.quality >= quality - 1e-12);
        let cheapest = good.map(|point| point.cost).min_by(f64::total_cmp)?;
        Some(1.0 - cheapest / self.strong.1)
    }

    /// The same for whoever chooses by chance: on the straight line between the two models.
    pub fn saving_by_chance(&self, quality: f64) -> f64 {
        let share = ((quality - self.weak.0) / (self.strong.0 - self.weak.0)).clamp(0.0, 1.0);
        (1.0 - share) * (1.0 - self.weak.1 / self.strong.1)
    }

    /// What asking the strong model from that score on comes to.
    pub fn at(&self, scores: &[f64], threshold: f64) -> Point {
        let count = self.rows.len() as f64;
        let asked = |row: usize| scores[row] >= threshold;
        let taken = |(row, outcome): (usize, &Outcome)| if asked(row) { outcome.strong } else { outcome.weak };
        let sum = self.rows.iter().enumerate().map(taken).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let share = (0..self.rows.len()).filter(|row| asked(*row)).count() as f64 / count;
        Point { share, quality: sum.0 / count, cost: sum.1 / count }
    }
}

/// Where the hash of an id stands between 0 and 1.
fn tie(id: &str) -> f64 {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, id.as_bytes());
    let first = hash.as_ref().first_chunk().copied().unwrap_or_default();
    f64::from(u32::from_be_bytes(first)) / 4_294_967_296.0
}

/// The area under straight lines between points.
fn area(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let pairs = points.clone().zip(points.skip(1));
    pairs.map(|(one, two)| (two.0 - one.0) * (one.1 + two.1) / 2.0).sum()
}

/// The percentage at which the lines between points, rising in percent, reach `quality`. Where they go up and down there are
/// several; this is the one that numpy's `interp` finds, which halves the list as if it only rose.
fn interpolated(quality: f64, points: &[(f64, f64)]) -> f64 {
    let [first, second, third, fourth, ..] = points else { return f64::NAN };
    let (last, from) = (points.len() - 1, |place: usize| points[place].1 <= quality);
    if quality > points[last].1 {
        return points[last].0;
    }
    if quality < first.1 {
        return first.0;
    }
    let place = match (quality < second.1, quality < third.1, quality < fourth.1) {
        (true, ..) => 0,
        (_, true, _) => 1,
        (_, _, true) => 2,
        _ => {
            let (mut low, mut high) = (3, points.len());
            if points.len() > 10 && quality < points[9].1 {
                high = 9;
            }
            while low < high {
                let middle = low + (high - low) / 2;
                if from(middle) { low = middle + 1 } else { high = middle }
            }
            low - 1
        }
    };
    match (points[place], points.get(place + 1)) {
        (here, Some(next)) if here.1 != quality => (next.0 - here.0) / (next.1 - here.1) * (quality - here.1) + here.0,
        (here, _) => here.0,
    }
}

#[cfg(test)]
mod tests;
