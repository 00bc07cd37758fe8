//! Requests of other dialects, said in this one; what it has no word for is reported.

use super::conversation::{Conversation, Merged, Side, can_say, word_of};
use super::names::{Names, write_id};
use super::schema::{self, Objects};
use super::thinking::{self, Plan};
use super::write;
use crate::dialect::{Addressee, Written};
use crate::hub::{Delivery, Format, Function, Part, Request, Shape, Tool, ToolCall, ToolChoice, ToolResult};
use crate::json::{Json, Text, Writer};

/// Longest `metadata.user_id` the provider takes.
const MAX_USER: usize = 256;

/// The temperature scale ends at 1 here.
const MAX_TEMPERATURE: f64 = 1.0;

/// With thinking on, the provider refuses less.
const MIN_TOP_P_THINKING: f64 = 0.95;

/// What writing needs to know everywhere.
struct Foreign<'w> {
    written: &'w mut Written,
    names: Names,
    /// Calls and results without an id so far.
    calls: usize,
    results: usize,
}

/// Writes a request of another dialect.
pub(super) fn write(request: &Request<'_>, to: Addressee<'_>) -> Written {
    let mut written = Written::default();
    let names = Names::of(request, &mut written);
    let conversation = Conversation::of(request, &mut written);
    let plan = thinking::plan(request, to.output_limit, &mut written);
    let mut foreign = Foreign { written: &mut written, names, calls: 0, results: 0 };
    let mut out = Writer::with_capacity(1024);
    out.object(|out| {
        out.field("model").string(to.model);
        out.field("max_tokens").number(plan.max_tokens);
        foreign.system(&conversation.system, out);
        out.field("messages").array(|out| {
            conversation.messages.iter().for_each(|message| foreign.message(message, out));
        });
        foreign.tools(request, out);
        foreign.sampling(request, &plan, out);
        foreign.stop(request, out);
        foreign.output(request, &plan, out);
        foreign.user(request, out);
        if request.delivery != Delivery::Whole {
            out.field("stream").bool(true);
        }
    });
    written.drop_extra("", &request.extra);
    written.body = out.into_string();
    written
}

