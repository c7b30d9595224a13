//! Every store call that a write makes is broken twice, refused and done but
//! reported as failed; then the whole log is checked.

use indelible::log::{Options, SubmitError, Submitted};

use crate::harness::databases::TestDb;
use crate::harness::evidence::leaf;
use crate::harness::faults::{Fault, FaultyStore, Method};
use crate::log_story::{open_on, submit};

both! {
    a_broken_write_is_all_or_nothing,
    a_commit_whose_answer_is_lost_is_still_a_receipt,
    an_outage_ends_by_itself,
    a_faster_server_delays_and_does_not_refuse,
    a_sequencer_that_panics_is_not_survived,
}

async fn a_broken_write_is_all_or_nothing(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    // What is remembered would not be looked up.
    let log = open_on(store.clone(), Options { max_added: 0, ..Options::default() }).await;
    let mut n = 0;
    for method in [Method::FindLeaves, Method::Commit, Method::Settle] {
        for fault in [Fault::Refused, Fault::DoneButReportedAsFailed] {
            submit(&log, n).await;
            if method == Method::FindLeaves {
                // Leaves are looked up without a turn in the round after one that met a known leaf.
                assert!(!submit(&log, n).await.2);
            }
            store.fail(method, 1, fault);
            if method == Method::Settle {
                // The settled head is only read when a commit's outcome is unknown.
                store.fail(Method::Commit, 1, fault);
            }
            let (size, turns) = (log.published_size(), store.calls(Method::Turn));
            let done = method != Method::FindLeaves && fault == Fault::DoneButReportedAsFailed;
            match log.submit(leaf(n + 1)).await {
                Ok(Submitted::Created(_)) if done => assert_eq!(log.published_size(), size + 1),
                Err(SubmitError::NotCommitted) if !done => {}
                other => panic!("{method:?} {fault:?}: {other:?}"),
            }
            assert_eq!(
                store.calls(Method::Turn),
                turns,
                "turns are broken in a story of their own"
            );
            store.every_fault_came();
            // Submitting again is always safe, and leads to one index.
            let (id, body, _) = submit(&log, n + 1).await;
            let (again, same, new) = submit(&log, n + 1).await;
            assert!(!new && id == again && body.log_index == same.log_index);
            log.check().await.expect("the log is whole");
            n += 2;
        }
    }
    assert_eq!(log.check().await.unwrap(), n);
}

async fn a_commit_whose_answer_is_lost_is_still_a_receipt(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    store.fail(Method::Commit, 1, Fault::DoneButReportedAsFailed);
    let (_, body, new) = submit(&log, 1).await;
    assert!(new && body.log_index == 0, "the head tells that it was committed");
    assert_eq!(log.check().await.unwrap(), 1);
    store.every_fault_came();
}

async fn an_outage_ends_by_itself(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    submit(&log, 0).await;
    store.fail(Method::Commit, 1, Fault::Refused);
    assert!(matches!(log.submit(leaf(1)).await, Err(SubmitError::NotCommitted)));
    store.fail(Method::Ping, 1, Fault::Refused);
    assert!(log.ready().await.is_err());
    log.ready().await.unwrap();
    assert!(submit(&log, 1).await.2);
    assert_eq!(log.check().await.unwrap(), 2);
    store.every_fault_came();
}

async fn a_faster_server_delays_and_does_not_refuse(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    for nth in 1..=40 {
        store.fail(Method::Commit, nth, Fault::Conflict);
    }
    assert!(submit(&log, 0).await.2);
    assert_eq!((store.calls(Method::Commit), log.check().await.unwrap()), (41, 1));
    store.every_fault_came();
}

async fn a_sequencer_that_panics_is_not_survived(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    submit(&log, 0).await;
    let mut ended = std::pin::pin!(log.ended());
    tokio::select! {
        biased;
        () = &mut ended => panic!("it goes on"),
        () = std::future::ready(()) => {}
    }
    store.fail(Method::Commit, 1, Fault::Panic);
    assert!(matches!(log.submit(leaf(1)).await, Err(SubmitError::NotCommitted)));
    ended.await;
    store.every_fault_came();
    assert!(matches!(log.submit(leaf(1)).await, Err(SubmitError::ShuttingDown)));
    log.close().await;
    // Another one begins with what is in the database.
    let log = open_on(db.open().await, Options::default()).await;
    assert!(submit(&log, 1).await.2);
    assert_eq!(log.check().await.unwrap(), 2);
}
