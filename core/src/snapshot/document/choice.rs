//! How a route's model is chosen, in the Snapshot's document.

use crate::json::{Json, Writer};
use crate::snapshot::{Buckets, Choice, Thought};

pub(super) fn write(choice: &Choice, out: &mut Writer) {
    out.object(|out| {
        out.field("suits").array(|out| choice.suits.iter().for_each(|suits| out.number(suits.bits())));
        out.field("alpha").number(u64::from(choice.alpha));
        let (least, most) = choice.alphas;
        out.field("alphas").array(|out| [least, most].into_iter().for_each(|alpha| out.number(u64::from(alpha))));
        out.field("second").number(choice.second);
        if choice.keep_features {
            out.field("keep_features").bool(true);
        }
        out.field("thought").array(|out| choice.thought.iter().for_each(|thought| write_thought(thought, out)));
    });
}

fn write_thought(thought: &Thought, out: &mut Writer) {
    out.object(|out| {
        out.field("word").string(&thought.word);
        out.field("tokens").number(thought.tokens);
        if let Some((above, tokens)) = thought.long {
            out.field("above").number(above);
            out.field("long_tokens").number(tokens);
        }
    });
}

pub(super) fn read(row: Json<'_>) -> Option<Choice> {
    let thousandths = |number: Json<'_>| number.u64().and_then(|number| u16::try_from(number).ok());
    let mut alphas = row.get("alphas")?.items().map(thousandths);
    let mut thought = row.get("thought")?.items().map(read_thought);
    Some(Choice {
        suits: row.get("suits")?.items().map(|bits| Buckets::of_bits(bits.u64()?)).collect::<Option<_>>()?,
        alpha: row.get("alpha").and_then(thousandths)?,
        alphas: (alphas.next()??, alphas.next()??),
        second: row.get("second")?.u64()?,
        thought: [thought.next()??, thought.next()??, thought.next()??],
        keep_features: row.get("keep_features").and_then(Json::bool).unwrap_or(false),
    })
}

fn read_thought(row: Json<'_>) -> Option<Thought> {
    let number = |name: &str| row.get(name).and_then(Json::u64);
    Some(Thought {
        word: row.get("word").and_then(Json::string)?,
        tokens: number("tokens")?,
        long: number("above").zip(number("long_tokens")),
    })
}
