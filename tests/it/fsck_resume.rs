//! An audit that goes on where another one stopped finds what one without a pause finds.

use std::num::NonZeroU32;
use std::time::Duration;

use indelible::fsck::{self, FsckError, Options, Report};
use indelible::last_checkpoint::Place;
use indelible::signer::LogKey;
use tempfile::TempDir;
use tlog::Hash;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::fsck::{audit_in, fill, open, sentences};
use crate::harness::databases::TestDb;
use crate::harness::evidence::{hashedrekord, leaf};
use crate::harness::large::Writer;
use crate::harness::logs::key;
use crate::harness::process::Site;
use crate::harness::receipts::client;

both! {
    a_row_that_was_mended_is_not_accused_for_ever,
    another_course_of_the_log_is_not_gone_on_with,
    the_first_time_is_remembered,
    an_older_note_is_compared_behind_the_walk,
    the_command_says_of_how_many_bodies_no_rows_were_looked_up,
    a_command_that_is_told_to_end_does,
}

/// Interrupts an audit behind the first tile: a finding there keeps the place before it.
async fn interrupt(db: &TestDb, folder: &TempDir) {
    db.flip("entries", "body", 9, "idx = 260").await;
    let found = sentences(&audit_in(db, folder, false).await.expect("an audit"));
    assert!(found[0].starts_with("entry 260: "), "{found:?}");
    db.flip("entries", "body", 9, "idx = 260").await;
    let state = std::fs::read_to_string(folder.path().join("state")).expect("a state");
    assert!(state.contains("\"size\":256"), "{state}");
}

async fn resumed(db: &TestDb, folder: &TempDir) -> Vec<String> {
    sentences(&audit_in(db, folder, true).await.expect("an audit"))
}

/// A row that agrees with itself is in no tile yet when the audit stops a little behind it.
async fn a_row_that_was_mended_is_not_accused_for_ever(db: TestDb) {
    fill(&db).await;
    let whole = db.copy("whole").await;
    let body = b"{\"forged\":true}";
    let (forged, hash) = (db.bytes(body), db.bytes(Hash::leaf(body).as_bytes()));
    db.tamper(&format!(
        "UPDATE entries SET body = {forged}, leaf_hash = {hash} WHERE idx = 33;
         UPDATE entries SET body = {forged} WHERE idx = 45"
    ))
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    // Twenty entries a step.
    let options = Options { state, resume: false, rate: NonZeroU32::new(200) };
    let store = db.open_for_audit().await;
    let report = fsck::run(&*store, &key(), &[], &options, &mut |_| {}).await.expect("an audit");
    store.close().await;
    assert!(!report.findings.is_empty());
    db.restore(&whole).await;
    assert_eq!(resumed(&db, &folder).await, Vec::<String>::new());
}

async fn another_course_of_the_log_is_not_gone_on_with(db: TestDb) {
    open(&db).await.close().await;
    let early = db.copy("early").await;
    fill(&db).await;
    let folder = tempfile::tempdir().expect("a folder");
    interrupt(&db, &folder).await;
    db.restore(&early).await;
    let log = open(&db).await;
    for n in 1_000..1_300 {
        log.submit(leaf(n)).await.expect("the log takes it");
    }
    log.close().await;
    let refused = audit_in(&db, &folder, true).await.expect_err("refused");
    assert!(matches!(refused, FsckError::State(_)));
    let refused = refused.to_string();
    assert!(refused.contains("have another root") && refused.contains("--resume"), "{refused}");
    let anew = audit_in(&db, &folder, false).await.expect("an audit");
    assert_eq!(sentences(&anew), Vec::<String>::new());
}

async fn the_first_time_is_remembered(db: TestDb) {
    fill(&db).await;
    db.tamper("UPDATE entries SET integrated_time = integrated_time - 9 WHERE idx = 0").await;
    let folder = tempfile::tempdir().expect("a folder");
    interrupt(&db, &folder).await;
    let found = resumed(&db, &folder).await;
    let named = "entry 0: entries.integrated_time or log.created_at: expected";
    assert!(found.len() == 1 && found[0].starts_with(named), "{found:?}");
}

