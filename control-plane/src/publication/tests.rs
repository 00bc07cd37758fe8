use super::*;
use crate::store::rows::Condition;
use crate::store::tests::{Fresh, on_both};

/// Longer than a look at the store may take on a loaded machine.
const SOON: Duration = Duration::from_secs(10);

const FILE: &str = "catalog = false\ndiscovery = false\n[[provider]]\nid = \"p\"\nbase_url = \"http://127.0.0.1:1\"\n\
                    services = [{ dialect = \"chat_completions\", prefix = \"/v1\" }]\nmodels = [\"m\"]\n";

async fn begun(fresh: &Fresh) -> (Arc<Publication>, Store) {
    let store = fresh.open().await;
    let config = fresh.directory.0.join("dragoman.toml");
    std::fs::write(&config, FILE).unwrap();
    let options = Options { config: Some(config), ..Options::default() };
    let file = options.file().unwrap();
    (Arc::new(Publication::begin(options, file, store.clone()).await.unwrap()), store)
}

/// Writes a route into the store without asking anybody whether it is good; the revision.
async fn write(store: &Store, name: &str, row: Option<&str>) -> u64 {
    let edit = Edit { kind: Kind::Route, id: name.into(), to: row.map(str::to_string), condition: Condition::None };
    store.edit("somebody", "put", &[edit], |_| Ok::<(), String>(())).await.unwrap().revision
}

async fn wait(what: &str, holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(SOON, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: not within {SOON:?}");
}

fn has(publication: &Publication, route: &str) -> bool {
    publication.current().snapshot.routes.iter().any(|row| row.name == route)
}

#[tokio::test]
async fn what_another_process_writes_into_the_store_is_served_whatever_the_engine() {
    for fresh in on_both().await {
        let (publication, _) = begun(&fresh).await;
        let running = tokio::spawn(publication.clone().run());
        let other = fresh.open().await;
        for number in 0..3 {
            let name = format!("r{number}");
            let revision = write(&other, &name, Some("{\"candidates\":[\"p/m\"]}")).await;
            wait(&name, || publication.current().revision == revision && has(&publication, &name)).await;
        }
        running.abort();
    }
}

#[tokio::test]
async fn rows_that_can_not_be_served_are_told_and_the_mended_ones_are_taken() {
    for fresh in on_both().await {
        let (publication, _) = begun(&fresh).await;
        let running = tokio::spawn(publication.clone().run());
        let other = fresh.open().await;
        write(&other, "good", Some("{\"candidates\":[\"p/m\"]}")).await;
        wait("the good row", || has(&publication, "good")).await;
        write(&other, "bad", Some("{\"candidates\":[\"nobody/m\"]}")).await;
        wait("the trouble", || !publication.trouble().is_empty()).await;
        assert!(publication.trouble().contains("nobody"), "{}", publication.trouble());
        assert!(has(&publication, "good") && !has(&publication, "bad"), "the last good one serves on");
        let revision = write(&other, "bad", Some("{\"candidates\":[\"p/n\"]}")).await;
        wait("the mended row", || publication.current().revision == revision && has(&publication, "bad")).await;
        assert_eq!(publication.trouble(), "");
        running.abort();
    }
}

#[tokio::test]
async fn rows_that_envoy_refuses_are_taken_back() {
    for fresh in on_both().await {
        let (publication, store) = begun(&fresh).await;
        let good = write(&store, "good", Some("{\"candidates\":[\"p/m\"]}")).await;
        assert_eq!(publication.serve(good).await, Some(publication.current().version));
        let before = publication.current();
        let bad = write(&store, "refused", Some("{\"candidates\":[\"p/n\"]}")).await;
        let refused = publication.serve(bad).await.unwrap();
        publication.refused("no such thing").await;
        assert!(has(&publication, "good") && !has(&publication, "refused"));
        let after = publication.current();
        assert!(after.version > refused, "the old content has a new version");
        assert_eq!(after.snapshot.routes, before.snapshot.routes);
        let rows = store.rows().await.unwrap();
        assert!(rows.find(Kind::Route, "refused").is_none() && rows.find(Kind::Route, "good").is_some());
        let (version, _) = store.version(refused).await.unwrap().unwrap();
        assert_eq!(version.rejected.as_deref(), Some("no such thing"));
        let last = store.audit(None, 1).await.unwrap().remove(0);
        assert_eq!((last.actor.as_str(), last.id.as_str()), ("dragoman", "refused"));
        assert_eq!(last.action, format!("revert: Envoy refused Snapshot {refused}"));
        // Envoy says no for each resource, and again: the refused rows must not come back for that.
        publication.refused("no such thing, once more").await;
        assert!(has(&publication, "good") && !has(&publication, "refused"), "the refused rows are back");
        assert!(store.rows().await.unwrap().find(Kind::Route, "refused").is_none());
    }
}

#[tokio::test]
async fn of_many_who_wait_for_one_change_one_makes_the_snapshot() {
    for fresh in on_both().await {
        let (publication, store) = begun(&fresh).await;
        let revision = write(&store, "r", Some("{\"candidates\":[\"p/m\"]}")).await;
        let first = publication.making.lock().await;
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let publication = publication.clone();
                tokio::spawn(async move { publication.serve(revision).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        publication.make().await.unwrap();
        let made = publication.current();
        drop(first);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Some(made.version));
        }
        assert!(Arc::ptr_eq(&made, &publication.current()), "it was made again");
    }
}

#[tokio::test]
async fn a_row_that_names_an_artifact_which_is_not_kept_is_refused() {
    use crate::store::artifacts::tests::{file, read};
    for fresh in on_both().await {
        let (publication, store) = begun(&fresh).await;
        let one = file("one", 0);
        let digest = read(&one).digest().to_owned();
        let arms = |artifact: &str| {
            let arm = |name: &str, artifact: &str| {
                format!("{{\"name\":\"{name}\",\"to\":\"p/m\",\"artifact\":\"{artifact}\"}}")
            };
            let row = format!("{{\"route\":\"p/m\",\"arms\":[{},{}]}}", arm("a", "none"), arm("b", artifact));
            [Edit { kind: Kind::Experiment, id: "x".into(), to: Some(row), condition: Condition::None }]
        };
        let problems = publication.try_edits(&arms(&digest[..8])).await.unwrap_err();
        assert!(problems[0].to_string().contains(&format!("begins with `{}`", &digest[..8])), "{}", problems[0]);
        assert!(publication.try_edits(&arms("shipped")).await.is_ok());
        store.keep_artifact("me", (&read(&one), &one), &Default::default()).await.unwrap();
        assert!(publication.try_edits(&arms(&digest[..8])).await.is_ok());

        store.edit("somebody", "put", &arms(&digest[..8]), |_| Ok::<(), String>(())).await.unwrap();
        let said = publication.said_now().await.unwrap();
        assert_eq!(said.experiments_with(&digest), ["x"], "though it is not served yet");
        assert!(publication.current().file.experiments.is_empty());
    }
}
