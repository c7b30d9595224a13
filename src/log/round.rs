//! A round before it is signed.
//!
//! Border: which leaves it takes, which of them are new, and where each goes. Pure: it
//! reads neither the store nor the queue.

use std::collections::HashMap;
use std::sync::Arc;

use tlog::Hash;

use super::sequencer::{Placed, Waiting};
use super::snapshot::Snapshot;
use super::{Clock, Leaf};
use crate::store::NewEntry;

/// The next leaves, up to `max_bytes` of body and payload but at least one.
pub(super) fn take_round(rest: &mut Vec<Waiting>, max_bytes: usize) -> Vec<Waiting> {
    let mut bytes = 0_usize;
    let fits = rest.iter().take_while(|one| {
        bytes = bytes.saturating_add(one.leaf.weight());
        bytes <= max_bytes
    });
    let count = fits.count().max(1);
    let later = rest.split_off(count.min(rest.len()));
    std::mem::replace(rest, later)
}

/// A round before it is signed: which leaves are new, and where each goes.
pub(super) struct Round {
    pub(super) entries: Vec<NewEntry>,
    /// For each submission its new index, or `None` for one that was there before.
    indexes: Vec<Option<u64>>,
    /// Unix seconds.
    pub(super) time: i64,
}

impl Round {
    pub(super) fn plan(
        leaves: &[Leaf],
        known: &HashMap<Hash, u64>,
        now: &Snapshot,
        clock: &Clock,
    ) -> Self {
        // Integrated times never go back, whatever the clock does.
        let time = clock().max(now.head.time);
        let mut round = Self {
            entries: Vec::with_capacity(leaves.len()),
            indexes: Vec::with_capacity(leaves.len()),
            time,
        };
        let mut seen = std::collections::HashSet::with_capacity(leaves.len());
        for leaf in leaves {
            let new = !known.contains_key(&leaf.hash) && seen.insert(leaf.hash);
            let index = new.then(|| now.head.size + round.entries.len() as u64);
            round.indexes.push(index);
            if new {
                round.entries.push(leaf.to_entry(time));
            }
        }
        round
    }

    pub(super) fn places(&self, snapshot: &Arc<Snapshot>) -> Vec<Placed> {
        let place = |index: &Option<u64>| match index {
            Some(index) => {
                Placed::New { index: *index, time: self.time, snapshot: Arc::clone(snapshot) }
            }
            None => Placed::Before,
        };
        self.indexes.iter().map(place).collect()
    }
}
