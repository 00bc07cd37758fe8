//! Words that say what is asked for, found by their hash.

use super::Number;
use super::grams;

/// Words in lower case, by what they are counted as.
const CUES: [(Number, &str); 22] = [
    (
        Number::Denials,
        "not except false incorrect least never no none cannot neither nor untrue without unlikely wrong",
    ),
    (Number::Questions, "what which who whom whose when where why how"),
    (Number::Reasons, "why how explain because reason"),
    (Number::Reckoning, "calculate compute find determine solve evaluate derive estimate"),
    (Number::Proofs, "prove proof show theorem lemma verify"),
    (Number::Compositions, "write compose draft generate create essay story poem article letter email blog"),
    (Number::Transformations, "summarize summarise translate rewrite paraphrase extract classify list"),
    (
        Number::Code,
        "function code python java javascript def return class import print array string int sql regex algorithm program assert",
    ),
    (
        Number::Law,
        "court law plaintiff defendant statute contract property sued liable jury constitutional attorney rule action trial murder crime evidence",
    ),
    (
        Number::Medicine,
        "patient blood disease symptoms treatment physician hospital pain mg diagnosis drug clinical therapy",
    ),
    (Number::Money, "price cost dollars per profit demand market tax interest rate income pay money economic bank"),
    (
        Number::Physics,
        "velocity force mass energy temperature pressure current voltage charge speed acceleration kg electron",
    ),
    (
        Number::Mathematics,
        "integer function polynomial matrix group equation probability sum graph vector real prime triangle angle number numbers theorem ring field",
    ),
    (
        Number::Society,
        "people social children psychology theory behavior moral person individual society government war political",
    ),
    (Number::Quantities, "all every some most only if then or and more less than each at"),
    (Number::Statements, "statement statements"),
    (Number::Morals, "morally wrong scenario character main ordinary standards"),
    (Number::Persons, "i you he she we they my your his her their"),
    (Number::References, "following above below"),
    (Number::Superlatives, "best most primarily likely"),
    (
        Number::Lengths,
        "brief briefly short concise detailed long comprehensive words sentence sentences paragraph paragraphs pages bullet",
    ),
    (Number::Steps, "step steps carefully think reasoning thorough thoroughly reason"),
];

/// How questions and instructions begin.
const BEGINNINGS: [(Number, &str); 9] = [
    (Number::BeginsWhat, "what"),
    (Number::BeginsWhich, "which"),
    (Number::BeginsWho, "who"),
    (Number::BeginsHow, "how why"),
    (Number::BeginsIf, "if suppose let assume"),
    (Number::BeginsArticle, "a an the"),
    (Number::BeginsPreposition, "in on for at"),
    (Number::BeginsThis, "this these"),
    (Number::BeginsTask, "calculate find compute determine"),
];

/// Measures of an answer, and how many words one has.
const MEASURES: [(u32, &str); 4] =
    [(1, "word words"), (15, "sentence sentences"), (100, "paragraph paragraphs"), (400, "page pages")];

/// Places of the table below; several times as many as there are words, so that most look-ups end at once.
const PLACES: usize = 1 << BITS;
const BITS: u32 = 10;

/// What is known of a word's hash: a bit for each of [`CUES`], then for [`BEGINNINGS`], then for [`MEASURES`].
#[derive(Clone, Copy)]
struct Known {
    hash: u32,
    lists: u64,
}

static TABLE: [Known; PLACES] = table();

#[expect(clippy::indexing_slicing, reason = "the compiler does this, and stops at what is out of range")]
const fn table() -> [Known; PLACES] {
    let mut table = [Known { hash: 0, lists: 0 }; PLACES];
    let mut list = 0;
    while list < CUES.len() {
        enter(&mut table, CUES[list].1.as_bytes(), list);
        list += 1;
    }
    list = 0;
    while list < BEGINNINGS.len() {
        enter(&mut table, BEGINNINGS[list].1.as_bytes(), CUES.len() + list);
        list += 1;
    }
    list = 0;
    while list < MEASURES.len() {
        enter(&mut table, MEASURES[list].1.as_bytes(), CUES.len() + BEGINNINGS.len() + list);
        list += 1;
    }
    table
}

/// Enters the words of a list.
#[expect(clippy::indexing_slicing, reason = "the compiler does this, and stops at what is out of range")]
const fn enter(table: &mut [Known; PLACES], mut list: &[u8], number: usize) {
    while !list.is_empty() {
        let mut end = 0;
        while end < list.len() && list[end] != b' ' {
            end += 1;
        }
        let (word, rest) = list.split_at(end);
        let hash = grams::word(word);
        let mut place = (hash >> (32 - BITS)) as usize;
        while table[place].hash != hash && table[place].hash != 0 {
            place = (place + 1) % PLACES;
        }
        table[place].hash = hash;
        table[place].lists |= 1 << number;
        list = if rest.is_empty() { rest } else { rest.split_at(1).1 };
    }
}

/// In which lists a word is, by its gram.
#[derive(Clone, Copy, Default)]
pub(super) struct Cues(u64);

impl Cues {
    pub(super) fn of(word: u32) -> Cues {
        let mut place = (word >> (32 - BITS)) as usize;
        loop {
            match TABLE.get(place) {
                Some(known) if known.hash == word => return Cues(known.lists),
                Some(known) if known.hash != 0 => place = (place + 1) % PLACES,
                _ => return Cues::default(),
            }
        }
    }

    /// What it is counted as, wherever it stands.
    pub(super) fn counted(self) -> impl Iterator<Item = Number> {
        self.among(&CUES, 0)
    }

    /// What it says as the first word.
    pub(super) fn beginning(self) -> impl Iterator<Item = Number> {
        self.among(&BEGINNINGS, CUES.len())
    }

    /// How many words an answer has of which it is a measure.
    pub(super) fn measure(self) -> Option<u32> {
        self.among(&MEASURES, CUES.len() + BEGINNINGS.len()).next()
    }

    /// What stands before the lists that it is in; the bits of these begin at `from`.
    fn among<T: Copy>(self, lists: &'static [(T, &str)], from: usize) -> impl Iterator<Item = T> {
        let bits = self.0 >> from;
        // Most words are in none.
        let lists = if bits == 0 { &[] } else { lists };
        lists.iter().enumerate().filter(move |(list, _)| bits >> list & 1 == 1).map(|(_, (what, _))| *what)
    }
}
