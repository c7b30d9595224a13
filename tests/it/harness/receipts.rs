//! Everything that a log ever answered, and what must be true of it in the end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indelible_client::verify::{LogKey, verify_checkpoint, verify_entry};
use indelible_client::{Client, ClientError, Uploaded};
use tlog::{Hash, verify_consistency};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wire::{LogEntry, LogInfo, SearchIndex};

use super::evidence::{digest, hashedrekord};

/// How long a log may be unable to answer while something is broken. A server that is stopped
/// in mid-statement holds the others up for as long as Postgres lets a statement run: 30 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two attempts of a client that was refused.
const PAUSE: Duration = Duration::from_millis(50);

/// A client that does not try again by itself.
pub(crate) fn client(url: &str, limit: Duration) -> Client {
    Client::builder(url).retries(0).timeout(Some(limit)).build().expect("a client")
}

/// What was promised for one artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Receipt {
    id: String,
    index: u64,
    time: i64,
    body: Vec<u8>,
}

/// Collects answers of all servers of one log.
pub(crate) struct Receipts {
    key: LogKey,
    /// By number of the artifact.
    answered: Mutex<BTreeMap<u64, Receipt>>,
    /// Every checkpoint of every answer, by size.
    heads: Mutex<BTreeMap<u64, String>>,
    count: watch::Sender<u64>,
    next: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
}

impl Receipts {
    /// Of the log that this client speaks to.
    pub(crate) async fn of(client: &Client) -> Arc<Self> {
        let pem = client.public_key(None).await.expect("the key");
        Arc::new(Self {
            key: LogKey::from_pem(&pem).expect("a key"),
            answered: Mutex::default(),
            heads: Mutex::default(),
            count: watch::Sender::new(0),
            next: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        })
    }

