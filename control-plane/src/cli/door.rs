//! Two doors to the same things: the admin API with a token, the data directory without.
//!
//! The second one works while nothing runs, and is the way to the first token.

use clap::Args;

use super::client::{Api, Client};
use super::{Common, note};
use crate::run::Options;
use crate::settings::File;
use crate::store::Store;

/// Who did it, in the audit log, where there is no token to name.
pub(super) const ACTOR: &str = "the command line";

/// What the command line says of both.
#[derive(Args, Debug)]
pub struct Place {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    api: Api,
}

/// The one that is taken.
pub enum Door {
    /// A token is there.
    Api(Client),
    /// None is.
    Store(Store),
}

impl Place {
    /// Opens it.
    pub async fn door(self) -> anyhow::Result<Door> {
        match self.api.client_if_token()? {
            Some(client) => Ok(Door::Api(client)),
            None => Ok(Door::Store(open(&self.common.options()).await?)),
        }
    }
}

/// The store, whoever has a token.
pub(super) async fn open(options: &Options) -> anyhow::Result<Store> {
    // Keys and Records are looked at even while the settings file is being written.
    let file = if options.data.is_some() { File::default() } else { options.file()? };
    let directory = options.directory(&file);
    if options.store.is_none() && !directory.exists() {
        note(&format!("{} is a new data directory; `--data` names another one", directory.display()));
    }
    Store::open(&directory, options.store.as_deref()).await
}
