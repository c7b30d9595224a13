//! What a server shows of the commits of another one while no standby says that it has them.

use std::sync::Arc;

use indelible::log::{ConsistencyError, Log, Lookup, Options, ReadError};
use indelible::store::StoreError;
use indelible::store::postgres::PostgresStore;

use crate::harness::cluster::Cluster;
use crate::harness::databases::TestDb;
use crate::harness::faults::{FaultyStore, Method};
use crate::harness::logs::fill;
use crate::log_story::{check, head, open_on};

both! {
    what_no_standby_has_is_shown_once_it_returns,
    a_server_is_ready_without_a_standby,
}

once! {
    a_database_that_takes_no_writes_is_read,
}

/// A server that reads, which has shown nine leaves, and one that adds the tenth meanwhile.
async fn nine_of_ten(db: &TestDb) -> (Log, Arc<FaultyStore>) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    let other = open_on(db.open().await, Options::default()).await;
    fill(&other, 0, 9).await;
    assert_eq!(head(&log).await.0, 9);
    store.leave_alone(true);
    fill(&other, 9, 10).await;
    (log, store)
}

fn is_unavailable(error: &ReadError) -> bool {
    matches!(error, ReadError::Store(StoreError::Unavailable(_)))
}

async fn what_no_standby_has_is_shown_once_it_returns(db: TestDb) {
    let (log, store) = nine_of_ten(&db).await;
    assert_eq!(head(&log).await.0, 9);
    let refused = log.entry(Lookup::Index(9)).await.expect_err("it is no promise yet");
    assert!(is_unavailable(&refused), "{refused}");
    match log.consistency(5, 10).await.expect_err("it is no promise yet") {
        ConsistencyError::Read(refused) => assert!(is_unavailable(&refused), "{refused}"),
        refused @ ConsistencyError::TooLarge { .. } => panic!("{refused}"),
    }
    let beyond = log.consistency(5, 11).await.expect_err("there is no such tree");
    assert!(matches!(beyond, ConsistencyError::TooLarge { requested: 11, size: 9 }), "{beyond}");
    log.consistency(5, 9).await.expect("it is shown");

    store.leave_alone(false);
    log.consistency(5, 10).await.expect("it is settled");
    assert_eq!(head(&log).await.0, 10);
    let entry = log.entry(Lookup::Index(9)).await.unwrap().expect("an entry");
    assert_eq!(check(&log, &entry).1.log_index, 9);
}

/// Whoever asks has less patience than a server has with a standby.
async fn a_server_is_ready_without_a_standby(db: TestDb) {
    let (log, store) = nine_of_ten(&db).await;
    store.hold(Method::UntilSettled);
    for _ in 0..3 {
        log.ready().await.expect("it is ready");
        assert_eq!(log.published_size(), 9);
    }
    // The server that nobody reads from follows all the same.
    store.leave_alone(false);
    store.release(Method::UntilSettled);
    while log.published_size() < 10 {
        tokio::task::yield_now().await;
    }
}

/// As managed ones do when their disk is about to be full.
async fn a_database_that_takes_no_writes_is_read() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database().await;
    let connect = || async {
        let store = PostgresStore::connect(&url, 3).await.expect("a database");
        open_on(Arc::new(store), Options::default()).await
    };
    let (log, other) = (connect().await, connect().await);
    fill(&other, 0, 3).await;
    cluster.set("default_transaction_read_only", "on").await;
    // No standby can be asked for.
    cluster.name_standby("nobody").await;
    assert_eq!(head(&log).await.0, 0);
    cluster.name_standby("").await;
    assert_eq!(head(&log).await.0, 3);
    // A start has nothing to write, either.
    assert_eq!(head(&connect().await).await.0, 3);
}
