//! Offline verification of what a log answers.
//!
//! Border: pure functions over bytes and one key: receipts, checkpoints, growth.
//! No network, no clock, no files. Whether the evidence inside an entry is about
//! a certain file is told by [`artifact`](crate::artifact).

mod attestation;
mod growth;
mod head;
mod log_key;

use entry::KeyError;
use tlog::{CheckpointError, EntryId, Hash, HashError, InclusionStep, NoteError, ProofError};
use wire::{EntryBody, InclusionProof, LogEntry, LogEntryError};

pub use attestation::AttestationProof;
pub use growth::{read_proof, verify_consistency};
pub(crate) use head::named_tree;
pub use head::{SignedHead, verify_checkpoint};
pub use log_key::LogKey;

/// Something in an answer that does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not exactly one entry.
    #[error(transparent)]
    Count(#[from] LogEntryError),
    /// The entry's name is not an entry ID of 80 hex digits.
    #[error("{0:?} is no entry ID of 80 hex digits")]
    EntryId(String),
    /// The body is not the leaf that the entry ID names.
    #[error("the entry's body hashes to leaf {computed}, its ID names leaf {named}")]
    Leaf {
        /// Hash of the body.
        computed: Hash,
        /// Last 64 digits of the entry ID.
        named: Hash,
    },
    /// The entry says that another key's log holds it.
    #[error("the entry is of log {entry:?}, the key is of log {key}")]
    LogId {
        /// The entry's `logID`.
        entry: String,
        /// The key's, hex.
        key: String,
    },
    /// A part of the receipt is not there.
    #[error("the receipt has no {0}")]
    Missing(&'static str),
    /// The signed entry timestamp is not by the key.
    #[error("the signed entry timestamp does not verify: {0}")]
    Timestamp(#[source] KeyError),
    /// A hash that is no hash.
    #[error("{field}: {source}")]
    Hash {
        /// Where it stands.
        field: &'static str,
        /// What is wrong with it.
        source: HashError,
    },
    /// The leaf is not in the tree.
    #[error("the inclusion proof does not hold: {0}")]
    Inclusion(#[source] ProofError),
    /// A checkpoint that is no signed note.
    #[error("the checkpoint is no signed note: {0}")]
    Note(#[from] NoteError),
    /// A note that is no checkpoint.
    #[error("the signed note is no checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// No signature line is by the key.
    #[error("the checkpoint {origin:?} carries no signature of the key {key}")]
    Unsigned {
        /// First line of the checkpoint.
        origin: String,
        /// The key's hash, 8 hex digits.
        key: String,
    },
    /// A signature line of the key does not verify.
    #[error("the checkpoint's signature does not verify: {0}")]
    Signature(#[source] KeyError),
    /// The checkpoint is of another tree.
    #[error("the checkpoint is of {origin:?}, not of tree {tree_id}")]
    Tree {
        /// First line of the checkpoint.
        origin: String,
        /// Decimal tree ID.
        tree_id: String,
    },
    /// The proof leads to another head than the checkpoint signs.
    #[error(
        "the checkpoint signs size {signed_size} and root {signed_root}, the proof is for size \
         {size} and root {root}"
    )]
    Head {
        /// The checkpoint's.
        signed_size: u64,
        /// The checkpoint's.
        signed_root: Hash,
        /// The proof's.
        size: u64,
        /// The proof's.
        root: Hash,
    },
    /// The newer tree does not continue the older one.
    #[error("the consistency proof does not hold: {0}")]
    Consistency(#[source] ProofError),
    /// The attestation is not the payload that the entry names.
    #[error("the attestation is not the payload that the entry names: {0}")]
    Attestation(String),
}

/// An entry whose receipt holds. Only [`verify_entry`] makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifiedReceipt {
    /// Tree and leaf.
    pub entry_id: EntryId,
    /// Virtual index, counted over all shards; the log signed it.
    pub log_index: u64,
    /// Unix seconds of the log's clock; the log signed it.
    pub integrated_time: i64,
    /// Canonical leaf bytes.
    pub body: Vec<u8>,
    /// Index inside the tree.
    pub tree_index: u64,
    /// Audit path, leaf to root.
    pub path: Vec<Hash>,
    /// The head that the path leads to, with the log's signature.
    pub head: SignedHead,
    /// What is proven about the attestation that came with the entry.
    pub attestation: AttestationProof,
}

impl VerifiedReceipt {
    /// Every step from the leaf to the root, for people who want to see them.
    #[must_use]
    pub fn steps(&self) -> Vec<InclusionStep> {
        let size = self.head.checkpoint().size;
        // The path was walked before, so there are no errors left.
        tlog::inclusion_steps(&self.entry_id.leaf, self.tree_index, size, &self.path)
            .unwrap_or_default()
    }
}

/// Checks everything that one entry's receipt says: the body is the leaf that the
/// entry ID names, the signed entry timestamp (SET) and the checkpoint are signed
/// by `key`, the inclusion proof leads to exactly the head that the checkpoint
/// signs, and an attestation is the payload that the body names.
///
/// # Errors
/// [`VerifyError`], the first that applies.
pub fn verify_entry(entry: &LogEntry, key: &LogKey) -> Result<VerifiedReceipt, VerifyError> {
    let (name, body) = entry.single()?;
    let entry_id: EntryId = name.parse().map_err(|_| VerifyError::EntryId(name.to_owned()))?;
    check_leaf(&entry_id, body)?;
    check_timestamp(body, key)?;
    let proof = body.verification.as_ref().and_then(|v| v.inclusion_proof.as_ref());
    let proof = proof.ok_or(VerifyError::Missing("inclusion proof"))?;
    let (path, root) = check_inclusion(&entry_id.leaf, proof)?;
    let head = check_head(proof, &root, &entry_id, key)?;
    Ok(VerifiedReceipt {
        entry_id,
        log_index: body.log_index,
        integrated_time: body.integrated_time,
        tree_index: proof.log_index,
        path,
        head,
        attestation: attestation::check(body)?,
        body: body.body.0.clone(),
    })
}

fn check_leaf(id: &EntryId, body: &EntryBody) -> Result<(), VerifyError> {
    let computed = Hash::leaf(&body.body.0);
    if computed == id.leaf {
        return Ok(());
    }
    Err(VerifyError::Leaf { computed, named: id.leaf })
}

fn check_timestamp(body: &EntryBody, key: &LogKey) -> Result<(), VerifyError> {
    if body.log_id != key.log_id() {
        return Err(VerifyError::LogId {
            entry: body.log_id.clone(),
            key: key.log_id().to_owned(),
        });
    }
    let set = body.verification.as_ref().and_then(|v| v.signed_entry_timestamp.as_ref());
    let set = set.ok_or(VerifyError::Missing("signed entry timestamp"))?;
    key.verify(&body.set_payload(), &set.0).map_err(VerifyError::Timestamp)
}

/// The audit path and the root that it was checked to lead to.
fn check_inclusion(leaf: &Hash, proof: &InclusionProof) -> Result<(Vec<Hash>, Hash), VerifyError> {
    let path = growth::read_hashes("inclusion proof", &proof.hashes)?;
    let root = growth::read_hash("rootHash", &proof.root_hash)?;
    tlog::verify_inclusion(leaf, proof.log_index, proof.tree_size, &path, &root)
        .map_err(VerifyError::Inclusion)?;
    Ok((path, root))
}

fn check_head(
    proof: &InclusionProof,
    root: &Hash,
    id: &EntryId,
    key: &LogKey,
) -> Result<SignedHead, VerifyError> {
    if proof.checkpoint.is_empty() {
        return Err(VerifyError::Missing("checkpoint"));
    }
    let head = SignedHead::verify(&proof.checkpoint, key)?;
    head.check_tree(&id.tree_id.to_string())?;
    let signed = head.checkpoint();
    if (signed.size, &signed.root) == (proof.tree_size, root) {
        return Ok(head);
    }
    Err(VerifyError::Head {
        signed_size: signed.size,
        signed_root: signed.root,
        size: proof.tree_size,
        root: *root,
    })
}

#[cfg(test)]
mod tests;
