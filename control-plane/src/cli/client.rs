//! Asks the admin API.
//!
//! Why the token is no argument: whoever may list the processes of a machine sees those. Redirects are not followed and no
//! proxy is asked, so that it goes nowhere else.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use super::bad_input::bad;
use super::table::plain;
use crate::run::environment;

/// Where the token stands.
pub const TOKEN: &str = "DRAGOMAN_ADMIN_TOKEN";
/// Longest wait for an answer: a change is served within three seconds, ten thousand rows are checked in less.
const LONGEST: Duration = Duration::from_secs(30);
/// Longest time for an answer that is passed on as it comes: the ledger of years.
const LONGEST_STREAM: Duration = Duration::from_secs(24 * 3600);
/// Largest answer: twice the largest Snapshot, for JSON within JSON.
const MAX_ANSWER: usize = 64 << 20;
/// Rows that are asked for at once; the API's own bound.
const PAGE: usize = 1000;
/// What everything of the API stands below.
const BASE: [&str; 2] = ["api", "v1"];

/// Where the admin API is.
#[derive(Args, Clone, Debug)]
pub struct Api {
    /// The admin API; the token for it stands in the variable DRAGOMAN_ADMIN_TOKEN, never in an argument.
    #[arg(long = "api", env = "DRAGOMAN_API", value_name = "URL", default_value = "http://127.0.0.1:10002")]
    url: String,
}

impl Api {
    /// A client with the token of the environment.
    pub fn client(&self) -> anyhow::Result<Client> {
        let missing = || bad(format!("this takes an admin token in {TOKEN}; `dragoman token create` makes one"));
        self.client_if_token()?.ok_or_else(missing)
    }

    /// The same; none when there is no token.
    pub fn client_if_token(&self) -> anyhow::Result<Option<Client>> {
        let token = environment(TOKEN).filter(|token| !token.trim().is_empty());
        token.map(|token| Client::new(&self.url, token.trim())).transpose()
    }
}

/// Somebody who may ask the API.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    fn new(url: &str, token: &str) -> anyhow::Result<Client> {
        let base =
            Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.password().is_none());
        let base = base.ok_or_else(|| bad("--api: this is no URL such as http://127.0.0.1:10002"))?;
        let mut token = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| bad(format!("what stands in {TOKEN} is no token")))?;
        token.set_sensitive(true);
        let http = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]))
            .user_agent(concat!("dragoman/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(LONGEST)
            .build()?;
        Ok(Client { http, base })
    }

    /// A question about what stands at that path below the API's own.
    pub fn ask(&self, method: Method, path: &[&str]) -> anyhow::Result<Question<'_>> {
        let mut url = self.base.clone();
        // An address has no word for these; it would name something else.
        if let Some(name) = path.iter().find(|name| matches!(**name, "" | "." | "..")) {
            return Err(bad(format!("nothing has the name `{name}`")));
        }
        let mut segments = url.path_segments_mut().map_err(|()| bad("--api: this URL has no path"))?;
        segments.pop_if_empty().extend(BASE).extend(path);
        drop(segments);
        Ok(Question { client: self, method, url, headers: HeaderMap::new(), body: None })
    }

    /// What stands at that path.
    pub async fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.ask(Method::GET, path)?.answer().await
    }

    /// The items of a list, page after page, at most so many.
    pub async fn list(&self, path: &[&str], query: &[(&str, &str)], most: usize) -> anyhow::Result<Vec<Value>> {
        let mut items: Vec<Value> = Vec::new();
        let mut after: Option<String> = None;
        while items.len() < most {
            let mut question = self.ask(Method::GET, path)?;
            question = question.query("limit", &(most - items.len()).min(PAGE).to_string());
            question = query.iter().fold(question, |question, (name, value)| question.query(name, value));
            let mut page = match &after {
                Some(after) => question.query("after", after).answer().await?,
                None => question.answer().await?,
            };
            let found = page["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
            after = page["next"].as_str().filter(|_| !found.is_empty()).map(str::to_string);
            items.extend(found);
            if after.is_none() {
                break;
            }
        }
        items.truncate(most);
        Ok(items)
    }
}

