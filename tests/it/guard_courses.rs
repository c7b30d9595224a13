//! The restore guard when others write the same place while the log runs: servers on
//! the same database, which is well, and servers on a second one of this log.

use indelible::last_checkpoint::{NoteFile, Place};
use indelible::log::{Log, NotReady, SubmitError, WentBack};
use tempfile::TempDir;
use tlog::Hash;

use crate::guard_remote::grown;
use crate::harness::databases::TestDb;
use crate::harness::evidence::leaf;
use crate::harness::faults::{Fault, FaultyStore, Method};
use crate::harness::logs::{fill, key, open, open_on};

both! {
    another_course_closes_the_running_log,
    a_shorter_database_is_not_continued,
    servers_on_one_database_share_a_file,
    a_note_of_what_no_standby_has_is_no_loss,
    a_panic_is_no_end_of_keeping,
}

/// Files in a folder.
struct Memory(TempDir);

impl Memory {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str) -> NoteFile {
        NoteFile::at(self.0.path().join(name))
    }

    fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.0.path()).expect("a folder");
        let names = files.map(|file| file.expect("a file").file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().expect("text")).collect();
        names.sort();
        names
    }
}

fn size(file: &NoteFile) -> u64 {
    let note = file.read().expect("a file").expect("a note");
    note.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size")
}

/// Waits until the file holds a head of this size.
async fn until(file: &NoteFile, leaves: u64) {
    while size(file) != leaves {
        tokio::task::yield_now().await;
    }
}

async fn tree_size(log: &Log) -> u64 {
    log.log_info().await.expect("reading goes on").tree_size
}

async fn another_course_closes_the_running_log(db: TestDb) {
    let memory = Memory::new();
    let (file, second) = (memory.file("shared"), memory.file("own"));
    let places = || [&file, &second].map(|file| Place::File(file.clone())).to_vec();
    let (tree_id, _) = grown(&db, 4).await;
    // Behind us, and as far as we are.
    for (before, at) in [(4, 1), (5, 4), (6, 7)] {
        let log = open(&db, places()).await.expect("it opens");
        let course = Hash::leaf(b"another course");
        let other = key().sign_checkpoint("log.example", tree_id, at, course);
        file.write(&other).expect("a note of another course");
        fill(&log, before, before + 1).await;
        while log.sealed().is_none() {
            tokio::task::yield_now().await;
        }
        let sealed = log.sealed().cloned().expect("it is sealed");
        let OtherRoot { size, seen } = other_root(&sealed.reason);
        assert_eq!((size, seen, sealed.size), (at, course, before + 1));
        assert_eq!(sealed.place.to_string(), file.path().display().to_string());
        assert!(matches!(log.submit(leaf(99)).await, Err(SubmitError::Sealed(_))));
        assert!(matches!(log.ready().await, Err(NotReady::Sealed(_))));
        assert_eq!(tree_size(&log).await, before + 1);
        log.close().await;
        assert_eq!(file.read().expect("a file"), Some(other), "the evidence is left alone");
        assert_eq!(self::size(&second), before + 1, "what was signed is remembered elsewhere");
        let log = open(&db, places()).await.expect("it opens for reading");
        assert_eq!(log.sealed(), Some(&sealed), "and the next start says the same");
        log.close().await;
        std::fs::remove_file(file.path()).expect("it is moved away");
    }
    let log = open(&db, places()).await.expect("it opens");
    fill(&log, 7, 8).await;
    log.close().await;
    assert_eq!((size(&file), size(&second)), (8, 8));
}

struct OtherRoot {
    size: u64,
    seen: Hash,
}

fn other_root(reason: &WentBack) -> OtherRoot {
    match reason {
        WentBack::OtherRoot { size, seen, .. } => OtherRoot { size: *size, seen: *seen },
        reason @ WentBack::Behind { .. } => panic!("{reason}"),
    }
}

