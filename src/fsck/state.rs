//! How far an audit has come, so that the next one can go on from there.
//!
//! Border: the file and what binds it to one log. What is in it is believed as
//! far as its hashes lead to the signed head; that the skipped entries were found
//! in order is the file's word alone, so it belongs to the operator like the key.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tlog::{Edge, Hash, Tile, partial_widths};

use crate::durable;

/// An edge has at most 8 levels of 255 hashes, 64 digits each; more is never read.
const MAX_BYTES: u64 = 1 << 20;

/// Why there is nothing to resume from.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused.
    #[error("the state file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is damaged or belongs to another log.
    #[error("the state file {path} cannot be resumed from: {what}; run without --resume")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// An audit that stopped between two entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The tree of the entries that are done.
    pub(super) edge: Edge,
    /// Integrated time of the last of them, and of the one before it.
    pub(super) times: [i64; 2],
}

/// The form in the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    tree_id: u64,
    size: u64,
    /// Hex; the hashes of `edge` must lead to it.
    root: String,
    /// The hashes of each partial tile from the leaves up, hex, concatenated.
    edge: Vec<String>,
    times: [i64; 2],
}

impl State {
    /// Reads the file of the log with this tree ID; `None` when there is none.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn load(path: &Path, tree_id: u64) -> Result<Option<Self>, StateError> {
        let unfit = |what: String| StateError::Unfit { path: path.to_owned(), what };
        let text = match read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Io { path: path.to_owned(), source }),
        };
        let stored: Stored = serde_json::from_str(&text).map_err(|e| unfit(e.to_string()))?;
        if stored.tree_id != tree_id {
            return Err(unfit(format!("it is about tree {}", stored.tree_id)));
        }
        let edge = stored.edge().ok_or_else(|| unfit("its hashes are damaged".to_owned()))?;
        if edge.root().to_string() != stored.root {
            return Err(unfit("its hashes do not lead to its root".to_owned()));
        }
        Ok(Some(Self { edge, times: stored.times }))
    }

    /// Writes the file, durably.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub(super) fn save(&self, path: &Path, tree_id: u64) -> Result<(), StateError> {
        let tiles = self.edge.partial_tiles().iter().filter(|tile| !tile.is_empty());
        let hex = |tile: &Tile| tile.hashes().iter().map(Hash::to_string).collect();
        let stored = Stored {
            tree_id,
            size: self.edge.size(),
            root: self.edge.root().to_string(),
            edge: tiles.map(hex).collect(),
            times: self.times,
        };
        let io = |source| StateError::Io { path: path.to_owned(), source };
        let text = serde_json::to_vec(&stored).map_err(|error| io(error.into()))?;
        durable::replace(path, &text).map_err(io)
    }

    /// Removes the file of an audit that is done.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub(super) fn remove(path: &Path) -> Result<(), StateError> {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Io { path: path.to_owned(), source })
            }
            _ => Ok(()),
        }
    }
}

impl Stored {
    fn edge(&self) -> Option<Edge> {
        let mut rows = self.edge.iter();
        let mut tiles = Vec::new();
        for (id, width) in partial_widths(self.size) {
            let hashes = rows.next()?.as_bytes().chunks(64).map(|digits| {
                std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok())
            });
            let hashes = hashes.collect::<Option<Vec<Hash>>>()?;
            if hashes.len() != width {
                return None;
            }
            tiles.push(Tile::from_hashes(id, &hashes).ok()?);
        }
        if rows.next().is_some() { None } else { Edge::restore(self.size, tiles).ok() }
    }
}

fn read(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(State::load(&path, 1).unwrap(), None);
        let mut edge = Edge::new();
        for n in 0_u64..70_000 {
            edge.append(Hash::leaf(&n.to_be_bytes()), &mut Vec::new());
            if [0, 1, 254, 255, 256, 65_535, 65_536, 69_999].contains(&n) {
                let state = State { edge: edge.clone(), times: [n as i64, 7] };
                state.save(&path, 1).unwrap();
                assert_eq!(State::load(&path, 1).unwrap(), Some(state));
            }
        }
        assert!(matches!(State::load(&path, 2), Err(StateError::Unfit { .. })));
        State::remove(&path).unwrap();
        State::remove(&path).unwrap();
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut edge = Edge::new();
        edge.append(Hash::leaf(b"x"), &mut Vec::new());
        State { edge, times: [0, 0] }.save(&path, 1).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        let huge = whole.replace("\"size\":1", "\"size\":18446744073709551615");
        let wide = whole.replace("\"edge\":[\"", "\"edge\":[\"é");
        for text in ["", "{}", &whole[..whole.len() / 2], &huge, &wide] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(State::load(&path, 1), Err(StateError::Unfit { .. })), "{text}");
        }
    }
}
