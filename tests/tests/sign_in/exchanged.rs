//! What a session's token is exchanged for is served in its place, and fetched anew ahead of its end.

use std::time::{Duration, Instant};

use dragoman_tests::authority::{Endpoint, Fault};

use super::panel::{SOON, wait};
use super::world::world;

#[test]
fn a_provider_sees_what_a_sessions_token_is_exchanged_for_and_never_that_token() {
    let (world, owner) = (world(), world().owner("exchanged-alice"));
    let authority = world.authority("exchanged");
    authority.change(|manners| manners.exchanged_lasts = Duration::from_secs(6));
    world.sign_in("exchanged", &owner.account);
    let until = Instant::now() + Duration::from_secs(13);
    let mut tokens = Vec::new();
    while Instant::now() < until {
        let token = world.is_served("exchanged", &owner);
        assert!(token.contains("-exchanged-exchanged-"), "{token}");
        tokens.push(token);
        std::thread::sleep(Duration::from_millis(20));
    }
    tokens.dedup();
    let exchanges = authority.journal().of(Endpoint::Exchange).len();
    assert!((3..=6).contains(&exchanges), "{exchanges} in 13 s, with tokens of 6 s; {} were used", tokens.len());
    assert_eq!(authority.journal().refreshes().len(), 0, "the session itself is young");
    // When nothing comes its owner is refused, and the server is left alone for a while.
    std::thread::sleep(Duration::from_secs(7));
    authority.fail(Endpoint::Exchange, [Fault::Answer(503, String::new())]);
    for _ in 0..5 {
        assert_eq!(world.ask("exchanged", &owner.key), (503, Vec::new()));
    }
    assert_eq!(authority.journal().of(Endpoint::Exchange).len(), exchanges + 1);
    wait("it is asked again", SOON + Duration::from_secs(10), || world.ask("exchanged", &owner.key).0 == 200);
}
