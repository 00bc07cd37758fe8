//! Tokens are renewed ahead of their end, and a server that refuses is not asked again and again.

use std::time::{Duration, Instant};

use dragoman_tests::authority::{Endpoint, Fault};
use dragoman_tests::client::{Answer, Call};
use dragoman_tests::said::{ask, path, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Script, Simulator, When};
use serde_json::json;

use super::panel::{SOON, ask_as, in_store, wait};
use super::world::{Owner, World, text, words, world};

#[test]
fn tokens_that_end_soon_are_renewed_before_they_do() {
    let (world, owner) = (world(), world().owner("short-alice"));
    let authority = world.authority("short");
    authority.change(|manners| manners.access_lasts = Duration::from_secs(12));
    world.sign_in("short", &owner.account);
    let until = Instant::now() + Duration::from_secs(26);
    let mut tokens = Vec::new();
    while Instant::now() < until {
        // Good when it was used, by the server's own clock.
        tokens.push(world.is_served("short", &owner));
        std::thread::sleep(Duration::from_millis(20));
    }
    tokens.dedup();
    let refreshes = authority.journal().refreshes().len();
    assert!((3..=5).contains(&refreshes), "{refreshes} in 26 s, with tokens of 12 s; {} were used", tokens.len());
    assert_eq!(authority.journal().families_revoked(), 0);
}

#[test]
fn a_token_is_asked_for_once_by_each_worker() {
    let world = World::start(&["warm"], |setup| setup.workers(2).variable("DRAGOMAN_LOG", "debug"));
    let owner = world.owner("alice");
    world.sign_in("warm", &owner.account);
    world.models.play(Script::always(Reply::json(200, &words())));
    for _ in 0..1_000 {
        assert_eq!(ask_as(&world.gateway, &owner.key, "model-of-warm", "hello").status, 200);
    }
    let log = world.gateway.log();
    let asked = |line: &&str| line.contains("a credential is asked for") && line.contains(&owner.account);
    let asked: Vec<&str> = log.lines().filter(asked).collect();
    assert!((1..=2).contains(&asked.len()), "{asked:#?}");
}

#[test]
fn a_slow_server_delays_nobody_whose_token_is_still_good() {
    let (world, owner) = (world(), world().owner("slower-alice"));
    let authority = world.authority("slower");
    authority.change(|manners| manners.access_lasts = Duration::from_secs(10));
    world.sign_in("slower", &owner.account);
    let first = world.is_served("slower", &owner);
    let until = Instant::now() + Duration::from_secs(9);
    // Somewhat ahead of its end somebody begins to renew it, which takes a while.
    authority.fail(Endpoint::Token, [Fault::Late(Duration::from_millis(900))]);
    let (mut slowest, mut count) = (Duration::ZERO, 0);
    while Instant::now() < until {
        let asked = Instant::now();
        world.is_served("slower", &owner);
        slowest = slowest.max(asked.elapsed());
        count += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    // Half of what the server takes: what is above is a shared machine's.
    assert!(slowest < Duration::from_millis(450), "of {count} the slowest took {slowest:?}");
    wait("it is renewed", SOON, || world.is_served("slower", &owner) != first);
    assert_eq!(authority.journal().refreshes().len(), 1);
}

#[test]
fn a_session_that_the_provider_ended_asks_for_a_new_sign_in_and_nothing_else() {
    let (world, owner) = (world(), world().owner("calm-alice"));
    let authority = world.authority("calm");
    authority.change(|manners| manners.access_lasts = Duration::from_secs(2));
    world.sign_in("calm", &owner.account);
    world.is_served("calm", &owner);
    authority.revoke_all();
    std::thread::sleep(Duration::from_secs(3));
    let until = Instant::now() + Duration::from_secs(4);
    let mut statuses = Vec::new();
    while Instant::now() < until {
        statuses.push(world.ask("calm", &owner.key).0);
    }
    assert!(statuses.last().is_some_and(|status| *status != 200), "{statuses:?}");
    let refused = authority.journal().refreshes().iter().filter(|asked| asked.outcome == "invalid_grant").count();
    assert_eq!(refused, 1, "a refresh token that is no good is shown once");
    let session = world.session("calm", &owner.account).expect("it is told of");
    assert_eq!(text(&session, "state"), "needs_sign_in");
    assert!(session["said"].as_str().is_some_and(|said| said.len() > 10), "{session}");
    let answer = world.refresh("calm", &owner.account);
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert_eq!(authority.journal().refreshes().len(), 1, "nor by hand");
    authority.change(|manners| manners.access_lasts = Duration::from_secs(3600));
    world.sign_in("calm", &owner.account);
    wait("they are served again", SOON, || world.ask("calm", &owner.key).0 == 200);
    assert_eq!(text(&world.session("calm", &owner.account).expect("a session"), "state"), "active");
}

/// What a provider streams.
fn streamed() -> Reply {
    let chunk = |delta, reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
        let chunk =
            json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] });
        format!("data: {chunk}\n\n")
    };
    let said = chunk(json!({ "role": "assistant", "content": "hi" }), None) + &chunk(json!({}), Some("stop"));
    Reply::event_stream(said + "data: [DONE]\n\n")
}

/// A request of an owner's, and the tokens that the provider was shown with it.
fn asked(world: &World, owner: &Owner, words: &str, stream: bool) -> (Answer, Vec<String>) {
    let model = "model-of-rejected";
    let call = Call::post(&path(Dialect::Chat, model, stream)).json(&ask(Dialect::Chat, model, words, stream));
    let answer = world.gateway.send(&call.header("authorization", format!("Bearer {}", owner.key))).expect("an answer");
    let seen = world.models.journal().mentioning(words);
    let shown = seen.iter().filter_map(|one| one.received.header("authorization").map(str::to_owned));
    (answer, shown.collect())
}

