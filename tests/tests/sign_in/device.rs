//! AZ-10: signing in on a device without a browser.

use std::time::Duration;

use dragoman_tests::authority::{Endpoint, Fault};
use serde_json::json;

use super::panel::{SOON, wait};
use super::world::{text, world};

/// Longer than a device that was told once to slow down waits.
const SLOW: Duration = Duration::from_secs(30);

#[test]
fn a_device_shows_a_code_and_its_person_says_yes() {
    let (world, owner) = (world(), world().owner("device-alice"));
    let authority = world.authority("device");
    let begun = world.begin("device", &owner.account, "device");
    assert_eq!(text(&begun, "verification_uri"), format!("{}/verify", authority.url()));
    assert_eq!(begun["interval"], 1);
    let code = text(&begun, "user_code").to_owned();
    // However often it is asked how things stand, the provider is asked no oftener than it wants.
    let until = std::time::Instant::now() + Duration::from_secs(3);
    while std::time::Instant::now() < until {
        assert_eq!(world.standing(&begun).0, "waiting");
    }
    assert!(authority.approve_device(&code));
    wait("it is signed in", SOON, || world.standing(&begun).0 == "done");
    world.is_served("device", &owner);
    let journal = authority.journal();
    assert_eq!((journal.early_polls(), journal.families_revoked()), (0, 0));
    assert!(journal.polls().len() >= 2, "{:?}", journal.polls());
    let said = format!("{begun}{}", world.panel.get(&format!("/sign-ins/{}", text(&begun, "id"))));
    let secrets = authority.secrets();
    assert!(secrets.iter().any(|secret| secret.contains("-device-")), "{secrets:?}");
    for secret in secrets {
        assert!(!said.contains(&secret), "{secret} in {said}");
    }
}

#[test]
fn a_device_that_is_told_to_slow_down_does() {
    let (world, owner) = (world(), world().owner("slow-alice"));
    let authority = world.authority("slow");
    let begun = world.begin("slow", &owner.account, "device");
    let code = text(&begun, "user_code");
    authority.slow_down(code);
    let told = |outcome: &'static str, after: usize| {
        authority
            .journal()
            .wait_until(SLOW, outcome, |asked| {
                asked
                    .iter()
                    .filter(|asked| asked.endpoint == Endpoint::Token)
                    .skip(after)
                    .any(|one| one.outcome == outcome)
            })
            .expect("a poll")
    };
    told("slow_down", 0);
    // Six seconds from now on, and no poll before.
    told("authorization_pending", 1);
    let polls = authority.journal().polls();
    let [first, second] = polls.as_slice() else { panic!("{polls:?}") };
    assert!(second.at - first.at >= Duration::from_secs(6), "{:?}", second.at - first.at);
    authority.approve_device(code);
    wait("it is signed in", SLOW, || world.standing(&begun).0 == "done");
    assert_eq!(authority.journal().early_polls(), 0);
}

#[test]
fn a_device_whose_person_says_no_or_never_comes_is_told() {
    let (world, owner) = (world(), world().owner("denied-alice"));
    let denied = world.begin("denied", &owner.account, "device");
    world.authority("denied").deny_device(text(&denied, "user_code"));
    wait("it has failed", SOON, || world.standing(&denied).0 == "failed");
    world.authority("late").change(|manners| manners.device_lasts = Duration::from_secs(3));
    let late = world.begin("late", &owner.account, "device");
    wait("it is too late", SOON, || world.standing(&late).0 == "failed");
    let polls = world.authority("late").journal().polls().len();
    std::thread::sleep(Duration::from_secs(3));
    for (name, begun) in [("denied", &denied), ("late", &late)] {
        let (state, said) = world.standing(begun);
        assert!(state == "failed" && !said.is_empty(), "{name}: {state} {said}");
        assert!(world.session(name, &owner.account).is_none());
        assert_eq!(world.authority(name).journal().early_polls(), 0);
    }
    assert_eq!(world.authority("late").journal().polls().len(), polls, "nobody asks on");
}

