//! The pages in a real browser, as a person meets them. The provider is another site to it.
//!
//! `DRAGOMAN_PICTURES` names a directory in which to keep what was seen.

use dragoman_tests::authority::{Decision, Person};
use dragoman_tests::browser::Browser;

use super::world::{text, world};

/// A browser, or a word that there is none.
fn browser() -> Option<Browser> {
    let found = Browser::start().expect("a browser");
    if found.is_none() {
        eprintln!("NOT TESTED: there is no Chromium here");
    }
    found
}

fn keep(browser: &mut Browser, name: &str) {
    if let Some(folder) = std::env::var_os("DRAGOMAN_PICTURES") {
        browser.picture(&std::path::Path::new(&folder).join(format!("{name}.png"))).expect("a picture");
    }
}

const AT_THE_PROVIDER: &str = "location.hostname === 'localhost' && document.querySelector('#allow') !== null";
const BACK: &str = "location.pathname.startsWith('/sign-in/callback/') && document.readyState === 'complete'";

#[test]
fn a_person_signs_in_with_a_browser_and_their_copied_address_is_of_no_use_in_another() {
    let (Some(mut alices), Some(mut eves)) = (browser(), browser()) else { return };
    let (world, owner) = (world(), world().owner("browser-alice"));
    world.authority("browser").change(|manners| manners.decision = Decision::Ask);
    let begun = world.begin("browser", &owner.account, "browser");

    alices.open(text(&begun, "start_url")).expect("the page that asks");
    keep(&mut alices, "asks");
    let asks = alices.text().expect("text");
    assert!(asks.contains("browser") && asks.contains(&owner.account), "{asks}");
    assert_eq!(alices.evaluate("document.cookie").expect("cookies"), "", "no script sees it");
    alices.click("#go").expect("a link");
    alices.wait_for(AT_THE_PROVIDER).expect("the provider's page");
    // The address that her browser would be sent to, in the hands of somebody else.
    let allow = alices.evaluate("document.querySelector('#allow').href").expect("a link");
    let allow = allow.as_str().expect("an address").replace("localhost", "127.0.0.1");
    let stolen = Person::default().follow_up_to(&allow, "/sign-in/callback/").expect("sent back");
    eves.open(&stolen).expect("a page");
    keep(&mut eves, "refuses");
    let told = eves.evaluate("performance.getEntriesByType('navigation')[0].responseStatus").expect("a status");
    assert_eq!(told, 400, "{:?}", eves.text());
    assert!(world.session("browser", &owner.account).is_none());

    alices.click("#allow").expect("a button");
    alices.wait_for(BACK).expect("the page that tells");
    keep(&mut alices, "tells");
    let tells = alices.text().expect("text");
    assert_eq!(world.standing(&begun).0, "done", "{tells}");
    assert!(tells.contains("browser"), "{tells}");
    world.is_served("browser", &owner);
    // Back and forth, and again: nothing more comes of it.
    let url = alices.url().expect("an address");
    alices.open(&url).expect("a page");
    keep(&mut alices, "again");
    assert_eq!(world.authority("browser").journal().codes().len(), 1);
    assert_eq!(world.authority("browser").journal().families_revoked(), 0);
    world.is_served("browser", &owner);
}

#[test]
fn a_person_who_says_no_reads_that_nothing_was_kept() {
    let Some(mut browser) = browser() else { return };
    let (world, owner) = (world(), world().owner("browser-bob"));
    world.authority("browser-denied").change(|manners| manners.decision = Decision::Ask);
    let begun = world.begin("browser-denied", &owner.account, "browser");
    browser.open(text(&begun, "start_url")).expect("a page");
    browser.click("#go").expect("a link");
    browser.wait_for(AT_THE_PROVIDER).expect("the provider's page");
    browser.click("#deny").expect("a button");
    browser.wait_for(BACK).expect("the page that tells");
    keep(&mut browser, "denied");
    assert_eq!(world.standing(&begun).0, "failed");
    assert!(world.session("browser-denied", &owner.account).is_none());
}

#[test]
fn what_a_provider_says_runs_in_no_browser() {
    let Some(mut browser) = browser() else { return };
    let (world, owner) = (world(), world().owner("browser-eve"));
    let evil = "<script>window.taken=1</script><img src=x onerror='window.taken=1'><a href='javascript:window.taken=1' id=evil>x</a>";
    let words = ["error", "error_description"].map(|name| (name.to_owned(), evil.to_owned()));
    let state = ("state".to_owned(), "{state}".to_owned());
    let issuer = ("iss".to_owned(), world.authority("browser-odd").url());
    let said = words.into_iter().chain([state, issuer]).collect();
    world.authority("browser-odd").change(|manners| manners.decision = Decision::Say(said));
    let begun = world.begin("browser-odd", &owner.account, "browser");
    let nothing = "window.taken === undefined && document.querySelector('script, img, #evil') === null";
    browser.open(text(&begun, "start_url")).expect("a page");
    assert_eq!(browser.evaluate(nothing).expect("a truth"), true, "{:?}", browser.text());
    assert!(browser.text().expect("text").contains("<img/src=x"), "it is text");
    browser.click("#go").expect("a link");
    browser.wait_for(BACK).expect("the page that tells");
    keep(&mut browser, "odd");
    assert_eq!(browser.evaluate(nothing).expect("a truth"), true, "{:?}", browser.text());
    // Not even a script that got in would run.
    let inline = "(() => { const s = document.createElement('script'); s.textContent = 'window.taken = 1'; \
                  document.body.append(s); return window.taken === undefined })()";
    assert_eq!(browser.evaluate(inline).expect("a truth"), true, "the policy of the page");
}
