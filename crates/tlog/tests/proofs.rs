//! Proofs held against a naive RFC 6962 tree: every leaf of every size up to
//! 300, every pair of sizes up to 300, tile boundaries, and random large trees.

use std::collections::HashMap;

use indelible_tlog::{
    Edge, Hash, NodeId, ProofError, ProofPlan, Tile, TileId, root_of_leaves, verify_consistency,
    verify_inclusion,
};
use proptest::prelude::*;

/// RFC 6962 2.1, word for word: MTH, PATH and PROOF by recursion over the leaves.
mod naive {
    use super::Hash;

    fn split(n: usize) -> usize {
        n.next_power_of_two() / 2
    }

    pub(super) fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::EMPTY_ROOT,
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                Hash::node(&root(left), &root(right))
            }
        }
    }

    pub(super) fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut path, sibling) =
            if m < k { (path(m, left), root(right)) } else { (path(m - k, right), root(left)) };
        path.push(sibling);
        path
    }

    pub(super) fn proof(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        sub_proof(m, leaves, true)
    }

    fn sub_proof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut proof, sibling) = if m <= k {
            (sub_proof(m, left, whole), root(right))
        } else {
            (sub_proof(m - k, right, false), root(left))
        };
        proof.push(sibling);
        proof
    }
}

/// A tree as the server keeps it: right edge and full tiles.
#[derive(Default)]
struct Tree {
    edge: Edge,
    tiles: HashMap<TileId, Tile>,
    leaves: Vec<Hash>,
}

impl Tree {
    fn of(size: u64) -> Self {
        let mut tree = Self::default();
        (0..size).for_each(|n| tree.append(n));
        tree
    }

    fn append(&mut self, n: u64) {
        let mut completed = Vec::new();
        let leaf = Hash::leaf(&n.to_be_bytes());
        self.edge.append(leaf, &mut completed);
        self.tiles.extend(completed.into_iter().map(|tile| (tile.id(), tile)));
        self.leaves.push(leaf);
    }

    fn node(&self, node: NodeId) -> Option<Hash> {
        self.edge.node(node).or_else(|| self.tiles.get(&node.tile())?.node(node))
    }

    fn resolve(&self, plan: &ProofPlan) -> Vec<Hash> {
        plan.resolve(|node| self.node(node)).unwrap()
    }

    fn root(&self, size: u64) -> Hash {
        self.resolve(&ProofPlan::root(size)).first().copied().unwrap_or(Hash::EMPTY_ROOT)
    }
}

#[test]
fn the_certificate_transparency_tree_has_its_published_roots() {
    let leaves: Vec<Hash> = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    .iter()
    .map(|body| Hash::leaf(&hex::decode(body).unwrap()))
    .collect();
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut edge = Edge::new();
    for (at, root) in roots.iter().enumerate() {
        edge.append(leaves[at], &mut Vec::new());
        assert_eq!(edge.root().to_string(), *root);
        assert_eq!(root_of_leaves(&leaves[..=at]).to_string(), *root);
    }
}

#[test]
fn the_documented_three_leaf_log() {
    let mut edge = Edge::new();
    let leaves: Vec<Hash> =
        ["{\"n\":0}", "{\"n\":1}", "{\"n\":2}"].iter().map(|b| Hash::leaf(b.as_bytes())).collect();
    leaves.iter().for_each(|leaf| edge.append(*leaf, &mut Vec::new()));
    let root = "2cfef7627597e00b564975774ad728ef210706759fca6d64138c6dfc1cbf2cda";
    assert_eq!(edge.root().to_string(), root);
    let proof = ProofPlan::inclusion(1, 3).unwrap().resolve(|node| edge.node(node)).unwrap();
    assert_eq!(proof, [leaves[0], leaves[2]]);
}

#[test]
fn every_leaf_of_every_size_to_300_is_proved() {
    let mut tree = Tree::default();
    for size in 1..=300_u64 {
        tree.append(size - 1);
        let root = naive::root(&tree.leaves);
        assert_eq!(tree.edge.root(), root);
        for index in 0..size {
            let proof = tree.resolve(&ProofPlan::inclusion(index, size).unwrap());
            assert_eq!(proof, naive::path(index as usize, &tree.leaves), "{index} in {size}");
            let leaf = tree.leaves[index as usize];
            assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
        }
    }
}

#[test]
fn every_growth_to_300_is_proved() {
    let tree = Tree::of(300);
    let roots: Vec<Hash> = (0..=300).map(|size| naive::root(&tree.leaves[..size])).collect();
    for last in 1..=300_u64 {
        for first in 1..=last {
            let proof = tree.resolve(&ProofPlan::consistency(first, last).unwrap());
            let expected = naive::proof(first as usize, &tree.leaves[..last as usize]);
            assert_eq!(proof, expected, "{first} -> {last}");
            let (old, new) = (&roots[first as usize], &roots[last as usize]);
            assert_eq!(verify_consistency(first, last, old, new, &proof), Ok(()));
        }
    }
}

