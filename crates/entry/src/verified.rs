//! Evidence that was verified, in the form that the log keeps.
//!
//! Border: only [`ProposedEntry::verify`](crate::ProposedEntry::verify) makes a
//! [`VerifiedEntry`], so having one proves that the signature held.

use sha2::{Digest as _, Sha256};
use tlog::Hash;

use crate::{EntryError, Kind, Policy};

/// Search strings that one entry may have: an envelope with many certificates could have any number.
pub(crate) const MAX_INDEX_KEYS: usize = 8_192;

/// A verified entry: canonical body, search strings, and the payload to keep.
#[derive(Clone, Debug)]
pub struct VerifiedEntry {
    kind: Kind,
    body: Vec<u8>,
    leaf: Hash,
    index_keys: Vec<String>,
    payload: Payload,
}

/// What becomes of an entry's payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The kind carries none.
    None,
    /// It is kept beside the entry.
    Kept(Attestation),
    /// It is larger than the policy keeps; the entry is logged without it.
    TooLarge {
        /// Bytes of the payload.
        size: usize,
        /// Bytes that are kept at most.
        limit: usize,
    },
}

/// A payload to keep, addressed by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// SHA-256 of `data`.
    pub digest: [u8; 32],
    /// The payload bytes.
    pub data: Vec<u8>,
}

impl VerifiedEntry {
    pub(crate) fn new(
        kind: Kind,
        body: Vec<u8>,
        mut index_keys: Vec<String>,
        payload: Option<Vec<u8>>,
        policy: &Policy,
    ) -> Result<Self, EntryError> {
        for key in &mut index_keys {
            *key = key.to_lowercase();
        }
        index_keys.sort_unstable();
        index_keys.dedup();
        let count = index_keys.len();
        if count > MAX_INDEX_KEYS {
            let text = format!("{count} search strings, an entry may have {MAX_INDEX_KEYS}");
            return Err(EntryError::invalid(text));
        }
        let limit = policy.max_attestation_size;
        let payload = match payload {
            None => Payload::None,
            Some(data) if data.len() <= limit && limit > 0 => {
                Payload::Kept(Attestation { digest: Sha256::digest(&data).into(), data })
            }
            Some(data) => Payload::TooLarge { size: data.len(), limit },
        };
        Ok(Self { kind, leaf: Hash::leaf(&body), body, index_keys, payload })
    }

    /// The entry's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Canonical leaf bytes: RFC 8785 JSON of `apiVersion`, `kind` and `spec`.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// RFC 6962 leaf hash of the body.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        self.leaf
    }

    /// The strings under which the entry is found: lower case, sorted, distinct.
    #[must_use]
    pub fn index_keys(&self) -> &[String] {
        &self.index_keys
    }

    /// The payload to keep.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Takes it apart: body, leaf hash, search strings, payload.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Hash, Vec<String>, Payload) {
        (self.body, self.leaf, self.index_keys, self.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_cannot_flood_the_index() {
        let entry = |count: usize| {
            let keys = (0..count).flat_map(|n| [format!("a{n}"), format!("A{n}")]).collect();
            VerifiedEntry::new(Kind::Dsse, Vec::new(), keys, None, &Policy::default())
        };
        // Those that differ in case alone are one.
        assert_eq!(entry(MAX_INDEX_KEYS).unwrap().index_keys().len(), MAX_INDEX_KEYS);
        let refusal = entry(MAX_INDEX_KEYS + 1).unwrap_err().to_string();
        assert_eq!(refusal, "8193 search strings, an entry may have 8192");
    }
}
