use super::*;
use crate::features::{Features, GramKind, Number};
use proptest::prelude::*;

/// Where the numbers begin that the artifact itself makes.
const DENSE: u16 = crate::features::SCHEMA.len() as u16;

fn leaf(value: f32) -> Tree {
    Tree { nodes: vec![], leaves: vec![value] }
}

/// A small artifact in which every stage does something.
fn parts() -> Parts {
    let mut weights = vec![0; 2 << 4];
    weights.iter_mut().enumerate().for_each(|(place, weight)| *weight = place as i8 - 16);
    let column = Column { scale: 0.25, bias: 0.5 };
    let words = Features::of_prompt("prime water").grams(GramKind::Word).to_vec();
    let mut places: Vec<(u32, u8, i8)> = vec![(words[0], 2, 100), (words[1], 1, -50)];
    places.sort();
    let mut vector = Head { name: "big-model".into(), also: vec!["big-model-2".into()], ..Head::default() };
    vector.linear = vec![(DENSE + 3, 2.0), (DENSE + 2, -0.5)];
    vector.trees = vec![leaf(0.125)];
    vector.knots = vec![(-2.0, 0.0), (2.0, 1.0)];
    let node = Node { feature: Number::Words as u16, threshold: 3.0, left: Child::leaf(0), right: Child::node(1) };
    let deeper = Node { feature: DENSE, threshold: 0.0, left: Child::leaf(1), right: Child::leaf(2) };
    let tree = Tree { nodes: vec![node, deeper], leaves: vec![3.0, 1.0, -1.0] };
    let knots = vec![(-1.0, 0.1), (0.0, 0.5), (3.0, 0.9)];
    let cheap = Head { name: "cheap".into(), trees: vec![tree], knots: knots.clone(), ..Head::default() };
    let mid = Head { name: "mid".into(), base: 3.0, knots, ..Head::default() };
    Parts {
        name: "small".into(),
        metadata: r#"{"licence":"none"}"#.into(),
        thresholds: [800, 700],
        tables: vec![Table {
            name: "margins".into(),
            grams: GramKind::ALL.to_vec(),
            most: 1,
            norm: Norm::Length,
            bits: 4,
            columns: vec![column; 2],
            weights,
        }],
        vocabularies: vec![Vocabulary::new(
            "tokens".into(),
            places.iter().map(|place| place.0).collect(),
            places.iter().map(|place| place.1).collect(),
            vec![0.5],
            places.iter().map(|place| place.2).collect(),
        )],
        domains: Domains {
            name: "domain".into(),
            scales: vec![(0.5, 0.5); usize::from(DENSE) + 3],
            groups: vec![2],
            biases: vec![0.25, -0.25],
            weights: (0..2 * (usize::from(DENSE) + 3)).map(|place| (place % 7) as f32 / 8.0 - 0.25).collect(),
        },
        heads: vec![cheap, mid, vector],
    }
}

fn small() -> Artifact {
    Artifact::read(&parts().write()).unwrap()
}

/// The file with another end.
fn hashed(content: &[u8]) -> Vec<u8> {
    let digest: [u8; DIGEST] = Sha256::digest(content).into();
    [content, &digest].concat()
}

#[test]
fn what_is_written_is_read() {
    let artifact = small();
    assert_eq!(artifact.parts().write(), parts().write());
    assert_eq!((artifact.name(), artifact.digest().len()), ("small", 64));
    let columns = artifact.parts().columns();
    assert_eq!(columns.len(), artifact.parts().width());
    assert_eq!(columns[usize::from(DENSE)..], ["margins.0", "margins.1", "tokens.0", "domain.0", "domain.1"]);
}

