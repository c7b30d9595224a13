//! One round as one transaction.
//!
//! Border: SQL and its order; what is in the batch was decided by the sequencer.
//!
//! A statement costs about 50 µs of hand-over to the thread that owns the
//! connection, so rows travel many at a time. The text of such an insert depends
//! on the number of its rows; cutting a round into powers of two keeps the number
//! of texts, all of them prepared once, at ten for each table.

use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Sqlite, Transaction};

use super::session::{self, store_error};
use super::wal::Wal;
use crate::store::{
    Attestation, Batch, FullTile, Head, Identity, IndexKey, NewEntry, StoreError, rows,
};

/// Rows in one statement; times five columns it stays far under SQLite's limit of
/// 32,766 parameters, and beyond it nothing is gained.
const MOST_ROWS: usize = 512;

pub(super) type Round = Transaction<'static, Sqlite>;

/// Cuts rows into pieces of 512, then of smaller powers of two.
pub(super) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let power = rows.len().min(MOST_ROWS).checked_ilog2()?;
        let (piece, rest) = rows.split_at(1 << power);
        rows = rest;
        Some(piece)
    })
}

/// Takes the write lock at once: a lock that is asked for later can be refused
/// without a wait. Dropping the transaction takes everything back.
pub(super) async fn begin(writer: &SqlitePool, wal: &Wal) -> Result<Round, StoreError> {
    writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| heeded(error, wal))
}

/// Ends all writing when a statement that writes meets a damaged file: others may not meet it.
fn heeded(error: sqlx::Error, wal: &Wal) -> StoreError {
    let is_damage = session::is_damage(&error);
    let error = store_error(error);
    if is_damage {
        wal.condemn(&error.to_string());
    }
    error
}

/// Writes identity and first head where there is none.
pub(super) async fn born(
    round: &mut Round,
    identity: &Identity,
    head: &Head,
) -> Result<(), StoreError> {
    let log = sqlx::query(
        "INSERT INTO log (singleton, tree_id, hostname, public_key, created_at)
         VALUES (1, $1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(rows::signed(identity.tree_id, "log.tree_id")?)
    .bind(&identity.hostname)
    .bind(&identity.public_key)
    .bind(identity.created_at);
    if log.execute(&mut **round).await.map_err(store_error)?.rows_affected() != 1 {
        return Err(StoreError::Conflict);
    }
    let first = sqlx::query(
        "INSERT INTO head (singleton, size, root, checkpoint, time) VALUES (1, $1, $2, $3, $4)",
    )
    .bind(rows::signed(head.size, "head.size")?)
    .bind(&head.root.as_bytes()[..])
    .bind(&*head.checkpoint)
    .bind(head.time);
    first.execute(&mut **round).await.map(drop).map_err(store_error)
}

/// Writes the whole batch behind the fence, commits, and makes sure that it will stay.
pub(super) async fn write(mut round: Round, wal: &Wal, batch: &Batch) -> Result<(), StoreError> {
    wal.check()?;
    moved(&mut round, wal, batch).await?;
    new_entries(&mut round, wal, batch).await?;
    new_keys(&mut round, wal, batch).await?;
    new_attestations(&mut round, wal, batch).await?;
    new_tiles(&mut round, wal, batch).await?;
    let _unshown = wal.unshown().await;
    wal.before_commit()?;
    let Err(error) = round.commit().await.map_err(store_error) else {
        return wal.after_commit();
    };
    if let StoreError::Corrupt(_) = &error {
        // A sync that failed: what was to be kept may be gone, and nobody is told twice.
        wal.condemn(&error.to_string());
    }
    wal.failed_commit();
    Err(error)
}

/// The fence.
async fn moved(round: &mut Round, wal: &Wal, batch: &Batch) -> Result<(), StoreError> {
    let (old_size, old_root) = batch.old;
    let query = sqlx::query(
        "UPDATE head SET size = $3, root = $4, checkpoint = $5, time = $6
          WHERE singleton = 1 AND size = $1 AND root = $2",
    )
    .bind(rows::signed(old_size, "head.size")?)
    .bind(&old_root.as_bytes()[..])
    .bind(rows::signed(batch.head.size, "head.size")?)
    .bind(&batch.head.root.as_bytes()[..])
    .bind(&*batch.head.checkpoint)
    .bind(batch.head.time);
    match query.execute(&mut **round).await.map_err(|error| heeded(error, wal))?.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::Conflict),
    }
}

