//! A log that is large before its story begins.
//!
//! Its leaves are true as far as the tree is concerned, and committed past the sequencer: signing
//! evidence for each of them, and verifying it, would take minutes.

use std::sync::Arc;

use indelible::signer::LogKey;
use indelible::store::{Batch, FullTile, Head, Identity, NewEntry, Store};
use tlog::{Edge, HalfTile, Hash, Tile};

/// Leaves in one round.
const AT_ONCE: u64 = 8_192;

/// Who commits without a server.
pub(crate) struct Writer {
    store: Arc<dyn Store>,
    key: LogKey,
    identity: Identity,
    head: Head,
    edge: Edge,
}

impl Writer {
    /// On a log that was created, and has no leaves yet.
    pub(crate) async fn on(store: Arc<dyn Store>, key: LogKey) -> Self {
        let (identity, head) = store.load().await.expect("it is read").expect("a log");
        assert_eq!(head.size, 0, "an empty log");
        Self { store, key, identity, head, edge: Edge::new() }
    }

    /// Adds leaves until there are so many; what hashes to them is `{"large":INDEX}`.
    pub(crate) async fn grow(&mut self, size: u64) {
        while self.head.size < size {
            let batch = self.round(AT_ONCE.min(size - self.head.size));
            self.store.commit(&batch).await.expect("the round is committed");
            self.head = batch.head;
        }
    }

    fn round(&mut self, count: u64) -> Batch {
        let Head { size: first, root, time, .. } = self.head;
        let (mut entries, mut tiles) = (Vec::new(), Vec::new());
        for index in first..first + count {
            let body = format!("{{\"large\":{index}}}").into_bytes();
            let leaf = Hash::leaf(&body);
            self.edge.append(leaf, &mut tiles);
            entries.push(NewEntry {
                leaf,
                body: body.into(),
                integrated_time: time,
                index_keys: Vec::new(),
                attestation: None,
            });
        }
        let (old, size, root) = ((first, root), self.edge.size(), self.edge.root());
        let Identity { hostname, tree_id, .. } = &self.identity;
        let checkpoint = self.key.sign_checkpoint(hostname, *tree_id, size, root).into();
        let head = Head { size, root, checkpoint, time };
        Batch { old, head, entries, tiles: tiles.iter().map(stored).collect() }
    }
}

/// A full tile of leaves. (No other one is completed here.)
fn stored(tile: &Tile) -> FullTile {
    assert_eq!(tile.id().level, 0, "those above are for the server to complete");
    let upper = HalfTile::upper(tile).map(|half| half.to_bytes());
    FullTile { id: tile.id(), hashes: tile.to_bytes(), upper }
}
