//! A log that outgrows its first tile of tiles, which takes 65,536 leaves.

use std::sync::Arc;

use indelible::fsck::Report;
use indelible::log::{self, ConsistencyError, Log, Lookup, OpenError, Options, ReadError};
use indelible::store::StoreError;
use tlog::{Hash, ProofError, verify_consistency};

use crate::fsck::{audit, audit_in, forge, sentences};
use crate::harness::databases::TestDb;
use crate::harness::faults::{FaultyStore, Method};
use crate::harness::large::Writer;
use crate::harness::logs::key;
use crate::log_story::{check, head, open_on, submit};

both! {
    whoever_crosses_the_border_proves_everything,
    a_tile_of_tiles_that_changes_is_noticed_and_needs_no_restart,
    a_start_refuses_a_tile_of_tiles_that_is_not_right,
    an_audit_holds_a_tile_of_tiles_against_the_leaves,
}

/// Leaves under one full tile of tiles.
const BORDER: u64 = 65_536;
/// Leaves that somebody had seen long before.
const EARLY: u64 = 300;
/// The first and last under hashes of each level, and some between.
const INDEXES: [u64; 12] = [
    0,
    255,
    256,
    EARLY - 1,
    EARLY,
    BORDER / 2,
    BORDER - 257,
    BORDER - 256,
    BORDER - 2,
    BORDER - 1,
    BORDER,
    BORDER + 1,
];

async fn open(db: &TestDb, max_tiles: usize) -> Log {
    open_on(db.open().await, Options { max_tiles, ..Options::default() }).await
}

async fn created(db: &TestDb) -> Writer {
    open(db, 0).await;
    Writer::on(db.open().await, key()).await
}

/// A log with one leaf more than [`BORDER`], whose last two a server added.
async fn crossed(db: &TestDb) {
    created(db).await.grow(BORDER - 1).await;
    let log = open(db, 0).await;
    for n in 0..2 {
        assert_eq!(submit(&log, n).await.1.log_index, BORDER - 1 + n);
    }
    log.close().await;
}

/// To the newest head, which is this one.
async fn every_entry_is_proven(log: &Log, size: u64) {
    for index in INDEXES.into_iter().filter(|index| *index < size) {
        let entry = log.entry(Lookup::Index(index)).await.unwrap().expect("an entry");
        let (_, body) = check(log, &entry);
        let proof = body.verification.and_then(|receipt| receipt.inclusion_proof);
        assert_eq!((body.log_index, proof.map(|proof| proof.tree_size)), (index, Some(size)));
    }
}

async fn every_head_continues_those_before(log: &Log, heads: &[(u64, Hash)]) {
    for (at, (last, new)) in heads.iter().enumerate() {
        for (first, old) in &heads[..at] {
            let proof = log.consistency(*first, *last).await.unwrap();
            let hashes: Vec<Hash> = proof.hashes.iter().map(|h| h.parse().unwrap()).collect();
            verify_consistency(*first, *last, old, new, &hashes).unwrap();
        }
    }
}

/// Who commits over it, who follows leaf by leaf, who rebuilds the edge because it is far behind,
/// and who starts on either side.
async fn whoever_crosses_the_border_proves_everything(db: TestDb) {
    let mut writer = created(&db).await;
    writer.grow(EARLY).await;
    let [reads_late, adds_late] = [open(&db, 0).await, open(&db, 16).await];
    let mut heads = vec![head(&reads_late).await];
    writer.grow(BORDER - 1).await;
    let [log, near] = [open(&db, 16).await, open(&db, 0).await];
    heads.push(head(&log).await);
    for n in 0..3 {
        assert_eq!(submit(&log, n).await.1.log_index, BORDER - 1 + n);
        let now = head(&log).await;
        assert_eq!(head(&near).await, now);
        heads.push(now);
        for max_tiles in [0, 16] {
            let restarted = open(&db, max_tiles).await;
            assert_eq!(head(&restarted).await, now);
            every_entry_is_proven(&restarted, now.0).await;
            every_head_continues_those_before(&restarted, &heads).await;
        }
    }
    assert_eq!(head(&reads_late).await.0, BORDER + 2);
    assert_eq!(submit(&adds_late, 3).await.1.log_index, BORDER + 2);
    heads.push(head(&adds_late).await);
    for log in [log, near, reads_late, adds_late] {
        assert_eq!(head(&log).await, heads[heads.len() - 1]);
        every_entry_is_proven(&log, BORDER + 3).await;
        every_head_continues_those_before(&log, &heads).await;
    }
    assert_eq!(audit(&db).await.findings, []);
}

