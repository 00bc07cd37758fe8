//! Thousands of people whose tokens are due at the same time. While the old ones are good nobody waits for new ones; when they are
//! over everybody waits, and nobody is refused. Each session is renewed once, and the authorization server is asked by a few at a time.
//!
//! ```text
//! sign-ins, all to end at the same time ─▶ due: asked for all at once, and further while they are renewed
//!                                        ─▶ fresh: asked for all at once, to compare
//!                                        ─▶ over: asked for all at once
//! ```
//!
//! All at once is more than any machine answers in 50 ms, so the bar is on those who ask while the rest is being renewed: through the
//! control plane alone, and through Envoy.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::asking::{Answered, at_once, one_by_one};
use super::figures::Figure;
use super::options::{Options, Scenario};
use super::{provider, setup};
use crate::api::Api;
use crate::authority::{Authority, Endpoint, Fault, Manners};
use crate::gateway::Gateway;
use crate::people::{MODEL, NAME, sign_in, with_sign_in};
use crate::said::ask;
use crate::simulator::persona::Dialect;
use crate::simulator::{Reply, Script};

/// Tenants that the people are of: one has at most 4,096 secrets.
const TENANTS: usize = 4;

/// Who signs in at the same time.
const HANDS: usize = 8;

/// More than a sign-in takes, each.
const SIGN_IN: Duration = Duration::from_millis(20);

/// A token is due so long before its end, if it was made at least twice as long before.
const AHEAD: Duration = Duration::from_secs(60);

/// People who ask through Envoy.
const SAMPLE: usize = 50;

/// Between two questions while tokens are renewed: through the control plane, and of a caller through Envoy.
const EVERY: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(20);

/// How long the authorization server takes for an answer.
const LATE: Duration = Duration::from_millis(25);

/// How many it is asked for at a time, at most.
const AT_ONCE: f64 = 16.0;

/// How long nobody may be held up whose old token is good, in milliseconds: 99 of 100.
const LONGEST: f64 = 50.0;

/// All are renewed within that, or are not renewed.
const RENEWED: Duration = Duration::from_secs(200);

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = options.count(Scenario::RefreshStorm);
    let (provider, authority) = (provider()?, Authority::start("storm", Manners::of("client"))?);
    // Whoever comes with a token of their own is served.
    provider.play(Script::always(Reply::json(200, &words())));
    let gateway = Gateway::start_apart(&with_sign_in(setup(&provider), &authority, &provider.url()))?;
    let stage = Stage { gateway, authority, people: (0..count).map(account).collect() };
    let end = stage.sign_in()?;
    let keys = stage.keys()?;
    let mut figures = vec![Figure::told("sessions", count)];
    sleep_until(end - AHEAD + Duration::from_secs(1));
    figures.extend(stage.due(&keys, end)?);
    figures.extend(stage.fresh()?);
    figures.extend(stage.over(&keys)?);
    Ok(figures)
}

struct Stage {
    gateway: Gateway,
    authority: Authority,
    people: Vec<String>,
}

impl Stage {
    /// All sign in; their tokens end at the time that is given back.
    fn sign_in(&self) -> anyhow::Result<Instant> {
        let api = Api::of(&self.gateway)?;
        for tenant in 0..TENANTS {
            api.say("PUT", &format!("/api/v1/accounts/{}", tenant_of(tenant)), &json!({ "kind": "tenant" }))?;
        }
        let end = Instant::now() + SIGN_IN * u32::try_from(self.people.len())? + 3 * AHEAD;
        let next = AtomicUsize::new(0);
        let hand = || -> anyhow::Result<()> {
            while let Some(account) = self.people.get(next.fetch_add(1, Ordering::Relaxed)) {
                let left = end.saturating_duration_since(Instant::now());
                if left < 2 * AHEAD {
                    bail!("the sign-ins take too long: {account} is late");
                }
                api.say("PUT", &format!("/api/v1/accounts/{account}"), &json!({ "kind": "user" }))?;
                self.authority.change(|manners| manners.access_lasts = left);
                sign_in(&api, NAME, account)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let hands: Vec<_> = (0..HANDS).map(|_| scope.spawn(hand)).collect();
            hands.into_iter().try_for_each(|hand| hand.join().unwrap_or_else(|_| bail!("a hand panicked")))
        })?;
        Ok(end)
    }

