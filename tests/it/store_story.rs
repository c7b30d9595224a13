//! The contract of `store.rs`, sentence by sentence, on both databases.

use std::collections::BTreeSet;

use indelible::log::index_key;
use indelible::store::{Around, EntryKey, FullTile, NewEntry, Store, StoreError, StoredEntry};
use tlog::{HalfTile, Hash, TileId};

use crate::harness::databases::{Rows, TestDb};
use crate::harness::rounds::{
    append, attested_leaf, create, first_head, identity, indexed_leaf, leaf, leaves, round, sha256,
    tile,
};

both! {
    a_new_database_holds_no_log,
    a_log_is_created_once,
    a_first_head_has_no_entries,
    of_two_creators_one_wins,
    a_round_is_written_whole,
    an_empty_round_moves_the_head,
    a_round_on_another_size_writes_nothing,
    a_round_on_another_root_writes_nothing,
    a_round_that_does_not_add_up_is_refused,
    a_known_leaf_refuses_the_whole_round,
    a_leaf_twice_in_one_round_refuses_it,
    other_handles_read_what_was_written,
    the_head_survives_reopening,
    an_entry_comes_back_as_it_went_in,
    indexes_are_dense,
    reads_end_with_the_log,
    leaves_are_found_among_strangers,
    tiles_come_back_as_they_went_in,
    half_tiles_are_parts_of_tiles,
    equal_payloads_are_kept_once,
    payloads_may_be_empty_or_large,
    rounds_of_many_sizes_fit,
}

async fn a_new_database_holds_no_log(db: TestDb) {
    let store = db.open().await;
    assert!(store.load().await.unwrap().is_none());
    assert!(matches!(store.head().await, Err(StoreError::Corrupt(_))));
    assert_eq!(store.entry(EntryKey::Index(0)).await.unwrap(), None);
    store.ping().await.unwrap();
}

async fn a_log_is_created_once(db: TestDb) {
    let store = db.open().await;
    create(&*store).await;
    assert_eq!(store.load().await.unwrap(), Some((identity(), first_head())));

    let mut other = identity();
    other.tree_id += 1;
    assert!(matches!(store.create(&other, &first_head()).await, Err(StoreError::Conflict)));
    let again = db.open().await.create(&identity(), &first_head()).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    assert_eq!(store.load().await.unwrap(), Some((identity(), first_head())));
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, ..Rows::default() });
}

async fn a_first_head_has_no_entries(db: TestDb) {
    let store = db.open().await;
    let head = round(&first_head(), leaves("early", 3)).head;
    assert!(matches!(store.create(&identity(), &head).await, Err(StoreError::Corrupt(_))));
    assert_eq!(db.rows().await, Rows::default());
}

async fn of_two_creators_one_wins(db: TestDb) {
    let (one, two) = (db.open().await, db.open().await);
    let (who, first) = (identity(), first_head());
    let (a, b) = tokio::join!(one.create(&who, &first), two.create(&who, &first));
    assert!(
        matches!(
            (&a, &b),
            (Ok(()), Err(StoreError::Conflict)) | (Err(StoreError::Conflict), Ok(()))
        ),
        "{a:?} {b:?}"
    );
}

async fn a_round_is_written_whole(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let mut batch = round(
        &empty,
        vec![indexed_leaf("a", &["one", "two"]), attested_leaf("b", b"payload"), leaf("c")],
    );
    batch.tiles = vec![tile(0, 0), tile(1, 0)];
    store.commit(&batch).await.unwrap();
    assert_eq!(store.head().await.unwrap(), batch.head);
    let written = Rows { log: 1, head: 1, entries: 3, index_keys: 2, attestations: 1, tiles: 2 };
    assert_eq!(db.rows().await, written);
}

/// A round may only renew the checkpoint.
async fn an_empty_round_moves_the_head(db: TestDb) {
    let store = db.open().await;
    let old = create(&*store).await;
    let mut batch = round(&old, Vec::new());
    batch.head.root = old.root;
    store.commit(&batch).await.unwrap();
    assert_eq!(store.head().await.unwrap(), batch.head);
}

async fn a_round_on_another_size_writes_nothing(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("known", 4)).await;
    for size in [0, 3, 5] {
        let mut wrong = head.clone();
        wrong.size = size;
        refused_without_a_trace(&db, &*store, &wrong).await;
    }
}

