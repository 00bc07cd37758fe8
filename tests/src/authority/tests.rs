use std::time::Duration;

use serde_json::Value;

use super::words::{challenge, of_url, one, with, write};
use super::*;
use crate::client::{Answer, Call};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HERE: &str = "http://127.0.0.1:1/here";

fn pairs(words: &[(&str, &str)]) -> Vec<(String, String)> {
    words.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Authority {
    fn get(&self, url: &str) -> Answer {
        let path = url.strip_prefix(&self.url()).expect("its own");
        Call::new("GET", path).send(&self.shared.address.to_string()).expect("an answer")
    }

    fn post(&self, path: &str, words: &[(&str, &str)]) -> Answer {
        let call = Call::new("POST", path).header("content-type", "application/x-www-form-urlencoded");
        call.body(write(&pairs(words))).send(&self.shared.address.to_string()).expect("an answer")
    }

    /// The parameters with which a browser that asks like this is sent back.
    fn sent_back(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let challenge = challenge(VERIFIER);
        let mut words = pairs(&[
            ("response_type", "code"),
            ("client_id", "client"),
            ("redirect_uri", HERE),
            ("state", "a state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        words.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        words.extend(pairs(more).into_iter().filter(|word| !word.1.is_empty()));
        let answer = self.get(&with(&self.authorize_url(), &words));
        of_url(answer.header("location").unwrap_or_default())
    }

    fn redeem(&self, code: &str) -> Answer {
        self.post(
            "/token",
            &[
                ("grant_type", "authorization_code"),
                ("client_id", "client"),
                ("code", code),
                ("redirect_uri", HERE),
                ("code_verifier", VERIFIER),
            ],
        )
    }

    fn refresh(&self, token: &str) -> Answer {
        self.post("/token", &[("grant_type", "refresh_token"), ("client_id", "client"), ("refresh_token", token)])
    }
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().expect("text")
}

#[test]
fn a_browser_comes_back_with_a_code_that_is_good_for_tokens() {
    let authority = Authority::start("a", Manners::of("client")).expect("a server");
    let back = authority.sent_back(&[("scope", "one two")]);
    assert_eq!((one(&back, "state"), one(&back, "iss")), (Some("a state"), Some(authority.url().as_str())));
    let tokens = authority.redeem(one(&back, "code").expect("a code")).json().expect("JSON");
    assert_eq!((text(&tokens, "scope"), &tokens["expires_in"]), ("one two", &Value::from(3600)));
    assert!(authority.is_good(text(&tokens, "access_token")));
    authority.clock().advance(Duration::from_secs(3601));
    assert!(!authority.is_good(text(&tokens, "access_token")));
    let renewed = authority.refresh(text(&tokens, "refresh_token")).json().expect("JSON");
    assert!(authority.is_good(text(&renewed, "access_token")));
    assert_eq!(authority.refresh(text(&tokens, "refresh_token")).status, 400, "used again");
    assert!(!authority.is_good(text(&renewed, "access_token")));
    assert_eq!((authority.journal().families_revoked(), authority.journal().refreshes().len()), (1, 2));
    for secret in [text(&tokens, "access_token"), text(&renewed, "refresh_token"), VERIFIER, "a state"] {
        assert!(authority.secrets().iter().any(|known| known == secret), "{secret}");
    }
}

#[test]
fn what_is_not_s256_or_not_the_clients_gets_no_code() {
    let authority = Authority::start("a", Manners::of("client")).expect("a server");
    for more in [("code_challenge_method", "plain"), ("code_challenge_method", ""), ("code_challenge", "")] {
        let back = authority.sent_back(&[more]);
        assert_eq!((one(&back, "error"), one(&back, "code")), (Some("invalid_request"), None), "{more:?}");
    }
    assert_eq!(authority.sent_back(&[("client_id", "another")]), []);
    authority.change(|manners| manners.redirects = Redirects::Exactly(vec![format!("{HERE}/exactly")]));
    assert_eq!(authority.sent_back(&[]), []);
}

#[test]
fn it_misbehaves_as_told() {
    let authority = Authority::start("a", Manners::of("client")).expect("a server");
    authority.change(|manners| manners.decision = Decision::Deny);
    assert_eq!(one(&authority.sent_back(&[]), "error"), Some("access_denied"));
    let odd = pairs(&[("code", "{code}"), ("state", "not {state}")]);
    authority.change(|manners| manners.decision = Decision::Say(odd));
    let back = authority.sent_back(&[]);
    assert_eq!((one(&back, "state"), one(&back, "iss")), (Some("not a state"), None));
    authority.change(|manners| manners.decision = Decision::Approve);
    authority.change(|manners| manners.issuer = Issuer::Other("http://other".to_owned()));
    assert_eq!(one(&authority.sent_back(&[]), "iss"), Some("http://other"));
    let other = Authority::start("b", Manners::of("of-b")).expect("another");
    let send_on = Decision::SendOn { authorize: other.authorize_url(), client: "of-b".to_owned() };
    authority.change(|manners| manners.decision = send_on);
    let on = authority.sent_back(&[]);
    assert_eq!(one(&on, "client_id"), Some("of-b"));
    let back = other.get(&with(&other.authorize_url(), &on));
    assert!(back.header("location").expect("sent on").contains("code=canary-b-code"));
}

#[test]
fn what_goes_wrong_goes_wrong_once() {
    let authority = Authority::start("a", Manners::of("client")).expect("a server");
    let code = one(&authority.sent_back(&[]), "code").expect("a code").to_owned();
    authority.fail(Endpoint::Token, [Fault::Answer(500, "oh".to_owned()), Fault::Answer(200, "<garbage".to_owned())]);
    assert_eq!(authority.redeem(&code).status, 500);
    assert_eq!(authority.redeem(&code).text(), "<garbage");
    let tokens = authority.redeem(&code).json().expect("nothing was done before");
    authority.fail(Endpoint::Token, [Fault::Cut(0), Fault::Late(Duration::from_millis(50))]);
    let call = Call::new("POST", "/token").header("content-type", "application/x-www-form-urlencoded");
    let words = pairs(&[
        ("grant_type", "refresh_token"),
        ("client_id", "client"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ]);
    call.body(write(&words)).send(&authority.shared.address.to_string()).expect_err("it was cut");
    assert!(!authority.is_good(text(&tokens, "refresh_token")), "it was done all the same");
    let late = authority.refresh(text(&tokens, "refresh_token"));
    assert!(late.status == 400 && late.sent.elapsed() >= Duration::from_millis(50));
}

#[test]
fn who_does_not_authenticate_gets_nothing() {
    let authority = Authority::start("a", Manners::of("client").with_secret("s&cret")).expect("a server");
    let back = authority.sent_back(&[]);
    let code = one(&back, "code").expect("a code");
    assert_eq!(authority.redeem(code).status, 401);
    authority.change(|manners| manners.style = Style::Json);
    let words = [
        ("grant_type", "authorization_code"),
        ("client_id", "client"),
        ("client_secret", "s&cret"),
        ("code", code),
        ("redirect_uri", HERE),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(authority.post("/token", &words).status, 400, "a form");
    let json = words.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let call = Call::post("/token").json(&Value::Object(json));
    assert_eq!(call.send(&authority.shared.address.to_string()).expect("an answer").status, 200);
    authority.change(|manners| manners.style = Style::Form);
    let basic = Call::new("POST", "/revoke").header("content-type", "application/x-www-form-urlencoded");
    // `client:s%26cret`
    let basic = basic.header("authorization", "Basic Y2xpZW50OnMlMjZjcmV0").body("token=x");
    assert_eq!(basic.send(&authority.shared.address.to_string()).expect("an answer").status, 200);
}

#[test]
fn a_device_signs_in_by_its_code() {
    let authority = Authority::start("a", Manners::of("client")).expect("a server");
    authority.clock().stop();
    let started = authority.post("/device", &[("client_id", "client"), ("scope", "one")]).json().expect("JSON");
    let poll = || {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let words = [("grant_type", grant), ("client_id", "client"), ("device_code", text(&started, "device_code"))];
        let answer = authority.post("/token", &words).json().expect("JSON");
        answer["error"].as_str().unwrap_or("ok").to_owned()
    };
    assert_eq!(poll(), "authorization_pending");
    authority.clock().advance(Duration::from_secs(1));
    assert_eq!((poll(), poll()), ("authorization_pending".to_owned(), "slow_down".to_owned()));
    let page = authority.get(text(&started, "verification_uri_complete"));
    assert!(page.text().contains("id=\"allow\""), "{}", page.text());
    let allow = format!("{}&choice=allow", text(&started, "verification_uri_complete"));
    assert_eq!((authority.get(&allow).status, authority.get(&allow).status), (200, 404));
    authority.clock().advance(Duration::from_secs(6));
    assert_eq!(poll(), "ok");
    assert_eq!(authority.journal().early_polls(), 1);
    assert_eq!(authority.journal().polls().len(), 4);
}

#[test]
fn a_person_follows_links_and_is_known_by_cookies() {
    let authority = Authority::start("a", Manners::of("client")).expect("a server");
    authority.change(|manners| manners.decision = Decision::Ask);
    let asked = pairs(&[
        ("response_type", "code"),
        ("client_id", "client"),
        ("redirect_uri", HERE),
        ("code_challenge", &challenge(VERIFIER)),
        ("code_challenge_method", "S256"),
    ]);
    let mut person = Person::default();
    let page = person.follow(&with(&authority.authorize_url(), &asked)).expect("a page");
    let back = person.follow_up_to(&page.link("allow").expect("a link"), HERE).expect("sent back");
    assert!(one(&of_url(&back), "code").is_some());
    let denied = person.follow_up_to(&page.link("deny").expect("a link"), HERE).expect("sent back");
    assert_eq!(one(&of_url(&denied), "error"), Some("access_denied"));
}
