use std::sync::Arc;
use std::time::{Duration, Instant};

use dragoman_core::admission::digest;
use tokio::sync::watch;

use super::*;
use crate::accounts::{AccountId, AccountKind, Terms};
use crate::catalog::{Catalog, known};
use crate::current::Made;
use crate::settings::{File, Secret, Style};
use crate::store::rows::Condition;
use crate::store::sessions::{Patience, SessionState};
use crate::store::tests::{Directory, on_both};
use crate::vault::{Purpose, Slot};

mod authority;

pub(crate) use authority::Authority;

pub(crate) const ALICE: &str = "acme.alice";
const MARK: &str = "abababababababababababababababababababababababababababababababab";

/// How people sign in with a provider at that address.
pub(crate) fn terms(url: &str) -> SignIn {
    SignIn {
        provider: "corp".into(),
        policy: SignInPolicy::OwnerOnly,
        authorize_url: Some(format!("{url}/authorize")),
        token_url: Some(format!("{url}/token")),
        exchange_url: None,
        device_url: None,
        revoke_url: None,
        issuer: None,
        client_id: Ok("client-of-the-gateway".into()),
        client_secret: None,
        redirect_uri: Ok("http://127.0.0.1:10002/sign-in/callback/corp".into()),
        scopes: vec!["models".into()],
        parameters: Vec::new(),
        headers: Vec::new(),
        style: Style::Form,
        verification_hosts: Vec::new(),
        tokens: Default::default(),
    }
}

async fn current(store: &Store, rows: &str) -> Arc<Current> {
    let file = File::read("f", &format!("catalog = false\n{rows}"), &known().unwrap()).unwrap();
    let environment = |name: &str| (name == "CLIENT").then(|| "client-of-the-gateway".to_string());
    let catalog = Catalog::join(&file, &environment).unwrap();
    Arc::new(Current::publish(Made::of(catalog, file).unwrap(), 0, store).await.unwrap())
}

fn row(id: &str, url: &str, more: &str) -> String {
    format!(
        "[[provider]]\nid = \"{id}\"\nbase_url = \"{url}\"\nsign_in = {{ policy = \"owner_only\", authorize_url = \"{url}/authorize\", \
         token_url = \"{url}/token\", device_url = \"{url}/device/code\", revoke_url = \"{url}/revoke\", \
         client_id = {{ env = \"CLIENT\" }}, scopes = [\"models\"]{more} }}\n"
    )
}

/// Some control planes that share a store, and a provider.
pub(crate) struct Gate {
    pub(crate) oauth: OAuth,
    pub(crate) store: Store,
    pub(crate) vault: Entries,
    pub(crate) authority: Authority,
    feed: watch::Sender<Arc<Current>>,
}

impl Gate {
    pub(crate) async fn of(store: Store, authority: Authority, more: &str) -> Gate {
        let rows = row("corp", &authority.url, more);
        for (id, kind) in [("acme", AccountKind::Tenant), (ALICE, AccountKind::User)] {
            let id = AccountId::read(id).unwrap();
            store.put_account("me", &id, kind, &Terms::default(), Condition::None).await.unwrap();
        }
        let vault = Entries::of(&store).await.unwrap();
        let feed = watch::Sender::new(current(&store, &rows).await);
        let pepper = Pepper::of(&store).await.unwrap();
        let oauth =
            OAuth::new(&store, &vault, pepper, (Egress::new(None).unwrap(), Arc::default()), feed.subscribe()).unwrap();
        Gate { oauth, store, vault, authority, feed }
    }

    pub(crate) async fn open(directory: &Directory, more: &str) -> Gate {
        Gate::of(Store::open(&directory.0, None).await.unwrap(), Authority::start().await, more).await
    }

    /// Other rows are published.
    pub(crate) async fn publish(&self, rows: &str) {
        self.feed.send_replace(current(&self.store, rows).await);
    }

    async fn begun(&self) -> String {
        self.oauth.begin_in_browser("corp", ALICE, "me").await.unwrap().0.id
    }

    async fn page(&self, id: &str) -> Offered {
        self.oauth.open_page(id, &|_| None).await.unwrap()
    }

