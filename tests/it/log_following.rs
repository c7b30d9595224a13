//! Following what other servers committed: who waits for it, and what becomes of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use indelible::log::{Log, Lookup, NotReady, Options, ReadError, SubmitError, Submitted};
use indelible::store::StoreError;
use indelible::store::postgres::PostgresStore;
use tlog::{Hash, verify_consistency};

use crate::harness::databases::TestDb;
use crate::harness::evidence::leaf;
use crate::harness::faults::{Fault, FaultyStore, Method};
use crate::harness::proxy::Proxy;
use crate::log_story::{check, head, open_on, submit};

both! {
    a_write_does_not_wait_for_readers,
    following_goes_on_without_who_asked,
    who_is_far_behind_rebuilds_the_edge,
    another_history_is_not_shown_however_far_it_is,
}

once! {
    a_round_asks_nothing_behind_readers,
}

/// More leaves than these are far.
const FAR: u64 = 100;

/// A log that soon is far behind.
async fn open_near(db: &TestDb) -> (Log, Arc<FaultyStore>) {
    let store = FaultyStore::new(db.open().await);
    let options = Options { max_followed: FAR, ..Options::default() };
    (open_on(store.clone(), options).await, store)
}

/// Another server adds so many leaves, from this number on.
async fn add(other: &Log, first: u64, count: u64) {
    let writers = (first..first + count).map(|n| {
        let other = other.clone();
        tokio::spawn(async move { other.submit(leaf(n)).await.expect("the log takes it") })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("a writer");
    }
}

async fn every_entry_is_proven(log: &Log, size: u64) {
    for index in 0..size {
        let entry = log.entry(Lookup::Index(index)).await.unwrap().expect("an entry");
        assert_eq!(check(log, &entry).1.log_index, index);
    }
}

/// Asks once, so that it is under way, and does not wait.
async fn ask<F: Future>(call: F) -> Pin<Box<F>> {
    let mut call = Box::pin(call);
    let asked = std::future::poll_fn(|task| Poll::Ready(call.as_mut().poll(task))).await;
    assert!(asked.is_pending());
    call
}

/// The database answers no reader, and the outcome of a round is unknown.
async fn a_write_does_not_wait_for_readers(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    submit(&log, 0).await;
    store.hold(Method::Head);
    let mut readers = Vec::new();
    for _ in 0..40 {
        readers.push(ask(log.log_info()).await);
    }
    store.fail(Method::Commit, 1, Fault::Refused);
    assert!(matches!(log.submit(leaf(1)).await, Err(SubmitError::NotCommitted)));
    store.every_fault_came();
    assert!(submit(&log, 1).await.2);
    store.release(Method::Head);
    for reader in readers {
        assert_eq!(reader.await.expect("the head").tree_size, 2);
    }
    let reads = store.calls(Method::Head);
    assert!(reads <= 2, "one that was under way, and one for all who came meanwhile: {reads}");
}

/// No reader of this server gets an answer, and more of them wait than may ask.
async fn a_round_asks_nothing_behind_readers() {
    let db = TestDb::postgres().await;
    let proxy = Proxy::to(db.port()).await;
    let store = PostgresStore::connect(&proxy.instead(db.url()), 3).await.unwrap();
    let store = FaultyStore::new(Arc::new(store));
    let log = open_on(store.clone(), Options { max_added: 1, ..Options::default() }).await;
    let other = open_on(db.open().await, Options::default()).await;
    submit(&log, 0).await;
    submit(&log, 1).await;
    proxy.swallow_reads();
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(ask(log.entry(Lookup::Index(0))).await);
    }
    // Known, and no longer remembered. Its receipt waits, too, but not its round.
    let again = ask(log.submit(leaf(0))).await;
    while store.calls(Method::Settle) == 0 {
        tokio::task::yield_now().await;
    }
    // More of those are expected, so this one is looked for first.
    assert!(matches!(log.submit(leaf(2)).await, Ok(Submitted::Created(_))));
    // What another server added meanwhile is asked for when the outcome of a round is unknown.
    submit(&other, 3).await;
    store.fail(Method::Commit, 1, Fault::Refused);
    assert!(matches!(log.submit(leaf(4)).await, Ok(Submitted::Created(_))));
    drop((readers, again));
}

/// A client with less patience than following takes must not keep the server where it is.
async fn following_goes_on_without_who_asked(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    let other = open_on(db.open().await, Options::default()).await;
    submit(&other, 0).await;
    store.hold(Method::Head);
    drop(ask(log.log_info()).await);
    store.release(Method::Head);
    while log.published_size() < 1 {
        tokio::task::yield_now().await;
    }
}

async fn who_is_far_behind_rebuilds_the_edge(db: TestDb) {
    let (log, store) = open_near(&db).await;
    let other = open_on(db.open().await, Options::default()).await;
    let mut heads = vec![head(&log).await];
    // The first way begins at an empty tree; the fourth is short.
    for (count, rebuilt) in [(300, true), (400, true), (157, true), (FAR, false), (FAR + 1, true)] {
        let (before, tiles) = (heads[heads.len() - 1], store.calls(Method::Tiles));
        add(&other, before.0, count).await;
        let now = head(&log).await;
        assert_eq!((now.0, store.calls(Method::Tiles) > tiles), (before.0 + count, rebuilt));
        heads.push(now);
    }
    let size = heads[heads.len() - 1].0;
    every_entry_is_proven(&log, size).await;
    for pair in heads[1..].windows(2) {
        let [(first, old), (last, new)] = [pair[0], pair[1]];
        let proof = log.consistency(first, last).await.unwrap();
        let hashes: Vec<Hash> = proof.hashes.iter().map(|h| h.parse().unwrap()).collect();
        verify_consistency(first, last, &old, &new, &hashes).unwrap();
    }
    // Whoever writes lets the others go first meanwhile.
    add(&other, size, 2 * FAR).await;
    let turns = store.calls(Method::Turn);
    assert_eq!(submit(&log, size + 2 * FAR).await.1.log_index, size + 2 * FAR);
    assert_eq!(store.calls(Method::Turn) - turns, 2);
    assert_eq!(log.check().await.unwrap(), size + 2 * FAR + 1);
}

/// A log with this key that is restored under the server, and has grown since in another way.
async fn another_history_is_not_shown_however_far_it_is(db: TestDb) {
    let (log, store) = open_near(&db).await;
    add(&log, 0, 10).await;
    let seen = head(&log).await;
    let elsewhere = if db.is_postgres() { TestDb::postgres().await } else { TestDb::sqlite() };
    let other = open_on(elsewhere.open().await, Options::default()).await;
    for count in [20, 400] {
        add(&other, 1_000 + count, count).await;
        store.switch(elsewhere.open().await);
        for _ in 0..2 {
            let refused = log.log_info().await;
            let Err(ReadError::Store(StoreError::Corrupt(_))) = refused else {
                panic!("{refused:?}")
            };
        }
        let unready = log.ready().await;
        let Err(NotReady::Read(ReadError::Store(StoreError::Corrupt(_)))) = unready else {
            panic!("{unready:?}")
        };
        assert!(matches!(log.submit(leaf(10)).await, Err(SubmitError::NotCommitted)));
        assert_eq!(log.published_size(), seen.0);
    }
    // What was read of it is in the way of nothing.
    let other = open_on(db.open().await, Options::default()).await;
    add(&other, 10, 300).await;
    store.switch(db.open().await);
    assert_eq!(head(&log).await.0, 310);
    every_entry_is_proven(&log, 310).await;
}
