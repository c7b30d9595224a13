//! A Postgres whose settings are changed under a running server.

use std::sync::Arc;
use std::time::Duration;

use indelible::store::StoreError;

use crate::harness::cluster::Cluster;
use crate::harness::databases::TestDb;
use crate::harness::process::Site;
use crate::harness::receipts::{Receipts, client};
use crate::harness::rounds::{append, create, leaves, round};

once! {
    a_weaker_default_changes_no_commit_under_way,
    a_session_that_lost_its_settings_commits_nothing,
    bytes_are_read_whatever_they_look_like_elsewhere,
    postgres_asks_a_silent_wire_whether_it_is_there,
    the_password_may_stand_beside_the_url,
}

/// How long a client waits.
const LIMIT: Duration = Duration::from_secs(90);

/// A session that has set nothing for itself follows such a change at once.
async fn a_weaker_default_changes_no_commit_under_way() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database().await;
    let site = Site::on(&url);
    let first = site.start(&[]);
    let receipts = Receipts::of(&client(&first.url, LIMIT)).await;
    drop(first);
    let mut n = 0;
    for sound in ["on", "remote_apply"] {
        cluster.set("synchronous_commit", sound).await;
        let process = site.start(&[]);
        let client = client(&process.url, LIMIT);
        receipts.attempt(n, &client).await.expect("nobody is waited for");
        for weak in ["off", "local"] {
            cluster.set("synchronous_commit", weak).await;
            cluster.name_standby("nobody").await;
            n += 1;
            let mut late = {
                let (receipts, client) = (Arc::clone(&receipts), client.clone());
                tokio::spawn(async move { receipts.attempt(n, &client).await })
            };
            let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')";
            tokio::select! {
                () = cluster.until("postgres", waits) => {}
                answer = &mut late => panic!("{sound}, then {weak}: nobody has it, and {answer:?}"),
            }
            cluster.name_standby("").await;
            late.await.expect("it ends").expect("nobody is waited for any more");
        }
        receipts.hold(&client).await;
        n += 1;
    }
}

/// As behind a pooler that gives each transaction any session.
async fn a_session_that_lost_its_settings_commits_nothing() {
    let db = TestDb::postgres().await;
    let store = db.open().await;
    let empty = create(&*store).await;
    db.console(
        "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM set_config('synchronous_commit', 'off', false); RETURN NEW; END $$;
         CREATE TRIGGER forget BEFORE UPDATE ON head FOR EACH ROW EXECUTE FUNCTION forget()",
    )
    .await
    .expect("a trigger");
    let head = append(&*store, &empty, leaves("first", 1)).await;
    let batch = round(&head, leaves("second", 1));
    let refused = store.commit(&batch).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let refused = store.turn().await.expect("a turn").commit(&batch).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(store.head().await.expect("the head"), head);
    // Nor does it know what a standby has.
    let unsettled = store.settled_head().await;
    assert!(matches!(unsettled, Err(StoreError::Unavailable(_))), "{unsettled:?}");
    let unsettled = store.turn().await.expect("a turn").settle().await;
    assert!(matches!(unsettled, Err(StoreError::Unavailable(_))), "{unsettled:?}");
}

/// A turn begins with statements in text, where bytes look as the session says.
async fn bytes_are_read_whatever_they_look_like_elsewhere() {
    let db = TestDb::postgres().await;
    db.console(
        "DO $$ BEGIN
         EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database());
         END $$",
    )
    .await
    .expect("a setting");
    let store = db.open().await;
    let head = create(&*store).await;
    assert_eq!(*store.turn().await.expect("a turn").head(), head);
}

async fn postgres_asks_a_silent_wire_whether_it_is_there() {
    let db = TestDb::postgres().await;
    let store = db.open().await;
    let empty = create(&*store).await;
    db.console(
        "CREATE TABLE told (seconds integer);
         CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO told SELECT current_setting('tcp_keepalives_idle')::integer
                   + current_setting('tcp_keepalives_interval')::integer
                   * current_setting('tcp_keepalives_count')::integer;
         RETURN NEW; END $$;
         CREATE TRIGGER tell BEFORE UPDATE ON head FOR EACH ROW EXECUTE FUNCTION tell()",
    )
    .await
    .expect("a trigger");
    append(&*store, &empty, leaves("first", 1)).await;
    let (seconds,): (i32,) = db.ask("SELECT seconds FROM told").await;
    assert_eq!(seconds, 25);
}

/// As docker-compose.yml has it, so that no character must be escaped.
async fn the_password_may_stand_beside_the_url() {
    const PASSWORD: &str = "a/b@c:%d?#&";
    let cluster = Cluster::start(&[]);
    let url = cluster.database().await;
    let role = format!("CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'");
    let orders = [
        &role,
        "ALTER DATABASE log OWNER TO guarded",
        "DO $$ BEGIN EXECUTE format('COPY (VALUES (''host all postgres all trust''),
         (''host all guarded all scram-sha-256'')) TO %L', current_setting('hba_file')); END $$",
    ];
    cluster.order("postgres", &orders).await;
    cluster.stop("fast");
    cluster.up();
    let mut site = Site::on(url.replace("postgres@", "guarded@"));
    let refusal = site.refusal(&[]);
    assert!(refusal.contains("password"), "{refusal}");
    site.set(vec![("PGPASSWORD", PASSWORD.to_owned())]);
    drop(site.start(&[]));
}
