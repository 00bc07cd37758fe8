//! How a route's model is chosen for each request: whom each bucket is for, what quality is worth, how much is thought.

use dragoman_core::artifact::Bucket;
use dragoman_core::snapshot::{Buckets, Choice, Thought};

use super::members::{Members, Placed, Reading};
use super::micro_dollars;

/// Most tokens of thought that anybody takes.
const MOST_TOKENS: u64 = 1_000_000;

/// Above so many tokens to read, so many of thought.
type Longer = Option<(u64, u64)>;

/// How much is thought when somebody says so in a word: tokens, and for long requests other ones.
const WORDS: [(&str, u64, Longer); 6] = [
    ("minimal", 1_024, None),
    ("low", 2_048, None),
    ("medium", 6_000, Some((50_000, 8_000))),
    ("high", 20_000, Some((200_000, 32_000))),
    ("xhigh", 32_000, None),
    ("max", 32_000, None),
];

/// What a route's row says of how its model is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChooseRow {
    /// Which buckets each of the row's candidates is for, by its name.
    pub suits: Vec<(String, Buckets)>,
    /// Everything else; whom it suits is known when names have become targets.
    pub choice: Choice,
}

impl ChooseRow {
    /// Which buckets a candidate is for.
    pub fn suits(&self, candidate: &str) -> Buckets {
        self.suits.iter().find(|(known, _)| known == candidate).map(|(_, buckets)| *buckets).unwrap_or_default()
    }
}

/// Reads `choose` of a route, with whom it names: they are the route's candidates, each once.
pub(super) fn choose(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<(ChooseRow, Vec<Placed<String>>)> {
    let mut members = row.table(reading, "choose", "`choose`")?;
    let at = members.at;
    let mut candidates: Vec<Placed<String>> = Vec::new();
    let mut suits: Vec<(String, Buckets)> = Vec::new();
    for bucket in Bucket::ALL {
        for name in members.strings(reading, bucket.name()).unwrap_or_default() {
            match suits.iter_mut().find(|(known, _)| *known == name.value) {
                Some((_, buckets)) => *buckets = buckets.with(bucket),
                None => {
                    suits.push((name.value.clone(), Buckets::NONE.with(bucket)));
                    candidates.push(name);
                }
            }
        }
    }
    if candidates.is_empty() {
        reading.mistake(at, "`choose` says who is asked for `cheap`, `mid` and `hard` requests, for instance { cheap = [\"small\"], hard = [\"large\"] }");
    }
    let mut percent = |name| members.number(reading, name, 0, 100).and_then(thousandths);
    let (alpha, least, most) = (percent("alpha"), percent("least_alpha"), percent("most_alpha"));
    let alphas = (least.unwrap_or(0), most.unwrap_or(1000));
    let alpha = alpha.unwrap_or(Choice::ALPHA.clamp(alphas.0.min(alphas.1), alphas.1));
    if !(alphas.0..=alphas.1).contains(&alpha) {
        reading.mistake(at, "`alpha` is not within `least_alpha` and `most_alpha`");
    }
    let second = second(reading, &mut members);
    let thought = thought(reading, &mut members);
    let keep_features = members.flag(reading, "keep_features").is_some_and(|flag| flag.value);
    members.end(reading);
    let choice = Choice { suits: Vec::new(), alpha, alphas, second, thought, keep_features };
    Some((ChooseRow { suits, choice }, candidates))
}

fn thousandths(percent: u64) -> Option<u16> {
    u16::try_from(percent * 10).ok()
}

/// What a second is worth, in micro-dollars.
fn second(reading: &mut Reading<'_>, members: &mut Members<'_>) -> u64 {
    let Some(text) = members.string(reading, "second") else { return 0 };
    let amount = micro_dollars(&text.value);
    if amount.is_none() {
        reading.mistake(
            text.at,
            "`second` is an amount in dollars: what it is worth to wait a second less, such as \"0.001\"",
        );
    }
    amount.unwrap_or(0)
}

/// `thinking = { mid = "medium", hard = "high" }` and `thinking_tokens = { mid = 6000 }`.
fn thought(reading: &mut Reading<'_>, members: &mut Members<'_>) -> [Thought; 3] {
    let words = members.pairs(reading, "thinking");
    let tokens = members.numbers(reading, "thinking_tokens", 1, MOST_TOKENS);
    let mut thought = if words.is_none() { Choice::usual_thought() } else { Default::default() };
    let mut of =
        |reading: &mut Reading<'_>, bucket: &Placed<String>, change: &dyn Fn(&mut Thought)| match Bucket::named(
            &bucket.value,
        )
        .and_then(|bucket| thought.get_mut(bucket as usize))
        {
            Some(thought) => change(thought),
            None => reading.mistake(bucket.at, "a bucket is `cheap`, `mid` or `hard`"),
        };
    for (bucket, word) in words.into_iter().flatten() {
        match WORDS.into_iter().find(|(known, ..)| *known == word) {
            Some((_, tokens, long)) => {
                of(reading, &bucket, &|thought| *thought = Thought { word: word.clone(), tokens, long });
            }
            None => {
                let known = WORDS.map(|(known, ..)| known).join("\", \"");
                reading.mistake(bucket.at, format!("how much is thought is one of \"{known}\""));
            }
        }
    }
    for (bucket, tokens) in tokens.into_iter().flatten() {
        of(reading, &bucket, &|thought| (thought.tokens, thought.long) = (tokens, None));
    }
    thought
}
