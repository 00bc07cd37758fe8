use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

/// A host that has a file with a mark, and tells the head of each question; where it is.
async fn host(file: &'static [u8], framing: &'static str) -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heard, hears) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut caller, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(caller.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let has_it = head.contains("if-none-match: \"1\"");
            heard.send(head).unwrap();
            let status = match (has_it, framing) {
                (true, _) => "304 Not Modified",
                (false, "missing") => "404 Not Found",
                (false, _) => "200 OK",
            };
            let mut answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\netag: \"1\"\r\n").into_bytes();
            match (has_it, framing) {
                (true, _) => answer.extend(b"\r\n"),
                (false, "chunked") => {
                    answer.extend(format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", file.len()).as_bytes());
                    answer.extend(file);
                    answer.extend(b"\r\n0\r\n\r\n");
                }
                _ => {
                    answer.extend(format!("content-length: {}\r\n\r\n", file.len()).as_bytes());
                    answer.extend(file);
                }
            }
            // Whoever has read enough goes away.
            let _ = caller.write_all(&answer).await;
        }
    });
    (address, hears)
}

fn client() -> Client {
    crate::outbound::client(None, std::time::Duration::from_secs(5)).unwrap()
}

async fn asked(url: &str, before: &Mark) -> anyhow::Result<Found> {
    ask(&url.parse().unwrap(), before, &client(), AmazonS3Builder::new()).await
}

#[tokio::test]
async fn what_did_not_change_is_not_fetched_again() {
    for framing in ["length", "chunked"] {
        let (address, mut hears) = host(b"artifact", framing).await;
        let url = format!("http://{address}/a/b%20c.artifact");
        let mark = Mark(Some("\"1\"".into()));
        let found = Found::File { file: b"artifact".to_vec(), mark: mark.clone() };
        assert_eq!(asked(&url, &Mark::default()).await.unwrap(), found, "{framing}");
        assert!(hears.recv().await.unwrap().starts_with("get /a/b%20c.artifact http"));
        assert_eq!(asked(&url, &mark).await.unwrap(), Found::AsBefore, "{framing}");
    }
}

#[tokio::test]
async fn a_bucket_is_asked_with_a_signature() {
    let (address, mut hears) = host(b"artifact", "length").await;
    let buckets = AmazonS3Builder::new().with_endpoint(format!("http://{address}")).with_region("here");
    let buckets = buckets.with_access_key_id("its-id").with_secret_access_key("hush");
    let url = "s3://models/tuning/a.artifact".parse().unwrap();
    let found = ask(&url, &Mark::default(), &client(), buckets).await.unwrap();
    assert_eq!(found, Found::File { file: b"artifact".to_vec(), mark: Mark(Some("\"1\"".into())) });
    let head = hears.recv().await.unwrap();
    assert!(head.starts_with("get /models/tuning/a.artifact http"), "{head}");
    assert!(head.contains("authorization: aws4-hmac-sha256 credential=its-id/") && !head.contains("hush"), "{head}");
}

#[tokio::test]
async fn what_is_too_large_empty_or_not_there_is_told() {
    let (large, _hears) = host(&[0; MAX_ARTIFACT + 1], "length").await;
    let told = |host: String| async move {
        let source = ArtifactSource::read(&format!("http://{host}/x")).unwrap();
        let why = fetch(&source, &Mark::default(), &client()).await.unwrap_err();
        why.strip_prefix(&format!("http://{host}/x: ")).unwrap().to_owned()
    };
    assert_eq!(told(large).await, "it has more than 2097152 bytes");
    let (empty, _hears) = host(b"", "length").await;
    assert_eq!(told(empty).await, "it is empty");
    let (gone, _hears) = host(b"gone", "missing").await;
    let why = told(gone).await;
    assert!(why.contains("404") && why.len() < 200, "{why}");
    let why = told("127.0.0.1:1".into()).await;
    assert!(why.contains("refused") && !why.contains("ms"), "the same each time: {why}");
    let missing = ArtifactSource::File("no/such.artifact".into());
    let why = fetch(&missing, &Mark::default(), &client()).await.unwrap_err();
    assert!(why.starts_with("no/such.artifact: "), "{why}");
}
