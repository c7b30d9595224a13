//! The head, held by a lock.
//!
//! Border: what the row of such a statement says. The lock is written to Postgres' log, and shipped
//! behind everything before it. So whoever sees its commit answered knows that all of that has
//! arrived where commits wait for; if they do wait in this very session, as a pooler in between may
//! have handed it to another one than that which was made for it.

use super::durability::Refused;
use crate::store::rows::{self, HeadRow};
use crate::store::{Head, StoreError};

/// Whether the commits of the session wait for a standby, if one is named: in SQL, for statements that
/// promise what only such a commit gives.
macro_rules! commits_wait {
    () => {
        "current_setting('synchronous_commit') IN ('on', 'remote_apply')"
    };
}
pub(super) use commits_wait;

/// The columns of [`HeadRow`], and whether the session's commits wait.
pub(super) type HeldRow = (i64, Vec<u8>, String, i64, bool);

/// The one head row, and whether the session's commits wait.
pub(super) fn only_head(rows: Vec<HeldRow>) -> Result<(Head, bool), StoreError> {
    let waits = rows.iter().all(|row| row.4);
    let heads = rows
        .into_iter()
        .map(|(size, root, checkpoint, time, _)| -> HeadRow { (size, root, checkpoint, time) });
    Ok((rows::only_head(heads.collect())?, waits))
}

/// What the answer to a commit is worth.
pub(super) fn check(waits: bool) -> Result<(), StoreError> {
    match waits {
        true => Ok(()),
        false => Err(StoreError::Unavailable(Refused::Early.into())),
    }
}
