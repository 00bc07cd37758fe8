use std::path::Path;

use dragoman_core::loss::Losses;
use dragoman_core::record::{Ending, Outcome};
use dragoman_core::usage::Usage;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn record(exchange: &str) -> Record {
    Record {
        exchange: exchange.into(),
        caller: "key_1".into(),
        began_ms: 1_790_000_000_000,
        dialect: "messages".into(),
        operation: "generate".into(),
        route: "auto".into(),
        streamed: true,
        status: 200,
        losses: Losses { approximated: vec!["stop".into()], dropped: vec!["top_k".into()] },
        outcomes: vec![
            Outcome {
                target: "a/m".into(),
                ending: Ending::Retriable,
                status: 429,
                code: "rate_limit_exceeded".into(),
                total_ms: 100,
                ..Outcome::default()
            },
            Outcome {
                target: "b/maker/m".into(),
                ending: Ending::Answered,
                status: 200,
                first_event_ms: Some(400),
                total_ms: 1400,
                usage: Usage { input: Some(10), cache_read: Some(4), output: Some(100), ..Usage::default() },
                ..Outcome::default()
            },
        ],
        ..Record::default()
    }
}

#[test]
fn a_record_becomes_these_spans() {
    let spans = [span::spans(&record("x1"), PARENT), span::spans(&record("x2"), "")].concat();
    let mut made = span::document("gateway", spans);
    made["resourceSpans"][0]["resource"]["attributes"][1]["value"]["stringValue"] = "<version>".into();
    let made = format!("{:#}\n", made);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/spans.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(made == golden, "spans.json is another; look at it with UPDATE_GOLDEN=1 and git diff");
}

/// A message that a collector got: its head in lower case, and its body.
type Got = (String, Value);

/// A collector that answers with this status; what it got comes out at the end.
async fn collector(status: &'static str) -> (String, mpsc::UnboundedReceiver<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let (head, length) = loop {
                assert!(connection.read_buf(&mut bytes).await.unwrap() > 0, "it ends within the head");
                let text = String::from_utf8_lossy(&bytes);
                let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                let head = head.to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                break (head.clone(), length.parse::<usize>().unwrap());
            };
            while bytes.len() < head.len() + 4 + length {
                assert!(connection.read_buf(&mut bytes).await.unwrap() > 0, "it ends within the body");
            }
            let body = serde_json::from_slice(&bytes[head.len() + 4..]).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
            connection.write_all(answer.as_bytes()).await.unwrap();
            sender.send((head, body)).unwrap();
        }
    });
    (address, receiver)
}

fn start(address: &str, metrics: &Arc<Metrics>) -> Option<Traces> {
    let environment = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(address.to_string()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("x-token=one%20two".to_string()),
        "OTEL_SERVICE_NAME" => Some("gateway".to_string()),
        _ => None,
    };
    Traces::start(&environment, metrics.clone())
}

#[tokio::test]
async fn a_collector_gets_what_was_settled_in_one_batch() {
    let (address, mut got) = collector("200 OK").await;
    let metrics = Arc::new(Metrics::new());
    let traces = start(&address, &metrics).unwrap();
    traces.send(&record("x1"), PARENT);
    traces.send(&record("x2"), "");
    traces.flush().await;
    let (head, body) = got.try_recv().unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    for line in ["content-type: application/json", "x-token: one two"] {
        assert!(head.lines().any(|known| known == line), "{head}");
    }
    let expected = [span::spans(&record("x1"), PARENT), span::spans(&record("x2"), "")].concat();
    assert_eq!(body, span::document("gateway", expected));
    assert!(got.try_recv().is_err(), "one batch");
    assert!(metrics.page().contains("dragoman_spans_total{result=\"sent\"} 6"), "{}", metrics.page());
}

#[tokio::test]
async fn a_collector_that_fails_costs_a_count() {
    let (address, mut got) = collector("503 Service Unavailable").await;
    let metrics = Arc::new(Metrics::new());
    let traces = start(&address, &metrics).unwrap();
    traces.send(&record("x1"), "");
    traces.flush().await;
    assert!(got.try_recv().is_ok() && got.try_recv().is_err(), "asked once");
    assert!(metrics.page().contains("dragoman_spans_total{result=\"failed\"} 3"), "{}", metrics.page());
}

#[tokio::test]
async fn a_collector_that_is_away_or_redirects_costs_a_count_too() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (redirecting, _got) = collector("307 Temporary Redirect\r\nlocation: http://elsewhere.example").await;
    for address in [format!("http://{free}"), redirecting] {
        let metrics = Arc::new(Metrics::new());
        let traces = start(&address, &metrics).unwrap();
        traces.send(&record("x1"), "");
        traces.flush().await;
        assert!(metrics.page().contains("dragoman_spans_total{result=\"failed\"} 3"), "{}", metrics.page());
    }
}

#[tokio::test]
async fn a_full_queue_drops_and_does_not_wait() {
    // It accepts and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = Arc::new(Metrics::new());
    let traces = start(&format!("http://{}", listener.local_addr().unwrap()), &metrics).unwrap();
    // Nothing is taken from the queue meanwhile: this thread is the runtime's only one.
    for _ in 0..QUEUE + 10 {
        traces.send(&record("x1"), "");
    }
    assert!(metrics.page().contains("dragoman_spans_total{result=\"dropped\"} 30"), "{}", metrics.page());
}

#[tokio::test]
async fn without_an_address_or_with_a_bad_one_nothing_starts() {
    let metrics = Arc::new(Metrics::new());
    assert!(start("", &metrics).is_none());
    assert!(start("collector:4317", &metrics).is_none());
}
