//! The receipt: one entry as the API shows it, with SET, proof and checkpoint
//! of one tree head.
//!
//! Border: puts together what was signed and proved; signs and reads nothing.

use std::sync::Arc;

use tlog::Hash;
use wire::ProofText;

use super::recent::Signed;
use super::snapshot::Snapshot;

/// Bytes of a hash in the text: hex digits, quotes and a comma.
const HASH: usize = 67;

/// Bytes of the rest of a proof beside hashes and checkpoint, which has four line breaks to escape.
const PROOF: usize = 256;

/// One entry and its proof to one tree head, ready to be written.
#[derive(Debug)]
pub struct Receipt {
    signed: Arc<Signed>,
    snapshot: Arc<Snapshot>,
    proof: Vec<Hash>,
    with_attestation: bool,
}

impl Receipt {
    pub(super) fn new(signed: Arc<Signed>, snapshot: Arc<Snapshot>, proof: Vec<Hash>) -> Self {
        Self { signed, snapshot, proof, with_attestation: true }
    }

    /// The same entry without the payload that is kept with it.
    #[must_use]
    pub fn without_attestation(self) -> Self {
        Self { with_attestation: false, ..self }
    }

    /// The 80-hex entry ID.
    #[must_use]
    pub fn entry_id(&self) -> &str {
        self.signed.text.entry_id()
    }

    /// Bytes of its text, or a little more.
    #[must_use]
    pub fn size(&self) -> usize {
        let proof = self.snapshot.head.checkpoint.len() + HASH * self.proof.len() + PROOF;
        self.signed.text.size(self.with_attestation) + proof
    }

    /// Appends its text: the JSON of a [`wire::LogEntry`].
    ///
    /// # Errors
    /// None that is known of: what is written to is memory.
    pub fn write(&self, line: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let head = &self.snapshot.head;
        let proof = ProofText {
            checkpoint: &head.checkpoint,
            hashes: &self.proof,
            log_index: self.signed.index,
            root_hash: &head.root,
            tree_size: head.size,
        };
        self.signed.text.write(&proof, self.with_attestation, line)
    }
}
