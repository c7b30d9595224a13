//! One walk over the entries, from the first to the last.
//!
//! Border: which leaf, tile and root is held against what. The hashes of a tile that
//! leads to the signed root are what its entries must have; where the stored tiles do
//! not lead there, the entries make up what the tiles must be.

use tlog::{Edge, Hash, TILE_WIDTH};

use super::Report;
use super::beyond;
use super::finding::Finding;
use super::findings::Findings;
use super::index::{IndexRows, Skipped};
use super::leaves::Leaves;
use super::notes::Note;
use super::reads::{Rows, readable};
use super::row::{self, Judged, Told};
use super::state::State;
use super::tiles::Tiles;
use super::times::Times;
use crate::log::Seen;
use crate::store::{Audit, Head, Identity, RawEntry, StoreError};

/// Bytes of bodies that are read at once, unless one alone is larger.
const MAX_BYTES: u64 = 8 << 20;

/// What a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There are more entries.
    On,
    /// All of them were visited.
    End,
    /// A leaf is missing, and no tile tells its hash: nothing behind it can be
    /// compared with anything.
    Stuck,
}

pub(super) struct Pass<'a> {
    store: &'a dyn Audit,
    /// What the entries must lead to.
    target: Seen,
    /// Trees that they must contain.
    notes: Vec<Note>,
    /// How far everything was in order, at the end of a tile: nothing vouches for leaves before
    /// their tile is full.
    good: State,
    edge: Edge,
    times: Times,
    tiles: Tiles,
    index: IndexRows,
    leaves: Leaves,
    findings: Findings,
    /// How many there were before the first step.
    known: usize,
    /// A leaf could not be told, so the root cannot be held against anything.
    untold: bool,
}

impl<'a> Pass<'a> {
    pub(super) async fn new(
        store: &'a dyn Audit,
        target: Seen,
        notes: Vec<Note>,
        state: State,
        findings: Findings,
    ) -> Result<Self, StoreError> {
        let tiles = Tiles::under(store, target).await?;
        let good = state.clone();
        let State { edge, times, skipped } = state;
        let (index, leaves) = (IndexRows::behind(skipped), Leaves::default());
        Ok(Self {
            store,
            target,
            notes,
            good,
            edge,
            times,
            tiles,
            index,
            leaves,
            known: findings.len(),
            findings,
            untold: false,
        })
    }

    pub(super) fn done(&self) -> u64 {
        self.edge.size()
    }

    pub(super) fn size(&self) -> u64 {
        self.target.size
    }

    /// What was found on the way. What is wrong with head and notes is found again by each run.
    pub(super) fn found(&self) -> usize {
        self.findings.len() - self.known
    }

    pub(super) fn is_full(&self) -> bool {
        self.findings.is_full()
    }

    /// What is to be told, once for each step.
    pub(super) fn settle(&mut self) -> &[Finding] {
        self.findings.settle()
    }

    pub(super) fn good(&self) -> &State {
        &self.good
    }

    pub(super) fn report(self) -> Report {
        let Self { target, edge, findings, index, .. } = self;
        let (size, visited, findings) = (target.size, edge.size(), findings.into_told());
        let Skipped { unread, untold } = index.skipped();
        Report { size, visited, findings, unread, untold, ..Report::default() }
    }

