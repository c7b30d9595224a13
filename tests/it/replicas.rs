//! Three servers on one Postgres: killed, stopped, and cut off from it in mid-commit.
//!
//! Postgres only: an SQLite file has one server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indelible_client::verify::{LogKey, verify_entry};
use indelible_client::{Client, ClientError, Uploaded};
use tlog::{Hash, verify_consistency};
use tokio::sync::{Mutex, watch};
use wire::LogEntry;

use crate::harness::databases::TestDb;
use crate::harness::evidence::{digest, hashedrekord};
use crate::harness::process::{Process, Site};
use crate::harness::relay::Relay;

const REPLICAS: usize = 3;
const WRITERS: u64 = 6;
/// Receipts that must arrive between two faults, so that each meets a busy log.
const BETWEEN: usize = 60;

/// What the writers share.
struct Load {
    /// Where each replica is now.
    urls: Mutex<Vec<String>>,
    receipts: Mutex<Vec<(u64, LogEntry)>>,
    count: watch::Sender<usize>,
    done: AtomicBool,
}

fn client(url: &str) -> Client {
    let client = Client::builder(url).retries(0).timeout(Some(Duration::from_secs(4)));
    client.build().expect("a client")
}

impl Load {
    async fn url(&self, replica: usize) -> String {
        self.urls.lock().await[replica % REPLICAS].clone()
    }

    /// Waits until so many more were answered.
    async fn progress(&self, more: usize) {
        let mut count = self.count.subscribe();
        let wanted = *count.borrow() + more;
        let waited = tokio::time::timeout(
            Duration::from_secs(120),
            count.wait_for(|count| *count >= wanted),
        );
        waited.await.expect("the log still takes entries").expect("the load is there");
    }

    /// Uploads distinct entries, each to the next replica, and reads each answer back
    /// from another one.
    async fn write(self: Arc<Self>, writer: u64) {
        for step in 0.. {
            if self.done.load(Ordering::SeqCst) {
                return;
            }
            let n = writer * 1_000_000 + step;
            let replica = (writer + step) as usize;
            let uploaded = client(&self.url(replica).await).upload(&hashedrekord(n)).await;
            let Ok(Uploaded::Created(entry)) = uploaded else { continue };
            let (id, _) = entry.single().expect("one entry");
            let read = client(&self.url(replica + 1).await).entry_by_uuid(id).await;
            if let Err(error @ ClientError::Api(_)) = &read {
                // It may be down or cut off, but it must not say that the entry is not there.
                assert!(!error.to_string().contains("404"), "{id} is in the log: {error}");
            }
            self.receipts.lock().await.push((n, entry));
            self.count.send_modify(|count| *count += 1);
        }
    }
}

fn signal(process: &Process, name: &str) {
    let kill = std::process::Command::new("kill").args([name, &process.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_and_no_size_has_two_heads() {
    let db = TestDb::postgres().await;
    let site = Site::new(&db);
    let (before, behind) = db.url().rsplit_once('@').expect("a user");
    let (target, database) = behind.split_once('/').expect("a database");
    let relay = Relay::start(target.to_owned()).await;
    let relayed = format!("{before}@{}/{database}", relay.address);

    let mut killed = site.start(&[]);
    let stopped = site.start(&[]);
    let cut_off = site.start(&["--database", &relayed]);
    let load = Arc::new(Load {
        urls: Mutex::new([&killed, &stopped, &cut_off].map(|process| process.url.clone()).into()),
        receipts: Mutex::default(),
        count: watch::Sender::new(0),
        done: AtomicBool::new(false),
    });
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(Arc::clone(&load).write(writer))).collect();
    for round in 0..4 {
        load.progress(BETWEEN).await;
        killed.kill();
        load.progress(BETWEEN).await;
        killed = site.start(&[]);
        load.urls.lock().await[0] = killed.url.clone();
        load.progress(BETWEEN).await;
        signal(&stopped, "-STOP");
        // The writers that wait for the stopped one are few enough to let the others go on.
        load.progress(1).await;
        signal(&stopped, "-CONT");
        for _ in 0..4 {
            load.progress(10).await;
            // What the database answers is lost, a commit's success among it.
            relay.mute(round % 2 == 1);
            load.progress(1).await;
            relay.cut();
            relay.mute(false);
        }
    }
    load.progress(BETWEEN).await;
    load.done.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("a writer");
    }
    let receipts = std::mem::take(&mut *load.receipts.lock().await);
    every_receipt_holds(&client(&stopped.url), receipts).await;
    drop((killed, stopped, cut_off));
    let fsck = site.command(&["fsck"]).output().expect("fsck runs");
    assert!(fsck.status.success(), "{}", String::from_utf8_lossy(&fsck.stdout));
}

/// Each receipt verifies, its head is part of the final tree, and its entry is found.
async fn every_receipt_holds(client: &Client, receipts: Vec<(u64, LogEntry)>) {
    let key = LogKey::from_pem(&client.public_key(None).await.expect("the key")).expect("a key");
    let info = client.log_info().await.expect("the head");
    let last: Hash = info.root_hash.parse().expect("a root");
    let (mut indexes, mut heads) = (BTreeMap::new(), BTreeMap::<u64, (Hash, String)>::new());
    for (n, entry) in &receipts {
        let receipt = verify_entry(entry, &key).expect("the receipt verifies");
        let before = indexes.insert(receipt.log_index, receipt.entry_id.to_string());
        assert_eq!(before, None, "index {} was given away twice", receipt.log_index);
        let (_, body) = entry.single().expect("one entry");
        let proof = body.verification.as_ref().and_then(|v| v.inclusion_proof.as_ref());
        let note = proof.expect("a proof").checkpoint.clone();
        let head = receipt.head.checkpoint();
        let same = heads.entry(head.size).or_insert_with(|| (head.root, note.clone()));
        assert_eq!(*same, (head.root, note), "two heads of size {}", head.size);
        let now = client.entry_by_index(receipt.log_index).await.expect("it is there");
        let now = verify_entry(&now, &key).expect("it verifies");
        assert_eq!((now.entry_id, &now.body), (receipt.entry_id, &receipt.body));
        let query = wire::SearchIndex { hash: Some(digest(*n)), ..Default::default() };
        let found = client.search(&query).await.expect("a search");
        assert_eq!(found, [receipt.entry_id.to_string()]);
    }
    for (size, (root, _)) in heads {
        let proof = client.consistency_proof(size, info.tree_size, None).await.expect("a proof");
        let hashes: Result<Vec<Hash>, _> = proof.hashes.iter().map(|hash| hash.parse()).collect();
        verify_consistency(size, info.tree_size, &root, &last, &hashes.expect("hashes"))
            .unwrap_or_else(|error| panic!("the head of size {size} is of another log: {error}"));
    }
    assert!(receipts.len() > 10 * BETWEEN, "{} receipts", receipts.len());
}
