//! Postgres: several servers may share one database.
//!
//! Border: SQL and the session it runs in. A round is one autocommit statement,
//! so there is no transaction to leave open, one round trip, and the fence is the
//! row lock of the head: the second of two writers waits for the first, finds
//! another size, and writes nothing. Only then does it take a [turn], which is
//! a transaction.

mod audit;
mod connections;
mod durability;
mod held;
mod leaves;
mod lent;
mod outliving;
mod round;
mod search;
mod session;
mod turn;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, Postgres};
use tlog::{Hash, TileId};

use self::connections::{Connections, Purpose};
pub use self::durability::Standby;
use self::lent::Lent;
use self::session::{ANSWER, SETTLED, SHOWN};
use super::failure::NoAnswer;
use super::rows;
use super::{
    Around, Batch, EntryKey, Found, FullTile, Head, Identity, IndexKey, Store, StoreError,
    StoredEntry, Turn,
};

/// A log in Postgres.
#[derive(Debug)]
pub struct PostgresStore {
    /// One connection that readers cannot take away from a round, nor from what it asks before.
    writer: Connections,
    readers: Connections,
    standby: Standby,
}

impl PostgresStore {
    /// Connects, brings the schema up to date and checks that the server's
    /// settings keep what a commit promises. Safe for several servers at once.
    ///
    /// `url` is `postgres://user@host/database?…`; of `max_connections` one is
    /// for writing and the others (at least one) are for reading.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be reached, `Corrupt` when the schema
    /// is not one that this program can bring up to date.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Self::connect_to(url, max_connections, Standby::Optional).await
    }

    /// The same, and says whether commits must reach a second server.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); `Unavailable` also when a demanded standby is not
    /// configured. When that happens later, writes are `Unavailable`.
    pub async fn connect_to(
        url: &str,
        max_connections: u32,
        standby: Standby,
    ) -> Result<Self, StoreError> {
        let options = session::options(url)?;
        session::migrate(&options, standby).await?;
        Self::with(
            &options,
            max_connections,
            standby,
            [Purpose::Writing(standby), Purpose::Reading],
        )
    }

    /// Connects to a database that is there, to audit it and nothing else.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); `Unavailable` also when the schema is an older one. What
    /// Postgres cannot read of its files is `Corrupt` then.
    pub async fn connect_to_read(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let options = session::options(url)?;
        session::check_schema(&options).await?;
        Self::with(&options, max_connections, Standby::Optional, [Purpose::Auditing; 2])
    }

    fn with(
        options: &PgConnectOptions,
        max_connections: u32,
        standby: Standby,
        [writes, reads]: [Purpose; 2],
    ) -> Result<Self, StoreError> {
        let readers = max_connections.saturating_sub(1).max(1) as usize;
        Ok(Self {
            writer: Connections::new(options, writes, 1)?,
            readers: Connections::new(options, reads, readers)?,
            standby,
        })
    }

    /// Runs a statement of the writer to its end, that is past its commit.
    async fn write<O>(
        &self,
        query: QueryAs<'_, Postgres, O, PgArguments>,
    ) -> Result<Vec<O>, StoreError>
    where
        O: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        Lent::from(&self.writer).await?.fetch(ANSWER, query).await
    }

    /// Runs a statement that changes nothing.
    async fn read<O>(
        &self,
        query: QueryAs<'_, Postgres, O, PgArguments>,
    ) -> Result<Vec<O>, StoreError>
    where
        O: Send + Unpin + for<'r> FromRow<'r, PgRow> + 'static,
    {
        lent::ask_twice(ANSWER, &self.readers, query).await
    }
}

/// Whether nobody can be asked for a standby now, though the database can be read.
fn tells_nothing(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.is::<NoAnswer>() || error.downcast_ref().is_some_and(session::is_read_only)
}

/// One entry with all that belongs to it; see [`rows::WholeRow`].
///
/// Here and below, the limit of one row for each key binds the planner to a look-up by the whole
/// key. While a table is small it is cheaper to read all of it, and the plan would outlive that.
macro_rules! whole_entry {
    ($which:literal) => {
        concat!(
            "SELECT e.idx, e.leaf_hash, e.body, e.integrated_time, e.attestation IS NOT NULL,
                    (SELECT a.data FROM attestations AS a WHERE a.digest = e.attestation),
                    substring(t.hashes FROM ((e.idx & 255) / 16 * 512 + 1)::int FOR 512),
                    t.upper_half
               FROM entries AS e
               LEFT JOIN LATERAL (
                    SELECT hashes, upper_half FROM tiles WHERE level = 0 AND idx = e.idx >> 8 LIMIT 1
               ) AS t ON true
              WHERE ",
            $which
        )
    };
}

