//! The audit: what is damaged is named, what is whole is not, and it can be
//! interrupted.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use indelible::fsck::{self, Event, FsckError, Options, Progress, Report};
use indelible::log::{self, Log, index_key};
use indelible::store::Store;
use indelible_client::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::databases::TestDb;
use crate::harness::evidence::{
    certified, dsse, envelope, hashedrekord, leaf, public_key_pem, verified,
};
use crate::harness::logs::key;
use crate::harness::process::{self, Site};

both! {
    a_flipped_byte_in_any_column_is_named,
    an_empty_log_is_whole,
    a_change_that_covers_its_tracks_is_named,
    lost_rows_are_named,
    an_audit_resumes_before_its_first_finding,
    an_audit_keeps_to_its_rate,
    a_state_file_of_another_log_is_refused,
    the_command_says_what_it_found,
    a_live_log_is_audited_up_to_its_head,
}

/// Entries: one full tile, some more, then one of each kind.
const PLAIN: u64 = 262;
const DSSE: u64 = PLAIN;
const INTOTO: u64 = PLAIN + 1;
const CERTIFIED: u64 = PLAIN + 2;
pub(crate) const LAST: u64 = PLAIN + 3;

const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[
    {"name":"a","digest":{"sha256":"00aa"}},{"name":"b","digest":{"sha256":"00bb"}}]}"#;

const PAYLOAD: &[u8] = b"{\"a payload\":7}";

pub(crate) async fn open(db: &TestDb) -> Log {
    open_in(db.open().await).await
}

pub(crate) async fn open_in(store: Arc<dyn Store>) -> Log {
    let options = log::Options::default();
    let clock: log::Clock = Arc::new(|| 1_700_000_000);
    let opened = log::open(store, key(), None, "log.example", options, clock).await;
    opened.expect("the log opens")
}

fn intoto(payload: &[u8]) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let envelope = envelope("application/vnd.in-toto+json", payload);
    let parsed: Value = serde_json::from_str(&envelope).expect("JSON");
    let twice = |value: &Value| STANDARD.encode(value.as_str().expect("text"));
    json!({ "apiVersion": "0.0.2", "kind": "intoto", "spec": { "content": {
        "envelope": {
            "payloadType": parsed["payloadType"],
            "payload": twice(&parsed["payload"]),
            "signatures": [{
                "sig": twice(&parsed["signatures"][0]["sig"]),
                "publicKey": STANDARD.encode(public_key_pem()),
            }],
        },
        "hash": { "algorithm": "sha256", "value": "00".repeat(32) },
    } } })
}

pub(crate) async fn fill(db: &TestDb) {
    fill_in(open(db).await).await;
}

pub(crate) async fn fill_in(log: Log) {
    for n in 0..PLAIN {
        log.submit(leaf(n)).await.expect("the log takes it");
    }
    for proposal in [dsse(STATEMENT), intoto(PAYLOAD), certified().0, hashedrekord(PLAIN)] {
        log.submit(verified(proposal).into()).await.expect("the log takes it");
    }
    log.close().await;
}

/// Audits with the state in this folder.
pub(crate) async fn audit_in(
    db: &TestDb,
    folder: &TempDir,
    resume: bool,
) -> Result<Report, FsckError> {
    let options = Options { state: folder.path().join("state"), resume, rate: None };
    let store = db.open_for_audit().await;
    let report = fsck::run(&*store, &key(), &[], &options, &mut |_| {}).await;
    store.close().await;
    report
}

pub(crate) async fn audit(db: &TestDb) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    audit_in(db, &folder, false).await.expect("an audit")
}

pub(crate) fn sentences(report: &Report) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

pub(crate) async fn assert_whole(db: &TestDb) {
    let report = audit(db).await;
    let (size, visited) = (LAST + 1, LAST + 1);
    assert_eq!(report, Report { size, visited, ..Report::default() }, "{:?}", sentences(&report));
}

/// The one finding says all of this.
pub(crate) async fn assert_found(db: &TestDb, parts: &[&str]) {
    let found = sentences(&audit(db).await);
    assert_eq!(found.len(), 1, "{parts:?}: {found:#?}");
    assert!(parts.iter().all(|part| found[0].contains(part)), "{parts:?}: {}", found[0]);
    assert!(found[0].contains(": expected ") && found[0].contains(", found "), "{}", found[0]);
}

