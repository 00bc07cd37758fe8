//! How much a request is thought about where it does not say so, in the words of whoever is asked.
//!
//! | dialect | a model that is told in words | in tokens |
//! |---|---|---|
//! | `chat_completions` | `reasoning_effort` | the same |
//! | `responses` | `reasoning.effort` | the same |
//! | `messages` | `thinking: adaptive`, `output_config.effort` | `thinking.budget_tokens` |
//! | `generate_content` | `generationConfig.thinkingConfig.thinkingLevel` | `….thinkingBudget` |
//! | `chat_v2` | `thinking: enabled` | `thinking.token_budget` |
//! | `converse` | `additionalModelRequestFields.thinking: adaptive`, `outputConfig.effort` | `….thinking.budget_tokens` |
//!
//! A budget leaves at least half of the answer's limit for the answer. A model of which nobody knows how it is told is told nothing.

use crate::catalog::{Abilities, DialectId, Target, ThinkingStyle};
use crate::json::path::{Absent, Path, alter};
use crate::json::{Json, write::quoted};
use crate::snapshot::Thought;

/// The smallest budget that models of every maker take.
const MIN_BUDGET: u64 = 1_024;

/// What is said to a target of how much to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'t> {
    Word(&'t str),
    Tokens(u64),
}

/// What is to be said; `None` where nothing is, or can be.
pub(super) fn said<'t>(
    thought: &'t Thought,
    target: &Target,
    dialect: DialectId,
    input: u64,
    limit: Option<u64>,
) -> Option<Said<'t>> {
    if !target.abilities.cover(Abilities::THINKING) {
        return None;
    }
    let word = Some(thought.word.as_str()).filter(|word| !word.is_empty());
    let takes_words = matches!(dialect, DialectId::ChatCompletions | DialectId::Responses);
    match target.thinking {
        ThinkingStyle::Words => word.map(Said::Word),
        ThinkingStyle::Tokens if takes_words => word.map(Said::Word),
        ThinkingStyle::Tokens => {
            let limit = limit.or(Some(target.output_limit).filter(|limit| *limit > 0));
            let tokens = limit.map_or(u64::MAX, |limit| limit / 2).min(thought.tokens(input));
            (tokens >= MIN_BUDGET).then_some(Said::Tokens(tokens))
        }
        ThinkingStyle::Unknown | ThinkingStyle::Never => None,
    }
}

/// The body of a dialect with it; `None` where it is there already.
pub(super) fn written(body: Json<'_>, said: Said<'_>, dialect: DialectId) -> Option<String> {
    let mut altered: Option<String> = None;
    for (path, value) in members(said, dialect) {
        let body = altered.as_deref().map_or(body, Json::trusted);
        altered = alter(body, path.steps(), Absent::Build(&value), &mut |_| None).or(altered);
    }
    altered
}

