//! A turn on Postgres: a transaction that has locked the head row.
//!
//! Every round takes this lock, so whoever asks for it stands in line with the rounds, and
//! those that come later wait behind it. An advisory lock would be a second thing to
//! agree on, which rounds without a turn would have to take as well, and which would not
//! be the fence. (Postgres wakes one waiter at a time, but does not promise that nobody
//! overtakes it in that moment; who does must have read, hashed and signed in the time that a
//! process takes to wake up.)
//!
//! The lock is held while this process computes. Should it be stopped then, Postgres ends its
//! session after a second of silence and takes everything back.

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, Postgres};
use tlog::Hash;
use tokio::time::timeout;

use super::session::{ANSWER, TURN, store_error};
use super::{leaves, round};
use crate::store::failure::NoAnswer;
use crate::store::rows::{self, HeadRow};
use crate::store::{Batch, Head, StoreError, Turn};

/// One message, so that the time to wait for is that of the lock.
const TAKE: &str = "
    BEGIN;
    SET LOCAL idle_in_transaction_session_timeout = '1s';
    SELECT size, root, checkpoint, time FROM head FOR NO KEY UPDATE";

pub(super) struct PostgresTurn {
    transaction: Transaction,
    head: Head,
}

/// Locks the head on the writing connection.
pub(super) async fn take(writer: &PgPool) -> Result<Box<dyn Turn>, StoreError> {
    let connection = writer.acquire().await.map_err(store_error)?;
    // From here on, whoever drops it leaves no transaction to the next one.
    let mut transaction = Transaction { connection, over: false };
    let taken = sqlx::raw_sql(TAKE).fetch_all(&mut *transaction.connection);
    let rows = timeout(TURN, taken).await.map_err(|_| NoAnswer(TURN))?.map_err(store_error)?;
    let rows: Result<Vec<HeadRow>, _> = rows.iter().map(HeadRow::from_row).collect();
    let head = rows::only_head(rows.map_err(store_error)?)?;
    Ok(Box::new(PostgresTurn { transaction, head }))
}

/// A connection in a transaction. It is closed unless the transaction was ended on it: only
/// then nothing is left behind, neither a lock nor half an answer.
struct Transaction {
    connection: PoolConnection<Postgres>,
    over: bool,
}

impl Transaction {
    async fn fetch<O>(
        &mut self,
        query: QueryAs<'_, Postgres, O, PgArguments>,
    ) -> Result<Vec<O>, StoreError>
    where
        O: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        match timeout(ANSWER, query.fetch_all(&mut *self.connection)).await {
            Ok(answer) => answer.map_err(store_error),
            Err(_) => Err(NoAnswer(ANSWER).into()),
        }
    }

    async fn end(mut self, order: &'static str) -> Result<(), StoreError> {
        match timeout(ANSWER, sqlx::raw_sql(order).execute(&mut *self.connection)).await {
            Ok(done) => done.map_err(store_error)?,
            Err(_) => return Err(NoAnswer(ANSWER).into()),
        };
        self.over = true;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.over {
            self.connection.close_on_drop();
        }
    }
}

#[async_trait]
impl Turn for PostgresTurn {
    fn head(&self) -> &Head {
        &self.head
    }

    async fn leaf_hashes(&mut self, start: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        let (start, query) = leaves::between(start, count);
        rows::dense_leaves(start, self.transaction.fetch(query).await?)
    }

    async fn find_leaves(&mut self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError> {
        let found = self.transaction.fetch(leaves::known(leaves)).await?;
        found.into_iter().map(rows::found).collect()
    }

    async fn commit(mut self: Box<Self>, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        let written = self.transaction.fetch(round::statement(batch)?).await?;
        match round::judge(batch, &written) {
            Ok(()) => self.transaction.end("COMMIT").await,
            Err(StoreError::Conflict) => {
                self.transaction.end("ROLLBACK").await?;
                Err(StoreError::Conflict)
            }
            Err(error) => Err(error),
        }
    }

    /// The lock is written to the log, see [`PostgresStore::settled_head`](super::PostgresStore).
    async fn settle(self: Box<Self>) -> Result<(), StoreError> {
        self.transaction.end("COMMIT").await
    }
}
