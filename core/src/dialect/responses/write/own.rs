//! An own request: the body that was read, with another model and with the proofs that the addressee may see.
//!
//! A proof that an interpreted answer gave to the client is marked with its maker (see [`crate::hub::provenance`]). Before this,
//! the thoughts whose proofs belong to others were taken out of the turns, and the marks off the rest; so every proof in the body
//! is looked for among the turns' proofs, which are in the same order.

use crate::dialect::{Addressee, Written};
use crate::hub::{Part, Request, provenance};
use crate::json::{Json, Kind, Text, Writer};

/// Writes `body` for `to`.
pub(super) fn edit(body: Json<'_>, request: &Request<'_>, to: Addressee<'_>) -> Written {
    let mut written = Written::default();
    let mut out = Writer::with_capacity(body.as_str().len() + to.model.len());
    out.object(|out| {
        for (name, value) in body.members() {
            out.field_text(name);
            match name.decode().as_ref() {
                "model" => out.string(to.model),
                "input" if value.kind() == Kind::Array => input(value, request, out),
                _ => out.raw(value),
            }
        }
    });
    written.body = out.into_string();
    written
}

fn input(input: Json<'_>, request: &Request<'_>, out: &mut Writer) {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let mut proofs = parts
        .filter_map(|part| match part {
            Part::Thinking(thought) => thought.signature,
            _ => None,
        })
        .peekable();
    out.array(|out| {
        for item in input.items() {
            let Some(sealed) = proof_of(item) else {
                out.raw(item);
                continue;
            };
            let bare = provenance::read(sealed).map(|(_, proof)| proof);
            let mut is_next = |proof: Text<'_>| proofs.next_if(|next| next.raw() == proof.raw()).is_some();
            match bare {
                _ if is_next(sealed) => out.raw(item),
                Some(proof) if is_next(proof) => replace(item, proof, out),
                // Withheld, and without its proof the thought would be refused.
                _ => {}
            }
        }
    });
}

/// The proof of a thought.
fn proof_of(item: Json<'_>) -> Option<Text<'_>> {
    let proof = item.get("encrypted_content")?.text().filter(|proof| !proof.is_empty())?;
    item.get("type")?.text().filter(|word| word.is("reasoning")).map(|_| proof)
}

/// Writes a thought with its bare proof. It was said by the gateway under an id of its own, and the provider refuses a proof under
/// another id than it was made for; without any it takes it.
fn replace(item: Json<'_>, proof: Text<'_>, out: &mut Writer) {
    out.object(|out| {
        for (name, value) in item.members().filter(|(name, _)| !name.is("id")) {
            match name.is("encrypted_content") {
                true => out.field_text(name).text(proof),
                false => out.field_text(name).raw(value),
            }
        }
    });
}
