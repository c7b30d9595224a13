//! The audit of a database that is damaged in several places, or cannot be read at
//! some of them: each is named, the first one first, and none is lost on the way.

use indelible::fsck::{self, Event, Options};
use indelible::store::StoreError;
use serde_json::Value;

use crate::fsck::{assert_found, audit, fill, open, sentences};
use crate::harness::databases::TestDb;
use crate::harness::evidence::{dsse, hashedrekord, verified};
use crate::harness::logs::key;
use crate::harness::process::Site;
use crate::harness::receipts::client;

both! {
    a_step_is_told_in_the_order_of_its_entries,
    a_tile_of_another_length_is_one_finding_of_several,
    a_state_that_cannot_be_kept_hides_nothing,
    what_lies_behind_the_head_is_named,
    an_older_schema_is_left_as_it_is,
    a_body_that_no_look_up_may_name_is_audited,
    the_command_tells_what_it_found_before_it_failed,
}

once! {
    a_row_under_another_index_hides_no_others,
    a_write_ahead_log_is_left_as_it_is,
    a_page_that_cannot_be_read_is_named_by_its_entries,
    an_index_that_tells_another_leaf_is_named,
    a_digest_that_is_wrong_in_its_row_alone_is_named,
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
    let zeros = db.bytes(&[0; 40]);
    db.tamper(&format!("UPDATE entries SET body = {zeros} WHERE idx IN (100, 200)")).await;
    let found = sentences(&audit(&db).await);
    let begins = |part: &str| found.iter().any(|sentence| sentence.starts_with(part));
    assert!(begins("entry 100: entries.body") && begins("entry 200: entries.body"), "{found:#?}");
    assert!(begins("entries 0 to 255: tiles.hashes:"), "{found:#?}");
    assert!(found.iter().any(|sentence| sentence.contains("has 8191 bytes")), "{found:#?}");
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
        _ => {}
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
    let output = site.run(&["fsck"]);
    let found = String::from_utf8(output.stdout).expect("UTF-8");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(found.starts_with("entry 3: entries.body") && !output.status.success(), "{found}");
    assert!(said.contains("will not know how far"), "{said}");
    assert!(said.contains("findings in a log of 5 entries: 1"), "{said}");
}

