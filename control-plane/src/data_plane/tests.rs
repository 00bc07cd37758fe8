use std::time::Duration;

use dragoman_core::admission::{Grant, digest};
use dragoman_core::failure::Failure;
use dragoman_core::health::Fleet;
use dragoman_core::snapshot::Snapshot;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::transport::Channel;

use super::proto::data_plane_client::DataPlaneClient;
use super::proto::{Change, CoolDown, CoolDowns};
use super::*;
use crate::accounts::{AccountId, AccountKind, Terms};
use crate::catalog::{Catalog, known};
use crate::current::{Current, Made};
use crate::health::FleetView;
use crate::settings::{File, Secret};
use crate::store::cool_downs::tests::{record, soon};
use crate::store::keys::NewKey;
use crate::store::rows::Condition;
use crate::store::sessions::Tokens;
use crate::store::tests::Directory;
use crate::vault::Slot;

/// A served control plane of one provider `a`, whose key is `key` and which serves the models named.
struct Served {
    client: DataPlaneClient<Channel>,
    feed: watch::Sender<Arc<Current>>,
    keys: Keys,
    store: Store,
    vault: Entries,
    watching: Arc<Watching>,
    oauth: OAuth,
    _directory: Directory,
}

async fn current(store: &Store, models: &str, key: &str) -> Arc<Current> {
    let text = format!(
        "catalog = false\n[[provider]]\nid = \"a\"\nbase_url = \"http://h\"\napi_key = {{ env = \"A\" }}\nmodels = [{models}]\n\
         sign_in = {{ policy = \"owner_only\", token_url = \"https://h/token\", client_id = {{ env = \"C\" }} }}\n"
    );
    let file = File::read("f", &text, &known().unwrap()).unwrap();
    let catalog = Catalog::join(&file, &|_| Some(key.to_string())).unwrap();
    Arc::new(Current::publish(Made::of(catalog, file).unwrap(), 0, store).await.unwrap())
}

