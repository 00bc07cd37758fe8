//! Where an account is told of its budgets.

use reqwest::Url;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest address.
const MAX_URL: usize = 2048;

/// Where somebody is told that a share of a budget is spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// An http or https URL on the Internet, or in a network of `allow_networks`.
    pub url: String,
}

impl Webhook {
    /// What is wrong with the address as it is written.
    pub fn mistake(&self) -> Option<String> {
        let wrong =
            || "`webhook`: `url` is an http or https URL with a host, without a user and without `#`".to_string();
        let url = Url::parse(&self.url).ok().filter(|_| self.url.len() <= MAX_URL);
        let Some(url) = url else { return Some(wrong()) };
        let good = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        (!good).then(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_plain_url() {
        let mistake = |url: &str| Webhook { url: url.into() }.mistake();
        for good in ["https://hooks.example/dragoman?team=1", "http://10.0.0.1:8080/x"] {
            assert_eq!(mistake(good), None);
        }
        for wrong in ["", "hooks.example", "ftp://h/", "https://u@h/", "https://u:p@h/", "https://h/#x", "file:///etc"]
        {
            assert!(mistake(wrong).is_some(), "{wrong}");
        }
        assert!(mistake(&format!("https://h/{}", "x".repeat(MAX_URL))).is_some());
    }
}
