//! How hard a request is where no artifact says so: rules that anybody can read.
//!
//! A request has points for what usually makes one hard, and its bucket by their sum: `hard` from [`HARD`], `mid` from [`MID`], else
//! `cheap`. The chances that go with them are guesses, and nothing is made of them but a line in a Record.
//!
//! | what it shows | points |
//! |---|---|
//! | much thought asked for | 4 |
//! | some thought asked for | 2 |
//! | words that want a proof | 3 |
//! | words that want something worked out; formulas | 2 |
//! | code: fences, or words of programs | 2 |
//! | words that want care: step by step, reasoning | 1 |
//! | more than 8,000 tokens to read; more than 50,000 | 1; 3 |
//! | results of tools to go on with, and five calls or more so far | 1 each |
//! | five tools or more; a JSON schema to follow | 1 each |
//! | pictures, sounds, films or documents | 1 |
//! | more than 60 words in the last turn; more than 250 | 1; 2 |
//!
//! *Limits*: nobody has measured that these points suit anybody's traffic. Whoever wants more trains an artifact on their own.

use crate::artifact::{Bucket, Opinion};
use crate::features::{Features, Number};

/// So many points make a request hard.
pub const HARD: u32 = 6;

/// So many points make it neither easy nor hard.
pub const MID: u32 = 2;

/// What is guessed of the chances that a cheap, and that a middling model does the job, in thousandths.
const CHANCES: [(u16, u16); 3] = [(800, 900), (500, 800), (300, 500)];

/// The bucket of a request by the rules.
pub fn by_rules(features: &Features) -> Opinion {
    let points = points(features);
    let bucket = match points {
        HARD.. => Bucket::Hard,
        MID.. => Bucket::Mid,
        _ => Bucket::Cheap,
    };
    let (cheap, mid) = CHANCES.get(bucket as usize).copied().unwrap_or_default();
    Opinion { cheap, mid, bucket }
}

fn points(features: &Features) -> u32 {
    let of = |number| features.get(number);
    let more = |number, bounds: [(u32, u32); 2]| {
        bounds.into_iter().filter(|(bound, _)| of(number) > *bound).map(|(_, points)| points).max().unwrap_or(0)
    };
    let any = |numbers: &[Number]| numbers.iter().any(|number| of(*number) > 0);
    let one = |holds: bool, points: u32| if holds { points } else { 0 };
    [
        match of(Number::Reasoning) {
            4.. => 4,
            3 => 2,
            _ => 0,
        },
        one(any(&[Number::Proofs]), 3),
        one(any(&[Number::Reckoning, Number::Commands]) || of(Number::MathShare) > 30, 2),
        one(any(&[Number::Fences]) || of(Number::Code) > 2, 2),
        one(any(&[Number::Steps]), 1),
        more(Number::InputTokens, [(8_000, 1), (50_000, 3)]),
        one(any(&[Number::AnswersTool]), 1),
        one(of(Number::ToolCalls) >= 5, 1),
        one(of(Number::Tools) >= 5, 1),
        one(any(&[Number::SchemaTokens]), 1),
        one(any(&[Number::Images, Number::Sounds, Number::Films, Number::Documents]), 1),
        more(Number::Words, [(60, 1), (250, 2)]),
    ]
    .into_iter()
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_easy_is_cheap_and_what_wants_thought_is_not() {
        let bucket = |prompt: &str| by_rules(&Features::of_prompt(prompt)).bucket;
        assert_eq!(bucket("Hello, how are you?"), Bucket::Cheap);
        assert_eq!(bucket("Translate to French: good morning"), Bucket::Cheap);
        assert_eq!(bucket("Calculate 17 * 23 and explain"), Bucket::Mid);
        assert_eq!(bucket("```rust\nfn main() {}\n```\nWhy does this not compile?"), Bucket::Mid);
        let proof = "Prove, step by step, that $\\sqrt{2}$ is irrational, and solve $x^2 = 2$.";
        assert_eq!(bucket(proof), Bucket::Hard);
    }

    #[test]
    fn nothing_and_nonsense_are_cheap() {
        for prompt in ["", "   ", "\u{0}\u{1}", "aaaaaaaaaaaaaaaaaaaaaaaa"] {
            assert_eq!(by_rules(&Features::of_prompt(prompt)).bucket, Bucket::Cheap, "{prompt:?}");
        }
    }
}
