//! What an artifact is made of, as import fills it and the file has it.

use super::bytes::{Sink, Source};
use super::{
    ArtifactError, DIGEST, Domains, Head, MAGIC, MAX_HEADS, MAX_METADATA, MAX_TABLES, MAX_VOCABULARIES, Table,
    Vocabulary,
};
use crate::features;
use crate::json::{Json, Kind};

use sha2::{Digest, Sha256};

/// Everything in an artifact, in the order of the file.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Parts {
    /// What its maker calls it.
    pub name: String,
    /// A JSON object: training data with licences and counts, seed, versions of tools, measured figures, pairs with thresholds.
    pub metadata: String,
    /// From how many thousandths on a request is for cheap models, and for middling ones.
    pub thresholds: [u16; 2],
    /// Sums over grams.
    pub tables: Vec<Table>,
    /// Places of words.
    pub vocabularies: Vec<Vocabulary>,
    /// Levels of all that, and fields.
    pub domains: Domains,
    /// What is predicted.
    pub heads: Vec<Head>,
}

impl Parts {
    pub(super) fn read(content: &[u8]) -> Result<Parts, ArtifactError> {
        let mut source = Source::new(content);
        let schema = source.u32()?;
        if schema != features::VERSION {
            return Err(ArtifactError::Schema(schema));
        }
        let name = source.name("name")?;
        let metadata = source.text(MAX_METADATA, "metadata")?;
        if !Json::parse(metadata.as_bytes()).is_ok_and(|json| json.kind() == Kind::Object) {
            return Err(ArtifactError::Wrong { part: "metadata", problem: "it is no JSON object" });
        }
        let thresholds = [source.u16()?, source.u16()?];
        let mut parts = Parts { name, metadata, thresholds, ..Parts::default() };
        parts.tables = source.list(MAX_TABLES, "tables", Table::read)?;
        parts.vocabularies = source.list(MAX_VOCABULARIES, "vocabularies", Vocabulary::read)?;
        parts.domains = Domains::read(&mut source, parts.width())?;
        let width = parts.width();
        parts.heads = source.list(MAX_HEADS, "heads", |source| Head::read(source, width))?;
        source.end()?;
        Ok(parts)
    }

    /// The file. Whether it is good [`super::Artifact::read`] says.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Sink(MAGIC.to_vec());
        out.u32(features::VERSION);
        out.text(&self.name);
        out.text(&self.metadata);
        self.thresholds.iter().for_each(|least| out.u16(*least));
        out.list(&self.tables, |out, table| table.write(out));
        out.list(&self.vocabularies, |out, vocabulary| vocabulary.write(out));
        self.domains.write(&mut out);
        out.list(&self.heads, |out, head| head.write(out));
        let digest: [u8; DIGEST] = Sha256::digest(&out.0).into();
        out.bytes(digest);
        out.0
    }

    /// How many numbers the vector has that heads see.
    pub(super) fn width(&self) -> usize {
        let tables = self.tables.iter().map(|table| table.columns.len());
        let vocabularies = self.vocabularies.iter().map(|vocabulary| vocabulary.scales.len());
        features::SCHEMA.len() + tables.chain(vocabularies).sum::<usize>() + self.domains.biases.len()
    }

    /// What the numbers of that vector are called.
    pub fn columns(&self) -> Vec<String> {
        let tables = self.tables.iter().map(|table| (&table.name, table.columns.len()));
        let vocabularies = self.vocabularies.iter().map(|vocabulary| (&vocabulary.name, vocabulary.scales.len()));
        let domains = std::iter::once((&self.domains.name, self.domains.biases.len()));
        let numbered =
            |(name, count): (&String, usize)| (0..count).map(|number| format!("{name}.{number}")).collect::<Vec<_>>();
        let dense = features::SCHEMA.iter().map(|(name, _)| (*name).to_owned());
        dense.chain(tables.chain(vocabularies).chain(domains).flat_map(numbered)).collect()
    }
}