    /// Keys of some, whom Envoy knows.
    fn keys(&self) -> anyhow::Result<Vec<String>> {
        let api = Api::of(&self.gateway)?;
        let key = |account: &String| {
            let made = api.say("POST", "/api/v1/keys", &json!({ "name": account, "account": account }))?;
            let key = made.get("key").and_then(Value::as_str).context("a key")?.to_owned();
            self.ask(&key).given.with_context(|| format!("{account} is not served at first"))?;
            Ok(key)
        };
        self.people.iter().step_by(self.people.len().div_ceil(SAMPLE)).map(key).collect()
    }

    /// One asks through Envoy.
    fn ask(&self, key: &str) -> Answered {
        let call = Gateway::call_as(key, Dialect::Chat, MODEL, &ask(Dialect::Chat, MODEL, "hello", false), false);
        let began = Instant::now();
        let answer = self.gateway.send(&call);
        let given = answer.and_then(|answer| match answer.status {
            200 => Ok(String::new()),
            status => bail!("{status} {}", answer.text()),
        });
        Answered { took: began.elapsed(), given }
    }

    /// The old tokens are good until that time.
    fn due(&self, keys: &[String], end: Instant) -> anyhow::Result<Vec<Figure>> {
        self.prepare(2 * AHEAD);
        let stop = AtomicBool::new(false);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let envoy = scope.spawn(|| self.ask_by_envoy(keys, &stop));
            let all = self.at_once();
            let further = scope.spawn(|| one_by_one(&self.gateway.control(), NAME, &self.strewn(), EVERY, &stop));
            let took = self.renewed(began, Some(end - Duration::from_secs(3)), &stop);
            let (all, further) = (all?, further.join());
            let further = further.unwrap_or_else(|_| bail!("who asks panicked"))?;
            let envoy = envoy.join().unwrap_or_default();
            let mut figures = vec![Figure::told("due, all asked for at once: p50, p99, max, ms", spread(&all).told())];
            for (who, answers) in [("while they are renewed", &further), ("through Envoy meanwhile", &envoy)] {
                let spread = spread(answers);
                figures.push(Figure::told(format!("{who}: asked for; p50, p99, max, ms"), spread.counted()));
                figures.push(Figure::at_most(format!("{who}: p99"), spread.p99, LONGEST, "ms"));
            }
            figures.push(Figure::none("due: not served", &refused([&all, &further, &envoy])));
            figures.push(Figure::told("due: until the last was renewed, s", format!("{:.1}", took.as_secs_f64())));
            figures.extend(self.once("due"));
            Ok(figures)
        })
    }

    /// Nothing is to be renewed.
    fn fresh(&self) -> anyhow::Result<Vec<Figure>> {
        let all = self.at_once()?;
        Ok(vec![
            Figure::told("fresh, all asked for at once: p50, p99, max, ms", spread(&all).told()),
            Figure::none("fresh: not served", &refused([&all])),
        ])
    }

    /// The tokens are over.
    fn over(&self, keys: &[String]) -> anyhow::Result<Vec<Figure>> {
        let made = self.authority.journal().refreshes().last().map_or(Duration::ZERO, |last| last.at);
        let now = self.authority.clock().now();
        std::thread::sleep((made + 2 * AHEAD + Duration::from_secs(2)).saturating_sub(now));
        self.prepare(60 * AHEAD);
        let stop = AtomicBool::new(false);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let late = |key| {
                std::thread::sleep(Duration::from_secs(1));
                self.ask(key)
            };
            let envoy: Vec<_> = keys.iter().map(|key| scope.spawn(move || late(key))).collect();
            let all = self.at_once()?;
            let all_took = began.elapsed();
            let envoy: Vec<Answered> = envoy.into_iter().filter_map(|one| one.join().ok()).collect();
            self.renewed(began, None, &stop);
            let mut figures = vec![
                Figure::told("over, all asked for at once: p50, p99, max, ms", spread(&all).told()),
                Figure::told("over: until the last was served, s", format!("{:.1}", all_took.as_secs_f64())),
                Figure::none("over: not served", &refused([&all])),
                Figure::told(
                    "over, a second later through Envoy: asked for; p50, p99, max, ms",
                    spread(&envoy).counted(),
                ),
                // A filter waits ten seconds; whoever comes again finds what was renewed meanwhile.
                Figure::told("over, a second later through Envoy: told to come again", refused([&envoy]).len()),
            ];
            figures.extend(self.once("over"));
            Ok(figures)
        })
    }

    fn at_once(&self) -> anyhow::Result<Vec<Answered>> {
        at_once(&self.gateway.control(), NAME, &self.people)
    }

    /// From now on tokens are good for so long, and the server takes its time.
    fn prepare(&self, lasts: Duration) {
        self.authority.journal().clear();
        self.authority.change(|manners| manners.access_lasts = lasts);
        self.authority.fail(Endpoint::Token, vec![Fault::Late(LATE); self.people.len()]);
    }

    /// Waits until all are renewed and says how long that took; whoever asks meanwhile is stopped then, or earlier.
    fn renewed(&self, began: Instant, until: Option<Instant>, stop: &AtomicBool) -> Duration {
        let journal = self.authority.journal();
        let all = |longest| journal.wait_until(longest, "renewals", |asked| asked.len() >= self.people.len());
        if let Some(until) = until {
            // Those that are not renewed by then are awaited below.
            all(until.saturating_duration_since(Instant::now())).ok();
            stop.store(true, Ordering::Relaxed);
        }
        // Those that are missing are a figure of their own.
        all(RENEWED).ok();
        let took = began.elapsed();
        // One that comes too often comes a moment later.
        std::thread::sleep(Duration::from_secs(1));
        took
    }

    /// Those with a key ask, one after the other.
    fn ask_by_envoy(&self, keys: &[String], stop: &AtomicBool) -> Vec<Answered> {
        let asks = keys.iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)).map(|key| {
            std::thread::sleep(PAUSE);
            self.ask(key)
        });
        asks.collect()
    }

    /// All, in an order in which neighbours are far from one another.
    fn strewn(&self) -> Vec<String> {
        const STEP: usize = 7919;
        (0..self.people.len()).map(|number| self.people[number * STEP % self.people.len()].clone()).collect()
    }

    /// Whether each was renewed once.
    fn once(&self, which: &str) -> Vec<Figure> {
        let refreshes = self.authority.journal().refreshes();
        let others: Vec<&str> =
            refreshes.iter().map(|asked| asked.outcome).filter(|outcome| *outcome != "ok").collect();
        let tokens: HashSet<&str> = refreshes.iter().filter_map(|asked| asked.word("refresh_token")).collect();
        let revoked = vec!["a family"; self.authority.journal().families_revoked()];
        let most = self.authority.journal().most_at_once() as f64;
        vec![
            Figure::done(format!("{which}: sessions renewed"), tokens.len(), self.people.len()),
            Figure::at_most(format!("{which}: renewals"), refreshes.len() as f64, self.people.len() as f64, ""),
            Figure::none(format!("{which}: renewals refused"), &others),
            Figure::none(format!("{which}: families revoked"), &revoked),
            Figure::at_most(format!("{which}: renewals at the same time"), most, AT_ONCE, ""),
        ]
    }
}

