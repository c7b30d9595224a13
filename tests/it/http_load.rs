//! More requests than can be served: who waits, who is refused, and who must not notice.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible::http::{HttpLimits, RateLimits};
use indelible_client::{Client, Uploaded};
use reqwest::Method as Verb;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use wire::LogEntry;

use crate::harness::databases::TestDb;
use crate::harness::evidence::{digest, dsse, envelope, hashedrekord, public_key_pem};
use crate::harness::faults::{FaultyStore, Method};
use crate::harness::served::{Answer, Served, Setup};

both! {
    additions_that_wait_leave_reads_and_searches_alone,
    searches_that_wait_leave_additions_and_reads_alone,
    look_ups_that_wait_keep_their_shares_when_their_clients_go,
    additions_that_wait_keep_their_room_when_their_clients_go,
    an_answer_that_nobody_takes_makes_room_for_others,
    an_answer_that_is_taken_steadily_makes_room_for_nobody,
    an_addition_with_a_large_answer_is_refused_before_it_is_committed,
    who_asks_too_often_is_told_when_to_come_back,
    the_client_library_comes_back_when_it_is_told_to,
}

const ENTRIES: &str = "/api/v1/log/entries";
const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
const SEARCH: &str = "/api/v1/index/retrieve";

/// Posts each of the bodies at the same time; the answers as they come.
fn post_all(
    served: &Arc<Served>,
    path: &'static str,
    bodies: Vec<String>,
) -> mpsc::UnboundedReceiver<Answer> {
    let (sender, answers) = mpsc::unbounded_channel();
    for body in bodies {
        let (served, sender) = (Arc::clone(served), sender.clone());
        tokio::spawn(async move { sender.send(served.post(path, body).await) });
    }
    answers
}

/// The next so many answers, which have this status.
async fn expect(answers: &mut mpsc::UnboundedReceiver<Answer>, count: usize, status: u16) {
    for _ in 0..count {
        let answer = answers.recv().await.expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(status != 503 || answer.header("retry-after") == "1", "{:?}", answer.headers);
    }
}

async fn served_with(db: &TestDb, limits: HttpLimits) -> (Arc<FaultyStore>, Arc<Served>) {
    let store = FaultyStore::new(db.open().await);
    let setup = Setup { limits, ..Setup::default() };
    let served = Arc::new(Served::on(store.clone(), setup).await);
    assert_eq!(served.add(&hashedrekord(0)).await.status, 201);
    (store, served)
}

/// Everything that reads, once.
async fn read_everything(served: &Served) {
    for path in [
        "/api/v1/log",
        "/api/v1/log/publicKey",
        "/api/v1/log/proof?firstSize=1&lastSize=1",
        "/api/v1/log/entries?logIndex=0",
        "/readyz",
    ] {
        assert_eq!(served.get(path).await.status, 200, "{path}");
    }
}

async fn additions_that_wait_leave_reads_and_searches_alone(db: TestDb) {
    let limits = HttpLimits { max_writes: 40, ..HttpLimits::default() };
    let (store, served) = served_with(&db, limits).await;
    store.hold(Method::Commit);
    let bodies = (1..=60).map(|n| hashedrekord(n).to_string()).collect();
    let mut answers = post_all(&served, ENTRIES, bodies);
    // What is too much is refused while the others wait.
    expect(&mut answers, 20, 503).await;
    for _ in 0..5 {
        read_everything(&served).await;
        let key = json!({ "publicKey": {
            "format": "x509", "content": STANDARD.encode(public_key_pem()) } });
        let found = served.post(SEARCH, key.to_string()).await;
        assert_eq!((found.status, found.json().as_array().map(Vec::len)), (200, Some(1)));
        let question = json!({ "entries": [hashedrekord(0)] }).to_string();
        let found = served.post(RETRIEVE, question).await;
        assert_eq!((found.status, found.json().as_array().map(Vec::len)), (200, Some(1)));
    }
    assert!(answers.is_empty(), "nothing is answered before it is committed");
    store.release(Method::Commit);
    expect(&mut answers, 40, 201).await;
    assert_eq!(served.log.check().await.unwrap(), 41);
}

async fn searches_that_wait_leave_additions_and_reads_alone(db: TestDb) {
    let limits = HttpLimits { max_searches: 10, ..HttpLimits::default() };
    let (store, served) = served_with(&db, limits).await;
    store.hold(Method::Search);
    let bodies = (0..15).map(|n| json!({ "subject": n.to_string() }).to_string()).collect();
    let mut answers = post_all(&served, SEARCH, bodies);
    expect(&mut answers, 5, 503).await;
    for n in 1..=20 {
        assert_eq!(served.add(&hashedrekord(n)).await.status, 201);
        read_everything(&served).await;
    }
    assert!(answers.is_empty());
    store.release(Method::Search);
    expect(&mut answers, 10, 200).await;
}