async fn a_flipped_byte_in_any_column_is_named(db: TestDb) {
    fill(&db).await;
    assert_whole(&db).await;
    let key_row = |index: u64, search: &str| {
        format!("idx = {index} AND key = {}", db.key(index_key(search).as_bytes()))
    };
    let plain = format!("sha256:{}", crate::harness::evidence::digest(20));
    let flips = [
        ("entries", "body", 40, "idx = 17", &["entry 17: entries.body:"][..]),
        ("entries", "body", 40, "idx = 260", &["entry 260: entries.body:"]),
        ("entries", "leaf_hash", 31, "idx = 18", &["entry 18: entries.leaf_hash:"]),
        ("entries", "attestation", 3, "idx = 262", &["entry 262: entries.attestation:"]),
        ("tiles", "hashes", 32 * 30, "level = 0", &["entry 30: tiles.hashes:", "tile 0/0"]),
        ("tiles", "upper_half", 32 * 3 + 9, "level = 0", &["entries 48 to 63: tiles.upper_half:"]),
        ("head", "root", 0, "size > 0", &["the log: head.root:"]),
        ("log", "public_key", 90, "tree_id > 0", &["the log: log.public_key:"]),
        (
            "attestations",
            "data",
            5,
            &format!("digest = {}", digest_of(&db)),
            &["entry 262: attestations.data:"],
        ),
    ];
    for (table, column, byte, rows, parts) in flips {
        db.flip(table, column, byte, rows).await;
        assert_found(&db, parts).await;
        db.flip(table, column, byte, rows).await;
    }
    assert_whole(&db).await;
    let payload = format!("sha256:{}", hex::encode(crate::harness::rounds::sha256(PAYLOAD)));
    moved_tiles(&db).await;
    // Columns that find their own row: there, and back.
    let statement = key_row(DSSE, "sha256:00aa");
    let rows = [
        (key_row(20, &plain), "entry 20: index_keys.key:", plain.as_str()),
        (key_row(CERTIFIED, "signer@example.com"), "entry 264: index_keys.key:", "signer@"),
        (statement, "entry 262: index_keys.key:", "sha256:00aa"),
        (key_row(INTOTO, &payload), "entry 263: index_keys.key:", payload.as_str()),
    ];
    for (row, entry, search) in rows {
        for (change, back) in [("idx = idx + 5000", "idx = idx - 5000")] {
            let moved = row.replacen("idx = ", "idx - 5000 = ", 1);
            db.tamper(&format!("UPDATE index_keys SET {change} WHERE {row}")).await;
            assert_found(&db, &[entry, search]).await;
            db.tamper(&format!("UPDATE index_keys SET {back} WHERE {moved}")).await;
        }
        let flipped = db.key(&[7; 16]);
        let key = row.split_once("key = ").expect("a key").1;
        db.tamper(&format!("UPDATE index_keys SET key = {flipped} WHERE {row}")).await;
        assert_found(&db, &[entry, search]).await;
        db.tamper(&format!("UPDATE index_keys SET key = {key} WHERE key = {flipped}")).await;
    }
    let digest = digest_of(&db);
    let other = db.bytes(&[9; 32]);
    db.tamper(&format!("UPDATE attestations SET digest = {other} WHERE digest = {digest}")).await;
    assert_found(&db, &["entry 262: attestations.digest:"]).await;
    db.tamper(&format!("UPDATE attestations SET digest = {digest} WHERE digest = {other}")).await;
    assert_whole(&db).await;
    numbers_and_texts(&db).await;
}

/// The digest of the statement, as a constant.
fn digest_of(db: &TestDb) -> String {
    db.bytes(&crate::harness::rounds::sha256(STATEMENT))
}

