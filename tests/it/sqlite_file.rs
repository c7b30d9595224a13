//! An SQLite file that is removed, replaced, written over or had twice, under the running server
//! or before a start.
//!
//! SQLite goes by the name of a file only when it opens it, and takes what lies beside it for its
//! own. A server that went on in a file that its name does not lead to any more would give receipts
//! that the next start knows nothing of.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indelible::store::sqlite::SqliteStore;
use indelible::store::{Store as _, StoreError};
use indelible_client::Client;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::harness::databases::{sqlite_console, to_its_end};
use crate::harness::process::{Process, Site};
use crate::harness::receipts::{Receipts, client};
use crate::sqlite_wal::guarded;

once! {
    a_file_that_cannot_be_opened_is_named,
    pages_that_are_written_over_end_all_writing_when_a_round_meets_them,
    a_start_without_the_file_leaves_its_log_alone,
    who_does_not_write_copies_no_damaged_log_into_the_file,
    a_stop_beside_a_reader_leaves_nothing_in_the_log,
    a_stop_beside_a_reader_in_its_midst_says_what_is_left_in_the_log,
    a_backup_beside_the_log_of_another_file_is_refused,
    links_lead_to_the_file_and_its_neighbours,
    #[cfg(target_os = "linux")]
    a_file_has_one_server,
    the_database_of_another_program_is_left_alone,
}

/// How long a client waits.
const LIMIT: Duration = Duration::from_secs(60);

/// A server with twenty entries.
async fn twenty(site: &Site) -> (Process, Client, Arc<Receipts>) {
    let process = site.start(&["--log", "info,access=off"]);
    let client = client(&process.url, LIMIT);
    let receipts = Receipts::of(&client).await;
    for n in 0..20 {
        receipts.attempt(n, &client).await.expect("it works");
    }
    (process, client, receipts)
}

fn database(site: &Site) -> PathBuf {
    site.data.path().join("log.sqlite")
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// As the manual says that backups are made.
async fn back_up(database: &Path) -> PathBuf {
    let backup = beside(database, "-backup");
    let mut console = sqlite_console(database).await.expect("it opens");
    let order = AssertSqlSafe(format!("VACUUM INTO '{}'", backup.display()));
    sqlx::raw_sql(order).execute(&mut console).await.expect("a copy");
    console.close().await.expect("it closes");
    backup
}

/// No commit is answered, nobody is shown one, and the log says why.
async fn writes_nothing(process: &Process, client: &Client, receipts: &Receipts, why: &str) {
    for n in 100..103 {
        assert_eq!(receipts.attempt(n, client).await, Err(Some(503)), "{why}");
    }
    let line = process.line("a round was not committed");
    let said = line["error"].as_str().expect("a reason");
    assert!(said.contains(why), "{said}");
    assert_eq!(ready(process).await, 503);
    assert!(client.log_info().await.is_err());
}

async fn ready(process: &Process) -> u16 {
    let answer = reqwest::get(format!("{}/readyz", process.url)).await.expect("an answer");
    answer.status().as_u16()
}

/// How the file is taken from under the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slip {
    Removed,
    /// A backup takes its name.
    Replaced,
    /// A backup is copied into it.
    Overwritten,
    Emptied,
    IndexRemoved,
}

