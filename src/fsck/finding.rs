//! One thing that is not as it must be.
//!
//! Border: words. Each finding is one sentence with entry, table and column,
//! what was expected and what was found.

use std::fmt;

use tlog::{HALF_WIDTH, Hash, TILE_WIDTH, TileId};

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The one row of `log` or `head`.
    Log,
    /// The entry at this index.
    Entry(u64),
    /// The entries from the first to the last index.
    Entries(u64, u64),
}

impl Subject {
    /// The first and the last entry.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        match *self {
            Self::Log => None,
            Self::Entry(index) => Some((index, index)),
            Self::Entries(first, last) => Some((first, last)),
        }
    }
}

/// A difference between what is stored and what follows from the rest of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// Table and column.
    pub column: &'static str,
    /// What must be there, in words.
    pub expected: String,
    /// What is there, in words.
    pub found: String,
}

impl Finding {
    pub(super) fn log(
        column: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { subject: Subject::Log, column, expected: expected.into(), found: found.into() }
    }

    pub(super) fn entry(
        index: u64,
        column: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let subject = Subject::Entry(index);
        Self { subject, column, expected: expected.into(), found: found.into() }
    }

    /// A row, or what leads to it, that the database cannot read; `what` is its word.
    pub(super) fn unreadable(index: u64, column: &'static str, what: &str) -> Self {
        Self::entry(index, column, "what can be read", what)
    }

    /// Rows of entries that a head of `size` leaves does not cover.
    pub(super) fn beyond_entries(first: u64, last: u64, size: u64) -> Self {
        let subject =
            if first == last { Subject::Entry(first) } else { Subject::Entries(first, last) };
        let (expected, found) = (format!("none behind the head of {size} entries"), "some".into());
        Self { subject, column: "entries.idx", expected, found }
    }

    /// A tile that a tree of `size` leaves does not have.
    pub(super) fn beyond_tile(id: TileId, size: u64) -> Self {
        let (first, last) = covered(id, None);
        let expected = format!("none behind the head of {size} entries");
        let found = format!("tile {}/{}", id.level, id.index);
        Self { subject: Subject::Entries(first, last), column: "tiles.idx", expected, found }
    }

    /// Whether they differ in nothing but what they are about.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.column == other.column && self.expected == other.expected && self.found == other.found
    }

    /// One hash of a tile, or the whole of it when `place` is `None`.
    pub(super) fn tile(id: TileId, place: Option<usize>, expected: String, found: String) -> Self {
        Self::hash("tiles.hashes", covered(id, place), id, place, expected, found)
    }

    /// One hash of the upper half of a tile of leaves, or the whole of it.
    pub(super) fn upper_half(
        id: TileId,
        place: Option<usize>,
        expected: String,
        found: String,
    ) -> Self {
        let covered = match place {
            Some(place) => {
                let first = (id.index * HALF_WIDTH + place as u64) * HALF_WIDTH;
                (first, first + HALF_WIDTH - 1)
            }
            None => covered(id, None),
        };
        Self::hash("tiles.upper_half", covered, id, place, expected, found)
    }

    fn hash(
        column: &'static str,
        (first, last): (u64, u64),
        id: TileId,
        place: Option<usize>,
        expected: String,
        found: String,
    ) -> Self {
        let subject =
            if first == last { Subject::Entry(first) } else { Subject::Entries(first, last) };
        let at = match place {
            Some(place) => format!(" as hash {place} of tile {}/{}", id.level, id.index),
            None => String::new(),
        };
        Self { subject, column, expected: expected + &at, found }
    }
}

/// The first and the last leaf under a hash of a tile, or under all of it.
fn covered(id: TileId, place: Option<usize>) -> (u64, u64) {
    let under = |level: u32| TILE_WIDTH.checked_pow(level).unwrap_or(u64::MAX);
    let (each, nth) = match place {
        Some(place) => (
            under(u32::from(id.level)),
            id.index.saturating_mul(TILE_WIDTH).saturating_add(place as u64),
        ),
        None => (under(u32::from(id.level) + 1), id.index),
    };
    let first = nth.saturating_mul(each);
    (first, first.saturating_add(each - 1))
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject {
            Subject::Log => f.write_str("the log")?,
            Subject::Entry(index) => write!(f, "entry {index}")?,
            Subject::Entries(first, last) => write!(f, "entries {first} to {last}")?,
        }
        let Self { column, expected, found, .. } = self;
        write!(f, ": {column}: expected {expected}, found {found}")
    }
}

/// A hash in words, or what is in its place.
pub(super) fn hex(bytes: &[u8]) -> String {
    match Hash::from_slice(bytes) {
        Ok(hash) => hash.to_string(),
        Err(_) => format!("{} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_names_the_leaves_under_it() {
        let words = || ("a".to_owned(), "b".to_owned());
        let tile = |level, index, place| {
            let (expected, found) = words();
            Finding::tile(TileId { level, index }, place, expected, found).to_string()
        };
        let leaf = "entry 515: tiles.hashes: expected a as hash 3 of tile 0/2, found b";
        assert_eq!(tile(0, 2, Some(3)), leaf);
        let above = "entries 768 to 1023: tiles.hashes: expected a as hash 3 of tile 1/0, found b";
        assert_eq!(tile(1, 0, Some(3)), above);
        assert_eq!(tile(0, 1, None), "entries 256 to 511: tiles.hashes: expected a, found b");
        // Coordinates that no tree has do not overflow.
        assert!(tile(7, u64::MAX, Some(255)).contains("tiles.hashes"));
    }
}
