//! The golden matrix: every fixture in its own dialect, said in every other, as files a reviewer can read.
//!
//! `tests/golden/requests/<dialect>/<name>.json` is what a client asks; `<name>.<other>.json` beside it is what a provider of the
//! other dialect is asked, with what was dropped. `tests/golden/answers/<dialect>/<name>.{json,sse}` is what a provider answers;
//! `<name>.<other>.whole.json` and `<name>.<other>.stream.txt` are what a client of the other dialect hears.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p dragoman-tests --test golden`, then read the difference.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that unwraps says where it failed")]

use std::fs;
use std::path::{Path, PathBuf};

use dragoman_core::catalog::DialectId;
use dragoman_core::dialect::{self, ALL, Addressee, Aliases, Endpoint, Frame, Reply};
use dragoman_core::framing::Sse;
use dragoman_core::hub::{Delivery, Event, Request, Sequencer};
use dragoman_core::json::Json;

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
    let in_path = dialect == DialectId::GenerateContent;
    Endpoint { dialect, model: in_path.then(|| "m".into()), delivery: in_path.then_some(Delivery::Whole) }
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
    for from in DialectId::ALL {
        for (name, path) in fixtures("requests", from) {
            let text = fs::read_to_string(&path).unwrap();
            let body = Json::parse(text.as_bytes()).unwrap();
            let request = dialect::of(from).read_request(&endpoint(from), body);
            let request = request.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
            for to in ALL {
                let written = to.write_request(&request, Addressee { model: "target-model", output_limit: 8192 });
                let said = serde_json::json!({ "dropped": written.dropped, "body": pretty(&written.body) });
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
    let mut writer = dialect::of(to).writer(&Request::new(to, delivery), reply);
    let mut reader = dialect::of(from).reader(Aliases::default());
    let (mut sequencer, mut out) = (Sequencer::new(), Vec::new());
    let mut emit = |event: Event<'_>| writer.write(&event, &mut out);
    match Json::parse(bytes) {
        Ok(json) => reader.read(Frame::Whole(json), &mut |piece| sequencer.push(piece, &mut emit)),
        Err(_) => {
            let mut sse = Sse::default();
            let mut each = |name: &str, data: &[u8]| {
                let data = std::str::from_utf8(data).unwrap();
                reader.read(Frame::Event { name, data }, &mut |piece| sequencer.push(piece, &mut emit));
            };
            sse.push(bytes, &mut each).unwrap();
            sse.finish(&mut each);
        }
    }
    sequencer.finish(&mut emit);
    String::from_utf8(out).unwrap()
}

#[test]
fn answers_are_said_in_every_dialect() {
    let mut differences = Vec::new();
    for from in DialectId::ALL {
        for (name, path) in fixtures("answers", from) {
            let bytes = fs::read(&path).unwrap();
            for to in DialectId::ALL {
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
