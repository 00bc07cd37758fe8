//! A Record as spans: one for the exchange, one below it for each attempt.
//!
//! The attributes are those of OpenTelemetry's GenAI conventions, and `dragoman.*` for what these have no word for. Ids are made
//! from the exchange's id, so that one exchange is one trace however often it is sent. A Record does not say when an attempt
//! began: they stand one after the other, but for those that ran beside another one.

use dragoman_core::catalog::Operation;
use dragoman_core::record::{Ending, Outcome, Record};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::store::hex;

/// OTLP's number of a span that serves somebody.
const SERVER: u8 = 2;
/// OTLP's number of a span that asks somebody.
const CLIENT: u8 = 3;
/// OTLP's number of a status that is an error.
const ERROR: u8 = 2;
/// Longest error code of a provider that is taken for a word.
const MAX_CODE: usize = 64;

/// The message with these spans.
pub(super) fn document(service: &str, spans: Vec<Value>) -> Value {
    let mut resource = Attributes::default();
    resource.text("service.name", service);
    resource.text("service.version", env!("CARGO_PKG_VERSION"));
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource.0 },
        "scopeSpans": [{ "scope": { "name": "dragoman" }, "spans": spans }],
    }] })
}

/// The spans of an exchange; none when the client's trace is not to be recorded.
pub(super) fn spans(record: &Record, trace: &str) -> Vec<Value> {
    let (trace_id, parent) = match Parent::of(trace) {
        Parent::Unsampled => return Vec::new(),
        Parent::None => (id(&record.exchange, "trace", 16), String::new()),
        Parent::Client { trace, span } => (trace, span),
    };
    let span_id = id(&record.exchange, "exchange", 8);
    let end = record.began_ms.saturating_add(record.took_ms());
    let mut exchange = exchange(record);
    place(&mut exchange, &trace_id, &span_id, &parent, (record.began_ms, end));
    let mut spans = vec![exchange];
    let mut began = record.began_ms;
    for (index, outcome) in record.outcomes.iter().enumerate() {
        let begins = outcome.hedged_after_ms.map_or(began, |after| record.began_ms.saturating_add(after));
        let end = begins.saturating_add(outcome.total_ms);
        let mut attempt = attempt(record, outcome);
        let own = id(&record.exchange, &format!("attempt {index}"), 8);
        place(&mut attempt, &trace_id, &own, &span_id, (begins, end));
        spans.push(attempt);
        if outcome.ending != Ending::Outrun {
            began = end;
        }
    }
    spans
}

/// What a `traceparent` says.
#[derive(Debug, PartialEq, Eq)]
enum Parent {
    /// Nothing that can be understood.
    None,
    /// The client does not want to be traced.
    Unsampled,
    /// The client's span, in hexadecimal digits.
    Client { trace: String, span: String },
}

impl Parent {
    fn of(trace: &str) -> Parent {
        let mut parts = trace.split('-');
        let mut part = |length: usize| {
            let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            parts.next().filter(|part| part.len() == length && part.bytes().all(digits))
        };
        let (Some(version), Some(trace), Some(span), Some(flags)) = (part(2), part(32), part(16), part(2)) else {
            return Parent::None;
        };
        // Later versions may say more after these four, this one may not; 255 is none.
        let whole = version != "ff" && (version != "00" || parts.next().is_none());
        let is_zero = |id: &str| id.bytes().all(|digit| digit == b'0');
        match u8::from_str_radix(flags, 16) {
            Ok(flags) if whole && !is_zero(trace) && !is_zero(span) => match flags & 1 {
                0 => Parent::Unsampled,
                _ => Parent::Client { trace: trace.to_string(), span: span.to_string() },
            },
            _ => Parent::None,
        }
    }
}

/// An id that the exchange and the part of it always have.
fn id(exchange: &str, part: &str, bytes: usize) -> String {
    let digest = Sha256::new().chain_update(exchange).chain_update([0]).chain_update(part).finalize();
    hex(digest.get(..bytes).unwrap_or_default())
}

/// Writes ids and times, the latter in milliseconds, into a span.
fn place(span: &mut Value, trace: &str, own: &str, parent: &str, (began, ended): (u64, u64)) {
    // Sixty-four bits are text in this JSON.
    let nanoseconds = |ms: u64| Value::from(ms.saturating_mul(1_000_000).to_string());
    span["traceId"] = trace.into();
    span["spanId"] = own.into();
    if !parent.is_empty() {
        span["parentSpanId"] = parent.into();
    }
    span["startTimeUnixNano"] = nanoseconds(began);
    span["endTimeUnixNano"] = nanoseconds(ended);
}

