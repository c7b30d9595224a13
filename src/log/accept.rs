//! Giving up, deliberately, what the last checkpoint remembers.
//!
//! Border: the one place where a person overrules the guard. Nothing is signed
//! here, and what the former checkpoint proves is kept.

use std::path::PathBuf;
use std::sync::Arc;

use super::guard::{GuardError, read_note, went_back};
use super::open::{OpenError, check_identity, restore};
use crate::last_checkpoint::LastCheckpoint;
use crate::signer::LogKey;
use crate::store::Store;

/// What became of a deliberate acceptance.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The database continues the last checkpoint: there was nothing to accept.
    Nothing,
    /// The log continues from the database; the former note was moved here.
    SetAside(PathBuf),
    /// The database has another size than the operator named: nothing was done.
    OtherSize(u64),
}

/// Gives up what the last checkpoint remembers and the database has lost: sets
/// the note aside and, unless the database is empty, writes its head instead.
///
/// `size` is the number of leaves in the database, named by the operator so that
/// nobody accepts another database than the one that was looked at; 0 for one
/// without a log. `now` is in Unix seconds.
///
/// # Errors
/// [`OpenError`] when the database is not whole in itself.
pub async fn accept_restore(
    store: Arc<dyn Store>,
    key: LogKey,
    file: &LastCheckpoint,
    size: u64,
    now: i64,
) -> Result<Accepted, OpenError> {
    let key = Arc::new(key);
    let note = read_note(Some(file));
    let set_aside = || file.set_aside(now).map_err(GuardError::File);
    let accepted = |aside: Option<_>| aside.map_or(Accepted::Nothing, Accepted::SetAside);
    let Some((identity, head)) = store.load().await? else {
        return match size {
            0 => Ok(accepted(set_aside()?)),
            _ => Ok(Accepted::OtherSize(0)),
        };
    };
    check_identity(&identity, &key, None)?;
    let tree = restore(&store, &key, head).await?;
    let head = &tree.snapshot().head;
    if head.size != size {
        return Ok(Accepted::OtherSize(head.size));
    }
    // A note that cannot be read can be given up, too.
    if let Ok(note) = note {
        match went_back(note.as_ref(), &key, &identity, &tree).await {
            Ok(None) => return Ok(Accepted::Nothing),
            Ok(Some(_)) | Err(OpenError::Guard(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let aside = set_aside()?;
    file.write(&head.checkpoint).map_err(GuardError::File)?;
    Ok(accepted(aside))
}
