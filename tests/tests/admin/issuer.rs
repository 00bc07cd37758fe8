//! An issuer of tokens: makes good ones, and helps with all that are not.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// Who it says it is.
pub const ISSUER: &str = "https://login.corp.example";
/// For whom its tokens are.
pub const AUDIENCE: &str = "llm";

/// An issuer with a key of its own.
pub struct Issuer {
    key: EcdsaKeyPair,
}

impl Issuer {
    /// With a fresh key.
    pub fn new() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let bytes = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
        Self { key: EcdsaKeyPair::from_pkcs8(kind, bytes.as_ref(), &random).expect("a key") }
    }

    /// Its public key: a point's two halves.
    pub fn public(&self) -> &[u8] {
        &self.key.public_key().as_ref()[1..]
    }

    /// Its key set.
    pub fn jwks(&self) -> Value {
        let (x, y) = self.public().split_at(32);
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }] })
    }

    /// A token with this head and these claims, signed.
    pub fn signed(&self, head: &Value, claims: &Value) -> String {
        let text = unsigned(head, claims);
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A token as it should be, with these claims over the usual ones.
    pub fn token(&self, claims: &Value) -> String {
        self.signed(&head(), &with(claims))
    }
}

/// An address where a key set is to be had, for as long as this process lives.
pub fn served(keys: &Value) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/keys", listener.local_addr()?);
    let keys = keys.to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // What was asked does not matter, but that it was asked.
            let mut head = [0; 4096];
            if stream.read(&mut head).is_ok_and(|bytes| bytes > 0) {
                let length = keys.len();
                let kind = "content-type: application/json";
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\n{kind}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{keys}"
                )
                .ok();
            }
        }
    });
    Ok(url)
}

/// What a token says of itself.
pub fn head() -> Value {
    json!({ "alg": "ES256", "typ": "JWT", "kid": "1" })
}

/// The usual claims with these over them; what is null is left out.
pub fn with(claims: &Value) -> Value {
    let mut all = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "team": "Search", "exp": now() + 600 });
    for (name, value) in claims.as_object().expect("an object") {
        match value {
            Value::Null => all.as_object_mut().expect("an object").remove(name),
            value => all.as_object_mut().expect("an object").insert(name.clone(), value.clone()),
        };
    }
    all
}

/// A token without its signature.
pub fn unsigned(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(head), part(claims))
}

/// A token signed as if what everybody knows were a secret.
pub fn signed_with_what_is_public(public: &[u8], claims: &Value) -> String {
    let text = unsigned(&json!({ "alg": "HS256", "typ": "JWT", "kid": "1" }), claims);
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// Seconds since 1970.
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs()
}
