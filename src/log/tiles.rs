//! Full tiles, as far as memory keeps them, and what is read of the others.
//!
//! Border: a full tile never changes, so nothing here is ever out of date; all of it is
//! bounded. Which nodes a proof needs, and the tiles that are not full yet, are `tree`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quick_cache::sync::Cache;
use tlog::{HALF_HEIGHT, HALF_WIDTH, HalfTile, Hash, NodeId, TILE_HEIGHT, Tile, TileId, TilePath};

use crate::store::{Around, FullTile, Store, StoreError};

/// The full tiles of one log.
pub(super) struct Tiles {
    store: Arc<dyn Store>,
    /// Both hashes and inner nodes, 16 KiB each.
    whole: Cache<TileId, Arc<Tile>>,
    /// While there are fewer of them, those that are read are kept, too; beyond, only those that
    /// this server completes: what is read would drive out what is asked for more often. (Fewer
    /// than the cache takes, because it drives out before it is full.)
    keep_read: usize,
}

impl Tiles {
    /// Keeps up to `max_whole` tiles. Of the others, the two halves around a leaf are read with it.
    pub(super) fn new(store: Arc<dyn Store>, max_whole: usize) -> Self {
        Self { store, whole: Cache::new(max_whole), keep_read: max_whole * 3 / 4 }
    }

    /// Keeps a tile that has become full.
    pub(super) fn keep(&self, tile: Arc<Tile>) {
        self.whole.insert(tile.id(), tile);
    }

    /// What answers for these nodes, where there is something.
    pub(super) async fn holding(&self, nodes: &[NodeId]) -> Result<Holding, StoreError> {
        let mut found = Holding::default();
        let (mut tiles, mut of_leaves) = (BTreeSet::new(), Vec::new());
        for node in nodes {
            let id = node.tile();
            if let Some(tile) = self.whole.get(&id) {
                found.whole.insert(id, tile);
            } else if id.level > 0 || self.has_room() {
                tiles.insert(id);
            } else {
                of_leaves.push(*node);
            }
        }
        tiles.extend(self.read_halves(lower_halves(&of_leaves), &mut found).await?);
        if !tiles.is_empty() {
            for stored in self.store.tiles(&Vec::from_iter(tiles)).await? {
                found.whole.insert(stored.id, self.take_in(&stored)?);
            }
        }
        if let Some(lower) = found.foreign() {
            return Err(not_its_half(lower));
        }
        Ok(found)
    }

    /// Gives the tiles that were stored without an upper half, and are to be read whole.
    async fn read_halves(
        &self,
        numbers: BTreeSet<u64>,
        found: &mut Holding,
    ) -> Result<BTreeSet<TileId>, StoreError> {
        let mut without = BTreeSet::new();
        if numbers.is_empty() {
            return Ok(without);
        }
        for Around { lower, upper } in self.store.half_tiles(&Vec::from_iter(numbers)).await? {
            let id = lower.top().tile();
            if let Some(upper) = upper {
                found.upper.insert(id.index, upper);
            } else {
                without.insert(id);
            }
            found.lower.insert(lower.top().index, lower);
        }
        Ok(without)
    }

    /// The path of a leaf through its full tile, of which `around` was read with it.
    ///
    /// # Errors
    /// `Corrupt` also when the two halves are not of one tile.
    pub(super) async fn path(&self, leaf: u64, around: Around) -> Result<TilePath, StoreError> {
        let id = NodeId { level: 0, index: leaf }.tile();
        let path = match (self.whole.get(&id), &around.upper) {
            (Some(tile), _) => TilePath::of(leaf, &tile),
            (None, Some(upper)) if !self.has_room() => {
                TilePath::through(leaf, &around.lower, upper)
            }
            (None, _) => {
                let stored = self.store.tiles(&[id]).await?;
                let tile = stored.first().map(|stored| self.take_in(stored)).transpose()?;
                tile.and_then(|tile| TilePath::of(leaf, &tile))
            }
        };
        path.ok_or_else(|| not_its_half(&around.lower))
    }

