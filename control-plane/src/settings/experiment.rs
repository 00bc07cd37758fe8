//! An experiment's row: which ways the requests of a name may go, how often, and how a new way gets all of them by and by.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use dragoman_core::snapshot::{Affinity, Arm, ChoosesBy, Experiment, MAX_NAMED};

use super::members::{Members, Placed, Reading};
use super::{File, Known, MAX_NAME};
use crate::tuning::shipped_digest;

/// Most ways of one experiment.
const MOST_ARMS: usize = 10;
/// Highest weight of a way.
const MOST_WEIGHT: u64 = 1_000;
/// Most steps of a rollout.
const MOST_STEPS: usize = 20;
/// So many requests of each way are compared, at least, where nobody says otherwise: fewer say nothing.
const LEAST_REQUESTS: u64 = 50;

/// One `[[experiment]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExperimentRow {
    /// Its name.
    pub name: Placed<String>,
    /// The name that clients ask for.
    pub route: Placed<String>,
    /// What requests have in common that are to go the same way.
    pub sticky: Option<Affinity>,
    /// The ways; `to` with its place.
    pub arms: Vec<(Arm, usize)>,
    /// How a way gets all requests by and by.
    pub rollout: Option<Rollout>,
}

/// How one of two ways gets all requests by and by, unless it turns out to be worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The way.
    pub to: String,
    /// Its shares in percent, one after the other.
    pub steps: Vec<u64>,
    /// How long each of them lasts, at least.
    pub every: Duration,
    /// It goes back when so many more of a thousand requests fail than on the other way; never when nothing is said.
    pub error_permille: Option<u64>,
    /// It goes back when its slow answers (p95) begin so many thousandths later than the other way's.
    pub latency_permille: Option<u64>,
    /// Of fewer requests of either way nothing is concluded.
    pub least_requests: u64,
}

impl ExperimentRow {
    /// As the Snapshot has it.
    pub fn published(&self) -> Experiment {
        Experiment {
            name: self.name.value.clone(),
            route: self.route.value.clone(),
            sticky: self.sticky.clone(),
            arms: self.arms.iter().map(|(arm, _)| arm.clone()).collect(),
        }
    }
}

impl ExperimentRow {
    /// How the digests of the artifacts begin that its arms name.
    pub fn artifacts(&self) -> impl Iterator<Item = &str> {
        self.arms.iter().filter_map(|(arm, _)| match &arm.by {
            ChoosesBy::Artifact(digest) => Some(digest.as_str()),
            ChoosesBy::InUse | ChoosesBy::Rules => None,
        })
    }
}

impl File {
    /// How the digests of the artifacts begin that arms of experiments name.
    pub fn named_artifacts(&self) -> BTreeSet<String> {
        self.experiments.iter().flat_map(ExperimentRow::artifacts).map(str::to_owned).collect()
    }

    /// The experiments whose arms name that artifact.
    pub fn experiments_with(&self, digest: &str) -> Vec<String> {
        let names = |row: &&ExperimentRow| row.artifacts().any(|begins| digest.starts_with(begins));
        self.experiments.iter().filter(names).map(|row| row.name.value.clone()).collect()
    }
}

/// Reads one `[[experiment]]`.
pub(super) fn experiment(reading: &mut Reading<'_>, mut row: Members<'_>) -> ExperimentRow {
    let at = row.at;
    let mut named = |reading: &mut Reading<'_>, member, needs: &str| {
        let text = row.string(reading, member).filter(|text| !text.value.is_empty());
        if text.is_none() {
            reading.mistake(at, format!("this experiment needs {needs}"));
        }
        text.unwrap_or(Placed { at, value: String::new() })
    };
    let name = named(reading, "name", "a `name`");
    let route = named(reading, "route", "a `route`: the name that clients ask for");
    if !name.value.is_empty() && !is_plain(&name.value) {
        reading.mistake(
            name.at,
            "a name of an experiment has 1 to 200 letters, digits, `-`, `_` or `.`, for it stands in headers",
        );
    }
    let sticky = row.string(reading, "sticky").and_then(|text| {
        let sticky = Affinity::read(&text.value);
        if sticky.is_none() {
            reading.mistake(
                text.at,
                "`sticky` is \"user\", \"prefix\" or a header such as \"header:x-session\", in lower case",
            );
        }
        sticky
    });
    let arms = row.tables(reading, "arms", "an arm").unwrap_or_default();
    let arms: Vec<(Arm, usize)> = arms.into_iter().map(|members| arm(reading, members)).collect();
    let mut seen = HashSet::new();
    let is_fine = (2..=MOST_ARMS).contains(&arms.len()) && arms.iter().any(|(arm, _)| arm.weight > 0);
    if !is_fine || arms.iter().any(|(arm, _)| !seen.insert(arm.name.as_str())) {
        reading.mistake(
            at,
            "`arms` are 2 to 10 with different names, of which one has a weight: [{ name = \"now\", to = \"large\", weight = 9 }, …]",
        );
    }
    let rollout = row.table(reading, "rollout", "`rollout`").map(|members| rollout(reading, members, &arms));
    row.end(reading);
    ExperimentRow { name, route, sticky, arms, rollout }
}

