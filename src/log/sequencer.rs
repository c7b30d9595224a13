//! The one writer: drain → deduplicate → assign → hash → sign → commit → answer.
//!
//! Border: the only code that calls [`Store::commit`]. A round starts as soon
//! as the last one is done and something waits, so load sets the size of a
//! round. Nobody is answered before the commit; a commit whose outcome is
//! unknown is resolved by reading the head before anything else is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tlog::{Hash, Tile};
use tokio::sync::{mpsc, oneshot};

use super::snapshot::Snapshot;
use super::tree::Tree;
use super::{Clock, Leaf, Options, Reserved};
use crate::signer::LogKey;
use crate::store::{Batch, FullTile, Head, Identity, NewEntry, Store, StoreError};

/// How often, and how long, a round is begun anew because another server was faster or a leaf
/// is known. The faster one stays faster while it is busy, since it has nothing to follow: the
/// time is what lets both work, and what waits meanwhile goes into the next round.
const CONFLICT_RETRIES: u32 = 16;
const CONFLICT_PATIENCE: Duration = Duration::from_secs(5);

/// How often, how far apart, and for how long at most the head is read to learn a commit's
/// outcome. Waiters are not kept for longer: they may submit again.
const OUTCOME_READS: u32 = 6;
const OUTCOME_PAUSE: Duration = Duration::from_millis(250);
const OUTCOME_PATIENCE: Duration = Duration::from_secs(8);

/// One leaf that waits for its place.
pub(crate) struct Waiting {
    pub(crate) leaf: Leaf,
    pub(crate) answer: oneshot::Sender<Result<Placed, Failed>>,
    pub(crate) reserved: Reserved,
}

/// Where a leaf is in the log, after the commit.
#[derive(Clone, Debug)]
pub(crate) enum Placed {
    /// This submission added it; the snapshot proves it.
    New { index: u64, time: i64, snapshot: Arc<Snapshot> },
    /// It was there already, or an equal submission of this round added it.
    Before { leaf: Hash },
}

/// The round could not be committed, or its outcome stays unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed;

pub(crate) struct Sequencer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tree: Arc<Tree>,
    pub(crate) key: Arc<LogKey>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    /// What must be read before the next round.
    pub(crate) doubt: Doubt,
    /// Leaves of the largest head that the database has answered a commit for, or that was
    /// read settled. Those beyond are visible, but may not have reached a standby yet.
    pub(crate) settled: u64,
    /// The last round had leaves that were in the log before: look for them first.
    pub(crate) expects_duplicates: bool,
}

/// What the sequencer does not know about the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is the published one, as far as this process knows.
    None,
    /// Another server has moved it.
    Behind,
    /// The outcome of the last commit is unknown.
    Outcome,
}

/// What one attempt at a round led to.
enum Attempt {
    Done(Vec<Placed>),
    /// Another server advanced the log, or a leaf is known.
    Again,
}

