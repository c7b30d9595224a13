//! A store that breaks on request.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use indelible::store::{
    Around, Batch, EntryKey, Found, FullTile, Head, Identity, IndexKey, Store, StoreError,
    StoredEntry, Turn,
};
use tlog::{Hash, TileId};
use tokio::sync::watch;

/// How a call breaks. The caller of the first two sees `Unavailable` and cannot know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The database never hears of it.
    Refused,
    /// The database does it, and its answer is lost.
    DoneButReportedAsFailed,
    /// Another server was faster, it says: a conflict instead of `Unavailable`.
    Conflict,
    /// The caller's task ends in it.
    Panic,
}

/// A method of [`Store`]. Within a [`Turn`] the same names count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    Load,
    Create,
    Head,
    /// The settled head.
    Settle,
    UntilSettled,
    Commit,
    Turn,
    FindLeaves,
    Entry,
    LeafHashes,
    Entries,
    Tiles,
    HalfTiles,
    Search,
    Ping,
}

/// A database that passes calls on to another one until a planned fault.
pub(crate) struct FaultyStore {
    inner: RwLock<Arc<dyn Store>>,
    faults: Arc<Faults>,
}

/// A turn of such a database.
struct FaultyTurn {
    inner: Box<dyn Turn>,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    plan: Mutex<Plan>,
    held: watch::Sender<HashSet<Method>>,
    /// How much longer each call takes.
    distance: Mutex<Duration>,
    /// No standby says what it has.
    alone: AtomicBool,
}

#[derive(Default)]
struct Plan {
    calls: HashMap<Method, usize>,
    faults: HashMap<(Method, usize), Fault>,
}

#[derive(Debug, thiserror::Error)]
#[error("planned fault: {0:?} {1:?}")]
struct Planned(Method, Fault);

impl FaultyStore {
    /// Without faults yet.
    pub(crate) fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner: RwLock::new(inner), faults: Arc::default() })
    }

    /// Leads to another database from now on, as when one is restored under the server.
    pub(crate) fn switch(&self, inner: Arc<dyn Store>) {
        *self.inner.write().expect("the database") = inner;
    }

    fn inner(&self) -> Arc<dyn Store> {
        Arc::clone(&self.inner.read().expect("the database"))
    }

    /// Breaks the n-th call of a method from now on; the next one is number 1.
    pub(crate) fn fail(&self, method: Method, nth: usize, fault: Fault) {
        let mut plan = self.faults.plan.lock().expect("the plan");
        let done = plan.calls.get(&method).copied().unwrap_or_default();
        let before = plan.faults.insert((method, done + nth), fault);
        assert_eq!(before, None, "a fault of {method:?} that never came");
    }

    /// Every planned fault must have come by now: a story that plans others has tried nothing.
    pub(crate) fn every_fault_came(&self) {
        let plan = self.faults.plan.lock().expect("the plan");
        assert!(plan.faults.is_empty(), "planned and not met: {:?}", plan.faults);
    }

    /// Puts the database farther away: each call takes so much longer.
    pub(crate) fn move_away(&self, distance: Duration) {
        *self.faults.distance.lock().expect("the distance") = distance;
    }

    /// Takes the standbys away for who reads, or brings them back. Rounds go on: they are another's.
    pub(crate) fn leave_alone(&self, alone: bool) {
        self.faults.alone.store(alone, Ordering::SeqCst);
    }

    /// Lets calls of a method wait, from now until [`Self::release`].
    pub(crate) fn hold(&self, method: Method) {
        self.faults.held.send_modify(|held| {
            held.insert(method);
        });
    }

    /// Lets held calls go on.
    pub(crate) fn release(&self, method: Method) {
        self.faults.held.send_modify(|held| {
            held.remove(&method);
        });
    }

    /// Calls of a method so far.
    pub(crate) fn calls(&self, method: Method) -> usize {
        self.faults.plan.lock().expect("the plan").calls.get(&method).copied().unwrap_or_default()
    }
}

impl Faults {
    fn next(&self, method: Method) -> Option<Fault> {
        let mut plan = self.plan.lock().expect("the plan");
        let call = plan.calls.entry(method).or_default();
        *call += 1;
        let call = *call;
        plan.faults.remove(&(method, call))
    }

