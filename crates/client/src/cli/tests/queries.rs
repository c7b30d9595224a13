//! What a search asks the server for.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use super::log::serve;
use super::{refusal, run_with};

/// The query that these flags become.
async fn query(flags: &[&str]) -> Value {
    let asked = Arc::new(Mutex::new(Value::Null));
    let kept = asked.clone();
    let url = serve(move |asked| {
        *kept.lock().unwrap() = asked.body.clone();
        Json(["a".repeat(64)]).into_response()
    })
    .await;
    let ran = run_with(&[&["search", "--rekor_server", &url], flags].concat(), &[]).await;
    assert!(ran.success, "{}", ran.err);
    asked.lock().unwrap().take()
}

#[tokio::test]
async fn a_sha_384_is_asked_for_as_a_subject() {
    let digest = |digits: usize| "a".repeat(digits);
    for (digits, asked) in [
        (40, json!({ "hash": format!("sha1:{}", digest(40)) })),
        (64, json!({ "hash": format!("sha256:{}", digest(64)) })),
        (96, json!({ "subject": format!("sha384:{}", digest(96)) })),
        (128, json!({ "hash": format!("sha512:{}", digest(128)) })),
    ] {
        assert_eq!(query(&["--sha", &digest(digits)]).await, asked);
    }
    let named = format!("sha384:{}", digest(96));
    let both = query(&["--sha", &named, "--email=a@b", "--operator=and"]).await;
    assert_eq!(both, json!({ "subject": named, "email": "a@b", "operator": "and" }));
    let said = refusal(&["search", "--sha", &named, "--subject=s"], &[]).await;
    assert!(said.contains("a SHA-384 and --subject exclude each other"), "{said}");
}
