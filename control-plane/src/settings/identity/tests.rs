use super::super::members::Reading;
use super::super::{File, Known as Names};
use super::*;

const GOOD: &str = r#"
[[identity]]
name = "corp"
jwt = { issuer = "https://login.corp.example", audiences = ["llm"], jwks_url = "https://login.corp.example/keys?p=1" }
account = "acme.t-{claim:team}.{claim:sub}"
caller = "{claim:email}"
unknown = "refuse"

[[identity]]
name = "mesh"
mesh = { trust_domain = "cluster.local" }
account = "acme.{path:2}.{path:4}"
"#;

fn read(text: &str) -> Result<File, Vec<String>> {
    let read = File::read("f.toml", text, &Names::default());
    read.map_err(|mistakes| mistakes.list.iter().map(ToString::to_string).collect())
}

/// The mistakes of one row with these members besides its name.
fn mistakes(members: &str) -> Vec<String> {
    read(&format!("[[identity]]\nname = \"a\"\n{members}"))
        .map(|file| panic!("{members}: {:?}", file.identities))
        .unwrap_err()
}

const JWT: &str = r#"jwt = { issuer = "i", audiences = ["a"], jwks_url = "https://h/keys" }"#;
const MESH: &str = r#"mesh = { trust_domain = "corp" }"#;

#[test]
fn tokens_and_certificates_are_read() {
    let file = read(GOOD).unwrap();
    let [corp, mesh] = &file.identities[..] else { panic!("{:?}", file.identities) };
    assert_eq!((corp.unknown, mesh.unknown), (Unknown::Refuse, Unknown::Ancestor));
    let Known::Token { issuer, claims } = corp.published().proof else { panic!() };
    assert_eq!((issuer.as_str(), claims.join(",")), ("https://login.corp.example", "email,sub,team".into()));
    assert_eq!(mesh.published().proof, Known::Peer { trust_domain: "cluster.local".into() });
}