fn exchange(record: &Record) -> Value {
    let operation = operation(record);
    let broken = record.outcomes.last().is_some_and(|outcome| outcome.ending == Ending::Broken);
    // A request that was wrong is the client's error, not the server's.
    let error = match (record.refusal.as_str(), record.status) {
        (_, ..500) if !broken => String::new(),
        (_, ..400) => Ending::Broken.name().to_string(),
        ("", status) => status.to_string(),
        (refusal, _) => refusal.to_string(),
    };
    let mut attributes = Attributes::default();
    attributes.text("dragoman.exchange", &record.exchange);
    attributes.text("dragoman.shadow_of", &record.shadow_of);
    attributes.text("gen_ai.operation.name", operation);
    attributes.text("gen_ai.request.model", &record.route);
    attributes.text("dragoman.caller", &record.caller);
    attributes.text("dragoman.route", &record.route);
    attributes.text("dragoman.dialect", &record.dialect);
    attributes.text("dragoman.refusal", &record.refusal);
    attributes.texts("dragoman.dropped", &record.losses.dropped);
    attributes.texts("dragoman.approximated", &record.losses.approximated);
    attributes.number("http.response.status_code", (record.status > 0).then_some(u64::from(record.status)));
    span(&format!("{operation} {}", record.route), SERVER, attributes, &error)
}

fn attempt(record: &Record, outcome: &Outcome) -> Value {
    let operation = operation(record);
    let (provider, model) = outcome.target.split_once('/').unwrap_or((&outcome.target, ""));
    let usage = &outcome.usage;
    let mut attributes = Attributes::default();
    attributes.text("dragoman.exchange", &record.exchange);
    attributes.text("dragoman.target", &outcome.target);
    attributes.text("dragoman.ending", outcome.ending.name());
    attributes.text("gen_ai.operation.name", operation);
    attributes.text("gen_ai.provider.name", provider);
    attributes.text("gen_ai.request.model", model);
    attributes.number("gen_ai.usage.input_tokens", usage.input);
    attributes.number("gen_ai.usage.cache_read.input_tokens", usage.cache_read);
    attributes.number("gen_ai.usage.cache_creation.input_tokens", usage.cache_write);
    attributes.number("gen_ai.usage.output_tokens", usage.output);
    attributes.number("gen_ai.usage.reasoning.output_tokens", usage.reasoning);
    attributes.number("http.response.status_code", (outcome.status > 0).then_some(u64::from(outcome.status)));
    attributes.number("dragoman.first_event_ms", outcome.first_event_ms);
    attributes.number("dragoman.hedged_after_ms", outcome.hedged_after_ms);
    attributes.texts("dragoman.lost", &outcome.lost);
    span(&format!("{operation} {model}"), CLIENT, attributes, &error(outcome))
}

fn span(name: &str, kind: u8, mut attributes: Attributes, error: &str) -> Value {
    attributes.text("error.type", error);
    let mut span = json!({ "name": name.trim_end(), "kind": kind, "attributes": attributes.0 });
    if !error.is_empty() {
        span["status"] = json!({ "code": ERROR });
    }
    span
}

/// What went wrong with an attempt, in a word; empty when nothing did. A provider may put anything into its code; what is no
/// word is not passed on.
fn error(outcome: &Outcome) -> String {
    let is_word = |code: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        !code.is_empty() && code.len() <= MAX_CODE && code.bytes().all(plain)
    };
    match outcome.ending {
        Ending::Answered | Ending::Abandoned | Ending::Outrun => String::new(),
        _ if is_word(&outcome.code) => outcome.code.clone(),
        Ending::Retriable | Ending::Refused if outcome.status > 0 => outcome.status.to_string(),
        ending => ending.name().to_string(),
    }
}

/// The operation in the conventions' words, or ours where they have none.
fn operation(record: &Record) -> &str {
    match Operation::named(&record.operation) {
        Some(Operation::Generate) => "chat",
        Some(Operation::Embed) => "embeddings",
        Some(Operation::Complete) => "text_completion",
        Some(other) => other.name(),
        None => "unknown",
    }
}

