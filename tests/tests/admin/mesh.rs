//! A workload without a key, known by the certificate of its connection.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dragoman_tests::client::Call;
use dragoman_tests::gateway::Gateway;
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use serde_json::{Value, json};

use super::identities::account;
use super::panel::{Panel, SOON, provider, setup};

/// Authorities and certificates in a directory of their own, gone at the end.
pub struct Certificates(PathBuf);

impl Drop for Certificates {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

impl Certificates {
    /// An authority, another that nobody trusts, and the gateway's certificate.
    pub fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("dragoman-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let own = Self(directory);
        own.authority("ca");
        own.authority("evil");
        own.sign("gateway", "ca", "IP:127.0.0.1");
        own
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn openssl(&self, arguments: &[&str]) {
        let done = Command::new("openssl").args(arguments).current_dir(&self.0).output().expect("openssl");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn authority(&self, name: &str) {
        let (key, cert) = (format!("{name}.key"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &cert,
        ]);
    }

    /// A certificate with this alternative name.
    pub fn sign(&self, name: &str, authority: &str, alternative: &str) {
        let file = |ending: &str| format!("{name}.{ending}");
        std::fs::write(self.file(&file("ext")), format!("subjectAltName = {alternative}\n")).expect("a file");
        let (key, request, subject) = (file("key"), file("csr"), format!("/CN={name}"));
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}.key"));
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            &file("ext"),
            "-out",
            &file("pem"),
        ]);
    }

    /// Sends a call over TLS, with the certificate of that name if there is one; gives the answer as it came, empty when the
    /// connection was refused.
    pub fn send(&self, gateway: &Gateway, certificate: Option<&str>, call: &Call) -> String {
        let mut client = Command::new("openssl");
        client.args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-CAfile",
            "ca.pem",
            "-connect",
            &gateway.address(),
        ]);
        if let Some(name) = certificate {
            client.args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")]);
        }
        let client = client.current_dir(&self.0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut client = client.spawn().expect("openssl");
        let bytes = call.clone().header("connection", "close").bytes("gateway");
        let mut input = client.stdin.take().expect("an input");
        // Whoever is refused has gone before all is written.
        input.write_all(&bytes).ok();
        let answer = client.wait_with_output().expect("an answer");
        drop(input);
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }
}

/// The status of an answer.
pub fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

/// The Record of an answer: who it was, and who paid.
pub fn paid(gateway: &Gateway, answer: &str) -> (String, String) {
    let exchange = answer.lines().find_map(|line| line.strip_prefix("x-dragoman-request-id: ")).expect("an id");
    let record: Value = gateway.record(exchange.trim(), SOON).expect("a Record");
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    (text("caller"), text("account"))
}

/// Lines for `[listen]` that speak TLS with them.
pub fn settings(certificates: &Certificates) -> String {
    let file = |name: &str| Path::display(&certificates.file(name)).to_string();
    format!(
        "tls = {{ cert = \"{}\", key = \"{}\", client_ca = \"{}\" }}",
        file("gateway.pem"),
        file("gateway.key"),
        file("ca.pem")
    )
}

#[test]
fn a_workload_has_an_account_by_its_certificate_and_no_other_counts() {
    let certificates = Certificates::new("mesh");
    for (name, authority, alternative) in [
        ("alice", "ca", "URI:spiffe://corp.example/ns/search/sa/alice"),
        ("other", "ca", "URI:spiffe://other.example/ns/search/sa/alice"),
        ("nameless", "ca", "DNS:alice"),
        ("forged", "evil", "URI:spiffe://corp.example/ns/search/sa/alice"),
    ] {
        certificates.sign(name, authority, alternative);
    }
    let provider = provider("sk-own");
    let mesh = "[[identity]]\nname = \"mesh\"\nmesh = { trust_domain = \"corp.example\" }\naccount = \"acme.{path:2}.{path:4}\"";
    let gateway = Gateway::start(&setup(&provider).listen(&settings(&certificates)).more(mesh)).expect("a gateway");
    let panel = Panel::of(&gateway);
    account(&panel, "acme", "tenant", &json!({}));
    account(&panel, "acme.search", "team", &json!({}));
    account(&panel, "acme.search.alice", "user", &json!({ "budgets": [{ "requests": 2, "per": "total" }] }));

    let call = |text: &str| {
        Call::post(&path(Dialect::Chat, "some-model", false)).json(&ask(Dialect::Chat, "some-model", text, false))
    };
    let answer = certificates.send(&gateway, Some("alice"), &call("of-alice"));
    assert_eq!(status(&answer), "200", "{answer}");
    let spiffe = "spiffe://corp.example/ns/search/sa/alice";
    assert_eq!(paid(&gateway, &answer), (spiffe.to_owned(), "acme.search.alice".to_owned()));
    let seen = provider.journal().mentioning("of-alice");
    assert!(
        seen.iter().all(|one| one
            .received
            .headers
            .iter()
            .all(|(_, value)| !String::from_utf8_lossy(value).contains("spiffe")))
    );

    let spoofed = call("forged-words").header("x-forwarded-client-cert", format!("URI={spiffe}"));
    for (certificate, expected) in
        [(None, "401"), (Some("nameless"), "401"), (Some("other"), "403"), (Some("forged"), "")]
    {
        let answer = certificates.send(&gateway, certificate, &spoofed);
        assert_eq!(status(&answer), expected, "{certificate:?}: {answer}");
    }
    // A key counts more than a certificate, and one that nobody has does not become a certificate.
    let keyed = |key: &str| {
        credential(Dialect::Chat, key).iter().fold(call("keyed"), |call, (name, value)| call.header(name, value))
    };
    let answer = certificates.send(&gateway, Some("alice"), &keyed(gateway.key()));
    assert!(paid(&gateway, &answer).0.starts_with("key_"), "{answer}");
    assert_eq!(status(&certificates.send(&gateway, Some("alice"), &keyed("dgm_nobody"))), "401");
    assert_eq!(status(&certificates.send(&gateway, None, &keyed(gateway.key()))), "200");

    assert_eq!(status(&certificates.send(&gateway, Some("alice"), &call("of-alice"))), "200");
    let spent = certificates.send(&gateway, Some("alice"), &call("of-alice"));
    assert_eq!(status(&spent), "429", "{spent}");
    assert!(provider.journal().mentioning("forged-words").is_empty());
}
