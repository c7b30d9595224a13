//! One walk over the entries, from the first to the last.
//!
//! Border: bodies, leaf hashes, times, tiles and the root. When body and leaf hash
//! disagree the stored tile decides which of them is wrong, and the walk goes on
//! with the hash that it names, so that one flipped bit is one finding.

use tlog::{Edge, Hash, TILE_WIDTH, TileId};

use super::Report;
use super::beyond;
use super::finding::{Finding, hex};
use super::findings::Findings;
use super::index::IndexRows;
use super::leaves::Leaves;
use super::notes::Note;
use super::reads::{self, Readable, Rows, readable};
use super::state::State;
use super::tile;
use super::times::Times;
use crate::log::Seen;
use crate::store::{Audit, FullTile, Head, Identity, RawEntry, StoreError};

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
    index: IndexRows,
    leaves: Leaves,
    findings: Findings,
    /// How many there were before the first step.
    known: usize,
    /// The stored tile of leaves that was read last.
    told: Option<(TileId, Readable<Option<FullTile>>)>,
    /// A leaf could not be told, so the root cannot be held against anything.
    untold: bool,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        store: &'a dyn Audit,
        target: Seen,
        notes: Vec<Note>,
        state: State,
        findings: Findings,
    ) -> Self {
        let good = state.clone();
        let State { edge, times } = state;
        let (index, leaves) = (IndexRows::default(), Leaves::default());
        Self {
            store,
            target,
            notes,
            good,
            edge,
            times,
            index,
            leaves,
            known: findings.len(),
            findings,
            told: None,
            untold: false,
        }
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
        let (unread, untold) = (index.unread, index.untold);
        Report { size, visited, findings, unread, untold, ..Report::default() }
    }

    /// Checks the next entries: up to the end of a tile, `at_once` of them, and
    /// [`MAX_BYTES`].
    pub(super) async fn step(&mut self, at_once: u64) -> Result<Step, StoreError> {
        let start = self.edge.size();
        let rest = self.target.size - start;
        let count = (TILE_WIDTH - start % TILE_WIDTH).min(at_once).min(rest);
        let (count, mut rows) = self.affordable(start, count).await?;
        for index in start..start + count {
            let leaf = match rows.next(self.store, index).await? {
                Ok(Some(row)) => Some(self.entry(&row).await?),
                Ok(None) => {
                    self.findings.push(Finding::entry(index, "entries.idx", "a row", "none"));
                    self.tile_leaf(index).await?
                }
                Err(what) => {
                    self.findings.push(Finding::unreadable(index, "entries", &what));
                    self.tile_leaf(index).await?
                }
            };
            match leaf {
                Some(leaf) => self.append(leaf).await?,
                None => return Ok(Step::Stuck),
            }
        }
        self.leaves.check(self.store, &mut self.findings).await?;
        self.index.check(self.store, &mut self.findings).await?;
        if self.found() == 0 && self.edge.size().is_multiple_of(TILE_WIDTH) {
            self.good = State { edge: self.edge.clone(), times: self.times.clone() };
        }
        Ok(if self.edge.size() == self.target.size { Step::End } else { Step::On })
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
    async fn entry(&mut self, row: &RawEntry) -> Result<Hash, StoreError> {
        let index = row.index;
        self.times.next(index, row.integrated_time, &mut self.findings);
        let computed = Hash::leaf(&row.body);
        if row.leaf == computed.as_bytes() {
            self.leaves.note(index, computed);
            self.index.entry(self.store, row, &mut self.findings).await?;
            return Ok(computed);
        }
        let stored = hex(&row.leaf);
        let tile = self.tile_leaf(index).await?;
        match tile {
            Some(leaf) if row.leaf == leaf.as_bytes() => {
                let expected = format!("a body with the leaf hash {stored}, as in its tile");
                let found = format!("one with {computed}");
                self.findings.push(Finding::entry(index, "entries.body", expected, found));
                self.leaves.note(index, leaf);
                Ok(leaf)
            }
            Some(leaf) if leaf == computed => {
                let expected = format!("{computed}, as of its body and in its tile");
                self.findings.push(Finding::entry(index, "entries.leaf_hash", expected, stored));
                self.index.entry(self.store, row, &mut self.findings).await?;
                Ok(leaf)
            }
            _ => {
                let column = "entries.body or entries.leaf_hash";
                let expected = format!("a body with the leaf hash {stored}");
                let found = format!("one with {computed}");
                self.findings.push(Finding::entry(index, column, expected, found));
                self.untold = true;
                Ok(tile.unwrap_or(computed))
            }
        }
    }

    /// What the stored tile says.
    async fn tile_leaf(&mut self, index: u64) -> Result<Option<Hash>, StoreError> {
        let id = TileId { level: 0, index: index / TILE_WIDTH };
        let place = (index % TILE_WIDTH) as usize;
        let Ok(Some(stored)) = self.stored(id).await? else { return Ok(None) };
        let hash = stored.hashes.as_chunks::<32>().0.get(place);
        Ok(hash.map(|hash| Hash::from(*hash)))
    }

    async fn stored(&mut self, id: TileId) -> Result<&Readable<Option<FullTile>>, StoreError> {
        let (_, stored) = match self.told.take() {
            Some(told) if told.0 == id => self.told.insert(told),
            _ => self.told.insert((id, reads::tile(self.store, id).await?)),
        };
        Ok(stored)
    }

    async fn append(&mut self, leaf: Hash) -> Result<(), StoreError> {
        let mut completed = Vec::new();
        self.edge.append(leaf, &mut completed);
        for tile in completed {
            let found = tile::differences(&tile, self.stored(tile.id()).await?);
            self.findings.extend(found);
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
