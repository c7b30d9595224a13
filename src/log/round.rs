//! A round before it is signed.
//!
//! Border: which of its leaves are new, and where each goes. Pure: it
//! reads neither the store nor the queue.

use std::collections::HashMap;
use std::sync::Arc;

use tlog::Hash;

use super::Clock;
use super::queue::Waiting;
use super::sequencer::Placed;
use super::snapshot::Snapshot;
use crate::store::NewEntry;

/// A round before it is signed: which leaves are new, and where each goes.
pub(super) struct Round {
    pub(super) entries: Vec<NewEntry>,
    /// For each submission its new index, or `None` for one that was there before.
    indexes: Vec<Option<u64>>,
    /// Unix seconds.
    pub(super) time: i64,
    /// Seconds that the clock is behind it.
    pub(super) behind: i64,
}

impl Round {
    pub(super) fn plan(
        waiting: &[Waiting],
        known: &HashMap<Hash, u64>,
        now: &Snapshot,
        clock: &Clock,
    ) -> Self {
        // Integrated times never go back, whatever the clock does.
        let clock = clock();
        let time = clock.max(now.head.time);
        let mut round = Self {
            entries: Vec::with_capacity(waiting.len()),
            indexes: Vec::with_capacity(waiting.len()),
            time,
            behind: time.saturating_sub(clock),
        };
        let mut seen = std::collections::HashSet::with_capacity(waiting.len());
        for Waiting { leaf, .. } in waiting {
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