#[test]
fn every_stage_says_what_it_should() {
    let artifact = small();
    let seen = artifact.extend(&Features::of_prompt("prime prime water unheard"));
    let made = &seen.numbers()[usize::from(DENSE)..];
    // (2 · 100 − 1 · 50) / 3, halved.
    assert_eq!(made[2], 25.0);
    assert_eq!(made[3] + made[4], 1.0);
    assert_eq!(seen.levels[usize::from(DENSE) + 2], 4.0, "far is far");
    let empty = artifact.extend(&Features::of_prompt(""));
    assert_eq!(empty.numbers()[usize::from(DENSE)..][..3], [0.5, 0.5, 0.0]);
    let opinion = artifact.judge(&empty);
    assert_eq!(opinion, Opinion { cheap: 900, mid: 900, bucket: Bucket::Cheap });
    assert_eq!(artifact.sum(&empty, "cheap"), Some(3.0));
    assert_eq!(artifact.quality(&empty, "big-model"), artifact.quality(&empty, "big-model-2"));
    assert_eq!(artifact.quality(&empty, "unheard"), None);
}

#[test]
fn chances_lie_on_the_line_between_knots() {
    let mut head = Head { knots: vec![(0.0, 0.0), (1.0, 0.5), (3.0, 1.0)], ..Head::default() };
    for (sum, expected) in [(-9.0, 0.0), (0.0, 0.0), (0.5, 0.25), (1.0, 0.5), (2.0, 0.75), (3.0, 1.0), (9.0, 1.0)] {
        head.base = sum;
        assert_eq!(head.chance(&small().extend(&Features::of_prompt(""))), expected, "{sum}");
    }
}

#[test]
fn what_is_cut_or_changed_is_refused() {
    let file = parts().write();
    for length in 0..file.len() {
        assert!(Artifact::read(&file[..length]).is_err(), "{length}");
    }
    for place in 0..file.len() {
        let mut changed = file.clone();
        changed[place] ^= 0x10;
        let expected = if place < MAGIC.len() { ArtifactError::Foreign } else { ArtifactError::Tampered };
        assert_eq!(Artifact::read(&changed), Err(expected), "{place}");
    }
    let content = &file[..file.len() - DIGEST];
    for length in MAGIC.len()..content.len() {
        assert!(Artifact::read(&hashed(&content[..length])).is_err(), "{length} bytes, hashed anew");
    }
    assert!(Artifact::read(&hashed(&[content, b"more"].concat())).is_err());
    assert_eq!(Artifact::read(&vec![0; MAX_ARTIFACT + 1]), Err(ArtifactError::TooLarge(MAX_ARTIFACT + 1)));
}

#[test]
fn another_schema_is_refused() {
    let mut file = parts().write();
    file[MAGIC.len()] += 1;
    let file = hashed(&file[..file.len() - DIGEST]);
    let refused = Artifact::read(&file).unwrap_err();
    assert_eq!(refused, ArtifactError::Schema(crate::features::VERSION + 1));
    assert!(refused.to_string().contains("features of version"), "{refused}");
}

/// What is wrong with the small artifact after a change.
fn wrong(change: impl FnOnce(&mut Parts)) -> String {
    let mut parts = parts();
    change(&mut parts);
    Artifact::read(&parts.write()).unwrap_err().to_string()
}

