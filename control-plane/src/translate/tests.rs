use super::*;

fn asked(from: &str, to: &str, what: What) -> Translation {
    let named = |name| DialectId::named(name).unwrap();
    Translation { from: named(from), to: named(to), what, stream: false, model: None }
}

/// The output and the notes, or why not.
fn translated(asked: &Translation, input: &str) -> Result<(String, String), String> {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    match translate(asked, &mut input.as_bytes(), &mut out, &mut notes) {
        Ok(()) => Ok((String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap())),
        Err(error) => {
            assert!(error.is::<crate::cli::BadInput>(), "{error:#}");
            Err(error.to_string())
        }
    }
}

#[test]
fn a_request_is_said_in_the_other_dialect_and_what_it_could_not_say_is_listed() {
    let request = r#"{"model":"m","max_tokens":9,"made_up":3,"messages":[{"role":"user","content":"hi"}]}"#;
    let (out, notes) = translated(&asked("messages", "chat_completions", What::Request), request).unwrap();
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((out["model"].as_str(), out["messages"][0]["content"].as_str()), (Some("m"), Some("hi")));
    assert_eq!(notes, "dropped: made_up\n");
}

#[test]
fn a_model_that_the_body_does_not_name_comes_from_the_command_line() {
    let request = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let asked = asked("generate_content", "messages", What::Request);
    assert!(translated(&asked, request).unwrap_err().contains("--model"));
    let (out, _) = translated(&Translation { model: Some("m-1".into()), stream: true, ..asked }, request).unwrap();
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((out["model"].as_str(), out["stream"].as_bool()), (Some("m-1"), Some(true)));
}

#[test]
fn a_body_of_a_cloud_that_has_the_model_in_the_path_takes_it_from_the_command_line_too() {
    let request =
        r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let asked = Translation { model: Some("m-1".into()), ..asked("messages", "chat_completions", What::Request) };
    let (out, _) = translated(&asked, request).unwrap();
    assert!(out.contains(r#""model":"m-1""#), "{out}");
}

#[test]
fn an_answer_is_said_in_the_clients_dialect_whole_and_streamed() {
    let answer = r#"{"id":"x","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
    let (out, notes) = translated(&asked("chat_completions", "messages", What::Response), answer).unwrap();
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((out["content"][0]["text"].as_str(), out["stop_reason"].as_str()), (Some("hello"), Some("end_turn")));
    assert_eq!(notes, "");
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n\
                  data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let streamed = Translation { stream: true, ..asked("chat_completions", "messages", What::Response) };
    let (out, _) = translated(&streamed, stream).unwrap();
    assert!(out.contains("event: content_block_delta") && out.contains("message_stop"), "{out}");
}

#[test]
fn bad_input_is_told_of_in_one_sentence() {
    let requests = asked("messages", "chat_completions", What::Request);
    assert!(translated(&requests, "{").unwrap_err().starts_with("the input is not JSON"));
    assert!(translated(&requests, r#"{"model":"m","messages":7}"#).unwrap_err().starts_with("`messages` "));
    let answers = asked("chat_completions", "messages", What::Response);
    assert!(translated(&answers, "<html>").unwrap_err().contains("not JSON"));
    let cut = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hel\"}}]}\n\n";
    assert!(translated(&Translation { stream: true, ..answers }, cut).is_err(), "a stream that ends too early");
}

#[test]
fn what_no_client_speaks_is_refused_with_what_clients_do_speak() {
    let error = translated(&asked("converse", "messages", What::Request), "{}").unwrap_err();
    assert!(error.contains("no client speaks converse") && error.contains("messages"), "{error}");
    assert!(translated(&asked("messages", "chat_v2", What::Response), "{}").unwrap_err().contains("chat_v2"));
}

#[test]
fn the_first_byte_of_a_stream_tells_its_framing() {
    let streamed = Translation { stream: true, ..asked("converse", "messages", What::Response) };
    assert_eq!(framing(&streamed, &[0, 0, 1, 7]), Framing::EventStream);
    assert_eq!(framing(&streamed, b"\n[{"), Framing::Array);
    assert_eq!(framing(&streamed, b"data: {"), Framing::Sse);
    assert_eq!(framing(&Translation { stream: false, ..streamed }, b"["), Framing::Whole);
}
