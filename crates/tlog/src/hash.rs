//! The 32-byte hashes of the tree.
//!
//! Border: RFC 6962 section 2.1 hashing and its hex text; no tree shape.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// A SHA-256 hash of a leaf, a node or a whole tree; lower-case hex as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

/// Text or bytes that are no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not 32 bytes.
    #[error("a hash has 32 bytes, not {0}")]
    Length(usize),
    /// Not 64 hex digits.
    #[error("a hash is written as 64 hex digits")]
    Hex,
}

impl Hash {
    /// Root of the tree without leaves: SHA-256 of nothing (RFC 6962 2.1).
    pub const EMPTY_ROOT: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// Leaf hash: SHA-256(0x00 ‖ body).
    #[must_use]
    pub fn leaf(body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update([0]);
        hash.update(body);
        Self(hash.finalize().into())
    }

    /// Node hash: SHA-256(0x01 ‖ left ‖ right).
    #[must_use]
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut block = [1; 65];
        block[1..33].copy_from_slice(&left.0);
        block[33..].copy_from_slice(&right.0);
        Self(Sha256::digest(block).into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes exactly 32 bytes.
    ///
    /// # Errors
    /// [`HashError::Length`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError::Length(bytes.len()))
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        // 32 bytes always fill 64 digits.
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    /// 64 hex digits of either case.
    fn from_str(text: &str) -> Result<Self, HashError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| HashError::Hex)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        assert_eq!(Hash::EMPTY_ROOT.as_bytes()[..], Sha256::digest([])[..]);
        assert_eq!(
            Hash::leaf(b"").to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let (left, right) = (Hash::leaf(b"L123456"), Hash::leaf(b"L123457"));
        assert_ne!(Hash::node(&left, &right), Hash::node(&right, &left));
    }

    #[test]
    fn text_round_trips_in_either_case() {
        let hash = Hash::leaf(b"x");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse(), Ok(hash));
        assert_eq!("abc".parse::<Hash>(), Err(HashError::Hex));
        assert_eq!(Hash::from_slice(&[0; 31]), Err(HashError::Length(31)));
    }
}