async fn a_round_on_another_root_writes_nothing(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("known", 4)).await;
    let mut wrong = head.clone();
    wrong.root = Hash::from(sha256(b"another history"));
    refused_without_a_trace(&db, &*store, &wrong).await;
}

async fn refused_without_a_trace(db: &TestDb, store: &dyn Store, old: &indelible::store::Head) {
    let (rows, head) = (db.rows().await, store.head().await.unwrap());
    let mut batch =
        round(old, vec![indexed_leaf("new", &["new"]), attested_leaf("newer", b"payload")]);
    batch.tiles = vec![tile(0, 7)];
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Conflict)));
    assert_eq!(db.rows().await, rows);
    assert_eq!(store.head().await.unwrap(), head);
}

async fn a_round_that_does_not_add_up_is_refused(db: TestDb) {
    let store = db.open().await;
    let head = create(&*store).await;
    let mut batch = round(&head, leaves("new", 2));
    batch.head.size = 3;
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Corrupt(_))));
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, ..Rows::default() });
}

async fn a_known_leaf_refuses_the_whole_round(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("known", 4)).await;
    let rows = db.rows().await;
    let mut batch = round(
        &head,
        vec![indexed_leaf("new", &["new"]), leaf("known 2"), attested_leaf("newer", b"payload")],
    );
    batch.tiles = vec![tile(0, 0)];
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Conflict)));
    assert_eq!(db.rows().await, rows);
    assert_eq!(store.head().await.unwrap(), head);

    // And the handle goes on.
    append(&*store, &head, vec![leaf("new")]).await;
}

async fn a_leaf_twice_in_one_round_refuses_it(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let batch = round(&empty, vec![leaf("twin"), leaf("only child"), leaf("twin")]);
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Conflict)));
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, ..Rows::default() });
}

async fn other_handles_read_what_was_written(db: TestDb) {
    let (writer, reader) = (db.open().await, db.open().await);
    let mut head = create(&*writer).await;
    for number in 0..20 {
        let name = format!("entry {number}");
        let written = indexed_leaf(&name, &[&name]);
        head = append(&*writer, &head, vec![written.clone()]).await;
        assert_eq!(reader.head().await.unwrap(), head);
        let found = reader.find_leaves(&[written.leaf]).await.unwrap();
        assert_eq!(found, [(written.leaf, number)]);
        let matches = reader.search(&[index_key(&name)], 9).await.unwrap();
        assert_eq!(matches, [[(number, written.leaf)]]);
    }
}

async fn the_head_survives_reopening(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("kept", 300)).await;
    store.close().await;

    let store = db.open().await;
    assert_eq!(store.load().await.unwrap(), Some((identity(), head.clone())));
    let head = append(&*store, &head, leaves("later", 1)).await;
    assert_eq!(store.head().await.unwrap(), head);
}

async fn an_entry_comes_back_as_it_went_in(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let mut written =
        vec![attested_leaf("with payload", b"{\"_type\":\"statement\"}"), leaf("bare")];
    written[0].integrated_time = 1;
    written[1].body = b"\x00\xff not text \xf0".as_slice().into();
    append(&*store, &empty, written.clone()).await;
    for (index, new) in (0..).zip(&written) {
        let expected = Some(stored(index, new));
        assert_eq!(store.entry(EntryKey::Index(index)).await.unwrap(), expected);
        assert_eq!(store.entry(EntryKey::Leaf(new.leaf)).await.unwrap(), expected);
    }
    assert_eq!(store.entry(EntryKey::Index(2)).await.unwrap(), None);
    assert_eq!(store.entry(EntryKey::Index(u64::MAX)).await.unwrap(), None);
    assert_eq!(store.entry(EntryKey::Leaf(leaf("absent").leaf)).await.unwrap(), None);
}

fn stored(index: u64, new: &NewEntry) -> StoredEntry {
    StoredEntry {
        index,
        leaf: new.leaf,
        body: new.body.to_vec(),
        integrated_time: new.integrated_time,
        attestation: new.attestation.as_ref().map(|kept| kept.data.to_vec()),
        around: None,
    }
}

