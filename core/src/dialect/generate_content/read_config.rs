//! The members of `generationConfig` and `toolConfig`.

use super::read_request::once;
use super::spelling::{self, mark, note};
use crate::dialect::ReadError;
use crate::hub::{Depth, Extra, Format, Limit, Reasoning, Request, Shape, Stops, ToolChoice};
use crate::json::{Json, Kind, Text};

/// The words for how much to think, as the API spells them and as everybody else does.
pub(super) const LEVELS: [(&str, &str); 5] =
    [("MINIMAL", "minimal"), ("LOW", "low"), ("MEDIUM", "medium"), ("HIGH", "high"), ("XHIGH", "xhigh")];

/// What the members about the answer's form say, before it is known what they mean together.
#[derive(Default)]
struct Form<'a> {
    mime: Option<(Text<'a>, Json<'a>)>,
    schema: Option<(Text<'a>, Json<'a>)>,
}

/// Understands `generationConfig`; what it does not know goes into a section of the request's `extra`.
pub(super) fn read_config<'a>(config: Json<'a>, request: &mut Request<'a>) -> Result<(), ReadError> {
    let mut extra = vec![mark(spelling::CONFIG)];
    let mut form = Form::default();
    for (name, value) in config.members() {
        let word = name.decode();
        let sampling = &mut request.sampling;
        let (place, usual) = match (word.as_ref(), value.kind()) {
            (_, Kind::Null) => {
                extra.push((name, value));
                continue;
            }
            ("temperature", _) => (&mut sampling.temperature, "temperature"),
            ("topP" | "top_p", _) => (&mut sampling.top_p, "topP"),
            ("topK" | "top_k", _) => (&mut sampling.top_k, "topK"),
            ("presencePenalty" | "presence_penalty", _) => (&mut sampling.presence_penalty, "presencePenalty"),
            ("frequencyPenalty" | "frequency_penalty", _) => (&mut sampling.frequency_penalty, "frequencyPenalty"),
            ("seed", _) => (&mut sampling.seed, "seed"),
            ("candidateCount" | "candidate_count", _) => (&mut sampling.answers, "candidateCount"),
            ("maxOutputTokens" | "max_output_tokens", _) => {
                let problem = || ReadError::new("generationConfig.maxOutputTokens", "must be a whole number from 0 up");
                let tokens = value.u64().ok_or_else(problem)?;
                once(&mut request.max_tokens, Limit { tokens, name }, "generationConfig.maxOutputTokens")?;
                continue;
            }
            _ => {
                read_rest((name, value), &mut form, &mut extra, request);
                continue;
            }
        };
        *place = Some(value);
        if usual == "candidateCount" && value.u64() != Some(1) {
            request.tied = Some("generationConfig.candidateCount");
        }
        note(&mut extra, name, usual);
    }
    request.format = read_format(form, &mut extra);
    request.extra.extend(extra);
    Ok(())
}

/// The members whose values are more than a number.
fn read_rest<'a>(
    (name, value): (Text<'a>, Json<'a>),
    form: &mut Form<'a>,
    extra: &mut Extra<'a>,
    request: &mut Request<'a>,
) {
    match (name.decode().as_ref(), value.kind()) {
        ("stopSequences" | "stop_sequences", Kind::Array) => {
            let sequences: Option<Vec<_>> = value.items().map(Json::text).collect();
            let Some(sequences) = sequences else { return extra.push((name, value)) };
            request.stop = Some(Stops { sequences, shape: Shape::List });
            note(extra, name, "stopSequences");
        }
        ("responseMimeType" | "response_mime_type", Kind::String) => form.mime = Some((name, value)),
        ("responseSchema" | "response_schema" | "responseJsonSchema" | "response_json_schema", Kind::Object)
            if form.schema.is_none() =>
        {
            form.schema = Some((name, value))
        }
        ("responseModalities" | "response_modalities", Kind::Array) if is_text_only(value) => {
            extra.push(mark(spelling::TEXT_ONLY));
            note(extra, name, "responseModalities");
        }
        ("thinkingConfig" | "thinking_config", Kind::Object) => {
            request.reasoning = Some(read_reasoning(value));
            note(extra, name, "thinkingConfig");
        }
        _ => extra.push((name, value)),
    }
}

/// Whether nothing but text is asked for, which is what everybody answers anyway.
fn is_text_only(modalities: Json<'_>) -> bool {
    let mut items = modalities.items();
    items.next().and_then(Json::text).is_some_and(|word| word.raw() == "TEXT") && items.next().is_none()
}

