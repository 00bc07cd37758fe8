//! A model's row: its limits, what it can do, and who serves it.

use dragoman_core::catalog::{Abilities, ThinkingStyle};

use super::MAX_NAME;
use super::members::{Members, Reading};

/// How far a model is along its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Status {
    /// It is served, and nobody said otherwise.
    #[default]
    Active,
    /// It is served, and may change or go at any time.
    Beta,
    /// It is served, and its end is announced or past: nobody is sent there who did not ask for it.
    Deprecated,
    /// It is not to be asked, by nobody.
    Disabled,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 4] = [Status::Active, Status::Beta, Status::Deprecated, Status::Disabled];

    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Beta => "beta",
            Status::Deprecated => "deprecated",
            Status::Disabled => "disabled",
        }
    }

    /// The status of that name.
    pub fn named(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// What goes into a model, or comes out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Modality {
    /// Words.
    Text,
    /// Pictures.
    Image,
    /// Sound.
    Audio,
    /// Films.
    Video,
    /// Documents (PDF).
    Document,
    /// Vectors.
    Embedding,
}

impl Modality {
    /// Every modality.
    pub const ALL: [Modality; 6] =
        [Modality::Text, Modality::Image, Modality::Audio, Modality::Video, Modality::Document, Modality::Embedding];

    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Modality::Text => "text",
            Modality::Image => "image",
            Modality::Audio => "audio",
            Modality::Video => "video",
            Modality::Document => "document",
            Modality::Embedding => "embedding",
        }
    }

    /// The modality of that name.
    pub fn named(name: &str) -> Option<Modality> {
        Modality::ALL.into_iter().find(|modality| modality.name() == name)
    }
}

/// One `[[model]]`: the same thing, wherever it is served.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ModelRow {
    /// The name callers use.
    pub name: String,
    /// Tokens in and out together.
    pub context_window: Option<u64>,
    /// Tokens out.
    pub output_limit: Option<u64>,
    /// What it can do; everything when nobody says.
    pub abilities: Option<Abilities>,
    /// How it is told how much to think.
    pub thinking: Option<ThinkingStyle>,
    /// What it takes for the proof of a call that another maker's model made.
    pub unsigned: Option<String>,
    /// How far along its life it is; active when nobody says.
    pub status: Option<Status>,
    /// What goes in; text when nobody says.
    pub input: Option<Vec<Modality>>,
    /// What comes out; text when nobody says.
    pub output: Option<Vec<Modality>>,
    /// The model of a trained artifact whose quality is its own; its own name when nobody says.
    pub judged_as: Option<String>,
    /// How well it does its jobs where no artifact knows, in percent.
    pub quality: Option<u8>,
    /// Who serves it, under which name: (`provider`, its name there, byte offset), first choice first.
    pub offers: Vec<(String, String, usize)>,
}

impl ModelRow {
    /// How far along its life it is.
    pub fn status(&self) -> Status {
        self.status.unwrap_or_default()
    }

    /// What comes out.
    pub fn output(&self) -> &[Modality] {
        self.output.as_deref().unwrap_or(&[Modality::Text])
    }

    /// What goes in.
    pub fn input(&self) -> &[Modality] {
        self.input.as_deref().unwrap_or(&[Modality::Text])
    }

    /// Takes what another row of the same name says.
    pub fn change(&mut self, row: &ModelRow) {
        self.context_window = row.context_window.or(self.context_window);
        self.output_limit = row.output_limit.or(self.output_limit);
        self.abilities = row.abilities.or(self.abilities);
        self.thinking = row.thinking.or(self.thinking);
        self.status = row.status.or(self.status);
        self.quality = row.quality.or(self.quality);
        for (own, other) in [(&mut self.input, &row.input), (&mut self.output, &row.output)] {
            if other.is_some() {
                own.clone_from(other);
            }
        }
        for (own, other) in [(&mut self.unsigned, &row.unsigned), (&mut self.judged_as, &row.judged_as)] {
            if other.is_some() {
                own.clone_from(other);
            }
        }
        if !row.offers.is_empty() {
            self.offers.clone_from(&row.offers);
        }
    }
}

/// Reads one `[[model]]`.
pub(super) fn model(reading: &mut Reading<'_>, mut row: Members<'_>) -> ModelRow {
    let at = row.at;
    let name = row.string(reading, "name");
    if name.as_ref().is_none_or(|name| name.value.is_empty() || name.value.len() > MAX_NAME) {
        reading.mistake(at, "this model needs a `name` of 1 to 200 bytes, which is what callers will ask for");
    }
    let mut offers = Vec::new();
    for offer in row.strings(reading, "offers").unwrap_or_default() {
        match offer.value.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                offers.push((provider.to_string(), model.to_string(), offer.at));
            }
            _ => reading.mistake(offer.at, "an offer is written \"provider/model\""),
        }
    }
    let read = ModelRow {
        name: name.map(|name| name.value).unwrap_or_default(),
        context_window: row.number(reading, "context_window", 1, u64::from(u32::MAX)),
        output_limit: row.number(reading, "output_limit", 1, u64::from(u32::MAX)),
        abilities: abilities(reading, &mut row),
        thinking: thinking(reading, &mut row),
        unsigned: row.string(reading, "unsigned").map(|words| words.value),
        status: status(reading, &mut row),
        input: modalities(reading, &mut row, "input"),
        output: modalities(reading, &mut row, "output"),
        judged_as: row.string(reading, "judged_as").map(|name| name.value),
        quality: row.number(reading, "quality", 0, 100).and_then(|quality| u8::try_from(quality).ok()),
        offers,
    };
    row.end(reading);
    read
}

fn abilities(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Abilities> {
    let mut abilities = Abilities::NONE;
    for name in row.strings(reading, "abilities")? {
        match Abilities::named(&name.value) {
            Some(ability) => abilities = abilities.and(ability),
            None => {
                let known: Vec<&str> = Abilities::ALL.names().collect();
                reading.mistake(name.at, format!("an ability is one of `{}`", known.join("`, `")));
            }
        }
    }
    Some(abilities)
}

fn status(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Status> {
    let name = row.string(reading, "status")?;
    let status = Status::named(&name.value);
    if status.is_none() {
        let known = Status::ALL.map(Status::name).join("\", \"");
        reading.mistake(name.at, format!("`status` is one of \"{known}\""));
    }
    status
}

fn modalities(reading: &mut Reading<'_>, row: &mut Members<'_>, member: &'static str) -> Option<Vec<Modality>> {
    let mut modalities = Vec::new();
    for name in row.strings(reading, member)? {
        match Modality::named(&name.value) {
            Some(modality) => modalities.push(modality),
            None => {
                let known = Modality::ALL.map(Modality::name).join("`, `");
                reading.mistake(name.at, format!("`{member}` lists some of `{known}`"));
            }
        }
    }
    modalities.sort_unstable();
    modalities.dedup();
    Some(modalities)
}

fn thinking(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<ThinkingStyle> {
    let name = row.string(reading, "thinking")?;
    let style = ThinkingStyle::named(&name.value).filter(|style| *style != ThinkingStyle::Unknown);
    if style.is_none() {
        reading.mistake(
            name.at,
            "`thinking` is how the model is told how much to think: \"words\", \"tokens\" or \"never\"; left out when unknown",
        );
    }
    style
}