#[test]
fn every_part_is_held_against_its_rules() {
    let looks = |feature, left, right| Tree {
        nodes: vec![
            Node { feature, threshold: 0.0, left, right },
            Node { feature, threshold: 0.0, left: Child::leaf(0), right: Child::leaf(1) },
        ],
        leaves: vec![0.0; 3],
    };
    let (one, two) = (Child::node(1), Child::leaf(2));
    let refused = [
        (wrong(|parts| parts.heads[0].trees[0] = looks(0, Child::node(0), two)), "trees: a fork leads back or nowhere"),
        (wrong(|parts| parts.heads[0].trees[0] = looks(0, one, Child::leaf(3))), "trees: a fork leads back or nowhere"),
        (wrong(|parts| parts.heads[0].trees[0] = looks(DENSE + 5, one, two)), "trees: a feature is out of range"),
        (wrong(|parts| parts.heads[0].trees[0].leaves.clear()), "trees: one has no leaf"),
        (wrong(|parts| parts.heads[0].trees[0].leaves[1] = f32::NAN), "trees: a number is not finite"),
        (wrong(|parts| parts.heads[0].trees[0].nodes[0].threshold = f32::INFINITY), "trees: a number is not finite"),
        (wrong(|parts| parts.heads[0].trees = vec![leaf(0.0); 5_000]), "heads: too many"),
        (wrong(|parts| parts.heads[0].knots[1].0 = -1.0), "heads: the knots are in no order"),
        (wrong(|parts| parts.heads[0].knots[1].1 = 0.0), "heads: the knots are in no order"),
        (wrong(|parts| parts.heads[0].knots[2].1 = 1.5), "heads: fewer than two knots, or a chance that is none"),
        (wrong(|parts| parts.heads[0].knots.clear()), "heads: fewer than two knots, or a chance that is none"),
        (wrong(|parts| parts.heads[2].linear[0].0 = DENSE + 5), "heads: a feature is out of range"),
        (wrong(|parts| parts.heads[2].base = f32::NEG_INFINITY), "heads: a number is not finite"),
        (wrong(|parts| parts.heads[2].also.push("cheap".into())), "heads: two have the same name"),
        (wrong(|parts| parts.heads[0].name = "easy".into()), "heads: `cheap` or `mid` is missing"),
        (wrong(|parts| parts.heads[2].name.clear()), "heads: a name is empty or not plain"),
        (wrong(|parts| parts.name = "x".repeat(MAX_NAME + 1)), "name: a text is too long"),
        (wrong(|parts| parts.metadata = "[]".into()), "metadata: it is no JSON object"),
        (wrong(|parts| parts.tables[0].bits = 60), "tables: too many rows"),
        (wrong(|parts| parts.tables[0].columns[0].scale = f32::NAN), "tables: a number is not finite"),
        (wrong(|parts| parts.tables[0].weights.truncate(3)), "it ends within a part"),
        (wrong(|parts| parts.vocabularies[0].words.reverse()), "vocabularies: the words are in no order"),
        (wrong(|parts| parts.domains.groups = vec![1, 2]), "domains: the groups are not those of the domains"),
        (wrong(|parts| parts.domains.scales.truncate(7)), "domains: not every number has a scale"),
    ];
    for (place, (said, expected)) in refused.iter().enumerate() {
        // What is too short moves everything behind it.
        let moved = *expected == "it ends within a part" && said.contains(": ");
        assert!(said == expected || moved, "{place}: {said}, not {expected}");
    }
}

#[test]
fn the_form_of_the_file_stays() {
    // Who changes the form changes MAGIC; who changes the features their VERSION.
    let schema = crate::features::SCHEMA.len();
    let digest = "950fee7eed485338523696f6479653bcfbf41c328f56982e00c1b785188f2090";
    assert_eq!((small().digest(), schema), (digest, 132));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_good(
        changes in proptest::collection::vec((0usize..3_000, any::<u8>()), 1..6),
        prompt in "\\PC{0,40}",
    ) {
        let file = parts().write();
        let mut content = file[..file.len() - DIGEST].to_vec();
        for (place, byte) in changes {
            let place = MAGIC.len() + place % (content.len() - MAGIC.len());
            content[place] = byte;
        }
        if let Ok(artifact) = Artifact::read(&hashed(&content)) {
            let seen = artifact.extend(&Features::of_prompt(&prompt));
            prop_assert!(seen.numbers().iter().chain(&seen.levels).all(|number| number.is_finite()));
            let opinion = artifact.judge(&seen);
            prop_assert!(opinion.cheap <= 1_000 && opinion.mid <= 1_000);
            for head in &artifact.parts().heads {
                let quality = artifact.quality(&seen, &head.name).unwrap();
                prop_assert!((0.0..=1.0).contains(&quality), "{}", quality);
            }
        }
    }
}

#[test]
fn every_stage_but_the_heads_may_be_empty() {
    let head = |name: &str| Head { name: name.into(), knots: vec![(0.0, 0.0), (1.0, 1.0)], ..Head::default() };
    let parts = Parts {
        name: "bare".into(),
        metadata: "{}".into(),
        heads: vec![head("cheap"), head("mid")],
        ..Parts::default()
    };
    let read = Artifact::read(&parts.write()).unwrap();
    assert_eq!(read.judge(&read.extend(&Features::of_prompt("hi"))).cheap, 0);
}