/// A tile that is elsewhere is missing in one place and too many in the other.
async fn moved_tiles(db: &TestDb) {
    for (there, back, beyond) in [
        ("idx = idx + 3", "idx = idx - 3", "entries 768 to 1023: tiles.idx:"),
        ("level = level + 1", "level = level - 1", "entries 0 to 65535: tiles.idx:"),
        ("level = level + 9", "level = level - 9", "tile 9/0"),
    ] {
        db.tamper(&format!("UPDATE tiles SET {there}")).await;
        let found = sentences(&audit(db).await);
        let missing = "entries 0 to 255: tiles.hashes: expected a full tile";
        assert!(found.len() == 2 && found[0].starts_with(missing), "{found:#?}");
        assert!(found[1].contains(beyond), "{found:#?}");
        assert!(found[1].contains("none behind the head of 266 entries"), "{found:#?}");
        db.tamper(&format!("UPDATE tiles SET {back}")).await;
    }
}

/// Changes of columns that hold no bytes, each taken back.
async fn numbers_and_texts(db: &TestDb) {
    let origin = "log.example - ";
    let changes = [
        (
            "entries SET integrated_time = integrated_time + 9 WHERE idx = 19",
            "- 9 WHERE idx = 19",
            "entry 19: entries.integrated_time:",
        ),
        (
            "entries SET integrated_time = integrated_time - 9 WHERE idx = 19",
            "+ 9 WHERE idx = 19",
            "entry 19: entries.integrated_time:",
        ),
        (
            "entries SET integrated_time = integrated_time + 9 WHERE idx = 265",
            "- 9 WHERE idx = 265",
            "entry 265: entries.integrated_time",
        ),
        ("head SET size = size + 1 WHERE size > 0", "- 1 WHERE size > 0", "head.size:"),
        ("head SET size = size - 1 WHERE size > 0", "+ 1 WHERE size > 0", "head.size:"),
        ("head SET time = time + 1 WHERE size > 0", "- 1 WHERE size > 0", "head.time:"),
        (
            "log SET created_at = created_at + 1 WHERE tree_id > 0",
            "- 1 WHERE tree_id > 0",
            "log.created_at:",
        ),
        (
            "log SET tree_id = tree_id - 1 WHERE tree_id > 0",
            "+ 1 WHERE tree_id > 0",
            "log.tree_id:",
        ),
    ];
    for (change, back, part) in changes {
        db.tamper(&format!("UPDATE {change}")).await;
        assert_found(db, &[part]).await;
        let column = change.split_once(" = ").expect("an assignment");
        let name = column.0.rsplit(' ').next().expect("a column");
        db.tamper(&format!("UPDATE {} = {name} {back}", column.0)).await;
    }
    assert_whole(db).await;
    for (change, back, part) in [
        ("log SET hostname = 'log.exbmple'", "log SET hostname = 'log.example'", "log.hostname:"),
        (
            &format!("head SET checkpoint = replace(checkpoint, '{origin}', 'log.exbmple - ')")[..],
            &format!("head SET checkpoint = replace(checkpoint, 'log.exbmple - ', '{origin}')")[..],
            "head.checkpoint:",
        ),
        // What is served beside the signed text is not signed.
        (
            "head SET checkpoint = replace(checkpoint, '\u{2014} log.e', '\u{2014} log.f')",
            "head SET checkpoint = replace(checkpoint, '\u{2014} log.f', '\u{2014} log.e')",
            "head.checkpoint:",
        ),
        (
            "head SET checkpoint = checkpoint || '\u{2014} other.example AAAAAAA=\n'",
            "head SET checkpoint = replace(checkpoint, '\u{2014} other.example AAAAAAA=\n', '')",
            "head.checkpoint:",
        ),
        // The payload of another entry, where there is none.
        (
            "entries SET attestation = (SELECT digest FROM attestations LIMIT 1) WHERE idx = 265",
            "entries SET attestation = NULL WHERE idx = 265",
            "entry 265: entries.attestation: expected none",
        ),
    ] {
        db.tamper(&format!("UPDATE {change}")).await;
        assert_found(db, &[part]).await;
        db.tamper(&format!("UPDATE {back}")).await;
    }
    assert_whole(db).await;
}

async fn an_empty_log_is_whole(db: TestDb) {
    open(&db).await.close().await;
    assert_eq!(audit(&db).await, Report::default());
    db.tamper("UPDATE head SET time = time + 1").await;
    assert_found(&db, &["the log: head.time or log.created_at:"]).await;
}

