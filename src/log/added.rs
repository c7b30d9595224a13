//! Where the leaves are that this server added lately.
//!
//! Border: memory, within a bound. Only what this process committed itself, and was told so: to say
//! of a leaf that it is in the log promises as much as its receipt did.

use std::sync::{Mutex, PoisonError};

use hashlink::LruCache;
use tlog::Hash;

/// A leaf's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) index: u64,
    /// Unix seconds.
    pub(super) integrated_time: i64,
}

/// The places, by leaf hash; those go first that were added, or added again, the longest ago.
///
/// Not a cache that keeps what is asked for often: nearly all of these never are, and those that
/// are, soon.
pub(super) struct Added(Mutex<LruCache<Hash, Place>>);

impl Added {
    /// Remembers up to `most`; 0 none.
    pub(super) fn new(most: usize) -> Self {
        Self(Mutex::new(LruCache::new(most)))
    }

    pub(super) fn get(&self, leaf: Hash) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&leaf).copied()
    }

    /// Those of the leaves that are remembered, with their indexes.
    pub(super) fn find(&self, leaves: impl Iterator<Item = Hash>) -> Vec<(Hash, u64)> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        leaves.filter_map(|leaf| Some((leaf, places.get(&leaf)?.index))).collect()
    }

    /// Leaves from index `first` on, after their commit.
    pub(super) fn keep(
        &self,
        leaves: impl Iterator<Item = Hash>,
        first: u64,
        integrated_time: i64,
    ) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (leaf, index) in leaves.zip(first..) {
            places.insert(leaf, Place { index, integrated_time });
        }
    }
}
