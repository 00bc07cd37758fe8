//! A provider's list of models, in whichever form it is written.
//!
//! One reader for all forms: it looks for a list, in it for names, and beside the names for what is said of limits and
//! abilities. It knows members, not providers; a new provider whose list uses known members needs no code.

use std::collections::HashSet;

use dragoman_core::catalog::Abilities;
use dragoman_core::select::MAX_MODEL_NAME;
use serde_json::{Map, Value};

/// Largest answer read, one page: the longest known list is below a megabyte, the other end is a stranger.
pub const MAX_BODY: usize = 8 << 20;

/// Most models of one provider: aggregators have some hundreds, and each becomes a row.
pub const MAX_MODELS: usize = 10_000;

/// Longest mark of a next page: it becomes part of an address.
const MAX_MARK: usize = 2048;

/// Largest number of tokens believed, as in the settings.
const MAX_TOKENS: u64 = u32::MAX as u64;

/// What a provider said of its models.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Listing {
    /// Its models, in its order, each name once.
    pub models: Vec<Found>,
    /// Where the list goes on.
    pub next: Option<Page>,
    /// Entries without a name that can be passed on.
    pub skipped: usize,
    /// Entries of which the provider itself says that they can't be asked now, or for nothing that the gateway passes on.
    pub idle: usize,
    /// Whether this is everything.
    pub extent: Extent,
}

/// How much of a list was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Extent {
    /// All of it: what is not in it is not there.
    #[default]
    Whole,
    /// A limit was reached: what is not in it may be there nevertheless.
    Cut,
}

/// One model, as its provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name there.
    pub name: String,
    /// Tokens in and out together.
    pub context_window: Option<u64>,
    /// Tokens out.
    pub output_limit: Option<u64>,
    /// What it can do; `None` when the provider says nothing of it. An ability that it does not speak of counts as had.
    pub abilities: Option<Abilities>,
}

/// What to add to the address for the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The query's parameter.
    pub parameter: &'static str,
    /// Its value, as the provider gave it.
    pub value: String,
}

/// Reads one page; an error says why it is no list of models, and repeats nothing of it.
pub fn read(body: &[u8]) -> Result<Listing, &'static str> {
    if body.len() > MAX_BODY {
        return Err("the list is larger than 8 MiB");
    }
    let document: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON")?;
    let list = match &document {
        Value::Array(list) => list,
        Value::Object(members) => {
            let list = ["data", "models"].into_iter().find_map(|name| members.get(name)?.as_array());
            list.ok_or("the answer holds no list of models")?
        }
        _ => return Err("the answer holds no list of models"),
    };
    let (next, extent) = document.as_object().map(next).unwrap_or_default();
    let mut listing = Listing { next, extent, ..Listing::default() };
    let mut seen = HashSet::new();
    for entry in list {
        match found(entry) {
            Entry::Usable(model) if !seen.insert(model.name.clone()) => {}
            Entry::Usable(_) if listing.models.len() == MAX_MODELS => listing.extent = Extent::Cut,
            Entry::Usable(model) => listing.models.push(model),
            Entry::Idle => listing.idle += 1,
            Entry::Nameless => listing.skipped += 1,
        }
    }
    if listing.models.is_empty() && listing.skipped > 0 {
        return Err("none of the list's entries has a name that can be passed on");
    }
    Ok(listing)
}

/// The forms in which a list goes on.
fn next(members: &Map<String, Value>) -> (Option<Page>, Extent) {
    let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|mark| !mark.is_empty());
    let more = members.get("has_more").and_then(Value::as_bool).unwrap_or(false);
    let (parameter, mark) = match (text("nextPageToken"), text("next_page_token"), text("last_id")) {
        (Some(mark), _, _) => ("pageToken", mark),
        (_, Some(mark), _) => ("page_token", mark),
        (_, _, Some(mark)) if more => ("after_id", mark),
        _ => return (None, Extent::Whole),
    };
    match mark.len() <= MAX_MARK && mark.chars().all(|c| c.is_ascii_graphic()) {
        true => (Some(Page { parameter, value: mark.to_string() }), Extent::Whole),
        false => (None, Extent::Cut),
    }
}

enum Entry {
    Usable(Found),
    Idle,
    Nameless,
}

fn found(entry: &Value) -> Entry {
    let nobody = Map::new();
    let (members, name) = match entry {
        Value::String(name) => (&nobody, Some(name.as_str())),
        Value::Object(members) => {
            (members, ["id", "name", "model"].into_iter().find_map(|name| members.get(name)?.as_str()))
        }
        _ => return Entry::Nameless,
    };
    // Where names are paths of resources, requests take the part behind the collection.
    let name = name.map(|name| name.strip_prefix("models/").unwrap_or(name)).filter(|name| is_safe(name));
    let Some(name) = name else { return Entry::Nameless };
    if is_idle(members) {
        return Entry::Idle;
    }
    Entry::Usable(Found {
        name: name.to_string(),
        context_window: context_window(members),
        output_limit: output_limit(members),
        abilities: Evidence::of(members).judged(),
    })
}

/// The rule of `core::select` for names that nobody listed: a name can end up in a path and in headers.
pub(crate) fn is_safe(model: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte);
    !model.is_empty()
        && model.len() <= MAX_MODEL_NAME
        && model.bytes().all(plain)
        && !model.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

