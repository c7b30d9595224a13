//! An SQLite file whose write-ahead log is cut, overwritten or taken away, before a start or
//! under the running server.
//!
//! SQLite reads that log from its front when it opens the file, and takes what does not fit for
//! something that was never committed: the last rounds are gone without a word. The last
//! checkpoint outside knows better.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible_client::Client;
use sqlx::Connection as _;

use crate::harness::databases::{sqlite_console, to_its_end};
use crate::harness::process::{Process, Site};
use crate::harness::receipts::{Receipts, client};

once! {
    a_damaged_log_is_noticed_at_the_start,
    a_log_that_is_overwritten_in_its_midst_is_noticed_at_the_start,
    a_log_that_is_emptied_by_sqlite_is_none,
}

/// How long a client waits.
const LIMIT: Duration = Duration::from_secs(60);

/// A server with forty entries, all of which are in the write-ahead log and covered by the
/// last checkpoint outside.
async fn forty(site: &Site) -> (Process, Client, Arc<Receipts>) {
    let process = site.start(&["--log", "info,access=off"]);
    let client = client(&process.url, LIMIT);
    let receipts = Receipts::of(&client).await;
    for n in 0..40 {
        receipts.attempt(n, &client).await.expect("it works");
    }
    guarded(site, 40);
    (process, client, receipts)
}

/// Waits until the last checkpoint outside is of this size.
pub(crate) fn guarded(site: &Site, size: u64) {
    let (kept, size) = (site.data.path().join("last-checkpoint"), format!("\n{size}\n"));
    let begun = Instant::now();
    while !std::fs::read_to_string(&kept).expect("a note").contains(&size) {
        assert!(begun.elapsed() < LIMIT, "the guard does not follow");
    }
}

/// It starts for reading only, and says why.
async fn only_reads(site: &Site, signed: u64, receipts: &Receipts) {
    let process = site.start(&[]);
    let sealed = process.sealed();
    let reason = format!("this log has already signed a tree of {signed}");
    assert!(sealed.contains(&reason), "{sealed}");
    let refused = receipts.attempt(1_000, &client(&process.url, LIMIT)).await;
    assert_eq!(refused, Err(Some(503)));
}

async fn a_damaged_log_is_noticed_at_the_start() {
    let site = Site::on("sqlite");
    let (process, _, receipts) = forty(&site).await;
    process.kill();
    let files = Files::save(&site);
    let half = files.wal.len() as u64 / 2;
    files.cut(half);
    only_reads(&site, 40, &receipts).await;

    files.put_back();
    files.overwrite(half, &[0xa5; 24]);
    only_reads(&site, 40, &receipts).await;

    // Nothing of it is left, not even the log's name.
    files.put_back();
    files.cut(0);
    let refusal = site.refusal(&[]);
    assert!(refusal.contains("the database holds no log"), "{refusal}");

    // Whoever finds the rest again loses nothing.
    files.put_back();
    let process = site.start(&[]);
    receipts.hold(&client(&process.url, LIMIT)).await;
}

/// How the log is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    CutToNothing,
    CutToHalf,
    ZeroedFromItsFront,
    Overwritten,
    /// As a tool does that restores files: the same bytes in another file.
    Replaced,
    Removed,
}

