//! Why the restore guard does not let a log go on.
//!
//! Border: sentences for the operator: what differs, and what can be done.

use tlog::Hash;

use super::Seen;
use crate::last_checkpoint::{PlaceError, PlaceName};
use crate::log::ReadError;

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
     reading goes on. Restore a backup of the database that has at least the {} leaves of {place} \
     and start again. If there is none, `indelible accept-restore --size {size}` continues from \
     what is there; everybody who holds a later checkpoint will then see that the log forked",
    .seen.size
)]
pub struct Sealed {
    /// What is wrong with the database.
    pub reason: WentBack,
    /// The head signed before.
    pub seen: Seen,
    /// Where it is remembered.
    pub place: PlaceName,
    /// Leaves in the database.
    pub size: u64,
}

/// Why a note outside the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// It cannot be read or written.
    #[error("{}; {}", .0, .0.place.way_out())]
    Place(#[from] PlaceError),
    /// It is no checkpoint under this log's key and origin.
    #[error(
        "{place} holds no checkpoint that this log signed ({what}): it is damaged, or belongs to \
         another log. If the database is known to be whole, move the {} away; the next start \
         writes a new one",
        .place.thing()
    )]
    Foreign {
        /// Where it is.
        place: PlaceName,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It came to be there while this log ran, and speaks of another history of it.
    #[error(transparent)]
    OtherCourse(Box<Sealed>),
    /// The database could not be read, or is damaged, when the two were compared.
    #[error("comparing the database with {place}: {source}")]
    Untold {
        /// Where it is.
        place: PlaceName,
        /// What happened.
        #[source]
        source: ReadError,
    },
    /// There is a note, but no log.
    #[error(
        "the database holds no log, but {place} says that this log has signed a tree of {size} \
         leaves: name the right database with --database, or restore it from a backup; for a log \
         beside that one name another --data-dir. `indelible accept-restore --size 0` begins anew, \
         which gives up all {size} leaves"
    )]
    Lost {
        /// Where it is.
        place: PlaceName,
        /// Leaves in the head signed before.
        size: u64,
    },
}
