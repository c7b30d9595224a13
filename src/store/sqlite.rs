//! SQLite: one server process, one file.
//!
//! Border: SQL and the session it runs in. WAL lets readers go on while a round
//! is written, so there are two pools: one connection that writes, and readers.
//! A second server is refused; between other handles of one file the fence in the round decides.

mod audit;
mod file;
mod leaves;
mod pages;
mod round;
mod search;
mod session;
mod turn;
mod wal;
mod write_back;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sqlx::query::QueryAs;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Connection as _, FromRow, QueryBuilder, Sqlite, SqliteConnection};
use tlog::{Hash, TileId};

use self::file::{DatabaseFile, Use};
use self::round::pieces;
use self::session::store_error;
use self::wal::Wal;
use self::write_back::WriteBack;
use super::rows::{self, HalfRow, TileRow};
use super::{
    Around, Batch, EntryKey, Found, FullTile, Head, Identity, IndexKey, Store, StoreError,
    StoredEntry, Turn,
};

/// Connections that read.
const READERS: u32 = 4;

/// A log in one SQLite file (and its `-wal` and `-shm` neighbours).
#[derive(Debug)]
pub struct SqliteStore {
    /// The only connection that writes.
    writer: SqlitePool,
    readers: SqlitePool,
    wal: Arc<Wal>,
    write_back: WriteBack,
    /// Open as long as the store is: SQLite takes the write-ahead log away when its last
    /// connection is closed, and a pool may be without any for a moment.
    anchor: Mutex<Option<SqliteConnection>>,
}

impl SqliteStore {
    /// Opens or creates the file, brings the schema up to date and checks that
    /// SQLite took the settings that keep what a commit promises. The directory
    /// must exist. Others may have the file open.
    ///
    /// Only [`close`](Store::close) copies the write-ahead log into the file for certain; who
    /// refuses what it finds in there had better never drop this.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be opened, has several names, or is locked for longer than
    /// 5 s, `Corrupt` when it is no SQLite database or another program's, has a schema that this
    /// program cannot bring up to date, is beside a write-ahead log that is not its own, or refuses
    /// a setting.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::of(&DatabaseFile::open(path, Use::Shared)?).await
    }

    /// The same for a server, of which a file has one: until the end of the process no other one
    /// opens it so.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `Unavailable` when another process has opened it so.
    pub async fn open_alone(path: &Path) -> Result<Self, StoreError> {
        Self::of(&DatabaseFile::open(path, Use::Alone)?).await
    }

    async fn of(database: &DatabaseFile) -> Result<Self, StoreError> {
        let path = database.path();
        let anchor = session::prepare(path).await?;
        let wal = Arc::new(Wal::beside(database.clone()));
        let writer = session::pool(path, 1);
        Ok(Self {
            readers: session::pool(path, READERS),
            write_back: WriteBack::of(database, Arc::clone(&wal), writer.clone()),
            writer,
            wal,
            anchor: Mutex::new(Some(anchor)),
        })
    }

    /// Opens a file that is there, to read it and nothing else: neither file nor write-ahead log
    /// is changed, whoever closes them last. (SQLite keeps its `-shm` beside them, and makes an
    /// empty log where there is none.)
    ///
    /// # Errors
    /// As [`open`](Self::open); `Unavailable` also when the schema is an older one.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let database = DatabaseFile::open(path, Use::Reading)?;
        let path = database.path();
        session::check_schema(path).await?;
        let anchor = session::reading_anchor(path).await?;
        let wal = Arc::new(Wal::beside(database.clone()));
        let writer = session::reading_pool(path, 1);
        Ok(Self {
            readers: session::reading_pool(path, READERS),
            write_back: WriteBack::of(&database, Arc::clone(&wal), writer.clone()),
            writer,
            wal,
            anchor: Mutex::new(Some(anchor)),
        })
    }

    async fn read<O>(
        &self,
        query: QueryAs<'_, Sqlite, O, SqliteArguments>,
    ) -> Result<Vec<O>, StoreError>
    where
        O: Send + Unpin + for<'r> FromRow<'r, SqliteRow>,
    {
        query.fetch_all(&self.readers).await.map_err(store_error)
    }
}

