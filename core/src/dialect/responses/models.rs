//! `GET /v1/models` as this dialect's clients expect it.

use crate::dialect::Listed;
use crate::json::Writer;

pub(super) fn write(models: &[Listed<'_>], out: &mut Writer) {
    out.object(|out| {
        out.field("object").string("list");
        out.field("data").array(|out| models.iter().for_each(|model| write_one(model, out)));
    });
}

pub(super) fn write_one(model: &Listed<'_>, out: &mut Writer) {
    out.object(|out| {
        out.field("id").string(model.name);
        out.field("object").string("model");
        // Clients demand a number, and nobody knows the day.
        out.field("created").number(0);
        out.field("owned_by").string(model.owner);
        for (name, tokens) in [("context_window", model.context_window), ("max_output_tokens", model.output_limit)] {
            if tokens > 0 {
                out.field(name).number(tokens);
            }
        }
        out.field("abilities").array(|out| model.abilities.names().for_each(|name| out.string(name)));
    });
}
