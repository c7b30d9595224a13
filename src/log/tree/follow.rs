//! How this process follows what is committed to the database.
//!
//! Border: reads the store, and publishes only what continues what was published before. Readers
//! share their reads; the sequencer has reads of its own, so that no number of readers keeps a
//! write waiting.

use std::cmp::Ordering;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tlog::{Hash, Tile};

use super::{Flights, Ground, Tree, check_head, restore_edge};
use crate::log::ReadError;
use crate::log::guard::Seen;
use crate::log::snapshot::Snapshot;
use crate::store::{Head, StoreError, Turn};

/// How long a reader waits for the head. While the database is silent a read ends after half a
/// minute; there is no use in waiting for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What readers share.
pub(super) type Shared<T> = Result<T, Failure>;

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

async fn share<T: Clone + Send + Sync + 'static>(
    flights: &Arc<Flights<Shared<T>>>,
    read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let landed = flights.share(async move { Ok(read.await?) }).await;
    Ok(landed.map_err(|none| StoreError::Unavailable(Box::new(none)))??)
}

impl Tree {
    /// Follows the committed head, if it is ahead of what is published and settled. For readers, who
    /// share what was read after they asked.
    ///
    /// # Errors
    /// `Corrupt` when the database went back, or holds another history than
    /// the one that this process has seen.
    pub(crate) async fn advance(self: &Arc<Self>) -> Result<Arc<Snapshot>, StoreError> {
        let tree = Arc::clone(self);
        share(&self.flights, async move { tree.follow_head().await }).await
    }

    /// Follows as [`advance`](Self::advance) does, while nobody waits or is told.
    pub(crate) fn advance_beside(self: &Arc<Self>) {
        let tree = Arc::clone(self);
        drop(self.flights.board(async move { Ok(tree.follow_head().await?) }));
    }

    /// The committed head, which continues what is published and is what its leaves hash to, settled
    /// or not. Publishes nothing, and waits for no standby.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub(crate) async fn check_visible(self: &Arc<Self>) -> Result<Head, StoreError> {
        let tree = Arc::clone(self);
        share(&self.looks, async move { tree.visible_head().await }).await
    }

    async fn visible_head(&self) -> Result<Head, StoreError> {
        let now = self.snapshot();
        let head = self.store.head().await?;
        Seen::from(&now.head).check(&head)?;
        if head.size == now.head.size {
            check_head(&self.key, &head, now.edge.root())?;
        } else {
            self.continued(&now, head.clone()).await?;
            // It may be lost yet, and these tiles with it.
            self.forget_around([now.head.size, head.size]);
        }
        Ok(head)
    }

    /// Whether the head may be shown: another server has shown it, or it cannot be lost with this
    /// database. What else a larger note says of it nobody knows: it may be of another course.
    async fn is_promised(&self, head: &Head) -> Result<bool, StoreError> {
        let note = self.shown_elsewhere.load();
        let is_shown = note.as_ref().is_some_and(|note| ***note == *head.checkpoint);
        Ok(is_shown || self.store.until_settled().await?)
    }

    async fn follow_head(&self) -> Result<Arc<Snapshot>, StoreError> {
        let before = self.snapshot();
        let head = self.store.head().await?;
        // This server's own commits are published by now, or are about to be.
        let shown = self.snapshot().head.size;
        if head.size > shown && !self.is_promised(&head).await? {
            // To show it would be a promise that is lost with this database, and would close the log.
            // It is asked for again each second; that is one line, not many.
            if !self.unsettled.swap(true, Relaxed) {
                tracing::warn!(
                    size = head.size,
                    shown,
                    "no standby says that it has the head that the database shows: the former one is \
                     shown"
                );
            }
            return Ok(self.snapshot());
        }
        self.unsettled.store(false, Relaxed);
        self.adopt(&before, head).await
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

    /// The head that a turn holds, which was taken after `before` was published. It is left to the
    /// turn's end to publish it. Reads by the turn alone, so that nothing is waited for meanwhile.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub(crate) async fn follow_turn(
        &self,
        before: Arc<Snapshot>,
        turn: &mut dyn Turn,
    ) -> Result<Ground, StoreError> {
        let head = turn.head().clone();
        Seen::from(&before.head).check(&head)?;
        if head.size == before.head.size {
            return Ok(before.into());
        }
        let (now, leaves, completed) = self.append(&before, head, Some(turn)).await?;
        Ok(Ground::on(before, now, leaves, completed))
    }

    /// Takes over a settled head that was read after `before` was published.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub(crate) async fn adopt(
        &self,
        before: &Snapshot,
        head: Head,
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
            let (next, completed) = self.continued(&now, head.clone()).await?;
            // If not, what is shown next must continue that, too.
            if let Some(next) = self.replace(&now, next, completed) {
                return Ok(next);
            }
        }
    }

    /// The tree of a larger head, and the tiles that are known to be completed by it.
    async fn continued(
        &self,
        now: &Snapshot,
        head: Head,
    ) -> Result<(Snapshot, Vec<Tile>), StoreError> {
        if self.is_far(now, &head) {
            return Ok((self.rebuild(now, head).await?, Vec::new()));
        }
        let (next, _, completed) = self.append(now, head, None).await?;
        Ok((next, completed))
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

    /// Appends what is there up to `head` to what was published; by which leaves, and which tiles
    /// that completes.
    async fn append(
        &self,
        now: &Snapshot,
        head: Head,
        mut turn: Option<&mut dyn Turn>,
    ) -> Result<(Snapshot, Vec<Hash>, Vec<Tile>), StoreError> {
        let mut edge = now.edge.clone();
        let (mut appended, mut completed) = (Vec::new(), Vec::new());
        while edge.size() < head.size {
            let (start, count) = (edge.size(), self.max_followed.min(head.size - edge.size()));
            let leaves = match &mut turn {
                Some(turn) => turn.leaf_hashes(start, count).await?,
                None => self.store.leaf_hashes(start, count).await?,
            };
            if leaves.len() as u64 != count {
                return Err(StoreError::Corrupt(format!(
                    "entries are missing behind index {}",
                    edge.size() + leaves.len() as u64
                )));
            }
            for leaf in &leaves {
                edge.append(*leaf, &mut completed);
            }
            appended.extend(leaves);
        }
        check_head(&self.key, &head, edge.root())?;
        Ok((Snapshot::new(head, edge, &[]), appended, completed))
    }
}
