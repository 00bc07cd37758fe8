//! A small authorization server: codes with PKCE, rotated refresh tokens that take their family with them, device codes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use oauth2::url::{Url, form_urlencoded};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use serde_json::{Value, json};

type Form = HashMap<String, String>;

#[derive(Default)]
pub struct Seen {
    /// Every request to the token endpoint: its words, whether they were JSON.
    pub asked: Vec<(Form, bool)>,
    /// What was taken back.
    pub revoked: Vec<String>,
    /// Families that a second use of a refresh token ended.
    pub killed: usize,
    /// Seconds that access tokens live.
    pub life: u64,
    /// How long a refresh takes.
    pub slow: Duration,
    /// What is answered instead.
    pub instead: Option<(u16, Value)>,
    /// What sessions' tokens are exchanged for lives so many seconds.
    pub exchanged_life: i64,
    /// The tokens that were brought for that, and which of them are no good.
    pub exchanged: Vec<String>,
    pub bad: Vec<String>,
    /// The address that device codes are typed at.
    pub verification_uri: String,
    codes: HashMap<String, (String, String)>,
    good: HashSet<String>,
    used: HashSet<String>,
    given: usize,
}

#[derive(Clone)]
pub struct Authority {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Authority {
    pub async fn start() -> Authority {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen =
            Seen { life: 3600, exchanged_life: 1500, verification_uri: format!("{url}/device"), ..Seen::default() };
        let authority = Authority { url, seen: Arc::new(Mutex::new(seen)) };
        let router = Router::new()
            .route("/token", post(token))
            .route("/device/code", post(device))
            .route("/revoke", post(revoke))
            .route("/exchange", get(exchange))
            .with_state(authority.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        authority
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// How often tokens were asked for with that grant.
    pub fn asked(&self, grant: &str) -> usize {
        self.seen().asked.iter().filter(|(form, _)| form["grant_type"].ends_with(grant)).count()
    }

    /// A person says yes at that address: the code and the state that the browser is sent back with.
    pub fn approve(&self, address: &str) -> (String, String) {
        let words: Form = Url::parse(address).unwrap().query_pairs().into_owned().collect();
        assert_eq!((words["response_type"].as_str(), words["code_challenge_method"].as_str()), ("code", "S256"));
        let mut seen = self.seen();
        seen.given += 1;
        let code = format!("code-canary-{}", seen.given);
        seen.codes.insert(code.clone(), (words["code_challenge"].clone(), words["redirect_uri"].clone()));
        (code, words["state"].clone())
    }

    /// What a refresh gives, to whoever is killed before writing it.
    pub fn rotate(&self, refresh: &str) {
        let mut seen = self.seen();
        assert!(seen.good.remove(refresh) && seen.used.insert(refresh.to_string()));
    }
}

impl Seen {
    fn tokens(&mut self) -> (StatusCode, Value) {
        self.given += 1;
        let refresh = format!("refresh-canary-{:020}", self.given);
        self.good.insert(refresh.clone());
        let access = format!("access-canary-{:020}", self.given);
        let answer = json!({ "access_token": access, "token_type": "Bearer", "expires_in": self.life,
                             "refresh_token": refresh, "scope": "models other" });
        (StatusCode::OK, answer)
    }

    fn answer(&mut self, form: &Form) -> (StatusCode, Value) {
        let no = |word: &str| (StatusCode::BAD_REQUEST, json!({ "error": word, "error_description": "canary" }));
        if let Some((status, body)) = self.instead.clone() {
            return (StatusCode::from_u16(status).unwrap(), body);
        }
        let signs = form["grant_type"].ends_with("jwt-bearer");
        if !signs && form.get("client_id").map(String::as_str) != Some("client-of-the-gateway") {
            return no("invalid_client");
        }
        match form["grant_type"].as_str() {
            "authorization_code" => {
                let Some((challenge, redirect)) = self.codes.remove(&form["code"]) else { return no("invalid_grant") };
                let verifier = form["code_verifier"].clone();
                assert!((43..=128).contains(&verifier.len()));
                let made = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
                match made.as_str() == challenge && redirect == form["redirect_uri"] {
                    true => self.tokens(),
                    false => no("invalid_grant"),
                }
            }
            "refresh_token" => {
                let refresh = &form["refresh_token"];
                if self.used.contains(refresh) {
                    self.killed += 1;
                    self.good.clear();
                }
                match self.good.remove(refresh) {
                    true => {
                        self.used.insert(refresh.clone());
                        self.tokens()
                    }
                    false => no("invalid_grant"),
                }
            }
            _ => self.tokens(),
        }
    }
}

async fn token(State(authority): State<Authority>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let json = headers["content-type"] == "application/json";
    let form: Form = match json {
        true => serde_json::from_slice(&body).unwrap(),
        false => form_urlencoded::parse(&body).into_owned().collect(),
    };
    let (answer, slow) = {
        let mut seen = authority.seen();
        seen.asked.push((form.clone(), json));
        (seen.answer(&form), seen.slow)
    };
    tokio::time::sleep(slow).await;
    (answer.0, axum::Json(answer.1))
}

async fn device(State(authority): State<Authority>) -> impl IntoResponse {
    let uri = authority.seen().verification_uri.clone();
    axum::Json(json!({ "device_code": "device-canary", "user_code": "WDJB-MJHT", "verification_uri": uri,
                       "expires_in": 900, "interval": 1 }))
}

async fn revoke(State(authority): State<Authority>, body: Bytes) -> impl IntoResponse {
    let form: Form = form_urlencoded::parse(&body).into_owned().collect();
    let mut seen = authority.seen();
    seen.revoked.push(form["token"].clone());
    seen.instead.as_ref().map_or(StatusCode::OK, |(status, _)| StatusCode::from_u16(*status).unwrap())
}

async fn exchange(State(authority): State<Authority>, headers: HeaderMap) -> impl IntoResponse {
    let mut seen = authority.seen();
    let brought = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_string();
    seen.exchanged.push(brought.clone());
    if seen.bad.contains(&brought) {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({ "message": "Bad credentials" })));
    }
    let token = format!("tid=exchanged-canary-{};exp=1", seen.exchanged.len());
    let expires_at = crate::store::now_ms() / 1000 + seen.exchanged_life;
    (
        StatusCode::OK,
        axum::Json(json!({ "token": token, "expires_at": expires_at, "endpoints": { "api": "https://x" } })),
    )
}