    async fn back(&self, provider: &str, returned: Returned, mark: Option<&str>) -> Came {
        let mark = mark.map(str::to_string);
        self.oauth.come_back(provider, returned, &move |_| mark.clone().map(Secret::new)).await
    }

    /// The whole way.
    pub(crate) async fn sign_in(&self) -> Came {
        let offered = self.page(&self.begun().await).await;
        let returned = approved(&self.authority, &offered);
        self.back("corp", returned, Some(offered.cookie.1.expose())).await
    }

    async fn token(&self, account: &str) -> Option<String> {
        self.oauth.serve(account, "corp").await.ok().map(|served| served.token.expose().to_string())
    }

    async fn count(&self) -> usize {
        self.oauth.sessions().list().await.unwrap().len()
    }
}

fn approved(authority: &Authority, offered: &Offered) -> Returned {
    let (code, state) = authority.approve(offered.address.expose());
    Returned { code: Some(code), state: Some(state), ..Returned::default() }
}

#[tokio::test]
async fn who_signs_in_is_served_their_own_token_and_nobody_else_is() {
    for fresh in on_both().await {
        let gate = Gate::of(fresh.open().await, Authority::start().await, "").await;
        assert_eq!(gate.token(ALICE).await, None);
        assert_eq!(gate.sign_in().await, Came::In { provider: "corp".into(), account: ALICE.into() });
        let served = gate.oauth.serve(ALICE, "corp").await.unwrap();
        assert!(served.token.expose().starts_with("access-canary-"));
        assert!((2_870_000..=2_880_000).contains(&served.valid_for_ms), "{}", served.valid_for_ms);
        for other in ["acme", "acme.alice.x", "acme.bob", ""] {
            assert_eq!(gate.token(other).await, None, "{other}");
        }
        let session = gate.oauth.sessions().list().await.unwrap().remove(0);
        assert_eq!((session.scopes.join(" ").as_str(), session.hint.len()), ("models other", 4));
        // What the operator no longer allows is not served; it stays its owner's, so nobody's key is used instead.
        let off = row("corp", &gate.authority.url, "").replace("owner_only", "disabled");
        let (before, after) = (gate.feed.borrow().clone(), current(&gate.store, &off).await);
        assert_eq!(after.renewed_since(&before), ["corp@"], "filters forget it at once");
        gate.feed.send_replace(after);
        assert_eq!(gate.token(ALICE).await, None);
        assert_eq!(gate.vault.own(Purpose::Session, ALICE).await.unwrap(), ["corp"]);
    }
}

#[tokio::test]
async fn a_sign_in_says_what_is_missing() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let rows = row("off", "https://h", "").replace("owner_only", "caller_passthrough")
        + &row("unset", "https://h", "").replace("CLIENT", "NOBODY_SETS_THIS")
        + &row("elsewhere", "https://h", ", redirect_uri = \"https://h/back\"");
    gate.feed.send_replace(current(&gate.store, &rows).await);
    let refused = async |provider| gate.oauth.begin_in_browser(provider, ALICE, "me").await.unwrap_err();
    assert!(matches!(refused("nobody").await, Refused::Unknown(_)));
    assert!(matches!(refused("off").await, Refused::Off(_)));
    assert!(matches!(refused("unset").await, Refused::Unready(why) if why == "NOBODY_SETS_THIS is not set"));
    assert!(matches!(refused("elsewhere").await, Refused::Unready(why) if why.contains("/sign-in/callback/elsewhere")));
}

