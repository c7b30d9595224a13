//! Growth: that a newer tree continues an older one (RFC 9162 section 2.1.4.2).
//!
//! Border: two checkpoints and a proof. Remembering heads is in
//! [`state`](crate::state).

use tlog::{Checkpoint, Hash};
use wire::ConsistencyProof;

use super::VerifyError;

/// Checks that the tree of `newer` continues the tree of `older`.
///
/// # Errors
/// [`VerifyError::Consistency`].
pub fn verify_consistency(
    older: &Checkpoint,
    newer: &Checkpoint,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    tlog::verify_consistency(older.size, newer.size, &older.root, &newer.root, proof)
        .map_err(VerifyError::Consistency)
}

/// The hashes of a consistency proof as a server sends it. Its `rootHash` is not looked at: it is
/// the root of whatever size is current.
///
/// # Errors
/// [`VerifyError::Hash`].
pub fn read_proof(proof: &ConsistencyProof) -> Result<Vec<Hash>, VerifyError> {
    read_hashes("consistency proof", &proof.hashes)
}

pub(super) fn read_hash(field: &'static str, text: &str) -> Result<Hash, VerifyError> {
    text.parse().map_err(|source| VerifyError::Hash { field, source })
}

pub(super) fn read_hashes(
    field: &'static str,
    hashes: &[String],
) -> Result<Vec<Hash>, VerifyError> {
    hashes.iter().map(|hash| read_hash(field, hash)).collect()
}