    /// Reads anew what a proof of this leaf is made of, once it proved to be wrong: whoever mends a
    /// damaged database need not restart its servers.
    pub(super) fn forget(&self, leaf: u64) {
        // No tree has a full tile above these.
        for level in 0..7 {
            let id = TileId { level, index: leaf >> (TILE_HEIGHT * (level + 1)) };
            self.whole.remove(&id);
        }
    }

    fn has_room(&self) -> bool {
        self.whole.len() < self.keep_read
    }

    /// Tiles above the leaves are few, and in many proofs.
    fn take_in(&self, stored: &FullTile) -> Result<Arc<Tile>, StoreError> {
        let tile = Arc::new(full_tile(stored.id, &stored.hashes)?);
        if stored.id.level > 0 || self.has_room() {
            self.keep(Arc::clone(&tile));
        }
        Ok(tile)
    }
}

/// Tiles and halves that were found for some nodes.
#[derive(Default)]
pub(super) struct Holding {
    whole: BTreeMap<TileId, Arc<Tile>>,
    /// By the index of their tile of leaves.
    upper: BTreeMap<u64, HalfTile>,
    /// By number.
    lower: BTreeMap<u64, HalfTile>,
}

impl Holding {
    /// The hash of a node, if it was found.
    pub(super) fn node(&self, node: NodeId) -> Option<Hash> {
        if let Some(tile) = self.whole.get(&node.tile()) {
            return tile.node(node);
        }
        let upper = self.upper.get(&node.tile().index)?;
        upper.node(node).or_else(|| self.lower.get(&lower_half(node))?.node(node))
    }

    /// A half that is not of the same tile as the one above it.
    fn foreign(&self) -> Option<&HalfTile> {
        self.lower.values().find(|lower| self.node(lower.top()) != Some(lower.root()))
    }
}

/// The lower half that a node is in, or the first of those below it.
fn lower_half(node: NodeId) -> u64 {
    let first_leaf = node.index << node.level;
    first_leaf / HALF_WIDTH
}

/// The fewest lower halves that, each with the one above it, hold all of these nodes of tiles of
/// leaves.
fn lower_halves(nodes: &[NodeId]) -> BTreeSet<u64> {
    let (upper, lower): (Vec<NodeId>, Vec<NodeId>) =
        nodes.iter().partition(|node| node.level >= HALF_HEIGHT);
    let mut numbers: BTreeSet<u64> = lower.into_iter().map(lower_half).collect();
    for node in upper {
        let first = node.tile().index * HALF_WIDTH;
        if numbers.range(first..first + HALF_WIDTH).next().is_none() {
            numbers.insert(lower_half(node));
        }
    }
    numbers
}

fn not_its_half(lower: &HalfTile) -> StoreError {
    let (tile, first) = (lower.top().tile(), lower.top().index * HALF_WIDTH);
    StoreError::Corrupt(format!("tile {tile:?} has changed at the leaves from {first} on"))
}

/// A stored tile, which must be full.
pub(crate) fn full_tile(id: TileId, hashes: &[u8]) -> Result<Tile, StoreError> {
    match Tile::from_bytes(id, hashes) {
        Ok(tile) if tile.is_full() => Ok(tile),
        Ok(tile) => {
            Err(StoreError::Corrupt(format!("tile {id:?} holds {} of 256 hashes", tile.len())))
        }
        Err(error) => Err(StoreError::Corrupt(format!("tile {id:?}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_half_brings_along_the_one_above_it() {
        let node = |level, index| NodeId { level, index };
        // The tree of 239 leaves: all of it in the first tile, its last 15 leaves in half 14.
        let edge = [node(7, 0), node(6, 2), node(5, 6), node(3, 28), node(2, 58), node(0, 238)];
        assert_eq!(lower_halves(&edge), [14].into());
        assert_eq!(lower_halves(&edge[..3]), [0].into(), "any of the tile would do");
        // Of the next tile, and with a second lower half of the first.
        let more = [&edge[..], &[node(4, 31), node(6, 7), node(1, 9)]].concat();
        assert_eq!(lower_halves(&more), [1, 14, 31].into());
        assert_eq!(lower_halves(&[]), [].into());
    }
}
