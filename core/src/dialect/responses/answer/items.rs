//! The items of an answer, each said once however often the provider repeats it.

use super::Say;
use crate::dialect::Aliases;
use crate::hub::provenance;
use crate::hub::{Arguments, Piece};
use crate::json::{Json, Text, Writer, write::escape_into};
use std::collections::{BTreeMap, BTreeSet};

/// What stands behind the input of a tool that takes words, where that is an argument: the end of its string and of the object.
/// Escaped, as fragments of arguments are.
const INPUT_END: &str = r#"\"}"#;

/// How many bytes of what was said are kept, for telling whether the whole of it goes on from there.
const TAIL: usize = 64;

/// What a place in an answer holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Sort {
    Text,
    Refusal,
    Summary,
    Thought,
    Arguments,
    Input,
}

/// A place in an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    /// The index of the item.
    pub(super) item: u64,
    /// What it holds.
    pub(super) sort: Sort,
    /// The index of the part.
    pub(super) part: u64,
}

/// What is known of an item.
#[derive(Default)]
struct Item {
    /// Its call was said.
    called: bool,
    /// The input of its call was begun and not yet closed.
    inside_input: bool,
    /// Whether summaries or the thought itself are said of it; not both.
    thinks: Option<Sort>,
    done: bool,
}

/// How much was said at a place, and how that ended.
#[derive(Default)]
struct Said {
    length: usize,
    tail: String,
}

impl Said {
    fn add(&mut self, text: &str) {
        self.length += text.len();
        self.tail.push_str(text);
        let surplus = self.tail.len().saturating_sub(TAIL);
        let cut = (surplus..=self.tail.len()).find(|cut| self.tail.is_char_boundary(*cut));
        self.tail.drain(..cut.unwrap_or(0));
    }

    /// What `whole` says beyond that, if it begins the same as far as one can tell.
    fn rest<'a>(&self, whole: &'a str) -> &'a str {
        match whole.split_at_checked(self.length) {
            Some((said, rest)) if said.ends_with(&self.tail) => rest,
            _ => "",
        }
    }
}

/// The items so far.
pub(super) struct Items {
    aliases: Aliases,
    known: BTreeMap<u64, Item>,
    said: BTreeMap<Place, Said>,
    /// Where the last words were said: the next ones of that sort from elsewhere are another block.
    last: Option<Place>,
    lost: BTreeSet<&'static str>,
    latest: u64,
}

impl Items {
    pub(super) fn new(aliases: Aliases) -> Items {
        let (known, said, lost) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Items { aliases, known, said, last: None, lost, latest: 0 }
    }

    /// The item that an event belongs to; servers without indices mean the one begun last.
    pub(super) fn place(&self, index: Option<u64>) -> u64 {
        index.unwrap_or(self.latest)
    }

    /// Notes, once per kind, what no other dialect has a word for.
    pub(super) fn lose(&mut self, what: &'static str, say: &mut Say<'_>) {
        if self.lost.insert(what) {
            say(Piece::Lost(what));
        }
    }

    /// An item was added.
    pub(super) fn begin(&mut self, index: Option<u64>, item: Json<'_>, say: &mut Say<'_>) {
        let next = self.known.keys().next_back().map_or(0, |last| last + 1);
        self.latest = index.unwrap_or(next);
        self.known.entry(self.latest).or_default();
        self.call(self.latest, item, say);
    }

    /// A fragment of what stands at a place.
    pub(super) fn delta(&mut self, place: Place, text: Text<'_>, say: &mut Say<'_>) {
        if self.speaks(place, say) {
            self.said.entry(place).or_default().add(text.raw());
            fragment(place, text, say);
        }
    }

    /// All of what stands at a place: news is what no fragment said.
    pub(super) fn whole(&mut self, place: Place, text: Text<'_>, say: &mut Say<'_>) {
        let news = match self.said.get(&place) {
            Some(said) => said.rest(text.raw()),
            None => text.raw(),
        };
        if !news.is_empty() {
            self.delta(place, Text::escaped(news), say);
        }
    }

    /// A part of an item, complete.
    pub(super) fn part(&mut self, index: Option<u64>, part: u64, held: Json<'_>, say: &mut Say<'_>) {
        let item = self.place(index);
        self.content(item, part, held, say);
    }

    /// An item is complete: says what was not said of it.
    pub(super) fn finish(&mut self, index: Option<u64>, item: Json<'_>, say: &mut Say<'_>) {
        let at = self.place(index);
        let kind = item.get("type").and_then(Json::text).unwrap_or_default();
        if core::mem::replace(&mut self.known.entry(at).or_default().done, true) {
            return;
        }
        match kind.decode().as_ref() {
            "message" => self.parts(at, item.get("content"), say),
            "reasoning" => {
                self.parts(at, item.get("summary"), say);
                self.parts(at, item.get("content"), say);
                self.prove(at, item, say);
            }
            "function_call" | "custom_tool_call" => self.finish_call(at, item, say),
            "image_generation_call" => {
                self.lose("images", say);
                say(Piece::Other(item));
            }
            _ => {
                self.lose("server_tools", say);
                say(Piece::Other(item));
            }
        }
    }

    /// The output of the response that ends the answer; of streams that said no items it is all there is.
    pub(super) fn rest(&mut self, output: Json<'_>, say: &mut Say<'_>) {
        if !self.known.values().any(|item| item.done) {
            for (index, item) in (0..).zip(output.items()) {
                self.finish(Some(index), item, say);
            }
        }
        let open: Vec<u64> = self.known.iter().filter(|(_, item)| item.inside_input).map(|(at, _)| *at).collect();
        open.into_iter().for_each(|at| self.close_input(at, say));
    }

