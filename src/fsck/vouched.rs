//! Which stored tiles lead to the signed root.
//!
//! Border: hashes alone. A tile is vouched for when it hashes to what the tile above it
//! says, and so on up to the right edge, which must hash to the signed root. Whatever
//! an entry's row says then, the tile is right.

use tlog::{Edge, Hash, TILE_WIDTH, Tile, TileId};

use super::reads::{self, readable};
use crate::log::{Seen, restore_edge};
use crate::store::{Audit, FullTile, StoreError};

pub(super) struct Vouched {
    /// Of the whole tree; `None` when what is stored does not lead to the signed root.
    edge: Option<Edge>,
    /// Tiles above the leaves that were needed last, one of each level.
    above: Vec<Tile>,
}

impl Vouched {
    pub(super) async fn by(store: &dyn Audit, signed: Seen) -> Result<Self, StoreError> {
        let edge = readable(restore_edge(store, signed.size).await)?;
        let edge = edge.ok().filter(|edge| edge.root() == signed.root);
        Ok(Self { edge, above: Vec::new() })
    }

    /// The leaf hashes of this tile, if `stored` is vouched for, or it is the last, partial one.
    pub(super) async fn leaves(
        &mut self,
        store: &dyn Audit,
        id: TileId,
        stored: Option<&FullTile>,
    ) -> Result<Option<Vec<Hash>>, StoreError> {
        let partial = self.edge.as_ref().and_then(|edge| edge.partial_tiles().first());
        if let Some(partial) = partial.filter(|partial| partial.id() == id) {
            return Ok(Some(partial.hashes().to_vec()));
        }
        let Some(tile) = stored.and_then(|stored| Tile::from_bytes(id, &stored.hashes).ok()) else {
            return Ok(None);
        };
        let root = self.root(store, id).await?;
        Ok((root.is_some() && tile.root() == root).then(|| tile.hashes().to_vec()))
    }

    /// What a full tile must hash to, if anything says so.
    async fn root(&mut self, store: &dyn Audit, id: TileId) -> Result<Option<Hash>, StoreError> {
        let Some(edge) = &self.edge else { return Ok(None) };
        let (mut path, mut above) = (vec![id], id.parent());
        while above.is_full_in(edge.size()) {
            path.push(above);
            above = above.parent();
        }
        let top = edge.partial_tiles().get(usize::from(above.level));
        let mut hashes = top.map_or(&[][..], Tile::hashes).to_vec();
        while let Some(below) = path.pop() {
            let Some(root) = hashes.get((below.index % TILE_WIDTH) as usize).copied() else {
                return Ok(None);
            };
            if path.is_empty() {
                return Ok(Some(root));
            }
            match self.tile(store, below, root).await? {
                Some(tile) => hashes = tile.hashes().to_vec(),
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The stored tile, if it hashes to this.
    async fn tile(
        &mut self,
        store: &dyn Audit,
        id: TileId,
        root: Hash,
    ) -> Result<Option<&Tile>, StoreError> {
        if let Some(at) = self.above.iter().position(|tile| tile.id() == id) {
            return Ok(self.above.get(at));
        }
        let stored = reads::tile(store, id).await?.ok().flatten();
        let tile = stored.and_then(|stored| Tile::from_bytes(id, &stored.hashes).ok());
        let Some(tile) = tile.filter(|tile| tile.root() == Some(root)) else { return Ok(None) };
        self.above.retain(|other| other.id().level != id.level);
        self.above.push(tile);
        Ok(self.above.last())
    }
}
