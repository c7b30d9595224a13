//! The server as a process: starting, dying, being asked to stop, being watched.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use indelible_client::verify::{LogKey, verify_entry};
use indelible_client::{Client, Uploaded};
use sqlx::{Connection as _, PgConnection};

use crate::harness::databases::TestDb;
use crate::harness::evidence::hashedrekord;
use crate::harness::process::{Process, Site, mode};
use crate::process_lines::hold_writes;
use crate::store_outage::until;

both! {
    what_was_answered_survives_a_kill,
    a_shutdown_finishes_what_is_under_way,
    a_start_that_waits_can_be_stopped,
    an_upgrade_that_waits_can_be_stopped,
    surprises_at_the_start_are_refused,
    operators_see_what_happens,
    what_is_switched_off_is_not_measured,
    few_open_files_mean_few_connections,
    a_flood_of_bad_bodies_leaves_memory_flat,
}

fn client(process: &Process) -> Client {
    let client = Client::builder(&process.url).retries(0).timeout(Some(Duration::from_secs(60)));
    client.build().expect("a client")
}

async fn log_key(client: &Client) -> LogKey {
    let pem = client.public_key(None).await.expect("the key");
    LogKey::from_pem(&pem).expect("a key")
}

/// Uploads until the server is gone; IDs and indexes of what was answered.
async fn upload_until_gone(client: Client, from: u64) -> Vec<(String, u64)> {
    let mut answered = Vec::new();
    for n in from.. {
        match client.upload(&hashedrekord(n)).await {
            Ok(Uploaded::Created { entry, .. }) => {
                let (id, body) = entry.single().expect("one entry");
                answered.push((id.to_owned(), body.log_index));
            }
            Ok(Uploaded::Exists { .. }) => panic!("nothing is uploaded twice"),
            Err(_) => break,
        }
    }
    answered
}

async fn what_was_answered_survives_a_kill(db: TestDb) {
    let site = Site::new(&db);
    let mut answered = Vec::new();
    for life in 0..3_u64 {
        let process = site.start(&[]);
        let client = client(&process);
        client.upload(&hashedrekord(life * 1_000_000 + 999_999)).await.expect("it works");
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let from = life * 1_000_000 + writer * 10_000;
                tokio::spawn(upload_until_gone(client.clone(), from))
            })
            .collect();
        // Dies while they write: after some, before all.
        let before = client.log_info().await.expect("the head").tree_size;
        while client.log_info().await.is_ok_and(|info| info.tree_size < before + 40) {}
        process.kill();
        for writer in writers {
            answered.extend(writer.await.expect("a writer"));
        }
    }
    let process = site.start(&[]);
    let client = client(&process);
    let key = Arc::new(log_key(&client).await);
    assert!(answered.len() > 60, "only {} were answered", answered.len());
    for (id, index) in &answered {
        let entry = client.entry_by_uuid(id).await.expect("it is there");
        let receipt = verify_entry(&entry, &key).expect("it verifies");
        assert_eq!((receipt.log_index, receipt.entry_id.to_string()), (*index, id.clone()));
    }
    drop(process);
    let check = site.run(&["check"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

async fn a_shutdown_finishes_what_is_under_way(db: TestDb) {
    let site = Site::new(&db);
    let mut process = site.start(&[]);
    let client = client(&process);
    let writers: Vec<_> = (0..8)
        .map(|writer| tokio::spawn(upload_until_gone(client.clone(), writer * 10_000)))
        .collect();
    while client.log_info().await.is_ok_and(|info| info.tree_size < 40) {}
    process.terminate();
    assert!(process.wait().success(), "it ends well");
    process.line("stopped");
    let mut answered = 0;
    for writer in writers {
        answered += writer.await.expect("a writer").len() as u64;
    }
    // Each request was either answered or refused: nothing was added unseen.
    let process = site.start(&[]);
    let size = super::process::client(&process).log_info().await.expect("the head").tree_size;
    assert_eq!(size, answered);
}

async fn a_start_that_waits_can_be_stopped(db: TestDb) {
    waits_and_is_stopped(db, &[], 0, "stopped before").await;
}

/// Also where it is the first process of a container, to which a signal does nothing by itself.
async fn an_upgrade_that_waits_can_be_stopped(db: TestDb) {
    waits_and_is_stopped(db, &["migrate"], 143, "terminated").await;
}

/// An upgrade takes as long as there are rows, and as others hold the tables.
async fn waits_and_is_stopped(db: TestDb, arguments: &[&str], code: i32, word: &str) {
    db.migrate_to(3).await;
    let (release, holding) = hold_writes(db.clone()).await;
    let site = Site::new(&db);
    let mut starting = tokio::process::Command::from(site.command(arguments));
    let starting = starting.kill_on_drop(true).spawn().expect("it starts");
    let pid = starting.id().expect("it runs").to_string();
    if db.is_postgres() {
        let mut console = PgConnection::connect(db.url()).await.expect("a connection");
        until(&mut console, 1, "wait_event_type = 'Lock'").await;
    } else {
        while !has_open(&pid, db.path()) {
            tokio::task::yield_now().await;
        }
    }
    assert!(Command::new("kill").arg(pid).status().expect("kill runs").success());
    let ended = starting.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(code) && said.contains(word), "{ended:?}");
    drop(release);
    holding.await.expect("it ends");
    let (applied,): (i64,) = db.ask("SELECT count(*) FROM _sqlx_migrations").await;
    assert_eq!(applied, 3, "it is undone");
    drop(site.start(&[]));
}

fn has_open(pid: &str, path: &Path) -> bool {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process");
    // One may be closed by the time it is looked at.
    files.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|open| open == path))
}

