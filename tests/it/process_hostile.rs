//! Clients that mean harm, against the real process, while another one goes on working.
//!
//! The crowds keep to what an attacker can do: open, send, never send, never read. What is
//! asserted are counts and bounds; no assertion depends on how fast this machine is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible_client::verify::{LogKey, verify_entry};
use indelible_client::{Client, Uploaded};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::harness::databases::TestDb;
use crate::harness::evidence::{dsse, hashedrekord};
use crate::harness::process::{Process, Site};

both! {
    idle_connections_cost_little,
    slow_and_deaf_clients_are_hung_up_on,
    crowds_that_hold_connections_keep_nobody_out,
    a_crowd_that_asks_all_the_time_keeps_nobody_out,
    answers_that_nobody_takes_fill_no_memory,
    a_crowd_that_comes_at_once_is_heard,
    pathological_evidence_keeps_nobody_waiting,
}

/// How long anything may take that must happen at all.
const PATIENCE: Duration = Duration::from_secs(120);

const POST: &str =
    "POST /api/v1/log/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

/// Idle connections; `INDELIBLE_TEST_CONNECTIONS=10000` for more.
fn crowd_size() -> usize {
    let wanted = std::env::var("INDELIBLE_TEST_CONNECTIONS").ok();
    wanted.map_or(2_000, |text| text.parse().expect("a number of connections"))
}

/// A client that trusts nothing: every receipt is verified, nothing is tried again.
struct Careful {
    client: Client,
    key: LogKey,
    next: u64,
}

impl Careful {
    async fn new(process: &Process) -> Self {
        let client = Client::builder(&process.url).retries(0).timeout(Some(PATIENCE));
        let client = client.build().expect("a client");
        let pem = client.public_key(None).await.expect("the key");
        Self { client, key: LogKey::from_pem(&pem).expect("a key"), next: 0 }
    }

    /// Adds and reads so many entries.
    async fn work(&mut self, count: u64) {
        for _ in 0..count {
            let uploaded = self.client.upload(&hashedrekord(self.next)).await.expect("an answer");
            let Uploaded::Created { entry, .. } = uploaded else { panic!("it was there") };
            let receipt = verify_entry(&entry, &self.key).expect("it verifies");
            let read = self.client.entry_by_index(receipt.log_index).await.expect("an answer");
            verify_entry(&read, &self.key).expect("it verifies");
            self.next += 1;
        }
    }
}

async fn connect(process: &Process) -> TcpStream {
    let address = process.url.trim_start_matches("http://");
    TcpStream::connect(address).await.expect("a connection")
}

/// Raises this process's limit of open files; the sockets' other ends are in it.
fn allow_sockets(count: usize) {
    let wanted = count as u64 * 2 + 2_000;
    let allowed = rlimit::increase_nofile_limit(wanted).expect("a limit of open files");
    assert!(allowed >= count as u64 + 1_000, "only {allowed} files may be open here");
}

/// What is heard until the server hangs up.
async fn heard(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let reading = stream.read_to_end(&mut heard);
    // A reset is a way to hang up, too.
    let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the server hangs up");
    heard
}

async fn idle_connections_cost_little(db: TestDb) {
    let count = crowd_size();
    allow_sockets(count);
    let site = Site::new(&db);
    let most = (count + 500).to_string();
    let process = site.start(&["--max-connections", &most, "--header-timeout", "600"]);
    let mut careful = Careful::new(&process).await;
    careful.work(5).await;
    let before = process.resident_kib();
    let mut idle = Vec::with_capacity(count);
    for n in 0..count {
        let mut stream = connect(&process).await;
        // Half of them have begun a request.
        if n % 2 == 0 {
            stream.write_all(POST.as_bytes()).await.expect("it is sent");
        }
        idle.push(stream);
    }
    careful.work(20).await;
    assert!(process.open_files() >= count, "all of them are held");
    let grown = process.resident_kib().saturating_sub(before);
    let per_connection = grown / count as u64;
    assert!(per_connection <= 48, "{per_connection} KiB for each of {count} idle connections");
    // Those that have only begun can still be served.
    let mut last = idle.swap_remove(idle.len() - 1);
    last.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(heard(&mut last).await.starts_with(b"HTTP/1.1 200 "));
}

