//! Which entries stand under a search string.
//!
//! Border: the queries; how the keys of a search combine is known to the caller.

use std::collections::BTreeSet;

use sqlx::query::QueryAs;
use sqlx::sqlite::SqliteArguments;
use sqlx::{QueryBuilder, Sqlite};

use crate::store::IndexKey;
use crate::store::rows::MatchRow;

/// The first under a key, in order; see [`rows::matches`](crate::store::rows::matches).
pub(super) fn first(
    key: IndexKey,
    most: usize,
) -> QueryAs<'static, Sqlite, MatchRow, SqliteArguments> {
    sqlx::query_as(
        "SELECT k.key, k.idx, (SELECT e.leaf_hash FROM entries AS e WHERE e.idx = k.idx)
           FROM index_keys AS k WHERE k.key = $1 ORDER BY k.idx LIMIT $2",
    )
    .bind(key)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
}

/// Those of the entries that are under a key, in order.
pub(super) fn among(key: IndexKey, indexes: &[u64]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT k.key, k.idx, (SELECT e.leaf_hash FROM entries AS e WHERE e.idx = k.idx)
           FROM index_keys AS k WHERE k.key = ",
    );
    query.push_bind(key).push(" AND k.idx IN (");
    let mut list = query.separated(", ");
    for index in indexes.iter().filter_map(|index| i64::try_from(*index).ok()) {
        list.push_bind(index);
    }
    query.push(") ORDER BY k.idx");
    query
}

pub(super) fn distinct(keys: &[IndexKey]) -> BTreeSet<IndexKey> {
    keys.iter().copied().collect()
}
