//! Signing in, being served, signing out.

use dragoman_tests::authority::words::{challenge, is_verifier};
use dragoman_tests::authority::{Decision, Endpoint, Fault, Person};
use dragoman_tests::client::Call;
use serde_json::json;

use super::panel::{SOON, wait};
use super::world::{FRONT, Owner, text, world};

#[test]
fn a_person_signs_in_and_nobody_else_is_served_with_their_token() {
    let (world, alice, bob) = (world(), world().owner("flow-alice"), world().owner("flow-bob"));
    let others = [bob.key.clone(), world.key("acme"), world.gateway.key().to_owned()];

    let begun = world.begin("flow", &alice.account, "browser");
    assert_eq!((text(&begun, "state"), text(&begun, "account")), ("waiting", alice.account.as_str()));
    let mut person = Person::default();
    let page = person.open(text(&begun, "start_url")).expect("a page");
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("flow") && page.text().contains(&alice.account), "it says who asks for what");
    assert_eq!(world.standing(&begun).0, "waiting");
    let done = person.follow(&page.link("go").expect("a link")).expect("a page");
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(world.standing(&begun).0, "done");

    let session = world.session("flow", &alice.account).expect("a session");
    let token = world.is_served("flow", &alice);
    assert_eq!((text(&session, "state"), text(&session, "last_four")), ("active", &token[token.len() - 4..]));
    assert_eq!(session["scopes"], json!(["models", "profile"]));
    for key in &others {
        let (status, shown) = world.ask("flow", key);
        assert!(status != 200 && !shown.contains(&token), "{status}: {shown:?}");
    }
    assert_eq!(world.is_served("flow", &alice), token, "and it stays that way");

    let journal = world.authority("flow").journal();
    let asked = journal.of(Endpoint::Authorize).pop().expect("a browser came");
    assert_eq!((asked.word("code_challenge_method"), asked.word("scope")), (Some("S256"), Some("models profile")));
    let redeemed = journal.codes();
    let [redeemed] = redeemed.as_slice() else { panic!("no code was brought") };
    let verifier = redeemed.word("code_verifier").expect("a verifier");
    assert!(is_verifier(verifier) && Some(challenge(verifier).as_str()) == asked.word("code_challenge"));
    assert_eq!(redeemed.word("redirect_uri"), asked.word("redirect_uri"));
    assert!(asked.word("redirect_uri").is_some_and(|to| to.ends_with("/sign-in/callback/flow")));
}

#[test]
fn behind_tls_the_cookie_is_the_hosts_own_and_comes_back_in_no_other_way() {
    let (world, owner) = (world(), world().owner("tls-alice"));
    let begun = world.begin("tls", &owner.account, "browser");
    let start = text(&begun, "start_url");
    assert!(start.starts_with(&format!("https://{FRONT}/sign-in/")), "{start}");
    let mut person = Person::behind(FRONT, &world.gateway.api());
    let page = person.open(start).expect("a page");
    let cookie = page.answer.header("set-cookie").expect("a cookie").to_owned();
    let mut said: Vec<&str> = cookie.split("; ").collect();
    let (name, _) = said.remove(0).split_once('=').expect("a name");
    said.sort_unstable();
    assert_eq!(name, "__Host-dragoman-sign-in");
    assert_eq!(said, ["HttpOnly", "Max-Age=3600", "Path=/", "SameSite=Lax", "Secure"]);
    assert_eq!(person.shown(FRONT, "/"), "", "in clear it is not sent");
    let back = person.follow_up_to(&page.link("go").expect("a link"), "/sign-in/callback/").expect("sent back");
    assert!(back.starts_with(&format!("https://{FRONT}/sign-in/callback/tls?")), "{back}");
    // Somebody on the network who has read the address and can set cookies in clear.
    let in_clear = back.replace("https://", "http://").replace(FRONT, &world.gateway.api());
    let call = Call::new("GET", in_clear.strip_prefix(&format!("http://{}", world.gateway.api())).expect("a path"));
    for cookie in [String::new(), cookie.split(';').next().expect("a pair").replace("__Host-", "")] {
        let call = call.clone().header("cookie", cookie);
        assert_eq!(call.send(&world.gateway.api()).expect("a page").status, 400);
    }
    let done = person.open(&back).expect("a page");
    assert_eq!((done.status, world.standing(&begun).0.as_str()), (200, "done"), "{}", done.text());
    world.is_served("tls", &owner);
}

#[test]
fn those_below_an_owner_are_not_the_owner() {
    let world = world();
    world.panel.put("/accounts/acme.flow-team", &json!({ "kind": "team" }));
    world.panel.put("/accounts/acme.flow-team.carol", &json!({ "kind": "user" }));
    let team = Owner { key: world.key("acme.flow-team"), account: "acme.flow-team".to_owned() };
    let carol = world.key("acme.flow-team.carol");
    world.sign_in("open", &team.account);
    let token = world.is_served("open", &team);
    let (status, shown) = world.ask("open", &carol);
    assert!(status != 200 && !shown.contains(&token), "{status}: {shown:?}");
}

