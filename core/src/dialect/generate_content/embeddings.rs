//! Vectors of texts: `:embedContent` for one content, `:batchEmbedContents` for several.
//!
//! ```text
//! {"content":{"parts":[{"text":"one"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":256}
//! {"embedding":{"values":[0.1,…]}}
//!
//! {"requests":[{"model":"models/m","content":{"parts":[{"text":"one"}]},…},…]}
//! {"embeddings":[{"values":[0.1,…]},…]}
//! ```
//!
//! A batch says everything of each request anew. What all of them say alike (`taskType`, `outputDimensionality`) is the
//! hub's; what only some say, or say differently, stays with each of them and reaches this dialect only. The vendor's SDKs send
//! batches even of one.
//!
//! | asked in another dialect | written |
//! |---|---|
//! | one input that stood alone | `:embedContent` |
//! | a list of inputs | `:batchEmbedContents` |
//! | `search_query`, `query`, `search_document`, … | `RETRIEVAL_QUERY`, `RETRIEVAL_DOCUMENT`, … |
//! | another word for what the vectors are for | nothing, and reported as approximated |
//! | the client's name for its end user | nothing, and reported as approximated |
//! | an input that is not words | an empty text, which the server refuses; see [`EmbedRequest::tied`] |
//!
//! **Limits.** A content of several parts, or with pictures, can be asked of this dialect only. `:predict`, Vertex AI's older
//! way (`instances`, `parameters`, `predictions`), is no form of this dialect: it is neither read nor written, and models
//! that know no other way cannot be targets.
//!
//! Sources: the vendor's API reference (`embedContent`, `batchEmbedContents`, `TaskType`), its Python SDK 3.4, recordings.

use super::spelling::{self, Spelled, mark, note};
use super::{GenerateContent, USAGE};
use crate::catalog::DialectId;
use crate::dialect::{Addressee, Dialect, Embeddings, Endpoint, ReadError, Reply, Written};
use crate::hub::embed::{Content, EmbedInput, EmbedRequest, Embedded, Encoding, Task, vector};
use crate::hub::event::ErrorClass;
use crate::hub::{ProviderError, Shape};
use crate::json::{Json, Kind, Member, Text, Writer};
use crate::percent;

/// An item of a batch named the model, as it must.
const NAMED: &str = "\u{1}named";

/// How vectors are asked for.
pub(super) struct Vectors;

impl Embeddings for Vectors {
    fn path(&self, prefix: &str, model: &str, request: &EmbedRequest<'_>) -> String {
        let method = if is_one(request) { "embedContent" } else { "batchEmbedContents" };
        format!("{prefix}/models/{}:{method}", percent::encoded(bare(model)))
    }

