//! Leaves that must be found under their hash.
//!
//! Border: the look-up that a server asks before it gives a leaf an index, and by
//! which clients find an entry. It goes by the database's own index, which may say
//! something else than the table: then a leaf is lost, or gets a second index.

use std::collections::HashMap;

use tlog::Hash;

use super::finding::Finding;
use super::findings::Findings;
use super::reads::readable;
use crate::store::{Audit, StoreError};

const COLUMN: &str = "the database's index of entries.leaf_hash";

#[derive(Default)]
pub(super) struct Leaves {
    pending: Vec<(u64, Hash)>,
}

impl Leaves {
    /// Notes an entry whose row is in order.
    pub(super) fn note(&mut self, index: u64, leaf: Hash) {
        self.pending.push((index, leaf));
    }

    /// Looks up those that were noted.
    pub(super) async fn check(
        &mut self,
        store: &dyn Audit,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut self.pending);
        let leaves: Vec<Hash> = pending.iter().map(|(_, leaf)| *leaf).collect();
        if leaves.is_empty() {
            return Ok(());
        }
        if let Ok(found) = readable(store.find_leaves(&leaves).await)? {
            let found = by_leaf(found);
            findings.extend(pending.into_iter().filter_map(|(index, leaf)| {
                judge(index, leaf, found.get(&leaf).map_or(&[], Vec::as_slice))
            }));
            return Ok(());
        }
        for (index, leaf) in pending {
            match readable(store.find_leaves(&[leaf]).await)? {
                Ok(found) => {
                    let indexes: Vec<u64> = found.into_iter().map(|(_, index)| index).collect();
                    findings.extend(judge(index, leaf, &indexes));
                }
                Err(what) => findings.push(Finding::unreadable(index, COLUMN, &what)),
            }
        }
        Ok(())
    }
}

fn by_leaf(found: Vec<(Hash, u64)>) -> HashMap<Hash, Vec<u64>> {
    let mut by_leaf: HashMap<Hash, Vec<u64>> = HashMap::new();
    for (leaf, index) in found {
        by_leaf.entry(leaf).or_default().push(index);
    }
    by_leaf
}

fn judge(index: u64, leaf: Hash, found: &[u64]) -> Option<Finding> {
    let found = match found {
        [one] if *one == index => return None,
        [] => "nothing".to_owned(),
        others => {
            let others: Vec<String> = others.iter().map(|n| format!("entry {n}")).collect();
            others.join(" and ")
        }
    };
    Some(Finding::entry(index, COLUMN, format!("this entry alone under {leaf}"), found))
}
