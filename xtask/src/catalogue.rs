//! `cargo xtask catalogue <folder>`: the prices of everything that the shipped models are offered as, from two public lists.
//!
//! The folder holds `litellm_model_prices_and_context_window.json` and `models_dev.json`. The first is the newer one and wins;
//! where the second says otherwise, that stands beside it as a comment. What neither knows stays without a row, and is printed.
//!
//! *Limits*: tokens, pictures and requests have words; what is sold by the second, the character or the page stays unpriced.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use dragoman_core::json::{Json, Kind};

use crate::layout::Layout;

const FIRST: &str = "litellm_model_prices_and_context_window.json";
const SECOND: &str = "models_dev.json";

/// A provider here, how the first list spells its models, and what it is in the second.
const PROVIDERS: [(&str, &[&str], &str); 20] = [
    ("openai", &[""], "openai"),
    ("anthropic", &[""], "anthropic"),
    ("gemini", &["gemini/"], "google"),
    ("gemini-openai", &["gemini/"], "google"),
    ("azure", &["azure/"], "azure"),
    ("azure-deployments", &["azure/"], "azure"),
    ("vertex-gemini", &["vertex_ai/", ""], "google-vertex"),
    ("vertex-claude", &["vertex_ai/"], "google-vertex-anthropic"),
    ("bedrock", &[""], "amazon-bedrock"),
    ("bedrock-mantle", &["bedrock_mantle/"], ""),
    ("groq", &["groq/"], "groq"),
    ("together", &["together_ai/"], "togetherai"),
    ("mistral", &["mistral/"], "mistral"),
    ("cohere", &["", "cohere/"], "cohere"),
    ("openrouter", &["openrouter/"], "openrouter"),
    ("deepseek", &["deepseek/", ""], "deepseek"),
    ("xai", &["xai/"], "xai"),
    ("perplexity", &["perplexity/"], "perplexity"),
    ("cerebras", &["cerebras/"], "cerebras"),
    ("fireworks", &["fireworks_ai/"], "fireworks-ai"),
];

/// Who sells the same under the same names, so that no model lists it as an offer: (whose offers, who else).
const ALSO: [(&str, &[&str]); 2] = [("openai", &["azure", "azure-deployments"]), ("gemini", &["gemini-openai"])];

/// Our word, and the first list's for dollars per token.
const TOKENS: [(&str, &str); 8] = [
    ("input", "input_cost_per_token"),
    ("output", "output_cost_per_token"),
    ("cache_read", "cache_read_input_token_cost"),
    ("cache_write", "cache_creation_input_token_cost"),
    ("cache_write_1h", "cache_creation_input_token_cost_above_1hr"),
    ("reasoning", "output_cost_per_reasoning_token"),
    ("audio_input", "input_cost_per_audio_token"),
    ("audio_output", "output_cost_per_audio_token"),
];

/// Our word, and the second list's for dollars per million tokens.
const MILLIONS: [(&str, &str); 7] = [
    ("input", "input"),
    ("output", "output"),
    ("cache_read", "cache_read"),
    ("cache_write", "cache_write"),
    ("reasoning", "reasoning"),
    ("audio_input", "input_audio"),
    ("audio_output", "output_audio"),
];

/// Thousands of tokens above which the first list knows other prices.
const STEPS: [u64; 6] = [100, 128, 200, 256, 272, 512];

const HEAD: &str = "\
# Prices in dollars per million tokens; of pictures and requests for each. Written by `cargo xtask catalogue`, not by hand:
# what dragoman.toml says comes first.
#
# Facts from litellm (MIT, Copyright (c) 2023 Berri AI) and models.dev (MIT, Copyright (c) 2025 models.dev), as of November
# 2026; the licences stand in NOTICE beside this file. Where they differ, the first one's price holds and the other is named.

# Free, and said so: nobody sends a bill for these.
";

const FREE: [&str; 4] = ["demo/*", "local/*", "ollama/*", "vllm/*"];

