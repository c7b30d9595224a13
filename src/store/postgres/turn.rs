//! A turn on Postgres: a transaction that has locked the head row.
//!
//! Border: the lock and its transaction; what is committed in it is the business of `round`.
//!
//! Every round takes this lock, so whoever asks for it stands in line with the rounds, and
//! those that come later wait behind it. An advisory lock would be a second thing to
//! agree on, which rounds without a turn would have to take as well, and which would not
//! be the fence. (Postgres wakes one waiter at a time, but does not promise that nobody
//! overtakes it in that moment; who does must have read, hashed and signed in the time that a
//! process takes to wake up.)
//!
//! The lock is held while this process computes. Should it be stopped then, Postgres ends its
//! session after a second of silence and takes everything back. A large round that comes over a slow
//! wire is silence, too, until all of it is there: it is announced first.

use async_trait::async_trait;
use sqlx::FromRow as _;
use tlog::Hash;

use super::connections::Connections;
use super::durability::Standby;
use super::held::HeldRow;
use super::lent::Lent;
use super::session::{ANSWER, TURN, store_error};
use super::{held, leaves, round};
use crate::store::rows;
use crate::store::{Batch, Head, StoreError, Turn};

/// One message, so that the time to wait for is that of the lock.
const TAKE: &str = concat!(
    "BEGIN;
    SET LOCAL idle_in_transaction_session_timeout = '1s';
    SELECT size, root, checkpoint, time, ",
    held::commits_wait!(),
    " FROM head FOR NO KEY UPDATE"
);

/// Bytes of a round that are there within the second over any wire that a log is run on.
const LARGE: usize = 1 << 20;

/// The largest round takes that long where some 30 Mbit/s are to be had. The others give up their
/// place in line after as long.
const ANNOUNCE: &str = "SET LOCAL idle_in_transaction_session_timeout = '10s'";

pub(super) struct PostgresTurn {
    /// In a transaction; dropped in it, it is closed, and nothing is left to the next one.
    writer: Lent,
    standby: Standby,
    head: Head,
    /// Whether the session's commits wait.
    waits: bool,
}

/// Locks the head on the writing connection.
pub(super) async fn take(
    connections: &Connections,
    standby: Standby,
) -> Result<Box<dyn Turn>, StoreError> {
    let mut writer = Lent::from(connections).await?;
    let rows = match writer.begin(TURN, TAKE).await {
        Ok(rows) => rows,
        Err(error) => {
            writer = writer.instead(error, connections).await?;
            writer.begin(TURN, TAKE).await?
        }
    };
    let rows: Result<Vec<HeldRow>, _> = rows.iter().map(HeldRow::from_row).collect();
    let (head, waits) = held::only_head(rows.map_err(store_error)?)?;
    Ok(Box::new(PostgresTurn { writer, standby, head, waits }))
}

#[async_trait]
impl Turn for PostgresTurn {
    fn head(&self) -> &Head {
        &self.head
    }

    async fn leaf_hashes(&mut self, start: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        let (start, query) = leaves::between(start, count);
        rows::dense_leaves(start, self.writer.fetch(ANSWER, query).await?)
    }

    async fn find_leaves(&mut self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError> {
        let found = self.writer.fetch(ANSWER, leaves::known(leaves)).await?;
        found.into_iter().map(rows::found).collect()
    }

    async fn commit(mut self: Box<Self>, batch: &Batch) -> Result<(), StoreError> {
        batch.check()?;
        if batch.weight() > LARGE {
            self.writer.order(ANSWER, ANNOUNCE).await?;
        }
        let written = self.writer.fetch(ANSWER, round::statement(batch, self.standby)?).await?;
        match round::judge(batch, &written) {
            Ok(()) => self.writer.end(ANSWER, "COMMIT").await,
            Err(error @ StoreError::Corrupt(_)) => Err(error),
            Err(refused) => {
                self.writer.end(ANSWER, "ROLLBACK").await?;
                Err(refused)
            }
        }
    }

    /// See [`held`].
    async fn settle(self: Box<Self>) -> Result<(), StoreError> {
        self.writer.end(ANSWER, "COMMIT").await?;
        held::check(self.waits)
    }
}
