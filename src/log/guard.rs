//! The restore guard: what this log has signed is never signed differently.
//!
//! Border: compares the database's head with heads that are known to have been
//! signed before. It signs nothing, and it repairs nothing: a database that went
//! back closes the log to writes until a person decides.
//!
//! The memory is twofold. While the process runs it is the published snapshot
//! ([`super::tree::Tree::advance`]); across restarts it is the notes in each
//! [`Place`], which [`super::keeper`] writes. What another server wrote there
//! meanwhile reaches the running log by the [`Bar`].

mod bar;
mod refusal;

use std::cmp::Reverse;

use tlog::Hash;

pub(crate) use bar::Bar;
pub use refusal::{GuardError, Sealed, WentBack};

use super::ReadError;
use super::open::OpenError;
use super::snapshot::Snapshot;
use super::tree::Tree;
use crate::last_checkpoint::{Place, PlaceName};
use crate::signer::LogKey;
use crate::store::{Head, Identity, StoreError};

/// A tree head that this log has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Leaves in the tree.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

impl From<&Head> for Seen {
    fn from(head: &Head) -> Self {
        Self { size: head.size, root: head.root }
    }
}

impl From<WentBack> for StoreError {
    fn from(error: WentBack) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl Seen {
    /// Whether `head` may follow this one, as far as the heads alone tell: it is
    /// not smaller, and at the same size it has the same root.
    pub(crate) fn check(self, head: &Head) -> Result<(), WentBack> {
        if head.size < self.size {
            return Err(WentBack::Behind { seen: self.size, found: head.size });
        }
        if head.size == self.size && head.root != self.root {
            let (size, seen, found) = (self.size, self.root, head.root);
            return Err(WentBack::OtherRoot { size, seen, found });
        }
        Ok(())
    }

    /// As [`check`](Self::check), and a larger tree must contain this one.
    ///
    /// # Errors
    /// `Ok(Err(…))` when the database went back; `Err` when that cannot be told,
    /// because it cannot be read or its tiles do not hash to its own head.
    pub(crate) async fn check_tree(self, tree: &Tree) -> Result<Result<(), WentBack>, ReadError> {
        self.check_in(tree, &tree.snapshot()).await
    }

    /// The same of a snapshot that is not published yet.
    pub(crate) async fn check_in(
        self,
        tree: &Tree,
        snapshot: &Snapshot,
    ) -> Result<Result<(), WentBack>, ReadError> {
        let head = &snapshot.head;
        if let Err(went_back) = self.check(head) {
            return Ok(Err(went_back));
        }
        let root = tree.growth(snapshot, self.size, head.size).await?.first_root;
        if root == self.root {
            return Ok(Ok(()));
        }
        Ok(Err(WentBack::OtherRoot { size: self.size, seen: self.root, found: root }))
    }

    /// Reads the note of the log with this key and identity from outside its database.
    ///
    /// # Errors
    /// [`GuardError::Place`] and [`GuardError::Foreign`].
    pub async fn read(
        place: &Place,
        key: &LogKey,
        identity: &Identity,
    ) -> Result<Option<Self>, GuardError> {
        let note = PlacedNote::read(place).await?;
        note.map(|note| note.seen(key, Some(identity))).transpose()
    }
}

/// A note with the place that it is from.
pub(super) struct PlacedNote {
    pub(super) place: PlaceName,
    pub(super) note: String,
}

impl PlacedNote {
    pub(super) async fn read(place: &Place) -> Result<Option<Self>, GuardError> {
        let kept = place.read().await?;
        Ok(kept.map(|kept| Self { place: place.name(), note: kept.note }))
    }

    /// What it says. With an identity, its origin must be that of the log.
    pub(super) fn seen(
        &self,
        key: &LogKey,
        identity: Option<&Identity>,
    ) -> Result<Seen, GuardError> {
        let foreign = |what| GuardError::Foreign { place: self.place.clone(), what };
        let checkpoint = key.open_checkpoint(&self.note).map_err(foreign)?;
        let origin = |log: &Identity| format!("{} - {}", log.hostname, log.tree_id);
        let other = identity.is_some_and(|log| origin(log) != checkpoint.origin);
        // A log that had signed nothing but its beginning is no loss, whatever its name.
        if other && checkpoint.size > 0 {
            return Err(foreign("its origin is that of another log with the same key"));
        }
        Ok(Seen { size: checkpoint.size, root: checkpoint.root })
    }
}

/// The notes that there are. One that cannot be read is not left out: it may be the
/// one that remembers.
pub(super) async fn read_notes(places: &[Place]) -> Result<Vec<PlacedNote>, GuardError> {
    let mut notes = Vec::with_capacity(places.len());
    for place in places {
        notes.extend(PlacedNote::read(place).await?);
    }
    Ok(notes)
}

/// Says which places know nothing of a log that has leaves. They are about to be written,
/// and from then on nobody can tell any more that something was to be there.
pub(super) fn tell_absent(places: &[Place], notes: &[PlacedNote], head: &Head) {
    let absent = places.iter().map(Place::name);
    let absent = absent.filter(|place| !notes.iter().any(|note| note.place == *place));
    for place in absent.filter(|_| head.size > 0) {
        tracing::warn!(
            %place,
            size = head.size,
            "no last checkpoint is there to compare the database with, and a first one is written; \
             if there should have been one (is the disk mounted, is the path or URL right?), stop \
             this server now"
        );
    }
}

/// What each of the notes says, the furthest first.
fn all_seen<'a>(
    notes: &'a [PlacedNote],
    key: &LogKey,
    identity: Option<&Identity>,
) -> Result<Vec<(Seen, &'a PlaceName)>, GuardError> {
    let seen = notes.iter().map(|note| Ok((note.seen(key, identity)?, &note.place)));
    let mut seen = seen.collect::<Result<Vec<_>, GuardError>>()?;
    seen.sort_by_key(|(seen, _)| Reverse(seen.size));
    Ok(seen)
}

/// An empty database is only the beginning of a log that has signed nothing yet.
pub(super) fn refuse_lost(notes: &[PlacedNote], key: &LogKey) -> Result<(), GuardError> {
    match all_seen(notes, key, None)?.first() {
        None | Some((Seen { size: 0, .. }, _)) => Ok(()),
        Some((Seen { size, .. }, place)) => {
            Err(GuardError::Lost { place: (*place).clone(), size: *size })
        }
    }
}

/// Why the log must not be continued, if a note knows more than the database.
pub(super) async fn went_back(
    notes: &[PlacedNote],
    key: &LogKey,
    identity: &Identity,
    tree: &Tree,
) -> Result<Option<Sealed>, OpenError> {
    for (seen, place) in all_seen(notes, key, Some(identity))? {
        if let Err(reason) = seen.check_tree(tree).await.map_err(OpenError::Tree)? {
            let (place, size) = (place.clone(), tree.snapshot().head.size);
            return Ok(Some(Sealed { reason, seen, place, size }));
        }
    }
    Ok(None)
}
