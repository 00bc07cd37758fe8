use super::*;
use proptest::prelude::*;

/// What the events say, one word each, for assertions a person can read.
fn run(pieces: &[Piece<'_>]) -> Vec<String> {
    let mut said = Vec::new();
    let mut sequencer = Sequencer::new();
    let mut emit = |event: Event<'_>| {
        said.push(match event {
            Event::Start { .. } => "start".into(),
            Event::Open(Block::ToolCall { name, .. }) => format!("open {}", name.raw()),
            Event::Open(block) => format!("open {block:?}").to_lowercase(),
            Event::Delta(text) => format!("+{}", text.raw()),
            Event::Signature(text) => format!("sign {}", text.raw()),
            Event::Lost(what) => format!("lost {what}"),
            Event::Close => "close".into(),
            Event::Usage(_) => "usage".into(),
            Event::Stop(stop) => format!("stop {:?}", stop.reason),
            Event::Error(error) => format!("error {}", error.message),
        });
    };
    for piece in pieces {
        sequencer.push(piece.clone(), &mut emit);
    }
    sequencer.finish(&mut emit);
    said
}

fn t(text: &str) -> Text<'_> {
    Text::escaped(text)
}

fn call(slot: u32, name: &str) -> Piece<'_> {
    Piece::ToolCall { slot, id: None, name: t(name) }
}

fn arguments(slot: u32, fragment: &str) -> Piece<'_> {
    Piece::ArgumentsText { slot, fragment: t(fragment) }
}

const STOP: Piece<'static> = Piece::Stop(Stop { reason: StopReason::End, sequence: None });

#[test]
fn text_and_thoughts_become_blocks() {
    let pieces = [Piece::Thinking(t("hm")), Piece::Text(t("a")), Piece::Text(t("b")), STOP];
    assert_eq!(run(&pieces), ["start", "open thinking", "+hm", "close", "open text", "+a", "+b", "close", "stop End"]);
}

#[test]
fn a_second_call_closes_a_complete_first_one() {
    let pieces = [call(0, "f"), arguments(0, r#"{\"a\":\"}\"}"#), call(1, "g"), arguments(1, "{}"), STOP];
    let expected = ["start", "open f", r#"+{\"a\":\"}\"}"#, "close", "open g", "+{}", "close", "stop ToolCalls"];
    assert_eq!(run(&pieces), expected);
}

#[test]
fn interleaved_calls_come_out_one_by_one() {
    let pieces = [
        call(0, "f"),
        call(1, "g"),
        arguments(0, "{"),
        arguments(1, "{"),
        arguments(0, "}"),
        arguments(1, "}"),
        Piece::End,
    ];
    assert_eq!(run(&pieces), ["start", "open f", "+{", "+}", "close", "open g", "+{}", "close", "stop ToolCalls"]);
}

#[test]
fn a_cut_answer_ends_in_an_error() {
    assert_eq!(
        run(&[Piece::Text(t("a"))]),
        ["start", "open text", "+a", "close", "error the provider's answer was cut off before its end"]
    );
    assert_eq!(run(&[]), ["start", "error the provider's answer was empty"]);
}

#[test]
fn nothing_follows_the_end() {
    assert_eq!(run(&[Piece::End, Piece::Text(t("late")), Piece::End]), ["start", "stop End"]);
}

fn any_piece() -> impl Strategy<Value = Piece<'static>> {
    let usage = Usage { input: Some(1), ..Usage::default() };
    let text = prop_oneof![Just("a"), Just(""), Just("{"), Just("}"), Just("\\\""), Just("\\\\"), Just("{}")];
    let slot = 0..4u32;
    prop_oneof![
        Just(Piece::Start { id: None, model: None }),
        text.clone().prop_map(|x| Piece::Text(t(x))),
        text.clone().prop_map(|x| Piece::Thinking(t(x))),
        text.clone().prop_map(|x| Piece::Refusal(t(x))),
        (prop::option::of(slot.clone()), text.clone()).prop_map(|(slot, x)| Piece::Signature { slot, signature: t(x) }),
        slot.clone().prop_map(|slot| call(slot, "f")),
        slot.clone().prop_map(|slot| call(slot, "f")),
        (slot.clone(), text).prop_map(|(slot, x)| arguments(slot, x)),
        slot.prop_map(|slot| Piece::Arguments { slot, arguments: Json::EMPTY_OBJECT }),
        Just(Piece::Other(Json::EMPTY_OBJECT)),
        Just(Piece::EndBlock),
        Just(Piece::Usage(usage)),
        Just(STOP),
    ]
}

proptest! {
    /// Law 6: whatever a reader says, the events keep to `Start (Open Delta* Close)* Usage? (Stop | Error)`.
    #[test]
    fn events_keep_to_the_grammar(pieces in prop::collection::vec(any_piece(), 0..24), end in any::<bool>()) {
        let mut grammar = String::new();
        let mut sequencer = Sequencer::new();
        let mut emit = |event: Event<'_>| grammar.push(match event {
            Event::Start { .. } => 's',
            Event::Open(_) => 'o',
            Event::Delta(_) | Event::Signature(_) => 'd',
            Event::Close => 'c',
            Event::Usage(_) => 'u',
            Event::Stop(_) => '.',
            Event::Error(_) => '!',
            Event::Lost(_) => '?',
        });
        for piece in pieces { sequencer.push(piece, &mut emit); }
        if end { sequencer.push(Piece::End, &mut emit); }
        sequencer.finish(&mut emit);
        let mut rest = grammar.strip_prefix('s').unwrap_or("?");
        while let Some(block) = rest.strip_prefix('o') {
            rest = block.trim_start_matches('d').strip_prefix('c').unwrap_or("?");
        }
        rest = rest.strip_prefix('u').unwrap_or(rest);
        prop_assert!(rest == "." || rest == "!", "{}", grammar);
    }
}
