//! `kill -9` of the control plane between the answer of an authorization server and the store: people's tokens are renewed at once,
//! and the kill meets each renewal somewhere else. What is stored must be used on; where the answer was lost, a server that forgives
//! gives another, and one that does not ends the session: its owner is told, and the token is not shown again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::figures::Figure;
use super::mutate::Dice;
use super::options::{Options, Scenario};
use super::{provider, setup};
use crate::api::Api;
use crate::authority::{Authority, Endpoint, Fault, Manners, Rotation};
use crate::client::Call;
use crate::gateway::Gateway;
use crate::people::{NAME, sign_in, with_sign_in};

/// Sessions that are renewed at once, and are met by one kill: so many providers are asked at a time.
const GROUP: usize = 16;

/// Kills, each with sessions of its own, before it is looked what came of all of them: a claim of the dead lasts forty seconds.
const LAP: usize = 8;

/// All of them.
const SESSIONS: usize = GROUP * LAP;

/// The kill comes up to so long after the first was asked, in milliseconds.
const PAUSE: u64 = 60;

/// And the answers come up to so long before or after it.
const AROUND: u64 = 20;

/// A control plane starts in a second; a loaded machine takes its time.
const BACK: Duration = Duration::from_secs(60);

/// Whoever was killed had said that it is at it: others wait until that is over.
const CLAIMED: Duration = Duration::from_secs(120);

/// What came of one renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is done.
    Renewed,
    /// The person has to sign in anew.
    Over,
}

/// What went wrong, and how often what happened.
#[derive(Default)]
struct Tally {
    kills: usize,
    met: usize,
    /// The caller was answered and the session was lost all the same.
    lost_though_stored: Vec<String>,
    /// A server that forgives ended one.
    lost_though_forgiven: Vec<String>,
    /// Neither one nor the other, within all patience.
    stuck: Vec<String>,
    /// A token was shown again after it was refused.
    shown_again: Vec<String>,
    ended_by_strict: usize,
}

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let asked = options.count(Scenario::SignInKills);
    let until = options.until(Scenario::SignInKills);
    let (provider, authority) = (provider()?, Authority::start("kills", Manners::of("client"))?);
    let mut gateway = Gateway::start_apart(&with_sign_in(setup(&provider), &authority, &provider.url()))?;
    let people = People::make(&gateway)?;
    let mut dice = Dice::new(options.seed);
    let mut tally = Tally::default();
    while tally.met < asked && Instant::now() < until {
        let rotation = match tally.kills / LAP % 2 {
            0 => Rotation::Strict,
            _ => Rotation::Lenient(CLAIMED),
        };
        authority.change(|manners| manners.rotation = rotation);
        people.sign_in_where_needed()?;
        authority.journal().clear();
        let before = authority.journal().families_revoked();
        let mut stored = Vec::new();
        for group in 0..LAP {
            let reached = authority.journal().refreshes().len();
            let pause = dice.below(PAUSE);
            let late = |_| Fault::Late(Duration::from_millis((pause + dice.below(2 * AROUND)).saturating_sub(AROUND)));
            authority.fail(Endpoint::Token, (0..GROUP).map(late).collect::<Vec<_>>());
            let answered = people.renew_and_kill(&mut gateway, &authority, group, Duration::from_millis(pause))?;
            let logged = gateway.log().len();
            gateway.start_control_plane()?;
            gateway.wait_for_log_behind(logged, "serving on http://", BACK)?;
            tally.kills += 1;
            // By now the server has read what the dead had sent.
            authority.forget_faults();
            let asked = authority.journal().refreshes().len() - reached;
            tally.met += asked.saturating_sub(answered.iter().filter(|stored| **stored).count());
            stored.extend(answered);
        }
        let lost = tally.look(rotation, &people.renew_all(), &stored);
        // Each lost session's token is refused once, and not shown again.
        people.renew_all();
        let refused = authority.journal().refreshes().iter().filter(|asked| asked.outcome == "invalid_grant").count();
        if refused > lost {
            tally.shown_again.push(format!("kill {}: {refused} refused of {lost} that are over", tally.kills));
        }
        tally.ended_by_strict += authority.journal().families_revoked() - before;
    }
    Ok(tally.figures(asked))
}

