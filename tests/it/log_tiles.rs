//! Proofs whose hashes are no longer in memory.

use std::sync::Arc;

use indelible::log::{ConsistencyError, Log, Lookup, Options, ReadError};
use indelible::store::{Store, StoreError};
use tlog::{Hash, ProofError, root_of_leaves, verify_consistency};

use crate::harness::databases::TestDb;
use crate::harness::evidence::leaf;
use crate::harness::faults::{FaultyStore, Method};
use crate::log_story::{check, open_on};

both! {
    what_is_read_from_the_store_proves_as_well,
    tiles_of_earlier_versions_prove_as_well,
    tiles_are_kept_whole_while_there_is_room,
    a_tile_that_changes_is_noticed,
    a_half_that_lies_elsewhere_is_noticed,
    a_log_is_not_accused_by_damage,
    a_tile_that_is_mended_needs_no_restart,
    a_tile_that_is_missing_is_noticed,
}

/// Two full tiles of leaves, and some more.
const SIZE: u64 = 600;

/// A log of [`SIZE`] entries that was opened anew, and keeps so many tiles whole.
async fn reopened(db: &TestDb, max_tiles: usize) -> (Log, Arc<FaultyStore>) {
    let log = open_on(db.open().await, Options::default()).await;
    let writers = (0..SIZE).map(|n| {
        let log = log.clone();
        tokio::spawn(async move { log.submit(leaf(n)).await.expect("the log takes it") })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("a writer");
    }
    log.close().await;
    let store = FaultyStore::new(db.open().await);
    let options = Options { max_tiles, ..Options::default() };
    (open_on(store.clone(), options).await, store)
}

async fn what_is_read_from_the_store_proves_as_well(db: TestDb) {
    let (log, store) = reopened(&db, 0).await;
    let opened = store.calls(Method::Tiles);
    for _ in 0..2 {
        for index in 0..SIZE {
            let entry = log.entry(Lookup::Index(index)).await.unwrap().expect("an entry");
            assert_eq!(check(&log, &entry).1.log_index, index);
        }
    }
    let tiles = || (store.calls(Method::Tiles) - opened, store.calls(Method::HalfTiles));
    assert_eq!(store.calls(Method::Entry), SIZE as usize, "what was read is kept");
    assert_eq!(tiles(), (0, 0), "an entry brings along what is needed of its tile");
    every_size_is_consistent(&log, &store).await;
    let (whole, halves) = tiles();
    assert_eq!(whole, 0, "an upper half and a lower one say as much as a tile");
    assert!(halves > 0);
}

/// They had no upper halves.
async fn tiles_of_earlier_versions_prove_as_well(db: TestDb) {
    let (log, _) = reopened(&db, 0).await;
    log.close().await;
    db.tamper("UPDATE tiles SET upper_half = NULL").await;
    // Each entry of a full tile reads it, or none does, as the proofs before have read both.
    for (max_tiles, reads) in [(0, 512), (16, 0)] {
        let store = FaultyStore::new(db.open().await);
        let options = Options { max_tiles, ..Options::default() };
        let log = open_on(store.clone(), options).await;
        let opened = store.calls(Method::Tiles);
        every_size_is_consistent(&log, &store).await;
        let proven = store.calls(Method::Tiles);
        assert!(max_tiles == 0 || proven - opened == 2, "a tile is read once");
        for index in 0..SIZE {
            let entry = log.entry(Lookup::Index(index)).await.unwrap().expect("an entry");
            assert_eq!(check(&log, &entry).1.log_index, index);
        }
        assert_eq!(store.calls(Method::Tiles) - proven, reads);
    }
}

async fn tiles_are_kept_whole_while_there_is_room(db: TestDb) {
    let (log, store) = reopened(&db, 16).await;
    let opened = store.calls(Method::Tiles);
    for index in 0..SIZE {
        let entry = log.entry(Lookup::Index(index)).await.unwrap().expect("an entry");
        assert_eq!(check(&log, &entry).1.log_index, index);
    }
    every_size_is_consistent(&log, &store).await;
    let read = (store.calls(Method::Tiles) - opened, store.calls(Method::HalfTiles));
    assert_eq!(read, (2, 0), "a tile is read once");
}

async fn every_size_is_consistent(log: &Log, store: &FaultyStore) {
    let leaves = store.leaf_hashes(0, SIZE).await.unwrap();
    for first in (1..=SIZE).step_by(7) {
        for last in (first..=SIZE).step_by(29) {
            let proof = log.consistency(first, last).await.unwrap();
            let hashes: Vec<Hash> = proof.hashes.iter().map(|h| h.parse().unwrap()).collect();
            let [old, new] = [first, last].map(|size| root_of_leaves(&leaves[..size as usize]));
            verify_consistency(first, last, &old, &new, &hashes).unwrap();
        }
    }
}

async fn a_tile_that_changes_is_noticed(db: TestDb) {
    let (log, _) = reopened(&db, 0).await;
    log.entry(Lookup::Index(3)).await.unwrap().expect("an entry");
    // The hash of entry 40 is in the path of each entry from 32 to 47, and of no other's half.
    db.flip("tiles", "hashes", 32 * 40, "level = 0 AND idx = 0").await;
    let damaged = |error: Option<ReadError>| match error {
        Some(ReadError::Store(StoreError::Corrupt(what))) => {
            assert!(what.contains("the leaves from 32 on"), "{what}");
        }
        other => panic!("{other:?}"),
    };
    damaged(log.entry(Lookup::Index(47)).await.err());
    damaged(match log.consistency(43, SIZE).await {
        Err(indelible::log::ConsistencyError::Read(error)) => Some(error),
        other => panic!("{other:?}"),
    });
    for index in [3, 31, 48, 300] {
        let entry = log.entry(Lookup::Index(index)).await.unwrap().expect("an entry");
        check(&log, &entry);
    }
}

/// A proof that does not lead to the signed root does not leave the server.
async fn a_half_that_lies_elsewhere_is_noticed(db: TestDb) {
    let (log, _) = reopened(&db, 0).await;
    // Not above entry 3, but in its path.
    db.flip("tiles", "upper_half", 32, "level = 0 AND idx = 0").await;
    assert!(matches!(log.entry(Lookup::Index(3)).await, Err(ReadError::Proof(_))));
    let entry = log.entry(Lookup::Index(300)).await.unwrap().expect("of another tile");
    check(&log, &entry);
}

/// A wrong consistency proof would say that the log was rewritten: none leaves the server, whether
/// the damage is below the smaller size, between the two, or above both.
async fn a_log_is_not_accused_by_damage(db: TestDb) {
    reopened(&db, 0).await.0.close().await;
    // Leaves 32 to 47, in what is read of the tile.
    for (column, offset, max_tiles) in [("upper_half", 32 * 2, 0), ("hashes", 32 * 40, 16)] {
        let store = FaultyStore::new(db.open().await);
        let options = Options { max_tiles, ..Options::default() };
        let log = open_on(store.clone(), options).await;
        let damage = async || db.flip("tiles", column, offset, "level = 0 AND idx = 0").await;
        damage().await;
        for (first, last) in [(48, SIZE), (20, SIZE), (20, 48), (20, 300), (20, 24), (24, 24)] {
            match log.consistency(first, last).await {
                Err(ConsistencyError::Read(ReadError::Proof(ProofError::Root { .. }))) => {}
                Err(ConsistencyError::Read(ReadError::Store(StoreError::Corrupt(_)))) => {}
                other => panic!("{first} to {last}: {other:?}"),
            }
        }
        damage().await;
        every_size_is_consistent(&log, &store).await;
        log.close().await;
    }
}

/// What was read of it before is forgotten.
async fn a_tile_that_is_mended_needs_no_restart(db: TestDb) {
    let (log, store) = reopened(&db, 16).await;
    let damage = async || db.flip("tiles", "hashes", 32 * 40, "level = 0 AND idx = 0").await;
    damage().await;
    assert!(matches!(log.entry(Lookup::Index(3)).await, Err(ReadError::Proof(_))));
    damage().await;
    let read = store.calls(Method::Tiles);
    for index in [3, 40] {
        let entry = log.entry(Lookup::Index(index)).await.unwrap().expect("an entry");
        check(&log, &entry);
    }
    assert_eq!(store.calls(Method::Tiles), read + 1);
}

async fn a_tile_that_is_missing_is_noticed(db: TestDb) {
    let (log, _) = reopened(&db, 0).await;
    db.tamper("DELETE FROM tiles WHERE level = 0 AND idx = 0").await;
    assert!(matches!(log.entry(Lookup::Index(3)).await, Err(ReadError::Proof(_))));
    let entry = log.entry(Lookup::Index(300)).await.unwrap().expect("of another tile");
    check(&log, &entry);
}
