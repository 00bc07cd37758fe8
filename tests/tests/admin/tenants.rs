//! Nobody sees or changes anything of another tenant: every operation of the description, with every name of theirs, in paths,
//! queries, bodies and repeated requests.

use std::time::{SystemTime, UNIX_EPOCH};

use dragoman_core::record::{Outcome, Record};
use dragoman_tests::chaos::settling::settle;
use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::simulator::Simulator;
use serde_json::{Value, json};

use super::panel::{Panel, SOON, ask_as, provider, setup, wait};

/// A tenant with something of everything.
struct Tenant {
    name: &'static str,
    team: String,
    key: String,
    exchange: String,
    sign_in: String,
    /// Of the whole tenant, and of its team alone.
    admins: [Panel; 2],
}

impl Tenant {
    fn make(gateway: &Gateway, panel: &Panel, name: &'static str) -> Self {
        let team = format!("{name}.team");
        let terms = json!({ "tags": { "centre": name }, "budgets": [{ "requests": 1000, "per": "day" }] });
        panel.put(&format!("/accounts/{name}"), &json!({ "kind": "tenant", "terms": terms }));
        panel.put(&format!("/accounts/{team}"), &json!({ "kind": "team", "terms": terms }));
        panel.put(&format!("/credentials/{name}/only"), &json!({ "secret": "sk-only" }));
        let made = panel.post("/keys", &json!({ "name": format!("{name}-key"), "account": team, "terms": terms }));
        let answer = ask_as(gateway, made["key"].as_str().expect("a key"), "some-model", "hello");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let exchange = answer.header("x-dragoman-request-id").expect("an id").to_owned();
        let kept = || panel.send(&panel.call("GET", &format!("/records/{exchange}"))).status == 200;
        wait("the Record", SOON, kept);
        let new = json!({ "provider": "people", "account": team, "flow": "browser" });
        let sign_in = panel.post("/sign-ins", &new)["id"].as_str().expect("its id").to_owned();
        settle(&gateway.control(), &[cooling(name, &team)]).expect("it is acknowledged");
        let admin = |account: &str| panel.with(&panel.token_of("tenant-admin", account).1);
        let admins = [admin(name), admin(&team)];
        Self { name, team, key: made["id"].as_str().expect("its id").to_owned(), exchange, sign_in, admins }
    }

    /// Words that are in no good answer to anybody else.
    fn words(&self) -> [&str; 4] {
        [self.name, &self.key, &self.exchange, &self.sign_in]
    }

    /// A path of the description with the names of this tenant; several where several things have the same kind of name.
    fn paths(&self, path: &str) -> Vec<String> {
        let with = |place: &str, name: &str| path.replace(place, name);
        match path.split('/').nth(3).unwrap_or_default() {
            _ if !path.contains('{') => vec![path.to_owned()],
            "accounts" => [self.name, &self.team, &format!("{}.new", self.name)].map(|id| with("{id}", id)).into(),
            "keys" => vec![with("{id}", &self.key)],
            "records" => vec![with("{exchange}", &self.exchange)],
            "sign-ins" => vec![with("{id}", &self.sign_in)],
            "credentials" | "sessions" => vec![with("{account}", self.name).replace("{provider}", "only")],
            "cool-downs" => vec![with("{provider}", "only").replace("{bearer}", &bearer(self.name))],
            other => panic!("{path}: nobody taught this test what stands in the paths of {other}"),
        }
    }

    /// All that an owner sees of it.
    fn state(&self, owner: &Panel) -> Value {
        json!({
            "accounts": owner.get(&format!("/accounts?within={}", self.name)),
            "keys": owner.get(&format!("/keys?within={}", self.name)),
            "records": owner.get(&format!("/records?account={}", self.name)),
            "credentials": owner.get(&format!("/credentials?account={}", self.name)),
            "sessions": owner.get(&format!("/sessions?account={}", self.name)),
            "cool-downs": owner.get(&format!("/cool-downs?account={}", self.name)),
            "budgets": owner.get(&format!("/keys/{}/budgets?all=true", self.key)),
            "feedback": owner.get(&format!("/feedback?account={}", self.name)),
        })
    }
}

/// The name of the token that a tenant's caller brought.
fn bearer(name: &str) -> String {
    format!("token-of-{name}")
}

/// The Record of a caller whose own token is not to be sent for an hour.
fn cooling(name: &str, account: &str) -> Record {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let until = u64::try_from(now.as_millis()).expect("milliseconds") + 3_600_000;
    Record {
        exchange: format!("cool-{name}"),
        account: account.to_owned(),
        bearer: bearer(name),
        outcomes: vec![Outcome { target: "only/some-model".to_owned(), cool_until_ms: until, ..Outcome::default() }],
        ..Record::default()
    }
}

