use super::super::tests::on_both;
use super::*;
use crate::accounts::{AccountId, AccountKind};

/// A moment in a far future.
const LATE_MS: i64 = 4_000_000_000_000;

async fn keys(store: &Store) -> Keys {
    Keys::of(store, Pepper::of(store).await.unwrap())
}

fn of(key: &Secret) -> KeyDigest {
    digest(key.expose().as_bytes())
}

fn named(name: &str, terms: &str) -> NewKey {
    NewKey { name: name.into(), terms: serde_json::from_str(terms).unwrap(), ..NewKey::default() }
}

#[tokio::test]
async fn a_key_is_found_by_its_digest_and_only_by_it() {
    for fresh in on_both().await {
        let keys_here = keys(&fresh.open().await).await;
        assert!(keys_here.is_empty().await.unwrap());
        let made = keys_here.create("me", &named("one", r#"{"routes":["auto"]}"#)).await.unwrap();
        assert!(made.key.expose().starts_with("dgm_") && made.key.expose().len() == 68);
        // Another process, another connection: the same pepper.
        let elsewhere = keys(&fresh.open().await).await;
        let grant = elsewhere.admit(&of(&made.key)).await.unwrap().unwrap().grant;
        assert_eq!((grant.caller.as_str(), grant.allows("auto"), grant.allows("m")), (made.id.as_str(), true, false));
        let listed = keys_here.list(Of::Everybody, "", 9).await.unwrap();
        assert_eq!((listed[0].id.as_str(), listed[0].hint.as_str()), (made.id.as_str(), &made.key.expose()[..8]));
        assert_eq!(keys_here.admit(&digest(b"dgm_other")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_revoked_key_grants_nothing() {
    for fresh in on_both().await {
        let keys = keys(&fresh.open().await).await;
        let digest = of(&keys.create("me", &named("one", "{}")).await.unwrap().key);
        assert!(keys.admit(&digest).await.unwrap().is_some());
        assert_eq!(keys.revoke("me", "one").await.unwrap(), 1);
        assert_eq!(keys.revoke("me", "one").await.unwrap(), 0);
        assert_eq!(keys.admit(&digest).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_key_ends_when_it_was_said() {
    for fresh in on_both().await {
        let keys = keys(&fresh.open().await).await;
        for (ends, good) in [(now_ms() + 60_000, true), (now_ms() - 1, false)] {
            let new = NewKey { expires_ms: Some(ends), ..named("one", "{}") };
            let made = keys.create("me", &new).await.unwrap();
            let admitted = keys.admit(&of(&made.key)).await.unwrap();
            assert_eq!(admitted.map(|admitted| admitted.expires_ms), good.then_some(Some(ends)));
        }
    }
}

#[tokio::test]
async fn the_end_of_a_key_moves_to_wherever_it_is_said_last() {
    for fresh in on_both().await {
        let keys = keys(&fresh.open().await).await;
        let soon = now_ms() + 60_000;
        let first = keys.create("me", &NewKey { expires_ms: Some(soon), ..named("one", "{}") }).await.unwrap();
        let second = keys.rotate("me", &first.id, 3_600_000).await.unwrap();
        let third = keys.rotate("me", &first.id, 120_000).await.unwrap();
        let end = async |key: &Secret| keys.admit(&of(key)).await.unwrap().unwrap().expires_ms;
        for key in [&first.key, &second.key, &third.key] {
            assert_eq!(end(key).await, Some(soon));
        }
        for later in [Some(soon + 60_000_000), None] {
            let to = NewKey { expires_ms: later, ..named("one", "{}") };
            keys.change("me", &first.id, &to, Condition::None).await.unwrap();
            assert_eq!(end(&third.key).await, later);
            // What a rotation ends, ends all the same.
            for key in [&first.key, &second.key] {
                assert!(end(key).await.is_some_and(|ends| ends < soon + 120_000));
            }
        }
    }
}

#[tokio::test]
async fn a_rotated_key_has_two_secrets_for_a_while_and_stays_the_same_caller() {
    for fresh in on_both().await {
        let keys = keys(&fresh.open().await).await;
        let old = keys.create("me", &named("one", "{}")).await.unwrap();
        let new = keys.rotate("me", &old.id, 60_000).await.unwrap();
        for key in [&old.key, &new.key] {
            assert_eq!(keys.admit(&of(key)).await.unwrap().unwrap().grant.caller, old.id);
        }
        let newest = keys.rotate("me", &old.id, -1).await.unwrap();
        let good = async |key: &Secret| keys.admit(&of(key)).await.unwrap().is_some();
        assert_eq!([good(&old.key).await, good(&new.key).await, good(&newest.key).await], [false, false, true]);
        assert!(matches!(keys.rotate("me", "key_none", 0).await, Err(NotChanged::Missing)));
    }
}

#[tokio::test]
async fn a_key_has_the_terms_of_all_levels_and_never_more_than_those_above() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let keys = keys(&store).await;
        let account = AccountId::read("acme").unwrap();
        let terms = serde_json::from_str(r#"{"providers":["p"],"budgets":[{"usd":"10","per":"month"}]}"#).unwrap();
        store.put_account("me", &account, AccountKind::Tenant, &terms, Condition::None).await.unwrap();
        let of_acme = |terms: &str| NewKey { account: "acme".into(), ..named("one", terms) };
        let exceeding = keys.create("me", &of_acme(r#"{"budgets":[{"usd":"11","per":"month"}]}"#)).await;
        assert!(matches!(exceeding, Err(NotChanged::Wrong(_))));
        assert!(matches!(
            keys.create("me", &NewKey { account: "no".into(), ..NewKey::default() }).await,
            Err(NotChanged::Wrong(_))
        ));
        let made = keys.create("me", &of_acme(r#"{"budgets":[{"requests":5,"per":"minute"}]}"#)).await.unwrap();
        let grant = keys.admit(&of(&made.key)).await.unwrap().unwrap().grant;
        let budgets: Vec<&str> = grant.budgets.iter().map(|budget| budget.id.as_str()).collect();
        assert_eq!(budgets, [format!("{}/requests/minute", made.id).as_str(), "acme/usd/month"]);
        assert!(grant.allows_target("p/m") && !grant.allows_target("q/m"));
        let changed = keys.change("me", &made.id, &of_acme("{}"), Condition::None).await.unwrap();
        assert_eq!(changed.terms, Terms::default());
        let last = store.last_change().await.unwrap();
        let told = store.stale(&keys, last - 1, last).await.unwrap();
        assert_eq!(told.len(), 1, "data planes forget what they knew: {told:?}");
    }
}

#[tokio::test]
async fn pages_of_a_tree_have_every_key_of_it_once_and_nobody_elses() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let keys = keys(&store).await;
        let mut expected = Vec::new();
        for (id, kind) in [
            ("acme", AccountKind::Tenant),
            ("acme-x", AccountKind::Tenant),
            ("acme.a", AccountKind::Team),
            ("acme.b", AccountKind::Team),
            ("acme0", AccountKind::Tenant),
        ] {
            let account = AccountId::read(id).unwrap();
            store.put_account("me", &account, kind, &Terms::default(), Condition::None).await.unwrap();
            for _ in 0..5 {
                let new = NewKey { account: id.into(), ..NewKey::default() };
                let made = keys.create("me", &new).await.unwrap();
                if crate::accounts::is_within(id, "acme") {
                    expected.push((id.to_string(), made.id));
                }
            }
        }
        expected.sort();
        for _ in 0..6 {
            keys.create("me", &NewKey::default()).await.unwrap();
        }
        for (of, count) in [
            (Of::Tree("acme"), 15),
            (Of::Account("acme"), 5),
            (Of::Account(""), 6),
            (Of::Everybody, 31),
            (Of::Tree("a"), 0),
        ] {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let page = keys.list(of, &after, 4).await.unwrap();
                let Some(last) = page.last() else { break };
                after = of.place(last);
                seen.extend(page.into_iter().map(|key| (key.account, key.id)));
            }
            assert_eq!(seen.len(), count, "{of:?}");
            if of == Of::Tree("acme") {
                assert_eq!(seen, expected);
            }
        }
        // A place before or behind the tree opens no other one.
        for after in ["acme-x/", "acme0/", "", "a/", "zzz/", "acme/zzz"] {
            let page = keys.list(Of::Tree("acme"), after, 99).await.unwrap();
            assert!(page.iter().all(|key| crate::accounts::is_within(&key.account, "acme")), "{after}");
        }
    }
}

#[tokio::test]
async fn the_audit_log_says_all_that_changed_of_a_key_and_nothing_where_nothing_did() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let keys = keys(&store).await;
        let new = NewKey { expires_ms: Some(LATE_MS), ..named("one", r#"{"routes":["auto"]}"#) };
        let made = keys.create("me", &new).await.unwrap();
        let first = keys.key(&made.id).await.unwrap().unwrap();
        let same = keys.change("me", &made.id, &new, Condition::None).await.unwrap();
        assert_eq!(same, first);
        assert_eq!(store.last_change().await.unwrap(), first.revision, "nobody has to forget anything");
        let other = keys.change("me", &made.id, &named("two", "{}"), Condition::Unchanged(first.revision)).await;
        assert!(other.unwrap().revision > first.revision);
        let log = store.audit(None, 9).await.unwrap();
        let said: Vec<_> = log.iter().map(|entry| (entry.before.as_deref(), entry.after.as_deref())).collect();
        let one = format!(r#"{{"account":"","expires_ms":{LATE_MS},"name":"one","terms":{{"routes":["auto"]}}}}"#);
        let two = r#"{"account":"","expires_ms":null,"name":"two","terms":{}}"#;
        assert_eq!(said, [(Some(one.as_str()), Some(two)), (None, Some(one.as_str()))]);
    }
}

#[tokio::test]
async fn a_key_that_is_named_like_anothers_id_stays_when_that_one_is_revoked() {
    for fresh in on_both().await {
        let keys = keys(&fresh.open().await).await;
        let first = keys.create("me", &named("one", "{}")).await.unwrap();
        let other = keys.create("me", &named(&first.id, "{}")).await.unwrap();
        assert_eq!(keys.revoke_id("me", &first.id).await.unwrap(), 1);
        assert_eq!(keys.revoke("me", &first.id).await.unwrap(), 0);
        assert!(keys.key(&other.id).await.unwrap().unwrap().revoked_ms.is_none());
    }
}

#[tokio::test]
async fn neither_the_key_nor_its_digest_is_in_the_directory() {
    let directory = super::super::tests::Directory::new();
    let keys = keys(&Store::open(&directory.0, None).await.unwrap()).await;
    let key = keys.create("me", &named("one", "{}")).await.unwrap().key;
    let digest = of(&key);
    for entry in std::fs::read_dir(&directory.0).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!has(key.expose().as_bytes()) && !has(&digest) && !has(hex(&digest).as_bytes()), "{}", path.display());
    }
}