/// Sends a byte at a time until the server has had enough.
async fn drip(mut stream: TcpStream, head: String, byte: &'static [u8]) -> Vec<u8> {
    let _ = stream.write_all(head.as_bytes()).await;
    let (mut from, mut to) = stream.split();
    let mut said = Vec::new();
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            read = from.read_buf(&mut said) => {
                if !matches!(read, Ok(1..)) {
                    return said;
                }
            }
            _ = beat.tick() => {
                // What becomes of it is seen by reading.
                let _ = to.write_all(byte).await;
            }
        }
    }
}

/// Sends as fast as it can, never reads, until the server has had enough.
async fn pour(mut stream: TcpStream, head: String, piece: Vec<u8>) {
    let mut going = stream.write_all(head.as_bytes()).await.is_ok();
    while going {
        going = stream.write_all(&piece).await.is_ok();
    }
}

/// A crowd of every kind; each ends when the server hangs up.
async fn crowd(process: &Process, each: usize) -> JoinSet<()> {
    let mut crowd = JoinSet::new();
    for _ in 0..each {
        let slow_headers = connect(process).await;
        let slow_body = connect(process).await;
        let endless = connect(process).await;
        let deaf = connect(process).await;
        crowd.spawn(async move {
            drip(slow_headers, POST.to_owned(), b"x").await;
        });
        crowd.spawn(async move {
            let said = drip(slow_body, format!("{POST}Content-Length: 100000\r\n\r\n"), b" ").await;
            let said = String::from_utf8_lossy(&said);
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
        });
        let head = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000)).into_bytes();
        crowd.spawn(pour(endless, head, chunk));
        let request = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50).into_bytes();
        crowd.spawn(pour(deaf, String::new(), request));
    }
    crowd
}

async fn slow_and_deaf_clients_are_hung_up_on(db: TestDb) {
    allow_sockets(200);
    let site = Site::new(&db);
    let timeouts = ["--header-timeout", "2", "--body-timeout", "2", "--answer-timeout", "2"];
    let process = site.start(&timeouts);
    let mut careful = Careful::new(&process).await;
    let crowd = crowd(&process, 20).await;
    careful.work(20).await;
    // There is room for all of them: it is time that ends them.
    let done = tokio::time::timeout(PATIENCE, crowd.join_all()).await;
    done.expect("the server has had enough of all of them");
    assert_eq!(process.metric("indelible_evicted_connections").await, 0.0);
    careful.work(1).await;
}

async fn crowds_that_hold_connections_keep_nobody_out(db: TestDb) {
    let count = crowd_size();
    allow_sockets(count);
    let site = Site::new(&db);
    let places = 400;
    let process = site.start(&[
        "--max-connections",
        "400",
        "--header-timeout",
        "5",
        "--body-timeout",
        "5",
        "--answer-timeout",
        "5",
        "--max-bodies-bytes",
        "33554432",
        "--log",
        "info,access=off",
    ]);
    let mut careful = Careful::new(&process).await;
    careful.work(5).await;
    let before = process.resident_kib();
    // Far more than there are places, in waves, and none of them is done by itself.
    let mut everyone = JoinSet::new();
    for _ in 0..5 {
        let wave = crowd(&process, 15).await;
        for _ in 0..count / 5 {
            let mut idle = connect(&process).await;
            everyone.spawn(async move { drop(heard(&mut idle).await) });
        }
        careful.work(10).await;
        assert!(process.open_files() < places + 128, "{} files are open", process.open_files());
        everyone.spawn(async move { drop(wave.join_all().await) });
    }
    careful.work(10).await;
    let after = process.resident_kib();
    assert!(after < before + (256 << 10), "{before} KiB grew to {after} KiB");
    // The server hangs up on every one of them, by a time limit or for another one.
    let done = tokio::time::timeout(PATIENCE, everyone.join_all()).await;
    done.expect("the server has had enough of all of them");
    careful.work(5).await;
    let evicted = process.metric("indelible_evicted_connections").await;
    assert!(evicted >= (count - places) as f64, "{evicted}");
}

