//! A recorded exchange: what a real client sent, what a real provider answered, and an independent reading of it.

use std::fs;
use std::path::{Path, PathBuf};

use dragoman_core::catalog::DialectId;
use dragoman_core::hub::Delivery;
use dragoman_core::interpret::Framing;
use serde_json::Value;

/// What the client sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The HTTP method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The body.
    pub body: String,
}

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Its name in the corpus.
    pub id: String,
    /// Who answered.
    pub provider: String,
    /// The provider's own interface, `mistral.chat`.
    pub api: String,
    /// The dialect of both bodies; `None` when the gateway has no such dialect (text completions, token counting, …).
    pub dialect: Option<DialectId>,
    /// Whether the provider's bytes are as they came.
    pub exact: bool,
    /// How the answer came.
    pub delivery: Delivery,
    /// How it is framed.
    pub framing: Framing,
    /// The request, unless only the answer was recorded.
    pub sent: Option<Sent>,
    /// The answer's status.
    pub status: u16,
    /// The answer's body.
    pub bytes: Vec<u8>,
    /// What an independent reader understood of the answer.
    pub expect: Value,
}

impl Recording {
    /// Whether the exchange ended with an error status.
    pub fn is_error(&self) -> bool {
        self.status >= 400
    }

    /// Whether the answer came piece by piece.
    pub fn is_streamed(&self) -> bool {
        self.framing != Framing::Whole
    }

    /// Reads one file of the corpus.
    ///
    /// # Errors
    /// When it is not a recording.
    pub fn read(path: &Path) -> Result<Recording, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Recording::of(&value).ok_or_else(|| format!("{}: not a recording", path.display()))
    }

    fn of(value: &Value) -> Option<Recording> {
        let word = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let response = &value["response"];
        let (bytes, framing) = answer(response, &word("dialect"))?;
        let delivery = match framing {
            Framing::Whole => Delivery::Whole,
            Framing::Array => Delivery::StreamedArray,
            Framing::Sse | Framing::EventStream => Delivery::Streamed,
        };
        Some(Recording {
            id: word("id"),
            provider: word("provider"),
            api: word("api"),
            dialect: dialect(&word("dialect")),
            exact: value["fidelity"]["response"] == "exact",
            delivery,
            framing,
            sent: sent(&value["request"]),
            status: response["status"].as_u64().and_then(|status| u16::try_from(status).ok())?,
            bytes,
            expect: value["expect"].clone(),
        })
    }
}

fn dialect(name: &str) -> Option<DialectId> {
    Some(match name {
        "openai.chat" => DialectId::ChatCompletions,
        "openai.responses" => DialectId::Responses,
        "anthropic.messages" => DialectId::Messages,
        "gemini.generateContent" => DialectId::GenerateContent,
        "cohere.chat" => DialectId::ChatV2,
        "bedrock.converse" => DialectId::Converse,
        _ => return None,
    })
}

fn sent(request: &Value) -> Option<Sent> {
    let body = request["body"].as_str()?.to_owned();
    let path = request["path"].as_str()?;
    let path = match request["query"].as_str() {
        None | Some("") => path.to_owned(),
        Some(query) => format!("{path}?{query}"),
    };
    Some(Sent { method: request["method"].as_str().unwrap_or("POST").to_owned(), path, body })
}

/// The answer's bytes and how they are framed. The recorders dropped some content types, so the form of the record tells.
fn answer(response: &Value, dialect: &str) -> Option<(Vec<u8>, Framing)> {
    if let Some(stream) = response["sse_text"].as_str() {
        return Some((stream.as_bytes().to_vec(), Framing::Sse));
    }
    let body = response["body"].as_str().unwrap_or_default();
    if response["body_encoding"] == "base64" {
        return Some((base64(body)?, Framing::EventStream));
    }
    let is_array = dialect == "gemini.generateContent" && body.trim_start().starts_with('[');
    let framing = match is_array && response["status"].as_u64()? < 400 {
        true => Framing::Array,
        false => Framing::Whole,
    };
    Some((body.as_bytes().to_vec(), framing))
}

/// Errors that nobody recorded: their forms, as public reports of them have it (`errors_supplement.json`).
///
/// # Errors
/// When the file is not what the corpus describes.
pub fn supplement(path: &Path) -> Result<Vec<Recording>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let cases = value["cases"].as_array().into_iter().flatten();
    cases.enumerate().map(|(number, case)| of_case(number, case).ok_or(format!("case {number} is none"))).collect()
}

fn of_case(number: usize, case: &Value) -> Option<Recording> {
    let api = case["api"].as_str()?;
    let compatible = matches!(api, "groq.chat" | "mistral.chat");
    let status = case["status"].as_u64().and_then(|status| u16::try_from(status).ok())?;
    let (bytes, framing, delivery) = match case["sse_text"].as_str() {
        Some(stream) => (stream.as_bytes().to_vec(), Framing::Sse, Delivery::Streamed),
        None => (case["body"].to_string().into_bytes(), Framing::Whole, Delivery::Whole),
    };
    let message = case["body"]["error"]["message"].as_str().or(case["body"]["message"].as_str());
    Some(Recording {
        id: format!("errors_supplement#{number}"),
        provider: case["provider"].as_str()?.to_owned(),
        api: api.to_owned(),
        dialect: dialect(if compatible { "openai.chat" } else { api }),
        exact: false,
        delivery,
        framing,
        sent: None,
        status,
        bytes,
        expect: serde_json::json!({"error": {}, "error_message": message}),
    })
}

/// What coding agents and clients sent to a server that only listened: a file's lines.
///
/// # Errors
/// When a line is not what the corpus describes.
pub fn agents(path: &Path) -> Result<Vec<(String, Sent)>, String> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("{name}, line {number}: {error}"))?;
        let word = |member: &str| value[member].as_str().unwrap_or_default().to_owned();
        let sent = Sent { method: word("method"), path: word("path"), body: word("body") };
        found.push((format!("agents/{name}#{}", number + 1), sent));
    }
    Ok(found)
}

/// The bytes of a base64 text.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap_or_default());
        }
    }
    Some(out)
}

/// The files of a corpus folder (`<provider>/<api>/<id>.json`), in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let apis = inside(folder).into_iter().flat_map(|provider| inside(&provider));
    let mut files: Vec<PathBuf> = apis
        .flat_map(|api| inside(&api))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        assert_eq!(base64("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64("/+8=").as_deref(), Some(&[0xff, 0xef][..]));
        assert_eq!(base64("a*"), None);
    }

    #[test]
    fn a_query_belongs_to_the_path() {
        let value = serde_json::json!({"method": "POST", "path": "/p", "query": "alt=sse", "body": "{}"});
        assert_eq!(sent(&value).map(|sent| sent.path).as_deref(), Some("/p?alt=sse"));
    }
}