async fn under_the_server(slip: Slip) {
    let site = Site::on("sqlite");
    let (process, client, receipts) = twenty(&site).await;
    let path = database(&site);
    let backup = back_up(&path).await;
    let aside = beside(&path, "-aside");
    if matches!(slip, Slip::Removed | Slip::Replaced) {
        std::fs::hard_link(&path, &aside).expect("it stays somewhere");
    }
    let why = match slip {
        Slip::Removed => {
            std::fs::remove_file(&path).expect("removed");
            "the database is gone"
        }
        Slip::Replaced => {
            std::fs::rename(&backup, &path).expect("renamed");
            "another file is in the place of the database"
        }
        Slip::Overwritten => {
            std::fs::copy(&backup, &path).expect("copied");
            "something else was written over the database"
        }
        Slip::Emptied => {
            std::fs::write(&path, "").expect("emptied");
            "something else was written over the database"
        }
        Slip::IndexRemoved => {
            std::fs::remove_file(beside(&path, "-shm")).expect("removed");
            "its `-shm` file is gone"
        }
    };
    assert_eq!(ready(&process).await, 503, "before any commit");
    writes_nothing(&process, &client, &receipts, why).await;
    let log = std::fs::read(beside(&path, "-wal")).expect("the write-ahead log");
    if slip == Slip::IndexRemoved {
        let refusal = site.refusal(&[]);
        assert!(refusal.contains("another server has"), "{refusal}");
    }
    process.kill();
    if slip == Slip::IndexRemoved {
        let process = site.start(&[]);
        receipts.hold(&self::client(&process.url, LIMIT)).await;
        return;
    }
    let refusal = site.refusal(&[]);
    assert!(refusal.contains("write-ahead log"), "{slip:?}: {refusal}");
    assert_eq!(std::fs::read(beside(&path, "-wal")).expect("it is there"), log);
    if matches!(slip, Slip::Removed | Slip::Replaced) {
        // Whoever finds the file again loses nothing.
        std::fs::rename(&aside, &path).expect("put back");
        let process = site.start(&[]);
        receipts.hold(&self::client(&process.url, LIMIT)).await;
    }
}

macro_rules! under_the_server {
    ($($name:ident: $slip:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            to_its_end(under_the_server(Slip::$slip)).await;
        }
    )+};
}

under_the_server! {
    a_file_that_is_removed_under_the_server_is_missed: Removed,
    a_file_that_is_replaced_under_the_server_is_missed: Replaced,
    a_file_that_a_backup_is_copied_into_is_missed: Overwritten,
    a_file_that_is_emptied_under_the_server_is_missed: Emptied,
    an_index_that_is_removed_under_the_server_is_missed: IndexRemoved,
}

/// Its header stays, so that only SQLite can notice.
async fn pages_that_are_written_over_end_all_writing_when_a_round_meets_them() {
    let site = Site::on("sqlite");
    let (mut process, _, receipts) = twenty(&site).await;
    let path = database(&site);
    // Its pages must be in the file, and in no connection's memory.
    process.terminate();
    assert!(process.wait().success());
    let mut bytes = std::fs::read(&path).expect("the database");
    let process = site.start(&["--log", "info,access=off"]);
    let client = client(&process.url, LIMIT);
    // Those of indexes, which a start does not read.
    for page in bytes.chunks_mut(4_096).skip(1).filter(|page| page[0] == 10 || page[0] == 2) {
        page.fill(0xa5);
    }
    std::fs::write(&path, &bytes).expect("written over");
    for n in 100..103 {
        assert_eq!(receipts.attempt(n, &client).await, Err(Some(503)));
    }
    assert_eq!(ready(&process).await, 503);
}

/// The file was moved away, and what was answered is in the write-ahead log that stayed.
async fn a_start_without_the_file_leaves_its_log_alone() {
    let site = Site::on("sqlite");
    let (process, _, receipts) = twenty(&site).await;
    process.kill();
    let path = database(&site);
    let log = std::fs::read(beside(&path, "-wal")).expect("the write-ahead log");
    assert!(log.len() > 100_000, "all of it is in there");
    let aside = beside(&path, ".aside");
    std::fs::rename(&path, &aside).expect("moved");
    for command in [&["serve"][..], &["migrate"], &["accept-restore", "--size", "0"]] {
        let refusal = site.refusal(command);
        assert!(refusal.contains("it is missing or empty"), "{refusal}");
        assert!(!path.exists());
        assert_eq!(std::fs::read(beside(&path, "-wal")).expect("it is there"), log);
    }
    std::fs::rename(&aside, &path).expect("moved back");
    let process = site.start(&[]);
    receipts.hold(&client(&process.url, LIMIT)).await;
}

