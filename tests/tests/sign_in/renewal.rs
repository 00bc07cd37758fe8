//! Tokens are renewed ahead of their end, and a server that refuses is not asked again and again.

use std::time::{Duration, Instant};

use dragoman_tests::authority::{Endpoint, Fault};
use dragoman_tests::simulator::{Reply, Script};

use super::panel::{SOON, ask_as, wait};
use super::world::{World, text, words, world};

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
