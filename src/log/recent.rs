//! Entries that were read lately, with their signed timestamps.
//!
//! Border: memory, within a bound. An entry never changes, and neither does what its
//! timestamp covers, nor its path through a full tile, so these may be shown again, as the text that
//! they were shown as; the rest of the proof and the head are made anew for each answer.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tlog::{EntryId, Hash, TilePath};
use wire::{EntryText, SetPayload};

use crate::signer::{KeyError, LogKey};
use crate::store::EntryKey;

/// Bytes counted for an entry beside its text.
const OVERHEAD: u64 = 768;

/// What an answer says of an entry, whatever the head.
pub(super) struct Facts<'a> {
    pub(super) index: u64,
    pub(super) leaf: Hash,
    pub(super) body: &'a [u8],
    /// Unix seconds.
    pub(super) integrated_time: i64,
    pub(super) attestation: Option<&'a [u8]>,
}

/// An entry with its signed entry timestamp and, if its tile was full when it was read, its path
/// through that.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) index: u64,
    pub(super) leaf: Hash,
    pub(super) text: EntryText,
    pub(super) path: Option<TilePath>,
}

impl Signed {
    /// Signs the entry timestamp.
    pub(super) fn new(
        key: &LogKey,
        tree_id: u64,
        facts: &Facts<'_>,
        path: Option<TilePath>,
    ) -> Result<Self, KeyError> {
        let Facts { index, leaf, body, integrated_time, attestation } = *facts;
        let payload = SetPayload {
            body: &wire::base64_text(body),
            integrated_time,
            log_id: key.log_id(),
            log_index: index,
        };
        let set = key.sign_set(&payload.to_signed_bytes())?;
        let id = EntryId { tree_id, leaf }.to_string();
        Ok(Self { index, leaf, text: EntryText::new(&id, &payload, &set, attestation), path })
    }

    fn weight(&self) -> u64 {
        self.text.size(true) as u64 + OVERHEAD
    }
}

/// The entries, by index or leaf hash, whichever they were asked for by.
pub(super) struct Recent(Cache<EntryKey, Arc<Signed>, ByBytes>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<EntryKey, Arc<Signed>> for ByBytes {
    fn weight(&self, _: &EntryKey, signed: &Arc<Signed>) -> u64 {
        signed.weight()
    }
}

impl Recent {
    /// Keeps up to `max_bytes`; 0 keeps nothing.
    pub(super) fn new(max_bytes: u64) -> Self {
        let entries = usize::try_from(max_bytes / 4_096).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(entries, max_bytes, ByBytes))
    }

    pub(super) fn get(&self, key: EntryKey) -> Option<Arc<Signed>> {
        self.0.get(&key)
    }

    pub(super) fn keep(&self, key: EntryKey, signed: Arc<Signed>) {
        self.0.insert(key, signed);
    }
}
