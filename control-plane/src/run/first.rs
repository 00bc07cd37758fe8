//! What is made and printed at the first start of all: a caller's key and an owner's token.

use crate::settings::Secret;
use crate::store::keys::{Keys, NewKey};
use crate::store::tokens::{Role, Tokens};

/// Makes and prints a key if there was none ever.
pub(super) async fn key(keys: &Keys) -> anyhow::Result<Option<Secret>> {
    if !keys.is_empty().await? {
        return Ok(None);
    }
    let first = NewKey { name: "first".to_string(), ..NewKey::default() };
    let key = keys.create("at start", &first).await?.key;
    crate::cli::print(&format!("Your first key (shown once; make more with `dragoman key create`): {}", key.expose()))?;
    Ok(Some(key))
}

/// Makes and prints an owner's token if there was none ever.
pub(super) async fn token(tokens: &Tokens) -> anyhow::Result<()> {
    if tokens.is_empty().await? {
        let token = tokens.create("at start", "first", Role::Owner, "").await?.token;
        let words = "Your first admin token (shown once; make more with `dragoman token create`): ";
        crate::cli::print(&format!("{words}{}", token.expose()))?;
    }
    Ok(())
}
