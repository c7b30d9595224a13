//! The audit of a Postgres that cannot read a file of its own: what was in there is named, and
//! the audit goes on.

use std::sync::Arc;

use indelible::fsck::{self, Options};
use indelible::store::Store as _;
use indelible::store::postgres::PostgresStore;
use sqlx::Connection as _;

use crate::fsck::{fill_in, open_in, sentences};
use crate::harness::cluster::Cluster;
use crate::harness::logs::key;

once! {
    a_file_that_postgres_cannot_open_ends_no_audit,
}

async fn a_file_that_postgres_cannot_open_ends_no_audit() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database().await;
    let store = PostgresStore::connect(&url, 3).await.expect("it connects");
    fill_in(open_in(Arc::new(store)).await).await;
    let orders =
        ["SET session_replication_role = replica", "DELETE FROM index_keys WHERE idx = 260"];
    cluster.order("log", &orders).await;
    let mut console = cluster.console("log").await;
    let question =
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('tiles')";
    let (file,): (String,) =
        sqlx::query_as(question).fetch_one(&mut console).await.expect("a file");
    console.close().await.expect("it closes");
    cluster.stop("fast");
    std::fs::rename(&file, file.clone() + "-away").expect("it is moved");
    cluster.up();
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { state: folder.path().join("state"), resume: false, rate: None };
    let store = PostgresStore::connect_to_read(&url, 3).await.expect("it connects");
    let report = fsck::run(&store, &key(), &[], &options, &mut |_| {}).await.expect("an audit");
    store.close().await;
    let found = sentences(&report);
    assert_eq!(report.visited, 266, "{found:#?}");
    let tile = "entries 0 to 255: tiles.hashes: expected a full tile, found ";
    assert!(found[0].starts_with(tile) && found[0].contains("could not open file"), "{found:#?}");
    let row = "entry 260: index_keys.key:";
    assert!(found[1].starts_with(row) && found[2].starts_with(row), "{found:#?}");
    let behind = "the log: entries.idx or tiles.idx, behind the head: expected what can be read";
    assert!(found[3].starts_with(behind) && found.len() == 4, "{found:#?}");
}
