//! A recorded request: read and written in its own dialect, and written in every other.

use dragoman_core::catalog::{DialectId, Operation};
use dragoman_core::dialect::{self, Addressee, Endpoint, Written};
use dragoman_core::hub::foreign::{FullNames, prepare};
use dragoman_core::hub::{Delivery, Request};
use dragoman_core::json::Json;
use dragoman_core::loss::Losses;
use serde_json::Value;

use super::heard::MAKER;
use super::meaning::{self, Meaning};
use super::recording::Sent;
use super::silent;

/// A request of a client.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whose words it is in.
    pub dialect: DialectId,
    /// Where it was sent.
    pub endpoint: Endpoint,
    /// The body.
    pub body: String,
    /// Whether the provider itself would not have it.
    pub refused: bool,
}

/// The model that every written request names; in the caller's own dialect the very one it asked for.
const MODEL: &str = "target-model";

impl Asked {
    /// A recorded request as a client would send it to the gateway. `None` when clients cannot: the provider's path says what the
    /// gateway's clients say in the body, or the body is no JSON.
    pub fn of(dialect: DialectId, sent: &Sent, refused: bool) -> Option<Asked> {
        let client = dialect::of(dialect).client()?;
        let known = client.endpoint(&sent.method, &sent.path).and_then(Result::ok);
        let generate = |endpoint: &Endpoint| endpoint.dialect == dialect && endpoint.operation == Operation::Generate;
        let endpoint = known.filter(generate).unwrap_or_else(|| foreign(dialect, &sent.path));
        let body: Value = serde_json::from_str(&sent.body).ok()?;
        let in_body = dialect != DialectId::GenerateContent;
        if in_body && !body["model"].is_string() {
            return None;
        }
        Some(Asked { dialect, endpoint, body: sent.body.clone(), refused })
    }

    fn read<'b>(&'b self, body: &'b str) -> Result<Request<'b>, String> {
        let json = Json::parse(body.as_bytes()).map_err(|error| error.to_string())?;
        let request = dialect::client(self.dialect).read_request(&self.endpoint, json);
        request.map_err(|error| format!("`{}` {}", error.param, error.problem))
    }

    /// What is wrong with the request read and written in its own dialect.
    pub fn identity(&self) -> Vec<String> {
        let request = match self.read(&self.body) {
            Ok(request) => request,
            Err(_) if self.refused => return Vec::new(),
            Err(error) => return vec![format!("not read: {error}")],
        };
        let asked: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let model = asked["model"].as_str().unwrap_or(MODEL);
        let written = dialect::of(self.dialect).write_request(&request, Addressee::model(model));
        let mut found = Vec::new();
        match (serde_json::from_str::<Value>(&written.body), serde_json::from_str::<Value>(&self.body)) {
            (Ok(is), Ok(was)) => found.extend(first_difference("", &was, &is)),
            _ => found.push("not JSON".to_owned()),
        }
        let lost = &written.losses;
        if !lost.dropped.is_empty() || !lost.approximated.is_empty() {
            found.push(format!("lost in its own dialect: {lost:?}"));
        }
        found
    }

    /// What is wrong with the request written for a provider of another dialect: what it does not say, and what is lost silently.
    /// `None` when no other dialect is asked.
    pub fn said_in(&self, to: DialectId) -> Option<(Vec<String>, Vec<String>)> {
        let request = self.read(&self.body).ok()?;
        if request.tied.is_some() {
            return None;
        }
        let meaning = Meaning::of(&request);
        let names = FullNames::of(&request);
        let written = write(request, &names, to);
        let mut found = meaning::unsaid(&meaning, &written);
        found.extend(self.read_back(&meaning, &written, to));
        // What the provider itself would not have may mean anything.
        let silent = if self.refused { Vec::new() } else { silent::members(self, to) };
        Some((found, silent))
    }

    /// The body of the request as a provider of the dialect `to` gets it.
    pub fn written(&self, to: DialectId) -> Option<String> {
        let request = self.read(&self.body).ok()?;
        if request.tied.is_some() {
            return None;
        }
        let names = FullNames::of(&request);
        Some(write(request, &names, to).body)
    }

