//! The restore guard on a log of this process: which databases may be continued.

use indelible::last_checkpoint::{NoteFile, Place};
use indelible::log::{Log, OpenError, SubmitError, WentBack};
use indelible::signer::LogKey;
use tempfile::TempDir;
use tlog::{Checkpoint, Hash, Note};

use crate::harness::databases::{Rows, TestDb};
use crate::harness::evidence::leaf;
use crate::harness::logs::{self, fill, key};
use crate::log_story::head;

both! {
    every_earlier_head_of_the_same_log_is_continued,
    another_root_at_any_size_closes_the_log,
    a_larger_head_closes_the_log,
    a_database_that_goes_back_under_a_running_server_is_not_written,
    a_server_that_is_not_asked_hears_of_what_others_add,
    the_file_follows_the_commits,
    a_file_that_is_no_checkpoint_of_this_log_is_refused,
    a_log_that_is_gone_is_not_begun_anew,
    a_file_that_cannot_be_written_is_noticed_at_the_start,
}

/// Sizes around the boundaries of tiles.
const SIZES: [u64; 9] = [1, 2, 255, 256, 257, 511, 512, 513, 520];

/// A folder for the file.
struct Memory(TempDir);

impl Memory {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> NoteFile {
        NoteFile::at(self.0.path().join("last-checkpoint"))
    }

    fn seen(&self) -> Option<(u64, Hash)> {
        let note = Note::parse(&self.file().read().expect("a file")?).expect("a note");
        let checkpoint = Checkpoint::parse(&note.text).expect("a checkpoint");
        Some((checkpoint.size, checkpoint.root))
    }

    async fn open(&self, db: &TestDb) -> Result<Log, OpenError> {
        logs::open(db, vec![Place::File(self.file())]).await
    }
}

/// A log of 520 entries, and its heads at [`SIZES`].
async fn grown(memory: &Memory, db: &TestDb) -> (u64, Vec<(u64, Hash)>) {
    let log = memory.open(db).await.expect("a new log");
    let mut heads = Vec::new();
    let mut size = 0;
    for next in SIZES {
        fill(&log, size, next).await;
        heads.push(head(&log).await);
        size = next;
    }
    let tree_id = log.tree_id();
    log.close().await;
    (tree_id, heads)
}

async fn every_earlier_head_of_the_same_log_is_continued(db: TestDb) {
    let memory = Memory::new();
    let (tree_id, heads) = grown(&memory, &db).await;
    let empty = (0, Hash::EMPTY_ROOT);
    for (size, root) in heads.iter().copied().chain([empty]) {
        let note = key().sign_checkpoint("log.example", tree_id, size, root);
        memory.file().write(&note).expect("an older note");
        let log = memory.open(&db).await.expect("it opens");
        assert!(log.sealed().is_none(), "{:?}", log.sealed());
        log.ready().await.expect("it is ready");
        log.close().await;
        assert_eq!(memory.seen(), heads.last().copied(), "the file holds the head again");
    }
}

async fn another_root_at_any_size_closes_the_log(db: TestDb) {
    let memory = Memory::new();
    let (tree_id, heads) = grown(&memory, &db).await;
    for (size, root) in heads {
        let other = Hash::leaf(b"another history");
        let note = key().sign_checkpoint("log.example", tree_id, size, other);
        memory.file().write(&note).expect("a note of another history");
        let log = memory.open(&db).await.expect("it opens for reading");
        let reason = log.sealed().map(|sealed| sealed.reason.clone());
        assert_eq!(reason, Some(WentBack::OtherRoot { size, seen: other, found: root }));
        assert!(matches!(log.submit(leaf(9_999)).await, Err(SubmitError::Sealed(_))));
        let sentence = log.ready().await.expect_err("it is not ready").to_string();
        assert!(sentence.contains("accept-restore --size 520"), "{sentence}");
        assert_eq!(log.log_info().await.expect("reading goes on").tree_size, 520);
        log.close().await;
        assert_eq!(memory.seen(), Some((size, other)), "what was signed is remembered");
    }
}

async fn a_larger_head_closes_the_log(db: TestDb) {
    let memory = Memory::new();
    let log = memory.open(&db).await.expect("a new log");
    fill(&log, 0, 3).await;
    let tree_id = log.tree_id();
    log.close().await;
    let note = key().sign_checkpoint("log.example", tree_id, 4, Hash::leaf(b"x"));
    memory.file().write(&note).expect("a later note");
    let log = memory.open(&db).await.expect("it opens for reading");
    let reason = log.sealed().map(|sealed| sealed.reason.clone());
    assert_eq!(reason, Some(WentBack::Behind { seen: 4, found: 3 }));
}

/// Adds three leaves, and what puts the database back to them.
async fn three_leaves(db: &TestDb, log: &Log) -> String {
    fill(log, 0, 3).await;
    let (size, root) = head(log).await;
    let checkpoint = log.log_info().await.expect("the head").signed_tree_head;
    let root = db.bytes(root.as_bytes());
    format!(
        "DELETE FROM entries WHERE idx >= 3; DELETE FROM index_keys WHERE idx >= 3;
         UPDATE head SET size = {size}, root = {root}, checkpoint = '{checkpoint}'"
    )
}

