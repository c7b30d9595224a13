//! The one writer: drain → deduplicate → assign → hash → sign → commit → answer.
//!
//! Border: the only code that calls [`Store::commit`]. A round starts as soon
//! as the last one is done and something waits, so load sets the size of a
//! round. Nobody is answered before the commit; a commit whose outcome is
//! unknown is resolved by reading the head before anything else is done. A round that
//! another server made void waits for its [turn](crate::store::Turn), and so do those after
//! it for as long as others write too; who writes alone takes none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tlog::{HalfTile, Hash, Tile};

use super::Clock;
use super::added::Added;
use super::clock::Behind;
use super::guard::Bar;
use super::queue::{Queue, Waiting};
use super::round::Round;
use super::snapshot::Snapshot;
use super::tree::{Ground, Tree};
use crate::signer::LogKey;
use crate::store::{Batch, FullTile, Head, Identity, NewEntry, Store, StoreError, Turn};

/// How often, and how long, a round is begun anew because another server was faster or a leaf
/// is known. The second attempt has a turn, in which neither can happen; so this is for
/// what should not be.
const CONFLICT_RETRIES: u32 = 16;
const CONFLICT_PATIENCE: Duration = Duration::from_secs(5);

/// How often, how far apart, and for how long at most the head is read to learn a commit's
/// outcome. Waiters are not kept for longer: they may submit again.
const OUTCOME_READS: u32 = 6;
const OUTCOME_PAUSE: Duration = Duration::from_millis(250);
const OUTCOME_PATIENCE: Duration = Duration::from_secs(8);

/// Where a leaf is in the log, after the commit.
#[derive(Clone, Debug)]
pub(crate) enum Placed {
    /// This submission added it; the snapshot proves it.
    New { index: u64, time: i64, snapshot: Arc<Snapshot> },
    /// It was there already, or an equal submission of this round added it.
    Before,
}

/// The round could not be committed, or its outcome stays unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed;

pub(crate) struct Sequencer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tree: Arc<Tree>,
    pub(crate) added: Arc<Added>,
    pub(crate) key: Arc<LogKey>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) bar: Arc<Bar>,
    pub(crate) clock: Clock,
    pub(crate) behind: Behind,
    /// The outcome of the last commit is unknown: the head must be read before the next round.
    pub(crate) in_doubt: bool,
    /// Leaves of the largest head that the database has answered a commit for, or that was
    /// read settled. Those beyond are visible, but may not have reached a standby yet.
    pub(crate) settled: u64,
    /// The last round had leaves that were in the log before, longer than is remembered: look for
    /// them first.
    pub(crate) expects_duplicates: bool,
    /// Other servers write, too: wait for the turn at once.
    pub(crate) expects_company: bool,
}

/// What one attempt at a round led to.
enum Attempt {
    Done(Vec<Placed>),
    /// Another server advanced the log, or a leaf is known.
    Again,
}

impl Sequencer {
    /// Runs until every sender is gone and the queue is empty.
    pub(crate) async fn run(mut self, mut queue: Queue) {
        while let Some(waiting) = queue.next().await {
            self.round(waiting, &mut queue).await;
        }
    }

    async fn round(&mut self, mut waiting: Vec<Waiting>, queue: &mut Queue) {
        let started = Instant::now();
        match self.place(&mut waiting, queue).await {
            Ok(places) => {
                metrics::histogram!("indelible_round_seconds").record(started.elapsed());
                metrics::histogram!("indelible_round_leaves").record(waiting.len() as f64);
                for (one, place) in waiting.into_iter().zip(places) {
                    // The client may be gone; its entry is in the log all the same.
                    let _ = one.answer.send(Ok(place));
                }
            }
            Err(error) => {
                tracing::error!(%error, leaves = waiting.len(), "a round was not committed");
                metrics::counter!("indelible_failed_rounds").increment(1);
                for one in waiting {
                    let _ = one.answer.send(Err(Failed));
                }
            }
        }
    }

    async fn place(
        &mut self,
        waiting: &mut Vec<Waiting>,
        queue: &mut Queue,
    ) -> Result<Vec<Placed>, StoreError> {
        // Most rounds hold new leaves only, and the commit refuses known ones: the look-up is
        // a round trip that they are spared.
        let mut look = self.expects_duplicates;
        let mut wait_for_turn = self.expects_company;
        let started = Instant::now();
        let mut attempts = 0;
        while attempts < CONFLICT_RETRIES || started.elapsed() < CONFLICT_PATIENCE {
            attempts += 1;
            if self.in_doubt {
                self.settle().await?;
                self.in_doubt = false;
                // What others added is read in a turn.
                wait_for_turn |= self.settled > self.tree.snapshot().head.size;
            }
            let (turn, ground) = self.stand(wait_for_turn).await?;
            if turn.is_some() {
                // Who came while we stood in line need not stand there once more.
                queue.top_up(waiting);
            }
            match self.attempt(waiting, look, turn, &ground).await? {
                Attempt::Done(places) => return Ok(places),
                Attempt::Again => (wait_for_turn, look) = (true, true),
            }
            metrics::counter!("indelible_lost_rounds").increment(1);
        }
        Err(StoreError::Conflict)
    }

    /// What the round is to stand on, in a turn if it is waited for, and unless the restore
    /// guard forbids to sign anything on top of it.
    async fn stand(
        &mut self,
        wait_for_turn: bool,
    ) -> Result<(Option<Box<dyn Turn>>, Ground), StoreError> {
        if let Some(sealed) = self.bar.sealed() {
            return Err(sealed.reason.clone().into());
        }
        let at_least = self.bar.at_least();
        let now = self.tree.snapshot();
        if !wait_for_turn && at_least.check(&now.head).is_ok() {
            return Ok((None, now.into()));
        }
        // In a turn nobody can have been faster: if the database has less than was signed
        // even then, it is not the one that was signed.
        let (turn, ground) = self.take_turn().await?;
        at_least.check(&ground.now.head)?;
        Ok((turn, ground))
    }

