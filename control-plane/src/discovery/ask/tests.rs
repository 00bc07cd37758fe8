use std::sync::{Arc, Mutex};

use dragoman_core::catalog::{Origin, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::settings::Secret;

/// What a server was asked: the heads of its requests.
type Heads = Arc<Mutex<Vec<String>>>;

/// A server that answers each connection with the next of `answers`, and the last one for ever.
async fn server(answers: Vec<Vec<u8>>) -> (Origin, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Heads::default();
    let seen = heads.clone();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            seen.lock().unwrap().push(String::from_utf8(head).unwrap());
            let _ = stream.write_all(&answers[number.min(answers.len() - 1)]).await;
        }
    });
    (Origin { tls: false, host: "127.0.0.1".into(), port, base: "/base".into() }, heads)
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

fn provider(origin: Origin, dialect: DialectId, prefix: &str) -> Registered {
    Registered {
        id: "corp".into(),
        services: vec![Service::new(dialect, prefix)],
        credential: Some(Credential::Header("authorization".into(), Secret::new("Bearer sk-secret"))),
        headers: vec![("x-team".into(), "search".into())],
        models_path: None,
        ..Registered::demo(origin)
    }
}

fn names(answer: &Answer) -> Vec<&str> {
    match answer {
        Answer::Listed { listing, .. } => listing.models.iter().map(|model| model.name.as_str()).collect(),
        other => panic!("{other:?}"),
    }
}

