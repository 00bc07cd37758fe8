//! Vectors of texts: `POST /v1/embeddings`, as OpenAI has it and many others.
//!
//! ```text
//! {"model":"m","input":["one","two"],"dimensions":256,"encoding_format":"base64"}
//! {"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,…]},…],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}
//! ```
//!
//! | the caller's | written |
//! |---|---|
//! | its own request | member for member, but for the model |
//! | what the vectors are for | nothing, and reported as approximated: OpenAI itself refuses the member of those that know one |
//! | an input that is not words | an empty text, which servers refuse; see [`EmbedRequest::tied`] |
//!
//! **Reading answers.** The order is that of `index`. Vectors may come in either encoding, asked for or not. Some servers count
//! `total_tokens` only; vectors have no output, so that is the input.
//!
//! **Writing answers.** The SDK's type demands `usage`, so a provider that reports none is said to have counted 0.
//!
//! **Limits.** `encoding_format` may be a word of a single server (`base64_int8`); it is relayed, and dropped elsewhere.
//!
//! Facts are from OpenAI's API reference and its Python SDK 3.52, Voyage's and Mistral's references, and from recordings.

use super::ChatCompletions;
use crate::catalog::DialectId;
use crate::dialect::{Addressee, Dialect, Embeddings, Endpoint, ReadError, Reply, Written};
use crate::estimate::Said;
use crate::hub::embed::{Content, EmbedInput, EmbedRequest, Embedded, Encoding, vector};
use crate::hub::event::ErrorClass;
use crate::hub::{ProviderError, Shape};
use crate::json::{Json, Kind, Text, Writer};
use crate::usage::{Count, UsageTable};

/// How vectors are asked for.
pub(super) struct Vectors;

/// Where answers count tokens.
static USAGE: UsageTable = UsageTable {
    places: &[&["usage"]],
    marker: "usage",
    counts: &[(&["prompt_tokens"], Count::Input), (&["total_tokens"], Count::Input)],
    said: Said::NOTHING,
};

impl Embeddings for Vectors {
    fn path(&self, prefix: &str, _model: &str, _request: &EmbedRequest<'_>) -> String {
        format!("{prefix}/embeddings")
    }

    fn read_request<'a>(&self, _endpoint: &Endpoint, body: Json<'a>) -> Result<EmbedRequest<'a>, ReadError> {
        if body.kind() != Kind::Object {
            return Err(ReadError::new("body", "must be an object"));
        }
        let mut request = EmbedRequest::new(DialectId::ChatCompletions);
        let (mut model, mut input) = (None, None);
        for (name, value) in body.members() {
            match name.decode().as_ref() {
                "model" => model = Some(value.text().ok_or_else(|| ReadError::new("model", "must be a string"))?),
                "input" => input = Some(value),
                word if understood(&mut request, word, value) => {}
                _ => request.extra.push((name, value)),
            }
        }
        request.model = model.ok_or_else(|| ReadError::new("model", "is missing"))?;
        read_input(&mut request, input.ok_or_else(|| ReadError::new("input", "is missing"))?)?;
        Ok(request)
    }

    fn write_request(&self, request: &EmbedRequest<'_>, to: Addressee<'_>) -> Written {
        let mut written = Written::default();
        let own = request.dialect == DialectId::ChatCompletions;
        if !own {
            report(request, &mut written);
        }
        let mut out = Writer::with_capacity(1024);
        out.object(|out| {
            out.field("model").string(to.model);
            write_input(request, own, out.field("input"));
            if let Some(dimensions) = request.dimensions {
                out.field("dimensions").number(dimensions);
            }
            if let Some(encoding) = request.encoding {
                out.field("encoding_format").string(word_of(encoding));
            }
            if let Some(user) = request.user {
                out.field("user").text(user);
            }
            if own {
                if let Some(task) = request.task {
                    out.field("input_type").text(task);
                }
                out.members(&request.extra);
            }
        });
        written.body = out.into_string();
        written
    }

    fn read_answer<'a>(&self, body: Json<'a>) -> Result<Embedded<'a>, ProviderError> {
        let data = body.get("data").filter(|data| data.kind() == Kind::Array);
        let Some(data) = data else {
            let is_error = body.get("error").is_some_and(|error| !error.is_null());
            return Err(match is_error {
                true => ChatCompletions.read_error(0, body.as_str().as_bytes()),
                false => nonsense("the provider's answer is not a list of vectors"),
            });
        };
        let mut indexed = Vec::new();
        for (position, item) in (0..).zip(data.items()) {
            let vector = item.get("embedding").filter(|vector| vector::is_one(*vector));
            let vector = vector.ok_or_else(|| nonsense("a vector in the provider's answer is not one"))?;
            indexed.push((item.get("index").and_then(Json::u64).unwrap_or(position), vector));
        }
        indexed.sort_by_key(|(index, _)| *index);
        let text = |name: &str| body.get(name).and_then(Json::text).filter(|text| !text.is_empty());
        let vectors = indexed.into_iter().map(|(_, vector)| vector).collect();
        Ok(Embedded { id: text("id"), model: text("model"), vectors, usage: USAGE.read(body) })
    }

    fn write_answer(&self, request: &EmbedRequest<'_>, answer: &Embedded<'_>, reply: &Reply, out: &mut Writer) {
        let encoding = request.encoding.unwrap_or_default();
        out.object(|out| {
            out.field("object").string("list");
            out.field("data").array(|out| {
                for (index, vector) in (0..).zip(&answer.vectors) {
                    out.object(|out| {
                        out.field("object").string("embedding");
                        out.field("index").number(index);
                        vector::write(*vector, encoding, out.field("embedding"));
                    });
                }
            });
            match answer.model {
                Some(model) => out.field("model").text(model),
                None => out.field("model").string(&reply.model),
            }
            let tokens = answer.usage.input.unwrap_or(0);
            out.field("usage").object(|out| {
                out.field("prompt_tokens").number(tokens);
                out.field("total_tokens").number(tokens);
            });
        });
    }
}

