//! How a route's candidates share its requests, and where they may be; when a provider is asked.

use std::time::Duration;

use dragoman_core::catalog::Dispatch;
use dragoman_core::preferences::{Preference, Several};
use dragoman_core::snapshot::{Affinity, Balance, Regions};

use super::members::{Members, Placed, Reading};
use super::provider::plain;
use super::variable::mention;

/// Highest weight of a candidate.
const MAX_WEIGHT: u64 = 1_000;
/// Longest name of a region, and of what a provider promises.
const MAX_REGION: usize = 64;

/// What a route's row says of its pool.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PoolRow {
    /// How the first is chosen.
    pub balance: Balance,
    /// Weights of targets, by `provider/model`.
    pub weights: Vec<(Placed<String>, u64)>,
    /// What requests have in common that are to meet the same target.
    pub affinity: Option<Affinity>,
    /// Over how long one that came back gets its share again.
    pub slow_start: Option<Duration>,
    /// Where it may be answered.
    pub regions: Regions,
}

/// Reads `balance`, `weights`, `affinity`, `slow_start` and `regions` of a route.
pub(super) fn pool(reading: &mut Reading<'_>, row: &mut Members<'_>) -> PoolRow {
    PoolRow {
        balance: named(reading, row, "balance", Balance::ALL.map(Balance::name), Balance::named).unwrap_or_default(),
        weights: weights(reading, row),
        affinity: affinity(reading, row),
        slow_start: row.duration(reading, "slow_start"),
        regions: regions(reading, row),
    }
}

/// Reads `dispatch` of a provider.
pub(super) fn dispatch(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Dispatch> {
    named(reading, row, "dispatch", Dispatch::ALL.map(Dispatch::name), Dispatch::named)
}

/// Reads `share` of a provider, in percent.
pub(super) fn share(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<u8> {
    row.number(reading, "share", 0, 100).and_then(|share| u8::try_from(share).ok())
}

/// Reads `region` of a provider, in which variables may stand.
pub(super) fn region(
    reading: &mut Reading<'_>,
    row: &mut Members<'_>,
    mentions: &mut Vec<Placed<String>>,
) -> Option<String> {
    let text = row.string(reading, "region")?;
    if mention(reading, &text, mentions) > 0 {
        reading.mistake(text.at, "a provider is in one region, whichever model is asked");
    } else if !text.value.contains('{') {
        check_region(reading, &text);
    }
    Some(text.value)
}

/// Reads `data_policy` of a provider: words that callers may ask for.
pub(super) fn data_policy(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Vec<String>> {
    let words = row.strings(reading, "data_policy");
    for word in words.iter().flatten().filter(|word| !is_plain(&word.value)) {
        reading.mistake(
            word.at,
            "what a provider promises has 1 to 64 letters, digits, `-`, `_` or `.`, such as \"no_training\"",
        );
    }
    plain(words)
}

/// Reads `preferences` of a route: whether its callers may prefer, or what.
pub(super) fn preferences(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Several {
    let Some(value) = row.value("preferences") else { return Several::ALL };
    let known = |at: usize, reading: &mut Reading<'_>| {
        let known = Preference::ALL.map(Preference::name).join("\", \"");
        reading.mistake(at, format!("`preferences` is true, false or a list of some of \"{known}\""));
    };
    let at = value.span().start;
    let Some(list) = value.get_ref().as_array() else {
        return match value.get_ref().as_bool() {
            Some(true) => Several::ALL,
            Some(false) => Several::NONE,
            None => {
                known(at, reading);
                Several::ALL
            }
        };
    };
    let mut several = Several::NONE;
    for item in list.iter() {
        match item.get_ref().as_str().and_then(Preference::named) {
            Some(which) => several = several.with(which),
            None => known(item.span().start, reading),
        }
    }
    several
}

/// One of some words; what is none of them is a mistake.
fn named<T, const N: usize>(
    reading: &mut Reading<'_>,
    row: &mut Members<'_>,
    member: &'static str,
    known: [&'static str; N],
    named: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text = row.string(reading, member)?;
    let found = named(&text.value);
    if found.is_none() {
        reading.mistake(text.at, format!("`{member}` is one of \"{}\"", known.join("\", \"")));
    }
    found
}

fn weights(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Vec<(Placed<String>, u64)> {
    let weights = row.numbers(reading, "weights", 0, MAX_WEIGHT).unwrap_or_default();
    for (target, _) in &weights {
        if !target.value.split_once('/').is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty()) {
            reading.mistake(target.at, "a weight is of a target: \"provider/model\" = 3");
        }
    }
    weights
}

fn affinity(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Affinity> {
    let text = row.string(reading, "affinity")?;
    let affinity = Affinity::read(&text.value);
    if affinity.is_none() {
        let known =
            "\"user\", \"prefix\" (how the prompt begins) or a header such as \"header:x-session\", in lower case";
        reading.mistake(text.at, format!("`affinity` is {known}"));
    }
    affinity
}

fn regions(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Regions {
    let Some(mut members) = row.table(reading, "regions", "`regions`") else { return Regions::default() };
    let at = members.at;
    let mut list = |name| members.strings(reading, name);
    let lists = [list("require"), list("prefer")];
    members.end(reading);
    if lists.iter().all(Option::is_none) || lists.iter().flatten().any(Vec::is_empty) {
        reading.mistake(at, "`regions` names none; write { require = [\"eu\"] } or { prefer = [\"eu\"] }");
    }
    lists.iter().flatten().flatten().for_each(|region| check_region(reading, region));
    let [required, preferred] = lists.map(|list| plain(list).unwrap_or_default());
    Regions { required, preferred }
}

fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !word.is_empty() && word.len() <= MAX_REGION && word.chars().all(plain)
}

fn check_region(reading: &mut Reading<'_>, region: &Placed<String>) {
    if !is_plain(&region.value) {
        reading.mistake(region.at, "a region has 1 to 64 letters, digits, `-`, `_` or `.`, such as \"eu\"");
    }
}