impl Foreign<'_> {
    fn system(&mut self, texts: &[Text<'_>], out: &mut Writer) {
        match texts {
            [] => {}
            [text] => out.field("system").text(*text),
            texts => out.field("system").array(|out| texts.iter().for_each(|text| self::text(*text, out))),
        }
    }

    fn message(&mut self, message: &Merged<'_, '_>, out: &mut Writer) {
        out.object(|out| {
            out.field("role").string(match message.side {
                Side::User => "user",
                Side::Assistant => "assistant",
            });
            let out = out.field("content");
            match (message.shape, message.parts.as_slice()) {
                (Shape::Bare, [Part::Text { text, extra }]) => {
                    self.written.drop_extra("messages[].content[].", extra);
                    out.text(*text);
                }
                (_, parts) => out.array(|out| parts.iter().for_each(|part| self.part(part, out))),
            }
        });
    }

    fn part(&mut self, part: &Part<'_>, out: &mut Writer) {
        match part {
            Part::Text { text, extra } => {
                self.written.drop_extra("messages[].content[].", extra);
                self::text(*text, out);
            }
            Part::Refusal(text) => self::text(*text, out),
            Part::Media(media) => {
                self.written.drop_extra("messages[].content[].", &media.extra);
                out.object(|out| write::media(media, out));
            }
            Part::ToolCall(call) => self.call(call, out),
            Part::ToolResult(result) => self.result(result, out),
            // Reported when the conversation was put in order.
            Part::Thinking(_) | Part::Other(_) => {}
        }
    }

    fn call(&mut self, call: &ToolCall<'_>, out: &mut Writer) {
        self.written.drop_extra("messages[].tool_calls[].", &call.extra);
        if call.signature.is_some() {
            self.written.drop("messages[].tool_calls[].signature");
        }
        out.object(|out| {
            out.field("type").string("tool_use");
            write_id(call.id, &mut self.calls, out.field("id"));
            self.names.write(call.name, out.field("name"));
            let out = out.field("input");
            match call.arguments.object().as_deref().map(|object| Json::parse(object.as_bytes())) {
                Some(Ok(object)) => out.raw(object),
                // A model's broken arguments are history: kept readable, in an object as this dialect demands.
                Some(Err(_)) | None => out.object(|out| call.arguments.write_encoded(out.field("arguments"))),
            }
        });
    }

    fn result(&mut self, result: &ToolResult<'_>, out: &mut Writer) {
        self.written.drop_extra("messages[].tool_results[].", &result.extra);
        out.object(|out| {
            out.field("type").string("tool_result");
            write_id(result.id, &mut self.results, out.field("tool_use_id"));
            match (result.shape, result.content.as_slice()) {
                (_, []) => {}
                (Shape::Bare, [Part::Text { text, .. }]) => out.field("content").text(*text),
                (_, [Part::Other(json)]) => out.field("content").string(json.as_str()),
                (_, parts) => {
                    let out = out.field("content");
                    out.array(|out| parts.iter().for_each(|part| self.result_part(part, out)));
                }
            }
            if let Some(error) = result.error {
                out.field("is_error").bool(error);
            }
        });
    }

    fn result_part(&mut self, part: &Part<'_>, out: &mut Writer) {
        match part {
            // A result as JSON is said as the text of it.
            Part::Other(json) => out.object(|out| {
                out.field("type").string("text");
                out.field("text").string(json.as_str());
            }),
            Part::ToolCall(_) | Part::ToolResult(_) => self.written.drop("messages[].tool_results[].content"),
            part if can_say(part, Side::User, self.written) => self.part(part, out),
            _ => {}
        }
    }

    fn tools(&mut self, request: &Request<'_>, out: &mut Writer) {
        let mut functions = Vec::new();
        for tool in &request.tools {
            match tool {
                Tool::Function(function) => functions.push(function),
                Tool::Other(json) => self.written.drop(&format!("tools[].{}", word_of(*json))),
            }
        }
        if functions.is_empty() {
            // The provider refuses a choice among no tools.
            if request.tool_choice.is_some() {
                self.written.drop("tool_choice");
            }
            if request.parallel_tool_calls.is_some() {
                self.written.drop("parallel_tool_calls");
            }
            return;
        }
        out.field("tools").array(|out| functions.iter().for_each(|function| self.function(function, out)));
        self.tool_choice(request, out);
    }

    fn function(&mut self, function: &Function<'_>, out: &mut Writer) {
        self.written.drop_extra("tools[].", &function.extra);
        out.object(|out| {
            self.names.write(function.name, out.field("name"));
            if let Some(description) = function.description {
                out.field("description").text(description);
            }
            schema::write_input(function.schema, out.field("input_schema"));
            if function.strict == Some(true) {
                out.field("strict").bool(true);
            }
        });
    }

    fn tool_choice(&mut self, request: &Request<'_>, out: &mut Writer) {
        // Several calls at once are the default, so only the refusal of them needs words.
        let parallel = request.parallel_tool_calls.filter(|parallel| !parallel);
        let choice = match (&request.tool_choice, parallel) {
            (Some(ToolChoice::Other(_)), parallel) => {
                self.written.drop("tool_choice");
                parallel.map(|_| &ToolChoice::Auto)
            }
            (None, parallel) => parallel.map(|_| &ToolChoice::Auto),
            (Some(choice), _) => Some(choice),
        };
        let Some(choice) = choice else { return };
        out.field("tool_choice").object(|out| match choice {
            ToolChoice::Named(name) => {
                out.field("type").string("tool");
                self.names.write(*name, out.field("name"));
                if parallel.is_some() {
                    out.field("disable_parallel_tool_use").bool(true);
                }
            }
            ToolChoice::Never => write::tool_choice(choice, None, out),
            choice => write::tool_choice(choice, parallel, out),
        });
    }

    fn sampling(&mut self, request: &Request<'_>, plan: &Plan, out: &mut Writer) {
        let sampling = &request.sampling;
        if let Some(temperature) = sampling.temperature {
            let number = temperature.f64();
            if plan.thinks() && number != Some(MAX_TEMPERATURE) {
                self.written.drop("temperature");
            } else if number.is_some_and(|number| number > MAX_TEMPERATURE) {
                self.written.drop("temperature");
                out.field("temperature").number(1);
            } else {
                out.field("temperature").raw(temperature);
            }
        }
        if let Some(top_p) = sampling.top_p {
            let too_low = plan.thinks() && top_p.f64().is_none_or(|number| number < MIN_TOP_P_THINKING);
            match too_low || sampling.temperature.is_some() {
                true => self.written.drop("top_p"),
                false => out.field("top_p").raw(top_p),
            }
        }
        if let Some(top_k) = sampling.top_k {
            match plan.thinks() {
                true => self.written.drop("top_k"),
                false => out.field("top_k").raw(top_k),
            }
        }
        let unsaid = [
            ("presence_penalty", sampling.presence_penalty),
            ("frequency_penalty", sampling.frequency_penalty),
            ("seed", sampling.seed),
            // One answer is what everybody gives.
            ("n", sampling.answers.filter(|answers| answers.u64() != Some(1))),
        ];
        for (name, _) in unsaid.iter().filter(|(_, value)| value.is_some()) {
            self.written.drop(name);
        }
    }

    fn stop(&mut self, request: &Request<'_>, out: &mut Writer) {
        let Some(stop) = &request.stop else { return };
        // The provider refuses sequences of white space.
        let said: Vec<_> = stop.sequences.iter().filter(|text| !text.decode().trim().is_empty()).collect();
        if said.len() < stop.sequences.len() {
            self.written.drop("stop");
        }
        if !said.is_empty() {
            out.field("stop_sequences").array(|out| said.iter().for_each(|text| out.text(**text)));
        }
    }

    fn output(&mut self, request: &Request<'_>, plan: &Plan, out: &mut Writer) {
        thinking::write(plan.mode, plan.shown, out);
        let schema = self.format(request);
        if schema.is_none() && plan.effort.is_none() {
            return;
        }
        out.field("output_config").object(|out| {
            if let Some(effort) = plan.effort {
                out.field("effort").string(effort);
            }
            if let Some(schema) = schema {
                out.field("format").object(|out| {
                    out.field("type").string("json_schema");
                    schema::write(schema, Objects::Closed, out.field("schema"));
                });
            }
        });
    }

    /// The schema of the answer, when there is one.
    fn format<'a>(&mut self, request: &Request<'a>) -> Option<Json<'a>> {
        match request.format.as_ref()? {
            Format::Text => None,
            Format::JsonObject | Format::Other(_) => {
                self.written.drop("response_format");
                None
            }
            // The name is a label that nothing here depends on; a schema is always kept strictly.
            Format::JsonSchema { description, schema, extra, .. } => {
                if description.is_some() {
                    self.written.drop("response_format.description");
                }
                self.written.drop_extra("response_format.", extra);
                Some(*schema)
            }
        }
    }

    fn user(&mut self, request: &Request<'_>, out: &mut Writer) {
        let Some(user) = request.user else { return };
        if user.raw().len() > MAX_USER {
            return self.written.drop("user");
        }
        out.field("metadata").object(|out| out.field("user_id").text(user));
    }
}

fn text(text: Text<'_>, out: &mut Writer) {
    out.object(|out| {
        out.field("type").string("text");
        out.field("text").text(text);
    });
}
