//! What the stored tiles tell the walk.
//!
//! Border: reads tiles, each of those of leaves once. What a tile says is believed as
//! far as [`Vouched`] says so.

use tlog::{Hash, TILE_WIDTH, Tile, TileId};

use super::finding::Finding;
use super::reads::{self, Readable};
use super::row::Told;
use super::tile;
use super::vouched::Vouched;
use crate::log::Seen;
use crate::store::{Audit, FullTile, StoreError};

pub(super) struct Tiles {
    vouched: Vouched,
    /// The tile of leaves that the walk is in.
    here: Option<Here>,
}

struct Here {
    id: TileId,
    stored: Readable<Option<FullTile>>,
    /// Its leaves, if they are vouched for.
    leaves: Option<Vec<Hash>>,
}

impl Tiles {
    pub(super) async fn under(store: &dyn Audit, signed: Seen) -> Result<Self, StoreError> {
        Ok(Self { vouched: Vouched::by(store, signed).await?, here: None })
    }

    /// What is known of a leaf beside its row.
    pub(super) async fn told(&mut self, store: &dyn Audit, index: u64) -> Result<Told, StoreError> {
        let id = TileId { level: 0, index: index / TILE_WIDTH };
        let here = match self.here.take() {
            Some(here) if here.id == id => here,
            _ => self.come_to(store, id).await?,
        };
        let here = self.here.insert(here);
        let place = (index % TILE_WIDTH) as usize;
        if let Some(leaves) = &here.leaves {
            return Ok(leaves.get(place).copied().map_or(Told::Nothing, Told::Vouched));
        }
        let Ok(Some(stored)) = &here.stored else { return Ok(Told::Nothing) };
        let hash = stored.hashes.as_chunks::<32>().0.get(place);
        Ok(hash.map_or(Told::Nothing, |hash| Told::Tile(Hash::from(*hash))))
    }

    async fn come_to(&mut self, store: &dyn Audit, id: TileId) -> Result<Here, StoreError> {
        let stored = reads::tile(store, id).await?;
        let tile = stored.as_ref().ok().and_then(Option::as_ref);
        let leaves = self.vouched.leaves(store, id, tile).await?;
        Ok(Here { id, stored, leaves })
    }

    /// What differs in the stored tile from the one that the leaves came to.
    pub(super) async fn differences(
        &self,
        store: &dyn Audit,
        tile: &Tile,
    ) -> Result<Vec<Finding>, StoreError> {
        match self.here.as_ref().filter(|here| here.id == tile.id()) {
            Some(here) => Ok(tile::differences(tile, &here.stored)),
            None => Ok(tile::differences(tile, &reads::tile(store, tile.id()).await?)),
        }
    }
}
