//! The right edge of a stored tree.
//!
//! Border: reads what a head of a given size is made of, as many rows as its logarithm. Whether the
//! result hashes to a signed root is for the caller to [check](super::check_head).

use tlog::{Edge, Hash, Tile, TileId};

use crate::log::tiles::full_tile;
use crate::store::{Store, StoreError};

/// Rebuilds the right edge of a tree of `size` leaves from what is stored.
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
