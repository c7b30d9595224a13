//! A connection that is used for a while, and comes back in good time or not at all.
//!
//! Border: time limits and the way back to the pool; what is asked is the callers'.
//!
//! The driver asks each connection that comes back whether it lives, and waits for the answer
//! without a limit: on a wire that has fallen silent its place would be taken for ever, and
//! that of the writer is the only one. And it takes back whatever was dropped in the midst of
//! a statement or a transaction. Neither happens here.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, Postgres};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::session::store_error;
use crate::store::StoreError;
use crate::store::failure::NoAnswer;

/// How long a connection may take to say that it lives. Nobody waits for that but the next
/// one who needs its place.
const BACK: Duration = Duration::from_secs(3);

/// Goes back to its pool when it is dropped, or is closed if anything is unfinished on it.
pub(super) struct Lent {
    connection: PoolConnection<Postgres>,
    /// An answer is missing.
    asking: bool,
    /// A transaction is open.
    open: bool,
}

impl Lent {
    /// # Errors
    /// `Unavailable` when none is free in time.
    pub(super) async fn from(pool: &PgPool) -> Result<Self, StoreError> {
        let connection = pool.acquire().await.map_err(store_error)?;
        Ok(Self { connection, asking: false, open: false })
    }

    /// Runs a statement to its end, that is past its commit when no transaction is open.
    pub(super) async fn fetch<O>(
        &mut self,
        limit: Duration,
        query: QueryAs<'_, Postgres, O, PgArguments>,
    ) -> Result<Vec<O>, StoreError>
    where
        O: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        self.asking = true;
        let answer = timeout(limit, query.fetch_all(&mut *self.connection)).await;
        self.answered(answer.map_err(|_| NoAnswer(limit)))
    }

    /// Begins a transaction with statements that give rows.
    pub(super) async fn begin(
        &mut self,
        limit: Duration,
        orders: &'static str,
    ) -> Result<Vec<PgRow>, StoreError> {
        (self.asking, self.open) = (true, true);
        let answer = timeout(limit, sqlx::raw_sql(orders).fetch_all(&mut *self.connection)).await;
        self.answered(answer.map_err(|_| NoAnswer(limit)))
    }

    /// Ends the transaction with `COMMIT` or `ROLLBACK`.
    pub(super) async fn end(
        mut self,
        limit: Duration,
        order: &'static str,
    ) -> Result<(), StoreError> {
        self.asking = true;
        let answer = timeout(limit, sqlx::raw_sql(order).execute(&mut *self.connection)).await;
        self.answered(answer.map_err(|_| NoAnswer(limit)))?;
        self.open = false;
        Ok(())
    }

    fn answered<T>(
        &mut self,
        answer: Result<Result<T, sqlx::Error>, NoAnswer>,
    ) -> Result<T, StoreError> {
        let answer = answer?;
        self.asking = false;
        answer.map_err(store_error)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.asking || self.open {
            self.connection.close_on_drop();
        } else if let Ok(runtime) = Handle::try_current() {
            // Dropped at the limit, it is closed and its place is free.
            runtime.spawn(timeout(BACK, self.connection.return_to_pool()));
        }
    }
}
