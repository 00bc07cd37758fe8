use zeroize::Zeroizing;

use super::super::tests::{Directory, on_both};
use super::*;
use crate::store::keys::Keys;
use crate::store::pepper::Pepper;
use crate::store::stale::{Stale, What};
use crate::vault::VARIABLE;

const SECRET: &str = "sk-canary-in-the-store-5d1c";

fn slot(account: &str) -> Slot {
    Slot::credential(account, "corp")
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

/// The vault as a control plane opens it that has these keys, with the accounts whose secrets are in it.
async fn with(store: &Store, keys: &str) -> Entries {
    for account in ["acme", "acme.a", "acme.b", "acme.x", "evil", "evil.b", "evil.own", "third", "late"] {
        let insert = "INSERT INTO account (id, kind, document, revision, created_ms, changed_ms, changed_by) \
                      VALUES ($1, 'team', '{}', 0, 0, 0, '') ON CONFLICT (id) DO NOTHING";
        sqlx::query(insert).bind(account).execute(&store.writer).await.unwrap();
    }
    Entries::with(store, Some(Zeroizing::new(keys.to_string())).filter(|keys| !keys.is_empty())).await.unwrap()
}

fn old() -> String {
    format!("old:{}", "11".repeat(32))
}

fn both() -> String {
    format!("new:{},{}", "22".repeat(32), old())
}

async fn opened(entries: &Entries, account: &str) -> Result<Option<String>, String> {
    let opened = entries.open(Purpose::Credential, account, "corp").await;
    opened.map(|found| found.map(|(_, secret)| secret.expose().to_string())).map_err(|fault| fault.to_string())
}

/// Does what somebody would who can write to the database.
async fn tamper(store: &Store, sql: &'static str) {
    assert!(sqlx::query(sql).execute(&store.writer).await.unwrap().rows_affected() > 0, "{sql}");
}

#[tokio::test]
async fn the_nearest_account_that_has_one_gives_it() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let entries = with(&store, "").await;
        let entry = entries.put(&slot("acme"), &secret(SECRET), "me").await.unwrap();
        assert_eq!((entry.version, entry.hint.as_str(), entry.changed_by.as_str()), (1, "5d1c", "me"));
        entries.put(&slot("acme.a"), &secret("sk-short"), "me").await.unwrap();
        entries.put(&slot("acme.a"), &secret("sk-shorter"), "you").await.unwrap();
        for (account, found) in [
            ("acme", Some(SECRET)),
            ("acme.b.c", Some(SECRET)),
            ("acme.a", Some("sk-shorter")),
            ("acme.a.b.c", Some("sk-shorter")),
            ("acm", None),
            ("acmes", None),
            ("", None),
        ] {
            assert_eq!(opened(&entries, account).await, Ok(found.map(str::to_string)), "{account}");
            let own = entries.own(Purpose::Credential, account).await.unwrap();
            assert_eq!(own.len(), usize::from(found.is_some()), "{account}: {own:?}");
        }
        let listed = entries.list(Purpose::Credential).await.unwrap();
        let shown: Vec<_> =
            listed.iter().map(|one| (one.slot.account.as_str(), one.version, one.hint.as_str())).collect();
        assert_eq!(shown, [("acme", 1, "5d1c"), ("acme.a", 3, "")]);
        assert!(entries.delete(&slot("acme.a"), "me").await.unwrap());
        assert!(!entries.delete(&slot("acme.a"), "me").await.unwrap());
        assert_eq!(opened(&entries, "acme.a.b").await, Ok(Some(SECRET.to_string())));
        let log = store.audit(None, 9).await.unwrap();
        let log: Vec<_> = log.iter().map(|one| (one.action.as_str(), one.kind.as_str(), one.id.as_str())).collect();
        assert_eq!(log[0], ("delete", "credential", "acme.a/corp"));
        assert_eq!((log.len(), log[3]), (4, ("put", "credential", "acme/corp")));
    }
}

