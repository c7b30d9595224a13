//! The stored form of a search string.
//!
//! Border: from string to key, and the key's column type in both databases. Which strings an
//! entry is found under is decided in the crate `entry`.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The first 16 bytes of the SHA-256 of a search string in lower case.
///
/// A digest, so that a dump of the index does not spell out e-mail addresses and that a key
/// costs the same, however long the string is. Half of one, because the index is the largest
/// thing that must stay in memory: 128 bits cannot be met by a second string, and whoever makes two
/// of his own meet (2^64 attempts) finds his own entries under both.
///
/// In the databases: `uuid` in Postgres, chosen for its size alone; a BLOB in SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct IndexKey(Uuid);

impl IndexKey {
    /// The key of a search string.
    #[must_use]
    pub fn of(search: &str) -> Self {
        let digest = Sha256::digest(search.to_lowercase().as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(Uuid::from_bytes(half))
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}
