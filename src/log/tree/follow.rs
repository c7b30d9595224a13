//! How this process follows what is committed to the database.
//!
//! Border: reads the store, and publishes only what continues what was published before. Readers
//! share their reads; the sequencer has reads of its own, so that no number of readers keeps a
//! write waiting.

use std::cmp::Ordering;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tlog::Tile;

use super::{Tree, check_head, restore_edge};
use crate::log::ReadError;
use crate::log::guard::Seen;
use crate::log::snapshot::Snapshot;
use crate::store::{Head, StoreError, Turn};

/// How long a reader waits for the head. While the database is silent a read ends after half a
/// minute; there is no use in waiting for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What readers share.
pub(super) type Followed = Result<Arc<Snapshot>, Failure>;

/// A [`StoreError`] for each of those who share it.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Conflict,
    Unavailable(Arc<dyn Error + Send + Sync>),
    Corrupt(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Conflict,
            StoreError::Unavailable(cause) | StoreError::Refused(cause) => {
                Self::Unavailable(cause.into())
            }
            StoreError::Corrupt(what) => Self::Corrupt(what),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict => Self::Conflict,
            Failure::Unavailable(cause) => Self::Unavailable(Box::new(cause)),
            Failure::Corrupt(what) => Self::Corrupt(what),
        }
    }
}

impl Tree {
    /// Follows the committed head, if it is ahead of what is published. For readers, who share
    /// what was read after they asked.
    ///
    /// # Errors
    /// `Corrupt` when the database went back, or holds another history than
    /// the one that this process has seen.
    pub(crate) async fn advance(self: &Arc<Self>) -> Result<Arc<Snapshot>, StoreError> {
        let tree = Arc::clone(self);
        let followed = self.flights.share(async move { Ok(tree.follow_head().await?) }).await;
        let followed = followed.map_err(|none| StoreError::Unavailable(Box::new(none)))?;
        Ok(followed?)
    }

    async fn follow_head(&self) -> Result<Arc<Snapshot>, StoreError> {
        let before = self.snapshot();
        let head = self.store.head().await?;
        self.adopt(&before, head, None).await
    }

    /// The size of the settled head, which may be ahead of what is published or behind it: what is
    /// answered of its leaves is a promise, whoever wrote them. Reads no leaf: for those the
    /// sequencer would have to stand in line with readers.
    ///
    /// # Errors
    /// `Corrupt` when the database went back.
    pub(crate) async fn settle(&self) -> Result<u64, StoreError> {
        let before = self.snapshot();
        let head = self.store.settled_head().await?;
        Seen::from(&before.head).check(&head)?;
        Ok(head.size)
    }

    /// Follows the head that a turn holds, which was taken after `before` was published.
    /// Reads by the turn alone, so that nothing is waited for meanwhile.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub(crate) async fn follow_turn(
        &self,
        before: &Snapshot,
        turn: &mut dyn Turn,
    ) -> Result<Arc<Snapshot>, StoreError> {
        let head = turn.head().clone();
        self.adopt(before, head, Some(turn)).await
    }

    /// Takes over a head that was read after `before` was published.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub(crate) async fn adopt(
        &self,
        before: &Snapshot,
        head: Head,
        mut turn: Option<&mut dyn Turn>,
    ) -> Result<Arc<Snapshot>, StoreError> {
        Seen::from(&before.head).check(&head)?;
        loop {
            // Others may have published more since the head was read.
            let now = self.snapshot();
            match now.head.size.cmp(&head.size) {
                Ordering::Greater => return Ok(now),
                Ordering::Equal => {
                    Seen::from(&now.head).check(&head)?;
                    return Ok(now);
                }
                Ordering::Less => {}
            }
            let (next, completed) = match turn.is_none() && self.is_far(&now, &head) {
                true => (self.rebuild(&now, head.clone()).await?, Vec::new()),
                false => self.append(&now, head.clone(), &mut turn).await?,
            };
            // If not, what is shown next must continue that, too.
            if let Some(next) = self.replace(&now, next, completed) {
                return Ok(next);
            }
        }
    }

    /// Whether so much was committed since that it is not read leaf by leaf.
    pub(crate) fn is_far(&self, now: &Snapshot, head: &Head) -> bool {
        head.size.saturating_sub(now.head.size) > self.max_followed
    }

    /// The tree of `head` from its right edge, as at a start, which costs little however long the
    /// way is. Unlike a tree that is appended to, this one may be of another history.
    async fn rebuild(&self, now: &Snapshot, head: Head) -> Result<Snapshot, StoreError> {
        let (seen, size) = (Seen::from(&now.head), head.size);
        let edge = restore_edge(&*self.store, size).await?;
        check_head(&self.key, &head, edge.root())?;
        let next = Snapshot::new(head, edge, &[]);
        match seen.check_in(self, &next).await {
            Ok(Ok(())) => Ok(next),
            Ok(Err(went_back)) => {
                // Tiles of that history were read.
                self.forget_around([seen.size, size]);
                Err(went_back.into())
            }
            Err(ReadError::Store(error)) => Err(error),
            Err(damaged) => Err(StoreError::Corrupt(damaged.to_string())),
        }
    }

    /// Appends what is there up to `head` to what was published.
    async fn append(
        &self,
        now: &Snapshot,
        head: Head,
        turn: &mut Option<&mut dyn Turn>,
    ) -> Result<(Snapshot, Vec<Tile>), StoreError> {
        let mut edge = now.edge.clone();
        let mut completed = Vec::new();
        while edge.size() < head.size {
            let (start, count) = (edge.size(), self.max_followed.min(head.size - edge.size()));
            let leaves = match turn {
                Some(turn) => turn.leaf_hashes(start, count).await?,
                None => self.store.leaf_hashes(start, count).await?,
            };
            if leaves.len() as u64 != count {
                return Err(StoreError::Corrupt(format!(
                    "entries are missing behind index {}",
                    edge.size() + leaves.len() as u64
                )));
            }
            for leaf in leaves {
                edge.append(leaf, &mut completed);
            }
        }
        check_head(&self.key, &head, edge.root())?;
        Ok((Snapshot::new(head, edge, &[]), completed))
    }
}
