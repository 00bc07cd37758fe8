//! Parameters as they stand in queries and forms, and what PKCE makes of a verifier.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::simulator::journal::percent_decoded;

/// Names and values, in order; one that comes twice is there twice.
pub type Words = Vec<(String, String)>;

/// The parameters of a query or a form.
pub fn read(text: &str) -> Words {
    let decoded = |text: &str| percent_decoded(&text.replace('+', " "));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

/// The other way round.
pub fn write(words: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| format!("{}={}", escaped(name), escaped(value));
    words.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A value as it stands in a query.
pub fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The only value of a name; `None` when it is absent or doubled.
pub fn one<'w>(words: &'w [(String, String)], name: &str) -> Option<&'w str> {
    let mut values = words.iter().filter(|word| word.0 == name).map(|word| word.1.as_str());
    values.next().filter(|_| values.next().is_none())
}

/// The query of a URL, as parameters.
pub fn of_url(url: &str) -> Words {
    read(url.split_once('?').map_or("", |(_, query)| query))
}

/// A URL with these parameters behind those it has.
pub fn with(url: &str, words: &[(String, String)]) -> String {
    format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, write(words))
}

/// The challenge that belongs to a verifier: S256 of RFC 7636.
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()))
}

/// Whether a verifier is one: 43 to 128 of the characters that RFC 7636 allows.
pub fn is_verifier(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let words = vec![("a b".to_owned(), "x&y=ü+".to_owned()), ("empty".to_owned(), String::new())];
        assert_eq!(read(&write(&words)), words);
        assert_eq!(of_url(&with("http://here/?z=1", &words)).len(), 3);
        let twice = read("state=1&state=2&code=x+y");
        assert_eq!((one(&twice, "state"), one(&twice, "code"), one(&twice, "none")), (None, Some("x y"), None));
    }

    #[test]
    fn the_example_of_the_rfc_holds() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_verifier(verifier) && !is_verifier(&verifier[1..]) && !is_verifier(&"ü".repeat(30)));
    }
}
