//! Servers that lie: what they are found out by.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use tlog::{EntryId, Hash};

use super::log::{Log, Signed, conflict, serve, serve_log};
use super::{Ran, run_with};

/// Runs a command against a server, with a home and without repetitions.
pub(super) async fn ask(url: &str, home: &str, arguments: &[&str]) -> Ran {
    let server = ["--rekor_server", url, "--retry=0"];
    run_with(&[arguments, &server].concat(), &[("HOME", home)]).await
}

/// A log of some entries.
pub(super) fn log(tree_id: u64, contents: &[&'static str]) -> Log {
    let mut log = Log::new("log.test", tree_id);
    for content in contents {
        log.add(&Signed::new(content).proposal());
    }
    log
}

#[tokio::test]
async fn a_proof_is_printed_as_hashes_only() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let honest = log(7, &["a", "b", "c"]);
    let hash = honest.info()["rootHash"].as_str().unwrap().to_owned();
    let forged = "x\nHashes: []";
    for (root, hashes, refusal) in [
        (&*hash, vec![&*hash], None),
        (forged, vec![], Some("rootHash: a hash is written as 64 hex digits")),
        (&hash, vec![forged], Some("consistency proof: a hash is written as 64 hex digits")),
        (&hash, vec![&*hash; 129], Some("expected a list of at most 128 items")),
    ] {
        let proof = json!({ "rootHash": root, "hashes": hashes });
        let url = serve(move |_| Json(&proof).into_response()).await;
        for format in ["--format=default", "--format=json"] {
            let ran = ask(&url, home, &["logproof", "--last-size=3", format]).await;
            assert_eq!(ran.success, refusal.is_none(), "{}", ran.err);
            assert!(ran.err.contains(refusal.unwrap_or_default()), "{}", ran.err);
            assert!(refusal.is_none() || ran.out.is_empty(), "{}", ran.out);
        }
    }
}

#[tokio::test]
async fn the_size_of_a_log_counts_each_tree_once() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let mut honest = log(7, &["a", "b", "c"]);
    honest.older = vec![log(8, &["d", "e"])];
    let (active, inactive) = (honest.tree(), honest.older[0].tree());
    for (shards, refusal) in [
        (vec![&inactive], None),
        (vec![&active; 3], Some("tree 7 comes twice")),
        (vec![&inactive, &inactive], Some("tree 8 comes twice")),
    ] {
        let mut info = active.clone();
        info["inactiveShards"] = shards.into_iter().cloned().collect();
        let keys = [honest.pem(), honest.older[0].pem()];
        let url = serve(move |asked| match asked.path.as_str() {
            "log" => Json(&info).into_response(),
            _ => keys[usize::from(asked.parameter("treeID") == Some(8))].clone().into_response(),
        })
        .await;
        let ran = ask(&url, home, &["loginfo", "--format=json", "--store_tree_state=false"]).await;
        assert_eq!(ran.success, refusal.is_none(), "{}", ran.err);
        assert!(ran.err.contains(refusal.unwrap_or_default()), "{}", ran.err);
        if ran.success {
            let shown: Value = serde_json::from_str(&ran.out).unwrap();
            assert_eq!((&shown["ActiveTreeSize"], &shown["TotalTreeSize"]), (&3.into(), &5.into()));
        }
    }
}

#[tokio::test]
async fn a_file_is_not_looked_up_in_another_log_than_before() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let signed = Signed::new("a");
    let file = signed.path("file");
    let fresh = |tree_id| {
        let mut log = log(tree_id, &["b"]);
        log.add(&signed.proposal());
        log
    };
    let shared = fresh(7).shared();
    let url = serve_log(&shared).await;
    let verify = ["verify", &file];
    let first = ask(&url, home, &verify).await;
    assert!(first.out.ends_with("no head was trusted before.\n"), "{}{}", first.out, first.err);

    // Another log at the address: refused again and again, and nothing is forgotten.
    let former = std::mem::replace(&mut *shared.lock().unwrap(), fresh(8));
    let other = "this address had tree 7 (size 2) before; it answers as tree 8 now\n";
    for _ in 0..2 {
        let refused = ask(&url, home, &verify).await;
        assert!(!refused.success && refused.out.is_empty(), "{}", refused.out);
        assert!(refused.err.starts_with(other), "{}", refused.err);
    }
    // `loginfo` says so and takes it, as rekor-cli does.
    let accepted = ask(&url, home, &["loginfo"]).await;
    assert!(accepted.success && accepted.err.starts_with(other), "{}", accepted.err);
    assert!(ask(&url, home, &verify).await.success);

    // A log that went on with a new tree still has the former one, and is held to it.
    let mut next = fresh(9);
    next.older = vec![std::mem::replace(&mut *shared.lock().unwrap(), former)];
    *shared.lock().unwrap() = next;
    let rotated = ask(&url, home, &verify).await;
    assert!(rotated.success && rotated.err.is_empty(), "{}", rotated.err);
    let mut next = fresh(10);
    next.older = vec![log(9, &["c", "d"])];
    *shared.lock().unwrap() = next;
    let forked = ask(&url, home, &verify).await;
    assert!(!forked.success && forked.out.is_empty(), "{}", forked.out);
    assert!(forked.err.starts_with("inactive shard 9: old root hash does not"), "{}", forked.err);
}

