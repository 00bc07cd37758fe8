//! How much to think, in words and in tokens.

use super::requests::{asking, call, hello, result, text, turn, written_for};
use super::*;
use crate::catalog::ThinkingStyle::{self, Never, Tokens, Unknown, Words};
use crate::hub::{Depth, Limit, Part, Reasoning, Role, Sampling, Thinking, ToolChoice};
use crate::json::Text;
use serde_json::json;

fn told(style: ThinkingStyle) -> Addressee<'static> {
    Addressee { thinking: style, ..Addressee::model("m") }
}

fn thinking<'a>(mut request: Request<'a>, depth: Depth<'a>) -> Request<'a> {
    request.reasoning = Some(Reasoning { depth, shown: None, extra: Vec::new() });
    request
}

/// `thinking`, effort, and whether anything was approximated; nothing is ever dropped.
fn said(request: &Request<'_>, style: ThinkingStyle) -> (Value, Value, Vec<String>) {
    let (body, approximated, dropped) = written_for(request, told(style));
    assert_eq!(dropped, Vec::<String>::new());
    let fields = body["additionalModelRequestFields"]["thinking"].clone();
    (fields, body["outputConfig"]["effort"].clone(), approximated)
}

fn effort(word: &str) -> Depth<'_> {
    Depth::Effort(Text::escaped(word))
}

#[test]
fn effort_is_said_in_words_or_in_tokens() {
    let words = [
        ("minimal", "low", thinking::MIN_BUDGET),
        ("low", "low", thinking::LOW),
        ("medium", "medium", thinking::MEDIUM),
        ("high", "high", thinking::HIGH),
        ("xhigh", "xhigh", thinking::MOST),
        ("max", "max", thinking::MOST),
    ];
    for (asked, word, budget) in words {
        for style in [Words, Unknown] {
            let (fields, effort, approximated) = said(&thinking(hello(), effort(asked)), style);
            assert_eq!((fields, effort), (json!({"type": "adaptive"}), json!(word)), "{asked}");
            assert_eq!(approximated.is_empty(), asked == word);
        }
        let (fields, effort, approximated) = said(&thinking(hello(), effort(asked)), Tokens);
        assert_eq!((fields, effort), (json!({"type": "enabled", "budget_tokens": budget}), Value::Null), "{asked}");
        assert_eq!(approximated, ["reasoning.effort"]);
    }
    let (fields, word, approximated) = said(&thinking(hello(), effort("much")), Words);
    assert_eq!((fields, word), (json!({"type": "adaptive"}), Value::Null));
    assert_eq!(approximated, ["reasoning.effort"]);
}

#[test]
fn tokens_are_said_in_tokens_or_in_words() {
    for (tokens, word) in [(1024, "low"), (2048, "low"), (2049, "medium"), (12288, "medium"), (12289, "high")] {
        let request = thinking(hello(), Depth::Budget(tokens));
        let (fields, effort, approximated) = said(&request, Words);
        assert_eq!((fields, effort), (json!({"type": "adaptive"}), json!(word)), "{tokens}");
        assert_eq!(approximated, ["reasoning.budget"]);
        for style in [Tokens, Unknown] {
            let (fields, effort, approximated) = said(&request, style);
            assert_eq!((fields, effort), (json!({"type": "enabled", "budget_tokens": tokens}), Value::Null));
            assert_eq!(approximated, Vec::<String>::new());
        }
    }
}

#[test]
fn not_to_think_is_to_say_nothing() {
    for depth in [Depth::Off, Depth::Budget(0), effort("none")] {
        for style in [Words, Tokens, Unknown, Never] {
            let (fields, effort, approximated) = said(&thinking(hello(), depth), style);
            assert_eq!((fields, effort), (Value::Null, Value::Null));
            assert_eq!(approximated.is_empty(), style == Tokens, "{style:?}");
        }
    }
    let (fields, _, approximated) = said(&thinking(hello(), effort("high")), Never);
    assert_eq!((fields, approximated), (Value::Null, vec!["reasoning".to_string()]));
}

#[test]
fn as_the_model_finds_right_is_adaptive() {
    let request = thinking(hello(), Depth::Adaptive);
    assert_eq!(said(&request, Words), (json!({"type": "adaptive"}), Value::Null, vec![]));
    let (fields, _, approximated) = said(&request, Tokens);
    assert_eq!(fields, json!({"type": "enabled", "budget_tokens": thinking::MEDIUM}));
    assert_eq!(approximated, ["reasoning"]);
}

