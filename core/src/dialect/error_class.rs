//! What class an error is of: its words decide first, then its status, then its sentence.
//!
//! Words that mean "later", "pay", "too long" or "not this" say more than a status: servers give 400 for a missing model, 429 for
//! an empty account and 500 for a prompt that does not fit. A sentence is looked into only where nothing better was said, as
//! every server has sentences of its own and changes them.
//!
//! Chat completions and responses come from the same servers and share the words: hence one table.
//!
//! Sources: the vendors' error pages, servers' source code (vLLM, llama.cpp), and recordings.

use crate::hub::event::ErrorClass;
use crate::json::Json;
use crate::refusal::class_of_status;

/// What an error says of itself.
pub(super) struct Said<'e> {
    /// The HTTP status, or 0.
    pub(super) status: u16,
    /// Codes and types, the most telling first.
    pub(super) words: &'e [&'e str],
    /// The sentence, and what an upstream server said.
    pub(super) sentences: &'e [&'e str],
}

/// Words and their classes. Those before [`WEAK`] count more than the status.
const WORDS: [(&str, ErrorClass); 70] = [
    ("context_length_exceeded", ErrorClass::ContextTooLong),
    ("exceed_context_size_error", ErrorClass::ContextTooLong),
    ("context_window_exceeded", ErrorClass::ContextTooLong),
    ("model_max_prompt_tokens_exceeded", ErrorClass::ContextTooLong),
    ("tokens_limit_reached", ErrorClass::ContextTooLong),
    ("string_above_max_length", ErrorClass::ContextTooLong),
    ("content_filter", ErrorClass::ContentPolicy),
    ("content_policy_violation", ErrorClass::ContentPolicy),
    ("content_policy", ErrorClass::ContentPolicy),
    ("responsibleaipolicyviolation", ErrorClass::ContentPolicy),
    ("data_inspection_failed", ErrorClass::ContentPolicy),
    ("moderation_blocked", ErrorClass::ContentPolicy),
    ("image_content_policy_violation", ErrorClass::ContentPolicy),
    ("bio_policy", ErrorClass::ContentPolicy),
    ("cyber_policy", ErrorClass::ContentPolicy),
    ("misalignment_policy_violation", ErrorClass::ContentPolicy),
    ("insufficient_quota", ErrorClass::QuotaExhausted),
    ("billing_hard_limit_reached", ErrorClass::QuotaExhausted),
    ("billing_not_active", ErrorClass::QuotaExhausted),
    ("insufficient_balance", ErrorClass::QuotaExhausted),
    ("insufficient_credits", ErrorClass::QuotaExhausted),
    ("quota_exceeded", ErrorClass::QuotaExhausted),
    ("payment_required", ErrorClass::QuotaExhausted),
    ("usage_limit_reached", ErrorClass::QuotaExhausted),
    ("rate_limit_exceeded", ErrorClass::RateLimited),
    ("rate_limit_error", ErrorClass::RateLimited),
    ("rate_limited", ErrorClass::RateLimited),
    ("rate_limit", ErrorClass::RateLimited),
    ("requests", ErrorClass::RateLimited),
    ("tokens", ErrorClass::RateLimited),
    ("too_many_requests", ErrorClass::RateLimited),
    ("resource_exhausted", ErrorClass::RateLimited),
    ("overloaded", ErrorClass::Overloaded),
    ("overloaded_error", ErrorClass::Overloaded),
    ("engine_overloaded", ErrorClass::Overloaded),
    ("engine_overloaded_error", ErrorClass::Overloaded),
    ("server_overloaded", ErrorClass::Overloaded),
    ("service_unavailable", ErrorClass::Overloaded),
    ("capacity_exceeded", ErrorClass::Overloaded),
    ("server_is_overloaded", ErrorClass::Overloaded),
    ("slow_down", ErrorClass::Overloaded),
    ("service_unavailable_error", ErrorClass::Overloaded),
    ("model_not_found", ErrorClass::NotFound),
    ("model_decommissioned", ErrorClass::NotFound),
    ("deploymentnotfound", ErrorClass::NotFound),
    ("invalid_api_key", ErrorClass::Authentication),
    // From here on: only where no status came with them.
    ("authentication_error", ErrorClass::Authentication),
    ("invalid_authentication", ErrorClass::Authentication),
    ("unauthorized", ErrorClass::Authentication),
    ("permission_error", ErrorClass::Permission),
    ("permission_denied", ErrorClass::Permission),
    ("forbidden", ErrorClass::Permission),
    ("not_found_error", ErrorClass::NotFound),
    ("not_found", ErrorClass::NotFound),
    ("timeout", ErrorClass::Timeout),
    ("timeout_error", ErrorClass::Timeout),
    ("request_timeout", ErrorClass::Timeout),
    ("request_too_large", ErrorClass::TooLarge),
    ("invalid_request_error", ErrorClass::InvalidRequest),
    ("bad_request", ErrorClass::InvalidRequest),
    ("badrequesterror", ErrorClass::InvalidRequest),
    ("tool_use_failed", ErrorClass::InvalidRequest),
    ("invalid_request", ErrorClass::InvalidRequest),
    ("validation_error", ErrorClass::InvalidRequest),
    ("token_expired", ErrorClass::Authentication),
    ("vector_store_timeout", ErrorClass::Timeout),
    ("server_error", ErrorClass::Provider),
    ("internal_error", ErrorClass::Provider),
    ("internal_server_error", ErrorClass::Provider),
    ("invalid_prompt", ErrorClass::InvalidRequest),
];

