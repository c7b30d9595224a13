//! What a server says: nothing of it steers a terminal.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use serde_json::json;

use super::lies::{ask, log};
use super::log::{Log, Signed, serve};

#[tokio::test]
async fn no_error_steers_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let evil = "\u{1b}[2J\u{9b}2J\r";
    let mut body = serde_json::to_value(log(7, &["a"]).entry(0)).unwrap();
    let entry = body.as_object_mut().unwrap().values_mut().next().unwrap();
    entry["logID"] = evil.into();
    for (path, answer, text) in [
        // A label of a key, a log ID, a message, and what is no error body.
        (
            "log/publicKey",
            format!("-----BEGIN {evil}-----\n-----END {evil}-----\n"),
            "cannot handle type ",
        ),
        ("log/entries", body.to_string(), "the entry is of log "),
        (
            "log",
            json!({ "code": 400, "message": evil }).to_string(),
            r#"message":"\u001b[2J\u009b2J\r""#,
        ),
        ("log", evil.to_owned(), r#"default "\u001b[2J\u009b2J\r""#),
    ] {
        let honest = log(7, &["a"]).shared();
        let url = serve(move |asked| {
            if asked.path != path {
                return honest.lock().unwrap().answer(asked);
            }
            let status = if path == "log" { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            (status, answer.clone()).into_response()
        })
        .await;
        let command: &[&str] =
            if path == "log/entries" { &["get", "--log-index=0"] } else { &["loginfo"] };
        let ran = ask(&url, home, command).await;
        assert!(!ran.success && ran.err.contains(text), "{text}: {:?}", ran.err);
        assert!(!ran.err.trim_end_matches('\n').contains(char::is_control), "{:?}", ran.err);
    }
}

#[tokio::test]
async fn a_duplicate_is_where_the_api_says() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let signed = Signed::new("a");
    let mut log = Log::new("log.test", 7);
    let own = log.add(&signed.proposal());
    let id = log.id(own);
    std::fs::write(signed.path("entry"), signed.proposal().to_string()).unwrap();
    let elsewhere = format!("@evil.example/{id}");
    let url = serve(move |_| {
        (StatusCode::CONFLICT, [(header::LOCATION, elsewhere.clone())]).into_response()
    })
    .await;
    let upload = ["upload", &format!("--entry={}", signed.path("entry"))];
    let with = |user: &str| url.replacen("//", &format!("//{user}"), 1);
    for (user, shown) in [("", ""), ("u@", "u@"), ("u:secret@", "u:xxxxx@")] {
        let ran = ask(&with(user), home, &upload).await;
        let place = format!("{}/api/v1/log/entries/{id}", with(shown));
        let said = format!("Entry already exists; available at: {place}\n");
        assert!(ran.success && ran.out == said, "{}{}", ran.out, ran.err);
    }
}
