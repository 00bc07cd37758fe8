//! `dragoman credential`: accounts' own credentials, by the admin API. `dragoman vault`: what they are kept in, where it is kept.

use std::path::Path;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::bad_input::bad;
use super::shown::{At, cell, when};
use super::table::Table;
use super::{Common, door, input, print};
use crate::run::environment;
use crate::store::vault::{Entries, Rotated};
use crate::vault::Purpose;

/// More than any secret has.
const MOST: u64 = 8192;

/// What is done with accounts' own credentials.
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Keep an account's own credential for a provider; the secret is the input.
    Set {
        /// Whose: the path of an account, such as acme.search.
        account: String,
        /// The provider that it opens.
        provider: String,
        /// The environment variable that has the secret, instead of the input.
        #[arg(long, value_name = "NAME")]
        env: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// List them, without their secrets.
    List {
        /// Only those of this account and of those below it.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Forget one.
    Delete {
        /// Whose.
        account: String,
        /// The provider that it opens.
        provider: String,
        #[command(flatten)]
        at: At,
    },
}

/// What is done with the vault; on the data directory or the shared store, with the vault's keys.
#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Say whether it is open, and how much is in it.
    Status {
        #[command(flatten)]
        common: Common,
    },
    /// Wrap everything under the first of the vault's keys; what is done is done, so it may be broken off and begun again.
    Rotate {
        #[command(flatten)]
        common: Common,
    },
    /// Take away every secret of a tenant, or of all of them, unopened: the way out when the key is lost or somebody has worked on the
    /// database. Start the control planes again afterwards.
    Reset {
        /// Of this tenant.
        #[arg(long, value_name = "NAME", required_unless_present = "all")]
        tenant: Option<String>,
        /// Of everybody.
        #[arg(long, conflicts_with = "tenant")]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
}

impl CredentialCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            CredentialCommand::Set { account, provider, env, at } => {
                let secret = secret(env.as_deref())?;
                let body = json!({ "secret": secret.trim() });
                let question = at.api.client()?;
                let question = question.ask(Method::PUT, &["credentials", &account, &provider])?.body(&body);
                let put = question.answer().await?;
                at.shown.one(&put, |_| print(&format!("{account} has its own credential for {provider}")))
            }
            CredentialCommand::List { account, at } => {
                let query: Vec<(&str, &str)> = account.iter().map(|account| ("account", account.as_str())).collect();
                let items = at.api.client()?.list(&["credentials"], &query, usize::MAX).await?;
                at.shown.list(&items, listed)
            }
            CredentialCommand::Delete { account, provider, at } => {
                let client = at.api.client()?;
                let deleted = client.ask(Method::DELETE, &["credentials", &account, &provider])?.answer().await?;
                at.shown.one(&deleted, |_| print(&format!("{account} has no credential of its own for {provider}")))
            }
        }
    }
}

/// The secret: the variable's or the input's, never an argument, which everybody on the machine sees.
fn secret(variable: Option<&str>) -> anyhow::Result<Zeroizing<String>> {
    let secret = match variable {
        Some(name) => environment(name).ok_or_else(|| bad(format!("{name} is not set")))?,
        None => input::read(Path::new("-"), MOST)?,
    };
    let secret = Zeroizing::new(secret);
    if secret.trim().is_empty() {
        return Err(bad("the secret is empty; it is the input, or what stands in the variable of --env"));
    }
    Ok(secret)
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["account", "provider", "ends with", "version", "changed", "by"]);
    for item in items {
        let [account, provider, hint, version, by] =
            ["account", "provider", "last_four", "version", "changed_by"].map(|member| cell(&item[member]));
        table.row([account, provider, hint, version, when(&item["changed_ms"]), by]);
    }
    table
}

impl VaultCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            VaultCommand::Status { common } => {
                let vault = opened(common).await?;
                let (credentials, sessions) = (Purpose::Credential, Purpose::Session);
                let (own, people) = (vault.list(credentials).await?.len(), vault.list(sessions).await?.len());
                match vault.sealed() {
                    None => print(&format!("open; credentials: {own}, sessions: {people}")),
                    Some(why) => Err(bad(format!("sealed: {why}"))),
                }
            }
            VaultCommand::Rotate { common } => {
                let Rotated { done, broken } = opened(common).await?.rotate().await?;
                print(&format!("{done} wrapped under the first key"))?;
                for (name, why) in &broken {
                    super::note(&format!("{name}: {why}"));
                }
                let left = broken.len();
                anyhow::ensure!(left == 0, "{left} can't be opened and are left as they are; keep the other keys");
                print("the other keys are no longer needed")
            }
            VaultCommand::Reset { tenant, common, .. } => {
                let count = opened(common).await?.reset(tenant.as_deref(), "dragoman vault reset").await?;
                print(&format!("{count} taken away; start the control planes again"))
            }
        }
    }
}

async fn opened(common: Common) -> anyhow::Result<Entries> {
    Entries::of(&door::open(&common.options()).await?).await
}
