//! Turns: the head held for one round, given back, dropped, and taken away.

use std::time::Duration;

use indelible::log::index_key;
use indelible::store::postgres::PostgresStore;
use indelible::store::{EntryKey, Store as _, StoreError};
use sqlx::{Connection as _, PgConnection};

use crate::harness::databases::{Rows, TestDb};
use crate::harness::proxy::{Proxy, Way};
use crate::harness::rounds::{
    append, attested_leaf, create, indexed_leaf, leaf, leaves, round, tile,
};
use crate::store_outage::until;

both! {
    nobody_moves_the_head_in_a_turn,
    a_turn_reads_and_writes_like_its_store,
    a_known_leaf_is_refused_in_a_turn,
    a_round_on_another_head_is_refused_in_a_turn,
    a_settled_turn_lets_others_go_on,
    a_dropped_turn_leaves_nothing,
    a_turn_that_is_not_waited_for_leaves_nothing,
}

once! {
    a_large_round_takes_its_time_over_a_slow_wire,
    a_turn_that_sleeps_is_taken_away,
    a_turn_whose_connection_is_lost_is_over,
    a_turn_that_does_not_come_is_unavailable,
}

async fn nobody_moves_the_head_in_a_turn(db: TestDb) {
    let (one, two) = (db.open().await, db.open().await);
    let mut head = create(&*one).await;
    for number in 0..10 {
        let turn = one.turn().await.unwrap();
        assert_eq!(*turn.head(), head);
        let theirs = round(&head, leaves(&format!("two {number}"), 2));
        let two = two.clone();
        let waiting = tokio::spawn(async move { two.commit(&theirs).await });
        let mine = round(&head, leaves(&format!("one {number}"), 3));
        turn.commit(&mine).await.unwrap();
        let refused = waiting.await.unwrap();
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        head = mine.head;
    }
    assert_eq!(two.head().await.unwrap(), head);
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, entries: 30, ..Rows::default() });
}

async fn a_turn_reads_and_writes_like_its_store(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("entry", 5)).await;
    let mut turn = store.turn().await.unwrap();
    for (start, count) in [(0, 5), (2, 2), (4, 9), (5, 1), (u64::MAX, 1)] {
        let read = turn.leaf_hashes(start, count).await.unwrap();
        assert_eq!(read, store.leaf_hashes(start, count).await.unwrap(), "{start} {count}");
    }
    let wanted = [leaf("entry 3").leaf, leaf("a stranger").leaf, leaf("entry 0").leaf];
    let mut found = turn.find_leaves(&wanted).await.unwrap();
    found.sort_by_key(|(_, index)| *index);
    assert_eq!(found, [(wanted[2], 0), (wanted[0], 3)]);

    let mut batch = round(&head, vec![indexed_leaf("a", &["a"]), attested_leaf("b", b"payload")]);
    batch.tiles = vec![tile(0, 0)];
    turn.commit(&batch).await.unwrap();
    assert_eq!(store.head().await.unwrap(), batch.head);
    assert_eq!(store.search(&[index_key("a")], 9).await.unwrap(), [[(5, leaf("a").leaf)]]);
    let stored = store.entry(EntryKey::Index(6)).await.unwrap().unwrap();
    assert_eq!(stored.attestation.as_deref(), Some(&b"payload"[..]));
    let rows = Rows { log: 1, head: 1, entries: 7, index_keys: 1, attestations: 1, tiles: 1 };
    assert_eq!(db.rows().await, rows);
}

async fn a_known_leaf_is_refused_in_a_turn(db: TestDb) {
    let store = db.open().await;
    let head = create(&*store).await;
    let head = append(&*store, &head, leaves("entry", 2)).await;
    let turn = store.turn().await.unwrap();
    let refused = turn.commit(&round(&head, vec![leaf("new"), leaf("entry 1")])).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(store.settled_head().await.unwrap(), head);
    append(&*store, &head, vec![leaf("new")]).await;
}

/// Postgres hears nothing of a round before all of it is there.
async fn a_large_round_takes_its_time_over_a_slow_wire() {
    let db = TestDb::postgres().await;
    let proxy = Proxy::to(db.port()).await;
    let store = PostgresStore::connect(&proxy.instead(db.url()), 2).await.unwrap();
    let empty = create(&store).await;
    // From then on the proxy knows the connection.
    let head = append(&store, &empty, leaves("first", 1)).await;
    let turn = store.turn().await.unwrap();
    let batch = round(&head, vec![attested_leaf("large", &vec![7; 2 << 20])]);
    proxy.wait_after(Way::Asked, 1 << 20);
    let committing = tokio::spawn({
        let batch = batch.clone();
        async move { turn.commit(&batch).await }
    });
    let mut console = PgConnection::connect(db.url()).await.unwrap();
    let silent = "state = 'idle in transaction'
                  AND state_change < clock_timestamp() - interval '1.5 s'";
    until(&mut console, 1, silent).await;
    proxy.go_on();
    committing.await.unwrap().unwrap();
    assert_eq!(store.head().await.unwrap(), batch.head);
}

