//! The proxy by which a provider is reached.

use dragoman_core::catalog::Origin;

use super::address::origin;
use super::members::{Members, Reading};

/// Reads `proxy = "http://proxy.corp:3128"`.
pub(super) fn proxy(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Origin> {
    let text = row.string(reading, "proxy")?;
    // Its words are CONNECT and a name; whoever listens to them learns no more than from the connection itself.
    let found = origin(&text.value).ok().filter(|found| !found.tls && found.base.is_empty());
    if found.is_none() {
        reading.mistake(text.at, "`proxy` is a host and a port such as \"http://proxy.corp:3128\", without a password");
    }
    found
}
