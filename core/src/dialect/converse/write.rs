//! Requests, whoever made them: this dialect has no clients of its own.
//!
//! ```text
//! {system, messages, inferenceConfig, toolConfig, additionalModelRequestFields, outputConfig, requestMetadata}
//! ```

use super::blocks::Blocks;
use super::conversation::Conversation;
use super::thinking::{self, Plan};
use super::tools;
use crate::dialect::names::{Letters, Names};
use crate::dialect::{Addressee, Written, is_blank};
use crate::hub::{Format, Request};
use crate::json::schema::{self, Objects};
use crate::json::{Json, Text, Writer};

/// The scales of temperature and `topP` end here.
const MAX_SAMPLING: f64 = 1.0;

/// With thinking on, the models refuse less.
const MIN_TOP_P_THINKING: f64 = 0.95;

/// Longest value of `requestMetadata`.
const MAX_METADATA: usize = 256;

/// What a value of `requestMetadata` may have besides letters and digits.
const METADATA_SIGNS: &str = " :_@$#=/+,-.";

/// Writes a request.
pub(super) fn write(request: &Request<'_>, to: Addressee<'_>) -> Written {
    let mut written = Written::default();
    let names = Names::of(request, Letters::USUAL, &mut written.aliases);
    let conversation = Conversation::of(request, &mut written);
    let plan = thinking::plan(request, to, &mut written);
    let mut out = Writer::with_capacity(1024);
    out.object(|out| {
        let mut blocks = Blocks::new(&mut written, &names);
        blocks.system(&conversation.system, out);
        out.field("messages").array(|out| {
            conversation.messages.iter().for_each(|message| blocks.message(message, out));
        });
        let top_k = inference(request, &plan, &mut written, out);
        tools::write(request, &conversation, &names, &mut written, out);
        if plan.thinks() || top_k.is_some() {
            out.field("additionalModelRequestFields").object(|out| {
                plan.write(out);
                if let Some(top_k) = top_k {
                    out.field("top_k").raw(top_k);
                }
            });
        }
        output(request, &plan, &mut written, out);
        user(request, &mut written, out);
    });
    written.lose("", &request.extra);
    written.body = out.into_string();
    written
}

/// A number that was said; `null` says nothing.
fn said(number: Option<Json<'_>>) -> Option<Json<'_>> {
    number.filter(|number| !number.is_null())
}

/// Writes the limits and the sampling numbers, and gives back the one that goes elsewhere.
fn inference<'a>(request: &Request<'a>, plan: &Plan, written: &mut Written, out: &mut Writer) -> Option<Json<'a>> {
    let sampling = &request.sampling;
    let temperature = temperature(said(sampling.temperature), plan, written);
    let top_p = top_p(said(sampling.top_p), temperature, plan, written);
    let stops = stops(request, written);
    let unsaid = [
        ("presence_penalty", sampling.presence_penalty),
        ("frequency_penalty", sampling.frequency_penalty),
        ("seed", sampling.seed),
    ];
    for (name, number) in unsaid {
        // No penalty is no wish.
        if said(number).is_some_and(|number| name == "seed" || number.f64() != Some(0.0)) {
            written.drop(name);
        }
    }
    if plan.max_tokens.is_some() || temperature.is_some() || top_p.is_some() || !stops.is_empty() {
        out.field("inferenceConfig").object(|out| {
            if let Some(tokens) = plan.max_tokens {
                out.field("maxTokens").number(tokens);
            }
            if let Some(temperature) = temperature {
                out.field("temperature").raw(temperature);
            }
            if let Some(top_p) = top_p {
                out.field("topP").raw(top_p);
            }
            if !stops.is_empty() {
                out.field("stopSequences").array(|out| stops.iter().for_each(|text| out.text(*text)));
            }
        });
    }
    let top_k = said(sampling.top_k);
    if top_k.is_some() && plan.thinks() {
        written.approximate("top_k");
    }
    top_k.filter(|_| !plan.thinks())
}

fn temperature<'a>(asked: Option<Json<'a>>, plan: &Plan, written: &mut Written) -> Option<Json<'a>> {
    let asked = asked?;
    let number = asked.f64()?;
    if plan.thinks() && number != MAX_SAMPLING {
        written.approximate("temperature");
        return None;
    }
    if number > MAX_SAMPLING {
        written.approximate("temperature");
        return Json::parse(b"1").ok();
    }
    Some(asked)
}

/// The newer models behind the service refuse temperature and `topP` together; 1 says nothing.
fn top_p<'a>(
    asked: Option<Json<'a>>,
    beside: Option<Json<'_>>,
    plan: &Plan,
    written: &mut Written,
) -> Option<Json<'a>> {
    let asked = asked?;
    let number = asked.f64()?;
    if beside.is_some() && number >= MAX_SAMPLING {
        return None;
    }
    let refused = beside.is_some() || (plan.thinks() && number < MIN_TOP_P_THINKING);
    if refused {
        written.approximate("top_p");
        return None;
    }
    Some(asked)
}

/// The sequences that are not blank: the models refuse those.
fn stops<'a>(request: &Request<'a>, written: &mut Written) -> Vec<Text<'a>> {
    let asked = request.stop.iter().flat_map(|stop| &stop.sequences).copied();
    let (blank, stops): (Vec<_>, Vec<_>) = asked.partition(|text| is_blank(*text));
    if blank.iter().any(|text| !text.is_empty()) {
        written.drop("stop");
    }
    stops
}

fn output(request: &Request<'_>, plan: &Plan, written: &mut Written, out: &mut Writer) {
    let format = match &request.format {
        None | Some(Format::Text) => None,
        Some(Format::JsonObject | Format::Other(_)) => {
            written.drop("response_format");
            None
        }
        Some(Format::JsonSchema { name, description, schema, extra, .. }) => {
            written.lose("response_format.", extra);
            Some((*name, *description, *schema))
        }
    };
    if format.is_none() && plan.effort.is_none() {
        return;
    }
    out.field("outputConfig").object(|out| {
        if let Some((name, description, schema)) = format {
            out.field("textFormat").object(|out| {
                out.field("type").string("json_schema");
                out.field("structure").object(|out| {
                    out.field("jsonSchema").object(|out| json_schema(name, description, schema, out));
                });
            });
        }
        if let Some(effort) = plan.effort {
            out.field("effort").string(effort);
        }
    });
}

/// The schema stands in a string here.
fn json_schema(name: Option<Text<'_>>, description: Option<Text<'_>>, schema: Json<'_>, out: &mut Writer) {
    let mut text = Writer::with_capacity(schema.as_str().len());
    schema::write(schema, Objects::Closed, &mut text);
    out.field("schema").string(text.as_str());
    if let Some(name) = name {
        out.field("name").text(name);
    }
    if let Some(description) = description {
        out.field("description").text(description);
    }
}

/// The caller's name for its user is a label of the log, which is what the service has labels for.
fn user(request: &Request<'_>, written: &mut Written, out: &mut Writer) {
    let Some(user) = request.user else { return };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || METADATA_SIGNS.contains(letter);
    if user.raw().len() > MAX_METADATA || !user.raw().chars().all(plain) {
        return written.approximate("user");
    }
    out.field("requestMetadata").object(|out| out.field("user").text(user));
}
