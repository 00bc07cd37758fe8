//! How a request's model was chosen, where its route leaves that to the request.

use crate::artifact::Bucket;
use crate::json::{Json, Writer};

/// What says to which bucket a request belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// The caller did.
    Caller,
    /// A trained artifact.
    Artifact,
    /// The rules of [`crate::select::bucket`].
    Rules,
}

impl Judge {
    /// Every judge.
    pub const ALL: [Judge; 3] = [Judge::Caller, Judge::Artifact, Judge::Rules];

    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Judge::Caller => "caller",
            Judge::Artifact => "artifact",
            Judge::Rules => "rules",
        }
    }

    /// The judge of that name.
    pub fn named(name: &str) -> Option<Judge> {
        Judge::ALL.into_iter().find(|judge| judge.name() == name)
    }
}

/// What was chosen for a request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its bucket.
    pub bucket: Bucket,
    /// Who says so.
    pub by: Judge,
    /// The chance that a cheap model does the job, in thousandths.
    pub cheap: u16,
    /// The chance that a middling one does.
    pub mid: u16,
    /// How much quality counted, in thousandths.
    pub alpha: u16,
    /// How the artifact's SHA-256 begins; empty where there was none.
    pub artifact: String,
    /// The version of what its numbers mean (see [`crate::features`]); 0 where they are not kept.
    pub schema: u32,
    /// Its numbers, where its route keeps them.
    pub features: Vec<u32>,
    /// Those who could be asked and are for that bucket, the best first.
    pub scores: Vec<Score>,
}

/// How good a candidate is for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// `provider/model`.
    pub target: String,
    /// In millionths; higher ones are better.
    pub score: u32,
    /// How well it is expected to do the job, in thousandths.
    pub quality: u16,
    /// What it is expected to take, waiting included, in micro-dollars rounded up.
    pub micro_dollars: u64,
}

impl Chosen {
    pub(crate) fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("bucket").string(self.bucket.name());
            out.field("by").string(self.by.name());
            for (name, value) in [("cheap", self.cheap), ("mid", self.mid), ("alpha", self.alpha)] {
                out.field(name).number(u64::from(value));
            }
            if !self.artifact.is_empty() {
                out.field("artifact").string(&self.artifact);
            }
            if !self.features.is_empty() {
                out.field("schema").number(u64::from(self.schema));
                out.field("features").array(|out| {
                    self.features.iter().for_each(|number| out.number(u64::from(*number)));
                });
            }
            out.field("scores").array(|out| self.scores.iter().for_each(|score| score.write(out)));
        });
    }

    pub(super) fn read(json: Json<'_>) -> Option<Chosen> {
        let text = |name: &str| json.get(name).and_then(Json::string);
        let number = |name: &str| json.get(name).and_then(Json::u64).and_then(|number| u16::try_from(number).ok());
        Some(Chosen {
            bucket: Bucket::named(&text("bucket")?)?,
            by: Judge::named(&text("by")?)?,
            cheap: number("cheap")?,
            mid: number("mid")?,
            alpha: number("alpha")?,
            artifact: text("artifact").unwrap_or_default(),
            schema: json.get("schema").and_then(small).unwrap_or(0),
            features: json.get("features").into_iter().flat_map(Json::items).map(small).collect::<Option<_>>()?,
            scores: json.get("scores")?.items().map(Score::read).collect::<Option<_>>()?,
        })
    }
}

fn small(number: Json<'_>) -> Option<u32> {
    number.u64().and_then(|number| u32::try_from(number).ok())
}

impl Score {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("target").string(&self.target);
            out.field("score").number(u64::from(self.score));
            out.field("quality").number(u64::from(self.quality));
            out.field("micro_dollars").number(self.micro_dollars);
        });
    }

    fn read(json: Json<'_>) -> Option<Score> {
        let number = |name: &str| json.get(name).and_then(Json::u64);
        Some(Score {
            target: json.get("target").and_then(Json::string)?,
            score: number("score").and_then(|number| u32::try_from(number).ok())?,
            quality: number("quality").and_then(|number| u16::try_from(number).ok())?,
            micro_dollars: number("micro_dollars")?,
        })
    }
}
