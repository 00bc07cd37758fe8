//! `dragoman login` and `dragoman session`, as somebody at a terminal uses them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use dragoman_tests::authority::Person;
use dragoman_tests::gateway::Parts;

use super::world::world;

/// The program, speaking to the world's gateway.
fn dragoman(arguments: &[&str]) -> Command {
    let mut command = Command::new(Parts::find().expect("the programs").dragoman);
    command.args(arguments).args(["--api", &format!("http://{}", world().gateway.api())]);
    command.env("DRAGOMAN_ADMIN_TOKEN", &world().panel.token).stdin(Stdio::null());
    command
}

/// Starts it: what it says first, and the rest.
fn begun(arguments: &[&str]) -> (Child, String, impl FnOnce() -> String + use<>) {
    let mut child = dragoman(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a line").expect("text");
    (child, first, move || lines.map_while(Result::ok).collect())
}

fn said(arguments: &[&str]) -> String {
    let output = dragoman(arguments).output().expect("a child");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_person_signs_in_from_a_terminal_and_out_again() {
    let (world, owner) = (world(), world().owner("terminal-alice"));
    let account = owner.account.as_str();
    let (mut child, first, rest) = begun(&["login", "terminal", "--account", account]);
    let page = first.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
    let mut person = Person::default();
    let go = person.open(&page).expect("a page").link("go").expect("a link");
    assert_eq!(person.follow(&go).expect("a page").status, 200);
    assert!(child.wait().expect("an end").success());
    assert!(rest().contains("signed in"));
    let token = world.is_served("terminal", &owner);
    let listed = said(&["session", "list", "--account", account]);
    assert!(listed.contains(account) && listed.contains(&token[token.len() - 4..]), "{listed}");
    said(&["session", "refresh", account, "terminal"]);
    said(&["session", "revoke", account, "terminal"]);
    assert!(world.session("terminal", account).is_none());
    assert!(!world.authority("terminal").is_good(&token));
}

#[test]
fn a_person_types_a_code_that_a_terminal_shows_and_hears_when_it_was_refused() {
    let (world, owner) = (world(), world().owner("terminal-bob"));
    for agrees in [true, false] {
        let (mut child, first, rest) = begun(&["login", "terminal", "--account", &owner.account, "--device"]);
        let code = first.split_whitespace().last().expect("a code");
        let authority = world.authority("terminal");
        assert!(if agrees { authority.approve_device(code) } else { authority.deny_device(code) }, "{first}");
        assert_eq!(child.wait().expect("an end").success(), agrees);
        assert_eq!(rest().contains("signed in"), agrees);
    }
    for secret in world.authority("terminal").secrets() {
        assert!(!said(&["session", "list"]).contains(&secret));
    }
    world.is_served("terminal", &owner);
}
