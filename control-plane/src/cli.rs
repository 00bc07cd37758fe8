//! The command line.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::catalog::Catalog;
use crate::publish;
use crate::run::{EnvoyBy, Options, environment, run};
use crate::settings::{DEFAULT_FILE, EXAMPLE, File};
use crate::store::Store;
use crate::store::keys::{Keys, Listed};
use crate::store::pepper::Pepper;
use crate::store::records::{Kept, Wanted};
use crate::translate::{Translation, translate};
use crate::xds::{self, Module};

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
        what: Rendered,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        wasm: Wasm,
    },
    /// Say a request or an answer of one dialect in another: from the input to the output, and on the error output what was lost.
    Translate(Translation),
    /// Callers' keys.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Print the latest Records.
    Records {
        #[command(flatten)]
        common: Common,
        /// One JSON document for each line, newest first.
        #[arg(long)]
        json: bool,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Rendered {
    /// Everything in one static file.
    Envoy,
    /// What an Envoy that is configured by this control plane starts with.
    Bootstrap,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key; it is printed now and never again.
    Create {
        #[command(flatten)]
        common: Common,
        /// A name to remember it by.
        #[arg(long, default_value = "")]
        name: String,
        /// The only routes it may ask for, separated by commas.
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        routes: Option<Vec<String>>,
    },
    /// List the keys.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Revoke the keys of this id or name; known to the gateway within seconds.
    Revoke {
        /// An id of `key list`, or a name.
        key: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args, Debug)]
struct Common {
    /// The settings file; `dragoman.toml` if it is there.
    #[arg(long, env = "DRAGOMAN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory; `.dragoman` when neither this nor the file says.
    #[arg(long, env = "DRAGOMAN_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// A PostgreSQL that control planes share, as postgres://user:password@host/database; SQLite in the data directory without.
    #[arg(long, env = "DRAGOMAN_STORE", value_name = "URL", hide_env_values = true)]
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

/// Does what the command line says.
pub async fn main() -> anyhow::Result<()> {
    match Line::parse().command {
        Command::Init { file } => init(&file),
        Command::Up { common, wasm, envoy } => {
            run(Options { wasm: wasm.wasm, envoy, ..common.options() }, EnvoyBy::Us).await
        }
        Command::Serve { common, wasm } => run(Options { wasm: wasm.wasm, ..common.options() }, EnvoyBy::Others).await,
        Command::Check { common } => check(&common.options()),
        Command::Render { what, common, wasm } => render(what, &Options { wasm: wasm.wasm, ..common.options() }),
        Command::Translate(asked) => {
            let (mut input, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
            translate(&asked, &mut input, &mut out, &mut std::io::stderr().lock())
        }
        Command::Key { command } => key(command).await,
        Command::Records { common, json, limit } => records(&common.options(), json, limit).await,
    }
}

/// Prints a line; a reader that has gone away is an error, not a panic.
pub fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("the output can't be written")
}

fn init(file: &Path) -> anyhow::Result<()> {
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    let written = out.as_mut().map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    written.write_all(EXAMPLE.as_bytes())?;
    print(&format!("{} is written; everything in it is optional", file.display()))
}

fn check(options: &Options) -> anyhow::Result<()> {
    let file = options.file()?;
    let catalog = Catalog::join(&file, &environment)?;
    let (snapshot, warnings) = publish::snapshot(0, &catalog, &file)?;
    for warning in catalog.warnings.iter().chain(&warnings) {
        print(&format!("warning: {warning}"))?;
    }
    let ids: Vec<&str> = catalog.providers.iter().map(|row| row.id.as_str()).collect();
    print(&format!("good: {} routes; providers: {}", snapshot.routes.len(), ids.join(", ")))
}

fn render(what: Rendered, options: &Options) -> anyhow::Result<()> {
    let file = options.file()?;
    let start = options.start(&file);
    let rendered = match what {
        Rendered::Bootstrap => xds::bootstrap::by_ads(&start, &file.limits)?,
        Rendered::Envoy => {
            let module = Module::at(&options.module(&file))?;
            let catalog = Catalog::join(&file, &environment)?;
            xds::bootstrap::whole(&start, &options.edge(&file, module, catalog.providers))?
        }
    };
    print(&format!("{rendered:#}"))
}

async fn open(options: &Options) -> anyhow::Result<Store> {
    // Keys and Records are looked at even while the settings file is being written.
    let file = if options.data.is_some() { File::default() } else { options.file()? };
    Store::open(&options.directory(&file), options.store.as_deref()).await
}

async fn keys(options: &Options) -> anyhow::Result<Keys> {
    let store = open(options).await?;
    Ok(Keys::of(&store, Pepper::of(&store).await?))
}

async fn key(command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create { common, name, routes } => {
            anyhow::ensure!(!routes.iter().flatten().any(String::is_empty), "a route's name in --routes is empty");
            let keys = keys(&common.options()).await?;
            print(keys.create(&name, routes.as_deref()).await?.key.expose())
        }
        KeyCommand::List { common } => {
            let keys = keys(&common.options()).await?;
            keys.list().await?.iter().try_for_each(|key| print(&line(key)))
        }
        KeyCommand::Revoke { key, common } => {
            let keys = keys(&common.options()).await?;
            let count = keys.revoke(&key).await?;
            anyhow::ensure!(count > 0, "no key that is not revoked already has the id or name `{key}`");
            print(&format!("{count} revoked"))
        }
    }
}

fn line(key: &Listed) -> String {
    let state = if key.revoked_ms.is_some() { "revoked" } else { "good" };
    let routes = key.routes.as_ref().map_or("every route".to_string(), |routes| routes.join(","));
    format!("{}  {state:<7}  {routes}  {}", key.id, key.name)
}

async fn records(options: &Options, json: bool, limit: u32) -> anyhow::Result<()> {
    let store = open(options).await?;
    for Kept { document, .. } in store.records(&Wanted::default(), limit).await? {
        match (json, dragoman_core::record::Record::read(document.as_bytes())) {
            (false, Some(record)) => {
                let targets: Vec<String> = record
                    .outcomes
                    .iter()
                    .map(|outcome| format!("{} {}", outcome.target, outcome.ending.name()))
                    .collect();
                print(&format!(
                    "{}  {}  {}  {}  [{}] {}",
                    record.exchange,
                    record.status,
                    record.dialect,
                    record.route,
                    targets.join(", "),
                    record.refusal
                ))?;
            }
            _ => print(&document)?,
        }
    }
    Ok(())
}
