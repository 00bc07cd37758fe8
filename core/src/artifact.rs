//! One file of trained weights: what the numbers of a request ([`crate::features`]) say about which model will do the job.
//!
//! ```text
//! grams ──▶ tables, vocabularies ──┐
//! dense ───────────────────────────┴▶ numbers ──▶ levels ──▶ domains
//!                                        │           └──────────┴──▶ sum ──┐
//!                                        └──────────▶ trees ─▶ sum ────────┴▶ knots ──▶ 0 to 1
//! ```
//!
//! Every stage may be empty. A **table** sums the weights of a text's grams, a **vocabulary** finds the mean place of its words;
//! **levels** are all numbers on one scale, **domains** the fields that they speak of. A **head** predicts one thing: how well a
//! model answers, or that a cheap or a middling one will do.
//!
//! Nothing here calls `exp` or a logarithm: compilers bring different ones for wasm and for this machine. Trees compare, sums of
//! weights are whole numbers, everything else is added in one order, and a probability is read off a line between knots. So wasm
//! and native agree to the last bit.
//!
//! The file is little endian: [`MAGIC`], the parts in the order of [`Parts`], the SHA-256 of all that. Whoever reads it trusts
//! nothing: what is not finite, out of range or larger than its limit is refused, and why is said.
//!
//! *Limits*: it knows the models that it was trained on, by the names that its heads give them, and tasks like those of its
//! training data; `docs/selection.md` says how far that carries.

mod bytes;
mod domains;
mod head;
mod judge;
mod parts;
mod table;
mod trees;
mod vocabulary;

use std::collections::HashMap;

use sha2::{Digest, Sha256};

pub use domains::Domains;
pub use head::{Head, MAX_ALSO, MAX_KNOTS};
pub use judge::{Bucket, Extended, Opinion};
pub use parts::Parts;
pub use table::{Column, Norm, Table};
pub use trees::{Child, Node, Tree};
pub use vocabulary::Vocabulary;

/// What an artifact begins with; the digit is the form of the file.
pub const MAGIC: &[u8; 8] = b"DRGTUNE1";

/// Largest artifact, in bytes: every worker keeps the one in use, and those that arms of experiments name.
pub const MAX_ARTIFACT: usize = 2 << 20;

/// Longest name of an artifact, a part or a model, in bytes.
pub const MAX_NAME: usize = 128;

/// Largest metadata, in bytes: licences and figures, no data.
pub const MAX_METADATA: usize = 64 << 10;

/// Most tables.
pub const MAX_TABLES: usize = 8;

/// Most vocabularies.
pub const MAX_VOCABULARIES: usize = 4;

/// Most heads: there are fewer models worth telling apart.
pub const MAX_HEADS: usize = 128;

/// Length of a SHA-256.
const DIGEST: usize = 32;

/// Why a file is no artifact that can be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactError {
    /// More bytes than [`MAX_ARTIFACT`].
    TooLarge(usize),
    /// Something else, or of another form.
    Foreign,
    /// The bytes are not those that were hashed.
    Tampered,
    /// It ends within a part, though its hash is right.
    Truncated,
    /// Trained on features of another version.
    Schema(u32),
    /// A part that can't be.
    Wrong {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl core::fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ArtifactError::TooLarge(bytes) => write!(f, "it has {bytes} bytes; {MAX_ARTIFACT} are allowed"),
            ArtifactError::Foreign => f.write_str("it is no tuning artifact of this form"),
            ArtifactError::Tampered => {
                f.write_str("its bytes are not those that were hashed: damaged or tampered with")
            }
            ArtifactError::Truncated => f.write_str("it ends within a part"),
            ArtifactError::Schema(found) => {
                write!(
                    f,
                    "it was trained on features of version {found}; here they have version {}",
                    crate::features::VERSION
                )
            }
            ArtifactError::Wrong { part, problem } => write!(f, "{part}: {problem}"),
        }
    }
}

impl core::error::Error for ArtifactError {}

/// Trained weights, checked.
#[derive(Clone, Debug)]
pub struct Artifact {
    parts: Parts,
    digest: String,
    head_by_name: HashMap<String, usize>,
    /// The heads of [`Opinion`].
    cheap: usize,
    mid: usize,
}

impl PartialEq for Artifact {
    /// The same bytes.
    fn eq(&self, other: &Artifact) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Artifact {}

impl Artifact {
    /// Checks every byte of a file.
    pub fn read(file: &[u8]) -> Result<Artifact, ArtifactError> {
        if file.len() > MAX_ARTIFACT {
            return Err(ArtifactError::TooLarge(file.len()));
        }
        let content = file.strip_prefix(MAGIC).ok_or(ArtifactError::Foreign)?;
        let (content, said) = content.split_last_chunk::<DIGEST>().ok_or(ArtifactError::Truncated)?;
        let digest: [u8; DIGEST] = Sha256::new().chain_update(MAGIC).chain_update(content).finalize().into();
        if digest != *said {
            return Err(ArtifactError::Tampered);
        }
        let parts = Parts::read(content)?;
        let mut head_by_name = HashMap::new();
        for (place, head) in parts.heads.iter().enumerate() {
            for name in std::iter::once(&head.name).chain(&head.also) {
                if head_by_name.insert(name.clone(), place).is_some() {
                    return Err(ArtifactError::Wrong { part: "heads", problem: "two have the same name" });
                }
            }
        }
        let named = |name: &str| head_by_name.get(name).copied();
        let missing = ArtifactError::Wrong { part: "heads", problem: "`cheap` or `mid` is missing" };
        let (cheap, mid) = named(Bucket::Cheap.name()).zip(named(Bucket::Mid.name())).ok_or(missing)?;
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Artifact { parts, digest, head_by_name, cheap, mid })
    }

    /// What it is made of.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// What its maker calls it.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Its SHA-256 in hexadecimal digits, by which versions are told apart.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

#[cfg(test)]
mod tests;
