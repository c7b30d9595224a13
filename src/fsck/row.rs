//! One row of `entries` against the leaf that it must be.
//!
//! Border: body and leaf hash, no access to the store. What a tile tells decides which
//! of the two is wrong, so that one flipped bit is one finding.

use tlog::Hash;

use super::finding::{Finding, hex};
use crate::store::RawEntry;

/// What is known of a leaf beside its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// By hashes that lead to the signed root.
    Vouched(Hash),
    /// By a stored tile that nothing vouches for.
    Tile(Hash),
    /// Nothing.
    Nothing,
}

impl Told {
    /// The hash to go on with where there is no row.
    pub(super) fn leaf(self) -> Option<Hash> {
        match self {
            Self::Vouched(leaf) | Self::Tile(leaf) => Some(leaf),
            Self::Nothing => None,
        }
    }
}

/// What came out.
pub(super) struct Judged {
    /// The hash to go on with.
    pub(super) leaf: Hash,
    pub(super) finding: Option<Finding>,
    /// Whether the body is the one that was logged.
    pub(super) body: bool,
    /// Whether the leaf hash in the row is.
    pub(super) hash: bool,
    /// Whether this is a guess, so that no root can be held against it.
    pub(super) guessed: bool,
}

impl Judged {
    fn right(leaf: Hash) -> Self {
        Self { leaf, finding: None, body: true, hash: true, guessed: false }
    }

    fn wrong(leaf: Hash, finding: Finding) -> Self {
        Self { finding: Some(finding), body: false, hash: false, ..Self::right(leaf) }
    }
}

pub(super) fn judge(row: &RawEntry, told: Told) -> Judged {
    let computed = Hash::leaf(&row.body);
    let stored = hex(&row.leaf);
    let has_hash = |leaf: Hash| row.leaf == leaf.as_bytes();
    let wrong_body = |leaf, column, expected| {
        let finding = Finding::entry(row.index, column, expected, format!("one with {computed}"));
        Judged::wrong(leaf, finding)
    };
    match told {
        Told::Vouched(leaf) if has_hash(computed) && leaf == computed => Judged::right(leaf),
        Told::Tile(_) | Told::Nothing if has_hash(computed) => Judged::right(computed),
        Told::Vouched(leaf) | Told::Tile(leaf) if has_hash(leaf) => {
            let expected = format!("a body with the leaf hash {stored}, as in its tile");
            Judged { hash: true, ..wrong_body(leaf, "entries.body", expected) }
        }
        Told::Vouched(leaf) | Told::Tile(leaf) if leaf == computed => {
            let expected = format!("{computed}, as of its body and in its tile");
            let finding = Finding::entry(row.index, "entries.leaf_hash", expected, stored);
            Judged { body: true, ..Judged::wrong(leaf, finding) }
        }
        Told::Vouched(leaf) => {
            let expected = format!("a body with the leaf hash {leaf}, as in its tile and the root");
            wrong_body(leaf, "entries.body and entries.leaf_hash", expected)
        }
        Told::Tile(_) | Told::Nothing => {
            let expected = format!("a body with the leaf hash {stored}");
            let leaf = told.leaf().unwrap_or(computed);
            let judged = wrong_body(leaf, "entries.body or entries.leaf_hash", expected);
            Judged { guessed: true, ..judged }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{}";

    fn row(leaf: Hash) -> RawEntry {
        let leaf = leaf.as_bytes().to_vec();
        RawEntry { index: 7, integrated_time: 0, leaf, body: BODY.to_vec(), attestation: None }
    }

    /// Column, hash to go on with, whether body and hash are right, whether it is a guess.
    fn judged(leaf: Hash, told: Told) -> (Option<&'static str>, Hash, [bool; 3]) {
        let Judged { leaf, finding, body, hash, guessed } = judge(&row(leaf), told);
        (finding.map(|finding| finding.column), leaf, [body, hash, guessed])
    }

    #[test]
    fn what_the_tile_tells_decides() {
        let (good, other, third) = (Hash::leaf(BODY), Hash::leaf(b"x"), Hash::leaf(b"y"));
        let right = (None, good, [true, true, false]);
        for told in [Told::Vouched(good), Told::Tile(good), Told::Tile(other), Told::Nothing] {
            assert_eq!(judged(good, told), right, "{told:?}");
        }
        let both = "entries.body and entries.leaf_hash";
        let one = "entries.body or entries.leaf_hash";
        for told in [Told::Vouched, Told::Tile] {
            let body = (Some("entries.body"), other, [false, true, false]);
            assert_eq!(judged(other, told(other)), body);
            let hash = (Some("entries.leaf_hash"), good, [true, false, false]);
            assert_eq!(judged(other, told(good)), hash);
        }
        // A row that agrees with itself, against the root.
        let forged = (Some(both), other, [false, false, false]);
        assert_eq!(judged(good, Told::Vouched(other)), forged);
        assert_eq!(judged(other, Told::Vouched(third)), (Some(both), third, [false; 3]));
        let guess = [false, false, true];
        assert_eq!(judged(other, Told::Tile(third)), (Some(one), third, guess));
        assert_eq!(judged(other, Told::Nothing), (Some(one), good, guess));
    }
}
