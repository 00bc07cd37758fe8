//! `dragoman tuning`: what tells how hard requests are.

mod artifacts;

use clap::Subcommand;

/// What is done with it.
#[derive(Debug, Subcommand)]
pub enum TuningCommand {
    /// The artifacts that the control plane keeps, and the one in use.
    #[command(subcommand)]
    Artifacts(artifacts::ArtifactsCommand),
}

impl TuningCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            TuningCommand::Artifacts(command) => command.run().await,
        }
    }
}
