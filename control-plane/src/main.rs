//! The program `dragoman`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    dragoman::logs::init(&|name| std::env::var(name).ok());
    match dragoman::cli::main().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dragoman: {error:#}");
            dragoman::cli::exit(&error)
        }
    }
}
