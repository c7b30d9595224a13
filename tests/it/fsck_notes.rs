//! The audit and the last checkpoints outside the database: what is wrong with a note, or
//! with the way to it, is not said of the log.

use indelible::fsck::{self, Event, Options, Report};
use indelible::last_checkpoint::Place;
use tempfile::TempDir;
use tlog::Hash;

use crate::fsck::{fill, sentences};
use crate::harness::databases::TestDb;
use crate::harness::evidence::hashedrekord;
use crate::harness::logs::key;
use crate::harness::process::Site;
use crate::harness::receipts::client;

both! {
    a_note_of_another_log_accuses_no_database,
    a_place_that_cannot_be_read_is_no_finding,
    the_command_ends_otherwise_when_it_could_not_compare,
}

/// Audits with the note in this folder; whether a place was told to be out of reach.
async fn audit(db: &TestDb, folder: &TempDir, resume: bool) -> (Report, bool) {
    let options = Options { state: folder.path().join("state"), resume, rate: None };
    let places = [Place::file(folder.path().join("note"))];
    let mut told = false;
    let mut tell = |event: Event<'_>| told |= matches!(event, Event::NotCompared(_));
    let store = db.open_for_audit().await;
    let report = fsck::run(&*store, &key(), &places, &options, &mut tell).await;
    store.close().await;
    (report.expect("an audit"), told)
}

async fn a_note_of_another_log_accuses_no_database(db: TestDb) {
    fill(&db).await;
    let folder = tempfile::tempdir().expect("a folder");
    let tree_id = key().tree_id("other.example");
    let other = key().sign_checkpoint("other.example", tree_id, 705, Hash::leaf(b"x"));
    std::fs::write(folder.path().join("note"), other).expect("a note");
    let (report, unreachable) = audit(&db, &folder, false).await;
    let found = sentences(&report);
    assert!(found.len() == 1 && !unreachable, "{found:?}");
    assert!(found[0].contains("the last-checkpoint file: expected a checkpoint"), "{found:?}");
    assert!(found[0].contains("that of another log with the same key"), "{found:?}");
    // It is said again by each run, and does not keep an audit from going on where it was.
    db.flip("entries", "body", 9, "idx = 260").await;
    assert_eq!(audit(&db, &folder, false).await.0.findings.len(), 2);
    let state = std::fs::read_to_string(folder.path().join("state")).expect("a state");
    assert!(state.contains("\"size\":256"), "{state}");
    db.flip("entries", "body", 9, "idx = 260").await;
    let (report, _) = audit(&db, &folder, true).await;
    assert_eq!((report.visited, sentences(&report)), (266, found));
}

async fn a_place_that_cannot_be_read_is_no_finding(db: TestDb) {
    fill(&db).await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("note")).expect("in the way");
    let (report, unreachable) = audit(&db, &folder, false).await;
    assert!(unreachable && report.findings.is_empty(), "{:?}", sentences(&report));
    let place = Place::file(folder.path().join("note")).name();
    assert_eq!((report.uncompared, report.visited), (vec![place], 266));
}

async fn the_command_ends_otherwise_when_it_could_not_compare(db: TestDb) {
    let site = Site::new(&db);
    let mut process = site.start(&[]);
    let client = client(&process.url, std::time::Duration::from_secs(60));
    for n in 0..3 {
        client.upload(&hashedrekord(n)).await.expect("it is taken");
    }
    process.terminate();
    assert!(process.wait().success());
    let folder = site.data.path().display().to_string();
    for (damaged, code) in [(false, 3), (true, 1)] {
        if damaged {
            db.flip("entries", "body", 9, "idx = 1").await;
        }
        let output = site.run(&["fsck", "--last-checkpoint", &folder]);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(code), !damaged));
        assert!(said.contains("nothing could be compared with the last checkpoint"), "{said}");
    }
}
