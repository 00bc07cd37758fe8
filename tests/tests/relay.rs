//! In one dialect the very bytes pass, both ways; what must change changes alone; what can't be said is told.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::rig::{Rig, fresh, only, rig};
use dragoman_tests::said::{path, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Reply, When};
use serde_json::json;

/// A body no serialiser would write: odd spaces, escapes, numbers, unknown members, an order of its own.
fn odd_body(dialect: Dialect, model: &str, words: &str) -> String {
    let unknown = r#""x_unknown" : { "z":1.50, "a":[ 1e2 ,-0.0, null ] ,"\u00fc":"\u0041\/"}"#;
    match dialect {
        Dialect::Chat => format!(
            "{{ {unknown},\n\t\"messages\":[ {{\"content\":\"{words} \\u00fc\\/\",\"role\" :\"user\" }}],\"model\":\"{model}\" }}\n"
        ),
        Dialect::Messages => format!(
            "{{\"max_tokens\":  99,{unknown},\"messages\":[{{\"role\":\"user\",\"content\":\"{words} \\u00fc\\/\"}}] , \"model\":\"{model}\"}}"
        ),
        Dialect::Gemini => {
            format!("{{{unknown} ,\"contents\":[ {{\"parts\":[{{\"text\":\"{words} \\u00fc\\/\"}} ]}} ]}}\r\n")
        }
        Dialect::Responses => {
            format!(
                "{{\"input\" :[ {{ \"role\":\"user\",\"content\":\"{words} \\u00fc\\/\"}}],{unknown} ,\"model\":\"{model}\"}}\n"
            )
        }
        Dialect::ChatV2 | Dialect::Converse => panic!("no client speaks {dialect:?}"),
    }
}

fn send(rig: &Rig, dialect: Dialect, model: &str, body: &str, stream: bool) -> Answer {
    let call =
        Call::post(&path(dialect, model, stream)).header("authorization", format!("Bearer {}", rig.gateway.key()));
    rig.gateway.send(&call.body(body)).expect("an answer")
}

/// Answers with spaces, unknown members and comments in them.
fn odd_answers(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Chat => (
            "{ \"id\":\"c\",\"x_unknown\" : [ 1.50 ],\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\\u00fc\"},\"finish_reason\":\"stop\"} ] }\n",
            ": PROCESSING\n\ndata: { \"id\":\"c\",\"x\":1.0,\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\u00fc\"},\"finish_reason\":null}] }\n\n: again\n\ndata:{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        ),
        Dialect::Messages => (
            "{\"type\":\"message\", \"id\":\"msg_1\",\"x_unknown\":{},\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"\\u00fc\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}",
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"} }\n\nevent: x_unknown\ndata: {\"type\":\"x_unknown\"}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\\u00fc\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        Dialect::Gemini => (
            "{\n  \"candidates\": [ {\"content\": {\"parts\": [{\"text\": \"\\u00fc\"}],\"role\": \"model\"},\"finishReason\": \"STOP\"} ],\n  \"x_unknown\": 1.50\n}\n",
            "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\\u00fc\"}],\"role\": \"model\"}}],\"x\" : 1}\r\n\r\ndata: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\"}],\"role\": \"model\"},\"finishReason\": \"STOP\"}]}\r\n\r\n",
        ),
        Dialect::Responses => (
            "{ \"id\":\"resp_1\",\"x_unknown\" : [ 1.50 ],\"object\":\"response\",\"created_at\":1,\"status\":\"completed\",\"model\":\"m\",\"output\":[ {\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"\\u00fc\",\"annotations\":[]}]} ],\"usage\":{\"input_tokens\":1,\"output_tokens\":1} }\n",
            ": hold on\n\nevent: response.created\ndata: {\"type\":\"response.created\", \"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"in_progress\",\"output\":[]}}\n\nevent: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"status\":\"in_progress\",\"content\":[]}}\n\nevent: x_unknown\ndata: {\"type\":\"x_unknown\",\"x\" : 1.0}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":2,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"\\u00fc\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":3,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"\\u00fc\",\"annotations\":[]}]}]} }\n\n",
        ),
        Dialect::ChatV2 | Dialect::Converse => panic!("no client speaks {dialect:?}"),
    }
}

#[test]
fn a_request_in_the_providers_dialect_arrives_byte_for_byte() {
    for dialect in Dialect::CLIENTS {
        for stream in [false, true] {
            let words = fresh("odd");
            let model = only(dialect);
            rig().script(dialect, &words, [Reply::json(400, &json!({"error": {"message": "seen"}}))]);
            let body = odd_body(dialect, &model, &words);
            send(rig(), dialect, &model, &body, stream);
            let seen = rig().first(dialect).journal().mentioning(&words);
            let arrived = String::from_utf8_lossy(&seen[0].received.body).into_owned();
            assert_eq!(arrived, body, "{dialect:?}, streamed: {stream}");
        }
    }
}

