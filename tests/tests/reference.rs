//! `docs/reference.md` is made from the code and kept true by this test.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p dragoman-tests --test reference`.
#![expect(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use dragoman_core::failure::Failure;
use dragoman_core::framing::MAX_FRAME;
use dragoman_core::json::{ScanError, Trouble, scan};
use dragoman_core::preferences::{Preference, Several};
use dragoman_core::refusal::{Refusal, SpentBudget, Unanswered, UnknownMethod};
use dragoman_core::{artifact, attempt, exchange, features, feedback, hub, loss, memory, rule, select, snapshot};

/// One of each. A new variant must be added here: the match below does not compile without it.
fn refusals() -> Vec<Refusal> {
    let all = vec![
        Refusal::UnknownPath,
        Refusal::UnknownMethod(UnknownMethod { allow: "<methods>" }),
        Refusal::NoKey,
        Refusal::SeveralKeys,
        Refusal::KeyInQuery,
        Refusal::UnknownKey,
        Refusal::BadToken,
        Refusal::UnknownIdentity,
        Refusal::RouteForbidden("<model>".into()),
        Refusal::SourceForbidden,
        Refusal::BudgetSpent(Box::new(SpentBudget {
            id: "<account or key>/usd/month".into(),
            unit: "usd",
            limit: 100_000_000,
            used: 100_000_000,
            needed: 1,
            resets_in_ms: Some(864_000_000),
        })),
        Refusal::BudgetSpent(Box::new(SpentBudget {
            id: "<account or key>/requests/minute".into(),
            unit: "requests",
            limit: 60,
            used: 60,
            needed: 1,
            resets_in_ms: Some(20_000),
        })),
        Refusal::RateLimited(Box::new(SpentBudget {
            id: "<target>/requests/minute".into(),
            unit: "requests",
            limit: 60,
            used: 60,
            needed: 1,
            resets_in_ms: Some(20_000),
        })),
        Refusal::Cooling(240_000),
        Refusal::Resting { why: Failure::Throttled, wait_ms: 20_000 },
        Refusal::Resting { why: Failure::Faulty, wait_ms: 0 },
        Refusal::BudgetUnknown("<budget>".into()),
        Refusal::BadJson(ScanError { at: 7, trouble: Trouble::Unexpected }),
        Refusal::BadMember { param: "<member>".into(), problem: "<what is wrong with it>".into() },
        Refusal::CompressedBody,
        Refusal::TooLarge(exchange::MAX_BODY),
        Refusal::Busy,
        Refusal::UnknownModel("<model>".into()),
        Refusal::Unable { model: "<model>".into(), lacking: vec!["<abilities>"] },
        Refusal::Tied { model: "<model>".into(), member: "<member>" },
        Refusal::Unserved { model: "<model>".into(), operation: "<operation>" },
        Refusal::Elsewhere("<model>".into()),
        Refusal::NotKept("<model>".into()),
        Refusal::Unmet("<model>".into(), Several::NONE.with(Preference::MaxPrice)),
        Refusal::CannotSay(vec!["<members>".into()]),
        Refusal::NotReady,
        Refusal::ControlPlaneAway,
        Refusal::UnknownExchange("<exchange>".into()),
        Refusal::Unheard,
        Refusal::NoCredential("<provider>".into()),
        Refusal::NoAnswer(Unanswered::Unreachable),
        Refusal::NoAnswer(Unanswered::Silent),
        Refusal::Forgotten,
    ];
    for refusal in &all {
        match refusal {
            Refusal::UnknownPath | Refusal::UnknownMethod(_) | Refusal::NoKey | Refusal::SeveralKeys => {}
            Refusal::KeyInQuery | Refusal::UnknownKey | Refusal::RouteForbidden(_) | Refusal::BadJson(_) => {}
            Refusal::BadMember { .. } | Refusal::CompressedBody | Refusal::TooLarge(_) | Refusal::UnknownModel(_) => {}
            Refusal::Unable { .. }
            | Refusal::Tied { .. }
            | Refusal::Unserved { .. }
            | Refusal::Elsewhere(_)
            | Refusal::NotKept(_) => {}
            Refusal::Unmet(..) => {}
            Refusal::CannotSay(_) | Refusal::NotReady | Refusal::ControlPlaneAway | Refusal::NoCredential(_) => {}
            Refusal::BadToken | Refusal::UnknownIdentity => {}
            Refusal::SourceForbidden
            | Refusal::BudgetSpent(_)
            | Refusal::RateLimited(_)
            | Refusal::BudgetUnknown(_) => {}
            Refusal::UnknownExchange(_) | Refusal::Unheard => {}
            Refusal::NoAnswer(_) | Refusal::Forgotten | Refusal::Busy | Refusal::Cooling(_) => {}
            Refusal::Resting { .. } => {}
        }
    }
    all
}

