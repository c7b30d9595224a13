//! How the write-ahead log is watched.

use super::*;
use crate::store::sqlite::file::Use;
use tempfile::TempDir;

fn database_in(folder: &TempDir) -> DatabaseFile {
    let path = folder.path().join("log.db");
    std::fs::write(&path, b"SQLite format 3\0\x10\0\x02\x02").unwrap();
    DatabaseFile::open(&path, Use::Shared).unwrap()
}

/// A log of this length, and who looks at it.
fn log(length: usize) -> (TempDir, Wal) {
    let folder = tempfile::tempdir().unwrap();
    let database = database_in(&folder);
    let header = [&0x377f_0682_u32.to_be_bytes()[..], &[7; 28]].concat();
    let content = [header, vec![0; length - 32]].concat();
    std::fs::write(folder.path().join("log.db-wal"), content).unwrap();
    let wal = Wal::beside(database);
    wal.before_commit().unwrap();
    wal.after_commit().unwrap();
    (folder, wal)
}

/// The file is gone and a folder in its place, which can be opened and not read.
fn hide(wal: &Wal, folder: &TempDir) -> PathBuf {
    let aside = folder.path().join("aside");
    std::fs::rename(&wal.path, &aside).unwrap();
    std::fs::create_dir(&wal.path).unwrap();
    aside
}

fn put_back(wal: &Wal, aside: &Path) {
    std::fs::remove_dir(&wal.path).unwrap();
    std::fs::rename(aside, &wal.path).unwrap();
}

#[test]
fn a_commit_that_cannot_be_looked_at_is_looked_at_later() {
    let (folder, wal) = log(100);
    wal.before_commit().unwrap();
    let aside = hide(&wal, &folder);
    assert!(matches!(wal.after_commit(), Err(StoreError::Unavailable(_))));
    for _ in 0..2 {
        assert!(matches!(wal.check(), Err(StoreError::Unavailable(_))));
        assert!(matches!(wal.before_commit(), Err(StoreError::Unavailable(_))));
    }
    put_back(&wal, &aside);
    wal.check().unwrap();
    wal.before_commit().unwrap();
}

#[test]
fn what_is_found_wrong_later_stays_wrong() {
    let (folder, wal) = log(100);
    wal.before_commit().unwrap();
    let aside = hide(&wal, &folder);
    assert!(matches!(wal.after_commit(), Err(StoreError::Unavailable(_))));
    let cut = File::options().write(true).open(&aside).unwrap();
    cut.set_len(99).unwrap();
    put_back(&wal, &aside);
    for _ in 0..2 {
        assert!(matches!(wal.check(), Err(StoreError::Corrupt(_))));
        cut.set_len(100).unwrap();
    }
}

#[test]
fn a_commit_while_another_file_was_there_is_lost() {
    let (folder, wal) = log(100);
    let aside = hide(&wal, &folder);
    wal.before_commit().unwrap();
    put_back(&wal, &aside);
    assert!(matches!(wal.after_commit(), Err(StoreError::Corrupt(_))));
}

/// It may have happened all the same.
#[test]
fn a_commit_whose_end_nobody_heard_is_looked_at_too() {
    let (_folder, wal) = log(100);
    wal.before_commit().unwrap();
    std::fs::remove_file(&wal.path).unwrap();
    assert!(matches!(wal.check(), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_log_that_is_emptied_after_a_commit_that_failed_is_in_order() {
    let (_folder, wal) = log(100);
    wal.before_commit().unwrap();
    wal.failed_commit();
    File::options().write(true).open(&wal.path).unwrap().set_len(0).unwrap();
    wal.check().unwrap();
    wal.before_commit().unwrap();
}

#[test]
fn what_is_wrong_after_a_commit_that_failed_stays_wrong() {
    let (_folder, wal) = log(100);
    wal.before_commit().unwrap();
    let file = File::options().write(true).open(&wal.path).unwrap();
    file.set_len(99).unwrap();
    wal.failed_commit();
    file.set_len(100).unwrap();
    assert!(matches!(wal.check(), Err(StoreError::Corrupt(_))));
}

/// Somebody else asks while the commit is under way, when there is no log that it must be in.
#[test]
fn a_look_beside_a_commit_is_not_the_one_that_it_is_owed() {
    let (_folder, wal) = log(100);
    std::fs::remove_file(&wal.path).unwrap();
    wal.before_commit().unwrap();
    wal.check().unwrap();
    assert!(matches!(wal.after_commit(), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_log_that_grows_beside_a_look_is_in_order() {
    let (_folder, wal) = log(100);
    wal.before_commit().unwrap();
    let file = File::options().write(true).open(&wal.path).unwrap();
    for length in [150, 200] {
        file.set_len(length).unwrap();
        wal.check().unwrap();
    }
    wal.after_commit().unwrap();
    file.set_len(150).unwrap();
    wal.before_commit().unwrap();
    assert!(matches!(wal.after_commit(), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_first_commit_that_failed_leaves_no_log_and_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let wal = Wal::beside(database_in(&folder));
    wal.before_commit().unwrap();
    wal.check().unwrap();
    std::fs::write(&wal.path, "").unwrap();
    wal.before_commit().unwrap();
    wal.check().unwrap();
    wal.before_commit().unwrap();
    assert!(matches!(wal.after_commit(), Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn nobody_is_shown_what_was_not_looked_at() {
    let (_folder, wal) = log(100);
    let unshown = wal.unshown().await;
    let mut reader = std::pin::pin!(wal.shown());
    let waits = std::future::poll_fn(|context| {
        std::task::Poll::Ready(reader.as_mut().poll(context).is_pending())
    });
    assert!(waits.await);
    drop(unshown);
    drop(reader.await);
}