async fn a_change_that_covers_its_tracks_is_named(db: TestDb) {
    fill(&db).await;
    // Body and leaf hash agree, but neither the tile nor the signed root with them.
    forge(&db, 33).await;
    forge(&db, 40).await;
    forge(&db, 41).await;
    let report = audit(&db).await;
    let found = sentences(&report);
    assert!(found.len() == 3 && report.unread == 0, "{found:#?}");
    for (found, index) in found.iter().zip([33, 40, 41]) {
        let named = format!("entry {index}: entries.body and entries.leaf_hash: expected a body");
        assert!(found.starts_with(&named), "{found}");
    }
    // In the last, partial tile no hash tells which leaf it is.
    forge(&db, 260).await;
    let found = sentences(&audit(&db).await);
    assert!(found.iter().any(|f| f.contains("head.root:")), "{found:#?}");
}

/// Another body with the leaf hash that belongs to it.
pub(crate) async fn forge(db: &TestDb, index: u64) {
    let body = format!("{{\"forged\":{index}}}");
    let leaf = tlog::Hash::leaf(body.as_bytes());
    let (body, hash) = (db.bytes(body.as_bytes()), db.bytes(leaf.as_bytes()));
    let forged = format!("body = {body}, leaf_hash = {hash}");
    db.tamper(&format!("UPDATE entries SET {forged} WHERE idx = {index}")).await;
}

async fn lost_rows_are_named(db: TestDb) {
    fill(&db).await;
    db.tamper("DELETE FROM entries WHERE idx BETWEEN 40 AND 49").await;
    assert_found(&db, &["entries 40 to 49: entries.idx: expected a row, found none"]).await;
    // In the last, partial tile nothing tells the hash: the walk ends there.
    db.tamper("DELETE FROM entries WHERE idx = 258").await;
    let found = sentences(&audit(&db).await);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[1].starts_with("entry 258: entries.idx:"), "{found:#?}");
    // More than anybody wants to read.
    db.tamper("DELETE FROM index_keys").await;
    assert_eq!(audit(&db).await.findings.len(), fsck::MAX_FINDINGS);
    db.tamper("DELETE FROM log; DELETE FROM head;").await;
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(audit_in(&db, &folder, false).await, Err(FsckError::NoLog)));
}

async fn an_audit_resumes_before_its_first_finding(db: TestDb) {
    fill(&db).await;
    let folder = tempfile::tempdir().expect("a folder");
    db.flip("entries", "body", 9, "idx = 260").await;
    let found = audit_in(&db, &folder, false).await.expect("an audit");
    assert_eq!(found.findings.len(), 1);
    // Before that it found nothing, so it does not look there again.
    db.flip("entries", "body", 9, "idx = 3").await;
    let again = audit_in(&db, &folder, true).await.expect("an audit");
    assert!(sentences(&again).iter().all(|f| f.starts_with("entry 260")), "{again:?}");
    db.flip("entries", "body", 9, "idx = 260").await;
    let repaired = audit_in(&db, &folder, true).await.expect("an audit");
    assert_eq!(repaired.findings, Vec::new());
    assert!(!folder.path().join("state").exists(), "it is done");
    let anew = audit_in(&db, &folder, true).await.expect("an audit");
    assert!(sentences(&anew)[0].starts_with("entry 3:"), "{anew:?}");
}

async fn an_audit_keeps_to_its_rate(db: TestDb) {
    let log = open(&db).await;
    for n in 0..40 {
        log.submit(leaf(n)).await.expect("the log takes it");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let options =
        Options { state: folder.path().join("state"), resume: false, rate: NonZeroU32::new(100) };
    let store = db.open_for_audit().await;
    let mut seen: Vec<Progress> = Vec::new();
    let started = std::time::Instant::now();
    let mut show = |event: Event<'_>| {
        if let Event::Progress(progress) = event {
            seen.push(progress);
            // As a process that was stopped: what was missed is not caught up with.
            while progress.done == 10 && started.elapsed() < Duration::from_millis(400) {}
        }
    };
    let report = fsck::run(&*store, &key(), &[], &options, &mut show).await.expect("an audit");
    assert!(started.elapsed() >= Duration::from_millis(600) && seen.len() >= 4, "{seen:?}");
    assert_eq!((report.size, report.findings.len()), (40, 0));
    assert_eq!(seen.first(), Some(&Progress { began: 0, done: 0, size: 40 }));
}

