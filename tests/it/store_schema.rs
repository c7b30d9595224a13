//! Migrations, and the settings that a promise to keep needs.

use std::collections::BTreeSet;
use std::path::Path;

use indelible::log::index_key;
use indelible::store::StoreError;
use sqlx::{Connection as _, PgConnection};

use crate::harness::databases::TestDb;
use crate::harness::rounds::{append, create, identity, indexed_leaf, leaves, sha256};
use crate::store_outage::until;

both! {
    migrations_run_once,
    the_migrations_on_disk_are_the_ones_built_in,
    a_schema_of_a_newer_program_is_refused,
    a_schema_that_is_not_all_there_is_refused,
    an_empty_database_is_said_to_hold_no_log,
    long_search_keys_are_shortened,
    a_changed_migration_is_refused,
    the_tree_only_grows,
}

once! {
    postgres_commits_synchronously_whatever_the_default,
    an_upgrade_that_waits_holds_nobody_up,
}

/// Twins must not drift: same numbers, same names.
#[test]
fn both_databases_have_the_same_migrations() {
    let postgres = migrations("postgres");
    assert_eq!(postgres, migrations("sqlite"));
    assert!(!postgres.is_empty());
}

fn migrations(database: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let files = std::fs::read_dir(folder).expect("a folder of migrations");
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

async fn migrations_run_once(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("kept", 3)).await;
    for _ in 0..2 {
        let again = db.open().await;
        assert_eq!(again.load().await.unwrap(), Some((identity(), head.clone())));
    }
}

/// `migrate!` reads the folder when it is compiled, and cargo does not notice a
/// new file in it.
async fn the_migrations_on_disk_are_the_ones_built_in(db: TestDb) {
    db.open().await;
    let (applied,): (i64,) = db.ask("SELECT count(*) FROM _sqlx_migrations").await;
    assert_eq!(applied, migrations("postgres").len() as i64);
}

async fn a_schema_of_a_newer_program_is_refused(db: TestDb) {
    db.open().await.close().await;
    db.console(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations
         WHERE version = 1",
    )
    .await
    .unwrap();
    let refused = db.try_open().await.err().expect("refused");
    assert!(matches!(refused, StoreError::Corrupt(_)));
    assert!(refused.to_string().contains("9999"), "{refused}");
}

/// The newest version is there, and one before it failed, or never was.
async fn a_schema_that_is_not_all_there_is_refused(db: TestDb) {
    db.open().await.close().await;
    for (change, back) in [
        ("UPDATE _sqlx_migrations SET success = FALSE WHERE version = 2", "success = TRUE"),
        ("UPDATE _sqlx_migrations SET version = 1002 WHERE version = 2", "version = 2"),
        ("UPDATE _sqlx_migrations SET version = -2 WHERE version = 2", "version = 2"),
    ] {
        db.console(change).await.unwrap();
        let refused = db.try_open().await.err().expect("refused");
        assert!(matches!(refused, StoreError::Corrupt(_)), "{change}: {refused}");
        assert!(db.try_open_for_audit().await.is_err(), "{change}");
        let back = format!("UPDATE _sqlx_migrations SET {back} WHERE version IN (-2, 2, 1002)");
        db.console(back.leak()).await.unwrap();
    }
    db.console("DELETE FROM _sqlx_migrations WHERE version = 2").await.unwrap();
    assert!(db.try_open_for_audit().await.is_err());
    // A start brings it up to date.
    db.open().await.close().await;
    assert!(db.try_open_for_audit().await.is_ok());
}

/// There is nothing to bring up to date.
async fn an_empty_database_is_said_to_hold_no_log(db: TestDb) {
    if !db.is_postgres() {
        std::fs::File::create_new(db.path()).expect("an empty file");
    }
    let refused = db.try_open_for_audit().await.err().expect("refused").to_string();
    assert!(refused.ends_with("the database holds no log"), "{refused}");
}

