//! The tree as this process sees it: the published snapshot, and how it
//! follows the database.
//!
//! Border: reads the store, never writes it, never signs. The sequencer
//! [publishes](ground) what it committed; [`Tree::advance`] follows what other servers
//! on the same database committed, with the same code that appends, or from the
//! stored tiles if that is much.

mod flights;
mod follow;
mod ground;
mod right_edge;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::{ArcSwap, ArcSwapOption};
use tlog::{Hash, NodeId, ProofPlan, Tile, TilePath, verify_consistency};

use self::flights::Flights;
use self::follow::{PATIENCE, Shared};
pub(crate) use self::ground::Ground;
pub(crate) use self::right_edge::restore_edge;
use super::snapshot::Snapshot;
use super::tiles::Tiles;
use super::{Options, ReadError};
use crate::signer::LogKey;
use crate::store::{Head, Store, StoreError};

/// The published state of the tree.
pub(crate) struct Tree {
    store: Arc<dyn Store>,
    key: Arc<LogKey>,
    snapshot: ArcSwap<Snapshot>,
    pub(super) tiles: Tiles,
    /// See [`Options::max_followed`].
    max_followed: u64,
    /// Readers follow the database together.
    flights: Arc<Flights<Shared<Arc<Snapshot>>>>,
    /// And look at its head, where nobody waits for a standby.
    looks: Arc<Flights<Shared<Head>>>,
    /// A note of a head that another server has published, and that was not published here then.
    shown_elsewhere: ArcSwapOption<String>,
    /// Whether the head that the database shows was found to be on no standby, and that was told.
    unsettled: AtomicBool,
    /// Tells those who have asked for it by [`Tree::published`].
    published: tokio::sync::watch::Sender<()>,
}

impl Tree {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        key: Arc<LogKey>,
        first: Snapshot,
        options: &Options,
    ) -> Self {
        tell_size(&first);
        Self {
            tiles: Tiles::new(Arc::clone(&store), options.max_tiles),
            store,
            key,
            snapshot: ArcSwap::from_pointee(first),
            max_followed: options.max_followed.max(1),
            flights: Arc::new(Flights::new(PATIENCE)),
            looks: Arc::new(Flights::new(PATIENCE)),
            shown_elsewhere: ArcSwapOption::empty(),
            unsettled: AtomicBool::new(false),
            published: tokio::sync::watch::Sender::new(()),
        }
    }

    /// A note of this log was found that is further than what is published here. To show that very
    /// head is no new promise.
    pub(crate) fn saw_note(&self, note: String) {
        self.shown_elsewhere.store(Some(Arc::new(note)));
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Tells from now on when something was published.
    pub(crate) fn published(&self) -> tokio::sync::watch::Receiver<()> {
        self.published.subscribe()
    }

    /// Makes `next` the published state in the place of `now`, unless there is another one by now.
    fn replace(
        &self,
        now: &Arc<Snapshot>,
        next: Snapshot,
        completed: Vec<Tile>,
    ) -> Option<Arc<Snapshot>> {
        let next = Arc::new(next);
        let before = self.snapshot.compare_and_swap(now, Arc::clone(&next));
        if !Arc::ptr_eq(&before, now) {
            return None;
        }
        for tile in completed {
            self.tiles.keep(Arc::new(tile));
        }
        tell_size(&next);
        self.published.send_replace(());
        Some(next)
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
            self.forget_around([first, last]);
            return Err(wrong.into());
        }
        Ok(Growth { proof, first_root })
    }

    /// Reads anew what a proof between trees of these sizes is made of: the subtrees left of a leaf
    /// and right of the one before it.
    fn forget_around(&self, sizes: [u64; 2]) {
        for size in sizes {
            self.tiles.forget(size);
            self.tiles.forget(size.saturating_sub(1));
        }
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

fn tell_size(published: &Snapshot) {
    metrics::gauge!("indelible_tree_size").set(published.head.size as f64);
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