async fn a_state_file_of_another_log_is_refused(db: TestDb) {
    fill(&db).await;
    let folder = tempfile::tempdir().expect("a folder");
    db.flip("entries", "body", 9, "idx = 260").await;
    audit_in(&db, &folder, false).await.expect("an audit");
    let state = folder.path().join("state");
    let whole = std::fs::read_to_string(&state).expect("a state");
    let at = whole.find("\"root\":\"").expect("a root") + 8;
    let digit = if whole.as_bytes()[at] == b'0' { "1" } else { "0" };
    let other_root = [&whole[..at], digit, &whole[at + 1..]].concat();
    let other_tree = whole.replacen("\"tree_id\":", "\"tree_id\":1", 1);
    for text in [other_root, other_tree, "garbage".to_owned()] {
        std::fs::write(&state, text).expect("a bad state");
        let refused = audit_in(&db, &folder, true).await.expect_err("it is refused").to_string();
        assert!(refused.contains("run without --resume"), "{refused}");
    }
}

async fn the_command_says_what_it_found(db: TestDb) {
    let site = Site::new(&db);
    let mut process = site.start(&[]);
    let client = Client::builder(&process.url).retries(0).build().expect("a client");
    for n in 0..5 {
        client.upload(&hashedrekord(n)).await.expect("it is taken");
    }
    process.terminate();
    assert!(process.wait().success());
    let run = |arguments: &[&str]| {
        let output = site.run(arguments);
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for name in ["fsck", "check"] {
        let (code, found, said) = run(&[name, "--rate", "100000"]);
        assert_eq!((code, found.as_str()), (Some(0), ""), "{said}");
        assert!(said.contains("5 of 5 entries"), "{said}");
        assert!(said.contains("every body, tile, index row and payload, the head"), "{said}");
    }
    db.flip("entries", "body", 9, "idx = 3").await;
    let (code, found, said) = run(&["fsck"]);
    assert_eq!(code, Some(1));
    assert!(found.starts_with("entry 3: entries.body") && found.ends_with('\n'), "{found}");
    assert!(said.contains("findings in a log of 5 entries: 1"), "{said}");
    assert!(site.data.path().join("fsck-state.json").exists());
    db.flip("entries", "body", 9, "idx = 3").await;
    assert_eq!(run(&["fsck", "--resume"]).0, Some(0));
    let absent = site.data.path().join("absent.sqlite");
    let setting = format!("sqlite:{}", absent.display());
    let (code, _, said) = run(&["fsck", "--database", &setting]);
    assert!(code == Some(1) && said.contains("there is no database"), "{said}");
    assert!(!absent.exists());
}

async fn a_live_log_is_audited_up_to_its_head(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&[]);
    let client = Client::builder(&process.url).retries(0).build().expect("a client");
    let writer = tokio::spawn({
        let client = client.clone();
        async move {
            for n in 0.. {
                client.upload(&hashedrekord(n)).await.expect("it is taken");
            }
        }
    });
    let size = async || client.log_info().await.expect("the head").tree_size;
    while size().await < 20 {
        assert!(!writer.is_finished(), "it goes on for as long as it is let");
    }
    // A disk may be slower than an audit of so few entries.
    let (mut audits, mut during) = (0, 0);
    while during < 3 {
        audits += 1;
        assert!(audits < 100, "the log grew during {during} of them");
        let command = site.command(&["fsck"]);
        let before = size().await;
        let output = tokio::task::spawn_blocking(move || process::run(command)).await;
        let output = output.expect("it runs");
        let grown = size().await > before;
        let (found, said) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{found}\n{said}");
        during += usize::from(grown);
    }
    assert!(!writer.is_finished(), "it goes on for as long as it is let");
    writer.abort();
    process.kill();
}
