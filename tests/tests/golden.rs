//! The golden matrix: every fixture in its own dialect, said in every other, as files a reviewer can read.
//!
//! `tests/golden/requests/<dialect>/<name>.json` is what a client asks; `<name>.<other>.json` beside it is what a provider of the
//! other dialect is asked, with what was lost. `tests/golden/answers/<dialect>/<name>.{json,sse}` is what a provider answers;
//! `<name>.<other>.whole.json` and `<name>.<other>.stream.txt` are what a client of the other dialect hears.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p dragoman-tests --test golden`, then read the difference.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that unwraps says where it failed")]

use std::fs;
use std::path::{Path, PathBuf};

use dragoman_core::catalog::DialectId;
use dragoman_core::dialect::{self, ALL, Addressee, Aliases, Endpoint, Reply};
use dragoman_core::hub::foreign::{self, FullNames};
use dragoman_core::hub::{Delivery, Request};
use dragoman_core::interpret::{Framing, Interpreter};
use dragoman_core::json::Json;
use dragoman_core::loss::Losses;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Files of the kind whose name has one dot only: the sources, not what was made of them.
fn fixtures(kind: &str, dialect: DialectId) -> Vec<(String, PathBuf)> {
    let mut found: Vec<_> = fs::read_dir(golden().join(kind).join(dialect.name()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().matches('.').count() == 1)
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no {kind} of {}", dialect.name());
    found
}

fn endpoint(dialect: DialectId) -> Endpoint {
    match dialect {
        DialectId::GenerateContent => {
            let (model, delivery) = (Some("m".into()), Some(Delivery::Whole));
            Endpoint { model, delivery, ..Endpoint::generate(dialect) }
        }
        _ => Endpoint::generate(dialect),
    }
}

/// The dialects that clients speak.
fn clients() -> impl Iterator<Item = DialectId> {
    DialectId::ALL.into_iter().filter(|id| dialect::of(*id).client().is_some())
}

fn pretty(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Compares with the file, or writes it when asked to.
fn check(path: &Path, said: &str, differences: &mut Vec<String>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(path, said).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != said {
        differences.push(format!("{}\n--- expected\n{expected}\n--- said\n{said}", path.display()));
    }
}

#[test]
fn requests_are_said_in_every_dialect() {
    let mut differences = Vec::new();
    for from in clients() {
        for (name, path) in fixtures("requests", from) {
            let text = fs::read_to_string(&path).unwrap();
            let body = Json::parse(text.as_bytes()).unwrap();
            let read = || {
                let request = dialect::client(from).read_request(&endpoint(from), body);
                request.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()))
            };
            let names = FullNames::of(&read());
            for to in ALL {
                let mut losses = Losses::default();
                let request = foreign::prepare(read(), &names, to.id(), "0123456789abcdef", &mut losses);
                let addressee = Addressee { output_limit: 8192, ..Addressee::model("target-model") };
                let written = to.write_request(&request, addressee);
                losses.add(written.losses);
                let Losses { approximated, dropped } = losses;
                let body = pretty(&written.body);
                let said = serde_json::json!({ "approximated": approximated, "dropped": dropped, "body": body });
                let said = serde_json::to_string_pretty(&said).unwrap() + "\n";
                check(&path.with_file_name(format!("{name}.{}.json", to.id().name())), &said, &mut differences);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What a client of `to` hears of a provider's words.
fn heard(from: DialectId, to: DialectId, delivery: Delivery, bytes: &[u8]) -> String {
    let reply = Reply { delivery, exchange: "exchange".into(), created: 1_790_000_000, model: "m".into() };
    let writer = dialect::client(to).writer(&Request::new(to, delivery), reply);
    let reader = dialect::of(from).reader(Aliases::default());
    let framing = match Json::parse(bytes) {
        Ok(_) => Framing::Whole,
        Err(_) if from == DialectId::Converse => Framing::EventStream,
        Err(_) => Framing::Sse,
    };
    let maker = (from != to).then_some("0123456789abcdef");
    let mut interpreter = Interpreter::new(framing, reader, writer, delivery, maker);
    interpreter.feed(bytes, true);
    String::from_utf8(interpreter.take()).unwrap()
}

#[test]
fn answers_are_said_in_every_dialect() {
    let mut differences = Vec::new();
    for from in DialectId::ALL {
        for (name, path) in fixtures("answers", from) {
            let bytes = fs::read(&path).unwrap();
            for to in clients() {
                let whole = heard(from, to, Delivery::Whole, &bytes);
                // An answer that failed has no whole form; the attempt answers with a status instead.
                if !whole.is_empty() {
                    let said = serde_json::to_string_pretty(&pretty(&whole)).unwrap() + "\n";
                    check(&path.with_file_name(format!("{name}.{}.whole.json", to.name())), &said, &mut differences);
                }
                let streamed = heard(from, to, Delivery::Streamed, &bytes);
                check(&path.with_file_name(format!("{name}.{}.stream.txt", to.name())), &streamed, &mut differences);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
