//! Half tiles, and the path of a leaf through its full tile.
//!
//! Border: what one full tile says of one leaf, without the rest of the tile. A
//! full tile never changes, so neither does any of this.

use crate::tile::hashes_of;
use crate::{Hash, NodeId, TILE_HEIGHT, Tile, TileError};

/// Levels of the tree within half a tile.
pub const HALF_HEIGHT: u8 = TILE_HEIGHT / 2;

/// Hashes in the bottom row of half a tile.
pub const HALF_WIDTH: u64 = 1 << HALF_HEIGHT;

/// A perfect subtree of half a tile's height by the 16 hashes of its bottom row. A tile is one
/// such half above sixteen others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfTile {
    /// The subtree that it covers.
    top: NodeId,
    hashes: [Hash; HALF_WIDTH as usize],
}

impl HalfTile {
    /// The upper half of a tile: the roots of its sixteen lower halves. `None` unless the
    /// tile is full.
    #[must_use]
    pub fn upper(tile: &Tile) -> Option<Self> {
        let level = (tile.id().level + 1) * TILE_HEIGHT;
        let first = NodeId { level: level - HALF_HEIGHT, index: tile.id().index * HALF_WIDTH };
        let node = |at: usize| tile.node(NodeId { index: first.index + at as u64, ..first });
        tile.root()?;
        let mut hashes = [Hash::EMPTY_ROOT; HALF_WIDTH as usize];
        for (at, hash) in hashes.iter_mut().enumerate() {
            *hash = node(at)?;
        }
        Some(Self { top: NodeId { level, index: tile.id().index }, hashes })
    }

    /// The half tile around a leaf, from its 16 leaf hashes of 32 bytes, concatenated.
    ///
    /// # Errors
    /// [`TileError::Half`] for another number of bytes.
    pub fn around_leaf(leaf: u64, bytes: &[u8]) -> Result<Self, TileError> {
        Self::from_bytes(NodeId { level: HALF_HEIGHT, index: leaf / HALF_WIDTH }, bytes)
    }

    /// The upper half of the full tile that a leaf is in, from [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`TileError::Half`] for another number of bytes.
    pub fn above_leaf(leaf: u64, bytes: &[u8]) -> Result<Self, TileError> {
        Self::from_bytes(NodeId { level: TILE_HEIGHT, index: leaf >> TILE_HEIGHT }, bytes)
    }

    fn from_bytes(top: NodeId, bytes: &[u8]) -> Result<Self, TileError> {
        let hashes = hashes_of(bytes)?;
        let hashes = hashes.try_into().map_err(|_| TileError::Half(bytes.len()))?;
        Ok(Self { top, hashes })
    }

    /// The serialised form: the 16 hashes of the bottom row of 32 bytes, concatenated.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// The node at the top, which is in the half above this one.
    #[must_use]
    pub fn top(&self) -> NodeId {
        self.top
    }

    /// The hash of a node below the top, if it is in this half.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<Hash> {
        let depth = self.top.level.checked_sub(node.level)?;
        if depth == 0 || depth > HALF_HEIGHT || node.index >> depth != self.top.index {
            return None;
        }
        let width = HALF_WIDTH as usize >> depth;
        let at = (node.index - (self.top.index << depth)) as usize;
        Some(fold(&self.hashes[at * width..(at + 1) * width]))
    }

    /// The hashes of the bottom row.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The hash of the whole subtree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(&self.hashes)
    }
}

/// The root over a power of two of hashes.
fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Hash::node(&fold(left), &fold(right))
        }
    }
}

/// The eight siblings that lead from a leaf to the root of its full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TilePath {
    leaf: u64,
    siblings: [Hash; TILE_HEIGHT as usize],
}

impl TilePath {
    /// The path of the leaf through its tile. `None` unless the leaf is in it, and it is full.
    #[must_use]
    pub fn of(leaf: u64, tile: &Tile) -> Option<Self> {
        tile.root()?;
        Self::from_nodes(leaf, |node| tile.node(node))
    }

    /// The path of the leaf through the two halves that it lies in. `None` unless the
    /// `upper` half, of its tile, has the root of the `lower` one.
    #[must_use]
    pub fn through(leaf: u64, lower: &HalfTile, upper: &HalfTile) -> Option<Self> {
        if upper.node(lower.top) != Some(lower.root()) {
            return None;
        }
        Self::from_nodes(leaf, |node| lower.node(node).or_else(|| upper.node(node)))
    }

    fn from_nodes(leaf: u64, hash: impl Fn(NodeId) -> Option<Hash>) -> Option<Self> {
        let mut siblings = [Hash::EMPTY_ROOT; TILE_HEIGHT as usize];
        for (level, sibling) in (0..).zip(&mut siblings) {
            *sibling = hash(NodeId { level, index: (leaf >> level) ^ 1 })?;
        }
        Some(Self { leaf, siblings })
    }

