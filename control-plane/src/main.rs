//! The program `dragoman`.

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing::Level;

/// The variable that says how much is logged.
const LOG: &str = "DRAGOMAN_LOG";

#[tokio::main]
async fn main() -> ExitCode {
    let level = std::env::var(LOG).ok().and_then(|level| level.parse().ok()).unwrap_or(Level::INFO);
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match dragoman::cli::main().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dragoman: {error:#}");
            // What was given is wrong, as with arguments; everything else may go well another time.
            if error.is::<dragoman::translate::BadInput>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
