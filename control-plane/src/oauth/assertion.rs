//! What a service account says of itself at a token endpoint: a client's id and secret, or a statement that its key signed (RFC 7523).
//!
//! The key's document is the JSON that clouds give for it: `client_email`, `private_key` (PKCS #8 as PEM), `private_key_id`. Where
//! tokens come from stands in the row, not in there.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oauth2::url::form_urlencoded;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::settings::{KnownBy, Secret, ServiceAccount};

/// The grant of RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long a statement is good: as long as clouds allow.
const LIFE_S: i64 = 3600;
/// It is dated back by so much, for clocks differ.
const SKEW_S: i64 = 10;
/// Largest document of a key: it has some two kilobytes.
const MAX_KEY: u64 = 64 * 1024;

#[derive(Deserialize)]
struct Key {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
}

/// The words with which a token is asked for, as a form; an error says why there are none, and has nothing of a secret in it.
pub(super) async fn form(account: &ServiceAccount, now_ms: i64) -> Result<Zeroizing<Vec<u8>>, String> {
    let scopes = account.scopes.join(" ");
    Ok(match &account.known_by {
        KnownBy::Key(key) => {
            let statement = statement(&document(key).await?, (&account.token_url, &scopes), now_ms / 1000)?;
            written(&[("grant_type", JWT_BEARER), ("assertion", statement.expose())])
        }
        KnownBy::Client { id, secret } => {
            let secret = secret.expose();
            let who = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
            written(&[&who[..], &[("scope", &scopes)]].concat())
        }
    })
}

fn written(words: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let said = words.iter().filter(|(_, value)| !value.is_empty());
    Zeroizing::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish().into_bytes())
}

/// A key's document, or the file that it is in. Read each time, so that another key may be put there.
async fn document(key: &Secret) -> Result<Secret, String> {
    if key.expose().starts_with('{') {
        return Ok(key.clone());
    }
    // The path is not told: it may be a key that somebody put in its place.
    let failed = |error: std::io::Error| format!("the file of its key can't be read: {}", error.kind());
    match tokio::fs::metadata(key.expose()).await.map_err(failed)?.len() {
        0..=MAX_KEY => Ok(Secret::new(tokio::fs::read_to_string(key.expose()).await.map_err(failed)?)),
        _ => Err("the file of its key is larger than 64 KiB".to_string()),
    }
}

fn statement(document: &Secret, (audience, scopes): (&str, &str), now_s: i64) -> Result<Secret, String> {
    let key: Key = serde_json::from_str(document.expose())
        .map_err(|_| "its key is none of a service account: it has no `client_email` and `private_key`".to_string())?;
    let unusable = || "the `private_key` of its key is no RSA key in PKCS #8".to_string();
    let private_key = Secret::new(key.private_key);
    let pem: String = private_key.expose().lines().filter(|line| !line.starts_with("-----")).collect();
    let pem = Secret::new(pem);
    let der = Zeroizing::new(STANDARD.decode(pem.expose()).map_err(|_| unusable())?);
    let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| unusable())?;
    let mut head = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = key.private_key_id {
        head["kid"] = id.into();
    }
    let made = now_s - SKEW_S;
    let mut claims = json!({ "iss": key.client_email, "aud": audience, "iat": made, "exp": made + LIFE_S });
    if !scopes.is_empty() {
        claims["scope"] = scopes.into();
    }
    let [head, claims] = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let said = format!("{head}.{claims}");
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature).map_err(|_| unusable())?;
    Ok(Secret::new(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))))
}
