//! Paths, read and written.

use super::*;
use crate::catalog::Operation;
use proptest::prelude::*;

fn found(method: &str, path: &str) -> Endpoint {
    match GenerateContent.endpoint(method, path) {
        Some(Ok(endpoint)) => endpoint,
        other => panic!("{method} {path}: {other:?}"),
    }
}

#[test]
fn paths_name_model_and_delivery() {
    let vertex = "/v1beta1/projects/p-1/locations/global/publishers";
    let cases = [
        ("/v1beta/models/gemini-2.5-flash:generateContent".to_string(), "gemini-2.5-flash", Delivery::Whole),
        ("/v1/models/a%2Fb:streamGenerateContent?alt=sse".into(), "a/b", Delivery::Streamed),
        ("/v1alpha/models/a/b:streamGenerateContent?key=k&alt=sse".into(), "a/b", Delivery::Streamed),
        ("/v1beta/models/m:streamGenerateContent".into(), "m", Delivery::StreamedArray),
        ("/v1beta/models/m:streamGenerateContent?alt=json".into(), "m", Delivery::StreamedArray),
        ("/v1beta/models/models%2Fm:generateContent?alt=sse".into(), "m", Delivery::Whole),
        ("/v1beta/models/p:m%3Ageneratecontent:generateContent".into(), "p:m:generatecontent", Delivery::Whole),
        ("/v1beta/models/caf%C3%A9:generateContent".into(), "café", Delivery::Whole),
        ("/v1beta/tunedModels/t-1:streamGenerateContent?alt=sse".into(), "tunedModels/t-1", Delivery::Streamed),
        (format!("{vertex}/google/models/m:generateContent"), "m", Delivery::Whole),
        (
            format!("{vertex}/google/models/m:streamGenerateContent?%24alt=json%3Benum-encoding%3Dint"),
            "m",
            Delivery::StreamedArray,
        ),
        (format!("{vertex}/meta/models/l:streamGenerateContent?alt=sse"), "meta/l", Delivery::Streamed),
        ("/v1/publishers/google/models/m:generateContent".into(), "m", Delivery::Whole),
    ];
    for (path, model, delivery) in cases {
        let found = found("POST", &path);
        assert_eq!((found.model.as_deref(), found.delivery), (Some(model), Some(delivery)), "{path}");
        assert_eq!((found.operation, found.rest.as_str()), (Operation::Generate, ""), "{path}");
    }
}

#[test]
fn what_is_relayed_says_where() {
    let vertex = "/v1/projects/p/locations/l";
    let cases = [
        (
            "POST",
            "/v1beta/models/m:countTokens".to_string(),
            Operation::CountTokens,
            Some("m"),
            "/models/{model}:countTokens",
        ),
        (
            "POST",
            format!("{vertex}/publishers/google/models/m:countTokens"),
            Operation::CountTokens,
            Some("m"),
            "/models/{model}:countTokens",
        ),
        (
            "POST",
            "/v1beta/models/a%2f..%2fb:embedContent?x=1".into(),
            Operation::Embed,
            Some("a/../b"),
            "/models/{model}:embedContent",
        ),
        (
            "POST",
            "/v1/models/m:batchEmbedContents".into(),
            Operation::Embed,
            Some("m"),
            "/models/{model}:batchEmbedContents",
        ),
        (
            "POST",
            "/v1beta/models/m:batchGenerateContent".into(),
            Operation::Batches,
            Some("m"),
            "/models/{model}:batchGenerateContent",
        ),
        ("POST", "/v1beta/models/m:predict".into(), Operation::Images, Some("m"), "/models/{model}:predict"),
        (
            "POST",
            "/v1beta/models/m:generateImages".into(),
            Operation::Images,
            Some("m"),
            "/models/{model}:generateImages",
        ),
        ("GET", "/v1beta/files?pageSize=1".into(), Operation::Files, None, "/files"),
        ("DELETE", "/v1beta/files/abc-1".into(), Operation::Files, None, "/files/abc-1"),
        ("GET", "/v1beta/files/abc-1:download?alt=media".into(), Operation::Files, None, "/files/abc-1:download"),
        ("POST", "/upload/v1beta/files?uploadType=multipart".into(), Operation::Files, None, "/upload{prefix}/files"),
        ("POST", "/v1beta/cachedContents".into(), Operation::Stored, None, "/cachedContents"),
        ("PATCH", "/v1beta/cachedContents/x%20y".into(), Operation::Stored, None, "/cachedContents/x%20y"),
        ("GET", format!("{vertex}/cachedContents/7"), Operation::Stored, None, "/cachedContents/7"),
        ("GET", "/v1beta/batches".into(), Operation::Batches, None, "/batches"),
        ("POST", "/v1beta/batches/b:cancel".into(), Operation::Batches, None, "/batches/b:cancel"),
        ("GET", "/v1beta/tunedModels/t".into(), Operation::Stored, None, "/tunedModels/t"),
    ];
    for (method, path, operation, model, rest) in cases {
        let found = found(method, &path);
        assert_eq!((found.operation, found.model.as_deref(), found.rest.as_str()), (operation, model, rest), "{path}");
        assert_eq!(found.delivery, None, "{path}");
    }
}