/// Asks for next to nothing, again and again, and connects anew when the server hangs up. It says
/// when it has been answered for the first time.
async fn ask_for_ever(address: String, answered: mpsc::UnboundedSender<()>) {
    let mut beat = tokio::time::interval(Duration::from_millis(300));
    loop {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        loop {
            beat.tick().await;
            let mut said = [0; 4096];
            let asked = stream.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await;
            if asked.is_err() || !matches!(stream.read(&mut said).await, Ok(1..)) {
                break;
            }
            let _ = answered.send(());
        }
    }
}

/// The server is at work for none of them, and none of them keeps it waiting.
async fn a_crowd_that_asks_all_the_time_keeps_nobody_out(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&["--max-connections", "60", "--log", "info,access=off"]);
    let (sender, mut answered) = mpsc::unbounded_channel();
    let mut crowd = JoinSet::new();
    for _ in 0..60 {
        crowd.spawn(ask_for_ever(process.address().to_owned(), sender.clone()));
    }
    for _ in 0..120 {
        answered.recv().await.expect("an answer");
    }
    for _ in 0..10 {
        // With a new connection each.
        Careful::new(&process).await;
    }
    assert!(process.metric("indelible_evicted_connections").await >= 1.0);
    crowd.shutdown().await;
    Careful::new(&process).await.work(5).await;
}

/// Half a gigabyte of answers, for a few bytes of questions.
async fn answers_that_nobody_takes_fill_no_memory(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&["--max-answers-bytes", "67108864", "--log", "info,access=off"]);
    let mut careful = Careful::new(&process).await;
    let payload = json!({ "padding": "x".repeat(3 << 20) }).to_string();
    careful.client.upload(&dsse(payload.as_bytes())).await.expect("an answer");
    careful.work(5).await;
    let before = process.resident_kib();
    let question = json!({ "logIndexes": vec![0; 10] }).to_string();
    let head = POST.replace("entries", "entries/retrieve");
    let request = format!("{head}Content-Length: {}\r\n\r\n{question}", question.len());
    let mut deaf = Vec::new();
    let mut answered = 0;
    for _ in 0..12 {
        let mut stream = connect(&process).await;
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.expect("an answer");
        answered += usize::from(&status == b"HTTP/1.1 200");
        deaf.push(stream);
        careful.work(2).await;
    }
    assert!(answered >= 1);
    let after = process.resident_kib();
    assert!(after < before + (192 << 10), "{before} KiB grew to {after} KiB");
}

/// A DER element.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let skipped = length.iter().take_while(|byte| **byte == 0).count();
    let mut all = vec![tag];
    if content.len() >= 0x80 {
        all.push(0x80 | (length.len() - skipped) as u8);
        all.extend(&length[skipped..]);
    } else {
        all.push(content.len() as u8);
    }
    all.extend(content);
    all
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// An RSA key with a modulus and an exponent of so many bytes.
fn rsa(modulus: usize, exponent: usize) -> String {
    let number = |length: usize| element(2, &vec![0x7f; length]);
    let key = element(0x30, &[number(modulus), number(exponent)].concat());
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let algorithm = element(0x30, &[element(6, &oid), element(5, &[])].concat());
    let bits = element(3, &[&[0][..], &key].concat());
    pem("PUBLIC KEY", &element(0x30, &[algorithm, bits].concat()))
}

/// What is handed in as key: each is refused.
fn pathological_keys() -> Vec<(&'static str, String)> {
    let certificate = include_str!("fixtures/signer-test-certificate.pem");
    let nested = (0..3_000).fold(Vec::new(), |inner, _| element(0x30, &inner));
    let body: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("base64");
    let cut = &der[..der.len() / 2];
    let huge = [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], cut].concat();
    vec![
        ("a chain of thousands", certificate.repeat(5_000)),
        ("nested sequences", pem("CERTIFICATE", &nested)),
        ("nested sequences as key", pem("PUBLIC KEY", &nested)),
        ("half a certificate", pem("CERTIFICATE", cut)),
        ("a length of 4 GiB", pem("CERTIFICATE", &huge)),
        ("zeros", pem("CERTIFICATE", &vec![0; 4 << 20])),
        ("a modulus of a megabit", rsa(128 << 10, 3)),
        ("an exponent of a megabit", rsa(256, 128 << 10)),
        ("only dashes", "-".repeat(4 << 20)),
        ("beginnings without end", "-----BEGIN CERTIFICATE-----\n".repeat(100_000)),
        ("lines of nothing", "\n".repeat(4 << 20)),
    ]
}

