//! The restore guard when what is behind its URL fails: at the start the server does
//! not run without it, later it waits for nobody.

use std::time::{Duration, Instant};

use indelible::last_checkpoint::{Access, Credentials, Place, Remote, Token};
use indelible::log::{self, SubmitError};
use tlog::Hash;

use crate::guard_remote::{grown, refusal};
use crate::harness::databases::{Rows, TestDb};
use crate::harness::evidence::leaf;
use crate::harness::logs::{fill, key, open};
use crate::harness::note_server::{BEARER, Conditions, KEY_ID, Kind, Mood, NoteServer, SECRET};
use crate::harness::process::dead_port;
use crate::harness::proxy::Proxy;

everywhere! {
    a_place_that_fails_at_the_start_stops_it,
    a_place_that_cannot_be_written_stops_the_start,
    a_place_that_keeps_nothing_stops_the_start,
    a_wrong_secret_stops_the_start_and_is_not_told,
    a_place_that_dies_is_caught_up_with,
    a_place_that_hangs_holds_nobody_up,
    a_write_by_another_server_in_between_is_not_undone,
    a_server_without_conditions_serves_one_writer,
    a_loss_is_not_accepted_by_halves,
}

async fn a_place_that_fails_at_the_start_stops_it(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let mut refusals = vec![(
        server.url_at(dead_port()),
        refusal(&db, vec![server.place_at(dead_port())]).await,
        "Connection refused",
    )];
    for (mood, reason) in [
        (Mood::Fails(500), "answered 500"),
        (Mood::Fails(403), "answered 403"),
        (Mood::Fails(301), "answered 301"),
        (Mood::Fails(204), "answered 204"),
        (Mood::Hangs, "no answer: "),
        (Mood::Floods, "more than 1048576 bytes"),
        (Mood::Boasts, "no answer: "),
        (Mood::Babbles, "not UTF-8"),
    ] {
        server.mood(mood);
        refusals.push((server.url(), refusal(&db, vec![server.hasty_place()]).await, reason));
    }
    for (url, refused, reason) in refusals {
        // The port of a dead one differs from that of the name only for the web.
        let named = kind == Kind::Web || refused.contains(&url);
        for part in [reason, "start without --last-checkpoint-url", "the last checkpoint in "] {
            assert!(named && refused.contains(part), "{part}: {refused}");
        }
    }
    if kind == Kind::S3 {
        server.mood(Mood::Fails(503));
        let refused = refusal(&db, vec![server.place()]).await;
        assert!(refused.contains("(SlowDown)"), "{refused}");
        // A missing bucket is no missing note.
        server.mood(Mood::Works);
        let access = server.access_at(server.port());
        let absent = Remote::new("s3://absent/note", &access).expect("a URL");
        let refused = refusal(&db, vec![Place::Remote(absent)]).await;
        assert!(refused.contains("answered 404 Not Found (NoSuchBucket)"), "{refused}");
    }
    assert_eq!(db.rows().await, Rows::default(), "nothing was made");
}

async fn a_place_that_cannot_be_written_stops_the_start(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let (_, newest) = grown(&db, 2).await;
    server.mood(Mood::RefusesWrites(403));
    let refused = refusal(&db, vec![server.place()]).await;
    assert!(refused.contains(&server.name()) && refused.contains("answered 403"), "{refused}");
    assert_eq!(server.note(), None);
    // Unless there is nothing to write.
    server.put(&newest);
    open(&db, vec![server.place()]).await.expect("it opens").close().await;
}