/// The first of [`WORDS`] that a status overrules.
const WEAK: &str = "authentication_error";

/// Parts of sentences, in lower case, that say more than "the request is wrong".
const SENTENCES: [(&str, ErrorClass); 30] = [
    ("maximum context length", ErrorClass::ContextTooLong),
    ("context length exceeded", ErrorClass::ContextTooLong),
    ("context_length_exceeded", ErrorClass::ContextTooLong),
    ("context window", ErrorClass::ContextTooLong),
    ("available context size", ErrorClass::ContextTooLong),
    ("prompt is too long", ErrorClass::ContextTooLong),
    ("prompt too long", ErrorClass::ContextTooLong),
    ("input is too long", ErrorClass::ContextTooLong),
    ("maximum prompt length", ErrorClass::ContextTooLong),
    ("input token count", ErrorClass::ContextTooLong),
    ("too many tokens", ErrorClass::ContextTooLong),
    ("exceed context limit", ErrorClass::ContextTooLong),
    ("reduce the length of the messages", ErrorClass::ContextTooLong),
    ("range of input length", ErrorClass::ContextTooLong),
    ("context length", ErrorClass::ContextTooLong),
    ("content management policy", ErrorClass::ContentPolicy),
    ("content policy", ErrorClass::ContentPolicy),
    ("usage guidelines", ErrorClass::ContentPolicy),
    ("usage polic", ErrorClass::ContentPolicy),
    ("safety system", ErrorClass::ContentPolicy),
    ("inappropriate content", ErrorClass::ContentPolicy),
    ("input was flagged", ErrorClass::ContentPolicy),
    ("responsibleaipolicyviolation", ErrorClass::ContentPolicy),
    ("requires moderation", ErrorClass::ContentPolicy),
    ("incorrect api key", ErrorClass::Authentication),
    ("invalid api key", ErrorClass::Authentication),
    ("api key not valid", ErrorClass::Authentication),
    ("insufficient balance", ErrorClass::QuotaExhausted),
    ("credit balance", ErrorClass::QuotaExhausted),
    ("available credits", ErrorClass::QuotaExhausted),
];

/// The class.
pub(super) fn of(said: &Said<'_>) -> ErrorClass {
    let weak = WORDS.iter().position(|(word, _)| *word == WEAK).unwrap_or(WORDS.len());
    let known = |word: &&str| WORDS.iter().position(|(known, _)| known.eq_ignore_ascii_case(word));
    let found = said.words.iter().filter_map(known).min();
    if let Some((_, class)) = found.filter(|place| *place < weak).and_then(|place| WORDS.get(place)) {
        return *class;
    }
    let by_word = found.and_then(|place| WORDS.get(place)).map(|(_, class)| *class);
    let class = match said.status {
        400..=599 => class_of_status(said.status),
        _ => by_word.unwrap_or(ErrorClass::Provider),
    };
    // Of a rate limit, sentences speak of tokens too.
    let vague = matches!(
        class,
        ErrorClass::InvalidRequest | ErrorClass::Permission | ErrorClass::TooLarge | ErrorClass::Provider
    );
    let more = vague.then(|| said.sentences.iter().find_map(|sentence| of_sentence(sentence))).flatten();
    more.unwrap_or(class)
}

fn of_sentence(sentence: &str) -> Option<ErrorClass> {
    let sentence = sentence.to_ascii_lowercase();
    SENTENCES.iter().find(|(part, _)| sentence.contains(part)).map(|(_, class)| *class)
}

/// Whether Gemini's details tell of a quota by the day, in its own dialect or another: those by the minute come back by themselves soon,
/// these do not.
pub(super) fn is_quota_of_a_day(error: Json<'_>) -> bool {
    let details = error.get("details").into_iter().flat_map(Json::items);
    let mut violations = details.filter_map(|detail| detail.get("violations")).flat_map(Json::items);
    violations.any(|violation| {
        let quota = violation.get("quotaId").and_then(Json::text);
        quota.is_some_and(|quota| quota.decode().contains("PerDay"))
    })
}

/// Whether a text is a page instead of a sentence. A sentence may begin with a tag, but does not close one.
pub(super) fn is_page(text: &str) -> bool {
    let begins = |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    text.starts_with('<') && (["<!", "<?", "<html"].into_iter().any(begins) || text.contains("</"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_no_sentence_and_a_tag_no_page() {
        assert!(is_page("<!doctype html><p>no") && is_page("<h1>502</h1>") && is_page("<HTML><h1>502"));
        assert!(!is_page("<text>") && !is_page("no </p>"));
    }
}