    /// The hash of a node, if it is a sibling on this path.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<Hash> {
        let sibling = self.siblings.get(usize::from(node.level))?;
        (node.index == (self.leaf >> node.level) ^ 1).then_some(*sibling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::HASH_BYTES;
    use crate::{TILE_WIDTH, TileId};

    const ID: TileId = TileId { level: 0, index: 5 };
    const FIRST: u64 = 5 * TILE_WIDTH;

    fn tile() -> Tile {
        let hashes: Vec<Hash> = (0..TILE_WIDTH).map(|n| Hash::leaf(&n.to_be_bytes())).collect();
        Tile::from_hashes(ID, &hashes).unwrap()
    }

    fn lower(tile: &Tile, leaf: u64) -> HalfTile {
        let start = ((leaf - FIRST) / HALF_WIDTH) as usize * 16 * HASH_BYTES;
        HalfTile::around_leaf(leaf, &tile.to_bytes()[start..start + 16 * HASH_BYTES]).unwrap()
    }

    /// Every node of levels 0 to 8 in the tile and right beside it.
    fn nodes() -> impl Iterator<Item = NodeId> {
        (0..=TILE_HEIGHT).flat_map(|level| {
            let (start, end) = (FIRST >> level, (FIRST + TILE_WIDTH) >> level);
            (start.saturating_sub(20)..end + 20).map(move |index| NodeId { level, index })
        })
    }

    #[test]
    fn halves_hold_the_nodes_of_their_tile() {
        let tile = tile();
        let upper = HalfTile::upper(&tile).unwrap();
        assert_eq!(Some(upper.root()), tile.root());
        for leaf in [FIRST, FIRST + 255] {
            assert_eq!(HalfTile::above_leaf(leaf, &upper.to_bytes()), Ok(upper.clone()));
        }
        for node in nodes() {
            let expected = if node.level >= HALF_HEIGHT { tile.node(node) } else { None };
            assert_eq!(upper.node(node), expected, "{node:?}");
        }
        for leaf in [FIRST, FIRST + 100, FIRST + 255] {
            let (lower, at) = (lower(&tile, leaf), leaf / HALF_WIDTH);
            assert_eq!(upper.node(NodeId { level: HALF_HEIGHT, index: at }), Some(lower.root()));
            for node in nodes() {
                let inside =
                    node.level < HALF_HEIGHT && node.index >> (HALF_HEIGHT - node.level) == at;
                let expected = if inside { tile.node(node) } else { None };
                assert_eq!(lower.node(node), expected, "{node:?}");
            }
        }
    }

    #[test]
    fn paths_lead_from_leaf_to_root() {
        let tile = tile();
        let upper = HalfTile::upper(&tile).unwrap();
        for leaf in FIRST..FIRST + TILE_WIDTH {
            let path = TilePath::through(leaf, &lower(&tile, leaf), &upper).unwrap();
            assert_eq!(TilePath::of(leaf, &tile), Some(path.clone()));
            let root =
                (0..TILE_HEIGHT).fold(tile.hashes()[(leaf - FIRST) as usize], |hash, level| {
                    let index = (leaf >> level) ^ 1;
                    let sibling = path.node(NodeId { level, index }).unwrap();
                    assert_eq!(path.node(NodeId { level, index: index ^ 1 }), None);
                    if index % 2 == 1 {
                        Hash::node(&hash, &sibling)
                    } else {
                        Hash::node(&sibling, &hash)
                    }
                });
            assert_eq!(Some(root), tile.root());
            assert_eq!(path.node(NodeId { level: TILE_HEIGHT, index: 4 }), None);
        }
    }

    #[test]
    fn what_does_not_belong_together_gives_no_path() {
        let tile = tile();
        let upper = HalfTile::upper(&tile).unwrap();
        let (here, there) = (lower(&tile, FIRST), lower(&tile, FIRST + 16));
        assert_eq!(TilePath::through(FIRST, &there, &upper), None, "another lower half");
        assert_eq!(TilePath::through(FIRST + 16, &here, &upper), None, "another leaf");
        let mut bytes = tile.to_bytes()[..16 * HASH_BYTES].to_vec();
        bytes[77] ^= 1;
        let flipped = HalfTile::around_leaf(FIRST, &bytes).unwrap();
        assert_eq!(TilePath::through(FIRST, &flipped, &upper), None, "a bit flipped");
        let partial = Tile::from_hashes(ID, &tile.hashes()[..255]).unwrap();
        assert_eq!(HalfTile::upper(&partial), None);
        assert_eq!(TilePath::of(FIRST, &partial), None);
        assert_eq!(TilePath::of(FIRST + TILE_WIDTH, &tile), None, "a leaf of another tile");
        assert_eq!(HalfTile::around_leaf(FIRST, &bytes[..480]), Err(TileError::Half(480)));
        assert_eq!(HalfTile::around_leaf(FIRST, &bytes[..500]), Err(TileError::Length(500)));
    }
}
