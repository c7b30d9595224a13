//! Content types, and how leniently JSON is read.

use indelible::http::EnabledEndpoints;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::databases::TestDb;
use crate::harness::evidence::hashedrekord;
use crate::harness::served::{Served, Setup};

both! {
    request_bodies_must_be_json,
    absent_bodies_are_named,
    a_body_of_no_pieces_is_none,
    clients_say_what_they_take,
    the_public_key_is_pem_or_json,
    json_is_read_leniently,
    of_names_that_differ_in_case_the_last_one_counts,
}

const POSTS: [(&str, &str); 3] = [
    ("/api/v1/log/entries", "proposedEntry"),
    ("/api/v1/log/entries/retrieve", "entry"),
    ("/api/v1/index/retrieve", "query"),
];

async fn request_bodies_must_be_json(db: TestDb) {
    let served = Served::start(&db).await;
    for (path, _) in POSTS {
        let plain = served.send(Method::POST, path, &[("content-type", "text/plain")], "{}").await;
        let expected = r#"{"code":415,"message":"unsupported media type \"text/plain\", only [application/json] are allowed"}"#;
        assert_eq!((plain.status, plain.text.as_str()), (415, expected), "{path}");
        let none = served.send(Method::POST, path, &[], "{}").await;
        assert!(none.status == 415 && none.text.contains("application/octet-stream"), "{path}");
        let malformed = served.send(Method::POST, path, &[("content-type", ";;;")], "{}").await;
        assert_eq!(
            malformed.text,
            r#"{"code":400,"message":"parsing Content-Type header from \";;;\" failed, because mime: no media type"}"#
        );
        for fine in
            ["application/json; charset=utf-8", "Application/JSON;", "application/json;a=\"b\""]
        {
            let answer = served.send(Method::POST, path, &[("content-type", fine)], "{}").await;
            assert!([200, 422].contains(&answer.status), "{path}: {fine}: {}", answer.text);
        }
    }
    for (header, status, message) in [
        ("application/json; charset", 400, "invalid media parameter"),
        ("application/json x", 400, "unexpected content after media type"),
        ("json x", 400, "expected slash after first token"),
        ("json", 415, "json"),
        ("TEXT/Plain; charset=utf-8", 415, "text/plain"),
    ] {
        let message = match status {
            400 => format!(
                "parsing Content-Type header from \"{header}\" failed, because mime: {message}"
            ),
            _ => {
                format!("unsupported media type \"{message}\", only [application/json] are allowed")
            }
        };
        let answer = served.send(Method::POST, POSTS[1].0, &[("content-type", header)], "{}").await;
        let expected = json!({ "code": status, "message": message });
        assert_eq!((answer.status, answer.json()), (status, expected), "{header}");
    }
    // Only a body is judged: a header alone is fine, as sigstore-python sends it.
    let header = [("content-type", "text/plain")];
    assert_eq!(served.send(Method::GET, "/api/v1/log", &header, "").await.status, 200);
    assert_eq!(served.send(Method::GET, "/api/v1/log", &header, "x").await.status, 415);
}

async fn absent_bodies_are_named(db: TestDb) {
    let served = Served::start(&db).await;
    for (path, name) in POSTS {
        let expected = format!("{{\"code\":602,\"message\":\"{name} in body is required\"}}");
        let empty = served.send(Method::POST, path, &[], "").await;
        assert_eq!((empty.status, empty.text.as_str()), (422, expected.as_str()), "{path}");
        let blank = served.post(path, " \r\n\t ").await;
        assert_eq!((blank.status, blank.text), (422, expected), "{path}");
    }
}

async fn a_body_of_no_pieces_is_none(db: TestDb) {
    let served = Served::start(&db).await;
    let (json, plain) = ("Content-Type: application/json\r\n", "Content-Type: text/plain\r\n");
    let odd = "Content-Type: ;;;\r\n";
    let html = "Content-Type: application/json\r\nAccept: text/html\r\n";
    for (request, headers, pieces, status, said) in [
        ("GET /api/v1/log", "", "", "200", "\"treeSize\":0"),
        ("GET /api/v1/log", plain, "", "200", "\"treeSize\":0"),
        ("GET /api/v1/log", plain, "1\r\nx\r\n", "415", "text/plain"),
        (
            "POST /api/v1/index/retrieve",
            "",
            "",
            "422",
            r#"{"code":602,"message":"query in body is required"}"#,
        ),
        ("POST /api/v1/log/entries", odd, "", "422", "proposedEntry in body is required"),
        ("POST /api/v1/log/entries", json, "", "422", "proposedEntry in body is required"),
        ("POST /api/v1/log/entries", html, "", "406", "only [application/json] are available"),
        ("POST /api/v1/log/entries/retrieve", "", "2\r\n{}\r\n", "415", "application/octet-stream"),
        ("POST /api/v1/log/entries/retrieve", html, "1\r\n{\r\n1\r\n}\r\n", "200", "[]\n"),
    ] {
        let mut stream = TcpStream::connect(served.address()).await.expect("a connection");
        let head = format!(
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(format!("{head}{pieces}0\r\n\r\n").as_bytes()).await.expect("it is read");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let status = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&status) && answer.contains(said), "{head}{pieces}: {answer}");
    }
}