#[test]
fn an_answer_in_the_clients_dialect_arrives_byte_for_byte_however_it_is_cut() {
    for dialect in Dialect::CLIENTS {
        let (whole, stream) = odd_answers(dialect);
        for step in [1, 5, 1 << 20] {
            let words = fresh("odd");
            let reply = Reply::status(200).header("content-type", "application/json").body(whole).cut_every(step);
            rig().script(dialect, &words, [reply, Reply::event_stream(stream).cut_every(step)]);
            let model = only(dialect);
            for (is_stream, expected) in [(false, whole), (true, stream)] {
                let (answer, said) = rig().ask(dialect, &model, &words, is_stream).expect("an answer");
                assert_eq!(answer.text(), expected, "{dialect:?} every {step} bytes");
                assert_eq!((said.text.as_str(), said.complete), ("\u{fc}", true), "{dialect:?}");
            }
        }
    }
}

#[test]
fn a_model_with_another_name_at_the_provider_changes_that_name_alone() {
    let rig = Rig::start_with(|setup| {
        let offers =
            |dialect: Dialect| format!("[[model]]\nname = \"here-{0}\"\noffers = [\"{0}/there\"]\n", dialect.name());
        setup.more(&Dialect::CLIENTS.map(offers).concat())
    })
    .expect("a rig");
    for dialect in Dialect::CLIENTS {
        let words = fresh("odd");
        let here = format!("here-{}", dialect.name());
        rig.first(dialect).when(When::mentions(&words), [Reply::json(400, &json!({"error": {"message": "seen"}}))]);
        let body = odd_body(dialect, &here, &words);
        send(&rig, dialect, &here, &body, false);
        let seen = &rig.first(dialect).journal().mentioning(&words)[0].received;
        // White space around the document is no part of it.
        let arrived = String::from_utf8_lossy(&seen.body).trim().to_owned();
        assert_eq!(arrived, body.trim().replace(&format!("\"{here}\""), "\"there\""), "{dialect:?}");
        assert_eq!(seen.model().as_deref(), Some("there"), "{dialect:?}: {}", seen.path);
    }
}

/// A member of the client's dialect that the provider's has no word for.
const UNSAYABLE: [(Dialect, &str, &str, Dialect); 4] = [
    (Dialect::Chat, "logit_bias", "{\"50256\": -100}", Dialect::Messages),
    (Dialect::Chat, "logit_bias", "{\"50256\": -100}", Dialect::Gemini),
    (Dialect::Messages, "mcp_servers", "[{\"type\": \"url\"}]", Dialect::Chat),
    (Dialect::Gemini, "futureSetting", "{\"x\": 1}", Dialect::Chat),
];

fn with_member(dialect: Dialect, model: &str, words: &str, name: &str, value: &str) -> String {
    let mut body = dragoman_tests::said::ask(dialect, model, words, false);
    body[name] = serde_json::from_str(value).expect("a value");
    body.to_string()
}

#[test]
fn what_the_provider_has_no_word_for_is_left_out_and_told() {
    for (client, name, value, provider) in UNSAYABLE {
        let words = fresh("hello");
        let answer =
            send(rig(), client, &only(provider), &with_member(client, &only(provider), &words, name, value), false);
        let what = format!("{name} from {client:?} to {provider:?}");
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        let dropped = answer.header("x-dragoman-dropped").unwrap_or_default();
        assert!(dropped.contains(name), "{what}: {dropped}");
        assert!(read(client, &answer).complete, "{what}");
    }
}

#[test]
fn a_strict_route_refuses_instead_and_names_what_it_can_not_say() {
    let rig = Rig::start_with(|setup| setup.top("loss = \"strict\"")).expect("a rig");
    for (client, name, value, provider) in UNSAYABLE {
        let words = fresh("hello");
        let body = with_member(client, &only(provider), &words, name, value);
        let answer = send(&rig, client, &only(provider), &body, false);
        let what = format!("{name} from {client:?} to {provider:?}");
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        assert!(answer.text().contains(name), "{what}: {}", answer.text());
        assert_eq!(rig.asked(&words), 0, "{what}");
        let words = fresh("hello");
        let plain = dragoman_tests::said::ask(client, &only(provider), &words, false).to_string();
        assert_eq!(send(&rig, client, &only(provider), &plain, false).status, 200, "{what}: without it all is well");
    }
}