/// A body that would be taken if the names in it and in the path were one's own.
fn body(operation: &str, account: &str) -> Value {
    match operation {
        "put_account" => json!({ "kind": "team", "terms": { "budgets": [{ "requests": 7 }] } }),
        "create_key" => json!({ "name": "stolen", "account": account }),
        "put_key" => json!({ "name": "renamed" }),
        "rotate_key" => json!({ "overlap_seconds": 0 }),
        "begin_sign_in" => json!({ "provider": "people", "account": account, "flow": "browser" }),
        "put_credential" => json!({ "secret": "sk-theirs" }),
        // That of a Record of theirs, whichever account is tried.
        "give_feedback" => json!({ "exchange": "cool-bravo", "score": 0 }),
        other => panic!("{other}: nobody taught this test what its body is"),
    }
}

struct Matrix {
    alpha: Tenant,
    bravo: Tenant,
    operations: Vec<(String, String, Value)>,
    tried: usize,
}

impl Matrix {
    fn start() -> (Simulator, Gateway, Panel, Self) {
        let only = provider("sk-only");
        let people = "[[provider]]\nid = \"people\"\nbase_url = \"https://people.example\"\n\
                      sign_in = { policy = \"owner_only\", authorize_url = \"https://people.example/a\", \
                      token_url = \"https://people.example/t\", client_id = { env = \"CLIENT_OF_PEOPLE\" } }\n";
        let setup: Setup = setup(&only).more(people).variable("CLIENT_OF_PEOPLE", "us");
        let gateway = Gateway::start(&setup).expect("a gateway");
        let panel = Panel::of(&gateway);
        let described = panel.send(&Call::new("GET", "/openapi.json")).json().expect("the description");
        let mut operations = Vec::new();
        for (path, all) in described["paths"].as_object().expect("paths") {
            for (method, operation) in all.as_object().expect("operations") {
                operations.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
        let [alpha, bravo] = ["alpha", "bravo"].map(|name| Tenant::make(&gateway, &panel, name));
        (only, gateway, panel, Self { alpha, bravo, operations, tried: 0 })
    }

    fn send(&mut self, panel: &Panel, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.tried += 1;
        let call = Call::new(method, path).header("authorization", format!("Bearer {}", panel.token));
        match body {
            Some(body) => panel.send(&call.header("content-type", "application/json").json(body)),
            None => panel.send(&call),
        }
    }

    /// A good answer to alpha has no word of bravo.
    fn assert_silent(&self, what: &str, answer: &Answer) {
        if matches!(answer.status, 200..300) {
            let text = answer.text();
            let told = self.bravo.words().into_iter().find(|word| text.contains(word));
            assert_eq!(told, None, "{what}: {text}");
        }
    }

    fn theirs_by_path(&mut self, admin: &Panel, method: &str, path: &str, operation: &Value) {
        let name = operation["operationId"].as_str().expect("its name");
        let has_body = operation["requestBody"].is_object();
        for path in self.bravo.paths(path) {
            let body = has_body.then(|| body(name, &self.bravo.team));
            let answer = self.send(admin, method, &path, body.as_ref());
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
        }
    }

    fn theirs_by_query(&mut self, admin: &Panel, path: &str, operation: &Value) {
        let plain = self.send(admin, "GET", path, None);
        assert_eq!(plain.status, 200, "GET {path}: {}", plain.text());
        self.assert_silent(path, &plain);
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" {
                continue;
            }
            let name = parameter["name"].as_str().expect("its name").to_owned();
            let key = format!("{}/{}", self.bravo.team, self.bravo.key);
            let values = [self.bravo.name, &self.bravo.team, &self.bravo.key, &self.bravo.exchange, &key, "", "a", "~"];
            for value in values.map(str::to_owned) {
                let path = format!("{path}?{name}={value}");
                let answer = self.send(admin, "GET", &path, None);
                assert!(answer.status < 500, "GET {path}: {}", answer.text());
                self.assert_silent(&path, &answer);
            }
        }
    }
}

#[test]
fn no_operation_reaches_from_one_tenant_to_another() {
    let (_only, _gateway, owner, mut matrix) = Matrix::start();
    let before = matrix.bravo.state(&owner);
    for (method, path, operation) in matrix.operations.clone() {
        let what = format!("{method} {path}");
        let roles = operation["x-roles"].as_array().expect("its roles");
        let is_theirs = roles.iter().any(|role| role == "tenant-admin");
        for admin in matrix.alpha.admins.clone() {
            match (is_theirs, path.contains('{'), method.as_str()) {
                (false, ..) => {
                    let path = path.replace(['{', '}'], "");
                    let answer = matrix.send(&admin, &method, &path, None);
                    assert_eq!(answer.status, 403, "{what}: {}", answer.text());
                }
                (true, true, _) => matrix.theirs_by_path(&admin, &method, &path, &operation),
                (true, false, "GET") => matrix.theirs_by_query(&admin, &path, &operation),
                (true, false, _) => {
                    let name = operation["operationId"].as_str().expect("its name");
                    for account in ["bravo", "bravo.team", "bravo.new", "nobody", ""] {
                        let answer = matrix.send(&admin, &method, &path, Some(&body(name, account)));
                        assert!(matches!(answer.status, 404 | 422), "{what} {account}: {}", answer.text());
                    }
                }
            }
        }
        // The same names are there for those whose they are: what is refused above is not refused for another reason.
        if is_theirs && method == "GET" {
            for own in matrix.bravo.paths(&path).iter().filter(|own| !own.contains(".new")) {
                let admin = matrix.bravo.admins[0].clone();
                let answer = matrix.send(&admin, "GET", own, None);
                assert_eq!(answer.status, 200, "GET {own} by its own: {}", answer.text());
            }
        }
    }
    assert_eq!(matrix.bravo.state(&owner), before, "nothing of theirs was changed");
    assert!(matrix.tried > 300, "{} requests are not all", matrix.tried);
}

