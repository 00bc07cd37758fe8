//! What providers do besides answering: vectors, counting, pictures, sound, judging, ordering, files.
//!
//! | persona | operations |
//! |---|---|
//! | chat | `/v1/embeddings`, `/v1/completions`, `/v1/moderations`, `/v1/images/generations`, `/v1/audio/…`, `/v1/files` |
//! | responses | `/v1/responses/input_tokens` |
//! | messages | `/v1/messages/count_tokens` |
//! | Gemini | `:countTokens`, `:embedContent`, `:batchEmbedContents` |
//! | chat v2 | `/v2/embed`, `/v2/rerank` |
//!
//! As with answers: what comes back follows from the request, so that two askings give the same, and a shape that the real
//! provider refuses is refused.

mod counting;
mod embeddings;
mod files;
mod media;
mod multipart;
mod texts;

use super::shape::Checked;
use super::{Dialect, Persona, Production};
use crate::simulator::journal::Received;

type Operation = fn(&Received) -> Checked<Production>;

/// What comes of a request that asks for something other than an answer; `None` when it asks for one, or for nothing known.
pub(super) fn answer(persona: &Persona, received: &Received) -> Option<Checked<Production>> {
    let operation = operation(persona.dialect(), received)?;
    Some(persona.check_credential(received).and_then(|()| operation(received)))
}

fn operation(dialect: Dialect, received: &Received) -> Option<Operation> {
    let route = received.route();
    Some(match dialect {
        Dialect::Chat => match route {
            "/v1/embeddings" => embeddings::chat,
            "/v1/completions" => texts::complete,
            "/v1/moderations" => texts::moderate,
            "/v1/images/generations" => media::picture,
            "/v1/audio/speech" => media::speak,
            "/v1/audio/transcriptions" | "/v1/audio/translations" => media::transcribe,
            route if route == "/v1/files" || route.starts_with("/v1/files/") => files::serve,
            _ => return None,
        },
        Dialect::Responses if route == "/v1/responses/input_tokens" => counting::responses,
        Dialect::Messages if route == "/v1/messages/count_tokens" => counting::messages,
        Dialect::Gemini => match route.rsplit_once(':')?.1 {
            "countTokens" => counting::gemini,
            "embedContent" => embeddings::gemini_one,
            "batchEmbedContents" => embeddings::gemini_many,
            _ => return None,
        },
        Dialect::ChatV2 => match route {
            "/v2/embed" => embeddings::chat_v2,
            "/v2/rerank" => texts::rerank,
            _ => return None,
        },
        Dialect::Responses | Dialect::Messages | Dialect::Converse => return None,
    })
}
