//! AZ-08: two servers, one of them an attacker's.

use dragoman_tests::authority::words::{of_url, one, with};
use dragoman_tests::authority::{Decision, Issuer, Person};

use super::world::{text, world};

/// Nothing came of it at either: no session, and no server was shown a code.
fn nothing(account: &str) {
    for name in ["mixed-a", "mixed-b"] {
        assert!(world().session(name, account).is_none(), "{name}");
        let codes = world().authority(name).journal().codes();
        assert!(codes.is_empty(), "{name}: {codes:?}");
    }
}

#[test]
fn a_code_of_one_server_is_never_brought_to_another() {
    let (world, owner) = (world(), world().owner("mixed-alice"));
    let (honest, evil) = (world.authority("mixed-a"), world.authority("mixed-b"));

    // The attacker's server sends the browser on to the honest one: its code comes back under the attacker's sign-in.
    let on = Decision::SendOn { authorize: honest.authorize_url(), client: "client-of-mixed-a".to_owned() };
    evil.change(|manners| manners.decision = on);
    let begun = world.begin("mixed-b", &owner.account, "browser");
    let (mut person, back) = world.sent_back(&begun);
    assert!(back.contains("/sign-in/callback/mixed-b") && back.contains("canary-mixed-a-code"), "{back}");
    assert_eq!(person.open(&back).expect("a page").status, 400, "the issuer is not the one that was asked");
    assert_eq!(world.standing(&begun).0, "failed");
    nothing(&owner.account);

    // The honest one's answer is brought to the other's callback.
    let begun = world.begin("mixed-a", &owner.account, "browser");
    let (mut person, back) = world.sent_back(&begun);
    let page = person.open(&back.replace("/callback/mixed-a", "/callback/mixed-b")).expect("a page");
    assert_eq!(page.status, 400, "{}", page.text());
    nothing(&owner.account);

    // A server that says it is another, in every way one might.
    evil.change(|manners| manners.decision = Decision::Approve);
    let names = [honest.url(), format!("{}/", evil.url()), evil.url().to_uppercase(), String::new(), "null".to_owned()];
    for issuer in names.map(Issuer::Other).into_iter().chain([Issuer::Nobody]) {
        evil.change(|manners| manners.issuer = issuer.clone());
        let begun = world.begin("mixed-b", &owner.account, "browser");
        let (mut person, back) = world.sent_back(&begun);
        assert_eq!(person.open(&back).expect("a page").status, 400, "{issuer:?}");
        nothing(&owner.account);
    }
    // Twice is not once.
    evil.change(|manners| manners.issuer = Issuer::Own);
    let begun = world.begin("mixed-b", &owner.account, "browser");
    let (mut person, back) = world.sent_back(&begun);
    let twice = with(&back, &[("iss".to_owned(), honest.url())]);
    assert_eq!(person.open(&twice).expect("a page").status, 400);
    nothing(&owner.account);
    // And the honest one works on.
    world.sign_in("mixed-a", &owner.account);
    world.is_served("mixed-a", &owner);
}

#[test]
fn without_an_issuer_the_place_a_browser_comes_back_to_tells_servers_apart() {
    let (world, owner) = (world(), world().owner("lax-alice"));
    world.authority("lax").change(|manners| manners.issuer = Issuer::Nobody);
    let begun = world.begin("lax", &owner.account, "browser");
    let mut person = Person::default();
    let page = person.open(text(&begun, "start_url")).expect("a page");
    let go = of_url(&page.link("go").expect("a link"));
    assert!(one(&go, "redirect_uri").is_some_and(|to| to.ends_with("/sign-in/callback/lax")), "{go:?}");
    let back = person.follow_up_to(&page.link("go").expect("a link"), "/sign-in/callback/").expect("sent back");
    let elsewhere = person.clone().open(&back.replace("/callback/lax", "/callback/flow")).expect("a page");
    assert_eq!(elsewhere.status, 400, "{}", elsewhere.text());
    assert!(world.session("flow", &owner.account).is_none());
    world.sign_in("lax", &owner.account);
    world.is_served("lax", &owner);
}
