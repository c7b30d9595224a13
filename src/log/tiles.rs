//! Full tiles, as far as memory keeps them, and what is read of the others.
//!
//! Border: a full tile never changes, so nothing here is ever wrong or out of date; all of it
//! is bounded. Which nodes a proof needs, and the tiles that are not full yet, are `tree`'s.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quick_cache::sync::Cache;
use tlog::{HALF_HEIGHT, HALF_WIDTH, HalfTile, Hash, NodeId, Tile, TileId, TilePath};

use crate::store::{Around, Store, StoreError};

/// Upper halves of the tiles of leaves that are kept: of twelve million leaves, in 30 MiB.
const HALVES: usize = 49_152;

/// The full tiles of one log.
pub(super) struct Tiles {
    store: Arc<dyn Store>,
    /// Both hashes and inner nodes, 16 KiB each.
    whole: Cache<TileId, Arc<Tile>>,
    /// While there are fewer of them, those that are read are kept whole, too; beyond, only those
    /// that this server completes: what is read would drive out what is asked for more
    /// often. (Fewer than the cache takes, because it drives out before it is full.)
    keep_read: usize,
    /// By the index of a tile of leaves. Thirty times smaller than tiles, they answer for
    /// random entries of a log whose tiles are too many: what is below the half comes with the
    /// entry.
    halves: Cache<u64, HalfTile>,
}

impl Tiles {
    /// Keeps up to `max_whole` tiles, and the halves of many more.
    pub(super) fn new(store: Arc<dyn Store>, max_whole: usize) -> Self {
        let (whole, halves) = (Cache::new(max_whole), Cache::new(HALVES));
        Self { store, whole, keep_read: max_whole * 3 / 4, halves }
    }

    /// Keeps a tile that has become full.
    pub(super) fn keep(&self, tile: Arc<Tile>) {
        self.keep_half(&tile);
        self.whole.insert(tile.id(), tile);
    }

    /// What answers for these nodes, where there is something.
    pub(super) async fn holding(&self, nodes: &[NodeId]) -> Result<Holding, StoreError> {
        let mut found = Holding::default();
        let (mut tiles, mut halves) = (BTreeSet::new(), BTreeSet::new());
        for node in nodes {
            let id = node.tile();
            if let Some(tile) = self.whole.get(&id) {
                found.whole.insert(id, tile);
            } else if id.level > 0 || self.has_room() {
                tiles.insert(id);
            } else {
                let upper = self.halves.get(&id.index);
                // Which of the sixteen is the same where only the one above them is asked for.
                let any = (node.level >= HALF_HEIGHT).then_some(id.index * HALF_WIDTH);
                halves.extend(any.filter(|_| upper.is_none()).or_else(|| lower_half(*node)));
                found.upper.extend(upper.map(|upper| (id.index, upper)));
            }
        }
        tiles.extend(self.read_halves(halves, &mut found).await?);
        self.read_tiles(tiles, &mut found).await?;
        found.check()?;
        Ok(found)
    }

    async fn read_tiles(
        &self,
        ids: BTreeSet<TileId>,
        found: &mut Holding,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        for stored in self.store.tiles(&Vec::from_iter(ids)).await? {
            let tile = Arc::new(full_tile(stored.id, &stored.hashes)?);
            self.keep(Arc::clone(&tile));
            found.whole.insert(stored.id, tile);
        }
        Ok(())
    }

    /// The tiles that were stored without an upper half, and are to be read whole.
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
            if let Entry::Vacant(place) = found.upper.entry(id.index) {
                if let Some(upper) = upper {
                    self.halves.insert(id.index, upper.clone());
                    place.insert(upper);
                } else {
                    without.insert(id);
                }
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
        let Around { lower, upper } = around;
        let id = NodeId { level: 0, index: leaf }.tile();
        let upper = match (self.halves.get(&id.index), upper) {
            (Some(upper), _) => Some(upper),
            (None, Some(upper)) if !self.has_room() => {
                self.halves.insert(id.index, upper.clone());
                Some(upper)
            }
            (None, _) => self.read_half(id).await?,
        };
        upper
            .and_then(|upper| TilePath::through(leaf, &lower, &upper))
            .ok_or_else(|| not_its_half(&lower))
    }

    async fn read_half(&self, id: TileId) -> Result<Option<HalfTile>, StoreError> {
        let stored = self.store.tiles(&[id]).await?;
        let Some(stored) = stored.first() else { return Ok(None) };
        let tile = full_tile(id, &stored.hashes)?;
        let upper = self.keep_half(&tile);
        if self.has_room() {
            self.whole.insert(id, Arc::new(tile));
        }
        Ok(upper)
    }

    fn has_room(&self) -> bool {
        self.whole.len() < self.keep_read
    }

    fn keep_half(&self, tile: &Tile) -> Option<HalfTile> {
        let upper = HalfTile::upper(tile).filter(|_| tile.id().level == 0)?;
        self.halves.insert(tile.id().index, upper.clone());
        Some(upper)
    }
}

/// Tiles and halves that were found for some nodes.
#[derive(Default)]
pub(super) struct Holding {
    whole: BTreeMap<TileId, Arc<Tile>>,
    upper: BTreeMap<u64, HalfTile>,
    lower: BTreeMap<u64, HalfTile>,
}

impl Holding {
    /// The hash of a node, if it was found.
    pub(super) fn node(&self, node: NodeId) -> Option<Hash> {
        if let Some(tile) = self.whole.get(&node.tile()) {
            return tile.node(node);
        }
        self.upper(node).or_else(|| self.lower.get(&lower_half(node)?)?.node(node))
    }

    /// Both halves of a tile must be of the same one.
    fn check(&self) -> Result<(), StoreError> {
        let foreign = |lower: &&HalfTile| self.node(lower.top()) != Some(lower.root());
        self.lower.values().find(foreign).map_or(Ok(()), |lower| Err(not_its_half(lower)))
    }

    fn upper(&self, node: NodeId) -> Option<Hash> {
        self.upper.get(&node.tile().index)?.node(node)
    }
}

/// The half that a node below the middle of a tile of leaves is in.
fn lower_half(node: NodeId) -> Option<u64> {
    let below = HALF_HEIGHT.checked_sub(node.level).filter(|below| *below > 0)?;
    Some(node.index >> below)
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
