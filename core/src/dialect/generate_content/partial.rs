//! Arguments of a call that come piece by piece: `{"jsonPath":"$.items[0].name","stringValue":"ap","willContinue":true}`.
//!
//! Only asked for by `streamFunctionCallArguments`. Pieces name the place they belong to; strings continue until a piece
//! for their place comes without `willContinue`. The arguments are said whole once the call is complete.
//!
//! Limits: [`MAX_ITEMS`] items in a list, [`MAX_MEMBERS`] members in an object, [`MAX_LEVELS`] levels, [`MAX_BYTES`] in all;
//! paths of names and indexes only.

use crate::json::{Json, Text, Writer};

/// Largest index that a path may name, so that `[999999999]` does not fill the memory.
const MAX_ITEMS: usize = 10_000;

/// Most members of one object: every piece looks its names up one by one.
const MAX_MEMBERS: usize = 256;

/// Most bytes of strings and numbers in one call; a model's whole answer is smaller.
const MAX_BYTES: usize = 8 << 20;

/// Deepest path; arguments of tools are far flatter.
const MAX_LEVELS: usize = 32;

/// Arguments as far as they have come. Strings are kept escaped.
#[derive(Default)]
pub(super) struct Partial {
    root: Node,
    bytes: usize,
}

#[derive(Default)]
enum Node {
    #[default]
    Nothing,
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    Value(String),
}

enum Step<'p> {
    Name(&'p str),
    Index(usize),
}

impl Partial {
    /// Takes a piece; false when it cannot be followed.
    pub(super) fn add(&mut self, piece: Json<'_>) -> bool {
        self.bytes += piece.as_str().len();
        if self.bytes > MAX_BYTES {
            return false;
        }
        let path = piece.get("jsonPath").and_then(Json::text).map(Text::decode);
        let Some(steps) = path.as_deref().and_then(steps) else { return false };
        let Some(node) = steps.iter().try_fold(&mut self.root, |node, step| node.child(step)) else { return false };
        if let Some(text) = piece.get("stringValue").and_then(Json::text) {
            return node.append(text);
        }
        let value = piece.get("numberValue").or_else(|| piece.get("boolValue"));
        let value = value.map_or("null", Json::as_str);
        *node = Node::Value(value.to_string());
        true
    }

    /// The arguments.
    pub(super) fn into_json(self) -> String {
        let mut out = Writer::new();
        match self.root {
            Node::Object(_) => self.root.write(&mut out),
            _ => out.raw(Json::EMPTY_OBJECT),
        }
        out.into_string()
    }
}

impl Node {
    fn child(&mut self, step: &Step<'_>) -> Option<&mut Node> {
        match step {
            Step::Name(name) => {
                if let Node::Nothing = self {
                    *self = Node::Object(Vec::new());
                }
                let Node::Object(members) = self else { return None };
                // The place that was written last is nearly always the one meant.
                let known = members.iter().rposition(|(known, _)| known == name);
                let index = known.unwrap_or(members.len());
                if known.is_none() {
                    if members.len() == MAX_MEMBERS {
                        return None;
                    }
                    members.push(((*name).to_string(), Node::Nothing));
                }
                members.get_mut(index).map(|(_, node)| node)
            }
            Step::Index(index) => {
                if let Node::Nothing = self {
                    *self = Node::Array(Vec::new());
                }
                let Node::Array(items) = self else { return None };
                // Items come in their order; a gap would be a guess.
                if *index == items.len() && *index < MAX_ITEMS {
                    items.push(Node::Nothing);
                }
                items.get_mut(*index)
            }
        }
    }

    fn append(&mut self, text: Text<'_>) -> bool {
        if let Node::Nothing = self {
            *self = Node::Text(String::new());
        }
        let Node::Text(known) = self else { return false };
        known.push_str(text.raw());
        true
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Node::Nothing => out.null(),
            Node::Text(text) => out.text(Text::escaped(text)),
            Node::Value(text) => out.raw(Json::trusted(text)),
            Node::Array(items) => out.array(|out| items.iter().for_each(|item| item.write(out))),
            Node::Object(members) => out.object(|out| {
                for (name, node) in members {
                    out.field(name);
                    node.write(out);
                }
            }),
        }
    }
}

/// `$.items[0].name` as steps; names may also stand in brackets and quotes.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == MAX_LEVELS {
            return None;
        }
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, behind) = name.split_at_checked(end)?;
            steps.push(Step::Name(name));
            rest = behind;
        } else {
            let (inside, behind) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = inside.strip_prefix(['\'', '"']).and_then(|inside| inside.strip_suffix(['\'', '"']));
            steps.push(match quoted {
                Some(name) => Step::Name(name),
                None => Step::Index(inside.parse().ok()?),
            });
            rest = behind;
        }
    }
    Some(steps)
}