    fn read_request<'a>(&self, _endpoint: &Endpoint, body: Json<'a>) -> Result<EmbedRequest<'a>, ReadError> {
        if body.kind() != Kind::Object {
            return Err(ReadError::new("body", "must be an object"));
        }
        let mut request = EmbedRequest::new(DialectId::GenerateContent);
        let mut items = Vec::new();
        match body.get("requests") {
            Some(requests) if requests.kind() == Kind::Array => {
                for (index, item) in requests.items().enumerate() {
                    items.push(read_item(item, &format!("requests[{index}]"))?);
                }
                request.extra = body.members().filter(|(name, _)| !name.is("requests")).collect();
            }
            Some(_) => return Err(ReadError::new("requests", "must be a list")),
            None => {
                request.shape = Shape::Bare;
                items.push(read_item(body, "")?);
            }
        }
        share(&mut request, items);
        Ok(request)
    }

    fn write_request(&self, request: &EmbedRequest<'_>, to: Addressee<'_>) -> Written {
        let mut written = Written::default();
        let own = request.dialect == DialectId::GenerateContent;
        if !own {
            report(request, &mut written);
        }
        let mut out = Writer::with_capacity(1024);
        let one = |input: &EmbedInput<'_>, out: &mut Writer| match own {
            true => own_item(input, request, to.model, out),
            false => foreign_item(input, request, to.model, out),
        };
        out.object(|out| match request.inputs.as_slice() {
            [input] if is_one(request) => one(input, out),
            inputs => {
                out.field("requests").array(|out| inputs.iter().for_each(|input| out.object(|out| one(input, out))));
                if own {
                    out.members(&request.extra);
                }
            }
        });
        written.body = out.into_string();
        written
    }

    fn read_answer<'a>(&self, body: Json<'a>) -> Result<Embedded<'a>, ProviderError> {
        let found: Vec<Json<'a>> = match (body.get("embedding"), body.get("embeddings")) {
            (Some(one), _) => vec![one],
            (None, Some(several)) if several.kind() == Kind::Array => several.items().collect(),
            _ if body.get("error").is_some_and(|error| !error.is_null()) => {
                return Err(GenerateContent.read_error(0, body.as_str().as_bytes()));
            }
            _ => return Err(nonsense("the provider's answer holds no vectors")),
        };
        let mut vectors = Vec::with_capacity(found.len());
        for vector in found {
            let values = vector.get("values").filter(|values| vector::is_one(*values));
            vectors.push(values.ok_or_else(|| nonsense("a vector in the provider's answer is not one"))?);
        }
        Ok(Embedded { id: None, model: None, vectors, usage: USAGE.read(body) })
    }

    fn write_answer(&self, request: &EmbedRequest<'_>, answer: &Embedded<'_>, _reply: &Reply, out: &mut Writer) {
        let values = |vector: Json<'_>, out: &mut Writer| {
            out.object(|out| vector::write(vector, Encoding::Float, out.field("values")));
        };
        out.object(|out| {
            match answer.vectors.as_slice() {
                [vector] if is_one(request) => values(*vector, out.field("embedding")),
                vectors => {
                    out.field("embeddings").array(|out| vectors.iter().for_each(|vector| values(*vector, out)));
                }
            }
            if let Some(tokens) = answer.usage.input {
                out.field("usageMetadata").object(|out| out.field("promptTokenCount").number(tokens));
            }
        });
    }
}

/// Whether it is said of a single content.
fn is_one(request: &EmbedRequest<'_>) -> bool {
    request.shape == Shape::Bare && request.inputs.len() == 1
}

fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

/// One request of a batch, or the only one.
struct Item<'a> {
    input: EmbedInput<'a>,
    task: Option<Member<'a>>,
    dimensions: Option<Member<'a>>,
}

fn read_item<'a>(value: Json<'a>, place: &str) -> Result<Item<'a>, ReadError> {
    let at = |name: &str| if place.is_empty() { name.to_string() } else { format!("{place}.{name}") };
    if value.kind() != Kind::Object {
        return Err(ReadError::new(place, "must be an object"));
    }
    let (mut content, mut extra, mut task, mut dimensions) = (None, Vec::new(), None, None);
    for (name, value) in value.members() {
        match name.decode().as_ref() {
            "content" if !value.is_null() => content = Some(value),
            // The path says which one; here it is only repeated.
            "model" if !value.is_null() => extra.push(mark(NAMED)),
            "taskType" | "task_type" if value.text().is_some() => task = Some((name, value)),
            "outputDimensionality" | "output_dimensionality" if value.u64().is_some() => {
                dimensions = Some((name, value));
            }
            _ => extra.push((name, value)),
        }
    }
    let content = content.ok_or_else(|| ReadError::new(at("content"), "is missing"))?;
    let content = words(content, &mut extra).map_or(Content::Other(content), Content::Text);
    Ok(Item { input: EmbedInput { content, extra }, task, dimensions })
}