async fn a_shorter_database_is_not_continued(db: TestDb) {
    let memory = Memory::new();
    let file = memory.file("shared");
    let theirs = db.another().await;
    let ours = open(&db, vec![Place::File(file.clone())]).await.expect("a new log");
    let other = open(&theirs, vec![Place::File(file.clone())]).await.expect("a second one");
    fill(&other, 0, 3).await;
    until(&file, 3).await;
    // Before the first look at the file nobody can know.
    fill(&ours, 10, 11).await;
    while ours.ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
    let sentence = ours.ready().await.expect_err("it is not ready").to_string();
    assert!(sentence.contains("holds 1 leaves") && sentence.contains("tree of 3"), "{sentence}");
    assert!(matches!(ours.submit(leaf(11)).await, Err(SubmitError::NotCommitted)));
    assert_eq!(tree_size(&ours).await, 1);
    assert_eq!(db.rows().await.entries, 1, "nothing was added");
    // Whoever was further goes on.
    other.ready().await.expect("it is ready");
    fill(&other, 3, 4).await;
    other.close().await;
    ours.close().await;
    assert_eq!(size(&file), 4, "the larger one is never written over");
    let ours = open(&db, vec![Place::File(file)]).await.expect("it opens for reading");
    let reason = ours.sealed().map(|sealed| sealed.reason.clone());
    assert_eq!(reason, Some(WentBack::Behind { seen: 4, found: 1 }));
}

async fn servers_on_one_database_share_a_file(db: TestDb) {
    let memory = Memory::new();
    let file = memory.file("shared");
    let logs = [
        open(&db, vec![Place::File(file.clone())]).await.expect("a new log"),
        open(&db, vec![Place::File(file.clone())]).await.expect("a second server"),
    ];
    let [one, two] = &logs;
    for round in 0..4 {
        let (from, to) = (round * 40, round * 40 + 40);
        tokio::join!(fill(one, from, from + 20), fill(two, from + 20, to));
        // The second one stays behind the note for a while, and then goes on from there.
        fill(one, 1_000 + round, 1_001 + round).await;
        until(&file, (to + round) + 1).await;
    }
    for log in &logs {
        log.ready().await.expect("it is ready");
        log.close().await;
        assert!(log.sealed().is_none());
    }
    assert_eq!(size(&file), 164);
    assert_eq!(memory.names(), ["shared", "shared.lock"]);
}

/// Another server's head is in the place, and of what the database has no standby says anything.
async fn a_note_of_what_no_standby_has_is_no_loss(db: TestDb) {
    let memory = Memory::new();
    let file = memory.file("shared");
    // The note says that the tenth was shown; with the eleventh nobody may be shown the tenth.
    for (leaves, shown) in [(10, 10), (11, 9)] {
        let db = db.another().await;
        let store = FaultyStore::new(db.open().await);
        let places = vec![Place::File(file.clone())];
        let log = open_on(store.clone(), places).await.expect("a new log");
        fill(&log, 0, 8).await;
        until(&file, 8).await;
        file.write(&note_of_ten(&db).await).expect("a note");
        fill(&log, 8, 9).await;
        while log.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
        store.leave_alone(true);
        // The server hears of all of it at once.
        store.hold(Method::Head);
        let other = open(&db, Vec::new()).await.expect("another server");
        fill(&other, 9, leaves).await;
        store.release(Method::Head);
        log.ready().await.expect("it is ready");
        assert_eq!(tree_size(&log).await, shown);
        log.ready().await.expect("it is ready");
        store.leave_alone(false);
        assert_eq!(tree_size(&log).await, leaves);
        log.close().await;
        std::fs::remove_file(file.path()).expect("it is moved away");
    }
}

/// What a server is going to write for ten leaves, before they are in the database.
async fn note_of_ten(db: &TestDb) -> String {
    let ahead = db.another().await;
    let log = open(&ahead, Vec::new()).await.expect("the same log");
    fill(&log, 0, 10).await;
    log.log_info().await.expect("the head").signed_tree_head
}

async fn a_panic_is_no_end_of_keeping(db: TestDb) {
    let memory = Memory::new();
    let file = memory.file("own");
    let (_, first) = grown(&db, 1).await;
    let log = open(&db, Vec::new()).await.expect("it opens");
    fill(&log, 1, 257).await;
    log.close().await;
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), vec![Place::File(file.clone())]).await.expect("it opens");
    // To hold this against the tree a tile is read, and that is where it panics.
    file.write(&first).expect("an old note");
    store.fail(Method::Tiles, 1, Fault::Panic);
    fill(&log, 257, 258).await;
    until(&file, 258).await;
    store.every_fault_came();
    fill(&log, 258, 259).await;
    log.close().await;
    assert_eq!(size(&file), 259);
}
