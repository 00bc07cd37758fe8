//! AZ-21, AZ-22, AZ-23: every secret of a sign-in, looked for wherever something is kept, said or sent, at every level of the log.

use std::path::Path;

use dragoman_tests::authority::{Endpoint, Fault, Person};
use dragoman_tests::client::Call;
use dragoman_tests::outside::Outside;
use dragoman_tests::simulator::{Reply, When};
use serde_json::{Value, json};

use super::panel::{SOON, ask_as, wait};
use super::world::{World, text};

/// The provider here; its client has a secret.
const NAME: &str = "secret-canary";

#[test]
fn no_secret_of_a_sign_in_is_kept_in_clear_or_said_at_any_level_of_the_log() {
    // What is logged at `error` and `warn` is logged at `info` as well.
    for level in ["info", "debug", "trace"] {
        let outside = Outside::start().expect("a collector");
        let world = World::start(&[NAME], |setup| outside.setup(setup.variable("DRAGOMAN_LOG", level)));
        world.panel.put("/accounts/acme", &json!({ "kind": "tenant", "terms": outside.terms() }));
        let signs = world.panel.post("/accounts/acme/webhook-secret", &Value::Null);
        let begun = live(&world);
        let mut said = everything(&world, &begun);
        wait("spans and a webhook", SOON, || outside.has("/v1/traces") && outside.has("/told"));
        said.extend(outside.places(&world.gateway).expect("they are there"));
        let mut secrets = world.authority(NAME).secrets();
        secrets.push(text(&signs, "secret").to_owned());
        assert!(secrets.len() > 15, "they are the right ones: {secrets:?}");
        assert!(world.gateway.log().contains(&level.to_uppercase()), "it says as much as it was told to");
        assert_untold(level, &said, &secrets);
    }
}

/// None of these secrets stands in what is kept or said.
pub fn assert_untold(level: &str, said: &[(String, String)], secrets: &[String]) {
    for (place, text) in said {
        for secret in secrets {
            // A part of one is too much as well.
            for part in [&secret[..secret.len() / 2], &secret[secret.len() / 2..]] {
                assert!(part.len() < 8 || !text.contains(part), "at {level}, {place}: {secret}");
            }
        }
    }
}

/// Everything that can happen to a session, good and bad; gives back the sign-ins.
fn live(world: &World) -> Vec<Value> {
    let (authority, alice, bob) = (world.authority(NAME), world.owner("alice"), world.owner("bob"));
    world.sign_in(NAME, &alice.account);
    world.is_served(NAME, &alice);
    // Callbacks that are refused carry codes and states, too.
    let refused = world.begin(NAME, &bob.account, "browser");
    let (mut person, back) = world.sent_back(&refused);
    Person::default().open(&back).expect("a page");
    person.open(&format!("{back}&state=x")).expect("a page");
    person.open(&back.replace("iss=", "was=")).expect("a page");
    // A device.
    let device = world.begin(NAME, &bob.account, "device");
    authority.fail(Endpoint::Token, [Fault::Answer(400, echo(authority.secrets()))]);
    let forgiven = world.begin(NAME, &bob.account, "device");
    authority.approve_device(text(&forgiven, "user_code"));
    authority.deny_device(text(&device, "user_code"));
    wait("both devices are told", SOON, || {
        [&device, &forgiven].iter().all(|begun| world.standing(begun).0 != "waiting")
    });
    // A server that says everything it knows when something is wrong, in each way of being wrong.
    assert_eq!(world.refresh(NAME, &alice.account).status, 200);
    for status in [500, 401, 403, 429, 200] {
        authority.fail(Endpoint::Token, [Fault::Answer(status, echo(authority.secrets()))]);
        assert!(world.refresh(NAME, &alice.account).status >= 400);
    }
    authority.fail(Endpoint::Token, [Fault::Cut(200)]);
    world.refresh(NAME, &alice.account);
    let wrong = world.begin(NAME, &bob.account, "browser");
    let (mut person, back) = world.sent_back(&wrong);
    authority.fail(Endpoint::Token, [Fault::Answer(400, echo(authority.secrets()))]);
    assert_eq!(person.open(&back).expect("a page").status, 400);
    // What the session's token is exchanged for, and a server that says everything when it does not.
    authority.fail(Endpoint::Exchange, [Fault::Answer(500, echo(authority.secrets()))]);
    // The provider refuses the token and says which it was; its owner may hear that, nobody else.
    world.sign_in(NAME, &alice.account);
    let token = world.is_served(NAME, &alice);
    let message = json!({ "error": { "message": token } });
    world.models.when(When::mentions("refuse this"), [Reply::json(401, &message), Reply::json(401, &message)]);
    ask_as(&world.gateway, &alice.key, &format!("model-of-{NAME}"), "refuse this");
    // A session ends by the provider, and one by its owner.
    authority.fail(Endpoint::Revoke, [Fault::Answer(500, echo(authority.secrets()))]);
    world.panel.delete(&format!("/sessions/{}/{NAME}", alice.account));
    world.sign_in(NAME, &alice.account);
    authority.revoke_all();
    assert_eq!(world.refresh(NAME, &alice.account).status, 409);
    vec![refused, device, forgiven, wrong]
}

fn echo(secrets: Vec<String>) -> String {
    json!({ "error": "invalid_request", "error_description": secrets.join(" "), "access_token": 1 }).to_string()
}

/// All that is kept or said: by place.
pub fn everything(world: &World, begun: &[Value]) -> Vec<(String, String)> {
    let panel = &world.panel;
    let metrics = Call::new("GET", "/metrics").header("authorization", format!("Bearer {}", panel.token));
    let mut places = vec![("the figures".to_owned(), panel.send(&metrics).text())];
    for path in [
        "/records",
        "/audit",
        "/export",
        "/status",
        "/keys",
        "/tokens",
        "/providers",
        "/accounts",
        "/credentials",
        "/sessions",
        "/discovery",
        "/snapshots",
        "/metrics/summary",
    ] {
        places.push((path.to_owned(), panel.get(path).to_string()));
    }
    let snapshots = panel.get("/snapshots");
    for item in snapshots["items"].as_array().expect("items") {
        let path = format!("/snapshots/{}", item["version"]);
        places.push((path.clone(), panel.get(&path).to_string()));
    }
    for begun in begun {
        let path = format!("/sign-ins/{}", text(begun, "id"));
        places.push((path.clone(), panel.get(&path).to_string()));
        places.push(("the answer to a beginning".to_owned(), begun.to_string()));
    }
    // The log, the settings, Envoy's configuration, the store with all that its engine keeps beside it.
    let data = world.gateway.data();
    files(data.parent().expect("a directory"), &mut places);
    assert!(
        places.iter().any(|(place, _)| place.ends_with("log"))
            && places.iter().any(|(place, _)| place.contains("sqlite"))
    );
    places
}

fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a directory").flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => {
                let bytes = std::fs::read(&path).unwrap_or_default();
                found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
}
