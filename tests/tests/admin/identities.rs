//! Who has no key comes by a token of an issuer that the gateway knows, or by a certificate, and pays from an account.

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::Gateway;
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{ClosedPort, Simulator};
use serde_json::{Value, json};

use super::issuer::{ISSUER, Issuer, head, now, served, signed_with_what_is_public, unsigned, with};
use super::panel::{AT_ONCE, Panel, SOON, ask_as, provider, setup, wait};

/// An identity in the settings file.
fn identity(issuer: &Issuer, more: &str) -> String {
    format!(
        "[[identity]]\nname = \"corp\"\naccount = \"acme.{{claim:team}}.{{claim:sub}}\"\n{more}\n\
         jwt = {{ issuer = \"{ISSUER}\", audiences = [\"llm\", \"other\"], jwks = '{}' }}",
        issuer.jwks()
    )
}

/// An account with these Terms.
pub fn account(panel: &Panel, id: &str, kind: &str, terms: &Value) {
    panel.put(&format!("/accounts/{id}"), &json!({ "kind": kind, "terms": terms }));
}

/// A gateway that knows the issuer, and the tree of acme.
fn known(issuer: &Issuer, provider: &Simulator, more: &str) -> Gateway {
    let gateway = Gateway::start(&setup(provider).more(&identity(issuer, more))).expect("a gateway");
    let panel = Panel::of(&gateway);
    account(&panel, "acme", "tenant", &json!({}));
    account(&panel, "acme.search", "team", &json!({}));
    account(&panel, "acme.search.alice", "user", &json!({}));
    account(&panel, "acme.search.bob", "user", &json!({ "budgets": [{ "requests": 1, "per": "total" }] }));
    gateway
}

/// A request whose key is this.
fn call(client: Dialect, key: &str, text: &str) -> Call {
    let call = Call::post(&path(client, "some-model", false)).json(&ask(client, "some-model", text, false));
    credential(client, key).iter().fold(call, |call, (name, value)| call.header(name, value))
}

/// Who the Record of an answer says it was, and who pays.
fn paid(gateway: &Gateway, answer: &Answer) -> (String, String) {
    let exchange = answer.header("x-dragoman-request-id").expect("an id");
    let record = gateway.record(exchange, SOON).expect("a Record");
    (record["caller"].as_str().unwrap_or_default().into(), record["account"].as_str().unwrap_or_default().into())
}

#[test]
fn a_token_has_an_account_and_its_budget_and_no_provider_sees_it() {
    let (issuer, provider) = (Issuer::new(), provider("sk-own"));
    let gateway = known(&issuer, &provider, "");
    let token = issuer.token(&json!({}));
    for client in Dialect::CLIENTS {
        let text = format!("words-{}", client.name());
        let spoofed = call(client, &token, &text)
            .header("x-jwt-payload", "canary")
            .header("x-jwt-claim-sub", "canary")
            .header("x-forwarded-client-cert", "By=canary;URI=spiffe://canary/x")
            .header("x-dragoman-identity", "canary");
        let answer = gateway.send(&spoofed).expect("an answer");
        assert_eq!(answer.status, 200, "{client:?}: {}", answer.text());
        assert_eq!(paid(&gateway, &answer), ("jwt:corp/alice".into(), "acme.search.alice".into()), "{client:?}");
        let seen = provider.journal().mentioning(&text);
        assert_eq!(seen.len(), 1, "{client:?}");
        for (name, value) in &seen[0].received.headers {
            let value = String::from_utf8_lossy(value);
            let signature = token.rsplit('.').next().expect("a signature");
            assert!(!value.contains(signature) && !value.contains("canary"), "{client:?}: {name}: {value}");
        }
    }
    // Another token of the same caller, and callers without an account of their own.
    let of = |claims: Value| gateway.send(&call(Dialect::Chat, &issuer.token(&claims), "hello")).expect("an answer");
    for (claims, caller, account) in [
        (json!({ "aud": ["x", "other"], "jti": "2" }), "jwt:corp/alice", "acme.search.alice"),
        (json!({ "sub": "carol" }), "jwt:corp/carol", "acme.search"),
        (json!({ "sub": "search.alice", "team": 7 }), "jwt:corp/search.alice", "acme"),
        (json!({ "team": "search.bob", "sub": "x" }), "jwt:corp/x", "acme"),
    ] {
        let answer = of(claims.clone());
        assert_eq!(answer.status, 200, "{claims}: {}", answer.text());
        assert_eq!(paid(&gateway, &answer), (caller.into(), account.into()), "{claims}");
    }
    assert_eq!(of(json!({ "sub": null })).status, 403, "whom a token does not name is nobody");
    assert_eq!(of(json!({ "sub": "bob" })).status, 200);
    let spent = of(json!({ "sub": "bob" }));
    assert_eq!(spent.status, 429, "{}", spent.text());
}

