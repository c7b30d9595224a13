//! Tiles: 256-wide pieces of the tree, after C2SP tlog-tiles.
//!
//! Border: one tile and the coordinates of tiles and nodes. How tiles make up
//! a tree is told in `edge` and `proof`.

use crate::Hash;

/// Levels of the tree within one tile.
pub const TILE_HEIGHT: u8 = 8;

/// Hashes in the bottom row of a full tile.
pub const TILE_WIDTH: u64 = 256;

/// Bytes of one hash in a serialised tile.
pub(crate) const HASH_BYTES: usize = 32;

/// Coordinates of a tile: its level in steps of [`TILE_HEIGHT`], its index within the level.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct TileId {
    /// 0 for tiles of leaf hashes.
    pub level: u8,
    /// Position within the level, from the left.
    pub index: u64,
}

impl TileId {
    /// The tile whose bottom row has the root of this one.
    #[must_use]
    pub fn parent(self) -> Self {
        Self { level: self.level + 1, index: self.index / TILE_WIDTH }
    }

    /// Whether a tree of `size` leaves has this tile, and it is full.
    #[must_use]
    pub fn is_full_in(self, size: u64) -> bool {
        let height = (u32::from(self.level) + 1) * u32::from(TILE_HEIGHT);
        self.index < size.checked_shr(height).unwrap_or(0)
    }
}

/// Coordinates of a perfect subtree: it covers the leaves
/// `index << level .. (index + 1) << level`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct NodeId {
    /// Height above the leaves, 0 for a leaf.
    pub level: u8,
    /// Position within the level, from the left.
    pub index: u64,
}

impl NodeId {
    /// The tile that holds this node in its bottom row or above it.
    #[must_use]
    pub fn tile(self) -> TileId {
        let above = self.level % TILE_HEIGHT;
        TileId { level: self.level / TILE_HEIGHT, index: self.index >> (TILE_HEIGHT - above) }
    }
}

/// Hashes that make no tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// More hashes than fit.
    #[error("a tile holds at most 256 hashes, not {0}")]
    TooWide(usize),
    /// Bytes that are no whole number of hashes.
    #[error("{0} bytes are no whole number of 32-byte hashes")]
    Length(usize),
    /// Bytes that are not the 16 hashes of half a tile.
    #[error("half a tile has 512 bytes, not {0}")]
    Half(usize),
    /// A right edge whose tiles do not belong to its size.
    #[error("the partial tiles do not belong to a tree of {0} leaves")]
    Edge(u64),
}

/// The bottom row of a tile with the inner nodes above it, kept as it grows,
/// so that a node is a look-up and an append costs O(1) on average.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    id: TileId,
    /// `rows[0]` is the bottom row, `rows[8]` holds the root of a full tile.
    rows: [Vec<Hash>; TILE_HEIGHT as usize + 1],
}

impl Tile {
    /// A tile without hashes.
    #[must_use]
    pub fn empty(id: TileId) -> Self {
        Self { id, rows: std::array::from_fn(|_| Vec::new()) }
    }

    /// A tile of up to 256 hashes.
    ///
    /// # Errors
    /// [`TileError::TooWide`].
    pub fn from_hashes(id: TileId, hashes: &[Hash]) -> Result<Self, TileError> {
        if hashes.len() as u64 > TILE_WIDTH {
            return Err(TileError::TooWide(hashes.len()));
        }
        let mut tile = Self::empty(id);
        for (height, row) in tile.rows.iter_mut().enumerate() {
            row.reserve_exact(hashes.len() >> height);
        }
        hashes.iter().for_each(|hash| tile.push(*hash));
        Ok(tile)
    }

