//! The restore guard with the last checkpoint behind a URL: which databases may be
//! continued, and what becomes of the note.

use indelible::fsck;
use indelible::last_checkpoint::{NoteFile, Place};
use indelible::log::{self, Accepted, Log, SubmitError, WentBack};
use indelible::signer::LogKey;
use tlog::Hash;

use crate::harness::databases::{Rows, TestDb};
use crate::harness::evidence::leaf;
use crate::harness::logs::{fill, key, open};
use crate::harness::note_server::{Kind, NoteServer};

everywhere! {
    the_note_follows_the_commits,
    an_older_database_on_a_new_machine_is_read_only,
    another_root_closes_the_log,
    the_further_of_two_notes_decides,
    a_note_that_is_no_checkpoint_of_this_log_is_refused,
    a_log_that_is_gone_is_not_begun_anew,
    a_loss_is_accepted_and_the_note_kept,
    an_audit_holds_the_database_against_the_note,
    two_servers_keep_one_note,
}

/// What a start says that does not come about.
pub(crate) async fn refusal(db: &TestDb, places: Vec<Place>) -> String {
    open(db, places).await.err().expect("it is refused").to_string()
}

/// The tree ID of a log with so many entries, and its newest note.
pub(crate) async fn grown(db: &TestDb, size: u64) -> (u64, String) {
    let log = open(db, Vec::new()).await.expect("a new log");
    fill(&log, 0, size).await;
    let note = log.log_info().await.expect("the head").signed_tree_head;
    let tree_id = log.tree_id();
    log.close().await;
    (tree_id, note)
}

fn reason(log: &Log) -> Option<WentBack> {
    log.sealed().map(|sealed| sealed.reason.clone())
}

async fn the_note_follows_the_commits(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let log = open(&db, vec![server.place()]).await.expect("a new log");
    server.until_line("0").await;
    fill(&log, 0, 1).await;
    // Without a stop: it is written behind the commit.
    server.until_line("1").await;
    fill(&log, 1, 5).await;
    let note = log.log_info().await.expect("the head").signed_tree_head;
    log.close().await;
    assert_eq!(server.note().as_deref(), Some(&*note), "at a graceful stop");
    assert_eq!(server.count(), 1);
    let log = open(&db, vec![server.place()]).await.expect("it opens");
    assert!(log.sealed().is_none());
    log.close().await;
    server.forget();
    open(&db, vec![server.place()]).await.expect("it opens").close().await;
    assert_eq!(server.note().as_deref(), Some(&*note), "a missing note is written anew");
}

async fn an_older_database_on_a_new_machine_is_read_only(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let (tree_id, _) = grown(&db, 3).await;
    let later = key().sign_checkpoint("log.example", tree_id, 7, Hash::leaf(b"x"));
    server.put(&later);
    let folder = tempfile::tempdir().expect("a folder");
    let file = NoteFile::at(folder.path().join("last-checkpoint"));
    let log = open(&db, vec![Place::File(file.clone()), server.place()]).await;
    let log = log.expect("it opens for reading");
    assert_eq!(reason(&log), Some(WentBack::Behind { seen: 7, found: 3 }));
    assert!(matches!(log.submit(leaf(99)).await, Err(SubmitError::Sealed(_))));
    let sentence = log.ready().await.expect_err("it is not ready").to_string();
    for part in [&*server.name(), "holds 3 leaves", "tree of 7", "accept-restore --size 3"] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    assert_eq!(log.log_info().await.expect("reading goes on").tree_size, 3);
    log.close().await;
    assert_eq!(server.history(), [later], "what was signed is remembered");
    assert_eq!(file.read().expect("no file"), None, "a sealed log keeps nothing");
}

async fn another_root_closes_the_log(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let (tree_id, _) = grown(&db, 4).await;
    for size in 1..=4 {
        let other = Hash::leaf(b"another history");
        server.put(&key().sign_checkpoint("log.example", tree_id, size, other));
        let log = open(&db, vec![server.place()]).await.expect("it opens for reading");
        let found = match reason(&log) {
            Some(WentBack::OtherRoot { size: at, seen, found }) => {
                assert_eq!((at, seen), (size, other));
                found
            }
            reason => panic!("{reason:?}"),
        };
        log.close().await;
        server.put(&key().sign_checkpoint("log.example", tree_id, size, found));
        let log = open(&db, vec![server.place()]).await.expect("it opens");
        assert!(log.sealed().is_none(), "an earlier head of the same log");
        log.close().await;
        server.until_line("4").await;
    }
}

