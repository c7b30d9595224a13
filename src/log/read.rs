//! Looking up and proving.
//!
//! Border: what is answered is committed, and every answer is of one tree head. Changes nothing.

use std::fmt;
use std::sync::Arc;

use tlog::{EntryId, EntryRef, ProofPlan, TilePath, verify_inclusion};
use wire::{ConsistencyProof, LogInfo};

use super::error::Unsettled;
use super::receipt::Receipt;
use super::recent::{Facts, Signed};
use super::snapshot::Snapshot;
use super::{ConsistencyError, Log, ReadError};
use crate::store::{EntryKey, Head, StoreError, StoredEntry};

/// Bytes that are encoded on the thread at hand. More takes milliseconds, and that thread serves others.
const AT_ONCE: usize = 1 << 16;

/// How an entry is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By virtual index.
    Index(u64),
    /// By leaf hash or entry ID.
    Uuid(EntryRef),
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::Uuid(EntryRef::Leaf(leaf)) => leaf.fmt(f),
            Self::Uuid(EntryRef::Entry(id)) => id.fmt(f),
        }
    }
}

impl Log {
    /// One entry with its payload, its SET, and a proof to the newest head.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn entry(&self, lookup: Lookup) -> Result<Option<Receipt>, ReadError> {
        let key = match lookup {
            Lookup::Index(index) => EntryKey::Index(index),
            Lookup::Uuid(EntryRef::Leaf(leaf)) => EntryKey::Leaf(leaf),
            Lookup::Uuid(EntryRef::Entry(EntryId { tree_id, .. })) if tree_id != self.tree_id() => {
                return Ok(None);
            }
            Lookup::Uuid(EntryRef::Entry(EntryId { leaf, .. })) => EntryKey::Leaf(leaf),
        };
        if let Some(signed) = self.0.recent.get(key) {
            return self.prove(signed).await.map(Some);
        }
        let Some(mut found) = self.0.store.entry(key).await? else { return Ok(None) };
        let path = match found.around.take() {
            Some(around) => Some(self.0.tree.tiles.path(found.index, around).await?),
            None => None,
        };
        let signed = Arc::new(self.sign_found(found, path).await?);
        let receipt = self.prove(Arc::clone(&signed)).await?;
        self.0.recent.keep(key, signed);
        Ok(Some(receipt))
    }

    /// Signs what was read, and writes it as text.
    async fn sign_found(
        &self,
        found: StoredEntry,
        path: Option<TilePath>,
    ) -> Result<Signed, ReadError> {
        let bytes = found.body.len() + found.attestation.as_ref().map_or(0, Vec::len);
        let (key, tree_id) = (Arc::clone(&self.0.key), self.tree_id());
        let sign = move || {
            let facts = Facts {
                index: found.index,
                leaf: found.leaf,
                body: &found.body,
                integrated_time: found.integrated_time,
                attestation: found.attestation.as_deref(),
            };
            Signed::new(&key, tree_id, &facts, path)
        };
        if bytes <= AT_ONCE {
            return Ok(sign()?);
        }
        let signed = tokio::task::spawn_blocking(sign).await;
        Ok(signed.map_err(|panicked| StoreError::Unavailable(Box::new(panicked)))??)
    }

    pub(super) async fn prove(&self, signed: Arc<Signed>) -> Result<Receipt, ReadError> {
        let index = signed.index;
        let snapshot = self.reaching(index.saturating_add(1)).await?;
        let plan = ProofPlan::inclusion(index, snapshot.head.size)?;
        let [proof] = self.0.tree.resolve(&snapshot, signed.path.as_ref(), [&plan]).await?;
        let (leaf, Head { size, root, .. }) = (&signed.leaf, &snapshot.head);
        // A database that was damaged since may give hashes that do not lead to the signed root.
        if let Err(wrong) = verify_inclusion(leaf, index, *size, &proof, root) {
            self.0.tree.tiles.forget(index);
            return Err(wrong.into());
        }
        Ok(Receipt::new(signed, snapshot, proof))
    }

    /// A snapshot of at least so many leaves, or of all that there are.
    ///
    /// # Errors
    /// `Unavailable` also when the database has them, but no head that has them may be shown.
    async fn reaching(&self, size: u64) -> Result<Arc<Snapshot>, ReadError> {
        let snapshot = self.0.tree.snapshot();
        if snapshot.head.size >= size {
            return Ok(snapshot);
        }
        let snapshot = self.0.tree.advance().await?;
        if snapshot.head.size < size && self.0.store.head().await?.size >= size {
            return Err(StoreError::Unavailable(Box::new(Unsettled(size))).into());
        }
        Ok(snapshot)
    }

    /// The newest head.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn log_info(&self) -> Result<LogInfo, ReadError> {
        let snapshot = self.0.tree.advance().await?;
        Ok(LogInfo {
            inactive_shards: Vec::new(),
            root_hash: snapshot.head.root.to_string(),
            signed_tree_head: snapshot.head.checkpoint.to_string(),
            tree_id: self.tree_id().to_string(),
            tree_size: snapshot.head.size,
        })
    }

    /// Proves that the tree of `last` leaves continues the one of `first`.
    ///
    /// # Errors
    /// [`ConsistencyError`].
    pub async fn consistency(
        &self,
        first: u64,
        last: u64,
    ) -> Result<ConsistencyProof, ConsistencyError> {
        let snapshot = self.reaching(last).await?;
        let size = snapshot.head.size;
        if last > size {
            return Err(ConsistencyError::TooLarge { requested: last, size });
        }
        let growth = self.0.tree.growth(&snapshot, first, last).await?;
        Ok(ConsistencyProof {
            hashes: growth.proof.iter().map(ToString::to_string).collect(),
            root_hash: snapshot.head.root.to_string(),
        })
    }
}