/// Version 2 kept the whole digest of a search string.
async fn long_search_keys_are_shortened(db: TestDb) {
    db.migrate_to(2).await;
    let [ann, bob] = ["ann", "bob"].map(|string| db.bytes(&sha256(string.as_bytes())));
    let leaf = indexed_leaf("old", &[]);
    let (hash, body) = (db.bytes(leaf.leaf.as_bytes()), db.bytes(&leaf.body));
    db.console(&format!(
        "INSERT INTO entries (idx, integrated_time, leaf_hash, body) VALUES (0, 1, {hash}, {body});
         INSERT INTO index_keys (key, idx) VALUES ({ann}, 0), ({bob}, 0)"
    ))
    .await
    .unwrap();
    let store = db.open().await;
    let keys = ["ann", "nobody", "bob"].map(index_key);
    let old = vec![(0, leaf.leaf)];
    assert_eq!(store.search(&keys, 9).await.unwrap(), [old.clone(), Vec::new(), old]);
    assert_eq!(db.rows().await.index_keys, 2);
}

async fn a_changed_migration_is_refused(db: TestDb) {
    db.open().await.close().await;
    db.console("UPDATE _sqlx_migrations SET checksum = description").await.unwrap_or_default();
    db.console("UPDATE _sqlx_migrations SET checksum = substr(checksum, 2)").await.unwrap();
    assert!(matches!(db.try_open().await, Err(StoreError::Corrupt(_))));
}

/// The guards against a slip at a console.
async fn the_tree_only_grows(db: TestDb) {
    let store = db.open().await;
    let empty = create(&*store).await;
    let head = append(&*store, &empty, leaves("kept", 3)).await;
    let rows = db.rows().await;
    for slip in [
        "DELETE FROM entries WHERE idx = 1",
        "UPDATE entries SET integrated_time = 0",
        "UPDATE log SET hostname = 'other'",
        "DELETE FROM log",
        "DELETE FROM head",
    ] {
        let refused = db.console(slip).await.expect_err(slip);
        assert!(refused.to_string().contains("only grows"), "{slip}: {refused}");
    }
    assert_eq!(db.rows().await, rows);
    assert_eq!(store.load().await.unwrap(), Some((identity(), head)));
}

/// The server's default must not weaken the promise: sessions set it themselves.
async fn postgres_commits_synchronously_whatever_the_default() {
    let db = TestDb::postgres().await;
    db.open().await.close().await;
    db.console(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off',
                                    current_database()); END $$;
         CREATE TABLE witness (setting text);
         CREATE FUNCTION note_setting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO witness VALUES (current_setting('synchronous_commit')); RETURN NULL;
         END $$;
         CREATE TRIGGER note AFTER UPDATE ON head EXECUTE FUNCTION note_setting()",
    )
    .await
    .unwrap();
    let (default,): (String,) = show(&db, "SHOW synchronous_commit").await;
    assert_eq!(default, "off");

    let store = db.open().await;
    let empty = create(&*store).await;
    append(&*store, &empty, leaves("kept", 1)).await;
    let (seen,): (String,) = show(&db, "SELECT setting FROM witness").await;
    assert_eq!(seen, "on");
}

/// A dump that takes hours holds all tables, and whoever waits for one holds up those behind it.
async fn an_upgrade_that_waits_holds_nobody_up() {
    let db = TestDb::postgres().await;
    db.migrate_to(3).await;
    let mut dump = PgConnection::connect(db.url()).await.unwrap();
    let mut held = dump.begin().await.unwrap();
    sqlx::query("LOCK TABLE tiles IN ACCESS SHARE MODE").execute(&mut *held).await.unwrap();
    let upgrading = async { db.open().await.close().await };
    let others = async {
        let mut console = PgConnection::connect(db.url()).await.unwrap();
        until(&mut console, 1, "wait_event_type = 'Lock'").await;
        // Behind it in line, and not for as long as the dump takes.
        let mut server = PgConnection::connect(db.url()).await.unwrap();
        sqlx::query("SET lock_timeout = '30s'").execute(&mut server).await.unwrap();
        sqlx::query("SELECT count(*) FROM tiles").execute(&mut server).await.unwrap();
        held.rollback().await.unwrap();
    };
    tokio::join!(upgrading, others);
    let (applied,): (i64,) = db.ask("SELECT count(*) FROM _sqlx_migrations").await;
    assert_eq!(applied, migrations("postgres").len() as i64);
}

async fn show(db: &TestDb, sql: &'static str) -> (String,) {
    db.ask(sql).await
}
