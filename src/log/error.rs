//! Why the log did not do what it was asked to.
//!
//! Border: causes. What a client is told of them is decided in [`crate::error`].

use std::sync::Arc;
use std::time::Duration;

use tlog::ProofError;

use super::{Ahead, Sealed};
use crate::signer::KeyError;
use crate::store::StoreError;

/// Why a submission was not taken. Nothing was appended, unless the outcome is
/// said to be unknown.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Too many wait already.
    #[error("the queue of {max_leaves} leaves and {max_bytes} bytes is full")]
    Full {
        /// Bound on waiting leaves.
        max_leaves: usize,
        /// Bound on waiting bytes.
        max_bytes: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// The server finishes what is under way and takes nothing new.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The restore guard closed the log to writes.
    #[error(transparent)]
    Sealed(Arc<Sealed>),
    /// The round failed or its outcome is unknown; submitting again is safe.
    #[error("the round could not be committed")]
    NotCommitted,
    /// The entry is in the log, but its receipt could not be made.
    #[error(transparent)]
    Receipt(#[from] ReadError),
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database failed or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A proof could not be computed from what is stored.
    #[error("the tree is damaged: {0}")]
    Proof(#[from] ProofError),
    /// The log key could not sign.
    #[error(transparent)]
    Signing(#[from] KeyError),
}

/// So many leaves are in the database, and in no head that may be shown.
#[derive(Debug, thiserror::Error)]
#[error("a tree of {0} leaves has not reached a standby yet")]
pub(super) struct Unsettled(pub(super) u64);

/// Why a search was not answered.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Too many entries are found to be shown.
    #[error("more than {most} entries are found")]
    TooMany {
        /// Entries that may be found.
        most: usize,
    },
    /// The read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why the log is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Database, key or head are not in order.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It can be read, but the restore guard closed it to writes.
    #[error(transparent)]
    Sealed(Arc<Sealed>),
    /// It can be read, but this server's clock would spoil the times of entries.
    #[error(transparent)]
    Ahead(#[from] Ahead),
}

/// Why there is no consistency proof.
#[derive(Debug, thiserror::Error)]
pub enum ConsistencyError {
    /// The larger size is not reached yet.
    #[error("size {requested} is beyond the {size} leaves of the log")]
    TooLarge {
        /// Size that was asked for.
        requested: u64,
        /// Current size.
        size: u64,
    },
    /// The read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}
