//! What providers said of their models, and when they were asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dragoman_core::catalog::Abilities;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::{Change, Store, optional};
use crate::discovery::{Answer, Extent, Found, Known, Listing, Memory, Validator};
use crate::metrics::Metrics;

/// A provider that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub provider: String,
    /// When, in milliseconds since 1970.
    pub asked_ms: i64,
    /// What came of it, for people.
    pub outcome: String,
}

/// The memory of discovery: the store, and a count of what came.
pub struct Discovered {
    /// Where it is kept.
    pub store: Store,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

impl Memory for Discovered {
    async fn due(&self, provider: &str, now_ms: u64, max_age: Duration) -> bool {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let age = i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX);
        // One statement: of several control planes that ask at once, one hears yes.
        let claim = sqlx::query(
            "INSERT INTO discovery (provider, asked_ms, outcome) VALUES ($1, $2, 'being asked') ON CONFLICT (provider) \
             DO UPDATE SET asked_ms = excluded.asked_ms WHERE discovery.asked_ms <= $3",
        );
        let claim = claim.bind(provider).bind(now).bind(now.saturating_sub(age));
        claim.execute(&self.store.writer).await.is_ok_and(|done| done.rows_affected() > 0)
    }

    async fn last(&self, provider: &str) -> Option<Validator> {
        let find = sqlx::query("SELECT validator FROM discovery WHERE provider = $1").bind(provider);
        let row = find.fetch_optional(&self.store.reader).await.ok()??;
        let document: Value = serde_json::from_str(&optional::<String>(&row, "validator").ok()??).ok()?;
        let text = |name: &str| document[name].as_str().map(str::to_string);
        Some(Validator { address: text("address")?, etag: text("etag"), modified: text("modified") })
    }

    async fn save(&self, provider: &str, now_ms: u64, answer: &Answer) -> anyhow::Result<()> {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let mut change = self.store.exclusive().await?;
        let (result, outcome) = match answer {
            Answer::Listed { listing, validator } => {
                let kept = keep(&mut change, provider, now, listing).await?;
                // Whoever shares the store learns of it as of a change of rows.
                if kept > 0 {
                    let after = json!({ "models": listing.models.len(), "changed": kept }).to_string();
                    let who = ("discovery", "list");
                    self.store.note_in(&mut change, who, ("discovery", provider), &after).await?;
                }
                let validator = validator.as_ref().map(|one| {
                    json!({ "address": one.address, "etag": one.etag, "modified": one.modified }).to_string()
                });
                let update = sqlx::query("UPDATE discovery SET validator = $1 WHERE provider = $2");
                update.bind(validator).bind(provider).execute(&mut *change).await?;
                ("listed", format!("{} models", listing.models.len()))
            }
            Answer::NotModified => ("not_modified", "as before".to_string()),
            Answer::Unavailable(why) => ("unavailable", format!("unavailable: {why}")),
        };
        let update = sqlx::query("UPDATE discovery SET asked_ms = $1, outcome = $2 WHERE provider = $3");
        update.bind(now).bind(outcome).bind(provider).execute(&mut *change).await?;
        change.commit().await?;
        self.metrics.discovered(provider, result);
        Ok(())
    }
}

/// Writes what is another than it was, and counts it; what a whole list no longer has is marked, not forgotten.
async fn keep(change: &mut Change, provider: &str, now: i64, listing: &Listing) -> anyhow::Result<usize> {
    let mut kept = 0;
    let find = sqlx::query("SELECT * FROM discovered_model WHERE provider = $1").bind(provider);
    let mut before: HashMap<String, Known> = HashMap::new();
    for row in find.fetch_all(&mut **change).await? {
        let known = known(&row)?;
        before.insert(known.name.clone(), known);
    }
    for found in &listing.models {
        let same = before.remove(&found.name).is_some_and(|known| known == as_known(found));
        if same {
            continue;
        }
        kept += 1;
        let insert = sqlx::query(
            "INSERT INTO discovered_model (provider, model, context_window, output_limit, abilities, first_seen_ms) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (provider, model) DO UPDATE SET \
             context_window = excluded.context_window, output_limit = excluded.output_limit, \
             abilities = excluded.abilities, vanished_ms = NULL",
        );
        let number = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
        let abilities = found.abilities.map(|abilities| abilities.names().collect::<Vec<_>>().join(","));
        let insert = insert.bind(provider).bind(&found.name).bind(number(found.context_window));
        let insert = insert.bind(number(found.output_limit)).bind(abilities).bind(now);
        insert.execute(&mut **change).await?;
    }
    if listing.extent == Extent::Whole {
        for name in before.into_values().filter(|known| !known.vanished).map(|known| known.name) {
            kept += 1;
            let mark = "UPDATE discovered_model SET vanished_ms = $1 WHERE provider = $2 AND model = $3";
            sqlx::query(mark).bind(now).bind(provider).bind(name).execute(&mut **change).await?;
        }
    }
    Ok(kept)
}

