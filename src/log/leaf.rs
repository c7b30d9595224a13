//! What the sequencer takes: evidence that was verified.
//!
//! Border: the only way to make a [`Leaf`] is from a [`VerifiedEntry`], so
//! nobody can hand an unverified entry to the log.

use bytes::Bytes;
use entry::{Payload, VerifiedEntry};
use sha2::{Digest as _, Sha256};
use tlog::Hash;

use crate::store::{Attestation, IndexKey, NewEntry};

/// What an index key weighs in a round: it takes some 116 bytes of the database.
const INDEX_KEY_BYTES: usize = 128;

/// A verified entry in the form that is appended.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub(crate) hash: Hash,
    pub(crate) body: Bytes,
    index_keys: Vec<IndexKey>,
    attestation: Option<Attestation>,
}

impl From<VerifiedEntry> for Leaf {
    fn from(entry: VerifiedEntry) -> Self {
        let (body, hash, keys, payload) = entry.into_parts();
        let attestation = match payload {
            Payload::Kept(kept) => {
                Some(Attestation { digest: kept.digest, data: kept.data.into() })
            }
            Payload::None | Payload::TooLarge { .. } => None,
        };
        Self {
            hash,
            body: body.into(),
            index_keys: distinct(keys.iter().map(|key| stored_form(key)).collect()),
            attestation,
        }
    }
}

/// Two strings of one entry could be made to have one key, see [`index_key`]; the second row
/// would fail the round, and with it everybody else's entries in it.
fn distinct(mut keys: Vec<IndexKey>) -> Vec<IndexKey> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

impl Leaf {
    /// Bytes of body, payload and index keys, for the bounds of queue and round.
    pub(crate) fn weight(&self) -> usize {
        let payload = self.attestation.as_ref().map_or(0, |kept| kept.data.len());
        self.body.len() + payload + INDEX_KEY_BYTES * self.index_keys.len()
    }

    pub(crate) fn to_entry(&self, integrated_time: i64) -> NewEntry {
        NewEntry {
            leaf: self.hash,
            body: self.body.clone(),
            integrated_time,
            index_keys: self.index_keys.clone(),
            attestation: self.attestation.clone(),
        }
    }
}

/// The stored form of a search string: the first 16 bytes of the SHA-256 of it in lower case.
///
/// A digest, so that a dump of the index does not spell out e-mail addresses and that a key
/// costs the same, however long the string is. Half of one, because the index is the largest
/// thing that must stay in memory: 128 bits cannot be met by a second string, and whoever makes two
/// of his own meet (2^64 attempts) finds his own entries under both.
#[must_use]
pub fn index_key(search: &str) -> IndexKey {
    stored_form(&search.to_lowercase())
}

/// The same of what is in lower case already.
fn stored_form(lower: &str) -> IndexKey {
    let digest = Sha256::digest(lower);
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    IndexKey::from_bytes(half)
}

#[cfg(test)]
impl Leaf {
    /// One that nobody verified.
    pub(crate) fn of_weight(bytes: usize) -> Self {
        let body = Bytes::from(vec![0; bytes]);
        Self { hash: Hash::leaf(&body), body, index_keys: Vec::new(), attestation: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_half_of_a_digest_in_lower_case() {
        let key = index_key("Ann@Example.COM");
        assert_eq!(key, index_key("ann@example.com"));
        assert_eq!(key.as_bytes()[..], Sha256::digest("ann@example.com")[..16]);
    }

    #[test]
    fn an_entry_is_indexed_once_under_a_key() {
        let [ann, bob] = ["ann", "bob"].map(index_key);
        let keys = distinct(vec![ann, bob, ann]);
        assert_eq!(keys.len(), 2);
        assert!(keys.contains(&ann) && keys.contains(&bob));
    }
}