#[test]
fn servers_want_secrets_and_json() {
    for name in ["secret", "json"] {
        let owner = world().owner(&format!("{name}-alice"));
        world().sign_in(name, &owner.account);
        let first = world().is_served(name, &owner);
        assert_eq!(world().refresh(name, &owner.account).status, 200);
        wait("the new token is served", SOON, || world().is_served(name, &owner) != first);
    }
    let asked = world().authority("json").journal().codes();
    assert!(asked.iter().all(|asked| asked.content_type.starts_with("application/json")), "{asked:?}");
}

#[test]
fn who_signs_out_is_forgotten_here_and_there() {
    let (world, owner) = (world(), world().owner("revoked-alice"));
    world.sign_in("revoked", &owner.account);
    let token = world.is_served("revoked", &owner);
    let path = format!("/sessions/{}/revoked", owner.account);
    let deleted = world.panel.delete(&path);
    assert_eq!((&deleted["deleted"], &deleted["revoked"]), (&json!(1), &json!(true)), "{deleted}");
    assert!(world.session("revoked", &owner.account).is_none());
    let authority = world.authority("revoked");
    let given_back = authority.journal().of(Endpoint::Revoke);
    assert!(given_back.iter().any(|asked| asked.outcome == "ok"), "{given_back:?}");
    assert!(!authority.is_good(&token));
    wait("nobody is served", SOON, || world.ask("revoked", &owner.key).1.is_empty());
    assert_eq!(world.panel.send(&world.panel.call("DELETE", &path)).status, 404);
    // The provider does not hear of it: what is kept here is gone all the same, and the answer says so.
    world.sign_in("revoked", &owner.account);
    authority.fail(Endpoint::Revoke, (0..10).map(|_| Fault::Answer(503, "later".to_owned())));
    let deleted = world.panel.delete(&path);
    assert_eq!((&deleted["deleted"], &deleted["revoked"]), (&json!(1), &json!(false)), "{deleted}");
    assert!(world.session("revoked", &owner.account).is_none());
}

#[test]
fn a_person_who_says_no_is_told_so() {
    let (world, owner) = (world(), world().owner("refused-alice"));
    world.authority("refused").change(|manners| manners.decision = Decision::Deny);
    let begun = world.begin("refused", &owner.account, "browser");
    let (mut person, back) = world.sent_back(&begun);
    let page = person.open(&back).expect("a page");
    assert_eq!(page.status, 400, "{}", page.text());
    let (state, said) = world.standing(&begun);
    assert!(state == "failed" && !said.is_empty(), "{state}: {said}");
    assert!(world.session("refused", &owner.account).is_none());
    assert!(world.authority("refused").journal().codes().is_empty());
}

#[test]
fn a_server_in_trouble_is_not_taken_at_its_word() {
    let (world, owner) = (world(), world().owner("troubled-alice"));
    let authority = world.authority("troubled");
    let no_token = "{\"token_type\":\"Bearer\",\"expires_in\":3600}";
    let no_bearer = "{\"access_token\":\"a\",\"token_type\":\"mac\"}";
    let two_lines = "{\"access_token\":\"a\\r\\nx-evil: 1\",\"token_type\":\"Bearer\"}";
    let huge = format!("{{\"access_token\":\"{}\",\"token_type\":\"Bearer\"}}", "a".repeat(3 << 20));
    let answers = ["<html>garbage", "", "[]", "null", no_token, no_bearer, two_lines, &huge];
    let answered = answers.map(|text| Fault::Answer(200, text.to_owned()));
    let moved = Fault::Answer(302, String::new());
    let faults = answered.into_iter().chain([moved, Fault::Answer(500, "oh".to_owned()), Fault::Lost, Fault::Cut(60)]);
    for fault in faults {
        authority.fail(Endpoint::Token, [fault.clone()]);
        let begun = world.begin("troubled", &owner.account, "browser");
        let (mut person, back) = world.sent_back(&begun);
        let page = person.open(&back).expect("a page");
        let shown = format!("{fault:?}").chars().take(80).collect::<String>();
        assert_eq!(page.status, 400, "{shown}: {}", page.text());
        assert_eq!(world.standing(&begun).0, "failed", "{shown}");
        assert!(world.session("troubled", &owner.account).is_none(), "{shown}");
    }
    world.sign_in("troubled", &owner.account);
    let token = world.is_served("troubled", &owner);
    // Trouble while renewing: what is there is used on.
    for fault in [Fault::Answer(500, "oh".to_owned()), Fault::Answer(200, "<html>".to_owned()), Fault::Lost] {
        authority.fail(Endpoint::Token, [fault.clone()]);
        let answer = world.refresh("troubled", &owner.account);
        assert_eq!(answer.status, 502, "{fault:?}: {}", answer.text());
        assert_eq!(
            text(&world.session("troubled", &owner.account).expect("a session"), "state"),
            "active",
            "{fault:?}"
        );
        assert_eq!(world.is_served("troubled", &owner), token);
    }
    let answer = world.refresh("troubled", &owner.account);
    assert_eq!(answer.status, 200, "{}", answer.text());
}
