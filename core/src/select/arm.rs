//! Which arm of an experiment a request is of.

use super::balance::{hash, mix};
use crate::snapshot::{Arm, Experiment};

/// The arm of a key: always the same one while the weights stay, and where one grows and their sum stays, only its share changes
/// hands. None where no arm has a weight.
pub fn arm(experiment: &Experiment, key: u64) -> Option<&Arm> {
    let total = experiment.arms.iter().fold(0_u64, |sum, arm| sum.saturating_add(arm.weight));
    // Two experiments must not sort the same callers alike.
    let mut at = mix(key ^ hash(&experiment.name)).checked_rem(total)?;
    experiment.arms.iter().find(|arm| match at.checked_sub(arm.weight) {
        Some(left) => {
            at = left;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::ChoosesBy;

    fn experiment(name: &str, weights: &[u64]) -> Experiment {
        let arms = weights.iter().enumerate();
        let arms = arms.map(|(at, weight)| Arm {
            name: at.to_string(),
            to: "m".into(),
            weight: *weight,
            by: ChoosesBy::InUse,
        });
        Experiment { name: name.into(), route: "m".into(), sticky: None, arms: arms.collect() }
    }

    fn arms(experiment: &Experiment) -> Vec<&str> {
        (0..10_000).map(|key| arm(experiment, hash(key)).unwrap().name.as_str()).collect()
    }

    #[test]
    fn weights_are_shares_and_a_key_has_one_arm() {
        let experiment = experiment("x", &[1, 0, 3]);
        let seen = arms(&experiment);
        assert_eq!(seen, arms(&experiment));
        let count = |name| seen.iter().filter(|known| **known == name).count();
        assert_eq!(count("1"), 0);
        assert!((2_300..2_700).contains(&count("0")), "{}", count("0"));
    }

    #[test]
    fn who_came_to_a_growing_arm_stays_there() {
        let all = [(99, 1), (95, 5), (75, 25), (0, 100)].map(|(one, two)| experiment("x", &[one, two]));
        for pair in all.windows(2) {
            let moved =
                arms(&pair[0]).into_iter().zip(arms(&pair[1])).any(|(before, after)| (before, after) == ("1", "0"));
            assert!(!moved);
        }
    }

    #[test]
    fn experiments_sort_callers_independently_and_one_without_weights_sorts_nobody() {
        let (x, y) = (experiment("x", &[1, 1]), experiment("y", &[1, 1]));
        let same = arms(&x).into_iter().zip(arms(&y)).filter(|(one, other)| one == other).count();
        assert!((4_500..5_500).contains(&same), "{same}");
        assert_eq!(arm(&experiment("z", &[0, 0]), 7), None);
        assert_eq!(arm(&experiment("z", &[u64::MAX, u64::MAX]), 7).map(|arm| arm.name.as_str()), Some("0"));
    }
}
