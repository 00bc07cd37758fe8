//! Texts with what a token or a certificate says in them: `acme.{claim:team}.{path:2}`.

use super::super::members::{Placed, Reading};
use super::Proof;
use crate::accounts::AccountId;

/// Most words of an account.
const MAX_WORDS: usize = 4;
/// Most parts of the path of a SPIFFE id; an id has 2048 bytes at most.
const MAX_PATH: usize = 64;

/// A text with places to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Claim(String),
    /// The part of that number of a SPIFFE id's path, from 1.
    Path(usize),
}

/// What a token or a certificate says.
#[derive(Clone, Copy, Debug)]
pub enum Testimony<'s> {
    /// Claims by name.
    Claims(&'s [(String, String)]),
    /// A SPIFFE id.
    Spiffe(&'s str),
}

impl Testimony<'_> {
    fn of(&self, part: &Part) -> Option<String> {
        match (part, self) {
            (Part::Text(text), _) => Some(text.clone()),
            (Part::Claim(name), Testimony::Claims(claims)) => {
                claims.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            }
            (Part::Path(number), Testimony::Spiffe(id)) => {
                let path = id.strip_prefix("spiffe://")?.split('/').nth(*number)?;
                Some(path.to_string()).filter(|path| !path.is_empty())
            }
            _ => None,
        }
    }
}

impl Template {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The claims that it names.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| if let Part::Claim(name) = part { Some(name.as_str()) } else { None })
    }

    /// The text with everything filled in; `None` when something is not said.
    pub fn filled(&self, said: Testimony<'_>) -> Option<String> {
        self.parts.iter().map(|part| said.of(part)).collect()
    }

    /// The account that this names, and whether that is all of it: it ends before the first word that is not said, or is none
    /// of an account. What is filled in is one word or a piece of one, never two: nobody names themselves into another team.
    pub fn account(&self, said: Testimony<'_>) -> (Option<AccountId>, bool) {
        let mut account: Option<AccountId> = None;
        for word in words(&self.parts) {
            let filled: Option<String> = word.iter().map(|part| said.of(part)).collect();
            let filled = filled.map(|word| word.to_ascii_lowercase()).filter(|word| !word.contains('.'));
            let longer = |word: String| match &account {
                Some(above) => format!("{above}.{word}"),
                None => word,
            };
            match filled.and_then(|word| AccountId::read(&longer(word)).ok()) {
                Some(longer) => account = Some(longer),
                None => return (account, false),
            }
        }
        (account, true)
    }
}

/// The words of an account, each by its parts.
fn words(parts: &[Part]) -> Vec<Vec<Part>> {
    let mut words = vec![Vec::new()];
    for part in parts {
        let pieces: Vec<Part> = match part {
            Part::Text(text) => text.split('.').map(|piece| Part::Text(piece.to_string())).collect(),
            other => vec![other.clone()],
        };
        for (number, piece) in pieces.into_iter().enumerate() {
            if number > 0 {
                words.push(Vec::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(piece);
            }
        }
    }
    words
}

/// Reads the template of an account.
pub(super) fn account(reading: &mut Reading<'_>, text: &Placed<String>, proof: Option<&Proof>) -> Option<Template> {
    let read = template(reading, text, proof, "account")?;
    let words = words(&read.parts);
    // What is filled in may be any good word, so that what stands around it must be good with one.
    let with_any = |part: &Part| if let Part::Text(text) = part { text.clone() } else { "a".to_string() };
    let example: Vec<String> = words.iter().map(|word| word.iter().map(with_any).collect()).collect();
    let good = words.len() <= MAX_WORDS && AccountId::read(&example.join(".")).is_ok();
    if !good {
        reading.mistake(
            text.at,
            "`account` is one to four words with dots between, such as \"acme.{claim:team}.{claim:sub}\"; words have small \
             letters, digits, `-` and `_`",
        );
    }
    good.then_some(read)
}

/// Reads the template of a caller's name.
pub(super) fn caller(reading: &mut Reading<'_>, text: &Placed<String>, proof: Option<&Proof>) -> Option<Template> {
    let read = template(reading, text, proof, "caller")?;
    let says = read.parts.iter().any(|part| !matches!(part, Part::Text(_)));
    if !says {
        reading.mistake(text.at, "`caller` says who it is, for instance \"{claim:email}\"");
    }
    says.then_some(read)
}

fn template(reading: &mut Reading<'_>, text: &Placed<String>, proof: Option<&Proof>, name: &str) -> Option<Template> {
    let mut parts = Vec::new();
    let mut rest = text.value.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let inside = after.split_once('}').filter(|_| !before.contains('}'));
        let Some((part, behind)) = inside.and_then(|(inside, behind)| Some((place(inside)?, behind))) else {
            reading.mistake(text.at, format!("in `{name}` braces stand around {{claim:NAME}} or {{path:NUMBER}}"));
            return None;
        };
        parts.extend((!before.is_empty()).then(|| Part::Text(before.to_string())));
        parts.push(part);
        rest = behind;
    }
    parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_string())));
    let misplaced = |part: &Part| {
        matches!((part, proof), (Part::Claim(_), Some(Proof::Mesh(_))) | (Part::Path(_), Some(Proof::Jwt(_))))
    };
    if parts.iter().any(misplaced) {
        reading.mistake(text.at, format!("in `{name}` a token has {{claim:NAME}}, and a mesh has {{path:NUMBER}}"));
        return None;
    }
    Some(Template { text: text.value.clone(), parts })
}

fn place(inside: &str) -> Option<Part> {
    match inside.split_once(':')? {
        ("claim", name) if !name.is_empty() && name.len() <= 200 => Some(Part::Claim(name.to_string())),
        ("path", number) => number.parse().ok().filter(|number| (1..=MAX_PATH).contains(number)).map(Part::Path),
        _ => None,
    }
}
