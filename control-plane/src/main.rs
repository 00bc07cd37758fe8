//! The program `dragoman`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    dragoman::logs::init(&|name| std::env::var(name).ok());
    match dragoman::cli::main().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dragoman: {error:#}");
            // What was given is wrong, as with arguments; everything else may go well another time.
            if error.is::<dragoman::translate::BadInput>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
