//! The command line.
//!
//! ```text
//! local          init, check, render, import, completions, translate, tuning: need nobody; vault: the store itself
//! door           key, token, record: the admin API with a token, the data directory without
//! client         provider … rule, account, credential, login, session, cool-down, health, tuning artifacts, costs, ledger, snapshot, apply,
//!                diff, export, status, audit, explain: the admin API
//! ```
//!
//! Exit codes: 0 good; 2 what was given is wrong ([`BadInput`]); 1 everything else, and of `diff` that something differs.

mod accounts;
mod bad_input;
mod bundle;
mod client;
mod configuration;
mod cool_downs;
mod costs;
mod door;
mod experiments;
mod feedback;
mod health;
mod input;
mod keys;
mod local;
mod looking;
mod records;
mod rows;
mod shown;
mod sign_in;
mod snapshots;
mod table;
mod terms;
mod tokens;
mod tuning;
mod vault;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::run::{EnvoyBy, Options, run};
use crate::settings::{DEFAULT_FILE, Kind};

use crate::translate::{Translation, translate};
pub(crate) use client::TOKEN;
pub(crate) use input::read;

pub use bad_input::{BadInput, bad};

/// An LLM gateway inside Envoy: one address for every provider, in the dialect you speak.
#[derive(Debug, Parser)]
#[command(name = "dragoman", version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented example of the settings file.
    Init {
        /// Where to; never over a file that is there.
        #[arg(default_value = DEFAULT_FILE)]
        file: PathBuf,
    },
    /// Run the control plane, and Envoy as its child.
    Up {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        wasm: Wasm,
        /// Envoy's program.
        #[arg(long, env = "DRAGOMAN_ENVOY", value_name = "FILE")]
        envoy: Option<PathBuf>,
    },
    /// Run the control plane alone; Envoy runs elsewhere, with `dragoman render bootstrap`.
    Serve {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        wasm: Wasm,
    },
    /// Check the settings file and say everything that is wrong with it.
    Check {
        #[command(flatten)]
        common: Common,
    },
    /// Print configuration for an Envoy of your own.
    Render {
        /// What to print.
        #[arg(value_enum)]
        what: local::Rendered,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        wasm: Wasm,
    },
    /// Say a request or an answer of one dialect in another: from the input to the output, and on the error output what was lost.
    Translate(Translation),
    /// Providers.
    #[command(subcommand)]
    Provider(rows::ProviderCommand),
    /// Models.
    #[command(subcommand)]
    Model(rows::ModelCommand),
    /// Prices.
    #[command(subcommand)]
    Price(rows::RowCommand),
    /// Routes.
    #[command(subcommand)]
    Route(rows::RowCommand),
    /// Other names of models and routes.
    #[command(subcommand)]
    Alias(rows::RowCommand),
    /// Targets that are not asked for a while.
    #[command(subcommand)]
    Suspension(rows::RowCommand),
    /// Rules: what is changed about requests and answers.
    #[command(subcommand)]
    Rule(rows::RowCommand),
    /// Who may come without a key.
    #[command(subcommand)]
    Identity(rows::RowCommand),
    /// Experiments: which ways the requests of a name go, and what came of each.
    #[command(subcommand)]
    Experiment(experiments::ExperimentCommand),
    /// Say all rows of a file at once, over what the admin API said before; all of them or none.
    Apply(configuration::Apply),
    /// Say what `apply` would change; exit code 1 when it is something, 2 when it can't be said.
    Diff(configuration::Rows),
    /// Print what the control plane's file and the admin API say together, as `apply` takes it.
    Export(configuration::Export),
    /// Published Snapshots.
    #[command(subcommand)]
    Snapshot(snapshots::SnapshotCommand),
    /// Accounts: who pays, and what they may do and spend.
    #[command(subcommand)]
    Account(accounts::AccountCommand),
    /// Callers' keys.
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// Accounts' own credentials for providers.
    #[command(subcommand)]
    Credential(vault::CredentialCommand),
    /// Sign in with a provider: in the browser, or with a code to type there.
    Login(sign_in::Login),
    /// Who is signed in with which provider.
    #[command(subcommand)]
    Session(sign_in::SessionCommand),
    /// Callers' own tokens that are not sent to a provider for a while.
    #[command(subcommand)]
    CoolDown(cool_downs::CoolDownCommand),
    /// How providers do, and forcing who is asked.
    #[command(subcommand)]
    Health(health::HealthCommand),
    /// Artifacts by which models are selected: made, measured, kept, used.
    #[command(subcommand)]
    Tuning(tuning::TuningCommand),
    /// What accounts' credentials are kept in.
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Tokens of the admin API.
    #[command(subcommand)]
    Token(tokens::TokenCommand),
    /// Records of exchanges.
    #[command(subcommand)]
    Record(records::RecordCommand),
    /// What is said of exchanges.
    #[command(subcommand)]
    Feedback(feedback::FeedbackCommand),
    /// Print the latest Records.
    Records(records::Latest),
    /// What was spent: by provider, model, key, account, team, tag, day, route or state.
    Costs(costs::Costs),
    /// The ledger: every exchange with every attempt.
    #[command(subcommand)]
    Ledger(costs::LedgerCommand),
    /// Who changed which row, the newest first.
    Audit(looking::Audit),
    /// How the control plane and its data planes are.
    Status(looking::Status),
    /// Say where a request would go and why; its body is the input.
    Explain(looking::Explain),
    /// Say a configuration of another gateway in the words of dragoman.toml.
    #[command(subcommand)]
    Import(local::Import),
    /// Print what a shell needs to complete these words.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Where the URL of a shared store stands, its password in it.