#[tokio::test]
async fn a_row_that_was_moved_or_changed_opens_nothing_and_nobody_elses_is_given() {
    for (sql, who) in [
        ("UPDATE vault_entry SET account = 'evil' WHERE account = 'acme.a'", &["evil", "acme.a"][..]),
        ("UPDATE vault_entry SET provider = 'corp' WHERE account = 'acme.x'", &["acme.x"]),
        (
            "UPDATE vault_entry SET sealed = (SELECT sealed FROM vault_entry WHERE account = 'acme') WHERE account = 'acme.a'",
            &["acme.a"],
        ),
        ("UPDATE vault_entry SET version = version + 1 WHERE account = 'acme.a'", &["acme.a.b"]),
        ("DELETE FROM vault_entry WHERE account = 'acme.a'", &["acme.a", "acme.a.b"]),
        ("DELETE FROM vault_manifest WHERE tenant = 'acme'", &["acme", "acme.a"]),
        ("UPDATE vault_manifest SET marks = '{\"generation\":9,\"marks\":[]}' WHERE tenant = 'acme'", &["acme"]),
        (
            "UPDATE vault_manifest SET tag = (SELECT tag FROM vault_manifest WHERE tenant = 'evil') WHERE tenant = 'acme'",
            &["acme"],
        ),
    ] {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        let entries = with(&store, "").await;
        for account in ["acme", "acme.a", "evil.own"] {
            entries.put(&slot(account), &secret(SECRET), "me").await.unwrap();
        }
        entries.put(&Slot::credential("acme.x", "other"), &secret(SECRET), "me").await.unwrap();
        tamper(&store, sql).await;
        // Another process, which has seen nothing before.
        let entries = with(&store, "").await;
        for account in who {
            let found = opened(&entries, account).await;
            assert!(found.as_ref().is_err_and(|why| why.contains("can't be used")), "{sql}: {account}: {found:?}");
            let own = entries.own(Purpose::Credential, account).await.unwrap();
            assert!(own.contains(&"corp".to_string()), "{sql}: {account} would use the gateway's");
        }
        assert_eq!(opened(&entries, "evil.own").await, Ok(Some(SECRET.to_string())), "{sql}");
    }
}

#[tokio::test]
async fn an_older_row_that_was_brought_back_is_noticed() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let entries = with(&store, "").await;
        entries.put(&slot("acme"), &secret("sk-leaked"), "me").await.unwrap();
        let copy = "CREATE TABLE copy AS SELECT * FROM vault_entry";
        sqlx::query(copy).execute(&store.writer).await.unwrap();
        sqlx::query("CREATE TABLE marks_copy AS SELECT * FROM vault_manifest").execute(&store.writer).await.unwrap();
        entries.put(&slot("acme"), &secret("sk-fresh"), "me").await.unwrap();
        tamper(&store, "DELETE FROM vault_entry").await;
        tamper(&store, "INSERT INTO vault_entry SELECT * FROM copy").await;
        for entries in [&entries, &with(&store, "").await] {
            assert!(opened(entries, "acme").await.is_err_and(|why| why.contains("older one")));
        }
        // With its manifest it looks like a backup: only who has seen the later one knows better.
        tamper(&store, "DELETE FROM vault_manifest").await;
        tamper(&store, "INSERT INTO vault_manifest SELECT * FROM marks_copy").await;
        assert!(opened(&entries, "acme").await.is_err_and(|why| why.contains("older one")));
        assert!(entries.put(&slot("acme.b"), &secret("sk-b"), "me").await.is_err());
        assert_eq!(opened(&with(&store, "").await, "acme").await, Ok(Some("sk-leaked".into())));
        // The way out.
        assert_eq!(entries.reset(Some("acme"), "me").await.unwrap(), 1);
        let entries = with(&store, "").await;
        assert_eq!(opened(&entries, "acme").await, Ok(None));
        entries.put(&slot("acme"), &secret("sk-again"), "me").await.unwrap();
        assert_eq!(opened(&entries, "acme").await, Ok(Some("sk-again".into())));
    }
}

#[tokio::test]
async fn a_manifest_that_is_the_last_one_still_is_not_read_again() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let entries = with(&store, "").await;
        entries.put(&slot("acme"), &secret("sk-one"), "me").await.unwrap();
        // Its code is as before: what was checked holds, and only who never saw it needs the text.
        tamper(&store, "UPDATE vault_manifest SET marks = 'nothing that anybody could read'").await;
        assert_eq!(opened(&entries, "acme").await, Ok(Some("sk-one".into())));
        assert!(opened(&with(&store, "").await, "acme").await.is_err_and(|why| why.contains("changed or moved")));
        // The next change writes what holds.
        entries.put(&slot("acme.b"), &secret("sk-b"), "me").await.unwrap();
        for entries in [&entries, &with(&store, "").await] {
            assert_eq!(opened(entries, "acme").await, Ok(Some("sk-one".into())));
        }
        // One without a code is nobody's, also for who has seen none.
        tamper(&store, "UPDATE vault_manifest SET tag = '', key_id = ''").await;
        for entries in [&entries, &with(&store, "").await] {
            assert!(opened(entries, "acme").await.is_err());
        }
    }
}

#[tokio::test]
async fn a_manifest_that_was_taken_away_is_the_oldest_of_all() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let entries = with(&store, "").await;
        entries.put(&slot("acme"), &secret(SECRET), "me").await.unwrap();
        tamper(&store, "DELETE FROM vault_entry").await;
        tamper(&store, "DELETE FROM vault_manifest").await;
        assert!(opened(&entries, "acme").await.is_err_and(|why| why.contains("older one")));
        let own = entries.own(Purpose::Credential, "acme").await;
        assert!(own.is_err_and(|why| why.to_string().contains("older one")), "nobody may use the gateway's");
        for account in ["acme", "acme.b"] {
            let put = entries.put(&slot(account), &secret(SECRET), "me").await;
            assert!(matches!(put, Err(Fault::Broken(Broken::RolledBack))), "{put:?}");
        }
        assert_eq!(entries.own(Purpose::Credential, "evil").await.unwrap(), [""; 0]);
        // Whoever emptied it on purpose starts the control planes again.
        assert_eq!(entries.reset(None, "me").await.unwrap(), 0);
        with(&store, "").await.put(&slot("acme"), &secret(SECRET), "me").await.unwrap();
    }
}