/// One entry with all that belongs to it; see [`rows::WholeRow`].
macro_rules! whole_entry {
    ($which:literal) => {
        concat!(
            "SELECT e.idx, e.leaf_hash, e.body, e.integrated_time, e.attestation IS NOT NULL,
                    (SELECT a.data FROM attestations AS a WHERE a.digest = e.attestation),
                    substr(t.hashes, (e.idx & 255) / 16 * 512 + 1, 512),
                    t.upper_half
               FROM entries AS e LEFT JOIN tiles AS t ON t.level = 0 AND t.idx = e.idx >> 8
              WHERE ",
            $which
        )
    };
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self) -> Result<Option<(Identity, Head)>, StoreError> {
        let query = sqlx::query_as(
            "SELECT l.tree_id, l.hostname, l.public_key, l.created_at,
                    h.size, h.root, h.checkpoint, h.time
               FROM (SELECT 1) AS here LEFT JOIN log AS l ON true LEFT JOIN head AS h ON true",
        );
        rows::state(self.read(query).await?)
    }

    async fn create(&self, identity: &Identity, head: &Head) -> Result<(), StoreError> {
        head.check_first()?;
        let mut round = round::begin(&self.writer, &self.wal).await?;
        round::born(&mut round, identity, head).await?;
        round.commit().await.map_err(store_error)
    }

    /// Never that of a commit whose file was not looked at, nor any once that was found damaged:
    /// whoever is shown a head may hold us to it.
    async fn head(&self) -> Result<Head, StoreError> {
        // First: a commit must not wait for readers that wait for each other.
        let mut reader = self.readers.acquire().await.map_err(store_error)?;
        let _shown = self.wal.shown().await;
        let query = sqlx::query_as("SELECT size, root, checkpoint, time FROM head");
        let head = rows::only_head(query.fetch_all(&mut *reader).await.map_err(store_error)?)?;
        self.wal.check()?;
        Ok(head)
    }

    /// Visible is durable here, as WAL frames are synced before others see them; unless the
    /// file that they are in was damaged. Asking the writer waits for a round that it is still
    /// at because nobody waited for its end.
    async fn settled_head(&self) -> Result<Head, StoreError> {
        let query = sqlx::query_as("SELECT size, root, checkpoint, time FROM head");
        let head = rows::only_head(query.fetch_all(&self.writer).await.map_err(store_error)?)?;
        self.wal.check()?;
        Ok(head)
    }

    /// [`head`](Self::head) shows nothing else.
    async fn until_settled(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        self.write_back.begin();
        round::write(round::begin(&self.writer, &self.wal).await?, &self.wal, batch).await
    }

    async fn turn(&self) -> Result<Box<dyn Turn>, StoreError> {
        self.write_back.begin();
        turn::take(&self.writer, &self.wal).await
    }

    async fn find_leaves(&self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError> {
        let mut writer = self.writer.acquire().await.map_err(store_error)?;
        leaves::known(&mut writer, leaves).await
    }

    async fn entry(&self, key: EntryKey) -> Result<Option<StoredEntry>, StoreError> {
        let query = match key {
            EntryKey::Index(index) => {
                let Ok(index) = i64::try_from(index) else {
                    return Ok(None);
                };
                sqlx::query_as(whole_entry!("e.idx = $1")).bind(index)
            }
            EntryKey::Leaf(leaf) => {
                sqlx::query_as(whole_entry!("e.leaf_hash = $1")).bind(leaf.as_bytes().to_vec())
            }
        };
        rows::whole_entry(self.read(query).await?)
    }

    async fn leaf_hashes(&self, start: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        let mut reader = self.readers.acquire().await.map_err(store_error)?;
        leaves::between(&mut reader, start, count).await
    }

    async fn entries(&self, start: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        let (start, end) = rows::span(start, count);
        let query = sqlx::query_as(
            "SELECT idx, leaf_hash, body, integrated_time FROM entries
              WHERE idx >= $1 AND idx < $2 ORDER BY idx",
        )
        .bind(start)
        .bind(end);
        rows::dense_entries(start, self.read(query).await?)
    }

    async fn tiles(&self, ids: &[TileId]) -> Result<Vec<FullTile>, StoreError> {
        let known = ids.iter().filter_map(|id| Some((id.level, i64::try_from(id.index).ok()?)));
        let distinct: Vec<(u8, i64)> = BTreeSet::from_iter(known).into_iter().collect();
        let mut found = Vec::new();
        for piece in pieces(&distinct) {
            // CROSS JOIN keeps this order; else SQLite would scan the tiles.
            let mut query = QueryBuilder::new("WITH w (level, idx) AS (");
            query.push_values(piece, |mut row, (level, index)| {
                row.push_bind(*level).push_bind(*index);
            });
            query.push(
                ") SELECT t.level, t.idx, t.hashes, t.upper_half
                     FROM w CROSS JOIN tiles AS t ON t.level = w.level AND t.idx = w.idx",
            );
            let rows: Vec<TileRow> = self.read(query.build_query_as()).await?;
            found.extend(rows);
        }
        found.into_iter().map(rows::tile).collect()
    }

    async fn half_tiles(&self, numbers: &[u64]) -> Result<Vec<Around>, StoreError> {
        let numbers: Vec<i64> = numbers.iter().filter_map(|n| (*n).try_into().ok()).collect();
        let mut found = Vec::new();
        for piece in pieces(&numbers) {
            let mut query = QueryBuilder::new("WITH w (half) AS (");
            query.push_values(piece, |mut row, number| {
                row.push_bind(*number);
            });
            query.push(
                ") SELECT w.half, substr(t.hashes, (w.half & 15) * 512 + 1, 512), t.upper_half
                     FROM w CROSS JOIN tiles AS t ON t.level = 0 AND t.idx = w.half >> 4",
            );
            let rows: Vec<HalfRow> = self.read(query.build_query_as()).await?;
            found.extend(rows);
        }
        found.into_iter().map(rows::half_tile).collect()
    }

    async fn search(&self, keys: &[IndexKey], most: usize) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        for key in search::distinct(keys) {
            found.extend(self.read(search::first(key, most)).await?);
        }
        rows::matches(keys, found)
    }

    async fn search_among(
        &self,
        keys: &[IndexKey],
        indexes: &[u64],
    ) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        for key in search::distinct(keys) {
            for piece in pieces(indexes) {
                found.extend(self.read(search::among(key, piece).build_query_as()).await?);
            }
        }
        rows::matches(keys, found)
    }

    async fn ping(&self) -> Result<Option<i64>, StoreError> {
        self.wal.check()?;
        self.read::<(i32,)>(sqlx::query_as("SELECT 1")).await.map(|_| None)
    }

    async fn close(&self) {
        self.write_back.stop().await;
        if self.wal.check().is_ok() {
            self.write_back.finish().await;
        }
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.wal.check().is_err() {
            // Whoever closes a file last copies its write-ahead log into it, holes and all. A
            // connection that stays open until the process is gone keeps that from happening.
            std::mem::forget(anchor.take());
        }
        self.wal.leave();
        self.writer.close().await;
        self.readers.close().await;
        if let Some(anchor) = anchor {
            // What is not copied now is at the next start.
            let _ = anchor.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    /// Whether it is done at once.
    async fn at_once(work: impl Future) -> bool {
        let mut work = pin!(work);
        std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_round_looks_for_its_leaves_whatever_readers_do() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("log.db")).await.unwrap();
        let mut busy = Vec::new();
        for _ in 0..READERS {
            busy.push(store.readers.acquire().await.unwrap());
        }
        assert_eq!(store.find_leaves(&[Hash::leaf(b"new")]).await.unwrap(), []);
        drop(busy);
        store.close().await;
    }

    #[tokio::test]
    async fn a_reader_that_waits_for_a_connection_keeps_no_commit_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("log.db")).await.unwrap();
        let mut busy = Vec::new();
        for _ in 0..READERS {
            busy.push(store.readers.acquire().await.unwrap());
        }
        let mut head = pin!(store.head());
        assert!(!at_once(head.as_mut()).await);
        assert!(at_once(store.wal.unshown()).await);
        drop(busy);
        // There is no log in there.
        assert!(head.await.is_err());
        store.close().await;
    }
}
