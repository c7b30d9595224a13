//! Log lines of the real process, when whoever should take them does not.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::harness::databases::{TestDb, sqlite_console};
use crate::harness::evidence::hashedrekord;
use crate::harness::process::{Process, Site};

both! {
    a_log_that_nobody_reads_keeps_nobody_waiting,
    a_log_that_nobody_takes_harms_nothing,
    who_hangs_up_is_told_of_and_what_he_added_is_counted,
    who_is_cut_at_the_end_is_told_of,
    lines_name_their_request_whatever_else_is_off,
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
        let mut command = Command::from(site.command(&["--log", "info"]));
        let mut child = command.kill_on_drop(true).spawn().expect("the server starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Self { child, lines: Some(lines), _site: site }
    }

    /// Reads on until it tells this address.
    async fn address(&mut self, message: &str) -> String {
        let lines = self.lines.as_mut().expect("the pipe");
        loop {
            let line = lines.next_line().await.expect("a line").expect("an address");
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if line["message"] == message {
                return line["address"].as_str().expect("an address").to_owned();
            }
        }
    }

    async fn terminate(&self) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").arg(pid).status().await.expect("kill runs").success());
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
    // See docs/reliability.md.
    const KEPT: usize = 8_192;
    // 64 KiB, and 8 that the test reads ahead; each line has more than a hundred bytes.
    const IN_PIPE: usize = 720;
    let mut server = Talker::start(&db);
    let (metrics, address) = (server.address("metrics").await, server.address("listening").await);
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
    server.terminate().await;
    let (mut lines, mut written) = (server.lines.take().expect("the pipe"), 0);
    while let Some(line) = lines.next_line().await.expect("a line") {
        written += usize::from(line.contains("completed"));
    }
    assert_eq!(written + lost, REQUESTS, "each line is written or counted");
    assert!(lost > 0 && written <= KEPT + IN_PIPE, "{written} were written, {lost} lost");
    assert!(server.child.wait().await.expect("it ends").success());
}

/// A log collector that is gone: each line fails with EPIPE.
async fn a_log_that_nobody_takes_harms_nothing(db: TestDb) {
    let mut server = Talker::start(&db);
    let address = server.address("listening").await;
    server.lines = None;
    let http = http();
    for _ in 0..3 {
        let refused = http.delete(format!("http://{address}/api/v1/log")).send().await;
        assert_eq!(refused.expect("an answer").status(), 405);
    }
    server.terminate().await;
    assert!(server.child.wait().await.expect("it ends").success());
}

/// Keeps everybody from writing until the sender is dropped.
pub(crate) async fn hold_writes(db: TestDb) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (release, released) = oneshot::channel::<()>();
    let (begun, held) = oneshot::channel();
    let holding = tokio::spawn(async move {
        if db.is_postgres() {
            let mut console = PgConnection::connect(db.url()).await.expect("a connection");
            let mut lock = console.begin().await.expect("a transaction");
            sqlx::query("LOCK TABLE head, tiles").execute(&mut *lock).await.expect("the lock");
            begun.send(()).expect("it is waited for");
            let _ = released.await;
        } else {
            let mut console = sqlite_console(db.path()).await.expect("a connection");
            let lock = console.begin_with("BEGIN IMMEDIATE").await.expect("the lock");
            begun.send(()).expect("it is waited for");
            let _ = released.await;
            drop(lock);
        }
    });
    held.await.expect("it is held");
    (release, holding)
}

