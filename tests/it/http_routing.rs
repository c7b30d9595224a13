//! Paths, methods and the headers of every answer.

use indelible::http::EnabledEndpoints;
use reqwest::Method;

use crate::harness::databases::TestDb;
use crate::harness::served::{Answer, Served, Setup};

both! {
    paths_are_cleaned_and_unknown_ones_named,
    wrong_methods_are_told_the_right_ones,
    answers_carry_their_headers,
    what_is_switched_off_says_nothing_about_caches,
    preflights_are_answered,
    pages_and_probes_are_served,
}

async fn paths_are_cleaned_and_unknown_ones_named(db: TestDb) {
    let served = Served::start(&db).await;
    for path in
        ["/api/v1/log", "/api/v1/log/", "//api//v1//log", "/api/v1/./log", "/api/x/../v1/log"]
    {
        assert_eq!(served.get(path).await.status, 200, "{path}");
    }
    for path in ["/api/v1/log/entries/retrieve/", "/api/v1//log/entries/retrieve"] {
        let answer = served.post(path, "{}").await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "[]\n"), "{path}");
    }
    let unknown = ["/foo/bar", "/api/v1/version", "/api/v1/timestamp", "/api/v1", "//foo//bar/"];
    for path in unknown {
        let answer = served.get(path).await;
        let expected = format!("{{\"code\":404,\"message\":\"path {path} was not found\"}}");
        assert_eq!((answer.status, answer.text), (404, expected));
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

async fn wrong_methods_are_told_the_right_ones(db: TestDb) {
    let served = Served::start(&db).await;
    for (method, path, allowed) in [
        (Method::DELETE, "/api/v1/log/entries", "POST,GET"),
        (Method::POST, "/api/v1/log", "GET"),
        (Method::PUT, "/api/v1/log/publicKey", "GET"),
        (Method::GET, "/api/v1/index/retrieve", "POST"),
        (Method::OPTIONS, "/api/v1/log", "GET"),
        (Method::DELETE, "/api/v1/log/entries/retrieve", "POST,GET"),
    ] {
        let answer = served.send(method.clone(), path, &[], "").await;
        let message = format!("method {method} is not allowed, but [{allowed}] are");
        let expected = format!("{{\"code\":405,\"message\":\"{message}\"}}");
        assert_eq!((answer.status, answer.text.as_str()), (405, expected.as_str()), "{path}");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
    let head = served.send(Method::HEAD, "/api/v1/log", &[], "").await;
    assert_eq!((head.status, head.header("allow"), head.text.as_str()), (405, "GET", ""));
    let named = served.get("/api/v1/log/entries/retrieve").await;
    assert_eq!((named.status, named.json()["code"].as_u64()), (422, Some(605)));
}

/// No header says anything about caches.
fn assert_silent_about_caches(answer: &Answer) {
    for name in ["cache-control", "expires", "pragma", "x-accel-expires"] {
        assert!(!answer.headers.contains_key(name), "{name}: {answer:?}");
    }
}

const NEVER: &str = "no-cache, no-store, no-transform, must-revalidate, private, max-age=0";

async fn answers_carry_their_headers(db: TestDb) {
    let served = Served::start(&db).await;
    for (path, status) in [
        ("/api/v1/log", 200),
        ("/api/v1/log/publicKey", 200),
        ("/api/v1/log/proof?lastSize=0", 422),
        ("/api/v1/log/entries?logIndex=7", 404),
        ("/api/v1/log/entries/x", 422),
        ("/api/v1/log/entries/retrieve", 422),
    ] {
        let answer = served.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("cache-control"), NEVER, "{path}");
        assert_eq!(answer.header("expires"), "Thu, 01 Jan 1970 00:00:00 GMT", "{path}");
        assert_eq!((answer.header("pragma"), answer.header("x-accel-expires")), ("no-cache", "0"));
        assert_eq!(answer.header("vary"), "Origin", "{path}");
    }
    let html = [("accept", "text/html")];
    let neither = served.send(Method::GET, "/api/v1/log", &html, "").await;
    assert_eq!((neither.status, neither.header("cache-control")), (406, NEVER));
    for (answer, status) in [
        (served.post("/api/v1/index/retrieve", "{}").await, 200),
        (served.get("/nothing").await, 404),
        (served.get("/api/v1/index/retrieve").await, 405),
        (served.send(Method::DELETE, "/api/v1/log", &[], "").await, 405),
    ] {
        assert_eq!((answer.status, answer.header("vary")), (status, "Origin"));
        assert_silent_about_caches(&answer);
    }
    let asked = [("x-request-id", "abc-123"), ("origin", "https://ui.example")];
    let answer = served.send(Method::GET, "/api/v1/log", &asked, "").await;
    assert_eq!(answer.header("x-request-id"), "abc-123");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let odd = [("x-request-id", "with space")];
    let answer = served.send(Method::GET, "/ping", &odd, "").await;
    assert_eq!(answer.header("x-request-id").len(), 36, "a UUID of our own");
    assert_eq!(answer.header("access-control-allow-origin"), "", "no page asked");
}

async fn what_is_switched_off_says_nothing_about_caches(db: TestDb) {
    let endpoints = EnabledEndpoints::from_names(["getLogEntryByIndex"]).unwrap();
    let served = Served::with(&db, Setup { endpoints, ..Setup::default() }).await;
    for (path, status) in [
        ("/api/v1/log", 501),
        ("/api/v1/log/publicKey", 501),
        ("/api/v1/log/proof?lastSize=1", 501),
        (&format!("/api/v1/log/entries/{}", "0".repeat(64)), 501),
        ("/api/v1/log/entries/x", 422),
    ] {
        let answer = served.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_silent_about_caches(&answer);
    }
    assert_eq!(served.get("/api/v1/log/entries?logIndex=0").await.header("cache-control"), NEVER);
}

async fn preflights_are_answered(db: TestDb) {
    let served = Served::start(&db).await;
    let ask = |method: &'static str, headers: &'static str| {
        let asked = [
            ("origin", "https://ui.example"),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ];
        let served = &served;
        async move { served.send(Method::OPTIONS, "/api/v1/log/entries", &asked, "").await }
    };
    let allowed = ask("POST", "content-type").await;
    assert_eq!((allowed.status, allowed.text.as_str()), (204, ""));
    assert_eq!(allowed.header("access-control-allow-origin"), "*");
    assert_eq!(allowed.header("access-control-allow-methods"), "POST");
    assert_eq!(allowed.header("access-control-allow-headers"), "content-type");
    assert!(!allowed.headers.contains_key("allow"));
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    for (method, headers) in [("DELETE", "content-type"), ("POST", "authorization")] {
        let refused = ask(method, headers).await;
        assert_eq!((refused.status, refused.header("vary")), (204, vary));
        assert_eq!(refused.header("access-control-allow-origin"), "", "{method} {headers}");
        assert!(!refused.headers.contains_key("allow"), "{method} {headers}");
    }
}

async fn pages_and_probes_are_served(db: TestDb) {
    let served = Served::start(&db).await;
    for path in ["/ping", "/PING", "/ping/"] {
        let answer = served.get(path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "."), "{path}");
        assert_eq!(answer.header("content-type"), "text/plain", "{path}");
    }
    assert_eq!(served.send(Method::HEAD, "/ping", &[], "").await.status, 200);
    for path in ["/ping", "/PING"] {
        let posted = served.post(path, "").await;
        let expected = format!("{{\"code\":404,\"message\":\"path {path} was not found\"}}");
        assert_eq!((posted.status, posted.text), (404, expected));
        assert!(!posted.headers.contains_key("allow"));
    }
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let home = served.send(method, "/", &[], "").await;
        assert_eq!(home.status, 200);
        assert_eq!(home.header("content-type"), "text/html");
        assert!(home.text.contains("/api/v1/log/") && home.text.contains(r#"charset="utf-8""#));
    }
    assert!(served.get("/docs").await.text.contains("/openapi.json"));
    for path in ["/openapi.json", "/swagger.json"] {
        let document = served.get(path).await.json();
        assert_eq!(document["openapi"], "3.1.0");
        assert!(document["paths"]["/api/v1/log/entries"]["post"].is_object());
    }
    assert_eq!(served.get("/healthz").await.text, "ok\n");
    assert_eq!(served.get("/readyz").await.text, "ok\n");
}