#[test]
fn a_device_outlives_a_server_that_stumbles() {
    let (world, owner) = (world(), world().owner("polled-alice"));
    let authority = world.authority("polled");
    let stumbles = [Fault::Answer(503, "later".to_owned()), Fault::Lost, Fault::Late(Duration::from_millis(1500))];
    let begun = world.begin("polled", &owner.account, "device");
    authority.fail(Endpoint::Token, stumbles);
    authority.journal().wait_until(SLOW, "polls", |asked| asked.len() > 3).expect("it asks on");
    authority.approve_device(text(&begun, "user_code"));
    wait("it is signed in", SLOW, || world.standing(&begun).0 == "done");
    assert_eq!(authority.journal().early_polls(), 0);
}

#[test]
fn nobody_is_shown_an_address_of_a_stranger() {
    let (world, owner) = (world(), world().owner("hostile-alice"));
    let port = world.authority("hostile").url().rsplit(':').next().expect("a port").to_owned();
    let places = [
        "https://evil.example/device".to_owned(),
        "http://evil.example/device".to_owned(),
        "javascript:alert(1)".to_owned(),
        "//evil.example".to_owned(),
        "data:text/html,hello".to_owned(),
        format!("http://127.0.0.1:{port}@evil.example/verify"),
        "https://127.0.0.1.evil.example/verify".to_owned(),
        String::new(),
        format!("http://127.0.0.1:{port}/{}", "a".repeat(1 << 16)),
    ];
    for place in places {
        world.authority("hostile").change(|manners| manners.verification = Some(place.clone()));
        let asked = json!({ "provider": "hostile", "account": owner.account, "flow": "device" });
        let answer = world.panel.send(&world.panel.with_body("POST", "/sign-ins", &asked));
        assert_eq!(answer.status, 502, "{place}: {}", answer.text());
        assert!(!answer.text().contains("evil") && !answer.text().contains("javascript"), "{}", answer.text());
    }
    // What browsers read otherwise than it looks is shown as they read it.
    for odd in [format!("http://127.0.0.1:{port}\\@there.example/"), format!("http://127.0.0.1:{port}/ver\r\nify")] {
        world.authority("hostile").change(|manners| manners.verification = Some(odd.clone()));
        let shown = world.begin("hostile", &owner.account, "device");
        let shown = text(&shown, "verification_uri");
        assert!(shown.starts_with(&format!("{}/", world.authority("hostile").url())), "{odd:?}: {shown:?}");
        assert!(!shown.contains(['\r', '\n', '\\']), "{odd:?}: {shown:?}");
    }
    // Nor is a code that is none.
    let answers = [
        "{\"device_code\":\"canary-x\",\"user_code\":\"<b>A</b>\",\"verification_uri\":\"URI\",\"expires_in\":600}",
        "{\"device_code\":\"canary-x\",\"user_code\":\"\\u001b[2J\\r\\nA\",\"verification_uri\":\"URI\",\"expires_in\":600}",
        "{\"device_code\":\"canary-x\",\"user_code\":\"\",\"verification_uri\":\"URI\",\"expires_in\":600}",
        "{\"user_code\":\"ABCD\",\"verification_uri\":\"URI\",\"expires_in\":600}",
        "garbage",
    ];
    for text in answers {
        let text = text.replace("URI", &format!("http://127.0.0.1:{port}/verify"));
        world.authority("hostile").fail(Endpoint::Device, [Fault::Answer(200, text.clone())]);
        let asked = json!({ "provider": "hostile", "account": owner.account, "flow": "device" });
        let answer = world.panel.send(&world.panel.with_body("POST", "/sign-ins", &asked));
        assert_eq!(answer.status, 502, "{text}: {}", answer.text());
        assert!(!answer.text().contains("canary-x"), "{}", answer.text());
    }
}
