//! The paths of this dialect, honest and hostile.

use super::*;
use crate::catalog::Operation;

fn find(method: &str, path: &str) -> Option<Result<Endpoint, &'static str>> {
    ChatCompletions.endpoint(method, path).map(|found| found.map_err(|unknown| unknown.allow))
}

fn found(method: &str, path: &str) -> Endpoint {
    find(method, path).unwrap_or_else(|| panic!("{method} {path}")).unwrap_or_else(|_| panic!("{method} {path}"))
}

#[test]
fn an_answer_is_asked_for_below_every_prefix() {
    for path in ["/v1/chat/completions", "/chat/completions", "/openai/v1/chat/completions", "/v1/chat/completions?x=1"]
    {
        assert_eq!(found("POST", path), Endpoint::generate(DialectId::ChatCompletions), "{path}");
        assert_eq!(find("GET", path), Some(Err("POST")), "{path}");
    }
    assert_eq!(ChatCompletions.path("/openai/v1", "m", Delivery::Streamed), "/openai/v1/chat/completions");
}

#[test]
fn a_deployment_is_the_model() {
    let endpoint = found("POST", "/openai/deployments/gpt%2D4o/chat/completions?api-version=2024-10-21");
    assert_eq!((endpoint.operation, endpoint.model.as_deref()), (Operation::Generate, Some("gpt-4o")));
    let request = ChatCompletions.read_request(&endpoint, json(r#"{"messages":[]}"#)).unwrap();
    assert!(request.model.is_empty(), "the path says it");
    let both = ChatCompletions.read_request(&endpoint, json(r#"{"model":"x","messages":[]}"#)).unwrap();
    assert!(both.model.is_empty(), "the path counts");
    assert_eq!(write(&both, "m").body, r#"{"model":"m","messages":[]}"#);
    for (below, operation) in [
        ("embeddings", Operation::Embed),
        ("completions", Operation::Complete),
        ("images/generations", Operation::Images),
        ("audio/transcriptions", Operation::Transcribe),
    ] {
        let endpoint = found("POST", &format!("/openai/deployments/a/{below}"));
        assert_eq!((endpoint.operation, endpoint.model.as_deref()), (operation, Some("a")));
        assert_eq!(endpoint.rest, format!("/{below}"));
    }
}

#[test]
fn what_is_relayed_has_its_path() {
    let cases = [
        ("POST", "/embeddings", Operation::Embed),
        ("POST", "/completions", Operation::Complete),
        ("POST", "/images/generations", Operation::Images),
        ("POST", "/images/edits", Operation::Images),
        ("POST", "/images/variations", Operation::Images),
        ("POST", "/audio/speech", Operation::Speech),
        ("POST", "/audio/transcriptions", Operation::Transcribe),
        ("POST", "/audio/translations", Operation::Transcribe),
        ("POST", "/moderations", Operation::Moderate),
        ("POST", "/rerank", Operation::Rerank),
        ("GET", "/files", Operation::Files),
        ("POST", "/files", Operation::Files),
        ("GET", "/files/file-1", Operation::Files),
        ("DELETE", "/files/file-1", Operation::Files),
        ("GET", "/files/file-1/content", Operation::Files),
        ("POST", "/batches", Operation::Batches),
        ("GET", "/batches", Operation::Batches),
        ("GET", "/batches/b_1", Operation::Batches),
        ("POST", "/batches/b_1/cancel", Operation::Batches),
    ];
    for (method, below, operation) in cases {
        for prefix in ["", "/v1", "/openai/v1"] {
            let endpoint = found(method, &format!("{prefix}{below}?after=x"));
            assert_eq!((endpoint.operation, endpoint.rest.as_str()), (operation, below), "{prefix}{below}");
            assert_eq!((endpoint.model, endpoint.delivery), (None, None));
            assert!(matches!(find("PATCH", &format!("{prefix}{below}")), Some(Err(_))), "{prefix}{below}");
        }
    }
    assert_eq!(found("POST", "/v2/rerank").rest, "/rerank");
    assert_eq!(find("DELETE", "/v1/files"), Some(Err("GET, POST")));
}

#[test]
fn models_are_listed_and_found_by_ids_with_slashes() {
    for (path, rest) in [
        ("/v1/models", ""),
        ("/openai/v1/models", ""),
        ("/models/available", "available"),
        ("/v1/models/openai/gpt-5", "openai/gpt-5"),
        ("/v1/models/openai%2Fgpt-5", "openai/gpt-5"),
        ("/v1/models/ft:a:b::c", "ft:a:b::c"),
        ("/v1/models/models/x", "models/x"),
    ] {
        let endpoint = found("GET", path);
        assert_eq!((endpoint.operation, endpoint.rest.as_str()), (Operation::Models, rest), "{path}");
    }
    assert_eq!(find("POST", "/v1/models"), Some(Err("GET")));
    assert_eq!(find("POST", "/v1/models/g:generateContent"), None, "another dialect's");
}

#[test]
fn no_other_path_is_its() {
    for path in [
        "/",
        "",
        "/v1",
        "/v1/messages",
        "/v1/chat/completions/",
        "/x/v1/chat/completions",
        "/v1/v1/chat/completions",
        "/openai/deployments//chat/completions",
        "/openai/deployments/../chat/completions",
        "/openai/deployments/%2e%2e/chat/completions",
        "/openai/deployments/a%00/chat/completions",
        "/openai/deployments/a%zz/chat/completions",
        "/openai/deployments/a/b/chat/completions",
        "/v1/files/",
        "/v1/files/..",
        "/v1/files/%2e%2e",
        "/v1/files/a%2F..%2Fb",
        "/v1/files/a/b",
        "/v1/files/a/content/b",
        "/v1/batches/a/results",
        "/v1/models/",
        "/v1/models/../keys",
        "/v1/models/a//b",
        "/v1/models/a%0Ab",
        "/v1/models/%ff",
        "/v1/modelsx",
    ] {
        assert_eq!(find("GET", path), None, "{path}");
        assert_eq!(find("POST", path), None, "{path}");
    }
    assert_eq!(found("GET", "/v1/files/a%3Fb%23c").rest, "/files/a%3Fb%23c", "encoded anew");
}
