//! Writes a request: its own by editing the body it came in, another dialect's anew, which is what stands here.

mod ids;
mod own;
mod tools;
mod turns;

use super::PROOFS;
use crate::catalog::{DialectId, ThinkingStyle, slot};
use crate::dialect::names::{Letters, Names};
use crate::dialect::{Addressee, Written};
use crate::hub::{Delivery, Depth, Format, Part, Reasoning, Request};
use crate::json::schema::{self, Objects};
use crate::json::{Json, Member, Writer};

/// Up to this many tokens of thought are low effort.
const LOW_BUDGET: u64 = 2_048;

/// Up to this many tokens of thought are medium effort, more are high.
const MEDIUM_BUDGET: u64 = 12_288;

/// Fewest tokens of an answer that the provider lets one ask for. Clients ask for one token to see whether a key is good.
const LEAST_TOKENS: u64 = 16;

/// Most characters of `user`. A coding agent's names for its users are longer.
const LONGEST_USER: usize = 64;

/// The name of a schema that has none; the dialect demands one.
const SCHEMA_NAME: &str = "response";

/// The words for effort.
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// Members that chat completions has under the same name and with the same meaning.
const SHARED: [&str; 5] =
    ["metadata", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"];

/// Writes `request` for a provider.
pub(super) fn request(request: &Request<'_>, to: Addressee<'_>) -> Written {
    match request.body.filter(|_| request.dialect == DialectId::Responses) {
        Some(body) => own::edit(body, request, to),
        None => foreign(request, to),
    }
}

/// A request of another dialect being written.
struct Ask<'r, 'a> {
    request: &'r Request<'a>,
    names: Names,
    written: Written,
}

fn foreign(request: &Request<'_>, to: Addressee<'_>) -> Written {
    let mut written = Written::default();
    let names = Names::of(request, Letters::USUAL, &mut written.aliases);
    let mut ask = Ask { request, names, written };
    let mut out = Writer::with_capacity(1024);
    out.object(|out| {
        out.field("model").string(to.model);
        turns::write(&mut ask, out);
        tools::write(&mut ask, out);
        limit(&mut ask, out);
        sampling(&mut ask, out);
        text(&mut ask, out);
        reasoning(&mut ask, to, out);
        user(&mut ask, out);
        // Nobody asked the provider to keep it, and who did cannot ask for it here.
        out.field("store").bool(false);
        if request.delivery != Delivery::Whole {
            out.field("stream").bool(true);
        }
        extra(&mut ask, out);
    });
    ask.written.body = out.into_string();
    ask.written
}

/// `max_output_tokens`, of which the provider refuses fewer than [`LEAST_TOKENS`].
fn limit(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let Some(limit) = ask.request.max_tokens else { return };
    if limit.tokens < LEAST_TOKENS {
        ask.written.approximate(&limit.name.decode());
    }
    out.field("max_output_tokens").number(limit.tokens.max(LEAST_TOKENS));
}

/// `user`: one end user must stay one, so a name that is too long is said as its digest.
fn user(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let Some(user) = ask.request.user else { return };
    let name = user.decode();
    if name.chars().count() <= LONGEST_USER {
        return out.field("user").text(user);
    }
    ask.written.approximate("user");
    out.field("user").string(&slot(&name));
}

fn sampling(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let sampling = &ask.request.sampling;
    for (name, value) in [("temperature", sampling.temperature), ("top_p", sampling.top_p)] {
        if let Some(value) = value {
            out.field(name).raw(value);
        }
    }
    // The other numbers still say how free the answer shall be.
    if sampling.top_k.is_some_and(|value| !value.is_null()) {
        ask.written.approximate("top_k");
    }
    let zero = |value: &Json<'_>| value.f64() == Some(0.0);
    let unsaid = [
        // None is what is so anyway.
        ("presence_penalty", sampling.presence_penalty.filter(|value| !zero(value))),
        ("frequency_penalty", sampling.frequency_penalty.filter(|value| !zero(value))),
        ("seed", sampling.seed),
    ];
    for (name, _) in unsaid.iter().filter(|(_, value)| value.is_some_and(|value| !value.is_null())) {
        ask.written.drop(name);
    }
    if ask.request.stop.as_ref().is_some_and(|stop| !stop.sequences.is_empty()) {
        ask.written.drop("stop");
    }
}

/// `text`: the form of the answer, and chat completions' wish for many or few words.
fn text(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let verbosity = shared(ask.request, "verbosity");
    if ask.request.format.is_none() && verbosity.is_none() {
        return;
    }
    if let (Some(Format::Other(_)), None) = (&ask.request.format, verbosity) {
        return ask.written.drop("response_format");
    }
    out.field("text").object(|out| {
        if let Some(wanted) = &ask.request.format {
            format(wanted, &mut ask.written, out);
        }
        if let Some((_, verbosity)) = verbosity {
            out.field("verbosity").raw(verbosity);
        }
    });
}

fn format(format: &Format<'_>, written: &mut Written, out: &mut Writer) {
    match format {
        Format::Text => out.field("format").object(|out| out.field("type").string("text")),
        Format::JsonObject => out.field("format").object(|out| out.field("type").string("json_object")),
        Format::JsonSchema { name, description, schema, strict, extra } => {
            written.lose("response_format.", extra);
            out.field("format").object(|out| {
                out.field("type").string("json_schema");
                match name {
                    Some(name) => out.field("name").text(*name),
                    None => out.field("name").string(SCHEMA_NAME),
                }
                if let Some(description) = description {
                    out.field("description").text(*description);
                }
                schema::write(*schema, Objects::AsSaid, out.field("schema"));
                if let Some(strict) = strict {
                    out.field("strict").bool(*strict);
                }
            });
        }
        Format::Other(_) => written.drop("response_format"),
    }
}

/// `reasoning`, and `include` for the proofs: without them the thought ends with the answer, as nothing is stored.
fn reasoning(ask: &mut Ask<'_, '_>, to: Addressee<'_>, out: &mut Writer) {
    let parts = ask.request.turns.iter().flat_map(|turn| &turn.parts);
    let mut proofs =
        parts.into_iter().any(|part| matches!(part, Part::Thinking(thought) if thought.signature.is_some()));
    if let Some(reasoning) = &ask.request.reasoning {
        ask.written.lose("reasoning.", &reasoning.extra);
        let thinks = !matches!(reasoning.depth, Depth::Off | Depth::Unsaid | Depth::Budget(0));
        if to.thinking == ThinkingStyle::Never {
            if thinks || reasoning.shown.is_some() {
                ask.written.approximate("reasoning");
            }
            return;
        }
        proofs |= thinks;
        let effort = effort(reasoning, to.thinking, &mut ask.written);
        let shown = shows(reasoning, ask.request.dialect) && effort != Some("none");
        // Not to show thoughts needs a word only where they would be shown.
        let unsaid = Reasoning { shown: None, ..reasoning.clone() };
        if reasoning.shown.is_some() && shown == (shows(&unsaid, ask.request.dialect) && effort != Some("none")) {
            ask.written.approximate("reasoning.shown");
        }
        if effort.is_some() || shown {
            out.field("reasoning").object(|out| {
                if let Some(word) = effort {
                    out.field("effort").string(word);
                }
                if shown {
                    out.field("summary").string("auto");
                }
            });
        }
    }
    if proofs && to.thinking != ThinkingStyle::Never {
        out.field("include").array(|out| out.string(PROOFS));
    }
}

fn effort(reasoning: &Reasoning<'_>, style: ThinkingStyle, written: &mut Written) -> Option<&'static str> {
    match reasoning.depth {
        // As much as the model finds right is what it does unasked.
        Depth::Adaptive | Depth::Unsaid => None,
        // Models that do not know the word refuse the request.
        Depth::Off | Depth::Budget(0) if style != ThinkingStyle::Words => {
            written.approximate("reasoning");
            None
        }
        Depth::Off | Depth::Budget(0) => Some("none"),
        Depth::Budget(tokens) => {
            written.approximate("reasoning.budget");
            Some(match (tokens <= LOW_BUDGET, tokens <= MEDIUM_BUDGET) {
                (true, _) => "low",
                (false, true) => "medium",
                (false, false) => "high",
            })
        }
        Depth::Effort(word) => {
            let known = EFFORTS.into_iter().find(|known| word.decode().eq_ignore_ascii_case(known));
            if known.is_none() {
                written.drop("reasoning.effort");
            }
            known
        }
    }
}

/// Whether a summary of the thoughts is to be asked for. In messages, to think is to show it unless one says otherwise.
fn shows(reasoning: &Reasoning<'_>, dialect: DialectId) -> bool {
    let thinks = matches!(reasoning.depth, Depth::Adaptive | Depth::Budget(1..));
    reasoning.shown.unwrap_or(dialect == DialectId::Messages && thinks)
}

/// A member that this dialect and the caller's have in common.
fn shared<'a>(request: &Request<'a>, wanted: &str) -> Option<Member<'a>> {
    let is_close = request.dialect == DialectId::ChatCompletions;
    request.extra.iter().copied().find(|(name, value)| is_close && name.is(wanted) && !value.is_null())
}

/// Writes what is shared of the rest, and reports the others.
fn extra(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    for (name, value) in &ask.request.extra {
        let spelled = name.decode();
        let is_shared = |names: &[&str]| shared(ask.request, &spelled).is_some() && names.contains(&spelled.as_ref());
        if is_shared(&SHARED) {
            out.field_text(*name).raw(*value);
        } else if !is_shared(&["verbosity"])
            && !matches!(spelled.as_ref(), "store" | "logprobs" if value.bool() == Some(false))
        {
            ask.written.lose("", &[(*name, *value)]);
        }
    }
}