fn as_known(found: &Found) -> Known {
    Known {
        name: found.name.clone(),
        context_window: found.context_window,
        output_limit: found.output_limit,
        abilities: found.abilities,
        vanished: false,
    }
}

fn known(row: &sqlx::any::AnyRow) -> anyhow::Result<Known> {
    let number = |name| anyhow::Ok(optional::<i64>(row, name)?.and_then(|number| u64::try_from(number).ok()));
    let abilities = optional::<String>(row, "abilities")?
        .map(|names| names.split(',').filter_map(Abilities::named).fold(Abilities::NONE, Abilities::and));
    Ok(Known {
        name: row.try_get("model")?,
        context_window: number("context_window")?,
        output_limit: number("output_limit")?,
        abilities,
        vanished: number("vanished_ms")?.is_some(),
    })
}

impl Store {
    /// Every provider's models as it last said, by its id.
    pub async fn discovered(&self) -> anyhow::Result<HashMap<String, Vec<Known>>> {
        let rows =
            sqlx::query("SELECT * FROM discovered_model ORDER BY provider, model").fetch_all(&self.reader).await?;
        let mut all: HashMap<String, Vec<Known>> = HashMap::new();
        for row in &rows {
            all.entry(row.try_get("provider")?).or_default().push(known(row)?);
        }
        Ok(all)
    }

    /// Who was asked, and what came of it.
    pub async fn discoveries(&self) -> anyhow::Result<Vec<Asked>> {
        let find = "SELECT provider, asked_ms, outcome FROM discovery ORDER BY provider";
        let rows = sqlx::query(find).fetch_all(&self.reader).await?;
        let asked = |row: &sqlx::any::AnyRow| {
            Ok(Asked {
                provider: row.try_get("provider")?,
                asked_ms: row.try_get("asked_ms")?,
                outcome: row.try_get("outcome")?,
            })
        };
        rows.iter().map(asked).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn listed(names: &[&str], extent: Extent) -> Answer {
        let found = |name: &&str| Found {
            name: name.to_string(),
            context_window: Some(8192),
            output_limit: None,
            abilities: Some(Abilities::TOOLS.and(Abilities::IMAGES)),
        };
        let models = names.iter().map(found).collect();
        let validator = Validator { address: "http://h".into(), etag: Some("\"1\"".into()), modified: None };
        let listing = Listing { models, next: None, skipped: 0, idle: 0, extent };
        Answer::Listed { listing, validator: Some(validator) }
    }

    #[tokio::test]
    async fn models_appear_vanish_and_come_back_and_a_cut_list_proves_nothing() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let memory = Discovered { store: store.clone(), metrics: Arc::new(Metrics::new()) };
            let vanished = async || -> Vec<(String, bool)> {
                let all = store.discovered().await.unwrap();
                all["p"].iter().map(|known| (known.name.clone(), known.vanished)).collect()
            };
            assert!(memory.due("p", 1_000, Duration::from_secs(300)).await);
            memory.save("p", 1_000, &listed(&["a", "b"], Extent::Whole)).await.unwrap();
            memory.save("p", 1_500, &listed(&["a", "b"], Extent::Whole)).await.unwrap();
            assert_eq!(
                store.revision().await.unwrap(),
                1,
                "what is new is a change for all, what is as before is none"
            );
            assert_eq!(memory.last("p").await.unwrap().etag.as_deref(), Some("\"1\""));
            memory.save("p", 2_000, &listed(&["b"], Extent::Cut)).await.unwrap();
            assert_eq!(vanished().await, [("a".into(), false), ("b".into(), false)]);
            memory.save("p", 3_000, &listed(&["b"], Extent::Whole)).await.unwrap();
            assert_eq!(vanished().await, [("a".into(), true), ("b".into(), false)]);
            memory.save("p", 4_000, &listed(&["a", "b"], Extent::Whole)).await.unwrap();
            assert_eq!(vanished().await, [("a".into(), false), ("b".into(), false)]);
            memory.save("p", 5_000, &Answer::Unavailable("429".into())).await.unwrap();
            assert_eq!(store.discoveries().await.unwrap()[0].outcome, "unavailable: 429");
            assert_eq!(
                store.discovered().await.unwrap()["p"][0].abilities,
                Some(Abilities::TOOLS.and(Abilities::IMAGES))
            );
        }
    }

    #[tokio::test]
    async fn a_turn_is_given_to_one_who_asks_for_it() {
        for fresh in on_both().await {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..5 {
                let memory = Discovered { store: fresh.open().await, metrics: Arc::new(Metrics::new()) };
                tasks.spawn(async move { memory.due("p", 400_000, Duration::from_secs(300)).await });
            }
            assert_eq!(tasks.join_all().await.into_iter().filter(|yes| *yes).count(), 1);
            let memory = Discovered { store: fresh.open().await, metrics: Arc::new(Metrics::new()) };
            assert!(!memory.due("p", 500_000, Duration::from_secs(300)).await);
            assert!(memory.due("p", 700_000, Duration::from_secs(300)).await);
        }
    }
}
