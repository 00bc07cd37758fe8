//! Rules on the way: to every dialect, and back from it.

use super::*;
use crate::catalog::Operation;
use crate::exchange::FinalHead;
use crate::rule::Rule;

/// The worker of [`memory`] with these rules.
fn ruled(dialects: &[DialectId], rows: &[&str]) -> Memory {
    let mut memory = memory(dialects);
    let read = |row: &&str| Rule::read(Json::parse(row.as_bytes()).unwrap()).unwrap();
    let snapshot = memory.snapshot().unwrap().as_ref().clone();
    let mut snapshot = snapshot.with_rules(rows.iter().map(read).collect()).unwrap();
    snapshot.version = 2;
    memory.publish(snapshot);
    memory
}

fn sent(outgoing: &Outgoing) -> String {
    match &outgoing.body {
        Body::Replace(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => format!("{other:?}"),
    }
}

const CALM: &str = r#"{"name":"calm","routes":["m"],"request":{"set":{"temperature":0.5},"append_system":"Be brief.","headers":{"x-team":"of {caller}","x-custom":"ruled","x-api-key-2":"no"}}}"#;

#[test]
fn every_target_is_told_what_the_rules_say_relayed_or_interpreted() {
    for from in CLIENTS {
        for (to, _) in STREAMS {
            let asked = asked(&mut ruled(&[to], &[CALM]), from, false);
            let (_, outgoing) = begin(&asked, 1);
            let body = sent(&outgoing);
            let json = Json::parse(body.as_bytes()).unwrap();
            let temperature = json.get("temperature").or_else(|| json.at(&["generationConfig", "temperature"]));
            assert_eq!(temperature.map(Json::as_str), Some("0.5"), "{from:?} {to:?} {body}");
            assert_eq!(body.matches("Be brief.").count(), 1, "{from:?} {to:?} {body}");
            let header = |name: &str| outgoing.head.iter().filter(|(known, _)| known == name.as_bytes()).count();
            assert_eq!((header("x-team"), header("x-custom"), header("x-api-key")), (1, 1, 1));
            let told = telling(&asked, &asked.plan[0]).unwrap();
            let names = ["temperature", "system", "header x-api-key-2", "header x-custom", "header x-team"];
            let mut members = told.touched[0].members.clone();
            members[2..].sort();
            assert_eq!((told.touched[0].rule.as_str(), members), ("calm", names.map(str::to_string).to_vec()));
        }
    }
}

/// Laws 2 and 3.
#[test]
fn a_relay_changes_what_a_rule_names_and_nothing_else() {
    let odd = r#"{ "model":"m" , "messages":[ {"role":"user","content":"h\u0069"} ],"x": 1e-0, "temperature":1.50 }"#;
    for (row, after) in [
        (r#"{"name":"r","request":{"cap":{"temperature":1.5}}}"#, None),
        (r#"{"name":"r","keys":["other"],"request":{"cap":{"temperature":1}}}"#, None),
        (r#"{"name":"r","accounts":["acme"],"request":{"cap":{"temperature":1}}}"#, None),
        (r#"{"name":"r","routes":["n"],"request":{"cap":{"temperature":1}}}"#, None),
        (r#"{"name":"r","dialects":["messages"],"request":{"cap":{"temperature":1}}}"#, None),
        (r#"{"name":"r","request":{"cap":{"temperature":1}}}"#, Some(odd.replace("1.50", "1"))),
        (
            r#"{"name":"r","request":{"append_system":"S"}}"#,
            Some(odd.replace("[ {", r#"[{"role":"system","content":"S"}, {"#)),
        ),
    ] {
        let (exchange, _) = exchange(&mut ruled(&[CHAT], &[row]), "/v1/chat/completions", odd);
        let (_, outgoing) = begin(&exchange.asked().unwrap(), 1);
        assert_eq!(sent(&outgoing), after.unwrap_or_else(|| "Keep".to_string()), "{row}");
    }
}

#[test]
fn a_rules_header_is_never_a_second_credential() {
    let mut memory = ruled(&[CHAT], &[r#"{"name":"r","request":{"headers":{"x-own-key":"mine"}}}"#]);
    let value = Secret::new(b"secret-of-p1".to_vec());
    memory.equip(
        crate::memory::CredentialId::of_gateway("p1"),
        Credential { header: "x-own-key".into(), value, renewable: false },
        0,
        0,
    );
    let (_, outgoing) = begin(&asked(&mut memory, CHAT, false), 1);
    let own: Vec<_> = outgoing.head.iter().filter(|(name, _)| name == b"x-own-key").collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].1, b"secret-of-p1");
}

#[test]
fn a_record_names_the_rules_that_held() {
    let other = r#"{"name":"other","keys":["nobody"],"request":{"remove":["seed"]}}"#;
    let (path, body) = hello(CHAT, false);
    let (mut exchange, _) = exchange(&mut ruled(&[CHAT], &[CALM, other]), path, &body);
    exchange.close();
    assert_eq!(exchange.record().unwrap().rules, ["calm"]);
}

const BYE: &str =
    r#"{"name":"bye","response":{"append_text":" Made \"by\" {route}.","headers":{"x-notice":"machine"}}}"#;
const SAID: &str = r#" Made \"by\" m."#;

/// Serves the whole or streamed answer of `to` to a client of `from`, in these pieces.
fn serve_ruled(
    memory: &mut Memory,
    from: DialectId,
    to: DialectId,
    streamed: bool,
    cuts: &[usize],
) -> (Passed, Outcome) {
    let asked = asked(memory, from, streamed);
    let (mut attempt, _) = begin(&asked, 1);
    let (bytes, kind) = if streamed { (stream_of(to), SSE) } else { (whole_of(to), JSON) };
    let chunks = pieces(bytes.as_bytes(), cuts);
    let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    let passed = answer(&mut attempt, "200", kind, &chunks);
    (passed, attempt.end(1010))
}

#[test]
fn every_dialects_answer_ends_with_the_rules_words_once() {
    for from in CLIENTS {
        for (to, _) in STREAMS {
            for streamed in [false, true] {
                let (passed, outcome) = serve_ruled(&mut ruled(&[to], &[BYE]), from, to, streamed, &[]);
                let text = passed.text();
                assert_eq!(outcome.ending, Ending::Answered, "{from:?} {to:?} {text}");
                assert_eq!((outcome.usage.input, outcome.usage.output), (Some(3), Some(2)), "{from:?} {to:?} {text}");
                // A stream of responses repeats a text when it is whole.
                assert!(text.matches(SAID).count() >= 1, "{from:?} {to:?} {text}");
                let first = (text.find("h\u{e9}").unwrap(), text.find(SAID).unwrap());
                assert!(first.0 < first.1, "{text}");
                if !streamed {
                    assert_eq!(text.matches(SAID).count(), 1, "{text}");
                    assert!(text.contains(&format!("h\u{e9}{SAID}")), "of the last text: {text}");
                }
            }
        }
    }
}

#[test]
fn what_is_lost_by_saying_an_answer_anew_is_told() {
    let asked = asked(&mut ruled(&[CHAT], &[BYE]), CHAT, false);
    let (mut attempt, _) = begin(&asked, 1);
    let whole =
        whole_of(CHAT).replace("\"finish_reason\"", "\"logprobs\":{\"content\":[{\"token\":\"h\"}]},\"finish_reason\"");
    let passed = answer(&mut attempt, "200", JSON, &[whole.as_bytes()]);
    assert!(passed.text().contains("\"logprobs\":null"), "{}", passed.text());
    assert_eq!(attempt.losses().dropped, ["answer.logprobs"]);
    assert_eq!(attempt.end(1010).lost, ["logprobs"]);
}

#[test]
fn an_answer_that_a_program_reads_or_that_calls_a_tool_gets_no_words() {
    let mut memory = ruled(&[CHAT], &[BYE]);
    let call = r#"{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"h","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    for (more, answered) in
        [(r#""response_format":{"type":"json_object"},"#, whole_of(CHAT)), (r#""n":2,"#, whole_of(CHAT)), ("", call)]
    {
        let body = format!(r#"{{"model":"m",{more}"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let (exchange, _) = exchange(&mut memory, "/v1/chat/completions", &body);
        let (mut attempt, _) = begin(&exchange.asked().unwrap(), 1);
        let passed = answer(&mut attempt, "200", JSON, &[answered.as_bytes()]);
        assert!(!passed.text().contains("Made"), "{more} {}", passed.text());
    }
}

const MASK: &str = r#"{"name":"mask","response":{"mask":true,"remove":["unknown"],"rename":{"usage":"cost"}}}"#;

#[test]
fn a_masked_answer_names_the_route_and_not_who_answered() {
    for dialect in CLIENTS {
        let mut memory = ruled(&[dialect], &[MASK, r#"{"name":"h","response":{"headers":{"x-notice":"by {route}"}}}"#]);
        let whole = whole_of(dialect).replace("\"model\":\"m\"", "\"model\":\"secret-1\"");
        let (path, body) = hello(dialect, false);
        let (mut exchange, _) = exchange(&mut memory, path, &body);
        let (mut attempt, _) = begin(&exchange.asked().unwrap(), 1);
        let head = [(":status", "200"), ("content-type", JSON), ("x-organization", "secret"), ("content-length", "9")];
        let head: Vec<(&[u8], &[u8])> = head.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        attempt.response_head(&head, false, 1001);
        let answer = attempt.response_body(whole.as_bytes(), true, 1002);
        let Body::Replace(bytes) = answer.body else { panic!("{:?}", answer.body) };
        let expected = whole.replace("secret-1", "m").replace(",\"unknown\":1e-0", "").replace("\"usage\"", "\"cost\"");
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        let removed = answer.head.unwrap().remove;
        assert!(removed.contains(&b"x-organization".to_vec()) && removed.contains(&b"content-length".to_vec()));
        let outcome = attempt.end(1010);
        assert_eq!(
            (outcome.usage.input, outcome.usage.output),
            (Some(3), Some(2)),
            "what is hidden is counted all the same"
        );
        exchange.attempt_answers(1, &Losses::default());
        let FinalHead::Pass(edits) = exchange.response_head(200, false, &memory) else { panic!() };
        let set =
            |name: &str| edits.set.iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| value.clone());
        assert_eq!((set("x-dragoman-target"), set("x-notice")), (None, Some(b"by m".to_vec())));
    }
}

#[test]
fn what_is_only_relayed_is_masked_too() {
    let list = |model: &str| {
        format!(
            r#"{{ "object":"list","data":[{{"embedding":[1.50],"index":0}}],"model":"{model}","usage":{{"prompt_tokens":3}} }}"#
        )
    };
    let text = |model: &str| {
        format!("data: {{\"object\":\"text_completion\",\"model\":\"{model}\",\"choices\":[]}}\n\ndata: [DONE]\n\n")
    };
    for (path, kind, said) in [
        ("/v1/embeddings", JSON, &list as &dyn Fn(&str) -> String),
        ("/v1/completions", JSON, &list),
        ("/v1/completions", SSE, &text),
    ] {
        let mut memory = ruled(&[CHAT], &[MASK]);
        let mut snapshot = memory.snapshot().unwrap().as_ref().clone();
        snapshot.providers[0].services[0].operations = vec![Operation::Embed, Operation::Complete];
        snapshot.version = 3;
        memory.publish(snapshot);
        let mut head = head(path);
        head.headers.push((b"content-type".to_vec(), JSON.into()));
        let (mut exchange, _) = Exchange::begin(head, "x1".into(), &mut memory, 1000);
        let step = exchange.body(br#"{"model":"m","input":"hi","prompt":"hi"}"#.to_vec(), &mut memory, 1000);
        let asked = exchange.asked().unwrap_or_else(|| panic!("{step:?}"));
        let (mut attempt, _) = begin(&asked, 1);
        let passed = answer(&mut attempt, "200", kind, &[said("secret-1").as_bytes()]);
        assert_eq!(passed.text(), said("m"), "{path} {kind}");
        assert_eq!(attempt.end(1010).ending, Ending::Answered);
    }
}

#[test]
fn a_masked_error_does_not_say_whose_it_is() {
    let asked = asked(&mut ruled(&[CHAT], &[MASK]), CHAT, false);
    let (mut attempt, _) = begin(&asked, 1);
    let body = br#"{"error":{"message":"Corp Inc. says no","type":"t"}}"#;
    let passed = answer(&mut attempt, "400", JSON, &[body]);
    assert!(!passed.text().contains("Corp") && passed.text().contains("error"), "{}", passed.text());
}

#[test]
fn a_masked_stream_that_breaks_does_not_say_whose_it_was() {
    let troubles = [
        (
            CHAT,
            "data: {\"error\":{\"message\":\"Corp Inc. is tired\",\"type\":\"server_error\",\"code\":\"Corp_7\"},\"provider\":\"Corp\"}\n\n",
        ),
        (
            MESSAGES,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"Corp_error\",\"message\":\"Corp Inc. is tired\"}}\n\n",
        ),
        (
            GENERATE,
            "data: {\"error\":{\"code\":500,\"message\":\"Corp Inc. is tired\",\"status\":\"INTERNAL\",\"details\":[{\"domain\":\"Corp\"}]}}\n\n",
        ),
        (
            RESPONSES,
            "event: error\ndata: {\"type\":\"error\",\"code\":\"Corp_7\",\"message\":\"Corp Inc. is tired\",\"param\":\"Corp\"}\n\n",
        ),
    ];
    for (to, trouble) in troubles {
        for from in CLIENTS {
            let stream = stream_of(to);
            let stops = ["finish_reason\":\"stop", "message_delta", "finishReason", "response.completed"];
            let stop = stops.iter().filter_map(|stop| stream.find(stop)).min().unwrap();
            let begun = stream[..stop].rfind("\n\n").map_or(0, |at| at + 2);
            for bytes in [format!("{}{trouble}", &stream[..begun]), trouble.to_string()] {
                let asked = asked(&mut ruled(&[to], &[MASK]), from, true);
                let (mut attempt, _) = begin(&asked, 1);
                let passed = answer(&mut attempt, "200", SSE, &[bytes.as_bytes()]);
                let text = passed.text();
                assert!(text.contains("error") && !text.contains("Corp"), "{from:?} {to:?} {text}");
                assert!(matches!(attempt.end(1010).ending, Ending::Broken | Ending::Refused), "{from:?} {to:?} {text}");
            }
        }
    }
}

#[test]
fn an_array_of_answers_is_changed_item_by_item() {
    let mut memory = ruled(&[GENERATE], &[r#"{"name":"r","response":{"set":{"by":"us"},"remove":["unknown"]}}"#]);
    let array = "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h\"}],\"role\":\"model\"}}],\"unknown\":1e-0}\n,\r\n\
        {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"}\"}],\"role\":\"model\"},\"finishReason\":\"STOP\"}]}]\n";
    let changed = array.replace(",\"unknown\":1e-0}", ",\"by\":\"us\"}").replace("}]}]\n", "}],\"by\":\"us\"}]\n");
    for cut in 0..array.len() {
        let path = "/v1beta/models/m:streamGenerateContent";
        let (exchange, _) = exchange(&mut memory, path, GEMINI_HELLO);
        let (mut attempt, _) = begin(&exchange.asked().unwrap(), 1);
        let (one, two) = array.as_bytes().split_at(cut);
        assert_eq!(answer(&mut attempt, "200", JSON, &[one, two]).text(), changed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law 1 with everything that rules do to an answer.
    #[test]
    fn any_split_gives_the_same_ruled_output(from in 0..CLIENTS.len(), to in 0..STREAMS.len(), cuts in prop::collection::vec(any::<usize>(), 0..12), streamed in any::<bool>(), which in 1usize..4) {
        let (from, to) = (CLIENTS[from], STREAMS[to].0);
        let rows: Vec<&str> = [BYE, MASK].into_iter().enumerate().filter(|(at, _)| which >> at & 1 == 1).map(|(_, row)| row).collect();
        let mut memory = ruled(&[to], &rows);
        let (cut, _) = serve_ruled(&mut memory, from, to, streamed, &cuts);
        let (uncut, _) = serve_ruled(&mut memory, from, to, streamed, &[]);
        prop_assert_eq!(cut.text(), uncut.text());
    }
}
