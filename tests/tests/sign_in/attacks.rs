//! AZ-07, AZ-09, AZ-11: the callback asked by somebody else, PKCE talked down, browsers sent elsewhere.

use std::collections::HashSet;

use dragoman_tests::authority::words::{of_url, one, with, write};
use dragoman_tests::authority::{Decision, Endpoint, Page, Person};
use dragoman_tests::client::Call;

use super::world::{text, world};

/// An address with one parameter said otherwise; left out where there is none.
fn but(url: &str, name: &str, value: Option<&str>) -> String {
    let mut words = of_url(url);
    words.retain(|word| word.0 != name);
    words.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    with(url.split('?').next().expect("an address"), &words)
}

/// The page says no, in words, and shows nothing of what came.
fn refused(page: &Page, what: &str) {
    assert_eq!(page.status, 400, "{what}: {}", page.text());
    assert!(page.answer.header("location").is_none(), "{what}");
    assert!(page.text().contains("<h1"), "{what}: a page for people: {}", page.text());
}

#[test]
fn a_callback_without_its_state_or_from_another_browser_is_nothing() {
    let (world, alice, eve) = (world(), world().owner("state-alice"), world().owner("state-eve"));
    let authority = world.authority("state");
    let begun = world.begin("state", &alice.account, "browser");
    let (mut person, back) = world.sent_back(&begun);
    let state = one(&of_url(&back), "state").expect("a state").to_owned();
    assert!(state.len() >= 43, "256 bits: {state}");
    let of_eve = world.begin("state", &eve.account, "browser");
    let (mut eves, eves_back) = world.sent_back(&of_eve);
    let eves_state = one(&of_url(&eves_back), "state").expect("a state").to_owned();
    let twice = format!("{back}&state={state}");
    let shorter = &state[..state.len() - 1];
    let cases = [
        ("no state", but(&back, "state", None)),
        ("an empty state", but(&back, "state", Some(""))),
        ("another state", but(&back, "state", Some(&"A".repeat(43)))),
        ("a part of the state", but(&back, "state", Some(shorter))),
        ("the state of somebody else", but(&back, "state", Some(&eves_state))),
        ("the state twice", twice),
        ("the state as a wildcard", but(&back, "state", Some("%"))),
        ("the state and SQL", but(&back, "state", Some("' OR 1=1 --"))),
        ("no code", but(&back, "code", None)),
        ("another issuer", but(&back, "iss", Some("http://127.0.0.1:1"))),
        ("no issuer", but(&back, "iss", None)),
    ];
    // None of these ends the sign-in of whoever really comes, except those that have the right state and the right browser.
    for (what, url) in cases.iter().take(8) {
        refused(&person.clone().open(url).expect("a page"), what);
    }
    refused(&Person::default().open(&back).expect("a page"), "a browser without the cookie");
    refused(&eves.clone().open(&back).expect("a page"), "the browser of somebody else");
    assert!(authority.journal().codes().is_empty(), "no code was shown to the server");
    for (what, url) in &cases[8..] {
        let begun = world.begin("state", &alice.account, "browser");
        let (mut person, back) = world.sent_back(&begun);
        let url = but(url, "state", one(&of_url(&back), "state"));
        refused(&person.open(&url).expect("a page"), what);
    }
    assert!(authority.journal().codes().is_empty(), "no code was shown to the server");
    assert!(world.session("state", &alice.account).is_none() && world.session("state", &eve.account).is_none());
    // Eve can't have Alice's browser finish Eve's sign-in, which would put Alice's requests on Eve's account.
    refused(&person.open(&eves_back).expect("a page"), "a forged callback in the victim's browser");
    assert!(world.session("state", &eve.account).is_none());
    // Whoever really comes is signed in.
    assert_eq!(eves.open(&eves_back).expect("a page").status, 200);
    assert!(world.session("state", &eve.account).is_some());
}

