use std::process::Command;
use std::sync::LazyLock;

use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::super::tests::{ALICE, Authority, Gate};
use super::*;
use crate::settings::KnownBy;
use crate::store::tests::Directory;

fn client(url: &str) -> ServiceAccount {
    let known_by = KnownBy::Client { id: "client-of-the-gateway".into(), secret: Secret::new("secret-canary") };
    ServiceAccount { token_url: format!("{url}/token"), scopes: vec!["a".into(), "b".into()], known_by }
}

/// A key of a service account, as clouds give it.
fn key() -> &'static str {
    static KEY: LazyLock<String> = LazyLock::new(|| {
        let made = Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-quiet"]).output().unwrap();
        let pem = String::from_utf8(made.stdout).unwrap();
        serde_json::json!({ "type": "service_account", "client_email": "gate@corp.example", "private_key": pem,
                            "private_key_id": "k1", "token_uri": "https://elsewhere.example" })
        .to_string()
    });
    &KEY
}

async fn mint(gate: &Gate, account: &ServiceAccount) -> Result<String, String> {
    let minted = gate.oauth.mint("corp", account, b"").await;
    minted.map(|served| served.token.expose().to_string()).map_err(|stuck| stuck.to_string())
}

/// What is known of the gateway's own token, to be looked at or changed.
fn known(gate: &Gate, change: impl FnOnce(&mut Known)) {
    let place = gate.oauth.0.mint.place(&(String::new(), "corp".into()));
    change(place.known().as_mut().unwrap());
}

#[tokio::test]
async fn many_who_want_a_token_have_one_made_and_it_is_renewed_ahead_of_its_end() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    gate.authority.seen().slow = Duration::from_millis(100);
    let account = client(&gate.authority.url);
    let (one, other) = tokio::join!(mint(&gate, &account), mint(&gate, &account));
    assert_eq!(one, other);
    let served = gate.oauth.mint("corp", &account, b"").await.unwrap();
    assert_eq!(one.as_deref(), Ok(served.token.expose()));
    assert!((2_870_000..=2_880_000).contains(&served.valid_for_ms), "{}", served.valid_for_ms);
    let asked = gate.authority.seen().asked[0].0.clone();
    assert_eq!((asked["scope"].as_str(), asked["client_secret"].as_str()), ("a b", "secret-canary"));
    // Its last fifth: it is served for a moment, and another is made meanwhile.
    known(&gate, |known| known.token.as_mut().unwrap().times.1 = now_ms() - 1);
    let due = gate.oauth.mint("corp", &account, b"").await.unwrap();
    assert_eq!((Ok(due.token.expose()), due.valid_for_ms), (one.as_deref(), SOON_MS));
    for _ in 0..100 {
        if mint(&gate, &account).await != one {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(mint(&gate, &account).await != one);
    assert_eq!(gate.authority.asked("client_credentials"), 2);
}

#[tokio::test]
async fn where_nothing_comes_nobody_asks_for_a_while_and_operators_are_told_the_word() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let url = gate.authority.url.clone();
    let row = format!(
        "service_account = {{ token_url = \"{url}/token\", client_id = {{ env = \"CLIENT\" }}, client_secret = {{ env = \"CLIENT\" }} }}\n"
    );
    gate.publish(&format!("[[provider]]\nid = \"corp\"\nbase_url = \"{url}\"\n{row}")).await;
    let current = gate.oauth.0.current.borrow().clone();
    let Some(Credential::Minted(account)) = current.credentials.get("corp") else { panic!("it is minted") };
    assert_eq!(gate.oauth.troubles(), Vec::<String>::new());
    let no = serde_json::json!({ "error": "invalid_client", "error_description": "secret-canary" });
    gate.authority.seen().instead = Some((401, no));
    for _ in 0..3 {
        assert_eq!(mint(&gate, account).await, Err("it said `invalid_client`".into()));
    }
    assert_eq!(gate.authority.seen().asked.len(), 1);
    let trouble = "provider corp: its service account was given no token: it said `invalid_client`";
    assert_eq!(gate.oauth.troubles(), [trouble]);
    // Who was put right is not held to what was wrong before.
    gate.authority.seen().instead = None;
    assert!(mint(&gate, &ServiceAccount { scopes: vec!["other".into()], ..account.clone() }).await.is_ok());
    assert!(mint(&gate, account).await.is_ok());
    assert_eq!(gate.oauth.troubles(), Vec::<String>::new());
    // While the old one is good it is served, though no other comes.
    gate.authority.seen().instead = Some((500, serde_json::Value::Null));
    known(&gate, |known| {
        known.token.as_mut().unwrap().times.1 = now_ms() - 1;
        known.failed = Some((Failure::Unusable(String::new()), now_ms() + PAUSE_MS));
    });
    assert!(mint(&gate, account).await.is_ok());
    known(&gate, |known| known.token.as_mut().unwrap().times.0 = now_ms() - 1);
    assert!(mint(&gate, account).await.is_err());
}