    async fn pass<T>(
        &self,
        method: Method,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut held = self.held.subscribe();
        // The sender is in this store.
        let _ = held.wait_for(|held| !held.contains(&method)).await;
        let distance = *self.distance.lock().expect("the distance");
        if !distance.is_zero() {
            tokio::time::sleep(distance).await;
        }
        let Some(fault) = self.next(method) else {
            return call.await;
        };
        if fault == Fault::DoneButReportedAsFailed {
            call.await?;
        }
        assert!(fault != Fault::Panic, "a planned panic");
        if fault == Fault::Conflict {
            return Err(StoreError::Conflict);
        }
        Err(StoreError::Unavailable(Box::new(Planned(method, fault))))
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn load(&self) -> Result<Option<(Identity, Head)>, StoreError> {
        self.faults.pass(Method::Load, self.inner().load()).await
    }

    async fn create(&self, identity: &Identity, head: &Head) -> Result<(), StoreError> {
        self.faults.pass(Method::Create, self.inner().create(identity, head)).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.faults.pass(Method::Head, self.inner().head()).await
    }

    async fn settled_head(&self) -> Result<Head, StoreError> {
        self.faults.pass(Method::Settle, self.inner().settled_head()).await
    }

    async fn until_settled(&self) -> Result<bool, StoreError> {
        let settled = self.faults.pass(Method::UntilSettled, self.inner().until_settled()).await?;
        Ok(settled && !self.faults.alone.load(Ordering::SeqCst))
    }

    async fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.faults.pass(Method::Commit, self.inner().commit(batch)).await
    }

    async fn turn(&self) -> Result<Box<dyn Turn>, StoreError> {
        let inner = self.faults.pass(Method::Turn, self.inner().turn()).await?;
        Ok(Box::new(FaultyTurn { inner, faults: Arc::clone(&self.faults) }))
    }

    async fn find_leaves(&self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError> {
        self.faults.pass(Method::FindLeaves, self.inner().find_leaves(leaves)).await
    }

    async fn entry(&self, key: EntryKey) -> Result<Option<StoredEntry>, StoreError> {
        self.faults.pass(Method::Entry, self.inner().entry(key)).await
    }

    async fn leaf_hashes(&self, start: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        self.faults.pass(Method::LeafHashes, self.inner().leaf_hashes(start, count)).await
    }

    async fn entries(&self, start: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        self.faults.pass(Method::Entries, self.inner().entries(start, count)).await
    }

    async fn tiles(&self, ids: &[TileId]) -> Result<Vec<FullTile>, StoreError> {
        self.faults.pass(Method::Tiles, self.inner().tiles(ids)).await
    }

    async fn half_tiles(&self, numbers: &[u64]) -> Result<Vec<Around>, StoreError> {
        self.faults.pass(Method::HalfTiles, self.inner().half_tiles(numbers)).await
    }

    async fn search(&self, keys: &[IndexKey], most: usize) -> Result<Vec<Found>, StoreError> {
        self.faults.pass(Method::Search, self.inner().search(keys, most)).await
    }

    async fn search_among(
        &self,
        keys: &[IndexKey],
        indexes: &[u64],
    ) -> Result<Vec<Found>, StoreError> {
        self.faults.pass(Method::Search, self.inner().search_among(keys, indexes)).await
    }

    async fn ping(&self) -> Result<Option<i64>, StoreError> {
        self.faults.pass(Method::Ping, self.inner().ping()).await
    }

    async fn close(&self) {
        self.inner().close().await;
    }
}

#[async_trait]
impl Turn for FaultyTurn {
    fn head(&self) -> &Head {
        self.inner.head()
    }

    async fn leaf_hashes(&mut self, start: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        self.faults.pass(Method::LeafHashes, self.inner.leaf_hashes(start, count)).await
    }

    async fn find_leaves(&mut self, leaves: &[Hash]) -> Result<Vec<(Hash, u64)>, StoreError> {
        self.faults.pass(Method::FindLeaves, self.inner.find_leaves(leaves)).await
    }

    async fn commit(self: Box<Self>, batch: &Batch) -> Result<(), StoreError> {
        self.faults.pass(Method::Commit, self.inner.commit(batch)).await
    }

    async fn settle(self: Box<Self>) -> Result<(), StoreError> {
        self.faults.pass(Method::Settle, self.inner.settle()).await
    }
}
