//! What a person's browser comes to: the page that asks, and the one for devices.

use super::Shared;
use super::book::Granted;
use super::http::{Request, Said};
use super::manners::{Decision, Issuer, Manners, Redirects};
use super::pages;
use super::words::{one, with};

/// Sends the browser back, as its person decides. Without a place that is known to be the client's it is sent nowhere.
pub fn authorize(request: &Request, shared: &Shared) -> Said {
    let manners = shared.manners().clone();
    let word = |name: &str| one(&request.words, name);
    let redirect = word("redirect_uri").filter(|redirect| match &manners.redirects {
        Redirects::Exactly(known) => known.iter().any(|known| known == redirect),
        Redirects::Anywhere => redirect.starts_with("http"),
    });
    let Some(redirect) = redirect.filter(|_| word("client_id") == Some(manners.client.as_str())) else {
        let text = "This client or this place to go back to is not known.";
        return Said::page(400, pages::plain("Error", text), "unknown_client");
    };
    let back = |mut words: Vec<(String, String)>, outcome| {
        let state = request.words.iter().find(|word| word.0 == "state").cloned();
        words.extend(state.into_iter().chain(issuer(&manners, shared)));
        Said::go(with(redirect, &words), outcome)
    };
    let refuse = |error: &'static str| back(vec![("error".to_owned(), error.to_owned())], error);
    if word("response_type") != Some("code") {
        return refuse("unsupported_response_type");
    }
    // S256 is the only method: who would take `plain` can be talked into it.
    let challenge = word("code_challenge").filter(|challenge| challenge.len() == 43);
    let Some(challenge) = challenge.filter(|_| word("code_challenge_method") == Some("S256")) else {
        return refuse("invalid_request");
    };
    let decision = match (&manners.decision, word("choice")) {
        (Decision::Ask, Some("allow")) => &Decision::Approve,
        (Decision::Ask, Some(_)) => &Decision::Deny,
        (decision, _) => decision,
    };
    let code = || {
        let scopes = word("scope").unwrap_or_default().to_owned();
        let granted = Granted { redirect: redirect.to_owned(), challenge: Some(challenge.to_owned()), scopes };
        shared.book().code(granted, &manners, shared.clock.now())
    };
    match decision {
        Decision::Approve => back(vec![("code".to_owned(), code())], "ok"),
        Decision::Deny => refuse("access_denied"),
        Decision::Ask => Said::page(200, pages::ask(&manners.client, &request.path), "asked"),
        Decision::Say(words) => {
            let (code, state) = (code(), word("state").unwrap_or_default());
            let said = |(name, value): &(String, String)| {
                (name.clone(), value.replace("{code}", &code).replace("{state}", state))
            };
            Said::go(with(redirect, &words.iter().map(said).collect::<Vec<_>>()), "said")
        }
        Decision::SendOn { authorize, client } => {
            let word = |(name, value): &(String, String)| match name.as_str() {
                "client_id" => (name.clone(), client.clone()),
                _ => (name.clone(), value.clone()),
            };
            Said::go(with(authorize, &request.words.iter().map(word).collect::<Vec<_>>()), "sent_on")
        }
    }
}

/// Asks a device's person, or hears the answer.
pub fn verify(request: &Request, shared: &Shared) -> Said {
    let Some(user_code) = one(&request.words, "user_code") else {
        return Said::page(200, pages::code(), "asked");
    };
    let Some(choice) = one(&request.words, "choice") else {
        return Said::page(200, pages::ask(user_code, &request.path), "asked");
    };
    match shared.book().decide(user_code, choice == "allow") {
        true => Said::page(200, pages::plain("Done", "Go back to your device."), "ok"),
        false => Said::page(404, pages::plain("Error", "No device waits with this code."), "unknown_code"),
    }
}

fn issuer(manners: &Manners, shared: &Shared) -> Option<(String, String)> {
    let name = match &manners.issuer {
        Issuer::Own => shared.url(),
        Issuer::Other(name) => name.clone(),
        Issuer::Nobody => return None,
    };
    Some(("iss".to_owned(), name))
}