/// A line break in a signature is logged as it came, which is a form that proposals must not have.
async fn a_body_that_no_look_up_may_name_is_audited(db: TestDb) {
    let mut proposal = dsse(br#"{"subject":[{"digest":{"sha256":"00aa"}}]}"#);
    let place = &mut proposal["spec"]["proposedContent"]["envelope"];
    let mut envelope: Value = serde_json::from_str(place.as_str().expect("text")).expect("JSON");
    let sig = envelope["signatures"][0]["sig"].as_str().expect("text");
    envelope["signatures"][0]["sig"] = format!("{sig}\n").into();
    *place = envelope.to_string().into();
    let log = open(&db).await;
    log.submit(verified(proposal).into()).await.expect("the log takes it");
    log.close().await;
    let report = audit(&db).await;
    assert_eq!((report.visited, report.unread, sentences(&report)), (1, 0, Vec::new()));
    let (rows,): (i64,) = db.ask("SELECT count(*) FROM index_keys").await;
    db.tamper("DELETE FROM index_keys").await;
    let found = sentences(&audit(&db).await);
    // The body does not tell that its payload is a statement.
    assert_eq!(i64::try_from(found.len()).expect("few") + 1, rows, "{found:#?}");
}

/// An audit only reads.
async fn an_older_schema_is_left_as_it_is(db: TestDb) {
    db.migrate_to(2).await;
    let refused = db.try_open_for_audit().await.err().expect("refused");
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    let refused = refused.to_string();
    assert!(refused.contains("version 2") && refused.contains("`indelible migrate`"), "{refused}");
    let (applied,): (i64,) = db.ask("SELECT count(*) FROM _sqlx_migrations").await;
    assert_eq!(applied, 2);
    db.open().await.close().await;
    let store = db.try_open_for_audit().await.expect("it opens");
    assert!(store.load().await.expect("it is read").is_none());
    store.close().await;
}

/// SQLite copies a write-ahead log into its file when the last connection is closed, and what a
/// damaged one lost with it.
async fn a_write_ahead_log_is_left_as_it_is() {
    let site = Site::on("sqlite");
    let process = site.start(&[]);
    let client = client(&process.url, std::time::Duration::from_secs(60));
    for n in 0..20 {
        client.upload(&hashedrekord(n)).await.expect("it is taken");
    }
    process.kill();
    let [file, log] = ["log.sqlite", "log.sqlite-wal"].map(|name| site.data.path().join(name));
    let whole = std::fs::read(&log).expect("a log");
    for cut in [false, true] {
        if cut {
            std::fs::write(&log, &whole[..whole.len() / 2]).expect("it is cut");
        }
        let before = (std::fs::read(&file).expect("a file"), std::fs::read(&log).expect("a log"));
        let output = site.run(&["fsck"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(cut || output.status.success(), "{said}");
        assert!(before == (std::fs::read(&file).unwrap(), std::fs::read(&log).unwrap()));
    }
}

/// The file of a log that nobody has open.
struct File<'a> {
    db: &'a TestDb,
    bytes: Vec<u8>,
}

impl<'a> File<'a> {
    fn of(db: &'a TestDb) -> Self {
        Self { db, bytes: std::fs::read(db.path()).expect("the database") }
    }

    /// Where these bytes are.
    fn places(&self, bytes: &[u8]) -> Vec<usize> {
        let windows = self.bytes.windows(bytes.len()).enumerate();
        windows.filter(|(_, window)| *window == bytes).map(|(at, _)| at).collect()
    }

    /// Writes zeros over the page around this place.
    fn zero_page(&mut self, at: usize) {
        let page = at / 4_096 * 4_096;
        self.bytes[page..page + 4_096].fill(0);
        self.write();
    }

    fn flip(&mut self, at: usize) {
        self.bytes[at] ^= 1;
        self.write();
    }

    fn write(&self) {
        std::fs::write(self.db.path(), &self.bytes).expect("it is written");
    }
}

/// The first and the last entry of a sentence about several.
fn span(sentence: &str) -> (u64, u64) {
    let words: Vec<&str> = sentence.split([' ', ':']).collect();
    (words[1].parse().expect("an index"), words[3].parse().expect("an index"))
}

/// A page of the table is gone: SQLite says no more than that its file is malformed.
async fn a_page_that_cannot_be_read_is_named_by_its_entries() {
    let db = TestDb::sqlite();
    fill(&db).await;
    let (body,): (Vec<u8>,) = db.ask("SELECT body FROM entries WHERE idx = 120").await;
    db.tamper("DELETE FROM index_keys WHERE idx = 3").await;
    let mut file = File::of(&db);
    file.zero_page(file.places(&body)[0]);
    let found = sentences(&audit(&db).await);
    assert!(found[0].starts_with("entry 3: index_keys.key:"), "{found:#?}");
    assert!(found[1].starts_with("entry 3: index_keys.key:"), "{found:#?}");
    assert!(found[2].contains(": entries: expected what can be read, found "), "{found:#?}");
    let (first, last) = span(&found[2]);
    assert!((first..=last).contains(&120) && last - first < 8, "{found:#?}");
    let rest = &found[3..];
    assert!(rest.iter().all(|f| f.contains("own check:") && !f.contains('\n')), "{found:#?}");
    // The page, before SQLite gives up on it.
    assert!(
        rest.iter().any(|f| f.contains(" page ")) && !found.concat().contains("***"),
        "{found:#?}"
    );
}

/// SQLite hands rows out as they lie, and finds them by the index that they say.
async fn a_row_under_another_index_hides_no_others() {
    let db = TestDb::sqlite();
    fill(&db).await;
    let (leaf,): (Vec<u8>,) = db.ask("SELECT leaf_hash FROM entries WHERE idx = 5").await;
    let mut file = File::of(&db);
    // Of a row: its length, its index, seven bytes of types, four of a time, the leaf.
    let row = |at: &usize| file.bytes[at - 12] == 5 && file.bytes[at - 11] == 7;
    let rows = Vec::from_iter(file.places(&leaf).into_iter().filter(row));
    // And where SQLite left a copy behind.
    rows.iter().for_each(|at| file.flip(at - 12));
    let found = sentences(&audit(&db).await);
    assert_eq!(found[0], "entry 5: entries.idx: expected a row, found none");
    assert!(found[1..].iter().all(|f| f.contains("own check:")), "{found:#?}");
}

/// The server looks leaves up in an index of the database's own, which says something else than
/// the table: 404 for an entry that is there, and a second receipt for its leaf.
async fn an_index_that_tells_another_leaf_is_named() {
    let db = TestDb::sqlite();
    fill(&db).await;
    let (leaf,): (Vec<u8>,) = db.ask("SELECT leaf_hash FROM entries WHERE idx = 77").await;
    let whole = File::of(&db);
    let named = "entry 77: the database's index of entries.leaf_hash: expected this entry alone";
    // In the row, in the index, in the tile, and where SQLite left a copy behind.
    let mut in_index = Vec::new();
    for at in whole.places(&leaf) {
        File::of(&db).flip(at + 5);
        let found = sentences(&audit(&db).await);
        if found.iter().any(|f| f.starts_with(named)) {
            in_index.push(at);
        }
        whole.write();
    }
    assert_eq!(in_index.len(), 1);
    File::of(&db).zero_page(in_index[0]);
    let found = sentences(&audit(&db).await);
    let unreadable = "index of entries.leaf_hash: expected what can be read";
    assert!(found.iter().any(|f| f.contains(unreadable)), "{found:#?}");
}

/// The index leads to the row of a payload, whatever digest the row has.
async fn a_digest_that_is_wrong_in_its_row_alone_is_named() {
    let db = TestDb::sqlite();
    fill(&db).await;
    let (digest, data): (Vec<u8>, Vec<u8>) =
        db.ask("SELECT digest, data FROM attestations LIMIT 1").await;
    let mut file = File::of(&db);
    // A row is its digest and its payload, one behind the other.
    let row = file.places(&[digest, data].concat());
    file.flip(row[0] + 3);
    let found = sentences(&audit(&db).await);
    assert!(found[0].contains(": attestations.digest: expected a payload with"), "{found:#?}");
}
