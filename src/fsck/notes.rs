//! The checkpoints that are kept outside the database.
//!
//! Border: which of them can be believed, and whether the database's tree contains
//! theirs.

use super::finding::Finding;
use super::findings::Findings;
use super::reads::readable;
use super::{Event, Tell};
use crate::last_checkpoint::{Place, PlaceName};
use crate::log::{GuardError, Seen, restore_edge};
use crate::signer::LogKey;
use crate::store::{Audit, Identity, StoreError};

/// What is said there.
pub(super) struct Note {
    /// What a finding calls the place.
    column: &'static str,
    pub(super) seen: Seen,
}

impl Note {
    /// Holds it against the root over as many leaves.
    pub(super) fn check(&self, root: tlog::Hash, findings: &mut Findings) {
        let Seen { size, root: signed } = self.seen;
        if root != signed {
            let expected = format!("root {signed} over {size} leaves, as signed there");
            findings.push(Finding::log(self.column, expected, root.to_string()));
        }
    }
}

/// What was read in each place, or why it is none of this log's.
type Read = Vec<(PlaceName, Result<Option<Seen>, GuardError>)>;

/// Reads all of them, before the head, as a live server writes them behind its commits; and the
/// places that cannot be read, which says nothing about the log.
pub(super) async fn read(
    places: &[Place],
    key: &LogKey,
    identity: &Identity,
    tell: &mut Tell<'_>,
) -> (Read, Vec<PlaceName>) {
    let (mut read, mut uncompared) = (Vec::new(), Vec::new());
    for place in places {
        match Seen::read(place, key, identity).await {
            Err(error @ GuardError::Place(_)) => {
                tell(Event::NotCompared(error));
                uncompared.push(place.name());
            }
            seen => read.push((place.name(), seen)),
        }
    }
    (read, uncompared)
}

/// Those that a log with this head can be held against.
pub(super) fn believable(read: Read, target: Seen, findings: &mut Findings) -> Vec<Note> {
    let mut notes = Vec::with_capacity(read.len());
    for (place, seen) in read {
        let column = column(&place);
        match seen {
            Ok(Some(seen)) if seen.size > target.size => {
                let expected = format!("the {} leaves of {column} at least", seen.size);
                findings.push(Finding::log("head.size", expected, target.size.to_string()));
            }
            Ok(seen) => notes.extend(seen.map(|seen| Note { column, seen })),
            Err(error) => {
                let expected = "a checkpoint that this log signed";
                findings.push(Finding::log(column, expected, error.to_string()));
            }
        }
    }
    notes
}

/// Holds those of at most `size` leaves against the stored tiles: the walk begins behind them.
pub(super) async fn check_behind(
    size: u64,
    notes: &[Note],
    store: &dyn Audit,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    for note in notes.iter().filter(|note| note.seen.size <= size) {
        match readable(restore_edge(store, note.seen.size).await)? {
            Ok(edge) => note.check(edge.root(), findings),
            Err(what) => {
                let expected =
                    format!("tiles that lead to the root over {} leaves", note.seen.size);
                findings.push(Finding::log("tiles.hashes", expected, what));
            }
        }
    }
    Ok(())
}

fn column(place: &PlaceName) -> &'static str {
    match place {
        PlaceName::File(_) => "the last-checkpoint file",
        PlaceName::Http(_) | PlaceName::S3(_) => "the last-checkpoint URL",
    }
}
