//! A thousand damaged settings files: each is refused with a place and a reason, or means something that the filters can read.

#[path = "../../../tests/src/chaos/mutate.rs"]
mod mutate;

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use dragoman_core::snapshot::Snapshot;
use mutate::{Dice, mutated};

use super::*;
use crate::catalog::{self, Catalog};
use crate::publish;

/// How many files.
const FILES: u64 = 1000;

/// None of them is larger than a page; a second is a hang.
const SLOW: Duration = Duration::from_secs(1);

/// Something of everything.
const GOOD: &str = r#"catalog = false
demo = false
loss = "warn"

[listen]
data = "127.0.0.1:10000"
control = "127.0.0.1:10001"
admin = "off"

[limits]
max_body_bytes = 33554432
first_event_timeout = "60s"
max_connections = 10000

[envoy]
concurrency = 2

[[provider]]
id = "only"
base_url = "https://llm.corp.example"
services = [{ dialect = "chat_completions", prefix = "/v1" }, { dialect = "messages", prefix = "/v1", operations = ["count_tokens"] }]
api_key = { env = "CORP_KEY" }
auth = "authorization: Bearer {key}"
headers = { x-team = "search" }
rename = { max_completion_tokens = "max_tokens" }
omit = ["store"]
set = { safe_prompt = true }
service_account = { token_url = "https://id.corp.example/t", client_id = { env = "CORP_CLIENT_ID" }, client_secret = { env = "CORP_CLIENT_SECRET" }, scopes = ["models"] }
families = ["corp-"]
models = ["our-model"]

[[provider]]
id = "cloud"
enabled = true
base_url = "https://{host}"
variables = { project = { env = "CLOUD_PROJECT", default = "p" }, region = { env = "CLOUD_REGION", default = "global" }, host = { by = "region", cases = { global = "cloud.example", "*" = "{region}.cloud.example" } } }
services = [{ dialect = "messages", path = "/v1/{project}/{model}:rawPredict", stream_path = "/v1/{project}/{model}:streamRawPredict" }]
signing = { aws = { service = "signed", region = "eu-central-1" } }
sign_in = { policy = "owner_only", authorize_url = "https://id.corp.example/a", token_url = "https://id.corp.example/t", client_id = { env = "CORP_CLIENT_ID" }, redirect_uri = "https://gate.corp.example/sign-in/callback/cloud", scopes = ["models"], parameters = { prompt = "consent" }, style = "json" }

[[model]]
name = "our-model"
context_window = 131072
output_limit = 16384
abilities = ["tools", "images"]
thinking = "words"
offers = ["only/our-model", "cloud/our-model-turbo"]

[[route]]
name = "auto"
candidates = ["only/our-model", "our-model"]
loss = "strict"

[aliases]
fast = "our-model"
"#;

/// As `dragoman check` and the running gateway take it; what it means is what the filters read.
fn take(text: &str, known: &Known) -> anyhow::Result<Snapshot> {
    let file = File::read("mutated.toml", text, known)?;
    let environment = |name: &str| (name == "CORP_KEY").then(|| "a-key".to_string());
    let (snapshot, _) = publish::snapshot(1, &Catalog::join(&file, &environment)?, &file)?;
    Ok(snapshot)
}

/// What is wrong with how the text was taken.
fn complaint(text: &str, known: &Known) -> Result<bool, String> {
    let began = Instant::now();
    let taken = catch_unwind(|| take(text, known)).map_err(|_| "a panic".to_string())?;
    if began.elapsed() > SLOW {
        return Err(format!("it took {:?}", began.elapsed()));
    }
    let error = match taken {
        Ok(snapshot) => {
            let read = Snapshot::read(&snapshot.write());
            return read.map(|_| true).map_err(|why| format!("taken, but the filters refuse it: {why:?}"));
        }
        Err(error) => error,
    };
    let Some(mistakes) = error.downcast_ref::<Mistakes>() else {
        return Err(format!("refused without a place: {error:#}"));
    };
    // An end that comes too early is behind the last line.
    let lines = text.lines().count() + 1;
    let placed = |mistake: &Mistake| (1..=lines).contains(&mistake.line) && mistake.column > 0;
    match mistakes.list.iter().find(|mistake| !placed(mistake) || mistake.message.trim().is_empty()) {
        Some(mistake) => Err(format!("no place or no reason: `{mistake}`")),
        None if mistakes.list.is_empty() => Err("refused without a mistake".to_string()),
        None => Ok(false),
    }
}

#[test]
fn every_damaged_file_is_refused_with_place_and_reason_or_can_be_served() {
    let known = catalog::known().unwrap();
    assert_eq!(complaint(GOOD, &known), Ok(true), "{:?}", take(GOOD, &known).err());
    let (mut taken, mut wrong) = (0, Vec::new());
    for seed in 0..FILES {
        let text = mutated(GOOD, &mut Dice::new(seed));
        match complaint(&text, &known) {
            Ok(good) => taken += u64::from(good),
            Err(why) => wrong.push(format!("seed {seed}: {why}\n{text}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {FILES}, the first: {}", wrong.len(), wrong[0]);
    assert!((FILES / 20..FILES * 19 / 20).contains(&taken), "{taken} of {FILES} taken: that tries one side only");
}