/// AZ-07.
#[tokio::test]
async fn nobody_comes_back_without_the_state_or_in_another_browser_or_twice() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let id = gate.begun().await;
    let old = gate.page(&id).await;
    let offered = gate.page(&id).await;
    assert_ne!(old.address.expose(), offered.address.expose(), "each opening has its own state and verifier");
    let mark = offered.cookie.1.expose();
    let good = approved(&gate.authority, &offered);
    let with_state = |state: Option<&str>| Returned { state: state.map(str::to_string), ..good.clone() };
    let earlier = approved(&gate.authority, &old);
    for (returned, mark) in [
        (with_state(None), Some(mark)),
        (with_state(Some("")), Some(mark)),
        (with_state(Some(MARK)), Some(mark)),
        (with_state(Some(&"x".repeat(64))), Some(mark)),
        (earlier.clone(), Some(mark)),
        (earlier, Some(old.cookie.1.expose())),
        (good.clone(), None),
        (good.clone(), Some("")),
        (good.clone(), Some(MARK)),
        (good.clone(), Some(old.cookie.1.expose())),
    ] {
        assert!(matches!(gate.back("corp", returned, mark).await, Came::Not(_)));
    }
    assert_eq!((gate.authority.asked("authorization_code"), gate.count().await), (0, 0));
    // None of that used it up; at the same time and afterwards it works once.
    let (one, other) =
        tokio::join!(gate.back("corp", good.clone(), Some(mark)), gate.back("corp", good.clone(), Some(mark)));
    assert_eq!([one, other].iter().filter(|came| matches!(came, Came::In { .. })).count(), 1);
    assert!(matches!(gate.back("corp", good, Some(mark)).await, Came::Not(_)));
    assert!(gate.oauth.open_page(&id, &|_| None).await.is_err());
    assert_eq!((gate.authority.asked("authorization_code"), gate.count().await), (1, 1));
}

/// AZ-08.
#[tokio::test]
async fn the_answer_of_one_provider_is_not_taken_for_anothers() {
    let directory = Directory::new();
    let store = Store::open(&directory.0, None).await.unwrap();
    let (honest, evil) = (Authority::start().await, Authority::start().await);
    let gate = Gate::of(store, honest.clone(), "").await;
    let issuer = format!(", issuer = \"{}\"", honest.url);
    let rows = row("corp", &honest.url, &issuer) + &row("evil", &evil.url, "");
    gate.feed.send_replace(current(&gate.store, &rows).await);
    let come = async |provider: &str, iss: Option<&str>| {
        let offered = gate.page(&gate.begun().await).await;
        let returned = Returned { iss: iss.map(str::to_string), ..approved(&honest, &offered) };
        gate.back(provider, returned, Some(offered.cookie.1.expose())).await
    };
    for (provider, iss) in [
        ("evil", Some(honest.url.as_str())),
        ("evil", Some(&evil.url)),
        ("corp", Some(&evil.url)),
        ("corp", Some("")),
        ("corp", None),
        ("nobody", Some(&honest.url)),
    ] {
        assert!(matches!(come(provider, iss).await, Came::Not(_)), "{provider} {iss:?}");
    }
    let codes = honest.asked("authorization_code") + evil.asked("authorization_code");
    assert_eq!((codes, gate.count().await), (0, 0), "no code went anywhere");
    assert!(matches!(come("corp", Some(&honest.url)).await, Came::In { .. }));
    let redirects: std::collections::HashSet<String> =
        ["corp", "evil"].iter().map(|id| gate.oauth.terms(id).unwrap().redirect_uri.unwrap()).collect();
    assert_eq!(redirects.len(), 2, "each provider has its own");
}

/// AZ-09: the verifier is the server's, made anew each time, and another one is worth nothing.
#[tokio::test]
async fn a_code_is_worth_nothing_with_the_verifier_of_another_opening() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let id = gate.begun().await;
    let stolen = approved(&gate.authority, &gate.page(&id).await);
    let offered = gate.page(&id).await;
    let state = approved(&gate.authority, &offered).state;
    let injected = Returned { state, ..stolen };
    let came = gate.back("corp", injected, Some(offered.cookie.1.expose())).await;
    assert!(matches!(&came, Came::Not(why) if why.contains("`invalid_grant`")), "{came:?}");
    assert_eq!(gate.count().await, 0);
    let verifiers: Vec<String> =
        gate.authority.seen().asked.iter().map(|(form, _)| form["code_verifier"].clone()).collect();
    assert!(!offered.address.expose().contains(&verifiers[0]) && offered.cookie.1.expose() != verifiers[0]);
    let entry = gate.store.sign_in(&id).await.unwrap().unwrap();
    assert!(entry.envelope.sealed.is_empty(), "it is deleted on use");
}

