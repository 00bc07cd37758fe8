//! Who has no key brings a token of their own for a provider: beside a token that says who they are, or over a connection whose
//! certificate does.

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::ask;
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Simulator};
use serde_json::json;

use super::identities::account;
use super::issuer::{ISSUER, Issuer, head, unsigned, with};
use super::mesh::{Certificates, paid, settings, status};
use super::panel::{Panel, provider};

/// What somebody has with the provider itself.
const OWN: &str = "sub-oat-alices-own-canary";

/// Whose JSON Web Tokens the provider takes.
const PEOPLES: &str = "https://people.example";

/// A provider that takes its callers' own tokens, and a route to it and then to the one with the gateway's key.
fn people() -> (Simulator, String) {
    let people = Simulator::start(Persona::messages(OWN)).expect("a provider");
    let row = format!(
        "[[provider]]\nid = \"people\"\nbase_url = \"{}\"\nservices = [{{ dialect = \"messages\", prefix = \"/v1\" }}]\n\
         sign_in = {{ policy = \"caller_passthrough\", token_prefixes = [\"sub-oat\"], token_issuers = [\"{PEOPLES}\"] }}\n\n\
         [[route]]\nname = \"m\"\ncandidates = [\"people/m\", \"keyed/m\"]\n\n",
        people.url()
    );
    (people, row)
}

fn setup(keyed: &Simulator, rows: &str) -> Setup {
    Setup::new().simulator("keyed", keyed).more(rows).top(super::panel::LOOPBACK)
}

/// A request with these headers.
fn call(text: &str, headers: &[(&str, &str)]) -> Call {
    let call = Call::post("/v1/messages").json(&ask(Dialect::Messages, "m", text, false));
    let call = call.header("anthropic-version", "2023-06-01");
    headers.iter().fold(call, |call, (name, value)| call.header(name, *value))
}

/// All that a provider was shown with what mentions this text, but for the text itself.
fn shown(provider: &Simulator, text: &str) -> String {
    let requests = provider.journal().mentioning(text);
    let values = requests.iter().flat_map(|one| one.received.headers.iter());
    values.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value))).collect()
}

#[test]
fn a_token_of_ones_own_goes_beside_one_that_says_who_it_is_and_neither_vouches_for_the_other() {
    let (issuer, keyed, (people, rows)) = (Issuer::new(), provider("sk-own"), people());
    let identity = format!(
        "[[identity]]\nname = \"corp\"\naccount = \"acme\"\njwt = {{ issuer = \"{ISSUER}\", audiences = [\"llm\"], jwks = '{}' }}\n",
        issuer.jwks()
    );
    let gateway = Gateway::start(&setup(&keyed, &(rows + &identity))).expect("a gateway");
    account(&Panel::of(&gateway), "acme", "tenant", &json!({}));
    let send =
        |text: &str, headers: &[(&str, &str)]| -> Answer { gateway.send(&call(text, headers)).expect("an answer") };
    let good = issuer.token(&json!({}));
    let bearer = format!("Bearer {OWN}");
    let peoples = format!("{}.c2ln", unsigned(&head(), &json!({ "iss": PEOPLES, "sub": "alice" })));
    for (text, name, value) in [("one-way", "authorization", &bearer), ("other-way", "x-api-key", &OWN.to_owned())] {
        let answer = send(text, &[("x-dragoman-key", &good), (name, value)]);
        assert_eq!(answer.header("x-dragoman-target"), Some("people/m"), "{}", answer.text());
        let seen = shown(&people, text);
        assert!(seen.contains(&format!("{name}: {value}\n")) && !seen.contains(&good), "{seen}");
    }
    // A token that its issuer signed is the provider's, whatever the provider thinks of it; another's is not.
    send("peoples-own", &[("x-dragoman-key", &good), ("x-api-key", &peoples)]);
    assert!(shown(&people, "peoples-own").contains(&peoples));
    let others = format!("{}.c2ln", unsigned(&head(), &json!({ "iss": "https://evil.example" })));
    let answer = send("others-own", &[("x-dragoman-key", &good), ("x-api-key", &others)]);
    assert_eq!(answer.header("x-dragoman-target"), Some("keyed/m"), "{}", answer.text());
    assert!(shown(&people, "others-own").is_empty() && !shown(&keyed, "others-own").contains(&others));
    // What Envoy finds good in one place says nothing of the other.
    let mallory = unsigned(&head(), &with(&json!({ "sub": "mallory" })));
    let mallory = format!("{mallory}.{}", good.rsplit('.').next().expect("a signature"));
    let (in_bearer, within) = (format!("Bearer {good}"), format!("x Bearer {good}"));
    let twice = format!("Bearer {OWN} Bearer {good}");
    for value in [&in_bearer, &within, &twice, &bearer] {
        let answer = send("forged-words", &[("x-dragoman-key", &mallory), ("authorization", value)]);
        assert_eq!(answer.status, 401, "{value}: {}", answer.text());
    }
    for (name, value) in [("x-dragoman-key", good.as_str()), ("x-api-key", &good), ("authorization", &in_bearer)] {
        let answer = send("forged-words", &[("x-dragoman-key", &mallory), (name, value)]);
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
        let answer = send("forged-words", &[(name, value), ("x-dragoman-key", &mallory)]);
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
    }
    for key in [format!("{good},"), format!("x {good}"), in_bearer, format!("{good},{good}"), mallory] {
        let answer = send("forged-words", &[("x-dragoman-key", &key), ("authorization", &bearer)]);
        assert_eq!(answer.status, 401, "{key}: {}", answer.text());
    }
    assert!(shown(&people, "forged-words").is_empty() && shown(&keyed, "forged-words").is_empty());
    assert!(!gateway.log().contains(OWN) && !gateway.log().contains(&good));
}

