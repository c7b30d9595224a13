//! What the servers have promised.
//!
//! Border: remembers every receipt and every signed head of the whole soak, in little
//! memory, and holds them against each other. Whether one answer is right is in `receipts`;
//! asking for all of it at the end is in `examination`.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use tlog::Hash;

use crate::receipts::{Head, Receipts};

/// Everything that was promised.
#[derive(Default)]
pub(super) struct Witness {
    /// Leaf at each index for which a receipt was given, to whom added it or to whom read it.
    leaves: BTreeMap<u64, Hash>,
    /// Root and digest of the signed note at each size that was signed.
    heads: BTreeMap<u64, (Hash, [u8; 32])>,
}

impl Witness {
    /// Takes over what a slice of answers promised; each contradiction is a sentence.
    pub(super) fn hear(&mut self, receipts: &Receipts) -> Vec<String> {
        let mut contradictions = Vec::new();
        // Each entry was posted once and is the one that was asked for, so an index that was
        // given twice has two leaves.
        for (index, leaf) in receipts.entries() {
            if self.leaves.entry(*index).or_insert(*leaf) != leaf {
                contradictions.push(format!("two entries have the index {index}"));
            }
        }
        for ((size, root), note) in receipts.heads() {
            let head = (root, Sha256::digest(note).into());
            if *self.heads.entry(size).or_insert(head) != head {
                contradictions.push(format!("two heads of size {size}"));
            }
        }
        contradictions
    }

    /// Leaves that are surely there.
    pub(super) fn size(&self) -> u64 {
        self.leaves.last_key_value().map_or(0, |(index, _)| index + 1)
    }

    /// Index and leaf hash of each entry.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = (u64, Hash)> {
        self.leaves.iter().map(|(index, leaf)| (*index, *leaf))
    }

    pub(super) fn heads(&self) -> impl ExactSizeIterator<Item = Head> {
        self.heads.iter().map(|(size, (root, _))| (*size, *root))
    }
}
