//! What the way to ask for vectors promises, with the words of the wire beside it.

use super::*;
use crate::catalog::Operation;
use crate::dialect::of;
use crate::hub::Delivery;
use crate::usage::Usage;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn endpoint() -> Endpoint {
    Endpoint { model: Some("m".into()), ..Endpoint::of(DialectId::GenerateContent, Operation::Embed, "") }
}

fn read(body: &str) -> Result<EmbedRequest<'_>, ReadError> {
    Vectors.read_request(&endpoint(), Json::parse(body.as_bytes()).unwrap())
}

fn again(body: &str) -> Value {
    let written = Vectors.write_request(&read(body).unwrap(), Addressee::model("another"));
    assert_eq!((written.losses.dropped.len(), written.losses.approximated.len()), (0, 0), "{body}");
    value(&written.body)
}

/// Requests name the model, and it becomes another.
fn renamed(body: &str) -> Value {
    let mut body = value(body);
    let rename = |item: &mut Value| {
        if let Some(model) = item.get_mut("model") {
            *model = "models/another".into();
        }
    };
    rename(&mut body);
    body.get_mut("requests").and_then(Value::as_array_mut).into_iter().flatten().for_each(rename);
    body
}

fn answer(body: &str) -> Result<Embedded<'_>, ProviderError> {
    Vectors.read_answer(Json::parse(body.as_bytes()).unwrap())
}

fn written(request: &EmbedRequest<'_>, answer: &Embedded<'_>) -> String {
    let reply = Reply { delivery: Delivery::Whole, exchange: "x1".into(), created: 0, model: "route".into() };
    let mut out = Writer::new();
    Vectors.write_answer(request, answer, &reply, &mut out);
    out.into_string()
}