/// A question of 60 KiB on the wire, and an addition that is as large.
fn padded(mut question: Value) -> String {
    question["padding"] = "x".repeat(60 << 10).into();
    question.to_string()
}

/// The status of a search that finds nothing.
async fn search(served: &Served) -> u16 {
    served.post(SEARCH, r#"{"subject":"x"}"#).await.status
}

/// Sends JSON text on a connection of its own.
async fn send(served: &Served, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address()).await.expect("a connection");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it is read");
    stream
}

/// Hangs up, and waits until the server has noticed.
async fn hang_up(mut stream: TcpStream) {
    stream.shutdown().await.expect("it is open");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the server closes it, too");
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

/// Sends a question until all of it is there and takes the room of the one search.
async fn ask(served: &Served, path: &str, question: &str) -> TcpStream {
    loop {
        let stream = send(served, path, question).await;
        // An answer is a refusal: it came while there was no room for it.
        while stream.try_read(&mut [0]).is_err() {
            if search(served).await == 503 {
                return stream;
            }
        }
    }
}

async fn look_ups_that_wait_keep_their_shares_when_their_clients_go(db: TestDb) {
    let limits =
        HttpLimits { max_bodies_bytes: 64 << 10, max_searches: 1, ..HttpLimits::default() };
    let (_, served) = served_with(&db, limits).await;
    let key = json!({ "format": "x509", "content": STANDARD.encode(public_key_pem()) });
    for (path, question) in
        [(RETRIEVE, json!({ "entries": [hashedrekord(0)] })), (SEARCH, json!({ "publicKey": key }))]
    {
        // Their only thread is at work on something else.
        let (release, last) = std::sync::mpsc::channel::<()>();
        let (started, start) = oneshot::channel();
        let work = move || (started.send(()), last.recv());
        let verifier = served.verifier.clone();
        let work = tokio::spawn(async move { verifier.look_up(work).await.0 });
        start.await.expect("it begins");
        let body = padded(question);
        let stream = ask(&served, path, &body).await;
        let large = || served.post(ENTRIES, padded(hashedrekord(0)));
        assert_eq!(large().await.status, 503, "{path}");
        // Who hangs up leaves behind what he sent, and nobody else may add to it.
        hang_up(stream).await;
        assert_eq!(large().await.status, 503, "{path}");
        assert_eq!(search(&served).await, 503, "{path}");
        drop(release);
        work.await.expect("it ends").expect("it was waited for");
        while large().await.status == 503 {}
        while search(&served).await == 503 {}
        assert_eq!(served.post(path, body).await.status, 200, "{path}");
    }
}

/// An addition that keeps a thread until the sender of `last` is dropped.
struct Endless {
    begun: mpsc::UnboundedSender<()>,
    last: std::sync::mpsc::Receiver<()>,
}

impl AsRef<[u8]> for Endless {
    fn as_ref(&self) -> &[u8] {
        let _ = self.begun.send(());
        let _ = self.last.recv();
        b""
    }
}

async fn additions_that_wait_keep_their_room_when_their_clients_go(db: TestDb) {
    let limits = HttpLimits { max_writes: 1, ..HttpLimits::default() };
    let (_, served) = served_with(&db, limits).await;
    let (begun, mut begins) = mpsc::unbounded_channel();
    let mut release = Vec::new();
    // As many as it has threads.
    for _ in 0..2 {
        let (sender, last) = std::sync::mpsc::channel();
        release.push(sender);
        let (verifier, body) = (served.verifier.clone(), Endless { begun: begun.clone(), last });
        tokio::spawn(async move { verifier.verify(body, ()).await.is_err() });
        begins.recv().await.expect("it begins");
    }
    let [first, second] = [
        send(&served, ENTRIES, &hashedrekord(1).to_string()).await,
        send(&served, ENTRIES, &hashedrekord(2).to_string()).await,
    ];
    // Either may have come first.
    let first_is_answered = tokio::select! {
        _ = first.readable() => true,
        _ = second.readable() => false,
    };
    let (mut refused, waiting) = if first_is_answered { (first, second) } else { (second, first) };
    let mut status = [0; 12];
    refused.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 503");
    hang_up(waiting).await;
    assert_eq!(served.add(&hashedrekord(3)).await.status, 503, "what was sent still waits");
    drop(release);
    while served.add(&hashedrekord(4)).await.status == 503 {}
    assert_eq!(served.log.check().await.unwrap(), 2, "nobody waits for what was not begun");
}

/// The answer to a look-up has 24 MiB: more than the system keeps for a connection.
async fn an_answer_that_nobody_takes_makes_room_for_others(db: TestDb) {
    let limits = HttpLimits { max_answers_bytes: 32 << 20, ..HttpLimits::default() };
    let (_, served) = served_with(&db, limits).await;
    let payload = json!({ "padding": "x".repeat(2 << 20) }).to_string();
    assert_eq!(served.add(&dsse(payload.as_bytes())).await.status, 201);
    let question = json!({ "logIndexes": [1, 0, 1, 1, 1, 1, 1, 1, 1, 1] }).to_string();
    let mut deaf = TcpStream::connect(served.address()).await.expect("a connection");
    let request = format!(
        "POST {RETRIEVE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{question}",
        question.len()
    );
    deaf.write_all(request.as_bytes()).await.expect("it is sent");
    let mut status = [0; 12];
    deaf.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200");
    let answer = loop {
        let answer = served.post(RETRIEVE, question.clone()).await;
        if answer.status == 200 {
            break answer;
        }
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text);
    };
    let length: usize = answer.header("content-length").parse().expect("a length");
    assert!(length > 20 << 20 && length == answer.text.len(), "{length}");
    let entries: Vec<LogEntry> = serde_json::from_str(&answer.text).expect("entries");
    let indexes = entries.iter().map(|entry| entry.single().expect("one").1.log_index);
    assert_eq!(indexes.collect::<Vec<_>>(), [1, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    let mut rest = Vec::new();
    // A reset is a way to hang up, too.
    let _ = deaf.read_to_end(&mut rest).await;
    assert!(rest.len() < length / 2, "{} of {length} bytes were taken", rest.len());
    // Small answers need no room, and one entry is an answer like any other.
    assert_eq!(served.get("/api/v1/log/entries?logIndex=0").await.status, 200);
    let one = served.get("/api/v1/log/entries?logIndex=1").await;
    assert_eq!(
        (one.status, one.text.len() > 2 << 20, one.text.ends_with("}\n")),
        (200, true, true)
    );
}

/// 400 KiB a second, for five times as long as a client has at least, while others ask.
async fn an_answer_that_is_taken_steadily_makes_room_for_nobody(db: TestDb) {
    let limits = HttpLimits { max_answers_bytes: 26 << 20, ..HttpLimits::default() };
    let (_, served) = served_with(&db, limits).await;
    let payload = json!({ "padding": "x".repeat(2 << 20) }).to_string();
    assert_eq!(served.add(&dsse(payload.as_bytes())).await.status, 201);
    let question = json!({ "logIndexes": vec![1; 9] }).to_string();
    let mut stream = TcpStream::connect(served.address()).await.expect("a connection");
    let request = format!(
        "POST {RETRIEVE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{question}",
        question.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut piece = vec![0; 16 << 10];
    // It has its share as soon as it begins.
    stream.read_exact(&mut piece).await.expect("an answer");
    let mut taken = piece.clone();
    let mut beat = tokio::time::interval(Duration::from_millis(40));
    let one = json!({ "logIndexes": [1] }).to_string();
    for _ in 0..5 {
        let a_second = async {
            for _ in 0..25 {
                beat.tick().await;
                stream.read_exact(&mut piece).await.expect("it is not cut off");
                taken.extend_from_slice(&piece);
            }
        };
        let (other, ()) = tokio::join!(served.post(RETRIEVE, one.clone()), a_second);
        assert_eq!(other.status, 503, "there is no room");
    }
    stream.read_to_end(&mut taken).await.expect("it is not cut off");
    let head = taken.windows(4).position(|end| end == b"\r\n\r\n").expect("headers") + 4;
    let entries: Vec<LogEntry> = serde_json::from_slice(&taken[head..]).expect("entries");
    assert_eq!(entries.len(), 9);
}

/// An addition whose body, and so its answer, has a key's name of 100 kB.
fn verbose(n: u64) -> String {
    let text = envelope("text/plain", &n.to_be_bytes());
    let mut envelope: Value = serde_json::from_str(&text).expect("an envelope");
    let twice = |text: &Value| STANDARD.encode(text.as_str().expect("base64"));
    envelope["payload"] = twice(&envelope["payload"]).into();
    let signature = &mut envelope["signatures"][0];
    signature["sig"] = twice(&signature["sig"]).into();
    signature["keyid"] = "x".repeat(100_000).into();
    signature["publicKey"] = STANDARD.encode(public_key_pem()).into();
    let hash = json!({ "algorithm": "sha256", "value": digest(n) });
    let spec = json!({ "content": { "envelope": envelope, "hash": hash } });
    json!({ "apiVersion": "0.0.2", "kind": "intoto", "spec": spec }).to_string()
}

/// There is room for one large answer at a time.
async fn an_addition_with_a_large_answer_is_refused_before_it_is_committed(db: TestDb) {
    let limits = HttpLimits { max_answers_bytes: 0, ..HttpLimits::default() };
    let (store, served) = served_with(&db, limits).await;
    store.hold(Method::Commit);
    let mut answers = post_all(&served, ENTRIES, vec![verbose(1), verbose(2)]);
    expect(&mut answers, 1, 503).await;
    store.release(Method::Commit);
    let added = answers.recv().await.expect("an answer");
    assert_eq!(added.status, 201, "{}", added.text);
    assert!(added.text.len() > 100_000 && added.header("content-type") == "application/json");
    let entry: LogEntry = serde_json::from_str(&added.text).expect("an entry");
    assert_eq!(entry.single().expect("one").1.log_index, 1);
    assert_eq!(served.log.check().await.unwrap(), 2, "the other one is not there");
    // One of them is, and its entry has as much text.
    let mut again =
        [served.post(ENTRIES, verbose(1)).await, served.post(ENTRIES, verbose(2)).await];
    again.sort_by_key(|answer| answer.status);
    assert_eq!((again[0].status, again[1].status), (201, 409));
    assert!(again.iter().all(|answer| answer.text.len() > 100_000 && answer.json().is_object()));
}

fn limited(writes: u32, reads: u32) -> Setup {
    let rates = RateLimits {
        writes: NonZeroU32::new(writes),
        reads: NonZeroU32::new(reads),
        searches: None,
        trusted_proxies: 1,
    };
    Setup { limits: HttpLimits { rates, ..HttpLimits::default() }, ..Setup::default() }
}

/// Sends until it is refused with 429.
async fn until_refused(served: &Served, verb: Verb, path: &str, from: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", from)];
    for _ in 0..1_000 {
        let answer = served.send(verb.clone(), path, &headers, body.to_owned()).await;
        if answer.status == 429 {
            return answer;
        }
        assert!([200, 201, 409, 422].contains(&answer.status), "{}", answer.text);
    }
    panic!("never refused");
}

async fn who_asks_too_often_is_told_when_to_come_back(db: TestDb) {
    let served = Served::with(&db, limited(1, 5)).await;
    let entry = hashedrekord(1).to_string();
    let refused = until_refused(&served, Verb::POST, ENTRIES, "192.0.2.1", &entry).await;
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("content-type"), "application/json");
    let body = refused.json();
    assert_eq!(body["code"], 429);
    assert!(body["message"].as_str().unwrap().contains("1 write requests per second"), "{body}");
    // Others are not told, and this one may read, search, and ask for the server's health.
    let json = ("content-type", "application/json");
    for (from, expected) in [("192.0.2.2", 201), ("2001:db8::1", 409)] {
        let entry = hashedrekord(2).to_string();
        let headers = [json, ("x-forwarded-for", from)];
        let answer = served.send(Verb::POST, ENTRIES, &headers, entry).await;
        assert_eq!(answer.status, expected, "{from}");
    }
    let same = [json, ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(served.send(Verb::GET, "/api/v1/log", &same, "").await.status, 200);
    for _ in 0..20 {
        let search = served.send(Verb::POST, SEARCH, &same, r#"{"subject":"x"}"#).await;
        assert_eq!(search.status, 200, "{}", search.text);
        assert_eq!(served.send(Verb::GET, "/healthz", &same, "").await.status, 200);
    }
    // What a client claims itself is not believed, and a network of IPv6 is one client.
    until_refused(&served, Verb::POST, ENTRIES, "203.0.113.9, 192.0.2.3", &entry).await;
    until_refused(&served, Verb::POST, ENTRIES, "2001:db8:7:8::1", &entry).await;
    // The refusal is JSON whatever the route gives, and is heard in spite of a large body.
    let key = until_refused(&served, Verb::GET, "/api/v1/log/publicKey", "192.0.2.4", "").await;
    assert_eq!(key.header("content-type"), "application/json");
    until_refused(&served, Verb::POST, ENTRIES, "192.0.2.5", &" ".repeat(900_000)).await;
    // Who asks for what there is not has asked, too.
    let headers = [("x-forwarded-for", "192.0.2.6"), ("accept", "text/html")];
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(served.send(Verb::DELETE, "/api/v1/log", &headers, "").await.status);
        answers.push(served.send(Verb::GET, "/api/v1/log", &headers, "").await.status);
    }
    assert!(answers.starts_with(&[405, 406]) && answers.contains(&429), "{answers:?}");
}

async fn the_client_library_comes_back_when_it_is_told_to(db: TestDb) {
    let served = Served::with(&db, limited(1, 1_000)).await;
    let client = Client::builder(&served.url).retries(9).timeout(Some(Duration::from_secs(60)));
    let client = client.build().expect("a client");
    for n in 0..3 {
        let uploaded = client.upload(&hashedrekord(n)).await.expect("it is added in the end");
        assert!(matches!(uploaded, Uploaded::Created { .. }));
    }
    assert_eq!(served.size().await, 3);
}
