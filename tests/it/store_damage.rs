//! A database that holds what it must not hold says so, and keeps saying it.

use indelible::log::index_key;
use indelible::store::{EntryKey, StoreError};

use crate::harness::databases::{Rows, TestDb};
use crate::harness::rounds::{append, attested_leaf, create, indexed_leaf, leaves, round, tile};

both! {
    a_lost_head_is_noticed,
    a_lost_identity_is_noticed,
    a_hole_among_the_entries_is_noticed,
    a_lost_payload_is_noticed,
    an_index_key_without_entry_is_noticed,
    entries_beyond_the_head_are_noticed,
    a_tile_is_not_written_twice,
    a_lost_table_is_noticed,
}

async fn a_lost_head_is_noticed(db: TestDb) {
    let store = db.open().await;
    create(&*store).await;
    db.tamper("DELETE FROM head").await;
    assert!(matches!(store.head().await, Err(StoreError::Corrupt(_))));
    assert!(matches!(store.load().await, Err(StoreError::Corrupt(_))));
}

async fn a_lost_identity_is_noticed(db: TestDb) {
    let store = db.open().await;
    create(&*store).await;
    db.tamper("DELETE FROM log").await;
    assert!(matches!(store.load().await, Err(StoreError::Corrupt(_))));
}

async fn a_hole_among_the_entries_is_noticed(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    append(&*store, &empty, leaves("entry", 10)).await;
    db.tamper("DELETE FROM entries WHERE idx = 4").await;
    for start in [0, 3, 4] {
        assert!(matches!(store.leaf_hashes(start, 10).await, Err(StoreError::Corrupt(_))));
        assert!(matches!(store.entries(start, 10).await, Err(StoreError::Corrupt(_))));
    }
    assert_eq!(store.leaf_hashes(5, 10).await.unwrap().len(), 5);
}

async fn a_lost_payload_is_noticed(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    append(&*store, &empty, vec![attested_leaf("entry", b"payload")]).await;
    db.tamper("DELETE FROM attestations").await;
    assert!(matches!(store.entry(EntryKey::Index(0)).await, Err(StoreError::Corrupt(_))));
}

async fn an_index_key_without_entry_is_noticed(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    append(&*store, &empty, vec![indexed_leaf("entry", &["key"])]).await;
    db.tamper("DELETE FROM entries").await;
    assert!(matches!(store.search(&[index_key("key")], 9).await, Err(StoreError::Corrupt(_))));
}

/// The head says that the index is free, and it is not.
async fn entries_beyond_the_head_are_noticed(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("entry", 3)).await;
    db.tamper("UPDATE head SET size = 2").await;
    let mut old = head.clone();
    old.size = 2;
    assert!(matches!(
        store.commit(&round(&old, leaves("new", 1))).await,
        Err(StoreError::Corrupt(_))
    ));
    assert_eq!(store.head().await.unwrap(), old);
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, entries: 3, ..Rows::default() });
}

async fn a_tile_is_not_written_twice(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let mut batch = round(&empty, leaves("entry", 1));
    batch.tiles = vec![tile(0, 0)];
    store.commit(&batch).await.unwrap();
    let mut again = round(&batch.head, leaves("later", 1));
    again.tiles = vec![tile(0, 0)];
    assert!(matches!(store.commit(&again).await, Err(StoreError::Corrupt(_))));
    assert_eq!(store.head().await.unwrap(), batch.head);
}

async fn a_lost_table_is_noticed(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    db.tamper("DROP TABLE index_keys").await;
    let batch = round(&empty, vec![indexed_leaf("entry", &["key"])]);
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Corrupt(_))));
    assert!(matches!(store.search(&[index_key("key")], 9).await, Err(StoreError::Corrupt(_))));
    assert_eq!(store.head().await.unwrap(), empty);
}
