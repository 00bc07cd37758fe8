//! `dragoman translate`: what one dialect said, said in another, by the very code of the data path.
//!
//! ```console
//! $ dragoman translate --from messages --to chat_completions < request.json > translated.json
//! dropped: top_k
//! $ dragoman translate --what response --stream --from generate_content --to responses < answer.sse
//! ```
//!
//! What was translated goes to the output; to the error output goes one line for each thing that was not said as it was said.
//!
//! Why so: whoever wonders what a provider is told, or why a client does not understand an answer, can look at it without a
//! gateway, a key or a network.
//!
//! Limits: an answer is translated without the request that it answers, so a tool of plain words stays the function that stands
//! for it. A provider's row (`omit`, `rename`, `set`) is not applied; it comes after the translation.

use std::io::{Read, Write};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use dragoman_core::catalog::{self, DialectId};
use dragoman_core::dialect::{self, Addressee, Aliases, Client, Endpoint, Reply};
use dragoman_core::exchange::MAX_BODY;
use dragoman_core::hub::foreign::{FullNames, prepare};
use dragoman_core::hub::{Delivery, Request};
use dragoman_core::interpret::{Framing, Interpreter, Progress};
use dragoman_core::json::edit::{Edit, edit};
use dragoman_core::json::{Json, Writer};
use dragoman_core::loss::Losses;

use crate::cli::bad;

/// Stands for the provider in the marks of proofs: what a translated answer is marked with goes back in a translated request.
const MAKER: &str = "translate";

/// How much of a stream is read at once.
const CHUNK: usize = 64 << 10;

/// What the command line says.
#[derive(Args, Clone, Debug)]
pub struct Translation {
    /// The dialect of the input.
    #[arg(long, value_name = "DIALECT", value_parser = dialects())]
    pub from: DialectId,
    /// The dialect of the output.
    #[arg(long, value_name = "DIALECT", value_parser = dialects())]
    pub to: DialectId,
    /// What the input is.
    #[arg(long, value_enum, default_value_t = What::Request)]
    pub what: What,
    /// The answer is a stream, as it came over the wire; of a request: it asks for one where only the path says so.
    #[arg(long)]
    pub stream: bool,
    /// The model that is asked or that answers, where the input does not name it or another is meant.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
}

/// What is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// What a client asks.
    Request,
    /// What a provider answers.
    Response,
}

fn dialects() -> impl TypedValueParser<Value = DialectId> {
    let names = DialectId::ALL.map(DialectId::name);
    PossibleValuesParser::new(names).try_map(|name| DialectId::named(&name).ok_or("no such dialect"))
}

/// Reads `input`, writes what it means in the other dialect to `out` and what was lost to `notes`.
pub fn translate(
    asked: &Translation,
    input: &mut dyn Read,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<()> {
    match asked.what {
        What::Request => {
            let (body, losses) = request(asked, &whole(input)?)?;
            writeln!(out, "{body}")?;
            note(&losses, notes)
        }
        What::Response => response(asked, input, out, notes),
    }
}

fn whole(input: &mut dyn Read) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    input.take(MAX_BODY as u64 + 1).read_to_end(&mut body)?;
    if body.len() > MAX_BODY {
        return Err(bad(format!("the input is larger than {MAX_BODY} bytes")));
    }
    Ok(body)
}

fn note(losses: &Losses, notes: &mut dyn Write) -> anyhow::Result<()> {
    losses.approximated.iter().try_for_each(|path| writeln!(notes, "approximated: {path}"))?;
    Ok(losses.dropped.iter().try_for_each(|path| writeln!(notes, "dropped: {path}"))?)
}

/// How clients speak a dialect, if they do.
fn spoken(id: DialectId, why: &str) -> anyhow::Result<&'static dyn Client> {
    let can = || DialectId::ALL.into_iter().filter(|id| dialect::of(*id).client().is_some()).map(DialectId::name);
    let refused =
        || bad(format!("no client speaks {}; {why} one of: {}", id.name(), can().collect::<Vec<_>>().join(", ")));
    dialect::of(id).client().ok_or_else(refused)
}

