//! An SQLite file whose disk is full, or that another process holds.

use std::sync::Arc;
use std::time::Duration;

use indelible_client::Client;
use sqlx::Connection as _;

use crate::harness::databases::sqlite_console;
use crate::harness::failing_sync::FailingSync;
use crate::harness::process::{Process, Site};
use crate::harness::receipts::{Receipts, client};
use crate::harness::small_disk::SmallDisk;

once! {
    a_full_disk_stops_writes_and_not_reads,
    a_full_disk_and_a_log_that_is_emptied_by_sqlite_are_no_damage,
    a_file_that_another_process_holds_stops_writes_and_not_reads,
    a_commit_that_cannot_be_synced_ends_all_writing,
    a_copy_that_cannot_be_synced_at_the_stop_leaves_the_log,
}

/// How long a client waits.
const LIMIT: Duration = Duration::from_secs(60);

/// Numbers of artifacts that no writer comes to.
const BY_HAND: u64 = 1 << 40;

async fn collect(process: &Process) -> (Client, Arc<Receipts>) {
    let client = client(&process.url, LIMIT);
    let receipts = Receipts::of(&client).await;
    (client, receipts)
}

/// The database and the last checkpoint are on one disk, as they are by default.
async fn a_full_disk_stops_writes_and_not_reads() {
    let disk = SmallDisk::of("16m");
    let site = Site::on(format!("sqlite:{}", disk.path().join("log.sqlite").display()));
    let kept = disk.path().join("last-checkpoint").display().to_string();
    let process = site.start(&["--log", "info,access=off", "--last-checkpoint", &kept]);
    let (client, receipts) = collect(&process).await;
    let writers = receipts.write(4, std::slice::from_ref(&client));
    receipts.more(20).await;
    disk.fill(0);
    let mut by_hand = 0;
    while receipts.attempt(BY_HAND + by_hand, &client).await.is_ok() {
        by_hand += 1;
    }
    let refused = receipts.attempt(BY_HAND + by_hand, &client).await;
    assert_eq!(refused, Err(Some(503)));
    assert!(client.entry_by_index(0).await.is_ok(), "reads go on");
    disk.make_room();
    receipts.more(20).await;
    receipts.finish(writers).await;
    for n in 0..=by_hand {
        receipts.attempt(BY_HAND + n, &client).await.expect("it is answered at last");
    }
    receipts.hold(&client).await;
    // After a crash on top of it, too.
    process.kill();
    let process = site.start(&["--last-checkpoint", &kept]);
    receipts.hold(&self::client(&process.url, LIMIT)).await;
}

/// As an operator may do who looks for room.
async fn a_full_disk_and_a_log_that_is_emptied_by_sqlite_are_no_damage() {
    let disk = SmallDisk::of("16m");
    let path = disk.path().join("log.sqlite");
    let site = Site::on(format!("sqlite:{}", path.display()));
    let process = site.start(&["--log", "info,access=off"]);
    let (client, receipts) = collect(&process).await;
    receipts.attempt(0, &client).await.expect("it works");
    disk.fill(0);
    let mut n = 1;
    while receipts.attempt(n, &client).await.is_ok() {
        n += 1;
    }
    disk.make_room();
    let mut other = sqlite_console(&path).await.expect("it opens");
    let wal = path.with_extension("sqlite-wal");
    while wal.metadata().expect("a log").len() > 0 {
        // The server's own copying back may be in the way.
        let order = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)");
        order.execute(&mut other).await.expect("it is done");
    }
    receipts.attempt(n, &client).await.expect("it goes on");
    receipts.hold(&client).await;
}

async fn a_file_that_another_process_holds_stops_writes_and_not_reads() {
    let site = Site::on("sqlite");
    let process = site.start(&["--log", "info,access=off"]);
    let (client, receipts) = collect(&process).await;
    let writers = receipts.write(4, std::slice::from_ref(&client));
    receipts.more(20).await;
    let mut other = sqlite_console(&site.data.path().join("log.sqlite")).await.expect("it opens");
    let lock = loop {
        // The server has it most of the time.
        if let Ok(lock) = other.begin_with("BEGIN IMMEDIATE").await {
            break lock;
        }
    };
    assert_eq!(receipts.attempt(BY_HAND, &client).await, Err(Some(503)));
    assert!(client.entry_by_index(0).await.is_ok(), "reads go on");
    lock.rollback().await.expect("it is given back");
    receipts.more(20).await;
    receipts.finish(writers).await;
    receipts.attempt(BY_HAND, &client).await.expect("it is answered at last");
    receipts.hold(&client).await;
}

/// Whatever the system lost then, it will not say again: a second try would succeed.
async fn a_commit_that_cannot_be_synced_ends_all_writing() {
    let failing = FailingSync::of("-wal");
    let mut site = Site::on("sqlite");
    site.set(failing.environment());
    let process = site.start(&["--log", "info,access=off"]);
    let (client, receipts) = collect(&process).await;
    for n in 0..20 {
        receipts.attempt(n, &client).await.expect("it works");
    }
    failing.fail();
    for n in 20..25 {
        assert_eq!(receipts.attempt(n, &client).await, Err(Some(503)));
        assert!(failing.has_failed());
    }
    let ready = reqwest::get(format!("{}/readyz", process.url)).await.expect("an answer");
    assert_eq!(ready.status().as_u16(), 503);
    assert!(client.entry_by_index(19).await.is_ok(), "reads go on");
    assert!(client.log_info().await.is_err(), "what is visible may not be there after a restart");
    process.kill();
    let process = site.start(&[]);
    let client = self::client(&process.url, LIMIT);
    // It may be there: nobody knows what reached the disk.
    receipts.attempt(20, &client).await.expect("it goes on");
    receipts.hold(&client).await;
}

/// A second copy would seem to reach the disk, and the log would go.
async fn a_copy_that_cannot_be_synced_at_the_stop_leaves_the_log() {
    let failing = FailingSync::of("log.sqlite");
    let mut site = Site::on("sqlite");
    site.set(failing.environment());
    let mut process = site.start(&["--log", "info,access=off"]);
    let (client, receipts) = collect(&process).await;
    for n in 0..20 {
        receipts.attempt(n, &client).await.expect("it works");
    }
    failing.fail();
    process.terminate();
    assert!(process.wait().success());
    assert!(failing.has_failed());
    let said = process.rest().concat();
    assert!(said.contains("the write-ahead log is not copied back"), "{said}");
    let log = site.data.path().join("log.sqlite-wal");
    assert!(log.metadata().expect("a log").len() > 20 * 4_096);
    let process = site.start(&[]);
    receipts.hold(&self::client(&process.url, LIMIT)).await;
}
