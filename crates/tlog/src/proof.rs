//! Inclusion and consistency proofs: which nodes they are made of.
//!
//! Border: planning and assembling (RFC 6962 section 2.1.1 and 2.1.2). Where a
//! node's hash comes from is the caller's affair; verification is in `verify`.

use crate::edge::perfect_subtrees;
use crate::{Hash, NodeId};

/// Why there is no proof, or why one does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not in a tree of this size.
    #[error("index {index} is not in a tree of {size} leaves")]
    Index {
        /// Leaf index.
        index: u64,
        /// Tree size.
        size: u64,
    },
    /// The sizes are the wrong way round.
    #[error("a tree of {first} leaves does not grow into one of {last}")]
    Sizes {
        /// Smaller size.
        first: u64,
        /// Larger size.
        last: u64,
    },
    /// A hash that the plan needs was not supplied.
    #[error("the hash of node {0:?} is missing")]
    MissingNode(NodeId),
    /// Too few or too many hashes.
    #[error("the proof has {actual} hashes instead of {expected}")]
    Length {
        /// Hashes that there must be.
        expected: usize,
        /// Hashes that there are.
        actual: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to root {computed} instead of {expected}")]
    Root {
        /// Root that was to be reached.
        expected: Hash,
        /// Root that was reached.
        computed: Hash,
    },
}

/// The nodes that a proof is made of. Each of its hashes covers a range of
/// leaves and is folded from the perfect subtrees of that range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofPlan {
    /// The leaves `start..end` of each hash.
    ranges: Vec<(u64, u64)>,
}

impl ProofPlan {
    /// RFC 6962 PATH(index, D\[size\]): from the leaf's sibling to the root.
    ///
    /// # Errors
    /// [`ProofError::Index`].
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size {
            return Err(ProofError::Index { index, size });
        }
        let mut ranges = Vec::with_capacity(levels(size));
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let split = start + largest_split(end - start);
            if index < split {
                ranges.push((split, end));
                end = split;
            } else {
                ranges.push((start, split));
                start = split;
            }
        }
        ranges.reverse();
        Ok(Self { ranges })
    }

    /// RFC 6962 PROOF(first, D\[last\]); without hashes when `first` is 0 or
    /// equals `last`.
    ///
    /// # Errors
    /// [`ProofError::Sizes`].
    pub fn consistency(first: u64, last: u64) -> Result<Self, ProofError> {
        if first > last {
            return Err(ProofError::Sizes { first, last });
        }
        if first == 0 || first == last {
            return Ok(Self { ranges: Vec::new() });
        }
        let mut ranges = Vec::with_capacity(levels(last));
        let (mut start, mut end) = (0, last);
        while first < end {
            let split = start + largest_split(end - start);
            if first <= split {
                ranges.push((split, end));
                end = split;
            } else {
                ranges.push((start, split));
                start = split;
            }
        }
        // The old root itself is known to the verifier when nothing was split off to its left.
        if start > 0 {
            ranges.push((start, end));
        }
        ranges.reverse();
        Ok(Self { ranges })
    }

    /// One hash, the root of the tree of `size` leaves; none when it is empty.
    #[must_use]
    pub fn root(size: u64) -> Self {
        Self { ranges: if size == 0 { Vec::new() } else { vec![(0, size)] } }
    }

    /// Every node that is needed.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.ranges.iter().flat_map(|(start, end)| perfect_subtrees(*start, *end))
    }

    /// The proof's hashes, given the hash of each node.
    ///
    /// # Errors
    /// [`ProofError::MissingNode`] for the first node without a hash.
    pub fn resolve(
        &self,
        lookup: impl Fn(NodeId) -> Option<Hash>,
    ) -> Result<Vec<Hash>, ProofError> {
        let hash = |node| lookup(node).ok_or(ProofError::MissingNode(node));
        let mut proof = Vec::with_capacity(self.ranges.len());
        for (start, end) in &self.ranges {
            let mut from_the_right = perfect_subtrees(*start, *end).rev();
            let Some(last) = from_the_right.next() else { continue };
            let folded = from_the_right
                .try_fold(hash(last)?, |folded, left| Ok(Hash::node(&hash(left)?, &folded)))?;
            proof.push(folded);
        }
        Ok(proof)
    }
}

/// Levels of a tree of so many leaves: no proof needs more hashes, but for the old root.
fn levels(size: u64) -> usize {
    (u64::BITS - size.leading_zeros()) as usize
}

/// The largest power of two smaller than `width`, which is at least 2.
fn largest_split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}
