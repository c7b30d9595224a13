//! The tree as this process sees it: the published snapshot, and how it
//! follows the database.
//!
//! Border: reads the store, never writes it, never signs. The sequencer
//! publishes what it committed; [`Tree::advance`] follows what other servers
//! on the same database committed, with the same code that appends.

use std::cmp::Ordering;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tlog::{Edge, Hash, NodeId, ProofPlan, Tile, TileId, TilePath, verify_consistency};

use super::ReadError;
use super::guard::Seen;
use super::snapshot::Snapshot;
use super::tiles::{Tiles, full_tile};
use crate::signer::LogKey;
use crate::store::{Head, Store, StoreError, Turn};

/// Leaf hashes read at once while following another server.
pub(crate) const ADVANCE_CHUNK: u64 = 8_192;

/// The published state of the tree.
pub(crate) struct Tree {
    store: Arc<dyn Store>,
    key: Arc<LogKey>,
    snapshot: ArcSwap<Snapshot>,
    pub(super) tiles: Tiles,
    /// One reader follows the database at a time; the others wait for its result.
    following: tokio::sync::Mutex<()>,
    /// Tells those who have asked for it by [`Tree::published`].
    published: tokio::sync::watch::Sender<()>,
}

impl Tree {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        key: Arc<LogKey>,
        first: Snapshot,
        max_tiles: usize,
    ) -> Self {
        Self {
            tiles: Tiles::new(Arc::clone(&store), max_tiles),
            store,
            key,
            snapshot: ArcSwap::from_pointee(first),
            following: tokio::sync::Mutex::new(()),
            published: tokio::sync::watch::Sender::new(()),
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Makes `next` the published state unless a later one already is.
    pub(crate) fn publish(&self, next: Snapshot, completed: Vec<Arc<Tile>>) -> Arc<Snapshot> {
        for tile in completed {
            self.tiles.keep(tile);
        }
        let next = Arc::new(next);
        self.snapshot.rcu(|now| {
            if next.head.size > now.head.size { Arc::clone(&next) } else { Arc::clone(now) }
        });
        self.published.send_replace(());
        next
    }

    /// Tells from now on when something was published.
    pub(crate) fn published(&self) -> tokio::sync::watch::Receiver<()> {
        self.published.subscribe()
    }

    /// Follows the committed head, if it is ahead of what is published.
    ///
    /// # Errors
    /// `Corrupt` when the database went back, or holds another history than
    /// the one that this process has seen.
    pub(crate) async fn advance(&self) -> Result<Arc<Snapshot>, StoreError> {
        let _alone = self.following.lock().await;
        let before = self.snapshot();
        let head = self.store.head().await?;
        self.adopt(&before, head, None).await
    }

    /// Follows the settled head: what is answered after this is a promise, whoever wrote it.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub(crate) async fn settle(&self) -> Result<Arc<Snapshot>, StoreError> {
        let _alone = self.following.lock().await;
        let before = self.snapshot();
        let head = self.store.settled_head().await?;
        self.adopt(&before, head, None).await
    }

    /// Follows the head that a turn holds, which was taken after `before` was published.
    /// Reads by the turn alone: whoever follows at the same time may wait for readers.
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
    async fn adopt(
        &self,
        before: &Snapshot,
        head: Head,
        turn: Option<&mut dyn Turn>,
    ) -> Result<Arc<Snapshot>, StoreError> {
        Seen::from(&before.head).check(&head)?;
        // The sequencer may have committed and published more since the head was read.
        let now = self.snapshot();
        match now.head.size.cmp(&head.size) {
            Ordering::Greater => Ok(now),
            Ordering::Equal => {
                Seen::from(&now.head).check(&head)?;
                Ok(now)
            }
            Ordering::Less => self.follow(&now, head, turn).await,
        }
    }

    async fn follow(
        &self,
        now: &Snapshot,
        head: Head,
        mut turn: Option<&mut dyn Turn>,
    ) -> Result<Arc<Snapshot>, StoreError> {
        let mut edge = now.edge.clone();
        let mut completed = Vec::new();
        while edge.size() < head.size {
            let (start, count) = (edge.size(), ADVANCE_CHUNK.min(head.size - edge.size()));
            let leaves = match turn.as_deref_mut() {
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
        Ok(self
            .publish(Snapshot::new(head, edge, &[]), completed.into_iter().map(Arc::new).collect()))
    }

    /// Proves that the tree of `last` leaves continues the one of `first`.
    ///
    /// # Errors
    /// [`ReadError::Proof`] also when what is stored does not lead to the signed root of
    /// `snapshot`: a proof that is wrong would say that the log has been rewritten.
    pub(crate) async fn growth(
        &self,
        snapshot: &Snapshot,
        first: u64,
        last: u64,
    ) -> Result<Growth, ReadError> {
        let Head { size, root, .. } = &snapshot.head;
        let (growth, onwards) =
            (ProofPlan::consistency(first, last)?, ProofPlan::consistency(last, *size)?);
        let (old, new) = (ProofPlan::root(first), ProofPlan::root(last));
        let plans = [&growth, &onwards, &old, &new];
        let [proof, onwards, old, new] = self.resolve(snapshot, None, plans).await?;
        let [first_root, last_root] =
            [old, new].map(|root| root.first().copied().unwrap_or(Hash::EMPTY_ROOT));
        let checked = verify_consistency(last, *size, &last_root, root, &onwards)
            .and_then(|()| verify_consistency(first, last, &first_root, &last_root, &proof));
        if let Err(wrong) = checked {
            // The subtrees left of a leaf and right of the one before it are what was read.
            for size in [first, last] {
                self.tiles.forget(size);
                self.tiles.forget(size.saturating_sub(1));
            }
            return Err(wrong.into());
        }
        Ok(Growth { proof, first_root })
    }

    /// Computes proof plans over `snapshot` and what is known of a `path`, reading old tiles
    /// where needed, once for all of them.
    pub(crate) async fn resolve<const N: usize>(
        &self,
        snapshot: &Snapshot,
        path: Option<&TilePath>,
        plans: [&ProofPlan; N],
    ) -> Result<[Vec<Hash>; N], ReadError> {
        let known = |node| path.and_then(|path| path.node(node)).or_else(|| snapshot.node(node));
        let nodes = plans.iter().flat_map(|plan| plan.nodes());
        let missing: Vec<NodeId> = nodes.filter(|node| known(*node).is_none()).collect();
        let old = self.tiles.holding(&missing).await?;
        let mut resolved = [const { Vec::new() }; N];
        for (hashes, plan) in resolved.iter_mut().zip(plans) {
            *hashes = plan.resolve(|node| known(node).or_else(|| old.node(node)))?;
        }
        Ok(resolved)
    }
}

/// A consistency proof that was held against the signed root.
pub(crate) struct Growth {
    pub(crate) proof: Vec<Hash>,
    /// Of the smaller tree.
    pub(crate) first_root: Hash,
}

/// The stored head must be what its leaves hash to, under this log's signature.
pub(crate) fn check_head(key: &LogKey, head: &Head, root: Hash) -> Result<(), StoreError> {
    if head.root != root {
        return Err(StoreError::Corrupt(format!(
            "the {} stored leaves hash to {root}, but the stored head says {}",
            head.size, head.root
        )));
    }
    if !key.verify_checkpoint(&head.checkpoint, head.size, head.root) {
        return Err(StoreError::Corrupt(format!(
            "the stored checkpoint of size {} does not carry this log's signature",
            head.size
        )));
    }
    Ok(())
}

/// Rebuilds the right edge of a tree of `head.size` leaves from what is stored.
pub(crate) async fn restore_edge(store: &dyn Store, size: u64) -> Result<Edge, StoreError> {
    let mut partial = Vec::new();
    for (id, width) in tlog::partial_widths(size) {
        let start = id.index * tlog::TILE_WIDTH;
        let hashes = if id.level == 0 {
            store.leaf_hashes(start, width as u64).await?
        } else {
            tile_roots(store, id.level - 1, start, width as u64).await?
        };
        if hashes.len() != width {
            return Err(StoreError::Corrupt(format!(
                "{} of {width} hashes are there for the right edge at level {}",
                hashes.len(),
                id.level
            )));
        }
        let tile =
            Tile::from_hashes(id, &hashes).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        partial.push(tile);
    }
    Edge::restore(size, partial).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The roots of full tiles `start..start + count` of one level, in order.
async fn tile_roots(
    store: &dyn Store,
    level: u8,
    start: u64,
    count: u64,
) -> Result<Vec<Hash>, StoreError> {
    let ids: Vec<TileId> = (start..start + count).map(|index| TileId { level, index }).collect();
    let mut stored = store.tiles(&ids).await?;
    stored.sort_by_key(|tile| tile.id);
    stored
        .iter()
        .map(|tile| {
            full_tile(tile.id, &tile.hashes)?
                .root()
                .ok_or_else(|| StoreError::Corrupt(format!("tile {:?} is not full", tile.id)))
        })
        .collect()
}
