//! Commands that need nobody: `init`, `check`, `render`, `import`, `completions`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Subcommand};

use super::bad_input::bad;
use super::{Line, input, note, print};
use crate::catalog::Catalog;
use crate::import::{MAX_TEXT, litellm};
use crate::publish;
use crate::run::{Options, environment};
use crate::settings::EXAMPLE;
use crate::xds::{self, Module};

/// What `render` prints.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Rendered {
    /// Everything in one static file.
    Envoy,
    /// What an Envoy that is configured by this control plane starts with.
    Bootstrap,
}

/// Whose configuration is imported.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// LiteLLM's config.yaml: a settings file on the output, on the error output what could not be carried over.
    Litellm {
        /// The file; `-` is the input.
        file: PathBuf,
    },
}

/// Writes the commented example.
pub fn init(file: &Path) -> anyhow::Result<()> {
    let name = file.display();
    let mut out =
        std::fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => bad(format!("{name} is there already; nothing was written")),
            _ => anyhow::anyhow!("{name}: {error}"),
        })?;
    out.write_all(EXAMPLE.as_bytes())?;
    print(&format!("{} is written; everything in it is optional", file.display()))
}

/// Says what is wrong with the settings file.
pub fn check(options: &Options) -> anyhow::Result<()> {
    let file = options.file().map_err(|mistakes| bad(format!("{mistakes:#}")))?;
    let catalog = Catalog::join(&file, &environment)?;
    let (snapshot, warnings) = publish::snapshot(0, &catalog, &file)?;
    for warning in catalog.warnings.iter().chain(&warnings) {
        print(&format!("warning: {warning}"))?;
    }
    let ids: Vec<&str> = catalog.providers.iter().map(|row| row.id.as_str()).collect();
    print(&format!("good: {} routes; providers: {}", snapshot.routes.len(), ids.join(", ")))
}

/// Prints configuration for an Envoy.
pub fn render(what: Rendered, options: &Options) -> anyhow::Result<()> {
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

impl Import {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        let Import::Litellm { file } = self;
        let yaml = input::read(&file, MAX_TEXT as u64)?;
        let imported = litellm(&yaml).map_err(|why| bad(format!("{}: {why}", file.display())))?;
        imported.notes.iter().for_each(|said| note(said));
        print(imported.toml.trim_end())
    }
}

/// Prints what a shell needs to complete our words.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Line::command(), "dragoman", &mut script);
    print(String::from_utf8(script)?.trim_end())
}
