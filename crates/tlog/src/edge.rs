//! The right edge: the one partial tile of each level, which is all that an
//! append needs to know of the tree.
//!
//! Border: growth and the root. Memory is a few kilobytes per level, so it
//! grows with the logarithm of the log.

use crate::{Hash, NodeId, TILE_HEIGHT, TILE_WIDTH, Tile, TileError, TileId};

/// A growing tree, reduced to what is not yet in a full tile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// One partial tile (0 to 255 hashes) per level that was ever reached.
    tiles: Vec<Tile>,
}

impl Edge {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash; tiles that become full are moved to `completed`.
    pub fn append(&mut self, leaf: Hash, completed: &mut Vec<Tile>) {
        self.size += 1;
        let mut carried = leaf;
        for level in 0_u8.. {
            let at = usize::from(level);
            if at == self.tiles.len() {
                self.tiles.push(Tile::empty(TileId { level, index: 0 }));
            }
            let tile = &mut self.tiles[at];
            tile.push(carried);
            let Some(root) = tile.root() else { return };
            let next = TileId { level, index: tile.id().index + 1 };
            completed.push(std::mem::replace(tile, Tile::empty(next)));
            carried = root;
        }
    }

    /// RFC 6962 root over all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let perfect = perfect_subtrees(0, self.size);
        let hashes = perfect.rev().filter_map(|node| self.node(node));
        hashes.reduce(|right, left| Hash::node(&left, &right)).unwrap_or(Hash::EMPTY_ROOT)
    }

    /// The hash of a perfect subtree, if it lies in a partial tile.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<Hash> {
        self.tiles.get(usize::from(node.level / TILE_HEIGHT)).and_then(|tile| tile.node(node))
    }

    /// The partial tile of each level, from the leaves up; some may be empty.
    #[must_use]
    pub fn partial_tiles(&self) -> &[Tile] {
        &self.tiles
    }

    /// The edge of a tree of `size` leaves from its partial tiles, in the order
    /// and widths of [`partial_widths`].
    ///
    /// # Errors
    /// [`TileError::Edge`] when a tile is missing, surplus, or has another width.
    pub fn restore(size: u64, partial: Vec<Tile>) -> Result<Self, TileError> {
        let mut partial = partial.into_iter().peekable();
        let mut tiles = Vec::new();
        let mut width = size;
        for level in 0_u8.. {
            if width == 0 {
                break;
            }
            let id = TileId { level, index: width / TILE_WIDTH };
            let expected = (width % TILE_WIDTH) as usize;
            match partial.next_if(|tile| tile.id() == id && tile.len() == expected) {
                Some(tile) => tiles.push(tile),
                None if expected == 0 => tiles.push(Tile::empty(id)),
                None => return Err(TileError::Edge(size)),
            }
            width /= TILE_WIDTH;
        }
        if partial.next().is_some() {
            return Err(TileError::Edge(size));
        }
        Ok(Self { size, tiles })
    }
}

/// The partial tile of each level of a tree of `size` leaves with its width,
/// from the leaves up; levels without a partial tile are left out.
pub fn partial_widths(size: u64) -> impl Iterator<Item = (TileId, usize)> {
    (0_u8..8)
        .map(move |level| (level, size >> (u32::from(level) * u32::from(TILE_HEIGHT))))
        .map(|(level, width)| {
            (TileId { level, index: width / TILE_WIDTH }, (width % TILE_WIDTH) as usize)
        })
        .filter(|(_, width)| *width > 0)
}

/// The perfect subtrees that the leaves `start..end` fall into, from the left,
/// each as large as possible. `start` must be 0 or the start of a subtree that
/// RFC 6962 splits off, so that alignment follows from size.
pub(crate) fn perfect_subtrees(start: u64, end: u64) -> impl DoubleEndedIterator<Item = NodeId> {
    let width = end - start;
    // One for each bit of the width; those of higher bits are left of it.
    let levels = 0..(u64::BITS - width.leading_zeros()) as u8;
    levels.rev().filter(move |level| (width >> level) & 1 == 1).map(move |level| {
        let left = ((width >> level) ^ 1) << level;
        NodeId { level, index: (start + left) >> level }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root_of_leaves;

    fn leaf(n: u64) -> Hash {
        Hash::leaf(&n.to_be_bytes())
    }

    #[test]
    fn roots_equal_the_bulk_rebuild_at_every_size() {
        let (mut edge, mut completed, mut leaves) = (Edge::new(), Vec::new(), Vec::new());
        assert_eq!(edge.root(), Hash::EMPTY_ROOT);
        for n in 0..600 {
            edge.append(leaf(n), &mut completed);
            leaves.push(leaf(n));
            assert_eq!(edge.root(), root_of_leaves(&leaves), "size {}", n + 1);
        }
        let ids: Vec<_> = completed.iter().map(Tile::id).collect();
        assert_eq!(ids, [TileId { level: 0, index: 0 }, TileId { level: 0, index: 1 }]);
    }

    #[test]
    fn restored_edges_go_on_growing_alike() {
        let sizes = [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000];
        let (mut edge, mut completed) = (Edge::new(), Vec::new());
        for n in 0..66_001 {
            if sizes.contains(&n) {
                let partial = edge.partial_tiles().iter().filter(|t| !t.is_empty()).cloned();
                let partial: Vec<_> = partial.collect();
                let widths: Vec<_> = partial.iter().map(|t| (t.id(), t.len())).collect();
                assert_eq!(partial_widths(n).collect::<Vec<_>>(), widths);
                let mut again = Edge::restore(n, partial).unwrap();
                assert_eq!((again.size(), again.root()), (edge.size(), edge.root()));
                let mut next = edge.clone();
                again.append(leaf(n), &mut Vec::new());
                next.append(leaf(n), &mut Vec::new());
                assert_eq!(again.root(), next.root());
            }
            edge.append(leaf(n), &mut completed);
        }
        assert_eq!(completed.iter().filter(|tile| tile.id().level == 1).count(), 1);
    }

    #[test]
    fn wrong_widths_are_refused() {
        let mut edge = Edge::new();
        (0..300).for_each(|n| edge.append(leaf(n), &mut Vec::new()));
        let tiles: Vec<_> = edge.partial_tiles().to_vec();
        assert!(Edge::restore(300, tiles.clone()).is_ok());
        assert_eq!(Edge::restore(299, tiles.clone()), Err(TileError::Edge(299)));
        assert_eq!(Edge::restore(300, tiles[..1].to_vec()), Err(TileError::Edge(300)));
        assert_eq!(Edge::restore(44, tiles), Err(TileError::Edge(44)));
    }
}
