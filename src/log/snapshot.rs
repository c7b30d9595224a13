//! One committed state of the tree, and the hashes that proofs are made of.
//!
//! Border: pure memory. A snapshot never changes; the sequencer publishes the
//! next one. It answers for nodes of the right edge and of the tiles that the
//! round completed; older full tiles come from the store through the cache.

use std::collections::HashMap;
use std::sync::Arc;

use tlog::{Edge, Hash, NodeId, ProofError, ProofPlan, Tile, TileId};

use crate::store::Head;

/// A committed head with what is needed to prove every leaf of its round.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) head: Head,
    pub(crate) edge: Edge,
    /// Tiles that became full in the round that led here.
    completed: HashMap<TileId, Arc<Tile>>,
}

impl Snapshot {
    pub(crate) fn new(head: Head, edge: Edge, completed: &[Arc<Tile>]) -> Self {
        let completed = completed.iter().map(|tile| (tile.id(), Arc::clone(tile))).collect();
        Self { head, edge, completed }
    }

    /// The hash of a node, if this snapshot holds it without the store.
    pub(crate) fn node(&self, node: NodeId) -> Option<Hash> {
        self.edge
            .node(node)
            .or_else(|| self.completed.get(&node.tile()).and_then(|tile| tile.node(node)))
    }

    /// The inclusion proof of a leaf of this round, from memory alone.
    pub(crate) fn prove_new_leaf(&self, index: u64) -> Result<Vec<Hash>, ProofError> {
        ProofPlan::inclusion(index, self.head.size)?.resolve(|node| self.node(node))
    }
}