async fn damaged_under_the_server(damage: Damage) {
    for graceful in [false, true] {
        let site = Site::on("sqlite");
        let (mut process, client, receipts) = forty(&site).await;
        let files = Files::save(&site);
        let half = files.wal.len() as u64 / 2;
        match damage {
            Damage::CutToNothing => files.cut(0),
            Damage::CutToHalf => files.cut(half),
            Damage::ZeroedFromItsFront => files.overwrite(0, &vec![0; files.wal.len()]),
            Damage::Overwritten => {
                std::fs::write(files.beside("-wal"), "a letter").expect("written");
            }
            Damage::Replaced => {
                std::fs::write(files.beside("-new"), &files.wal).expect("written");
                std::fs::rename(files.beside("-new"), files.beside("-wal")).expect("renamed");
            }
            Damage::Removed => std::fs::remove_file(files.beside("-wal")).expect("removed"),
        }
        // A commit may succeed in there, but it would be gone after a start: none is answered.
        for n in 100..103 {
            assert_eq!(receipts.attempt(n, &client).await, Err(Some(503)), "{damage:?}");
        }
        // Nor is one that was refused said to be there.
        assert_eq!(receipts.attempt(100, &client).await, Err(Some(503)), "{damage:?}");
        let line = process.line("a round was not committed");
        let said = line["error"].as_str().expect("a reason");
        assert!(said.contains("Somebody has changed it under the running server"), "{said}");
        let ready = reqwest::get(format!("{}/readyz", process.url)).await.expect("an answer");
        assert_eq!(ready.status().as_u16(), 503);
        // What was refused is visible in there, and nobody may be shown it: its place is given to
        // another when the file is put back.
        assert!(client.log_info().await.is_err() && client.entry_by_index(40).await.is_err());
        if graceful {
            process.terminate();
            assert!(process.wait().success(), "it ends");
        } else {
            process.kill();
        }
        if damage == Damage::CutToHalf {
            only_reads(&site, 40, &receipts).await;
        } else if damage != Damage::Replaced {
            let refusal = site.refusal(&[]);
            assert!(refusal.contains("the database holds no log"), "{damage:?}: {refusal}");
        }
        // The rest of the database was left alone, so a copy of the log mends it.
        std::fs::write(files.beside("-wal"), &files.wal).expect("it is written");
        let _ = std::fs::remove_file(files.beside("-shm"));
        let process = site.start(&[]);
        let client = self::client(&process.url, LIMIT);
        receipts.hold(&client).await;
        receipts.attempt(200, &client).await.expect("it goes on");
    }
}

macro_rules! under_the_server {
    ($($name:ident: $damage:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            to_its_end(damaged_under_the_server(Damage::$damage)).await;
        }
    )+};
}

under_the_server! {
    a_log_that_is_emptied_under_the_server_is_noticed: CutToNothing,
    a_log_that_is_cut_under_the_server_is_noticed: CutToHalf,
    a_log_that_is_zeroed_under_the_server_is_noticed: ZeroedFromItsFront,
    a_log_that_is_overwritten_under_the_server_is_noticed: Overwritten,
    a_log_that_is_replaced_under_the_server_is_noticed: Replaced,
    a_log_that_is_removed_under_the_server_is_noticed: Removed,
}

/// SQLite would have to read all of the log to see this while it runs, and so would we. The
/// next start does.
async fn a_log_that_is_overwritten_in_its_midst_is_noticed_at_the_start() {
    let site = Site::on("sqlite");
    let (process, client, receipts) = forty(&site).await;
    // The header of the tenth frame; a frame is a page of 4,096 bytes and 24 before it.
    Files::save(&site).overwrite(32 + 10 * (24 + 4_096), &[0xa5; 24]);
    receipts.attempt(100, &client).await.expect("nobody sees it");
    guarded(&site, 41);
    process.kill();
    only_reads(&site, 41, &receipts).await;
}

/// What other tools do to the log with SQLite's own means is no damage.
async fn a_log_that_is_emptied_by_sqlite_is_none() {
    let site = Site::on("sqlite");
    let (process, client, receipts) = forty(&site).await;
    let path = site.data.path().join("log.sqlite");
    let mut other = sqlite_console(&path).await.expect("it opens");
    for (turn, mode) in ["TRUNCATE", "RESTART", "PASSIVE", "TRUNCATE"].into_iter().enumerate() {
        let order = sqlx::AssertSqlSafe(format!("PRAGMA wal_checkpoint({mode})"));
        sqlx::raw_sql(order).execute(&mut other).await.expect("it is done");
        for n in 0..5 {
            receipts.attempt(100 + 5 * turn as u64 + n, &client).await.expect("it goes on");
        }
    }
    other.close().await.expect("it closes");
    receipts.hold(&client).await;
    process.kill();
    let process = site.start(&[]);
    receipts.hold(&self::client(&process.url, LIMIT)).await;
}

/// The database as it was at one moment.
struct Files {
    path: PathBuf,
    database: Vec<u8>,
    wal: Vec<u8>,
}

impl Files {
    fn save(site: &Site) -> Self {
        let path: &Path = &site.data.path().join("log.sqlite");
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

    fn cut(&self, length: u64) {
        self.open().set_len(length).expect("it is cut");
    }

    fn overwrite(&self, at: u64, bytes: &[u8]) {
        self.open().write_all_at(bytes, at).expect("it is overwritten");
    }

    fn open(&self) -> File {
        File::options().write(true).open(self.beside("-wal")).expect("it opens")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }
}
