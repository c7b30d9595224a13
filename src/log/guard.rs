//! The restore guard: what this log has signed is never signed differently.
//!
//! Border: compares the database's head with a head that is known to have been
//! signed before. It signs nothing, and it repairs nothing: a database that went
//! back closes the log to writes until a person decides.
//!
//! The memory is twofold. While the process runs it is the published snapshot
//! ([`super::tree::Tree::advance`]); across restarts it is the note in
//! [`LastCheckpoint`], which [`super::keeper`] writes.

use std::path::PathBuf;

use tlog::{Hash, ProofPlan, verify_consistency};

use super::ReadError;
use super::open::OpenError;
use super::tree::Tree;
use crate::last_checkpoint::{FileError, LastCheckpoint};
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

/// The database does not continue what was signed before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WentBack {
    /// It has fewer leaves.
    #[error(
        "the database holds {found} leaves, but this log has already signed a tree of {seen}: \
         it was restored from an older copy"
    )]
    Behind {
        /// Leaves in the head signed before.
        seen: u64,
        /// Leaves in the database.
        found: u64,
    },
    /// It has another tree.
    #[error(
        "two roots for the first {size} leaves: {found} in the database, {seen} signed before: \
         the database took another course since then"
    )]
    OtherRoot {
        /// Leaves under both roots.
        size: u64,
        /// The root signed before.
        seen: Hash,
        /// The root in the database.
        found: Hash,
    },
}

/// Why a log that can be read takes no entries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{reason}. No entry is added, for a second history of one log would be proof against it; \
     reading goes on. Restore a backup of the database that has at least the {} leaves of {file} \
     and start again. If there is none, `indelible accept-restore --size {size}` continues from \
     what is there; everybody who holds a later checkpoint will then see that the log forked",
    .seen.size
)]
pub struct Sealed {
    /// What is wrong with the database.
    pub reason: WentBack,
    /// The head signed before.
    pub seen: Seen,
    /// The file that remembers it.
    pub file: String,
    /// Leaves in the database.
    pub size: u64,
}

/// Why the note outside the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// It cannot be read or written.
    #[error("{0}; give --last-checkpoint another file, or `off` to run without this guard")]
    File(#[from] FileError),
    /// It is no checkpoint under this log's key and origin.
    #[error(
        "{path} holds no checkpoint that this log signed ({what}): it is damaged, or belongs to \
         another log. If the database is known to be whole, move the file away; the next start \
         writes a new one"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// There is a note, but no log.
    #[error(
        "the database holds no log, but {path} says that this log has signed a tree of {size} \
         leaves: name the right database with --database, or restore it from a backup. \
         `indelible accept-restore --size 0` begins anew, which gives up all {size} leaves"
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// Leaves in the head signed before.
        size: u64,
    },
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
        let snapshot = tree.snapshot();
        let head = &snapshot.head;
        if let Err(went_back) = self.check(head) {
            return Ok(Err(went_back));
        }
        let root = tree.resolve(&snapshot, &ProofPlan::root(self.size)).await?;
        let root = root.first().copied().unwrap_or(Hash::EMPTY_ROOT);
        // The tiles are only believed if they lead from there to the signed head.
        let plan = ProofPlan::consistency(self.size, head.size)?;
        let proof = tree.resolve(&snapshot, &plan).await?;
        verify_consistency(self.size, head.size, &root, &head.root, &proof)?;
        if root == self.root {
            return Ok(Ok(()));
        }
        Ok(Err(WentBack::OtherRoot { size: self.size, seen: self.root, found: root }))
    }

    /// Reads the note of a log with this key from outside its database.
    ///
    /// # Errors
    /// [`GuardError::File`] and [`GuardError::Foreign`].
    pub fn read(file: &LastCheckpoint, key: &LogKey) -> Result<Option<Self>, GuardError> {
        let note = file.read()?;
        note.map(|note| Self::parse(&note, file, key, None)).transpose()
    }

    /// What a note from this file says. With an identity, its origin must be that
    /// of the log.
    pub(crate) fn parse(
        note: &str,
        file: &LastCheckpoint,
        key: &LogKey,
        identity: Option<&Identity>,
    ) -> Result<Self, GuardError> {
        let foreign = |what| GuardError::Foreign { path: file.path().to_owned(), what };
        let checkpoint = key.open_checkpoint(note).map_err(foreign)?;
        let origin = |log: &Identity| format!("{} - {}", log.hostname, log.tree_id);
        let other = identity.is_some_and(|log| origin(log) != checkpoint.origin);
        // A log that had signed nothing but its beginning is no loss, whatever its name.
        if other && checkpoint.size > 0 {
            return Err(foreign("its origin is that of another log with the same key"));
        }
        Ok(Self { size: checkpoint.size, root: checkpoint.root })
    }
}

/// A note with the file that it is from.
pub(super) type FiledNote<'a> = (&'a LastCheckpoint, String);

pub(super) fn read_note(
    file: Option<&LastCheckpoint>,
) -> Result<Option<FiledNote<'_>>, GuardError> {
    let Some(file) = file else { return Ok(None) };
    Ok(file.read()?.map(|note| (file, note)))
}

/// An empty database is only the beginning of a log that has signed nothing yet.
pub(super) fn refuse_lost(note: Option<&FiledNote<'_>>, key: &LogKey) -> Result<(), GuardError> {
    let Some((file, note)) = note else { return Ok(()) };
    match Seen::parse(note, file, key, None)? {
        Seen { size: 0, .. } => Ok(()),
        Seen { size, .. } => Err(GuardError::Lost { path: file.path().to_owned(), size }),
    }
}

/// Why the log must not be continued, if the note knows more than the database.
pub(super) async fn went_back(
    note: Option<&FiledNote<'_>>,
    key: &LogKey,
    identity: &Identity,
    tree: &Tree,
) -> Result<Option<Sealed>, OpenError> {
    let Some((file, note)) = note else { return Ok(None) };
    let seen = Seen::parse(note, file, key, Some(identity))?;
    let Err(reason) = seen.check_tree(tree).await.map_err(OpenError::Tree)? else {
        return Ok(None);
    };
    let (file, size) = (file.path().display().to_string(), tree.snapshot().head.size);
    Ok(Some(Sealed { reason, seen, file, size }))
}