async fn a_round_on_another_head_is_refused_in_a_turn(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("entry", 2)).await;
    let refused = store.turn().await.unwrap().commit(&round(&empty, leaves("late", 1))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let mut wrong = round(&head, leaves("late", 1));
    wrong.head.size += 1;
    let refused = store.turn().await.unwrap().commit(&wrong).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert_eq!(store.settled_head().await.unwrap(), head);
    append(&*store, &head, leaves("late", 1)).await;
}

async fn a_settled_turn_lets_others_go_on(db: TestDb) {
    let (one, two) = (db.open().await, db.open().await);
    let empty = create(&*one).await;
    one.turn().await.unwrap().settle().await.unwrap();
    let head = append(&*two, &empty, leaves("two", 1)).await;
    let turn = one.turn().await.unwrap();
    assert_eq!(*turn.head(), head);
    turn.settle().await.unwrap();
    append(&*one, &head, leaves("one", 1)).await;
}

async fn a_dropped_turn_leaves_nothing(db: TestDb) {
    let (one, two) = (db.open().await, db.open().await);
    let mut head = create(&*one).await;
    for number in 0..3 {
        let mut turn = one.turn().await.unwrap();
        turn.find_leaves(&[leaf("entry").leaf]).await.unwrap();
        drop(turn);
        head = append(&*one, &head, leaves(&format!("one {number}"), 1)).await;
        // In the midst of its commit.
        let turn = one.turn().await.unwrap();
        let batch = round(&head, leaves(&format!("dropped {number}"), 700));
        let moment = Duration::from_micros(500 * number);
        let _ = tokio::time::timeout(moment, turn.commit(&batch)).await;
        // It may have been quick enough.
        head = one.settled_head().await.unwrap();
        assert_eq!(db.rows().await.entries as u64, head.size);
        head = append(&*two, &head, leaves(&format!("two {number}"), 1)).await;
    }
    no_transaction_is_open(&db).await;
}

async fn a_turn_that_is_not_waited_for_leaves_nothing(db: TestDb) {
    let (one, two) = (db.open().await, db.open().await);
    let head = create(&*one).await;
    for milliseconds in [0, 1, 20, 200] {
        let turn = one.turn().await.unwrap();
        let moment = Duration::from_millis(milliseconds);
        // It is never its turn, unless this machine sleeps for a second meanwhile.
        drop(tokio::time::timeout(moment, two.turn()).await);
        drop(turn);
        assert_eq!(*two.turn().await.unwrap().head(), head);
    }
    append(&*one, &head, leaves("one", 1)).await;
    no_transaction_is_open(&db).await;
}

/// Waits until connections that were given up are closed; they are in time.
async fn no_transaction_is_open(db: &TestDb) {
    if !db.is_postgres() {
        return;
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                   AND application_name = 'indelible' AND xact_start IS NOT NULL";
    let closing = async { while db.ask::<(i64,)>(open).await.0 > 0 {} };
    tokio::time::timeout(Duration::from_secs(9), closing).await.expect("no transaction is open");
}

/// Like a server that is stopped in its turn.
async fn a_turn_that_sleeps_is_taken_away() {
    let db = TestDb::postgres().await;
    let (one, two) = (db.open().await, db.open().await);
    let empty = create(&*one).await;
    let turn = one.turn().await.unwrap();
    let asleep = round(&empty, leaves("asleep", 1));
    // Longer than Postgres lets anybody wait for a lock it would be refused.
    let head = append(&*two, &empty, leaves("awake", 1)).await;
    let late = turn.commit(&asleep).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, entries: 1, ..Rows::default() });
    let turn = one.turn().await.unwrap();
    assert_eq!(*turn.head(), head);
    turn.commit(&round(&head, leaves("awake again", 1))).await.unwrap();
}

async fn a_turn_whose_connection_is_lost_is_over() {
    let db = TestDb::postgres().await;
    let (one, two) = (db.open().await, db.open().await);
    let empty = create(&*one).await;
    for shot in ["find", "commit", "settle"] {
        let mut turn = one.turn().await.unwrap();
        let mut gun = PgConnection::connect(db.url()).await.unwrap();
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE datname = current_database() AND state = 'idle in transaction'";
        let (hits,): (i64,) = sqlx::query_as(sql).fetch_one(&mut gun).await.unwrap();
        assert_eq!(hits, 1);
        let lost = match shot {
            "find" => turn.find_leaves(&[leaf("entry").leaf]).await.map(drop),
            "commit" => turn.commit(&round(&empty, leaves("lost", 1))).await,
            _ => turn.settle().await,
        };
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{shot}: {lost:?}");
        assert_eq!(two.settled_head().await.unwrap(), empty);
    }
    append(&*one, &empty, leaves("entry", 1)).await;
}

/// In line behind somebody who holds the head for long, past the store.
async fn a_turn_that_does_not_come_is_unavailable() {
    let db = TestDb::postgres().await;
    let store = db.open().await;
    let empty = create(&*store).await;
    let mut blocker = PgConnection::connect(db.url()).await.unwrap();
    let mut held = blocker.begin().await.unwrap();
    sqlx::query("SELECT * FROM head FOR UPDATE").execute(&mut *held).await.unwrap();
    let refused = store.turn().await.err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    held.rollback().await.unwrap();
    assert_eq!(*store.turn().await.unwrap().head(), empty);
    no_transaction_is_open(&db).await;
}
