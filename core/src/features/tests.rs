use super::*;
use crate::hub::ToolResult;
use crate::json::Json;
use proptest::prelude::*;

/// What is not zero of the numbers of a text.
fn numbers(prompt: &str, wanted: &[Number]) -> Vec<u32> {
    let features = Features::of_prompt(prompt);
    wanted.iter().map(|number| features.get(*number)).collect()
}

fn turn<'a>(role: Role, parts: Vec<Part<'a>>) -> Turn<'a> {
    Turn { role, parts, shape: Shape::List, extra: Vec::new() }
}

fn says(text: &str) -> Part<'_> {
    Part::Text { text: Text::escaped(text), extra: Vec::new() }
}

fn request<'a>(turns: Vec<Turn<'a>>) -> Request<'a> {
    Request { turns, ..Request::new(DialectId::Messages, Delivery::Whole) }
}

const CHOICE: &str = "Which of these is NOT a prime, if any?\nA. 2\nB. 1,001.5\nC. both\nD. None of the above\nAnswer:";

#[test]
fn a_question_with_options_is_taken_apart() {
    use Number::*;
    for (number, expected) in [
        (Options, 4),
        (OptionLeast, 1),
        (OptionMost, 17),
        (OptionBytes, 29),
        (OptionLast, 17),
        (OptionNumbers, 2),
        (OptionSingles, 3),
        (OptionWords, 7),
        (OptionAlike, 1),
        (OptionOthers, 2),
        (OptionCommas, 1),
        (OptionCapitals, 1),
        (Lines, 6),
        (StemWords, 9),
        (Words, 23),
        (BeginsWhich, 1),
        (EndsAsking, 1),
        (Denials, 2),
        (StemDenials, 1),
        (ShoutedDenials, 1),
        (Numbers, 2),
        (StemNumbers, 0),
        (Decimals, 1),
        (LongestNumber, 3),
        (LastWords, 9),
        (Letters, 1),
        (Mathematics, 1),
    ] {
        assert_eq!(numbers(CHOICE, &[number]), [expected], "{}", SCHEMA[number as usize].0);
    }
    assert_eq!(numbers("A. alone", &[Options, StemWords]), [0, 2], "one letter is no choice");
    assert_eq!(numbers("x\n(A) true, false\n(B) Not wrong", &[Options, OptionTruths]), [2, 2]);
}

#[test]
fn code_formulas_and_lists_are_seen() {
    use Number::*;
    let text =
        "# Fix it\n\n```python\ndef f(x):\n    return x**2\n```\n- see https://a.b/c\n2) $\\frac{1}{2} = 0.5$ in 1984";
    let seen = numbers(text, &[Fences, Indented, Listed, Links, Commands, Dollars, Years, Code, Paragraphs]);
    assert_eq!(seen, [2, 1, 2, 1, 1, 2, 1, 3, 1]);
    assert_eq!(numbers("In 500 words, then 3 paragraphs more.", &[WordsAsked]), [300]);
    assert_eq!(numbers("A 500-word essay on 7 seas", &[WordsAsked, BeginsArticle]), [500, 1]);
    assert_eq!(numbers("Write: ask Ann Lee, NASA", &[Names, Shouted, EndsOpen]), [2, 1, 0]);
}

#[test]
fn scripts_are_told_apart() {
    use Number::*;
    let wanted = [Accented, Cyrillic, Semitic, Indic, Han];
    assert_eq!(numbers("naïve", &wanted), [1_000, 0, 0, 0, 0]);
    assert_eq!(numbers("Привет λ", &wanted), [0, 1_000, 0, 0, 0]);
    assert_eq!(numbers("שלום مرحبا", &wanted), [0, 0, 1_000, 0, 0]);
    assert_eq!(numbers("नमस्ते", &wanted), [0, 0, 0, 1_000, 0]);
    assert_eq!(numbers("日本語かな한글👍👍👍👍👍👍👍", &wanted), [0, 0, 0, 0, 500]);
}

