//! The log: the cheap handle that request handlers hold.
//!
//! Border: orders verified leaves, proves what is committed, searches. It knows
//! neither HTTP nor SQL nor how evidence is verified. Writes go through a
//! bounded queue to the one [`sequencer`]; reads are answered from a committed
//! [`snapshot`] and the store.

mod accept;
mod added;
mod beside;
mod check;
mod clock;
mod error;
mod follower;
mod guard;
mod keeper;
mod leaf;
mod open;
mod queue;
mod read;
mod receipt;
mod recent;
mod reserved;
mod round;
mod search;
mod sequencer;
mod snapshot;
mod submit;
mod tiles;
mod tree;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use accept::{Accepted, accept_restore};
pub use clock::{Ahead, Clock};
pub use error::{ConsistencyError, NotReady, ReadError, SearchError, SubmitError};
pub use guard::{GuardError, Sealed, Seen, WentBack};
pub use leaf::{Leaf, index_key};
pub use open::{OpenError, Opening, open, open_guarded};
pub use read::Lookup;
pub use receipt::Receipt;
pub use submit::Submitted;
pub(crate) use tree::restore_edge;

use crate::signer::LogKey;
use crate::store::{Identity, Store, StoreError};
use added::Added;
use beside::Beside;
use clock::Behind;
use guard::Bar;
use keeper::Keeper;
use queue::{Queue, Waiting};
use recent::Recent;
use sequencer::Sequencer;
use tree::Tree;

/// Bounds on what the log holds in memory.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Leaves that may wait for a round; more are answered with 503.
    pub max_queue: usize,
    /// Bytes of bodies, payloads and index keys that may wait for a round.
    pub max_queue_bytes: usize,
    /// Leaves in one round.
    pub max_round: usize,
    /// Bytes of bodies, payloads and index keys in one round (one leaf may exceed it).
    pub max_round_bytes: usize,
    /// Bytes of entries that were read lately and are kept in memory, as text; 0 keeps none.
    pub max_recent_bytes: u64,
    /// Full tiles that are kept in memory, 16 KiB each.
    pub max_tiles: usize,
    /// Leaves of other servers that are read at once and appended one by one. Who is further behind
    /// rebuilds the right edge from the stored tiles, as at a start.
    pub max_followed: u64,
    /// Leaves that this server added lately and remembers the place of, for who adds them again;
    /// some 100 bytes each.
    pub max_added: usize,
    /// Entries that a search may find; one that finds more is refused, as the answer would have to
    /// be held in memory.
    pub max_found: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_queue: 4_096,
            max_queue_bytes: 256 << 20,
            max_round: 1_024,
            max_round_bytes: 32 << 20,
            max_recent_bytes: 64 << 20,
            max_tiles: 1_024,
            max_followed: 8_192,
            max_added: 65_536,
            max_found: 10_000,
        }
    }
}

/// A log that is open for reads and writes. Clones share it.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    key: Arc<LogKey>,
    identity: Arc<Identity>,
    clock: Clock,
    tree: Arc<Tree>,
    queue: std::sync::RwLock<Option<mpsc::Sender<Waiting>>>,
    queued_bytes: Arc<AtomicUsize>,
    recent: Recent,
    added: Arc<Added>,
    options: Options,
    sequencer: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    /// Its sender is the sequencer's, and goes with it. `None` if the log was closed before it began.
    sequencing: Option<watch::Receiver<()>>,
    bar: Arc<Bar>,
    /// Hears of what other servers commit, so that it is missed when it is gone.
    follower: tokio::sync::Mutex<Option<Beside>>,
    /// Keep the last checkpoint, one for each place.
    keepers: tokio::sync::Mutex<Vec<Beside>>,
}

/// The restore guard of an open log.
struct Guard {
    bar: Arc<Bar>,
    /// One for each place; none when the operator switched it off, or the log is sealed.
    keepers: Vec<Keeper>,
}

