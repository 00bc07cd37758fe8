//! An id that several could be asked about says who gave it, and comes back to whoever did.

use super::*;
use crate::catalog::Operation;
use crate::refusal::Refusal;

const ID: &str = "1";

/// Two of one dialect that keep what they answer, and one that cannot; all serve `m`, and the first alone serves `alone`.
fn memory_of(dialect: DialectId, operations: &[Operation]) -> Memory {
    let mut memory = memory_with(&[dialect, dialect, MESSAGES], |row| {
        row.services[0].operations = operations.to_vec();
    });
    let mut snapshot = Snapshot::clone(memory.snapshot().unwrap());
    snapshot.routes.push(Route { name: "alone".into(), candidates: vec![0], ..Route::default() });
    memory.publish(Snapshot::read(&snapshot.write()).unwrap());
    memory
}

/// The id of the provider at that place, as the client hears it.
fn marked(memory: &Memory, place: usize) -> String {
    format!("{ID}_dgm1_{}", memory.snapshot().unwrap().slot(place).unwrap())
}

fn ask(memory: &mut Memory, method: &str, path: &str, body: &str) -> Result<Rc<Asked>, String> {
    let mut head = head(path);
    head.headers[0].1 = method.as_bytes().to_vec();
    head.headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
    let (mut exchange, step) = Exchange::begin(head, "x1".into(), memory, 1000);
    let step = if matches!(step, Step::Wait) { exchange.body(body.as_bytes().to_vec(), memory, 1000) } else { step };
    exchange.asked().ok_or_else(|| {
        assert!(matches!(step, Step::Reply(_)), "{step:?}");
        exchange.close();
        exchange.record().unwrap().refusal.clone()
    })
}

fn plan(asked: &Asked) -> Vec<&str> {
    asked.plan.iter().map(|planned| planned.target.id.split('/').next().unwrap()).collect()
}

fn sent(outgoing: &Outgoing, asked: &Asked) -> (String, String) {
    let path = outgoing.head.iter().find(|(name, _)| name == b":path").map(|(_, path)| path.clone()).unwrap();
    let body = match &outgoing.body {
        Body::Replace(body) => body.clone(),
        _ => asked.content.bytes().to_vec(),
    };
    (String::from_utf8(path).unwrap(), String::from_utf8(body).unwrap())
}

