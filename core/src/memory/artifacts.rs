//! The artifacts that models are chosen by: the one in use, and those that arms of experiments name.
//!
//! Limits: [`MAX_NAMED`] beside the one in use, told as a whole: who is not named any more is let go.

use std::sync::Arc;

use crate::artifact::{Artifact, ArtifactError};
use crate::snapshot::{ChoosesBy, MAX_NAMED};

/// What is there to choose by. One that is both in use and named is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifacts {
    in_use: Option<Arc<Artifact>>,
    named: Vec<Arc<Artifact>>,
    /// The digests of those that arms name, here or not.
    wanted: Vec<String>,
}

impl Artifacts {
    /// The one to choose by; `None` where the rules do, and where it is not there.
    pub fn of(&self, by: &ChoosesBy) -> Option<&Artifact> {
        match by {
            ChoosesBy::InUse => self.in_use(),
            ChoosesBy::Rules => None,
            ChoosesBy::Artifact(begins) => self.all().find(|one| one.digest().starts_with(begins)).map(Arc::as_ref),
        }
    }

    /// The one in use.
    pub fn in_use(&self) -> Option<&Artifact> {
        self.in_use.as_deref()
    }

    /// Those that arms name.
    pub fn named(&self) -> impl Iterator<Item = &Artifact> {
        self.named.iter().map(Arc::as_ref)
    }

    /// Puts the artifact of that file in use, none where it is empty. One that can't be read leaves the last one in its place.
    pub fn put_in_use(&mut self, file: &[u8]) -> Result<(), ArtifactError> {
        let next = match file {
            [] => None,
            file => Some(self.shared(Artifact::read(file)?)),
        };
        let before = core::mem::replace(&mut self.in_use, next);
        self.pick(before.as_slice());
        Ok(())
    }

    /// Holds those that arms name, by their digests: what of them is here and what these files bring. Why files can't be read is
    /// given back.
    pub fn hold(&mut self, digests: &[String], files: &[impl AsRef<[u8]>]) -> Vec<ArtifactError> {
        let (mut brought, mut refused) = (Vec::new(), Vec::new());
        for file in files.iter().take(MAX_NAMED) {
            match Artifact::read(file.as_ref()) {
                Ok(artifact) => brought.push(self.shared(artifact)),
                Err(why) => refused.push(why),
            }
        }
        self.wanted = digests.iter().take(MAX_NAMED).cloned().collect();
        self.pick(&brought);
        refused
    }

    /// Takes those that are wanted of what is here and of these.
    fn pick(&mut self, others: &[Arc<Artifact>]) {
        let found = |digest: &String| others.iter().chain(self.all()).find(|one| one.digest() == digest).cloned();
        self.named = self.wanted.iter().filter_map(found).collect();
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Artifact>> {
        self.named.iter().chain(&self.in_use)
    }

    /// The very one that is here already, if it is.
    fn shared(&self, artifact: Artifact) -> Arc<Artifact> {
        self.all().find(|one| ***one == artifact).cloned().unwrap_or_else(|| Arc::new(artifact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Head, Parts};

    /// One of that name.
    fn file(name: &str) -> Vec<u8> {
        let head = |name: &str| Head { name: name.into(), knots: vec![(0.0, 0.5), (1.0, 0.5)], ..Head::default() };
        Parts { name: name.into(), heads: vec![head("cheap"), head("mid")], metadata: "{}".into(), ..Parts::default() }
            .write()
    }

    fn digest(name: &str) -> String {
        Artifact::read(&file(name)).unwrap().digest().to_owned()
    }

    fn named(artifacts: &Artifacts) -> Vec<&str> {
        artifacts.named().map(Artifact::name).collect()
    }

    #[test]
    fn an_arm_chooses_by_what_it_names_and_by_the_rules_where_that_is_not_there() {
        let mut artifacts = Artifacts::default();
        artifacts.put_in_use(&file("used")).unwrap();
        assert_eq!(artifacts.hold(&[digest("one")], &[file("one")]), []);
        let of = |by: &ChoosesBy| artifacts.of(by).map(Artifact::name);
        let begins = |name: &str| ChoosesBy::Artifact(digest(name)[..8].to_owned());
        assert_eq!([of(&ChoosesBy::InUse), of(&ChoosesBy::Rules)], [Some("used"), None]);
        assert_eq!([of(&begins("one")), of(&begins("used")), of(&begins("two"))], [Some("one"), Some("used"), None]);
    }

    #[test]
    fn what_is_named_no_more_is_let_go_and_what_is_here_needs_no_file() {
        let nothing: [&[u8]; 0] = [];
        let mut artifacts = Artifacts::default();
        artifacts.put_in_use(&file("used")).unwrap();
        artifacts.hold(&[digest("used"), digest("one")], &[file("one")]);
        assert_eq!(named(&artifacts), ["used", "one"]);
        artifacts.put_in_use(&file("one")).unwrap();
        assert!(std::ptr::eq(artifacts.in_use().unwrap(), artifacts.named().nth(1).unwrap()), "it is there once");
        artifacts.hold(&[digest("used")], &nothing);
        assert_eq!((named(&artifacts), artifacts.in_use().unwrap().name()), (vec!["used"], "one"));
        artifacts.hold(&[digest("one"), digest("two")], &nothing);
        artifacts.put_in_use(&file("two")).unwrap();
        assert_eq!(named(&artifacts), ["one", "two"], "whatever comes first");
        let gone = Arc::downgrade(&artifacts.named[0]);
        artifacts.hold(&[], &nothing);
        assert!(gone.upgrade().is_none() && artifacts.put_in_use(&[]).is_ok() && artifacts == Artifacts::default());
    }

    #[test]
    fn what_can_not_be_read_is_said_and_changes_nothing_else() {
        let mut artifacts = Artifacts::default();
        artifacts.put_in_use(&file("used")).unwrap();
        let mut damaged = file("one");
        damaged[40] ^= 1;
        assert_eq!(artifacts.put_in_use(&damaged), Err(ArtifactError::Tampered));
        let refused = artifacts.hold(&[digest("one"), digest("two")], &[damaged, file("two")]);
        assert_eq!((refused, named(&artifacts)), (vec![ArtifactError::Tampered], vec!["two"]));
        assert_eq!(artifacts.in_use().unwrap().name(), "used");
    }

    #[test]
    fn no_more_are_held_than_may_be_named() {
        let names: Vec<String> = (0..MAX_NAMED + 2).map(|number| number.to_string()).collect();
        let (digests, files): (Vec<_>, Vec<_>) = names.iter().map(|name| (digest(name), file(name))).unzip();
        let mut artifacts = Artifacts::default();
        artifacts.hold(&digests, &files);
        assert_eq!(artifacts.named().count(), MAX_NAMED);
    }
}