/// A question that is not asked yet.
#[derive(Debug)]
pub struct Question<'c> {
    client: &'c Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Question<'_> {
    /// With a parameter of the query.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// With a header.
    pub fn header(mut self, name: HeaderName, value: &str) -> anyhow::Result<Self> {
        let value = HeaderValue::from_str(value).map_err(|_| bad(format!("`{value}` is no value of {name}")))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Only if what is there has this entity tag, which shells take the quotes of; whatever is there without one.
    pub fn only_if(self, tag: Option<&str>) -> anyhow::Result<Self> {
        match tag {
            Some(tag) if !tag.starts_with('"') && tag != "*" => self.header(IF_MATCH, &format!("\"{tag}\"")),
            Some(tag) => self.header(IF_MATCH, tag),
            None => Ok(self),
        }
    }

    /// With a body.
    pub fn body(mut self, body: &Value) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = Some(body.to_string().into_bytes());
        self
    }

    /// With a body that is a file.
    pub fn file(mut self, file: Vec<u8>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        self.body = Some(file);
        self
    }

    /// Asks; a refusal is an error.
    pub async fn answer(self) -> anyhow::Result<Value> {
        let mut response = self.send(LONGEST).await?;
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.context("the answer broke off")? {
            body.extend_from_slice(&chunk);
            anyhow::ensure!(body.len() <= MAX_ANSWER, "the answer is larger than {MAX_ANSWER} bytes");
        }
        if !status.is_success() {
            return Err(refusal(status, &body));
        }
        serde_json::from_slice(&body).context("what answers at this address is not the admin API: this is not JSON")
    }

    /// Asks, and passes on the answer as it comes, however long it is.
    pub async fn stream(self, mut write: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut response = self.send(LONGEST_STREAM).await?;
        let status = response.status();
        if !status.is_success() {
            let body = response.bytes().await.context("the answer broke off")?;
            return Err(refusal(status, &body));
        }
        while let Some(chunk) = response.chunk().await.context("the answer broke off; what was printed is not all")? {
            write(&chunk)?;
        }
        Ok(())
    }

    async fn send(self, longest: Duration) -> anyhow::Result<reqwest::Response> {
        let away = format!("the admin API at {} can't be asked", self.client.base);
        let request = self.client.http.request(self.method, self.url).headers(self.headers).timeout(longest);
        let response = request.body(self.body.unwrap_or_default()).send().await;
        response.map_err(reqwest::Error::without_url).context(away)
    }
}

/// What the API says no with: its sentence, and each flaw on a line of its own.
fn refusal(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().map(plain);
    let mut said = detail.unwrap_or_else(|| format!("what answers at this address says {status}"));
    for flaw in problem["problems"].as_array().into_iter().flatten() {
        let row = flaw["row"].as_str().map(|row| format!("{}: ", plain(row))).unwrap_or_default();
        let message = plain(flaw["message"].as_str().unwrap_or_default());
        let member = flaw["member"].as_str().map(|member| format!("`{}`", plain(member)));
        // Most messages name the member themselves.
        let member = member.filter(|member| !message.contains(member.as_str()));
        let member = member.map(|member| format!("{member}: ")).unwrap_or_default();
        said.push_str(&format!("\n  {row}{member}{message}"));
    }
    if status.is_client_error() { bad(said) } else { anyhow::anyhow!(said) }
}

#[cfg(test)]
mod tests {
    use super::super::bad_input::BadInput;
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_the_path_whatever_it_is() {
        let client = Client::new("https://h.example/below/", "t").unwrap();
        let url = |id| client.ask(Method::GET, &["prices", id]).map(|question| question.url.to_string());
        assert_eq!(url("a/m?#%").unwrap(), "https://h.example/below/api/v1/prices/a%2Fm%3F%23%25");
        assert!(["..", ".", ""].into_iter().all(|id| url(id).is_err()));
        assert!(!format!("{client:?}").contains("Bearer"), "{client:?}");
        for wrong in ["h", "ftp://h", "http://u:p@h", "mailto:h"] {
            assert!(Client::new(wrong, "t").unwrap_err().is::<BadInput>(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_says_every_flaw_and_whose_fault_it_is() {
        let body = br#"{"detail":"No.","problems":[{"row":"provider/a","member":"base_url","message":"is wrong"},{"member":"b","message":"`b` too"},{"message":"so is\u001b this"}]}"#;
        let error = refusal(StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(error.to_string(), "No.\n  provider/a: `base_url`: is wrong\n  `b` too\n  so is  this");
        assert!(error.is::<BadInput>());
        let error = refusal(StatusCode::BAD_GATEWAY, b"<html>");
        assert!(!error.is::<BadInput>() && error.to_string().contains("502"), "{error}");
    }
}