#[test]
fn an_answers_id_says_who_gave_it_where_another_could_be_asked() {
    for streamed in [true, false] {
        let mut memory = memory_of(RESPONSES, &[Operation::Stored]);
        let (kind, bytes) = if streamed { (SSE, RESPONSES_STREAM) } else { (JSON, whole_of(RESPONSES)) };
        let body = format!(r#"{{"model":"m","stream":{streamed},"input":"hi"}}"#);
        let asked = ask(&mut memory, "POST", "/v1/responses", &body).unwrap();
        let (mut attempt, outgoing) = begin(&asked, 2);
        assert_eq!(outgoing.body, Body::Keep);
        let passed = answer(&mut attempt, "200", kind, &[bytes.as_bytes()]);
        let own = format!("\"{}\"", marked(&memory, 1));
        assert_eq!(
            passed.text(),
            bytes.replace("\"id\":\"1\"", &format!("\"id\":{own}")),
            "and nothing else is changed"
        );

        let alone = ask(&mut memory, "POST", "/v1/responses", &body.replace("\"m\"", "\"alone\"")).unwrap();
        let (mut attempt, _) = begin(&alone, 1);
        assert_eq!(answer(&mut attempt, "200", kind, &[bytes.as_bytes()]).text(), bytes, "nobody else could be asked");
    }
}

#[test]
fn what_follows_an_answer_goes_to_whoever_gave_it_and_to_nobody_else() {
    let mut memory = memory_of(RESPONSES, &[Operation::Stored]);
    let follow = |id: &str, model: &str| format!(r#"{{"model":"{model}","previous_response_id":"{id}","input":"hi"}}"#);
    for place in [0, 1] {
        let id = marked(&memory, place);
        let asked = ask(&mut memory, "POST", "/v1/responses", &follow(&id, "m")).unwrap();
        assert_eq!(plan(&asked), [format!("p{}", place + 1)]);
        let cluster = format!("provider_p{}", place + 1);
        let begun = Attempt::begin(Rc::clone(&asked), asked.turn(1), cluster.as_bytes(), &[], 1000);
        let (_, outgoing) = begun.unwrap();
        assert_eq!(outgoing.body, Body::Replace(follow(ID, "m").into_bytes()), "the provider hears its own word");
    }
    // As it was always: whoever speaks the dialect.
    let asked = ask(&mut memory, "POST", "/v1/responses", &follow(ID, "m")).unwrap();
    assert_eq!(plan(&asked), ["p1", "p2"]);
    let id = marked(&memory, 1);
    assert_eq!(ask(&mut memory, "POST", "/v1/responses", &follow(&id, "alone")).unwrap_err(), "kept_elsewhere");
    let gone = format!("{ID}_dgm1_00000000000000aa");
    assert_eq!(ask(&mut memory, "POST", "/v1/responses", &follow(&gone, "m")).unwrap_err(), "kept_elsewhere");
    assert_eq!(Refusal::NotKept("m".into()).to_client().status, 400);
}

#[test]
fn what_is_kept_is_fetched_from_its_keeper() {
    let mut memory = memory_of(RESPONSES, &[Operation::Stored]);
    let id = marked(&memory, 1);
    for (method, tail) in [("GET", "?stream=true"), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")] {
        let path = format!("/v1/responses/{id}{tail}");
        let asked = ask(&mut memory, method, &path, "").unwrap();
        assert_eq!(plan(&asked), ["p2"], "{path}");
        let (mut attempt, outgoing) =
            { Attempt::begin(Rc::clone(&asked), asked.turn(1), b"provider_p2", &[], 1000).unwrap() };
        assert_eq!(sent(&outgoing, &asked).0, format!("/base/v1/responses/{ID}{tail}"));
        let passed = answer(&mut attempt, "200", JSON, &[br#"{"id":"1","previous_response_id":"0","x":1}"#]);
        let mark = id.strip_prefix(ID).unwrap();
        assert_eq!(passed.text(), format!(r#"{{"id":"{id}","previous_response_id":"0{mark}","x":1}}"#));
    }
    let asked = ask(&mut memory, "GET", &format!("/v1/responses/{ID}"), "").unwrap();
    assert_eq!(plan(&asked), ["p1"], "an id without a mark says nothing");
    let gone = "/v1/responses/1_dgm1_00000000000000aa";
    assert_eq!(ask(&mut memory, "GET", gone, "").unwrap_err(), "kept_elsewhere");
}

#[test]
fn files_and_batches_are_with_whoever_took_them() {
    let mut memory = memory_of(CHAT, &[Operation::Files, Operation::Batches]);
    let asked = ask(&mut memory, "GET", "/v1/files", "").unwrap();
    let (mut attempt, _) = begin(&asked, 1);
    let passed = answer(&mut attempt, "200", JSON, &[br#"{"data":[{"id":"1","n":1}],"last_id":"1"}"#]);
    let first = marked(&memory, 0);
    assert_eq!(passed.text(), format!(r#"{{"data":[{{"id":"{first}","n":1}}],"last_id":"{first}"}}"#));

    let second = marked(&memory, 1);
    let asked = ask(&mut memory, "GET", &format!("/v1/files/{second}/content"), "").unwrap();
    assert_eq!(plan(&asked), ["p2"]);
    let (mut attempt, outgoing) = Attempt::begin(Rc::clone(&asked), asked.turn(1), b"provider_p2", &[], 1000).unwrap();
    assert_eq!(sent(&outgoing, &asked).0, "/base/v1/files/1/content");
    let passed = answer(&mut attempt, "200", JSON, &[br#"{"id":"1"}"#]);
    assert_eq!(passed.text(), r#"{"id":"1"}"#, "what is in it is somebody's own");

    let batch = |id: &str| format!(r#"{{"input_file_id":"{id}","endpoint":"/v1/chat/completions"}}"#);
    let asked = ask(&mut memory, "POST", "/v1/batches", &batch(&second)).unwrap();
    let (_, outgoing) = Attempt::begin(Rc::clone(&asked), asked.turn(1), b"provider_p2", &[], 1000).unwrap();
    assert_eq!(sent(&outgoing, &asked).1, batch(ID));

    let part = |id: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"file","file":{{"file_id":"{id}"}}}}]}}]}}"#
        )
    };
    let asked = ask(&mut memory, "POST", "/v1/chat/completions", &part(&second)).unwrap();
    assert_eq!(plan(&asked), ["p2"]);
}
