//! Rounds whose connection is lost at any moment of them, by Postgres or by the wire.
//!
//! The caller cannot know what became of such a round, but there are only two outcomes. Each story
//! goes on until it has met what it is about, however fast this machine is.

use std::str::FromStr as _;
use std::sync::Arc;

use indelible::store::postgres::PostgresStore;
use indelible::store::{Batch, Head, Store, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinHandle;

use crate::harness::databases::{Rows, TestDb};
use crate::harness::proxy::{Proxy, Way};
use crate::harness::rounds::{attested_leaf, create, indexed_leaf, leaves, round, tile};

once! {
    a_round_whose_connection_dies_leaves_nothing,
    a_round_that_is_shot_at_is_whole_or_nothing,
    a_turn_that_is_shot_at_is_whole_or_nothing,
    a_round_that_is_cut_off_is_whole_or_nothing,
}

/// How often a story tries to meet what it is about.
const ROUNDS: usize = 200;

/// How a round is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Itself,
    Turn,
}

const STATEMENT: &str = "state = 'active' AND query LIKE '%moved%'";
const COMMIT: &str = "state = 'active' AND query = 'COMMIT'";

/// A round waits for the head row, and its connection is shot meanwhile.
async fn a_round_whose_connection_dies_leaves_nothing() {
    let db = TestDb::postgres().await;
    let store = db.open().await;
    let empty = create(&*store).await;

    let mut blocker = PgConnection::connect(db.url()).await.unwrap();
    let mut held = blocker.begin().await.unwrap();
    sqlx::query("SELECT * FROM head FOR UPDATE").execute(&mut *held).await.unwrap();
    let mut batch = round(&empty, vec![indexed_leaf("a", &["a"]), attested_leaf("b", b"payload")]);
    batch.tiles = vec![tile(0, 0)];
    let mut gun = Gun::at(&db).await;
    let committing = commit(&store, By::Itself, &batch);
    assert!(gun.shoot("wait_event_type = 'Lock'", 1, &committing).await);
    let outcome = committing.await.unwrap();
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    held.rollback().await.unwrap();

    assert_eq!(store.head().await.unwrap(), empty);
    assert_eq!(db.rows().await, Rows { log: 1, head: 1, ..Rows::default() });
    store.commit(&batch).await.unwrap();
}

/// Shot early and late in the statement, which ends with its commit.
///
/// Postgres answers a commit before it obeys a shot that comes during it, so the answer of a round
/// that is there is lost on the wire only: the cuts demand that.
async fn a_round_that_is_shot_at_is_whole_or_nothing() {
    let aim = |number| (STATEMENT, 1 + 9 * (number % 9));
    shoot(By::Itself, aim, |met| met.lost >= 3 && met.answered >= 3).await;
}

async fn a_turn_that_is_shot_at_is_whole_or_nothing() {
    shoot(By::Turn, |number| (STATEMENT, 1 + number % 3), |met| met.lost >= 3).await;
    shoot(By::Turn, |number| (COMMIT, 1 + number % 9), |met| met.answered >= 3).await;
}

/// Cut off at some byte of what is asked, or answered; also before the commit of a turn.
async fn a_round_that_is_cut_off_is_whole_or_nothing() {
    for by in [By::Itself, By::Turn] {
        let asked = cut_off(by, Way::Asked, 301).await;
        assert!(asked.lost > 0, "{by:?}: {asked:?}");
        // The answer to a turn's commit is one byte longer than the step.
        let answered = cut_off(by, Way::Answered, 17).await;
        assert!(answered.lost > 0 && answered.late > 0, "{by:?}: {answered:?}");
    }
}

/// What became of the rounds that were met.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    /// Nothing of them is there.
    lost: usize,
    /// They had no answer, and are there all the same.
    late: usize,
    /// They were answered all the same.
    answered: usize,
}