#[tokio::test]
async fn what_the_provider_says_instead_of_a_code_is_told_without_its_sentences() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    for (error, told) in [("access_denied", "said no"), ("<script>alert(1)</script>", "an error without a name")] {
        let offered = gate.page(&gate.begun().await).await;
        let returned = Returned { error: Some(error.into()), ..approved(&gate.authority, &offered) };
        let came = gate.back("corp", returned, Some(offered.cookie.1.expose())).await;
        assert!(matches!(&came, Came::Not(why) if why.contains(told) && !why.contains("<script>")), "{came:?}");
    }
    gate.authority.seen().instead = Some((200, serde_json::json!({ "error": "bad_verification_code" })));
    assert!(matches!(gate.sign_in().await, Came::Not(why) if why.contains("`bad_verification_code`")));
    for (token, kind) in [("a\r\nb", "bearer"), ("", "Bearer"), ("a", "mac"), ("a", "N_A")] {
        let answer = serde_json::json!({ "access_token": token, "token_type": kind });
        gate.authority.seen().instead = Some((200, answer));
        assert!(matches!(gate.sign_in().await, Came::Not(why) if why.contains("no token")), "{token:?} {kind}");
    }
    assert_eq!(gate.count().await, 0);
}

#[tokio::test]
async fn a_token_endpoint_that_speaks_json_is_asked_so() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, ", style = \"json\"").await;
    assert!(matches!(gate.sign_in().await, Came::In { .. }));
    let seen = gate.authority.seen();
    assert!(seen.asked[0].1 && seen.asked[0].0["state"].len() == 64);
}

#[tokio::test]
async fn an_account_that_is_gone_meanwhile_gets_nothing() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let offered = gate.page(&gate.begun().await).await;
    gate.store.delete_account("me", ALICE, Condition::None).await.unwrap();
    let came = gate.back("corp", approved(&gate.authority, &offered), Some(offered.cookie.1.expose())).await;
    assert!(matches!(came, Came::Not(_)));
    assert_eq!(gate.count().await, 0);
}

/// AZ-10.
#[tokio::test]
async fn a_device_code_is_asked_for_as_often_as_the_provider_allows_and_told_to_nobody() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let (entry, shown) = gate.oauth.begin_on_device("corp", ALICE, "me").await.unwrap();
    assert_eq!((shown.user_code.as_str(), shown.interval), ("WDJB-MJHT", 1));
    assert!(!format!("{entry:?}{shown:?}").contains("device-canary"));
    let progress = async || gate.store.sign_in(&entry.id).await.unwrap().unwrap();
    gate.oauth.ask_for(&entry.id).await;
    assert_eq!(gate.authority.asked("device_code"), 0, "too early");
    for (word, interval) in [("authorization_pending", 0), ("slow_down", 5_000)] {
        gate.authority.seen().instead = Some((400, serde_json::json!({ "error": word })));
        gate.store.wait_sign_in(&entry.id, 0).await.unwrap();
        gate.oauth.ask_for(&entry.id).await;
        assert_eq!((progress().await.interval_ms, progress().await.progress), (interval, Progress::Waiting), "{word}");
    }
    gate.oauth.ask_for(&entry.id).await;
    assert_eq!(gate.authority.asked("device_code"), 2, "it was told to slow down");
    gate.authority.seen().instead = None;
    gate.store.wait_sign_in(&entry.id, 0).await.unwrap();
    tokio::join!(gate.oauth.ask_for(&entry.id), gate.oauth.ask_for(&entry.id));
    assert_eq!((progress().await.progress, gate.authority.asked("device_code")), (Progress::Done, 3));
    assert!(gate.token(ALICE).await.is_some());
    for (word, told) in [("expired_token", "in time"), ("access_denied", "said no"), ("nonsense", "`nonsense`")] {
        let (entry, _) = gate.oauth.begin_on_device("corp", ALICE, "me").await.unwrap();
        gate.authority.seen().instead = Some((400, serde_json::json!({ "error": word })));
        gate.store.wait_sign_in(&entry.id, 0).await.unwrap();
        gate.oauth.ask_for(&entry.id).await;
        let ended = gate.store.sign_in(&entry.id).await.unwrap().unwrap();
        assert!(ended.progress == Progress::Failed && ended.said.contains(told), "{ended:?}");
    }
    gate.authority.seen().verification_uri = "https://evil.example/device".into();
    let refused = gate.oauth.begin_on_device("corp", ALICE, "me").await;
    assert!(matches!(refused, Err(Refused::Provider(why)) if why.contains("not in its row")));
}