fn with_key(key: &str) -> String {
    let mut entry: Value = hashedrekord(1 << 40);
    entry["spec"]["signature"]["publicKey"] = json!({ "content": STANDARD.encode(key) });
    entry.to_string()
}

/// More than a listener usually has room for, while the server has no time to accept any. A client
/// that is not heard tries again after one second, three, seven: while the server stands still, in
/// vain.
async fn a_crowd_that_comes_at_once_is_heard(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&[]);
    process.signal("STOP");
    let mut crowd = JoinSet::new();
    for _ in 0..room().min(1_000) {
        let address = process.address().to_owned();
        crowd.spawn(async move { TcpStream::connect(address).await.expect("it is heard") });
    }
    let heard = tokio::time::timeout(Duration::from_secs(20), crowd.join_all()).await;
    process.signal("CONT");
    let mut answers = JoinSet::new();
    for mut stream in heard.expect("all are heard") {
        answers.spawn(async move {
            stream.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
            let mut status = [0; 12];
            stream.read_exact(&mut status).await.expect("an answer");
            assert_eq!(&status, b"HTTP/1.1 200");
        });
    }
    tokio::time::timeout(PATIENCE, answers.join_all()).await.expect("all are answered");
}

/// How many the system keeps for a listener at most.
fn room() -> usize {
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    most.map_or(128, |text| text.trim().parse().expect("a number"))
}

async fn pathological_evidence_keeps_nobody_waiting(db: TestDb) {
    let site = Site::new(&db);
    let process = site.start(&["--log", "info,access=off"]);
    let mut careful = Careful::new(&process).await;
    careful.work(5).await;
    let bodies = pathological_keys().into_iter().map(|(name, key)| (name, with_key(&key)));
    let json_bombs = [
        ("deep JSON", format!(r#"{{"spec":{}"#, "[".repeat(1 << 20))),
        ("wide JSON", format!(r#"{{"kind":"hashedrekord","spec":[{}0]}}"#, "{},".repeat(1 << 20))),
        ("many members", format!("{{{}\"x\":0}}", r#""x":{},"#.repeat(300_000))),
        ("a long number", format!(r#"{{"kind":{}}}"#, "9".repeat(4 << 20))),
    ];
    let bodies: Arc<Vec<(&str, String)>> = Arc::new(bodies.chain(json_bombs).collect());
    let enough = Arc::new(AtomicBool::new(false));
    let mut flood = JoinSet::new();
    for worker in 0..4 {
        let (bodies, enough) = (Arc::clone(&bodies), Arc::clone(&enough));
        let url = format!("{}/api/v1/log/entries", process.url);
        flood.spawn(async move {
            let http = reqwest::Client::builder().no_proxy().build().expect("a client");
            let mut sent = 0;
            // Each at least once, and on until the other client is done.
            for (name, body) in bodies.iter().cycle().skip(worker * 3) {
                if sent >= bodies.len() && enough.load(Ordering::Relaxed) {
                    return sent;
                }
                let request = http.post(&url).header("content-type", "application/json");
                let answer = request.body(body.clone()).send().await.expect("an answer");
                let status = answer.status().as_u16();
                assert!([400, 422, 500].contains(&status), "{name}: {status}");
                let text = answer.text().await.expect("an answer");
                assert!(text.len() < 2_000 && !text.contains("Unknown error"), "{name}: {text}");
                sent += 1;
            }
            sent
        });
    }
    let before = process.resident_kib();
    careful.work(40).await;
    enough.store(true, Ordering::Relaxed);
    let sent: usize = flood.join_all().await.into_iter().sum();
    assert!(sent >= 4 * bodies.len());
    let after = process.resident_kib();
    assert!(after < before + (256 << 10), "{before} KiB grew to {after} KiB");
    careful.work(1).await;
    let size = careful.client.log_info().await.expect("the head").tree_size;
    assert_eq!(size, careful.next, "nothing of it was added");
}
