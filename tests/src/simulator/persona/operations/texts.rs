//! Completing, judging and ordering texts.

use serde_json::{Value, json};

use super::super::answer::{pieces, words};
use super::super::shape::{Checked, Object};
use super::super::{Piece, Production, check_model, json_body};
use crate::simulator::journal::{Received, Tokens};

pub(super) fn complete(received: &Received) -> Checked<Production> {
    let body = json_body(received)?;
    let allowed = [
        "model",
        "prompt",
        "stream",
        "stream_options",
        "max_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "suffix",
        "echo",
        "best_of",
        "logprobs",
        "seed",
        "user",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
    ];
    let request = Object::of(&body, "", &allowed)?;
    let model = request.text("model")?;
    check_model(model)?;
    let prompt = request.text("prompt")?;
    let text = format!("{prompt} and so on");
    let tokens = Tokens { input: words(prompt), output: words(&text), ..Tokens::default() };
    let total = tokens.input + tokens.output;
    let usage = json!({"prompt_tokens": tokens.input, "completion_tokens": tokens.output, "total_tokens": total});
    let object = |text: &str, finish: Value| {
        let choice = json!({"text": text, "index": 0, "logprobs": null, "finish_reason": finish});
        json!({"id": "cmpl-simulated", "object": "text_completion", "created": 1_790_000_000, "model": model, "choices": [choice]})
    };
    if !request.flag("stream")? {
        let mut whole = object(&text, json!("stop"));
        whole["usage"] = usage;
        return Ok(Production::whole(200, &whole, Some(tokens)));
    }
    let event = |data: &Value, tokens: u64| Piece::new(format!("data: {data}\n\n"), tokens);
    let mut events: Vec<Piece> =
        pieces(&text).iter().map(|piece| event(&object(piece, Value::Null), words(piece))).collect();
    let mut last = object("", json!("stop"));
    last["usage"] = usage;
    events.push(event(&last, 0));
    events.push(Piece::new("data: [DONE]\n\n", 0));
    Ok(Production::stream("text/event-stream; charset=utf-8", events, tokens))
}

pub(super) fn moderate(received: &Received) -> Checked<Production> {
    let body = json_body(received)?;
    let request = Object::of(&body, "", &["model", "input"])?;
    let model = request.maybe_text("model")?.unwrap_or("omni-moderation-latest");
    check_model(model)?;
    let texts = match request.need("input")? {
        Value::String(text) => vec![text.clone()],
        _ => request
            .full_list("input")?
            .iter()
            .map(|item| item["text"].as_str().or(item.as_str()).unwrap_or_default().to_owned())
            .collect(),
    };
    let names = [
        "harassment",
        "harassment/threatening",
        "hate",
        "hate/threatening",
        "illicit",
        "illicit/violent",
        "self-harm",
        "self-harm/instructions",
        "self-harm/intent",
        "sexual",
        "sexual/minors",
        "violence",
        "violence/graphic",
    ];
    let judged = |text: &String| {
        let flagged = text.contains("refuse");
        let (mut is, mut how, mut whence) = (json!({}), json!({}), json!({}));
        for name in names {
            is[name] = json!(flagged && name == "violence");
            how[name] = json!(if flagged && name == "violence" { 0.75 } else { 0.25 });
            whence[name] = json!(["text"]);
        }
        json!({"flagged": flagged, "categories": is, "category_scores": how, "category_applied_input_types": whence})
    };
    let results: Vec<Value> = texts.iter().map(judged).collect();
    Ok(Production::whole(200, &json!({"id": "modr-simulated", "model": model, "results": results}), None))
}

/// The more words of the question a document has, the higher it stands.
pub(super) fn rerank(received: &Received) -> Checked<Production> {
    let body = json_body(received)?;
    let allowed = ["model", "query", "documents", "top_n", "max_tokens_per_doc", "priority"];
    let request = Object::of(&body, "", &allowed)?;
    check_model(request.text("model")?)?;
    let query = request.text("query")?;
    let documents = request.texts("documents", 1000)?;
    if documents.is_empty() {
        return Err(request.wrong("documents", "must not be empty"));
    }
    let most = request.integer("top_n", 1, i64::MAX)?.and_then(|most| usize::try_from(most).ok());
    let shared = |document: &String| query.split_whitespace().filter(|word| document.contains(word)).count();
    let mut order: Vec<(usize, usize)> = documents.iter().map(shared).enumerate().collect();
    order.sort_by_key(|(index, shared)| (std::cmp::Reverse(*shared), *index));
    let all = query.split_whitespace().count().max(1);
    let result = |(index, shared): &(usize, usize)| {
        let score = f64::from(u32::try_from(*shared).unwrap_or_default()) / f64::from(u32::try_from(all).unwrap_or(1));
        json!({"index": index, "relevance_score": score})
    };
    let results: Vec<Value> = order.iter().take(most.unwrap_or(usize::MAX)).map(result).collect();
    let meta = json!({"api_version": {"version": "2"}, "billed_units": {"search_units": 1}});
    Ok(Production::whole(200, &json!({"id": "simulated", "results": results, "meta": meta}), None))
}
