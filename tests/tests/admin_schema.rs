//! The admin API does what its own description says, asked by schemathesis: good requests, damaged ones, in any order.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dragoman_tests::client::Call;
use dragoman_tests::gateway::{Gateway, Setup, python};
use serde_json::Value;

/// Requests made up for each operation, besides those that the description leads to one by one.
const EXAMPLES: &str = "20";

/// The same requests in every run: what fails here fails again.
const SEED: &str = "20261127";

/// A store that syncs to disk answers in milliseconds.
const ANSWERED: &str = "10";

/// Some seconds for each operation; what takes longer hangs.
const LONGEST: Duration = Duration::from_secs(600);

/// Methods that a path's description may have; its other members are none.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A directory for what schemathesis leaves behind, gone at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn operations(description: &Value) -> usize {
    let paths = description["paths"].as_object().expect("paths");
    paths.values().map(|path| METHODS.iter().filter(|method| path.get(method).is_some()).count()).sum()
}

/// Runs it to its end; gives back whether it found nothing, and what it said.
fn schemathesis(description: &str, token: &str, scratch: &Path) -> (bool, String) {
    let said = scratch.join("said");
    let output = File::create(&said).expect("a file");
    let mut run = Command::new(python().expect("a Python").with_file_name("schemathesis"));
    run.current_dir(scratch)
        .arg("--config-file")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("admin/schemathesis.toml"))
        .args(["--no-color", "run", description, "--checks", "all", "--continue-on-failure"])
        .args(["--max-examples", EXAMPLES, "--seed", SEED, "--generation-database", "none"])
        .args(["--request-timeout", ANSWERED, "--header", &format!("Authorization: Bearer {token}")])
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("the file"))
        .stderr(output);
    let mut child = run.spawn().expect("schemathesis, which `cargo xtask test` installs");
    let until = Instant::now() + LONGEST;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if Instant::now() > until {
            child.kill().expect("a running child");
            child.wait().expect("its end");
            let said = std::fs::read_to_string(&said).unwrap_or_default();
            panic!("schemathesis takes longer than {LONGEST:?}:\n{said}");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    (status.success(), std::fs::read_to_string(&said).expect("what it said"))
}

#[test]
fn the_admin_api_does_what_its_description_says() {
    let gateway = Gateway::start(&Setup::new().demo()).expect("a gateway");
    let token = gateway.admin_token().expect("an admin token");
    let bearer = format!("Bearer {token}");
    let described = Call::new("GET", "/openapi.json").header("authorization", &bearer).send(&gateway.api());
    let description: Value = serde_json::from_slice(&described.expect("the description").body).expect("JSON");
    let operations = operations(&description);
    assert!(operations > 0, "nothing is described: {description}");

    let scratch = Scratch(std::env::temp_dir().join(format!("dragoman-schema-{}", std::process::id())));
    std::fs::create_dir_all(&scratch.0).expect("a directory");
    let (good, said) = schemathesis(&format!("http://{}/openapi.json", gateway.api()), &token, &scratch.0);
    assert!(good, "{said}");
    assert!(said.contains(&format!("Tested: {operations}\n")), "not all of the {operations} operations:\n{said}");
}