/// The words of a content that is nothing but one text of the user.
fn words<'a>(content: Json<'a>, extra: &mut Vec<Member<'a>>) -> Option<Text<'a>> {
    let (mut text, mut by_user) = (None, false);
    for (name, value) in content.members() {
        match name.decode().as_ref() {
            "role" if value.text().is_some_and(|role| role.is("user")) => by_user = true,
            "parts" => {
                let mut parts = value.items();
                let mut members = parts.next()?.members();
                let (name, value) = members.next()?;
                let is_all = parts.next().is_none() && members.next().is_none() && name.is("text");
                text = value.text().filter(|_| is_all);
            }
            _ => return None,
        }
    }
    if by_user && text.is_some() {
        extra.push(mark(spelling::ROLE_USER));
    }
    text
}

/// Gives the hub what all say alike, and back to each what they do not.
fn share<'a>(request: &mut EmbedRequest<'a>, items: Vec<Item<'a>>) {
    fn alike<'a>(items: &[Item<'a>], of: impl Fn(&Item<'a>) -> Option<Member<'a>>) -> Option<Json<'a>> {
        let (_, first) = of(items.first()?)?;
        items.iter().all(|item| of(item).is_some_and(|(_, value)| value == first)).then_some(first)
    }
    request.task = alike(&items, |item| item.task).and_then(Json::text);
    request.dimensions = alike(&items, |item| item.dimensions).and_then(Json::u64);
    for Item { mut input, task, dimensions } in items {
        let members = [(task, request.task.is_some(), "taskType")];
        let members = members.into_iter().chain([(dimensions, request.dimensions.is_some(), "outputDimensionality")]);
        for (member, shared, usual) in members {
            match member {
                Some((name, _)) if shared => note(&mut input.extra, name, usual),
                Some(member) => input.extra.push(member),
                None => {}
            }
        }
        request.inputs.push(input);
    }
}

/// Writes what this dialect read itself.
fn own_item(input: &EmbedInput<'_>, request: &EmbedRequest<'_>, model: &str, out: &mut Writer) {
    let spelled = Spelled::new(&input.extra);
    if spelled.marked(NAMED) {
        out.field("model").string(&format!("models/{}", bare(model)));
    }
    match input.content {
        Content::Text(text) => out.field("content").object(|out| {
            parts(text, out);
            if spelled.marked(spelling::ROLE_USER) {
                out.field("role").string("user");
            }
        }),
        Content::Other(json) => out.field("content").raw(json),
    }
    if let Some(task) = request.task {
        out.field(spelled.name("taskType", &["task_type"])).text(task);
    }
    if let Some(dimensions) = request.dimensions {
        out.field(spelled.name("outputDimensionality", &["output_dimensionality"])).number(dimensions);
    }
    spelled.rest(out);
}

/// Writes what another dialect read.
fn foreign_item(input: &EmbedInput<'_>, request: &EmbedRequest<'_>, model: &str, out: &mut Writer) {
    out.field("model").string(&format!("models/{}", bare(model)));
    out.field("content").object(|out| match input.content {
        Content::Text(text) => parts(text, out),
        Content::Other(_) => parts(Text::EMPTY, out),
    });
    if let Some(task) = request.task.and_then(Task::named) {
        out.field("taskType").string(word_of(task));
    }
    if let Some(dimensions) = request.dimensions {
        out.field("outputDimensionality").number(dimensions);
    }
}

fn parts(text: Text<'_>, out: &mut Writer) {
    out.field("parts").array(|out| out.object(|out| out.field("text").text(text)));
}

fn word_of(task: Task) -> &'static str {
    match task {
        Task::Query => "RETRIEVAL_QUERY",
        Task::Document => "RETRIEVAL_DOCUMENT",
        Task::Classification => "CLASSIFICATION",
        Task::Clustering => "CLUSTERING",
        Task::Similarity => "SEMANTIC_SIMILARITY",
        Task::Answering => "QUESTION_ANSWERING",
        Task::Verification => "FACT_VERIFICATION",
        Task::Code => "CODE_RETRIEVAL_QUERY",
    }
}

/// Notes what a request of another dialect loses.
fn report(request: &EmbedRequest<'_>, written: &mut Written) {
    let called = request.called();
    if request.task.is_some_and(|word| Task::named(word).is_none()) {
        written.approximate(called.task);
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
