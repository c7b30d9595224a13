//! The stored form of a search string.
//!
//! Border: its bytes, and its column type in both databases. How a string becomes one is
//! [`crate::log`]'s business, which strings an entry is found under that of the crate `entry`.

use uuid::Uuid;

/// 16 bytes that stand for a search string.
///
/// In the databases: `uuid` in Postgres, chosen for its size alone; a BLOB in SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct IndexKey(Uuid);

impl IndexKey {
    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}
