//! Decision trees, as boosting makes them: hundreds of small ones, whose leaves are added.

use super::ArtifactError;
use super::bytes::{Sink, Source};

/// Most trees of a head.
pub const MAX_TREES: usize = 4_096;

/// Most leaves of a tree.
pub const MAX_LEAVES: usize = 1_024;

/// What tells a leaf from a fork where both are numbered.
const LEAF: u16 = 0x8000;

/// Where it stands in messages.
const PART: &str = "trees";

/// Where a fork leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// To another fork, behind this one.
    Node(u16),
    /// To an end.
    Leaf(u16),
}

/// A fork: `vector[feature] <= threshold` goes left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// Which number decides.
    pub feature: u16,
    /// The largest that goes left.
    pub threshold: f32,
    /// Where it goes then.
    pub left: Child,
    /// Where it goes otherwise.
    pub right: Child,
}

/// One tree. Its root is the first fork; a tree of one leaf has none.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Tree {
    /// The forks. They lead to later ones only, so every walk ends.
    pub nodes: Vec<Node>,
    /// What is added, by leaf.
    pub leaves: Vec<f32>,
}

impl Tree {
    /// Reads a tree over vectors of `width` numbers.
    pub(super) fn read(source: &mut Source<'_>, width: usize) -> Result<Tree, ArtifactError> {
        let wrong = |problem| ArtifactError::Wrong { part: PART, problem };
        let leaves = source.count(MAX_LEAVES, PART)?;
        let forks = leaves.checked_sub(1).ok_or(wrong("one has no leaf"))?;
        let mut nodes = Vec::with_capacity(forks);
        for place in 0..forks {
            let feature = source.u16()?;
            if usize::from(feature) >= width {
                return Err(wrong("a feature is out of range"));
            }
            let threshold = source.f32(PART)?;
            let mut child = || match source.u16()? {
                leaf if leaf & LEAF != 0 && usize::from(leaf & !LEAF) < leaves => Ok(Child::Leaf(leaf & !LEAF)),
                node if usize::from(node) > place && usize::from(node) < forks => Ok(Child::Node(node)),
                _ => Err(wrong("a fork leads back or nowhere")),
            };
            nodes.push(Node { feature, threshold, left: child()?, right: child()? });
        }
        Ok(Tree { nodes, leaves: source.f32s(leaves, PART)? })
    }

    pub(super) fn write(&self, out: &mut Sink) {
        out.u16(u16::try_from(self.leaves.len()).unwrap_or(u16::MAX));
        for node in &self.nodes {
            out.u16(node.feature);
            out.f32(node.threshold);
            for child in [node.left, node.right] {
                out.u16(match child {
                    Child::Node(number) => number,
                    Child::Leaf(number) => number | LEAF,
                });
            }
        }
        self.leaves.iter().for_each(|leaf| out.f32(*leaf));
    }

    /// The leaf that a vector falls into.
    pub(super) fn value(&self, vector: &[f64]) -> f64 {
        let mut child = if self.nodes.is_empty() { Child::Leaf(0) } else { Child::Node(0) };
        loop {
            let node = match child {
                Child::Leaf(leaf) => return self.leaves.get(usize::from(leaf)).copied().unwrap_or(0.0).into(),
                Child::Node(node) => self.nodes.get(usize::from(node)),
            };
            let Some(node) = node else { return 0.0 };
            let value = vector.get(usize::from(node.feature)).copied().unwrap_or(0.0);
            child = if value <= f64::from(node.threshold) { node.left } else { node.right };
        }
    }
}