fn reason(answer: Answer) -> String {
    match answer {
        Answer::Unavailable(why) => {
            assert!(!why.contains("sk-secret"), "{why}");
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_dialect_has_its_place_for_the_list_and_a_row_may_say_another() {
    let origin = Origin { tls: true, host: "x.example".into(), port: 8443, base: "/base".into() };
    let at = |dialect, prefix: &str| endpoint(&provider(origin.clone(), dialect, prefix));
    let whole = |path: &str| Some(format!("https://x.example:8443/base{path}"));
    assert_eq!(at(DialectId::ChatCompletions, "/v1"), whole("/v1/models"));
    assert_eq!(at(DialectId::Responses, ""), whole("/models"));
    assert_eq!(at(DialectId::Messages, "/v1"), whole("/v1/models"));
    assert_eq!(at(DialectId::GenerateContent, "/v1beta"), whole("/v1beta/models?pageSize=1000"));
    assert_eq!(at(DialectId::ChatV2, "/v2"), whole("/v1/models?page_size=1000"));
    assert_eq!(at(DialectId::ChatV2, "/own"), None);
    assert_eq!(at(DialectId::Converse, ""), None);
    let said = |path| {
        let row = provider(origin.clone(), DialectId::Converse, "");
        endpoint(&Registered { models_path: Some(path), ..row })
    };
    assert_eq!(said(ModelsPath::At("/api/tags".into())), Some("https://x.example:8443/api/tags".into()));
    assert_eq!(said(ModelsPath::Never), None);
    let mut own = provider(origin.clone(), DialectId::ChatCompletions, "/v1");
    let paths = dragoman_core::catalog::Paths { whole: "/a".into(), streamed: "/a".into() };
    own.services[0].paths = Some(paths);
    assert_eq!(endpoint(&own), None);
}

#[tokio::test]
async fn a_list_is_asked_for_with_the_credential_and_again_with_its_version() {
    let first = http("200 OK", "etag: \"v1\"\r\nlast-modified: Mon, 01 Jan 2029 00:00:00 GMT\r\n", r#"[{"id":"a"}]"#);
    let (origin, heads) = server(vec![first, http("304 Not Modified", "", "")]).await;
    let row = provider(origin, DialectId::ChatCompletions, "/v1");
    let asker = Asker::new(None).unwrap();
    let answer = asker.ask(&row, None).await;
    assert_eq!(names(&answer), ["a"]);
    let Answer::Listed { validator, .. } = answer else { panic!() };
    assert_eq!(validator.as_ref().unwrap().etag.as_deref(), Some("\"v1\""));
    assert_eq!(asker.ask(&row, validator.as_ref()).await, Answer::NotModified);
    // Of another address the validator says nothing, and a 304 that nobody asked for is no answer.
    let moved = Registered { models_path: Some(ModelsPath::At("/elsewhere".into())), ..row.clone() };
    assert!(reason(asker.ask(&moved, validator.as_ref()).await).contains("304"));
    let heads = heads.lock().unwrap();
    assert!(heads[0].starts_with("GET /base/v1/models HTTP/1.1\r\n"), "{}", heads[0]);
    for line in ["authorization: Bearer sk-secret", "x-team: search", "accept: application/json"] {
        assert!(heads[0].contains(&format!("{line}\r\n")), "{}", heads[0]);
    }
    assert!(!heads[0].contains("if-none-match"));
    assert!(heads[1].contains("if-none-match: \"v1\"\r\n"), "{}", heads[1]);
    assert!(heads[1].contains("if-modified-since: Mon, 01 Jan 2029 00:00:00 GMT\r\n"), "{}", heads[1]);
    assert!(heads[2].starts_with("GET /elsewhere ") && !heads[2].contains("if-none-match"), "{}", heads[2]);
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let page = |body| http("200 OK", "etag: \"v1\"\r\n", body);
    let (origin, heads) = server(vec![
        page(r#"{"models":[{"name":"models/a"}],"nextPageToken":"x+/="}"#),
        page(r#"{"models":[{"name":"models/b"}]}"#),
    ])
    .await;
    let answer = Asker::new(None).unwrap().ask(&provider(origin, DialectId::GenerateContent, "/v1beta"), None).await;
    assert_eq!(names(&answer), ["a", "b"]);
    let Answer::Listed { listing, validator } = answer else { panic!() };
    assert_eq!((listing.extent, listing.next, validator), (Extent::Whole, None, None));
    let heads = heads.lock().unwrap();
    assert!(heads[1].starts_with("GET /base/v1beta/models?pageSize=1000&pageToken=x%2B%2F%3D "), "{}", heads[1]);
}

#[tokio::test]
async fn a_list_without_an_end_is_left() {
    let same = http("200 OK", "", r#"{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}"#);
    let (origin, heads) = server(vec![same]).await;
    let row = provider(origin, DialectId::Messages, "/v1");
    assert!(reason(Asker::new(None).unwrap().ask(&row, None).await).contains("for ever"));
    assert_eq!(heads.lock().unwrap().len(), 2);
    let pages = (0..60).map(|n| http("200 OK", "", &format!(r#"{{"models":["m{n}"],"nextPageToken":"{n}"}}"#)));
    let (origin, heads) = server(pages.collect()).await;
    let row = provider(origin, DialectId::GenerateContent, "/v1");
    let Answer::Listed { listing, .. } = Asker::new(None).unwrap().ask(&row, None).await else { panic!() };
    assert_eq!((listing.models.len(), listing.extent), (MAX_PAGES, Extent::Cut));
    assert_eq!(heads.lock().unwrap().len(), MAX_PAGES);
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_secrets_and_without_the_providers_words() {
    let asker = Asker::new(None).unwrap();
    let leak = r#"{"error":"wrong key: Bearer sk-secret"}"#;
    let elsewhere = "location: http://127.0.0.1:1/steal\r\n";
    let huge = [http("200 OK", "x: ", "").as_slice(), b"\r\n"].concat();
    let huge = String::from_utf8(huge).unwrap().replace("content-length: 0\r\n", "");
    let huge = [huge.as_bytes(), &vec![b' '; MAX_BODY + 2]].concat();
    for (answer, expected) in [
        (http("401 Unauthorized", "", leak), "credential (401)"),
        (http("302 Found", elsewhere, ""), "elsewhere (302)"),
        (http("404 Not Found", "", leak), "(404)"),
        (http("500 Oops", "", leak), "status 500"),
        (http("200 OK", "", leak), "no list"),
        (http("200 OK", "", "<html>sk-secret"), "not JSON"),
        (b"sk-secret\r\n\r\n".to_vec(), "broke off"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[".to_vec(), "broke off"),
        (huge, "8 MiB"),
    ] {
        let (origin, heads) = server(vec![answer]).await;
        let why = reason(asker.ask(&provider(origin, DialectId::ChatCompletions, "/v1"), None).await);
        assert!(why.contains(expected), "{why} is not {expected}");
        assert_eq!(heads.lock().unwrap().len(), 1);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let origin = Origin { tls: false, host: "127.0.0.1".into(), port: nobody, base: String::new() };
    let mut row = provider(origin, DialectId::ChatCompletions, "");
    assert!(reason(asker.ask(&row, None).await).contains("reached"));
    row.credential = Some(Credential::Header("x-key".into(), Secret::new("sk-secret\n")));
    assert_eq!(reason(asker.ask(&row, None).await), "its header x-key can't be sent");
    row.models_path = Some(ModelsPath::Never);
    assert_eq!(reason(asker.ask(&row, None).await), "it has no list of models");
}