fn request(asked: &Translation, body: &[u8]) -> anyhow::Result<(String, Losses)> {
    let client = spoken(asked.from, "a request comes `--from`")?;
    let json = Json::parse(body).map_err(|error| bad(format!("the input is not JSON: {error}")))?;
    let named = with_model(asked, json);
    let json = named.as_deref().and_then(|body| Json::parse(body.as_bytes()).ok()).unwrap_or(json);
    let read = client.read_request(&endpoint(asked), json);
    let request = read.map_err(|error| bad(format!("`{}` {}", error.param, error.problem)))?;
    let model = asked.model.clone().unwrap_or_else(|| request.model.decode().into_owned());
    let to = dialect::of(asked.to);
    if model.is_empty() && to.model_member().is_some() {
        return Err(bad("the input names no model; say which one with --model"));
    }
    let mut losses = Losses::default();
    if let Some(tied) = request.tied.filter(|_| asked.from != asked.to) {
        losses.drop(tied);
    }
    let names = FullNames::of(&request);
    let ready = prepare(request, &names, asked.to, &catalog::slot(MAKER), &mut losses);
    let described = crate::catalog::described(&model);
    let unsigned = described.as_ref().and_then(|row| row.unsigned.clone()).unwrap_or_default();
    let addressee = Addressee {
        model: &model,
        output_limit: described.as_ref().and_then(|row| row.output_limit).unwrap_or(0),
        thinking: described.as_ref().and_then(|row| row.thinking).unwrap_or_default(),
        unsigned: &unsigned,
    };
    let written = to.write_request(&ready, addressee);
    written.losses.approximated.iter().for_each(|path| losses.approximate(path));
    written.losses.dropped.iter().for_each(|path| losses.drop(path));
    Ok((written.body, losses))
}

/// The body with the model of the command line, where it names none: some clouds have it in the path, in every dialect.
fn with_model(asked: &Translation, json: Json<'_>) -> Option<String> {
    let member = dialect::of(asked.from).model_member().filter(|member| json.get(member).is_none())?;
    let mut name = Writer::new();
    name.string(asked.model.as_deref()?);
    Some(edit(json, &[Edit::Set(member, name.into_string())]))
}

/// The endpoint that a client would have asked: where the body does not name the model, the path says all of it.
fn endpoint(asked: &Translation) -> Endpoint {
    let endpoint = Endpoint::generate(asked.from);
    match dialect::of(asked.from).model_member() {
        Some(_) => endpoint,
        None => Endpoint { model: asked.model.clone(), delivery: Some(delivery(asked)), ..endpoint },
    }
}

fn delivery(asked: &Translation) -> Delivery {
    if asked.stream { Delivery::Streamed } else { Delivery::Whole }
}

fn response(
    asked: &Translation,
    input: &mut dyn Read,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<()> {
    let client = spoken(asked.to, "an answer goes `--to`")?;
    let delivery = delivery(asked);
    let reply =
        Reply { delivery, exchange: MAKER.to_string(), created: 0, model: asked.model.clone().unwrap_or_default() };
    let mut chunk = if asked.stream { next(input)? } else { whole(input)? };
    let writer = client.writer(&Request::new(asked.to, delivery), reply);
    let reader = dialect::of(asked.from).reader(Aliases::default());
    let maker = Some(catalog::slot(MAKER)).filter(|_| asked.from != asked.to);
    let mut interpreter = Interpreter::new(framing(asked, &chunk), reader, writer, delivery, maker.as_deref());
    let progress = loop {
        let ends = !asked.stream || chunk.is_empty();
        let progress = interpreter.feed(&chunk, ends);
        out.write_all(&interpreter.take())?;
        out.flush()?;
        if ends {
            break progress;
        }
        chunk = next(input)?;
    };
    interpreter.lost().iter().try_for_each(|what| writeln!(notes, "dropped: {what}"))?;
    match progress {
        Progress::Complete if asked.stream => Ok(()),
        Progress::Complete => Ok(writeln!(out)?),
        Progress::Failed(error) => Err(bad(format!("the answer failed: {}", error.message))),
        Progress::Open => Err(bad("the answer is not complete")),
    }
}

/// The next bytes; none at the end.
fn next(input: &mut dyn Read) -> anyhow::Result<Vec<u8>> {
    let mut chunk = Vec::new();
    let mut buffer = vec![0; CHUNK];
    let read = input.read(&mut buffer)?;
    chunk.extend(buffer.into_iter().take(read));
    Ok(chunk)
}

/// How a provider frames a stream, told by its first byte: an event stream begins with a length, below 16 MiB, and so with a
/// zero; an array with its bracket.
fn framing(asked: &Translation, first: &[u8]) -> Framing {
    match (asked.stream, first.iter().find(|byte| !byte.is_ascii_whitespace())) {
        (false, _) => Framing::Whole,
        (true, Some(0)) => Framing::EventStream,
        (true, Some(b'[')) => Framing::Array,
        (true, _) => Framing::Sse,
    }
}

#[cfg(test)]
mod tests;
