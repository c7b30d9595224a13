//! Logs of several trees: each is held to what was trusted of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::response::IntoResponse as _;

use super::lies::{ask, log};
use super::log::{Log, Signed, serve, serve_log};

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

/// A server of tree 7, which lists some trees as its inactive ones and answers with entries and key
/// of another tree.
async fn relay(older: Vec<Log>, answering: Log) -> String {
    let mut relaying = log(7, &["a"]);
    relaying.older = older;
    let (relaying, answering) = (relaying.shared(), answering.shared());
    serve(move |asked| {
        let relays = match asked.path.as_str() {
            "log" | "log/proof" => true,
            "log/publicKey" => asked.parameter("treeID") == Some(7),
            _ => false,
        };
        let log = if relays { &relaying } else { &answering };
        log.lock().unwrap().answer(asked)
    })
    .await
}

#[tokio::test]
async fn a_receipt_is_of_a_tree_that_the_log_lists_and_was_trusted_to_have() {
    let signed = Signed::new("file");
    let file = signed.path("file");
    let origin = log(999, &[]);
    let history = |contents: &[&'static str]| {
        let mut tree = origin.fork();
        for content in contents {
            // The key is a fresh one, and so is the entry.
            tree.add(&Signed::new(content).proposal());
        }
        tree.add(&signed.proposal());
        tree
    };
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let refused = async |older, answering, text: &str| {
        let ran = ask(&relay(older, answering).await, home, &["verify", &file]).await;
        assert!(!ran.success && ran.out.is_empty(), "{}", ran.out);
        assert!(ran.err.starts_with(text), "{}", ran.err);
    };
    let unlisted = "the log does not list tree 999, which an entry's receipt is of";
    refused(vec![], history(&[]), unlisted).await;
    let another_log = "inactive shard 999: signature on tree head did not verify";
    refused(vec![log(999, &["b"])], history(&[]), another_log).await;
    let split = "inactive shard 999: the log signs two histories";
    refused(vec![history(&["b"])], history(&["c"]), split).await;

    let listed = || history(&[]);
    let ran = ask(&relay(vec![listed()], listed()).await, home, &["verify", &file]).await;
    assert!(ran.success, "{}", ran.err);
    // The head of that tree is trusted from then on.
    let more = Signed::new("d");
    let forked = || {
        let mut tree = origin.fork();
        tree.add(&more.proposal());
        tree.add(&signed.proposal());
        tree
    };
    let rewritten = "inactive shard 999: the log does not continue the trusted head";
    refused(vec![forked()], forked(), rewritten).await;
}

#[tokio::test]
async fn a_tree_has_one_key_for_the_whole_run() {
    let home = tempfile::tempdir().unwrap();
    let signed = Signed::new("file");
    let mut own = log(7, &["a"]);
    own.add(&signed.proposal());
    // Somebody else signed the same file.
    own.add(&Signed::new("file").proposal());
    let asked_for = Arc::new(AtomicUsize::new(0));
    let count = asked_for.clone();
    let url = serve(move |asked| {
        if asked.path == "log/publicKey" {
            count.fetch_add(1, Ordering::Relaxed);
        }
        own.answer(asked)
    })
    .await;
    let home = home.path().to_str().unwrap();
    let ran = ask(&url, home, &["verify", &signed.path("file")]).await;
    assert!(ran.success && ran.out.matches("\nEntry ").count() == 2, "{}{}", ran.out, ran.err);
    assert_eq!(asked_for.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn another_key_of_a_tree_is_said() {
    let signed = Signed::new("file");
    let mut own = log(7, &["a"]);
    own.add(&signed.proposal());
    let own = own.shared();
    let url = serve_log(&own).await;
    let file = signed.path("file");
    let note = "the head that was trusted for tree 7 is not signed by the log's key";
    for arguments in [&["loginfo"][..], &["verify", &file]] {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().to_str().unwrap();
        for (changes, noted) in [(false, false), (false, false), (true, true), (false, false)] {
            if changes {
                let mut log = own.lock().unwrap();
                log.change_key();
                log.add(&Signed::new("b").proposal());
            }
            let ran = ask(&url, home, arguments).await;
            let said = format!("{}{}", ran.out, ran.err);
            assert!(ran.success && said.contains(note) == noted, "{said}");
        }
    }
}
