//! The search strings that follow from a stored body, for audits.
//!
//! Border: what can be computed anew from what the log keeps, and what cannot.
//! The strings are those of [`VerifiedEntry::index_keys`](crate::VerifiedEntry::index_keys)
//! but for two sorts: the digest of a `hashedrekord` key as it was submitted, when
//! that was not its canonical form (the body keeps only the canonical one), and
//! the digests that an in-toto statement names, when its payload was not kept.

use crate::kinds::{self, Context, PayloadKeys};
use crate::verified::MAX_INDEX_KEYS;
use crate::{EntryError, ParseError, ProposedEntry};

/// The strings under which a stored entry must be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredKeys {
    /// Each of them must be in the index: lower case, sorted, distinct.
    pub certain: Vec<String>,
    /// All of them must be, or none: the digests that a statement names, where the
    /// body does not say whether the payload was declared to be one. Lower case,
    /// sorted, distinct, none of them in `certain`; no more with `certain` than an entry may have.
    pub together: Vec<String>,
    /// Whether a payload may be kept with it: its kind has one.
    pub keeps_payload: bool,
    /// The lower-case hex SHA-256 of the payload, if the body records it.
    pub payload_hash: Option<String>,
}

/// A stored body from which no search strings can be computed. Its leaf hash may
/// be right all the same: another version of this program took it.
#[derive(Debug, thiserror::Error)]
pub enum StoredKeysError {
    /// No kind, version or spec.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A spec that this version does not read.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl StoredKeys {
    /// Reads canonical leaf bytes and the payload that is kept with them; one that the kind does not
    /// have adds nothing.
    ///
    /// Where the body holds all of the evidence (`hashedrekord`), its signature is
    /// verified again.
    ///
    /// # Errors
    /// [`StoredKeysError`].
    pub fn of(body: &[u8], payload: Option<&[u8]>) -> Result<Self, StoredKeysError> {
        let stored = ProposedEntry::parse(body)?;
        let (version, spec) = (stored.version(), stored.spec());
        let evidence = kinds::read(stored.kind(), version, spec, Context::of_audit())?;
        let mut certain = evidence.stored_keys()?;
        let keeps_payload = evidence.keeps_payload();
        let mut together = Vec::new();
        match payload.filter(|_| keeps_payload).map(|payload| evidence.payload_keys(payload)) {
            None => {}
            Some(PayloadKeys::Certain(keys)) => certain.extend(keys),
            Some(PayloadKeys::AllOrNone(keys)) => together = keys,
        }
        let certain = lower_case(certain);
        let mut together = lower_case(together);
        together.retain(|key| certain.binary_search(key).is_err());
        // It would have been refused as a statement, so it was not declared to be one.
        if certain.len() + together.len() > MAX_INDEX_KEYS {
            together.clear();
        }
        let payload_hash = evidence.payload_hash().map(|hash| hash.value.to_lowercase());
        Ok(Self { certain, together, keeps_payload, payload_hash })
    }
}

fn lower_case(mut keys: Vec<String>) -> Vec<String> {
    for key in &mut keys {
        *key = key.to_lowercase();
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}
