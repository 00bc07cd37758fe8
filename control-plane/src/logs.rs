//! The log: how much of it, in which form, and the one line of an exchange.

use std::io::IsTerminal;

use dragoman_core::record::Record;
use tracing::{Level, debug, warn};
use tracing_subscriber::fmt::MakeWriter;

/// The variable that says how much is logged.
pub const LEVEL: &str = "DRAGOMAN_LOG";
/// The variable that says in which form.
pub const FORMAT: &str = "DRAGOMAN_LOG_FORMAT";

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// For people.
    Text,
    /// One object a line, fields on its top level.
    Json,
}

/// Begins logging to the error output, as the environment says; to be called once. What it says wrongly is told there.
pub fn init(environment: &dyn Fn(&str) -> Option<String>) {
    let level = environment(LEVEL).filter(|level| !level.is_empty()).map_or(Ok(Level::INFO), |level| level.parse());
    let format = match environment(FORMAT).as_deref() {
        None | Some("" | "text") => Ok(Format::Text),
        Some("json") => Ok(Format::Json),
        Some(_) => Err(()),
    };
    let (most, form) = (level.as_ref().copied().unwrap_or(Level::INFO), format.unwrap_or(Format::Text));
    let subscriber = subscriber(most, form, std::io::stderr().is_terminal().into(), std::io::stderr);
    // Who has set one before us, as a test does, keeps it.
    let _ = tracing::subscriber::set_global_default(subscriber);
    if level.is_err() {
        warn!("{LEVEL} is none of error, warn, info, debug, trace; taken as info");
    }
    if format.is_err() {
        warn!("{FORMAT} is neither text nor json; taken as text");
    }
}

/// Whether lines have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    /// Somebody looks at a terminal.
    Shown,
    /// A file or a pipe.
    Plain,
}

impl From<bool> for Colours {
    fn from(terminal: bool) -> Colours {
        if terminal { Colours::Shown } else { Colours::Plain }
    }
}

type Subscriber = Box<dyn tracing::Subscriber + Send + Sync>;

fn subscriber<W>(level: Level, format: Format, colours: Colours, writer: W) -> Subscriber
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(writer);
    match format {
        Format::Text => Box::new(builder.with_ansi(colours == Colours::Shown).finish()),
        Format::Json => Box::new(builder.json().flatten_event(true).with_current_span(false).finish()),
    }
}

/// The line of a settled exchange: names and numbers, never a word that was said.
pub fn exchange(record: &Record) {
    let last = record.outcomes.last();
    let sum = |of: fn(&dragoman_core::usage::Usage) -> Option<u64>| -> u64 {
        record.outcomes.iter().filter_map(|outcome| of(&outcome.usage)).sum()
    };
    debug!(
        exchange = record.exchange,
        shadow_of = (!record.shadow_of.is_empty()).then_some(record.shadow_of.as_str()),
        caller = record.caller,
        operation = record.operation,
        route = record.route,
        status = record.status,
        refusal = record.refusal,
        target = last.map_or("", |outcome| outcome.target.as_str()),
        ending = last.map_or("", |outcome| outcome.ending.name()),
        attempts = record.outcomes.len(),
        ms = record.took_ms(),
        input_tokens = sum(|usage| usage.input),
        output_tokens = sum(|usage| usage.output),
        "exchange"
    );
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use dragoman_core::record::{Ending, Outcome};
    use dragoman_core::usage::Usage;
    use serde_json::{Value, json};

    use super::*;

    /// What was written.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Level, format: Format, what: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        tracing::subscriber::with_default(subscriber(level, format, Colours::Plain, move || writer.clone()), what);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn record() -> Record {
        Record {
            exchange: "x1".into(),
            caller: "key_1".into(),
            operation: "generate".into(),
            route: "auto".into(),
            status: 200,
            outcomes: vec![
                Outcome { target: "a/m".into(), ending: Ending::Retriable, total_ms: 100, ..Outcome::default() },
                Outcome {
                    target: "b/m".into(),
                    ending: Ending::Answered,
                    total_ms: 900,
                    usage: Usage { input: Some(10), output: Some(4), ..Usage::default() },
                    ..Outcome::default()
                },
            ],
            ..Record::default()
        }
    }

    #[test]
    fn an_exchange_is_one_object_with_its_fields_on_top() {
        let page = logged(Level::DEBUG, Format::Json, || exchange(&record()));
        assert_eq!(page.lines().count(), 1);
        let mut line: Value = serde_json::from_str(&page).unwrap();
        assert!(line.as_object_mut().unwrap().remove("timestamp").is_some());
        let expected = json!({
            "level": "DEBUG", "message": "exchange", "exchange": "x1", "caller": "key_1", "operation": "generate",
            "route": "auto", "status": 200, "refusal": "", "target": "b/m", "ending": "answered", "attempts": 2, "ms": 1000,
            "input_tokens": 10, "output_tokens": 4
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn for_people_it_is_a_line_of_words() {
        let page = logged(Level::DEBUG, Format::Text, || exchange(&record()));
        assert!(page.contains("exchange=\"x1\"") && page.contains("ms=1000") && !page.contains('\u{1b}'), "{page}");
    }

    #[test]
    fn an_exchange_is_not_told_of_above_debug() {
        assert_eq!(logged(Level::INFO, Format::Json, || exchange(&record())), "");
    }
}
