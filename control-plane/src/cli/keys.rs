//! `dragoman key`: made, listed, rotated, revoked. What is made is printed then and never again.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::accounts::budgets_table;
use super::bad_input::bad;
use super::client::{Api, Client};
use super::door::{ACTOR, Door, Place};
use super::shown::{Shown, cell, when};
use super::table::Table;
use super::terms::{TermsArgs, budgets_cell, ends, lasts};
use super::{note, print};
use crate::store::Store;
use crate::store::keys::{Keys, NewKey, Of};
use crate::store::pepper::Pepper;

/// What is done with callers' keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is printed now and never again.
    Create(Box<Create>),
    /// List the keys.
    List {
        /// Of this account and of all below it.
        #[arg(long, value_name = "ID")]
        within: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// One key.
    Show {
        /// An id of `key list`, or a name.
        key: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Give a key another secret, printed now and never again; the old ones end a little later.
    Rotate {
        /// An id of `key list`, or a name.
        key: String,
        /// For how long the old secrets still work, such as 24h or 0s.
        #[arg(long, default_value = "1h", value_name = "TIME")]
        overlap: String,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// What is spent and left of a key's budgets, and of those of the accounts above it.
    Budgets {
        /// An id of `key list`, or a name.
        key: String,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// Revoke the keys of this id or name; known to the gateway within seconds.
    Revoke {
        /// An id of `key list`, or a name.
        key: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// What a key is to be.
#[derive(Args, Debug)]
pub struct Create {
    /// A name to remember it by.
    #[arg(long, default_value = "")]
    name: String,
    /// Whose it is; nobody's without.
    #[arg(long, default_value = "", value_name = "ID")]
    account: String,
    /// When it ends: in a time such as 30d, or at a moment such as 2027-01-31.
    #[arg(long, value_parser = ends, value_name = "WHEN")]
    expires: Option<i64>,
    #[command(flatten)]
    terms: TermsArgs,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

/// Where they are, and how that is printed.
#[derive(Args, Debug)]
pub struct Listing {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) shown: Shown,
}

async fn keys(store: &Store) -> anyhow::Result<Keys> {
    Ok(Keys::of(store, Pepper::of(store).await?))
}

impl KeyCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            KeyCommand::Create(create) => create.run().await,
            KeyCommand::List { within, listing: Listing { place, shown } } => {
                let items = items(&place.door().await?, within.as_deref()).await?;
                shown.list(&items, listed)
            }
            KeyCommand::Show { key, listing: Listing { place, shown } } => {
                let found = found(&place.door().await?, &key).await?;
                if found.is_empty() {
                    return Err(bad(format!("no key has the id or name `{key}`")));
                }
                shown.list(&found, listed)
            }
            KeyCommand::Rotate { key, overlap, api, shown } => {
                let overlap = lasts(&overlap).ok_or_else(|| bad("--overlap takes a time such as 24h or 0s"))?;
                let client = api.client()?;
                let id = one_id(&client, &key).await?;
                let body = json!({ "overlap_seconds": overlap / 1000 });
                let made = client.ask(Method::POST, &["keys", &id, "rotate"])?.body(&body).answer().await?;
                shown.one(&made, |made| print(made["key"].as_str().unwrap_or_default()))
            }
            KeyCommand::Budgets { key, api, shown } => {
                let client = api.client()?;
                let id = one_id(&client, &key).await?;
                let question = client.ask(Method::GET, &["keys", &id, "budgets"])?.query("all", "true");
                let items = question.answer().await?["items"].as_array().cloned().unwrap_or_default();
                shown.list(&items, budgets_table)
            }
            KeyCommand::Revoke { key, listing: Listing { place, shown } } => {
                let count = match place.door().await? {
                    Door::Api(client) => revoke(&client, "keys", &key).await?,
                    Door::Store(store) => keys(&store).await?.revoke(ACTOR, &key).await?,
                };
                revoked("key", &key, count, shown)
            }
        }
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<()> {
        let (name, account, expires_ms, terms) = (self.name, self.account, self.expires, self.terms.read()?);
        let made = match self.place.door().await? {
            Door::Api(client) => {
                let mut new = json!({ "name": name, "account": account, "terms": terms });
                if let Some(ends) = expires_ms {
                    new["expires_ms"] = json!(ends);
                }
                client.ask(Method::POST, &["keys"])?.body(&new).answer().await?
            }
            Door::Store(store) => {
                let new = NewKey { name, account, terms, expires_ms };
                let made = keys(&store).await?.create(ACTOR, &new).await;
                let made = made.map_err(|why| bad(why.to_string()))?;
                json!({ "id": made.id, "key": made.key.expose(), "warnings": [] })
            }
        };
        warn_of(&made);
        self.shown.one(&made, |made| print(made["key"].as_str().unwrap_or_default()))
    }
}

/// Says what an answer warns of.
pub fn warn_of(answer: &Value) {
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        note(&format!("warning: {}", cell(warning)));
    }
}

/// Every key, as the API lists them.
async fn items(door: &Door, within: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let store = match door {
        Door::Api(client) => {
            let query: Vec<(&str, &str)> = within.map(|within| ("within", within)).into_iter().collect();
            return Ok(oldest_first(client.list(&["keys"], &query, usize::MAX).await?));
        }
        Door::Store(store) => store,
    };
    let found = keys(store).await?.list(within.map_or(Of::Everybody, Of::Tree), "", i32::MAX.unsigned_abs()).await?;
    Ok(oldest_first(found.into_iter().map(item).collect()))
}

/// As the API says it.
fn item(key: crate::store::keys::Listed) -> Value {
    json!({ "id": key.id, "name": key.name, "account": key.account, "terms": key.terms, "hint": key.hint,
            "revision": key.revision, "created_ms": key.created_ms, "expires_ms": key.expires_ms,
            "revoked_ms": key.revoked_ms })
}

/// The key of an id, or those of a name.
async fn found(door: &Door, id_or_name: &str) -> anyhow::Result<Vec<Value>> {
    if is_id(id_or_name) {
        return match door {
            Door::Api(client) => Ok(vec![client.get(&["keys", id_or_name]).await?]),
            Door::Store(store) => Ok(keys(store).await?.key(id_or_name).await?.map(item).into_iter().collect()),
        };
    }
    let mut items = items(door, None).await?;
    items.retain(|item| item["name"] == id_or_name);
    Ok(items)
}

/// Whether it is an id as the store makes them: such as `key_0123456789abcdef`. A name may begin like one.
fn is_id(text: &str) -> bool {
    let digits = ["key_", "token_"].into_iter().find_map(|kind| text.strip_prefix(kind));
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|c| c.is_ascii_hexdigit()))
}