#[test]
fn a_request_whose_token_is_rejected_is_sent_once_more_with_another_and_nobody_sees_it() {
    let (world, owner) = (world(), world().owner("rejected-alice"));
    let authority = world.authority("rejected");
    world.sign_in("rejected", &owner.account);
    let no = |status| Reply::json(status, &json!({ "error": { "message": "canary-of-a-no" } }));
    let mut token = world.is_served("rejected", &owner);
    // What was made within a minute is not made anew.
    let age = || {
        in_store(&world.gateway, "UPDATE vault_entry SET changed_ms = changed_ms - 120000 WHERE provider = 'rejected'")
    };
    for (status, stream) in [(401, false), (403, false), (401, true)] {
        age();
        let words = format!("rejected-{status}-{stream}-end");
        let good = if stream { streamed() } else { Reply::json(200, &super::world::words()) };
        world.models.when(When::mentions(&words), [no(status), good]);
        let before = authority.journal().refreshes().len();
        let (answer, shown) = asked(world, &owner, &words, stream);
        assert_eq!((answer.status, answer.header("x-dragoman-attempts")), (200, Some("2")), "{}", answer.text());
        assert_eq!(read(Dialect::Chat, &answer).text, "hi", "{}", answer.text());
        assert_eq!(answer.header("x-dragoman-target"), Some("rejected/model-of-rejected"));
        let [first, second] = shown.as_slice() else { panic!("{shown:?}") };
        assert_eq!(*first, format!("Bearer {token}"));
        token = second.trim_start_matches("Bearer ").to_owned();
        assert!(first != second && authority.is_good(&token), "{shown:?}");
        assert_eq!(authority.journal().refreshes().len(), before + 1);
        assert_eq!(world.is_served("rejected", &owner), token);
        let exchange = answer.header("x-dragoman-request-id").expect("an id");
        let record = world.gateway.record(exchange, SOON).expect("a Record");
        let ended = |at: usize| (record["outcomes"][at]["ending"].clone(), record["outcomes"][at]["status"].clone());
        assert_eq!((ended(0), ended(1)), ((json!("retriable"), json!(status)), (json!("answered"), json!(200))));
    }
    // Once: a provider that rejects whatever it is shown has said so.
    age();
    world.models.when(When::mentions("whatever-comes"), [no(401)]);
    let (answer, shown) = asked(world, &owner, "whatever-comes", false);
    assert!(answer.status == 401 && answer.text().contains("canary-of-a-no"), "{} {}", answer.status, answer.text());
    assert_eq!(shown.len(), 2, "{shown:?}");
    // Nothing else is sent twice.
    for (words, reply) in [
        ("limited-end", no(429)),
        ("broken-end", no(500)),
        ("wrong-end", no(400)),
        ("reset-end", Reply::reset()),
        ("gone-end", Reply::hang_up()),
    ] {
        age();
        world.models.when(When::mentions(words), [reply, Reply::json(200, &super::world::words())]);
        let (answer, shown) = asked(world, &owner, words, false);
        assert!(answer.status >= 400 && shown.len() == 1, "{words}: {} {shown:?} {}", answer.status, answer.text());
    }
    // The provider gives no other: its word is what the caller hears, and the session asks for a sign-in.
    age();
    authority.revoke_all();
    world.models.when(When::mentions("over-end"), [no(401)]);
    let (answer, _) = asked(world, &owner, "over-end", false);
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(text(&world.session("rejected", &owner.account).expect("a session"), "state"), "needs_sign_in");
    assert_eq!(authority.journal().families_revoked(), 0);
}

#[test]
fn where_others_follow_they_are_asked_and_the_one_that_rejected_its_token_again_with_another_when_they_fail() {
    let well = Simulator::start(Persona::chat("sk-well")).expect("a provider");
    let route = "[[route]]\nname = \"both\"\ncandidates = [\"followed/model-of-followed\", \"well/m\"]\n";
    let world = World::start(&["followed"], |setup| setup.simulator("well", &well).more(route));
    let owner = world.owner("alice");
    world.sign_in("followed", &owner.account);
    let no = |status| Reply::json(status, &json!({ "error": { "message": "canary-of-a-no" } }));
    for (others, attempts, by) in [(None, "2", "well/m"), (Some(500), "3", "followed/model-of-followed")] {
        let token = world.is_served("followed", &owner);
        in_store(&world.gateway, "UPDATE vault_entry SET changed_ms = changed_ms - 120000");
        let words = format!("followed-{attempts}-end");
        world.models.when(When::mentions(&words), [no(401), Reply::json(200, &super::world::words())]);
        if let Some(status) = others {
            well.when(When::mentions(&words), [no(status)]);
        }
        let answer = ask_as(&world.gateway, &owner.key, "both", &words);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = (answer.header("x-dragoman-attempts"), answer.header("x-dragoman-target"));
        assert_eq!(told, (Some(attempts), Some(by)), "{}", answer.text());
        let seen = world.models.journal().mentioning(&words);
        let shown: Vec<&str> = seen.iter().filter_map(|one| one.received.header("authorization")).collect();
        assert_eq!(shown[0], format!("Bearer {token}"));
        assert!(shown.get(1).is_none_or(|second| *second != shown[0]), "with another: {shown:?}");
        assert_ne!(world.is_served("followed", &owner), token, "the next request has another");
    }
}
