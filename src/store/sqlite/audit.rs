//! Audit reads.
//!
//! Border: SQL and row mapping; what is wrong with the rows is judged in `fsck`.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _};
use tlog::TileId;

use super::SqliteStore;
use super::round::pieces;
use super::session::store_error;
use crate::store::audit::{self, Audit, IndexRow, RawEntry, RawPayload};
use crate::store::{IndexKey, StoreError, rows};

#[async_trait]
impl Audit for SqliteStore {
    async fn body_sizes(&self, start: u64, count: u64) -> Result<Vec<(u64, u64)>, StoreError> {
        let (start, end) = rows::span(start, count);
        let query = sqlx::query_as::<_, (i64, i64)>(
            "SELECT idx, length(body) FROM entries
              WHERE idx >= $1 AND idx < $2 ORDER BY idx",
        )
        .bind(start)
        .bind(end);
        let found = self.read(query).await?;
        Ok(found.into_iter().map(|(idx, n)| (idx.cast_unsigned(), n.cast_unsigned())).collect())
    }

    async fn raw_entries(&self, start: u64, count: u64) -> Result<Vec<RawEntry>, StoreError> {
        let (start, end) = rows::span(start, count);
        let query = sqlx::query_as(
            // The limit keeps it from looking for one more row in the next page, which may be
            // damaged when all that was asked for can be read.
            "SELECT idx, integrated_time, leaf_hash, body, attestation FROM entries
              WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT $2 - $1",
        )
        .bind(start)
        .bind(end);
        Ok(self.read(query).await?.into_iter().map(audit::raw).collect())
    }

    async fn payload(&self, digest: &[u8]) -> Result<Option<RawPayload>, StoreError> {
        // The second name of the table is read by row ID: else SQLite would take the digest from
        // the index that it looks into.
        let query = sqlx::query_as(
            "SELECT kept.digest, kept.data
               FROM attestations AS found CROSS JOIN attestations AS kept
                 ON kept.rowid = found.rowid
              WHERE found.digest = $1",
        )
        .bind(digest.to_vec());
        Ok(self.read(query).await?.into_iter().next().map(audit::raw_payload))
    }

    async fn missing_keys(&self, rows: &[IndexRow]) -> Result<Vec<IndexRow>, StoreError> {
        let mut missing = Vec::new();
        let columns = audit::columns(rows);
        for piece in pieces(&columns) {
            let mut query = QueryBuilder::new("WITH n (key, idx) AS (");
            query.push_values(piece, |mut row, (key, idx)| {
                row.push_bind(*key).push_bind(*idx);
            });
            query.push(
                ") SELECT n.key, n.idx FROM n
                    WHERE NOT EXISTS (SELECT 1 FROM index_keys AS k
                                       WHERE k.key = n.key AND k.idx = n.idx)",
            );
            let rows: Vec<(IndexKey, i64)> = self.read(query.build_query_as()).await?;
            missing.extend(rows.into_iter().map(audit::index_row));
        }
        Ok(missing)
    }

    async fn entries_beyond(&self, size: u64) -> Result<Option<(u64, u64)>, StoreError> {
        let (start, _) = rows::span(size, 0);
        let query = sqlx::query_as(
            "SELECT (SELECT min(idx) FROM entries WHERE idx >= $1),
                    (SELECT max(idx) FROM entries WHERE idx >= $1)",
        )
        .bind(start);
        Ok(self.read(query).await?.into_iter().next().and_then(audit::span))
    }

    async fn tiles_beyond(&self, size: u64) -> Result<Vec<TileId>, StoreError> {
        let (size, _) = rows::span(size, 0);
        let query = sqlx::query_as(
            "SELECT level, idx FROM tiles
              WHERE level > 6 OR idx >= ($1 >> (8 * (level + 1)))
              ORDER BY level, idx LIMIT 20",
        )
        .bind(size);
        Ok(self.read(query).await?.into_iter().map(audit::tile_id).collect())
    }

    async fn own_check(&self) -> Result<Vec<String>, StoreError> {
        let mut said = Vec::new();
        let asked = sqlx::query("PRAGMA integrity_check(20)").try_map(|row: SqliteRow| {
            said.extend(complaints(row.try_get(0)?));
            Ok(())
        });
        // It may come upon what it cannot go on behind; what it said before that stays said.
        match asked.fetch_all(&self.readers).await.map_err(store_error) {
            Err(StoreError::Corrupt(what)) => said.push(what),
            other => drop(other?),
        }
        Ok(said)
    }
}

/// One for each line of an answer, which may be several with a heading.
fn complaints(answer: &str) -> impl Iterator<Item = String> {
    let says_nothing = |line: &&str| matches!(*line, "ok" | "*** in database main ***");
    answer.lines().filter(move |line| !says_nothing(line)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::complaints;

    #[test]
    fn a_complaint_is_a_line() {
        let said = |answer| Vec::from_iter(complaints(answer));
        assert!(said("ok").is_empty());
        assert_eq!(said("row 7 missing from index leaf"), ["row 7 missing from index leaf"]);
        let answer = "*** in database main ***\nTree 5 page 9: no cell\nPage 12: never used";
        assert_eq!(said(answer), ["Tree 5 page 9: no cell", "Page 12: never used"]);
    }
}
