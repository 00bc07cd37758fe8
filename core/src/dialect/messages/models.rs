//! `GET /v1/models` as Anthropic says it.

use crate::dialect::Listed;
use crate::json::Writer;

/// Anthropic says when a model was published, and permits the epoch where that is unknown (API reference, list models).
const UNKNOWN_TIME: &str = "1970-01-01T00:00:00Z";

pub(super) fn write(models: &[Listed<'_>], out: &mut Writer) {
    out.object(|out| {
        out.field("data").array(|out| models.iter().for_each(|model| write_one(model, out)));
        out.field("has_more").bool(false);
        for (member, model) in [("first_id", models.first()), ("last_id", models.last())] {
            match model {
                Some(model) => out.field(member).string(model.name),
                None => out.field(member).null(),
            }
        }
    });
}

pub(super) fn write_one(model: &Listed<'_>, out: &mut Writer) {
    out.object(|out| {
        out.field("type").string("model");
        out.field("id").string(model.name);
        out.field("display_name").string(model.name);
        out.field("created_at").string(UNKNOWN_TIME);
        if model.context_window > 0 {
            out.field("max_input_tokens").number(model.context_window);
        }
        if model.output_limit > 0 {
            out.field("max_tokens").number(model.output_limit);
        }
    });
}