async fn the_further_of_two_notes_decides(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = NoteFile::at(folder.path().join("last-checkpoint"));
    let places = || vec![Place::File(file.clone()), server.place()];
    let (tree_id, good) = grown(&db, 3).await;
    let later = |size| key().sign_checkpoint("log.example", tree_id, size, Hash::leaf(b"x"));
    for (in_file, behind_url, seen, by) in [
        (good.clone(), later(5), 5, server.name()),
        (later(5), good.clone(), 5, file.path().display().to_string()),
        (later(5), later(6), 6, server.name()),
        (later(6), later(5), 6, file.path().display().to_string()),
    ] {
        file.write(&in_file).expect("a note");
        server.put(&behind_url);
        let log = open(&db, places()).await.expect("it opens for reading");
        let sealed = log.sealed().expect("it is sealed");
        assert_eq!(sealed.reason, WentBack::Behind { seen, found: 3 });
        assert_eq!(sealed.place.to_string(), by);
        log.close().await;
        assert_eq!(file.read().expect("a file").as_deref(), Some(&*in_file));
        assert_eq!(server.note().as_deref(), Some(&*behind_url));
    }
    // A smaller note of another course is noticed as well.
    file.write(&later(2)).expect("a note");
    server.put(&good);
    let log = open(&db, places()).await.expect("it opens for reading");
    assert!(matches!(reason(&log), Some(WentBack::OtherRoot { size: 2, .. })));
}

