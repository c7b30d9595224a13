//! From columns to the contract's shapes, for both databases.
//!
//! Border: no SQL here. The tuples name the column order that every `SELECT` of
//! both backends keeps; what does not fit the contract becomes
//! [`StoreError::Corrupt`], because only this server writes these tables.

use std::collections::HashMap;

use tlog::{HALF_WIDTH, HalfTile, Hash, TileId};

use super::{Around, Found, FullTile, Head, Identity, IndexKey, StoreError, StoredEntry};

/// Bytes in a full tile: 256 hashes of 32 bytes.
const TILE_BYTES: usize = 8192;

/// size, root, checkpoint, time
pub(super) type HeadRow = (i64, Vec<u8>, String, i64);
/// tree_id, hostname, public_key, created_at, then the columns of [`HeadRow`];
/// a missing row gives a null in its not-null columns
pub(super) type StateRow = (
    Option<i64>,
    Option<String>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<String>,
    Option<i64>,
);
/// idx, leaf_hash, body, integrated_time
pub(super) type EntryRow = (i64, Vec<u8>, Vec<u8>, i64);
/// the columns of [`EntryRow`], whether the entry names a payload, the payload, the half tile
/// around its leaf, the half above
pub(super) type WholeRow =
    (i64, Vec<u8>, Vec<u8>, i64, bool, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);
/// idx, leaf_hash
pub(super) type LeafRow = (i64, Vec<u8>);
/// level, idx, hashes, upper_half
pub(super) type TileRow = (i64, i64, Vec<u8>, Option<Vec<u8>>);
/// number of the half, its hashes, upper_half
pub(super) type HalfRow = (i64, Vec<u8>, Option<Vec<u8>>);
/// key, idx, leaf_hash (null: no such entry)
pub(super) type MatchRow = (IndexKey, i64, Option<Vec<u8>>);

fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt(what.into())
}

/// A column that never holds a negative number.
fn unsigned(value: i64, column: &str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| corrupt(format!("{column} is {value}")))
}

/// A number that the 63 bits of a column must hold.
pub(super) fn signed(value: u64, column: &str) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| corrupt(format!("{column} cannot be {value}")))
}

fn hash(bytes: &[u8], column: &str) -> Result<Hash, StoreError> {
    Hash::from_slice(bytes).map_err(|_| corrupt(format!("{column} has {} bytes", bytes.len())))
}

/// `start..start + count` in column numbers; past 63 bits there is nothing.
pub(super) fn span(start: u64, count: u64) -> (i64, i64) {
    let bound = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    (bound(start), bound(start.saturating_add(count)))
}

pub(super) fn head((size, root, checkpoint, time): HeadRow) -> Result<Head, StoreError> {
    Ok(Head {
        size: unsigned(size, "head.size")?,
        root: hash(&root, "head.root")?,
        checkpoint: checkpoint.into(),
        time,
    })
}

/// The one head row.
pub(super) fn only_head(rows: Vec<HeadRow>) -> Result<Head, StoreError> {
    let row = rows.into_iter().next();
    head(row.ok_or_else(|| corrupt("there is no head row"))?)
}

/// Identity and head, neither, or a database that lost one of them.
pub(super) fn state(rows: Vec<StateRow>) -> Result<Option<(Identity, Head)>, StoreError> {
    let row = rows.into_iter().next();
    let (tree_id, hostname, public_key, created_at, size, root, checkpoint, time) =
        row.ok_or_else(|| corrupt("the state query gave no row"))?;
    let log = tree_id.zip(hostname).zip(public_key).zip(created_at);
    let tip = size.zip(root).zip(checkpoint).zip(time);
    match (log, tip) {
        (None, None) => Ok(None),
        (
            Some((((tree_id, hostname), public_key), created_at)),
            Some((((size, root), note), time)),
        ) => {
            let identity = Identity {
                tree_id: unsigned(tree_id, "log.tree_id")?,
                hostname,
                public_key,
                created_at,
            };
            Ok(Some((identity, head((size, root, note, time))?)))
        }
        (Some(_), None) => Err(corrupt("there is a log row but no head row")),
        (None, Some(_)) => Err(corrupt("there is a head row but no log row")),
    }
}

pub(super) fn found((idx, leaf): LeafRow) -> Result<(Hash, u64), StoreError> {
    Ok((hash(&leaf, "entries.leaf_hash")?, unsigned(idx, "entries.idx")?))
}

