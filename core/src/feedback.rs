//! What somebody says of one exchange: a score, a label, or both. Never a comment, for what people write about answers repeats
//! what stood there.
//!
//! ```
//! use dragoman_core::feedback::Opinion;
//! let opinion = Opinion::read(br#"{"exchange":"0199f0c2","score":0.8,"label":"helpful"}"#).unwrap();
//! assert_eq!((opinion.score, opinion.label.as_str()), (Some(800), "helpful"));
//! ```
//!
//! Both planes read the same document by the same code: the filter, to say at once what is wrong with it, and the control plane,
//! to keep it. The admin API's own reader makes its description, and checks by [`Opinion::new`].

use crate::json::{Json, Kind};
use crate::refusal::Refusal;

/// Largest document, in bytes: an id, a number and a word, however they are escaped.
pub const MAX_OPINION: usize = 4096;

/// Longest id of an exchange, in bytes; the gateway's own have 36.
const MAX_EXCHANGE: usize = 200;

/// Longest label, in bytes.
const MAX_LABEL: usize = 64;

/// What somebody says of an exchange; it says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The exchange.
    pub exchange: String,
    /// How good the answer was, in thousandths; `None` when that is not said.
    pub score: Option<u16>,
    /// A word for it; empty when none is said.
    pub label: String,
}

/// Which member is wrong, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong(pub &'static str, pub &'static str);

impl Opinion {
    /// Checks what is said; a score is from 0 to 1.
    pub fn new(exchange: String, score: Option<f64>, label: String) -> Result<Opinion, Wrong> {
        let is_id = (1..=MAX_EXCHANGE).contains(&exchange.len()) && !exchange.chars().any(char::is_control);
        if !is_id {
            return Err(Wrong("exchange", "must be an id, as `x-dragoman-request-id` says it"));
        }
        if score.is_some_and(|score| !(0.0..=1.0).contains(&score)) {
            return Err(Wrong("score", "must be a number from 0 to 1"));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if label.len() > MAX_LABEL || !label.chars().all(is_plain) {
            return Err(Wrong(
                "label",
                "must be one word of up to 64 letters, digits, `-`, `_` or `.`; comments are not kept",
            ));
        }
        if score.is_none() && label.is_empty() {
            return Err(Wrong("score", "must be said, or a `label`, or both"));
        }
        Ok(Opinion { exchange, score: score.map(|score| (score * 1000.0).round() as u16), label })
    }

    /// Reads the document; refuses it by the name of what is wrong in it.
    pub fn read(document: &[u8]) -> Result<Opinion, Refusal> {
        if document.len() > MAX_OPINION {
            return Err(Refusal::TooLarge(MAX_OPINION));
        }
        let json = Json::parse(document).map_err(Refusal::BadJson)?;
        let wrong = |param: &str, problem: &str| Refusal::BadMember { param: param.into(), problem: problem.into() };
        if json.kind() != Kind::Object {
            return Err(wrong("body", "must be a JSON object"));
        }
        let (mut exchange, mut score, mut label) = (None, None, None);
        for (name, value) in json.members() {
            let name = name.decode();
            let place = match name.as_ref() {
                "exchange" => &mut exchange,
                "score" => &mut score,
                "label" => &mut label,
                other => {
                    let shown: String = other.chars().filter(|character| !character.is_control()).take(80).collect();
                    return Err(wrong(&shown, "is not a member; they are `exchange`, `score` and `label`"));
                }
            };
            if place.replace(value).is_some() {
                return Err(wrong(&name, "stands twice"));
            }
        }
        let [exchange, score, label] =
            [exchange, score, label].map(|value: Option<Json<'_>>| value.filter(|value| !value.is_null()));
        let text = |name, value: Json<'_>| value.string().ok_or_else(|| wrong(name, "must be a string"));
        let exchange = exchange.map(|value| text("exchange", value)).transpose()?;
        let label = label.map(|value| text("label", value)).transpose()?;
        let exchange = exchange.ok_or_else(|| wrong("exchange", "is missing"))?;
        let number = |value: Json<'_>| value.f64().ok_or_else(|| wrong("score", "must be a number from 0 to 1"));
        let score = score.map(number).transpose()?;
        Opinion::new(exchange, score, label.unwrap_or_default()).map_err(|Wrong(param, problem)| wrong(param, problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_a_label_or_both_are_an_opinion() {
        for (text, score, label) in [
            (r#"{"exchange":"x","score":0.25}"#, Some(250), ""),
            (r#"{"exchange":"x","score":1,"label":""}"#, Some(1000), ""),
            (r#"{"exchange":"x","score":1e-9,"label":null}"#, Some(0), ""),
            (r#"{"label":"A.b-c_1","score":null,"exchange":"x"}"#, None, "A.b-c_1"),
            (r#"{"exch\u0061nge":"\u0078","score":0.8005,"label":"w"}"#, Some(801), "w"),
        ] {
            let opinion = Opinion { exchange: "x".into(), score, label: label.into() };
            assert_eq!(Opinion::read(text.as_bytes()), Ok(opinion), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_its_name() {
        let (long, longer) = ("a".repeat(65), "a".repeat(201));
        for (text, wanted) in [
            ("[]".to_string(), "body"),
            ("{}".into(), "exchange"),
            (r#"{"score":1}"#.into(), "exchange"),
            (r#"{"exchange":7,"score":1}"#.into(), "exchange"),
            (r#"{"exchange":"","score":1}"#.into(), "exchange"),
            (r#"{"exchange":"a\u0000","score":1}"#.into(), "exchange"),
            (format!(r#"{{"exchange":"{longer}","score":1}}"#), "exchange"),
            (r#"{"exchange":"x"}"#.into(), "score"),
            (r#"{"exchange":"x","score":null,"label":""}"#.into(), "score"),
            (r#"{"exchange":"x","score":1.001}"#.into(), "score"),
            (r#"{"exchange":"x","score":-0.1}"#.into(), "score"),
            (r#"{"exchange":"x","score":"1"}"#.into(), "score"),
            (r#"{"exchange":"x","score":1e999}"#.into(), "score"),
            (r#"{"exchange":"x","score":0,"score":1}"#.into(), "score"),
            (r#"{"exchange":"x","label":"two words"}"#.into(), "label"),
            (r#"{"exchange":"x","label":["w"]}"#.into(), "label"),
            (format!(r#"{{"exchange":"x","label":"{long}"}}"#), "label"),
            (r#"{"exchange":"x","score":1,"comment":"it said …"}"#.into(), "comment"),
        ] {
            let refused = Opinion::read(text.as_bytes()).unwrap_err();
            assert!(matches!(&refused, Refusal::BadMember { param, .. } if param == wanted), "{text}: {refused:?}");
        }
        for text in [&b""[..], b"{", b"\xff", b"{} {}"] {
            assert!(matches!(Opinion::read(text), Err(Refusal::BadJson(_))), "{text:?}");
        }
    }
}