#[test]
fn its_own_request_comes_out_as_it_went_in() {
    let text = |text: &str| json!({"parts": [{"text": text}]});
    let cases = [
        json!({"content": text("a")}),
        json!({"model": "models/m", "content": text("a"), "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8}),
        json!({"content": {"role": "user", "parts": [{"text": "a"}]}, "task_type": "X", "output_dimensionality": 8}),
        json!({"content": {"role": "model", "parts": [{"text": "a"}, {"text": "b"}]}, "title": "t", "odd": [1]}),
        json!({"content": {"parts": {"text": "a"}}, "taskType": null}),
        json!({"requests": [{"model": "models/m", "content": text("a")}]}),
        json!({"requests": [{"content": text("a"), "taskType": "A"}, {"content": text("b"), "task_type": "A"}]}),
        json!({"requests": [{"content": text("a"), "taskType": "A"}, {"content": text("b"), "taskType": "B"}]}),
        json!({"requests": [{"content": text("a"), "outputDimensionality": 8}, {"content": text("b")}], "odd": 1}),
        json!({"requests": []}),
    ];
    for body in cases {
        let body = body.to_string();
        assert_eq!(again(&body), renamed(&body));
    }
}

#[test]
fn what_must_be_there_is_asked_for() {
    let problem = |body: &str| read(body).unwrap_err();
    assert_eq!(problem("{}"), ReadError::new("content", "is missing"));
    assert_eq!(problem(r#"{"requests":[{"content":null}]}"#), ReadError::new("requests[0].content", "is missing"));
    assert_eq!(problem(r#"{"requests":[7]}"#), ReadError::new("requests[0]", "must be an object"));
    assert_eq!(problem(r#"{"requests":{}}"#), ReadError::new("requests", "must be a list"));
    assert_eq!(problem("[]"), ReadError::new("body", "must be an object"));
}

#[test]
fn what_all_say_alike_is_the_hubs() {
    let task = |one: &str, two: &str| {
        let item = |text: &str, task: &str| json!({"content": {"parts": [{"text": text}]}, "taskType": task});
        let body = json!({"requests": [item("a", one), item("b", two)]}).to_string();
        read(&body).unwrap().task.map(|task| task.decode().into_owned())
    };
    assert_eq!(task("CLUSTERING", "CLUSTERING").as_deref(), Some("CLUSTERING"));
    assert_eq!(task("CLUSTERING", "CLASSIFICATION"), None);
}

#[test]
fn one_that_stands_alone_is_asked_for_alone() {
    let texts = of(DialectId::ChatCompletions).embeddings().unwrap();
    let asked = |body: &str| -> (String, Written) {
        let request = texts.read_request(&endpoint(), Json::parse(body.as_bytes()).unwrap()).unwrap();
        let path = Vectors.path("/v1beta", "models/n", &request);
        (path, Vectors.write_request(&request, Addressee::model("models/n")))
    };
    let (path, one) = asked(r#"{"model":"m","input":"a","dimensions":8,"input_type":"query","user":"u"}"#);
    assert_eq!(path, "/v1beta/models/n:embedContent");
    let expected = concat!(
        r#"{"model":"models/n","content":{"parts":[{"text":"a"}]},"#,
        r#""taskType":"RETRIEVAL_QUERY","outputDimensionality":8}"#
    );
    assert_eq!((one.body.as_str(), one.losses.approximated), (expected, vec!["user".to_string()]));
    let (path, list) = asked(r#"{"model":"m","input":["a",[1,2]],"input_type":"odd","truncation":true}"#);
    assert_eq!(path, "/v1beta/models/n:batchEmbedContents");
    let item = |text: &str| json!({"model": "models/n", "content": {"parts": [{"text": text}]}});
    assert_eq!(value(&list.body), json!({"requests": [item("a"), item("")]}));
    assert_eq!(list.losses.approximated, ["input_type", "truncation"]);
    assert_eq!(list.losses.dropped, ["input"]);
}

#[test]
fn an_answer_has_the_form_that_was_asked_for() {
    let numbers = answer(r#"{"embedding":{"values":[1.50,2]},"usageMetadata":{"promptTokenCount":3}}"#).unwrap();
    assert_eq!(numbers.usage, Usage { input: Some(3), ..Usage::default() });
    let one = read(r#"{"content":{"parts":[{"text":"a"}]}}"#).unwrap();
    let expected = r#"{"embedding":{"values":[1.50,2]},"usageMetadata":{"promptTokenCount":3}}"#;
    assert_eq!(written(&one, &numbers), expected);
    let list = read(r#"{"requests":[{"content":{"parts":[{"text":"a"}]}}]}"#).unwrap();
    let bytes = Embedded { vectors: vec![Json::trusted(r#""AACAPw==""#)], ..Embedded::default() };
    assert_eq!(written(&list, &bytes), r#"{"embeddings":[{"values":[1.0]}]}"#);
}

#[test]
fn what_is_no_answer_is_an_error() {
    for nonsense in ["{}", "[]", "null", r#"{"embeddings":[{}]}"#, r#"{"embedding":{"values":[null]}}"#] {
        assert_eq!(answer(nonsense).unwrap_err().class, ErrorClass::BadAnswer, "{nonsense}");
    }
    let error = answer(r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#).unwrap_err();
    assert_eq!(error.message, "slow down");
}

#[test]
fn every_recorded_request_is_written_as_it_was_read() {
    let open = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open");
    let Ok(providers) = std::fs::read_dir(&open) else {
        println!("skipped: no recordings beside the repository");
        return;
    };
    let files = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let (mut same, mut older) = (0, 0);
    for path in providers.flatten().flat_map(|provider| files(provider.path().join("gemini.embeddings"))) {
        let recording = value(&std::fs::read_to_string(&path).unwrap());
        let body = recording["request"]["body"].as_str().unwrap();
        if recording["request"]["path"].as_str().unwrap().ends_with(":predict") {
            assert!(read(body).is_err(), "{}", path.display());
            older += 1;
            continue;
        }
        assert_eq!(again(body), renamed(body), "{}", path.display());
        same += 1;
    }
    println!("identity: {same} the same, {older} in the older form");
}