impl Served {
    async fn start() -> Served {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        let keys = Keys::of(&store, crate::store::pepper::Pepper::of(&store).await.unwrap());
        let feed = watch::Sender::new(current(&store, "\"m\"", "secret-1").await);
        let watching = Arc::new(Watching::default());
        let health = Arc::new(FleetView::begin(store.clone(), feed.subscribe()).await.unwrap());
        let observers = Observers { metrics: Arc::default(), traces: None, health: health.clone() };
        let vault = Entries::of(&store).await.unwrap();
        let pepper = crate::store::pepper::Pepper::of(&store).await.unwrap();
        let egress = crate::oauth::Egress::new(None).unwrap();
        let oauth = OAuth::new(&store, &vault, pepper, (egress, Arc::default()), feed.subscribe()).unwrap();
        let (filters, vault_of, signed_in) = (feed.subscribe(), vault.clone(), oauth.clone());
        let service =
            Service::new(filters, keys.clone(), store.clone(), vault_of, signed_in, watching.clone(), observers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let envoys = Arc::new(crate::xds::Envoys::new(tokio::sync::mpsc::unbounded_channel().0));
        let configuration = crate::xds::Service::new(watch::Sender::new(Arc::default()).subscribe(), envoys);
        tokio::spawn(serve(listener, service, configuration, std::future::pending()));
        let (told, revocations, changes) = (watching.clone(), keys.clone(), store.clone());
        tokio::spawn(async move { tokio::join!(told.changes(revocations, changes), health.run(&told)) });
        let client = DataPlaneClient::connect(format!("http://{address}")).await.unwrap();
        Served { client, feed, keys, store, vault, watching, oauth, _directory: directory }
    }

    async fn watch(&mut self, version: u64, refused: &str) -> Streaming<SnapshotUpdate> {
        self.watch_again(version, refused, 0).await
    }

    /// As one that was told of changes up to that number.
    async fn watch_again(&mut self, version: u64, refused: &str, revision: u64) -> Streaming<SnapshotUpdate> {
        let refused = refused.into();
        let request = WatchRequest { vm: "test".into(), version, refused, revision, ..WatchRequest::default() };
        self.client.watch(request).await.unwrap().into_inner()
    }
}

async fn hear(stream: &mut Streaming<SnapshotUpdate>) -> Option<SnapshotUpdate> {
    timeout(Duration::from_secs(3), stream.message()).await.ok().and_then(|message| message.unwrap())
}

#[tokio::test]
async fn a_filter_without_a_snapshot_gets_it_at_once_and_every_change_after() {
    let mut served = Served::start().await;
    let mut stream = served.watch(0, "").await;
    let first = hear(&mut stream).await.unwrap();
    let snapshot = Snapshot::read(&first.snapshot).unwrap();
    assert_eq!((first.version, snapshot.version), (1, 1));
    assert!(snapshot.route("m").is_some());

    served.feed.send_replace(current(&served.store, "\"m\", \"n\"", "secret-1").await);
    let second = hear(&mut stream).await.unwrap();
    assert_eq!(second.version, 2);
    assert!(Snapshot::read(&second.snapshot).unwrap().route("n").is_some());
    assert!(second.renewed_credentials.is_empty());
}

#[tokio::test]
async fn a_filter_that_has_the_snapshot_or_refused_it_is_not_sent_it_again() {
    let mut served = Served::start().await;
    for refused in ["", "too new"] {
        let mut stream = served.watch(1, refused).await;
        let first = hear(&mut stream).await.unwrap();
        assert!(first.snapshot.is_empty(), "refused: {refused:?}");
    }
}

#[tokio::test]
async fn another_credential_is_announced_without_a_snapshot_and_then_given() {
    let mut served = Served::start().await;
    let mut stream = served.watch(0, "").await;
    hear(&mut stream).await.unwrap();
    served.feed.send_replace(current(&served.store, "\"m\"", "secret-2").await);
    let update = hear(&mut stream).await.unwrap();
    assert_eq!((update.snapshot.len(), update.renewed_credentials), (0, vec!["a".to_string()]));
    let request = CredentialRequest { credential: "a".into(), caller: String::new(), ..CredentialRequest::default() };
    let credential = served.client.credential(request).await.unwrap().into_inner();
    assert_eq!(
        (credential.header.as_str(), credential.value.as_slice()),
        ("authorization", b"Bearer secret-2".as_slice())
    );
}

#[tokio::test]
async fn a_credential_that_is_not_there_is_empty() {
    let mut served = Served::start().await;
    let request =
        CredentialRequest { credential: "nobody".into(), caller: String::new(), ..CredentialRequest::default() };
    assert!(served.client.credential(request).await.unwrap().into_inner().header.is_empty());
}

#[tokio::test]
async fn a_revoked_key_is_pushed_within_five_seconds_and_to_those_who_come_later() {
    let mut served = Served::start().await;
    let key = served.keys.create("me", &NewKey { name: "one".into(), ..NewKey::default() }).await.unwrap();
    let key_digest = digest(key.key.expose().as_bytes()).to_vec();
    let admit = AdmitRequest { key_digest: key_digest.clone(), ..AdmitRequest::default() };
    let admitted = served.client.admit(admit.clone()).await.unwrap().into_inner();
    let grant = Grant::read(&admitted.grant).unwrap();
    assert!(grant.caller.starts_with("key_") && grant.revision == 1, "as of the change that made it: {grant:?}");

    let mut stream = served.watch(0, "").await;
    let told = hear(&mut stream).await.unwrap().revision;
    served.keys.revoke("me", "one").await.unwrap();
    let change = Change { revision: told + 1, key_digest, ..Change::default() };
    for time in ["at once", "again, for an answer may have been on its way"] {
        let update = hear(&mut stream).await.unwrap();
        assert_eq!((update.changes, update.revision), (vec![change.clone()], told + 1), "{time}");
    }
    let mut late = served.watch_again(1, "", told).await;
    assert_eq!(hear(&mut late).await.unwrap().changes, [change]);
    let mut fresh = served.watch(0, "").await;
    assert_eq!(hear(&mut fresh).await.unwrap().changes, [], "who was told nothing has nothing to forget");
    assert!(served.client.admit(admit).await.unwrap().into_inner().grant.is_empty());
}

#[tokio::test]
async fn an_unknown_key_gets_nothing_and_a_digest_of_another_length_is_refused() {
    let mut served = Served::start().await;
    let answer = served
        .client
        .admit(AdmitRequest { key_digest: vec![7; 32], ..AdmitRequest::default() })
        .await
        .unwrap()
        .into_inner();
    assert!(answer.grant.is_empty() && answer.valid_for_ms > 0);
    assert!(served.client.admit(AdmitRequest { key_digest: vec![7; 31], ..AdmitRequest::default() }).await.is_err());
}

#[tokio::test]
async fn records_are_acknowledged_when_stored_and_nonsense_is_not() {
    let mut served = Served::start().await;
    let record = Record { exchange: "x1".into(), ..Record::default() };
    let request = SettleRequest { records: vec![record.write(), b"nonsense".to_vec(), record.write()] };
    let settled = served.client.settle(request).await.unwrap().into_inner().settled;
    assert_eq!(settled, ["x1", "x1"]);
    let kept = served.store.records(&Default::default(), 10).await.unwrap();
    assert_eq!(kept.iter().map(|text| Record::read(text.document.as_bytes()).unwrap()).collect::<Vec<_>>(), [record]);
}

/// The next cool-downs that are told, whatever else is.
async fn cool_downs(stream: &mut Streaming<SnapshotUpdate>) -> CoolDowns {
    loop {
        let update = timeout(Duration::from_secs(9), stream.message()).await.unwrap().unwrap().unwrap();
        if let Some(told) = update.cool_downs {
            return told;
        }
    }
}

#[tokio::test]
async fn who_is_on_cool_down_is_told_to_everybody_and_so_is_who_is_no_longer() {
    let mut served = Served::start().await;
    let mut stream = served.watch(0, "").await;
    assert_eq!(hear(&mut stream).await.unwrap().cool_downs, None, "nobody has looked yet");
    let (watching, store) = (served.watching.clone(), served.store.clone());
    tokio::spawn(async move { watching.cool_downs(store).await });
    assert_eq!(cool_downs(&mut stream).await, CoolDowns::default());

    let until_ms = soon(60);
    let record = record("x1", "0123", &[("a/m", until_ms)]);
    served.client.settle(SettleRequest { records: vec![record.write()] }).await.unwrap();
    let told = CoolDowns { list: vec![CoolDown { provider: "a".into(), bearer: "0123".into(), until_ms }] };
    assert_eq!(cool_downs(&mut stream).await, told);
    let mut late = served.watch(1, "").await;
    assert_eq!(hear(&mut late).await.unwrap().cool_downs, Some(told), "who comes later learns it at once");

    assert!(served.store.clear_cool_down("me", "", "a", "0123").await.unwrap());
    for time in ["at once", "again, for a data plane keeps what it made itself a moment ago"] {
        assert_eq!(cool_downs(&mut late).await, CoolDowns::default(), "{time}");
    }
}

#[tokio::test]
async fn an_artifact_is_told_to_whoever_has_another_one_and_again_when_it_changes() {
    let mut served = Served::start().await;
    let watch = async |served: &mut Served, digest: &str| {
        let request =
            WatchRequest { vm: "test".into(), version: 1, artifact: digest.into(), ..WatchRequest::default() };
        served.client.watch(request).await.unwrap().into_inner()
    };
    let mut stream = watch(&mut served, "").await;
    assert_eq!(hear(&mut stream).await.unwrap().artifact, None, "nothing is known of one yet");
    served.watching.tell_artifact("d1", Arc::new(vec![1]));
    assert_eq!(artifact(&mut stream).await, [1]);
    for (digest, told) in [("", Some(vec![1])), ("d0", Some(vec![1])), ("d1", None)] {
        let mut late = watch(&mut served, digest).await;
        assert_eq!(hear(&mut late).await.unwrap().artifact, told, "{digest:?}");
    }
    served.watching.tell_artifact("", Arc::default());
    assert!(artifact(&mut stream).await.is_empty(), "the rules decide again");
    for (digest, told) in [("d1", Some(vec![])), ("", None)] {
        let mut late = watch(&mut served, digest).await;
        assert_eq!(hear(&mut late).await.unwrap().artifact, told, "{digest:?}");
    }
}

#[tokio::test]
async fn artifacts_that_arms_name_are_told_with_the_files_that_a_filter_has_not() {
    let mut served = Served::start().await;
    let mut stream = served.watch(0, "").await;
    assert_eq!(hear(&mut stream).await.unwrap().named_artifacts, None, "nothing is known of them yet");
    let shared = |digest: &str| Shared { digest: digest.into(), file: Arc::new(digest.into()) };
    served.watching.tell_artifact("a", Arc::new(vec![1]));
    served.watching.tell_named_artifacts(vec![shared("a"), shared("b")]);
    let named = async |stream: &mut Streaming<SnapshotUpdate>| loop {
        if let Some(told) = hear(stream).await.unwrap().named_artifacts {
            return (told.digests, told.files);
        }
    };
    let both = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(named(&mut stream).await, (both.clone(), vec![b"b".to_vec()]));
    let request = WatchRequest {
        vm: "test".into(),
        version: 1,
        artifact: "a".into(),
        named_artifacts: both,
        ..WatchRequest::default()
    };
    let mut late = served.client.watch(request).await.unwrap().into_inner();
    assert_eq!(hear(&mut late).await.unwrap().named_artifacts, None, "it says that it has them");
    served.watching.tell_named_artifacts(Vec::new());
    for stream in [&mut stream, &mut late] {
        assert_eq!(named(stream).await, (vec![], Vec::<Vec<u8>>::new()), "no row names them any more");
    }
}

/// The next artifact that is told, whatever else is.
async fn artifact(stream: &mut Streaming<SnapshotUpdate>) -> Vec<u8> {
    loop {
        if let Some(told) = hear(stream).await.unwrap().artifact {
            return told;
        }
    }
}

/// The next changes of own credentials that are told, whatever else is.
async fn own_changes(stream: &mut Streaming<SnapshotUpdate>) -> Vec<Change> {
    loop {
        let mut changes = hear(stream).await.unwrap().changes;
        changes.retain(|change| !change.credential.is_empty());
        if !changes.is_empty() {
            return changes;
        }
    }
}

#[tokio::test]
async fn an_accounts_own_credential_is_for_it_and_those_below_it_and_its_change_is_announced() {
    let mut served = Served::start().await;
    let mut stream = served.watch(0, "").await;
    hear(&mut stream).await.unwrap();
    for (id, kind) in [("acme", AccountKind::Tenant), ("acme.a", AccountKind::Team)] {
        let (id, terms) = (AccountId::read(id).unwrap(), Terms::default());
        served.store.put_account("me", &id, kind, &terms, Condition::None).await.unwrap();
    }
    let told = served.store.last_change().await.unwrap();
    let slot = Slot::credential("acme.a", "a");
    served.vault.put(&slot, &Secret::new("own"), "me").await.unwrap();
    let change = Change { revision: told + 1, account: "acme.a".into(), credential: "a".into(), ..Change::default() };
    assert_eq!(own_changes(&mut stream).await, std::slice::from_ref(&change));
    for (account, value) in
        [("acme.a", "Bearer own"), ("acme.a.b.c", "Bearer own"), ("acme", ""), ("", "Bearer secret-1")]
    {
        let request =
            CredentialRequest { credential: "a".into(), caller: account.into(), ..CredentialRequest::default() };
        let answer = served.client.credential(request).await.unwrap().into_inner();
        assert_eq!(answer.value, value.as_bytes(), "{account}");
        assert_eq!(answer.valid_for_ms > 0, account.starts_with("acme.a"), "{account}");
    }
    let mut late = served.watch_again(1, "", told).await;
    assert_eq!(own_changes(&mut late).await, std::slice::from_ref(&change));
    assert_eq!(own_changes(&mut stream).await, std::slice::from_ref(&change), "it is told twice");
    served.vault.delete(&slot, "me").await.unwrap();
    let change = Change { revision: told + 2, ..change };
    assert_eq!(own_changes(&mut stream).await, [change]);
    let request = CredentialRequest { credential: "a".into(), caller: "acme.a".into(), ..CredentialRequest::default() };
    assert!(served.client.credential(request).await.unwrap().into_inner().header.is_empty());
}

#[tokio::test]
async fn a_session_is_served_to_its_account_alone_before_what_it_has_from_above() {
    let mut served = Served::start().await;
    for (id, kind) in [("acme", AccountKind::Tenant), ("acme.a", AccountKind::User)] {
        let id = AccountId::read(id).unwrap();
        served.store.put_account("me", &id, kind, &Terms::default(), Condition::None).await.unwrap();
    }
    let of = |account: &str| NewKey { account: account.into(), ..NewKey::default() };
    let alice = served.keys.create("me", &of("acme.a")).await.unwrap().key;
    let acme = served.keys.create("me", &of("acme")).await.unwrap().key;
    let mut stream = served.watch(0, "").await;
    let told = hear(&mut stream).await.unwrap().revision;
    let ends = now_ms() + 3_600_000;
    let document = Secret::new("{\"access\":\"token-of-alice\",\"refresh\":null}");
    let tokens =
        Tokens { document, hint: String::new(), scopes: Vec::new(), expires_ms: ends, refresh_ms: ends - 720_000 };
    let slot = Slot::session("acme.a", "a");
    served.oauth.sessions().begin(&slot, &tokens, "me").await.unwrap();
    let change = Change { revision: told + 1, account: "acme.a".into(), credential: "a".into(), ..Change::default() };
    assert!(hear(&mut stream).await.unwrap().changes.contains(&change));
    for (account, header, value) in [
        ("acme.a", "authorization", "Bearer token-of-alice"),
        ("acme.a.x", "", ""),
        ("acme", "", ""),
        ("", "authorization", "Bearer secret-1"),
    ] {
        let request =
            CredentialRequest { credential: "a".into(), caller: account.into(), ..CredentialRequest::default() };
        let answer = served.client.credential(request).await.unwrap().into_inner();
        assert_eq!((answer.header.as_str(), answer.value.as_slice()), (header, value.as_bytes()), "{account}");
        if account == "acme.a" {
            assert!((2_870_000..=2_880_000).contains(&answer.valid_for_ms), "{}", answer.valid_for_ms);
        }
    }
    for (key, own) in [(&alice, &["a"][..]), (&acme, &[])] {
        let key_digest = digest(key.expose().as_bytes()).to_vec();
        let answer = served.client.admit(AdmitRequest { key_digest, ..AdmitRequest::default() }).await.unwrap();
        assert_eq!(Grant::read(&answer.into_inner().grant).unwrap().own, own);
    }
    served.oauth.sessions().end(&slot, 1, "taken back", "cp").await.unwrap();
    served.vault.put(&Slot::credential("acme", "a"), &Secret::new("of-acme"), "me").await.unwrap();
    let mut value = async |account: &str| {
        let request =
            CredentialRequest { credential: "a".into(), caller: account.into(), ..CredentialRequest::default() };
        served.client.credential(request).await.unwrap().into_inner().value
    };
    assert_eq!(value("acme.a").await, b"", "nobody else pays for what its owner has to sign in for");
    assert_eq!(value("acme").await, b"Bearer of-acme");
}

#[tokio::test]
async fn what_one_data_plane_met_is_told_to_all_within_a_second() {
    let mut served = Served::start().await;
    let mut streams = [served.watch(0, "").await, served.watch(1, "").await];
    for stream in &mut streams {
        hear(stream).await.unwrap();
    }
    let record = crate::health::tests::record("x1", "a/m", Some(Failure::Throttled), 60_000);
    let settle = SettleRequest { records: vec![record.write(), record.write()] };
    served.client.settle(settle).await.unwrap();
    for stream in &mut streams {
        let update = timeout(Duration::from_secs(1), stream.message()).await.unwrap().unwrap().unwrap();
        let fleet = Fleet::read(&update.health.unwrap()).unwrap();
        assert_eq!((fleet.told.len(), fleet.told[0].subject.as_str()), (1, "a/m"));
    }
    let late = hear(&mut served.watch(1, "").await).await.unwrap();
    assert_eq!(Fleet::read(&late.health.unwrap()).unwrap().told.len(), 1, "who comes later learns it at once");
}

#[tokio::test]
async fn what_a_caller_says_is_kept_for_exchanges_of_its_own_account_and_for_no_others() {
    let mut served = Served::start().await;
    for (exchange, account) in [("theirs", "acme.a"), ("nobodys", "")] {
        let record = Record { exchange: exchange.into(), account: account.into(), ..Record::default() };
        served.client.settle(SettleRequest { records: vec![record.write()] }).await.unwrap();
    }
    let cases = [
        ("theirs", "acme.a", true),
        ("theirs", "acme", false),
        ("theirs", "acme.a.b", false),
        ("theirs", "", false),
        ("nobodys", "", true),
        ("nobodys", "acme", false),
    ];
    // All at once: what is not there is waited for.
    let asked = cases.map(|(exchange, account, kept)| {
        let opinion = format!(r#"{{"exchange":"{exchange}","score":0.5}}"#).into_bytes();
        let request = FeedbackRequest { opinion, caller: "key_1".into(), account: account.into() };
        let mut client = served.client.clone();
        tokio::spawn(async move {
            let answer = client.feedback(request).await.unwrap().into_inner();
            assert_eq!(!answer.kept.is_empty(), kept, "{exchange} by {account:?}");
        })
    });
    for one in asked {
        one.await.unwrap();
    }
    let said = served.store.feedback("", None, 9).await.unwrap();
    assert!(said.len() == 2 && said.iter().all(|one| one.actor == "key_1" && one.score == Some(500)), "{said:?}");
    let refused =
        served.client.feedback(FeedbackRequest { opinion: b"{}".to_vec(), ..FeedbackRequest::default() }).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::InvalidArgument);
}
