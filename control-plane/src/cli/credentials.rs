//! `dragoman key` and `dragoman token`: made, listed, revoked. What is made is printed then and never again.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::bad_input::bad;
use super::client::Client;
use super::door::{Door, Place};
use super::print;
use super::shown::{Shown, cell, when};
use super::table::Table;
use crate::accounts::Terms;
use crate::store::Store;
use crate::store::keys::{Keys, NewKey};
use crate::store::pepper::Pepper;
use crate::store::tokens::{Role, Tokens};

/// What is done with callers' keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is printed now and never again.
    Create {
        /// A name to remember it by.
        #[arg(long, default_value = "")]
        name: String,
        /// The only routes it may ask for, separated by commas.
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        routes: Option<Vec<String>>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        shown: Shown,
    },
    /// List the keys.
    List(Listing),
    /// One key.
    Show {
        /// An id of `key list`, or a name.
        key: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Revoke the keys of this id or name; known to the gateway within seconds.
    Revoke {
        /// An id of `key list`, or a name.
        key: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// What is done with tokens of the admin API.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is printed now and never again.
    Create {
        /// A name to remember it by.
        #[arg(long, default_value = "")]
        name: String,
        /// What its holder may do.
        #[arg(long, value_parser = roles())]
        role: Role,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        shown: Shown,
    },
    /// List the tokens.
    List(Listing),
    /// Revoke the tokens of this id or name, at once.
    Revoke {
        /// An id of `token list`, or a name.
        token: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// Where they are, and how that is printed.
#[derive(Args, Debug)]
pub struct Listing {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::name)).try_map(|name| Role::named(&name).ok_or("no such role"))
}

async fn keys(store: &Store) -> anyhow::Result<Keys> {
    Ok(Keys::of(store, Pepper::of(store).await?))
}

async fn tokens(store: &Store) -> anyhow::Result<Tokens> {
    Ok(Tokens::of(store, Pepper::of(store).await?))
}

impl KeyCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            KeyCommand::Create { name, routes, place, shown } => {
                if routes.iter().flatten().any(String::is_empty) {
                    return Err(bad("a route's name in --routes is empty"));
                }
                let made = match place.door().await? {
                    Door::Api(client) => {
                        let new = json!({ "name": name, "routes": routes });
                        client.ask(Method::POST, &["keys"])?.body(&new).answer().await?
                    }
                    Door::Store(store) => {
                        let terms = Terms { routes, ..Terms::default() };
                        let new = NewKey { name, terms, ..NewKey::default() };
                        let made = keys(&store).await?.create("the command line", &new).await?;
                        json!({ "id": made.id, "key": made.key.expose() })
                    }
                };
                shown.one(&made, |made| print(made["key"].as_str().unwrap_or_default()))
            }
            KeyCommand::List(Listing { place, shown }) => {
                let items = key_items(&place.door().await?).await?;
                shown.list(&items, |items| listed("routes", items))
            }
            KeyCommand::Show { key, listing: Listing { place, shown } } => {
                let mut items = key_items(&place.door().await?).await?;
                items.retain(|item| item["id"] == key.as_str() || item["name"] == key.as_str());
                if items.is_empty() {
                    return Err(bad(format!("no key has the id or name `{key}`")));
                }
                shown.list(&items, |items| listed("routes", items))
            }
            KeyCommand::Revoke { key, listing: Listing { place, shown } } => {
                let count = match place.door().await? {
                    Door::Api(client) => revoke(&client, "keys", &key).await?,
                    Door::Store(store) => keys(&store).await?.revoke("the command line", &key).await?,
                };
                revoked("key", &key, count, shown)
            }
        }
    }
}

impl TokenCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            TokenCommand::Create { name, role, place, shown } => {
                let made = match place.door().await? {
                    Door::Api(client) => {
                        let new = json!({ "name": name, "role": role.name() });
                        client.ask(Method::POST, &["tokens"])?.body(&new).answer().await?
                    }
                    Door::Store(store) => {
                        let made = tokens(&store).await?.create(&name, role).await?;
                        json!({ "id": made.id, "token": made.token.expose() })
                    }
                };
                shown.one(&made, |made| print(made["token"].as_str().unwrap_or_default()))
            }
            TokenCommand::List(Listing { place, shown }) => {
                let items = token_items(&place.door().await?).await?;
                shown.list(&items, |items| listed("role", items))
            }
            TokenCommand::Revoke { token, listing: Listing { place, shown } } => {
                let count = match place.door().await? {
                    Door::Api(client) => revoke(&client, "tokens", &token).await?,
                    Door::Store(store) => tokens(&store).await?.revoke(&token).await?,
                };
                revoked("token", &token, count, shown)
            }
        }
    }
}

/// Every key, as the API lists them.
async fn key_items(door: &Door) -> anyhow::Result<Vec<Value>> {
    let store = match door {
        Door::Api(client) => return oldest_first(client.list(&["keys"], &[], usize::MAX).await?),
        Door::Store(store) => store,
    };
    let item = |key: crate::store::keys::Listed| {
        json!({ "id": key.id, "name": key.name, "routes": key.terms.routes, "created_ms": key.created_ms,
                "revoked_ms": key.revoked_ms })
    };
    Ok(keys(store).await?.list("", "", u32::MAX).await?.into_iter().map(item).collect())
}

/// Every token, as the API lists them.
async fn token_items(door: &Door) -> anyhow::Result<Vec<Value>> {
    let store = match door {
        Door::Api(client) => return oldest_first(client.list(&["tokens"], &[], usize::MAX).await?),
        Door::Store(store) => store,
    };
    let item = |token: crate::store::tokens::Listed| {
        json!({ "id": token.id, "name": token.name, "role": token.role.name(), "created_ms": token.created_ms,
                "revoked_ms": token.revoked_ms })
    };
    Ok(tokens(store).await?.list().await?.into_iter().map(item).collect())
}

/// The API lists them by their ids, which say nothing.
fn oldest_first(mut items: Vec<Value>) -> anyhow::Result<Vec<Value>> {
    items.sort_by_key(|item| (item["created_ms"].as_i64(), cell(&item["id"])));
    Ok(items)
}

/// The API knows ids only; names are looked up.
async fn revoke(client: &Client, what: &str, id_or_name: &str) -> anyhow::Result<u64> {
    let mut count = 0;
    for item in client.list(&[what], &[], usize::MAX).await? {
        let meant = item["id"] == id_or_name || item["name"] == id_or_name;
        if let Some(id) = item["id"].as_str().filter(|_| meant && item["revoked_ms"].is_null()) {
            let done = client.ask(Method::POST, &[what, id, "revoke"])?.answer().await?;
            count += done["revoked"].as_u64().unwrap_or(0);
        }
    }
    Ok(count)
}

fn revoked(what: &str, id_or_name: &str, count: u64, shown: Shown) -> anyhow::Result<()> {
    if count == 0 {
        return Err(bad(format!("no {what} that is not revoked already has the id or name `{id_or_name}`")));
    }
    shown.one(&json!({ "revoked": count }), |_| print(&format!("{count} revoked")))
}

fn listed(member: &str, items: &[Value]) -> Table {
    let mut table = Table::new(["id", "state", member, "made", "name"]);
    for item in items {
        let state = if item["revoked_ms"].is_null() { "good" } else { "revoked" };
        let value = if item[member].is_null() {
            format!("every {}", member.trim_end_matches('s'))
        } else {
            cell(&item[member])
        };
        table.row([cell(&item["id"]), state.to_string(), value, when(&item["created_ms"]), cell(&item["name"])]);
    }
    table
}
