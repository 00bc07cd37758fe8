//! `GET /v1/models` in the commonest form, which is OpenAI's; dialects that have another write their own. Members beside `id`,
//! `object`, `created` and `owned_by` are ours; the SDK ignores them.

use super::Listed;
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
        // Nobody knows when it was made; the SDK wants a number.
        out.field("created").number(0);
        out.field("owned_by").string(model.owner);
        if model.context_window > 0 {
            out.field("context_window").number(model.context_window);
        }
        if model.output_limit > 0 {
            out.field("max_output_tokens").number(model.output_limit);
        }
        out.field("abilities").strings(model.abilities.names());
    });
}
