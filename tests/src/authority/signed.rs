//! What a service account signed (RFC 7523), looked at as a server does.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

/// Longer than an hour nothing that was signed is good.
const LONGEST_S: u64 = 3600;

/// The scopes that are asked for, if the key of that public half signed it for this address, and now.
pub fn scopes(assertion: &str, key: &[u8], audience: &str) -> Option<String> {
    let (said, signature) = assertion.rsplit_once('.')?;
    let (head, claims) = said.split_once('.')?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    public.verify(said.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let (head, claims) = (read(head)?, read(claims)?);
    let (made, ends, now) = (claims["iat"].as_u64()?, claims["exp"].as_u64()?, now_s());
    let is_now = made <= now && now < ends && ends - made <= LONGEST_S;
    let is_ours = head["alg"] == "RS256" && claims["aud"] == audience && claims["iss"].is_string();
    claims["scope"].as_str().filter(|_| is_now && is_ours).map(str::to_owned)
}

/// The time as everybody has it.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
