//! What the sequencer takes: evidence that was verified.
//!
//! Border: the only way to make a [`Leaf`] is from a [`VerifiedEntry`], so
//! nobody can hand an unverified entry to the log.

use std::sync::Arc;

use entry::{Payload, VerifiedEntry};
use tlog::Hash;

use crate::store::{Attestation, IndexKey, NewEntry};

/// A verified entry in the form that is appended.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub(crate) hash: Hash,
    pub(crate) body: Arc<[u8]>,
    index_keys: Vec<IndexKey>,
    attestation: Option<Attestation>,
}

impl From<VerifiedEntry> for Leaf {
    fn from(entry: VerifiedEntry) -> Self {
        let (body, hash, keys, payload) = entry.into_parts();
        let attestation = match payload {
            Payload::Kept(kept) => {
                Some(Attestation { digest: kept.digest, data: kept.data.into() })
            }
            Payload::None | Payload::TooLarge { .. } => None,
        };
        Self {
            hash,
            body: body.into(),
            index_keys: keys.iter().map(|key| IndexKey::of(key)).collect(),
            attestation,
        }
    }
}

impl Leaf {
    /// Bytes of body and payload, for the bounds of queue and round.
    pub(crate) fn weight(&self) -> usize {
        self.body.len() + self.attestation.as_ref().map_or(0, |kept| kept.data.len())
    }

    pub(crate) fn to_entry(&self, integrated_time: i64) -> NewEntry {
        NewEntry {
            leaf: self.hash,
            body: Arc::clone(&self.body),
            integrated_time,
            index_keys: self.index_keys.clone(),
            attestation: self.attestation.clone(),
        }
    }
}