fn entry((idx, leaf, body, integrated_time): EntryRow) -> Result<StoredEntry, StoreError> {
    Ok(StoredEntry {
        index: unsigned(idx, "entries.idx")?,
        leaf: hash(&leaf, "entries.leaf_hash")?,
        body,
        integrated_time,
        attestation: None,
        around: None,
    })
}

/// At most one entry with all that belongs to it.
pub(super) fn whole_entry(rows: Vec<WholeRow>) -> Result<Option<StoredEntry>, StoreError> {
    let Some((idx, leaf, body, time, has_payload, payload, lower, upper)) = rows.into_iter().next()
    else {
        return Ok(None);
    };
    if has_payload && payload.is_none() {
        return Err(corrupt(format!("the payload of entry {idx} is missing")));
    }
    let entry = entry((idx, leaf, body, time))?;
    let around = lower.map(|lower| around_leaf(entry.index, &lower, upper.as_deref()));
    let around = around.transpose()?;
    Ok(Some(StoredEntry { attestation: payload, around, ..entry }))
}

/// Leaf hashes from `start` on; a gap would be a hole in the log.
pub(super) fn dense_leaves(start: i64, rows: Vec<LeafRow>) -> Result<Vec<Hash>, StoreError> {
    let indexed = rows.into_iter().zip(start..);
    let leaf = |((idx, leaf), expected): (LeafRow, i64)| {
        in_place(expected, idx)?;
        hash(&leaf, "entries.leaf_hash")
    };
    indexed.map(leaf).collect()
}

/// Entries from `start` on; a gap would be a hole in the log.
pub(super) fn dense_entries(
    start: i64,
    rows: Vec<EntryRow>,
) -> Result<Vec<StoredEntry>, StoreError> {
    let indexed = rows.into_iter().zip(start..);
    let checked = |(row, expected): (EntryRow, i64)| {
        in_place(expected, row.0)?;
        entry(row)
    };
    indexed.map(checked).collect()
}

fn in_place(expected: i64, idx: i64) -> Result<(), StoreError> {
    if idx == expected {
        return Ok(());
    }
    Err(corrupt(format!("entry {expected} is missing, the next one is {idx}")))
}

pub(super) fn tile((level, idx, hashes, upper): TileRow) -> Result<FullTile, StoreError> {
    let level_fits = u8::try_from(level);
    let level = level_fits.map_err(|_| corrupt(format!("tiles.level is {level}")))?;
    let index = unsigned(idx, "tiles.idx")?;
    if hashes.len() != TILE_BYTES {
        let length = hashes.len();
        return Err(corrupt(format!("tile {level}/{index} has {length} bytes")));
    }
    Ok(FullTile { id: TileId { level, index }, hashes, upper })
}

pub(super) fn half_tile((number, lower, upper): HalfRow) -> Result<Around, StoreError> {
    around_leaf(unsigned(number, "half")? * HALF_WIDTH, &lower, upper.as_deref())
}

fn around_leaf(leaf: u64, lower: &[u8], upper: Option<&[u8]>) -> Result<Around, StoreError> {
    let lower = HalfTile::around_leaf(leaf, lower);
    let upper = upper.map(|upper| HalfTile::above_leaf(leaf, upper)).transpose();
    match (lower, upper) {
        (Ok(lower), Ok(upper)) => Ok(Around { lower, upper }),
        (Err(error), _) | (_, Err(error)) => {
            Err(corrupt(format!("the tile of entry {leaf}: {error}")))
        }
    }
}

/// Sorts matches under the keys that they answer, each list in index order.
pub(super) fn matches(keys: &[IndexKey], rows: Vec<MatchRow>) -> Result<Vec<Found>, StoreError> {
    let mut by_key: HashMap<IndexKey, Found> = HashMap::new();
    for (key, idx, leaf) in rows {
        let leaf = leaf.ok_or_else(|| corrupt(format!("index key of a missing entry {idx}")))?;
        let entry = (unsigned(idx, "index_keys.idx")?, hash(&leaf, "entries.leaf_hash")?);
        by_key.entry(key).or_default().push(entry);
    }
    let under = |key: &IndexKey| by_key.get(key).cloned().unwrap_or_default();
    Ok(keys.iter().map(under).collect())
}
