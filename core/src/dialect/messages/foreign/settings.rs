//! What is asked besides the conversation: tools, sampling, the form of the answer.

use super::super::schema::{self, Strictness};
use super::super::thinking::{self, Plan};
use super::super::write;
use super::Foreign;
use crate::hub::{Format, Function, Request, Tool, ToolChoice};
use crate::json::{self, Json, Writer};

/// Longest `metadata.user_id` the provider takes.
const MAX_USER: usize = 256;

/// The temperature scale ends at 1 here.
const MAX_TEMPERATURE: f64 = 1.0;

/// With thinking on, the provider refuses less.
const MIN_TOP_P_THINKING: f64 = 0.95;

impl Foreign<'_> {
    pub(super) fn tools(&mut self, request: &Request<'_>, out: &mut Writer) {
        let mut functions = Vec::new();
        for tool in &request.tools {
            match tool {
                Tool::Function(function) => functions.push(function),
                // Turned into functions before they come here.
                Tool::Custom(_) => self.written.drop("tools[].custom"),
                Tool::Other(json) => self.written.lose_raw("tools[].", *json),
            }
        }
        if functions.is_empty() {
            return self.choice_of_nothing(request);
        }
        let mut strictness = Strictness::default();
        out.field("tools").array(|out| {
            functions.iter().for_each(|function| self.function(function, &mut strictness, out));
        });
        self.tool_choice(request, out);
    }

    /// The provider refuses a choice among no tools. Of the choices only a demand asks for anything then.
    fn choice_of_nothing(&mut self, request: &Request<'_>) {
        match request.tool_choice {
            Some(ToolChoice::Auto | ToolChoice::Never) => self.written.approximate("tool_choice"),
            Some(_) => self.written.drop("tool_choice"),
            None => {}
        }
        if request.parallel_tool_calls.is_some() {
            self.written.approximate("parallel_tool_calls");
        }
    }

    fn function(&mut self, function: &Function<'_>, strictness: &mut Strictness, out: &mut Writer) {
        let strict = function.strict == Some(true) && strictness.admits(function.schema);
        if function.strict == Some(true) && !strict {
            self.written.approximate("tools[].strict");
        }
        out.object(|out| {
            self.names.write(function.name, out.field("name"));
            if let Some(description) = function.description {
                out.field("description").text(description);
            }
            let out_schema = out.field("input_schema");
            match strict {
                true => schema::write_strict_input(function.schema, out_schema),
                false => json::schema::write_input(function.schema, out_schema),
            }
            if strict {
                out.field("strict").bool(true);
            }
            self.rest("tools[].", &function.extra, out);
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

    /// Sampling numbers give way to thinking and to one another where the provider refuses them together. They shade the
    /// answer, so a number that gives way is an approximation; one that the dialect does not have at all is dropped.
    pub(super) fn sampling(&mut self, request: &Request<'_>, plan: &Plan, out: &mut Writer) {
        let sampling = &request.sampling;
        let fixed = plan.samples_as_it_likes();
        if let Some(temperature) = sampling.temperature {
            let number = temperature.f64();
            if fixed || plan.thinks() && number != Some(MAX_TEMPERATURE) {
                self.written.approximate("temperature");
            } else if number.is_some_and(|number| number > MAX_TEMPERATURE) {
                self.written.approximate("temperature");
                out.field("temperature").number(1);
            } else {
                out.field("temperature").raw(temperature);
            }
        }
        if let Some(top_p) = sampling.top_p {
            let too_low = plan.thinks() && top_p.f64().is_none_or(|number| number < MIN_TOP_P_THINKING);
            match fixed || too_low || sampling.temperature.is_some() {
                true => self.written.approximate("top_p"),
                false => out.field("top_p").raw(top_p),
            }
        }
        if let Some(top_k) = sampling.top_k {
            match fixed || plan.thinks() || top_k.u64().is_none() {
                true => self.written.approximate("top_k"),
                false => out.field("top_k").raw(top_k),
            }
        }
        if sampling.seed.is_some() {
            // Nobody promises more than to try to repeat an answer.
            self.written.approximate("seed");
        }
        let penalties =
            [("presence_penalty", sampling.presence_penalty), ("frequency_penalty", sampling.frequency_penalty)];
        for (name, penalty) in penalties {
            match penalty.map(|penalty| penalty.f64() == Some(0.0)) {
                Some(true) => self.written.approximate(name),
                Some(false) => self.written.drop(name),
                None => {}
            }
        }
    }

    pub(super) fn stop(&mut self, request: &Request<'_>, out: &mut Writer) {
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

    pub(super) fn output(&mut self, request: &Request<'_>, plan: &Plan, out: &mut Writer) {
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
                    let survey = schema::write(schema, out.field("schema"));
                    if survey.changed {
                        self.written.approximate("response_format.schema");
                    }
                });
            }
        });
    }

    /// The schema of the answer, when there is one. JSON without a schema is asked for in words, with the conversation.
    fn format<'a>(&mut self, request: &Request<'a>) -> Option<Json<'a>> {
        match request.format.as_ref()? {
            Format::Text | Format::JsonObject => None,
            Format::Other(_) => {
                self.written.drop("response_format");
                None
            }
            // The name is a label that nothing here depends on; a schema is always kept strictly.
            Format::JsonSchema { description, schema, extra, .. } => {
                if description.is_some() {
                    self.written.approximate("response_format.description");
                }
                self.written.lose("response_format.", extra);
                Some(*schema)
            }
        }
    }

    pub(super) fn user(&mut self, request: &Request<'_>, out: &mut Writer) {
        let Some(user) = request.user else { return };
        if user.raw().len() > MAX_USER {
            return self.written.approximate("user");
        }
        out.field("metadata").object(|out| out.field("user_id").text(user));
    }
}
