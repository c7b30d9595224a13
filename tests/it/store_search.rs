//! What stands under search strings, on both databases.

use std::collections::BTreeSet;

use indelible::log::index_key;
use indelible::store::{NewEntry, Store};
use tlog::Hash;

use crate::harness::databases::TestDb;
use crate::harness::rounds::{append, create, indexed_leaf};

both! {
    a_search_answers_in_the_order_of_its_keys,
    a_search_ends_where_it_may,
    a_search_among_entries_finds_no_others,
}

async fn a_search_answers_in_the_order_of_its_keys(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let entries = vec![
        indexed_leaf("0", &["ann", "shared"]),
        indexed_leaf("1", &["bob"]),
        indexed_leaf("2", &["shared", "ann", "rare"]),
    ];
    let leaf_of: Vec<Hash> = entries.iter().map(|entry| entry.leaf).collect();
    let head = append(&*store, &empty, entries).await;
    append(&*store, &head, vec![indexed_leaf("3", &["shared"])]).await;
    let late = indexed_leaf("3", &[]).leaf;

    let keys = ["rare", "nobody", "shared", "bob", "shared"].map(index_key);
    let shared = vec![(0, leaf_of[0]), (2, leaf_of[2]), (3, late)];
    let expected =
        [vec![(2, leaf_of[2])], Vec::new(), shared.clone(), vec![(1, leaf_of[1])], shared];
    assert_eq!(store.search(&keys, 9).await.unwrap(), expected);
    assert_eq!(store.search(&keys[1..2], 9).await.unwrap(), [Vec::new()]);
    assert_eq!(store.search(&[], 9).await.unwrap(), [] as [Vec<(u64, Hash)>; 0]);
}

/// 600 entries under `all`, every third of them under `third`: more than one statement's rows.
async fn six_hundred(store: &dyn Store) -> Vec<Hash> {
    let empty = create(store).await;
    let entry = |n: u64| {
        let keys = if n.is_multiple_of(3) { &["all", "third"][..] } else { &["all"] };
        indexed_leaf(&n.to_string(), keys)
    };
    let entries: Vec<NewEntry> = (0..600).map(entry).collect();
    let leaves = entries.iter().map(|entry| entry.leaf).collect();
    append(store, &empty, entries).await;
    leaves
}

async fn a_search_ends_where_it_may(db: TestDb) {
    let store = db.open().await;
    let leaves = six_hundred(&*store).await;
    let keys = ["third", "all", "nobody", "third"].map(index_key);
    let first = |step: usize, most: usize| {
        let all = (0..).zip(&leaves).step_by(step).take(most);
        all.map(|(index, leaf)| (index, *leaf)).collect::<Vec<(u64, Hash)>>()
    };
    for most in [1, 2, 199, 200, 201, 599, 600, 601] {
        let third = first(3, most);
        let expected = [third.clone(), first(1, most), Vec::new(), third];
        assert_eq!(store.search(&keys, most).await.unwrap(), expected, "{most}");
    }
    assert_eq!(store.search(&keys[..1], usize::MAX).await.unwrap(), [first(3, 600)]);
}

async fn a_search_among_entries_finds_no_others(db: TestDb) {
    let store = db.open().await;
    let leaves = six_hundred(&*store).await;
    let keys = ["nobody", "third", "all"].map(index_key);
    let found = store.search_among(&keys, &[9, 4, 3, 600, u64::MAX]).await.unwrap();
    let at = |index: usize| (index as u64, leaves[index]);
    assert_eq!(found[..2], [Vec::new(), vec![at(3), at(9)]]);
    let everywhere: BTreeSet<(u64, Hash)> = found[2].iter().copied().collect();
    assert_eq!(everywhere, BTreeSet::from([at(3), at(4), at(9)]));
    // More than one statement's rows.
    let all: Vec<u64> = (0..600).collect();
    let found = store.search_among(&keys[1..], &all).await.unwrap();
    assert_eq!([found[0].len(), found[1].len()], [200, 600]);
    assert_eq!(store.search_among(&keys[..1], &all).await.unwrap(), [Vec::new()]);
    assert_eq!(store.search_among(&keys[1..2], &[]).await.unwrap(), [Vec::new()]);
}
