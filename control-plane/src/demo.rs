//! The built-in provider: answers when nobody else can, so that a first request works on a machine without network.
//!
//! It is no model and says so in every answer. It speaks chat completions, whole and streamed, on a port of its own; the
//! gateway treats it like any other provider.

use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What stands before its endpoints.
pub const PREFIX: &str = "/v1";

/// Starts it on a free port of `ip`; it serves as long as the process lives.
pub async fn start(ip: IpAddr) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((ip, 0)).await.with_context(|| format!("the demo can't listen on {ip}"))?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/v1/chat/completions", post(answer));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!("the demo ended: {error}");
        }
    });
    Ok(address)
}

async fn answer(body: Bytes) -> Response {
    match serde_json::from_slice::<Value>(&body) {
        Ok(request) if request["messages"].is_array() => match request["stream"].as_bool() {
            Some(true) => ([(header::CONTENT_TYPE, "text/event-stream")], streamed(&request)).into_response(),
            _ => ([(header::CONTENT_TYPE, "application/json")], whole(&request).to_string()).into_response(),
        },
        _ => {
            let error = json!({ "error": { "message": "This is no chat completions request.", "type": "invalid_request_error", "param": null, "code": null } });
            (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], error.to_string()).into_response()
        }
    }
}

/// The text of the last thing the user said.
fn question(request: &Value) -> String {
    let mut messages = request["messages"].as_array().into_iter().flatten();
    let Some(last) = messages.rfind(|message| message["role"] == "user") else { return String::new() };
    match &last["content"] {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        content => content.as_str().unwrap_or_default().to_string(),
    }
}

fn text(request: &Value) -> String {
    let length = question(request).chars().count();
    format!(
        "This is Dragoman's built-in demo, not a model. The gateway works: your question of {length} characters came \
         through. Put a provider's key into the environment (the README lists them), or start a local server on \
         127.0.0.1:11434, and start Dragoman again to be answered by a model."
    )
}

/// Words, for want of tokens: there is no model and so no tokeniser.
fn usage(request: &Value) -> Value {
    let count = |text: &str| text.split_whitespace().count();
    let (asked, answered) = (count(&question(request)), count(&text(request)));
    json!({ "prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered })
}

fn envelope(request: &Value, object: &str) -> Value {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let model = request["model"].as_str().unwrap_or("demo");
    json!({ "id": format!("chatcmpl-demo-{created}"), "object": object, "created": created, "model": model })
}

fn with(mut envelope: Value, members: Value) -> Value {
    if let (Some(to), Value::Object(from)) = (envelope.as_object_mut(), members) {
        to.extend(from);
    }
    envelope
}

fn whole(request: &Value) -> Value {
    let message = json!({ "role": "assistant", "content": text(request) });
    let choices = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
    with(envelope(request, "chat.completion"), json!({ "choices": choices, "usage": usage(request) }))
}

fn streamed(request: &Value) -> String {
    let with_usage = request["stream_options"]["include_usage"] == true;
    let chunk = |delta: Value, finish: Value| {
        let choices = json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
        let members =
            if with_usage { json!({ "choices": choices, "usage": null }) } else { json!({ "choices": choices }) };
        with(envelope(request, "chat.completion.chunk"), members)
    };
    let mut chunks = vec![chunk(json!({ "role": "assistant", "content": "" }), Value::Null)];
    chunks.extend(text(request).split_inclusive(' ').map(|word| chunk(json!({ "content": word }), Value::Null)));
    chunks.push(chunk(json!({}), json!("stop")));
    if with_usage {
        let members = json!({ "choices": [], "usage": usage(request) });
        chunks.push(with(envelope(request, "chat.completion.chunk"), members));
    }
    let events = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    events.chain(["data: [DONE]\n\n".to_string()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(stream: bool) -> Value {
        json!({ "model": "m", "stream": stream, "stream_options": { "include_usage": true }, "messages": [
            { "role": "user", "content": "first" },
            { "role": "assistant", "content": "x" },
            { "role": "user", "content": [{ "type": "text", "text": "héllo you" }] },
        ]})
    }

    #[test]
    fn it_says_what_it_is_and_how_long_the_question_was() {
        let answer = whole(&request(false));
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.contains("demo, not a model") && text.contains("9 characters"), "{text}");
    }

    #[test]
    fn streamed_it_says_the_same() {
        let stream = streamed(&request(true));
        let data: Vec<&str> = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
        assert_eq!(data.last(), Some(&"[DONE]"));
        let chunks: Vec<Value> =
            data[..data.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
        let said: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(said, text(&request(true)));
        assert_eq!(chunks.last().unwrap()["usage"], usage(&request(true)));
    }
}
