//! AZ-24: another key for the vault, while people's sessions serve and are renewed, and whoever wraps them anew is killed.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dragoman_tests::chaos::mutate::Dice;

use super::panel::{SOON, wait};
use super::world::{Owner, World, text};

/// The provider here.
const NAME: &str = "rotated";

/// People with sessions: so many rows to wrap.
const PEOPLE: usize = 24;

/// Kills of `dragoman vault rotate`.
const KILLS: usize = 100;

const VARIABLE: &str = "DRAGOMAN_VAULT_KEY";

/// Two keys, the first one first.
fn keys(first: &str, other: &str) -> String {
    [first, other].map(key).join(",")
}

fn key(name: &str) -> String {
    format!("{name}:{}", if name == "old" { "1b" } else { "2e" }.repeat(32))
}

/// `dragoman vault rotate` with these keys.
fn rotate(world: &World, keys: &str) -> Command {
    let mut rotate = world.gateway.command(&["vault", "rotate"]);
    rotate.env(VARIABLE, keys).stdout(Stdio::null()).stderr(Stdio::null());
    rotate
}

/// Runs it to its end; gives back what it said.
fn run(world: &World, keys: &str) -> String {
    let Output { status, stdout, stderr } =
        rotate(world, keys).stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("a child");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

/// How many rows a rotation to this key found under the other one.
fn found(said: &str) -> usize {
    said.split_whitespace().next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn sessions_serve_and_are_renewed_while_a_hundred_rotations_of_the_vaults_key_are_killed() {
    let both = keys("old", "new");
    let world = World::start(&[NAME], |setup| setup.variable(VARIABLE, &both));
    let people: Vec<Owner> = (0..PEOPLE).map(|number| world.owner(&format!("person-{number}"))).collect();
    people.iter().for_each(|owner| drop(world.sign_in(NAME, &owner.account)));
    // Somebody is at the provider meanwhile.
    let late = world.owner("late");
    let begun = world.begin(NAME, &late.account, "browser");
    let (mut person, back) = world.sent_back(&begun);

    let began = Instant::now();
    assert_eq!(found(&run(&world, &keys("new", "old"))), PEOPLE + 1, "sessions, and the manifest of their tenant");
    let whole = began.elapsed();
    let (mut to, mut other) = ("old", "new");
    let (mut dice, mut midway) = (Dice::new(24), 0);
    let micros = u64::try_from(whole.as_micros()).expect("a while");
    for kill in 0..KILLS {
        let mut killed = rotate(&world, &keys(to, other)).spawn().expect("a child");
        std::thread::sleep(Duration::from_micros(dice.below(micros)));
        killed.kill().expect("it was there");
        killed.wait().expect("it ended");
        // What is read and written anew in the midst of it.
        let owner = &people[kill % PEOPLE];
        let renewed = world.refresh(NAME, &owner.account);
        assert_eq!(renewed.status, 200, "kill {kill}: {}", renewed.text());
        if kill % 10 == 9 {
            world.is_served(NAME, owner);
        }
        // Begun again it does what is left, and the renewed one if that was written under the other key.
        let left = found(&run(&world, &keys(to, other)));
        assert!(left <= PEOPLE + 2, "kill {kill}: {left}");
        midway += usize::from((2..PEOPLE).contains(&left));
        (to, other) = (other, to);
    }
    assert!(midway > KILLS / 20, "they were met midway: {midway}");
    assert_eq!(person.open(&back).expect("a page").status, 200);
    wait("a sign-in from before it", SOON, || world.ask(NAME, &late.key).0 == 200);
    for owner in people.iter().chain([&late]) {
        assert_eq!(world.refresh(NAME, &owner.account).status, 200, "{}", owner.account);
        world.is_served(NAME, owner);
        assert_eq!(text(&world.session(NAME, &owner.account).expect("a session"), "state"), "active");
    }
    // All of it is under the first key in the end, and the other one may go.
    run(&world, &keys("new", "old"));
    let alone = run(&world, &key("new"));
    assert_eq!(found(&alone), 0, "{alone}");
    assert_eq!(world.authority(NAME).journal().families_revoked(), 0, "no token was shown twice");
}