async fn clients_say_what_they_take(db: TestDb) {
    let served = Served::start(&db).await;
    for accept in ["*/*", "application/*", "application/json", "text/html, application/json;q=0.1"]
    {
        let answer = served.send(Method::GET, "/api/v1/log", &[("accept", accept)], "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    }
    for accept in ["text/html", "application/json;q=0", "application/yaml"] {
        let answer = served.send(Method::GET, "/api/v1/log", &[("accept", accept)], "").await;
        let expected = r#"{"code":406,"message":"unsupported media type requested, only [application/json] are available"}"#;
        assert_eq!((answer.status, answer.text.as_str()), (406, expected), "{accept}");
    }
    let html = [("accept", "text/html"), ("content-type", "application/json")];
    // Only a POST is worth doing for a client that cannot read the answer.
    for (path, available) in [
        ("/api/v1/log", "application/json"),
        ("/api/v1/log/entries?logIndex=0", "application/json"),
        ("/api/v1/log/publicKey", "application/x-pem-file application/json"),
    ] {
        let answer = served.send(Method::GET, path, &html, "{}").await;
        let message = format!("unsupported media type requested, only [{available}] are available");
        let expected = json!({ "code": 406, "message": message });
        assert_eq!((answer.status, answer.json()), (406, expected), "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
    }
    let created =
        served.send(Method::POST, "/api/v1/log/entries", &html, hashedrekord(1).to_string()).await;
    assert_eq!(created.status, 201);
    assert!(
        created.headers.contains_key("content-type") && created.header("content-type").is_empty()
    );
    let again =
        served.send(Method::POST, "/api/v1/log/entries", &html, hashedrekord(1).to_string()).await;
    assert_eq!((again.status, again.header("content-type")), (409, ""));
    for (path, status) in [
        ("/api/v1/log/entries", 422),
        ("/api/v1/log/entries/retrieve", 422),
        ("/api/v1/index/retrieve", 422),
    ] {
        let body = r#"{"kind":"foo","logIndexes":[],"hash":"abc"}"#;
        let answer = served.send(Method::POST, path, &html, body).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"));
    }
}

async fn the_public_key_is_pem_or_json(db: TestDb) {
    let served = Served::start(&db).await;
    let path = "/api/v1/log/publicKey";
    for accept in ["*/*", "application/*", "application/x-pem-file", "application/json;q=0.5, */*"]
    {
        let answer = served.send(Method::GET, path, &[("accept", accept)], "").await;
        assert_eq!(answer.header("content-type"), "application/x-pem-file", "{accept}");
        assert_eq!(answer.text, served.log.public_key_pem());
    }
    let json = served.send(Method::GET, path, &[("accept", "application/json")], "").await;
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.json(), served.log.public_key_pem());
    let own = format!("{path}?treeID={}", served.log.tree_id());
    assert_eq!(served.get(&own).await.text, served.log.public_key_pem());
    assert_eq!(served.get(&format!("{path}?treeID=")).await.status, 200);
    for (tree, status, code, media_type) in [
        ("1", 400, 400, "application/x-pem-file"),
        ("99999999999999999999", 400, 400, "application/x-pem-file"),
        // What the framework refuses is JSON to everybody.
        ("x", 422, 605, "application/json"),
    ] {
        let answer = served.get(&format!("{path}?treeID={tree}")).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (status, Some(code)), "{tree}");
        assert_eq!(answer.header("content-type"), media_type, "{tree}");
        assert!(!answer.text.ends_with('\n'), "{tree}");
    }
    let off = EnabledEndpoints::from_names(["getLogProof"]).unwrap();
    let off = Served::with(&db, Setup { endpoints: off, ..Setup::default() }).await;
    for (accept, end) in [("*/*", "\"}"), ("application/json", "\"}\n")] {
        for (server, path, status) in
            [(&served, "/api/v1/log/publicKey?treeID=1", 400), (&off, path, 501)]
        {
            let answer = server.send(Method::GET, path, &[("accept", accept)], "").await;
            assert_eq!(answer.status, status);
            assert!(answer.text.ends_with(end), "{path} {accept}: {:?}", answer.text);
        }
    }
    let neither = served.send(Method::GET, path, &[("accept", "text/html")], "").await;
    let message = "unsupported media type requested, only [application/x-pem-file application/json] are available";
    assert_eq!((neither.status, neither.json()["message"].as_str()), (406, Some(message)));
}

async fn json_is_read_leniently(db: TestDb) {
    let served = Served::start(&db).await;
    let spec = hashedrekord(1)["spec"].to_string();
    for (body, status) in [
        (format!(r#"{{"KIND":"hashedrekord","apiversion":"0.0.1","SPEC":{spec}}}"#), 201),
        (
            format!(r#"{{"kind":"x","kind":"hashedrekord","apiVersion":"0.0.1","spec":{spec}}}"#),
            409,
        ),
        (
            format!(
                r#"{{"more":[1e3],"kind":"hashedrekord","apiVersion":"0.0.1","spec":{spec}}} junk"#
            ),
            409,
        ),
    ] {
        assert_eq!(served.post("/api/v1/log/entries", body.clone()).await.status, status, "{body}");
    }
    for body in
        ["{}", "null", r#"{"entryUUIDs":null,"LOGINDEXES":null,"entries":null,"x":1}"#, "{} x"]
    {
        let answer = served.post("/api/v1/log/entries/retrieve", body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "[]\n"), "{body}");
        let answer = served.post("/api/v1/index/retrieve", body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "[]\n"), "{body}");
    }
    let zero = served.post("/api/v1/log/entries/retrieve", r#"{"logIndexes":[null]}"#).await;
    assert_eq!(zero.json().as_array().map(Vec::len), Some(1));
}

async fn of_names_that_differ_in_case_the_last_one_counts(db: TestDb) {
    let served = Served::start(&db).await;
    let mut ids = Vec::new();
    for n in 0..2 {
        ids.push(served.add(&hashedrekord(n)).await.header("etag").to_owned());
    }
    let spec = hashedrekord(1)["spec"].to_string();
    let entry = format!(r#""apiVersion":"0.0.1","SPEC":{{}},"spec":{spec}"#);
    for body in [
        r#"{"logIndexes":[0],"LOGINDEXES":[1]}"#.to_owned(),
        r#"{"LOGINDEXES":[0],"logIndexes":[1]}"#.to_owned(),
        format!(r#"{{"entryuuids":["{}"],"EntryUUIDs":["{}"]}}"#, ids[0], ids[1]),
        r#"{"logIndexes":[1],"entryUUIDs":["x"],"entryuuids":null}"#.to_owned(),
        format!(r#"{{"entries":[{{"kind":"rpm","KIND":"hashedrekord",{entry}}}]}}"#),
        format!(r#"{{"entries":[{{"KIND":"rpm","kind":"hashedrekord",{entry}}}]}}"#),
    ] {
        let answer = served.post("/api/v1/log/entries/retrieve", body.clone()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text);
        let found = answer.json();
        assert!(found[0].get(&ids[1]).is_some() && found.get(1).is_none(), "{body}: {found}");
    }
    let zeros = "0".repeat(64);
    let pattern =
        "^(sha512:)?[0-9a-fA-F]{128}$|^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$";
    let hash = format!("hash in body should match '{pattern}'");
    let format = "publicKey.publicKey.format in body should be one of [pgp x509 minisign ssh tuf]";
    for (path, body, status, code, message) in [
        (
            "/api/v1/log/entries/retrieve",
            r#"{"logIndexes":[0],"LOGINDEXES":["x"]}"#.to_owned(),
            400,
            400,
            "parsing entry body from \"\" failed, because logIndexes: invalid type: string \"x\", \
             expected i64 at line 1 column 35",
        ),
        (
            "/api/v1/index/retrieve",
            format!(r#"{{"hash":"{zeros}","HASH":"zz"}}"#),
            422,
            605,
            hash.as_str(),
        ),
        (
            "/api/v1/index/retrieve",
            r#"{"publicKey":{"format":"x509","FORMAT":"zz"}}"#.to_owned(),
            422,
            606,
            format,
        ),
    ] {
        let answer = served.post(path, body.clone()).await;
        let expected = json!({ "code": code, "message": message });
        assert_eq!((answer.status, answer.json()), (status, expected), "{body}");
    }
    let found = format!(r#"{{"hash":"zz","HASH":"{zeros}"}}"#);
    let found = served.post("/api/v1/index/retrieve", found).await;
    assert_eq!((found.status, found.text.as_str()), (200, "[]\n"));
}
