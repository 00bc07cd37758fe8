//! Who may do what: every operation of the description, with every token.

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use serde_json::{Value, json};

use super::panel::Panel;

const ROLES: [&str; 4] = ["viewer", "operator", "owner", "tenant-admin"];

/// What everybody may read; nothing of it is about anybody.
const OPEN: [&str; 2] = ["/openapi.json", "/healthz"];

/// An operation of the description.
struct Operation {
    method: String,
    path: String,
    allowed: Vec<String>,
    has_body: bool,
    secured: bool,
}

fn operations(description: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, operations) in description["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let roles = operation["x-roles"].as_array().unwrap_or_else(|| panic!("{method} {path} has no roles"));
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.replace("{version}", "4294967295").replace("{id}", "nothing").replace(['{', '}'], ""),
                allowed: roles.iter().filter_map(|role| Some(role.as_str()?.to_owned())).collect(),
                has_body: operation["requestBody"].is_object(),
                secured: operation["security"].as_array().is_some_and(|ways| !ways.is_empty()),
            });
        }
    }
    all
}

impl Operation {
    /// The least that comes past the guard; what it says is refused or does no harm.
    fn call(&self, credentials: &[String]) -> Call {
        let call = Call::new(&self.method, &self.path);
        let call = match self.has_body {
            true => call.header("content-type", "application/json").body("{\"role\": \"viewer\"}"),
            false => call,
        };
        credentials.iter().fold(call, |call, value| call.header("authorization", value))
    }

    fn assert(&self, panel: &Panel, who: &str, credentials: &[String], wanted: Option<u16>) {
        let answer: Answer = panel.send(&self.call(credentials));
        let what = format!("{} {} as {who}: {} {}", self.method, self.path, answer.status, answer.text());
        match wanted {
            None => assert!(!matches!(answer.status, 0 | 401 | 403 | 405 | 500..), "{what}"),
            Some(wanted) => {
                assert_eq!(answer.status, wanted, "{what}");
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
            }
        }
    }
}

#[test]
fn every_operation_is_open_to_its_roles_and_to_nobody_else() {
    let gateway = Gateway::start(&Setup::new().demo()).expect("a gateway");
    let panel = Panel::of(&gateway);
    let described = panel.send(&Call::new("GET", "/openapi.json")).json().expect("the description");
    let operations = operations(&described);
    assert!(operations.len() > 40, "{} operations are not all", operations.len());
    let tokens: Vec<(String, String)> = ROLES.map(|role| (role.to_owned(), panel.token(role).1)).into();
    let (revoked, dead) = panel.token("owner");
    assert_eq!(panel.post(&format!("/tokens/{revoked}/revoke"), &Value::Null), json!({ "revoked": 1 }));

    let bearer = |token: &str| format!("Bearer {token}");
    for operation in &operations {
        let what = format!("{} {}", operation.method, operation.path);
        assert!(operation.secured && !operation.allowed.is_empty(), "{what} is open to everybody");
        assert!(operation.allowed.contains(&"owner".to_owned()), "{what}: an owner may do everything");
        for (role, token) in &tokens {
            let wanted = (!operation.allowed.contains(role)).then_some(403);
            operation.assert(&panel, role, &[bearer(token)], wanted);
            let twice = [bearer(token), bearer(&panel.token)];
            operation.assert(&panel, &format!("{role} and an owner at once"), &twice, Some(401));
        }
        operation.assert(&panel, "nobody", &[], Some(401));
        operation.assert(&panel, "one who is no longer", &[bearer(&dead)], Some(401));
        operation.assert(&panel, "a caller", &[bearer(gateway.key())], Some(401));
        operation.assert(&panel, "one without a scheme", std::slice::from_ref(&panel.token), Some(401));
        let basic = format!("Basic {}", panel.token);
        operation.assert(&panel, "one with another scheme", &[basic], Some(401));
    }
    for path in OPEN {
        assert_eq!(panel.send(&Call::new("GET", path)).status, 200, "{path}");
    }
}

/// The policy in other words than the description's own: so a new operation with the wrong policy is seen.
#[test]
fn who_only_reads_changes_nothing_and_a_tenant_admin_works_on_accounts_and_keys() {
    let gateway = Gateway::start(&Setup::new().demo()).expect("a gateway");
    let described = Panel::of(&gateway).send(&Call::new("GET", "/openapi.json")).json().expect("the description");
    for operation in operations(&described) {
        let what = format!("{} {}", operation.method, operation.path);
        let may = |role: &str| operation.allowed.iter().any(|allowed| allowed == role);
        let of = |part: &str| operation.path.starts_with(&format!("/api/v1/{part}"));
        let only_asks = operation.method == "GET"
            || ["/api/v1/check", "/api/v1/explain", "/api/v1/ledger/reconcile"].contains(&&*operation.path);
        let people = of("sign-ins") || of("sessions");
        let own = of("keys") || of("accounts") || of("credentials") || of("cool-downs") || people;
        let spent = operation.method == "GET" && (of("records") || of("costs") || of("ledger"));
        // Not what operators train on.
        let said = operation.path == "/api/v1/feedback";
        assert_eq!(may("tenant-admin"), own || spent || said, "{what}");
        assert_eq!(may("viewer"), only_asks && !of("keys") && !of("credentials") && !people && !of("tokens"), "{what}");
        assert_eq!(may("operator"), !of("tokens"), "{what}");
    }
}

#[test]
fn a_revoked_token_is_refused_at_once_and_the_last_owner_stays() {
    let gateway = Gateway::start(&Setup::new().demo()).expect("a gateway");
    let panel = Panel::of(&gateway);
    let (id, token) = panel.token("viewer");
    let viewer = panel.with(&token);
    viewer.get("/status");
    panel.post(&format!("/tokens/{id}/revoke"), &json!({}));
    assert_eq!(viewer.send(&viewer.call("GET", "/status")).status, 401);
    let listed = panel.get("/tokens");
    let owner = listed["items"].as_array().expect("items").iter().find(|item| item["role"] == "owner");
    let id = owner.expect("the first")["id"].as_str().expect("its id").to_owned();
    let answer = panel.send(&panel.call("POST", &format!("/tokens/{id}/revoke")));
    assert_eq!(answer.status, 409, "{}", answer.text());
    panel.get("/status");
}
