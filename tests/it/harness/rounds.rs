//! Made-up logs for stories about the store, which interprets nothing: roots and
//! checkpoints need not be true, only different.

use std::sync::Arc;

use bytes::Bytes;
use indelible::log::index_key;
use indelible::store::{Attestation, Batch, FullTile, Head, Identity, NewEntry, Store};
use sha2::{Digest, Sha256};
use tlog::{Hash, TileId};

pub(crate) const CREATED: i64 = 1_700_000_000;

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

pub(crate) fn identity() -> Identity {
    Identity {
        tree_id: 1_193_050_959_916_656_506,
        hostname: "log.example".to_owned(),
        public_key: vec![0x30, 0x59, 0x00, 0xff],
        created_at: CREATED,
    }
}

/// The head of the empty log.
pub(crate) fn first_head() -> Head {
    Head {
        size: 0,
        root: Hash::from(sha256(b"")),
        checkpoint: "log.example - 1\n0\n".into(),
        time: CREATED,
    }
}

/// Creates a log and gives its first head.
pub(crate) async fn create(store: &dyn Store) -> Head {
    store.create(&identity(), &first_head()).await.expect("a new log");
    first_head()
}

/// A leaf that no other name has, without anything around it.
pub(crate) fn leaf(name: &str) -> NewEntry {
    let body = format!("{{\"name\":\"{name}\"}}").into_bytes();
    NewEntry {
        leaf: Hash::leaf(&body),
        body: body.into(),
        integrated_time: CREATED + 1,
        index_keys: Vec::new(),
        attestation: None,
    }
}

/// The same with search strings.
pub(crate) fn indexed_leaf(name: &str, strings: &[&str]) -> NewEntry {
    let index_keys = strings.iter().map(|string| index_key(string)).collect();
    NewEntry { index_keys, ..leaf(name) }
}

/// The same with a payload.
pub(crate) fn attested_leaf(name: &str, payload: &[u8]) -> NewEntry {
    let attestation =
        Attestation { digest: sha256(payload), data: Bytes::copy_from_slice(payload) };
    NewEntry { attestation: Some(attestation), ..leaf(name) }
}

/// `count` leaves that differ from those of other labels.
pub(crate) fn leaves(label: &str, count: usize) -> Vec<NewEntry> {
    (0..count).map(|number| leaf(&format!("{label} {number}"))).collect()
}

/// A full tile with bytes of its own.
pub(crate) fn tile(level: u8, index: u64) -> FullTile {
    let hash = |n: u64| sha256(format!("tile {level} {index} {n}").as_bytes());
    let upper = (level == 0).then(|| (256..272).flat_map(hash).collect());
    FullTile { id: TileId { level, index }, hashes: (0..256).flat_map(hash).collect(), upper }
}

/// A round on top of `old`. Its root depends on all leaves of the round.
pub(crate) fn round(old: &Head, entries: Vec<NewEntry>) -> Batch {
    let size = old.size + entries.len() as u64;
    let mut content = old.root.as_bytes().to_vec();
    for entry in &entries {
        content.extend_from_slice(entry.leaf.as_bytes());
    }
    let root = Hash::from(sha256(&content));
    let checkpoint: Arc<str> = format!("log.example - 1\n{size}\n{root}\n").into();
    Batch {
        old: (old.size, old.root),
        head: Head { size, root, checkpoint, time: old.time + 1 },
        entries,
        tiles: Vec::new(),
    }
}

/// Commits a round and gives the new head.
pub(crate) async fn append(store: &dyn Store, old: &Head, entries: Vec<NewEntry>) -> Head {
    let batch = round(old, entries);
    store.commit(&batch).await.expect("the round is committed");
    batch.head
}
