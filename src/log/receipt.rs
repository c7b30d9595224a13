//! The receipt: one entry as the API shows it, with SET, proof and checkpoint
//! of one tree head.
//!
//! Border: assembles and signs; reads nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog::{EntryId, Hash};
use wire::{
    AttestationData, Base64, EntryBody, InclusionProof, LogEntry, SetPayload, Verification,
};

use super::snapshot::Snapshot;
use crate::signer::{KeyError, LogKey};

/// What a receipt is about.
pub(crate) struct Subject {
    pub(crate) tree_id: u64,
    pub(crate) index: u64,
    pub(crate) leaf: Hash,
    pub(crate) body: Vec<u8>,
    pub(crate) integrated_time: i64,
    pub(crate) attestation: Option<Vec<u8>>,
}

/// Signs the entry timestamp and puts everything together.
pub(crate) fn receipt(
    key: &LogKey,
    subject: Subject,
    snapshot: &Snapshot,
    proof: &[Hash],
) -> Result<LogEntry, KeyError> {
    let Subject { tree_id, index, leaf, body, integrated_time, attestation } = subject;
    let set = key.sign_set(
        &SetPayload {
            body: &STANDARD.encode(&body),
            integrated_time,
            log_id: key.log_id(),
            log_index: index,
        }
        .to_signed_bytes(),
    )?;
    let inclusion_proof = InclusionProof {
        checkpoint: snapshot.head.checkpoint.to_string(),
        hashes: proof.iter().map(ToString::to_string).collect(),
        log_index: index,
        root_hash: snapshot.head.root.to_string(),
        tree_size: snapshot.head.size,
    };
    let attestation = attestation
        .map(|data| AttestationData { data: (!data.is_empty()).then_some(Base64(data)) });
    let shown = EntryBody {
        attestation,
        body: Base64(body),
        integrated_time,
        log_id: key.log_id().to_owned(),
        log_index: index,
        verification: Some(Verification {
            inclusion_proof: Some(inclusion_proof),
            signed_entry_timestamp: Some(Base64(set)),
        }),
    };
    Ok(LogEntry::new(EntryId { tree_id, leaf }.to_string(), shown))
}