pub(crate) const STORE: &str = "DRAGOMAN_STORE";

#[derive(Args, Debug)]
struct Common {
    /// The settings file; `dragoman.toml` if it is there.
    #[arg(long, env = "DRAGOMAN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory; `.dragoman` when neither this nor the file says.
    #[arg(long, env = "DRAGOMAN_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// A PostgreSQL that control planes share, as postgres://user:password@host/database; SQLite in the data directory without.
    #[arg(long, env = STORE, value_name = "URL", hide_env_values = true)]
    store: Option<String>,
}

#[derive(Args, Debug)]
struct Wasm {
    /// The filters' module.
    #[arg(long, env = "DRAGOMAN_WASM", value_name = "FILE")]
    wasm: Option<PathBuf>,
}

impl Common {
    fn options(self) -> Options {
        Options { config: self.config, data: self.data, store: self.store, ..Options::default() }
    }
}

/// Every command and what it takes, as the reference prints it: what `--help` says, without the values of this environment.
pub fn help() -> String {
    let mut root = Line::command();
    root.build();
    let mut page = String::new();
    describe(root, &mut page);
    page
}

fn describe(command: clap::Command, page: &mut String) {
    let mut command = command.mut_args(|argument| argument.hide_env_values(true));
    let help = command.render_long_help().to_string();
    help.lines().for_each(|line| page.extend([line.trim_end(), "\n"]));
    page.push('\n');
    let own = command.get_subcommands().filter(|own| own.get_name() != "help");
    own.for_each(|own| describe(own.clone(), page));
}

/// Does what the command line says; the exit code says how that went.
pub async fn main() -> anyhow::Result<ExitCode> {
    let done = match Line::parse().command {
        Command::Init { file } => local::init(&file),
        Command::Up { common, wasm, envoy } => {
            run(Options { wasm: wasm.wasm, envoy, ..common.options() }, EnvoyBy::Us).await
        }
        Command::Serve { common, wasm } => run(Options { wasm: wasm.wasm, ..common.options() }, EnvoyBy::Others).await,
        Command::Check { common } => local::check(&common.options()),
        Command::Render { what, common, wasm } => local::render(what, &Options { wasm: wasm.wasm, ..common.options() }),
        Command::Translate(asked) => {
            let (mut input, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
            translate(&asked, &mut input, &mut out, &mut std::io::stderr().lock())
        }
        Command::Provider(command) => command.run().await,
        Command::Model(command) => command.run().await,
        Command::Price(command) => command.run(Kind::Price).await,
        Command::Route(command) => command.run(Kind::Route).await,
        Command::Alias(command) => command.run(Kind::Alias).await,
        Command::Suspension(command) => command.run(Kind::Suspension).await,
        Command::Rule(command) => command.run(Kind::Rule).await,
        Command::Identity(command) => command.run(Kind::Identity).await,
        Command::Experiment(command) => command.run().await,
        Command::Apply(asked) => asked.run().await,
        Command::Diff(rows) => return rows.diff().await,
        Command::Export(asked) => asked.run().await,
        Command::Snapshot(command) => command.run().await,
        Command::Account(command) => command.run().await,
        Command::Key(command) => command.run().await,
        Command::Credential(command) => command.run().await,
        Command::Login(asked) => asked.run().await,
        Command::Session(command) => command.run().await,
        Command::CoolDown(command) => command.run().await,
        Command::Health(command) => command.run().await,
        Command::Tuning(command) => command.run().await,
        Command::Vault(command) => command.run().await,
        Command::Token(command) => command.run().await,
        Command::Record(command) => command.run().await,
        Command::Feedback(command) => command.run().await,
        Command::Records(asked) => asked.run().await,
        Command::Costs(asked) => asked.run().await,
        Command::Ledger(command) => command.run().await,
        Command::Audit(asked) => asked.run().await,
        Command::Status(asked) => asked.run().await,
        Command::Explain(asked) => asked.run().await,
        Command::Import(import) => import.run(),
        Command::Completions { shell } => local::completions(shell),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// What an error ends the program with.
pub fn exit(error: &anyhow::Error) -> ExitCode {
    if error.is::<BadInput>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// Prints a line; a reader that has gone away is an error, not a panic.
pub fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("the output can't be written")
}

/// Says something besides the output, to people; whoever does not listen misses nothing else.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
