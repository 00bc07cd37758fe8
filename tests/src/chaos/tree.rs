//! Who pays: a tenant, a department, a team, a user, a key, all with the same budgets; and how these stand.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::figures::Figure;
use super::ledger::Entry;
use crate::api::Api;

/// A dollar for a million tokens of either kind: a token is a micro-dollar.
pub const PRICE: &str = "[[price]]\ntarget = \"only/some-model\"\ninput = 1\noutput = 1\n";

/// Every Record is there within a minute, also when the control plane was away.
const SETTLED: Duration = Duration::from_secs(60);

/// A lease lasts a minute; one that was used is renewed once before its end; it is believed to last five seconds more, and
/// whoever takes it back looks every three.
const BACK: Duration = Duration::from_secs(150);

/// A tree with one key at its end.
pub struct Tree {
    /// The tenant: all other accounts' ids begin with it.
    pub tenant: String,
    /// What its caller shows.
    pub key: String,
    key_id: String,
}

/// One budget of one holder as the admin API shows it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// `holder/unit/period`.
    pub id: String,
    /// What may be spent.
    pub limit: u64,
    /// What is spent.
    pub spent: u64,
    /// What is lent.
    pub leased: u64,
    /// What is held.
    pub reserved: u64,
    /// What is left.
    pub free: u64,
    /// What is spent, lent and held beyond the limit.
    pub over: u64,
}

impl Tree {
    /// Makes one whose every level has these budgets.
    pub fn plant(api: &Api, tenant: &str, budgets: &Value) -> anyhow::Result<Self> {
        let mut account = tenant.to_owned();
        for (kind, segment) in [("tenant", ""), ("department", ".platform"), ("team", ".search"), ("user", ".alice")] {
            account.push_str(segment);
            api.say(
                "PUT",
                &format!("/api/v1/accounts/{account}"),
                &json!({ "kind": kind, "terms": { "budgets": budgets } }),
            )?;
        }
        let key = json!({ "name": tenant, "account": account, "terms": { "budgets": budgets } });
        let made = api.say("POST", "/api/v1/keys", &key)?;
        let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned).context("a key");
        Ok(Self { tenant: tenant.to_owned(), key: text("key")?, key_id: text("id")? })
    }

    /// How the budgets of all its levels stand.
    pub fn standings(&self, api: &Api) -> anyhow::Result<Vec<Standing>> {
        let (said, _) = api.get(&format!("/api/v1/keys/{}/budgets?all=true", self.key_id))?;
        said.get("items").and_then(Value::as_array).context("budgets")?.iter().map(standing).collect()
    }

    /// Whether an account is one of its own.
    pub fn has(&self, account: &str) -> bool {
        account.split('.').next() == Some(&self.tenant)
    }

    /// Waits until every budget has spent what the Records say that it has, and says of which that is not so in the end.
    pub fn agrees(&self, api: &Api, entries: &[Entry]) -> anyhow::Result<Figure> {
        let until = Instant::now() + SETTLED;
        loop {
            let wrong: Vec<String> =
                self.standings(api)?.iter().filter_map(|standing| standing.contradiction(entries)).collect();
            if wrong.is_empty() || Instant::now() > until {
                return Ok(Figure::none(
                    format!("budgets of `{}` that contradict themselves or the Records", self.tenant),
                    &wrong,
                ));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits until nothing is lent or held any more, and says of which budgets that is not so in the end.
    pub fn comes_to_rest(&self, api: &Api) -> anyhow::Result<Figure> {
        let until = Instant::now() + BACK;
        loop {
            let out = |standing: &&Standing| standing.leased + standing.reserved > 0;
            let out: Vec<String> = self.standings(api)?.iter().filter(out).map(|one| format!("{one:?}")).collect();
            if out.is_empty() || Instant::now() > until {
                return Ok(Figure::none(
                    format!("budgets of `{}` with something lent or held in the end", self.tenant),
                    &out,
                ));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

impl Standing {
    /// What does not add up, if anything does not: the law of conservation, and what is spent against the Records.
    fn contradiction(&self, entries: &[Entry]) -> Option<String> {
        let parts = self.spent + self.leased + self.reserved + self.free;
        let recorded = Entry::charged(entries, &self.id);
        (self.limit + self.over != parts || recorded != self.spent).then(|| format!("{self:?}, recorded {recorded}"))
    }
}

fn standing(said: &Value) -> anyhow::Result<Standing> {
    let number = |name: &str| said.get(name).and_then(Value::as_u64).with_context(|| format!("{said}: no `{name}`"));
    let text = |name: &str| said.get(name).and_then(Value::as_str).with_context(|| format!("{said}: no `{name}`"));
    Ok(Standing {
        id: format!("{}/{}/{}", text("holder")?, text("unit")?, text("per")?),
        limit: number("limit")?,
        spent: number("spent")?,
        leased: number("leased")?,
        reserved: number("reserved")?,
        free: number("free")?,
        over: number("over")?,
    })
}