/// Signed in with a token that is over, for refresh tokens.
async fn over(gate: &Gate) -> String {
    gate.authority.seen().life = 1;
    assert!(matches!(gate.sign_in().await, Came::In { .. }));
    gate.authority.seen().life = 3600;
    let token = gate.token(ALICE).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    token
}

/// AZ-12.
#[tokio::test]
async fn of_a_hundred_callers_at_two_control_planes_one_refreshes() {
    for fresh in on_both().await {
        let authority = Authority::start().await;
        let one = Arc::new(Gate::of(fresh.open().await, authority.clone(), "").await);
        let other = Arc::new(Gate::of(fresh.open().await, authority.clone(), "").await);
        let old = over(&one).await;
        authority.seen().slow = Duration::from_millis(200);
        let callers: Vec<_> = (0..100)
            .map(|number| {
                let gate = if number % 2 == 0 { one.clone() } else { other.clone() };
                tokio::spawn(async move { gate.token(ALICE).await })
            })
            .collect();
        let mut tokens = std::collections::HashSet::new();
        for caller in callers {
            tokens.insert(caller.await.unwrap().expect("a token"));
        }
        assert_eq!((authority.asked("refresh_token"), authority.seen().killed), (1, 0));
        assert!(tokens.len() == 1 && !tokens.contains(&old), "{tokens:?}");
        one.oauth.refresh(ALICE, "corp", "me").await.unwrap();
        assert_eq!((authority.asked("refresh_token"), authority.seen().killed), (2, 0), "the rotated one was written");
    }
}

#[tokio::test]
async fn a_token_that_the_provider_rejects_is_renewed_once_and_not_again_at_once() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    gate.sign_in().await;
    let first = gate.token(ALICE).await.unwrap();
    let rejected = |token: &str| digest(format!("Bearer {token}").as_bytes());
    let instead = async |token: &str| {
        let served = gate.oauth.serve_instead(ALICE, "corp", &rejected(token)).await.unwrap();
        served.token.expose().to_string()
    };
    assert_eq!(instead(&first).await, first, "it was made just now: another would be rejected, too");
    let age = format!("UPDATE vault_entry SET changed_ms = changed_ms - {}", refresh::YOUNG_MS + 1);
    gate.store.tamper(&age).await;
    assert_eq!(instead("of somebody else").await, first, "an older one was rejected, not this one");
    let second = instead(&first).await;
    assert_ne!(second, first);
    assert_eq!(instead(&first).await, second, "others who met the rejection get what is there");
    assert_eq!(instead(&second).await, second, "it is not asked again and again");
}

#[tokio::test]
async fn nobody_waits_while_the_old_token_is_good() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    gate.authority.seen().life = 4;
    assert!(matches!(gate.sign_in().await, Came::In { .. }));
    let old = gate.token(ALICE).await;
    gate.authority.seen().life = 3600;
    gate.authority.seen().slow = Duration::from_millis(500);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    for _ in 0..20 {
        let begun = Instant::now();
        let served = gate.oauth.serve(ALICE, "corp").await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
        assert!(served.valid_for_ms <= 5_000);
        assert_eq!(Some(served.token.expose().to_string()), old);
    }
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_ne!(gate.token(ALICE).await, old);
    assert_eq!(gate.authority.asked("refresh_token"), 1);
}