impl Sequencer {
    /// Runs until every sender is gone and the queue is empty.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Waiting>) {
        let mut waiting = Vec::new();
        while queue.recv_many(&mut waiting, self.options.max_round).await > 0 {
            let mut rest = std::mem::take(&mut waiting);
            while !rest.is_empty() {
                let round = take_round(&mut rest, self.options.max_round_bytes);
                self.round(round).await;
            }
        }
    }

    async fn round(&mut self, waiting: Vec<Waiting>) {
        let (leaves, answers): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|one| (one.leaf, (one.answer, one.reserved))).unzip();
        let started = Instant::now();
        match self.place(&leaves).await {
            Ok(places) => {
                metrics::histogram!("indelible_round_seconds").record(started.elapsed());
                metrics::histogram!("indelible_round_leaves").record(leaves.len() as f64);
                for ((answer, _), place) in answers.into_iter().zip(places) {
                    // The client may be gone; its entry is in the log all the same.
                    let _ = answer.send(Ok(place));
                }
            }
            Err(error) => {
                tracing::error!(%error, leaves = leaves.len(), "a round was not committed");
                metrics::counter!("indelible_failed_rounds").increment(1);
                for (answer, _) in answers {
                    let _ = answer.send(Err(Failed));
                }
            }
        }
    }

    async fn place(&mut self, leaves: &[Leaf]) -> Result<Vec<Placed>, StoreError> {
        // Most rounds hold new leaves only, and the commit refuses known ones: the look-up is
        // a round trip that they are spared.
        let mut look = self.expects_duplicates;
        let started = Instant::now();
        let mut attempts = 0;
        while attempts < CONFLICT_RETRIES || started.elapsed() < CONFLICT_PATIENCE {
            attempts += 1;
            match self.doubt {
                Doubt::None => {}
                Doubt::Behind => drop(self.tree.advance().await?),
                Doubt::Outcome => self.settle().await?,
            }
            self.doubt = Doubt::None;
            match self.attempt(leaves, look).await? {
                Attempt::Done(places) => return Ok(places),
                Attempt::Again => (self.doubt, look) = (Doubt::Behind, true),
            }
        }
        Err(StoreError::Conflict)
    }

    async fn settle(&mut self) -> Result<(), StoreError> {
        self.settled = self.tree.settle().await?.head.size;
        Ok(())
    }

    async fn attempt(&mut self, leaves: &[Leaf], look: bool) -> Result<Attempt, StoreError> {
        let mut known = HashMap::new();
        if look {
            let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf.hash).collect();
            known.extend(self.store.find_leaves(&hashes).await?);
        }
        self.expects_duplicates = !known.is_empty();
        let now = self.tree.snapshot();
        if known.values().any(|index| *index >= now.head.size) {
            // Another server's round: its leaves can only be shown once we follow it.
            return Ok(Attempt::Again);
        }
        let plan = Round::plan(leaves, &known, &now, &self.clock);
        if plan.entries.is_empty() {
            // "It is in the log" is as much of a promise as a receipt.
            if known.values().any(|index| *index >= self.settled) {
                self.settle().await?;
            }
            return Ok(Attempt::Done(plan.places(&now)));
        }
        let (batch, snapshot, completed) = self.sign(&plan, &now);
        if !self.commit(&batch).await? {
            return Ok(Attempt::Again);
        }
        let snapshot = self.tree.publish(snapshot, completed);
        self.settled = snapshot.head.size;
        Ok(Attempt::Done(plan.places(&snapshot)))
    }

    /// Appends the round to a copy of the edge and signs the head it leads to.
    fn sign(&self, plan: &Round, now: &Snapshot) -> (Batch, Snapshot, Vec<Arc<Tile>>) {
        let mut edge = now.edge.clone();
        let mut completed = Vec::new();
        for entry in &plan.entries {
            edge.append(entry.leaf, &mut completed);
        }
        let (size, root) = (edge.size(), edge.root());
        let Identity { hostname, tree_id, .. } = &*self.identity;
        let checkpoint = self.key.sign_checkpoint(hostname, *tree_id, size, root).into();
        let head = Head { size, root, checkpoint, time: plan.time };
        let tiles =
            completed.iter().map(|t| FullTile { id: t.id(), hashes: t.to_bytes() }).collect();
        let batch = Batch {
            old: (now.head.size, now.head.root),
            head: head.clone(),
            entries: plan.entries.clone(),
            tiles,
        };
        let completed: Vec<Arc<Tile>> = completed.into_iter().map(Arc::new).collect();
        (batch, Snapshot::new(head, edge, &completed), completed)
    }

    /// `true` when the batch is committed, `false` when it is certain that it is not:
    /// another head is in its place, or one of its leaves is in the log.
    async fn commit(&mut self, batch: &Batch) -> Result<bool, StoreError> {
        match self.store.commit(batch).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error @ StoreError::Corrupt(_)) => Err(error),
            Err(error @ StoreError::Unavailable(_)) => {
                self.doubt = Doubt::Outcome;
                tracing::warn!(%error, "a commit's outcome is unknown, reading the head");
                self.outcome(batch, error).await
            }
        }
    }

    async fn outcome(&mut self, batch: &Batch, error: StoreError) -> Result<bool, StoreError> {
        let asked = Instant::now();
        for attempt in 0..OUTCOME_READS {
            if attempt > 0 {
                if asked.elapsed() > OUTCOME_PATIENCE {
                    break;
                }
                tokio::time::sleep(OUTCOME_PAUSE).await;
            }
            // Visible is not enough: a commit that was cut off while it waited for a standby
            // is visible here and nowhere else.
            match self.store.settled_head().await {
                Ok(head) if head == batch.head => {
                    self.doubt = Doubt::None;
                    return Ok(true);
                }
                // Not applied so far. The database may still be at work on it, so the waiters are
                // told to retry; should it land after all, the next round meets it as a conflict.
                Ok(head) if (head.size, head.root) == batch.old => return Err(error),
                Ok(_) => return Ok(false),
                Err(_) => {}
            }
        }
        Err(error)
    }
}

/// The next leaves, up to `max_bytes` of body and payload but at least one.
fn take_round(rest: &mut Vec<Waiting>, max_bytes: usize) -> Vec<Waiting> {
    let mut bytes = 0_usize;
    let fits = rest.iter().take_while(|one| {
        bytes = bytes.saturating_add(one.leaf.weight());
        bytes <= max_bytes
    });
    let count = fits.count().max(1);
    let later = rest.split_off(count.min(rest.len()));
    std::mem::replace(rest, later)
}

/// A round before it is signed: which leaves are new, and where each goes.
struct Round {
    entries: Vec<NewEntry>,
    /// For each submission its new index, or `None` for one that was there before.
    indexes: Vec<Option<u64>>,
    hashes: Vec<Hash>,
    time: i64,
}

impl Round {
    fn plan(leaves: &[Leaf], known: &HashMap<Hash, u64>, now: &Snapshot, clock: &Clock) -> Self {
        // Integrated times never go back, whatever the clock does.
        let time = clock().max(now.head.time);
        let mut round = Self {
            entries: Vec::with_capacity(leaves.len()),
            indexes: Vec::with_capacity(leaves.len()),
            hashes: leaves.iter().map(|leaf| leaf.hash).collect(),
            time,
        };
        let mut seen = std::collections::HashSet::with_capacity(leaves.len());
        for leaf in leaves {
            let new = !known.contains_key(&leaf.hash) && seen.insert(leaf.hash);
            let index = new.then(|| now.head.size + round.entries.len() as u64);
            round.indexes.push(index);
            if new {
                round.entries.push(leaf.to_entry(time));
            }
        }
        round
    }

    fn places(&self, snapshot: &Arc<Snapshot>) -> Vec<Placed> {
        let place = |(index, leaf): (&Option<u64>, &Hash)| match index {
            Some(index) => {
                Placed::New { index: *index, time: self.time, snapshot: Arc::clone(snapshot) }
            }
            None => Placed::Before { leaf: *leaf },
        };
        self.indexes.iter().zip(&self.hashes).map(place).collect()
    }
}
