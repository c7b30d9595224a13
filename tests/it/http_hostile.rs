//! Input that is meant to hurt: each is refused, and nothing is added.

use std::time::Duration;

use indelible::http::HttpLimits;
use indelible::server::ConnectionLimits;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::databases::TestDb;
use crate::harness::evidence::hashedrekord;
use crate::harness::served::{Answer, Served, Setup};

both! {
    odd_json_is_refused_or_read_as_rekor_reads_it,
    bodies_over_the_limit_are_refused,
    slow_and_broken_senders_are_dropped,
    who_sends_all_before_it_listens_hears_the_refusal,
    long_heads_are_refused,
    large_bodies_share_a_budget,
}

const ENTRIES: &str = "/api/v1/log/entries";

/// A hashedrekord proposal with more members before its `kind`.
fn padded(more: &str) -> String {
    let spec = hashedrekord(1)["spec"].to_string();
    format!(r#"{{{more}"kind":"hashedrekord","apiVersion":"0.0.1","spec":{spec}}}"#)
}

async fn odd_json_is_refused_or_read_as_rekor_reads_it(db: TestDb) {
    let served = Served::start(&db).await;
    let nested = |levels: usize| format!(r#""x":{}{},"#, "[".repeat(levels), "]".repeat(levels));
    let many = format!(r#""x":[{}0],"#, "0,".repeat(300_000));
    for (body, status) in [
        (format!(r#"{{"spec":{}1{}}}"#, "[".repeat(200), "]".repeat(200)), 400),
        (format!(r#"{{"spec":{}"#, "[".repeat(100_000)), 400),
        (padded(&many), 400),
        // What is ignored may be as deep as it likes: nothing is kept of it.
        (padded(&nested(100_000)), 201),
        (padded(r#""x":"\ud800","#), 409),
        (padded(r#""x":1e999999,"#), 409),
        (padded(&nested(100)), 409),
        (padded(&format!(r#""x":{},"#, "9".repeat(10_000))), 409),
        (padded(r#""kind":"foo","#), 409),
    ] {
        let answer = served.post(ENTRIES, body.clone()).await;
        assert_eq!(answer.status, status, "{}: {}", &body[..body.len().min(80)], answer.text);
    }
    // Bytes that are not UTF-8 count as U+FFFD.
    let mut bytes = padded(r#""x":"?","#).into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xff;
    let json = [("content-type", "application/json")];
    assert_eq!(served.send(Method::POST, ENTRIES, &json, bytes).await.status, 409);
    // The same through the look-ups.
    for path in ["/api/v1/log/entries/retrieve", "/api/v1/index/retrieve"] {
        let ignored = served.post(path, format!("{{{}\"y\":0}}", nested(100_000))).await;
        assert_eq!((ignored.status, ignored.text.as_str()), (200, "[]\n"), "{path}");
        let many = served.post(path, format!("{{{many}\"y\":0}}")).await;
        assert_eq!(many.status, 400, "{path}: {}", many.text);
    }
    let deep = format!(r#"{{"entries":[{{"spec":{}{}}}]}}"#, "[".repeat(200), "]".repeat(200));
    let deep = served.post("/api/v1/log/entries/retrieve", deep).await;
    assert!(deep.status == 400 && deep.text.contains("recursion limit"), "{}", deep.text);
    let mut deep = hashedrekord(1);
    deep["spec"]["signature"]["publicKey"] = json!([[[[[]]]]]);
    assert_eq!(served.add(&deep).await.status, 400);
    assert_eq!(served.size().await, 1);
}

async fn bodies_over_the_limit_are_refused(db: TestDb) {
    let limits = HttpLimits { max_body_bytes: 2_000, ..HttpLimits::default() };
    let served = Served::with(&db, Setup { limits, ..Setup::default() }).await;
    let expected = r#"{"code":413,"message":"Request Entity Too Large. Limit set to 2000"}"#;
    for path in [ENTRIES, "/api/v1/log/entries/retrieve", "/api/v1/index/retrieve"] {
        let announced =
            served.post(path, padded(&format!(r#""x":"{}","#, "x".repeat(3_000)))).await;
        assert_eq!((announced.status, announced.text.as_str()), (413, expected), "{path}");
        let mut stream = connect(&served).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let piece = format!("200\r\n{}\r\n", "x".repeat(512)).repeat(5);
        stream.write_all(piece.as_bytes()).await.unwrap();
        assert!(heard(&mut stream).await.starts_with("HTTP/1.1 413 "), "{path}");
    }
    assert_eq!(served.add(&hashedrekord(1)).await.status, 201);
}

async fn slow_and_broken_senders_are_dropped(db: TestDb) {
    let limits = HttpLimits { body_timeout: Duration::from_millis(200), ..HttpLimits::default() };
    let connections =
        ConnectionLimits { header_timeout: Duration::from_millis(200), ..Default::default() };
    let served = Served::with(&db, Setup { limits, connections, ..Setup::default() }).await;
    let post = "POST /api/v1/log/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    // Headers that never end: the server hangs up.
    let mut stream = connect(&served).await;
    stream.write_all(post.as_bytes()).await.unwrap();
    let said = heard(&mut stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    // A body that never ends: the server says so.
    let mut stream = connect(&served).await;
    stream.write_all(format!("{post}Content-Length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    let said = heard(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("did not arrive within"), "{said}");
    // The same of one that nobody wants, if it is one.
    let mut stream = connect(&served).await;
    let unwanted = post.replace("application/json", "text/plain");
    let head = format!("{unwanted}Transfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let said = heard(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("did not arrive within"), "{said}");
    // A body that ends early.
    let mut stream = connect(&served).await;
    stream.write_all(format!("{post}Content-Length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let said = heard(&mut stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{said}");
    // No HTTP at all, and headers beyond every bound.
    for junk in [
        "\u{16}\u{3}\u{1} hello\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)),
    ] {
        let mut stream = connect(&served).await;
        let _ = stream.write_all(junk.as_bytes()).await;
        let said = heard(&mut stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    assert_eq!(served.add(&hashedrekord(1)).await.status, 201, "others are served all the same");
    assert_eq!(served.size().await, 1);
}

async fn who_sends_all_before_it_listens_hears_the_refusal(db: TestDb) {
    let served = Served::start(&db).await;
    let megabytes = |count: usize| vec![b' '; count << 20];
    for (request, media_type, size, status) in [
        ("POST /api/v1/log/entries", "application/json", 40, "413"),
        ("POST /api/v1/log/entries/retrieve", "application/json", 40, "413"),
        ("POST /api/v1/index/retrieve", "text/plain", 3, "415"),
        ("DELETE /api/v1/log/entries", "application/json", 3, "405"),
        ("POST /api/v2/log/entries", "application/json", 3, "404"),
    ] {
        let mut stream = connect(&served).await;
        let head = format!(
            "{request} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            size << 20
        );
        stream.write_all(head.as_bytes()).await.expect("it is read");
        stream.write_all(&megabytes(size)).await.expect("all of it is read");
        let said = heard(&mut stream).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {said}");
        // The connection serves another request.
        stream
            .write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let said = heard(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 200 "), "{request}: {said}");
    }
    // Who asks first is told before it sends anything.
    let mut stream = connect(&served).await;
    let head = "POST /api/v1/log/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 40000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let said = heard(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
}

/// A whole head with so many headers, padded to so many bytes.
fn head(headers: usize, bytes: usize) -> String {
    let mut head = "GET /ping HTTP/1.1\r\nConnection: close\r\n".to_owned();
    for n in 2..headers {
        head.push_str(&format!("X-{n}: x\r\n"));
    }
    let padding = bytes - head.len() - "X: \r\n\r\n".len();
    format!("{head}X: {}\r\n\r\n", "x".repeat(padding))
}

async fn long_heads_are_refused(db: TestDb) {
    let served = Served::start(&db).await;
    for (headers, bytes, status) in [
        (2, 65_536, "200 OK"),
        (2, 65_537, "431 Request Header Fields Too Large"),
        (100, 2_000, "200 OK"),
        (101, 2_000, "431 Request Header Fields Too Large"),
    ] {
        let head = head(headers, bytes);
        assert_eq!((head.len(), head.matches(": ").count()), (bytes, headers));
        let mut stream = connect(&served).await;
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        let said = heard(&mut stream).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{headers} {bytes}: {said}");
    }
    // A body may be longer than that.
    let long = padded(&format!(r#""x":"{}","#, "x".repeat(200_000)));
    assert_eq!(served.post(ENTRIES, long).await.status, 201);
}

async fn large_bodies_share_a_budget(db: TestDb) {
    let limits = HttpLimits { max_bodies_bytes: 64 << 10, ..HttpLimits::default() };
    let served = Served::with(&db, Setup { limits, ..Setup::default() }).await;
    let large = padded(&format!(r#""x":"{}","#, "x".repeat(60 << 10)));
    let (mut slow, refused) = loop {
        let slow = holding_most(&served).await;
        if let Some(refused) = refused_soon(&served, &large).await {
            break (slow, refused);
        }
        // The slow one was refused itself: the large one came between its pieces.
    };
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(served.add(&hashedrekord(2)).await.status, 201, "small bodies need no budget");
    // It holds them for a moment only, and is told so when it sends more.
    while served.post(ENTRIES, large.clone()).await.status == 503 {}
    slow.write_all(&[b' '; 1_000]).await.unwrap();
    let said = heard(&mut slow).await;
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
}

/// A slow sender of a body, who holds most of the budget as soon as the server has read it.
async fn holding_most(served: &Served) -> TcpStream {
    let mut slow = connect(served).await;
    let head = "POST /api/v1/log/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&[b' '; 70 << 10]).await.unwrap();
    slow
}

/// The refusal of one of the next few times that `body` is sent: until the server has read
/// what others sent, there is room.
async fn refused_soon(served: &Served, body: &str) -> Option<Answer> {
    for _ in 0..50 {
        let answer = served.post(ENTRIES, body.to_owned()).await;
        if answer.status == 503 {
            return Some(answer);
        }
        assert!([201, 409].contains(&answer.status), "{}", answer.text);
    }
    None
}

async fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.address()).await.expect("a connection")
}

/// What the server says until it hangs up, or its first answer.
async fn heard(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(read) => heard.extend_from_slice(&piece[..read]),
        }
        if heard.windows(4).any(|window| window == b"\r\n\r\n") && heard.ends_with(b"}") {
            break;
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}