fn reference(root: &Path) -> String {
    let mut page = String::from(
        "# Reference\n\nMade from the code by `tests/tests/reference.rs`; a test keeps it true.\n\n## What the gateway itself says\n\n\
         The code stands in the Record and, where the dialect has a place for it, in the error's `code`. The error has the form of \
         the client's dialect and the header `x-dragoman-error-origin: gateway`.\n\n| code | status | message |\n|---|--:|---|\n",
    );
    for refusal in refusals() {
        let told = refusal.to_client();
        writeln!(page, "| `{}` | {} | {} |", refusal.code(), told.status, told.message.replace('|', "\\|")).unwrap();
    }
    page.push_str("\n## Limits\n\n| limit | value |\n|---|--:|\n");
    let limits: [(&str, usize); 23] = [
        ("largest request body, bytes", exchange::MAX_BODY),
        ("largest feedback, bytes", feedback::MAX_OPINION),
        ("deepest nesting of JSON", scan::MAX_DEPTH as usize),
        ("most members of a request's outermost object", scan::MAX_TOP_LEVEL_MEMBERS),
        ("longest name of a model nobody listed", select::MAX_MODEL_NAME),
        ("most targets of one Plan", select::MAX_ATTEMPTS),
        ("most attempts of one exchange", exchange::MAX_WALK),
        ("largest event of a stream, bytes", MAX_FRAME),
        ("largest answer that is folded into a whole one, bytes", hub::message::MAX_MESSAGE),
        ("most tool calls of one answer", hub::sequencer::MAX_CALLS),
        ("most bytes of a provider's error that are read", attempt::MAX_ERROR_BODY),
        ("most bytes of a provider's error message that are passed on", hub::event::MAX_ERROR_MESSAGE),
        ("most members listed as dropped, and as approximated", loss::MAX_LOST),
        ("most Grants remembered by one worker", memory::MAX_GRANTS),
        ("largest Snapshot, bytes", snapshot::MAX_SNAPSHOT),
        ("most rules", rule::MAX_RULES),
        ("most changes of one rule", rule::MAX_ACTIONS),
        ("most routes, accounts or keys of one rule, each", rule::MAX_SCOPE),
        ("longest text of a rule, bytes", rule::template::MAX_TEXT),
        ("most bytes of the beginning of a last user turn that features are drawn from", features::HEAD),
        ("most bytes of its end", features::TAIL),
        ("most grams of a kind", features::MAX_GRAMS),
        ("largest tuning artifact, bytes", artifact::MAX_ARTIFACT),
    ];
    for (name, value) in limits {
        writeln!(page, "| {name} | {value} |").unwrap();
    }
    write!(
        page,
        "\n## Features\n\nWhat a model is selected by, version {}; besides, hashes of words and of pairs of words. Everything is a whole \
         number.\n\n| feature | what it counts |\n|---|---|\n",
        features::VERSION
    )
    .unwrap();
    for (name, counts) in features::SCHEMA {
        writeln!(page, "| `{name}` | {} |", counts.replace('|', "\\|")).unwrap();
    }
    let endpoints = fs::read_to_string(root.join("control-plane/tests/golden/endpoints.md")).unwrap();
    write!(
        page,
        "\n## Admin API\n\nHow it is used stands in [admin.md](admin.md). `/openapi.json` describes all of it, and `/healthz` says \
         `ok` while the process lives; both want no token.\n\n{endpoints}"
    )
    .unwrap();
    let commands = fs::read_to_string(root.join("control-plane/tests/golden/commands.txt")).unwrap();
    write!(page, "\n## Commands\n\nWhat `--help` says:\n\n```text\n{}\n```\n", commands.trim_end()).unwrap();
    let settings = fs::read_to_string(root.join("control-plane/src/settings/example.toml")).unwrap();
    write!(page, "\n## Settings\n\nWhat `dragoman init` writes:\n\n```toml\n{}\n```\n", settings.trim_end()).unwrap();
    page
}

#[test]
fn the_reference_is_what_the_code_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("docs/reference.md");
    let page = reference(&root);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        page,
        "run it with UPDATE_GOLDEN=1 and read the difference"
    );
}
