//! The gateway's own service accounts: their tokens are minted, used and renewed, and nothing of it is told.

use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_tests::authority::{Authority, Endpoint, Fault, Manners};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::simulator::{Persona, Simulator};
use ring::signature::{KeyPair as _, RsaKeyPair};
use serde_json::{Value, json};

use super::canary::{assert_untold, everything};
use super::panel::{LOOPBACK, SOON, wait};
use super::world::World;

/// One that signs, and one that knows a client's secret.
const NAMES: [&str; 2] = ["signs", "knows"];

const SECRET: &str = "canary-client-secret-of-the-gateway";

/// A key of a service account as clouds give it, and its public half.
fn key() -> (String, Vec<u8>) {
    let made = Command::new("openssl").args(["genpkey", "-quiet", "-algorithm", "RSA"]).output().expect("openssl");
    let pem = String::from_utf8(made.stdout).expect("a key");
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).expect("a key")).expect("a key");
    let key = json!({ "type": "service_account", "client_email": "gate@corp.example", "private_key": pem,
                      "private_key_id": "k1", "token_uri": "http://127.0.0.1:1/never" });
    (key.to_string(), pair.public_key().as_ref().to_vec())
}

/// A gateway with one provider for each kind of account, each of which has a second target behind it.
fn start(key: &str, public: Vec<u8>) -> World {
    let models = Simulator::start(Persona::chat("nobody-has-this")).expect("a provider");
    let signs = Manners { key: Some(public), ..Manners::of("nobody") };
    let servers = [("signs", signs), ("knows", Manners::of("client-of-knows").with_secret(SECRET))];
    let mut setup = Setup::new().top(LOOPBACK).variable("DRAGOMAN_LOG", "trace");
    setup = setup.variable("KEY", key).variable("ID", "client-of-knows").variable("SECRET", SECRET);
    setup = setup.variable("SPARE", "spare-key");
    let mut authorities = std::collections::HashMap::new();
    for (name, manners) in servers {
        // Each is renewed after half of its life: a fifth of it would be no minute.
        let manners = Manners { access_lasts: Duration::from_secs(6), ..manners };
        let authority = Authority::start(name, manners).expect("an authorization server");
        let shows = match name {
            "signs" => "key = { env = \"KEY\" }",
            _ => "client_id = { env = \"ID\" }\nclient_secret = { env = \"SECRET\" }",
        };
        setup = setup.more(&format!(
            "[[provider]]\nid = \"{name}\"\nbase_url = \"{url}\"\nservices = [{{ dialect = \"chat_completions\", prefix = \"/v1\" }}]\n\
             auth = \"api-key: {{key}}\"\nmodels = [\"model-of-{name}\"]\n\
             [provider.service_account]\ntoken_url = \"{token}\"\n{shows}\nscopes = [\"models\"]\n\
             [[provider]]\nid = \"spare-{name}\"\nbase_url = \"{url}\"\nservices = [{{ dialect = \"chat_completions\", prefix = \"/v1\" }}]\n\
             api_key = {{ env = \"SPARE\" }}\nmodels = [\"model-of-{name}\"]\n",
            url = models.url(),
            token = authority.token_url(),
        ));
        authorities.insert(name, authority);
    }
    World::around(Gateway::start(&setup).expect("a gateway"), models, authorities)
}

#[test]
fn tokens_of_service_accounts_are_minted_renewed_and_told_to_nobody() {
    let (key, public) = key();
    let world = start(&key, public);
    let caller = world.key("acme");
    let mints = |name: &str| world.authority(name).journal().mints().len();
    let until = Instant::now() + Duration::from_secs(13);
    while Instant::now() < until {
        for name in NAMES {
            let (status, shown) = world.ask(name, &caller);
            let is_good = shown.len() == 1 && world.authority(name).is_good(&shown[0]);
            assert!(status == 200 && is_good, "{name}: {status} {shown:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    for name in NAMES {
        assert!((3..=6).contains(&mints(name)), "{name}: {} in 13 s, with tokens of 6 s", mints(name));
    }
    // No token comes: the next target answers, nobody asks again at once, and the operator is told the word alone.
    let secrets = || NAMES.iter().flat_map(|name| world.authority(name).secrets());
    let no = json!({ "error": "invalid_client", "error_description": secrets().collect::<String>() }).to_string();
    let before = NAMES.map(|name| {
        world.authority(name).fail(Endpoint::Token, [Fault::Answer(401, no.clone())]);
        mints(name)
    });
    for (name, before) in NAMES.into_iter().zip(before) {
        let is_spare = || world.ask(name, &caller) == (200, vec!["spare-key".to_owned()]);
        wait("the next target answers", SOON, is_spare);
        assert_eq!(mints(name), before + 1, "{name}");
        let warnings = world.panel.get("/status")["warnings"].to_string();
        let trouble = format!("provider {name}: its service account was given no token: it said `invalid_client`");
        assert!(warnings.contains(&trouble), "{warnings}");
        wait("the account serves again", SOON, || !is_spare());
    }
    let pem = serde_json::from_str::<Value>(&key).expect("JSON")["private_key"].clone();
    let lines = pem.as_str().expect("a key").lines().filter(|line| !line.starts_with('-')).map(str::to_owned);
    let secrets: Vec<String> = secrets().chain(lines).chain([SECRET.to_owned()]).collect();
    assert!(secrets.len() > 40, "they are the right ones: {secrets:?}");
    assert_untold("trace", &everything(&world, &[]), &secrets);
}
