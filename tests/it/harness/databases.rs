//! A fresh database for each story.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use indelible::store::postgres::PostgresStore;
use indelible::store::sqlite::SqliteStore;
use indelible::store::{Audit, Store, StoreError};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::postgres::Server;

/// Tells each story once per database: `name::postgres` and `name::sqlite`.
macro_rules! both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::harness::databases::{TestDb, to_its_end};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                to_its_end(super::$name(TestDb::postgres().await)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                to_its_end(super::$name(TestDb::sqlite())).await;
            }
        }
    )+};
}

/// Tells each story once, as `name::once`: those of one database, or that bring their own.
macro_rules! once {
    ($($(#[$when:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$when])*
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn once() {
                $crate::harness::databases::to_its_end(super::$name()).await;
            }
        }
    )+};
}

/// Many times what any story takes, so that one that hangs says so and the others are heard.
const PATIENCE: Duration = Duration::from_secs(300);

/// Hears a story out, unless it never ends. Whatever blocks its thread needs a limit of its own:
/// meanwhile nobody looks at the clock.
pub(crate) async fn to_its_end(story: impl Future<Output = ()>) {
    to_its_end_after(Duration::ZERO, story).await;
}

/// The same for a story that goes on for so long on purpose.
pub(crate) async fn to_its_end_after(asked: Duration, story: impl Future<Output = ()>) {
    let limit = asked + PATIENCE;
    let told = tokio::time::timeout(limit, story).await;
    assert!(told.is_ok(), "the story did not come to its end within {limit:?}");
}

/// Connections of one handle on Postgres: one writes, two read.
const CONNECTIONS: u32 = 3;

/// A database that nobody else uses and that is gone when the last clone of this
/// handle is, also after a panic.
#[derive(Clone)]
pub(crate) struct TestDb(Arc<Place>);

/// Where a database is.
pub(crate) enum Place {
    /// A database of the test server.
    Postgres {
        /// Its name, and its URL.
        name: String,
        url: String,
    },
    /// A file in a directory of its own.
    Sqlite {
        /// Keeps the directory.
        _directory: TempDir,
        path: PathBuf,
    },
}

/// Rows in each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) log: i64,
    pub(crate) head: i64,
    pub(crate) entries: i64,
    pub(crate) index_keys: i64,
    pub(crate) attestations: i64,
    pub(crate) tiles: i64,
}