/// A refused start leaves the log for whoever can mend it, and so does one that only reads.
async fn who_does_not_write_copies_no_damaged_log_into_the_file() {
    let site = Site::on("sqlite");
    let (process, _, receipts) = twenty(&site).await;
    guarded(&site, 20);
    process.kill();
    let path = database(&site);
    let (whole, log) = (std::fs::read(&path), std::fs::read(beside(&path, "-wal")));
    let (whole, log) = (whole.expect("the database"), log.expect("the write-ahead log"));
    let unchanged = |log: &[u8]| {
        assert_eq!(std::fs::read(&path).expect("the database"), whole);
        assert!(std::fs::read(beside(&path, "-wal")).expect("the log") == log);
    };
    let key = site.key_file().with_extension("aside");
    std::fs::rename(site.key_file(), &key).expect("moved");
    let refusal = site.refusal(&[]);
    assert!(refusal.contains("its key file"), "{refusal}");
    unchanged(&log);
    std::fs::rename(&key, site.key_file()).expect("moved back");
    // A frame in its midst: what is behind it is still good.
    let mut damaged = log.clone();
    let half = 32 + 10 * (24 + 4_096);
    damaged[half..half + 24].fill(0xa5);
    std::fs::write(beside(&path, "-wal"), &damaged).expect("written");
    // The next to open it reads the log.
    std::fs::remove_file(beside(&path, "-shm")).expect("removed");
    let mut process = site.start(&[]);
    assert!(process.sealed().contains("has already signed a tree of 20"));
    process.terminate();
    assert!(process.wait().success());
    unchanged(&damaged);
    let refused = site.refusal(&["accept-restore", "--size", "999"]);
    assert!(refused.contains("entries, not 999"), "{refused}");
    unchanged(&damaged);
    std::fs::write(beside(&path, "-wal"), &log).expect("mended");
    let _ = std::fs::remove_file(beside(&path, "-shm"));
    let process = site.start(&[]);
    receipts.hold(&client(&process.url, LIMIT)).await;
}

/// The last one to close the file copies the log into it, and this one only reads.
async fn a_stop_beside_a_reader_leaves_nothing_in_the_log() {
    let site = Site::on("sqlite");
    let (mut process, _, receipts) = twenty(&site).await;
    let (path, log) = (database(&site), beside(&database(&site), "-wal"));
    let reader = SqliteStore::open_to_read(&path).await.expect("it opens");
    assert!(log.metadata().expect("a log").len() > 0);
    process.terminate();
    assert!(process.wait().success());
    assert_eq!(log.metadata().map_or(0, |log| log.len()), 0);
    reader.close().await;
    for neighbour in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(&path, neighbour));
    }
    let process = site.start(&[]);
    receipts.hold(&client(&process.url, LIMIT)).await;
}

/// It needs what the file was before.
async fn a_stop_beside_a_reader_in_its_midst_says_what_is_left_in_the_log() {
    let site = Site::on("sqlite");
    let (mut process, client, receipts) = twenty(&site).await;
    let path = database(&site);
    let mut reader = sqlite_console(&path).await.expect("it opens");
    let begin = sqlx::raw_sql("BEGIN; SELECT count(*) FROM entries").execute(&mut reader).await;
    begin.expect("it reads");
    receipts.attempt(100, &client).await.expect("it goes on");
    process.terminate();
    assert!(process.wait().success());
    let said = process.rest().concat();
    assert!(said.contains("a reader keeps the write-ahead log"), "{said}");
    // As if it were killed.
    std::mem::forget(reader);
    let process = site.start(&[]);
    receipts.hold(&self::client(&process.url, LIMIT)).await;
}

