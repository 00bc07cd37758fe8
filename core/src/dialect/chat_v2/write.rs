//! Writes a request that another dialect read.

use super::{thinking, tools, turns};
use crate::dialect::names::{Letters, Names};
use crate::dialect::{Addressee, Written};
use crate::hub::{Delivery, Format, Request};
use crate::json::schema::{self, Objects};
use crate::json::{Json, Writer};

/// What the provider takes as a tool's name (its page on errors). Others take dashes and dots as well.
const NAMES: Letters = Letters { signs: "_", longest: usize::MAX, any_first: false };

/// Most stop sequences that the provider takes.
pub const MAX_STOPS: usize = 5;

/// What writing needs to know everywhere.
pub(super) struct Ask<'r, 'a> {
    /// What is asked.
    pub(super) request: &'r Request<'a>,
    /// Of whom.
    pub(super) to: Addressee<'r>,
    /// What the tools are called.
    pub(super) names: Names,
    /// What came of it.
    pub(super) written: Written,
}

/// Writes a body.
pub(super) fn request(request: &Request<'_>, to: Addressee<'_>) -> Written {
    let mut written = Written::default();
    let names = Names::of(request, NAMES, &mut written.aliases);
    let mut ask = Ask { request, to, names, written };
    let mut out = Writer::with_capacity(1024);
    out.object(|out| {
        out.field("model").string(to.model);
        turns::write(&mut ask, out);
        let offered = tools::write(&mut ask, out);
        format(&mut ask, offered, out);
        let max_tokens = limit(&mut ask, out);
        sampling(&mut ask, out);
        stops(&mut ask, out);
        thinking::write(&mut ask, max_tokens, out);
        out.field("stream").bool(request.delivery != Delivery::Whole);
    });
    if request.user.is_some() {
        ask.written.approximate("user");
    }
    ask.written.lose("", &request.extra);
    ask.written.body = out.into_string();
    ask.written
}

fn format(ask: &mut Ask<'_, '_>, offered: tools::Offered, out: &mut Writer) {
    let Some(format) = &ask.request.format else { return };
    if matches!(format, Format::Text) {
        return;
    }
    if matches!(format, Format::Other(_)) || offered == tools::Offered::Some {
        return ask.written.drop("response_format");
    }
    let schema = match format {
        Format::JsonSchema { schema, description, extra, .. } => {
            // The name is a label that nothing here depends on; a schema is always kept strictly.
            if description.is_some() {
                ask.written.approximate("response_format.description");
            }
            ask.written.lose("response_format.", extra);
            Some(*schema)
        }
        _ => None,
    };
    out.field("response_format").object(|out| {
        out.field("type").string("json_object");
        if let Some(schema) = schema {
            schema::write(schema, Objects::AsSaid, out.field("json_schema"));
        }
    });
}

/// Writes the limit of tokens and gives it back. Of one above the model's own, some models refuse the request.
fn limit(ask: &mut Ask<'_, '_>, out: &mut Writer) -> Option<u64> {
    let limit = ask.request.max_tokens?;
    let tokens = match ask.to.output_limit {
        0 => limit.tokens,
        most => limit.tokens.min(most),
    };
    if tokens != limit.tokens {
        ask.written.approximate(&limit.name.decode());
    }
    out.field("max_tokens").number(tokens);
    Some(tokens)
}

/// The names of a number here and there, and the ends of its scale here.
struct Scale {
    name: &'static str,
    asked: &'static str,
    least: (f64, &'static str),
    most: (f64, &'static str),
    /// Whether it takes whole numbers only.
    whole: bool,
}

const TEMPERATURE: Scale =
    Scale { name: "temperature", asked: "temperature", least: (0.0, "0.0"), most: (1.0, "1.0"), whole: false };
const P: Scale = Scale { name: "p", asked: "top_p", least: (0.01, "0.01"), most: (0.99, "0.99"), whole: false };
const K: Scale = Scale { name: "k", asked: "top_k", least: (0.0, "0"), most: (500.0, "500"), whole: true };
const FREQUENCY: Scale = Scale {
    name: "frequency_penalty",
    asked: "frequency_penalty",
    least: (0.0, "0.0"),
    most: (1.0, "1.0"),
    whole: false,
};
const PRESENCE: Scale = Scale {
    name: "presence_penalty",
    asked: "presence_penalty",
    least: (0.0, "0.0"),
    most: (1.0, "1.0"),
    whole: false,
};

fn sampling(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let sampling = &ask.request.sampling;
    let (mut frequency, mut presence) = (sampling.frequency_penalty, sampling.presence_penalty);
    let is_nothing = |value: Option<Json<'_>>| value.is_none_or(|value| value.is_null() || value.f64() == Some(0.0));
    // One of the two is all that the models take.
    if is_nothing(frequency) && !is_nothing(presence) {
        frequency = None;
    } else if !is_nothing(frequency) {
        if !is_nothing(presence) {
            ask.written.approximate(PRESENCE.asked);
        }
        presence = None;
    }
    let numbers = [
        (TEMPERATURE, sampling.temperature),
        (P, sampling.top_p),
        (K, sampling.top_k),
        (FREQUENCY, frequency),
        (PRESENCE, presence),
    ];
    for (scale, value) in numbers {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            number(&scale, value, &mut ask.written, out);
        }
    }
    if let Some(seed) = sampling.seed.filter(|value| !value.is_null()) {
        out.field("seed").raw(seed);
    }
}

fn number(scale: &Scale, value: Json<'_>, written: &mut Written, out: &mut Writer) {
    let end = match value.f64() {
        Some(number) if number < scale.least.0 => scale.least.1,
        Some(number) if number > scale.most.0 => scale.most.1,
        // A count is a whole number here, also where it was spelled with a point.
        Some(number) if scale.whole && value.as_str().parse::<u64>().is_err() => {
            if number.fract() != 0.0 {
                written.approximate(scale.asked);
            }
            return out.field(scale.name).raw(Json::trusted(&format!("{number:.0}")));
        }
        _ => return out.field(scale.name).raw(value),
    };
    written.approximate(scale.asked);
    out.field(scale.name).raw(Json::trusted(end));
}

fn stops(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let Some(stop) = &ask.request.stop else { return };
    if stop.sequences.len() > MAX_STOPS {
        ask.written.approximate("stop");
    }
    if !stop.sequences.is_empty() {
        let said = stop.sequences.iter().take(MAX_STOPS);
        out.field("stop_sequences").array(|out| said.for_each(|text| out.text(*text)));
    }
}
