//! The store: where the log lives, and the contract that every database keeps.
//!
//! Border: this file holds the contract and the shapes that cross it. SQL lives
//! in [`postgres`] and [`sqlite`] and nowhere else; hashing, signing and
//! ordering live in [`crate::log`] and never here. A store never interprets a
//! body, a key or a checkpoint.
//!
//! # What a caller may rely on
//!
//! 1. **One commit.** [`Store::commit`] makes the whole [`Batch`] durable and
//!    visible, or nothing of it. When it returns `Ok`, the batch has reached
//!    stable storage (fsync, or what the database calls so).
//! 2. **The fence.** A batch applies only if the stored head has exactly the
//!    size *and* root of [`Batch::old`]. Otherwise [`StoreError::Conflict`], and
//!    nothing is written. This alone keeps several servers on one database from
//!    forking the log; no lock is relied upon. A [`Turn`] makes several servers fair to
//!    one another, and is no part of the fence.
//! 3. **Dense and immutable.** Entries `0..head.size` exist, each under its
//!    index; nothing is ever updated or deleted but the one head row. Tiles are
//!    stored once, when they are full.
//! 4. **One leaf, one index.** The full 32-byte leaf hash is unique. A batch with a
//!    leaf that is in the log is a [`StoreError::Conflict`] too, and nothing is written.
//! 5. **Reads see committed batches only**, and a read that starts after a
//!    `commit` returned `Ok` sees that batch (read your writes).
//! 6. **Unknown outcome.** [`StoreError::Unavailable`] from `commit` says
//!    nothing about whether the batch applied. The caller must read the
//!    [settled head](Store::settled_head) before it does anything else.
//! 7. **No time far ahead.** A database with a clock of its own refuses, as `Unavailable`, a head
//!    whose time goes more than [`MAX_AHEAD`] beyond it: times never go back, so one server's wrong
//!    clock would be everybody's time until it is reached.

mod audit;
mod failure;
mod index_key;
pub mod postgres;
mod rows;
pub mod sqlite;
mod turn;

use std::sync::Arc;

use async_trait::async_trait;
pub use audit::{Audit, IndexRow, RawEntry, RawPayload};
use bytes::Bytes;
pub use index_key::IndexKey;
use tlog::{HalfTile, Hash, TileId};
pub use turn::Turn;

/// Seconds that the time of a round may be ahead of the database's clock. Clocks that are set over the
/// network differ by less than one.
pub const MAX_AHEAD: i64 = 60;

/// What can go wrong, one case per reaction of the caller.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer advanced the log, or a leaf of the batch is in it: reload the
    /// head, look for the leaves, and try again.
    #[error("another writer advanced the log, or a leaf is in it already")]
    Conflict,
    /// The database cannot be reached or is busy: answer 503, try again later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database would not take this batch, and certainly has not: answer 503. It is no use to
    /// try again before an operator has put it right.
    #[error("the round is refused: {0}")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database holds what it must not hold: stop writing, call a human.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
}

/// Who this log is, written once at creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// 63-bit tree ID, never 0.
    pub tree_id: u64,
    /// Host name in the checkpoint's origin.
    pub hostname: String,
    /// DER SubjectPublicKeyInfo of the log key.
    pub public_key: Vec<u8>,
    /// Unix seconds of creation.
    pub created_at: i64,
}

/// The committed state of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Leaves in the tree.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
    /// Signed note over size and root, as served.
    pub checkpoint: Arc<str>,
    /// Unix seconds of the last round; integrated times never go back behind it.
    pub time: i64,
}

/// One new leaf with everything that a receipt for it implies.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// RFC 6962 leaf hash of `body`.
    pub leaf: Hash,
    /// Canonical leaf bytes.
    pub body: Bytes,
    /// Unix seconds.
    pub integrated_time: i64,
    /// The keys of its search strings, without duplicates.
    pub index_keys: Vec<IndexKey>,
    /// The payload to keep, if the kind has one and it is not too large.
    pub attestation: Option<Attestation>,
}

/// A kept payload, addressed by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// SHA-256 of `data`.
    pub digest: [u8; 32],
    /// The payload bytes.
    pub data: Bytes,
}

/// A tile that became full in this round.
#[derive(Clone, Debug)]
pub struct FullTile {
    /// Level and index.
    pub id: TileId,
    /// 256 hashes of 32 bytes, concatenated.
    pub hashes: Vec<u8>,
    /// Of a tile of leaves the 16 hashes of its upper half, concatenated. `None` above, and in
    /// tiles that earlier versions stored.
    pub upper: Option<Vec<u8>>,
}

/// One round of the sequencer.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Size and root that the stored head must have.
    pub old: (u64, Hash),
    /// The head after this batch; `head.size == old.0 + entries.len()`.
    pub head: Head,
    /// Leaves `old.0..head.size`, in order.
    pub entries: Vec<NewEntry>,
    /// Tiles completed by them.
    pub tiles: Vec<FullTile>,
}

impl Head {
    /// Refuses a first head that claims entries.
    fn check_first(&self) -> Result<(), StoreError> {
        if self.size == 0 {
            return Ok(());
        }
        Err(StoreError::Corrupt(format!("a new log cannot begin with {} entries", self.size)))
    }
}