/// Rates by our words, in micro-dollars.
type Rates = Vec<(&'static str, u64)>;

#[derive(Debug, Default, PartialEq, Eq)]
struct Price {
    rates: Rates,
    tiers: Vec<(u64, Rates)>,
}

/// Writes prices.toml anew, and prints what has no price.
///
/// # Errors
/// When a file cannot be read or written, or a list is no JSON.
pub(crate) fn write(layout: &Layout, folder: &Path) -> Result<()> {
    let read = |name: &str| fs::read(folder.join(name)).with_context(|| format!("cannot read {name}"));
    let (first, second) = (read(FIRST)?, read(SECOND)?);
    let parse =
        |name: &str, bytes: &'static [u8]| Json::parse(bytes).map_err(|error| anyhow::anyhow!("{name}: {error}"));
    let lists = Lists {
        first: members(parse(FIRST, first.leak())?),
        second: members(parse(SECOND, second.leak())?)
            .into_iter()
            .filter_map(|(provider, row)| Some((provider, members(row.get("models")?))))
            .collect(),
    };
    let catalog = layout.root.join("control-plane/catalog");
    let models = fs::read_to_string(catalog.join("models.toml")).context("cannot read models.toml")?;
    let mut text = HEAD.to_string();
    for target in FREE {
        let free = Price { rates: vec![("input", 0), ("output", 0)], tiers: Vec::new() };
        text += &row(target, &free, None);
    }
    let (mut priced, mut unpriced) = (0, Vec::new());
    for Offer { target, listed } in offers(&models) {
        match (lists.price(&target), listed) {
            (Some((price, other)), _) => {
                text += &row(&target, &price, other.as_ref());
                priced += 1;
            }
            (None, true) => unpriced.push(target),
            (None, false) => {}
        }
    }
    fs::write(catalog.join("prices.toml"), text).context("cannot write prices.toml")?;
    println!("{priced} prices; {} offers have none:", unpriced.len());
    unpriced.iter().for_each(|target| println!("  {target}"));
    Ok(())
}

/// A target that may have a price.
struct Offer {
    target: String,
    /// Whether a model names it as an offer.
    listed: bool,
}

/// Every offer of models.toml in its order, each with those who sell the same.
fn offers(models: &str) -> Vec<Offer> {
    let mut seen = std::collections::HashSet::new();
    let mut offers = Vec::new();
    let lines = models.lines().filter_map(|line| line.strip_prefix("offers = "));
    for target in lines.flat_map(|line| line.split('"').skip(1).step_by(2)) {
        offers.push(Offer { target: target.to_string(), listed: true });
        let Some((provider, model)) = target.split_once('/') else { continue };
        let others = ALSO.iter().filter(|(id, _)| *id == provider).flat_map(|(_, others)| *others);
        offers.extend(others.map(|id| Offer { target: format!("{id}/{model}"), listed: false }));
    }
    offers.retain(|offer| seen.insert(offer.target.clone()));
    offers
}

struct Lists {
    first: HashMap<String, Json<'static>>,
    second: HashMap<String, HashMap<String, Json<'static>>>,
}

impl Lists {
    /// The price of a target; also the second list's, where it is another.
    fn price(&self, target: &str) -> Option<(Price, Option<Price>)> {
        let (provider, model) = target.split_once('/')?;
        let (_, spellings, other) = PROVIDERS.iter().find(|(id, _, _)| *id == provider)?;
        let mut rows = spellings.iter().filter_map(|before| self.first.get(&format!("{before}{model}")));
        let first = rows.find_map(|row| by_token(*row));
        let second = self.second.get(*other).and_then(|models| by_million(*models.get(model)?));
        let main = |price: &Price| [value(&price.rates, "input"), value(&price.rates, "output")];
        match (first, second) {
            (Some(first), Some(second)) if main(&first) != main(&second) => Some((first, Some(second))),
            (Some(first), _) => Some((first, None)),
            (None, second) => second.map(|second| (second, None)),
        }
    }
}

/// The first list's price: dollars per token.
fn by_token(row: Json<'_>) -> Option<Price> {
    let mode = row.get("mode").and_then(Json::text).map(|mode| mode.decode().into_owned()).unwrap_or_default();
    let rate = |name: &str| row.get(name).and_then(|value| scaled(value, 12));
    let each = |name: &str| row.get(name).and_then(|value| scaled(value, 6)).filter(|amount| *amount > 0);
    let above = |after: &str| -> Rates {
        TOKENS.iter().filter_map(|(word, name)| Some((*word, rate(&format!("{name}{after}"))?))).collect()
    };
    let mut rates = above("");
    // Tokens of pictures and of sound are not told apart in what is reported: the dearer rate is the safe one.
    if mode == "image_generation" || value(&rates, "output").is_none() {
        let made = value(&rates, "output").max(rate("output_cost_per_image_token")).max(value(&rates, "audio_output"));
        rates.retain(|(word, _)| *word != "output");
        rates.extend(made.filter(|made| *made > 0).map(|made| ("output", made)));
    }
    let request = each("input_cost_per_query").or(each("input_cost_per_request"));
    // Who sells pictures by their tokens does not sell them twice.
    let sold = each("output_cost_per_image").or(each("input_cost_per_image").filter(|_| mode == "image_generation"));
    let image = sold.filter(|_| value(&rates, "output").is_none());
    let makes_no_tokens = matches!(mode.as_str(), "embedding" | "rerank" | "moderation");
    if value(&rates, "output").is_none() && (makes_no_tokens || image.is_some() || request.is_some()) {
        rates.push(("output", 0));
    }
    if value(&rates, "input").is_none() && (image.is_some() || request.is_some()) {
        rates.push(("input", 0));
    }
    rates.extend(image.map(|image| ("image", image)).into_iter().chain(request.map(|request| ("request", request))));
    let tiers = STEPS.iter().map(|step| (step * 1000, above(&format!("_above_{step}k_tokens"))));
    let tiers = tiers.filter(|(_, rates)| !rates.is_empty()).collect();
    finished(Price { rates, tiers }, mode == "moderation")
}

/// The second list's price: dollars per million tokens.
fn by_million(row: Json<'_>) -> Option<Price> {
    let rates = |cost: Json<'_>| -> Rates {
        MILLIONS.iter().filter_map(|(word, name)| Some((*word, scaled(cost.get(name)?, 6)?))).collect()
    };
    let cost = row.get("cost")?;
    let tier = |tier: Json<'_>| Some((tier.at(&["tier", "size"])?.u64()?, rates(tier)));
    let tiers = cost.get("tiers").into_iter().flat_map(Json::items).filter_map(tier).collect();
    finished(Price { rates: rates(cost), tiers }, false)
}

