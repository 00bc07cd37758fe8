//! Vectors of texts: `POST /v2/embed`.
//!
//! ```text
//! {"model":"m","texts":["one","two"],"input_type":"search_document","embedding_types":["float"],"output_dimension":256}
//! {"id":"…","embeddings":{"float":[[0.1,…],[…]]},"texts":[…],"meta":{"billed_units":{"input_tokens":7}}}
//! ```
//!
//! | asked in another dialect | written |
//! |---|---|
//! | `RETRIEVAL_QUERY`, `query`; `RETRIEVAL_DOCUMENT`, `document` | `search_query`; `search_document` |
//! | a question to be answered, a claim to be checked, a question to search code with | `search_query`, approximated |
//! | how alike texts are | `clustering`, approximated: both treat all texts alike |
//! | nothing, or a word nobody knows | [`USUAL`], approximated: the provider demands one |
//! | the client's name for its end user | nothing, approximated |
//! | an input that is not words | an empty text, dropped; see [`EmbedRequest::tied`] |
//!
//! **Answers** of the first version (`embeddings` is the list itself) are read, too: clouds still give them. Numbers are asked for
//! as numbers, whatever the client wants: it is the client's writer that makes base64 of them.
//!
//! **Limits.** Pictures (`images`, `inputs`) are not asked for. The provider takes at most 96 texts at once and refuses more.
//!
//! The facts are the vendor's: the reference of Embed API v2 and recordings.

use super::{ChatV2, USAGE};
use crate::catalog::DialectId;
use crate::dialect::{Addressee, Dialect, Embeddings, Endpoint, ReadError, Reply, Written};
use crate::hub::ProviderError;
use crate::hub::embed::{Content, EmbedInput, EmbedRequest, Embedded, Encoding, Task, vector};
use crate::hub::event::ErrorClass;
use crate::json::{Json, Kind, Text, Writer};

/// How vectors are asked for.
pub(super) struct Vectors;

/// What vectors are for when nobody says it: to be found.
const USUAL: &str = "search_document";

/// The types of numbers that the hub knows.
const TYPES: [(Encoding, &str); 2] = [(Encoding::Float, "float"), (Encoding::Base64, "base64")];

impl Embeddings for Vectors {
    fn path(&self, prefix: &str, _model: &str, _request: &EmbedRequest<'_>) -> String {
        format!("{prefix}/embed")
    }

