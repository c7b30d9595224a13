//! Reading what may be damaged: all at once, and one by one where that fails.
//!
//! Border: tells damage, which is a finding, from a database that does not answer,
//! which ends the audit. What was read is judged elsewhere.

use std::iter::Peekable;
use std::vec::IntoIter;

use tlog::TileId;

use crate::store::{Audit, FullTile, RawEntry, StoreError};

/// What was read, or in words why it cannot be.
pub(super) type Readable<T> = Result<T, String>;

pub(super) fn readable<T>(read: Result<T, StoreError>) -> Result<Readable<T>, StoreError> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(StoreError::Corrupt(what)) => Ok(Err(what)),
        Err(error) => Err(error),
    }
}

/// The tile under this ID, if there is one.
pub(super) async fn tile(
    store: &dyn Audit,
    id: TileId,
) -> Result<Readable<Option<FullTile>>, StoreError> {
    let read = readable(store.tiles(&[id]).await)?;
    Ok(read.map(|tiles| tiles.into_iter().next()))
}

/// Rows of `entries`, handed out one by one.
pub(super) enum Rows {
    AtOnce(Peekable<IntoIter<RawEntry>>),
    /// One of them cannot be read, and each must tell for itself.
    OneByOne,
}

impl Rows {
    /// Those of `start..start + count`.
    pub(super) async fn read(
        store: &dyn Audit,
        start: u64,
        count: u64,
    ) -> Result<Self, StoreError> {
        Ok(match readable(store.raw_entries(start, count).await)? {
            Ok(rows) => Self::AtOnce(rows.into_iter().peekable()),
            Err(_) => Self::OneByOne,
        })
    }

    /// The row at this index, which grows from call to call; `None` when there is none.
    pub(super) async fn next(
        &mut self,
        store: &dyn Audit,
        index: u64,
    ) -> Result<Readable<Option<RawEntry>>, StoreError> {
        match self {
            Self::AtOnce(rows) => Ok(Ok(rows.next_if(|row| row.index == index))),
            Self::OneByOne => {
                let read = readable(store.raw_entries(index, 1).await)?;
                Ok(read.map(|rows| rows.into_iter().next()))
            }
        }
    }
}
