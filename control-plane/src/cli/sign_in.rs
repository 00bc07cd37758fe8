//! `dragoman login`: a person signs in with a provider. `dragoman session`: what came of it.

use std::io::IsTerminal;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::print;
use super::shown::{At, cell, when};
use super::table::{Table, plain};

/// How often it is looked whether the person is done.
const LOOK: Duration = Duration::from_secs(1);
/// What opens a page on this machine: Linux's, then macOS's.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// Sign in with a provider: in the browser, or with a code to type there.
#[derive(Args, Debug)]
pub struct Login {
    /// With whom; its row has a `sign_in`.
    provider: String,
    /// Who owns the session, alone: the path of an account, such as acme.search.alice.
    #[arg(long, value_name = "ID")]
    account: String,
    /// Show a code to type at the provider, in any browser.
    #[arg(long)]
    device: bool,
    #[command(flatten)]
    at: At,
}

/// What is done with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List who is signed in with which provider, without their tokens.
    List {
        /// Only those of this account and of those below it.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Renew one now; by itself that happens before its token ends.
    Refresh(One),
    /// Sign out: the provider takes the tokens back, and the gateway forgets them.
    Revoke(One),
}

/// One session.
#[derive(Args, Debug)]
pub struct One {
    /// Whose it is.
    account: String,
    /// With whom.
    provider: String,
    #[command(flatten)]
    at: At,
}

impl Login {
    /// Does it: ends when the person is done.
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.at.api.client()?;
        let flow = if self.device { "device" } else { "browser" };
        let new = json!({ "provider": self.provider, "account": self.account, "flow": flow });
        let begun = client.ask(Method::POST, &["sign-ins"])?.body(&new).answer().await?;
        self.at.shown.one(&begun, told)?;
        let ended = ended(&client, begun["id"].as_str().unwrap_or_default()).await?;
        anyhow::ensure!(ended["state"] == "done", "{}", plain(ended["said"].as_str().unwrap_or_default()));
        let (account, provider) = (&self.account, &self.provider);
        self.at.shown.one(&ended, |_| print(&format!("{account} is signed in with {provider}")))
    }
}

/// What the person does next; the page is opened where a person sees it.
fn told(begun: &Value) -> anyhow::Result<()> {
    let word = |name: &str| plain(begun[name].as_str().unwrap_or_default());
    if !begun["user_code"].is_null() {
        return print(&format!("Open {} and type this code: {}", word("verification_uri"), word("user_code")));
    }
    let page = word("start_url");
    print(&format!("Open this page to sign in: {page}"))?;
    if std::io::stdout().is_terminal() && ["http://", "https://"].iter().any(|scheme| page.starts_with(scheme)) {
        // Where there is none the person has the address.
        for opener in OPENERS {
            let mut command = Command::new(opener);
            command.arg(&page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if command.spawn().is_ok() {
                break;
            }
        }
    }
    Ok(())
}

/// The sign-in when it waits no longer.
async fn ended(client: &Client, id: &str) -> anyhow::Result<Value> {
    loop {
        let now = client.get(&["sign-ins", id]).await?;
        if now["state"] != "waiting" {
            return Ok(now);
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl SessionCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            SessionCommand::List { account, at } => {
                let query: Vec<(&str, &str)> = account.iter().map(|account| ("account", account.as_str())).collect();
                let items = at.api.client()?.list(&["sessions"], &query, usize::MAX).await?;
                at.shown.list(&items, listed)
            }
            SessionCommand::Refresh(One { account, provider, at }) => {
                let client = at.api.client()?;
                let path = ["sessions", &account, &provider, "refresh"];
                let session = client.ask(Method::POST, &path)?.answer().await?;
                at.shown.one(&session, |session| print(&format!("good until {}", when(&session["expires_ms"]))))
            }
            SessionCommand::Revoke(One { account, provider, at }) => {
                let client = at.api.client()?;
                let out = client.ask(Method::DELETE, &["sessions", &account, &provider])?.answer().await?;
                at.shown.one(&out, |out| {
                    print(&format!("{account} is signed out of {provider}"))?;
                    match out["said"].as_str().filter(|said| !said.is_empty()) {
                        Some(said) => print(&plain(said)),
                        None => Ok(()),
                    }
                })
            }
        }
    }
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["account", "provider", "state", "ends with", "good until", "scopes", "said"]);
    for item in items {
        let [account, provider, state, hint, scopes, said] =
            ["account", "provider", "state", "last_four", "scopes", "said"].map(|member| cell(&item[member]));
        table.row([account, provider, state, hint, when(&item["expires_ms"]), scopes, said]);
    }
    table
}
