//! Verification of proofs that came from somebody else.
//!
//! Border: RFC 9162 sections 2.1.3.2 and 2.1.4.2, with the exact length of a
//! proof checked. Every `u64` and every list of hashes is a possible input;
//! nothing here panics or overflows.

use crate::{Hash, ProofError};

/// One step from a leaf towards the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InclusionStep {
    /// Left child.
    pub left: Hash,
    /// Right child.
    pub right: Hash,
    /// Their parent.
    pub parent: Hash,
}

/// Checks that `leaf` is at `index` of the tree of `size` leaves with `root`.
///
/// # Errors
/// [`ProofError`] when it is not, or when the proof is not exactly as long as
/// index and size demand.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let steps = inclusion_steps(leaf, index, size, proof)?;
    same_root(steps.last().map_or(*leaf, |step| step.parent), root)
}

/// Every step from the leaf to the root, for people who want to see them.
///
/// # Errors
/// [`ProofError::Index`] and [`ProofError::Length`].
pub fn inclusion_steps(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
) -> Result<Vec<InclusionStep>, ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    exact_length(proof, inclusion_length(index, size))?;
    let mut steps = Vec::with_capacity(proof.len());
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if at & 1 == 1 || at == last {
            // A node without right sibling rises until it is one.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
            steps.push(step(*sibling, hash));
        } else {
            steps.push(step(hash, *sibling));
        }
        hash = steps.last().map_or(hash, |step| step.parent);
        at >>= 1;
        last >>= 1;
    }
    Ok(steps)
}

/// Checks that the tree of `last` leaves continues the tree of `first`.
///
/// The empty tree is continued by every tree, which needs no hashes but the
/// right root of nothing; equal sizes need equal roots and no hashes.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    first: u64,
    last: u64,
    first_root: &Hash,
    last_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if first > last {
        return Err(ProofError::Sizes { first, last });
    }
    if first == last || first == 0 {
        exact_length(proof, 0)?;
        let known = if first == 0 { &Hash::EMPTY_ROOT } else { last_root };
        return same_root(*known, first_root);
    }
    exact_length(proof, consistency_length(first, last))?;
    let (mut at, mut end) = (first - 1, last - 1);
    while at & 1 == 1 {
        at >>= 1;
        end >>= 1;
    }
    let (seed, rest) = if first.is_power_of_two() {
        (*first_root, proof)
    } else {
        let (seed, rest) =
            proof.split_first().ok_or(ProofError::Length { expected: 1, actual: 0 })?;
        (*seed, rest)
    };
    let (mut old, mut new) = (seed, seed);
    for hash in rest {
        if at & 1 == 1 || at == end {
            old = Hash::node(hash, &old);
            new = Hash::node(hash, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                end >>= 1;
            }
        } else {
            new = Hash::node(&new, hash);
        }
        at >>= 1;
        end >>= 1;
    }
    same_root(old, first_root)?;
    same_root(new, last_root)
}

fn step(left: Hash, right: Hash) -> InclusionStep {
    InclusionStep { left, right, parent: Hash::node(&left, &right) }
}

fn same_root(computed: Hash, expected: &Hash) -> Result<(), ProofError> {
    if computed == *expected {
        return Ok(());
    }
    Err(ProofError::Root { expected: *expected, computed })
}

fn exact_length(proof: &[Hash], expected: usize) -> Result<(), ProofError> {
    if proof.len() == expected {
        return Ok(());
    }
    Err(ProofError::Length { expected, actual: proof.len() })
}

/// Siblings below the point where leaf and last leaf part, and left siblings above it.
fn inclusion_length(index: u64, size: u64) -> usize {
    let below = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let above = index.checked_shr(below).unwrap_or(0).count_ones();
    (below + above) as usize
}

fn consistency_length(first: u64, last: u64) -> usize {
    let skipped = first.trailing_zeros();
    let (at, end) = ((first - 1) >> skipped, (last - 1) >> skipped);
    let seed = usize::from(!first.is_power_of_two());
    let below = u64::BITS - (at ^ end).leading_zeros();
    let above = at.checked_shr(below).unwrap_or(0).count_ones();
    seed + (below + above) as usize
}