impl Tally {
    /// Notes what came of each; gives back how many are over.
    fn look(&mut self, rotation: Rotation, ends: &[anyhow::Result<End>], answered: &[bool]) -> usize {
        let mut over = 0;
        for (number, (end, stored)) in ends.iter().zip(answered).enumerate() {
            let which = format!("kill {}, session {number}", self.kills);
            match end {
                Ok(End::Renewed) => {}
                Ok(End::Over) => {
                    over += 1;
                    if *stored {
                        self.lost_though_stored.push(which);
                    } else if rotation != Rotation::Strict {
                        self.lost_though_forgiven.push(which);
                    }
                }
                Err(error) => self.stuck.push(format!("{which}: {error:#}")),
            }
        }
        over
    }

    fn figures(&self, asked: usize) -> Vec<Figure> {
        vec![
            Figure::done("renewals that a kill met", self.met, asked),
            Figure::told("kills of the control plane", self.kills),
            Figure::none("sessions lost though their token was stored", &self.lost_though_stored),
            Figure::none("sessions lost at a server that forgives", &self.lost_though_forgiven),
            Figure::none("sessions that neither go on nor ask for a sign-in", &self.stuck),
            Figure::none("tokens shown again after they were refused", &self.shown_again),
            Figure::told("sessions ended by a strict server whose answer was lost", self.ended_by_strict),
        ]
    }
}

/// Those whose sessions they are.
struct People {
    api: Api,
    address: String,
    token: String,
}

impl People {
    fn make(gateway: &Gateway) -> anyhow::Result<Self> {
        let people = Self { api: Api::of(gateway)?, address: gateway.api(), token: gateway.admin_token()? };
        people.api.say("PUT", "/api/v1/accounts/acme", &json!({ "kind": "tenant" }))?;
        for number in 0..SESSIONS {
            people.api.say("PUT", &format!("/api/v1/accounts/{}", account(number)), &json!({ "kind": "user" }))?;
        }
        Ok(people)
    }

    fn sign_in_where_needed(&self) -> anyhow::Result<()> {
        let (said, _) = self.api.get("/api/v1/sessions?limit=200")?;
        let sessions = said.get("items").and_then(Value::as_array).context("sessions")?;
        let is_active =
            |account: &str| sessions.iter().any(|one| one["account"] == account && one["state"] == "active");
        for account in (0..SESSIONS).map(account).filter(|account| !is_active(account)) {
            sign_in(&self.api, NAME, &account)?;
        }
        Ok(())
    }

    /// Has a group's renewed at once and kills the control plane meanwhile: who was answered that it is done.
    fn renew_and_kill(
        &self,
        gateway: &mut Gateway,
        authority: &Authority,
        group: usize,
        pause: Duration,
    ) -> anyhow::Result<Vec<bool>> {
        let reached = authority.journal().asked().len();
        std::thread::scope(|scope| {
            let asking: Vec<_> = (group * GROUP..(group + 1) * GROUP)
                .map(|number| scope.spawn(move || self.renew(number).is_ok_and(|status| status == 200)))
                .collect();
            let waited = authority.journal().wait_until(BACK, "a renewal", |asked| asked.len() > reached);
            std::thread::sleep(pause);
            let done = waited.and_then(|_| gateway.kill_control_plane());
            let answered = asking.into_iter().map(|one| one.join().unwrap_or(false)).collect();
            done.map(|()| answered)
        })
    }

    /// Has all renewed, however long the one that was killed had said it would take.
    fn renew_all(&self) -> Vec<anyhow::Result<End>> {
        let until = Instant::now() + CLAIMED;
        std::thread::scope(|scope| {
            let asking: Vec<_> =
                (0..SESSIONS).map(|number| scope.spawn(move || self.renew_until(number, until))).collect();
            asking.into_iter().map(|one| one.join().unwrap_or_else(|_| bail!("a caller panicked"))).collect()
        })
    }

    fn renew_until(&self, number: usize, until: Instant) -> anyhow::Result<End> {
        loop {
            let said = self.renew(number);
            match said {
                Ok(200) => return Ok(End::Renewed),
                Ok(409) => return Ok(End::Over),
                _ if Instant::now() < until => std::thread::sleep(Duration::from_millis(500)),
                other => bail!("still {other:?}"),
            }
        }
    }

    fn renew(&self, number: usize) -> anyhow::Result<u16> {
        let call = Call::post(&format!("/api/v1/sessions/{}/{NAME}/refresh", account(number))).json(&json!({}));
        Ok(call.header("authorization", format!("Bearer {}", self.token)).send(&self.address)?.status)
    }
}

fn account(number: usize) -> String {
    format!("acme.person-{number}")
}
