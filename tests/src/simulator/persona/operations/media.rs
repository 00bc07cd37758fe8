//! Pictures and sound.

use serde_json::json;

use super::super::answer::words;
use super::super::shape::{Checked, Object, wrong};
use super::super::vectors::base64;
use super::super::{Piece, Production, check_model, json_body};
use super::multipart::Form;
use crate::simulator::journal::Received;

/// What every picture is: the beginning of a PNG.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n";

pub(super) fn picture(received: &Received) -> Checked<Production> {
    let body = json_body(received)?;
    let allowed = [
        "model",
        "prompt",
        "n",
        "size",
        "quality",
        "response_format",
        "style",
        "user",
        "background",
        "moderation",
        "output_format",
        "output_compression",
    ];
    let request = Object::of(&body, "", &allowed)?;
    check_model(request.maybe_text("model")?.unwrap_or_default())?;
    let prompt = request.text("prompt")?;
    let count = request.integer("n", 1, 10)?.and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
    let picture = json!({"b64_json": base64(&[PICTURE, prompt.as_bytes()].concat())});
    let input = words(prompt);
    let usage = json!({
        "input_tokens": input,
        "input_tokens_details": {"text_tokens": input, "image_tokens": 0},
        "output_tokens": 100,
        "total_tokens": input + 100,
    });
    let body = json!({"created": 1_790_000_000, "data": vec![picture; count], "usage": usage});
    Ok(Production::whole(200, &body, None))
}

/// Sound is bytes of every value; the words stand at its end so that a test can tell whose it is.
pub(super) fn speak(received: &Received) -> Checked<Production> {
    let body = json_body(received)?;
    let allowed = ["model", "input", "voice", "response_format", "speed", "instructions", "stream_format"];
    let request = Object::of(&body, "", &allowed)?;
    check_model(request.text("model")?)?;
    request.text("voice")?;
    let kinds = ["mp3", "opus", "aac", "flac", "wav", "pcm"];
    let kind = request.word("response_format", &kinds)?.unwrap_or("mp3");
    let content_type = if kind == "mp3" { "audio/mpeg".to_owned() } else { format!("audio/{kind}") };
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let sound = [&all, request.text("input")?.as_bytes()].concat();
    Ok(Production {
        status: 200,
        headers: vec![("content-type".to_owned(), content_type)],
        // In several writes, as the real one sends it while it still speaks.
        pieces: sound.chunks(100).map(|chunk| Piece::new(chunk, 0)).collect(),
        tokens: None,
    })
}

pub(super) fn transcribe(received: &Received) -> Checked<Production> {
    let form = Form::of(received)?;
    let model = form.text("model").ok_or_else(|| wrong("model", "you must provide a model parameter"))?;
    check_model(&model)?;
    let file = form.file("file").ok_or_else(|| wrong("file", "field required"))?;
    let text = format!("heard {} bytes of {}", file.bytes.len(), file.name);
    if form.text("response_format").as_deref() == Some("text") {
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        return Ok(Production { status: 200, headers, pieces: vec![Piece::new(text + "\n", 0)], tokens: None });
    }
    let usage = json!({"type": "duration", "seconds": 1});
    Ok(Production::whole(200, &json!({"text": text, "usage": usage}), None))
}