/// A price that says what it must, without what goes without saying; none where nothing is taken for anything.
fn finished(mut price: Price, may_be_free: bool) -> Option<Price> {
    let (input, output) = (value(&price.rates, "input")?, value(&price.rates, "output")?);
    if !may_be_free && price.rates.iter().all(|(_, amount)| *amount == 0) {
        return None;
    }
    let base = price.rates.clone();
    let whole = |word: &str, input: u64, output: u64| match word {
        "cache_read" | "cache_write" | "audio_input" => Some(input),
        "reasoning" | "audio_output" => Some(output),
        _ => None,
    };
    // Zero here means that somebody did not know.
    let says = |word: &str, amount: u64, whole: Option<u64>| {
        matches!(word, "input" | "output") || (amount > 0 && whole != Some(amount))
    };
    price.rates.retain(|(word, amount)| says(word, *amount, whole(word, input, output)));
    let order = |word: &str| TOKENS.iter().position(|(known, _)| *known == word).unwrap_or(TOKENS.len());
    price.rates.sort_by_key(|(word, _)| order(word));
    for (_, rates) in &mut price.tiers {
        let (input, output) = (value(rates, "input").unwrap_or(input), value(rates, "output").unwrap_or(output));
        rates.retain(|(word, amount)| {
            (*amount > 0 && value(&base, word).is_some()) || says(word, *amount, whole(word, input, output))
        });
    }
    price.tiers.sort_by_key(|(above, _)| *above);
    Some(price)
}

fn value(rates: &Rates, word: &str) -> Option<u64> {
    rates.iter().find(|(known, _)| *known == word).map(|(_, amount)| *amount)
}

