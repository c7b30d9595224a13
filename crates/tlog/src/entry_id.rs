//! The identifiers that Rekor calls UUID: 64 hex of the leaf hash, or 80 hex
//! with the tree ID before it. (Neither is an RFC 9562 UUID.)
//!
//! Border: text and parts; whether a tree or leaf exists is not known here.

use std::fmt;
use std::str::FromStr;

use crate::Hash;

/// Tree and leaf; 16 hex of the tree ID and 64 hex of the leaf hash as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// The tree. As text it may have 64 bits, though real tree IDs have 63.
    pub tree_id: u64,
    /// The leaf.
    pub leaf: Hash,
}

/// A leaf, with or without its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryRef {
    /// 64 hex: a leaf in any tree.
    Leaf(Hash),
    /// 80 hex: a leaf in this tree.
    Entry(EntryId),
}

/// Text that is neither 64 nor 80 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry is named by 64 or 80 hex digits")]
pub struct EntryIdError;

impl EntryRef {
    /// The leaf that is named.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        match self {
            Self::Leaf(leaf) | Self::Entry(EntryId { leaf, .. }) => *leaf,
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.tree_id, self.leaf)
    }
}

impl FromStr for EntryId {
    type Err = EntryIdError;

    /// 80 hex digits of either case.
    fn from_str(text: &str) -> Result<Self, EntryIdError> {
        let (tree_id, leaf) = text.split_at_checked(16).ok_or(EntryIdError)?;
        let mut bytes = [0; 8];
        hex::decode_to_slice(tree_id, &mut bytes).map_err(|_| EntryIdError)?;
        let leaf = leaf.parse().map_err(|_| EntryIdError)?;
        Ok(Self { tree_id: u64::from_be_bytes(bytes), leaf })
    }
}

impl FromStr for EntryRef {
    type Err = EntryIdError;

    /// 64 or 80 hex digits of either case.
    fn from_str(text: &str) -> Result<Self, EntryIdError> {
        match text.len() {
            64 => text.parse().map(Self::Leaf).map_err(|_| EntryIdError),
            _ => text.parse().map(Self::Entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str =
        "0000000000003039fb5d93e6cf90bc9470cd9ea9d9e12348993db3e854ab2b7660e3594767045f6c";

    #[test]
    fn both_forms_and_cases_are_read() {
        let id: EntryId = ID.parse().unwrap();
        assert_eq!((id.tree_id, id.leaf), (12345, Hash::leaf(br#"{"n":1}"#)));
        assert_eq!(id.to_string(), ID);
        assert_eq!(ID.to_uppercase().parse(), Ok(EntryRef::Entry(id)));
        assert_eq!(ID[16..].parse(), Ok(EntryRef::Leaf(id.leaf)));
        for wrong in ["", "00", &ID[1..], &format!("{ID}0"), &ID.replace('f', "g"), &"é".repeat(40)]
        {
            assert_eq!(wrong.parse::<EntryRef>(), Err(EntryIdError), "{wrong}");
        }
    }
}
