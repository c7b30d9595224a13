//! A turn on SQLite: a round's transaction, begun before its batch is known.
//!
//! Border: the lock and its transaction; what is committed in it is the business of `round`.
//!
//! One server writes such a file, so nobody competes for turns; but another handle of it may, and
//! for both this is as true as on Postgres. Two things are weaker: SQLite does not queue those
//! who wait for its lock, and nobody takes it away from a process that is stopped, as it would
//! be in the midst of a round.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;
use tlog::Hash;

use super::session::store_error;
use super::wal::Wal;
use super::{leaves, round};
use crate::store::rows;
use crate::store::{Batch, Head, StoreError, Turn};

pub(super) struct SqliteTurn {
    wal: Arc<Wal>,
    round: round::Round,
    head: Head,
}

/// Takes the write lock.
pub(super) async fn take(writer: &SqlitePool, wal: &Arc<Wal>) -> Result<Box<dyn Turn>, StoreError> {
    let mut round = round::begin(writer, wal).await?;
    let query = sqlx::query_as("SELECT size, root, checkpoint, time FROM head");
    let head = rows::only_head(query.fetch_all(&mut *round).await.map_err(store_error)?)?;
    // It is shown to readers from here.
    wal.check()?;
    Ok(Box::new(SqliteTurn { wal: Arc::clone(wal), round, head }))
}

#[async_trait]
impl Turn for SqliteTurn {
    fn head(&self) -> &Head {
        &self.head
    }

    async fn leaf_hashes(&mut self, start: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        leaves::between(&mut self.round, start, count).await
    }

    async fn find_leaves(&mut self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError> {
        leaves::known(&mut self.round, leaves).await
    }

    async fn commit(self: Box<Self>, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        round::write(self.round, &self.wal, batch).await
    }

    async fn settle(self: Box<Self>) -> Result<(), StoreError> {
        self.round.rollback().await.map_err(store_error)?;
        self.wal.check()
    }
}
