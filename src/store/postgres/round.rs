//! One round as one statement.
//!
//! Border: SQL and its order; what is in the batch was decided by the sequencer.
//!
//! All columns travel as arrays, so the statement is the same text for every
//! batch size, is prepared once, and needs one round trip. The parts of a
//! data-modifying `WITH` see the same snapshot and talk through `RETURNING` only:
//! each insert joins `moved`, which has a row only if the head was the expected
//! one and no leaf is known. Without it nothing is inserted; with it everything is, or
//! the statement fails and Postgres takes all of it back. (The unique index would refuse
//! a known leaf as well, but leave dead rows and a line in the server's log behind.)
//!
//! `kept` asks in each round what was judged when the connection was made. The session sets
//! `synchronous_commit` for itself, but a pooler in between may hand the round to another session;
//! and who empties `synchronous_standby_names` closes no connection. `ahead` is a time that goes too far
//! beyond the clock here. A log that is there already goes on: that is not this round's doing.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use tlog::TileId;

use super::durability::{Refused, Standby};
use super::held;
use crate::store::{Batch, IndexKey, MAX_AHEAD, NewEntry, StoreError, rows};

const ROUND: &str = concat!(
    "
WITH kept AS (
    SELECT ",
    held::commits_wait!(),
    " AS waits,
           NOT $19::boolean OR trim(current_setting('synchronous_standby_names')) <> '' AS named,
           $6 > extract(epoch FROM clock_timestamp()) + $20::bigint
               AND NOT EXISTS (SELECT FROM head WHERE time >= $6) AS ahead
), moved AS (
    UPDATE head SET size = $3, root = $4, checkpoint = $5, time = $6
     WHERE singleton AND size = $1 AND root = $2
       AND NOT EXISTS (SELECT FROM entries WHERE leaf_hash = ANY ($8::bytea[]))
       AND (SELECT waits AND named AND NOT ahead FROM kept)
    RETURNING 1
), new_entries AS (
    INSERT INTO entries (idx, integrated_time, leaf_hash, body, attestation)
    SELECT $1 + n.place - 1, n.integrated_time, n.leaf_hash, n.body, n.attestation
      FROM moved, UNNEST($7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[])
           WITH ORDINALITY AS n (integrated_time, leaf_hash, body, attestation, place)
    RETURNING 1
), new_keys AS (
    INSERT INTO index_keys (key, idx)
    SELECT n.key, n.idx FROM moved, UNNEST($11::uuid[], $12::bigint[]) AS n (key, idx)
), new_attestations AS (
    INSERT INTO attestations (digest, data)
    SELECT n.digest, n.data FROM moved, UNNEST($13::bytea[], $14::bytea[]) AS n (digest, data)
    ON CONFLICT (digest) DO NOTHING
), new_tiles AS (
    INSERT INTO tiles (level, idx, hashes, upper_half)
    SELECT n.level, n.idx, n.hashes, n.upper_half
      FROM moved, UNNEST($15::smallint[], $16::bigint[], $17::bytea[], $18::bytea[])
           AS n (level, idx, hashes, upper_half)
)
SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM new_entries),
       waits, named, ahead
  FROM kept"
);

/// Heads moved (0 or 1), entries inserted, whether the commit waits for what it promises,
/// whether it waits for a standby if one is demanded, and whether its time is too far ahead.
pub(super) type Written = (i64, i64, bool, bool, bool);

/// Gives one row.
pub(super) fn statement(
    batch: &Batch,
    standby: Standby,
) -> Result<QueryAs<'_, Postgres, Written, PgArguments>, StoreError> {
    let (old_size, old_root) = &batch.old;
    let old_size = rows::signed(*old_size, "head.size")?;
    let query = sqlx::query_as(ROUND)
        .bind(old_size)
        .bind(&old_root.as_bytes()[..])
        .bind(rows::signed(batch.head.size, "head.size")?)
        .bind(&batch.head.root.as_bytes()[..])
        .bind(&*batch.head.checkpoint)
        .bind(batch.head.time);

    let entries = &batch.entries;
    let kept = entries.iter().filter_map(|entry| entry.attestation.as_ref());
    let query = query
        .bind(column(entries.iter().map(|entry| entry.integrated_time)))
        .bind(column(entries.iter().map(|entry| &entry.leaf.as_bytes()[..])))
        .bind(column(entries.iter().map(|entry| &*entry.body)))
        .bind(column(entries.iter().map(digest)));

    let (keys, key_indexes): (Vec<IndexKey>, Vec<i64>) = (old_size..)
        .zip(entries)
        .flat_map(|(idx, entry)| entry.index_keys.iter().map(move |key| (*key, idx)))
        .unzip();
    let (levels, tile_indexes) = tile_columns(batch.tiles.iter().map(|tile| tile.id));
    Ok(query
        .bind(keys)
        .bind(key_indexes)
        .bind(column(kept.clone().map(|kept| &kept.digest[..])))
        .bind(column(kept.map(|kept| &*kept.data)))
        .bind(levels)
        .bind(tile_indexes)
        .bind(column(batch.tiles.iter().map(|tile| &tile.hashes[..])))
        .bind(column(batch.tiles.iter().map(|tile| tile.upper.as_deref())))
        .bind(standby == Standby::Synchronous)
        .bind(MAX_AHEAD))
}

/// What the row says about the round.
pub(super) fn judge(batch: &Batch, written: &[Written]) -> Result<(), StoreError> {
    match written {
        [(1, entries, ..)] if usize::try_from(*entries) == Ok(batch.entries.len()) => Ok(()),
        [(0, 0, false, ..)] => Err(StoreError::Refused(Refused::Early.into())),
        [(0, 0, _, false, _)] => Err(StoreError::Refused(Refused::NoStandby.into())),
        [(0, 0, .., true)] => Err(StoreError::Refused(Refused::Ahead.into())),
        [(0, 0, ..)] => Err(StoreError::Conflict),
        other => Err(StoreError::Corrupt(format!(
            "a round of {} entries wrote (heads, entries) {other:?}: is there a foreign rule or \
             trigger?",
            batch.entries.len()
        ))),
    }
}

fn digest(entry: &NewEntry) -> Option<&[u8]> {
    entry.attestation.as_ref().map(|kept| &kept.digest[..])
}

/// Levels and indexes of the tiles whose index a column can hold.
pub(super) fn tile_columns(ids: impl Iterator<Item = TileId>) -> (Vec<i16>, Vec<i64>) {
    ids.filter_map(|id| Some((i16::from(id.level), i64::try_from(id.index).ok()?))).unzip()
}

fn column<T>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect()
}
