//! Words that mean the same in every dialect, and where each dialect has them: one table per dialect.
//!
//! A rule says `temperature`, and it holds whoever is asked: the table says which member that is. What a dialect has no member
//! for can't be said in it, and is not.

use std::sync::LazyLock;

use crate::catalog::DialectId;
use crate::json::path::Path;
use crate::json::{Json, Kind, Member};

/// A member that most dialects have, in the hub's words (see [`crate::hub::Request`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// How freely to choose.
    Temperature,
    /// Among the likeliest of this share.
    TopP,
    /// Among this many likeliest.
    TopK,
    /// Penalty for what was said at all.
    PresencePenalty,
    /// Penalty for what was said often.
    FrequencyPenalty,
    /// For answers that can be repeated.
    Seed,
    /// Where to stop.
    Stop,
    /// The most tokens of the answer.
    MaxOutputTokens,
    /// How many answers.
    Answers,
}

/// Which values a word takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Takes {
    /// A number within these bounds.
    Number(f64, f64),
    /// A whole number within these bounds.
    Whole(f64, f64),
    /// A list of texts.
    Texts,
}

impl Takes {
    /// Whether it takes that value.
    pub(super) fn holds(self, value: Json<'_>) -> bool {
        match (self, value.f64()) {
            (Takes::Number(least, most), Some(number)) => (least..=most).contains(&number),
            (Takes::Whole(least, most), Some(number)) => {
                // As digits alone, for that is what every provider reads.
                (least..=most).contains(&number) && value.as_str().parse::<i64>().is_ok()
            }
            _ => false,
        }
    }
}

impl core::fmt::Display for Takes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Takes::Number(least, _) if *least == f64::MIN => f.write_str("a number"),
            Takes::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Takes::Whole(least, most) => write!(f, "a whole number from {least} to {most}"),
            Takes::Texts => f.write_str("a list of strings"),
        }
    }
}

/// The largest whole number that every reader of JSON knows exactly.
const MOST: f64 = 9_007_199_254_740_992.0;

impl Word {
    /// Every word.
    pub const ALL: [Word; 9] = [
        Word::Temperature,
        Word::TopP,
        Word::TopK,
        Word::PresencePenalty,
        Word::FrequencyPenalty,
        Word::Seed,
        Word::Stop,
        Word::MaxOutputTokens,
        Word::Answers,
    ];

    /// How rules write it.
    pub fn name(self) -> &'static str {
        match self {
            Word::Temperature => "temperature",
            Word::TopP => "top_p",
            Word::TopK => "top_k",
            Word::PresencePenalty => "presence_penalty",
            Word::FrequencyPenalty => "frequency_penalty",
            Word::Seed => "seed",
            Word::Stop => "stop",
            Word::MaxOutputTokens => "max_output_tokens",
            Word::Answers => "answers",
        }
    }

    /// The word of that name.
    pub fn named(name: &str) -> Option<Word> {
        Word::ALL.into_iter().find(|word| word.name() == name)
    }

    /// Which values it takes.
    pub fn takes(self) -> Takes {
        match self {
            Word::Temperature => Takes::Number(0.0, 2.0),
            Word::TopP => Takes::Number(0.0, 1.0),
            Word::PresencePenalty | Word::FrequencyPenalty => Takes::Number(-2.0, 2.0),
            Word::TopK => Takes::Whole(0.0, MOST),
            Word::Seed => Takes::Whole(-MOST, MOST),
            Word::MaxOutputTokens | Word::Answers => Takes::Whole(1.0, MOST),
            Word::Stop => Takes::Texts,
        }
    }

    /// The most that a dialect takes, where that is less than others do.
    pub fn most(self, dialect: DialectId) -> Option<f64> {
        let narrow = matches!(dialect, DialectId::Messages | DialectId::ChatV2 | DialectId::Converse);
        (self == Word::Temperature && narrow).then_some(1.0)
    }

    /// Where a dialect has it.
    pub fn place(self, dialect: DialectId) -> Option<&'static Path> {
        PLACES.iter().find(|place| (place.0, place.1) == (dialect, self)).map(|(.., path)| path)
    }
}

/// The tables below as paths, made once: every change of every attempt asks for one.
static PLACES: LazyLock<Vec<(DialectId, Word, Path)>> = LazyLock::new(|| {
    let rows = DialectId::ALL.into_iter().flat_map(|dialect| members(dialect).iter().map(move |row| (dialect, row)));
    rows.map(|(dialect, (word, place))| (dialect, *word, Path::of(place))).collect()
});

/// Members by the names that mean them, from the outermost in.
type Place = &'static [&'static [&'static str]];

fn members(dialect: DialectId) -> &'static [(Word, Place)] {
    match dialect {
        DialectId::ChatCompletions => CHAT_COMPLETIONS,
        DialectId::Responses => RESPONSES,
        DialectId::Messages => MESSAGES,
        DialectId::GenerateContent => GENERATE_CONTENT,
        DialectId::ChatV2 => CHAT_V2,
        DialectId::Converse => CONVERSE,
    }
}

const CHAT_COMPLETIONS: &[(Word, Place)] = &[
    (Word::Temperature, &[&["temperature"]]),
    (Word::TopP, &[&["top_p"]]),
    (Word::TopK, &[&["top_k"]]),
    (Word::PresencePenalty, &[&["presence_penalty"]]),
    (Word::FrequencyPenalty, &[&["frequency_penalty"]]),
    (Word::Seed, &[&["seed"]]),
    (Word::Stop, &[&["stop"]]),
    (Word::MaxOutputTokens, &[&["max_completion_tokens", "max_tokens"]]),
    (Word::Answers, &[&["n"]]),
];

