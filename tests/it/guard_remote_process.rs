//! The restore guard with a URL as an operator meets it: what the server says, counts
//! and shows, and what it keeps to itself.

use std::path::PathBuf;

use indelible_client::{Client, Uploaded};

use crate::guard_process::restored;
use crate::harness::databases::TestDb;
use crate::harness::evidence::hashedrekord;
use crate::harness::note_server::{BEARER, KEY_ID, Kind, Mood, NoteServer, SECRET, TOKEN};
use crate::harness::process::{self, Process, Site};

everywhere! {
    an_older_copy_on_a_new_machine_is_read_but_not_written,
    no_key_is_made_where_a_log_was,
    a_failing_place_is_counted_and_told_once,
    nothing_secret_is_ever_said,
}

async fn add(process: &Process, from: u64, to: u64) {
    let client = Client::builder(&process.url).retries(0).build().expect("a client");
    for n in from..to {
        let uploaded = client.upload(&hashedrekord(n)).await.expect("it is taken");
        assert!(matches!(uploaded, Uploaded::Created { .. }));
    }
}

/// Stops it; what it said last.
async fn stop(mut process: Process) -> Vec<String> {
    process.terminate();
    let said = process.rest();
    let status = process.wait();
    assert!(status.success(), "{status}");
    said
}

async fn status(url: &str) -> u16 {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    http.get(url).send().await.expect("an answer").status().as_u16()
}

/// Runs a command to its end: whether it succeeded, and all that it said.
async fn run(site: &Site, arguments: &[&str]) -> (bool, String) {
    let command = site.command(arguments);
    let output = tokio::task::spawn_blocking(move || process::run(command));
    let output = output.await.expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("UTF-8"))
}

fn site_with(db: &TestDb, server: &NoteServer) -> Site {
    let mut site = Site::new(db);
    site.set(server.environment(server.port()));
    site
}

fn file(site: &Site) -> PathBuf {
    site.data.path().join("last-checkpoint")
}

async fn an_older_copy_on_a_new_machine_is_read_but_not_written(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let site = site_with(&db, &server);
    restored(&site, &db).await;
    assert!(server.note().expect("a note").contains("\n7\n"));
    // The machine is lost, with the file.
    std::fs::remove_file(file(&site)).expect("the file is lost");
    let process = site.start(&[]);
    let reason = process.sealed();
    for part in ["holds 3 leaves", "tree of 7", &server.name(), "accept-restore --size 3"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!(process.metric("indelible_sealed").await, 1.0);
    let client = Client::builder(&process.url).retries(0).build().expect("a client");
    assert_eq!(client.log_info().await.expect("reading goes on").tree_size, 3);
    client.entry_by_index(2).await.expect("with proofs");
    let refused = client.upload(&hashedrekord(99)).await.expect_err("writing does not");
    assert!(refused.to_string().contains("503"), "{refused}");
    assert_eq!(status(&format!("{}/readyz", process.url)).await, 503);
    stop(process).await;
    assert!(server.note().expect("a note").contains("\n7\n"), "it is remembered");
    let (whole, said) = run(&site, &["fsck"]).await;
    assert!(!whole && said.contains("the last-checkpoint URL"), "{said}");
    let (done, said) = run(&site, &["accept-restore", "--size", "3"]).await;
    assert!(done && said.contains(&format!("{}.set-aside-", server.name())), "{said}");
    assert_eq!(server.count(), 2);
    let (done, said) = run(&site, &["accept-restore", "--size", "3"]).await;
    assert!(done && said.contains("nothing to accept"), "{said}");
    let process = site.start(&[]);
    add(&process, 7, 9).await;
    stop(process).await;
    assert!(server.note().expect("a note").contains("\n5\n"));
    assert!(std::fs::read_to_string(file(&site)).expect("a file").contains("\n5\n"));
}

async fn no_key_is_made_where_a_log_was(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let lost = site_with(&db, &server);
    let process = lost.start(&[]);
    add(&process, 0, 2).await;
    stop(process).await;
    // A new machine, on which nothing was restored.
    let empty = db.another().await;
    let site = site_with(&empty, &server);
    let refusal = site.refusal(&[]);
    for part in ["holds no log", "log-key.pem", &*server.name(), "restore the key file"] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    assert!(!site.key_file().exists(), "none was made");
    assert!(server.note().expect("a note").contains("\n2\n"), "it is remembered");
    // Without a note it is a new log.
    server.forget();
    stop(site.start(&[])).await;
    assert!(site.key_file().exists());
}

async fn a_failing_place_is_counted_and_told_once(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let site = site_with(&db, &server);
    let process = site.start(&[]);
    let label = if kind == Kind::S3 { "s3" } else { "http" };
    let metric = format!("indelible_failed_guard_writes{{target=\"{label}\"}}");
    let mut last = 0.0;
    for round in 0..2 {
        server.mood(Mood::Fails(500));
        add(&process, round * 2, round * 2 + 2).await;
        process.until_metric(&metric, |failures| failures >= last + 3.0).await;
        assert_eq!(status(&format!("{}/readyz", process.url)).await, 200, "it goes on");
        server.mood(Mood::Works);
        server.until_line(&(round * 2 + 2).to_string()).await;
        last = process.metric(&metric).await;
    }
    let told = stop(process).await;
    let count = |words: &str| told.iter().filter(|line| line.contains(words)).count();
    assert_eq!(count("the restore guard falls behind"), 2, "{told:?}");
    assert_eq!(count("the restore guard follows again"), 2, "{told:?}");
    let line = told.iter().find(|line| line.contains("falls behind")).expect("a line");
    assert!(line.contains(&server.name()) && line.contains("answered 500"), "{line}");
}

async fn nothing_secret_is_ever_said(db: TestDb, kind: Kind) {
    let server = NoteServer::start(kind).await;
    let mut site = site_with(&db, &server);
    let all = ["--log", "trace"];
    let process = site.start(&all);
    add(&process, 0, 2).await;
    server.until_line("2").await;
    server.mood(Mood::Fails(403));
    add(&process, 2, 3).await;
    server.more_requests(1).await;
    let early = format!("{:?}", process.early());
    let mut said = stop(process).await;
    said.push(early);
    said.push(site.refusal(&all));
    server.mood(Mood::Hangs);
    said.push(run(&site, &["fsck", "--log", "trace"]).await.1);
    server.mood(Mood::Works);
    said.push(run(&site, &["accept-restore", "--size", "3", "--log", "trace"]).await.1);
    said.push(run(&site, &["serve", "--help"]).await.1);
    let mut environment = server.environment(server.port());
    environment[0].1 = format!("https://me:{SECRET}@host/x");
    site.set(environment);
    said.push(site.refusal(&all));
    assert!(said.iter().any(|line| line.contains("answered 403")), "it was in trouble");
    let encoded = |text: &str| text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    for secret in [SECRET, TOKEN, BEARER, KEY_ID, "X-Amz-Signature", "Bearer ", &encoded(TOKEN)] {
        let line = said.iter().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret}: {line:?}");
    }
}