async fn surprises_at_the_start_are_refused(db: TestDb) {
    let site = Site::new(&db);
    let first = site.start(&["serve", "--hostname", "log.example"]);
    let port = first.url.rsplit(':').next().expect("a port");
    let taken = site.refusal(&["--listen", &format!("127.0.0.1:{port}")]);
    assert!(taken.contains("listening on"), "{taken}");
    drop(first);
    assert_eq!(mode(&site.key_file()), 0o600);
    let hostname = site.refusal(&["--hostname", "other.example"]);
    assert!(hostname.contains("log.example") && hostname.contains("--hostname"), "{hostname}");
    let key = std::fs::read(site.key_file()).expect("the key");
    std::fs::remove_file(site.key_file()).expect("it is removed");
    let missing = site.refusal(&[]);
    assert!(missing.contains("restore that file") && !site.key_file().exists(), "{missing}");
    let other = site.data.path().join("other/key.pem");
    let other = other.to_str().expect("a path");
    let keygen = || site.run(&["keygen", "--key", other]).status;
    assert!(keygen().success() && mode(other.as_ref()) == 0o600);
    assert!(!keygen().success(), "a key is never overwritten");
    let foreign = site.refusal(&["--key", other]);
    assert!(foreign.contains("log ID") && foreign.contains("new database"), "{foreign}");
    std::fs::write(site.key_file(), key).expect("it is put back");
    let open = site.refusal(&[]);
    assert!(open.contains("chmod 600"), "{open}");
    let mut permissions = std::fs::metadata(site.key_file()).expect("the key").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(site.key_file(), permissions).expect("it is closed");
    drop(site.start(&[]));
    let passphrase = site.data.path().join("passphrase");
    std::fs::write(&passphrase, "correct horse\n").expect("a passphrase");
    let sealed = Site::new(&TestDb::sqlite());
    let file = passphrase.to_str().expect("a path");
    drop(sealed.start(&["--key-passphrase-file", file]));
    let refused = sealed.refusal(&[]);
    assert!(refused.contains("INDELIBLE_KEY_PASSPHRASE"), "{refused}");
    let unknown = site.refusal(&["--database", "mysql://user:secret@host/x"]);
    assert!(unknown.contains("postgres://") && !unknown.contains("secret"), "{unknown}");
}

async fn text(url: String) -> String {
    let answer = reqwest::Client::builder().no_proxy().build().expect("a client").get(url);
    answer.send().await.expect("an answer").text().await.expect("text")
}

