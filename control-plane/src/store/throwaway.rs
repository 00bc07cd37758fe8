//! A PostgreSQL for tests of the store: the cluster of `tests/src/postgres.rs`, one for each test process.

#[path = "../../../tests/src/postgres.rs"]
mod postgres;

/// The URL of a fresh, empty database; the first call starts the server, which ends with this process.
///
/// # Panics
///
/// When there is no PostgreSQL: a test that needs one has failed then, and says what to install.
pub(crate) async fn database() -> String {
    let made = tokio::task::spawn_blocking(postgres::database).await;
    made.unwrap_or_else(|error| panic!("{error}")).unwrap_or_else(|error| panic!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Executor, PgConnection};

    use super::database;

    #[tokio::test]
    async fn every_database_is_fresh_and_of_one_server() {
        let (one, other) = tokio::join!(database(), database());
        let mut connections =
            [PgConnection::connect(&one).await.unwrap(), PgConnection::connect(&other).await.unwrap()];
        for connection in &mut connections {
            connection.execute("CREATE TABLE fresh (number BIGINT PRIMARY KEY)").await.unwrap();
        }
        let server = |url: &str| url.rsplit_once('/').unwrap().0.to_string();
        assert_ne!(one, other);
        assert_eq!(server(&one), server(&other));
    }
}
