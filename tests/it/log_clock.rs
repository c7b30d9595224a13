//! Servers whose clocks are wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use indelible::log::{self, Clock, Log, NotReady, OpenError, Options, SubmitError};
use indelible::store::{Store, StoreError};

use crate::harness::databases::TestDb;
use crate::harness::evidence::leaf;
use crate::harness::faults::{FaultyStore, Method};
use crate::harness::logs::key;
use crate::harness::rounds::{create, leaves, round};
use crate::log_story::submit;

both! {
    a_clock_that_is_ahead_spoils_no_times,
    a_new_log_does_not_begin_in_the_future,
    a_log_that_is_ahead_already_goes_on,
}

const HOUR: i64 = 3_600;

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(now.as_secs()).expect("a time before the end of all")
}

/// A server with a clock that is set by hand.
async fn open(store: Arc<dyn Store>, hand: &Arc<AtomicI64>) -> Result<Log, OpenError> {
    let hand = Arc::clone(hand);
    let clock: Clock = Arc::new(move || hand.load(Ordering::SeqCst));
    log::open(store, key(), None, "log.example", Options::default(), clock).await
}

/// SQLite is on the same machine: nothing there knows better.
async fn a_clock_that_is_ahead_spoils_no_times(db: TestDb) {
    let right = Arc::new(AtomicI64::new(now()));
    let wrong = Arc::clone(&right);
    let sound = open(db.open().await, &right).await.expect("it opens");
    submit(&sound, 0).await;
    let hand = Arc::new(AtomicI64::new(wrong.load(Ordering::SeqCst)));
    let store = FaultyStore::new(db.open().await);
    let log = open(store.clone(), &hand).await.expect("it opens");
    log.ready().await.expect("it is ready");
    hand.fetch_add(HOUR, Ordering::SeqCst);
    if !db.is_postgres() {
        log.ready().await.expect("it is ready");
        assert_eq!(submit(&log, 1).await.1.integrated_time, hand.load(Ordering::SeqCst));
        return;
    }
    let unready = log.ready().await;
    assert!(matches!(unready, Err(NotReady::Ahead(_))), "{unready:?}");
    let refused = log.submit(leaf(1)).await;
    assert!(matches!(refused, Err(SubmitError::NotCommitted)), "{refused:?}");
    // That is certain: nothing is read, and nobody is kept waiting by another attempt.
    assert_eq!((store.calls(Method::Settle), store.calls(Method::Turn)), (0, 0));
    // The other one goes on, and so does this one when its clock is set; also in turns.
    for n in 1..4 {
        assert!(submit(&sound, n).await.1.integrated_time < now() + 60);
        assert!(matches!(log.submit(leaf(100 + n)).await, Err(SubmitError::NotCommitted)));
    }
    hand.store(now(), Ordering::SeqCst);
    log.ready().await.expect("it is ready");
    assert!(submit(&log, 4).await.1.integrated_time < now() + 60);
    assert_eq!(log.check().await.expect("it is whole"), 5);
}

async fn a_new_log_does_not_begin_in_the_future(db: TestDb) {
    let hand = Arc::new(AtomicI64::new(now() + HOUR));
    let opened = open(db.open().await, &hand).await.err();
    if db.is_postgres() {
        assert!(matches!(opened, Some(OpenError::Ahead(_))), "{opened:?}");
        assert_eq!(db.rows().await.log, 0);
    } else {
        assert!(opened.is_none(), "{opened:?}");
    }
}

/// It may not be brought farther ahead, but neither is it closed until its time has come.
async fn a_log_that_is_ahead_already_goes_on(db: TestDb) {
    let store = db.open().await;
    let mut head = create(&*store).await;
    let ahead = now() + HOUR;
    db.tamper(&format!("UPDATE head SET time = {ahead}")).await;
    head.time = ahead;
    let mut batch = round(&head, leaves("entry", 1));
    batch.head.time = ahead;
    store.commit(&batch).await.expect("it goes on");
    let mut next = round(&batch.head, leaves("next", 1));
    next.head.time = ahead + 1;
    if db.is_postgres() {
        let refused = store.commit(&next).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        let refused = store.turn().await.expect("a turn").commit(&next).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        next.head.time = ahead;
    }
    // A leaf that is there is still told apart from that.
    let mut again = round(&batch.head, leaves("entry", 1));
    again.head.time = ahead;
    assert!(matches!(store.commit(&again).await, Err(StoreError::Conflict)));
    store.commit(&next).await.expect("it goes on");
}
