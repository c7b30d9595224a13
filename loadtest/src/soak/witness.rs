//! What the servers have promised, and whether they keep it.
//!
//! Border: remembers every receipt and every signed head of the whole soak, in little
//! memory, and asks for them at the end. Whether one answer is right is in `receipts`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use tlog::{Hash, verify_consistency};
use wire::{ConsistencyProof, LogEntry, LogInfo};

use crate::connection::{Call, Connection};
use crate::receipts::Receipts;

/// Receipts and heads that are asked for at the end; all of them are held against each
/// other, and `fsck` recomputes the log.
const ASKED: usize = 2_000;

/// Everything that was promised.
#[derive(Default)]
pub(super) struct Witness {
    /// Leaf at each index for which a receipt was given, to whom added it or to whom read it.
    leaves: BTreeMap<u64, Hash>,
    /// Root and digest of the signed note at each size that was signed.
    heads: BTreeMap<u64, (Hash, [u8; 32])>,
}

impl Witness {
    /// Takes over what a slice of answers promised.
    ///
    /// # Errors
    /// When it contradicts what was promised before.
    pub(super) fn hear(&mut self, receipts: Receipts) -> anyhow::Result<()> {
        // Each entry was posted once and is the one that was asked for, so an index that was
        // given twice has two leaves.
        for (index, leaf) in receipts.entries() {
            let known = self.leaves.entry(*index).or_insert(*leaf);
            ensure!(known == leaf, "two entries have the index {index}");
        }
        for (size, note) in receipts.checkpoints() {
            let root = tlog::Checkpoint::parse(&tlog::Note::parse(note)?.text)?.root;
            let head = (root, Sha256::digest(note).into());
            let known = *self.heads.entry(size).or_insert(head);
            ensure!(known == head, "two checkpoints of size {size}");
        }
        Ok(())
    }

    /// Leaves that are surely there.
    pub(super) fn size(&self) -> u64 {
        self.leaves.last_key_value().map_or(0, |(index, _)| index + 1)
    }

    pub(super) fn promises(&self) -> usize {
        self.leaves.len()
    }

    pub(super) fn checkpoints(&self) -> usize {
        self.heads.len()
    }

    /// Asks the servers for what was promised; each broken promise is a sentence.
    ///
    /// # Errors
    /// When a server does not answer.
    pub(super) async fn examine(&self, servers: &[SocketAddr]) -> anyhow::Result<Vec<String>> {
        let mut broken = Vec::new();
        for server in servers {
            let mut connection = Connection::new(*server)?;
            let head: LogInfo = ask(&mut connection, "/api/v1/log").await?;
            if head.tree_size < self.size() {
                broken.push(format!("{} entries, {} were promised", head.tree_size, self.size()));
            }
            for (index, leaf) in some(&self.leaves) {
                let path = format!("/api/v1/log/entries?logIndex={index}");
                let entry: LogEntry = ask(&mut connection, &path).await?;
                let (_, body) = entry.single()?;
                if Hash::leaf(&body.body.0) != *leaf {
                    broken.push(format!("entry {index} is not the one of its receipt"));
                }
            }
            let root: Hash = head.root_hash.parse()?;
            for (size, (former, _)) in some(&self.heads) {
                let last = head.tree_size;
                let path = format!("/api/v1/log/proof?firstSize={size}&lastSize={last}");
                let proof: ConsistencyProof = ask(&mut connection, &path).await?;
                let hashes = proof.hashes.iter().map(|hash| hash.parse());
                let hashes = hashes.collect::<Result<Vec<Hash>, _>>()?;
                if verify_consistency(*size, last, former, &root, &hashes).is_err() {
                    broken
                        .push(format!("the head of size {size} is not in the log of size {last}"));
                }
            }
        }
        Ok(broken)
    }
}

/// Some of many, spread over all of them.
fn some<K, V>(all: &BTreeMap<K, V>) -> impl Iterator<Item = (&K, &V)> {
    all.iter().step_by(all.len().div_ceil(ASKED).max(1))
}

async fn ask<T: serde::de::DeserializeOwned>(
    connection: &mut Connection,
    path: &str,
) -> anyhow::Result<T> {
    let (status, answer) = connection.call(Call::get(path.to_owned())).await?;
    serde_json::from_slice(&answer).with_context(|| format!("{path}: status {status}"))
}
