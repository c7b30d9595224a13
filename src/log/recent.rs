//! Entries that were read lately, with their signed timestamps.
//!
//! Border: memory, within a bound. An entry never changes, and neither does what its
//! timestamp covers, nor its path through a full tile, so these may be shown again; the rest of
//! the proof and the head are made anew for each answer.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tlog::TilePath;
use wire::SetPayload;

use crate::signer::{KeyError, LogKey};
use crate::store::{EntryKey, StoredEntry};

/// Bytes counted for an entry beside its body and payload.
const OVERHEAD: u64 = 768;

/// An entry with its signed entry timestamp and, if its tile was full when it was read, its path
/// through that.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) entry: StoredEntry,
    pub(super) set: Vec<u8>,
    pub(super) path: Option<TilePath>,
}

impl Signed {
    /// Signs the entry timestamp.
    pub(super) fn new(
        key: &LogKey,
        entry: StoredEntry,
        path: Option<TilePath>,
    ) -> Result<Self, KeyError> {
        let payload = SetPayload {
            body: &wire::base64_text(&entry.body),
            integrated_time: entry.integrated_time,
            log_id: key.log_id(),
            log_index: entry.index,
        };
        Ok(Self { set: key.sign_set(&payload.to_signed_bytes())?, entry, path })
    }

    fn weight(&self) -> u64 {
        let payload = self.entry.attestation.as_ref().map_or(0, Vec::len);
        (self.entry.body.len() + payload) as u64 + OVERHEAD
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