fn read_format<'a>(form: Form<'a>, extra: &mut Extra<'a>) -> Option<Format<'a>> {
    let mime = form.mime.and_then(|(_, value)| value.text()).map(Text::decode);
    let note_mime = |extra: &mut Extra<'a>| match form.mime {
        Some((name, _)) => note(extra, name, "responseMimeType"),
        None => extra.push(mark(spelling::NO_MIME)),
    };
    match (mime.as_deref(), form.schema) {
        (Some("application/json") | None, Some((name, schema))) => {
            note_mime(extra);
            note(extra, name, "responseJsonSchema");
            Some(Format::JsonSchema { name: None, description: None, schema, strict: None, extra: Vec::new() })
        }
        (Some("application/json"), None) => {
            note_mime(extra);
            Some(Format::JsonObject)
        }
        (Some("text/plain"), None) => {
            note_mime(extra);
            Some(Format::Text)
        }
        // Enumerations as plain text, and whatever comes next.
        _ => {
            extra.extend(form.mime);
            extra.extend(form.schema);
            None
        }
    }
}

fn read_reasoning<'a>(config: Json<'a>) -> Reasoning<'a> {
    let mut reasoning = Reasoning { depth: Depth::Unsaid, shown: None, extra: Vec::new() };
    let extra = &mut reasoning.extra;
    for (name, value) in config.members() {
        match (name.decode().as_ref(), value.kind()) {
            ("includeThoughts" | "include_thoughts", Kind::Bool) => {
                reasoning.shown = value.bool();
                note(extra, name, "includeThoughts");
            }
            ("thinkingBudget" | "thinking_budget", Kind::Number) if reasoning.depth == Depth::Unsaid => {
                reasoning.depth = match (value.as_str(), value.u64()) {
                    ("-1", _) => Depth::Adaptive,
                    (_, Some(0)) => Depth::Off,
                    (_, Some(tokens)) => Depth::Budget(tokens),
                    (_, None) => {
                        extra.push((name, value));
                        continue;
                    }
                };
                note(extra, name, "thinkingBudget");
            }
            ("thinkingLevel" | "thinking_level", Kind::String) if reasoning.depth == Depth::Unsaid => {
                let Some(level) = value.text() else { continue };
                let known = LEVELS.iter().find(|(ours, _)| level.raw() == *ours);
                let common = known.and_then(|(_, common)| Text::plain(common));
                reasoning.depth = Depth::Effort(common.unwrap_or(level));
                if common.is_none() {
                    extra.push(mark(spelling::AS_SPELLED));
                }
                note(extra, name, "thinkingLevel");
            }
            _ => extra.push((name, value)),
        }
    }
    reasoning
}

/// Understands `toolConfig`.
pub(super) fn read_tool_config<'a>(config: Json<'a>, request: &mut Request<'a>) {
    request.extra.push(mark(spelling::TOOL_CONFIG));
    let mut calling = Vec::new();
    for (name, value) in config.members() {
        match name.decode().as_ref() {
            "functionCallingConfig" | "function_calling_config" if value.kind() == Kind::Object => {
                let choice = read_choice(value, &mut calling);
                request.tool_choice = Some(choice.unwrap_or(ToolChoice::Other(value)));
                note(&mut request.extra, name, "functionCallingConfig");
            }
            _ => request.extra.push((name, value)),
        }
    }
    // A section of its own, and sections end only where the next begins.
    request.extra.extend(calling);
}

/// The choices that others have too; what else stands beside them goes into a section.
fn read_choice<'a>(config: Json<'a>, calling: &mut Extra<'a>) -> Option<ToolChoice<'a>> {
    let (mut mode, mut names) = (None, None);
    let mut section = vec![mark(spelling::CALLING)];
    for (name, value) in config.members() {
        let usual = match (name.decode().as_ref(), value.kind()) {
            ("mode", Kind::String) => {
                mode = value.text();
                "mode"
            }
            ("allowedFunctionNames" | "allowed_function_names", Kind::Array) => {
                names = Some(value);
                "allowedFunctionNames"
            }
            // Whether arguments come in pieces changes nothing about what is said.
            ("streamFunctionCallArguments" | "stream_function_call_arguments", Kind::Bool) => {
                let streamed = value.bool() == Some(true);
                section.push(mark(if streamed { spelling::ARGUMENTS_STREAMED } else { spelling::ARGUMENTS_WHOLE }));
                "streamFunctionCallArguments"
            }
            _ => {
                section.push((name, value));
                continue;
            }
        };
        note(&mut section, name, usual);
    }
    let choice = match (mode?.raw(), names) {
        ("AUTO", None) => ToolChoice::Auto,
        ("VALIDATED", None) => {
            section.push(mark(spelling::VALIDATED));
            ToolChoice::Auto
        }
        ("NONE", None) => ToolChoice::Never,
        ("ANY", None) => ToolChoice::Any,
        ("ANY", Some(names)) => {
            let mut names = names.items();
            let only = names.next()?.text()?;
            names.next().is_none().then_some(ToolChoice::Named(only))?
        }
        _ => return None,
    };
    *calling = section;
    Some(choice)
}
