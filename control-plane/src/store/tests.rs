use super::*;

/// A directory of its own for one test, gone at its end.
pub(crate) struct Directory(pub PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        Directory(std::env::temp_dir().join(format!("dragoman-test-{}", hex(&random))))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A fresh store of an engine, opened as often as a test likes; each opening is another control plane.
pub(crate) struct Fresh {
    pub(crate) directory: Directory,
    url: Option<String>,
}

impl Fresh {
    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.directory.0, self.url.as_deref()).await.unwrap()
    }
}

impl Store {
    /// Changes rows behind everybody's back, as time or somebody with the database would.
    pub(crate) async fn tamper(&self, statement: &str) {
        sqlx::query(sqlx::AssertSqlSafe(statement.to_string())).execute(&self.writer).await.unwrap();
    }
}

/// A fresh store of each engine: every test of the store runs on both.
pub(crate) async fn on_both() -> [Fresh; 2] {
    let postgres = super::throwaway::database().await;
    [Fresh { directory: Directory::new(), url: None }, Fresh { directory: Directory::new(), url: Some(postgres) }]
}

#[test]
fn hexadecimal_reads_back() {
    assert_eq!(unhex(&hex(&[0, 15, 255])), Some(vec![0, 15, 255]));
    assert_eq!((unhex("0"), unhex("zz")), (None, None));
}

#[tokio::test]
async fn a_store_opens_twice() {
    for fresh in on_both().await {
        let (one, two) = tokio::join!(fresh.open(), fresh.open());
        assert_eq!(one.engine(), two.engine());
    }
}

#[tokio::test]
async fn a_commit_on_sqlite_survives_a_power_cut() {
    let directory = Directory::new();
    let store = Store::open(&directory.0, None).await.unwrap();
    for (pragma, value) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1)] {
        let row = sqlx::query(pragma).fetch_one(&store.writer).await.unwrap();
        assert_eq!(sqlx::Row::try_get::<i64, _>(&row, 0).unwrap(), value, "{pragma}");
    }
    let row = sqlx::query("PRAGMA journal_mode").fetch_one(&store.writer).await.unwrap();
    assert_eq!(sqlx::Row::try_get::<String, _>(&row, 0).unwrap(), "wal");
}
