//! What the way to ask for vectors promises, with the words of the wire beside it.

use super::*;
use crate::dialect::of;
use crate::hub::Delivery;
use crate::usage::Usage;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn endpoint() -> Endpoint {
    Endpoint::generate(DialectId::ChatCompletions)
}

fn read(body: &str) -> Result<EmbedRequest<'_>, ReadError> {
    Vectors.read_request(&endpoint(), Json::parse(body.as_bytes()).unwrap())
}

/// The body as it is written for another model of this dialect.
fn again(body: &str) -> Value {
    let written = Vectors.write_request(&read(body).unwrap(), Addressee::model("another"));
    assert_eq!((written.losses.dropped.len(), written.losses.approximated.len()), (0, 0), "{body}");
    value(&written.body)
}

fn answer(body: &str) -> Result<Embedded<'_>, ProviderError> {
    Vectors.read_answer(Json::parse(body.as_bytes()).unwrap())
}

fn reply() -> Reply {
    Reply { delivery: Delivery::Whole, exchange: "x1".into(), created: 0, model: "route".into() }
}

fn written(request: &EmbedRequest<'_>, answer: &Embedded<'_>) -> String {
    let mut out = Writer::new();
    Vectors.write_answer(request, answer, &reply(), &mut out);
    out.into_string()
}

#[test]
fn its_own_request_comes_out_as_it_went_in() {
    let cases = [
        json!({"model": "m", "input": "one"}),
        json!({"model": "m", "input": ["one"], "encoding_format": "float", "dimensions": 3, "user": "u"}),
        json!({"model": "m", "input": [1, 2], "encoding_format": "base64"}),
        json!({"model": "m", "input": [[1, 2], [3]], "input_type": null, "output_dtype": null, "truncation": false}),
        json!({"model": "m", "input": [], "dimensions": -1, "encoding_format": "base64_int8", "user": 7}),
        json!({"model": "m", "input": {"text": "one"}, "input_type": "query"}),
        json!({"model": "m", "input": ["one", {"image": "…"}]}),
    ];
    for mut body in cases {
        let came = again(&body.to_string());
        body["model"] = "another".into();
        assert_eq!(came, body);
    }
}

