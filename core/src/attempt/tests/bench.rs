//! The bench: a worker, a client, and what Envoy would do with an attempt.

use super::*;

/// A worker that knows one provider for each of `dialects`, `p1`, `p2`, …, all of them candidates of the route `m`.
pub(super) fn memory(dialects: &[DialectId]) -> Memory {
    memory_with(dialects, |_| {})
}

/// The same, with each provider's row changed.
pub(super) fn memory_with(dialects: &[DialectId], change: impl Fn(&mut Provider)) -> Memory {
    let mut memory = Memory::default();
    let (mut providers, mut targets) = (Vec::new(), Vec::new());
    for (index, dialect) in dialects.iter().enumerate() {
        let id = format!("p{}", index + 1);
        let prefix = if *dialect == GENERATE { "/v1beta" } else { "/v1" };
        providers.push(Provider {
            origin: Origin { tls: true, host: format!("{id}.example"), port: 443, base: "/base".into() },
            services: vec![Service::new(*dialect, prefix)],
            credential: id.clone(),
            ..Provider::plain(&id, *dialect)
        });
        if let Some(provider) = providers.last_mut() {
            change(provider);
        }
        let target = format!("{id}/m");
        targets.push(Target::unlisted(target, index, "m"));
        let value = Secret::new(format!("secret-of-{id}").into_bytes());
        memory.equip(
            CredentialId::of_gateway(&id),
            Credential { header: "x-api-key".into(), value, renewable: false },
            0,
            0,
        );
    }
    let routes = vec![Route {
        name: "m".into(),
        candidates: (0..targets.len()).collect(),
        loss: Loss::Warn,
        ..Route::default()
    }];
    memory.publish(Snapshot::new(1, providers, targets, routes, vec![]).unwrap());
    memory.admit(digest(b"caller-key"), Some(Grant { caller: "c".into(), ..Grant::default() }), 1_000_000, 0);
    memory
}

pub(super) fn head(path: &str) -> Head {
    let pairs = [
        (":method", "POST"),
        (":path", path),
        (":authority", "gateway"),
        ("authorization", "Bearer caller-key"),
        ("x-dragoman-try-1", "spoofed"),
        ("x-custom", "kept"),
        ("cookie", "private"),
    ];
    Head { headers: pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect() }
}

/// The request of a client that says "hi" to `m`.
pub(super) fn hello(dialect: DialectId, streamed: bool) -> (&'static str, String) {
    match (dialect, streamed) {
        (CHAT, _) => {
            let body = format!(r#"{{"model":"m","stream":{streamed},"messages":[{{"role":"user","content":"hi"}}]}}"#);
            ("/v1/chat/completions", body)
        }
        (MESSAGES, _) => {
            let turns = r#"[{"role":"user","content":"hi"}]"#;
            (
                "/v1/messages?beta=true",
                format!(r#"{{"model":"m","stream":{streamed},"max_tokens":9,"messages":{turns}}}"#),
            )
        }
        (GENERATE, true) => ("/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI_HELLO.to_string()),
        (GENERATE, false) => ("/v1beta/models/m:generateContent", GEMINI_HELLO.to_string()),
        (RESPONSES, _) => ("/v1/responses", format!(r#"{{"model":"m","stream":{streamed},"input":"hi"}}"#)),
        (DialectId::ChatV2 | DialectId::Converse, _) => panic!("no client speaks it"),
    }
}

pub(super) const GEMINI_HELLO: &str = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;

pub(super) fn exchange(memory: &mut Memory, path: &str, body: &str) -> (Exchange, Step) {
    let (mut exchange, step) = Exchange::begin(head(path), "x1".into(), memory, 1000);
    if let Step::Reply(_) = step {
        return (exchange, step);
    }
    let step = exchange.body(body.as_bytes().to_vec(), memory, 1000);
    (exchange, step)
}

pub(super) fn asked(memory: &mut Memory, dialect: DialectId, streamed: bool) -> Rc<Asked> {
    let (path, body) = hello(dialect, streamed);
    let (exchange, step) = exchange(memory, path, &body);
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    exchange.asked().unwrap()
}

pub(super) fn begin(asked: &Rc<Asked>, number: usize) -> (Attempt, Outgoing) {
    let cluster = format!("provider_p{number}");
    Attempt::begin(Rc::clone(asked), asked.turn(number), cluster.as_bytes(), &[], 1000).unwrap()
}

/// What Envoy would pass on: the head's edits and the bytes, or the wish to retry.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Passed {
    pub(super) status: Option<String>,
    pub(super) retry: bool,
    pub(super) bytes: Vec<u8>,
}

impl Passed {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn take_head(&mut self, edits: &HeadEdits) {
        for (name, value) in &edits.set {
            match name.as_slice() {
                b":status" => self.status = Some(String::from_utf8_lossy(value).into_owned()),
                b"x-dragoman-retry" => self.retry = true,
                _ => {}
            }
        }
    }
}

pub(super) fn answer(attempt: &mut Attempt, status: &str, kind: &str, chunks: &[&[u8]]) -> Passed {
    let head: Vec<Header> = [(":status", status), ("content-type", kind)]
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    let mut passed = Passed::default();
    match attempt.response_head(&head, false, 1001) {
        HeadVerdict::Pass(edits) => {
            passed.take_head(&edits);
            passed.bytes = chunks.concat();
            return passed;
        }
        HeadVerdict::Hold => {}
        HeadVerdict::Say(..) => unreachable!("a body follows"),
    }
    let mut held = true;
    for (index, chunk) in chunks.iter().chain([&&b""[..]]).enumerate() {
        let answer = attempt.response_body(chunk, index == chunks.len(), 1002);
        if let Some(edits) = &answer.head {
            assert!(held, "a head goes once");
            held = false;
            passed.take_head(edits);
        }
        match answer.body {
            Body::Keep => passed.bytes.extend_from_slice(chunk),
            Body::Replace(bytes) => passed.bytes.extend_from_slice(&bytes),
            Body::Hold => assert!(held, "only a held answer may hold bytes"),
        }
    }
    assert!(!held, "the head must go at the end at the latest");
    passed
}

pub(super) fn pieces(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

/// Serves `bytes` from a provider of `to` to a client of `from`, in these chunks.
pub(super) fn serve(from: DialectId, to: DialectId, streamed: bool, kind: &str, chunks: &[&[u8]]) -> (Passed, Outcome) {
    let asked = asked(&mut memory(&[to]), from, streamed);
    let (mut attempt, _) = begin(&asked, 1);
    let passed = answer(&mut attempt, "200", kind, chunks);
    (passed, attempt.end(1010))
}
