//! `cargo xtask <command>`: sets up what a machine lacks, builds, runs and tests Dragoman.
//!
//! ```text
//! cargo xtask up              # the gateway on 127.0.0.1:10000, nothing else to install
//! cargo xtask test            # everything that CI runs
//! cargo xtask test streaming  # only the tests with that in their name
//! ```
//!
//! *Why a program and not a script*: it needs nothing but the Rust that is there already, and it is
//! checked by the same compiler and lints as the rest.
//!
//! *Limits*: Debian 12 is the machine it knows how to fill up (as root, by apt-get). Elsewhere it uses
//! what it finds and says what is missing. Whatever it installs outside of Debian packages lies under
//! `target/`, so removing that folder undoes it.

mod browser;
mod catalogue;
mod checks;
mod debian;
mod envoy;
mod fuzz;
mod layout;
mod postgres;
mod process;
mod python;
mod serve;
mod wasm;

use std::process::ExitCode;

use anyhow::{Result, bail};
use layout::Layout;

const USAGE: &str = "\
cargo xtask <command>

  up [args]                  build everything, fetch Envoy, and serve on 127.0.0.1:10000; args go to `dragoman up`
  test [args]                install what the tests need; formatting, lints and all tests.
                             With args only `cargo test` runs, and they go to it: a name, `--test x`, `-- --nocapture`
  bench [args]               measure against bare Envoy
  chaos [scenario] [args]    kill, change, overfill and confuse the gateway under load: control-plane-kills, reloads,
                             big-snapshot, mutations, records, last-cent, aborted-streams, envoy-kills,
                             sign-in-kills, refresh-storm, fallback, hints, slow-target,
                             flapping, overload, weights, hedge, long-streams, stray-bytes,
                             or all;
                             `--count N` does less of it, `--seed N` other of it, `--minutes N`
                             has streams open for so long
  fuzz [target [seconds]]    fuzz one target, or each in turn, for that many seconds (30)
  catalogue <folder>         write control-plane/catalog/prices.toml anew from the two price lists in that folder
  wasm                       build the filters, print the path of the module
  envoy                      fetch Envoy, print its path

  ENVOY=<path>               use this Envoy instead of fetching one
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", args),
    };
    let layout = Layout::find()?;
    match (command, rest) {
        ("up", _) => serve::up(&layout, rest),
        ("test", _) => checks::test(&layout, rest),
        ("bench", _) => serve::bench(&layout, rest),
        ("chaos", _) => serve::chaos(&layout, rest),
        ("fuzz", [] | [_] | [_, _]) => fuzz::fuzz(&layout, rest),
        ("catalogue", [folder]) => catalogue::write(&layout, std::path::Path::new(folder)),
        ("wasm", []) => print_path(&wasm::build(&layout)?),
        ("envoy", []) => print_path(&envoy::install(&layout)?),
        ("help" | "--help" | "-h", _) => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("`{}` is not a command\n\n{USAGE}", args.join(" ")),
    }
}

fn print_path(path: &std::path::Path) -> Result<()> {
    println!("{}", path.display());
    Ok(())
}
