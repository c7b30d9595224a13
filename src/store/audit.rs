//! What an audit reads beyond the daily contract: rows as they are.
//!
//! Border: reads without judgement. The daily reads refuse what cannot be; an
//! audit must be able to see it and say where it is.

use async_trait::async_trait;

use tlog::TileId;

use super::{IndexKey, Store, StoreError};

/// One row of `entries`, whatever it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry {
    /// `idx`, the position in the tree.
    pub index: u64,
    /// `integrated_time`, Unix seconds.
    pub integrated_time: i64,
    /// `leaf_hash`, which should be 32 bytes.
    pub leaf: Vec<u8>,
    /// `body`, canonical leaf bytes.
    pub body: Vec<u8>,
    /// `attestation`, the digest of the kept payload.
    pub attestation: Option<Vec<u8>>,
}

/// One row of `attestations`, whatever it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPayload {
    /// `digest` as it is in the row, whatever index led there.
    pub digest: Vec<u8>,
    /// `data`, the payload bytes.
    pub data: Vec<u8>,
}

/// One row of `index_keys`: the key of a search string, and the index.
pub type IndexRow = (IndexKey, u64);

/// idx, integrated_time, leaf_hash, body, attestation
pub(super) type RawRow = (i64, i64, Vec<u8>, Vec<u8>, Option<Vec<u8>>);

/// A store that can be audited. No method asks for rows that are in order.
#[async_trait]
pub trait Audit: Store {
    /// Index and bytes of the body of each entry of `start..start + count` that is
    /// there, in index order; so that a caller can bound what it asks for.
    async fn body_sizes(&self, start: u64, count: u64) -> Result<Vec<(u64, u64)>, StoreError>;

    /// The entries of `start..start + count` that are there, in index order.
    async fn raw_entries(&self, start: u64, count: u64) -> Result<Vec<RawEntry>, StoreError>;

    /// The payload that is found under this digest, if there is one.
    async fn payload(&self, digest: &[u8]) -> Result<Option<RawPayload>, StoreError>;

    /// Which of these rows are not in the index; any order.
    async fn missing_keys(&self, rows: &[IndexRow]) -> Result<Vec<IndexRow>, StoreError>;

    /// The first and the last index of the entries from `size` on, if there are any.
    async fn entries_beyond(&self, size: u64) -> Result<Option<(u64, u64)>, StoreError>;

    /// Tiles that are not full in a tree of `size` leaves; the first few, by level and index.
    async fn tiles_beyond(&self, size: u64) -> Result<Vec<TileId>, StoreError>;

    /// What the database itself finds wrong with its files when it is asked; the first few
    /// sentences. Reads all of them, at its own pace; nothing where there is no such question.
    async fn own_check(&self) -> Result<Vec<String>, StoreError>;
}

pub(super) fn raw((idx, integrated_time, leaf, body, attestation): RawRow) -> RawEntry {
    // The span that was asked for has no negative numbers.
    RawEntry { index: idx.cast_unsigned(), integrated_time, leaf, body, attestation }
}

pub(super) fn raw_payload((digest, data): (Vec<u8>, Vec<u8>)) -> RawPayload {
    RawPayload { digest, data }
}

/// The first and the last index of a span of entries, or nulls.
pub(super) fn span((first, last): (Option<i64>, Option<i64>)) -> Option<(u64, u64)> {
    first.zip(last).map(|(first, last)| (first.cast_unsigned(), last.cast_unsigned()))
}

/// Level and index, as far as they can be those of a tile.
pub(super) fn tile_id((level, index): (i64, i64)) -> TileId {
    TileId { level: u8::try_from(level).unwrap_or(u8::MAX), index: index.cast_unsigned() }
}

/// The number columns of a query for index rows; one beyond 63 bits is not there.
pub(super) fn columns(rows: &[IndexRow]) -> Vec<(IndexKey, i64)> {
    rows.iter().map(|(key, idx)| (*key, i64::try_from(*idx).unwrap_or(i64::MAX))).collect()
}

/// An index row that was asked for and comes back.
pub(super) fn index_row((key, idx): (IndexKey, i64)) -> IndexRow {
    (key, idx.cast_unsigned())
}
