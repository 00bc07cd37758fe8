//! The arm of an experiment that a request is of, where its model is the name of one.

use super::plan::Sought;
use crate::admission::Grant;
use crate::select;
use crate::snapshot::{ChoosesBy, Snapshot};

/// The way that a request goes instead of what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// `experiment/arm`.
    pub arm: String,
    /// The name that is asked for.
    pub to: String,
    /// By what its models are chosen.
    pub by: ChoosesBy,
}

impl Sought<'_> {
    /// The arm; `seed` decides where the request has nothing in common with others.
    pub(crate) fn arm(&self, grant: Option<&Grant>, snapshot: &Snapshot, seed: u64) -> Option<Taken> {
        let experiment = snapshot.experiment(&self.wish.model)?;
        let key = experiment.sticky.as_ref().and_then(|sticky| self.affinity(sticky, grant));
        let arm = select::arm(experiment, key.unwrap_or(seed))?;
        Some(Taken { arm: experiment.label(arm), to: arm.to.clone(), by: arm.by.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::artifact::{Bucket, Head, Parts};
    use crate::catalog::{DialectId, Provider, Target};
    use crate::explain::{Situation, explain};
    use crate::memory::Artifacts;
    use crate::record::Judge;
    use crate::snapshot::{Affinity, Arm, Buckets, Choice, ChoosesBy, Experiment, Route, Snapshot};

    fn snapshot(sticky: Option<Affinity>, weights: (u64, u64)) -> Snapshot {
        let providers = ["a", "b"].map(|id| Provider::plain(id, DialectId::ChatCompletions)).to_vec();
        let targets = vec![Target::unlisted("a/m".into(), 0, "m"), Target::unlisted("b/n".into(), 1, "n")];
        let route = |name: &str, at| Route { name: name.into(), candidates: vec![at], ..Route::default() };
        let mut snapshot = Snapshot::new(1, providers, targets, vec![route("m", 0), route("n", 1)], vec![]).unwrap();
        let by = ChoosesBy::InUse;
        let arm = |name: &str, to: &str, weight| Arm { name: name.into(), to: to.into(), weight, by: by.clone() };
        snapshot.experiments = vec![Experiment {
            name: "x".into(),
            route: "m".into(),
            sticky,
            arms: vec![arm("now", "m", weights.0), arm("new", "n", weights.1)],
        }];
        Snapshot::read(&snapshot.write()).unwrap()
    }

    fn asked(model: &str, session: &str, snapshot: &Snapshot) -> (Option<String>, String) {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        let headers = [("x-session", session)];
        let explained =
            explain("POST", "/v1/chat/completions", &headers, body.as_bytes(), Situation::default(), snapshot);
        (explained.arm.clone(), explained.planned().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_request_goes_the_way_of_its_arm_and_others_go_theirs() {
        let sticky = Some(Affinity::Header("x-session".into()));
        let all = snapshot(sticky.clone(), (0, 1));
        assert_eq!(asked("m", "s", &all), (Some("x/new".into()), "b/n".into()));
        assert_eq!(asked("n", "s", &all), (None, "b/n".into()));
        assert_eq!(asked("a/m", "s", &all), (None, "a/m".into()), "who is named is asked");
        let half = snapshot(sticky, (1, 1));
        let arms: Vec<_> = (0..40).map(|session| asked("m", &session.to_string(), &half)).collect();
        let again: Vec<_> = (0..40).map(|session| asked("m", &session.to_string(), &half)).collect();
        assert_eq!(arms, again, "a session keeps its arm");
        for (arm, plan) in &arms {
            assert_eq!(arm.as_deref() == Some("x/new"), plan == "b/n");
        }
        assert!(arms.iter().any(|(_, plan)| plan == "a/m") && arms.iter().any(|(_, plan)| plan == "b/n"));
    }

    /// An artifact to which every request is hard.
    fn file(name: &str) -> Vec<u8> {
        let head = |name: &str| Head { name: name.into(), knots: vec![(0.0, 0.5), (1.0, 0.5)], ..Head::default() };
        let (heads, metadata) = (vec![head("cheap"), head("mid")], "{}".into());
        Parts { name: name.into(), thresholds: [1000; 2], heads, metadata, ..Parts::default() }.write()
    }

    #[test]
    fn an_arm_chooses_by_its_own_artifact_and_by_the_rules_where_that_is_not_there() {
        let mut artifacts = Artifacts::default();
        artifacts.put_in_use(&file("used")).unwrap();
        let used = artifacts.in_use().unwrap().digest().to_owned();
        let named = crate::artifact::Artifact::read(&file("named")).unwrap().digest().to_owned();
        artifacts.hold(std::slice::from_ref(&named), &[file("named")]);
        let missing = ChoosesBy::Artifact("0123456789".into());
        for (by, judge, bucket, digest) in [
            (ChoosesBy::InUse, Judge::Artifact, Bucket::Hard, &used[..12]),
            (ChoosesBy::Artifact(named[..8].into()), Judge::Artifact, Bucket::Hard, &named[..12]),
            (ChoosesBy::Rules, Judge::Rules, Bucket::Cheap, ""),
            (missing, Judge::Rules, Bucket::Cheap, ""),
        ] {
            let mut snapshot = snapshot(None, (1, 0));
            let suits = [Bucket::Cheap, Bucket::Hard].map(|bucket| Buckets::NONE.with(bucket)).to_vec();
            let (alphas, thought) = ((0, 1000), Choice::usual_thought());
            let choice = Choice { suits, alpha: Choice::ALPHA, alphas, second: 0, thought, keep_features: false };
            (snapshot.routes[0].candidates, snapshot.routes[0].choice) = (vec![0, 1], Some(choice));
            (snapshot.experiments[0].arms[0].by, snapshot.experiments[0].arms[1].to) = (by.clone(), "m".into());
            let snapshot = Snapshot::read(&snapshot.write()).unwrap();
            assert_eq!(snapshot.experiments[0].arms[0].by, by, "it is written and read");
            let situation = Situation { artifacts: Some(&artifacts), ..Situation::default() };
            let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
            let explained = explain::<&str>("POST", "/v1/chat/completions", &[], body, situation, &snapshot);
            let chosen = explained.chosen.as_ref().unwrap();
            assert_eq!((chosen.by, chosen.bucket, chosen.artifact.as_str()), (judge, bucket, digest), "{by:?}");
            let first = if bucket == Bucket::Hard { "b/n" } else { "a/m" };
            assert_eq!((explained.planned().next(), explained.arm.as_deref()), (Some(first), Some("x/now")));
        }
    }
}