#[tokio::test]
async fn a_strange_log_that_claimed_a_tree_first_blocks_none_with_a_pinned_key() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let mut evil = Log::new("evil", 7);
    for content in ["b", "c", "d"] {
        evil.add(&Signed::new(content).proposal());
    }
    let evil = serve_log(&evil.shared()).await;
    assert!(ask(&evil, home, &["loginfo"]).await.success);

    let signed = Signed::new("a");
    let mut good = Log::new("log.test", 7);
    good.add(&signed.proposal());
    let pem = good.pem();
    let good = good.shared();
    let url = serve_log(&good).await;
    let contradiction = "\"evil - 7\" had size 3 and root ";
    let asked = ask(&url, home, &["loginfo"]).await;
    assert!(!asked.success && asked.err.contains(contradiction), "{}", asked.err);
    assert!(asked.err.contains(", now \"log.test - 7\" has size 1 and root "), "{}", asked.err);

    let pinned = async |arguments: &[&str]| {
        let server = ["--rekor_server", url.as_str(), "--retry=0"];
        let pin = ("REKOR_REKOR_SERVER_PUBLIC_KEY", pem.as_str());
        run_with(&[arguments, &server].concat(), &[("HOME", home), pin]).await
    };
    let said = "the head that was trusted for tree 7 is another log's, \"evil - 7\" (size 3)";
    let file = signed.path("file");
    let verified = pinned(&["verify", &file, "--store_tree_state=false"]).await;
    assert!(verified.success && verified.out.contains(said), "{}{}", verified.out, verified.err);
    let taken = pinned(&["loginfo"]).await;
    assert!(taken.success && taken.err.contains(said), "{}", taken.err);
    // From then on the log is held to its own head.
    let again = pinned(&["loginfo"]).await;
    assert!(again.success && again.err.is_empty(), "{}", again.err);
}

#[tokio::test]
async fn a_pinned_log_may_take_the_address_of_a_strange_one() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let signed = Signed::new("a");
    let shared = log(8, &["b"]).shared();
    let url = serve_log(&shared).await;
    assert!(ask(&url, home, &["loginfo"]).await.success);
    let mut good = Log::new("log.test", 7);
    good.add(&signed.proposal());
    let pem = good.pem();
    *shared.lock().unwrap() = good;
    let pin = ("REKOR_REKOR_SERVER_PUBLIC_KEY", pem.as_str());
    let arguments = ["verify", &signed.path("file"), "--rekor_server", &url];
    let ran = run_with(&arguments, &[("HOME", home), pin]).await;
    assert!(ran.success, "{}", ran.err);
    let said = "\nno head was trusted before; this address had tree 8 (size 1) before; it answers \
                as tree 7 now, whose head the configured key signed.\n";
    assert!(ran.out.ends_with(said), "{}", ran.out);
}

#[tokio::test]
async fn a_pinned_log_with_a_new_key_is_still_held_to_its_name() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let shared = log(7, &["a", "b"]).shared();
    let url = serve_log(&shared).await;
    assert!(ask(&url, home, &["loginfo"]).await.success);
    *shared.lock().unwrap() = log(7, &["c"]);
    let pem = shared.lock().unwrap().pem();
    let server = ["loginfo", "--rekor_server", &url];
    let pin = ("REKOR_REKOR_SERVER_PUBLIC_KEY", pem.as_str());
    let refused = run_with(&server, &[("HOME", home), pin]).await;
    assert!(!refused.success, "{}", refused.out);
    assert!(refused.err.contains("\"log.test - 7\" had size 2 and"), "{}", refused.err);
    assert!(refused.err.contains(", now it has size 1 and root "), "{}", refused.err);
    assert!(refused.err.contains("or another log goes by its name"), "{}", refused.err);
}