    /// Checks the next entries: up to the end of a tile, `at_once` of them, and
    /// [`MAX_BYTES`].
    pub(super) async fn step(&mut self, at_once: u64) -> Result<Step, StoreError> {
        let start = self.edge.size();
        let rest = self.target.size - start;
        let count = (TILE_WIDTH - start % TILE_WIDTH).min(at_once).min(rest);
        let (count, mut rows) = self.affordable(start, count).await?;
        let mut stuck = false;
        for index in start..start + count {
            let told = self.tiles.told(self.store, index).await?;
            let leaf = match rows.next(self.store, index).await? {
                Ok(Some(row)) => Some(self.entry(&row, told).await?),
                Ok(None) => {
                    self.findings.push(Finding::entry(index, "entries.idx", "a row", "none"));
                    told.leaf()
                }
                Err(what) => {
                    self.findings.push(Finding::unreadable(index, "entries", &what));
                    told.leaf()
                }
            };
            match leaf {
                Some(leaf) => self.append(leaf).await?,
                None => {
                    stuck = true;
                    break;
                }
            }
        }
        self.leaves.check(self.store, &mut self.findings).await?;
        self.index.check(self.store, &mut self.findings).await?;
        if self.found() == 0 && self.edge.size().is_multiple_of(TILE_WIDTH) {
            let (edge, times) = (self.edge.clone(), self.times.clone());
            self.good = State { edge, times, skipped: self.index.skipped() };
        }
        Ok(match self.edge.size() == self.target.size {
            _ if stuck => Step::Stuck,
            true => Step::End,
            false => Step::On,
        })
    }

    /// How many of the next entries may be read at once, at least one, if any; and these.
    async fn affordable(&self, start: u64, count: u64) -> Result<(u64, Rows), StoreError> {
        let Ok(sizes) = readable(self.store.body_sizes(start, count).await)? else {
            return Ok((count, Rows::OneByOne));
        };
        let (mut bytes, mut end) = (0_u64, start + count);
        for (index, size) in sizes {
            bytes = bytes.saturating_add(size);
            if bytes > MAX_BYTES && index > start {
                end = index;
                break;
            }
        }
        Ok((end - start, Rows::read(self.store, start, end - start).await?))
    }

    /// Checks one row; the leaf hash to go on with.
    async fn entry(&mut self, row: &RawEntry, told: Told) -> Result<Hash, StoreError> {
        let index = row.index;
        self.times.next(index, row.integrated_time, &mut self.findings);
        let Judged { leaf, finding, body, hash, guessed } = row::judge(row, told);
        self.findings.extend(finding);
        self.untold |= guessed;
        if hash {
            self.leaves.note(index, leaf);
        }
        if body {
            self.index.entry(self.store, row, &mut self.findings).await?;
        }
        Ok(leaf)
    }

    async fn append(&mut self, leaf: Hash) -> Result<(), StoreError> {
        let mut completed = Vec::new();
        self.edge.append(leaf, &mut completed);
        for tile in completed {
            self.findings.extend(self.tiles.differences(self.store, &tile).await?);
        }
        let size = self.edge.size();
        for note in self.notes.iter().filter(|note| note.seen.size == size && !self.untold) {
            note.check(self.edge.root(), &mut self.findings);
        }
        Ok(())
    }

    /// Holds what all entries came to against the head.
    pub(super) fn end(&mut self, identity: &Identity, head: &Head) {
        let root = self.edge.root();
        if root != self.target.root && !self.untold {
            let expected = format!("the signed root {}", self.target.root);
            let found = format!("entries that hash to {root}");
            self.findings.push(Finding::log("head.root", expected, found));
        }
        self.times.end(self.target.size, identity, head, &mut self.findings);
    }

    /// Looks at what no walk comes to.
    pub(super) async fn beyond(&mut self) -> Result<(), StoreError> {
        let looked = beyond::check(self.store, self.target.size, &mut self.findings).await;
        if let Err(what) = readable(looked)? {
            let column = "entries.idx or tiles.idx, behind the head";
            self.findings.push(Finding::log(column, "what can be read", what));
        }
        Ok(())
    }

    /// Asks the database what it finds wrong with its own files.
    pub(super) async fn own_check(&mut self) -> Result<(), StoreError> {
        let said = readable(self.store.own_check().await)?.unwrap_or_else(|what| vec![what]);
        let found = |said| Finding::log("the database's own check", "nothing to complain of", said);
        self.findings.extend(said.into_iter().map(found));
        Ok(())
    }
}
