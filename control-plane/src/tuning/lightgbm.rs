//! Reads LightGBM's text format: what `Booster.save_model` writes.
//!
//! Limits: trees of numerical splits, one a round. What else the format has (categories, linear leaves, several classes, zeros that
//! count as missing, averaged forests) is refused: it would predict something else here.

use std::collections::HashMap;

use anyhow::{Context, bail, ensure};
use dragoman_core::artifact::{Child, Node, Tree};

/// A model's trees, by the names of their features.
#[derive(Debug)]
pub struct Forest {
    names: Vec<String>,
    trees: Vec<Tree>,
}

impl Forest {
    /// Reads the text of a model file.
    pub fn read(text: &str) -> anyhow::Result<Forest> {
        let mut sections = text.split("\nTree=");
        let head = section(sections.next().unwrap_or_default());
        ensure!(text.starts_with("tree"), "this is no model of LightGBM's");
        ensure!(!text.lines().any(|line| line == "average_output"), "a forest that is averaged (boosting=rf)");
        for member in ["num_class", "num_tree_per_iteration"] {
            ensure!(head.get(member) == Some(&"1"), "`{member}` is not 1");
        }
        let names = head.get("feature_names").context("no `feature_names`")?.split(' ').map(str::to_owned).collect();
        let mut trees = Vec::new();
        for (number, tree) in sections.enumerate() {
            let tree = tree.split("\nend of trees").next().unwrap_or_default();
            trees.push(read_tree(&section(tree)).with_context(|| format!("tree {number}"))?);
        }
        Ok(Forest { names, trees })
    }

    /// The trees for a vector whose numbers have those names, their leaves times `scale`.
    pub fn over(
        mut self,
        columns: &HashMap<&str, u16>,
        inputs: Option<&[String]>,
        scale: f64,
    ) -> anyhow::Result<Vec<Tree>> {
        let names = inputs.unwrap_or(&self.names);
        let place = |name: &String| {
            columns.get(name.as_str()).copied().with_context(|| format!("no feature is called `{name}`"))
        };
        let places: Vec<u16> = names.iter().map(place).collect::<anyhow::Result<_>>()?;
        for tree in &mut self.trees {
            for node in &mut tree.nodes {
                node.feature =
                    *places.get(usize::from(node.feature)).context("a split by a feature that has no name")?;
            }
            tree.leaves.iter_mut().for_each(|leaf| *leaf = (f64::from(*leaf) * scale) as f32);
        }
        Ok(self.trees)
    }
}

/// The members of a section, `name=value` on each line.
fn section(text: &str) -> HashMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

fn read_tree(members: &HashMap<&str, &str>) -> anyhow::Result<Tree> {
    ensure!(members.get("num_cat").is_none_or(|count| *count == "0"), "splits by category");
    ensure!(members.get("is_linear").is_none_or(|linear| *linear == "0"), "linear leaves");
    let leaves: Vec<f64> = numbers(members, "leaf_value")?;
    let leaves: Vec<f32> = leaves.into_iter().map(|leaf| leaf as f32).collect();
    if leaves.len() == 1 {
        return Ok(Tree { nodes: Vec::new(), leaves });
    }
    let features: Vec<u16> = numbers(members, "split_feature")?;
    let thresholds: Vec<f64> = numbers(members, "threshold")?;
    let kinds: Vec<u8> = numbers(members, "decision_type")?;
    let (left, right): (Vec<i32>, Vec<i32>) = (numbers(members, "left_child")?, numbers(members, "right_child")?);
    let forks = leaves.len().saturating_sub(1);
    ensure!(
        [features.len(), thresholds.len(), kinds.len(), left.len(), right.len()] == [forks; 5],
        "its lists are not of one length"
    );
    let mut nodes = Vec::with_capacity(forks);
    for (place, kind) in kinds.iter().enumerate() {
        // The first bit says category, the third and fourth what is missing: 0 nothing, 1 zeros, 2 what is no number. Nothing here is
        // no number.
        if kind & 1 != 0 || (kind >> 2) & 3 == 1 {
            bail!("split {place} goes by category, or takes zero as missing");
        }
        let threshold = thresholds[place] as f32;
        nodes.push(Node {
            feature: features[place],
            threshold,
            left: child(left[place])?,
            right: child(right[place])?,
        });
    }
    Ok(Tree { nodes, leaves })
}

/// A child: forks from 0 up, leaves from -1 down.
fn child(number: i32) -> anyhow::Result<Child> {
    let (number, of): (i32, fn(u16) -> Child) = if number < 0 { (!number, Child::leaf) } else { (number, Child::node) };
    ensure!((0..1 << 15).contains(&number), "too many leaves");
    Ok(of(u16::try_from(number)?))
}

fn numbers<T: std::str::FromStr>(members: &HashMap<&str, &str>, name: &str) -> anyhow::Result<Vec<T>> {
    let said = members.get(name).with_context(|| format!("no `{name}`"))?;
    let number = |said: &str| said.parse().ok().with_context(|| format!("`{name}`: `{said}` can't be read"));
    said.split_ascii_whitespace().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n\
        objective=regression\nfeature_names=words lines\nfeature_infos=[0:9] [0:9]\n\n\
        Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=1 0\nsplit_gain=1 1\nthreshold=2.5000000000000004 1.0000000180025095e-35\n\
        decision_type=2 10\nleft_child=1 -1\nright_child=-2 -3\nleaf_value=0.5 -0.25 1\nis_linear=0\nshrinkage=1\n\n\n\
        Tree=1\nnum_leaves=1\nnum_cat=0\nleaf_value=0.125\n\nend of trees\n\nfeature_importances:\nlines=1\n";

    fn columns() -> HashMap<&'static str, u16> {
        HashMap::from([("lines", 4), ("words", 7), ("other", 9)])
    }

    #[test]
    fn trees_are_read_by_the_names_of_their_features() {
        let trees = Forest::read(MODEL).unwrap().over(&columns(), None, 2.0).unwrap();
        let root = Node { feature: 4, threshold: 2.5, left: Child::node(1), right: Child::leaf(1) };
        let below = Node { feature: 7, threshold: 1e-35, left: Child::leaf(0), right: Child::leaf(2) };
        assert_eq!(trees[0], Tree { nodes: vec![root, below], leaves: vec![1.0, -0.5, 2.0] });
        assert_eq!(trees[1], Tree { nodes: vec![], leaves: vec![0.25] });
        let inputs = ["other".to_owned(), "lines".to_owned()];
        let trees = Forest::read(MODEL).unwrap().over(&columns(), Some(&inputs), 1.0).unwrap();
        assert_eq!(trees[0].nodes[1].feature, 9);
        let strange = ["strange".to_owned()];
        assert!(Forest::read(MODEL).unwrap().over(&columns(), Some(&strange), 1.0).is_err());
    }

    #[test]
    fn what_would_predict_something_else_is_refused() {
        for (old, new) in [
            ("tree\n", "forest\n"),
            ("num_class=1", "num_class=3"),
            ("num_cat=0", "num_cat=1"),
            ("is_linear=0", "is_linear=1"),
            ("decision_type=2", "decision_type=1"),
            ("decision_type=2", "decision_type=6"),
            ("version=v4", "version=v4\naverage_output"),
            ("left_child=1 -1", "left_child=1"),
            ("threshold=2.5", "threshold=x"),
            ("leaf_value=0.5", "leaf_values=0.5"),
            ("left_child=1 -1", "left_child=70000 -1"),
        ] {
            assert!(Forest::read(&MODEL.replacen(old, new, 1)).is_err(), "{new}");
        }
    }
}
