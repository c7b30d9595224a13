//! Which entries stand under a search string.
//!
//! Border: the queries; how the keys of a search combine is known to the caller.

use std::collections::BTreeSet;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;

use crate::store::IndexKey;
use crate::store::rows::MatchRow;

type Matches<'q> = QueryAs<'q, Postgres, MatchRow, PgArguments>;

/// The first under each key, in order; see [`rows::matches`](crate::store::rows::matches).
///
/// Each key has a limit of its own, so that the others cost nothing more for one that is popular.
pub(super) fn first(keys: &[IndexKey], most: usize) -> Matches<'_> {
    sqlx::query_as(
        "SELECT k.key, k.idx, k.leaf_hash
           FROM UNNEST($1::uuid[]) AS wanted(key)
          CROSS JOIN LATERAL (
                SELECT i.key, i.idx,
                       (SELECT e.leaf_hash FROM entries AS e WHERE e.idx = i.idx) AS leaf_hash
                  FROM index_keys AS i WHERE i.key = wanted.key ORDER BY i.idx LIMIT $2
          ) AS k",
    )
    .bind(distinct(keys))
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
}

/// Those of the entries that are under a key; see [`rows::matches`](crate::store::rows::matches).
///
/// The limit of one keeps the planner from reading all that is under a popular key instead of
/// asking for each entry.
pub(super) fn among<'q>(keys: &'q [IndexKey], indexes: &[u64]) -> Matches<'q> {
    let indexes: Vec<i64> = indexes.iter().filter_map(|index| (*index).try_into().ok()).collect();
    sqlx::query_as(
        "SELECT k.key, k.idx, (SELECT e.leaf_hash FROM entries AS e WHERE e.idx = k.idx)
           FROM UNNEST($1::uuid[]) AS wanted(key), UNNEST($2::bigint[]) AS at(idx)
          CROSS JOIN LATERAL (
                SELECT i.key, i.idx
                  FROM index_keys AS i WHERE i.key = wanted.key AND i.idx = at.idx LIMIT 1
          ) AS k ORDER BY k.idx",
    )
    .bind(distinct(keys))
    .bind(indexes)
}

fn distinct(keys: &[IndexKey]) -> Vec<IndexKey> {
    keys.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
}
