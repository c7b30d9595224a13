//! What a round stands on, and how it is published.
//!
//! Border: memory only. What a turn holds is visible, but settled by the turn's end: a commit that
//! was cut off while it waited for a standby may be lost with its server. So it is published
//! together with the round on top of it, and not before.

use std::sync::Arc;

use tlog::{Hash, Tile};

use super::{Tree, tell_size};
use crate::log::guard::{Seen, WentBack};
use crate::log::snapshot::Snapshot;
use crate::store::StoreError;

/// The tree that a round is appended to.
pub(crate) struct Ground {
    pub(crate) now: Arc<Snapshot>,
    /// What was published before `now` was read.
    published: Arc<Snapshot>,
    /// Leaves by which `now` continues that.
    leaves: Vec<Hash>,
    /// Tiles that they complete.
    completed: Vec<Arc<Tile>>,
}

impl From<Arc<Snapshot>> for Ground {
    fn from(published: Arc<Snapshot>) -> Self {
        let now = Arc::clone(&published);
        Self { now, published, leaves: Vec::new(), completed: Vec::new() }
    }
}

impl Ground {
    pub(super) fn on(
        published: Arc<Snapshot>,
        now: Snapshot,
        leaves: Vec<Hash>,
        completed: Vec<Tile>,
    ) -> Self {
        let completed = completed.into_iter().map(Arc::new).collect();
        Self { now: Arc::new(now), published, leaves, completed }
    }

    /// Whether this continues what was published meanwhile; not when that is further.
    fn continues(&self, other: &Snapshot) -> Result<bool, WentBack> {
        let Snapshot { head, edge, .. } = other;
        if head.size > self.now.head.size {
            return Ok(false);
        }
        let mut edge = edge.clone();
        for (_, leaf) in
            (self.published.head.size..).zip(&self.leaves).filter(|at| at.0 >= head.size)
        {
            edge.append(*leaf, &mut Vec::new());
        }
        let (size, seen, found) = (edge.size(), edge.root(), self.now.head.root);
        match seen == found {
            true => Ok(true),
            false => Err(WentBack::OtherRoot { size, seen, found }),
        }
    }
}

impl Tree {
    /// Makes `next`, which was committed on top of `on`, or is that itself, the published state
    /// unless a later one already is. It is settled.
    ///
    /// # Errors
    /// `Corrupt` when another head was published meanwhile that a database with this commit cannot
    /// have had: two databases answer as one.
    pub(crate) fn publish(
        &self,
        on: &Ground,
        next: &Arc<Snapshot>,
        completed: Vec<Arc<Tile>>,
    ) -> Result<(), StoreError> {
        let mut base = Arc::clone(&on.published);
        loop {
            let before = self.snapshot.compare_and_swap(&base, Arc::clone(next));
            if Arc::ptr_eq(&before, &base) {
                break;
            }
            if !on.continues(&before)? {
                // A reader followed this very commit, or one behind it; nothing lies between.
                return Ok(Seen::from(&next.head).check(&before.head)?);
            }
            base = Arc::clone(&before);
        }
        for tile in on.completed.iter().cloned().chain(completed) {
            self.tiles.keep(tile);
        }
        tell_size(next);
        self.published.send_replace(());
        Ok(())
    }
}
