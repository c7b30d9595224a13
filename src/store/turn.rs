//! A turn: the head, held still for one round.
//!
//! Border: the contract between the sequencer and both databases. How a head is
//! held is theirs, when it is worth it is the sequencer's.
//!
//! Without a turn the fastest of several servers wins round after round: whoever lost one
//! must read the winner's leaves first, and the winner has nothing to read. With it the
//! loser waits in line, reads while nobody can move the head, and its round cannot be lost
//! to another server. **The fence stays**: a turn is fair, it is not what keeps the log whole.

use async_trait::async_trait;
use tlog::Hash;

use super::{Batch, Head, StoreError};

/// The right to commit the next round, as [`Store::turn`](super::Store::turn) gives it.
///
/// Whoever holds one keeps every other writer waiting, so nothing is done meanwhile that
/// could be done before or after. A database shared by several servers takes a turn away
/// from a holder that is silent for a second; then its calls are
/// [`StoreError::Unavailable`] and nothing of it is written.
///
/// Dropping a turn gives it up: nothing is written, whatever was under way.
#[async_trait]
pub trait Turn: Send {
    /// The committed head. It stays what it is until the turn ends.
    fn head(&self) -> &Head;

    /// As [`Store::leaf_hashes`](super::Store::leaf_hashes), on the turn's own connection:
    /// readers are not waited for.
    async fn leaf_hashes(&mut self, start: u64, count: u64) -> Result<Vec<Hash>, StoreError>;

    /// As [`Store::find_leaves`](super::Store::find_leaves), in the same way.
    async fn find_leaves(&mut self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError>;

    /// As [`Store::commit`](super::Store::commit), with the same errors; ends the turn.
    ///
    /// # Errors
    /// `Conflict` only when a leaf is in the log, or the batch is not on top of
    /// [`head`](Self::head). `Unavailable` says nothing about whether the batch applied.
    async fn commit(self: Box<Self>, batch: &Batch) -> Result<(), StoreError>;

    /// Ends the turn without a round. After `Ok`, [`head`](Self::head) was a
    /// [settled head](super::Store::settled_head).
    async fn settle(self: Box<Self>) -> Result<(), StoreError>;
}
