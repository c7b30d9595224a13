//! A session that keeps the contract: settings, time limits, schema, errors.
//!
//! Border: how a connection is made and what an error of it means; no rows of the log.

use std::str::FromStr;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout};

use super::durability::{Durability, Refused, Standby};
use crate::store::StoreError;
use crate::store::failure::{self, NoAnswer, Reaction};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a caller waits for a place, and then for a connection.
pub(super) const ACQUIRE: Duration = Duration::from_secs(5);
/// How long we wait for an answer. A little longer than the server may work
/// (`statement_timeout` below), so that its own word usually comes first.
pub(super) const ANSWER: Duration = Duration::from_secs(35);
/// How long we wait for the head to settle: a server that cannot tell within this time
/// what became of a round says 503, and asks again in the next one.
pub(super) const SETTLED: Duration = Duration::from_secs(5);
/// How long readers wait for the head to settle before they are shown the one before it. Who comes
/// meanwhile waits for the next attempt as well, and for less than a reader's patience in all.
pub(super) const SHOWN: Duration = Duration::from_secs(3);
/// How long we wait for a turn. A little longer than the server lets us stand in line
/// (`lock_timeout` below).
pub(super) const TURN: Duration = Duration::from_secs(12);

/// Between two attempts to upgrade the schema, for those who waited meanwhile.
const BESIDE: Duration = Duration::from_secs(5);

/// What every session needs, whatever the server's defaults are.
///
/// * `synchronous_commit`: an answer is a promise. `remote_apply` is stronger
///   than `on` and stays. Set also where it is the default: a session follows a default that is
///   changed under it (`ALTER SYSTEM`, and a reload) for as long as it has set nothing itself.
/// * `read committed`: the fence needs the loser to see the winner's head.
/// * `bytea_output`: the driver reads no other form in the answer to statements that are sent as text.
/// * `plan_cache_mode`: a key is looked up in one way, whatever it is. Left to itself Postgres plans
///   each look-up of a few keys again, because it takes an array for one of ten: that costs as
///   much as the look-up.
/// * `enable_seqscan`, `enable_hashjoin`, `enable_mergejoin`: each statement goes by a key. A plan
///   that was cached while a table was small would read all of it for a minute after it has grown.
///   (A nested loop may do that as well; the statements are written so that it cannot.)
/// * `jit`: compiling costs more than any of these statements.
/// * `tcp_keepalives_…`: a session whose wire falls silent behind a statement, and before the order to
///   commit it, holds the head's lock, and no other time limit runs then. It is noticed after 25 s
///   instead of two hours.
const SESSION: &str = "
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false);
    SET statement_timeout = '30s';
    SET lock_timeout = '10s';
    SET default_transaction_isolation = 'read committed';
    SET bytea_output = hex;
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET jit = off;
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3";

/// Reads a `postgres://` URL.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(store_error)?;
    Ok(options.application_name("indelible"))
}

/// Refuses a schema that this program would have to bring up to date.
pub(super) async fn check_schema(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut connection = connect(options).await?;
    let (begun,): (bool,) = sqlx::query_as("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut connection)
        .await
        .map_err(store_error)?;
    let failed = |error| failure::of_migration(error, verdict);
    let (mut applied, table) = (Vec::new(), &MIGRATIONS.table_name);
    if begun {
        if let Some(version) = connection.dirty_version(table).await.map_err(failed)? {
            return Err(failed(MigrateError::Dirty(version)));
        }
        applied = connection.list_applied_migrations(table).await.map_err(failed)?;
    }
    connection.close().await.map_err(store_error)?;
    failure::check_schema(&MIGRATIONS, &applied)
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let connecting = timeout(ACQUIRE, PgConnection::connect_with(options)).await;
    connecting.map_err(|_| NoAnswer(ACQUIRE))?.map_err(store_error)
}

/// Brings the schema up to date, unless it is, and judges the settings that commits depend on.
pub(super) async fn migrate(
    options: &PgConnectOptions,
    standby: Standby,
) -> Result<(), StoreError> {
    // The migrator begins with a write, which a database that takes none refuses.
    let mut connection = match check_schema(options).await {
        Ok(()) => connect(options).await?,
        Err(_) => upgrade(options).await?,
    };
    let durability = Durability::read(&mut connection).await.map_err(store_error)?;
    durability.judge(standby).map_err(|refused| StoreError::Unavailable(refused.into()))?;
    connection.close().await.map_err(store_error)
}

/// Migrates over a connection of its own: an index on a large table may take
/// longer than any statement of the daily work. An advisory lock of the migrator
/// lets one server at a time do it.
///
/// Whoever waits for the lock of a table keeps all others waiting that come later, so behind a dump
/// that takes hours, servers that run would stand still. It gives up its place now and then.
async fn upgrade(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    loop {
        // A new one each time, for an attempt that failed may still hold the migrator's lock.
        let mut connection = connect(options).await?;
        let order = sqlx::raw_sql("SET lock_timeout = '2s'").execute(&mut connection);
        order.await.map_err(store_error)?;
        match MIGRATIONS.run(&mut connection).await {
            Ok(()) => return Ok(connection),
            Err(error) if waits(&error) => {
                tracing::warn!(%error, "waiting for somebody who holds a table, to upgrade the schema");
                connection.close().await.map_err(store_error)?;
                sleep(BESIDE).await;
            }
            Err(error) => return Err(failure::of_migration(error, verdict)),
        }
    }
}

/// Whether a migration stood in line for a lock in vain.
fn waits(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    // lock_not_available
    error.as_database_error().and_then(DatabaseError::code).as_deref() == Some("55P03")
}

/// A standby that is not promoted takes no writes, and what it shows is late: while a
/// failover goes on, a connection that landed there would stay there for its lifetime.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SESSION).execute(&mut *connection).await?;
    let (standby,): (bool,) =
        sqlx::query_as("SELECT pg_is_in_recovery()").fetch_one(connection).await?;
    if standby { Err(sqlx::Error::Configuration(Refused::Recovery.into())) } else { Ok(()) }
}

pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    failure::of_driver(error, verdict)
}

/// For an audit, which names what cannot be read and goes on. To a server it is a disk that may
/// answer the next time.
pub(super) fn audit_error(error: sqlx::Error) -> StoreError {
    failure::of_driver(error, |error| match error.code().unwrap_or_default().as_ref() {
        // io_error, undefined_file, internal_error
        "58030" | "58P01" | "XX000" => Reaction::Stop,
        _ => verdict(error),
    })
}

/// Whether Postgres refused to write or lock, as nothing is to be written now.
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    // read_only_sql_transaction
    error.as_database_error().and_then(DatabaseError::code).as_deref() == Some("25006")
}

/// By SQLSTATE, see appendix A of the Postgres manual.
fn verdict(error: &dyn DatabaseError) -> Reaction {
    let code = error.code().unwrap_or_default();
    match code.as_ref() {
        // The leaf came in through another server; the head will show it.
        "23505" if error.constraint() == Some("entries_leaf_hash_key") => Reaction::Reload,
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => Reaction::Stop,
        // insufficient_privilege: somebody is changing roles, not data
        "42501" => Reaction::Retry,
        // Broken constraints, tables and columns that are not ours.
        code if code.starts_with("23") || code.starts_with("42") => Reaction::Stop,
        // Shutdown, time-out, full disk, standby, deadlock and so on.
        _ => Reaction::Retry,
    }
}