/// A control plane is killed between the provider's answer and the writing.
#[tokio::test]
async fn a_token_that_was_lost_is_tried_once_more_and_then_its_owner_signs_in_again() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    over(&gate).await;
    let slot = Slot::session(ALICE, "corp");
    let (session, document) = gate.oauth.sessions().open(&slot).await.unwrap().unwrap();
    let lost = exchange::Held::read(&document).unwrap().refresh.unwrap();
    let claimed = gate.oauth.sessions().claim(&slot, session.version, ("dead", 300), Patience::Pauses).await.unwrap();
    assert!(claimed);
    gate.authority.rotate(lost.expose());
    let begun = Instant::now();
    for _ in 0..3 {
        assert!(matches!(gate.oauth.serve(ALICE, "corp").await, Err(Stuck::NeedsSignIn(_))));
        assert!(matches!(gate.oauth.refresh(ALICE, "corp", "me").await, Err(Stuck::NeedsSignIn(_))));
    }
    assert!(begun.elapsed() >= Duration::from_millis(250), "the dead one's claim was waited for");
    assert_eq!(gate.authority.asked("refresh_token"), 1, "no loop");
    let session = gate.oauth.sessions().list().await.unwrap().remove(0);
    assert!(session.state == SessionState::NeedsSignIn && session.said.contains("Sign in again"));
    assert_eq!(gate.vault.own(Purpose::Session, ALICE).await.unwrap(), ["corp"], "nobody else's is used instead");
    assert!(matches!(gate.sign_in().await, Came::In { .. }));
    assert!(gate.token(ALICE).await.is_some());
}

#[tokio::test]
async fn a_claim_of_who_died_before_asking_ends_and_the_next_one_refreshes() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    over(&gate).await;
    let slot = Slot::session(ALICE, "corp");
    let version = gate.oauth.sessions().find(&slot).await.unwrap().unwrap().version;
    assert!(gate.oauth.sessions().claim(&slot, version, ("dead", 300), Patience::Pauses).await.unwrap());
    assert!(gate.token(ALICE).await.is_some());
    assert_eq!((gate.authority.asked("refresh_token"), gate.authority.seen().killed), (1, 0));
}

#[tokio::test]
async fn a_provider_that_is_away_is_left_alone_for_a_while_and_a_person_may_try_at_once() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    over(&gate).await;
    gate.authority.seen().instead = Some((503, serde_json::json!({ "error": "invalid_grant" })));
    for _ in 0..3 {
        assert!(matches!(gate.oauth.serve(ALICE, "corp").await, Err(Stuck::Provider(why)) if why.contains("503")));
    }
    assert_eq!(gate.authority.asked("refresh_token"), 1);
    gate.authority.seen().instead = None;
    let told = gate.store.last_change().await.unwrap();
    let session = gate.oauth.refresh(ALICE, "corp", "me").await.unwrap();
    assert_eq!(gate.store.last_change().await.unwrap(), told + 1, "filters forget the old one");
    assert_eq!((session.state, session.said.as_str()), (SessionState::Active, ""));
    assert_eq!(gate.authority.asked("refresh_token"), 2);
}

#[tokio::test]
async fn who_goes_away_while_a_token_is_renewed_loses_nothing() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    over(&gate).await;
    gate.authority.seen().slow = Duration::from_millis(300);
    let gone = tokio::time::timeout(Duration::from_millis(100), gate.token(ALICE)).await;
    assert!(gone.is_err());
    assert!(gate.token(ALICE).await.is_some());
    assert_eq!((gate.authority.asked("refresh_token"), gate.authority.seen().killed), (1, 0));
}

#[tokio::test]
async fn who_signs_out_is_forgotten_and_the_provider_is_told() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    assert!(matches!(gate.sign_in().await, Came::In { .. }));
    let out = gate.oauth.sign_out(ALICE, "corp", "me").await.unwrap();
    assert_eq!(out, Revoked { by_provider: true, said: String::new() });
    let kinds: Vec<String> =
        gate.authority.seen().revoked.iter().map(|token| token.split('-').next().unwrap().to_string()).collect();
    assert_eq!(kinds, ["refresh", "access"]);
    assert!(matches!(gate.oauth.sign_out(ALICE, "corp", "me").await, Err(Stuck::None)));
    assert_eq!((gate.token(ALICE).await, gate.count().await), (None, 0));
    assert!(gate.vault.own(Purpose::Session, ALICE).await.unwrap().is_empty());
    assert!(matches!(gate.sign_in().await, Came::In { .. }));
    gate.authority.seen().instead = Some((503, serde_json::Value::Null));
    let out = gate.oauth.sign_out(ALICE, "corp", "me").await.unwrap();
    assert!(!out.by_provider && out.said.contains("503"), "{out:?}");
    assert_eq!(gate.count().await, 0);
}

