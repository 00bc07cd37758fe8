//! Where clients ask.

use super::*;
use crate::catalog::Operation;

fn at(method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>> {
    Messages.endpoint(method, path)
}

#[test]
fn messages_are_asked_for_below_every_prefix() {
    for path in ["/v1/messages", "/v1/messages?beta=true", "/messages", "/anthropic/v1/messages?x"] {
        assert_eq!(at("POST", path), Some(Ok(Endpoint::generate(DialectId::Messages))), "{path}");
        assert_eq!(at("GET", path), Some(Err(UnknownMethod { allow: "POST" })), "{path}");
    }
    assert_eq!(Messages.path("/v1", "m", Delivery::Streamed), "/v1/messages");
}

#[test]
fn other_operations_are_known_by_path_and_method() {
    use Operation::{Batches, Complete, CountTokens, Files, Models};
    let known = [
        ("POST", "/v1/messages/count_tokens?beta=true", CountTokens, "/messages/count_tokens"),
        ("POST", "/messages/count_tokens", CountTokens, "/messages/count_tokens"),
        ("POST", "/v1/messages/batches", Batches, "/messages/batches"),
        ("GET", "/v1/messages/batches?limit=2", Batches, "/messages/batches"),
        ("GET", "/v1/messages/batches/msgbatch_1", Batches, "/messages/batches/msgbatch_1"),
        ("DELETE", "/v1/messages/batches/msgbatch_1", Batches, "/messages/batches/msgbatch_1"),
        ("GET", "/v1/messages/batches/b/results", Batches, "/messages/batches/b/results"),
        ("POST", "/anthropic/v1/messages/batches/b/cancel", Batches, "/messages/batches/b/cancel"),
        ("POST", "/v1/files", Files, "/files"),
        ("GET", "/v1/files/file_1/content", Files, "/files/file_1/content"),
        ("DELETE", "/v1/files/file_1", Files, "/files/file_1"),
        ("POST", "/v1/complete", Complete, "/complete"),
        ("GET", "/v1/models", Models, ""),
        ("GET", "/v1/models?limit=1000", Models, ""),
        ("GET", "/anthropic/v1/models/available", Models, "available"),
        ("GET", "/v1/models/provider/model%20one", Models, "provider/model one"),
    ];
    for (method, path, operation, rest) in known {
        assert_eq!(at(method, path), Some(Ok(Endpoint::of(DialectId::Messages, operation, rest))), "{method} {path}");
    }
    let wrong = [
        ("GET", "/v1/messages/count_tokens", "POST"),
        ("PUT", "/v1/messages/batches", "GET, POST"),
        ("POST", "/v1/messages/batches/b", "GET, DELETE"),
        ("GET", "/v1/messages/batches/b/cancel", "POST"),
        ("DELETE", "/v1/files/f/content", "GET"),
        ("POST", "/v1/models/m", "GET"),
        ("get", "/v1/models", "GET"),
    ];
    for (method, path, allow) in wrong {
        assert_eq!(at(method, path), Some(Err(UnknownMethod { allow })), "{method} {path}");
    }
}

#[test]
fn a_clouds_path_says_the_model_and_how_the_answer_comes() {
    let place = "projects/p/locations/l/publishers/x/models";
    let generate = |delivery| {
        let (model, delivery) = (Some("m-4@2025".to_string()), Some(delivery));
        Some(Ok(Endpoint { model, delivery, ..Endpoint::generate(DialectId::Messages) }))
    };
    assert_eq!(at("POST", &format!("/v1/{place}/m-4@2025:rawPredict")), generate(Delivery::Whole));
    assert_eq!(at("POST", &format!("/{place}/m-4%402025:streamRawPredict?x")), generate(Delivery::Streamed));
    let count = Endpoint::of(DialectId::Messages, Operation::CountTokens, "/messages/count_tokens");
    assert_eq!(at("POST", &format!("/v1/{place}/count-tokens:rawPredict")), Some(Ok(count)));
    assert_eq!(at("GET", &format!("/v1/{place}/m:rawPredict")), Some(Err(UnknownMethod { allow: "POST" })));
    for hostile in ["m:predict", "m:generateContent", ":rawPredict", "rawPredict", "a%0ab:rawPredict", "a/b:rawPredict"]
    {
        assert_eq!(at("POST", &format!("/v1/{place}/{hostile}")), None, "{hostile}");
    }
}

#[test]
fn hostile_and_foreign_paths_are_not_its_own() {
    let long = format!("/v1/files/{}", "a".repeat(300));
    let paths = [
        "",
        "/",
        "v1/messages",
        "/v1",
        "/v1/",
        "/v1/message",
        "/v1/messages/",
        "//v1/messages",
        "/v1//messages",
        "/v1/messages/x",
        "/v1beta/messages",
        "/v2/messages",
        "/files",
        "/models",
        "/complete",
        "/v1/messagesbatches",
        "/v1/messages/batches/",
        "/v1/messages/batches/..",
        "/v1/messages/batches/../x",
        "/v1/messages/batches/%2e%2e",
        "/v1/files/.",
        "/v1/files/a%2Fb",
        "/v1/files/a b",
        "/v1/files/é",
        "/v1/files/a/content/x",
        "/v1/messages/batches/b/delete",
        "/v1/models/",
        "/v1/models/a%0d%0ab",
        "/v1/models/%zz",
        "/v1/models/%ff",
        "/v1/modelsx",
        "/v1/chat/completions",
        long.as_str(),
    ];
    for path in paths {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(at(method, path), None, "{method} {path}");
        }
    }
}

#[test]
fn a_model_may_stand_in_the_path_instead_of_the_body() {
    let body = Json::parse(br#"{"anthropic_version":"x","messages":[{"role":"user","content":"a"}]}"#).unwrap();
    assert_eq!(read(body.as_str()).map(|_| ()).unwrap_err(), ReadError::new("model", "is missing"));
    let (model, delivery) = (Some("m".to_string()), Some(Delivery::Streamed));
    let endpoint = Endpoint { model, delivery, ..Endpoint::generate(DialectId::Messages) };
    let request = Messages.read_request(&endpoint, body).unwrap();
    assert!(request.model.is_empty());
    assert_eq!(request.delivery, Delivery::Streamed);
}
