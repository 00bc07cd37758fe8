use std::time::Instant;

use super::*;
use crate::catalog::{Catalog, known};
use crate::current::{Current, Made};
use crate::settings::File;
use crate::store::artifacts::tests::{file, read};
use crate::store::tests::{Directory, on_both};

async fn current(store: &Store, tuning: &str) -> Arc<Current> {
    let text = format!("catalog = false\n[tuning]\nrefresh = \"50ms\"\n{tuning}\n");
    let file = File::read("f", &text, &known().unwrap()).unwrap();
    let made = Made::of(Catalog::join(&file, &|_| None).unwrap(), file).unwrap();
    Arc::new(Current::publish(made, 0, store).await.unwrap())
}

/// A control plane that runs by those words of `[tuning]`, and how it is told others.
async fn run(store: Store, tuning: &str) -> (Arc<Artifacts>, watch::Sender<Arc<Current>>) {
    let settings = watch::Sender::new(current(&store, tuning).await);
    let artifacts = Artifacts::begin(store, settings.subscribe(), Arc::default(), None).await.unwrap();
    let artifacts = Arc::new(artifacts);
    let running = artifacts.clone();
    tokio::spawn(async move { running.run().await });
    (artifacts, settings)
}

async fn within(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(2), "{what} takes longer than two seconds");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn in_use(artifacts: &Artifacts) -> String {
    artifacts.known().in_use().map(|artifact| artifact.name().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_file_that_changes_is_taken_by_everybody_and_one_that_is_damaged_by_nobody() {
    for fresh in on_both().await {
        let files = Directory::new();
        std::fs::create_dir(&files.0).unwrap();
        let path = files.0.join("tuning.artifact");
        std::fs::write(&path, file("one", 0)).unwrap();
        let tuning = format!("artifact = \"{}\"", path.display());
        let (here, _settings) = run(fresh.open().await, &tuning).await;
        assert_eq!(in_use(&here), "one", "at the start");
        let (there, _others) = run(fresh.open().await, "artifact = \"none\"").await;
        within("none for both, which the later one said", async || (in_use(&here) + &in_use(&there)).is_empty()).await;

        std::fs::write(&path, file("two", 0)).unwrap();
        within("two", async || in_use(&here) == "two" && in_use(&there) == "two").await;
        let mut bad = file("three", 0);
        bad[40] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let refused = async || here.store.artifact_in_use().await.unwrap().refused.map(|(why, _)| why);
        within("a refusal", async || refused().await.is_some_and(|why| why.contains("tampered"))).await;
        assert_eq!(in_use(&here), "two");
        std::fs::remove_file(&path).unwrap();
        within("another", async || refused().await.is_some_and(|why| why.contains("No such file"))).await;

        let one = read(&file("one", 0));
        here.store.use_artifact("me", one.digest()).await.unwrap();
        within("one again", async || in_use(&here) == "one" && in_use(&there) == "one").await;
        std::fs::write(&path, file("two", 0)).unwrap();
        within("no refusal", async || refused().await.is_none()).await;
        assert_eq!(in_use(&here), "one", "the source has what it had when somebody else said otherwise");
    }
}

#[tokio::test]
async fn another_source_is_heard_at_once_and_after_a_restart_what_was_in_use_is() {
    let fresh = &on_both().await[0];
    let files = Directory::new();
    std::fs::create_dir(&files.0).unwrap();
    let path = files.0.join("tuning.artifact");
    std::fs::write(&path, file("one", 0)).unwrap();
    let tuning = format!("artifact = \"{}\"", path.display());
    let (here, settings) = run(fresh.open().await, "artifact = \"none\"").await;
    assert_eq!(in_use(&here), "");
    settings.send_replace(current(&here.store, &tuning).await);
    within("one", async || in_use(&here) == "one").await;
    let two = file("two", 0);
    here.store.keep_artifact("me", (&read(&two), &two), &BTreeSet::new()).await.unwrap();
    here.store.use_artifact("me", read(&two).digest()).await.unwrap();
    let (again, _settings) = run(fresh.open().await, &tuning).await;
    assert_eq!(in_use(&again), "two", "an operator's word holds over a restart");
}

fn named(artifacts: &Artifacts) -> Vec<String> {
    artifacts.known().named().map(|artifact| artifact.digest().to_owned()).collect()
}

#[tokio::test]
async fn what_arms_name_is_there_as_soon_as_it_is_kept_and_gone_when_no_row_names_it() {
    for fresh in on_both().await {
        let one = file("one", 0);
        let digest = read(&one).digest().to_owned();
        let arms = |artifact: &str| {
            format!(
                "artifact = \"none\"\n[[provider]]\nid = \"p\"\nbase_url = \"http://h\"\nmodels = [\"m\"]\n\
                 [[experiment]]\nname = \"x\"\nroute = \"p/m\"\narms = [{{ name = \"a\", to = \"p/m\", artifact = \"none\" }}, \
                 {{ name = \"b\", to = \"p/m\", artifact = \"{artifact}\" }}]"
            )
        };
        let (here, settings) = run(fresh.open().await, &arms(&digest[..8])).await;
        assert!(named(&here).is_empty(), "the rules stand in for what is not kept");
        here.store.keep_artifact("me", (&read(&one), &one), &BTreeSet::new()).await.unwrap();
        within("the one that was brought", async || named(&here) == [digest.clone()]).await;
        settings.send_replace(current(&here.store, &arms("shipped")).await);
        within("the shipped one, which nobody keeps", async || named(&here) == [shipped_digest()]).await;
        settings.send_replace(current(&here.store, "artifact = \"none\"").await);
        within("none", async || named(&here).is_empty()).await;
    }
}
