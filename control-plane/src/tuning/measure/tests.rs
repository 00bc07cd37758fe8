use super::*;

/// Sixty rows with many ties, made by rule; the published scorer was given the same.
fn outcomes() -> (Outcomes, Vec<f64>) {
    let row = |i: u32| Outcome {
        id: format!("row-{i}"),
        strong: ((0.2 + f64::from(i * 7 % 11) / 10.0).min(1.0), 1.0 + f64::from(i % 4) * 0.5),
        weak: (f64::from(i * 5 % 8) / 10.0, 0.1 + f64::from(i % 3) * 0.05),
    };
    (Outcomes::new((0..60).map(row).collect()), (0..60).map(|i| f64::from(i * 13 % 9)).collect())
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn the_figures_are_those_of_the_published_scorer() {
    let (outcomes, scores) = outcomes();
    near(outcomes.weak.0, 0.35);
    near(outcomes.strong.0, 0.673_333_333_333_333_3);
    near(outcomes.apgr(&scores), 0.501_718_213_058_419);
    let [cpt20, cpt50, cpt80] = outcomes.cpt(&scores, [0.2, 0.5, 0.8]);
    near(cpt20, 21.920_000_000_000_012);
    near(cpt50, 52.0);
    near(cpt80, 79.307_692_307_692_28);
    let gap = |share: f64| outcomes.weak.0 + share * (outcomes.strong.0 - outcomes.weak.0);
    let curve = outcomes.curve(&scores);
    for (share, saved, by_chance) in [
        (0.5, 0.442_857_142_857_142_95, 0.457_142_857_142_857_13),
        (0.8, 0.171_904_761_904_762_34, 0.182_857_142_857_142_8),
        (0.95, 0.008_571_428_571_428_896, 0.045_714_285_714_285_756),
    ] {
        near(outcomes.saving(&curve, gap(share)).unwrap(), saved);
        near(outcomes.saving_by_chance(gap(share)), by_chance);
    }
    assert_eq!(outcomes.saving(&curve, 2.0), None, "nobody is that good");
    let point = outcomes.at(&scores, 4.0);
    near(point.share, 0.55);
    near(point.quality, 0.52);
    near(point.cost, 1.028_333_333_333_333_3);
}

#[test]
fn who_knows_the_outcomes_gets_all_there_is() {
    let (outcomes, scores) = outcomes();
    let best: Vec<f64> = outcomes.rows.iter().map(|row| row.strong.0 - row.weak.0).collect();
    near(outcomes.apgr(&best), 0.831_701_030_927_834_8);
    let curve = outcomes.curve(&scores);
    near(curve[60].quality, outcomes.strong.0);
    near(curve[60].cost, outcomes.strong.1);
}

#[test]
fn lines_that_go_up_and_down_are_read_as_numpy_reads_them() {
    let qualities = [1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 5.0, 8.0, 7.0, 9.0, 8.5];
    let points: Vec<(f64, f64)> = qualities.iter().enumerate().map(|(at, q)| (at as f64 * 10.0, *q)).collect();
    for (quality, expected) in [
        (0.5, 0.0),
        (1.0, 0.0),
        (2.5, 7.5),
        (2.9, 9.5),
        (4.5, 28.333_333_333_333_336),
        (5.5, 61.666_666_666_666_664),
        (7.5, 82.5),
        (8.2, 86.0),
        (8.6, 100.0),
        (8.5, 87.5),
        (9.0, 100.0),
        (9.5, 100.0),
    ] {
        near(interpolated(quality, &points), expected);
    }
}

#[test]
fn ties_are_broken_by_the_hash_of_the_id() {
    // SHA-1 of "abc" begins with a9993e36.
    near(tie("abc"), f64::from(0xa999_3e36_u32) / 4_294_967_296.0);
}