#[tokio::test]
async fn a_secret_belongs_to_an_account_that_stays_there() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let entries = with(&store, "").await;
        let put = entries.put(&slot("nobody"), &secret(SECRET), "me").await;
        assert!(matches!(put, Err(Fault::NoAccount(_))), "{put:?}");
        assert!(entries.list(Purpose::Credential).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_rotation_that_is_killed_midway_is_resumed_and_everything_opens_meanwhile() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let before = with(&store, &old()).await;
        let accounts = ["acme", "acme.a", "evil", "evil.b", "third"];
        for account in accounts {
            before.put(&slot(account), &secret(account), "me").await.unwrap();
        }
        let during = with(&store, &both()).await;
        let first = during.rotate_row(None).await.unwrap().unwrap();
        assert_eq!(during.rotate_row(Some(&first.0)).await.unwrap().unwrap().1, Ok(()));
        drop(during);
        let again = with(&store, &both()).await;
        for account in accounts {
            assert_eq!(opened(&again, account).await, Ok(Some(account.to_string())));
        }
        let half = with(&store, &format!("new:{}", "22".repeat(32))).await;
        assert!(half.sealed().is_some_and(|why| why.contains("`old`")), "{:?}", half.sealed());
        again.put(&slot("late"), &secret("late"), "me").await.unwrap();
        assert_eq!(again.rotate().await.unwrap(), Rotated { done: 3 + 3, broken: Vec::new() });
        assert_eq!(again.rotate().await.unwrap(), Rotated::default());
        let after = with(&store, &format!("new:{}", "22".repeat(32))).await;
        for account in accounts.into_iter().chain(["late"]) {
            assert_eq!(opened(&after, account).await, Ok(Some(account.to_string())));
        }
    }
}

#[tokio::test]
async fn a_vault_with_another_key_is_sealed_and_says_how_to_mend_it() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let entries = with(&store, &old()).await;
        entries.put(&slot("acme"), &secret(SECRET), "me").await.unwrap();
        let other = "33".repeat(32);
        for keys in ["", &other, &format!("old:{other}"), "nonsense", &format!("a:{other},b:{other}x")] {
            let sealed = with(&store, keys).await;
            assert!(sealed.sealed().is_some_and(|why| why.contains(VARIABLE)), "{keys}: {:?}", sealed.sealed());
            let put = sealed.put(&slot("acme"), &secret("sk-x"), "me").await;
            assert!(matches!(put, Err(Fault::Sealed(_))), "{put:?}");
            assert!(matches!(sealed.delete(&slot("acme"), "me").await, Err(Fault::Sealed(_))));
            assert!(opened(&sealed, "acme").await.is_err_and(|why| why.contains("sealed")));
            assert_eq!(sealed.own(Purpose::Credential, "acme.a").await.unwrap(), ["corp"]);
            assert_eq!(sealed.list(Purpose::Credential).await.unwrap().len(), 1);
        }
        assert!(!fresh.directory.0.join("vault.key").exists(), "a fresh key would open nothing");
        assert_eq!(opened(&with(&store, &old()).await, "acme").await, Ok(Some(SECRET.into())));
        assert_eq!(with(&store, &other).await.reset(None, "me").await.unwrap(), 1);
        assert_eq!(with(&store, &other).await.sealed(), None);
    }
}

#[tokio::test]
async fn the_secret_is_in_no_file_and_the_key_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let store = Store::open(&directory.0, None).await.unwrap();
    let entries = with(&store, "").await;
    entries.put(&slot("acme"), &secret(SECRET), "me").await.unwrap();
    entries.put(&slot("acme"), &secret(&format!("{SECRET}-2")), "me").await.unwrap();
    entries.delete(&slot("acme"), "me").await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&directory.0).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(names.iter().any(|name| name.ends_with("-wal")), "{names:?}");
    let mode = std::fs::metadata(directory.0.join("vault.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_changed_is_told_whoever_changed_it() {
    for fresh in on_both().await {
        let store = fresh.open().await;
        let other = with(&fresh.open().await, &old()).await;
        other.put(&slot("acme.a"), &secret(SECRET), "me").await.unwrap();
        other.delete(&slot("acme.a"), "me").await.unwrap();
        let keys = Keys::of(&store, Pepper::of(&store).await.unwrap());
        let told = store.stale(&keys, 0, store.last_change().await.unwrap()).await.unwrap();
        let own = |told: &Stale| match &told.what {
            What::Credential { account, provider } => Some(format!("{provider}@{account}")),
            _ => None,
        };
        assert_eq!(told.iter().filter_map(own).collect::<Vec<_>>(), ["corp@acme.a", "corp@acme.a"]);
    }
}