    /// Writers that go on, each entry until it is answered, at one server after another.
    pub(crate) fn write(self: &Arc<Self>, writers: usize, servers: &[Client]) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for writer in 0..writers {
            let (receipts, servers) = (Arc::clone(self), servers.to_vec());
            tasks.spawn(async move {
                let mut turn = writer;
                while !receipts.stop.load(Ordering::SeqCst) {
                    let n = receipts.next.fetch_add(1, Ordering::SeqCst);
                    turn = receipts.place(n, &servers, turn).await;
                    receipts.read_elsewhere(n, &servers[(turn + 1) % servers.len()]).await;
                }
            });
        }
        tasks
    }

    /// Lets the writers finish the entries that they are at.
    pub(crate) async fn finish(&self, mut writers: JoinSet<()>) {
        self.stop.store(true, Ordering::SeqCst);
        let finishing = async {
            while let Some(writer) = writers.join_next().await {
                writer.expect("a writer that was only told the truth");
            }
        };
        tokio::time::timeout(PATIENCE, finishing).await.expect("every entry is answered at last");
    }

    /// Waits until so many more entries are answered.
    pub(crate) async fn more(&self, entries: u64) {
        let goal = *self.count.borrow() + entries;
        let mut count = self.count.subscribe();
        let reached = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= goal)).await;
        assert!(reached.is_ok(), "no {entries} more entries in {PATIENCE:?}: {}", self.answered());
    }

    pub(crate) fn answered(&self) -> u64 {
        *self.count.borrow()
    }

    /// Attempts that brought no answer, or 503.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    /// One attempt to place an artifact; the status when there was one.
    pub(crate) async fn attempt(&self, n: u64, server: &Client) -> Result<(), Option<u16>> {
        match server.upload(&hashedrekord(n)).await {
            Ok(Uploaded::Created { entry, .. }) => self.promise(n, &entry),
            Ok(Uploaded::Exists { entry, .. }) => self.promise(n, &entry.expect("the entry")),
            Err(error) => {
                self.only_absent(&error, n);
                return Err(error.status());
            }
        }
        Ok(())
    }

    async fn place(&self, n: u64, servers: &[Client], mut turn: usize) -> usize {
        loop {
            if self.attempt(n, &servers[turn % servers.len()]).await.is_ok() {
                return turn;
            }
            turn += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Read your writes, at another server: it may be away, but not behind.
    async fn read_elsewhere(&self, n: u64, server: &Client) {
        let receipt = self.receipt(n);
        match server.entry_by_uuid(&receipt.id).await {
            Ok(entry) => self.promise(n, &entry),
            Err(error) => self.only_absent(&error, n),
        }
        let query = SearchIndex { hash: Some(digest(n)), ..SearchIndex::default() };
        match server.search(&query).await {
            Ok(found) => assert_eq!(found, [receipt.id], "entry {n}"),
            Err(error) => self.only_absent(&error, n),
        }
    }

    /// Follows the log over its servers: the next one is never behind the last.
    pub(crate) fn watch(self: &Arc<Self>, servers: &[Client]) -> JoinSet<()> {
        let mut watcher = JoinSet::new();
        let (receipts, servers) = (Arc::clone(self), servers.to_vec());
        watcher.spawn(async move {
            let mut size = 0;
            for server in servers.iter().cycle() {
                if receipts.stop.load(Ordering::SeqCst) {
                    return;
                }
                match server.log_info().await {
                    Ok(info) => {
                        assert!(info.tree_size >= size, "{} after {size}", info.tree_size);
                        size = info.tree_size;
                        receipts.see(&info.signed_tree_head);
                    }
                    Err(error) => receipts.only_absent(&error, u64::MAX),
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        watcher
    }

    /// A failure must say nothing about the log: no answer, or 503.
    fn only_absent(&self, error: &ClientError, n: u64) {
        self.refused.fetch_add(1, Ordering::SeqCst);
        assert!(matches!(error.status(), None | Some(503)), "entry {n}: {error}");
    }

    fn receipt(&self, n: u64) -> Receipt {
        self.answered.lock().expect("the list").get(&n).expect("it is answered").clone()
    }

    /// Verifies an answer and holds it against what was promised before.
    fn promise(&self, n: u64, entry: &LogEntry) {
        let verified = verify_entry(entry, &self.key).unwrap_or_else(|e| panic!("{n}: {e}"));
        let receipt = Receipt {
            id: verified.entry_id.to_string(),
            index: verified.log_index,
            time: verified.integrated_time,
            body: verified.body,
        };
        self.see(verified.head.note());
        let mut answered = self.answered.lock().expect("the list");
        let before = answered.entry(n).or_insert_with(|| {
            self.count.send_modify(|count| *count += 1);
            receipt.clone()
        });
        assert_eq!(*before, receipt, "two answers for entry {n}");
    }

    /// Two checkpoints of one size are the same, to the byte.
    fn see(&self, note: &str) {
        let head = verify_checkpoint(note, &self.key).expect("the log signed it");
        let mut heads = self.heads.lock().expect("the list");
        let before = heads.entry(head.size).or_insert_with(|| note.to_owned());
        assert_eq!(before, note, "two checkpoints of size {}", head.size);
    }

    /// Holds the whole log against every answer: each receipt's entry is at its index and
    /// found by its digest, indexes are dense, nothing is there that nobody sent, and every
    /// checkpoint is the root of a prefix.
    pub(crate) async fn hold(self: &Arc<Self>, server: &Client) {
        let info = server.log_info().await.expect("the head");
        self.see(&info.signed_tree_head);
        let answered = self.answered.lock().expect("the list").clone();
        assert_eq!(info.tree_size, answered.len() as u64, "leaves and distinct entries answered");
        let mut tasks = JoinSet::new();
        for part in 0..8 {
            let (receipts, server) = (Arc::clone(self), server.clone());
            let mine: Vec<_> = answered.keys().copied().filter(|n| n % 8 == part).collect();
            tasks.spawn(async move { receipts.hold_each(&mine, &server).await });
        }
        while let Some(part) = tasks.join_next().await {
            part.expect("every receipt holds");
        }
        let mut leaves: Vec<_> = answered.into_values().map(|r| (r.index, r.body)).collect();
        leaves.sort_unstable();
        self.hold_heads(&leaves);
        self.hold_proofs(server, &info).await;
    }

    /// The server proves that its tree continues every checkpoint.
    async fn hold_proofs(&self, server: &Client, info: &LogInfo) {
        let heads = self.heads.lock().expect("the list").clone();
        let last = info.root_hash.parse().expect("a root");
        for (size, note) in heads.range(1..) {
            let head = verify_checkpoint(note, &self.key).expect("it was verified");
            let proof = server.consistency_proof(*size, info.tree_size, None).await;
            let hashes = proof.expect("a proof").hashes;
            let hashes: Vec<Hash> = hashes.iter().map(|h| h.parse().expect("a hash")).collect();
            verify_consistency(*size, info.tree_size, &head.root, &last, &hashes)
                .unwrap_or_else(|error| panic!("the checkpoint of size {size}: {error}"));
        }
    }

    async fn hold_each(&self, numbers: &[u64], server: &Client) {
        for n in numbers {
            let receipt = self.receipt(*n);
            let entry = server.entry_by_index(receipt.index).await.expect("it is at its index");
            self.promise(*n, &entry);
            let query = SearchIndex { hash: Some(digest(*n)), ..SearchIndex::default() };
            assert_eq!(server.search(&query).await.expect("an answer"), [receipt.id]);
        }
    }

    fn hold_heads(&self, leaves: &[(u64, Vec<u8>)]) {
        let heads = self.heads.lock().expect("the list");
        let (mut edge, mut completed) = (tlog::Edge::new(), Vec::new());
        let mut held = 0;
        for size in 0..=leaves.len() as u64 {
            if let Some(note) = heads.get(&size) {
                let head = verify_checkpoint(note, &self.key).expect("it was verified");
                assert_eq!(head.root, edge.root(), "the checkpoint of size {size}");
                held += 1;
            }
            if let Some((index, body)) = leaves.get(size as usize) {
                assert_eq!(*index, size, "indexes are dense");
                edge.append(Hash::leaf(body), &mut completed);
            }
        }
        assert_eq!(held, heads.len(), "a checkpoint is larger than the log");
    }
}
