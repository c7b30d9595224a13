//! Leaves that are added again: what this server added lately it answers from memory.

use std::sync::Arc;

use indelible::log::{Log, Lookup, Options, SubmitError};
use tlog::EntryRef;
use wire::EntryBody;

use crate::harness::databases::TestDb;
use crate::harness::evidence::leaf;
use crate::harness::faults::{Fault, FaultyStore, Method};
use crate::log_story::{check, open_on, submit};

both! {
    what_was_just_added_is_not_read,
    what_is_no_longer_remembered_is_read,
    a_leaf_of_a_failed_round_is_not_remembered,
}

async fn open(db: &TestDb, max_added: usize) -> (Log, Arc<FaultyStore>) {
    let store = FaultyStore::new(db.open().await);
    let options = Options { max_added, ..Options::default() };
    (open_on(store.clone(), options).await, store)
}

fn reads(store: &FaultyStore) -> usize {
    [Method::Entry, Method::FindLeaves, Method::Turn].map(|method| store.calls(method)).iter().sum()
}

/// What never changes of an entry. (Its timestamp is signed anew, and was verified.)
fn lasting(body: &EntryBody) -> (u64, i64, &[u8]) {
    (body.log_index, body.integrated_time, &body.body.0)
}

async fn what_was_just_added_is_not_read(db: TestDb) {
    let (log, store) = open(&db, 16).await;
    let mut first = Vec::new();
    for n in 0..10 {
        let (id, body, new) = submit(&log, n).await;
        assert!(new);
        first.push((id, body));
    }
    let (read, commits) = (reads(&store), store.calls(Method::Commit));
    for (n, (id, body)) in (0..).zip(&first) {
        let (again, shown, new) = submit(&log, n).await;
        assert_eq!((&again, lasting(&shown), new), (id, lasting(body), false));
    }
    assert_eq!((reads(&store), store.calls(Method::Commit)), (read, commits));
    // It is what anybody else is shown.
    let EntryRef::Entry(id) = first[3].0.parse().expect("an entry ID") else { panic!("no ID") };
    let known = log.entry(Lookup::Uuid(EntryRef::Entry(id))).await.expect("it is read");
    let known = known.expect("it is there");
    assert_eq!(lasting(&check(&log, &known).1), lasting(&first[3].1));
}

async fn what_is_no_longer_remembered_is_read(db: TestDb) {
    let (log, store) = open(&db, 1).await;
    let (id, body, _) = submit(&log, 0).await;
    submit(&log, 1).await;
    let before = store.calls(Method::Entry);
    let (again, shown, new) = submit(&log, 0).await;
    assert_eq!((again, lasting(&shown), new), (id, lasting(&body), false));
    assert_eq!(store.calls(Method::Entry), before + 1);
    assert_eq!(log.check().await.expect("it is whole"), 2);
}

async fn a_leaf_of_a_failed_round_is_not_remembered(db: TestDb) {
    let (log, store) = open(&db, 16).await;
    store.fail(Method::Commit, 1, Fault::Refused);
    let refused = log.submit(leaf(0)).await;
    assert!(matches!(refused, Err(SubmitError::NotCommitted)), "{refused:?}");
    store.every_fault_came();
    let (_, body, new) = submit(&log, 0).await;
    assert!(new && body.log_index == 0);
    assert!(!submit(&log, 0).await.2);
}