impl Batch {
    /// About as many bytes as it is sent in.
    fn weight(&self) -> usize {
        let entry = |entry: &NewEntry| {
            let kept = entry.attestation.as_ref().map_or(0, |kept| kept.data.len());
            entry.body.len() + kept + entry.index_keys.len() * size_of::<IndexKey>()
        };
        self.entries.iter().map(entry).sum()
    }

    /// Refuses a round whose numbers do not add up: it would break the log.
    fn check(&self) -> Result<(), StoreError> {
        if self.old.0.checked_add(self.entries.len() as u64) == Some(self.head.size) {
            return Ok(());
        }
        Err(StoreError::Corrupt(format!(
            "a round of {} entries cannot lead from size {} to {}",
            self.entries.len(),
            self.old.0,
            self.head.size
        )))
    }
}

/// One stored leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Index in the tree.
    pub index: u64,
    /// RFC 6962 leaf hash.
    pub leaf: Hash,
    /// Canonical leaf bytes.
    pub body: Vec<u8>,
    /// Unix seconds.
    pub integrated_time: i64,
    /// The kept payload, when the read asked for it and there is one.
    pub attestation: Option<Vec<u8>>,
    /// What its tile says around the leaf, when the read asked for it and the tile is full.
    pub around: Option<Around>,
}

/// What a full tile says around sixteen of its leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// The half that they are in.
    pub lower: HalfTile,
    /// The half above, unless an earlier version stored the tile.
    pub upper: Option<HalfTile>,
}

/// How to find one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKey {
    /// By tree index.
    Index(u64),
    /// By leaf hash.
    Leaf(Hash),
}

/// Entries under one key, as index and leaf hash.
pub type Found = Vec<(u64, Hash)>;

/// A database that keeps a log. See the [module](self) for the contract.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The identity and head, or `None` in a database that holds no log yet.
    async fn load(&self) -> Result<Option<(Identity, Head)>, StoreError>;

    /// Writes identity and first head (size 0) into a database without a log.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is a log already.
    async fn create(&self, identity: &Identity, head: &Head) -> Result<(), StoreError>;

    /// The committed head. `Corrupt` when there is no log.
    async fn head(&self) -> Result<Head, StoreError>;

    /// The head, read so that it is a promise: no round that the database is at work
    /// on is overlooked, and what it says has reached whatever an answered commit reaches,
    /// a synchronous standby included. Waits for both, for seconds at most.
    ///
    /// [`head`](Self::head) alone shows what is visible. A commit that was cut off while it
    /// waited for a standby becomes visible without ever having reached it.
    async fn settled_head(&self) -> Result<Head, StoreError>;

    /// Whether all that was visible before this call is settled, as [`settled_head`](Self::settled_head)
    /// would have it. Waits a few seconds for a standby, but neither for a round nor in the way of one:
    /// for readers.
    async fn until_settled(&self) -> Result<bool, StoreError>;

    /// Applies one round, all or nothing, behind the fence.
    async fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Waits in line with all who write and holds the head for one round; for one that
    /// [`commit`](Self::commit) refused because another server was faster. One caller
    /// holds one turn at a time, and neither commits nor settles beside it.
    ///
    /// # Errors
    /// `Unavailable` also when the others take longer than ten seconds. Nothing was written.
    async fn turn(&self) -> Result<Box<dyn Turn>, StoreError>;

    /// Which of these leaves are in the log, with their indexes; any order. For who is about to
    /// [`commit`](Self::commit), and as that waits for no reader.
    async fn find_leaves(&self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError>;

    /// One entry with its kept payload and what is around its leaf, or `None`.
    async fn entry(&self, key: EntryKey) -> Result<Option<StoredEntry>, StoreError>;

    /// Leaf hashes of `start..start + count`, in order; fewer past the end.
    async fn leaf_hashes(&self, start: u64, count: u64) -> Result<Vec<Hash>, StoreError>;

    /// Entries `start..start + count` in order without payloads, for audits.
    async fn entries(&self, start: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError>;

    /// The full tiles among `ids` (each named once) that exist, each 8,192 bytes; any order.
    async fn tiles(&self, ids: &[TileId]) -> Result<Vec<FullTile>, StoreError>;

    /// What is around leaves `16 n..16 n + 16` for each of `numbers` (each named once) whose tile is
    /// full; any order.
    async fn half_tiles(&self, numbers: &[u64]) -> Result<Vec<Around>, StoreError>;

    /// For each key the first `most` entries under it, as (index, leaf hash) in index order; the
    /// outer order is that of `keys`.
    async fn search(&self, keys: &[IndexKey], most: usize) -> Result<Vec<Found>, StoreError>;

    /// As [`search`](Self::search), but of the entries at `indexes` (each named once) all that
    /// stand under a key.
    async fn search_among(
        &self,
        keys: &[IndexKey],
        indexes: &[u64],
    ) -> Result<Vec<Found>, StoreError>;

    /// One trivial round trip, for readiness: the database's clock in Unix seconds, if it is another
    /// one than this process's.
    async fn ping(&self) -> Result<Option<i64>, StoreError>;

    /// Waits for what is under way and closes every connection.
    async fn close(&self);
}
