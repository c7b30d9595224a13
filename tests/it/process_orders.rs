//! What an operator tells the real binary: its lesser commands, and signals.

use std::process::Output;

use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

use crate::harness::databases::TestDb;
use crate::harness::process::{Site, dead_port};
use crate::process_lines::{begin_body, hold_writes};
use crate::store_outage::until;

both! {
    a_probe_tells_life_from_readiness,
    a_server_without_log_lines_runs_until_it_is_told,
    an_interrupt_after_the_first_signal_ends_it_at_once,
}

once! {
    a_key_that_is_made_is_told,
    an_upgrade_that_waits_says_so,
}

async fn a_probe_tells_life_from_readiness(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&[]);
    let probe = |more: &[&str]| {
        let arguments = [&["probe", "--address", process.address()], more].concat();
        site.run(&arguments).status.success()
    };
    assert!(probe(&[]) && probe(&["--live"]));
    db.tamper("ALTER TABLE head RENAME TO lost").await;
    assert!(!probe(&[]) && probe(&["--live"]));
    let nobody = format!("127.0.0.1:{}", dead_port());
    for more in [&[][..], &["--live"]] {
        assert!(!site.run(&[&["probe", "--address", &nobody], more].concat()).status.success());
    }
}

/// Where a process listens that says nothing of it.
fn listens_at(pid: &str) -> Option<String> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process");
    let targets = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    let sockets = Vec::from_iter(targets.filter_map(|target| {
        Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    }));
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("a process");
    table.lines().find_map(|line| {
        let fields = Vec::from_iter(line.split_whitespace());
        // Its own, and listening.
        let is_it = fields[3] == "0A" && sockets.iter().any(|socket| socket == fields[9]);
        let (_, port) = fields[1].split_once(':').filter(|_| is_it)?;
        Some(format!("127.0.0.1:{}", u16::from_str_radix(port, 16).expect("a port")))
    })
}

async fn a_server_without_log_lines_runs_until_it_is_told(db: TestDb) {
    let site = Site::new(&db);
    let mut server = Command::from(site.command(&["--log", "off", "--metrics-listen", "off"]));
    let mut server = server.kill_on_drop(true).spawn().expect("it starts");
    let pid = server.id().expect("it runs").to_string();
    let ready = |address: String| site.run(&["probe", "--address", &address]).status.success();
    while !listens_at(&pid).is_some_and(ready) {
        assert_eq!(server.try_wait().expect("a status"), None);
        // So that somebody looks at the story's time limit.
        tokio::task::yield_now().await;
    }
    assert!(Command::new("kill").arg(pid).status().await.expect("kill runs").success());
    assert!(server.wait().await.expect("it ends").success());
}

async fn an_interrupt_after_the_first_signal_ends_it_at_once(db: TestDb) {
    let site = Site::new(&db);
    for (first, message) in [
        ("INT", "interrupted, finishing what is under way"),
        ("TERM", "terminated, finishing what is under way"),
    ] {
        let mut process = site.start(&[]);
        // Its end is waited for.
        let _body = begin_body(&process, "cut").await;
        process.signal(first);
        process.line(message);
        process.signal("INT");
        let said = process.rest();
        assert_eq!(process.wait().code(), Some(1));
        assert!(said.last().is_some_and(|line| line.contains("interrupted again")), "{said:?}");
    }
}

async fn an_upgrade_that_waits_says_so() {
    let db = TestDb::postgres().await;
    db.migrate_to(3).await;
    let (release, holding) = hold_writes(db.clone()).await;
    let mut migrating = Command::from(Site::new(&db).command(&["migrate"]));
    let migrating = migrating.kill_on_drop(true).spawn().expect("it runs");
    let mut console = PgConnection::connect(db.url()).await.expect("a connection");
    let in_line = "wait_event_type = 'Lock'";
    until(&mut console, 1, in_line).await;
    until(&mut console, 0, in_line).await;
    drop(release);
    holding.await.expect("it ends");
    let ended = migrating.wait_with_output().await.expect("it ends");
    assert!(ended.status.success() && says(&ended, "waiting for somebody who holds"), "{ended:?}");
}

async fn a_key_that_is_made_is_told() {
    let made = Site::on("sqlite").run(&["keygen"]);
    assert!(made.status.success() && says(&made, "log key made"), "{made:?}");
}

/// On standard error.
fn says(output: &Output, words: &str) -> bool {
    String::from_utf8_lossy(&output.stderr).contains(words)
}