#[test]
fn a_token_that_is_not_good_is_refused_in_the_clients_dialect_and_goes_nowhere() {
    let (issuer, thief, provider) = (Issuer::new(), Issuer::new(), provider("sk-own"));
    let gateway = known(&issuer, &provider, "");
    let good = issuer.token(&json!({}));
    let (text, signature) = good.rsplit_once('.').expect("three parts");
    let other = unsigned(&head(), &with(&json!({ "sub": "mallory" })));
    let none = |alg: &str| unsigned(&json!({ "alg": alg, "typ": "JWT" }), &with(&json!({})));
    let public = [&[4][..], issuer.public()].concat();
    let signed = |head: Value| issuer.signed(&head, &with(&json!({})));
    let forged = [
        ("of another key", thief.token(&json!({}))),
        ("of another issuer", issuer.token(&json!({ "iss": "https://evil.example" }))),
        ("without an issuer", issuer.token(&json!({ "iss": null }))),
        ("for others", issuer.token(&json!({ "aud": "evil" }))),
        ("for nobody", issuer.token(&json!({ "aud": null }))),
        ("that has ended", issuer.token(&json!({ "exp": now() - 600 }))),
        ("that never ends", issuer.token(&json!({ "exp": null }))),
        ("that has not begun", issuer.token(&json!({ "nbf": now() + 600 }))),
        ("that says it needs no signature", format!("{}.", none("none"))),
        ("that says so and has one", format!("{}.{signature}", none("none"))),
        ("that says so in other letters", format!("{}.", none("NoNe"))),
        ("signed with the public key as a secret", signed_with_what_is_public(issuer.public(), &with(&json!({})))),
        ("signed with its point", signed_with_what_is_public(&public, &with(&json!({})))),
        (
            "signed with the key set",
            signed_with_what_is_public(issuer.jwks().to_string().as_bytes(), &with(&json!({}))),
        ),
        ("of a kind that its key is not", signed(json!({ "alg": "RS256", "kid": "1" }))),
        ("of no kind", signed(json!({ "kid": "1" }))),
        (
            "that brings its own key",
            thief.signed(&json!({ "alg": "ES256", "jwk": thief.jwks()["keys"][0] }), &with(&json!({}))),
        ),
        ("with another's signature", format!("{other}.{signature}")),
        ("without its signature", format!("{text}.")),
        ("with half of it", format!("{text}.{}", &signature[..43])),
        ("that is no JSON", format!("e30.bm90IGpzb24.{signature}")),
    ];
    for client in Dialect::CLIENTS {
        for (what, token) in &forged {
            let answer = gateway.send(&call(client, token, "forged-words")).expect("an answer");
            assert_eq!(answer.status, 401, "{client:?}: a token {what}: {}", answer.text());
            let error = answer.json().expect("JSON");
            assert!(error["error"].is_object(), "{client:?}: {what}: {error}");
            assert!(!answer.text().contains("alice"), "{client:?}: {what}: {error}");
        }
        // What says who somebody is elsewhere says nothing here.
        let nobody =
            Call::post(&path(client, "some-model", false)).json(&ask(client, "some-model", "forged-words", false));
        let payload = text.split('.').nth(1).expect("a payload");
        for (name, value) in [
            ("x-jwt-payload", payload),
            ("x-jwt-assertion", &good),
            ("x-forwarded-client-cert", "URI=spiffe://corp.example/ns/search/sa/alice"),
            ("x-dragoman-caller", "jwt:corp/alice"),
            ("cookie", &good),
        ] {
            let answer = gateway.send(&nobody.clone().header(name, value)).expect("an answer");
            assert_eq!(answer.status, 401, "{client:?}: {name}: {}", answer.text());
        }
    }
    let twice = |name: &str, value: &str| {
        gateway.send(&call(Dialect::Chat, &good, "forged-words").header(name, value)).expect("an answer").status
    };
    assert_eq!(twice("x-api-key", gateway.key()), 401, "a token and a key are several keys");
    assert_eq!(twice("authorization", &format!("Bearer {}", issuer.token(&json!({ "sub": "bob" })))), 401);
    assert_eq!(twice("authorization", &format!("Bearer {}", gateway.key())), 401);
    // One that Envoy finds good must not vouch for another that is read.
    let mallory = format!("{other}.{signature}");
    for (name, value) in [
        ("authorization", format!("Basic Bearer {good}")),
        ("authorization", format!("x Bearer {good}")),
        ("api-key", format!(" {good},")),
        ("x-goog-api-key", format!("Bearer {good}")),
        ("cookie", format!("access_token={good}")),
    ] {
        let both =
            Call::post(&path(Dialect::Chat, "some-model", false)).header("x-api-key", &mallory).header(name, &value);
        let both = both.json(&ask(Dialect::Chat, "some-model", "forged-words", false));
        let answer = gateway.send(&both).expect("an answer");
        assert_eq!(answer.status, 401, "{name}: {value}: {}", answer.text());
    }
    let asked = Call::post(&format!("{}?access_token={good}", path(Dialect::Chat, "some-model", false)));
    let asked = asked.header("x-api-key", &mallory).json(&ask(Dialect::Chat, "some-model", "forged-words", false));
    assert_eq!(gateway.send(&asked).expect("an answer").status, 401);
    let prefixed = Call::post(&path(Dialect::Chat, "some-model", false));
    let prefixed = prefixed.json(&ask(Dialect::Chat, "some-model", "forged-words", false));
    for value in [
        format!("Bearer {good}~"),
        format!("Bearer ~{good}"),
        format!("Bearer x Bearer {good}"),
        format!("Basic {good}"),
    ] {
        let answer = gateway.send(&prefixed.clone().header("authorization", &value)).expect("an answer");
        assert_eq!(answer.status, 401, "{value}: {}", answer.text());
    }
    assert!(provider.journal().mentioning("forged-words").is_empty());
    assert_eq!(twice("x-api-key", &good), 200, "one token twice is one");
    assert_eq!(ask_as(&gateway, gateway.key(), "some-model", "hello").status, 200, "keys are what they were");
}

