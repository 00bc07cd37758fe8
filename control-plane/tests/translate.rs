//! `dragoman translate` as a person runs it: pipes and exit codes.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
    command.arg("translate").args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever refuses the arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_is_translated_goes_to_the_output_and_what_is_lost_to_the_error_output() {
    let request = r#"{"model":"m","max_tokens":9,"made_up":3,"messages":[{"role":"user","content":"hi"}]}"#;
    let ran = run(&["--from", "messages", "--to", "chat_completions"], request);
    assert_eq!(ran.status.code(), Some(0));
    assert!(words(&ran.stdout).contains(r#""content":"hi""#), "{}", words(&ran.stdout));
    assert_eq!(words(&ran.stderr), "dropped: made_up\n");
}

#[test]
fn bad_input_and_bad_arguments_end_with_two() {
    let ran = run(&["--from", "messages", "--to", "chat_completions"], "{\"model\":");
    assert_eq!((ran.status.code(), ran.stdout.is_empty()), (Some(2), true));
    assert!(words(&ran.stderr).contains("not JSON"), "{}", words(&ran.stderr));
    let ran = run(&["--from", "smoke", "--to", "chat_completions"], "{}");
    assert_eq!(ran.status.code(), Some(2));
    assert!(words(&ran.stderr).contains("generate_content"), "the known dialects are listed: {}", words(&ran.stderr));
    let ran = run(&["--from", "converse", "--to", "messages"], "{}");
    assert_eq!(ran.status.code(), Some(2));
    assert!(words(&ran.stderr).contains("no client speaks converse"), "{}", words(&ran.stderr));
}