#[tokio::test]
async fn an_upload_is_done_when_the_proposed_entry_is_in_the_log() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let signed = Signed::new("a");
    let mut log = log(7, &["b"]);
    let own = log.add(&signed.proposal());
    let shared = log.shared();
    // What a server answers to the proposal: statuses, the entry that is named, the one that is sent.
    let answer = async |created: bool, named: Option<usize>, sent: Option<usize>| {
        let honest = shared.clone();
        let url = serve(move |asked| {
            let log = honest.lock().unwrap();
            if !asked.is_post {
                return log.answer(asked);
            }
            let sent = sent.map(|index| log.entry(index));
            if created {
                return (StatusCode::CREATED, Json(sent)).into_response();
            }
            let nothing = EntryId { tree_id: 7, leaf: Hash::EMPTY_ROOT };
            conflict(&named.map_or(nothing, |index| log.id(index)), sent.as_ref())
        })
        .await;
        let evidence = [("artifact", "file"), ("signature", "file.sig"), ("public-key", "key.pub")];
        let evidence = evidence.map(|(flag, name)| format!("--{flag}={}", signed.path(name)));
        let built: Vec<&str> =
            std::iter::once("upload").chain(evidence.iter().map(|f| &**f)).collect();
        let entry = format!("--entry={}", signed.path("entry"));
        std::fs::write(signed.path("entry"), signed.proposal().to_string()).unwrap();
        let ran = ask(&url, home, &built).await;
        let ready_made = ask(&url, home, &["upload", &entry]).await;
        assert_eq!((ran.success, &ran.err), (ready_made.success, &ready_made.err));
        ran
    };
    for (created, named, sent) in
        [(true, None, Some(own)), (false, Some(own), None), (false, Some(own), Some(own))]
    {
        let ran = answer(created, named, sent).await;
        assert!(ran.success && ran.err.is_empty(), "{created} {named:?} {sent:?}: {}", ran.err);
    }
    let other = "returned entry does not match provided artifact inputs: 0000000000000007";
    for (created, named, sent, text) in [
        (true, None, Some(0), other),
        (false, Some(0), None, other),
        (false, Some(0), Some(0), other),
        (
            false,
            None,
            None,
            "which is not the proposed one: [GET /api/v1/log/entries/{entryUUID}][404]",
        ),
        (false, Some(own), Some(0), "the server names entry 0000000000000007"),
        (false, None, Some(own), "the server names entry 0000000000000007e3b0c442"),
    ] {
        let ran = answer(created, named, sent).await;
        assert!(!ran.success && ran.out.is_empty(), "{created} {named:?} {sent:?}");
        assert!(ran.err.contains(text), "{created} {named:?} {sent:?}: {}", ran.err);
    }
}

#[tokio::test]
async fn an_answer_has_no_more_than_it_can_need() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let digest = format!("--sha={}", "a".repeat(64));
    for (arguments, limit) in [
        (&["logproof", "--last-size=3"][..], 1 << 20),
        (&["loginfo"], 4 << 20),
        (&["search", &digest], 16 << 20),
    ] {
        let url = serve(move |_| " ".repeat(limit + 1).into_response()).await;
        let ran = ask(&url, home, arguments).await;
        let text = format!("the answer is larger than {limit} bytes");
        assert!(!ran.success && ran.err.contains(&text), "{arguments:?}: {}", ran.err);
    }
}

#[tokio::test]
async fn an_entry_that_is_found_twice_is_told_once() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let signed = Signed::new("a");
    let mut log = log(7, &["b"]);
    let own = log.add(&signed.proposal());
    let id = log.id(own).to_string();
    let url = serve(move |asked| match asked.path.as_str() {
        "index/retrieve" => Json(json!([&id, id.to_uppercase(), &id])).into_response(),
        _ => log.answer(asked),
    })
    .await;
    let ran = ask(&url, home, &["verify", &signed.path("file"), "--format=json"]).await;
    assert!(ran.success, "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["Entries"].as_array().unwrap().len(), 1, "{report}");
}