    /// What another form of the body becomes for a provider, with what is listed as lost; `None` when it is not a request.
    pub fn variant(&self, body: &str, to: DialectId) -> Option<(String, Losses)> {
        let request = self.read(body).ok()?;
        let names = FullNames::of(&request);
        let written = write(request, &names, to);
        Some((written.body, written.losses))
    }

    /// What the other dialect's own reader understands otherwise, where clients speak it.
    fn read_back(&self, meaning: &Meaning, written: &Written, to: DialectId) -> Vec<String> {
        let Some(client) = dialect::of(to).client() else { return Vec::new() };
        let endpoint =
            Endpoint { model: Some(MODEL.into()), delivery: self.endpoint.delivery, ..Endpoint::generate(to) };
        let Ok(json) = Json::parse(written.body.as_bytes()) else { return vec!["not JSON".to_owned()] };
        match client.read_request(&endpoint, json) {
            Ok(request) => meaning::differences(meaning, &Meaning::of(&request), written),
            Err(error) => vec![format!("not read back: `{}` {}", error.param, error.problem)],
        }
    }
}

fn write<'n>(request: Request<'n>, names: &'n FullNames, to: DialectId) -> Written {
    let mut losses = Losses::default();
    let request = prepare(request, names, to, MAKER, &mut losses);
    let mut written = dialect::of(to).write_request(&request, Addressee::model(MODEL));
    losses.approximated.iter().for_each(|path| written.approximate(path));
    losses.dropped.iter().for_each(|path| written.drop(path));
    written
}

/// The endpoint of a path that is a provider's own (`/openai/deployments/…`, `/v1/projects/…`).
fn foreign(dialect: DialectId, path: &str) -> Endpoint {
    let mut endpoint = Endpoint::generate(dialect);
    if dialect == DialectId::GenerateContent {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let last = path.rsplit('/').next().unwrap_or_default();
        let (model, method) = last.split_once(':').unwrap_or((last, ""));
        endpoint.model = Some(model.to_owned());
        endpoint.delivery = Some(match (method, query.contains("alt=sse")) {
            ("streamGenerateContent", true) => Delivery::Streamed,
            ("streamGenerateContent", false) => Delivery::StreamedArray,
            _ => Delivery::Whole,
        });
    }
    endpoint
}

/// The first place where two documents differ.
pub(super) fn first_difference(place: &str, was: &Value, is: &Value) -> Option<String> {
    match (was, is) {
        (Value::Object(one), Value::Object(two)) => {
            let missing = one.keys().find(|name| !two.contains_key(*name));
            let added = two.keys().find(|name| !one.contains_key(*name));
            if let Some(name) = missing {
                return Some(format!("{place}.{name} is missing"));
            }
            if let Some(name) = added {
                return Some(format!("{place}.{name} was added"));
            }
            one.iter().find_map(|(name, value)| first_difference(&format!("{place}.{name}"), value, two.get(name)?))
        }
        (Value::Array(one), Value::Array(two)) => {
            if one.len() != two.len() {
                return Some(format!("{place}: {} items for {}", two.len(), one.len()));
            }
            one.iter().zip(two).find_map(|(one, two)| first_difference(&format!("{place}[]"), one, two))
        }
        _ => {
            (was != is).then(|| format!("{place}: {} for {}", super::expected::short(is), super::expected::short(was)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_is_told_with_its_place() {
        let was = json!({"a": [{"b": 1}], "c": null});
        assert_eq!(first_difference("", &was, &was), None);
        let is = json!({"a": [{"b": 2}], "c": null});
        assert_eq!(first_difference("", &was, &is).as_deref(), Some(".a[].b: Number(2) for Number(1)"));
        assert_eq!(first_difference("", &was, &json!({"a": []})).as_deref(), Some(".c is missing"));
    }

    #[test]
    fn a_providers_own_path_names_model_and_delivery() {
        let endpoint = foreign(DialectId::GenerateContent, "/v1/projects/p/models/m-1:streamGenerateContent?alt=sse");
        assert_eq!((endpoint.model.as_deref(), endpoint.delivery), (Some("m-1"), Some(Delivery::Streamed)));
    }
}
