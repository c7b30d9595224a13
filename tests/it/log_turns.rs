//! Several servers that write at a time: who lost a round loses no second one.

#![expect(clippy::print_stdout, reason = "tells how the rounds were shared")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use indelible::log::{Log, Options, SubmitError, Submitted};

use crate::harness::databases::TestDb;
use crate::harness::evidence::leaf;
use crate::harness::faults::{Fault, FaultyStore, Method};
use crate::log_story::{open_on, submit};

both! {
    a_lost_round_is_won_in_the_turn,
    who_writes_alone_takes_no_turn,
    a_known_leaf_costs_one_turn,
    what_a_turn_holds_is_published_with_its_round,
    a_reader_that_is_faster_than_the_round_is_in_nobodys_way,
    a_broken_turn_is_all_or_nothing,
    who_comes_during_the_wait_shares_the_turn,
    a_full_round_takes_nobody_in,
    a_round_of_as_many_bytes_as_allowed_takes_nobody_in,
}

once! {
    a_slow_server_is_not_left_behind,
}

async fn open_two(db: &TestDb) -> (Log, Arc<FaultyStore>, Log) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    (log, store, open_on(db.open().await, Options::default()).await)
}

async fn a_lost_round_is_won_in_the_turn(db: TestDb) {
    let (log, store, other) = open_two(&db).await;
    for n in 0..10 {
        assert!(submit(&other, 2 * n).await.2);
        assert_eq!(submit(&log, 2 * n + 1).await.1.log_index, 2 * n + 1);
    }
    // One round was lost; the others were expected to meet company.
    assert_eq!((store.calls(Method::Commit), store.calls(Method::Turn)), (11, 10));
    assert_eq!(log.check().await.unwrap(), 20);
}

async fn who_writes_alone_takes_no_turn(db: TestDb) {
    let (log, store, other) = open_two(&db).await;
    for n in 0..10 {
        submit(&log, n).await;
    }
    assert_eq!((store.calls(Method::Commit), store.calls(Method::Turn)), (10, 0));
    submit(&other, 10).await;
    for n in 11..20 {
        submit(&log, n).await;
    }
    // The lost round's turn, and one that found nobody else.
    assert_eq!((store.calls(Method::Commit), store.calls(Method::Turn)), (20, 2));
}

async fn a_known_leaf_costs_one_turn(db: TestDb) {
    let (log, store, other) = open_two(&db).await;
    submit(&log, 0).await;
    submit(&other, 1).await;
    assert!(!submit(&log, 1).await.2);
    assert_eq!((store.calls(Method::Commit), store.calls(Method::Turn)), (2, 1));
    // Settled by a turn, it is not asked for again. (The second turn is for company.)
    assert!(!submit(&log, 1).await.2);
    assert_eq!((store.calls(Method::Turn), store.calls(Method::Settle)), (2, 2));
    assert!(!submit(&log, 1).await.2);
    assert_eq!((store.calls(Method::Turn), store.calls(Method::Settle)), (2, 2));
    assert_eq!(log.check().await.unwrap(), 2);
}

/// It may be a commit that was cut off while it waited for a standby.
async fn what_a_turn_holds_is_published_with_its_round(db: TestDb) {
    let (log, store, other) = open_two(&db).await;
    submit(&other, 0).await;
    // Lost, then refused in the turn.
    store.fail(Method::Commit, 2, Fault::Refused);
    assert!(matches!(log.submit(leaf(1)).await, Err(SubmitError::NotCommitted)));
    assert_eq!((store.calls(Method::Turn), log.published_size()), (1, 0));
    assert!(submit(&log, 1).await.2);
    assert_eq!(log.published_size(), 2);
}

async fn a_reader_that_is_faster_than_the_round_is_in_nobodys_way(db: TestDb) {
    let (log, store, other) = open_two(&db).await;
    submit(&other, 0).await;
    submit(&log, 1).await;
    submit(&other, 2).await;
    // Company is expected, so it begins with the turn.
    store.hold(Method::Commit);
    let turns = store.calls(Method::LeafHashes);
    let round = tokio::spawn({
        let log = log.clone();
        async move { submit(&log, 3).await }
    });
    while store.calls(Method::LeafHashes) == turns {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.log_info().await.expect("the head").tree_size, 3);
    store.release(Method::Commit);
    assert_eq!(round.await.expect("a round").1.log_index, 3);
    assert_eq!(log.published_size(), 4);
    assert_eq!(log.check().await.unwrap(), 4);
}