async fn an_older_note_is_compared_behind_the_walk(db: TestDb) {
    fill(&db).await;
    let folder = tempfile::tempdir().expect("a folder");
    interrupt(&db, &folder).await;
    let store = db.open_for_audit().await;
    let tree_id = store.load().await.expect("a log").expect("a log").0.tree_id;
    let leaves = store.leaf_hashes(0, 100).await.expect("leaves");
    let options = Options { state: folder.path().join("state"), resume: true, rate: None };
    let state = std::fs::read(&options.state).expect("a state");
    for (root, fits) in [(tlog::root_of_leaves(&leaves), true), (Hash::leaf(b"x"), false)] {
        let note = folder.path().join("note");
        let signed = key().sign_checkpoint("log.example", tree_id, 100, root);
        std::fs::write(&note, signed).expect("a note");
        std::fs::write(&options.state, &state).expect("the state");
        let places = [Place::file(&note)];
        let report = fsck::run(&*store, &key(), &places, &options, &mut |_| {}).await;
        let Report { findings, .. } = report.expect("an audit");
        let about =
            |f: &fsck::Finding| f.to_string().contains("the last-checkpoint file: expected");
        assert_eq!(findings.len(), usize::from(!fits), "{findings:?}");
        assert!(findings.iter().all(about), "{findings:?}");
    }
    store.close().await;
}

async fn the_command_says_of_how_many_bodies_no_rows_were_looked_up(db: TestDb) {
    let site = Site::new(&db);
    let mut process = site.start(&[]);
    process.terminate();
    assert!(process.wait().success());
    let key = LogKey::load(&site.key_file(), None).expect("the key");
    // No kind has their bodies.
    Writer::on(db.open().await, key).await.grow(300).await;
    let audit = |arguments: &[&str]| {
        let output = site.run(arguments);
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    db.flip("entries", "body", 9, "idx = 260").await;
    assert_eq!(audit(&["fsck"]).0, Some(1));
    db.flip("entries", "body", 9, "idx = 260").await;
    // Those before the pause are of the log, too.
    for arguments in [&["fsck", "--resume"][..], &["fsck"]] {
        let (code, said) = audit(arguments);
        assert!(code == Some(0) && said.contains("which were not looked up: 300"), "{said}");
        assert!(!said.contains("every body, tile, index row"), "{said}");
    }
}

/// By itself, and not as the system's default would have it: the first process of a container has none.
async fn a_command_that_is_told_to_end_does(db: TestDb) {
    let site = Site::new(&db);
    let mut process = site.start(&[]);
    let client = client(&process.url, Duration::from_secs(60));
    for n in 0..30 {
        client.upload(&hashedrekord(n)).await.expect("it is taken");
    }
    process.terminate();
    assert!(process.wait().success());
    for (signal, code, word) in [("TERM", 143, "terminated"), ("INT", 130, "interrupted")] {
        let mut audit = Command::from(site.command(&["fsck", "--rate", "1"]));
        let mut audit = audit.kill_on_drop(true).spawn().expect("it runs");
        let mut said = BufReader::new(audit.stderr.take().expect("a pipe")).lines();
        let mut line = async || said.next_line().await.expect("text");
        while !line().await.expect("it says how far it is").starts_with("0 of 30 entries") {}
        let pid = audit.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().await;
        assert!(sent.expect("kill runs").success());
        let mut last = None;
        while let Some(said) = line().await {
            last = Some(said);
        }
        assert_eq!(last, Some(format!("indelible: {word}")));
        assert_eq!(audit.wait().await.expect("it ends").code(), Some(code));
    }
    let again = site.run(&["fsck", "--resume"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
}
