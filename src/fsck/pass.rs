//! One walk over the entries, from the first to the last.
//!
//! Border: bodies, leaf hashes, times, tiles and the root. When body and leaf hash
//! disagree the stored tile decides which of them is wrong, and the walk goes on
//! with the hash that it names, so that one flipped bit is one finding.

use tlog::{Edge, Hash, TILE_WIDTH, TileId};

use super::Report;
use super::finding::{Finding, Subject};
use super::index::IndexRows;
use super::state::State;
use super::tile;
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
    /// Smaller trees that they must contain, and where these are remembered.
    seen: Vec<(&'static str, Seen)>,
    edge: Edge,
    /// Times of the two entries before.
    times: [i64; 2],
    /// Whether the time of the last entry was found wrong.
    odd_time: bool,
    /// Integrated time of entry 0, when this run visited it.
    first_time: Option<i64>,
    index: IndexRows,
    findings: Vec<Finding>,
    /// A leaf could not be told, so the root cannot be held against anything.
    untold: bool,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        store: &'a dyn Audit,
        target: Seen,
        seen: Vec<(&'static str, Seen)>,
        state: State,
        findings: Vec<Finding>,
    ) -> Self {
        let State { edge, times } = state;
        let index = IndexRows::default();
        let (odd_time, first_time, untold) = (false, None, false);
        Self { store, target, seen, edge, times, odd_time, first_time, index, findings, untold }
    }

    pub(super) fn done(&self) -> u64 {
        self.edge.size()
    }

    pub(super) fn size(&self) -> u64 {
        self.target.size
    }

    pub(super) fn found(&self) -> usize {
        self.findings.len()
    }

    pub(super) fn state(&self) -> State {
        State { edge: self.edge.clone(), times: self.times }
    }

    pub(super) fn report(self) -> Report {
        let Self { target, mut findings, index, .. } = self;
        findings.truncate(super::MAX_FINDINGS);
        Report { size: target.size, findings, unread: index.unread, untold: index.untold }
    }

    /// Checks the next entries: up to the end of a tile, `at_once` of them, and
    /// [`MAX_BYTES`].
    pub(super) async fn step(&mut self, at_once: u64) -> Result<Step, StoreError> {
        let start = self.edge.size();
        let rest = self.target.size - start;
        let count = (TILE_WIDTH - start % TILE_WIDTH).min(at_once).min(rest);
        let count = self.affordable(start, count).await?;
        let mut rows = self.store.raw_entries(start, count).await?.into_iter().peekable();
        for index in start..start + count {
            let leaf = match rows.next_if(|row| row.index == index) {
                Some(row) => self.entry(&row).await?,
                None => match self.missing(index).await? {
                    Some(leaf) => leaf,
                    None => return Ok(Step::Stuck),
                },
            };
            self.append(leaf).await?;
        }
        self.index.check(self.store, &mut self.findings).await?;
        Ok(if self.edge.size() == self.target.size { Step::End } else { Step::On })
    }

    /// How many of the next entries may be read at once; at least one, if any.
    async fn affordable(&self, start: u64, count: u64) -> Result<u64, StoreError> {
        let mut bytes = 0_u64;
        for (index, size) in self.store.body_sizes(start, count).await? {
            bytes = bytes.saturating_add(size);
            if bytes > MAX_BYTES && index > start {
                return Ok(index - start);
            }
        }
        Ok(count)
    }

    /// Checks one row; the leaf hash to go on with.
    async fn entry(&mut self, row: &RawEntry) -> Result<Hash, StoreError> {
        let index = row.index;
        self.time(index, row.integrated_time);
        let computed = Hash::leaf(&row.body);
        if row.leaf == computed.as_bytes() {
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

    /// Times never go back. Of two that do, the one that its neighbours
    /// contradict is named.
    fn time(&mut self, index: u64, time: i64) {
        if index == 0 {
            self.first_time = Some(time);
        }
        let [before, last] = self.times;
        self.odd_time = false;
        if time >= last {
            self.times = [last, time];
            return;
        }
        let column = "entries.integrated_time";
        if index > 0 && before <= time {
            let expected = format!("at most {time}, the time of the next entry");
            self.findings.push(Finding::entry(index - 1, column, expected, last.to_string()));
            self.times = [before, time];
        } else if index > 0 {
            let expected = format!("at least {last}, the time of the entry before");
            self.findings.push(Finding::entry(index, column, expected, time.to_string()));
            self.odd_time = true;
        } else {
            // Either it or the creation is wrong; the end decides by the head.
            self.times = [time, time];
        }
    }

    /// Notes that a row is not there; its leaf hash, if a tile knows it.
    async fn missing(&mut self, index: u64) -> Result<Option<Hash>, StoreError> {
        let last = self.findings.last_mut().filter(|finding| finding.column == MISSING);
        match last.map(|finding| &mut finding.subject) {
            Some(Subject::Entries(_, last)) if last.saturating_add(1) == index => *last = index,
            Some(Subject::Entry(one)) if one.saturating_add(1) == index => {
                let first = *one;
                if let Some(finding) = self.findings.last_mut() {
                    finding.subject = Subject::Entries(first, index);
                }
            }
            _ => self.findings.push(Finding::entry(index, MISSING, "a row", "none")),
        }
        self.tile_leaf(index).await
    }

    async fn tile_leaf(&self, index: u64) -> Result<Option<Hash>, StoreError> {
        let id = TileId { level: 0, index: index / TILE_WIDTH };
        let place = (index % TILE_WIDTH) as usize;
        let stored = self.store.tiles(&[id]).await?;
        let hash = stored.first().and_then(|tile| tile.hashes.as_chunks::<32>().0.get(place));
        Ok(hash.map(|hash| Hash::from(*hash)))
    }

    async fn append(&mut self, leaf: Hash) -> Result<(), StoreError> {
        let mut completed = Vec::new();
        self.edge.append(leaf, &mut completed);
        for tile in completed {
            let stored = self.store.tiles(&[tile.id()]).await?;
            self.findings.extend(tile::differences(&tile, stored.first()));
        }
        for &(column, seen) in self.seen.iter().filter(|(_, seen)| seen.size == self.edge.size()) {
            let root = self.edge.root();
            if root != seen.root && !self.untold {
                let expected =
                    format!("root {} over {} leaves, as signed there", seen.root, seen.size);
                self.findings.push(Finding::log(column, expected, root.to_string()));
            }
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
        if let Some(first) = self.first_time
            && identity.created_at > first
        {
            let expected = format!("at most {first}, the time of entry 0");
            let found = identity.created_at.to_string();
            self.findings.push(Finding::log("log.created_at", expected, found));
        }
        let last = self.times[1];
        if head.time == last || self.odd_time {
            return;
        }
        let found = format!("{} and {last}", head.time);
        let finding = match self.target.size.checked_sub(1) {
            Some(index) => {
                let column = "entries.integrated_time or head.time";
                Finding::entry(
                    index,
                    column,
                    "the same time for the last entry and the head",
                    found,
                )
            }
            None => Finding::log("head.time or log.created_at", "the same time", found),
        };
        self.findings.push(finding);
    }
}

const MISSING: &str = "entries.idx";

fn hex(bytes: &[u8]) -> String {
    match Hash::from_slice(bytes) {
        Ok(hash) => hash.to_string(),
        Err(_) => format!("{} bytes", bytes.len()),
    }
}