async fn operators_see_what_happens(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&["--log", "info"]);
    let sample = |text: &str, line: &str| {
        let found = text.lines().find(|found| found.starts_with(line));
        found.map_or(0.0, |found| {
            found.rsplit(' ').next().expect("a value").parse().expect("a number")
        })
    };
    let count = "rekor_qps_by_api{code=\"200\",method=\"GET\",path=\"/api/v1/log\"}";
    let latency = "rekor_latency_by_api_count{method=\"GET\",path=\"/api/v1/log\"}";
    let before = text(format!("{}/metrics", process.metrics)).await;
    text(format!("{}/api/v1/log", process.url)).await;
    let after = text(format!("{}/metrics", process.metrics)).await;
    let by_code = "rekor_api_latency_count{code=\"200\",path=\"/api/v1/log\"}";
    let summary = "rekor_api_latency_summary_count{code=\"200\",path=\"/api/v1/log\"}";
    for line in [count, latency, by_code, summary] {
        assert_eq!(sample(&after, line), sample(&before, line) + 1.0, "{line}\n{after}");
    }
    // A rate needs to see them before the first event.
    for counter in [
        "rekor_new_entries",
        "indelible_tree_size",
        "indelible_failed_rounds",
        "indelible_lost_rounds",
        "indelible_turns",
        "indelible_evicted_connections",
        "indelible_lost_log_lines",
        "indelible_failed_guard_writes{target=\"file\"}",
        "indelible_limited_requests{class=\"search\"}",
    ] {
        assert!(after.contains(&format!("\n{counter} 0\n")), "{counter}\n{after}");
    }
    // What is asked for there is an entry.
    text(format!("{}/api/v1/log/entries/retrieve", process.url)).await;
    let after = text(format!("{}/metrics", process.metrics)).await;
    let by_uuid = "code=\"422\",method=\"GET\",path=\"/api/v1/log/entries/{entryUUID}\"";
    assert_eq!(sample(&after, &format!("rekor_qps_by_api{{{by_uuid}}}")), 1.0, "{after}");
    // Nothing that a client makes up is remembered.
    let asked = reqwest::Client::builder().no_proxy().build().expect("a client");
    for method in ["MADEUP", "DELETE", "HEAD"] {
        let method = method.parse().expect("a method");
        let answer = asked.request(method, format!("{}/api/v1/log", process.url)).send().await;
        assert_eq!(answer.expect("an answer").status().as_u16(), 405);
    }
    let counted = text(format!("{}/metrics", process.metrics)).await;
    for label in ["method=\"MADEUP\"", "method=\"DELETE\"", "method=\"HEAD\"", "code=\"405\""] {
        assert!(!counted.contains(label), "{label}: {counted}");
    }
    client(&process).upload(&hashedrekord(1)).await.expect("it works");
    let after = text(format!("{}/metrics", process.metrics)).await;
    assert_eq!(sample(&after, "rekor_new_entries"), 1.0);
    let manual = include_str!("../../docs/operations.md");
    for metric in after.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = metric.split(' ').next().expect("a name");
        assert!(manual.contains(&format!("`{name}`")), "{name} is not in docs/operations.md");
    }
    let build = "rekor_build_info{build_date=\"unknown\",goversion=\"none\",revision=\"unknown\",";
    assert!(after.contains(build), "{after}");
    let asked = asked.get(format!("{}/api/v1/log/entries/x", process.url));
    asked.header("x-request-id", "seen-in-the-log").send().await.expect("an answer");
    loop {
        let line = process.line("completed request");
        if line["id"] == "seen-in-the-log" {
            assert_eq!(line["path"], "/api/v1/log/entries/x");
            assert_eq!(
                (line["status"].as_u64(), line["level"].as_str()),
                (Some(422), Some("WARN"))
            );
            break;
        }
    }
    assert_eq!(text(format!("{}/healthz", process.url)).await, "ok\n");
    assert_eq!(text(format!("{}/readyz", process.url)).await, "ok\n");
}

async fn what_is_switched_off_is_not_measured(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&["--enabled-api-endpoints", "getLogProof"]);
    for path in ["entries?logIndex=x", "proof?lastSize=x"] {
        text(format!("{}/api/v1/log/{path}", process.url)).await;
    }
    let measured = text(format!("{}/metrics", process.metrics)).await;
    let proof = "rekor_qps_by_api{code=\"422\",method=\"GET\",path=\"/api/v1/log/proof\"} 1\n";
    assert!(measured.contains(proof), "{measured}");
    assert!(!measured.contains("/api/v1/log/entries"), "{measured}");
}

async fn few_open_files_mean_few_connections(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start_with_files(400, &["--database-connections", "100"]);
    let mut warnings = process.early().iter().filter_map(|line| line["max_connections"].as_u64());
    // 128 for what cannot be counted, 64 for who reads the metrics.
    assert_eq!(warnings.next(), Some(400 - 128 - 64 - 100));
}

async fn a_flood_of_bad_bodies_leaves_memory_flat(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&["--log", "info,access=off"]);
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let flood = || async {
        let bodies = [
            format!("{{\"spec\":[{}0]}}", "[],".repeat(2 << 20)),
            format!("{{\"kind\":\"{}\"}}", "x".repeat(8 << 20)),
            format!(
                "{{\"kind\":\"dsse\",\"apiVersion\":\"0.0.1\",\"spec\":{{\"a\":\"{}\"}}}}",
                "x".repeat(8 << 20)
            ),
        ];
        for body in bodies.iter().cycle().take(24) {
            let request = http
                .post(format!("{}/api/v1/log/entries", process.url))
                .header("content-type", "application/json")
                .body(body.clone());
            let status = request.send().await.expect("an answer").status().as_u16();
            assert!([400, 422, 500].contains(&status), "{status}");
        }
    };
    flood().await;
    let before = process.resident_kib();
    for _ in 0..4 {
        flood().await;
    }
    let after = process.resident_kib();
    // The four floods sent 800 MB; what one of them sent is more than an allocator scatters.
    assert!(after < before + (192 << 10), "{before} KiB grew to {after} KiB");
    assert_eq!(client(&process).log_info().await.expect("the head").tree_size, 0);
}
