//! What the settings name, opened: the database, the key, the log.
//!
//! Border: settings to parts. What is done with them is in `main`.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use indelible::config::{Database, DatabaseArgs, KeyArgs, Settings};
use indelible::folder;
use indelible::last_checkpoint::Place;
use indelible::log::{self, GuardError, Log, Opening};
use indelible::signer::LogKey;
use indelible::store::postgres::PostgresStore;
use indelible::store::sqlite::SqliteStore;
use indelible::store::{Audit, StoreError};

/// The store and the key of a log that is there; makes neither, and changes nothing.
pub(super) async fn open_existing(settings: &Settings) -> anyhow::Result<(Arc<dyn Audit>, LogKey)> {
    let database = settings.database.database()?;
    if let Database::Sqlite(path) = &database {
        anyhow::ensure!(path.exists(), "there is no database {}", path.display());
    }
    let path = settings.key.path(&settings.database.data_dir);
    let key = LogKey::load(&path, settings.key.passphrase()?.as_deref())?;
    let store: Arc<dyn Audit> = match database {
        // Beside a server, if one is at work.
        Database::Sqlite(path) => {
            Arc::new(SqliteStore::open_to_read(&path).await.context("the database")?)
        }
        Database::Postgres(url) => {
            let connections = settings.database.database_connections;
            Arc::new(
                PostgresStore::connect_to_read(&url, connections).await.context("the database")?,
            )
        }
    };
    Ok((store, key))
}

/// The log that the settings name, with a new key if it is a new log; `None` if `stop` completes
/// before it is open, which takes as long as the upgrade of a large database.
pub(super) async fn open_log(
    settings: &Settings,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Option<Log>> {
    let mut opening = Box::pin(open_to_serve(settings));
    tokio::select! {
        log = &mut opening => log.map(Some),
        () = stop => {
            // What it has open by now must not be closed either: see `open_store`.
            std::mem::forget(opening);
            Ok(None)
        }
    }
}

async fn open_to_serve(settings: &Settings) -> anyhow::Result<Log> {
    let store = open_store(&settings.database).await?;
    let path = settings.key.path(&settings.database.data_dir);
    let passphrase = settings.key.passphrase()?;
    let is_new = store.load().await?.is_none();
    let last_checkpoint = settings.guard.places(&settings.database.data_dir)?;
    if is_new && !path.exists() {
        refuse_lost_key(&path, &last_checkpoint).await?;
    }
    let key = load_or_make_key(&path, passphrase.as_deref(), is_new)?;
    let opening = Opening {
        hostname: settings.hostname.as_deref(),
        default_hostname: &indelible::config::machine_name(),
        options: settings.work.log_options(),
        clock: Arc::new(unix_now),
        last_checkpoint,
    };
    let log = log::open_guarded(store, key, opening).await?;
    if is_new && settings.hostname.is_none() {
        tracing::warn!(
            "this machine's name is in every checkpoint of the new log from now on; for a log that \
             outlives the machine begin once more with --hostname and another --data-dir"
        );
    }
    if let Some(sealed) = log.sealed() {
        tracing::error!(reason = %sealed, "the log is open for reading only");
    }
    Ok(log)
}

/// The database, for this process alone if it is a file. It is never dropped: whoever closes such a
/// file last copies its write-ahead log into it and removes that, which only who found the log whole
/// may do, by closing the store.
pub(super) async fn open_store(args: &DatabaseArgs) -> anyhow::Result<Arc<dyn Audit>> {
    folder::make(&args.data_dir)
        .with_context(|| format!("the data directory {}", args.data_dir.display()))?;
    let unavailable = |error: StoreError| anyhow::Error::new(error).context("the database");
    let store: Arc<dyn Audit> = match args.database()? {
        Database::Sqlite(path) => {
            Arc::new(SqliteStore::open_alone(&path).await.map_err(unavailable)?)
        }
        Database::Postgres(url) => Arc::new(
            PostgresStore::connect_to(&url, args.database_connections, args.standby())
                .await
                .map_err(unavailable)?,
        ),
    };
    std::mem::forget(Arc::clone(&store));
    Ok(store)
}

/// A log that has signed something was here. With a new key its note could not even be read, and the
/// key would be in the way of its own.
async fn refuse_lost_key(path: &Path, places: &[Place]) -> anyhow::Result<()> {
    for place in places {
        let note = place.read().await.map_err(GuardError::from)?;
        // Unless another process is making both in this moment.
        if note.is_some() && !path.exists() {
            anyhow::bail!(
                "the database holds no log and there is no key file {}, but {} holds the last \
                 checkpoint of one: restore the key file and the database from your backups, or name \
                 them with --key and --database; for a log beside that one name another place",
                path.display(),
                place.name()
            );
        }
    }
    Ok(())
}

/// A new log gets a new key unless one lies ready; an old log never does.
fn load_or_make_key(path: &Path, passphrase: Option<&str>, is_new: bool) -> anyhow::Result<LogKey> {
    if path.exists() {
        return Ok(LogKey::load(path, passphrase)?);
    }
    if !is_new {
        anyhow::bail!(
            "the database holds a log, but its key file {} is not there: restore that file from \
             your backup, or name it with --key; a new key is never made for an old log",
            path.display()
        );
    }
    make_key(path, passphrase)
}

fn make_key(path: &Path, passphrase: Option<&str>) -> anyhow::Result<LogKey> {
    match LogKey::generate()?.save_new(path, passphrase) {
        Ok(()) => {
            tracing::info!(path = %path.display(), encrypted = passphrase.is_some(), "log key made");
        }
        // Another process made one in this moment.
        Err(_) if path.exists() => {}
        Err(error) => return Err(error.into()),
    }
    // The one that the next start will find, whosever it is.
    Ok(LogKey::load(path, passphrase)?)
}

/// Makes a key for a log to be.
pub(super) fn keygen(data_dir: &Path, args: &KeyArgs) -> anyhow::Result<()> {
    let path = args.path(data_dir);
    if path.exists() {
        anyhow::bail!("{} is there already; it is never overwritten", path.display());
    }
    make_key(&path, args.passphrase()?.as_deref())?;
    Ok(())
}

/// Unix seconds of this machine's clock.
pub(super) fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