#[async_trait]
impl Store for PostgresStore {
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
        let query = sqlx::query_as(
            "WITH born AS (
                 INSERT INTO log (singleton, tree_id, hostname, public_key, created_at)
                 VALUES (true, $1, $2, $3, $4)
                 ON CONFLICT DO NOTHING
                 RETURNING 1
             ), first_head AS (
                 INSERT INTO head (singleton, size, root, checkpoint, time)
                 SELECT true, $5, $6, $7, $8 FROM born
             )
             SELECT count(*) FROM born",
        )
        .bind(rows::signed(identity.tree_id, "log.tree_id")?)
        .bind(&identity.hostname)
        .bind(&identity.public_key)
        .bind(identity.created_at)
        .bind(rows::signed(head.size, "head.size")?)
        .bind(&head.root.as_bytes()[..])
        .bind(&*head.checkpoint)
        .bind(head.time);
        match self.write(query).await?.as_slice() {
            [(1i64,)] => Ok(()),
            _ => Err(StoreError::Conflict),
        }
    }

    async fn head(&self) -> Result<Head, StoreError> {
        let query = sqlx::query_as("SELECT size, root, checkpoint, time FROM head");
        rows::only_head(self.read(query).await?)
    }

    /// Locking the row waits for a round that holds it, and, unlike a plain read, ends with a commit
    /// of its own; see [`held`].
    async fn settled_head(&self) -> Result<Head, StoreError> {
        let query = sqlx::query_as(concat!(
            "SELECT size, root, checkpoint, time, ",
            held::commits_wait!(),
            " FROM head FOR NO KEY UPDATE"
        ));
        let held = lent::ask_twice(SETTLED, &self.writer, query).await?;
        let (head, waits) = held::only_head(held)?;
        held::check(waits).map(|()| head)
    }

    /// As [`settled_head`](Self::settled_head), but with a row that no round locks, and only where
    /// commits wait for a standby: a database that takes no writes, as when its disk is full, locks
    /// nothing. Whoever is left waiting for a standby keeps the lock of that row, so that not more
    /// and more of us do.
    async fn until_settled(&self) -> Result<bool, StoreError> {
        let named = "SELECT trim(current_setting('synchronous_standby_names')) <> ''";
        if let [(false,)] = *self.read::<(bool,)>(sqlx::query_as(named)).await? {
            return Ok(true);
        }
        let query = sqlx::query_as::<_, (bool,)>(concat!(
            "SELECT ",
            held::commits_wait!(),
            " FROM log FOR NO KEY UPDATE"
        ));
        let mut reader = Lent::from(&self.readers).await?;
        match reader.fetch(SHOWN, query).await {
            Ok(held) => Ok(held.iter().all(|(waits,)| *waits)),
            Err(StoreError::Unavailable(error)) if tells_nothing(&*error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        let written = self.write(round::statement(batch, self.standby)?).await?;
        round::judge(batch, &written)
    }

    async fn turn(&self) -> Result<Box<dyn Turn>, StoreError> {
        turn::take(&self.writer, self.standby).await
    }

    async fn find_leaves(&self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError> {
        let found = lent::ask_twice(ANSWER, &self.writer, leaves::known(leaves)).await?;
        found.into_iter().map(rows::found).collect()
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
        let (start, query) = leaves::between(start, count);
        rows::dense_leaves(start, self.read(query).await?)
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
        let (levels, indexes) = round::tile_columns(ids.iter().copied());
        let query = sqlx::query_as(
            "SELECT t.level::bigint, t.idx, t.hashes, t.upper_half
               FROM UNNEST($1::smallint[], $2::bigint[]) AS w (level, idx)
              CROSS JOIN LATERAL (
                    SELECT * FROM tiles WHERE level = w.level AND idx = w.idx LIMIT 1
              ) AS t",
        )
        .bind(levels)
        .bind(indexes);
        self.read(query).await?.into_iter().map(rows::tile).collect()
    }

    async fn half_tiles(&self, numbers: &[u64]) -> Result<Vec<Around>, StoreError> {
        let numbers: Vec<i64> = numbers.iter().filter_map(|n| (*n).try_into().ok()).collect();
        let query = sqlx::query_as(
            "SELECT w.half, substring(t.hashes FROM ((w.half & 15) * 512 + 1)::int FOR 512),
                    t.upper_half
               FROM UNNEST($1::bigint[]) AS w(half)
              CROSS JOIN LATERAL (
                    SELECT hashes, upper_half FROM tiles
                     WHERE level = 0 AND idx = w.half >> 4 LIMIT 1
              ) AS t",
        )
        .bind(numbers);
        self.read(query).await?.into_iter().map(rows::half_tile).collect()
    }

    async fn search(&self, keys: &[IndexKey], most: usize) -> Result<Vec<Found>, StoreError> {
        rows::matches(keys, self.read(search::first(keys, most)).await?)
    }

    async fn search_among(
        &self,
        keys: &[IndexKey],
        indexes: &[u64],
    ) -> Result<Vec<Found>, StoreError> {
        rows::matches(keys, self.read(search::among(keys, indexes)).await?)
    }

    async fn ping(&self) -> Result<Option<i64>, StoreError> {
        let query = "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint";
        let rows = self.read::<(i64,)>(sqlx::query_as(query)).await?;
        Ok(rows.first().map(|(seconds,)| *seconds))
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}