    /// Reads the serialised form: hashes of 32 bytes, concatenated.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn from_bytes(id: TileId, bytes: &[u8]) -> Result<Self, TileError> {
        Self::from_hashes(id, &hashes_of(bytes)?)
    }

    /// The serialised form: hashes of 32 bytes, concatenated.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.rows[0].iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// Where this tile is.
    #[must_use]
    pub fn id(&self) -> TileId {
        self.id
    }

    /// Hashes in the bottom row, 0 to 256.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows[0].len()
    }

    /// Whether there is no hash.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows[0].is_empty()
    }

    /// Whether it holds 256 hashes and will never change again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() as u64 == TILE_WIDTH
    }

    /// The bottom row.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.rows[0]
    }

    /// Appends a hash to the bottom row. A full tile stays as it is.
    pub fn push(&mut self, hash: Hash) {
        if self.is_full() {
            return;
        }
        let mut carried = hash;
        for row in &mut self.rows {
            row.push(carried);
            let [.., left, right] = row.as_slice() else { return };
            if row.len() % 2 == 1 {
                return;
            }
            carried = Hash::node(left, right);
        }
    }

    /// The hash of a perfect subtree within this tile, if it is complete.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<Hash> {
        if node.tile() != self.id {
            return None;
        }
        let row = node.level % TILE_HEIGHT;
        let width = TILE_WIDTH >> row;
        self.rows[usize::from(row)].get((node.index % width) as usize).copied()
    }

    /// The root of a full tile, which is one hash of the tile above.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        self.rows[usize::from(TILE_HEIGHT)].first().copied()
    }
}

/// Hashes of 32 bytes, concatenated.
pub(crate) fn hashes_of(bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    let (hashes, []) = bytes.as_chunks::<HASH_BYTES>() else {
        return Err(TileError::Length(bytes.len()));
    };
    Ok(hashes.iter().map(|hash| Hash::from(*hash)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root_of_leaves;

    fn hashes(count: u64) -> Vec<Hash> {
        (0..count).map(|n| Hash::leaf(&n.to_be_bytes())).collect()
    }

    const ID: TileId = TileId { level: 0, index: 3 };

    #[test]
    fn nodes_are_the_roots_of_their_leaves() {
        let hashes = hashes(256);
        let tile = Tile::from_hashes(ID, &hashes).unwrap();
        for level in 0..TILE_HEIGHT {
            let width = 1_usize << level;
            for (at, leaves) in hashes.chunks(width).enumerate() {
                let index = (3 * 256 / width + at) as u64;
                let node = NodeId { level, index };
                assert_eq!(node.tile(), ID);
                assert_eq!(tile.node(node), Some(root_of_leaves(leaves)));
            }
        }
        assert_eq!(tile.root(), Some(root_of_leaves(&hashes)));
        assert_eq!(tile.node(NodeId { level: 0, index: 0 }), None, "another tile");
    }

    #[test]
    fn a_tile_is_full_with_its_last_leaf() {
        for (level, width) in [(0, 256), (1, 256 * 256)] {
            let id = TileId { level, index: 2 };
            assert!(!id.is_full_in(3 * width - 1) && id.is_full_in(3 * width));
        }
        let most = TileId { level: 6, index: 254 };
        assert!(most.is_full_in(u64::MAX) && !most.is_full_in(u64::MAX / 2));
        assert!(!TileId { level: 7, index: 0 }.is_full_in(u64::MAX), "it has 2^64 leaves");
        assert_eq!(TileId { level: 0, index: 511 }.parent(), TileId { level: 1, index: 1 });
    }

    #[test]
    fn bytes_round_trip_and_are_bounded() {
        let tile = Tile::from_hashes(ID, &hashes(200)).unwrap();
        assert_eq!(Tile::from_bytes(ID, &tile.to_bytes()), Ok(tile.clone()));
        assert!(!tile.is_full() && tile.root().is_none() && tile.len() == 200);
        assert_eq!(Tile::from_bytes(ID, &[0; 33]), Err(TileError::Length(33)));
        assert_eq!(Tile::from_hashes(ID, &hashes(257)), Err(TileError::TooWide(257)));
        let mut full = Tile::from_hashes(ID, &hashes(256)).unwrap();
        full.push(Hash::EMPTY_ROOT);
        assert_eq!(full.len(), 256);
    }
}
