//! The receipt: one entry as the API shows it, with SET, proof and checkpoint
//! of one tree head.
//!
//! Border: assembles; signs and reads nothing.

use tlog::{EntryId, Hash};
use wire::{AttestationData, Base64, EntryBody, InclusionProof, LogEntry, Verification};

use super::recent::Signed;
use super::snapshot::Snapshot;

/// Puts everything together.
pub(super) fn receipt(
    (tree_id, log_id): (u64, &str),
    signed: Signed,
    snapshot: &Snapshot,
    proof: &[Hash],
) -> LogEntry {
    let Signed { entry, set, path: _ } = signed;
    let inclusion_proof = InclusionProof {
        checkpoint: snapshot.head.checkpoint.to_string(),
        hashes: proof.iter().map(ToString::to_string).collect(),
        log_index: entry.index,
        root_hash: snapshot.head.root.to_string(),
        tree_size: snapshot.head.size,
    };
    let attestation = entry
        .attestation
        .map(|data| AttestationData { data: (!data.is_empty()).then_some(Base64(data)) });
    let shown = EntryBody {
        attestation,
        body: Base64(entry.body),
        integrated_time: entry.integrated_time,
        log_id: log_id.to_owned(),
        log_index: entry.index,
        verification: Some(Verification {
            inclusion_proof: Some(inclusion_proof),
            signed_entry_timestamp: Some(Base64(set)),
        }),
    };
    LogEntry::new(EntryId { tree_id, leaf: entry.leaf }.to_string(), shown)
}
