//! What the way to ask for vectors promises, with the words of the wire beside it.

use super::*;
use crate::dialect::of;
use crate::hub::Delivery;
use crate::usage::Usage;
use serde_json::{Value, json};
use std::path::Path;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn endpoint() -> Endpoint {
    Endpoint::generate(DialectId::ChatV2)
}

fn read(body: &str) -> Result<EmbedRequest<'_>, ReadError> {
    Vectors.read_request(&endpoint(), Json::parse(body.as_bytes()).unwrap())
}

fn again(body: &str) -> Value {
    value(&Vectors.write_request(&read(body).unwrap(), Addressee::model("another")).body)
}

fn answer(body: &str) -> Result<Embedded<'_>, ProviderError> {
    Vectors.read_answer(Json::parse(body.as_bytes()).unwrap())
}

/// A request of chat completions as it is said here.
fn foreign(body: Value) -> (Value, Vec<String>, Vec<String>) {
    let body = body.to_string();
    let texts = of(DialectId::ChatCompletions).embeddings().unwrap();
    let request = texts.read_request(&endpoint(), Json::parse(body.as_bytes()).unwrap()).unwrap();
    let written = Vectors.write_request(&request, Addressee::model("n"));
    (value(&written.body), written.losses.approximated, written.losses.dropped)
}

#[test]
fn its_own_request_comes_out_as_it_went_in() {
    for mut body in [
        json!({"model": "m", "texts": ["a"], "input_type": "search_query", "embedding_types": ["float"]}),
        json!({"model": "m", "texts": ["a", "b"], "output_dimension": 8, "truncate": "NONE", "max_tokens": null}),
        json!({"model": "m", "texts": [], "embedding_types": ["float", "int8"]}),
    ] {
        let came = again(&body.to_string());
        body["model"] = "another".into();
        assert_eq!(came, body);
    }
    assert_eq!(read(r#"{"texts":["a"]}"#).unwrap_err(), ReadError::new("model", "is missing"));
    assert_eq!(read(r#"{"model":"m"}"#).unwrap_err(), ReadError::new("texts", "is missing"));
    assert_eq!(read(r#"{"model":"m","texts":"a"}"#).unwrap_err(), ReadError::new("texts", "must be a list"));
}

#[test]
fn a_request_of_another_dialect_always_says_what_for() {
    let (body, approximated, dropped) =
        foreign(json!({"model": "m", "input": "a", "encoding_format": "base64", "dimensions": 8}));
    let expected = json!({
        "model": "n", "texts": ["a"], "input_type": "search_document", "embedding_types": ["float"],
        "output_dimension": 8,
    });
    assert_eq!((body, approximated, dropped), (expected, vec!["input_type".to_string()], vec![]));
    let cases = [
        ("query", "search_query", 0),
        ("RETRIEVAL_DOCUMENT", "search_document", 0),
        ("CODE_RETRIEVAL_QUERY", "search_query", 1),
        ("SEMANTIC_SIMILARITY", "clustering", 1),
        ("odd", "search_document", 1),
    ];
    for (asked, word, near) in cases {
        let (body, approximated, _) = foreign(json!({"model": "m", "input": ["a"], "input_type": asked}));
        assert_eq!((&body["input_type"], approximated.len()), (&json!(word), near), "{asked}");
    }
}

#[test]
fn what_has_no_word_is_reported() {
    let input = json!(["a", [1, 2]]);
    let (body, approximated, dropped) =
        foreign(json!({"model": "m", "input": input, "input_type": "query", "user": "u", "truncation": true}));
    assert_eq!(body["texts"], json!(["a", ""]));
    assert_eq!(
        (approximated, dropped),
        (vec!["user".to_string(), "truncation".to_string()], vec!["input".to_string()])
    );
}

#[test]
fn an_answer_is_understood_in_both_versions() {
    let second =
        r#"{"id":"1","embeddings":{"float":[[1],[2]]},"meta":{"billed_units":{"input_tokens":7,"image_tokens":0}}}"#;
    let first = r#"{"id":"1","embeddings":[[1],[2]],"meta":{"billed_units":{"input_tokens":7}}}"#;
    for body in [second, first] {
        let answer = answer(body).unwrap();
        let vectors: Vec<&str> = answer.vectors.iter().map(|vector| vector.as_str()).collect();
        assert_eq!((vectors, answer.usage), (vec!["[1]", "[2]"], Usage { input: Some(7), ..Usage::default() }));
    }
}

#[test]
fn an_answer_is_said_in_its_own_form() {
    let request = read(r#"{"model":"m","texts":["a"],"embedding_types":["base64"]}"#).unwrap();
    let embedded = answer(r#"{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":7}}}"#).unwrap();
    let reply = Reply { delivery: Delivery::Whole, exchange: "x1".into(), created: 0, model: "route".into() };
    let mut out = Writer::new();
    Vectors.write_answer(&request, &embedded, &reply, &mut out);
    let expected = concat!(
        r#"{"id":"x1","embeddings":{"base64":["AACAPw=="]},"texts":["a"],"#,
        r#""meta":{"billed_units":{"input_tokens":7}},"response_type":"embeddings_by_type"}"#
    );
    assert_eq!(out.as_str(), expected);
    let again = answer(out.as_str()).unwrap();
    assert_eq!((again.vectors.len(), again.usage), (1, embedded.usage));
}

#[test]
fn what_is_no_answer_is_an_error() {
    for nonsense in ["{}", "[]", "null", r#"{"embeddings":{"int8":[[1]]}}"#, r#"{"embeddings":[["a"]]}"#] {
        assert_eq!(answer(nonsense).unwrap_err().class, ErrorClass::BadAnswer, "{nonsense}");
    }
    let error = answer(r#"{"id":"1","message":"too many tokens"}"#).unwrap_err();
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::ContextTooLong, "too many tokens"));
}

#[test]
fn every_recording_is_understood() {
    let open = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open/cohere/cohere.embed");
    let Ok(files) = std::fs::read_dir(&open) else {
        println!("skipped: no recordings beside the repository");
        return;
    };
    let (mut requests, mut answers) = (0, 0);
    for path in files.flatten().map(|entry| entry.path()) {
        let recording = value(&std::fs::read_to_string(&path).unwrap());
        let body = recording["request"]["body"].as_str().unwrap();
        let mut expected = value(body);
        expected["model"] = "another".into();
        assert_eq!(again(body), expected, "{}", path.display());
        requests += 1;
        if recording["response"]["status"] == 200 {
            let embedded = answer(recording["response"]["body"].as_str().unwrap()).unwrap();
            assert_eq!(embedded.vectors.len(), expected["texts"].as_array().unwrap().len(), "{}", path.display());
            assert!(embedded.usage.input.is_some(), "{}", path.display());
            answers += 1;
        }
    }
    println!("requests: {requests} the same; answers: {answers} understood");
}
