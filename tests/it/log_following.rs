//! Following what other servers committed: who waits for it, and what becomes of it.

use std::pin::Pin;
use std::task::Poll;

use indelible::log::{Options, SubmitError};

use crate::harness::databases::TestDb;
use crate::harness::evidence::leaf;
use crate::harness::faults::{Fault, FaultyStore, Method};
use crate::log_story::{open_on, submit};

both! {
    a_write_does_not_wait_for_readers,
    following_goes_on_without_who_asked,
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
    assert!(submit(&log, 1).await.2);
    store.release(Method::Head);
    for reader in readers {
        assert_eq!(reader.await.expect("the head").tree_size, 2);
    }
    let reads = store.calls(Method::Head);
    assert!(reads <= 2, "one that was under way, and one for all who came meanwhile: {reads}");
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
