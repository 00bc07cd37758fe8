//! The settings file becomes nonsense under a running gateway. What is refused changes nothing; what is taken is taken whole,
//! by Envoy as well.
//!
//! A thousand files are tried without a process each in the control plane's own tests; this is a sample of the real way.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::control_plane_kills::unharmed;
use super::figures::Figure;
use super::mutate::{Dice, mutated};
use super::options::{Options, Scenario};
use super::{MODEL, PROVIDER, provider, reloads, setup};
use crate::gateway::{Gateway, Setup};
use crate::simulator::Simulator;
use crate::simulator::persona::Dialect;

/// A change of the file is seen within a second.
const SEEN: Duration = Duration::from_secs(20);

/// A file of a page is judged in milliseconds; a process that takes so long hangs.
const JUDGED: Duration = Duration::from_secs(10);

/// What the log says of a file that is taken, and of one that is not.
const TAKEN: &str = "the Snapshot is made";
const REFUSED: &str = "the settings changed but can't be taken";

/// How a file was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused,
}

/// What was found.
#[derive(Default)]
struct Found {
    tried: usize,
    taken: usize,
    /// `dragoman check` panicked, hung, or refused without a place.
    badly_checked: Vec<String>,
    /// `dragoman check` and the running gateway do not agree.
    disagreed: Vec<String>,
    /// A refused file changed something.
    half_applied: Vec<String>,
    /// The good file was not served again.
    not_back: Vec<String>,
}

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let asked = options.count(Scenario::Mutations);
    let until = options.until(Scenario::Mutations);
    let provider = provider()?;
    let gateway = Gateway::start(&good(&provider, 0))?;
    let envoy = gateway.envoy_pid()?;
    let mut found = Found::default();
    let mut dice = Dice::new(options.seed);
    let text = gateway.settings()?;
    while found.tried < asked && Instant::now() < until {
        let mutation = mutated(&text, &mut dice);
        if mutation == text {
            continue;
        }
        found.tried += 1;
        found.one(&gateway, &provider, &mutation)?;
    }
    let rejected = ["lds.update_rejected", "cds.update_rejected", "rds.*update_rejected"];
    let rejected = rejected.iter().try_fold(0, |sum, name| gateway.stat(name).map(|count| sum + count))?;
    let rejected: Vec<String> = (rejected > 0).then(|| format!("{rejected} updates")).into_iter().collect();
    let mut figures = vec![
        Figure::done("damaged settings files", found.tried, asked),
        Figure::told("of them taken", found.taken),
        Figure::none("`dragoman check` without a verdict or a place", &found.badly_checked),
        Figure::none("check and the running gateway disagree", &found.disagreed),
        Figure::none("half-applied files", &found.half_applied),
        Figure::none("good files not served afterwards", &found.not_back),
        Figure::none("taken by the control plane, rejected by Envoy", &rejected),
    ];
    figures.extend(unharmed(&gateway, envoy)?);
    Ok(figures)
}

/// The good file; each is another, so that it is seen to be taken.
fn good(provider: &Simulator, number: usize) -> Setup {
    let tables = "[[route]]\nname = \"auto\"\ncandidates = [\"only/some-model\"]\nloss = \"warn\"\n\n[aliases]\nfast = \"some-model\"\n";
    setup(provider).model(&name(number), &[PROVIDER]).more(tables)
}

fn name(number: usize) -> String {
    format!("good-{number}")
}

impl Found {
    fn one(&mut self, gateway: &Gateway, provider: &Simulator, mutation: &str) -> anyhow::Result<()> {
        let place = format!("file {}", self.tried);
        let checked = check(gateway, mutation).map_err(|why| self.badly_checked.push(format!("{place}: {why}"))).ok();
        let version = version(&gateway.log());
        let taken = take(gateway, mutation)?;
        if checked.is_some_and(|checked| checked != taken) {
            self.disagreed.push(format!("{place}: {checked:?} by check, {taken:?} by the gateway"));
        }
        match taken {
            Verdict::Taken => {
                self.taken += 1;
                if self::version(&gateway.log()) < version {
                    self.half_applied.push(format!("{place}: the version fell from {version}"));
                }
            }
            // The last good file serves on, all of it.
            Verdict::Refused => {
                for model in [MODEL, &name(self.tried - 1), "auto", "fast"] {
                    let status = gateway.ask(Dialect::Chat, model, "hello", false).map_or(0, |answer| answer.status);
                    if status != 200 {
                        self.half_applied.push(format!("{place}: {model} is answered with {status}"));
                    }
                }
                if self::version(&gateway.log()) != version {
                    self.half_applied.push(format!("{place}: refused, and yet there is another version"));
                }
            }
        }
        let logged = gateway.log().len();
        gateway.configure(&good(provider, self.tried))?;
        // A damaged file without providers is served by the demo, which answers to every name: only the next Snapshot counts.
        let back = verdict(gateway, logged).is_some_and(|verdict| verdict == Verdict::Taken);
        if !back || reloads::arrives(gateway, &name(self.tried), Duration::from_millis(50), SEEN).is_none() {
            self.not_back.push(place);
        }
        Ok(())
    }
}

/// Writes the file and waits until the gateway has said what it thinks of it.
fn take(gateway: &Gateway, mutation: &str) -> anyhow::Result<Verdict> {
    let logged = gateway.log().len();
    gateway.write_settings(mutation)?;
    verdict(gateway, logged).with_context(|| format!("nothing is said of a changed file within {SEEN:?}:\n{mutation}"))
}

/// What the log says of a file after its first `logged` bytes; `None` when it says nothing in time.
fn verdict(gateway: &Gateway, logged: usize) -> Option<Verdict> {
    let until = Instant::now() + SEEN;
    while Instant::now() < until {
        let log = gateway.log();
        let said = log.get(logged..).unwrap_or_default();
        match (said.contains(TAKEN), said.contains(REFUSED)) {
            (true, _) => return Some(Verdict::Taken),
            (_, true) => return Some(Verdict::Refused),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    None
}

/// The Snapshot's version that the log named last.
fn version(log: &str) -> u64 {
    let last = log.lines().rev().find(|line| line.contains(TAKEN));
    let number = last.and_then(|line| line.split_once("version=")?.1.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

/// What `dragoman check` says of the file; an error when it says nothing that helps.
fn check(gateway: &Gateway, mutation: &str) -> Result<Verdict, String> {
    let checked = gateway.check(mutation, JUDGED).map_err(|error| format!("{error:#}"))?;
    match checked.code {
        Some(0) => Ok(Verdict::Taken),
        Some(1) if checked.error.contains(".toml:") || checked.error.contains("stream did not contain") => {
            Ok(Verdict::Refused)
        }
        code => Err(format!("exit code {code:?}: {}", checked.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_last_version_of_a_log_counts() {
        let log = "INFO the Snapshot is made version=3 providers=\"a\"\nWARN x\nINFO the Snapshot is made version=12 providers=\"a\"\nINFO y";
        assert_eq!((version(log), version("nothing")), (12, 0));
    }
}
