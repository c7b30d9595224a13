//! Adding a leaf, as whoever adds it sees it.
//!
//! Border: the way to the queue and from a leaf's place to its receipt. Who places it is the
//! [sequencer](super::sequencer).

use std::sync::Arc;
use std::time::Duration;

use tlog::{EntryRef, Hash};
use tokio::sync::{mpsc, oneshot};

use super::added::Place;
use super::queue::Waiting;
use super::receipt::Receipt;
use super::recent::{Facts, Signed};
use super::reserved::Reserved;
use super::sequencer::Placed;
use super::{Leaf, Log, Lookup, ReadError, SubmitError};

/// What became of a submission.
#[derive(Debug)]
pub enum Submitted {
    /// It is a new leaf.
    Created(Receipt),
    /// An equal leaf was in the log before. It comes with its payload or without.
    Duplicate(Receipt),
}

impl Log {
    /// Appends a leaf and answers when it is committed.
    ///
    /// # Errors
    /// [`SubmitError`]; submitting the same leaf again is always safe.
    pub async fn submit(&self, leaf: Leaf) -> Result<Submitted, SubmitError> {
        if let Some(sealed) = self.0.bar.sealed() {
            return Err(SubmitError::Sealed(Arc::clone(sealed)));
        }
        let (hash, body) = (leaf.hash, leaf.body.clone());
        if let Some(place) = self.0.added.get(hash) {
            return self.duplicate(hash, &body, place).await;
        }
        match self.enqueue(leaf).await? {
            Placed::New { index, time, snapshot } => {
                let proof = snapshot.prove_new_leaf(index).map_err(ReadError::from)?;
                let signed = self.sign(hash, &body, Place { index, integrated_time: time })?;
                Ok(Submitted::Created(Receipt::new(signed, snapshot, proof)))
            }
            Placed::Before => {
                if let Some(place) = self.0.added.get(hash) {
                    return self.duplicate(hash, &body, place).await;
                }
                let known = EntryRef::Leaf(hash);
                let entry = self.entry(Lookup::Uuid(known)).await?;
                entry.map(Submitted::Duplicate).ok_or(SubmitError::NotCommitted)
            }
        }
    }

    /// One whose body was brought along once more, so that nothing need be read.
    async fn duplicate(
        &self,
        leaf: Hash,
        body: &[u8],
        place: Place,
    ) -> Result<Submitted, SubmitError> {
        let signed = self.sign(leaf, body, place)?;
        Ok(Submitted::Duplicate(self.prove(signed).await?))
    }

    fn sign(&self, leaf: Hash, body: &[u8], place: Place) -> Result<Arc<Signed>, ReadError> {
        let Place { index, integrated_time } = place;
        let facts = Facts { index, leaf, body, integrated_time, attestation: None };
        Ok(Arc::new(Signed::new(&self.0.key, self.tree_id(), &facts, None)?))
    }

    async fn enqueue(&self, leaf: Leaf) -> Result<Placed, SubmitError> {
        let inner = &*self.0;
        let full = || SubmitError::Full {
            max_leaves: inner.options.max_queue,
            max_bytes: inner.options.max_queue_bytes,
            retry_after: Duration::from_secs(1),
        };
        let max_bytes = inner.options.max_queue_bytes;
        let reserved =
            Reserved::take(&inner.queued_bytes, leaf.weight(), max_bytes).ok_or_else(full)?;
        let (answer, placed) = oneshot::channel();
        {
            let queue = inner.queue.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let queue = queue.as_ref().ok_or(SubmitError::ShuttingDown)?;
            queue.try_send(Waiting { leaf, answer, _reserved: reserved }).map_err(|refused| {
                match refused {
                    mpsc::error::TrySendError::Full(_) => full(),
                    mpsc::error::TrySendError::Closed(_) => SubmitError::ShuttingDown,
                }
            })?;
        }
        match placed.await {
            Ok(Ok(placed)) => Ok(placed),
            Ok(Err(_)) | Err(_) => Err(SubmitError::NotCommitted),
        }
    }
}
