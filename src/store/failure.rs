//! From a driver's error to the caller's reaction.
//!
//! Border: what is common to both databases. Each backend says by its own codes
//! what an error that the database itself reports asks for; everything that
//! happens before an answer arrives is the same for both.

use sqlx::error::DatabaseError;
use sqlx::migrate::{AppliedMigration, MigrateError, Migrator};

use super::StoreError;

/// How one backend reads an error that its database reported.
pub(super) type Verdict = fn(&dyn DatabaseError) -> Reaction;

/// One per case of [`StoreError`].
pub(super) enum Reaction {
    Reload,
    Retry,
    Stop,
}

/// Maps any driver error.
pub(super) fn of_driver(error: sqlx::Error, verdict: Verdict) -> StoreError {
    use sqlx::Error as E;
    let reaction = match &error {
        E::Database(reported) => verdict(reported.as_ref()),
        // The answer came, and it is not what our own schema can give.
        E::RowNotFound
        | E::TypeNotFound { .. }
        | E::ColumnIndexOutOfBounds { .. }
        | E::ColumnNotFound(_)
        | E::ColumnDecode { .. }
        | E::Decode(_) => Reaction::Stop,
        // Connection, pool, TLS, configuration: nothing was learnt about the data.
        _ => Reaction::Retry,
    };
    match reaction {
        Reaction::Reload => StoreError::Conflict,
        Reaction::Retry => StoreError::Unavailable(Box::new(error)),
        Reaction::Stop => StoreError::Corrupt(error.to_string()),
    }
}

/// Maps a failed migration: a schema that this program does not know, or one
/// that it could not reach.
pub(super) fn of_migration(error: MigrateError, verdict: Verdict) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            of_driver(error, verdict)
        }
        MigrateError::VersionMissing(version) => StoreError::Corrupt(format!(
            "its schema has version {version}, which this program does not know: \
             was it written by a newer one?"
        )),
        other => StoreError::Corrupt(other.to_string()),
    }
}

/// A schema that whoever only reads must not bring up to date.
#[derive(Debug, thiserror::Error)]
#[error(
    "its schema has version {found}, and this program reads version {known}: `indelible migrate`, \
     or the start of a server, brings it up to date"
)]
struct OldSchema {
    found: i64,
    known: i64,
}

/// Nothing was ever put there; who only reads makes no schema.
#[derive(Debug, thiserror::Error)]
#[error("the database holds no log")]
struct NoSchema;

/// Refuses a schema that is not the one that `known` leads to.
pub(super) fn check_schema(
    known: &Migrator,
    applied: &[AppliedMigration],
) -> Result<(), StoreError> {
    let refused = |error| of_migration(error, |_| Reaction::Stop);
    if applied.is_empty() {
        return Err(StoreError::Unavailable(Box::new(NoSchema)));
    }
    for there in applied {
        let ours = known.iter().find(|ours| ours.version == there.version);
        let ours = ours.ok_or_else(|| refused(MigrateError::VersionMissing(there.version)))?;
        if ours.checksum != there.checksum {
            return Err(refused(MigrateError::VersionMismatch(there.version)));
        }
    }
    let found = applied.iter().map(|there| there.version).max().unwrap_or_default();
    let newest = known.iter().map(|ours| ours.version).max().unwrap_or_default();
    if found == newest && applied.len() == known.iter().count() {
        return Ok(());
    }
    Err(StoreError::Unavailable(Box::new(OldSchema { found, known: newest })))
}

/// No answer in time; the outcome is not known.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs())]
pub(super) struct NoAnswer(pub(super) std::time::Duration);

impl From<NoAnswer> for StoreError {
    fn from(error: NoAnswer) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
