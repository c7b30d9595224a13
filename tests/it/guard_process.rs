//! The restore guard as an operator meets it: a backup is put back, and the server
//! says what happened.

use std::path::PathBuf;

use indelible_client::verify::{LogKey, verify_entry};
use indelible_client::{Client, Uploaded};

use crate::harness::cluster::Cluster;
use crate::harness::databases::TestDb;
use crate::harness::evidence::hashedrekord;
use crate::harness::process::{Process, Site};

both! {
    an_older_copy_is_read_but_not_written,
    a_loss_is_accepted_for_each_server,
    another_course_of_the_log_is_noticed,
    a_kill_leaves_a_file_that_the_next_start_accepts,
    without_the_guard_nothing_is_compared,
    a_missing_file_is_told,
    another_course_in_the_file_closes_the_running_server,
    a_disk_that_hangs_holds_nobody_up,
}

once! {
    an_older_copy_is_read_without_its_standby,
}

fn client(process: &Process) -> Client {
    Client::builder(&process.url).retries(0).build().expect("a client")
}

async fn add(process: &Process, from: u64, to: u64) {
    for n in from..to {
        let uploaded = client(process).upload(&hashedrekord(n)).await.expect("it is taken");
        assert!(matches!(uploaded, Uploaded::Created { .. }));
    }
}

async fn stop(mut process: Process) {
    process.terminate();
    let status = process.wait();
    assert!(status.success(), "{status}");
}

async fn get(url: &str) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = http.get(url).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

fn note_file(site: &Site) -> PathBuf {
    site.data.path().join("last-checkpoint")
}

fn note(site: &Site) -> String {
    std::fs::read_to_string(note_file(site)).expect("the last checkpoint")
}

/// Runs a command to its end: whether it succeeded, and what it said.
fn run(site: &Site, arguments: &[&str]) -> (bool, String) {
    let output = site.run(arguments);
    (output.status.success(), String::from_utf8(output.stderr).expect("UTF-8"))
}

/// Sizes 3 and 7, the database put back to 3.
pub(crate) async fn restored(site: &Site, db: &TestDb) {
    let process = site.start(&[]);
    add(&process, 0, 3).await;
    stop(process).await;
    let backup = db.copy("backup").await;
    let process = site.start(&[]);
    add(&process, 3, 7).await;
    stop(process).await;
    assert!(note(site).contains("\n7\n"), "{}", note(site));
    db.restore(&backup).await;
}