#[test]
fn a_callback_is_good_once() {
    let (world, owner) = (world(), world().owner("replayed-alice"));
    let begun = world.begin("replayed", &owner.account, "browser");
    let (mut person, back) = world.sent_back(&begun);
    // Twenty at once: a double click, an extension that loads ahead, an attacker with a copy of everything.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racing: Vec<_> = (0..20)
            .map(|_| (person.clone(), &back))
            .map(|(mut person, back)| scope.spawn(move || person.open(back).expect("a page").status))
            .collect();
        racing.into_iter().map(|racer| racer.join().expect("a status")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    for _ in 0..3 {
        refused(&person.open(&back).expect("a page"), "again");
    }
    let authority = world.authority("replayed");
    assert_eq!((authority.journal().codes().len(), authority.journal().families_revoked()), (1, 0));
    assert_eq!(world.standing(&begun).0, "done");
    world.is_served("replayed", &owner);
    // The page that asked is of no use any more either.
    let page = person.open(text(&begun, "start_url")).expect("a page");
    assert!(page.status != 200 && page.link("go").is_err(), "{} {}", page.status, page.text());
}

#[test]
fn every_opening_has_a_state_a_verifier_and_a_cookie_of_its_own() {
    let (world, owner) = (world(), world().owner("pkce-alice"));
    let mut seen: HashSet<String> = HashSet::new();
    for _ in 0..10 {
        let begun = world.begin("pkce", &owner.account, "browser");
        let mut person = Person::default();
        let page = person.open(text(&begun, "start_url")).expect("a page");
        let go = of_url(&page.link("go").expect("a link"));
        let cookie = page.answer.header("set-cookie").expect("a cookie").to_owned();
        assert!(cookie.starts_with("dragoman-sign-in=") && cookie.contains("HttpOnly"), "{cookie}");
        assert!(cookie.contains("SameSite=Lax") && !cookie.to_lowercase().contains("domain"), "{cookie}");
        let secret = cookie.split(['=', ';']).nth(1).expect("a value").to_owned();
        let [state, challenge] = ["state", "code_challenge"].map(|name| one(&go, name).expect("a word").to_owned());
        assert!(secret.len() >= 43 && secret != state && !cookie.contains(&challenge), "{cookie}");
        assert_eq!((challenge.len(), one(&go, "code_challenge_method")), (43, Some("S256")));
        for fresh in [state, challenge, secret] {
            assert!(seen.insert(fresh), "said twice");
        }
        for (name, wanted) in [("cache-control", "no-store"), ("referrer-policy", "no-referrer")] {
            assert!(page.answer.header(name).is_some_and(|value| value.contains(wanted)), "{name}");
        }
        let policy = page.answer.header("content-security-policy").unwrap_or_default().to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!page.text().contains("<script"), "{}", page.text());
    }
    // A verifier goes to the server and nowhere else; a used one is not used again.
    let (mut person, back) = world.sent_back(&world.begin("pkce", &owner.account, "browser"));
    assert_eq!(person.open(&back).expect("a page").status, 200);
    let codes = world.authority("pkce").journal().codes();
    assert_eq!(codes.len(), 1, "{codes:?}");
    // Two attackers on the way: one takes the challenge off, the other asks for the method that shows the verifier.
    for (name, value) in [("code_challenge", None), ("code_challenge_method", Some("plain"))] {
        let begun = world.begin("pkce", &owner.account, "browser");
        let mut person = Person::default();
        let page = person.open(text(&begun, "start_url")).expect("a page");
        let go = but(&page.link("go").expect("a link"), name, value);
        refused(&person.follow(&go).expect("a page"), name);
    }
    assert_eq!(world.authority("pkce").journal().codes().len(), 1);
}