#[test]
fn models_are_listed_by_their_names() {
    for (path, asked) in [
        ("/v1beta/models", ""),
        ("/v1/models?pageSize=1000", ""),
        ("/v1beta/models/available", "available"),
        ("/v1beta/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("/v1beta/models/llama3:8b", "llama3:8b"),
        ("/v1beta/models/a%2Fb", "a/b"),
        ("/v1beta/models/a/b", "a/b"),
        ("/v1beta1/publishers/google/models", ""),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/m", "m"),
    ] {
        let found = found("GET", path);
        assert_eq!((found.operation, found.rest.as_str(), found.model), (Operation::Models, asked, None), "{path}");
    }
}

#[test]
fn other_methods_are_told_which_are_taken() {
    for (method, path, allow) in [
        ("GET", "/v1beta/models/m:generateContent", "POST"),
        ("PUT", "/v1beta/models/m:countTokens", "POST"),
        ("POST", "/v1beta/models", "GET"),
        ("DELETE", "/v1beta/models/m", "GET"),
        ("PUT", "/v1beta/files", "GET, POST"),
        ("POST", "/v1beta/cachedContents/x", "GET, PATCH, DELETE"),
        ("GET", "/upload/v1beta/files", "POST"),
        ("get", "/v1beta/models", "GET"),
        ("", "/v1beta/tunedModels/t:generateContent", "POST"),
    ] {
        assert_eq!(GenerateContent.endpoint(method, path), Some(Err(UnknownMethod { allow })), "{method} {path}");
    }
}

#[test]
fn other_paths_are_not_ours() {
    for path in [
        "/v1beta/models/m:noSuchThing",
        "/v1beta/models/:generateContent",
        "/v1beta/models/",
        "/v1beta/tunedModels/:generateContent",
        "/v2/models/m:generateContent",
        "/v1/chat/completions",
        "/v1/embeddings",
        "/v1beta/models/%zz:generateContent",
        "/v1beta/models/%ff:generateContent",
        "/v1beta/models/a%00b:generateContent",
        "/v1beta/models/a%0d%0ab:countTokens",
        "/v1beta/models/%c3:generateContent",
        "/v1beta/models/%",
        "/v1beta/files/..",
        "/v1beta/files/%2e%2e/models",
        "/v1beta/files/a%2f..%2fb",
        "/v1beta/files/a%5cb",
        "/v1beta/files/",
        "/v1beta/files//x",
        "/v1beta/cachedContents/%00",
        "/v1beta/filesystem",
        "/upload/v1beta/models",
        "/upload/v9/files",
        "/v1/projects/p/publishers/google/models/m:generateContent",
        "/v1/projects/p/locations/l",
        "/v1/projects/p/locations/l/endpoints/7:generateContent",
        "/v1/publishers/anthropic/models/m:streamRawPredict",
        "",
        "/",
        "/v1beta",
        "v1beta/models/m:generateContent",
    ] {
        assert_eq!(GenerateContent.endpoint("POST", path), None, "{path}");
    }
}

#[test]
fn paths_we_write_are_paths_we_read() {
    for model in ["gemini-2.5-flash", "a/b", "../../x", "a b?c#d%", "p:m", "é", "tunedModels/t", "tunedModels/a/../b"]
    {
        for delivery in [Delivery::Whole, Delivery::Streamed, Delivery::StreamedArray] {
            let path = GenerateContent.path("/v1beta", model, delivery);
            let found = found("POST", &path);
            assert_eq!((found.model.as_deref(), found.delivery), (Some(model), Some(delivery)), "{path}");
            assert_eq!(path.matches('/').count(), 3, "{path}");
        }
    }
    assert_eq!(GenerateContent.path("/v1", "models/m", Delivery::Whole), "/v1/models/m:generateContent");
}

#[test]
fn recorded_paths_are_found() {
    let mut own = 0;
    for recording in recordings() {
        let request = &recording.json["request"];
        let (Some(path), Some(method)) = (request["path"].as_str(), request["method"].as_str()) else { continue };
        let query = request["query"].as_str().unwrap_or_default();
        // Two recorders kept the path of the proxy before the API.
        let below = path.find("/v1").map_or(path, |start| &path[start..]);
        let endpoint = found(method, &format!("{below}?{query}"));
        let streamed = endpoint.delivery != Some(Delivery::Whole);
        assert_eq!(Some(streamed), recording.json["stream"].as_bool(), "{path}");
        own += 1;
    }
    println!("{own} recorded paths found");
}

proptest! {
    #[test]
    fn no_path_makes_it_panic_or_leave_its_place(
        head in prop_oneof![Just("/v1beta/"), Just("/v1/projects/p/locations/l/"), Just("/upload/v1beta/"), Just("/")],
        place in prop_oneof![Just("models/"), Just("files/"), Just("publishers/google/models/"), Just("tunedModels/"), Just("")],
        rest in "[a-z./%:?2ef0\\\\é]{0,16}",
        verb in prop_oneof![Just(""), Just(":generateContent"), Just(":countTokens"), Just(":x")],
        method in prop_oneof![Just("GET"), Just("POST"), Just("DELETE")],
    ) {
        let path = format!("{head}{place}{rest}{verb}");
        if let Some(Ok(endpoint)) = GenerateContent.endpoint(method, &path) {
            if endpoint.operation != Operation::Models {
                // A segment that climbs, or hides that it does, would ask the provider for something else.
                let climbs = |segment: &str| {
                    crate::percent::decoded(segment).is_none_or(|name| name == "." || name == ".." || name.contains('/'))
                };
                prop_assert!(!endpoint.rest.split('/').skip(1).any(climbs), "{}", endpoint.rest);
            }
            prop_assert!(endpoint.model.is_none_or(|model| !model.is_empty() && !model.chars().any(char::is_control)));
        }
    }
}