#[test]
fn whether_thoughts_are_shown_is_said_where_it_can_be() {
    let shown = |depth, shown| {
        let mut request = thinking(hello(), depth);
        request.reasoning = request.reasoning.map(|reasoning| Reasoning { shown: Some(shown), ..reasoning });
        request
    };
    let (fields, ..) = said(&shown(Depth::Adaptive, false), Words);
    assert_eq!(fields, json!({"type": "adaptive", "display": "omitted"}));
    let (fields, ..) = said(&shown(Depth::Unsaid, true), Unknown);
    assert_eq!(fields, json!({"type": "adaptive", "display": "summarized"}));
    let (fields, _, approximated) = said(&shown(Depth::Budget(2000), false), Tokens);
    assert_eq!(fields, json!({"type": "enabled", "budget_tokens": 2000}));
    assert_eq!(approximated, ["reasoning.shown"]);
    assert_eq!(said(&shown(Depth::Budget(2000), true), Tokens).2, Vec::<String>::new());
}

#[test]
fn a_budget_fits_below_the_limit() {
    let limited = |tokens, budget| {
        let mut request = thinking(hello(), Depth::Budget(budget));
        request.max_tokens = Some(Limit { tokens, name: Text::escaped("max_tokens") });
        let (body, approximated, _) = written_for(&request, told(Tokens));
        let budget = body["additionalModelRequestFields"]["thinking"]["budget_tokens"].as_u64();
        (budget, body["inferenceConfig"]["maxTokens"].as_u64(), approximated.len())
    };
    assert_eq!(limited(8000, 4000), (Some(4000), Some(8000), 0));
    assert_eq!(limited(8000, 8000), (Some(4000), Some(8000), 1));
    assert_eq!(limited(1500, 9000), (Some(thinking::MIN_BUDGET), Some(1500), 1));
    assert_eq!(limited(8000, 1), (Some(thinking::MIN_BUDGET), Some(8000), 1));
    assert_eq!(limited(1024, 4000), (None, Some(1024), 1));
    // Without a limit the model's own, else room beside the budget.
    let request = thinking(hello(), Depth::Budget(4000));
    let (body, ..) = written_for(&request, Addressee { output_limit: 64_000, ..told(Tokens) });
    assert_eq!(body["inferenceConfig"]["maxTokens"], 64_000);
    let (body, ..) = written_for(&request, told(Tokens));
    assert_eq!(body["inferenceConfig"]["maxTokens"], 12_192);
}

#[test]
fn sampling_gives_way_to_thinking_and_thinking_to_a_forced_call() {
    let number = |text: &'static str| Some(Json::parse(text.as_bytes()).unwrap());
    let mut request = thinking(hello(), effort("low"));
    request.sampling =
        Sampling { temperature: number("0.2"), top_p: number("0.5"), top_k: number("4"), ..Sampling::default() };
    let (body, approximated, _) = written_for(&request, told(Words));
    assert_eq!((body.get("inferenceConfig"), &body["additionalModelRequestFields"]["top_k"]), (None, &Value::Null));
    assert_eq!(approximated, ["temperature", "top_p", "top_k"]);
    request.sampling = Sampling { temperature: number("1"), top_p: number("0.95"), ..Sampling::default() };
    let (body, approximated, _) = written_for(&request, told(Words));
    assert_eq!(body["inferenceConfig"], json!({"temperature": 1}));
    assert_eq!(approximated, ["top_p"]);
    request.tool_choice = Some(ToolChoice::Named(Text::escaped("f")));
    let (body, approximated, _) = written_for(&request, told(Words));
    assert_eq!((body.get("additionalModelRequestFields"), body.get("outputConfig")), (None, None));
    assert!(approximated.contains(&"reasoning".to_string()));
}

#[test]
fn a_budget_waits_for_the_next_turn_when_this_one_began_without_proof() {
    let going_on = |signature: Option<&'static str>| {
        let signature = signature.map(Text::escaped);
        let thought = Part::Thinking(Thinking { text: Text::escaped("Hm."), signature, extra: Vec::new() });
        let turns = vec![
            turn(Role::User, vec![text("hi")]),
            turn(Role::Assistant, vec![thought, call("t", "f", "{}")]),
            turn(Role::Tool, vec![result("t", vec![text("1")])]),
        ];
        thinking(asking(turns), Depth::Budget(2000))
    };
    let (fields, _, approximated) = said(&going_on(None), Tokens);
    assert_eq!(fields, Value::Null);
    assert!(approximated.contains(&"reasoning".to_string()));
    let (fields, _, approximated) = said(&going_on(Some("sig")), Tokens);
    assert_eq!(fields["budget_tokens"], 2000);
    assert!(!approximated.contains(&"reasoning".to_string()));
    // Whoever is told in words may begin to think at any time.
    assert_eq!(said(&going_on(None), Words).0, json!({"type": "adaptive"}));
}