fn arm(reading: &mut Reading<'_>, mut members: Members<'_>) -> (Arm, usize) {
    let at = members.at;
    let name = members.string(reading, "name").map(|text| text.value).unwrap_or_default();
    let to = members.string(reading, "to").unwrap_or(Placed { at, value: String::new() });
    let weight = members.number(reading, "weight", 0, MOST_WEIGHT).unwrap_or(1);
    let by = members.string(reading, "artifact").and_then(|said| {
        let by = match said.value.as_str() {
            "shipped" => Some(ChoosesBy::Artifact(shipped_digest())),
            said => ChoosesBy::read(said),
        };
        if by.is_none() {
            let words = "`artifact` is \"none\" for the rules, \"shipped\", or how the digest of one that is kept begins: \
                         8 to 64 digits, as `dragoman tuning artifacts list` shows them";
            reading.mistake(said.at, words);
        }
        by
    });
    members.end(reading);
    if !is_plain(&name) || to.value.is_empty() {
        reading.mistake(at, "an arm has a `name` of letters, digits, `-`, `_` or `.`, and says whom it goes `to`");
    }
    (Arm { name, to: to.value, weight, by: by.unwrap_or_default() }, to.at)
}

fn rollout(reading: &mut Reading<'_>, mut members: Members<'_>, arms: &[(Arm, usize)]) -> Rollout {
    let at = members.at;
    let to = members.string(reading, "to").map(|text| text.value).unwrap_or_default();
    let steps = members.whole_numbers(reading, "steps", 1, 100).unwrap_or_default();
    let every = members.duration(reading, "every");
    let error_permille = members.number(reading, "error_permille", 0, 1_000);
    let latency_permille = members.number(reading, "latency_permille", 0, 100_000);
    let least_requests = members.number(reading, "least_requests", 1, 1_000_000).unwrap_or(LEAST_REQUESTS);
    members.end(reading);
    if arms.len() != 2 || !arms.iter().any(|(arm, _)| arm.name == to) {
        reading.mistake(at, "a rollout is of two `arms`, and `to` is the name of the one that gets all requests");
    }
    let rises = steps.is_sorted_by(|one, next| one < next) && (1..=MOST_STEPS).contains(&steps.len());
    if !rises || every.is_none() {
        reading.mistake(at, "a rollout has 1 to 20 rising `steps` in percent, and says how long `every` one lasts: steps = [1, 5, 25, 100], every = \"1h\"");
    }
    Rollout { to, steps, every: every.unwrap_or_default(), error_permille, latency_permille, least_requests }
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(plain)
}