async fn a_note_that_is_no_checkpoint_of_this_log_is_refused(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let (tree_id, good) = grown(&db, 2).await;
    let foreign = LogKey::generate().expect("a key");
    for bad in [
        String::new(),
        "<html>It works!</html>".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replacen("\n2\n", "\n1\n", 1),
        foreign.sign_checkpoint("log.example", tree_id, 2, Hash::leaf(b"x")),
        key().sign_checkpoint("log.example", tree_id + 1, 2, Hash::leaf(b"x")),
    ] {
        server.put(&bad);
        let refused = refusal(&db, vec![server.place()]).await;
        for part in [&*server.name(), "holds no checkpoint that this log signed", "move the object"]
        {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        assert_eq!(server.note(), Some(bad), "it is kept");
    }
    server.forget();
    // And while the log runs: somebody else's note is left alone, and entries are taken.
    let folder = tempfile::tempdir().expect("a folder");
    let file = NoteFile::at(folder.path().join("last-checkpoint"));
    let log = open(&db, vec![Place::File(file.clone()), server.place()]).await.expect("it opens");
    let other = foreign.sign_checkpoint("log.example", tree_id, 1, Hash::leaf(b"x"));
    server.put(&other);
    fill(&log, 2, 4).await;
    server.more_requests(3).await;
    log.close().await;
    assert_eq!(server.note(), Some(other));
    assert!(file.read().expect("a file").expect("a note").contains("\n4\n"));
}

async fn a_log_that_is_gone_is_not_begun_anew(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    server.put(&key().sign_checkpoint("log.example", 1, 7, Hash::leaf(b"x")));
    let refused = refusal(&db, vec![server.place()]).await;
    for part in [&*server.name(), "no log", "7 leaves"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert_eq!(db.rows().await, Rows::default(), "nothing was made");
    let accept = |size, now| {
        let (db, places) = (db.clone(), [server.place()]);
        async move { log::accept_restore(db.open().await, key(), &places, size, now).await }
    };
    assert_eq!(accept(7, 1).await.expect("an answer"), Accepted::OtherSize(0));
    assert_eq!(server.count(), 1);
    let Accepted::SetAside(aside) = accept(0, 2).await.expect("it is accepted") else {
        panic!("not accepted");
    };
    assert_eq!(aside[0].to_string(), format!("{}.set-aside-2", server.name()));
    assert_eq!(server.note(), None);
    assert!(server.under(".set-aside-2").expect("the former note").contains("\n7\n"));
    open(&db, vec![server.place()]).await.expect("a new log").close().await;
    assert!(server.note().expect("a note").contains("\n0\n"));
}

async fn a_loss_is_accepted_and_the_note_kept(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let (tree_id, good) = grown(&db, 3).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = NoteFile::at(folder.path().join("last-checkpoint"));
    let later = key().sign_checkpoint("log.example", tree_id, 7, Hash::leaf(b"x"));
    file.write(&later).expect("a note");
    server.put(&later);
    let accept = |now| {
        let (db, places) = (db.clone(), [Place::File(file.clone()), server.place()]);
        async move { log::accept_restore(db.open().await, key(), &places, 3, now).await }
    };
    let Accepted::SetAside(aside) = accept(9).await.expect("it is accepted") else {
        panic!("not accepted");
    };
    assert_eq!(aside.len(), 2);
    assert_eq!(server.under(".set-aside-9"), Some(later.clone()));
    assert_eq!((server.note(), file.read().expect("a file")), (Some(good.clone()), Some(good)));
    assert_eq!(accept(10).await.expect("an answer"), Accepted::Nothing);
    assert_eq!(server.count(), 2);
    // One of the two only: the other one is as it must be.
    server.put(&later);
    let Accepted::SetAside(aside) = accept(11).await.expect("it is accepted") else {
        panic!("not accepted");
    };
    assert_eq!(aside[0].to_string(), format!("{}.set-aside-11", server.name()));
    assert_eq!(aside.len(), 1);
    let log = open(&db, vec![Place::File(file), server.place()]).await.expect("it opens");
    fill(&log, 3, 4).await;
    log.close().await;
    assert!(server.note().expect("a note").contains("\n4\n"));
}

async fn an_audit_holds_the_database_against_the_note(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let (tree_id, good) = grown(&db, 3).await;
    let folder = tempfile::tempdir().expect("a folder");
    let options = fsck::Options { state: folder.path().join("state"), resume: false, rate: None };
    let note = |size| key().sign_checkpoint("log.example", tree_id, size, Hash::leaf(b"x"));
    for (note, found) in [
        (good, None),
        (note(2), Some("expected root")),
        (note(4), Some("4 leaves of the last-checkpoint URL at least, found 3")),
        ("?".to_owned(), Some("a checkpoint that this log signed")),
    ] {
        server.put(&note);
        let (store, places) = (db.open_for_audit().await, [server.place()]);
        let report = fsck::run(&*store, &key(), &places, &options, &mut |_| {}).await;
        store.close().await;
        let findings = report.expect("an audit").findings;
        let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
        match found {
            None => assert!(findings.is_empty(), "{findings:?}"),
            Some(part) => {
                assert!(findings.len() == 1 && findings[0].contains(part), "{findings:?}");
                assert!(findings[0].contains("the last-checkpoint URL"), "{findings:?}");
            }
        }
        assert_eq!(server.note(), Some(note), "an audit writes nothing");
    }
}

async fn two_servers_keep_one_note(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let logs = [
        open(&db, vec![server.place()]).await.expect("a new log"),
        open(&db, vec![server.place()]).await.expect("a second server"),
    ];
    for round in 0..4 {
        let [one, two] = &logs;
        let (from, to) = (round * 40, round * 40 + 40);
        tokio::join!(fill(one, from, from + 20), fill(two, from + 20, to));
        for log in &logs {
            log.log_info().await.expect("it follows");
        }
        server.until_line(&to.to_string()).await;
    }
    for log in &logs {
        log.close().await;
    }
    // No smaller head was ever written over a larger one.
    let sizes: Vec<u64> = server
        .history()
        .iter()
        .map(|note| note.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size"))
        .collect();
    assert!(sizes.is_sorted() && sizes.last() == Some(&160), "{sizes:?}");
    let log = open(&db, vec![server.place()]).await.expect("it opens");
    assert!(log.sealed().is_none());
    log.close().await;
}
