use std::path::PathBuf;

use super::*;
use crate::tuning::evaluate::{Frozen, evaluate};
use crate::tuning::import::import;

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("dragoman-tuning-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const TREES: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nfeature_names=words margins.0\n\n\
    Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=4.5\ndecision_type=2\nleft_child=-1\nright_child=-2\n\
    leaf_value=-1 1\nis_linear=0\n\nend of trees\n";

/// A description in which every stage has something, and what lies beside it.
fn described(folder: &Folder) -> Value {
    let numbers = SCHEMA.len() + 2;
    folder.write("margins.i8", [1u8; 4]);
    folder.write("tokens.u32", 7u32.to_le_bytes());
    folder.write("tokens.u8", [1]);
    folder.write("tokens.i8", [5]);
    folder.write("domains.f32", vec![0; numbers * 2 * 4]);
    folder.write("need.txt", TREES);
    let need = json!({"name": "need", "models": ["need.txt"], "scale": 0.5, "knots": [[-1, 0], [1, 1]]});
    let line =
        |name: &str| json!({"name": name, "linear": [["words", 0.25], ["domain.1", 1]], "knots": [[-1, 0], [1, 1]]});
    json!({
        "name": "test", "schema": features::VERSION, "metadata": {"seed": 8},
        "tables": [{"name": "margins", "grams": ["words", "pairs"], "bits": 2, "most": 1, "norm": "length",
                    "scale": [0.5], "bias": [0.25], "weights": "margins.i8"}],
        "vocabularies": [{"name": "tokens", "words": "tokens.u32", "weights": "tokens.u8", "vectors": "tokens.i8", "scale": [1]}],
        "domains": {"name": "domain", "mean": vec![0.0; numbers], "inverse": vec![0.5; numbers], "bias": [0, 0],
                    "groups": [1, 1], "weights": "domains.f32"},
        "heads": [line("cheap"), line("mid"), need],
        "buckets": {"cheap": 0.8, "mid": 0.7},
        "pairs": [{"name": "p", "source": ["s"], "strong": "big", "weak": "little", "score": "need", "thresholds": {"99": 0.5},
                   "together": {"100": 0.5}}],
        "general": "1-cheap",
    })
}

fn made(folder: &Folder) -> Artifact {
    let description = folder.write("model.json", described(folder).to_string());
    let file = folder.write("made.artifact", import(&description).unwrap());
    artifact(Some(&file)).unwrap()
}

#[test]
fn what_training_describes_becomes_an_artifact() {
    let folder = Folder::new("import");
    let artifact = made(&folder);
    let parts = artifact.parts();
    assert_eq!((parts.name.as_str(), parts.thresholds), ("test", [800, 700]));
    assert_eq!(parts.heads[2].trees[0].leaves, [-0.5, 0.5]);
    assert_eq!(parts.columns()[SCHEMA.len()..], ["margins.0", "tokens.0", "domain.0", "domain.1"]);
    let metadata: Value = serde_json::from_str(&parts.metadata).unwrap();
    assert_eq!((&metadata["seed"], &metadata["pairs"][0]["weak"]), (&json!(8), &json!("little")));
    let sum = |prompt: &str, head: &str| artifact.sum(&artifact.extend(&Features::of_prompt(prompt)), head);
    assert_eq!((sum("a b c d", "need"), sum("a b c d e", "need")), (Some(-0.5), Some(0.5)));
    // Three words are two on the scale of magnitudes; half of that, a quarter of that.
    assert_eq!(sum("a b c", "cheap"), Some(0.25));
}

#[test]
fn what_does_not_fit_together_is_said_and_not_written() {
    let folder = Folder::new("misfit");
    let wrong = |path: &str, value: Value| {
        let mut described = described(&folder);
        *described.pointer_mut(path).unwrap() = value;
        format!("{:#}", import(&folder.write("model.json", described.to_string())).unwrap_err())
    };
    for (path, value, said) in [
        ("/schema", json!(99), "features of version 99"),
        ("/tables/0/bits", json!(3), "margins.i8: 4 bytes, 8 expected"),
        ("/tables/0/grams", json!(["syllables"]), "no grams are called `syllables`"),
        ("/tables/0/norm", json!("odd"), "`odd` is no norm"),
        ("/domains/mean", json!([0]), "`domains`: there are"),
        ("/domains/groups", json!([3]), "the groups are not those of the domains"),
        ("/heads/0/linear", json!([["nothing", 1]]), "head `cheap`: no level is called `nothing`"),
        ("/heads/2/models", json!(["absent.txt"]), "head `need`: absent.txt"),
        ("/heads/0/knots", json!([[0, 0]]), "fewer than two knots"),
        ("/heads/0/name", json!("dear"), "`cheap` or `mid` is missing"),
        ("/metadata", json!("text"), "invalid type"),
    ] {
        let found = wrong(path, value);
        assert!(found.contains(said), "{path}: {found}");
    }
}

#[test]
fn rows_are_scored_and_measured() {
    let folder = Folder::new("rows");
    let artifact = made(&folder);
    let row = |id: u32, source: &str, prompt: &str, strong: f64| {
        json!({"id": format!("r{id}"), "source": source, "prompt": prompt, "scores": {"big": strong, "little": 0.0},
               "cost": {"big": 1.0, "little": 0.25}, "group": "g", "split": "open"})
    };
    // The longer prompts need the strong model.
    let mut lines: Vec<String> = (0..20)
        .map(|id| row(id, "s", if id % 2 == 0 { "a" } else { "a b c d e" }, f64::from(id % 2)).to_string())
        .collect();
    lines.push(row(20, "elsewhere", "a", 1.0).to_string());
    lines.push(r#"{"id":"bare","source":"s","prompt":"a b c d e f"}"#.into());
    let data = folder.write("rows.jsonl", lines.join("\n"));

    let mut out = Vec::new();
    predict(&artifact, &data, &mut out).unwrap();
    let said: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((said.len(), &said[1]["score"], &said[0]["score"]), (22, &json!(0.75), &json!(0.25)));
    assert_eq!((&said[0]["id"], &said[0]["q"]["need"]), (&json!("r0"), &json!(0.25)));
    assert_eq!(said[20]["score"].as_f64(), Some(1.0 - said[20]["q"]["cheap"].as_f64().unwrap()), "in general");
    assert_eq!(said[21]["score"], json!(0.75), "without outcomes its source says which pair it is of");

    let evaluation = evaluate(&artifact, &data).unwrap();
    let pair = &evaluation.pairs[0];
    assert_eq!((evaluation.rows, pair.rows, pair.weak, pair.strong), (22, 20, 0.0, 0.5));
    assert_eq!((pair.apgr, pair.apgr_by_length), (0.75, 0.75));
    let figures = |frozen: Frozen| (frozen.calls, frozen.kept, frozen.saved);
    let [nearly, equal] = pair.savings;
    assert_eq!([nearly.frozen, equal.together].map(figures), [(0.5, 1.0, 0.375); 2]);
    assert_eq!([nearly.together, equal.frozen].map(figures), [(1.0, 1.0, 0.0); 2], "no threshold was frozen for that");
    assert_eq!(evaluation.unpaired.get("elsewhere"), Some(&1));
    assert!(evaluation.unknown.contains("big"), "nothing is predicted of it");
    assert!(!evaluation.trained_on);

    let broken = folder.write("broken.jsonl", "{\"id\":\"a\",\"prompt\":\"b\"}\n{\"id\":1}\n");
    let said = predict(&artifact, &broken, &mut Vec::new()).unwrap_err().to_string();
    assert!(said.contains("broken.jsonl, line 2"), "{said}");
}

#[test]
fn the_shipped_artifact_is_one() {
    let shipped = artifact(None).unwrap();
    assert!(SHIPPED.len() < 2_000_000, "{}", SHIPPED.len());
    assert!(
        Scoring::of(&shipped)
            .pairs
            .iter()
            .all(|pair| shipped.quality(&shipped.extend(&Features::of_prompt("")), &pair.strong).is_some()
                || pair.score.is_some())
    );
}

#[test]
fn rows_that_it_was_trained_on_are_known_by_their_hash() {
    let folder = Folder::new("hash");
    let data = folder.write("rows.jsonl", "");
    let mut described = described(&folder);
    // The SHA-256 of nothing.
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    described["metadata"]["data_sha256"] = json!(hash);
    let file = folder.write("made.artifact", import(&folder.write("model.json", described.to_string())).unwrap());
    assert!(evaluate(&artifact(Some(&file)).unwrap(), &data).unwrap().trained_on);
}
