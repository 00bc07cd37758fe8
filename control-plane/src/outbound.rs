//! The client that asks providers with secrets in its hands: no redirects (they would go where nobody sent them), no proxy from
//! the environment (Envoy uses none either) but the one that a provider's row names, and an end to every wait.

use std::time::Duration;

use anyhow::Context;
use dragoman_core::catalog::Origin;
use reqwest::{Certificate, Client, ClientBuilder, Proxy, Url, redirect};

use crate::catalog::Catalog;
use crate::current::Feed;

/// A client that trusts the usual authorities, and those in `authorities` (PEM) besides, and waits so long for an answer.
pub fn client(authorities: Option<&[u8]>, longest: Duration) -> anyhow::Result<Client> {
    build(builder(longest), authorities)
}

fn builder(longest: Duration) -> ClientBuilder {
    Client::builder()
        .connect_timeout(longest)
        .timeout(longest)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("dragoman/", env!("CARGO_PKG_VERSION")))
}

fn build(mut builder: ClientBuilder, authorities: Option<&[u8]>) -> anyhow::Result<Client> {
    if let Some(pem) = authorities {
        let list = Certificate::from_pem_bundle(pem).context("the authorities' certificates")?;
        builder = list.into_iter().fold(builder, ClientBuilder::add_root_certificate);
    }
    builder.build().context("the client that asks providers")
}

/// The same, which goes through the proxies that rows name as they are then.
pub fn client_by(rows: Feed, authorities: Option<&[u8]>, longest: Duration) -> anyhow::Result<Client> {
    let proxy =
        move |url: &Url| proxy_for(&rows.borrow().catalog, url).map(|proxy| format!("http://{}", proxy.authority()));
    build(builder(longest).proxy(Proxy::custom(proxy)), authorities)
}

/// The proxy by which the provider is reached that has this address, or whose people sign in there.
fn proxy_for(catalog: &Catalog, url: &Url) -> Option<Origin> {
    let host = url.host_str()?;
    catalog.providers.iter().find_map(|row| {
        let proxy = row.proxy.as_ref()?;
        let sign_ins = catalog.sign_ins.iter().filter(|(id, _)| **id == row.id);
        let mut addresses = sign_ins.flat_map(|(_, terms)| terms.addresses());
        let is_at = |address: &str| Url::parse(address).is_ok_and(|url| url.host_str() == Some(host));
        (row.origin.host == host || addresses.any(is_at)).then(|| proxy.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::settings::{File, Known};

    #[test]
    fn a_provider_and_where_its_people_sign_in_are_asked_by_its_proxy_and_nobody_else() {
        let text = r#"
            catalog = false
            [[provider]]
            id = "behind"
            base_url = "https://api.corp.example/v1"
            proxy = "http://proxy.corp:3128"
            own_keys = true
            sign_in = { policy = "owner_only", token_url = "https://id.corp.example/token", client_id = { env = "C" } }
            [[provider]]
            id = "beside"
            base_url = "https://api.example/v1"
        "#;
        let file = File::read("f", text, &Known::default()).unwrap();
        let catalog = Catalog::join(&file, &|_| None).unwrap();
        let by = |url: &str| proxy_for(&catalog, &Url::parse(url).unwrap()).map(|proxy| proxy.authority());
        let proxy = Some("proxy.corp:3128".to_string());
        assert_eq!(by("https://api.corp.example/v1/models"), proxy);
        assert_eq!(by("https://id.corp.example/token"), proxy);
        assert_eq!(by("https://api.example/v1/models"), None);
    }

    #[test]
    fn a_proxy_is_only_for_tls() {
        let text = "catalog = false\n[[provider]]\nid = \"p\"\nbase_url = \"http://h\"\nproxy = \"http://proxy:1\"";
        let file = File::read("f", text, &Known::default()).unwrap();
        let catalog = Catalog::join(&file, &|_| None).unwrap();
        assert!(catalog.providers.is_empty() && catalog.warnings[0].contains("https"), "{:?}", catalog.warnings);
    }
}
