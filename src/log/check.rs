//! The short audit: the tree from every stored body, and nothing else.
//!
//! Border: leaf hashes, tiles and head, over the [`Store`](crate::store::Store) that the
//! log runs on, faults included. [`fsck`](crate::fsck) looks at everything and names the
//! place.

use tlog::Hash;

use super::{Log, ReadError, tree};
use crate::store::{StoreError, StoredEntry};

impl Log {
    /// Recomputes the tree from every stored body and compares it with the head,
    /// the tiles' hashes, and the signature.
    ///
    /// # Errors
    /// [`ReadError`]; `Corrupt` names the first index that is wrong.
    pub async fn check(&self) -> Result<u64, ReadError> {
        let snapshot = self.0.tree.advance().await?;
        let mut edge = tlog::Edge::new();
        let mut completed = Vec::new();
        while edge.size() < snapshot.head.size {
            let start = edge.size();
            let count = 512.min(snapshot.head.size - start);
            for (at, stored) in self.0.store.entries(start, count).await?.into_iter().enumerate() {
                check_stored(&stored, start + at as u64)?;
                edge.append(stored.leaf, &mut completed);
            }
            if edge.size() != start + count {
                return Err(corrupt(format!("entries are missing behind index {}", edge.size())));
            }
            self.check_tiles(&mut completed).await?;
        }
        tree::check_head(&self.0.key, &snapshot.head, edge.root())?;
        Ok(snapshot.head.size)
    }

    async fn check_tiles(&self, completed: &mut Vec<tlog::Tile>) -> Result<(), ReadError> {
        for tile in completed.drain(..) {
            let stored = self.0.store.tiles(&[tile.id()]).await?;
            if stored.first().map(|found| found.hashes.as_slice()) != Some(&tile.to_bytes()) {
                return Err(corrupt(format!(
                    "tile {:?} is not what its leaves hash to",
                    tile.id()
                )));
            }
        }
        Ok(())
    }
}

fn corrupt(what: String) -> ReadError {
    ReadError::Store(StoreError::Corrupt(what))
}

fn check_stored(stored: &StoredEntry, index: u64) -> Result<(), ReadError> {
    if stored.index != index {
        return Err(corrupt(format!("index {index} is missing")));
    }
    if Hash::leaf(&stored.body) != stored.leaf {
        return Err(corrupt(format!("the body of index {index} does not hash to its leaf")));
    }
    Ok(())
}
