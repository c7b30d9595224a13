//! Databases that do not answer, in good time or at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::log::index_key;
use indelible::store::postgres::PostgresStore;
use indelible::store::sqlite::SqliteStore;
use indelible::store::{EntryKey, Head, Store, StoreError};
use sqlx::{Connection, PgConnection};
use tlog::TileId;

use crate::harness::databases::{Rows, TestDb, sqlite_console};
use crate::harness::faults::{Fault, FaultyStore, Method};
use crate::harness::proxy::Proxy;
use crate::harness::rounds::{append, create, first_head, identity, leaf, leaves, round};

both! {
    a_closed_store_is_unavailable,
    a_planned_fault_comes_once_and_says_nothing,
}

once! {
    a_postgres_that_is_not_there_is_unavailable,
    a_postgres_that_is_silent_is_unavailable,
    a_sqlite_file_that_cannot_be_is_unavailable,
    a_file_that_is_no_database_is_corrupt,
    connections_that_were_cut_since_their_last_use_are_no_concern_of_readers,
    readers_that_hang_up_make_no_room_for_more_connections,
    connections_that_were_forgotten_on_the_way_are_no_concern_of_readers,
    a_locked_sqlite_file_is_unavailable_in_time_and_readable,
}

async fn a_closed_store_is_unavailable(db: TestDb) {
    let store = db.open().await;
    let head = create(&*store).await;
    store.close().await;
    store.close().await;

    let gone = |error: Option<StoreError>| {
        assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
    };
    gone(store.load().await.err());
    gone(store.create(&identity(), &head).await.err());
    gone(store.head().await.err());
    gone(store.commit(&round(&head, leaves("late", 1))).await.err());
    gone(store.find_leaves(&[leaf("late").leaf]).await.err());
    gone(store.entry(EntryKey::Index(0)).await.err());
    gone(store.leaf_hashes(0, 1).await.err());
    gone(store.entries(0, 1).await.err());
    gone(store.tiles(&[TileId { level: 0, index: 0 }]).await.err());
    gone(store.half_tiles(&[0]).await.err());
    gone(store.search(&[index_key("late")], 9).await.err());
    gone(store.ping().await.err());
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, ..Rows::default() });
}

/// The harness itself: what other stories build on.
async fn a_planned_fault_comes_once_and_says_nothing(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    let empty = create(&*store).await;
    store.fail(Method::Commit, 1, Fault::Refused);
    store.fail(Method::Commit, 2, Fault::DoneButReportedAsFailed);

    let batch = round(&empty, leaves("entry", 2));
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.head().await.unwrap(), empty);
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.head().await.unwrap(), batch.head);
    append(&*store, &batch.head, leaves("later", 1)).await;
    assert_eq!(store.calls(Method::Commit), 3);

    store.fail(Method::Head, 2, Fault::Refused);
    assert!(store.head().await.is_ok());
    assert!(store.head().await.is_err());
    store.every_fault_came();
    assert!(store.head().await.is_ok());
}

async fn a_postgres_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let refused = PostgresStore::connect(&format!("postgres://nobody@127.0.0.1:{port}/x"), 2).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

/// It accepts connections and never says a word.
async fn a_postgres_that_is_silent_is_unavailable() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused = PostgresStore::connect(&format!("postgres://nobody@127.0.0.1:{port}/x"), 2).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

async fn a_sqlite_file_that_cannot_be_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let absent = SqliteStore::open(&directory.path().join("absent/log.sqlite")).await;
    assert!(matches!(absent, Err(StoreError::Unavailable(_))), "{absent:?}");
}

async fn a_file_that_is_no_database_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.sqlite");
    std::fs::write(&path, "just a letter, longer than the header of a database. ".repeat(40))
        .unwrap();
    let refused = SqliteStore::open(&path).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
}

/// As by a restart of Postgres. What changes nothing is asked again, on new connections.
async fn connections_that_were_cut_since_their_last_use_are_no_concern_of_readers() {
    let db = TestDb::postgres().await;
    let store = db.open().await;
    let mut head = create(&*store).await;
    for round in 0..5 {
        // A reading connection or two, and the writing one, all just used.
        for read in several_heads(&*store).await {
            assert_eq!(read.unwrap(), head);
        }
        head = append(&*store, &head, leaves(&format!("round {round}"), 2)).await;
        assert!(cut_all(&db).await > 1);
        for read in several_heads(&*store).await {
            assert_eq!(read.unwrap(), head);
        }
        assert_eq!(store.settled_head().await.unwrap(), head);
        cut_all(&db).await;
        assert_eq!(*store.turn().await.unwrap().head(), head);
    }
}

