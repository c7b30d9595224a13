//! Several handles on one database at the same time.

use std::collections::BTreeSet;
use std::sync::Arc;

use indelible::store::{Head, Store, StoreError};

use crate::harness::databases::{Rows, TestDb};
use crate::harness::rounds::{append, create, identity, indexed_leaf, leaves, round};

both! {
    many_may_open_a_new_database_at_once,
    of_two_writers_one_wins_each_round,
    writers_that_retry_lose_nothing,
    a_reader_never_sees_a_head_without_its_entries,
}

async fn many_may_open_a_new_database_at_once(db: TestDb) {
    // The futures of sqlx's migrator are not known to be `Send`.
    let here = tokio::task::LocalSet::new();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            here.spawn_local(async move { db.open().await })
        })
        .collect();
    here.run_until(async {
        for opened in opening {
            assert!(opened.await.unwrap().load().await.unwrap().is_none());
        }
    })
    .await;
}

/// Both start from the same head each time, so exactly one can be right.
async fn of_two_writers_one_wins_each_round(db: TestDb) {
    let (one, two) = (db.open().await, db.open().await);
    let mut head = create(&*one).await;
    let mut won = [0, 0];
    for number in 0..50 {
        let mine = round(&head, leaves(&format!("one {number}"), 3));
        let theirs = round(&head, leaves(&format!("two {number}"), 2));
        let (a, b) = tokio::join!(one.commit(&mine), two.commit(&theirs));
        head = match (a, b) {
            (Ok(()), Err(StoreError::Conflict)) => {
                won[0] += 1;
                mine.head
            }
            (Err(StoreError::Conflict), Ok(())) => {
                won[1] += 1;
                theirs.head
            }
            other => panic!("round {number}: {other:?}"),
        };
        assert_eq!(one.head().await.unwrap(), head);
        assert_eq!(two.head().await.unwrap(), head);
    }
    let entries = 3 * won[0] + 2 * won[1];
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, entries, ..Rows::default() });
    every_index_once(&*one, &head).await;
}

/// As servers do it: read the head, try, and on a conflict read it again.
async fn writers_that_retry_lose_nothing(db: TestDb) {
    create(&*db.open().await).await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let store = db.open().await;
        writers.push(tokio::spawn(async move {
            for number in 0..10 {
                append_in_the_end(&*store, &format!("{writer} {number}")).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let store = db.open().await;
    let (who, head) = store.load().await.unwrap().unwrap();
    assert_eq!((who, head.size), (identity(), 40));
    assert_eq!(db.rows().await.index_keys, 40);
    every_index_once(&*store, &head).await;
}

async fn append_in_the_end(store: &dyn Store, name: &str) {
    loop {
        let head = store.head().await.unwrap();
        match store.commit(&round(&head, vec![indexed_leaf(name, &[name])])).await {
            Ok(()) => return,
            Err(StoreError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn every_index_once(store: &dyn Store, head: &Head) {
    let entries = store.entries(0, u64::MAX).await.unwrap();
    assert!(entries.iter().map(|entry| entry.index).eq(0..head.size));
    let distinct: BTreeSet<_> = entries.iter().map(|entry| entry.leaf).collect();
    assert_eq!(distinct.len(), entries.len());
}

async fn a_reader_never_sees_a_head_without_its_entries(db: TestDb) {
    let (writer, reader) = (db.open().await, db.open().await);
    let mut head = create(&*writer).await;
    let done = Arc::new(());
    let writing = Arc::downgrade(&done);
    let reading = tokio::spawn(async move {
        let mut seen = BTreeSet::new();
        while writing.upgrade().is_some() {
            let head = reader.head().await.unwrap();
            let leaves = reader.leaf_hashes(0, head.size).await.unwrap();
            assert_eq!(leaves.len() as u64, head.size);
            seen.insert(head.size);
        }
        seen.len()
    });
    for number in 0..40 {
        head = append(&*writer, &head, leaves(&format!("round {number}"), 20)).await;
    }
    drop(done);
    assert!(reading.await.unwrap() > 0);
}