/// In memory or not, what was read of it is forgotten once it proved to be wrong.
async fn a_tile_of_tiles_that_changes_is_noticed_and_needs_no_restart(db: TestDb) {
    crossed(&db).await;
    for max_tiles in [0, 16] {
        let store = FaultyStore::new(db.open().await);
        let log = open_on(store.clone(), Options { max_tiles, ..Options::default() }).await;
        let damage = async || db.flip("tiles", "hashes", 32 * 40, "level = 1").await;
        damage().await;
        assert!(matches!(log.entry(Lookup::Index(0)).await, Err(ReadError::Proof(_))));
        // The tile after it does not need it: its root is in the right edge.
        let entry = log.entry(Lookup::Index(BORDER)).await.unwrap().expect("an entry");
        check(&log, &entry);
        let refused = log.consistency(EARLY, BORDER + 1).await.err();
        let Some(ConsistencyError::Read(ReadError::Proof(ProofError::Root { .. }))) = refused
        else {
            panic!("{refused:?}")
        };
        damage().await;
        let read = store.calls(Method::Tiles);
        every_entry_is_proven(&log, BORDER + 1).await;
        assert!(store.calls(Method::Tiles) > read);
        log.consistency(EARLY, BORDER + 1).await.unwrap();
        log.close().await;
    }
}

async fn a_start_refuses_a_tile_of_tiles_that_is_not_right(db: TestDb) {
    crossed(&db).await;
    let refusal = async || {
        let (store, options) = (db.open().await, Options::default());
        let opened = log::open(store, key(), None, "x", options, Arc::new(|| 1_700_000_000)).await;
        match opened.err() {
            Some(OpenError::Store(StoreError::Corrupt(what))) => what,
            other => panic!("{other:?}"),
        }
    };
    db.flip("tiles", "hashes", 32 * 255, "level = 1").await;
    assert!(refusal().await.contains("but the stored head says"));
    db.tamper("DELETE FROM tiles WHERE level = 1").await;
    assert!(refusal().await.contains("0 of 1 hashes are there for the right edge at level 2"));
}

async fn an_audit_holds_a_tile_of_tiles_against_the_leaves(db: TestDb) {
    crossed(&db).await;
    let size = BORDER + 1;
    let found = async || sentences(&audit(&db).await);
    let whole = Report { size, visited: size, unread: BORDER - 1, ..Report::default() };
    assert_eq!(audit(&db).await, whole, "nothing but bodies that no kind has");

    // It is all that vouches for a tile of leaves, and tells which of two is wrong.
    let before = db.copy("before").await;
    forge(&db, 33).await;
    let named = found().await;
    assert!(named.len() == 1 && named[0].contains("as in its tile and the root"), "{named:#?}");
    assert!(named[0].starts_with("entry 33: entries.body and entries.leaf_hash:"), "{named:#?}");
    db.restore(&before).await;

    db.flip("tiles", "hashes", 32 * 40, "level = 1").await;
    let named = found().await;
    assert!(named.len() == 1 && named[0].contains("as hash 40 of tile 1/0"), "{named:#?}");
    assert!(named[0].starts_with("entries 10240 to 10495: tiles.hashes:"), "{named:#?}");
    db.flip("tiles", "hashes", 32 * 40, "level = 1").await;

    db.tamper("UPDATE tiles SET idx = 1 WHERE level = 1").await;
    let missing = "entries 0 to 65535: tiles.hashes: expected a full tile, found none";
    let beyond = "entries 65536 to 131071: tiles.idx: expected none behind the head of 65537 \
                  entries, found tile 1/1";
    assert_eq!(found().await, [missing, beyond]);
    db.tamper("UPDATE tiles SET idx = 0 WHERE level = 1").await;

    // What it keeps of the way goes over the border, too.
    let folder = tempfile::tempdir().expect("a folder");
    db.flip("entries", "body", 9, "idx = 65536").await;
    let broken = audit_in(&db, &folder, false).await.expect("an audit");
    assert!(sentences(&broken)[0].starts_with("entry 65536: entries."), "{broken:?}");
    db.flip("entries", "body", 9, "idx = 65536").await;
    let resumed = audit_in(&db, &folder, true).await.expect("an audit");
    assert_eq!(resumed, whole);
}