#[test]
fn whoever_has_no_account_of_their_own_is_refused_where_the_row_says_so() {
    let (issuer, provider) = (Issuer::new(), provider("sk-own"));
    let gateway = known(&issuer, &provider, "unknown = \"refuse\"\ncaller = \"{claim:email}\"");
    let of = |claims: Value| gateway.send(&call(Dialect::Chat, &issuer.token(&claims), "hello")).expect("an answer");
    let alice = of(json!({ "email": "alice@corp.example" }));
    assert_eq!(alice.status, 200, "{}", alice.text());
    assert_eq!(paid(&gateway, &alice), ("jwt:corp/alice@corp.example".into(), "acme.search.alice".into()));
    let carol = of(json!({ "sub": "carol", "email": "carol@corp.example" }));
    assert_eq!(carol.status, 403, "{}", carol.text());
    assert!(carol.text().contains("unknown_identity"), "{}", carol.text());
}

#[test]
fn an_issuers_keys_are_fetched_from_where_the_file_says() {
    let (issuer, silent, provider) = (Issuer::new(), Issuer::new(), provider("sk-own"));
    let url = served(&issuer.jwks()).expect("a server");
    let closed = ClosedPort::take().expect("a port");
    let row = |name: &str, issuer: &str, url: &str| {
        format!(
            "[[identity]]\nname = \"{name}\"\naccount = \"acme\"\n\
             jwt = {{ issuer = \"{issuer}\", audiences = [\"llm\"], jwks_url = \"{url}\" }}\n"
        )
    };
    // The other issuer is not there: whoever has nothing to do with it does not notice.
    let away = row("away", "https://away.example", &format!("{}/keys", closed.url().expect("a URL")));
    let gateway = Gateway::start(&setup(&provider).more(&(row("corp", ISSUER, &url) + &away))).expect("a gateway");
    account(&Panel::of(&gateway), "acme", "tenant", &json!({}));
    assert_eq!(ask_as(&gateway, gateway.key(), "some-model", "hello").status, 200);
    let status = |token: &str| gateway.send(&call(Dialect::Chat, token, "hello")).expect("an answer").status;
    wait("a token of the issuer is good", SOON, || status(&issuer.token(&json!({}))) == 200);
    assert_eq!(status(&silent.token(&json!({}))), 401);
    assert_eq!(status(&silent.token(&json!({ "iss": "https://away.example" }))), 401);
    assert_eq!(status(&issuer.token(&json!({ "iss": "https://away.example" }))), 401);
}

#[test]
fn identities_come_and_go_through_the_api_and_fetch_no_keys_from_where_it_says() {
    let (issuer, provider) = (Issuer::new(), provider("sk-own"));
    let gateway = Gateway::start(&setup(&provider)).expect("a gateway");
    let panel = Panel::of(&gateway);
    account(&panel, "acme", "tenant", &json!({}));
    let status = || ask_as(&gateway, &issuer.token(&json!({})), "some-model", "hello").status;
    assert_eq!(status(), 401, "nobody knows the issuer");
    let row = |jwks: &str, value: Value| json!({ "jwt": { "issuer": ISSUER, "audiences": ["llm"], jwks: value }, "account": "acme" });
    let elsewhere = panel.with_body("PUT", "/identities/corp", &row("jwks_url", json!("https://127.0.0.1/keys")));
    let refused = panel.send(&elsewhere);
    assert_eq!(refused.status, 422, "{}", refused.text());
    panel.put("/identities/corp", &row("jwks", issuer.jwks()));
    wait("a token is good once its issuer is known", SOON, || status() == 200);
    panel.put("/identities/corp", &row("jwks", Issuer::new().jwks()));
    wait("an issuer has other keys", SOON, || status() == 401);
    panel.put("/identities/corp", &row("jwks", issuer.jwks()));
    wait("an issuer has its keys again", SOON, || status() == 200);
    panel.delete("/identities/corp");
    wait("nobody knows the issuer any more", AT_ONCE + SOON, || status() == 401);
    assert_eq!(ask_as(&gateway, gateway.key(), "some-model", "hello").status, 200);
}