impl TestDb {
    pub(crate) async fn postgres() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("indelible_test_{}_{number}", std::process::id());
        let server = Server::of_this_process();
        let url = server.url(&name);
        command(&server.home_url(), format!("CREATE DATABASE {name}")).await;
        Self(Arc::new(Place::Postgres { name, url }))
    }

    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("log.sqlite");
        Self(Arc::new(Place::Sqlite { _directory: directory, path }))
    }

    /// A fresh one of the same kind.
    pub(crate) async fn another(&self) -> Self {
        match self.place() {
            Place::Postgres { .. } => Self::postgres().await,
            Place::Sqlite { .. } => Self::sqlite(),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }

    /// As `--database` takes it.
    pub(crate) fn setting(&self) -> String {
        match self.place() {
            Place::Postgres { url, .. } => url.clone(),
            Place::Sqlite { path, .. } => format!("sqlite:{}", path.display()),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.place(), Place::Postgres { .. })
    }

    /// The port, on Postgres.
    pub(crate) fn port(&self) -> u16 {
        let address = self.url().split('/').nth(2).and_then(|address| address.rsplit(':').next());
        address.and_then(|port| port.parse().ok()).expect("a port")
    }

    /// The URL, on Postgres.
    pub(crate) fn url(&self) -> &str {
        match self.place() {
            Place::Postgres { url, .. } => url,
            Place::Sqlite { .. } => panic!("SQLite has no URL"),
        }
    }

    /// The file, on SQLite.
    pub(crate) fn path(&self) -> &Path {
        match self.place() {
            Place::Postgres { .. } => panic!("Postgres has no file"),
            Place::Sqlite { path, .. } => path,
        }
    }

    /// A new handle, as another process would have it.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.try_open().await.expect("the database opens")
    }

    /// The same, with what an audit reads.
    pub(crate) async fn open_for_audit(&self) -> Arc<dyn Audit> {
        self.try_open_for_audit().await.expect("it opens")
    }

    pub(crate) async fn try_open_for_audit(&self) -> Result<Arc<dyn Audit>, StoreError> {
        Ok(match self.place() {
            Place::Postgres { url, .. } => {
                Arc::new(PostgresStore::connect_to_read(url, CONNECTIONS).await?)
            }
            Place::Sqlite { path, .. } => Arc::new(SqliteStore::open_to_read(path).await?),
        })
    }

    pub(crate) async fn try_open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self.place() {
            Place::Postgres { url, .. } => {
                Arc::new(PostgresStore::connect(url, CONNECTIONS).await?)
            }
            Place::Sqlite { path, .. } => Arc::new(SqliteStore::open(path).await?),
        })
    }

    /// The schema as an earlier program left it: migrations up to this one.
    pub(crate) async fn migrate_to(&self, version: i64) {
        let migrated = match self.place() {
            Place::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.expect("a connection");
                sqlx::migrate!("migrations/postgres").run_to(version, &mut connection).await
            }
            Place::Sqlite { path, .. } => {
                std::fs::File::create_new(path).expect("a new file");
                let mut connection = sqlite_console(path).await.expect("a console");
                sqlx::migrate!("migrations/sqlite").run_to(version, &mut connection).await
            }
        };
        migrated.expect("it migrates");
    }

    /// Runs SQL past the store, as an operator at a console would.
    pub(crate) async fn console(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self.place() {
            Place::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await?;
                sql.execute(&mut connection).await?;
                connection.close().await
            }
            Place::Sqlite { path, .. } => {
                let mut connection = sqlite_console(path).await?;
                sql.execute(&mut connection).await?;
                connection.close().await
            }
        }
    }

    /// Runs SQL with the guards on immutable tables gone: what a damaged disk or a
    /// forger could do.
    pub(crate) async fn tamper(&self, sql: &str) {
        let unguard = match self.place() {
            Place::Postgres { .. } => "SET session_replication_role = replica;",
            Place::Sqlite { .. } => {
                "DROP TRIGGER IF EXISTS entries_keep_rows; DROP TRIGGER IF EXISTS entries_keep_values;
                 DROP TRIGGER IF EXISTS tiles_keep_rows; DROP TRIGGER IF EXISTS tiles_keep_values;
                 DROP TRIGGER IF EXISTS log_keep_rows; DROP TRIGGER IF EXISTS log_keep_values;
                 DROP TRIGGER IF EXISTS head_keep_rows;"
            }
        };
        self.console(&format!("{unguard} {sql}")).await.expect("tampering works");
    }

    /// What is there, counted past the store.
    pub(crate) async fn rows(&self) -> Rows {
        let sql = "SELECT (SELECT count(*) FROM log), (SELECT count(*) FROM head),
                          (SELECT count(*) FROM entries), (SELECT count(*) FROM index_keys),
                          (SELECT count(*) FROM attestations), (SELECT count(*) FROM tiles)";
        let (log, head, entries, index_keys, attestations, tiles) = self.ask(sql).await;
        Rows { log, head, entries, index_keys, attestations, tiles }
    }

    /// One row of an answer.
    pub(crate) async fn ask<O>(&self, sql: &'static str) -> O
    where
        O: Send + Unpin,
        O: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
        O: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>,
    {
        let row = match self.place() {
            Place::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.expect("a console");
                sqlx::query_as(sql).fetch_one(&mut connection).await
            }
            Place::Sqlite { path, .. } => {
                let mut connection = sqlite_console(path).await.expect("a console");
                sqlx::query_as(sql).fetch_one(&mut connection).await
            }
        };
        row.expect("an answer")
    }
}

impl Drop for Place {
    /// The file goes with its directory; a database of the server is dropped from
    /// a thread of its own, as there may be no runtime left to wait in.
    fn drop(&mut self) {
        let Self::Postgres { name, .. } = self else {
            return;
        };
        let order = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let url = Server::of_this_process().home_url();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(command(&url, order));
        });
        let dropped = dropping.join();
        assert!(dropped.is_ok() || std::thread::panicking(), "the database is dropped");
    }
}

/// A connection of our own to the file.
pub(crate) async fn sqlite_console(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    SqliteConnection::connect_with(&options).await
}

async fn command(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.expect("the test server answers");
    sqlx::raw_sql(AssertSqlSafe(sql.as_str()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.expect("the connection closes");
}
