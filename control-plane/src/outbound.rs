//! The client that asks providers with secrets in its hands: no redirects (they would go where nobody sent them), no proxy from
//! the environment (Envoy uses none either), and an end to every wait.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Certificate, Client, ClientBuilder, redirect};

/// A client that trusts the usual authorities, and those in `authorities` (PEM) besides, and waits so long for an answer.
pub fn client(authorities: Option<&[u8]>, longest: Duration) -> anyhow::Result<Client> {
    let mut builder = Client::builder()
        .connect_timeout(longest)
        .timeout(longest)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("dragoman/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = authorities {
        let list = Certificate::from_pem_bundle(pem).context("the authorities' certificates")?;
        builder = list.into_iter().fold(builder, ClientBuilder::add_root_certificate);
    }
    builder.build().context("the client that asks providers")
}
