use serde_json::json;

use super::*;

/// (name, window, output, abilities that it lacks; `None` where nothing is known).
type Expected<'e> = (&'e str, Option<u64>, Option<u64>, Option<&'e [&'e str]>);

fn check(body: &str, expected: &[Expected<'_>]) -> Listing {
    let listing = read(body.as_bytes()).unwrap();
    let lacking = |abilities: Abilities| Abilities::ALL.without(abilities).names().collect::<Vec<_>>();
    let found: Vec<_> = listing
        .models
        .iter()
        .map(|model| (model.name.as_str(), model.context_window, model.output_limit, model.abilities.map(lacking)))
        .collect();
    let expected: Vec<_> = expected.iter().map(|one| (one.0, one.1, one.2, one.3.map(<[_]>::to_vec))).collect();
    assert_eq!(found, expected);
    assert_eq!(listing.extent, Extent::Whole);
    listing
}

fn page(parameter: &'static str, value: &str) -> Option<Page> {
    Some(Page { parameter, value: value.into() })
}

#[test]
fn the_plain_form() {
    let listing = check(
        include_str!("../fixtures/openai.json"),
        &[
            ("gpt-5-mini", None, None, None),
            ("text-embedding-3-small", None, None, None),
            ("ft:gpt-4o-mini-2024-07-18:acme::A1b2C3", None, None, None),
        ],
    );
    assert_eq!((listing.skipped, listing.idle, listing.next), (2, 0, None));
}

#[test]
fn a_list_that_goes_on_after_an_id() {
    let listing = check(
        include_str!("../fixtures/anthropic.json"),
        &[
            ("claude-sonnet-4-5-20250929", None, None, None),
            ("claude-opus-4-6", Some(200_000), Some(128_000), Some(&["json_schema"])),
        ],
    );
    assert_eq!(listing.next, page("after_id", "claude-opus-4-6"));
}

#[test]
fn names_that_are_paths_of_resources() {
    let listing = check(
        include_str!("../fixtures/gemini.json"),
        &[
            ("gemini-2.5-flash", Some(1_048_576), Some(65_536), Some(&[])),
            ("gemini-2.0-flash-lite", Some(1_048_576), Some(8192), None),
            ("text-embedding-004", Some(2048), Some(1), None),
        ],
    );
    assert_eq!((listing.next, listing.idle), (page("pageToken", "Ch9tb2RlbHMvZ2VtaW5pLTIuMA=="), 1));
}

#[test]
fn a_model_that_rests_is_left_out() {
    let listing = check(
        include_str!("../fixtures/groq.json"),
        &[
            ("llama-3.3-70b-versatile", Some(131_072), Some(32_768), None),
            ("whisper-large-v3", Some(448), Some(448), None),
            ("openai/gpt-oss-120b", Some(131_072), Some(65_536), None),
        ],
    );
    assert_eq!((listing.skipped, listing.idle), (0, 1));
}

#[test]
fn a_table_of_capabilities() {
    let listing = check(
        include_str!("../fixtures/mistral.json"),
        &[
            ("mistral-medium-2508", Some(131_072), None, Some(&[])),
            ("mistral-embed", Some(8192), None, Some(&["tools", "images", "audio"])),
        ],
    );
    assert_eq!(listing.idle, 1);
}

#[test]
fn a_list_without_anything_around_it() {
    check(
        include_str!("../fixtures/together.json"),
        &[
            ("meta-llama/Llama-3.3-70B-Instruct-Turbo", Some(131_072), None, None),
            ("black-forest-labs/FLUX.1-schnell", None, None, None),
        ],
    );
}

#[test]
fn uses_and_features() {
    let listing = check(
        include_str!("../fixtures/cohere.json"),
        &[
            ("command-a-03-2025", Some(288_000), None, Some(&["images"])),
            ("command-a-vision-07-2025", Some(128_000), None, Some(&["tools"])),
            ("embed-v4.0", Some(8192), None, Some(&[])),
        ],
    );
    assert_eq!((listing.next, listing.idle), (page("page_token", "cGFnZS0y"), 1));
}

#[test]
fn parameters_and_modalities_and_no_price() {
    check(
        include_str!("../fixtures/openrouter.json"),
        &[
            ("openai/gpt-4o", Some(128_000), Some(16_384), Some(&["audio", "video", "thinking"])),
            (
                "deepseek/deepseek-r1:free",
                Some(163_840),
                None,
                Some(&["tools", "json_schema", "images", "audio", "video", "documents"]),
            ),
        ],
    );
}

#[test]
fn a_server_of_ones_own_that_only_names_its_models() {
    check(
        include_str!("../fixtures/ollama.json"),
        &[("llama3.2:latest", None, None, None), ("hf.co/bartowski/Qwen2.5-7B-GGUF:Q4_K_M", None, None, None)],
    );
}

#[test]
fn a_server_of_ones_own_that_says_its_limit() {
    check(
        include_str!("../fixtures/vllm.json"),
        &[("Qwen/Qwen2.5-7B-Instruct", Some(32_768), None, None), ("sql-lora", None, None, None)],
    );
}

#[test]
fn what_is_no_list_is_told() {
    for wrong in ["", "<html>", "1", "{}", r#"{"data":{}}"#, r#"{"error":{"message":"no"}}"#, r#"[{"x":1},2,null,[]]"#]
    {
        assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(read(&vec![b' '; MAX_BODY + 1]).unwrap_err().contains("8 MiB"));
    assert!(read("[".repeat(100_000).as_bytes()).is_err());
    assert_eq!(read(b"[]").unwrap(), Listing::default());
}

#[test]
fn bad_entries_spoil_nothing_but_themselves() {
    let body = json!({ "data": [
        "plain-name", 1, null, { "id": 7 }, { "id": "" }, { "id": "a b" }, { "id": "a\r\nx: y" }, { "id": "é" },
        { "id": "x".repeat(MAX_MODEL_NAME + 1) }, { "id": "a//b" }, { "id": "a?b" }, { "id": "%2e%2e" },
        { "id": "twice", "context_window": 1.5 }, { "id": "twice", "context_window": 7 },
        { "id": "odd", "context_window": -1, "context_length": "9", "max_model_len": 4096.0, "max_completion_tokens": 1e30,
          "capabilities": "all", "architecture": [], "top_provider": 1, "supported_parameters": null },
    ] });
    let listing = read(body.to_string().as_bytes()).unwrap();
    let names: Vec<_> = listing.models.iter().map(|model| (model.name.as_str(), model.context_window)).collect();
    assert_eq!(names, [("plain-name", None), ("twice", None), ("odd", Some(4096))]);
    assert_eq!(listing.models[2].output_limit, None);
    assert_eq!(listing.skipped, 11);
}

#[test]
fn more_models_than_anybody_has_are_cut() {
    let list: Vec<_> = (0..MAX_MODELS + 5).map(|n| json!({ "id": format!("m{n}") })).collect();
    let listing = read(json!(list).to_string().as_bytes()).unwrap();
    assert_eq!((listing.models.len(), listing.extent), (MAX_MODELS, Extent::Cut));
}

#[test]
fn a_mark_that_no_address_holds_ends_the_list() {
    let end = |body: serde_json::Value| {
        let listing = read(body.to_string().as_bytes()).unwrap();
        (listing.next, listing.extent)
    };
    for mark in ["a b", "a\nb", &"x".repeat(MAX_MARK + 1)] {
        assert_eq!(end(json!({ "models": [], "nextPageToken": mark })), (None, Extent::Cut), "{mark}");
    }
    assert_eq!(end(json!({ "models": [], "nextPageToken": "" })), (None, Extent::Whole));
    assert_eq!(end(json!({ "data": [], "has_more": false, "last_id": "x" })), (None, Extent::Whole));
}
