//! Paths and models.

use super::*;
use crate::catalog::Operation;
use crate::dialect::Listed;

#[test]
fn paths_are_known_with_their_methods() {
    let rest_of = |method: &str, path: &str| {
        let endpoint = Responses.endpoint(method, path)?.ok()?;
        Some((endpoint.operation, endpoint.rest))
    };
    for path in ["/v1/responses", "/responses", "/openai/v1/responses", "/v1/responses?x=1"] {
        assert_eq!(rest_of("POST", path), Some((Operation::Generate, String::new())), "{path}");
    }
    let relayed = [
        ("POST", "/v1/responses/input_tokens", Operation::CountTokens, "/responses/input_tokens"),
        ("POST", "/responses/compact", Operation::Stored, "/responses/compact"),
        ("GET", "/v1/responses/resp_1?stream=true", Operation::Stored, "/responses/resp_1"),
        ("DELETE", "/openai/v1/responses/resp_1", Operation::Stored, "/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel", Operation::Stored, "/responses/resp_1/cancel"),
        ("GET", "/v1/responses/resp_1/input_items", Operation::Stored, "/responses/resp_1/input_items"),
    ];
    for (method, path, operation, rest) in relayed {
        assert_eq!(rest_of(method, path), Some((operation, rest.to_string())), "{path}");
    }
}

#[test]
fn other_paths_are_not_its_own_and_other_methods_are_named() {
    for path in
        ["/v1/responsesX", "/v1/responses/", "/v1/responses//cancel", "/v1/responses/a/b", "/v1/chat/completions"]
    {
        assert_eq!(Responses.endpoint("POST", path), None, "{path}");
    }
    let allow = |method: &str, path: &str| Responses.endpoint(method, path).unwrap().unwrap_err().allow;
    assert_eq!(allow("GET", "/v1/responses"), "POST");
    assert_eq!(allow("POST", "/v1/responses/resp_1"), "GET, DELETE");
    assert_eq!(allow("GET", "/v1/responses/resp_1/cancel"), "POST");
}

#[test]
fn models_are_listed_as_clients_of_this_dialect_expect() {
    let abilities = crate::catalog::Abilities::TOOLS;
    let model = Listed { name: "m", owner: "p", context_window: 9, output_limit: 0, abilities };
    let (mut list, mut one) = (crate::json::Writer::new(), crate::json::Writer::new());
    Responses.write_models(&[model], &mut list);
    Responses.write_model(&model, &mut one);
    let (list, one) = (value(list.as_str()), value(one.as_str()));
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0], one);
    assert_eq!((&one["id"], &one["context_window"]), (&"m".into(), &9.into()));
    assert_eq!(one.get("max_output_tokens"), None);
}

#[test]
fn an_event_that_ends_a_stream_is_told_with_and_without_its_name() {
    let data = r#"{"type":"response.completed","response":{}}"#;
    assert!(Responses.is_end("response.completed", data) && Responses.is_end("", data));
    assert!(Responses.is_end("", r#"{"type":"response.failed"}"#));
    let words = r#"{"type":"response.output_text.delta","delta":"response.completed"}"#;
    assert!(!Responses.is_end("", words) && !Responses.is_end("response.output_text.delta", words));
    assert_eq!(Responses.path("/v1", "m", Delivery::Streamed), "/v1/responses");
}