/// How long answers took, in milliseconds.
struct Spread {
    count: usize,
    p50: f64,
    p99: f64,
    max: f64,
}

impl Spread {
    fn told(&self) -> String {
        format!("{:.1}, {:.1}, {:.1}", self.p50, self.p99, self.max)
    }

    fn counted(&self) -> String {
        format!("{}; {}", self.count, self.told())
    }
}

fn spread(answers: &[Answered]) -> Spread {
    let mut took: Vec<f64> = answers.iter().map(|answer| 1000.0 * answer.took.as_secs_f64()).collect();
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1))).copied();
    let at = |percent| at(percent).unwrap_or_default();
    Spread { count: took.len(), p50: at(50), p99: at(99), max: at(100) }
}

fn refused<const N: usize>(answers: [&Vec<Answered>; N]) -> Vec<String> {
    let errors = answers.into_iter().flatten().filter_map(|answer| answer.given.as_ref().err());
    errors.map(|error| format!("{error:#}")).collect()
}

fn sleep_until(end: Instant) {
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
}

fn words() -> Value {
    let message = json!({ "role": "assistant", "content": "hi" });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let usage = json!({ "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 });
    json!({ "id": "x", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": usage })
}

fn tenant_of(number: usize) -> String {
    format!("acme-{}", number % TENANTS)
}

fn account(number: usize) -> String {
    format!("{}.person-{number}", tenant_of(number))
}