#[test]
fn a_tenant_admin_works_below_its_own_account_and_not_on_it() {
    let (_only, _gateway, _owner, matrix) = Matrix::start();
    let [whole, team] = &matrix.alpha.admins;
    let status =
        |panel: &Panel, method: &str, path: &str, body: &Value| panel.send(&panel.with_body(method, path, body)).status;
    let account = json!({ "kind": "team" });
    assert_eq!(status(whole, "PUT", "/accounts/alpha", &json!({ "kind": "tenant" })), 403);
    assert_eq!(whole.send(&whole.call("DELETE", "/accounts/alpha")).status, 403);
    assert_eq!(status(whole, "PUT", "/accounts/alpha.new", &account), 200);
    assert_eq!(status(team, "PUT", "/accounts/alpha.team", &account), 403);
    assert_eq!(status(team, "PUT", "/accounts/alpha", &account), 404, "what is above is somebody else's");
    assert_eq!(status(team, "PUT", "/accounts/alpha.new", &account), 404);
    assert_eq!(status(team, "PUT", "/accounts/alpha.team.bob", &json!({ "kind": "user" })), 200);
    assert_eq!(status(team, "POST", "/keys", &json!({ "account": "alpha.team.bob" })), 201);
    assert_eq!(status(team, "POST", "/keys", &json!({ "account": "alpha" })), 404);
    let more = json!({ "kind": "team", "terms": { "budgets": [{ "requests": 1001, "per": "day" }] } });
    assert_eq!(status(whole, "PUT", "/accounts/alpha.new", &more), 422, "never more than those above");
    let holders = |panel: &Panel| -> Vec<String> {
        let items = panel.get(&format!("/keys/{}/budgets?all=true", matrix.alpha.key))["items"].clone();
        let holder = |item: &Value| item["holder"].as_str().expect("a holder").to_owned();
        items.as_array().expect("items").iter().map(holder).collect()
    };
    assert_eq!(holders(whole), [matrix.alpha.key.as_str(), "alpha.team", "alpha"]);
    assert_eq!(holders(team), [matrix.alpha.key.as_str(), "alpha.team"]);
}

#[test]
fn a_tenant_admin_ends_the_cool_downs_of_its_tree() {
    let (_only, _gateway, owner, matrix) = Matrix::start();
    let [alpha, bravo] = [&matrix.alpha.admins[0], &matrix.bravo.admins[1]];
    let of = |panel: &Panel| panel.get("/cool-downs")["items"].as_array().expect("items").clone();
    assert_eq!(of(&owner).len(), 2);
    let own = &of(bravo)[0];
    for (member, is) in [("provider", "only"), ("account", "bravo.team"), ("bearer", "token-of-bravo")] {
        assert_eq!(own[member], is, "{own}");
    }
    let first = owner.get("/cool-downs?limit=1");
    let second = owner.get(&format!("/cool-downs?limit=1&after={}", first["next"].as_str().expect("another page")));
    assert_eq!((&second["items"][0], &second["next"]), (own, &Value::Null));
    let path = "/cool-downs/only/token-of-bravo";
    assert_eq!(alpha.send(&alpha.call("DELETE", path)).status, 404);
    assert_eq!(bravo.delete(path), json!({ "cleared": 1 }));
    assert_eq!(bravo.send(&bravo.call("DELETE", path)).status, 404);
    assert_eq!((of(&owner).len(), of(bravo).len(), of(alpha).len()), (1, 0, 1));
    let noted = &owner.get("/audit?limit=1")["items"][0];
    assert_eq!((&noted["kind"], &noted["id"]), (&json!("cool_down"), &json!("only/token-of-bravo")), "{noted}");
    assert_eq!(noted["before"]["account"], "bravo.team");
}

#[test]
fn a_repeated_request_is_answered_to_whoever_asked_first_only() {
    let (_only, _gateway, _owner, matrix) = Matrix::start();
    let ask = |panel: &Panel, account: &str| {
        let call = panel.with_body("POST", "/keys", &json!({ "name": "again", "account": account }));
        panel.send(&call.header("idempotency-key", "the-same"))
    };
    let [bravo, alpha] = [&matrix.bravo.admins[0], &matrix.alpha.admins[0]];
    assert_eq!(ask(bravo, "bravo.team").status, 201);
    assert_eq!(ask(bravo, "bravo.team").header("idempotent-replayed"), Some("true"));
    assert_eq!(ask(alpha, "bravo.team").status, 404, "the same request, by somebody else");
    let own = ask(alpha, "alpha.team");
    assert_eq!((own.status, own.header("idempotent-replayed")), (201, None));
}
