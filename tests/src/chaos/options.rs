//! What the command line asks for.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// What is done to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The control plane is killed again and again while callers ask.
    ControlPlaneKills,
    /// The settings change again and again while callers ask.
    Reloads,
    /// The settings become very large.
    BigSnapshot,
    /// The settings become nonsense.
    Mutations,
    /// The store becomes very large.
    Records,
    /// A thousand ask at once at the last of a budget.
    LastCent,
    /// Clients leave in the middle of streams.
    AbortedStreams,
    /// Envoy is killed again and again while callers with budgets ask.
    EnvoyKills,
    /// The control plane is killed while people's tokens are renewed.
    SignInKills,
    /// Thousands of people's tokens are due at the same time.
    RefreshStorm,
    /// Providers fail, one always, three at random.
    Fallback,
    /// Providers say how long they want to be left alone.
    Hints,
    /// One of three is ten times slower.
    SlowTarget,
    /// One of two is there every other second.
    Flapping,
    /// Everybody has too much to do.
    Overload,
    /// A route is shared by weights.
    Weights,
    /// One of two is slow now and then, and a route hedges.
    Hedge,
    /// Thousands of streams are long open.
    LongStreams,
    /// A provider says more than its answers.
    StrayBytes,
}

impl Scenario {
    /// All of them, in the order they run.
    pub const ALL: [Self; 19] = [
        Self::ControlPlaneKills,
        Self::Reloads,
        Self::BigSnapshot,
        Self::Mutations,
        Self::Records,
        Self::LastCent,
        Self::AbortedStreams,
        Self::EnvoyKills,
        Self::SignInKills,
        Self::RefreshStorm,
        Self::Fallback,
        Self::Hints,
        Self::SlowTarget,
        Self::Flapping,
        Self::Overload,
        Self::Weights,
        Self::Hedge,
        Self::LongStreams,
        Self::StrayBytes,
    ];

    /// Its name on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::ControlPlaneKills => "control-plane-kills",
            Self::Reloads => "reloads",
            Self::BigSnapshot => "big-snapshot",
            Self::Mutations => "mutations",
            Self::Records => "records",
            Self::LastCent => "last-cent",
            Self::AbortedStreams => "aborted-streams",
            Self::EnvoyKills => "envoy-kills",
            Self::SignInKills => "sign-in-kills",
            Self::RefreshStorm => "refresh-storm",
            Self::Fallback => "fallback",
            Self::Hints => "hints",
            Self::SlowTarget => "slow-target",
            Self::Flapping => "flapping",
            Self::Overload => "overload",
            Self::Weights => "weights",
            Self::Hedge => "hedge",
            Self::LongStreams => "long-streams",
            Self::StrayBytes => "stray-bytes",
        }
    }

    /// How often it does what it does when nobody says: kills, changes, models, mutated files, Records, requests
    /// at once, streams, renewals that a kill meets, sessions; requests, forms of hints, seconds of trouble.
    fn count(self) -> usize {
        match self {
            Self::ControlPlaneKills => 100,
            Self::Reloads => 1000,
            Self::BigSnapshot => 5000,
            Self::Mutations => 50,
            Self::Records => 100_000,
            Self::LastCent => 1000,
            Self::AbortedStreams | Self::RefreshStorm => 10_000,
            Self::EnvoyKills | Self::SignInKills => 100,
            Self::Fallback => 20_000,
            Self::Hints => 1000,
            Self::SlowTarget => 20,
            Self::Flapping => 60,
            Self::Overload => 30,
            Self::Weights | Self::StrayBytes => 10_000,
            Self::LongStreams | Self::Hedge => 2000,
        }
    }

    /// After so long it begins nothing new, and the table says how far it came. A change of the file takes a second or two.
    fn longest(self) -> Duration {
        Duration::from_secs(match self {
            Self::ControlPlaneKills => 15 * 60,
            Self::Reloads => 60 * 60,
            Self::BigSnapshot => 5 * 60,
            Self::Mutations => 15 * 60,
            Self::Records => 15 * 60,
            Self::LastCent => 10 * 60,
            Self::AbortedStreams => 15 * 60,
            Self::EnvoyKills => 30 * 60,
            Self::SignInKills => 60 * 60,
            // It ends by itself.
            Self::RefreshStorm => 30 * 60,
            Self::Fallback | Self::Hints | Self::SlowTarget | Self::Flapping => 15 * 60,
            Self::Overload | Self::Weights | Self::Hedge => 15 * 60,
            // It ends when its streams do.
            Self::LongStreams | Self::StrayBytes => 15 * 60,
        })
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// What chance is made of.
    pub seed: u64,
    count: Option<usize>,
    minutes: u64,
}

impl Options {
    /// Reads the command line: names of scenarios, `--count N`, `--minutes N` (for how long streams are open), `--seed N`.
    ///
    /// # Errors
    ///
    /// When it says something unknown.
    pub fn read(arguments: &[String]) -> anyhow::Result<Self> {
        let mut options = Self { scenarios: Vec::new(), seed: 1, count: None, minutes: 2 };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--count" => options.count = Some(value()?.parse::<usize>()?.max(1)),
                "--minutes" => options.minutes = value()?.parse::<u64>()?.max(1),
                "--seed" => options.seed = value()?.parse()?,
                name => options.scenarios.push(named(name)?),
            }
        }
        if options.scenarios.is_empty() {
            options.scenarios = Scenario::ALL.to_vec();
        }
        Ok(options)
    }

    /// How often this scenario does what it does.
    pub(super) fn count(&self, scenario: Scenario) -> usize {
        self.count.unwrap_or_else(|| scenario.count())
    }

    /// For how long streams are open.
    pub(super) fn open_for(&self) -> Duration {
        Duration::from_secs(60 * self.minutes)
    }

    /// When it has to come to its end, if it begins now.
    pub(super) fn until(&self, scenario: Scenario) -> Instant {
        Instant::now() + scenario.longest()
    }
}

fn named(name: &str) -> anyhow::Result<Scenario> {
    let found = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name);
    let Some(scenario) = found else {
        let names = Scenario::ALL.map(Scenario::name).join(", ");
        bail!("`{name}` is unknown; there are {names}, --count N, --minutes N, --seed N");
    };
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_scenarios_and_how_often() {
        let read = |words: &[&str]| Options::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let all = read(&[]).expect("all");
        assert_eq!((all.scenarios.len(), all.count(Scenario::Reloads)), (19, 1000));
        let few = read(&["reloads", "--count", "10", "--seed", "7"]).expect("one");
        assert_eq!((few.scenarios, few.seed, few.count), (vec![Scenario::Reloads], 7, Some(10)));
        assert!(read(&["kills"]).is_err());
        assert!(read(&["--count"]).is_err());
    }
}
