//! Log lines of the real process, when whoever should take them does not.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, Command};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::databases::TestDb;
use crate::harness::process::Site;

both! {
    a_log_that_nobody_reads_keeps_nobody_waiting,
    a_log_that_nobody_takes_harms_nothing,
}

/// How long anything may take that must happen at all.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server whose standard error is in the test's hands.
struct Talker {
    child: Child,
    /// `None` once nobody holds the pipe's other end.
    lines: Option<Lines<BufReader<ChildStderr>>>,
    _site: Site,
}

impl Talker {
    fn start(db: &TestDb) -> Self {
        let site = Site::new(db);
        let mut child = site.command(&["--log", "info"]).spawn().expect("the server starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Self { child, lines: Some(lines), _site: site }
    }

    /// Reads on until it tells this address.
    fn address(&mut self, message: &str) -> String {
        let line = self.lines.as_mut().expect("the pipe").find_map(|line| {
            let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            (line["message"] == message).then_some(line)
        });
        line.and_then(|line| line["address"].as_str().map(str::to_owned)).expect("an address")
    }

    fn terminate(&mut self) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill runs").success());
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

/// A log collector that hangs: it keeps the pipe and reads nothing.
async fn a_log_that_nobody_reads_keeps_nobody_waiting(db: TestDb) {
    // More lines than the pipe holds and the server keeps.
    const REQUESTS: usize = 12_000;
    const CLIENTS: usize = 16;
    let mut server = Talker::start(&db);
    let (metrics, address) = (server.address("metrics"), server.address("listening"));
    let http = http();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (http, url) = (http.clone(), format!("http://{address}/ping"));
        clients.spawn(async move {
            for _ in 0..REQUESTS / CLIENTS {
                let answer = http.get(&url).send().await.expect("an answer");
                assert!(answer.status().is_success());
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("all were answered");
    }
    let metrics = http.get(format!("http://{metrics}/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    let lost = metrics.lines().find_map(|line| line.strip_prefix("indelible_lost_log_lines "));
    let lost: usize = lost.expect("the metric").parse().expect("a number");
    server.terminate();
    let completed = |line: &Result<String, _>| line.as_ref().is_ok_and(|l| l.contains("completed"));
    let written = server.lines.take().expect("the pipe").filter(completed).count();
    assert_eq!(written + lost, REQUESTS, "each line is written or counted");
    assert!(server.child.wait().expect("it ends").success());
}

/// A log collector that is gone: each line fails with EPIPE.
async fn a_log_that_nobody_takes_harms_nothing(db: TestDb) {
    let mut server = Talker::start(&db);
    let address = server.address("listening");
    server.lines = None;
    let http = http();
    for _ in 0..3 {
        let refused = http.delete(format!("http://{address}/api/v1/log")).send().await;
        assert_eq!(refused.expect("an answer").status(), 405);
    }
    server.terminate();
    assert!(server.child.wait().expect("it ends").success());
}
