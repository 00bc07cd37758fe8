//! Ways that the requests of one name may go, compared with one another: the words of an experiment's row.

use super::Affinity;

/// Fewest digits by which an artifact is named; Records have twelve.
pub const LEAST_DIGITS: usize = 8;

/// Most artifacts that the arms of all experiments name: every worker keeps them, 2 MiB each at most, beside the one in use.
pub const MAX_NAMED: usize = 4;

/// An experiment with the requests of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// The name that clients ask for.
    pub route: String,
    /// What requests have in common that are to go the same way; chance decides for each where there is nothing.
    pub sticky: Option<Affinity>,
    /// The ways.
    pub arms: Vec<Arm>,
}

/// One of the ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Its name within the experiment.
    pub name: String,
    /// The route, model or `provider/model` that is asked instead.
    pub to: String,
    /// How often, against the others.
    pub weight: u64,
    /// By what its models are chosen.
    pub by: ChoosesBy,
}

/// By what models are chosen where a route leaves that to the request.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ChoosesBy {
    /// The artifact in use, whichever that is; the rules where there is none.
    #[default]
    InUse,
    /// The rules.
    Rules,
    /// The artifact whose digest begins so; the rules where it is not there.
    Artifact(String),
}

impl ChoosesBy {
    /// Reads what an arm says: `none`, or how a digest begins.
    pub fn read(said: &str) -> Option<ChoosesBy> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match said {
            "none" => Some(ChoosesBy::Rules),
            digest => ((LEAST_DIGITS..=64).contains(&digest.len()) && digest.bytes().all(is_digit))
                .then(|| ChoosesBy::Artifact(digest.into())),
        }
    }

    /// What an arm says; nothing for the artifact in use.
    pub fn written(&self) -> Option<&str> {
        match self {
            ChoosesBy::InUse => None,
            ChoosesBy::Rules => Some("none"),
            ChoosesBy::Artifact(digest) => Some(digest),
        }
    }
}

impl Experiment {
    /// What Records and headers call an arm.
    pub fn label(&self, arm: &Arm) -> String {
        format!("{}/{}", self.name, arm.name)
    }
}