    /// Waits for the turn, and follows the head that it holds.
    async fn take_turn(&mut self) -> Result<(Option<Box<dyn Turn>>, Ground), StoreError> {
        metrics::counter!("indelible_turns").increment(1);
        let mut before = self.tree.snapshot();
        let mut turn = self.store.turn().await?;
        if self.tree.is_far(&before, turn.head()) {
            // So much is not read while others wait.
            let head = turn.head().clone();
            turn.settle().await?;
            before = self.tree.adopt(&before, head).await?;
            turn = self.store.turn().await?;
        }
        self.expects_company = turn.head().size > self.settled;
        let ground = self.tree.follow_turn(before, &mut *turn).await?;
        Ok((Some(turn), ground))
    }

    async fn settle(&mut self) -> Result<(), StoreError> {
        self.settled = self.tree.settle().await?;
        Ok(())
    }

    async fn attempt(
        &mut self,
        waiting: &[Waiting],
        look: bool,
        mut turn: Option<Box<dyn Turn>>,
        ground: &Ground,
    ) -> Result<Attempt, StoreError> {
        let now = &ground.now;
        let hashes = waiting.iter().map(|one| one.leaf.hash);
        let mut known: HashMap<Hash, u64> = self.added.find(hashes.clone()).into_iter().collect();
        let remembered = known.len();
        // If the look-up fails, the next round goes without: a commit refuses known leaves anyway.
        self.expects_duplicates = false;
        if look {
            let hashes: Vec<Hash> = hashes.filter(|leaf| !known.contains_key(leaf)).collect();
            known.extend(match &mut turn {
                Some(turn) => turn.find_leaves(&hashes).await?,
                None => self.store.find_leaves(&hashes).await?,
            });
        }
        self.expects_duplicates = known.len() > remembered;
        if known.values().any(|index| *index >= now.head.size) {
            // Another server's round: its leaves can only be shown once we follow it.
            return Ok(Attempt::Again);
        }
        let mut plan = Round::plan(waiting, &known, now, &self.clock);
        if plan.entries.is_empty() {
            // "It is in the log" is as much of a promise as a receipt.
            match turn {
                Some(turn) => {
                    turn.settle().await?;
                    self.settled = now.head.size;
                    self.tree.publish(ground, now, Vec::new())?;
                }
                None if known.values().any(|index| *index >= self.settled) => self.settle().await?,
                None => {}
            }
            return Ok(Attempt::Done(plan.places(now)));
        }
        self.behind.tell(plan.behind);
        let entries = std::mem::take(&mut plan.entries);
        let (batch, snapshot, completed) = self.sign(entries, plan.time, now);
        if !self.commit(turn, &batch).await? {
            return Ok(Attempt::Again);
        }
        // Here, not where it is answered: whoever submitted it may be gone.
        metrics::counter!("rekor_new_entries").increment(batch.entries.len() as u64);
        let snapshot = Arc::new(snapshot);
        self.tree.publish(ground, &snapshot, completed)?;
        self.settled = snapshot.head.size;
        let added = batch.entries.iter().map(|entry| entry.leaf);
        self.added.keep(added, now.head.size, plan.time);
        Ok(Attempt::Done(plan.places(&snapshot)))
    }

    /// Appends the entries of a round to a copy of the edge and signs the head it leads to.
    fn sign(
        &self,
        entries: Vec<NewEntry>,
        time: i64,
        now: &Snapshot,
    ) -> (Batch, Snapshot, Vec<Arc<Tile>>) {
        let mut edge = now.edge.clone();
        let mut completed = Vec::new();
        for entry in &entries {
            edge.append(entry.leaf, &mut completed);
        }
        let (size, root) = (edge.size(), edge.root());
        let Identity { hostname, tree_id, .. } = &*self.identity;
        let checkpoint = self.key.sign_checkpoint(hostname, *tree_id, size, root).into();
        let head = Head { size, root, checkpoint, time };
        let tiles = completed.iter().map(to_store).collect();
        let batch =
            Batch { old: (now.head.size, now.head.root), head: head.clone(), entries, tiles };
        let completed: Vec<Arc<Tile>> = completed.into_iter().map(Arc::new).collect();
        (batch, Snapshot::new(head, edge, &completed), completed)
    }

    /// `true` when the batch is committed, `false` when it is certain that it is not:
    /// another head is in its place, or one of its leaves is in the log.
    async fn commit(
        &mut self,
        turn: Option<Box<dyn Turn>>,
        batch: &Batch,
    ) -> Result<bool, StoreError> {
        let committed = match turn {
            Some(turn) => turn.commit(batch).await,
            None => self.store.commit(batch).await,
        };
        match committed {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error @ (StoreError::Corrupt(_) | StoreError::Refused(_))) => Err(error),
            Err(error @ StoreError::Unavailable(_)) => {
                self.in_doubt = true;
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
                    self.in_doubt = false;
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

/// A tile that has become full, as it is stored.
fn to_store(tile: &Tile) -> FullTile {
    let upper = HalfTile::upper(tile).filter(|_| tile.id().level == 0);
    FullTile { id: tile.id(), hashes: tile.to_bytes(), upper: upper.map(|half| half.to_bytes()) }
}
