//! `GET /v1beta/models` as Gemini says it.

use crate::dialect::Listed;
use crate::json::Writer;

pub(super) fn write(models: &[Listed<'_>], out: &mut Writer) {
    out.object(|out| {
        out.field("models").array(|out| models.iter().for_each(|model| write_one(model, out)));
    });
}

pub(super) fn write_one(model: &Listed<'_>, out: &mut Writer) {
    out.object(|out| {
        out.field("name").string(&format!("models/{}", model.name));
        out.field("displayName").string(model.name);
        if model.context_window > 0 {
            out.field("inputTokenLimit").number(model.context_window);
        }
        if model.output_limit > 0 {
            out.field("outputTokenLimit").number(model.output_limit);
        }
        out.field("supportedGenerationMethods").array(|out| {
            out.string("generateContent");
            out.string("streamGenerateContent");
        });
    });
}
