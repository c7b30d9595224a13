//! Logs of several trees: each is held to what was trusted of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::response::IntoResponse as _;

use super::lies::{ask, log};
use super::log::serve;

#[tokio::test]
async fn an_inactive_tree_is_not_the_last_one_at_an_address() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let trees = [log(7, &["a"]).shared(), log(8, &["b"]).shared()];
    trees[1].lock().unwrap().older = vec![log(9, &["c"])];
    let now = Arc::new(AtomicUsize::new(0));
    let at = now.clone();
    let url = serve(move |asked| {
        // The key of the tree that is active then cannot be had.
        if asked.path == "log/publicKey" && asked.parameter("treeID") == Some(8) {
            return StatusCode::NOT_FOUND.into_response();
        }
        trees[at.load(Ordering::Relaxed)].lock().unwrap().answer(asked)
    })
    .await;
    assert!(ask(&url, home, &["loginfo"]).await.success);
    now.store(1, Ordering::Relaxed);
    let other = "this address had tree 7 (size 1) before; it answers as tree 8 now\n";
    for _ in 0..2 {
        let ran = ask(&url, home, &["loginfo"]).await;
        assert!(!ran.success && ran.err.starts_with(other), "{}", ran.err);
        assert!(ran.err.contains("Successfully validated inactive shards\n"), "{}", ran.err);
    }
}