#[test]
fn another_meaning_is_another_mark() {
    let marks = |text: &str| read(text).unwrap().identities.iter().map(|row| row.published().mark).collect::<Vec<_>>();
    assert_eq!(marks(GOOD), marks(&GOOD.replace("https://login.corp.example/keys?p=1", "https://other/keys")));
    for (from, to) in [("acme.t-", "acme.s-"), ("{claim:email}", "{claim:sub}"), ("\"refuse\"", "\"ancestor\"")] {
        assert_ne!(marks(GOOD)[0], marks(&GOOD.replace(from, to))[0], "{to}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (members, line, words) in [
        ("account = \"acme\"", "1", "either `jwt`"),
        (&format!("{JWT}\n{MESH}\naccount = \"acme\""), "1", "either `jwt`"),
        (JWT, "1", "needs an `account`"),
        (&format!("{JWT}\naccount = \"acme\"\ncaller = \"me\""), "5", "`caller` says who"),
        (&format!("{JWT}\naccount = \"acme\"\nunknown = \"guess\""), "5", "`unknown` is"),
        (&format!("{JWT}\naccount = \"acme\"\nweight = 1"), "5", "no member `weight`"),
        ("mesh = { trust_domain = \"spiffe://x\" }\naccount = \"acme\"", "3", "`trust_domain`"),
        ("jwt = { issuer = \"i\", audiences = [], jwks_url = \"https://h\" }\naccount = \"a\"", "3", "`audiences`"),
        ("jwt = { audiences = [\"a\"], jwks_url = \"https://h\" }\naccount = \"a\"", "3", "`issuer`"),
        ("jwt = { issuer = \"i\", audiences = [\"a\"] }\naccount = \"a\"", "3", "either `jwks_url`"),
        (
            "jwt = { issuer = \"i\", audiences = [\"a\"], jwks_url = \"http://h/k\" }\naccount = \"a\"",
            "3",
            "must be https",
        ),
        ("jwt = { issuer = \"i\", audiences = [\"a\"], jwks = \"\" }\naccount = \"a\"", "3", "a set of keys"),
    ] {
        let found = mistakes(members);
        assert!(
            found.iter().any(|one| one.starts_with(&format!("{line}:")) && one.contains(words)),
            "{members}: {found:?}"
        );
    }
}

#[test]
fn a_template_of_an_account_makes_an_account_of_whatever_is_filled_in() {
    for wrong in [
        "",
        "Acme",
        "acme.",
        "acme..{claim:a}",
        "a.b.c.d.{claim:a}",
        "acme.{claim}",
        "acme.{claim:",
        "acme.{claim:}",
        "acme.}x{",
        "acme.{path:2}",
        "key_{claim:a}",
        "acme.-{claim:a}",
        "acme.{env:HOME}",
    ] {
        assert!(!mistakes(&format!("{JWT}\naccount = \"{wrong}\"")).is_empty(), "{wrong}");
    }
    for wrong in ["acme.{claim:sub}", "acme.{path:0}", "acme.{path:x}", "acme.{path:65}"] {
        assert!(!mistakes(&format!("{MESH}\naccount = \"{wrong}\"")).is_empty(), "{wrong}");
    }
}

#[test]
fn keys_that_stand_here_are_public_ones() {
    let of = |jwks: &str| {
        read(&format!(
            "[[identity]]\nname = \"a\"\njwt = {{ issuer = \"i\", audiences = [\"a\"], jwks = {jwks} }}\naccount = \"a\""
        ))
    };
    for good in [r#"'{"keys":[{"kty":"EC","crv":"P-256"}]}'"#, r#"{ keys = [{ kty = "RSA", n = "x", e = "AQAB" }] }"#] {
        assert!(of(good).is_ok(), "{good}: {:?}", of(good));
    }
    for bad in [
        r#"'{"keys":[]}'"#,
        r#"'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'"#,
        r#"'{"keys":[{"kty":"RSA","n":"x","e":"AQAB","d":"x"}]}'"#,
        r#"'{"keys":[{}]}'"#,
        "7",
    ] {
        assert!(of(bad).is_err(), "{bad}");
    }
}

#[test]
fn names_issuers_and_trust_domains_are_there_once() {
    for (from, to) in [("name = \"mesh\"", "name = \"corp\""), ("name = \"mesh\"", "name = \"Mesh\"")] {
        assert!(read(&GOOD.replace(from, to)).is_err(), "{to}");
    }
    let twice = format!(
        "{GOOD}\n[[identity]]\nname = \"again\"\nmesh = {{ trust_domain = \"cluster.local\" }}\naccount = \"a\"\n"
    );
    assert!(read(&twice).unwrap_err()[0].contains("the same issuer or trust domain"));
}

fn account_of(template: &str, proof: &Proof) -> Template {
    let (mut reading, _) = Reading::begin("");
    template::account(&mut reading, &Placed { at: 0, value: template.into() }, Some(proof)).unwrap()
}

#[test]
fn nobody_names_themselves_into_another_account() {
    let Proof::Mesh(_) = read(GOOD).unwrap().identities.remove(1).proof else { panic!() };
    let jwt = read(GOOD).unwrap().identities.remove(0).proof;
    let template = account_of("acme.{claim:team}.{claim:sub}", &jwt);
    let named = |team: &str, sub: &str| {
        let claims = [("team".to_string(), team.to_string()), ("sub".to_string(), sub.to_string())];
        let (account, whole) = template.account(Testimony::Claims(&claims));
        (account.map(|account| account.to_string()).unwrap_or_default(), whole)
    };
    for (team, sub, account, whole) in [
        ("Search", "Alice_1", "acme.search.alice_1", true),
        ("search.alice", "bob", "acme", false),
        ("search", "auth0|12", "acme.search", false),
        ("", "bob", "acme", false),
        ("../other", "bob", "acme", false),
        ("\u{212a}im", "bob", "acme", false),
        ("search", &"a".repeat(65), "acme.search", false),
    ] {
        assert_eq!(named(team, sub), (account.to_string(), whole), "{team} {sub}");
    }
    assert_eq!(template.account(Testimony::Claims(&[])).0.unwrap().as_str(), "acme");

    let tenant = account_of("{claim:org}.{claim:sub}", &jwt);
    assert_eq!(tenant.account(Testimony::Claims(&[("org".into(), "key_1".into())])).0, None);
    let template = account_of("acme.{path:2}.{path:4}", &Proof::Mesh("corp".into()));
    let (account, whole) = template.account(Testimony::Spiffe("spiffe://corp/ns/search/sa/indexer"));
    assert_eq!((account.unwrap().as_str(), whole), ("acme.search.indexer", true));
    let (account, whole) = template.account(Testimony::Spiffe("spiffe://corp/ns//sa/indexer"));
    assert_eq!((account.unwrap().as_str(), whole), ("acme", false));
}
