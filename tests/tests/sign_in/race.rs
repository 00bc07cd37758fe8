//! AZ-12: many who need a fresh token at once, at one control plane and at two.

use std::sync::Barrier;
use std::time::Duration;

use dragoman_tests::authority::{Authority, Endpoint, Fault};
use dragoman_tests::gateway::Gateway;
use dragoman_tests::postgres::database;
use dragoman_tests::simulator::{Persona, Reply, Script, Simulator};

use super::panel::ask_as;
use super::world::{World, setup, words, world};

const CALLERS: usize = 100;

/// Everybody asks at once: what each was answered.
fn all_at_once<T: Send>(asks: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (barrier, asks) = (Barrier::new(CALLERS), &asks);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|number| (number, &barrier))
            .map(|(number, barrier)| {
                scope.spawn(move || {
                    barrier.wait();
                    asks(number)
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("an answer")).collect()
    })
}

/// The token has ended and the next one lasts; renewing it takes a while, so that all come meanwhile.
fn expire(authority: &Authority) {
    std::thread::sleep(Duration::from_secs(3));
    authority.change(|manners| manners.access_lasts = Duration::from_secs(3600));
    authority.fail(Endpoint::Token, [Fault::Late(Duration::from_millis(700))]);
}

fn renewed_once(authority: &Authority) {
    let refreshes: Vec<&str> = authority.journal().refreshes().iter().map(|asked| asked.outcome).collect();
    assert_eq!((refreshes.as_slice(), authority.journal().families_revoked()), (["ok"].as_slice(), 0));
}

#[test]
fn a_hundred_callers_with_an_expired_token_have_it_renewed_once() {
    let (world, owner) = (world(), world().owner("race-alice"));
    let authority = world.authority("race");
    authority.change(|manners| manners.access_lasts = Duration::from_secs(2));
    world.sign_in("race", &owner.account);
    expire(authority);
    let answers = all_at_once(|_| world.ask("race", &owner.key));
    let mut shown: Vec<String> = answers.iter().flat_map(|answer| answer.1.clone()).collect();
    shown.sort();
    shown.dedup();
    assert!(answers.iter().all(|answer| answer.0 == 200), "{answers:?}");
    assert!(shown.len() == 1 && authority.is_good(&shown[0]), "{shown:?}");
    renewed_once(authority);
    // By hand at once: each may be a renewal of its own, none may come with a token that was used.
    let statuses = all_at_once(|_| world.refresh("race", &owner.account).status);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(authority.journal().families_revoked(), 0);
    world.is_served("race", &owner);
}

#[test]
fn two_control_planes_renew_a_token_once() {
    let models = Simulator::start(Persona::chat("nobody-has-this")).expect("a provider");
    let (setup, authorities) = setup(&["shared"], &models);
    let store = database().expect("a database");
    let setup = setup.variable("DRAGOMAN_STORE", &store).variable("DRAGOMAN_PEPPER", &"5e".repeat(32));
    let setup = setup.variable("DRAGOMAN_VAULT_KEY", &"7a".repeat(32));
    let first = Gateway::start_apart(&setup).expect("a gateway");
    let second = Gateway::start_apart(&setup).expect("another gateway");
    let world = World::around(first, models, authorities);
    let (authority, owner) = (world.authority("shared"), world.owner("alice"));
    authority.change(|manners| manners.access_lasts = Duration::from_secs(2));
    world.sign_in("shared", &owner.account);
    expire(authority);
    let beside = world.panel.at(&second);
    world.models.play(Script::always(Reply::json(200, &words())));
    let statuses = all_at_once(|number| {
        let gateway = if number % 2 == 0 { &world.gateway } else { &second };
        ask_as(gateway, &owner.key, "model-of-shared", "hello").status
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    renewed_once(authority);
    let journal = world.models.journal().requests();
    let tokens = journal.iter().flat_map(|one| one.received.header_values("authorization"));
    let tokens: std::collections::HashSet<Vec<u8>> = tokens.map(<[u8]>::to_vec).collect();
    assert_eq!(tokens.len(), 1, "one token at both");
    let path = format!("/sessions?account={}", owner.account);
    assert_eq!(world.panel.get(&path), beside.get(&path));
}