#[tokio::test]
async fn a_token_that_the_provider_rejects_is_made_anew_unless_it_is_young() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let account = client(&gate.authority.url);
    let first = gate.oauth.mint("corp", &account, b"").await.unwrap().token;
    let again = async |rejected: &[u8]| gate.oauth.mint("corp", &account, rejected).await.unwrap().token;
    assert_eq!(again(&sent(&first)).await, first);
    known(&gate, |known| known.token.as_mut().unwrap().made_ms -= YOUNG_MS);
    assert_eq!(again(&sent(&Secret::new("another"))).await, first);
    let second = again(&sent(&first)).await;
    assert!(second != first && again(&sent(&first)).await == second);
}

#[tokio::test]
async fn a_key_signs_where_its_row_says_and_stands_in_no_error() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let path = directory.0.join("key.json");
    std::fs::write(&path, key()).unwrap();
    let of = |shown: &str| ServiceAccount { known_by: KnownBy::Key(Secret::new(shown)), ..client(&gate.authority.url) };
    for shown in [key(), path.to_str().unwrap()] {
        assert!(mint(&gate, &of(shown)).await.is_ok());
    }
    let assertion = gate.authority.seen().asked[1].0["assertion"].clone();
    let (said, signature) = assertion.rsplit_once('.').unwrap();
    let parts: Vec<serde_json::Value> =
        said.split('.').map(|part| serde_json::from_slice(&unbase64(part)).unwrap()).collect();
    assert_eq!(parts[0], serde_json::json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" }));
    assert_eq!((&parts[1]["iss"], &parts[1]["scope"]), (&"gate@corp.example".into(), &"a b".into()));
    assert_eq!(parts[1]["aud"], format!("{}/token", gate.authority.url));
    assert_eq!(parts[1]["exp"].as_i64().unwrap() - parts[1]["iat"].as_i64().unwrap(), 3600);
    let pem = serde_json::from_str::<serde_json::Value>(key()).unwrap()["private_key"].clone();
    let der: String = pem.as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    let pair = ring::signature::RsaKeyPair::from_pkcs8(&unbase64(&der)).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(said.as_bytes(), &unbase64(signature)).unwrap();
    for wrong in ["/canary/no-such-file", "canary", "{\"private_key\": \"canary\"}", &key().replace("MII", "canary")] {
        let told = mint(&gate, &of(wrong)).await.unwrap_err();
        assert!(told.contains("key") && !told.contains("canary"), "{told}");
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

async fn exchanging() -> (Directory, Gate) {
    let (directory, authority) = (Directory::new(), Authority::start().await);
    let store = crate::store::Store::open(&directory.0, None).await.unwrap();
    let more = format!(", exchange_url = \"{}/exchange\"", authority.url);
    let gate = Gate::of(store, authority, &more).await;
    gate.sign_in().await;
    (directory, gate)
}

async fn exchanged(gate: &Gate) -> Result<Served, Stuck> {
    gate.oauth.serve_or_exchange(ALICE, "corp", b"").await
}

#[tokio::test]
async fn what_a_sessions_token_is_exchanged_for_is_served_and_that_token_never_is() {
    let (_directory, gate) = exchanging().await;
    let (one, other) = tokio::join!(exchanged(&gate), exchanged(&gate));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.token.expose(), "tid=exchanged-canary-1;exp=1");
    assert_eq!(one.token, other.token);
    assert!((1_195_000..=1_200_000).contains(&one.valid_for_ms), "{}", one.valid_for_ms);
    assert_eq!(gate.authority.seen().exchanged.len(), 1);
    assert!(matches!(gate.oauth.serve_or_exchange("acme", "corp", b"").await, Err(Stuck::None)));
    // Another token of the session is exchanged anew.
    gate.oauth.refresh(ALICE, "corp", "me").await.unwrap();
    assert_eq!(exchanged(&gate).await.unwrap().token.expose(), "tid=exchanged-canary-2;exp=1");
    gate.oauth.sign_out(ALICE, "corp", "me").await.unwrap();
    assert!(matches!(exchanged(&gate).await, Err(Stuck::None)));
}

#[tokio::test]
async fn a_sessions_token_that_is_not_taken_in_exchange_is_renewed_once_it_is_not_young() {
    let (_directory, gate) = exchanging().await;
    let held = gate.oauth.serve(ALICE, "corp").await.unwrap().token;
    gate.authority.seen().bad.push(held.expose().to_string());
    for _ in 0..3 {
        let stuck = exchanged(&gate).await.unwrap_err();
        assert_eq!(stuck.to_string(), "it said `invalid_token`");
    }
    assert_eq!(gate.authority.seen().exchanged.len(), 1);
    assert_eq!(gate.authority.asked("refresh_token"), 0);
    gate.store.tamper(&format!("UPDATE vault_entry SET changed_ms = changed_ms - {}", YOUNG_MS + 1)).await;
    assert_eq!(exchanged(&gate).await.unwrap().token.expose(), "tid=exchanged-canary-2;exp=1");
    assert_eq!(gate.authority.asked("refresh_token"), 1);
}