#[test]
fn whoever_a_certificate_names_brings_their_own_token_and_without_one_it_opens_nothing() {
    let certificates = Certificates::new("brought");
    certificates.sign("alice", "ca", "URI:spiffe://corp.example/ns/search/sa/alice");
    certificates.sign("nameless", "ca", "DNS:alice");
    let (keyed, (people, rows)) = (provider("sk-own"), people());
    let mesh = "[[identity]]\nname = \"mesh\"\nmesh = { trust_domain = \"corp.example\" }\naccount = \"acme\"\n";
    let gateway = Gateway::start(&setup(&keyed, &(rows + mesh)).listen(&settings(&certificates))).expect("a gateway");
    account(&Panel::of(&gateway), "acme", "tenant", &json!({}));
    let bearer = format!("Bearer {OWN}");
    for (text, name, value) in [("one-way", "authorization", bearer.as_str()), ("other-way", "x-api-key", OWN)] {
        let answer = certificates.send(&gateway, Some("alice"), &call(text, &[(name, value)]));
        assert!(status(&answer) == "200" && answer.contains("x-dragoman-target: people/m"), "{answer}");
        assert_eq!(paid(&gateway, &answer), ("spiffe://corp.example/ns/search/sa/alice".to_owned(), "acme".to_owned()));
        let seen = shown(&people, text);
        assert!(seen.contains(&format!("{name}: {value}\n")) && !seen.contains("spiffe"), "{seen}");
    }
    let answer = certificates.send(&gateway, Some("alice"), &call("without", &[]));
    assert!(answer.contains("x-dragoman-target: keyed/m"), "{answer}");
    for (certificate, headers) in [
        (None, &[("authorization", bearer.as_str())][..]),
        (Some("nameless"), &[("authorization", &bearer)]),
        // What is no token of a provider's is a key, and nobody has it.
        (Some("alice"), &[("authorization", "Bearer another-makers")]),
        (Some("alice"), &[("authorization", "Bearer sub-oat-one"), ("x-api-key", "sub-oat-two")]),
        (Some("alice"), &[("authorization", &bearer), ("x-api-key", gateway.key())]),
    ] {
        let answer = certificates.send(&gateway, certificate, &call("forged-words", headers));
        assert_eq!(status(&answer), "401", "{certificate:?} {headers:?}: {answer}");
    }
    assert!(shown(&people, "forged-words").is_empty() && shown(&keyed, "forged-words").is_empty());
    assert!(!gateway.log().contains(OWN));
}