async fn a_place_that_keeps_nothing_stops_the_start(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let (_, old) = grown(&db, 2).await;
    let log = open(&db, Vec::new()).await.expect("it opens without");
    fill(&log, 2, 3).await;
    log.close().await;
    server.mood(Mood::Forgets);
    // Nothing is there afterwards, or what was there before.
    for before in [None, Some(old)] {
        if let Some(before) = &before {
            server.put(before);
        }
        let refused = refusal(&db, vec![server.place()]).await;
        for part in [&*server.name(), "does not keep it", "start without --last-checkpoint-url"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        assert_eq!(server.note(), before);
    }
}

async fn a_wrong_secret_stops_the_start_and_is_not_told(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let good = server.access_at(server.port());
    let wrong = Access {
        token: Some(Token("another-token".to_owned())),
        credentials: Some(Credentials::new(KEY_ID, "another-secret")),
        ..good.clone()
    };
    let without = Access { token: None, ..good.clone() };
    let shown = format!("{good:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(BEARER), "{shown}");
    let mut tries = vec![wrong];
    if kind == Kind::Web {
        tries.push(without);
    }
    for access in tries {
        let place = Remote::new(&server.url(), &access).expect("a URL");
        let error = open(&db, vec![Place::Remote(place)]).await.err().expect("it is refused");
        let said = format!("{error} {error:?}");
        let status = if kind == Kind::S3 { "answered 403" } else { "answered 401" };
        assert!(said.contains(status), "{said}");
        for secret in [KEY_ID, "another", "Signature=", "Bearer"] {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
    }
}

async fn a_place_that_dies_is_caught_up_with(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let wire = Proxy::to(server.port()).await;
    let log = open(&db, vec![server.place_at(wire.port())]).await.expect("a new log");
    fill(&log, 0, 2).await;
    server.until_line("2").await;
    wire.switch(dead_port());
    fill(&log, 2, 4).await;
    log.ready().await.expect("it goes on without");
    assert!(server.note().expect("a note").contains("\n2\n"));
    wire.switch(server.port());
    // No further entry is needed.
    server.until_line("4").await;
    for (n, mood) in (4..).zip([Mood::Fails(500), Mood::Floods, Mood::Babbles]) {
        server.mood(mood);
        fill(&log, n, n + 1).await;
        server.more_requests(2).await;
        server.mood(Mood::Works);
        server.until_line(&(n + 1).to_string()).await;
    }
    log.close().await;
}

async fn a_place_that_hangs_holds_nobody_up(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = Place::file(folder.path().join("last-checkpoint"));
    let log = open(&db, vec![server.place(), file.clone()]).await.expect("a new log");
    server.mood(Mood::Hangs);
    fill(&log, 0, 1).await;
    server.more_requests(1).await;
    let begun = Instant::now();
    fill(&log, 1, 50).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "entries wait for the guard");
    let begun = Instant::now();
    log.close().await;
    // What is under way, and one last attempt, five seconds each.
    assert!(begun.elapsed() < Duration::from_secs(15), "the stop waits for the guard");
    let kept = file.read().await.expect("a file").expect("a note");
    assert!(kept.note.contains("\n50\n"), "the file does not wait for it");
    assert!(server.note().expect("a note").contains("\n0\n"));
}

async fn a_write_by_another_server_in_between_is_not_undone(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let log = open(&db, vec![server.place()]).await.expect("a new log");
    let tree_id = log.tree_id();
    let note = |size| key().sign_checkpoint("log.example", tree_id, size, Hash::leaf(b"x"));
    // Between our reading and our writing somebody was further, and stays there.
    server.intrude(&note(100));
    fill(&log, 0, 1).await;
    server.until_line("100").await;
    // The database has less than that: nothing is signed beside it any more.
    while log.ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(log.submit(leaf(1)).await, Err(SubmitError::NotCommitted)));
    log.close().await;
    assert_eq!(server.note(), Some(note(100)));
    // And somebody was not as far, and is written over.
    server.forget();
    let log = open(&db, vec![server.place()]).await.expect("it opens");
    fill(&log, 1, 2).await;
    server.until_line("2").await;
    let smaller = server.history().last().cloned().expect("a note");
    server.intrude(&smaller);
    fill(&log, 2, 5).await;
    log.close().await;
    assert!(server.note().expect("a note").contains("\n5\n"));
    // The first one, too.
    server.forget();
    server.intrude(&note(100));
    open(&db, vec![server.place()]).await.expect("it opens").close().await;
    assert_eq!(server.note(), Some(note(100)));
}

async fn a_server_without_conditions_serves_one_writer(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let mut size = 0;
    for conditions in [Conditions::Ignored, Conditions::Refused] {
        server.conditions(conditions);
        server.forget();
        let log = open(&db, vec![server.place()]).await.expect("it opens");
        fill(&log, size, size + 2).await;
        size += 2;
        server.until_line(&size.to_string()).await;
        // It is read before it is written.
        let ahead = key().sign_checkpoint("log.example", log.tree_id(), 99, Hash::leaf(b"x"));
        server.put(&ahead);
        fill(&log, size, size + 1).await;
        size += 1;
        log.close().await;
        assert_eq!(server.note(), Some(ahead));
    }
}

async fn a_loss_is_not_accepted_by_halves(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let (tree_id, _) = grown(&db, 3).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = Place::file(folder.path().join("last-checkpoint"));
    let later = key().sign_checkpoint("log.example", tree_id, 7, Hash::leaf(b"x"));
    file.write(&later, None).await.expect("a note");
    server.put(&later);
    for mood in [Mood::Fails(500), Mood::Babbles, Mood::Hangs] {
        server.mood(mood);
        let places = [file.clone(), server.hasty_place()];
        let accepted = log::accept_restore(db.open().await, key(), &places, 3, 1).await;
        let refused = accepted.expect_err("it does not answer").to_string();
        assert!(refused.contains(&server.name()), "{refused}");
        let kept = file.read().await.expect("a file").expect("a note");
        assert_eq!(kept.note, later, "nothing was moved");
    }
}