async fn new_entries(round: &mut Round, wal: &Wal, batch: &Batch) -> Result<(), StoreError> {
    let numbered = numbered(batch)?;
    for piece in pieces(&numbered) {
        let mut query = QueryBuilder::new(
            "INSERT INTO entries (idx, integrated_time, leaf_hash, body, attestation) ",
        );
        query.push_values(piece, |mut row, (idx, entry)| {
            row.push_bind(*idx)
                .push_bind(entry.integrated_time)
                .push_bind(&entry.leaf.as_bytes()[..])
                .push_bind(&*entry.body)
                .push_bind(entry.attestation.as_ref().map(|kept| &kept.digest[..]));
        });
        insert(round, wal, query).await?;
    }
    Ok(())
}

async fn new_keys(round: &mut Round, wal: &Wal, batch: &Batch) -> Result<(), StoreError> {
    let keys: Vec<(IndexKey, i64)> = numbered(batch)?
        .into_iter()
        .flat_map(|(idx, entry)| entry.index_keys.iter().map(move |key| (*key, idx)))
        .collect();
    for piece in pieces(&keys) {
        let mut query = QueryBuilder::new("INSERT INTO index_keys (key, idx) ");
        query.push_values(piece, |mut row, (key, idx)| {
            row.push_bind(*key).push_bind(*idx);
        });
        insert(round, wal, query).await?;
    }
    Ok(())
}

async fn new_attestations(round: &mut Round, wal: &Wal, batch: &Batch) -> Result<(), StoreError> {
    let kept: Vec<&Attestation> =
        batch.entries.iter().filter_map(|entry| entry.attestation.as_ref()).collect();
    for piece in pieces(&kept) {
        let mut query = QueryBuilder::new("INSERT INTO attestations (digest, data) ");
        query.push_values(piece, |mut row, kept| {
            row.push_bind(&kept.digest[..]).push_bind(&*kept.data);
        });
        query.push(" ON CONFLICT (digest) DO NOTHING");
        insert(round, wal, query).await?;
    }
    Ok(())
}

async fn new_tiles(round: &mut Round, wal: &Wal, batch: &Batch) -> Result<(), StoreError> {
    let tiles: Vec<(u8, i64, &FullTile)> = batch
        .tiles
        .iter()
        .map(|tile| Ok((tile.id.level, rows::signed(tile.id.index, "tiles.idx")?, tile)))
        .collect::<Result<_, StoreError>>()?;
    for piece in pieces(&tiles) {
        let mut query = QueryBuilder::new("INSERT INTO tiles (level, idx, hashes, upper_half) ");
        query.push_values(piece, |mut row, (level, idx, tile)| {
            row.push_bind(*level)
                .push_bind(*idx)
                .push_bind(&tile.hashes[..])
                .push_bind(tile.upper.as_deref());
        });
        insert(round, wal, query).await?;
    }
    Ok(())
}

fn numbered(batch: &Batch) -> Result<Vec<(i64, &NewEntry)>, StoreError> {
    let first = rows::signed(batch.old.0, "head.size")?;
    Ok((first..).zip(&batch.entries).collect())
}

async fn insert(
    round: &mut Round,
    wal: &Wal,
    mut query: QueryBuilder<Sqlite>,
) -> Result<(), StoreError> {
    let inserted = query.build().execute(&mut **round).await;
    inserted.map(drop).map_err(|error| heeded(error, wal))
}