/// Shoots at rounds until there were `enough` hits; where, the number of the round tells.
async fn shoot(by: By, aim: impl Fn(usize) -> (&'static str, usize), enough: impl Fn(Met) -> bool) {
    let db = TestDb::postgres().await;
    slow_commits(&db).await;
    let store = db.open().await;
    let mut head = create(&*store).await;
    let mut gun = Gun::at(&db).await;
    let mut met = Met::default();
    for number in 0.. {
        assert!(number < ROUNDS, "{by:?}: {met:?}");
        let batch = round(&head, leaves(&format!("round {number}"), 700));
        let committing = commit(&store, by, &batch);
        let (moment, nth) = aim(number);
        let hit = gun.shoot(moment, nth, &committing).await;
        let outcome = committing.await.unwrap();
        let answered = outcome.is_ok();
        head = either(&db, &*store, &batch, outcome).await;
        match (hit, answered, head == batch.head) {
            (false, ..) => {}
            (true, true, _) => met.answered += 1,
            (true, false, false) => met.lost += 1,
            (true, false, true) => met.late += 1,
        }
        if enough(met) {
            break;
        }
    }
    goes_on(&db, &store, by, &head).await;
}

/// Cuts the wire behind so many bytes, and so many more of the next round, and so on, until a round
/// needs no more.
async fn cut_off(by: By, way: Way, step: u32) -> Met {
    let db = TestDb::postgres().await;
    create(&*db.open().await).await;
    let port = sqlx::postgres::PgConnectOptions::from_str(db.url()).unwrap().get_port();
    let proxy = Proxy::to(port).await;
    let store = PostgresStore::connect(&proxy.instead(db.url()), 3).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let mut head = store.head().await.unwrap();
    let mut met = Met::default();
    for number in 0.. {
        let batch = round(&head, leaves(&format!("round {number}"), 3));
        let cuts = proxy.cuts();
        proxy.cut_after(way, number * step);
        let outcome = commit(&store, by, &batch).await.unwrap();
        proxy.mend();
        let whole = outcome.is_ok();
        head = either(&db, &*store, &batch, outcome).await;
        if proxy.cuts() == cuts {
            assert!(whole && number > 3);
            break;
        }
        assert!(!whole, "it had no answer");
        match head == batch.head {
            false => met.lost += 1,
            true => met.late += 1,
        }
    }
    goes_on(&db, &store, by, &head).await;
    met
}

fn commit(store: &Arc<dyn Store>, by: By, batch: &Batch) -> JoinHandle<Result<(), StoreError>> {
    let (store, batch) = (Arc::clone(store), batch.clone());
    tokio::spawn(async move {
        match by {
            By::Itself => store.commit(&batch).await,
            By::Turn => store.turn().await?.commit(&batch).await,
        }
    })
}

/// A shot that came late hits the connection after its round, where the next attempt is lost with
/// it, and no other.
async fn goes_on(db: &TestDb, store: &Arc<dyn Store>, by: By, head: &Head) {
    let batch = round(head, leaves("last", 1));
    let outcome = commit(store, by, &batch).await.unwrap();
    if either(db, &**store, &batch, outcome).await == *head {
        store.commit(&batch).await.unwrap();
    }
}

/// The head that a round led to: the new one if that was answered, and else one of two.
async fn either(
    db: &TestDb,
    store: &dyn Store,
    batch: &Batch,
    outcome: Result<(), StoreError>,
) -> Head {
    // Postgres may be at work on it still.
    let now = store.settled_head().await.unwrap();
    match outcome {
        Ok(()) => assert_eq!(now, batch.head),
        Err(StoreError::Unavailable(_)) => {
            assert!(now == batch.head || (now.size, now.root) == batch.old, "{now:?}");
        }
        Err(error) => panic!("{error}"),
    }
    assert_eq!(db.rows().await.entries as u64, now.size);
    now
}

/// A commit takes a tenth of a second on connections that are made from now on, so that it is there
/// to be met.
async fn slow_commits(db: &TestDb) {
    let (name,) = db.ask::<(String,)>("SELECT current_database()::text").await;
    let slow = format!(
        "ALTER DATABASE {name} SET commit_delay = 100000;
         ALTER DATABASE {name} SET commit_siblings = 0"
    );
    db.console(&slow).await.unwrap();
}

/// A console that ends other sessions.
struct Gun(PgConnection);

impl Gun {
    /// Loaded before the round begins, as it may be a short one.
    async fn at(db: &TestDb) -> Self {
        Self(PgConnection::connect(db.url()).await.unwrap())
    }

    /// Ends the session that runs a round when it is seen in this state for the n-th time; whether
    /// it was, before the round ended.
    async fn shoot<T>(&mut self, moment: &str, nth: usize, round: &JoinHandle<T>) -> bool {
        let mut seen = 0;
        while !round.is_finished() {
            let act = if seen + 1 == nth { "pg_terminate_backend(pid)" } else { "pid" };
            let sql = format!(
                "SELECT count({act}) FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name = 'indelible'
                    AND {moment}"
            );
            let found: (i64,) =
                sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut self.0).await.unwrap();
            seen += usize::from(found.0 > 0);
            if seen == nth {
                return true;
            }
        }
        false
    }
}