    fn read_request<'a>(&self, _endpoint: &Endpoint, body: Json<'a>) -> Result<EmbedRequest<'a>, ReadError> {
        let mut request = EmbedRequest::new(DialectId::ChatV2);
        let (mut model, mut texts) = (None, None);
        for (name, value) in body.members() {
            match name.decode().as_ref() {
                "model" => model = Some(value.text().ok_or_else(|| ReadError::new("model", "must be a string"))?),
                "texts" if !value.is_null() => texts = Some(value),
                word if understood(&mut request, word, value) => {}
                _ => request.extra.push((name, value)),
            }
        }
        request.model = model.ok_or_else(|| ReadError::new("model", "is missing"))?;
        let texts = texts.ok_or_else(|| ReadError::new("texts", "is missing"))?;
        if texts.kind() != Kind::Array {
            return Err(ReadError::new("texts", "must be a list"));
        }
        let content = |item: Json<'a>| item.text().map_or(Content::Other(item), Content::Text);
        request.inputs = texts.items().map(|item| EmbedInput { content: content(item), extra: Vec::new() }).collect();
        Ok(request)
    }

    fn write_request(&self, request: &EmbedRequest<'_>, to: Addressee<'_>) -> Written {
        let own = request.dialect == DialectId::ChatV2;
        let mut written = Written::default();
        if !own {
            report(request, &mut written);
        }
        let mut out = Writer::with_capacity(1024);
        out.object(|out| {
            out.field("model").string(to.model);
            out.field("texts").array(|out| {
                request.inputs.iter().for_each(|input| match input.content {
                    Content::Text(text) => out.text(text),
                    Content::Other(json) if own => out.raw(json),
                    Content::Other(_) => out.text(Text::EMPTY),
                });
            });
            match request.task {
                Some(task) if own => out.field("input_type").text(task),
                task if !own => out.field("input_type").string(task.and_then(Task::named).map_or(USUAL, near_word_of)),
                _ => {}
            }
            match request.encoding {
                Some(encoding) if own => types(encoding, out),
                None if own => {}
                _ => types(Encoding::Float, out),
            }
            if let Some(dimensions) = request.dimensions {
                out.field("output_dimension").number(dimensions);
            }
            if own {
                out.members(&request.extra);
            }
        });
        written.body = out.into_string();
        written
    }

    fn read_answer<'a>(&self, body: Json<'a>) -> Result<Embedded<'a>, ProviderError> {
        let holder = body.get("embeddings").unwrap_or(Json::NULL);
        let by_type = TYPES.iter().find_map(|(_, word)| holder.get(word));
        let vectors = match holder.kind() {
            Kind::Array => Some(holder),
            _ => by_type.filter(|vectors| vectors.kind() == Kind::Array),
        };
        let Some(vectors) = vectors else {
            return Err(match body.get("message").is_some_and(|message| !message.is_null()) {
                true => ChatV2.read_error(0, body.as_str().as_bytes()),
                false => nonsense("the provider's answer holds no vectors"),
            });
        };
        let vectors: Vec<Json<'a>> = vectors.items().collect();
        match vectors.iter().all(|vector| vector::is_one(*vector)) {
            true => Ok(Embedded {
                id: body.get("id").and_then(Json::text).filter(|id| !id.is_empty()),
                model: None,
                vectors,
                usage: USAGE.read(body),
            }),
            false => Err(nonsense("a vector in the provider's answer is not one")),
        }
    }

    fn write_answer(&self, request: &EmbedRequest<'_>, answer: &Embedded<'_>, reply: &Reply, out: &mut Writer) {
        let encoding = request.encoding.unwrap_or_default();
        out.object(|out| {
            match answer.id {
                Some(id) => out.field("id").text(id),
                None => out.field("id").string(&reply.exchange),
            }
            out.field("embeddings").object(|out| {
                out.field(type_of(encoding)).array(|out| {
                    answer.vectors.iter().for_each(|vector| vector::write(*vector, encoding, out));
                });
            });
            out.field("texts").array(|out| {
                request.inputs.iter().for_each(|input| match input.content {
                    Content::Text(text) => out.text(text),
                    Content::Other(_) => out.text(Text::EMPTY),
                });
            });
            if let Some(tokens) = answer.usage.input {
                out.field("meta").object(|out| {
                    out.field("billed_units").object(|out| out.field("input_tokens").number(tokens));
                });
            }
            out.field("response_type").string("embeddings_by_type");
        });
    }
}

/// Takes a member that the hub has a word for; false when it does not know the name or the form.
fn understood<'a>(request: &mut EmbedRequest<'a>, name: &str, value: Json<'a>) -> bool {
    match name {
        "input_type" => value.text().map(|word| request.task = Some(word)).is_some(),
        "output_dimension" => value.u64().map(|number| request.dimensions = Some(number)).is_some(),
        "embedding_types" => {
            let mut words = value.items();
            let only = words.next().and_then(Json::text).filter(|_| words.next().is_none());
            let known = only.and_then(|word| TYPES.iter().find(|(_, known)| word.is(known)));
            request.encoding = known.map(|(encoding, _)| *encoding);
            known.is_some()
        }
        _ => false,
    }
}

fn types(encoding: Encoding, out: &mut Writer) {
    out.field("embedding_types").array(|out| out.string(type_of(encoding)));
}

fn type_of(encoding: Encoding) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == encoding).map_or("float", |(_, word)| word)
}

/// The provider's word for a task or for the nearest one.
fn near_word_of(task: Task) -> &'static str {
    match task {
        Task::Query | Task::Answering | Task::Verification | Task::Code => "search_query",
        Task::Document => "search_document",
        Task::Classification => "classification",
        Task::Clustering | Task::Similarity => "clustering",
    }
}

/// Notes what a request of another dialect loses.
fn report(request: &EmbedRequest<'_>, written: &mut Written) {
    let called = request.called();
    match request.task.and_then(Task::named) {
        Some(Task::Query | Task::Document | Task::Classification | Task::Clustering) => {}
        _ => written.approximate(called.task),
    }
    if request.user.is_some() {
        written.approximate("user");
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