#[test]
fn a_conversation_is_counted_part_by_part() {
    use Number::*;
    let result = |error| {
        let content = vec![says("42")];
        Part::ToolResult(ToolResult { id: None, name: None, content, shape: Shape::Bare, error, extra: Vec::new() })
    };
    let mut asked = request(vec![
        turn(Role::System, vec![says("You are terse.")]),
        turn(Role::User, vec![says("first")]),
        turn(Role::Assistant, vec![says("What else?")]),
        turn(Role::User, vec![says("Why 2?"), says("Say how.")]),
        turn(Role::Assistant, vec![]),
        turn(Role::User, vec![result(Some(true)), result(None)]),
    ]);
    asked.format = Some(Format::JsonSchema {
        name: None,
        description: None,
        schema: Json::parse(br#"{"type":"object"}"#).unwrap(),
        strict: None,
        extra: Vec::new(),
    });
    asked.reasoning = Some(crate::hub::Reasoning { depth: Depth::Budget(20_000), shown: None, extra: Vec::new() });
    let features = Features::of(&asked);
    for (number, expected) in [
        (Turns, 6),
        (UserTurns, 3),
        (AnswerTurns, 2),
        (SystemTokens, 4),
        (HistoryTokens, 9),
        (LastTokens, 6),
        (InputTokens, 19),
        (ToolResults, 2),
        (ToolErrors, 1),
        (AnswersTool, 1),
        (GoesOn, 0),
        (Reasoning, 4),
        (SchemaTokens, 6),
        (Words, 4),
        (Sentences, 2),
        (QuestionMarks, 1),
        (Reasons, 2),
    ] {
        assert_eq!(features.get(number), expected, "{}", SCHEMA[number as usize].0);
    }
    assert_eq!(features.dense().len(), SCHEMA.len());
}

#[test]
fn grams_are_hashed_as_training_expects() {
    let features = Features::of_prompt("Photons 1234567 photons");
    // FNV-1a of "photons" and "00000", each times 0x85ebca6b.
    assert_eq!(features.grams(GramKind::Word), [0x292b_e144, 0xcdc5_9515, 0x292b_e144]);
    assert_eq!(features.grams(GramKind::Pair), [0xae4e_8711, 0x8eaa_1f41]);
    for kind in GramKind::ALL {
        assert_eq!(GramKind::named(kind.name()), Some(kind));
    }
}

#[test]
fn of_a_long_text_the_ends_are_read() {
    let text = format!("Begin {}. End why?", "filler ".repeat(100_000));
    let features = Features::of_prompt(&text);
    assert_eq!(features.get(Number::TextBytes) as usize, HEAD + TAIL + 1);
    assert_eq!((features.get(Number::EndsAsking), features.get(Number::Reasons)), (1, 1));
    let tokens = features.get(Number::LastTokens);
    assert!((95_000..140_000).contains(&tokens), "{tokens}");
    let parts: Vec<String> = (0..2_000).map(|part| format!("part {part}")).collect();
    let several = request(vec![turn(Role::User, parts.iter().map(|part| says(part)).collect())]);
    let read = Features::of(&several).get(Number::TextBytes) as usize;
    assert!((HEAD..=HEAD + TAIL + 2).contains(&read), "{read}");
    for kind in GramKind::ALL {
        let one_word = "x".repeat(1 << 20);
        assert!(Features::of_prompt(&one_word).grams(kind).len() < 100, "a blob is one word");
        assert!(features.grams(kind).len() <= MAX_GRAMS);
    }
}

#[test]
fn names_are_unique_and_said_in_words() {
    let mut names: Vec<&str> = SCHEMA.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), SCHEMA.len());
    assert!(
        SCHEMA
            .iter()
            .all(|(name, counts)| !counts.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    );
}

proptest! {
    #[test]
    fn any_text_has_features(text in "\\PC*|(A\\. |B\\) |[0-9.,_ ]|\n|[a-zé漢]{1,9})*") {
        let features = Features::of_prompt(&text);
        prop_assert_eq!(features.get(Number::TextBytes) as usize, text.len());
        for (place, (name, counts)) in SCHEMA.iter().enumerate() {
            if counts.contains("thousandths of") && *name != "word_length" && *name != "stem_word_length" {
                prop_assert!(features.dense()[place] <= 1_000, "{} is {}", name, features.dense()[place]);
            }
        }
        prop_assert_eq!(&features, &Features::of_prompt(&text));
    }

    #[test]
    fn broken_escapes_and_cuts_do_no_harm(text in "[\\\\unt\"0-9a-fé ]{0,40}", times in 1usize..2_000) {
        let text = text.repeat(times);
        Features::of(&request(vec![turn(Role::User, vec![says(&text)])]));
    }
}
