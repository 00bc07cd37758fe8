//! What an operator does: asks the admin API with a token.

use std::time::{Duration, Instant};

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup, python};
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Simulator};
use serde_json::{Value, json};

/// How long a change may take until it is served.
pub const AT_ONCE: Duration = Duration::from_secs(1);

/// Longer than the gateway takes to see a new file, to start again, or to write a Record.
pub const SOON: Duration = Duration::from_secs(20);

/// Simulators are on loopback, where providers of the API may not be unless the file says so.
pub const LOOPBACK: &str = "allow_networks = [\"127.0.0.0/8\"]";

/// The variable that has the key of the provider that [`row`] describes.
pub const VARIABLE: &str = "KEY_OF_ANOTHER";

/// A provider with this key that speaks chat completions.
pub fn provider(key: &str) -> Simulator {
    Simulator::start(Persona::chat(key)).expect("a provider")
}

/// One provider with one model in the file.
pub fn setup(provider: &Simulator) -> Setup {
    Setup::new().simulator("only", provider).model("some-model", &["only"]).top(LOOPBACK)
}

/// The row of a provider that is a simulator.
pub fn row(provider: &Simulator) -> Value {
    json!({
        "base_url": provider.url(),
        "services": [{ "dialect": "chat_completions", "prefix": "/v1" }],
        "api_key": { "env": VARIABLE },
    })
}

/// What came of asking a model for something.
pub fn status(gateway: &Gateway, model: &str) -> u16 {
    gateway.ask(Dialect::Chat, model, "hello", false).map_or(0, |answer| answer.status)
}

/// Waits until it holds.
pub fn wait(what: &str, longest: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < longest, "{what}: not within {longest:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until asking for this model gives this status.
pub fn wait_for(gateway: &Gateway, model: &str, wanted: u16, longest: Duration) {
    wait(&format!("{model} is answered with {wanted}"), longest, || status(gateway, model) == wanted);
}

/// The admin API and a token of it.
#[derive(Clone)]
pub struct Panel {
    address: String,
    pub token: String,
}

impl Panel {
    /// With the token that the gateway printed at its first start.
    pub fn of(gateway: &Gateway) -> Self {
        let log = gateway.log();
        let token = log.split_whitespace().find(|word| word.starts_with("dga_")).expect("the first token").to_owned();
        Self { address: gateway.api(), token }
    }

    /// With another token.
    pub fn with(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same token at another gateway.
    pub fn at(&self, gateway: &Gateway) -> Self {
        Self { address: gateway.api(), ..self.clone() }
    }

    /// Sends a call as it is.
    pub fn send(&self, call: &Call) -> Answer {
        call.send(&self.address).expect("the admin API")
    }

    /// A call with the token; the path without what all have in common.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let call = Call::new(method, &format!("/api/v1{path}"));
        call.header("authorization", format!("Bearer {}", self.token))
    }

    /// The same with a body.
    pub fn with_body(&self, method: &str, path: &str, body: &Value) -> Call {
        self.call(method, path).header("content-type", "application/json").json(body)
    }

    /// Sends a call that is answered well; gives back what it was answered.
    fn good(&self, call: &Call) -> Value {
        let answer = self.send(call);
        assert!(matches!(answer.status, 200 | 201), "{call:?}: {} {}", answer.status, answer.text());
        answer.json().expect("JSON")
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Value {
        self.good(&self.call("GET", path))
    }

    /// Says what a row is.
    pub fn put(&self, path: &str, row: &Value) -> Value {
        self.good(&self.with_body("PUT", path, row))
    }

    /// Does.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.good(&self.with_body("POST", path, body))
    }

    /// Takes away.
    pub fn delete(&self, path: &str) -> Value {
        self.good(&self.call("DELETE", path))
    }

    /// A fresh token of that role: its id and itself. A tenant-admin's is the account `tenant`'s.
    pub fn token(&self, role: &str) -> (String, String) {
        if role != "tenant-admin" {
            return self.token_of(role, "");
        }
        self.put("/accounts/tenant", &json!({ "kind": "tenant" }));
        self.token_of(role, "tenant")
    }

    /// A fresh token of that role and account.
    pub fn token_of(&self, role: &str, account: &str) -> (String, String) {
        let made = self.post("/tokens", &json!({ "role": role, "name": role, "account": account }));
        let text = |member: &str| made[member].as_str().expect("text").to_owned();
        (text("id"), text("token"))
    }

    /// Whether the Snapshot that a change led to is the one that is served.
    pub fn serves(&self, changed: &Value) -> bool {
        changed["snapshot"].is_u64() && self.get("/status")["snapshot"] == changed["snapshot"]
    }
}

/// Asks with a key that is not the gateway's usual one.
pub fn ask_as(gateway: &Gateway, key: &str, model: &str, text: &str) -> Answer {
    let call = Call::post(&path(Dialect::Chat, model, false)).json(&ask(Dialect::Chat, model, text, false));
    let headers = credential(Dialect::Chat, key);
    let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
    gateway.send(&call).expect("an answer")
}

/// Says something to the store itself, for what the API has no words yet.
pub fn in_store(gateway: &Gateway, sql: &str) {
    let file = gateway.data().join("dragoman.sqlite");
    let script =
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=10); db.execute(sys.argv[2]); db.commit()";
    let mut python = std::process::Command::new(python().expect("a Python"));
    let status = python.arg("-c").arg(script).arg(file).arg(sql).status().expect("a child");
    assert!(status.success(), "{sql}");
}