impl Log {
    fn start(
        store: Arc<dyn Store>,
        key: Arc<LogKey>,
        identity: Arc<Identity>,
        tree: Arc<Tree>,
        options: Options,
        clock: Clock,
        guard: Guard,
    ) -> Self {
        let (queue, waiting) = Queue::new(&options);
        let added = Arc::new(Added::new(options.max_added));
        let Guard { bar, keepers } = guard;
        let sealed = bar.sealed().is_some();
        metrics::gauge!("indelible_sealed").set(f64::from(u8::from(sealed)));
        let sequencer = Sequencer {
            store: Arc::clone(&store),
            tree: Arc::clone(&tree),
            added: Arc::clone(&added),
            key: Arc::clone(&key),
            identity: Arc::clone(&identity),
            bar: Arc::clone(&bar),
            clock: Arc::clone(&clock),
            behind: Behind::default(),
            in_doubt: false,
            settled: 0,
            expects_duplicates: false,
            expects_company: false,
        };
        // Without a place there is no guard, and nothing that would have to be heard of.
        let follower = (!keepers.is_empty())
            .then(|| Beside::start(|stop| follower::follow(Arc::clone(&tree), stop)));
        let keepers = keepers.into_iter().map(|keeper| Beside::start(|stop| keeper.run(stop)));
        let (lives, sequencing) = watch::channel(());
        // A log that is sealed from the start has nobody who could sign a head.
        let running = (!sealed).then(|| {
            tokio::spawn(async move {
                let _lives = lives;
                sequencer.run(waiting).await;
            })
        });
        Self(Arc::new(Inner {
            store,
            key,
            identity,
            clock,
            tree,
            queue: std::sync::RwLock::new((!sealed).then_some(queue)),
            queued_bytes: Arc::new(AtomicUsize::new(0)),
            recent: Recent::new(options.max_recent_bytes),
            added,
            options,
            sequencer: tokio::sync::Mutex::new(running),
            sequencing: (!sealed).then_some(sequencing),
            bar,
            follower: tokio::sync::Mutex::new(follower),
            keepers: tokio::sync::Mutex::new(keepers.collect()),
        }))
    }

    /// Leaves in the newest head that this process has published.
    #[must_use]
    pub fn published_size(&self) -> u64 {
        self.0.tree.snapshot().head.size
    }

    /// PEM of the log's public key, ending in a newline.
    #[must_use]
    pub fn public_key_pem(&self) -> &str {
        self.0.key.public_key_pem()
    }

    /// The 63-bit tree ID.
    #[must_use]
    pub fn tree_id(&self) -> u64 {
        self.0.identity.tree_id
    }

    /// 64 hex: SHA-256 of the public key's DER.
    #[must_use]
    pub fn log_id(&self) -> &str {
        self.0.key.log_id()
    }

    /// Whether database, key, head and clock are in order: verifies the database's head, though it
    /// may not be shown before a standby has it. It is followed without a wait, so that a server that
    /// nobody reads from remembers it, too.
    ///
    /// # Errors
    /// [`NotReady`] naming what is not.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let at_least = self.0.bar.at_least();
        let read = async {
            let database = self.0.store.ping().await?;
            let head = self.0.tree.check_visible().await?;
            at_least.check(&head)?;
            if head.size > self.published_size() {
                self.0.tree.advance_beside();
            }
            Ok::<_, StoreError>(database)
        };
        let database = read.await.map_err(ReadError::from)?;
        Ahead::check((self.0.clock)(), database)?;
        let sealed = self.0.bar.sealed().cloned();
        sealed.map_or(Ok(()), |sealed| Err(NotReady::Sealed(sealed)))
    }

    /// Why the log takes no entries, if the restore guard closed it.
    #[must_use]
    pub fn sealed(&self) -> Option<&Sealed> {
        self.0.bar.sealed().map(|sealed| &**sealed)
    }

    /// Completes when nothing can be added any more, though the log was open for it: it was closed,
    /// or the sequencer panicked. Then what it knew of the head is lost, and the log must be opened
    /// anew; until then submissions are refused as at a shutdown.
    pub async fn ended(&self) {
        let Some(mut sequencing) = self.0.sequencing.clone() else {
            return std::future::pending().await;
        };
        // Nothing is ever sent.
        while sequencing.changed().await.is_ok() {}
    }

    /// Takes no new leaves, finishes the queue, keeps the last checkpoint, and
    /// closes the store, unless the log is sealed: what cannot be written may be damaged, and is left
    /// as it was found.
    pub async fn close(&self) {
        self.0.queue.write().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(running) = self.0.sequencer.lock().await.take() {
            // A panic of the sequencer was reported by the panic hook.
            let _ = running.await;
        }
        // First, as what it hears of is kept, too.
        Beside::end(self.0.follower.lock().await.take()).await;
        Beside::end(std::mem::take(&mut *self.0.keepers.lock().await)).await;
        if self.sealed().is_none() {
            self.0.store.close().await;
        }
    }
}
