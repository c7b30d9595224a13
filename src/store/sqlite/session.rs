//! A session that keeps the contract: settings, time limits, schema, errors.
//!
//! Border: how a connection is made and what an error of it means; no rows of the log.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};

use crate::store::StoreError;
use crate::store::failure::{self, Reaction};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a caller waits for a free connection, or a connection for a lock.
const ACQUIRE: Duration = Duration::from_secs(5);

/// What every connection needs.
///
/// * `synchronous = FULL`: an answer is a promise. `NORMAL` may lose the last
///   rounds in a power failure, and from 16 entries a round on it is not faster.
/// * `wal_autocheckpoint`: the log is copied back by [`write_back`](super::write_back) alone.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .page_size(4096)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(ACQUIRE)
        .pragma("wal_autocheckpoint", "0")
        // macOS: fsync alone does not reach the disk.
        .pragma("fullfsync", "1")
        .pragma("checkpoint_fullfsync", "1")
        // 32 MiB for each connection; a negative number counts in KiB.
        .pragma("cache_size", "-32768")
}

/// Makes the file ready before any pool opens it. The connection stays open and does nothing more.
pub(super) async fn prepare(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut connection =
        SqliteConnection::connect_with(&options(path)).await.map_err(store_error)?;
    match make_ready(&mut connection).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            // Whoever closes a database last copies the write-ahead log into it and removes that;
            // one that was refused stays as it is.
            std::mem::forget(connection);
            Err(error)
        }
    }
}

async fn make_ready(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let is_new = is_new(connection).await?;
    turn_on_wal(connection).await?;
    check_settings(connection).await?;
    migrate(connection).await?;
    if is_new {
        // Nothing of it stays in the log: if this start is refused, and another file put here
        // instead, the log would be copied into that.
        let copied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await;
        copied.map_err(store_error)?;
    }
    Ok(())
}

/// Whether nothing is in there yet; refuses what another program put there.
async fn is_new(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let (all, own): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE name = '_sqlx_migrations') FROM sqlite_schema",
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    if all > 0 && own == 0 {
        return Err(StoreError::Corrupt(
            "it holds tables, and none of them is of this program: is it another program's?".into(),
        ));
    }
    Ok(all == 0)
}

/// For connections that only read: SQLite itself writes nothing either then, not even the
/// write-ahead log back into the file when the last of them is closed.
fn reading(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true)
}

/// Refuses a schema that this program would have to make or bring up to date, and another
/// program's.
pub(super) async fn check_schema(path: &Path) -> Result<(), StoreError> {
    let connected = SqliteConnection::connect_with(&reading(path)).await;
    let mut connection = connected.map_err(store_error)?;
    let failed = |error| failure::of_migration(error, verdict);
    let (mut applied, table) = (Vec::new(), &MIGRATIONS.table_name);
    if !is_new(&mut connection).await? {
        if let Some(version) = connection.dirty_version(table).await.map_err(failed)? {
            return Err(failed(MigrateError::Dirty(version)));
        }
        applied = connection.list_applied_migrations(table).await.map_err(failed)?;
    }
    connection.close().await.map_err(store_error)?;
    failure::check_schema(&MIGRATIONS, &applied)
}

/// A connection that has opened the write-ahead log, only reads, and does nothing more.
pub(super) async fn reading_anchor(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut anchor = SqliteConnection::connect_with(&reading(path)).await.map_err(store_error)?;
    let read = sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1").execute(&mut anchor).await;
    read.map_err(store_error)?;
    Ok(anchor)
}

/// Changing the journal mode needs the file for itself and does not wait for it,
/// so the waiting is done here.
async fn turn_on_wal(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let asked = Instant::now();
    loop {
        let turned = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await;
        match turned.map_err(store_error) {
            Err(StoreError::Unavailable(_)) if asked.elapsed() < ACQUIRE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other.map(drop),
        }
    }
}

/// SQLite answers a setting that it cannot take with silence.
async fn check_settings(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let (journal, synchronous, foreign_keys): (String, i64, i64) = sqlx::query_as(
        "SELECT journal_mode, synchronous, foreign_keys
           FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys",
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    if (journal.as_str(), synchronous, foreign_keys) == ("wal", 2, 1) {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "SQLite did not take its settings: journal_mode is {journal}, synchronous {synchronous}, \
         foreign_keys {foreign_keys}; asked for wal, 2 and 1"
    )))
}

/// All pending migrations in one transaction that begins with the write lock, so
/// of several openers one migrates and the others find it done.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let begun = connection.begin_with("BEGIN IMMEDIATE").await;
    let mut transaction = begun.map_err(store_error)?;
    let migrated = MIGRATIONS.run(&mut *transaction).await;
    migrated.map_err(|error| failure::of_migration(error, verdict))?;
    transaction.commit().await.map_err(store_error)
}

pub(super) fn pool(path: &Path, connections: u32) -> SqlitePool {
    pool_with(connections, options(path))
}

/// Connections that only read.
pub(super) fn reading_pool(path: &Path, connections: u32) -> SqlitePool {
    pool_with(connections, reading(path))
}

/// One connection that waits for locks no longer than `patience`.
pub(super) fn impatient(path: &Path, patience: Duration) -> SqlitePool {
    pool_with(1, options(path).busy_timeout(patience))
}

fn pool_with(connections: u32, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        // There is no network to lose a connection to.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        // SQLite itself takes a transaction back when the disk is full or fails. The driver's
        // own ROLLBACK finds none then, counts it as open for ever, and begins no other.
        .before_acquire(|connection, _| {
            Box::pin(async move { Ok(!connection.is_in_transaction()) })
        })
        .connect_lazy_with(options)
}

pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    failure::of_driver(error, verdict)
}

/// Whether SQLite found the file itself wrong, not only what is in its tables.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    // CORRUPT, NOTADB
    error.as_database_error().is_some_and(|error| matches!(code(error) & 0xff, 11 | 26))
}

fn code(error: &dyn DatabaseError) -> i32 {
    error.code().and_then(|code| code.parse().ok()).unwrap_or_default()
}

/// By (extended) result code, see sqlite.org/rescode.html.
fn verdict(error: &dyn DatabaseError) -> Reaction {
    match code(error) {
        // CONSTRAINT_UNIQUE: the leaf came in through another handle.
        2067 if error.message().contains("entries.leaf_hash") => Reaction::Reload,
        // IOERR_FSYNC, IOERR_DIR_FSYNC: what we read back may be lost already.
        1034 | 1290 => Reaction::Stop,
        // ERROR (no such table), CORRUPT, CONSTRAINT, MISMATCH, NOTADB
        code if matches!(code & 0xff, 1 | 11 | 19 | 20 | 26) => Reaction::Stop,
        // BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN and so on.
        _ => Reaction::Retry,
    }
}