/// Where a dialect says it, from the outermost member in, and what stands there.
fn members(said: Said<'_>, dialect: DialectId) -> Vec<(Path, String)> {
    const GOOGLE: [&[&str]; 2] = [&["generationConfig", "generation_config"], &["thinkingConfig", "thinking_config"]];
    const BEDROCK: &[&str] = &["additionalModelRequestFields"];
    const THINKING: &[&str] = &["thinking"];
    const TYPE: &[&str] = &["type"];
    const BUDGET: &[&str] = &["budget_tokens"];
    const EFFORT: &[&str] = &["effort"];
    let [config, thinking] = GOOGLE;
    let mode = |outer: &[&[&str]], word: &str| (Path::of(&[outer, &[THINKING, TYPE]].concat()), quoted(word));
    let tokens =
        |outer: &[&[&str]], name, tokens: u64| (Path::of(&[outer, &[THINKING, name]].concat()), tokens.to_string());
    let word = |place: &[&[&str]], word: &str| (Path::of(place), quoted(word));
    match (dialect, said) {
        (DialectId::ChatCompletions, Said::Word(said)) => vec![word(&[&["reasoning_effort"]], said)],
        (DialectId::Responses, Said::Word(said)) => vec![word(&[&["reasoning"], EFFORT], said)],
        (DialectId::Messages, Said::Word(said)) => {
            vec![mode(&[], "adaptive"), word(&[&["output_config"], EFFORT], said)]
        }
        (DialectId::Messages, Said::Tokens(said)) => vec![mode(&[], "enabled"), tokens(&[], BUDGET, said)],
        (DialectId::GenerateContent, Said::Word(said)) => {
            vec![word(&[config, thinking, &["thinkingLevel"]], &said.to_ascii_uppercase())]
        }
        (DialectId::GenerateContent, Said::Tokens(said)) => {
            vec![(Path::of(&[config, thinking, &["thinkingBudget"]]), said.to_string())]
        }
        (DialectId::ChatV2, Said::Word(_)) => vec![mode(&[], "enabled")],
        (DialectId::ChatV2, Said::Tokens(said)) => vec![mode(&[], "enabled"), tokens(&[], &["token_budget"], said)],
        (DialectId::Converse, Said::Word(said)) => {
            vec![mode(&[BEDROCK], "adaptive"), word(&[&["outputConfig"], EFFORT], said)]
        }
        (DialectId::Converse, Said::Tokens(said)) => {
            vec![mode(&[BEDROCK], "enabled"), tokens(&[BEDROCK], BUDGET, said)]
        }
        (DialectId::ChatCompletions | DialectId::Responses, Said::Tokens(_)) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(thinking: ThinkingStyle) -> Target {
        Target { thinking, ..Target::unlisted("p/m".into(), 0, "m") }
    }

    fn medium() -> Thought {
        Thought { word: "medium".into(), tokens: 6_000, long: Some((50_000, 8_000)) }
    }

    #[test]
    fn each_is_told_in_its_own_way_and_whoever_cannot_be_told_is_not() {
        let of = |thinking, dialect, input, limit| {
            let thought = medium();
            let target = target(thinking);
            said(&thought, &target, dialect, input, limit).map(|said| match said {
                Said::Word(word) => word.to_string(),
                Said::Tokens(tokens) => tokens.to_string(),
            })
        };
        let (words, tokens) = (ThinkingStyle::Words, ThinkingStyle::Tokens);
        let (google, chat) = (DialectId::GenerateContent, DialectId::ChatCompletions);
        assert_eq!(of(words, google, 9, None).as_deref(), Some("medium"));
        assert_eq!(of(tokens, chat, 9, None).as_deref(), Some("medium"));
        assert_eq!(of(tokens, google, 9, None).as_deref(), Some("6000"));
        assert_eq!(of(tokens, google, 50_001, None).as_deref(), Some("8000"));
        assert_eq!(of(tokens, google, 9, Some(4_000)).as_deref(), Some("2000"));
        assert_eq!(of(tokens, google, 9, Some(1_000)), None);
        assert_eq!(of(ThinkingStyle::Never, google, 9, None), None);
        assert_eq!(of(ThinkingStyle::Unknown, chat, 9, None), None);
        let thoughtless = Target { abilities: Abilities::TOOLS, ..target(words) };
        assert_eq!(said(&medium(), &thoughtless, chat, 9, None), None);
    }

    #[test]
    fn it_stands_in_the_dialects_own_place_and_the_rest_stays_as_it_was() {
        let (word, tokens) = (Said::Word("high"), Said::Tokens(6_000));
        for (dialect, said, body, told) in [
            (DialectId::ChatCompletions, word, r#"{ "n" : 1.0 }"#, r#"{ "n" : 1.0,"reasoning_effort":"high" }"#),
            (
                DialectId::Responses,
                word,
                r#"{"reasoning":{"summary":"auto"}}"#,
                r#"{"reasoning":{"summary":"auto","effort":"high"}}"#,
            ),
            (DialectId::Messages, word, "{}", r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#),
            (DialectId::Messages, tokens, "{}", r#"{"thinking":{"type":"enabled","budget_tokens":6000}}"#),
            (
                DialectId::GenerateContent,
                tokens,
                r#"{"generation_config":{"topK":1}}"#,
                r#"{"generation_config":{"topK":1,"thinkingConfig":{"thinkingBudget":6000}}}"#,
            ),
            (
                DialectId::GenerateContent,
                word,
                "{}",
                r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}}"#,
            ),
            (DialectId::ChatV2, tokens, "{}", r#"{"thinking":{"type":"enabled","token_budget":6000}}"#),
            (
                DialectId::Converse,
                word,
                "{}",
                r#"{"additionalModelRequestFields":{"thinking":{"type":"adaptive"}},"outputConfig":{"effort":"high"}}"#,
            ),
        ] {
            let json = Json::parse(body.as_bytes()).unwrap();
            assert_eq!(written(json, said, dialect).as_deref(), Some(told), "{dialect:?}");
        }
        let there = Json::parse(br#"{"reasoning_effort":"low"}"#).unwrap();
        assert_eq!(written(there, word, DialectId::ChatCompletions), None);
    }
}