async fn a_database_that_goes_back_under_a_running_server_is_not_written(db: TestDb) {
    let memory = Memory::new();
    let log = memory.open(&db).await.expect("a new log");
    let back = three_leaves(&db, &log).await;
    fill(&log, 3, 5).await;
    let signed = head(&log).await;
    db.tamper(&back).await;
    assert!(matches!(log.submit(leaf(9)).await, Err(SubmitError::NotCommitted)));
    let sentence = log.ready().await.expect_err("it is not ready").to_string();
    assert!(sentence.contains("3 leaves") && sentence.contains("tree of 5"), "{sentence}");
    assert_eq!(db.rows().await.entries, 3, "nothing was added");
    log.close().await;
    assert_eq!(memory.seen(), Some(signed));
    let log = memory.open(&db).await.expect("it opens for reading");
    let reason = log.sealed().map(|sealed| sealed.reason.clone());
    assert_eq!(reason, Some(WentBack::Behind { seen: 5, found: 3 }));
}

/// Each has a file of its own, so that nothing but the database tells one of the other.
async fn a_server_that_is_not_asked_hears_of_what_others_add(db: TestDb) {
    let (first, second) = (Memory::new(), Memory::new());
    let one = first.open(&db).await.expect("a new log");
    let two = second.open(&db).await.expect("a second server");
    let back = three_leaves(&db, &one).await;
    fill(&one, 3, 5).await;
    let signed = head(&one).await;
    while two.published_size() < 5 {
        tokio::task::yield_now().await;
    }
    db.tamper(&back).await;
    assert!(matches!(two.submit(leaf(9)).await, Err(SubmitError::NotCommitted)));
    assert_eq!(db.rows().await.entries, 3, "nothing was added");
    two.close().await;
    assert_eq!(second.seen(), Some(signed), "and the next start knows");
}

async fn the_file_follows_the_commits(db: TestDb) {
    let memory = Memory::new();
    let log = memory.open(&db).await.expect("a new log");
    assert_eq!(memory.seen(), Some((0, Hash::EMPTY_ROOT)), "before the first entry");
    fill(&log, 0, 1).await;
    // Without a stop: the task writes by itself.
    while memory.seen().is_none_or(|(size, _)| size < 1) {
        tokio::task::yield_now().await;
    }
    // What another server adds is seen, too.
    let other = Memory::new();
    let second = other.open(&db).await.expect("a second server");
    fill(&second, 1, 5).await;
    let head = head(&second).await;
    assert_eq!(head.0, 5);
    log.close().await;
    second.close().await;
    assert_eq!((memory.seen(), other.seen()), (Some(head), Some(head)), "at a graceful stop");
    std::fs::remove_file(memory.file().path()).expect("it is lost");
    memory.open(&db).await.expect("it opens").close().await;
    assert_eq!(memory.seen(), Some(head), "a missing file is written anew");
}

async fn a_file_that_is_no_checkpoint_of_this_log_is_refused(db: TestDb) {
    let memory = Memory::new();
    let log = memory.open(&db).await.expect("a new log");
    fill(&log, 0, 2).await;
    let (tree_id, (size, root)) = (log.tree_id(), head(&log).await);
    log.close().await;
    let good = memory.file().read().expect("a file").expect("a note");
    let foreign = LogKey::generate().expect("a key");
    for bad in [
        String::new(),
        "garbage\n".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replacen("\n2\n", "\n1\n", 1),
        foreign.sign_checkpoint("log.example", tree_id, size, root),
        key().sign_checkpoint("log.example", tree_id + 1, size, root),
    ] {
        memory.file().write(&bad).expect("a bad note");
        let refused = memory.open(&db).await.err().expect("it is refused").to_string();
        assert!(
            refused.contains("last-checkpoint") && refused.contains("move the file"),
            "{refused}"
        );
        assert_eq!(memory.file().read().unwrap().as_deref(), Some(bad.as_str()), "it is kept");
    }
    std::fs::remove_file(memory.file().path()).expect("it is moved away");
    memory.open(&db).await.expect("it opens").close().await;
    assert_eq!(memory.file().read().unwrap(), Some(good));
}

async fn a_log_that_is_gone_is_not_begun_anew(db: TestDb) {
    let memory = Memory::new();
    let note = key().sign_checkpoint("log.example", 1, 7, Hash::leaf(b"x"));
    memory.file().write(&note).expect("a note of seven leaves");
    let refused = memory.open(&db).await.err().expect("it is refused").to_string();
    assert!(refused.contains("no log") && refused.contains("7 leaves"), "{refused}");
    assert_eq!(db.rows().await, Rows::default(), "nothing was made");
    // A log that had signed nothing is no loss.
    let note = key().sign_checkpoint("log.example", 1, 0, Hash::EMPTY_ROOT);
    memory.file().write(&note).expect("a note of no leaves");
    memory.open(&db).await.expect("a new log").close().await;
    assert_eq!(memory.seen(), Some((0, Hash::EMPTY_ROOT)));
}

async fn a_file_that_cannot_be_written_is_noticed_at_the_start(db: TestDb) {
    let memory = Memory::new();
    let absent = Place::file(memory.0.path().join("absent/file"));
    let opened = logs::open(&db, vec![absent]).await;
    let refused = opened.err().expect("it is refused").to_string();
    assert!(refused.contains("absent/file") && refused.contains("`off`"), "{refused}");
}