async fn indexes_are_dense(db: TestDb) {
    let store = db.open().await;
    let mut head = create(&*store).await;
    let mut written = Vec::new();
    for (round, size) in [1usize, 2, 255, 256, 257, 3].into_iter().enumerate() {
        let entries = leaves(&format!("round {round}"), size);
        written.extend(entries.iter().map(|entry| entry.leaf));
        head = append(&*store, &head, entries).await;
    }
    assert_eq!(store.leaf_hashes(0, head.size).await.unwrap(), written);
    assert_eq!(store.leaf_hashes(100, 300).await.unwrap(), written[100..400]);
    let entries = store.entries(250, 20).await.unwrap();
    for (index, entry) in (250..270).zip(&entries) {
        assert_eq!((entry.index, entry.leaf), (index, written[index as usize]));
    }
    assert_eq!(entries.len(), 20);
}

async fn reads_end_with_the_log(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    assert_eq!(store.leaf_hashes(0, 10).await.unwrap(), []);
    append(&*store, &empty, leaves("entry", 5)).await;
    for (start, count, expected) in
        [(0, 0, 0), (0, 5, 5), (0, 6, 5), (3, 10, 2), (5, 1, 0), (3, u64::MAX, 2), (u64::MAX, 9, 0)]
    {
        let hashes = store.leaf_hashes(start, count).await.unwrap();
        assert_eq!(hashes.len(), expected, "{start} {count}");
        let entries = store.entries(start, count).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.leaf).collect::<Vec<_>>(), hashes);
    }
}

async fn leaves_are_found_among_strangers(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let known = leaves("known", 600);
    append(&*store, &empty, known.clone()).await;
    let strangers = leaves("stranger", 400);
    let asked: Vec<Hash> = known.iter().rev().chain(&strangers).map(|entry| entry.leaf).collect();
    let found: BTreeSet<(Hash, u64)> =
        store.find_leaves(&asked).await.unwrap().into_iter().collect();
    let expected = (0..).zip(&known).map(|(index, entry)| (entry.leaf, index)).collect();
    assert_eq!(found, expected);
    assert_eq!(store.find_leaves(&asked[600..]).await.unwrap(), []);
    assert_eq!(store.find_leaves(&[]).await.unwrap(), []);
}

async fn tiles_come_back_as_they_went_in(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let written = [tile(0, 0), tile(0, 1), tile(1, 0), tile(2, 0), tile(0, 1 << 40)];
    let mut batch = round(&empty, leaves("entry", 2));
    batch.tiles = written[..3].to_vec();
    store.commit(&batch).await.unwrap();
    let mut batch = round(&batch.head, Vec::new());
    batch.tiles = written[3..].to_vec();
    store.commit(&batch).await.unwrap();

    let absent = [TileId { level: 3, index: 0 }, TileId { level: 0, index: u64::MAX }];
    let asked: Vec<TileId> = written.iter().map(|tile| tile.id).chain(absent).collect();
    let mut found = store.tiles(&asked).await.unwrap();
    found.sort_by_key(|tile| asked.iter().position(|id| *id == tile.id));
    let pairs = |tiles: &[FullTile]| -> Vec<(TileId, Vec<u8>, Option<Vec<u8>>)> {
        tiles.iter().map(|tile| (tile.id, tile.hashes.clone(), tile.upper.clone())).collect()
    };
    assert_eq!(pairs(&found), pairs(&written));
    assert_eq!(pairs(&store.tiles(&absent).await.unwrap()), []);
    assert_eq!(pairs(&store.tiles(&[]).await.unwrap()), []);
}

