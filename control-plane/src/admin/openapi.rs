//! The description of the API, made of the very endpoints that are served.

use serde_json::{Map, Value, json};

use super::api::{Api, Endpoint, Verb};
use super::policy::Policy;

/// The document, OpenAPI 3.1.
pub fn document(api: &Api) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in &api.endpoints {
        let path = paths.entry(endpoint.path.clone()).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(endpoint.verb.name().to_string(), operation(endpoint));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dragoman admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
            "description": "What operators of an LLM gateway inside Envoy do: providers, models, prices, routes, accounts, keys, Records.",
        },
        "paths": paths,
        "components": {
            "schemas": api.components.all(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut operation = json!({
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": parameters(endpoint),
        "responses": responses(endpoint),
        "x-roles": endpoint.policy.roles().iter().map(|role| role.name()).collect::<Vec<_>>(),
    });
    if let Some(members) = operation.as_object_mut() {
        if endpoint.policy != Policy::Open {
            members.insert("security".into(), json!([{ "token": [] }]));
        }
        if let Some(schema) = &endpoint.request {
            let kind = schema["contentMediaType"].as_str().unwrap_or("application/json");
            let content = json!({ kind: { "schema": schema } });
            members.insert("requestBody".into(), json!({ "required": true, "content": content }));
        }
    }
    operation
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let names = endpoint.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let path = names.map(|name| {
        // What stands in a path segment is never empty.
        let schema = match name {
            "version" => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            _ => json!({ "type": "string", "minLength": 1, "maxLength": super::body::MAX_ID }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let query = endpoint.query.iter().map(|(name, schema, meaning)| {
        json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": meaning })
    });
    let repeat = (
        super::repeat::HEADER,
        "^[!-~]{1,255}$",
        "The same key and request again is answered as the first time, for a day.",
    );
    let headers = endpoint.headers.iter().chain((endpoint.verb != Verb::Get).then_some(&repeat));
    let headers = headers.map(|&(name, pattern, meaning)| {
        let schema = match pattern {
            "" => json!({ "type": "string" }),
            pattern => json!({ "type": "string", "minLength": 1, "pattern": pattern }),
        };
        json!({ "name": name, "in": "header", "required": false, "schema": schema, "description": meaning })
    });
    path.chain(query).chain(headers).collect()
}

fn responses(endpoint: &Endpoint) -> Value {
    let mut responses = Map::new();
    for (status, schema) in &endpoint.answers {
        let answer = responses.entry(status.to_string()).or_insert_with(|| json!({ "description": "Done." }));
        if let (Some(members), Some(schema)) = (answer.as_object_mut(), schema) {
            let kind = schema["contentMediaType"].as_str().unwrap_or("application/json");
            // One status may be answered in several forms.
            let content = members.entry("content").or_insert_with(|| json!({}));
            if let Some(content) = content.as_object_mut() {
                content.insert(kind.to_string(), json!({ "schema": schema }));
            }
        }
    }
    let body = [413, 415, 422];
    let usual = [400, 503].into_iter().chain(if endpoint.policy == Policy::Open { vec![] } else { vec![401, 403] });
    let more = if endpoint.request.is_some() { &body[..] } else { &[] };
    let repeated: &[u16] = if endpoint.verb == Verb::Get { &[] } else { &[409, 413, 422] };
    for status in usual.chain(more.iter().chain(repeated).chain(&endpoint.problems).copied()) {
        let problem = json!({ "$ref": "#/components/schemas/Problem" });
        let content = json!({ "application/problem+json": { "schema": problem } });
        responses.insert(status.to_string(), json!({ "description": "A problem.", "content": content }));
    }
    Value::Object(responses)
}