/// Attributes in OTLP's form; what is empty is left out.
#[derive(Default)]
struct Attributes(Vec<Value>);

impl Attributes {
    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.0.push(json!({ "key": key, "value": { "stringValue": value } }));
        }
    }

    fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.0.push(json!({ "key": key, "value": { "intValue": value.to_string() } }));
        }
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            let values: Vec<Value> = values.iter().map(|value| json!({ "stringValue": value })).collect();
            self.0.push(json!({ "key": key, "value": { "arrayValue": { "values": values } } }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_traceparent_is_taken_when_it_is_one() {
        let client = || Parent::Client { trace: TRACE.into(), span: SPAN.into() };
        for (text, expected) in [
            (format!("00-{TRACE}-{SPAN}-01"), client()),
            (format!("00-{TRACE}-{SPAN}-03"), client()),
            (format!("01-{TRACE}-{SPAN}-01-more"), client()),
            (format!("00-{TRACE}-{SPAN}-00"), Parent::Unsampled),
            (format!("00-{TRACE}-{SPAN}-01-more"), Parent::None),
            (format!("ff-{TRACE}-{SPAN}-01"), Parent::None),
            (format!("00-{}-{SPAN}-01", "0".repeat(32)), Parent::None),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), Parent::None),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), Parent::None),
            (format!("00-{TRACE}-{SPAN}"), Parent::None),
            (String::new(), Parent::None),
        ] {
            assert_eq!(Parent::of(&text), expected, "{text}");
        }
    }

    #[test]
    fn who_does_not_want_to_be_traced_is_not() {
        let record = Record { exchange: "x1".into(), outcomes: vec![Outcome::default()], ..Record::default() };
        assert_eq!(spans(&record, &format!("00-{TRACE}-{SPAN}-00")), [] as [Value; 0]);
        assert_eq!(spans(&record, "").len(), 2);
    }

    #[test]
    fn ids_are_the_same_each_time_and_different_for_each_exchange() {
        let ids = |exchange: &str| -> Vec<String> {
            let record =
                Record { exchange: exchange.into(), outcomes: vec![Outcome::default(); 2], ..Record::default() };
            let spans = spans(&record, "");
            spans.iter().flat_map(|span| [span["traceId"].to_string(), span["spanId"].to_string()]).collect()
        };
        assert_eq!(ids("x1"), ids("x1"));
        let mut all = [ids("x1"), ids("x2")].concat();
        assert_eq!(all.iter().map(String::len).collect::<std::collections::BTreeSet<_>>(), [18, 34].into());
        all.sort();
        all.dedup();
        // Two traces of three spans each.
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn only_a_word_of_a_provider_is_passed_on() {
        let error =
            |ending, status, code: &str| error(&Outcome { ending, status, code: code.into(), ..Outcome::default() });
        assert_eq!(error(Ending::Refused, 400, "context_length_exceeded"), "context_length_exceeded");
        assert_eq!(error(Ending::Refused, 400, "you said: a secret"), "400");
        assert_eq!(error(Ending::Broken, 200, ""), "broken");
        assert_eq!(error(Ending::Silent, 0, ""), "silent");
        assert_eq!(error(Ending::Answered, 200, "left_over"), "");
    }

    #[test]
    fn an_exchange_is_an_error_when_the_gateway_could_not_answer() {
        let status = |status: u16, refusal: &str, ending| {
            let outcomes = vec![Outcome { ending, ..Outcome::default() }];
            let record =
                Record { exchange: "x".into(), status, refusal: refusal.into(), outcomes, ..Record::default() };
            let span = spans(&record, "").remove(0);
            let attributes = span["attributes"].as_array().unwrap();
            let error = attributes.iter().find(|attribute| attribute["key"] == "error.type");
            assert_eq!(error.is_some(), span["status"]["code"] == 2);
            error.map(|error| error["value"]["stringValue"].as_str().unwrap().to_string())
        };
        assert_eq!(status(200, "", Ending::Answered), None);
        assert_eq!(status(401, "no_key", Ending::Silent), None);
        assert_eq!(status(503, "no_answer", Ending::Silent).as_deref(), Some("no_answer"));
        assert_eq!(status(502, "", Ending::Refused).as_deref(), Some("502"));
        assert_eq!(status(200, "", Ending::Broken).as_deref(), Some("broken"));
    }
}