const RESPONSES: &[(Word, Place)] = &[
    (Word::Temperature, &[&["temperature"]]),
    (Word::TopP, &[&["top_p"]]),
    (Word::MaxOutputTokens, &[&["max_output_tokens"]]),
];

const MESSAGES: &[(Word, Place)] = &[
    (Word::Temperature, &[&["temperature"]]),
    (Word::TopP, &[&["top_p"]]),
    (Word::TopK, &[&["top_k"]]),
    (Word::Stop, &[&["stop_sequences"]]),
    (Word::MaxOutputTokens, &[&["max_tokens"]]),
];

/// Google's servers take two spellings of every member.
const CONFIG: &[&str] = &["generationConfig", "generation_config"];

const GENERATE_CONTENT: &[(Word, Place)] = &[
    (Word::Temperature, &[CONFIG, &["temperature"]]),
    (Word::TopP, &[CONFIG, &["topP", "top_p"]]),
    (Word::TopK, &[CONFIG, &["topK", "top_k"]]),
    (Word::PresencePenalty, &[CONFIG, &["presencePenalty", "presence_penalty"]]),
    (Word::FrequencyPenalty, &[CONFIG, &["frequencyPenalty", "frequency_penalty"]]),
    (Word::Seed, &[CONFIG, &["seed"]]),
    (Word::Stop, &[CONFIG, &["stopSequences", "stop_sequences"]]),
    (Word::MaxOutputTokens, &[CONFIG, &["maxOutputTokens", "max_output_tokens"]]),
    (Word::Answers, &[CONFIG, &["candidateCount", "candidate_count"]]),
];

const CHAT_V2: &[(Word, Place)] = &[
    (Word::Temperature, &[&["temperature"]]),
    (Word::TopP, &[&["p"]]),
    (Word::TopK, &[&["k"]]),
    (Word::PresencePenalty, &[&["presence_penalty"]]),
    (Word::FrequencyPenalty, &[&["frequency_penalty"]]),
    (Word::Seed, &[&["seed"]]),
    (Word::Stop, &[&["stop_sequences"]]),
    (Word::MaxOutputTokens, &[&["max_tokens"]]),
];

const INFERENCE: &[&str] = &["inferenceConfig"];

const CONVERSE: &[(Word, Place)] = &[
    (Word::Temperature, &[INFERENCE, &["temperature"]]),
    (Word::TopP, &[INFERENCE, &["topP"]]),
    (Word::TopK, &[&["additionalModelRequestFields"], &["top_k"]]),
    (Word::Stop, &[INFERENCE, &["stopSequences"]]),
    (Word::MaxOutputTokens, &[INFERENCE, &["maxTokens"]]),
];

/// Where a dialect has the operator's own words to the model.
#[derive(Clone, Copy, Debug)]
pub(super) enum System {
    /// In a member: a text, or a list of blocks.
    Member {
        /// Where.
        place: Place,
        /// How a block is written.
        block: Block,
        /// What is written where there is none yet.
        fresh: Fresh,
    },
    /// In the first turn of `messages` whose role is one of these; a new one has the first role.
    Turn {
        /// The roles.
        roles: &'static [&'static str],
    },
}

/// How a block of text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// `{"type":"text","text":…}`
    Typed,
    /// `{"text":…}`
    Plain,
}

/// What stands where nothing stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fresh {
    /// A text.
    Text,
    /// A list of one block.
    Blocks,
}

impl System {
    pub(super) fn of(dialect: DialectId) -> System {
        let (typed, plain) = (Block::Typed, Block::Plain);
        match dialect {
            DialectId::ChatCompletions => System::Turn { roles: &["system", "developer"] },
            DialectId::ChatV2 => System::Turn { roles: &["system"] },
            DialectId::Messages => System::Member { place: &[&["system"]], block: typed, fresh: Fresh::Text },
            DialectId::Responses => System::Member { place: &[&["instructions"]], block: typed, fresh: Fresh::Text },
            DialectId::GenerateContent => System::Member {
                place: &[&["systemInstruction", "system_instruction"], &["parts"]],
                block: plain,
                fresh: Fresh::Blocks,
            },
            DialectId::Converse => System::Member { place: &[&["system"]], block: plain, fresh: Fresh::Blocks },
        }
    }
}

/// Whether an event says that something went wrong in the midst of an answer, in whichever dialect; or whether nobody can read it.
pub(super) fn is_trouble(name: &[u8], data: &[u8]) -> bool {
    let data = data.trim_ascii();
    if data.is_empty() || data == b"[DONE]" {
        return false;
    }
    let Ok(json) = Json::parse(data) else { return true };
    // Some put it into a list.
    let json = json.items().next().unwrap_or(json);
    let failed = |json: Json<'_>| json.get("error").is_some_and(|error| !error.is_null());
    let says =
        |value: Json<'_>, words: &[&str]| value.text().is_some_and(|text| words.iter().any(|word| text.is(word)));
    let tells = |(name, value): Member<'_>| match name.decode().as_ref() {
        "error" => !value.is_null(),
        "response" => failed(value),
        "choices" => value.items().any(failed),
        "type" | "object" => says(value, &["error", "response.failed"]),
        "message" | "detail" => value.kind() == Kind::String,
        _ => false,
    };
    name == b"error" || json.members().any(tells)
}

/// Where an answer of a dialect, or an event of one, names the model.
pub(super) fn answering_model(dialect: DialectId) -> &'static [Place] {
    match dialect {
        DialectId::ChatCompletions => &[&[&["model"]]],
        DialectId::Messages => &[&[&["model"]], &[&["message"], &["model"]]],
        DialectId::Responses => &[&[&["model"]], &[&["response"], &["model"]]],
        DialectId::GenerateContent => &[&[&["modelVersion"]]],
        DialectId::ChatV2 | DialectId::Converse => &[],
    }
}