/// What the manual says about backups, with a step left out.
async fn a_backup_beside_the_log_of_another_file_is_refused() {
    let site = Site::on("sqlite");
    let (process, client, receipts) = twenty(&site).await;
    let path = database(&site);
    let backup = back_up(&path).await;
    receipts.attempt(20, &client).await.expect("it goes on");
    guarded(&site, 21);
    process.kill();
    std::fs::copy(&backup, &path).expect("copied");
    let log = std::fs::read(beside(&path, "-wal")).expect("the write-ahead log");
    for command in [&["serve"][..], &["fsck"]] {
        let refusal = site.refusal(command);
        assert!(refusal.contains("is another file's"), "{refusal}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&backup).unwrap());
    assert_eq!(std::fs::read(beside(&path, "-wal")).unwrap(), log);
    for suffix in ["-wal", "-shm"] {
        std::fs::rename(beside(&path, suffix), beside(&path, &format!(".old{suffix}"))).unwrap();
    }
    assert!(site.start(&[]).sealed().contains("holds 20 leaves"));
}

async fn links_lead_to_the_file_and_its_neighbours() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let site = Site::on("sqlite");
    std::os::unix::fs::symlink(place.path().join("real.sqlite"), database(&site)).expect("a link");
    let (process, _, receipts) = twenty(&site).await;
    assert_eq!(ready(&process).await, 200);
    assert!(place.path().join("real.sqlite-wal").exists());
    process.kill();
    let process = site.start(&[]);
    let client = client(&process.url, LIMIT);
    receipts.attempt(20, &client).await.expect("it goes on");
    receipts.hold(&client).await;
}

/// By whatever name: two logs of writes to one file would fork the tree. Elsewhere than on Linux
/// there is no lock that SQLite's own would not meet.
#[cfg(target_os = "linux")]
async fn a_file_has_one_server() {
    let site = Site::on("sqlite");
    let (process, client, receipts) = twenty(&site).await;
    let refusal = site.refusal(&[]);
    assert!(refusal.contains("another server has"), "{refusal}");
    let elsewhere = Site::on("sqlite");
    std::fs::copy(site.key_file(), elsewhere.key_file()).expect("the key");
    std::fs::hard_link(database(&site), database(&elsewhere)).expect("a link");
    let refusal = elsewhere.refusal(&[]);
    assert!(refusal.contains("another server has"), "{refusal}");
    receipts.attempt(20, &client).await.expect("it goes on");
    // Anybody may look meanwhile.
    let audit = site.run(&["fsck"]);
    assert!(audit.status.success(), "{audit:?}");
    process.kill();
    for site in [&elsewhere, &site] {
        let refusal = site.refusal(&[]);
        assert!(refusal.contains("has 2 names"), "{refusal}");
    }
    std::fs::remove_file(database(&elsewhere)).expect("removed");
    let process = site.start(&[]);
    receipts.hold(&self::client(&process.url, LIMIT)).await;
}

async fn the_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("mail.sqlite");
    std::fs::write(&path, "").expect("an empty file");
    let mut console = sqlite_console(&path).await.expect("it opens");
    sqlx::raw_sql("CREATE TABLE mail (text)").execute(&mut console).await.expect("a table");
    console.close().await.expect("it closes");
    let before = std::fs::read(&path).expect("it is there");
    for refused in [SqliteStore::open(&path).await, SqliteStore::open_to_read(&path).await] {
        let Err(StoreError::Corrupt(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("is it another program's?"), "{why}");
    }
    assert_eq!(std::fs::read(&path).expect("it is there"), before);
}

async fn a_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("absent/log.sqlite");
    for refused in [SqliteStore::open(&path).await, SqliteStore::open_to_read(&path).await] {
        let Err(StoreError::Unavailable(why)) = refused else { panic!("{refused:?}") };
        let named = format!("{}: No such file or directory", path.display());
        assert!(why.to_string().starts_with(&named), "{why}");
    }
}
