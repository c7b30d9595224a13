//! Plans that Postgres made for a small log, and keeps when it has grown.
//!
//! Border: what statements read, not what they find. Postgres alone, as SQLite plans by the schema,
//! which does not grow.

use std::time::Duration;

use indelible::log::index_key;
use indelible::store::{Audit, EntryKey, Head};
use tlog::{Hash, TileId};

use crate::harness::databases::{TestDb, to_its_end};
use crate::harness::rounds::{append, attested_leaf, create, leaves, round, tile};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_an_empty_log_serves_a_large_one() {
    to_its_end(grow(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_a_small_log_serves_a_large_one() {
    to_its_end(grow(600)).await;
}

/// What one connection planned over a log of this size reads by key when there are many more.
async fn grow(small: usize) {
    let db = TestDb::postgres().await;
    db.open().await.close().await;
    let store = db.open_for_audit().await;
    // Whoever counts a table makes the plans anew.
    for table in ["entries", "index_keys", "attestations", "tiles"] {
        let never = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
        db.console(&never).await.unwrap();
    }
    let mut head = create(&*store).await;
    if small > 0 {
        let mut batch = round(&head, leaves("small", small));
        batch.tiles = vec![tile(0, 0), tile(0, 1)];
        store.commit(&batch).await.unwrap();
        head = batch.head;
    }
    db.console("ANALYZE").await.unwrap();
    head = every_statement(&*store, &head, "small").await;
    // Past the store: its own rounds would take too long.
    db.tamper(
        "INSERT INTO entries
         SELECT n, 0, sha256(n::text::bytea), '' FROM generate_series(1000, 40000) AS n;
         INSERT INTO index_keys SELECT md5(n::text)::uuid, n FROM generate_series(1000, 40000) AS n;
         INSERT INTO attestations
         SELECT sha256(n::text::bytea), '' FROM generate_series(1000, 40000) AS n;
         INSERT INTO tiles SELECT 0, n, repeat('h', 8192)::bytea, repeat('u', 512)::bytea
           FROM generate_series(2, 4000) AS n",
    )
    .await;
    every_statement(&*store, &head, "large").await;
    store.close().await;
    assert_eq!(overread(&db).await, "");
}

/// Gives the head of the round that is one of them.
async fn every_statement(store: &dyn Audit, head: &Head, label: &str) -> Head {
    let at = 2_000;
    store.entry(EntryKey::Index(at)).await.unwrap();
    store.entry(EntryKey::Leaf(Hash::leaf(b"absent"))).await.unwrap();
    store.tiles(&[7, 8].map(|index| TileId { level: 0, index })).await.unwrap();
    store.half_tiles(&[7 * 16, 8 * 16]).await.unwrap();
    store.find_leaves(&[Hash::leaf(b"absent")]).await.unwrap();
    store.leaf_hashes(at, 16).await.unwrap();
    store.entries(at, 16).await.unwrap();
    let keys = ["absent", "missing"].map(index_key);
    store.search(&keys, 10).await.unwrap();
    store.search_among(&keys, &[at, at + 1]).await.unwrap();
    store.body_sizes(at, 16).await.unwrap();
    store.raw_entries(at, 16).await.unwrap();
    store.payload(&[0; 32]).await.unwrap();
    assert_eq!(store.missing_keys(&keys.map(|key| (key, at))).await.unwrap().len(), 2);
    append(store, head, vec![attested_leaf(label, label.as_bytes())]).await
}

/// Indexes of which more rows were read than all of these statements ask for, and how many.
async fn overread(db: &TestDb) -> String {
    // A connection says what it did when it ends.
    let open = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'indelible'";
    let closing = async { while db.ask::<(i64,)>(open).await.0 > 0 {} };
    tokio::time::timeout(Duration::from_secs(30), closing).await.expect("connections end");
    let (used, overread): (i64, String) = db
        .ask(
            "SELECT count(*) FILTER (WHERE idx_scan > 0),
                    coalesce(string_agg(indexrelname || ': ' || idx_tup_read, ', ')
                             FILTER (WHERE idx_tup_read > 500), '')
               FROM pg_stat_user_indexes
              WHERE relname IN ('entries', 'index_keys', 'attestations', 'tiles')",
        )
        .await;
    assert_eq!(used, 5, "each index is used by something");
    overread
}