/// Postgres works on for clients that have hung up. Their connections stay counted, and are used again.
async fn readers_that_hang_up_make_no_room_for_more_connections() {
    let db = TestDb::postgres().await;
    let store = db.open().await;
    create(&*store).await;
    let mut console = PgConnection::connect(db.url()).await.unwrap();
    let mut blocker = PgConnection::connect(db.url()).await.unwrap();
    let mut held = blocker.begin().await.unwrap();
    sqlx::query("LOCK TABLE entries").execute(&mut *held).await.unwrap();
    let read = || {
        let store = store.clone();
        tokio::spawn(async move { store.entry(EntryKey::Index(0)).await })
    };
    let begun = Instant::now();
    let (mut gone, mut stuck) = (Vec::new(), Vec::new());
    // All that there are for reading.
    while stuck.len() < 2 {
        gone.push(read());
        while stuck.len() < gone.len() {
            let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                              AND datname = current_database() AND application_name = 'indelible'";
            stuck = sqlx::query_scalar::<_, i32>(waiting).fetch_all(&mut console).await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(60), "{stuck:?}");
        }
        gone.last().unwrap().abort();
    }
    for gone in gone {
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    let (one, other) = (read(), read());
    held.rollback().await.unwrap();
    assert_eq!((one.await.unwrap().unwrap(), other.await.unwrap().unwrap()), (None, None));
    let same = "SELECT count(*), count(*) FILTER (WHERE pid = ANY ($1)) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'indelible'";
    let same = sqlx::query_as::<_, (i64, i64)>(same).bind(&stuck).fetch_one(&mut console).await;
    assert_eq!(same.unwrap(), (3, 2), "one that writes, and those two");
}

/// As by a firewall that forgets connections which are silent for long.
async fn connections_that_were_forgotten_on_the_way_are_no_concern_of_readers() {
    let db = TestDb::postgres().await;
    let proxy = Proxy::to(db.port()).await;
    let store: Arc<dyn Store> =
        Arc::new(PostgresStore::connect(&proxy.instead(db.url()), 5).await.unwrap());
    create(&*store).await;
    let mut console = PgConnection::connect(db.url()).await.unwrap();
    let mut blocker = PgConnection::connect(db.url()).await.unwrap();
    let mut held = blocker.begin().await.unwrap();
    sqlx::query("LOCK TABLE entries").execute(&mut *held).await.unwrap();
    let readers = [(); 4].map(|()| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.entry(EntryKey::Index(0)).await })
    });
    until(&mut console, 4, "wait_event_type = 'Lock'").await;
    held.rollback().await.unwrap();
    for reader in readers {
        assert_eq!(reader.await.unwrap().unwrap(), None);
    }
    // Until then they are not tried out.
    until(&mut console, 5, "state_change < clock_timestamp() - interval '1.1 s'").await;
    proxy.forget();
    assert_eq!(store.head().await.unwrap(), first_head());
    assert_eq!(store.settled_head().await.unwrap(), first_head());
}

/// Waits until so many sessions of servers are like this.
pub(crate) async fn until(console: &mut PgConnection, count: i64, condition: &str) {
    let asked = format!(
        "SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'indelible' AND {condition}"
    );
    let begun = Instant::now();
    loop {
        let asked = sqlx::AssertSqlSafe(asked.as_str());
        let (now,): (i64,) = sqlx::query_as(asked).fetch_one(&mut *console).await.unwrap();
        if now == count {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{now} of {count}: {condition}");
    }
}

/// Read at once, so that as many connections are used.
async fn several_heads(store: &dyn Store) -> [Result<Head, StoreError>; 4] {
    tokio::join!(store.head(), store.head(), store.head(), store.head()).into()
}

/// Ends all sessions of servers, and waits until they have ended.
async fn cut_all(db: &TestDb) -> i64 {
    let mut gun = PgConnection::connect(db.url()).await.unwrap();
    let cut = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'indelible'";
    let (hits,): (i64,) = sqlx::query_as(cut).fetch_one(&mut gun).await.unwrap();
    hits
}

/// Somebody else (a backup, a console) holds the write lock of the file.
async fn a_locked_sqlite_file_is_unavailable_in_time_and_readable() {
    let db = TestDb::sqlite();
    let store = db.open().await;
    let empty = create(&*store).await;
    let mut other = sqlite_console(db.path()).await.unwrap();
    let lock = other.begin_with("BEGIN EXCLUSIVE").await.unwrap();

    let batch = round(&empty, leaves("entry", 2));
    let begun = Instant::now();
    let (outcome, read) = tokio::join!(store.commit(&batch), store.head());
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_eq!(read.unwrap(), empty);
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());

    lock.rollback().await.unwrap();
    assert_eq!(store.head().await.unwrap(), first_head());
    store.commit(&batch).await.unwrap();
    assert_eq!(store.head().await.unwrap(), batch.head);
}
