//! Which members of a request the answer does not depend on.
//!
//! A member that the other dialect has no word for is lost in any case; the question is whether that matters. Labels, keys of
//! caches, billing and routing wishes, ids of items, levels of detail and what is reported besides the answer change nothing
//! about what the model is asked: without them the same question is asked. So are members that say nothing (`false`, `[]`,
//! `{}`, an empty text), and ones that ask for words, which everybody gives. What is in no list may be what the request is
//! about.
//!
//! The names are those of all dialects together: nobody has such a name for something that matters.

use crate::json::{Json, Kind};

/// Wherever they stand.
const ANYWHERE: [&str; 50] = [
    // Who asks, and what is kept of it.
    "client_metadata",
    "labels",
    "metadata",
    "requestMetadata",
    "request_id",
    "safety_identifier",
    "session_id",
    "store",
    "user",
    // How it is served, billed and remembered to be quicker.
    "cachePoint",
    "cache_control",
    "inference_geo",
    "performanceConfig",
    "prediction",
    "prompt_cache_breakpoint",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "serviceTier",
    "service_tier",
    "speed",
    // Whom else to ask, which is the gateway's business here.
    "models",
    "provider",
    "route",
    "transforms",
    // What is reported besides the answer, and how it is wrapped.
    "additionalModelResponseFieldPaths",
    "include",
    "include_obfuscation",
    "include_reasoning",
    "obfuscation",
    "stream_options",
    "usage",
    // How a conversation too long is cut, and who decides on safety: the provider's own rules hold.
    "context_management",
    "safePrompt",
    "safetySettings",
    "safety_mode",
    "safety_settings",
    "safe_prompt",
    "truncation",
    // How closely media are looked at, and how much is said.
    "detail",
    "mediaResolution",
    "media_resolution",
    "verbosity",
    "videoMetadata",
    "video_metadata",
    // What helps to describe a tool.
    "defer_loading",
    "eager_input_streaming",
    "input_examples",
    "allowed_callers",
    "strict",
];

/// Within turns, parts and tools only: at the top they mean something else.
const WITHIN: [&str; 30] = [
    "annotations",
    "behavior",
    "caller",
    "citations",
    "description",
    "displayName",
    "enableEnhancedCivicAnswers",
    "filename",
    "id",
    "index",
    "logprobs",
    "name",
    "object",
    "partMetadata",
    "part_metadata",
    "phase",
    "prefix",
    "reasoning_content",
    "reasoning_details",
    "response",
    "responseJsonSchema",
    "status",
    "summary",
    "text",
    "thought",
    "title",
    "top_logprobs",
    "type",
    "willContinue",
    "context",
];

/// How members end that say which version of its API a client speaks to a cloud.
const VERSIONS: [&str; 2] = ["_beta", "_version"];

/// Members that say which kinds of answer are wanted.
const MODALITIES: [&str; 3] = ["modalities", "responseModalities", "response_modalities"];

/// Whether the same question is asked without a member of that name below `place` (empty for the top level). A name with dots
/// is that of a member further down.
pub(super) fn is_harmless(place: &str, name: &str, value: Json<'_>) -> bool {
    let (within, name) = name.rsplit_once('.').map_or((!place.is_empty(), name), |(_, last)| (true, last));
    ANYWHERE.contains(&name)
        || VERSIONS.iter().any(|ending| name.ends_with(ending))
        || (within && WITHIN.contains(&name))
        || (MODALITIES.contains(&name) && asks_for_words(value))
        || says_nothing(value)
}

fn says_nothing(value: Json<'_>) -> bool {
    match value.kind() {
        Kind::Null => true,
        Kind::Bool => value.bool() == Some(false),
        Kind::Array => value.items().next().is_none(),
        Kind::Object => value.members().next().is_none(),
        Kind::String => value.text().is_some_and(|text| text.is_empty()),
        Kind::Number => false,
    }
}

fn asks_for_words(value: Json<'_>) -> bool {
    value.items().all(|item| item.text().is_some_and(|word| word.decode().eq_ignore_ascii_case("text")))
}