#[test]
fn what_must_be_there_is_asked_for() {
    let problem = |body: &str| read(body).unwrap_err();
    assert_eq!(problem(r#"{"input":"a"}"#), ReadError::new("model", "is missing"));
    assert_eq!(problem(r#"{"model":"m"}"#), ReadError::new("input", "is missing"));
    assert_eq!(problem(r#"{"model":"m","input":null}"#), ReadError::new("input", "is missing"));
    assert_eq!(problem(r#"{"model":7,"input":"a"}"#), ReadError::new("model", "must be a string"));
    assert_eq!(problem("[]"), ReadError::new("body", "must be an object"));
}

#[test]
fn token_numbers_are_tied_to_the_dialect() {
    assert_eq!(read(r#"{"model":"m","input":[1,2]}"#).unwrap().tied(), Some("input"));
    assert_eq!(read(r#"{"model":"m","input":["1","2"]}"#).unwrap().tied(), None);
}

#[test]
fn a_request_of_another_dialect_is_said_and_what_is_lost_reported() {
    let body = br#"{"requests":[
        {"model":"models/m","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8},
        {"model":"models/m","content":{"parts":[{"text":"b"},{"text":"c"}]},"title":"t","taskType":"RETRIEVAL_QUERY","outputDimensionality":8}]}"#;
    let gemini = of(DialectId::GenerateContent).embeddings().unwrap();
    let request = gemini.read_request(&endpoint(), Json::parse(body).unwrap()).unwrap();
    let written = Vectors.write_request(&request, Addressee::model("n"));
    assert_eq!(written.body, r#"{"model":"n","input":["a",""],"dimensions":8}"#);
    assert_eq!(written.losses.approximated, ["requests[].taskType", "requests[].title"]);
    assert_eq!(written.losses.dropped, ["requests[].content"]);
    assert_eq!(request.tied(), Some("requests[].content"));
    assert_eq!(Vectors.path("/v1", "n", &request), "/v1/embeddings");
}

#[test]
fn an_answer_has_the_order_of_its_index() {
    let body = r#"{"object":"list","data":[{"index":1,"embedding":[2]},{"index":0,"embedding":"AACAPw=="}],
        "model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    let answer = answer(body).unwrap();
    let vectors: Vec<&str> = answer.vectors.iter().map(|vector| vector.as_str()).collect();
    assert_eq!(vectors, [r#""AACAPw==""#, "[2]"]);
    assert_eq!(answer.usage, Usage { input: Some(4), ..Usage::default() });
}

#[test]
fn an_answer_is_said_in_the_encoding_that_was_asked_for() {
    let answer = answer(r#"{"data":[{"embedding":[1.0, -0.5]},{"embedding":"AACAPw=="}],"usage":{"total_tokens":3}}"#);
    let answer = answer.unwrap();
    let plain = concat!(
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0, -0.5]},"#,
        r#"{"object":"embedding","index":1,"embedding":[1.0]}],"model":"route","#,
        r#""usage":{"prompt_tokens":3,"total_tokens":3}}"#,
    );
    assert_eq!(written(&read(r#"{"model":"m","input":"a"}"#).unwrap(), &answer), plain);
    let base64 = written(&read(r#"{"model":"m","input":"a","encoding_format":"base64"}"#).unwrap(), &answer);
    let base64 = value(&base64);
    assert_eq!(base64["data"][0]["embedding"], "AACAPwAAAL8=");
    assert_eq!(base64["data"][1]["embedding"], "AACAPw==");
}

#[test]
fn what_is_no_answer_is_an_error() {
    for nonsense in ["{}", "[]", "null", r#"{"data":{}}"#, r#"{"data":[{}]}"#, r#"{"data":[{"embedding":["a"]}]}"#] {
        assert_eq!(answer(nonsense).unwrap_err().class, ErrorClass::BadAnswer, "{nonsense}");
    }
    let error = answer(r#"{"error":{"message":"too many requests","code":"rate_limit_exceeded"}}"#).unwrap_err();
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::RateLimited, "too many requests"));
}

/// The recordings of compatible servers, or none when the folder isn't there.
fn recordings() -> Vec<(String, Value)> {
    let open = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open");
    let Ok(providers) = std::fs::read_dir(&open) else {
        println!("skipped: no recordings beside the repository");
        return Vec::new();
    };
    let files = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let apis = |provider: PathBuf| ["openai.embeddings", "mistral.embeddings"].map(|api| provider.join(api));
    let all = providers.flatten().flat_map(|provider| apis(provider.path())).flat_map(files);
    all.map(|path| (path.display().to_string(), value(&std::fs::read_to_string(&path).unwrap()))).collect()
}

#[test]
fn every_recorded_request_is_written_as_it_was_read() {
    let mut same = 0;
    for (name, recording) in recordings() {
        let Some(body) = recording["request"]["body"].as_str() else { continue };
        let mut expected = value(body);
        expected["model"] = "another".into();
        assert_eq!(again(body), expected, "{name}");
        same += 1;
    }
    println!("identity: {same} the same");
}

#[test]
fn every_recorded_answer_is_understood_and_said_again() {
    let (mut vectors, mut answers, mut other) = (0, 0, 0);
    for (name, recording) in recordings() {
        let (response, expect) = (&recording["response"], &recording["expect"]);
        let Some(body) = response["body"].as_str().filter(|_| response["status"] == 200) else { continue };
        let embedded = match answer(body) {
            Ok(embedded) => embedded,
            Err(error) => {
                // 8-bit integers, which nobody else understands either.
                assert_eq!(error.class, ErrorClass::BadAnswer, "{name}");
                assert!(name.contains("/perplexity/"), "{name}");
                other += 1;
                continue;
            }
        };
        assert_eq!(embedded.vectors.len() as u64, expect["vectors"].as_u64().unwrap(), "{name}");
        // Who counts in total only has no usage in the independent reading.
        let counted = expect["usage"]["input_total"].as_u64().or(expect["usage_raw"]["total_tokens"].as_u64());
        assert_eq!(embedded.usage.input, counted, "{name}");
        assert_eq!(embedded.model.map(|model| model.decode().into_owned()), expect["model"].as_str().map(String::from));
        for encoding in ["float", "base64"] {
            let request = json!({"model": "m", "input": "a", "encoding_format": encoding}).to_string();
            let said = written(&read(&request).unwrap(), &embedded);
            let again = answer(&said).unwrap();
            assert_eq!(again.usage, embedded.usage, "{name}");
            let floats = |embedded: &Embedded<'_>| -> Vec<Vec<f32>> {
                let request = read(r#"{"model":"m","input":"a"}"#).unwrap();
                let said = value(&written(&request, embedded));
                let vectors = said["data"].as_array().unwrap().iter();
                vectors.map(|item| serde_json::from_value(item["embedding"].clone()).unwrap()).collect()
            };
            let (numbers, numbers_again) = (floats(&embedded), floats(&again));
            assert_eq!(numbers, numbers_again, "{name}");
            assert_eq!(numbers[0].len() as u64, expect["dimensions"].as_u64().unwrap(), "{name}");
        }
        vectors += embedded.vectors.len();
        answers += 1;
    }
    println!("answers: {answers} with {vectors} vectors understood, {other} in another encoding");
}