/// AZ-21, AZ-22: nothing of a whole sign-in stands in a file, in the audit log or in what is printed of it.
#[tokio::test]
async fn no_token_code_verifier_or_state_is_in_any_file_or_print() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    let offered = gate.page(&gate.begun().await).await;
    let returned = approved(&gate.authority, &offered);
    let state = returned.state.clone().unwrap();
    let mark = offered.cookie.1.expose().to_string();
    let printed = format!("{offered:?}");
    let came = gate.back("corp", returned, Some(&mark)).await;
    let (entry, _) = gate.oauth.begin_on_device("corp", ALICE, "me").await.unwrap();
    gate.oauth.refresh(ALICE, "corp", "me").await.unwrap();
    let served = gate.oauth.serve(ALICE, "corp").await.unwrap();
    let opened = gate.oauth.sessions().open(&Slot::session(ALICE, "corp")).await.unwrap();
    let log = gate.store.audit(None, 99).await.unwrap();
    let verifier = gate.authority.seen().asked[0].0["code_verifier"].clone();
    let printed = format!("{printed}{came:?}{entry:?}{served:?}{opened:?}{log:?}{:?}", gate.oauth);
    let canaries = ["canary", state.as_str(), mark.as_str(), verifier.as_str()];
    for canary in canaries {
        assert!(!printed.contains(canary), "{canary}");
    }
    for file in std::fs::read_dir(&directory.0).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for canary in canaries {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} in {}", path.display());
        }
    }
}

/// A control plane died with as many claims as may be asked for at a time.
#[tokio::test]
async fn claims_of_the_dead_keep_nobody_else_from_renewing() {
    let directory = Directory::new();
    let gate = Arc::new(Gate::open(&directory, "").await);
    over(&gate).await;
    let (_, document) = gate.oauth.sessions().open(&Slot::session(ALICE, "corp")).await.unwrap().unwrap();
    let mut waiting = Vec::new();
    for number in 0..refresh::AT_ONCE {
        let slot = Slot::session(&format!("acme.u{number}"), "corp");
        let id = AccountId::read(&slot.account).unwrap();
        gate.store.put_account("me", &id, AccountKind::User, &Terms::default(), Condition::None).await.unwrap();
        let (document, ended) = (document.clone(), now_ms() - 1);
        let (hint, scopes) = (String::new(), Vec::new());
        let tokens = crate::store::sessions::Tokens { document, hint, scopes, expires_ms: ended, refresh_ms: ended };
        gate.oauth.sessions().begin(&slot, &tokens, "me").await.unwrap();
        let version = gate.oauth.sessions().find(&slot).await.unwrap().unwrap().version;
        assert!(gate.oauth.sessions().claim(&slot, version, ("dead", 60_000), Patience::Pauses).await.unwrap());
        let gate = gate.clone();
        waiting.push(tokio::spawn(async move { gate.token(&slot.account).await }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let token = tokio::time::timeout(Duration::from_secs(5), gate.token(ALICE)).await;
    assert!(token.expect("no wait for the dead").is_some());
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Thousands of tokens are due at the same time, and somebody comes whose token is over.
#[tokio::test]
async fn whoever_waits_for_a_token_does_not_stand_behind_those_that_are_only_due() {
    let directory = Directory::new();
    let gate = Gate::open(&directory, "").await;
    over(&gate).await;
    gate.authority.seen().slow = Duration::from_secs(1);
    for number in 0..4 * refresh::AT_ONCE {
        let slot = Slot::session(&format!("acme.u{number}"), "corp");
        let id = AccountId::read(&slot.account).unwrap();
        gate.store.put_account("me", &id, AccountKind::User, &Terms::default(), Condition::None).await.unwrap();
        let document = Secret::new(r#"{"access":"good","refresh":"nobody-knows-it"}"#);
        let (hint, scopes, now) = (String::new(), Vec::new(), now_ms());
        let tokens =
            crate::store::sessions::Tokens { document, hint, scopes, expires_ms: now + 60_000, refresh_ms: now - 1 };
        gate.oauth.sessions().begin(&slot, &tokens, "me").await.unwrap();
        assert_eq!(gate.token(&slot.account).await.as_deref(), Some("good"));
    }
    let begun = Instant::now();
    assert!(gate.token(ALICE).await.is_some());
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
}