/// Whether the provider itself says that this can't be asked.
fn is_idle(members: &Map<String, Value>) -> bool {
    let says = |name: &str, what: bool| members.get(name).and_then(Value::as_bool) == Some(what);
    // What a model is for, where that is said; a list without a word that the gateway passes on is for something else.
    let foreign = |name: &str, passed: &[&str]| {
        let uses = members.get(name).and_then(Value::as_array);
        uses.is_some_and(|uses| !uses.iter().filter_map(Value::as_str).any(|word| passed.contains(&word)))
    };
    says("active", false)
        || says("archived", true)
        || foreign("supportedGenerationMethods", &["generateContent", "embedContent", "predict"])
        || foreign("endpoints", &["chat", "embed", "rerank"])
}

fn tokens(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    // Some write 131072.0.
    let whole = |number: f64| (number.fract() == 0.0 && number >= 0.0).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole)).filter(|n| (1..=MAX_TOKENS).contains(n))
}

fn context_window(members: &Map<String, Value>) -> Option<u64> {
    let names = [
        "context_window",
        "context_length",
        "max_context_length",
        "max_model_len",
        "inputTokenLimit",
        "max_input_tokens",
    ];
    let top = members.get("top_provider");
    names
        .into_iter()
        .find_map(|name| tokens(members.get(name)))
        .or_else(|| tokens(top.and_then(|top| top.get("context_length"))))
}

fn output_limit(members: &Map<String, Value>) -> Option<u64> {
    let named = ["max_completion_tokens", "max_output_tokens", "outputTokenLimit"];
    let top = members.get("top_provider");
    // `max_tokens` alone may be anything; beside the limit of what goes in it is the limit of what comes out.
    let beside = members.contains_key("max_input_tokens").then(|| members.get("max_tokens")).flatten();
    named
        .into_iter()
        .find_map(|name| tokens(members.get(name)))
        .or_else(|| tokens(top.and_then(|top| top.get("max_completion_tokens"))))
        .or_else(|| tokens(beside))
}

/// What is said for and against abilities; of most models only a part is said.
struct Evidence {
    has: Abilities,
    lacks: Abilities,
}

const ASKING: Abilities = Abilities::TOOLS.and(Abilities::JSON_SCHEMA).and(Abilities::THINKING);
const SENSES: Abilities = Abilities::IMAGES.and(Abilities::AUDIO).and(Abilities::VIDEO).and(Abilities::DOCUMENTS);

impl Evidence {
    fn of(members: &Map<String, Value>) -> Evidence {
        let mut evidence = Evidence { has: Abilities::NONE, lacks: Abilities::NONE };
        // A list speaks of the abilities of its kind: one that is not in it is lacking.
        evidence.list(members.get("supported_parameters"), ASKING);
        evidence.list(members.get("features"), Abilities::TOOLS.and(Abilities::JSON_SCHEMA));
        let of_capabilities = Abilities::TOOLS.and(Abilities::IMAGES).and(Abilities::THINKING);
        evidence.list(members.get("capabilities"), of_capabilities);
        let architecture = members.get("architecture");
        evidence.list(architecture.and_then(|known| known.get("input_modalities")), SENSES);
        evidence.list(members.get("input_modalities"), SENSES);
        // A table of flags speaks of what it names.
        for (name, value) in members.get("capabilities").and_then(Value::as_object).into_iter().flatten() {
            evidence.flag(name, value.get("supported").unwrap_or(value));
        }
        evidence.flag("thinking", members.get("thinking").unwrap_or(&Value::Null));
        for (name, value) in members {
            if let Some(name) = name.strip_prefix("supports_") {
                evidence.flag(name, value);
            }
        }
        evidence
    }

    fn list(&mut self, list: Option<&Value>, scope: Abilities) {
        let Some(list) = list.and_then(Value::as_array) else { return };
        let named = list.iter().filter_map(Value::as_str).map(ability).fold(Abilities::NONE, Abilities::and);
        self.has = self.has.and(named);
        self.lacks = self.lacks.and(scope.without(named));
    }

    fn flag(&mut self, name: &str, value: &Value) {
        match value.as_bool() {
            Some(true) => self.has = self.has.and(ability(name)),
            Some(false) => self.lacks = self.lacks.and(ability(name)),
            None => {}
        }
    }

    /// Everything but what is lacking; nothing when nothing was said. Where two places disagree, the ability is there: a
    /// request that fails is told of by the provider, one that is never sent is not.
    fn judged(&self) -> Option<Abilities> {
        let silent = self.has.is_empty() && self.lacks.is_empty();
        (!silent).then(|| Abilities::ALL.without(self.lacks.without(self.has)))
    }
}

/// The words for an ability in the known lists.
fn ability(word: &str) -> Abilities {
    match word {
        "tools" | "tool_use" | "function_calling" => Abilities::TOOLS,
        "structured_outputs" | "structured_output" | "json_schema" => Abilities::JSON_SCHEMA,
        "image" | "images" | "image_input" | "image_in" | "vision" => Abilities::IMAGES,
        "audio" | "audio_input" => Abilities::AUDIO,
        "video" | "video_input" | "video_in" => Abilities::VIDEO,
        "file" | "pdf" | "pdf_input" | "documents" => Abilities::DOCUMENTS,
        "reasoning" | "thinking" => Abilities::THINKING,
        _ => Abilities::NONE,
    }
}

#[cfg(test)]
mod tests;
