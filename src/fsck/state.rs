//! How far an audit has come, so that the next one can go on from there.
//!
//! Border: the file and what binds it to one log. Only places between two tiles are
//! kept: the tree up to there is read from the stored tiles again and must have the
//! root that the file says. That the skipped entries were found in order is the file's
//! word alone, so it belongs to the operator like the key.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tlog::Edge;

use super::FsckError;
use super::index::Skipped;
use super::reads::readable;
use super::times::Times;
use crate::durable;
use crate::log::restore_edge;
use crate::store::{Audit, Identity};

/// The file has a few numbers; more is never read.
const MAX_BYTES: u64 = 1 << 16;

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
    /// Their times.
    pub(super) times: Times,
    /// Those of them whose index rows were not all looked up.
    pub(super) skipped: Skipped,
}

/// The form in the file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    tree_id: u64,
    size: u64,
    /// Hex; the stored tiles must lead to it.
    root: String,
    times: [i64; 2],
    first_time: Option<i64>,
    skipped: Skipped,
}

impl State {
    /// Before the first entry.
    pub(super) fn beginning(identity: &Identity) -> Self {
        let (times, skipped) = (Times::since(identity.created_at), Skipped::default());
        Self { edge: Edge::new(), times, skipped }
    }

    /// Reads the file of the log with this tree ID, which has `size` leaves; `None` when there is
    /// no file.
    ///
    /// # Errors
    /// [`FsckError`], but for [`FsckError::NoLog`].
    pub(super) async fn load(
        path: &Path,
        tree_id: u64,
        store: &dyn Audit,
        size: u64,
    ) -> Result<Option<Self>, FsckError> {
        let Some(stored) = Stored::read(path, tree_id)? else { return Ok(None) };
        let unfit = |what: String| StateError::Unfit { path: path.to_owned(), what };
        if stored.size > size {
            let done = stored.size;
            let what = format!("it has checked {done} entries of a log that now has {size}");
            return Err(unfit(what).into());
        }
        let edge = readable(restore_edge(store, stored.size).await)?.map_err(unfit)?;
        if edge.root().to_string() != stored.root {
            let what = "the stored tiles have another root by now than the entries that it has \
                        checked";
            return Err(unfit(what.to_owned()).into());
        }
        let times = Times::behind(stored.times, stored.first_time);
        Ok(Some(Self { edge, times, skipped: stored.skipped }))
    }

    /// Writes the file, durably.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub(super) fn save(&self, path: &Path, tree_id: u64) -> Result<(), StateError> {
        let stored = Stored {
            tree_id,
            size: self.edge.size(),
            root: self.edge.root().to_string(),
            times: self.times.before,
            first_time: self.times.first,
            skipped: self.skipped,
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
        let io = |source| StateError::Io { path: path.to_owned(), source };
        gone(path, std::fs::remove_file(path)).map_err(io)
    }
}

impl Stored {
    fn read(path: &Path, tree_id: u64) -> Result<Option<Self>, StateError> {
        let unfit = |what: String| StateError::Unfit { path: path.to_owned(), what };
        let text = match read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Io { path: path.to_owned(), source }),
        };
        let stored: Self = serde_json::from_str(&text).map_err(|e| unfit(e.to_string()))?;
        if stored.tree_id != tree_id {
            return Err(unfit(format!("it is about tree {}", stored.tree_id)));
        }
        Ok(Some(stored))
    }
}

/// Whether a removal left no file. A file system that takes nothing refuses before it looks whether
/// there is one.
fn gone(path: &Path, removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| match path.try_exists() {
        Ok(false) => Ok(()),
        _ => Err(error),
    })
}

fn read(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use tlog::Hash;

    use super::*;

    #[test]
    fn what_was_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(Stored::read(&path, 1).unwrap(), None);
        let mut edge = Edge::new();
        (0_u64..256).for_each(|n| edge.append(Hash::leaf(&n.to_be_bytes()), &mut Vec::new()));
        let root = edge.root().to_string();
        let skipped = Skipped { unread: 5, untold: 4 };
        let state = State { edge, times: Times::behind([3, 7], Some(2)), skipped };
        state.save(&path, 1).unwrap();
        let (tree_id, size, times, first_time) = (1, 256, [3, 7], Some(2));
        let kept = Stored { tree_id, size, root, times, first_time, skipped };
        assert_eq!(Stored::read(&path, 1).unwrap(), Some(kept));
        assert!(matches!(Stored::read(&path, 2), Err(StateError::Unfit { .. })));
        State::remove(&path).unwrap();
        State::remove(&path).unwrap();
    }

    #[test]
    fn a_file_system_that_takes_nothing_need_not_remove_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let refused = || Err(io::ErrorKind::ReadOnlyFilesystem.into());
        gone(&path, refused()).unwrap();
        std::fs::write(&path, "{}").unwrap();
        gone(&path, refused()).unwrap_err();
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (times, skipped) = (Times::since(0), Skipped::default());
        State { edge: Edge::new(), times, skipped }.save(&path, 1).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        for text in ["", "{}", &whole[..whole.len() / 2], "{\"tree_id\":1,\"size\":-1}"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Stored::read(&path, 1), Err(StateError::Unfit { .. })), "{text}");
        }
    }
}
