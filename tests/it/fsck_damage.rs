//! The audit of a database that is damaged in several places, or cannot be read at
//! some of them: each is named, the first one first, and none is lost on the way.

use indelible::fsck::{self, Event, Options};

use crate::fsck::{assert_found, audit, fill, key, sentences};
use crate::harness::databases::TestDb;
use crate::harness::evidence::hashedrekord;
use crate::harness::process::Site;
use crate::harness::receipts::client;

both! {
    a_step_is_told_in_the_order_of_its_entries,
    a_tile_of_another_length_is_one_finding_of_several,
    a_state_that_cannot_be_kept_hides_nothing,
    what_lies_behind_the_head_is_named,
    the_command_tells_what_it_found_before_it_failed,
}

/// Index rows are looked up behind the leaves, and there are more findings than are told.
async fn a_step_is_told_in_the_order_of_its_entries(db: TestDb) {
    fill(&db).await;
    let zeros = db.bytes(&[0; 40]);
    db.tamper("DELETE FROM index_keys WHERE idx = 5").await;
    db.tamper(&format!("UPDATE entries SET body = {zeros} WHERE idx BETWEEN 100 AND 124")).await;
    let found = sentences(&audit(&db).await);
    assert_eq!(found.len(), fsck::MAX_FINDINGS);
    assert!(found[0].starts_with("entry 5: index_keys.key:"), "{found:#?}");
}

async fn a_tile_of_another_length_is_one_finding_of_several(db: TestDb) {
    fill(&db).await;
    let cut = "UPDATE tiles SET hashes = substr(hashes, 1, 8191)";
    db.tamper(&match db.is_postgres() {
        true => format!("ALTER TABLE tiles DROP CONSTRAINT tiles_hashes_check; {cut}"),
        false => format!("PRAGMA ignore_check_constraints = 1; {cut}"),
    })
    .await;
    assert_found(&db, &["entries 0 to 255: tiles.hashes:", "has 8191 bytes"]).await;
    let zeros = db.bytes(&[0; 40]);
    db.tamper(&format!("UPDATE entries SET body = {zeros} WHERE idx IN (100, 200)")).await;
    let found = sentences(&audit(&db).await);
    let begins = |part: &str| found.iter().any(|sentence| sentence.starts_with(part));
    assert!(begins("entry 100: entries.body") && begins("entry 200: entries.body"), "{found:#?}");
    assert!(begins("entries 0 to 255: tiles.hashes:") && found.len() == 3, "{found:#?}");
}

async fn a_state_that_cannot_be_kept_hides_nothing(db: TestDb) {
    fill(&db).await;
    db.flip("entries", "body", 9, "idx = 7").await;
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("absent/state");
    let (mut told, mut kept) = (Vec::new(), true);
    let mut tell = |event: Event<'_>| match event {
        Event::Found(finding) => told.push(finding.clone()),
        Event::NotKept(_) => kept = false,
        Event::Progress(_) => {}
    };
    let options = Options { state, resume: false, rate: None };
    let store = db.open_for_audit().await;
    let report = fsck::run(&*store, &key(), &[], &options, &mut tell).await.expect("an audit");
    store.close().await;
    assert!(!kept && told == report.findings && told.len() == 1, "{told:?}");
}

/// The log could never be written again: the next round finds its place taken.
async fn what_lies_behind_the_head_is_named(db: TestDb) {
    fill(&db).await;
    let hash = |n: u8| db.bytes(&[n; 32]);
    let row = |index: u64, n: u8| {
        let (hash, body) = (hash(n), db.bytes(b"{}"));
        format!(
            "INSERT INTO entries (idx, integrated_time, leaf_hash, body)
             VALUES ({index}, 1, {hash}, {body});"
        )
    };
    db.tamper(&row(266, 1)).await;
    let expected = "entries.idx: expected none behind the head of 266 entries, found some";
    assert_found(&db, &["entry 266: ", expected]).await;
    db.tamper(&row(300, 2)).await;
    assert_found(&db, &["entries 266 to 300: ", expected]).await;
    let tile = db.bytes(&[7; 8_192]);
    db.tamper(&format!("INSERT INTO tiles (level, idx, hashes) VALUES (0, 1, {tile})")).await;
    let found = sentences(&audit(&db).await);
    let expected = "entries 256 to 511: tiles.idx: expected none behind the head of 266 entries";
    assert!(found.len() == 2 && found.iter().any(|f| f.starts_with(expected)), "{found:#?}");
}

async fn the_command_tells_what_it_found_before_it_failed(db: TestDb) {
    let site = Site::new(&db);
    let mut process = site.start(&[]);
    let client = client(&process.url, std::time::Duration::from_secs(60));
    for n in 0..5 {
        client.upload(&hashedrekord(n)).await.expect("it is taken");
    }
    process.terminate();
    assert!(process.wait().success());
    db.flip("entries", "body", 9, "idx = 3").await;
    std::fs::create_dir(site.data.path().join("fsck-state.json")).expect("in the way");
    let output = site.command(&["fsck"]).output().expect("it runs");
    let found = String::from_utf8(output.stdout).expect("UTF-8");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(found.starts_with("entry 3: entries.body") && !output.status.success(), "{found}");
    assert!(said.contains("will not know how far"), "{said}");
    assert!(said.contains("findings in a log of 5 entries: 1"), "{said}");
}

/// A page of the table is gone: SQLite says no more than that its file is malformed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_cannot_be_read_is_named_by_its_entries() {
    let db = TestDb::sqlite();
    fill(&db).await;
    let (body,): (Vec<u8>,) = db.ask("SELECT body FROM entries WHERE idx = 120").await;
    let mut file = std::fs::read(db.path()).expect("the database");
    let at = file.windows(body.len()).position(|bytes| bytes == body).expect("the body");
    let page = at / 4_096 * 4_096;
    file[page..page + 4_096].fill(0);
    std::fs::write(db.path(), file).expect("it is damaged");
    db.tamper("DELETE FROM index_keys WHERE idx = 3").await;
    let found = sentences(&audit(&db).await);
    assert_eq!(found.len(), 3, "two search strings, and the page: {found:#?}");
    assert!(found[0].starts_with("entry 3: index_keys.key:"), "{found:#?}");
    assert!(found[2].contains(": entries: expected what can be read, found "), "{found:#?}");
    // Those of one page: "entries 119 to 121".
    let words: Vec<&str> = found[2].split([' ', ':']).collect();
    let (first, last): (u64, u64) = (words[1].parse().unwrap(), words[3].parse().unwrap());
    assert!((first..=last).contains(&120) && last - first < 8, "{found:#?}");
}