#[test]
fn the_last_opening_counts_and_a_code_of_an_earlier_one_is_nothing() {
    let (world, owner) = (world(), world().owner("pkce-bob"));
    let begun = world.begin("pkce", &owner.account, "browser");
    let (mut person, earlier) = world.sent_back(&begun);
    let page = person.open(text(&begun, "start_url")).expect("a page");
    let later = person.follow_up_to(&page.link("go").expect("a link"), "/sign-in/callback/").expect("sent back");
    let codes = || world.authority("pkce").journal().codes().iter().filter(|asked| asked.outcome == "ok").count();
    let before = codes();
    refused(&person.clone().open(&earlier).expect("a page"), "the state of an earlier opening");
    // The code of the earlier one under the state of the later: its verifier is another.
    let injected = but(&later, "code", one(&of_url(&earlier), "code"));
    refused(&person.open(&injected).expect("a page"), "an injected code");
    assert_eq!(codes(), before);
    assert!(world.session("pkce", &owner.account).is_none());
}

#[test]
fn nobody_is_sent_elsewhere() {
    let (world, owner) = (world(), world().owner("open-alice"));
    let places = [
        "//evil.example",
        "https://evil.example",
        "\\evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "data:text/html,evil.example",
        "%2F%2Fevil.example",
        "/\t/evil.example",
        "https:evil.example",
        "https://127.0.0.1@evil.example",
    ];
    for place in places {
        for name in ["return_to", "next", "redirect", "redirect_uri", "url", "continue"] {
            let begun = world.begin("open", &owner.account, "browser");
            let more = write(&[(name.to_owned(), place.to_owned())]);
            let mut person = Person::default();
            let page = person.open(&format!("{}?{more}", text(&begun, "start_url"))).expect("a page");
            assert!(!page.text().contains("evil"), "{name}={place}: {}", page.text());
            let go = page.link("go").unwrap_or_default();
            assert!(go.is_empty() || go.starts_with(&world.authority("open").authorize_url()), "{name}={place}: {go}");
            let bare = format!("http://{}/sign-in/callback/open?{more}&state=x&code=y", world.gateway.api());
            let page = person.open(&bare).expect("a page");
            refused(&page, place);
            assert!(!page.text().contains("evil"), "{name}={place}: {}", page.text());
        }
    }
    for path in [
        "//evil.example/sign-in/x",
        "/sign-in//evil.example",
        "/sign-in/callback//evil.example",
        "/sign-in/%0d%0aset-cookie:x=y",
    ] {
        let answer = Call::new("GET", path).send(&world.gateway.api()).expect("an answer");
        assert!(answer.header("location").is_none() && answer.header("set-cookie").is_none(), "{path}");
        assert!(answer.status >= 400 && !answer.text().contains("evil.example"), "{path}: {}", answer.text());
    }
}

#[test]
fn what_a_provider_says_of_an_error_is_shown_as_text() {
    let (world, owner) = (world(), world().owner("escaped-alice"));
    let evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`\u{202e}\r\nset-cookie: a=b";
    let words = ["error", "error_description", "error_uri"].map(|name| (name.to_owned(), evil.to_owned()));
    let state = ("state".to_owned(), "{state}".to_owned());
    let said = words.into_iter().chain([state]).collect();
    let authority = world.authority("escaped");
    authority.change(|manners| manners.decision = Decision::Say(said));
    let begun = world.begin("escaped", &owner.account, "browser");
    let (mut person, back) = world.sent_back(&begun);
    let issuer = format!("{back}&{}", write(&[("iss".to_owned(), authority.url())]));
    let page = person.open(&issuer).expect("a page");
    refused(&page, "an error");
    let text = page.text();
    assert!(!text.contains("<script>alert") && !text.contains("<img") && !text.contains('\u{202e}'), "{text}");
    assert!(page.answer.header("set-cookie").is_none_or(|value| !value.contains("a=b")));
    let (state, said) = world.standing(&begun);
    assert!(state == "failed" && !said.contains('\n') && !said.contains('\u{202e}'), "{said}");
    assert!(!world.gateway.log().contains("alert(1)</script>"), "nothing of a stranger's is in the log as it came");
    assert_eq!(authority.journal().of(Endpoint::Token).len(), 0);
}
