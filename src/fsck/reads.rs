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
            Ok(rows) => Self::AtOnce(in_line(rows)),
            Err(_) => Self::OneByOne,
        })
    }

    /// The row at this index, which grows from call to call; `None` when there is none. One that is not
    /// in line is asked for alone.
    pub(super) async fn next(
        &mut self,
        store: &dyn Audit,
        index: u64,
    ) -> Result<Readable<Option<RawEntry>>, StoreError> {
        match self {
            Self::AtOnce(rows) => {
                if let Some(row) = take(rows, index) {
                    return Ok(Ok(Some(row)));
                }
            }
            Self::OneByOne => {}
        }
        let read = readable(store.raw_entries(index, 1).await)?;
        // A look-up may lead to a row that says it has another index.
        Ok(read.map(|rows| rows.into_iter().find(|row| row.index == index)))
    }
}

/// Rows by index. The database hands them out as they lie, and a row lies where it was written,
/// whatever index it says that it has by now.
fn in_line(mut rows: Vec<RawEntry>) -> Peekable<IntoIter<RawEntry>> {
    rows.sort_by_key(|row| row.index);
    rows.into_iter().peekable()
}

/// The row at this index, if there is one. Seconds of those before it are dropped.
fn take(rows: &mut Peekable<IntoIter<RawEntry>>, index: u64) -> Option<RawEntry> {
    while rows.next_if(|row| row.index < index).is_some() {}
    rows.next_if(|row| row.index == index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_says_another_index_stands_in_no_way() {
        let row = |index| RawEntry {
            index,
            integrated_time: 0,
            leaf: Vec::new(),
            body: Vec::new(),
            attestation: None,
        };
        let taken = |said: [u64; 4]| {
            let mut rows = in_line(said.map(row).to_vec());
            let rows = &mut rows;
            Vec::from_iter((0..4).filter_map(|index| take(rows, index)).map(|row| row.index))
        };
        assert_eq!(taken([0, 1, 2, 3]), [0, 1, 2, 3]);
        assert_eq!(taken([0, 1, 1, 3]), [0, 1, 3]);
        assert_eq!(taken([0, 3, 2, 3]), [0, 2, 3]);
    }
}