/// Experiments have different names and are about different names of models, which are known.
pub(super) fn check(reading: &mut Reading<'_>, file: &File, known: &Known) {
    let (mut names, mut routes) = (HashSet::new(), HashSet::new());
    let defined = file.routes.iter().map(|row| row.name.value.as_str());
    let defined: HashSet<&str> = defined.chain(file.aliases.iter().map(|(name, _)| name.value.as_str())).collect();
    let mut artifacts = BTreeSet::new();
    for row in &file.experiments {
        artifacts.extend(row.artifacts());
        // Who begins as another one may well be the same.
        let other = artifacts.iter().filter(|one| !artifacts.iter().any(|all| all != *one && all.starts_with(**one)));
        if other.count() > MAX_NAMED {
            let words =
                format!("the arms of all experiments name {MAX_NAMED} artifacts at most, for every worker keeps them");
            reading.mistake(row.name.at, words);
        }
        if !names.insert(row.name.value.as_str()) {
            reading.mistake(row.name.at, format!("experiment `{}` is listed twice", row.name.value));
        }
        if !routes.insert(row.route.value.as_str()) {
            reading.mistake(row.route.at, format!("there is another experiment with `{}`", row.route.value));
        }
        let named =
            row.arms.iter().map(|(arm, at)| (arm.to.as_str(), *at)).chain([(row.route.value.as_str(), row.route.at)]);
        for (name, at) in named.filter(|(name, _)| !name.is_empty()) {
            if !defined.contains(name) && !known.has(name) {
                reading.mistake(at, format!("no route, alias or model is called `{name}`"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<File, super::super::Mistakes> {
        let known =
            Known { providers: ["p".into()].into(), models: ["m".into(), "n".into()].into(), ..Known::default() };
        File::read("f", text, &known)
    }

    const GOOD: &str = "[[experiment]]\nname = \"x\"\nroute = \"m\"\nsticky = \"user\"\n\
        arms = [{ name = \"now\", to = \"m\", weight = 99 }, { name = \"new\", to = \"p/n\" }]\n\
        rollout = { to = \"new\", steps = [1, 5, 100], every = \"1h\", error_permille = 20 }\n";

    #[test]
    fn an_experiment_is_read_whole() {
        let file = read(GOOD).unwrap();
        let row = &file.experiments[0];
        assert_eq!((row.arms[0].0.weight, row.arms[1].0.weight, row.sticky.clone()), (99, 1, Some(Affinity::User)));
        let rollout = row.rollout.as_ref().unwrap();
        assert_eq!((rollout.steps.as_slice(), rollout.every), ([1, 5, 100].as_slice(), Duration::from_secs(3_600)));
        assert_eq!((rollout.error_permille, rollout.latency_permille), (Some(20), None));
    }

    #[test]
    fn what_makes_no_experiment_is_a_mistake() {
        for (wrong, instead, words) in [
            ("name = \"x\"", "name = \"x y\"", "stands in headers"),
            ("route = \"m\"", "route = \"q\"", "is called `q`"),
            ("to = \"p/n\"", "to = \"q/n\"", "is called `q/n`"),
            ("name = \"new\"", "name = \"now\"", "different names"),
            (
                "weight = 99 }, { name = \"new\", to = \"p/n\"",
                "weight = 0 }, { name = \"new\", to = \"p/n\", weight = 0",
                "has a weight",
            ),
            ("to = \"new\"", "to = \"newer\"", "is the name of the one"),
            ("steps = [1, 5, 100]", "steps = [5, 5]", "rising"),
            ("steps = [1, 5, 100]", "steps = [5, 101]", "steps"),
            ("every = \"1h\", ", "", "how long `every`"),
            ("sticky = \"user\"", "sticky = \"cookie\"", "`sticky` is"),
        ] {
            assert!(GOOD.contains(wrong), "{wrong}");
            let error = read(&GOOD.replace(wrong, instead)).unwrap_err().to_string();
            assert!(error.contains(words), "{instead}: {error}");
        }
        assert!(read(&format!("{GOOD}{GOOD}")).unwrap_err().to_string().contains("another experiment"));
    }

    #[test]
    fn an_arm_names_the_artifact_that_it_goes_by() {
        let arms = |said: &str| GOOD.replace("weight = 99", &format!("weight = 99, artifact = \"{said}\""));
        let by =
            |said: &str| read(&arms(said)).unwrap().experiments[0].arms.iter().map(|(arm, _)| arm.by.clone()).collect();
        let two: Vec<ChoosesBy> = by("none");
        assert_eq!(two, [ChoosesBy::Rules, ChoosesBy::InUse]);
        assert_eq!(by("3f9a61c2")[0], ChoosesBy::Artifact("3f9a61c2".into()));
        let shipped = crate::tuning::artifact(None).unwrap().digest().to_owned();
        assert_eq!(by("shipped")[0], ChoosesBy::Artifact(shipped.clone()));
        for wrong in ["", "3f9a61c", "3F9A61C2", "latest", &"0".repeat(65)] {
            assert!(read(&arms(wrong)).unwrap_err().to_string().contains("8 to 64 digits"), "{wrong:?}");
        }
        let file = read(&arms("shipped")).unwrap();
        assert_eq!(
            (file.experiments_with(&shipped), file.experiments_with("3f9a61c2")),
            (vec!["x".to_owned()], vec![])
        );
    }

    #[test]
    fn no_more_artifacts_are_named_than_workers_keep() {
        let named = |digests: &[&str]| {
            let arm =
                |(at, digest): (usize, &&str)| format!("{{ name = \"{at}\", to = \"m\", artifact = \"{digest}\" }}");
            let arms: Vec<String> = digests.iter().enumerate().map(arm).collect();
            read(&format!("[[experiment]]\nname = \"x\"\nroute = \"m\"\narms = [{}]\n", arms.join(", ")))
        };
        let four = ["00000000", "11111111", "22222222", "33333333", "none", "3333333333"];
        assert_eq!(named(&four).unwrap().named_artifacts().len(), 5, "two of them are the same");
        let error = named(&[&four[..], &["44444444"]].concat()).unwrap_err().to_string();
        assert!(error.contains("4 artifacts at most"), "{error}");
    }
}