    fn parts(&mut self, item: u64, list: Option<Json<'_>>, say: &mut Say<'_>) {
        for (index, part) in (0..).zip(list.into_iter().flat_map(Json::items)) {
            self.content(item, index, part, say);
        }
    }

    fn content(&mut self, item: u64, part: u64, held: Json<'_>, say: &mut Say<'_>) {
        let kind = held.get("type").and_then(Json::text).unwrap_or_default();
        let (sort, name) = match kind.decode().as_ref() {
            "output_text" | "text" => (Sort::Text, "text"),
            "refusal" => (Sort::Refusal, "refusal"),
            "summary_text" => (Sort::Summary, "text"),
            "reasoning_text" => (Sort::Thought, "text"),
            _ => return self.lose("content", say),
        };
        if let Some(text) = held.get(name).and_then(Json::text) {
            self.whole(Place { item, sort, part }, text, say);
        }
        for name in ["annotations", "logprobs"] {
            if held.get(name).is_some_and(|list| list.items().next().is_some()) {
                self.lose(name, say);
            }
        }
    }

    /// The proof of a thought belongs to the words of its item that were said last, or to none.
    fn prove(&mut self, at: u64, item: Json<'_>, say: &mut Say<'_>) {
        let proof = item.get("encrypted_content").and_then(Json::text).filter(|proof| !proof.is_empty());
        let proof = proof.filter(|proof| !provenance::is_nobodys(*proof));
        let Some(signature) = proof else { return };
        let place = Place { item: at, sort: Sort::Summary, part: 0 };
        if self.last.is_none_or(|last| last.item != at) {
            self.turn_to(place, say);
        }
        say(Piece::Signature { slot: None, signature });
    }

    /// Whether words at a place may be said: calls only after their names, and of thoughts one sort.
    fn speaks(&mut self, place: Place, say: &mut Say<'_>) -> bool {
        let item = self.known.entry(place.item).or_default();
        match place.sort {
            Sort::Arguments => return item.called,
            Sort::Input => return item.called && item.inside_input,
            Sort::Summary | Sort::Thought if *item.thinks.get_or_insert(place.sort) != place.sort => return false,
            _ => {}
        }
        self.turn_to(place, say);
        true
    }

    /// Ends the block of other words of the same sort.
    fn turn_to(&mut self, place: Place, say: &mut Say<'_>) {
        if self.last.is_some_and(|last| last != place) {
            say(Piece::EndBlock);
        }
        self.last = Some(place);
    }

    /// Says that a call begins, when it has a name by now.
    fn call(&mut self, at: u64, item: Json<'_>, say: &mut Say<'_>) {
        let kind = item.get("type").and_then(Json::text).unwrap_or_default();
        let plain = kind.is("custom_tool_call");
        let word = |name: &str| item.get(name).and_then(Json::text).filter(|text| !text.is_empty());
        let (true, Some(name)) = (plain || kind.is("function_call"), word("name")) else { return };
        let known = self.known.entry(at).or_default();
        if core::mem::replace(&mut known.called, true) {
            return;
        }
        known.inside_input = plain;
        self.last = None;
        let id = word("call_id").or_else(|| word("id"));
        say(Piece::ToolCall { slot: slot(at), id, name: self.aliases.undo(name) });
        if plain {
            let begin = input_begin();
            say(Piece::ArgumentsText { slot: slot(at), fragment: Text::escaped(&begin) });
        }
    }

    fn finish_call(&mut self, at: u64, item: Json<'_>, say: &mut Say<'_>) {
        self.call(at, item, say);
        let whole = |name: &str| item.get(name).and_then(Json::text).unwrap_or_default();
        self.whole(Place { item: at, sort: Sort::Arguments, part: 0 }, whole("arguments"), say);
        self.whole(Place { item: at, sort: Sort::Input, part: 0 }, whole("input"), say);
        self.close_input(at, say);
        if !self.known.get(&at).is_some_and(|item| item.called) {
            say(super::bad("the provider's answer has a tool call without a name"));
        }
    }

    fn close_input(&mut self, at: u64, say: &mut Say<'_>) {
        let item = self.known.entry(at).or_default();
        if core::mem::take(&mut item.inside_input) {
            say(Piece::ArgumentsText { slot: slot(at), fragment: Text::escaped(INPUT_END) });
        }
    }
}

/// What stands before the input of a tool that takes words, where that is an argument.
fn input_begin() -> String {
    let mut nothing = Writer::new();
    Arguments::Plain(Text::EMPTY).write_encoded(&mut nothing);
    let inside = nothing.as_str().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inside.and_then(|text| text.strip_suffix(INPUT_END)).unwrap_or_default().to_string()
}

fn slot(index: u64) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn fragment(place: Place, text: Text<'_>, say: &mut Say<'_>) {
    match place.sort {
        Sort::Text => say(Piece::Text(text)),
        Sort::Refusal => say(Piece::Refusal(text)),
        Sort::Summary | Sort::Thought => say(Piece::Thinking(text)),
        Sort::Arguments => say(Piece::ArgumentsText { slot: slot(place.item), fragment: text }),
        Sort::Input => {
            // Escaped once as a string, and once more as it stands in the text of some JSON.
            let mut escaped = String::with_capacity(text.raw().len());
            escape_into(text.raw(), &mut escaped);
            say(Piece::ArgumentsText { slot: slot(place.item), fragment: Text::escaped(&escaped) });
        }
    }
}
