//! Giving up, deliberately, what the last checkpoint remembers.
//!
//! Border: the one place where a person overrules the guard. Nothing is signed
//! here, and what the former checkpoint proves is kept.

use std::sync::Arc;

use super::Options;
use super::guard::{GuardError, PlacedNote, went_back};
use super::open::{OpenError, check_identity, restore};
use super::tree::Tree;
use crate::last_checkpoint::{Place, PlaceName};
use crate::signer::LogKey;
use crate::store::{Identity, Store};

/// What became of a deliberate acceptance.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The database continues the last checkpoint: there was nothing to accept.
    Nothing,
    /// The log continues from the database; the former notes were moved here.
    SetAside(Vec<PlaceName>),
    /// The database has another size than the operator named: nothing was done.
    OtherSize(u64),
}

/// Gives up what the last checkpoint remembers and the database has lost: sets
/// aside each note that does, and, unless the database is empty, writes its head
/// instead.
///
/// `size` is the number of leaves in the database, named by the operator so that
/// nobody accepts another database than the one that was looked at; 0 for one
/// without a log. `now` is in Unix seconds. When it fails half-way it may be called
/// again: a place that was done then continues the database.
///
/// # Errors
/// [`OpenError`] when the database is not whole in itself, or a place does not
/// answer.
pub async fn accept_restore(
    store: Arc<dyn Store>,
    key: LogKey,
    places: &[Place],
    size: u64,
    now: i64,
) -> Result<Accepted, OpenError> {
    let key = Arc::new(key);
    // Before the head, as at a start; and none is moved unless all of them answered.
    let mut notes = Vec::with_capacity(places.len());
    for place in places {
        match PlacedNote::read(place).await {
            Ok(None) => {}
            Ok(Some(note)) => notes.push((place, Some(note))),
            // A file is moved as it is, without being read.
            Err(_) if matches!(place, Place::File(_)) => notes.push((place, None)),
            Err(error) => return Err(error.into()),
        }
    }
    let Some((identity, head)) = store.load().await? else {
        return match size {
            0 => set_aside(notes, now, None).await,
            _ => Ok(Accepted::OtherSize(0)),
        };
    };
    check_identity(&identity, &key, None)?;
    let options = Options { max_tiles: 0, ..Options::default() };
    let tree = restore(&store, &key, head, &options).await?;
    let head = &tree.snapshot().head;
    if head.size != size {
        return Ok(Accepted::OtherSize(head.size));
    }
    let mut given_up = Vec::new();
    for (place, note) in notes {
        if !continues(note.as_ref(), &key, &identity, &tree).await? {
            given_up.push((place, note));
        }
    }
    set_aside(given_up, now, Some(&head.checkpoint)).await
}

/// Whether the database continues the note; not when nobody can tell what it says.
async fn continues(
    note: Option<&PlacedNote>,
    key: &LogKey,
    identity: &Identity,
    tree: &Tree,
) -> Result<bool, OpenError> {
    let Some(note) = note else { return Ok(false) };
    match went_back(std::slice::from_ref(note), key, identity, tree).await {
        Ok(sealed) => Ok(sealed.is_none()),
        Err(OpenError::Guard(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves notes that were judged, or that are files which nobody can read.
async fn set_aside(
    notes: Vec<(&Place, Option<PlacedNote>)>,
    now: i64,
    next: Option<&str>,
) -> Result<Accepted, OpenError> {
    let mut aside = Vec::new();
    for (place, note) in notes {
        let judged = note.as_ref().map(|note| &*note.note);
        aside.extend(place.set_aside(now, judged, next).await.map_err(GuardError::Place)?);
    }
    Ok(if aside.is_empty() { Accepted::Nothing } else { Accepted::SetAside(aside) })
}
