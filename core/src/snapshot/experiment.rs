//! Ways that the requests of one name may go, compared with one another: the words of an experiment's row.

use super::Affinity;

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
}

impl Experiment {
    /// What Records and headers call an arm.
    pub fn label(&self, arm: &Arm) -> String {
        format!("{}/{}", self.name, arm.name)
    }
}
