//! Audit reads.
//!
//! Border: SQL and row mapping; what is wrong with the rows is judged in `fsck`.

use async_trait::async_trait;
use tlog::TileId;

use super::PostgresStore;
use crate::store::audit::{self, Audit, IndexRow, RawEntry, RawPayload};
use crate::store::{IndexKey, StoreError, rows};

#[async_trait]
impl Audit for PostgresStore {
    async fn body_sizes(&self, start: u64, count: u64) -> Result<Vec<(u64, u64)>, StoreError> {
        let (start, end) = rows::span(start, count);
        let query = sqlx::query_as::<_, (i64, i64)>(
            "SELECT idx, octet_length(body)::bigint FROM entries
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
            "SELECT idx, integrated_time, leaf_hash, body, attestation FROM entries
              WHERE idx >= $1 AND idx < $2 ORDER BY idx",
        )
        .bind(start)
        .bind(end);
        Ok(self.read(query).await?.into_iter().map(audit::raw).collect())
    }

    async fn payload(&self, digest: &[u8]) -> Result<Option<RawPayload>, StoreError> {
        let query = sqlx::query_as("SELECT digest, data FROM attestations WHERE digest = $1")
            .bind(digest.to_vec());
        Ok(self.read(query).await?.into_iter().next().map(audit::raw_payload))
    }

    async fn missing_keys(&self, rows: &[IndexRow]) -> Result<Vec<IndexRow>, StoreError> {
        let (keys, indexes): (Vec<IndexKey>, Vec<i64>) = audit::columns(rows).into_iter().unzip();
        let query = sqlx::query_as(
            "SELECT n.key, n.idx FROM UNNEST($1::uuid[], $2::bigint[]) AS n (key, idx)
               LEFT JOIN LATERAL (
                    SELECT i.idx FROM index_keys AS i WHERE i.key = n.key AND i.idx = n.idx LIMIT 1
               ) AS k ON true
              WHERE k.idx IS NULL",
        )
        .bind(keys)
        .bind(indexes);
        Ok(self.read(query).await?.into_iter().map(audit::index_row).collect())
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
            // A shift by 64 is one by 0 here, so level 7 and above, which no tree of 63 bits has full,
            // come first.
            "SELECT level::bigint, idx FROM tiles
              WHERE CASE WHEN level > 6 THEN true ELSE idx >= $1::bigint >> (8 * (level + 1)) END
              ORDER BY level, idx LIMIT 20",
        )
        .bind(size);
        Ok(self.read(query).await?.into_iter().map(audit::tile_id).collect())
    }

    /// Postgres looks at checksums when it reads a page; all that is looked up was read.
    async fn own_check(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