async fn a_broken_turn_is_all_or_nothing(db: TestDb) {
    let (log, store, other) = open_two(&db).await;
    let mut n = 0;
    for fault in [Fault::Refused, Fault::DoneButReportedAsFailed] {
        for broken in [
            &[(Method::Turn, 1)][..],
            &[(Method::LeafHashes, 1)],
            &[(Method::FindLeaves, 1)],
            // The first one is without a turn, and lost.
            &[(Method::Commit, 2)],
            // Its outcome is unknown, and so is the head at first.
            &[(Method::Commit, 2), (Method::Settle, 1)],
        ] {
            // The second finds that nobody else writes any more.
            submit(&log, n).await;
            submit(&log, n + 1).await;
            submit(&other, n + 2).await;
            for (method, nth) in broken {
                store.fail(*method, *nth, fault);
            }
            match log.submit(leaf(n + 3)).await {
                Ok(Submitted::Created(_)) | Err(SubmitError::NotCommitted) => {}
                other => panic!("{broken:?} {fault:?}: {other:?}"),
            }
            store.every_fault_came();
            // The other server is not held up, and submitting again leads to one index.
            submit(&other, n + 4).await;
            let (id, body, _) = submit(&log, n + 3).await;
            let (again, same, new) = submit(&log, n + 3).await;
            assert!(!new && id == again && body.log_index == same.log_index);
            n += 5;
            assert_eq!(log.check().await.unwrap(), n, "{broken:?} {fault:?}");
        }
    }
}

/// A log with company, which waits for a turn with one leaf while two more come; then it goes on.
/// Tells how many turns and rounds the three took.
async fn three_during_one_wait(db: &TestDb, options: Options) -> (usize, usize) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), options).await;
    let elsewhere = db.open().await;
    let other = open_on(elsewhere.clone(), Options::default()).await;
    submit(&log, 0).await;
    submit(&other, 1).await;
    // Lost, so company is expected from now on.
    submit(&log, 2).await;
    let (turns, rounds) = (store.calls(Method::Turn), store.calls(Method::Commit));

    let turn = elsewhere.turn().await.unwrap();
    let first = tokio::spawn({
        let log = log.clone();
        async move { submit(&log, 3).await.1.log_index }
    });
    while store.calls(Method::Turn) == turns {
        tokio::task::yield_now().await;
    }
    let mut others = [4, 5].map(|n| Box::pin(submit(&log, n)));
    for other in &mut others {
        // Asked once, it is in the queue.
        let asked = std::future::poll_fn(|task| Poll::Ready(other.as_mut().poll(task))).await;
        assert!(asked.is_pending());
    }
    drop(turn);
    assert_eq!(first.await.unwrap(), 3);
    for (index, other) in (4..).zip(others) {
        assert_eq!(other.await.1.log_index, index);
    }
    assert_eq!(log.check().await.unwrap(), 6);
    (store.calls(Method::Turn) - turns, store.calls(Method::Commit) - rounds)
}

async fn who_comes_during_the_wait_shares_the_turn(db: TestDb) {
    assert_eq!(three_during_one_wait(&db, Options::default()).await, (1, 1));
}

async fn a_full_round_takes_nobody_in(db: TestDb) {
    let two = Options { max_round: 2, ..Options::default() };
    assert_eq!(three_during_one_wait(&db, two).await.1, 2);
}

async fn a_round_of_as_many_bytes_as_allowed_takes_nobody_in(db: TestDb) {
    let one = Options { max_round_bytes: 1, ..Options::default() };
    assert_eq!(three_during_one_wait(&db, one).await.1, 3);
}

/// One of several servers, and the rounds that it was asked for, each of one leaf.
struct Server {
    store: Arc<FaultyStore>,
    log: Log,
    rounds: usize,
}

impl Server {
    async fn on(db: &TestDb) -> Self {
        let store = FaultyStore::new(db.open().await);
        let log = open_on(store.clone(), Options::default()).await;
        Self { store, log, rounds: 0 }
    }

    fn attempts(&self) -> usize {
        self.store.calls(Method::Commit)
    }

    /// Submits until it is in the log.
    async fn place(&mut self, n: u64) {
        loop {
            self.rounds += 1;
            let placed = self.log.submit(leaf(n)).await;
            let (attempts, rounds) = (self.attempts(), self.rounds);
            assert!(attempts <= 2 * rounds, "{attempts} attempts at {rounds} rounds");
            match placed {
                Ok(_) => return,
                // A second was slept away in a turn, by this machine.
                Err(SubmitError::NotCommitted) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Two servers write without a pause. For the third one the database is so far away that each
/// of its rounds takes longer than several of theirs; still none needs a third attempt, of
/// whichever server. (Postgres only: an SQLite file has one server.)
async fn a_slow_server_is_not_left_behind() {
    let db = TestDb::postgres().await;
    let mut slow = Server::on(&db).await;
    slow.store.move_away(Duration::from_millis(5));
    let done = Arc::new(AtomicBool::new(false));
    let mut near = tokio::task::JoinSet::new();
    for number in 1..=2_u64 {
        let (mut server, done) = (Server::on(&db).await, Arc::clone(&done));
        near.spawn(async move {
            for n in number << 32.. {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                server.place(n).await;
            }
            server
        });
    }
    for n in 0..25 {
        slow.place(n).await;
    }
    done.store(true, Ordering::SeqCst);
    println!("the slow one: {} attempts at {} rounds", slow.attempts(), slow.rounds);
    while let Some(server) = near.join_next().await {
        let server = server.expect("a server");
        println!("another one: {} attempts at {} rounds", server.attempts(), server.rounds);
    }
    slow.log.check().await.expect("the log is whole");
}