#[test]
fn changed_proofs_are_refused() {
    for size in [1_u64, 2, 3, 7, 8, 11, 64, 100, 257] {
        let tree = Tree::of(size);
        let root = tree.root(size);
        for index in 0..size {
            let leaf = tree.leaves[index as usize];
            let proof = tree.resolve(&ProofPlan::inclusion(index, size).unwrap());
            let refused = |proof: &[Hash], index, size| {
                assert!(verify_inclusion(&leaf, index, size, proof, &root).is_err());
            };
            let mut longer = proof.clone();
            longer.push(root);
            refused(&longer, index, size);
            if let Some((_, shorter)) = proof.split_last() {
                refused(shorter, index, size);
            }
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at] = leaf;
                refused(&changed, index, size);
            }
            refused(&proof, size, size);
            if size > 1 {
                refused(&proof, (index + 1) % size, size);
            }
        }
    }
}

#[test]
fn changed_growth_is_refused() {
    let tree = Tree::of(70);
    for (first, last) in [(1, 2), (3, 7), (4, 8), (6, 70), (64, 70), (65, 66), (1, 70)] {
        let (old, new) = (tree.root(first), tree.root(last));
        let proof = tree.resolve(&ProofPlan::consistency(first, last).unwrap());
        let refused = |proof: &[Hash], old: &Hash, new: &Hash| {
            assert!(verify_consistency(first, last, old, new, proof).is_err());
        };
        let wrong = Hash::leaf(b"wrong");
        refused(&proof, &wrong, &new);
        refused(&proof, &old, &wrong);
        refused(&proof[1..], &old, &new);
        refused(&[&proof[..], &[wrong]].concat(), &old, &new);
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] = wrong;
            refused(&changed, &old, &new);
        }
        assert_eq!(
            verify_consistency(last, first, &new, &old, &proof),
            Err(ProofError::Sizes { first: last, last: first })
        );
    }
    let root = tree.root(70);
    assert!(verify_consistency(70, 70, &root, &root, &[]).is_ok());
    assert!(verify_consistency(70, 70, &root, &tree.root(69), &[]).is_err());
    assert!(verify_consistency(70, 70, &root, &root, &[root]).is_err());
    assert!(verify_consistency(0, 70, &Hash::EMPTY_ROOT, &root, &[]).is_ok());
    assert!(verify_consistency(0, 70, &root, &root, &[]).is_err());
}

#[test]
fn tile_boundaries_are_proved_from_tiles_of_the_largest_size() {
    let tree = Tree::of(66_000);
    for size in [255_u64, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_000] {
        let root = tree.root(size);
        assert_eq!(root, root_of_leaves(&tree.leaves[..size as usize]), "root of {size}");
        for index in [0, 1, 254, 255, 256, size / 2, size - 2, size - 1] {
            if index < size {
                let proof = tree.resolve(&ProofPlan::inclusion(index, size).unwrap());
                let leaf = tree.leaves[index as usize];
                assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
            }
        }
        for first in [1, 255, 256, 257, size - 1] {
            if first <= size {
                let proof = tree.resolve(&ProofPlan::consistency(first, size).unwrap());
                let old = tree.root(first);
                assert_eq!(verify_consistency(first, size, &old, &root, &proof), Ok(()));
            }
        }
    }
}

#[test]
fn proofs_beyond_the_tree_are_errors() {
    assert_eq!(ProofPlan::inclusion(3, 3), Err(ProofError::Index { index: 3, size: 3 }));
    assert_eq!(ProofPlan::inclusion(0, 0), Err(ProofError::Index { index: 0, size: 0 }));
    assert_eq!(ProofPlan::consistency(4, 3), Err(ProofError::Sizes { first: 4, last: 3 }));
    let tree = Tree::of(3);
    let beyond = ProofPlan::inclusion(0, 4).unwrap().resolve(|node| tree.node(node));
    assert_eq!(beyond, Err(ProofError::MissingNode(NodeId { level: 1, index: 1 })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_large_trees_prove_random_leaves(size in 1_u64..20_000, at: u64, from: u64) {
        let tree = Tree::of(size);
        let (index, first) = (at % size, 1 + from % size);
        let root = root_of_leaves(&tree.leaves);
        prop_assert_eq!(tree.edge.root(), root);
        let proof = tree.resolve(&ProofPlan::inclusion(index, size).unwrap());
        prop_assert!(verify_inclusion(&tree.leaves[index as usize], index, size, &proof, &root).is_ok());
        let old = root_of_leaves(&tree.leaves[..first as usize]);
        let proof = tree.resolve(&ProofPlan::consistency(first, size).unwrap());
        prop_assert!(verify_consistency(first, size, &old, &root, &proof).is_ok());
    }

    #[test]
    fn hostile_numbers_and_proofs_never_panic(
        a: u64, b: u64, proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70)
    ) {
        let proof: Vec<Hash> = proof.into_iter().map(Hash::from).collect();
        let hash = Hash::leaf(b"x");
        prop_assert!(verify_inclusion(&hash, a, b, &proof, &hash).is_err() || b == 1);
        let _ = verify_consistency(a, b, &hash, &hash, &proof);
        let _ = verify_inclusion(&hash, u64::MAX - 1, u64::MAX, &proof, &hash);
        let _ = ProofPlan::inclusion(a, b);
        let _ = ProofPlan::consistency(a, b);
    }
}