async fn half_tiles_are_parts_of_tiles(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let mut batch = round(&empty, leaves("entry", 700));
    let written = [tile(0, 0), tile(0, 2), tile(1, 1)];
    batch.tiles = written.to_vec();
    store.commit(&batch).await.unwrap();

    let half = |tile: &FullTile, leaf: u64| {
        let start = (leaf % 256 / 16 * 512) as usize;
        let lower = HalfTile::around_leaf(leaf, &tile.hashes[start..start + 512]).unwrap();
        let upper = tile.upper.as_ref().map(|upper| HalfTile::above_leaf(leaf, upper).unwrap());
        Around { lower, upper }
    };
    let first = [0, 16, 240].map(|leaf| half(&written[0], leaf));
    let third = [512, 752].map(|leaf| half(&written[1], leaf));
    let expected: Vec<Around> = first.into_iter().chain(third).collect();
    let mut found = store.half_tiles(&[47, 16, 15, 0, 1, 32, 31, 1 << 40, u64::MAX]).await.unwrap();
    found.sort_by_key(|around| around.lower.top());
    assert_eq!(found, expected);
    assert_eq!(store.half_tiles(&[16, 1 << 59]).await.unwrap(), []);
    assert_eq!(store.half_tiles(&[]).await.unwrap(), []);

    // An entry brings along its own, once its tile is full.
    for index in [0, 15, 16, 255, 256, 511, 512, 699] {
        let entry = store.entry(EntryKey::Index(index)).await.unwrap().unwrap();
        let by_leaf = store.entry(EntryKey::Leaf(entry.leaf)).await.unwrap();
        assert_eq!(by_leaf.as_ref(), Some(&entry));
        let tile = written[..2].iter().find(|tile| tile.id.index == index / 256);
        assert_eq!(entry.around, tile.map(|tile| half(tile, index)), "{index}");
    }
    assert!(store.entries(0, 20).await.unwrap().iter().all(|entry| entry.around.is_none()));
}

async fn equal_payloads_are_kept_once(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let twice = vec![attested_leaf("a", b"same"), attested_leaf("b", b"same")];
    let head = append(&*store, &empty, twice).await;
    append(&*store, &head, vec![attested_leaf("c", b"same"), attested_leaf("d", b"other")]).await;
    assert_eq!(db.rows().await.attestations, 2);
    for (index, payload) in (0..).zip([b"same".as_slice(), b"same", b"same", b"other"]) {
        let entry = store.entry(EntryKey::Index(index)).await.unwrap().unwrap();
        assert_eq!(entry.attestation.as_deref(), Some(payload));
    }
    // Reads for audits leave payloads out.
    let all = store.entries(0, 4).await.unwrap();
    assert!(all.iter().all(|entry| entry.attestation.is_none()));
}

async fn payloads_may_be_empty_or_large(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let noise: Vec<u8> = (0u32..1 << 17).flat_map(|n| sha256(&n.to_be_bytes())).collect();
    assert_eq!(noise.len(), 4 << 20);
    let zeros = vec![0; 4 << 20];
    let mut bare = leaf("empty body");
    bare.body = Vec::new().into();
    let entries = vec![
        attested_leaf("empty", b""),
        attested_leaf("noise", &noise),
        attested_leaf("zeros", &zeros),
        bare.clone(),
    ];
    append(&*store, &empty, entries.clone()).await;
    for (index, new) in (0..).zip(&entries) {
        // No assert_eq: a failure would print megabytes.
        let read = store.entry(EntryKey::Index(index)).await.unwrap();
        assert!(read == Some(stored(index, new)), "entry {index} differs");
    }
}

/// Every size up to the point where SQLite begins to cut rounds into statements,
/// and some beyond, each with keys, payloads and tiles.
async fn rounds_of_many_sizes_fit(db: TestDb) {
    let store = db.open().await;
    let mut head = create(&*store).await;
    let mut expected = Rows { log: 1, head: 1, ..Rows::default() };
    for size in [1usize, 7, 64, 511, 512, 513, 1023, 1600] {
        let entries: Vec<NewEntry> = (0..size)
            .map(|number| {
                let name = format!("{size} {number}");
                NewEntry {
                    index_keys: indexed_leaf(&name, &["all", &name]).index_keys,
                    ..attested_leaf(&name, name.as_bytes())
                }
            })
            .collect();
        let mut batch = round(&head, entries);
        batch.tiles = (0..size as u64 / 256).map(|n| tile(0, head.size + n)).collect();
        store.commit(&batch).await.unwrap();
        head = batch.head;
        let added = size as i64;
        expected.entries += added;
        expected.index_keys += 2 * added;
        expected.attestations += added;
        expected.tiles += added / 256;
    }
    assert_eq!(db.rows().await, expected);
    let all = store.search(&[index_key("all")], usize::MAX).await.unwrap();
    assert!(all[0].iter().map(|(index, _)| *index).eq(0..head.size));
}