/// Takes a member that the hub has a word for; false when it does not know the name or the form.
fn understood<'a>(request: &mut EmbedRequest<'a>, name: &str, value: Json<'a>) -> bool {
    match name {
        "dimensions" => value.u64().map(|number| request.dimensions = Some(number)).is_some(),
        "input_type" => value.text().map(|word| request.task = Some(word)).is_some(),
        "user" => value.text().map(|user| request.user = Some(user)).is_some(),
        "encoding_format" => {
            let known = [Encoding::Float, Encoding::Base64].into_iter();
            let encoding = value.text().and_then(|word| known.into_iter().find(|encoding| word.is(word_of(*encoding))));
            request.encoding = encoding;
            encoding.is_some()
        }
        _ => false,
    }
}

fn word_of(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Float => "float",
        Encoding::Base64 => "base64",
    }
}

/// A text, texts, the numbers of one text's tokens, or lists of such; what else stands there is for the server to judge.
fn read_input<'a>(request: &mut EmbedRequest<'a>, value: Json<'a>) -> Result<(), ReadError> {
    let numbers = |value: Json<'_>| value.items().next().is_some_and(|item| item.kind() == Kind::Number);
    match value.kind() {
        Kind::Null => return Err(ReadError::new("input", "is missing")),
        Kind::Array if !numbers(value) => {
            request.shape = Shape::List;
            request.inputs = value.items().map(input).collect();
        }
        _ => {
            request.shape = Shape::Bare;
            request.inputs = vec![input(value)];
        }
    }
    Ok(())
}

fn input(value: Json<'_>) -> EmbedInput<'_> {
    EmbedInput { content: value.text().map_or(Content::Other(value), Content::Text), extra: Vec::new() }
}

fn write_input(request: &EmbedRequest<'_>, own: bool, out: &mut Writer) {
    let one = |input: &EmbedInput<'_>, out: &mut Writer| match input.content {
        Content::Text(text) => out.text(text),
        Content::Other(json) if own => out.raw(json),
        Content::Other(_) => out.text(Text::EMPTY),
    };
    match (request.shape, request.inputs.as_slice()) {
        (Shape::Bare, [input]) => one(input, out),
        (_, inputs) => out.array(|out| inputs.iter().for_each(|input| one(input, out))),
    }
}

/// Notes what a request of another dialect loses.
fn report(request: &EmbedRequest<'_>, written: &mut Written) {
    let called = request.called();
    if request.task.is_some() {
        written.approximate(called.task);
    }
    if request.tied().is_some() {
        written.drop(called.input);
    }
    for input in &request.inputs {
        written.lose(called.inside, &input.extra);
    }
    written.lose("", &request.extra);
}

fn nonsense(message: &str) -> ProviderError {
    ProviderError { class: ErrorClass::BadAnswer, message: message.into(), ..ProviderError::default() }
}

#[cfg(test)]
mod tests;
