//! What a round asks about leaves, in a turn and without one.
//!
//! Border: the two queries. When they are asked, and what follows from the answer, the caller knows.

use sqlx::{QueryBuilder, SqliteConnection};
use tlog::Hash;

use super::round::pieces;
use super::session::store_error;
use crate::store::StoreError;
use crate::store::rows::{self, LeafRow};

/// Which of them are there.
pub(super) async fn known(
    connection: &mut SqliteConnection,
    leaves: &[Hash],
) -> Result<Vec<(Hash, u64)>, StoreError> {
    let mut found = Vec::new();
    for piece in pieces(leaves) {
        let mut query =
            QueryBuilder::new("SELECT idx, leaf_hash FROM entries WHERE leaf_hash IN (");
        let mut list = query.separated(", ");
        for leaf in piece {
            list.push_bind(&leaf.as_bytes()[..]);
        }
        query.push(")");
        let rows: Vec<LeafRow> =
            query.build_query_as().fetch_all(&mut *connection).await.map_err(store_error)?;
        found.extend(rows);
    }
    found.into_iter().map(rows::found).collect()
}

/// Those under `start..start + count`, in order.
pub(super) async fn between(
    connection: &mut SqliteConnection,
    start: u64,
    count: u64,
) -> Result<Vec<Hash>, StoreError> {
    let (start, end) = rows::span(start, count);
    let query = sqlx::query_as(
        "SELECT idx, leaf_hash FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx",
    );
    let rows = query.bind(start).bind(end).fetch_all(connection).await.map_err(store_error)?;
    rows::dense_leaves(start, rows)
}
