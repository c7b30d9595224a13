//! What a round asks about leaves, in a turn and without one.
//!
//! Border: the two queries. When they are asked, and what follows from the answer, the caller knows.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use tlog::Hash;

use crate::store::rows::{self, LeafRow};

type Leaves<'q> = QueryAs<'q, Postgres, LeafRow, PgArguments>;

/// Which of them are there; see [`rows::found`].
pub(super) fn known(leaves: &[Hash]) -> Leaves<'_> {
    let leaves: Vec<&[u8]> = leaves.iter().map(|leaf| &leaf.as_bytes()[..]).collect();
    sqlx::query_as("SELECT idx, leaf_hash FROM entries WHERE leaf_hash = ANY ($1)").bind(leaves)
}

/// Those under `start..start + count`; see [`rows::dense_leaves`].
pub(super) fn between(start: u64, count: u64) -> (i64, Leaves<'static>) {
    let (start, end) = rows::span(start, count);
    let query = sqlx::query_as(
        "SELECT idx, leaf_hash FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx",
    );
    (start, query.bind(start).bind(end))
}
