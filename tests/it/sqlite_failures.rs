//! An SQLite file whose disk is full, that another process holds, or that lost its last pages.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible_client::Client;
use sqlx::Connection as _;

use crate::harness::databases::sqlite_console;
use crate::harness::process::{Process, Site};
use crate::harness::receipts::{Receipts, client};
use crate::harness::small_disk::SmallDisk;

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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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

/// SQLite takes a write-ahead log that ends early for one that was never written further: the
/// last rounds are gone without a word. The last checkpoint outside knows better.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_write_ahead_log_is_noticed() {
    let site = Site::on("sqlite");
    let process = site.start(&[]);
    let (client, receipts) = collect(&process).await;
    for n in 0..40 {
        receipts.attempt(n, &client).await.expect("it works");
    }
    let kept = site.data.path().join("last-checkpoint");
    let begun = Instant::now();
    while !std::fs::read_to_string(&kept).expect("a note").contains("\n40\n") {
        assert!(begun.elapsed() < LIMIT, "the guard does not follow");
    }
    process.kill();

    let files = Files::save(&site.data.path().join("log.sqlite"));
    files.shorten(2);
    let process = site.start(&[]);
    assert!(process.sealed().contains("this log has already signed a tree of 40"));
    let refused = receipts.attempt(1_000, &self::client(&process.url, LIMIT)).await;
    assert_eq!(refused, Err(Some(503)));
    drop(process);

    // Nothing of it is left, not even the log's name.
    files.put_back();
    files.shorten(usize::MAX);
    let refusal = site.refusal(&[]);
    assert!(refusal.contains("the database holds no log"), "{refusal}");

    // Whoever finds the rest again loses nothing.
    files.put_back();
    let process = site.start(&[]);
    receipts.hold(&self::client(&process.url, LIMIT)).await;
}

/// The database as a crash left it.
struct Files {
    path: PathBuf,
    database: Vec<u8>,
    wal: Vec<u8>,
}

impl Files {
    fn save(path: &Path) -> Self {
        let files = Self { path: path.to_owned(), database: Vec::new(), wal: Vec::new() };
        let database = std::fs::read(path).expect("the database");
        let wal = std::fs::read(files.beside("-wal")).expect("the write-ahead log");
        Self { database, wal, ..files }
    }

    fn put_back(&self) {
        // A start may have taken them away.
        let _ = std::fs::remove_file(self.beside("-shm"));
        std::fs::write(&self.path, &self.database).expect("it is written");
        std::fs::write(self.beside("-wal"), &self.wal).expect("it is written");
    }

    /// Leaves one part in so many of the write-ahead log.
    fn shorten(&self, parts: usize) {
        let wal = std::fs::File::options().write(true).open(self.beside("-wal")).expect("it opens");
        wal.set_len((self.wal.len() / parts) as u64).expect("it is shortened");
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }
}