/// A number as it was written, times ten to the `shift`, rounded to the nearest whole; nothing for what is no such number.
fn scaled(number: Json<'_>, shift: i32) -> Option<u64> {
    if number.kind() != Kind::Number {
        return None;
    }
    let (mantissa, exponent) = number.as_str().split_once(['e', 'E']).unwrap_or((number.as_str(), "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: u128 = format!("{whole}{part}").parse().ok()?;
    let exponent = exponent.parse::<i32>().ok()?.checked_add(shift)?.checked_sub(i32::try_from(part.len()).ok()?)?;
    let power = 10_u128.checked_pow(exponent.unsigned_abs())?;
    let scaled = match exponent >= 0 {
        true => digits.checked_mul(power)?,
        false => digits.checked_add(power / 2)? / power,
    };
    u64::try_from(scaled).ok()
}

fn members(object: Json<'static>) -> HashMap<String, Json<'static>> {
    object.members().map(|(name, value)| (name.decode().into_owned(), value)).collect()
}

/// Micro-dollars in dollars, as short as they are.
fn dollars(micro: u64) -> String {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// One `[[price]]`.
fn row(target: &str, price: &Price, other: Option<&Price>) -> String {
    let said = |(word, amount): &(&str, u64)| format!("{word} = {}", dollars(*amount));
    let mut text = "\n[[price]]\n".to_string();
    if let Some(other) = other {
        let main = other.rates.iter().filter(|(word, _)| matches!(*word, "input" | "output")).map(said);
        let _ = writeln!(text, "# models.dev says {}", main.collect::<Vec<_>>().join(", "));
    }
    let _ = writeln!(text, "target = \"{target}\"");
    price.rates.iter().for_each(|rate| text += &format!("{}\n", said(rate)));
    let tier = |(above, rates): &(u64, Rates)| {
        let rates: Vec<String> = rates.iter().map(said).collect();
        format!("{{ above = {above}, {} }}", rates.join(", "))
    };
    if !price.tiers.is_empty() {
        let tiers: Vec<String> = price.tiers.iter().map(tier).collect();
        let _ = writeln!(text, "tiers = [{}]", tiers.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &'static str) -> Json<'static> {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for (text, shift, expected) in [
            ("7.5e-08", 12, Some(75_000)),
            ("1e-06", 12, Some(1_000_000)),
            ("0.000003", 12, Some(3_000_000)),
            ("1.0000000000000002e-06", 12, Some(1_000_000)),
            ("1.25", 6, Some(1_250_000)),
            ("10", 6, Some(10_000_000)),
            ("0.0", 12, Some(0)),
            ("-1", 6, None),
            ("\"1\"", 6, None),
            ("1e400", 6, None),
        ] {
            assert_eq!(scaled(json(text), shift), expected, "{text}");
        }
    }

    #[test]
    fn a_row_says_what_it_must_and_no_more() {
        let price = by_token(json(
            r#"{"mode":"chat","input_cost_per_token":2e-06,"output_cost_per_token":1e-05,"cache_read_input_token_cost":2e-07,
            "output_cost_per_reasoning_token":1e-05,"input_cost_per_token_above_200k_tokens":4e-06}"#,
        ))
        .unwrap();
        let other = by_million(json(r#"{"cost":{"input":1.5,"output":10}}"#)).unwrap();
        assert_eq!(
            row("a/m", &price, Some(&other)),
            "\n[[price]]\n# models.dev says input = 1.5, output = 10\ntarget = \"a/m\"\ninput = 2\noutput = 10\n\
             cache_read = 0.2\ntiers = [{ above = 200000, input = 4 }]\n"
        );
    }

    #[test]
    fn what_is_sold_by_tokens_pictures_or_requests_has_a_price_and_nothing_is_free_by_silence() {
        let priced = |text| by_token(json(text)).map(|price| price.rates);
        assert_eq!(
            priced(
                r#"{"mode":"image_generation","input_cost_per_token":5e-06,"output_cost_per_image_token":3e-05,"output_cost_per_image":0.04}"#
            ),
            Some(vec![("input", 5_000_000), ("output", 30_000_000)])
        );
        assert_eq!(
            priced(r#"{"mode":"image_generation","output_cost_per_image":0.04}"#),
            Some(vec![("input", 0), ("output", 0), ("image", 40_000)])
        );
        assert_eq!(
            priced(r#"{"mode":"embedding","input_cost_per_token":1e-07}"#),
            Some(vec![("input", 100_000), ("output", 0)])
        );
        assert_eq!(priced(r#"{"mode":"chat","input_cost_per_token":0.0,"output_cost_per_token":0.0}"#), None);
        assert_eq!(priced(r#"{"mode":"audio_transcription","input_cost_per_second":0.0001}"#), None);
    }

    #[test]
    fn offers_are_those_of_the_models_and_of_who_sells_the_same() {
        let found = offers("name = \"m\"\noffers = [\"openai/m\", \"groq/x/m\"]\noffers = [\"openai/m\"]\n");
        let names: Vec<(&str, bool)> = found.iter().map(|offer| (offer.target.as_str(), offer.listed)).collect();
        assert_eq!(names, [("openai/m", true), ("azure/m", false), ("azure-deployments/m", false), ("groq/x/m", true)]);
    }
}
