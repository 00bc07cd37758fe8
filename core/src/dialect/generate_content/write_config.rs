//! `generationConfig` and `toolConfig`, written.

use super::spelling::{self, Spelled};
use super::thinking;
use super::write_request::Writing;
use crate::hub::{Format, ToolChoice};
use crate::json::{Json, Member, Text, Writer};

/// Most stop sequences the API takes.
const MAX_STOP_SEQUENCES: usize = 5;

/// Writes `toolConfig`, if there is something to say.
pub(super) fn tool_config(writing: &mut Writing<'_, '_>, name: &str, said_tools: bool, out: &mut Writer) {
    let request = writing.request;
    if writing.own() {
        let Some(extra) = spelling::within(&request.extra, spelling::TOOL_CONFIG) else { return };
        let spelled = Spelled::new(extra);
        out.field(name).object(|out| {
            if let Some(choice) = &request.tool_choice {
                out.field(spelled.name("functionCallingConfig", &["function_calling_config"]));
                own_choice(&request.extra, choice, out);
            }
            spelled.rest(out);
        });
        return;
    }
    if request.parallel_tool_calls == Some(false) {
        writing.written.approximate("parallel_tool_calls");
    }
    let Some(choice) = &request.tool_choice else { return };
    match (choice, said_tools) {
        (ToolChoice::Other(_), _) => writing.written.drop("tool_choice"),
        // Without functions the API refuses to be told how to choose among them, and these two mean nothing then.
        (ToolChoice::Auto | ToolChoice::Never, false) => {}
        (ToolChoice::Any | ToolChoice::Named(_), false) => writing.written.drop("tool_choice"),
        (_, true) => out.field(name).object(|out| {
            out.field("functionCallingConfig");
            tool_choice(writing, choice, out);
        }),
    }
}

/// Writes a choice with what stood beside it.
fn own_choice(extra: &[Member<'_>], choice: &ToolChoice<'_>, out: &mut Writer) {
    let spelled = Spelled::new(spelling::within(extra, spelling::CALLING).unwrap_or_default());
    let mode = match choice {
        ToolChoice::Auto if spelled.marked(spelling::VALIDATED) => "VALIDATED",
        ToolChoice::Auto => "AUTO",
        ToolChoice::Never => "NONE",
        ToolChoice::Any | ToolChoice::Named(_) => "ANY",
        ToolChoice::Other(raw) => return out.raw(*raw),
    };
    out.object(|out| {
        out.field("mode").string(mode);
        if let ToolChoice::Named(name) = choice {
            let names = spelled.name("allowedFunctionNames", &["allowed_function_names"]);
            out.field(names).array(|out| out.text(*name));
        }
        let streamed = spelled.name("streamFunctionCallArguments", &["stream_function_call_arguments"]);
        for (mark, value) in [(spelling::ARGUMENTS_STREAMED, true), (spelling::ARGUMENTS_WHOLE, false)] {
            if spelled.marked(mark) {
                out.field(streamed).bool(value);
            }
        }
        spelled.rest(out);
    });
}

fn tool_choice<'a>(writing: &mut Writing<'_, 'a>, choice: &ToolChoice<'a>, out: &mut Writer) {
    let mode = match choice {
        ToolChoice::Auto => "AUTO",
        ToolChoice::Never => "NONE",
        ToolChoice::Any | ToolChoice::Named(_) => "ANY",
        ToolChoice::Other(raw) => return out.raw(*raw),
    };
    out.object(|out| {
        out.field("mode").string(mode);
        if let ToolChoice::Named(name) = choice {
            out.field("allowedFunctionNames").array(|out| writing.names.write(*name, out));
        }
    });
}

/// Writes `generationConfig`, if there is something to say.
pub(super) fn generation_config(writing: &mut Writing<'_, '_>, name: &str, out: &mut Writer) {
    let extra: Option<&[Member<'_>]> = match writing.own() {
        true => spelling::within(&writing.request.extra, spelling::CONFIG),
        false => None,
    };
    let spelled = Spelled::new(extra.unwrap_or_default());
    let mut config = Writer::new();
    config.object(|out| {
        sampling(writing, &spelled, out);
        limits(writing, &spelled, out);
        format(writing, &spelled, out);
        if let Some(reasoning) = &writing.request.reasoning {
            let name = spelled.name("thinkingConfig", &["thinking_config"]);
            thinking::config(writing, reasoning, name, out);
        }
        if spelled.marked(spelling::TEXT_ONLY) {
            let name = spelled.name("responseModalities", &["response_modalities"]);
            out.field(name).array(|out| out.string("TEXT"));
        }
        spelled.rest(out);
    });
    if extra.is_some() || config.as_str() != Json::EMPTY_OBJECT.as_str() {
        out.field(name).raw(Json::trusted(config.as_str()));
    }
}

fn sampling(writing: &mut Writing<'_, '_>, spelled: &Spelled<'_, '_>, out: &mut Writer) {
    let said = &writing.request.sampling;
    let numbers: [(Option<Json<'_>>, &'static str, &[&'static str]); 6] = [
        (said.temperature, "temperature", &[]),
        (said.top_p, "topP", &["top_p"]),
        (said.top_k, "topK", &["top_k"]),
        (said.presence_penalty, "presencePenalty", &["presence_penalty"]),
        (said.frequency_penalty, "frequencyPenalty", &["frequency_penalty"]),
        (said.seed, "seed", &[]),
    ];
    for (number, usual, others) in numbers {
        if let Some(number) = number {
            out.field(spelled.name(usual, others)).raw(number);
        }
    }
    if let Some(answers) = said.answers {
        // Others' wish for several answers keeps the request with services of their own dialect.
        if writing.own() {
            out.field(spelled.name("candidateCount", &["candidate_count"])).raw(answers);
        }
    }
}

fn limits(writing: &mut Writing<'_, '_>, spelled: &Spelled<'_, '_>, out: &mut Writer) {
    let request = writing.request;
    let own = writing.own();
    if let Some(limit) = request.max_tokens {
        let name = if own { limit.name } else { Text::escaped("maxOutputTokens") };
        out.field_text(name).number(limit.tokens);
    }
    if let Some(stop) = &request.stop {
        let most = if own { usize::MAX } else { MAX_STOP_SEQUENCES };
        if stop.sequences.len() > most {
            writing.written.approximate("stop");
        }
        if own || !stop.sequences.is_empty() {
            out.field(spelled.name("stopSequences", &["stop_sequences"]))
                .array(|out| stop.sequences.iter().take(most).for_each(|sequence| out.text(*sequence)));
        }
    }
    if !own && request.user.is_some() {
        writing.written.approximate("user");
    }
}

fn format(writing: &mut Writing<'_, '_>, spelled: &Spelled<'_, '_>, out: &mut Writer) {
    let Some(format) = &writing.request.format else { return };
    let mime = match format {
        Format::Text => "text/plain",
        Format::JsonObject | Format::JsonSchema { .. } => "application/json",
        Format::Other(_) => return writing.written.drop("response_format"),
    };
    if !spelled.marked(spelling::NO_MIME) {
        out.field(spelled.name("responseMimeType", &["response_mime_type"])).string(mime);
    }
    if let Format::JsonSchema { description, schema, extra, .. } = format {
        let others = ["responseSchema", "response_schema", "response_json_schema"];
        out.field(spelled.name("responseJsonSchema", &others)).raw(*schema);
        // The schema's name is only a label and strictness the rule here; neither is lost.
        if description.is_some() {
            writing.written.approximate("response_format.json_schema.description");
        }
        if !writing.own() {
            writing.written.lose("response_format.json_schema.", extra);
        }
    }
}
