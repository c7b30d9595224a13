//! Bulk rebuild of a tree from all its leaves, for audits and as an oracle.
//!
//! Border: O(n) in memory, so never on the path of a request. `rs_merkle` does
//! the work; the live tree is in `edge`, written independently of it.

use rs_merkle::{Hasher, MerkleTree};

use crate::Hash;

/// RFC 6962 hashing for `rs_merkle`.
#[derive(Clone)]
struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        *Hash::leaf(data).as_bytes()
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        match right {
            Some(right) => *Hash::node(&Hash::from(*left), &Hash::from(*right)).as_bytes(),
            None => *left,
        }
    }
}

/// The RFC 6962 root over these leaf hashes.
#[must_use]
pub fn root_of_leaves(leaves: &[Hash]) -> Hash {
    let leaves: Vec<[u8; 32]> = leaves.iter().map(|leaf| *leaf.as_bytes()).collect();
    MerkleTree::<Rfc6962>::from_leaves(&leaves).root().map_or(Hash::EMPTY_ROOT, Hash::from)
}