async fn an_older_copy_is_read_but_not_written(db: TestDb) {
    let site = Site::new(&db);
    restored(&site, &db).await;
    let process = site.start(&[]);
    let reason = process.sealed();
    for part in ["holds 3 leaves", "tree of 7", "last-checkpoint", "accept-restore --size 3"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    // Reading goes on, with proofs.
    let client = client(&process);
    let key = LogKey::from_pem(&client.public_key(None).await.expect("the key")).expect("a key");
    let entry = client.entry_by_index(2).await.expect("it is there");
    verify_entry(&entry, &key).expect("it verifies");
    assert_eq!(client.log_info().await.expect("the head").tree_size, 3);
    // Writing does not.
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let body = hashedrekord(99).to_string();
    let request = http.post(format!("{}/api/v1/log/entries", process.url)).body(body);
    let answer = request.header("content-type", "application/json").send().await.expect("sent");
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let text = answer.text().await.expect("text");
    assert!(text.contains("takes no entries") && !text.contains("accept-restore"), "{text}");
    let (status, text) = get(&format!("{}/readyz", process.url)).await;
    assert!(status == 503 && text.contains("can be read"), "{status} {text}");
    assert_eq!(get(&format!("{}/healthz", process.url)).await.0, 200);
    assert!(get(&format!("{}/metrics", process.metrics)).await.1.contains("indelible_sealed 1"));
    stop(process).await;
    assert!(note(&site).contains("\n7\n"), "what was signed is remembered");
    let (found, said) = run(&site, &["fsck"]);
    assert!(!found && said.contains("findings"), "{said}");
    // Nobody accepts another database than the one that was looked at.
    let (done, said) = run(&site, &["accept-restore", "--size", "7"]);
    assert!(!done && said.contains("holds 3 entries, not 7"), "{said}");
    let (done, said) = run(&site, &["accept-restore", "--size", "3"]);
    assert!(done && said.contains("set-aside"), "{said}");
    let files = std::fs::read_dir(site.data.path()).expect("the data directory");
    let files = files.map(|file| file.expect("a file").path());
    let aside: Vec<_> = files.filter(|f| f.to_string_lossy().contains("set-aside")).collect();
    assert!(std::fs::read_to_string(&aside[0]).expect("the former note").contains("\n7\n"));
    let (done, said) = run(&site, &["accept-restore", "--size", "3"]);
    assert!(done && said.contains("nothing to accept"), "{said}");
    let process = site.start(&[]);
    assert_eq!(get(&format!("{}/readyz", process.url)).await.0, 200);
    add(&process, 7, 9).await;
    stop(process).await;
    assert!(note(&site).contains("\n5\n"));
}

/// One after the other, since an SQLite file has one server at a time.
async fn a_loss_is_accepted_for_each_server(db: TestDb) {
    let (site, other) = (Site::new(&db), Site::new(&db));
    let process = site.start(&[]);
    add(&process, 0, 3).await;
    stop(process).await;
    let backup = db.copy("backup").await;
    std::fs::copy(site.key_file(), other.key_file()).expect("a copy of the key");
    let process = site.start(&[]);
    add(&process, 3, 7).await;
    stop(process).await;
    stop(other.start(&[])).await;
    assert!(note(&other).contains("\n7\n"));
    db.restore(&backup).await;
    let accept = ["accept-restore", "--size", "3"];
    let (done, said) = run(&site, &accept);
    assert!(done && said.contains("set-aside"), "{said}");
    // The other one remembers what is lost.
    let process = other.start(&[]);
    assert!(process.sealed().contains("holds 3 leaves"));
    stop(process).await;
    let (done, said) = run(&other, &accept);
    assert!(done && said.contains("set-aside"), "{said}");
    for (server, size) in [(&site, 4), (&other, 5)] {
        let process = server.start(&[]);
        add(&process, size + 3, size + 4).await;
        stop(process).await;
        assert!(note(server).contains(&format!("\n{size}\n")));
    }
}

async fn another_course_of_the_log_is_noticed(db: TestDb) {
    let site = Site::new(&db);
    restored(&site, &db).await;
    let signed = note(&site);
    assert!(run(&site, &["accept-restore", "--size", "3"]).0);
    // Seven leaves again, but others; then more than seven.
    for (from, to) in [(10, 14), (14, 16)] {
        let process = site.start(&["--last-checkpoint", "off"]);
        add(&process, from, to).await;
        stop(process).await;
        std::fs::write(note_file(&site), &signed).expect("the note from before");
        let process = site.start(&[]);
        let reason = process.sealed();
        assert!(reason.contains("two roots for the first 7 leaves"), "{reason}");
        assert_eq!(client(&process).log_info().await.expect("the head").tree_size, to - 7);
        stop(process).await;
        let output = site.run(&["fsck"]);
        let found = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(!output.status.success() && found.contains("last-checkpoint"), "{found}");
    }
}

async fn a_kill_leaves_a_file_that_the_next_start_accepts(db: TestDb) {
    let site = Site::new(&db);
    for life in 0..3 {
        let process = site.start(&[]);
        assert_eq!(get(&format!("{}/readyz", process.url)).await.0, 200);
        add(&process, life * 20, life * 20 + 20).await;
        process.kill();
    }
    let process = site.start(&[]);
    assert_eq!(client(&process).log_info().await.expect("the head").tree_size, 60);
    stop(process).await;
    assert!(note(&site).contains("\n60\n"));
}

async fn without_the_guard_nothing_is_compared(db: TestDb) {
    let site = Site::new(&db);
    let file = site.data.path().join("elsewhere");
    let process = site.start(&["--last-checkpoint", file.to_str().expect("a path")]);
    add(&process, 0, 2).await;
    stop(process).await;
    assert!(std::fs::read_to_string(&file).expect("the file").contains("\n2\n"));
    assert!(!note_file(&site).exists());
    std::fs::write(note_file(&site), "garbage").expect("a bad note");
    let refused = site.refusal(&[]);
    assert!(refused.contains("holds no checkpoint that this log signed"), "{refused}");
    let process = site.start(&["--last-checkpoint", "off"]);
    add(&process, 2, 3).await;
    stop(process).await;
    assert_eq!(note(&site), "garbage", "it is not touched");
}

async fn a_missing_file_is_told(db: TestDb) {
    let site = Site::new(&db);
    let told = "no last checkpoint is there to compare the database with";
    let process = site.start(&[]);
    assert!(!process.said(told), "a new log has none");
    add(&process, 0, 2).await;
    stop(process).await;
    let process = site.start(&[]);
    assert!(!process.said(told));
    stop(process).await;
    // As when the disk that it is on is not mounted.
    std::fs::remove_file(note_file(&site)).expect("it is gone");
    let process = site.start(&[]);
    let lines = process.early().iter();
    let mut told = lines.filter(|line| line["message"].as_str().is_some_and(|m| m.contains(told)));
    let line = told.next().expect("a line");
    assert!(line["level"] == "WARN" && line["size"] == 2, "{line}");
    assert!(line["place"].as_str().is_some_and(|place| place.contains("last-checkpoint")));
    assert!(told.next().is_none());
    stop(process).await;
    assert!(note(&site).contains("\n2\n"));
}

async fn another_course_in_the_file_closes_the_running_server(db: TestDb) {
    let site = Site::new(&db);
    // A second database of this log, begun beside the first one.
    let second = db.another().await;
    let (key, elsewhere) = (site.key_file(), site.data.path().join("elsewhere"));
    let process = site.start(&[]);
    add(&process, 0, 3).await;
    let theirs = Site::new(&second);
    let settings = [("--key", &key), ("--last-checkpoint", &elsewhere)];
    let settings = settings.map(|(name, path)| [name, path.to_str().expect("a path")]);
    let other = theirs.start(&settings.concat());
    add(&other, 10, 12).await;
    stop(other).await;
    while !note(&site).contains("\n3\n") {
        tokio::task::yield_now().await;
    }
    let signed = std::fs::read_to_string(&elsewhere).expect("their note");
    std::fs::write(note_file(&site), &signed).expect("it is written as if the file were shared");
    add(&process, 3, 4).await;
    process.until_metric("indelible_sealed", |value| value == 1.0).await;
    let client = client(&process);
    let refused = client.upload(&hashedrekord(99)).await.expect_err("it takes nothing more");
    assert!(refused.to_string().contains("takes no entries"), "{refused}");
    let (status, text) = get(&format!("{}/readyz", process.url)).await;
    assert!(status == 503 && text.contains("can be read"), "{status} {text}");
    assert_eq!(client.log_info().await.expect("reading goes on").tree_size, 4);
    process.terminate();
    let mut process = process;
    let said = process.rest();
    let line = said.iter().find(|line| line.contains("two databases of this log are written"));
    let line = line.expect("a line");
    for part in ["ERROR", "two roots for the first 2 leaves", "accept-restore --size 4"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(process.wait().success());
    assert_eq!(note(&site), signed, "the evidence is left alone");
    let process = site.start(&[]);
    assert!(process.sealed().contains("two roots for the first 2 leaves"));
}

/// A whole cluster is put back, and waits for a standby that is not there.
async fn an_older_copy_is_read_without_its_standby() {
    let cluster = Cluster::start(&[]);
    let site = Site::on(cluster.database().await);
    let process = site.start(&[]);
    add(&process, 0, 1).await;
    stop(process).await;
    cluster.order("postgres", &["CREATE DATABASE backup TEMPLATE log"]).await;
    let process = site.start(&[]);
    add(&process, 1, 2).await;
    stop(process).await;
    let restore = ["DROP DATABASE log", "ALTER DATABASE backup RENAME TO log"];
    cluster.order("postgres", &restore).await;
    cluster.name_standby("absent").await;
    let process = site.start(&[]);
    let reason = process.sealed();
    assert!(reason.contains("holds 1 leaves"), "{reason}");
    let client = client(&process);
    assert_eq!(client.log_info().await.expect("the head").tree_size, 1);
    client.entry_by_index(0).await.expect("it is there");
}

/// Who opens a pipe with nobody at its other end waits for ever, as for a network file system that is
/// gone.
async fn a_disk_that_hangs_holds_nobody_up(db: TestDb) {
    let site = Site::new(&db);
    let mut process = site.start(&[]);
    add(&process, 0, 1).await;
    std::fs::remove_file(note_file(&site)).expect("the file goes");
    let made = std::process::Command::new("mkfifo").arg(note_file(&site)).status();
    assert!(made.expect("mkfifo runs").success());
    add(&process, 1, 2).await;
    let failures = "indelible_failed_guard_writes{target=\"file\"}";
    process.until_metric(failures, |failures| failures >= 2.0).await;
    add(&process, 2, 3).await;
    process.terminate();
    let said = process.rest();
    assert!(process.wait().success());
    let told = said.iter().filter(|line| line.contains("the disk has not answered for 5 s"));
    assert_eq!(told.count(), 1, "{said:?}");
    let refusal = site.refusal(&[]);
    let once = refusal.matches("the disk has not answered").count() == 1;
    assert!(once && refusal.contains("`off`"), "{refusal}");
}
