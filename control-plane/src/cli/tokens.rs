//! `dragoman token`: made, listed, revoked. What is made is printed then and never again.

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use reqwest::Method;
use serde_json::{Value, json};

use super::bad_input::bad;
use super::door::{ACTOR, Door, Place};
use super::keys::{Listing, oldest_first, revoke, revoked};
use super::print;
use super::shown::{Shown, cell, when};
use super::table::Table;
use crate::store::Store;
use crate::store::pepper::Pepper;
use crate::store::tokens::{Role, Tokens};

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
        /// Whose accounts a tenant-admin works on.
        #[arg(long, default_value = "", value_name = "ID")]
        account: String,
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

fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::name)).try_map(|name| Role::named(&name).ok_or("no such role"))
}

async fn tokens(store: &Store) -> anyhow::Result<Tokens> {
    Ok(Tokens::of(store, Pepper::of(store).await?))
}

impl TokenCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            TokenCommand::Create { name, role, account, place, shown } => {
                if (role == Role::TenantAdmin) == account.is_empty() {
                    return Err(bad(
                        "a tenant-admin belongs to the account that --account names, and nobody else does",
                    ));
                }
                let made = match place.door().await? {
                    Door::Api(client) => {
                        let new = json!({ "name": name, "role": role.name(), "account": account });
                        client.ask(Method::POST, &["tokens"])?.body(&new).answer().await?
                    }
                    Door::Store(store) => {
                        let made = tokens(&store).await?.create(ACTOR, &name, role, &account).await;
                        let made = made.map_err(|why| bad(why.to_string()))?;
                        json!({ "id": made.id, "token": made.token.expose() })
                    }
                };
                shown.one(&made, |made| print(made["token"].as_str().unwrap_or_default()))
            }
            TokenCommand::List(Listing { place, shown }) => {
                let items = items(&place.door().await?).await?;
                shown.list(&items, listed)
            }
            TokenCommand::Revoke { token, listing: Listing { place, shown } } => {
                let count = match place.door().await? {
                    Door::Api(client) => revoke(&client, "tokens", &token).await?,
                    Door::Store(store) => tokens(&store).await?.revoke(ACTOR, &token).await?,
                };
                revoked("token", &token, count, shown)
            }
        }
    }
}

/// Every token, as the API lists them.
async fn items(door: &Door) -> anyhow::Result<Vec<Value>> {
    let store = match door {
        Door::Api(client) => return Ok(oldest_first(client.list(&["tokens"], &[], usize::MAX).await?)),
        Door::Store(store) => store,
    };
    let item = |token: crate::store::tokens::Listed| {
        json!({ "id": token.id, "name": token.name, "role": token.role.name(), "account": token.account,
                "created_ms": token.created_ms, "revoked_ms": token.revoked_ms })
    };
    Ok(tokens(store).await?.list().await?.into_iter().map(item).collect())
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["id", "state", "role", "account", "made", "name"]);
    for item in items {
        let state = if item["revoked_ms"].is_null() { "good" } else { "revoked" };
        let [id, role, account, name] = ["id", "role", "account", "name"].map(|member| cell(&item[member]));
        table.row([id, state.to_string(), role, account, when(&item["created_ms"]), name]);
    }
    table
}