/// The API lists them by their ids, which say nothing.
pub fn oldest_first(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(|item| (item["created_ms"].as_i64(), cell(&item["id"])));
    items
}

/// The API knows ids only; a name is looked up, and must be one key's.
async fn one_id(client: &Client, id_or_name: &str) -> anyhow::Result<String> {
    if is_id(id_or_name) {
        return Ok(id_or_name.to_string());
    }
    let mut items = client.list(&["keys"], &[], usize::MAX).await?;
    items.retain(|item| item["name"] == id_or_name && item["revoked_ms"].is_null());
    match &items[..] {
        [one] => Ok(cell(&one["id"])),
        [] => Err(bad(format!("no good key has the id or name `{id_or_name}`"))),
        _ => Err(bad(format!("several keys have the name `{id_or_name}`; say the id"))),
    }
}

/// The API knows ids only; names are looked up.
pub async fn revoke(client: &Client, what: &str, id_or_name: &str) -> anyhow::Result<u64> {
    let named = |item: &Value| item["name"] == id_or_name && item["revoked_ms"].is_null();
    let ids = match is_id(id_or_name) {
        true => vec![id_or_name.to_string()],
        false => client
            .list(&[what], &[], usize::MAX)
            .await?
            .iter()
            .filter(|item| named(item))
            .map(|item| cell(&item["id"]))
            .collect(),
    };
    let mut count = 0;
    for id in &ids {
        let done = client.ask(Method::POST, &[what, id, "revoke"])?.answer().await?;
        count += done["revoked"].as_u64().unwrap_or(0);
    }
    Ok(count)
}

/// Says how many were revoked.
pub fn revoked(what: &str, id_or_name: &str, count: u64, shown: Shown) -> anyhow::Result<()> {
    if count == 0 {
        return Err(bad(format!("no {what} that is not revoked already has the id or name `{id_or_name}`")));
    }
    shown.one(&json!({ "revoked": count }), |_| print(&format!("{count} revoked")))
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["id", "state", "account", "routes", "budgets", "made", "ends", "name"]);
    for item in items {
        let state = if item["revoked_ms"].is_null() { "good" } else { "revoked" };
        let routes = &item["terms"]["routes"];
        let routes = if routes.is_null() { "every route".to_string() } else { cell(routes) };
        let (made, ends) = (when(&item["created_ms"]), when(&item["expires_ms"]));
        let budgets = budgets_cell(&item["terms"]);
        table.row([
            cell(&item["id"]),
            state.into(),
            cell(&item["account"]),
            routes,
            budgets,
            made,
            ends,
            cell(&item["name"]),
        ]);
    }
    table
}
