//! What is asked: the four kinds of exchange, and bodies of a given length.

use std::fmt::Write as _;

use anyhow::bail;

/// A kind of exchange. The client always speaks chat completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A provider of the same dialect answers in one piece.
    Relay,
    /// A provider that speaks messages answers in one piece.
    Interpret,
    /// A provider of the same dialect answers event by event.
    StreamRelay,
    /// A provider that speaks messages answers event by event.
    StreamInterpret,
}

impl Shape {
    /// All, in the table's order.
    pub const ALL: [Self; 4] = [Self::Relay, Self::Interpret, Self::StreamRelay, Self::StreamInterpret];

    /// Its name in the table and on the command line; also the model that is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Interpret => "interpret",
            Self::StreamRelay => "stream-relay",
            Self::StreamInterpret => "stream-interpret",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|shape| shape.name() == name) {
            Some(shape) => Ok(shape),
            None => bail!("`{name}` is none of relay, interpret, stream-relay, stream-interpret"),
        }
    }

    /// Whether the answer comes event by event.
    pub fn streams(self) -> bool {
        matches!(self, Self::StreamRelay | Self::StreamInterpret)
    }
}

/// A number of bytes with the name the table gives it.
pub fn size_name(bytes: usize) -> String {
    match bytes {
        1_000_000.. => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} kB", bytes / 1000),
    }
}

/// Words of a turn. Escapes are in it because prompts are full of them: code, quotes, line ends.
const WORDS: &str = "The caravan left the city before dawn.\\nAsked for the \\\"toll\\\", the envoy paid twice and wrote:\\n\\t\
                     paid = { silver: 12, cloth: 3 }\\nNobody at the gate could read what he had written, ";

/// Length of one turn, in bytes: what a turn of an agent's conversation has. Bigger bodies have more turns.
const TURN: usize = 1500;

/// A chat completions request of exactly this length (at least a few hundred bytes).
pub fn body(model: &str, stream: bool, length: usize) -> String {
    let delivery = if stream { "\"stream\":true,\"stream_options\":{\"include_usage\":true}," } else { "" };
    let mut body = format!(
        "{{\"model\":\"{model}\",{delivery}\"temperature\":0.7,\"max_tokens\":512,\"messages\":[\
         {{\"role\":\"system\",\"content\":\"You answer in one paragraph.\"}}"
    );
    const END: &str = "]}";
    for turn in 0_usize.. {
        let role = if turn.is_multiple_of(2) { "user" } else { "assistant" };
        let head = format!(",{{\"role\":\"{role}\",\"content\":\"");
        let room = length.saturating_sub(body.len() + head.len() + END.len() + 2);
        // The last turn takes what is left, so that no turn is too short to be written. An answer follows a user's turn.
        let last = room < 2 * TURN && role == "user" || room < TURN;
        let words = if last { room } else { TURN };
        write!(body, "{head}{}\"}}", text(words)).ok();
        if last {
            break;
        }
    }
    body + END
}

/// A chat completions request whose one prompt has so many bytes, no two words of it alike: an artifact looks every one up.
pub fn prompt(model: &str, length: usize) -> String {
    let mut words = String::new();
    let mut seed = 1_u64;
    while words.len() < length {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let letters = (0..2 + seed % 8).map(|at| char::from(b'a' + (seed >> (8 + 5 * at)) as u8 % 26));
        words.extend(letters.chain([' ']));
    }
    words.truncate(length);
    format!("{{\"model\":\"{model}\",\"max_tokens\":512,\"messages\":[{{\"role\":\"user\",\"content\":\"{words}\"}}]}}")
}

/// Escaped text of exactly this length.
fn text(length: usize) -> String {
    let mut text = WORDS.repeat(length / WORDS.len());
    text.push_str(&"silk ".repeat((length - text.len()).div_ceil(5)));
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_length_asked_for_and_is_json() {
        for length in [600, 2000, 3333, 100_000, 1_000_000] {
            let body = body("m", true, length);
            assert_eq!(body.len(), length);
            let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            let turns = value["messages"].as_array().expect("messages");
            assert_eq!(turns.last().map(|turn| &turn["role"]), Some(&serde_json::json!("user")), "{length}");
        }
    }
}
