//! What a turn is made of besides words: media, thoughts, calls and their results.

use super::{Extra, Part, Shape};
use crate::json::{Json, Text};

/// What kind of thing a [`Media`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A PDF or text file.
    Document,
}

/// A picture, a sound, a film or a document.
#[derive(Clone, Debug)]
pub struct Media<'a> {
    /// Which of these.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: Source<'a>,
    /// Everything else (`detail`, cache marks, titles).
    pub extra: Extra<'a>,
}

/// Where a media's bytes are.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Here.
    Data {
        /// The media type, such as `image/png`.
        mime: Text<'a>,
        /// The bytes in base64.
        base64: Text<'a>,
    },
    /// Elsewhere; the provider fetches it, never the gateway.
    Url {
        /// The address.
        url: Text<'a>,
        /// The media type where the dialect says it.
        mime: Option<Text<'a>>,
    },
    /// In the provider's file store; only that provider knows the id.
    File(Text<'a>),
}

/// What the model thought.
#[derive(Clone, Debug)]
pub struct Thinking<'a> {
    /// The words, which may be a summary or empty.
    pub text: Text<'a>,
    /// The provider's proof that these are its thoughts; worth something to that provider only.
    pub signature: Option<Text<'a>>,
    /// Everything else.
    pub extra: Extra<'a>,
}

/// The id that ties a call to its result.
#[derive(Clone, Copy, Debug)]
pub enum CallId<'a> {
    /// As the caller gave it.
    Given(Text<'a>),
    /// The n-th call of a conversation whose dialect does not ask for ids; written as `call_<n>`.
    Made(usize),
}

impl CallId<'_> {
    /// Whether both are the same id.
    pub fn same(self, other: CallId<'_>) -> bool {
        match (self, other) {
            (CallId::Given(one), CallId::Given(two)) => one.raw() == two.raw() || one.decode() == two.decode(),
            (CallId::Made(one), CallId::Made(two)) => one == two,
            (CallId::Given(given), CallId::Made(made)) | (CallId::Made(made), CallId::Given(given)) => {
                given.is(&format!("call_{made}"))
            }
        }
    }

    /// Writes the id as a string value.
    pub fn write(self, out: &mut crate::json::Writer) {
        match self {
            CallId::Given(text) => out.text(text),
            CallId::Made(number) => out.string(&format!("call_{number}")),
        }
    }
}

/// Arguments of a call, as the dialect has them.
#[derive(Clone, Copy, Debug)]
pub enum Arguments<'a> {
    /// JSON itself (messages, generate content).
    Object(Json<'a>),
    /// JSON inside a string (chat completions): the still escaped text of it.
    Encoded(Text<'a>),
    /// The input of a [`super::Custom`] tool: plain words. Elsewhere the argument `input` of a function.
    Plain(Text<'a>),
}

impl Arguments<'_> {
    /// The arguments as the text of a JSON object, or `None` when they are something else. Nothing counts as `{}`.
    pub fn object(&self) -> Option<String> {
        let text = match self {
            Arguments::Object(json) => json.as_str().to_string(),
            Arguments::Encoded(text) => text.decode().into_owned(),
            Arguments::Plain(text) => return Some(input(*text)),
        };
        if text.trim().is_empty() || text.trim() == "null" {
            return Some("{}".to_string());
        }
        let json = Json::parse(text.as_bytes()).ok()?;
        (json.kind() == crate::json::Kind::Object).then(|| json.as_str().to_string())
    }

    /// Writes the arguments as a string that contains JSON.
    pub fn write_encoded(&self, out: &mut crate::json::Writer) {
        match self {
            Arguments::Object(json) => out.string(json.as_str()),
            Arguments::Encoded(text) => out.text(*text),
            Arguments::Plain(text) => out.string(&input(*text)),
        }
    }
}

/// Plain words as the one argument of a function (see [`crate::json::schema::INPUT`]).
fn input(words: Text<'_>) -> String {
    let mut out = crate::json::Writer::new();
    out.object(|out| out.field("input").text(words));
    out.into_string()
}

/// The model called a tool.
#[derive(Clone, Debug)]
pub struct ToolCall<'a> {
    /// Ties it to its result.
    pub id: Option<CallId<'a>>,
    /// The tool's group, where the dialect has groups.
    pub namespace: Option<Text<'a>>,
    /// Which tool.
    pub name: Text<'a>,
    /// With what.
    pub arguments: Arguments<'a>,
    /// The provider's proof of the thought behind it (Gemini).
    pub signature: Option<Text<'a>>,
    /// Everything else.
    pub extra: Extra<'a>,
}

/// What a tool said.
#[derive(Clone, Debug)]
pub struct ToolResult<'a> {
    /// Which call it answers.
    pub id: Option<CallId<'a>>,
    /// Which tool it was, where the dialect says it.
    pub name: Option<Text<'a>>,
    /// The answer; for generate content one [`Part::Other`] with the response object.
    pub content: Vec<Part<'a>>,
    /// Whether a single text stood alone.
    pub shape: Shape,
    /// Whether the tool failed.
    pub error: Option<bool>,
    /// Everything else.
    pub extra: Extra<'a>,
}