async fn who_hangs_up_is_told_of_and_what_he_added_is_counted(db: TestDb) {
    const CLIENTS: u64 = 20;
    let site = Site::new(&db);
    // With one thread, whoever comes later is judged later.
    let process = site.start(&["--verify-threads", "1", "--log", "info,access=info"]);
    let http = http();
    let add = async |proposal: &Value| {
        let url = format!("{}/api/v1/log/entries", process.url);
        let request = http.post(url).header("content-type", "application/json");
        request.body(proposal.to_string()).send().await.expect("an answer").status().as_u16()
    };
    let (release, holding) = hold_writes(db.clone()).await;
    let mut clients = Vec::new();
    let mut wrong = hashedrekord(0);
    wrong["spec"]["data"]["hash"]["value"] = json!("ab");
    for n in 1..=CLIENTS {
        let body = hashedrekord(n).to_string();
        let mut stream = TcpStream::connect(process.address()).await.expect("a connection");
        let request = format!(
            "POST /api/v1/log/entries HTTP/1.1\r\nHost: x\r\nX-Request-Id: gone\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        clients.push(stream);
        assert_eq!(add(&wrong).await, 400);
    }
    for mut stream in clients {
        stream.shutdown().await.expect("it hangs up");
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.expect("so does the server"), 0);
    }
    for _ in 0..CLIENTS {
        let line = std::iter::repeat_with(|| process.line("completed request"));
        let line = line.into_iter().find(|line| line["id"] == "gone").expect("a line");
        assert_eq!((line["status"].as_u64(), line["level"].as_str()), (Some(499), Some("WARN")));
    }
    let hung_up = "rekor_qps_by_api{code=\"499\",method=\"POST\",path=\"/api/v1/log/entries\"}";
    assert_eq!(process.metric(hung_up).await, CLIENTS as f64);
    drop(release);
    holding.await.expect("it ends");
    // Whatever of them was submitted was so before.
    assert_eq!(add(&hashedrekord(0)).await, 201);
    let info = http.get(format!("{}/api/v1/log", process.url)).send().await.expect("an answer");
    let info: Value = serde_json::from_str(&info.text().await.expect("text")).expect("JSON");
    let size = info["treeSize"].as_f64().expect("a size");
    assert!(size > 1.0, "nobody who hung up has added anything");
    assert_eq!(process.metric("rekor_new_entries").await, size);
    assert_eq!(process.metric("indelible_tree_size").await, size);
}

/// A request that is under way, and whose body does not end.
pub(crate) async fn begin_body(process: &Process, id: &str) -> TcpStream {
    const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut stream = TcpStream::connect(process.address()).await.expect("a connection");
    let request = format!(
        "POST /api/v1/log/entries HTTP/1.1\r\nHost: x\r\nX-Request-Id: {id}\r\n\
         Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut under_way = [0; GO_ON.len()];
    stream.read_exact(&mut under_way).await.expect("it is read");
    assert_eq!(under_way, GO_ON);
    stream.write_all(b"{").await.expect("it is sent");
    stream
}

/// A body that does not end outlasts the time that a shutdown waits.
async fn who_is_cut_at_the_end_is_told_of(db: TestDb) {
    let site = Site::new(&db);
    let mut process = site.start(&["--drain-timeout", "1"]);
    let _body = begin_body(&process, "cut").await;
    process.terminate();
    let lines: Vec<Value> =
        process.rest().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(process.wait().success(), "it ends well");
    let cut = lines.iter().find(|line| line["id"] == "cut").expect("a line");
    assert_eq!((&cut["status"], &cut["level"]), (&json!(499), &json!("WARN")));
}

async fn lines_name_their_request_whatever_else_is_off(db: TestDb) {
    let site = Site::new(&db);
    let filter = "indelible=info,indelible::http=warn,access=info";
    let process = site.start(&["--log", filter]);
    db.tamper("ALTER TABLE index_keys RENAME TO lost").await;
    let http = http();
    let request = http.post(format!("{}/api/v1/index/retrieve", process.url));
    let request = request.header("content-type", "application/json").header("x-request-id", "one");
    let answer = request.body(r#"{"subject":"x"}"#).send().await.expect("an answer");
    assert!(answer.status().is_server_error());
    let cause = process.line("request failed");
    let access = process.line("completed request");
    for named in [&cause["span"], &access] {
        assert_eq!((&named["id"], &named["method"]), (&json!("one"), &json!("POST")));
        assert_eq!(named["path"], "/api/v1/index/retrieve");
    }
}
