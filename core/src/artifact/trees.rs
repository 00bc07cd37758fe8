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

/// Where a fork leads to. One number, as in the file: a walk over hundreds of trees is mostly memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child(u16);

impl Child {
    /// To another fork, behind this one.
    pub const fn node(number: u16) -> Child {
        Child(number & !LEAF)
    }

    /// To an end.
    pub const fn leaf(number: u16) -> Child {
        Child(number | LEAF)
    }

    fn is_leaf(self) -> bool {
        self.0 & LEAF != 0
    }

    fn number(self) -> usize {
        usize::from(self.0 & !LEAF)
    }
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
            let mut child = || {
                let child = Child(source.u16()?);
                let range = if child.is_leaf() { 0..leaves } else { place + 1..forks };
                range.contains(&child.number()).then_some(child).ok_or(wrong("a fork leads back or nowhere"))
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
            out.u16(node.left.0);
            out.u16(node.right.0);
        }
        self.leaves.iter().for_each(|leaf| out.f32(*leaf));
    }

    /// The leaf that a vector falls into.
    pub(super) fn value(&self, vector: &[f64]) -> f64 {
        let mut child = if self.nodes.is_empty() { Child::leaf(0) } else { Child::node(0) };
        while !child.is_leaf() {
            let Some(node) = self.nodes.get(child.number()) else { return 0.0 };
            let value = vector.get(usize::from(node.feature)).copied().unwrap_or(0.0);
            child = if value <= f64::from(node.threshold) { node.left } else { node.right };
        }
        self.leaves.get(child.number()).copied().unwrap_or(0.0).into()
    }
}
