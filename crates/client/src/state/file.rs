//! The state file.
//!
//! Border: reading, and writing what [`Advance`] allows. A writer holds a lock
//! file while it reads, compares and renames a new file into place, so neither a
//! crash nor a second program can leave half a file or undo a step.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{Advance, StateError, TrustedHead};

/// Where the trusted heads are kept, such as `$HOME/.rekor/state.json`.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
}

/// What the file held when it was read.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    notes: BTreeMap<String, String>,
    /// Whether there was a file that is no state file. It counts as absent and is
    /// overwritten by the next step; what it held is lost.
    pub damaged: bool,
    /// Whether there is a file that this user may not read. It counts as absent, too.
    pub unread: bool,
}

impl Stored {
    /// What is known of a file that may not be read.
    #[must_use]
    pub fn unread() -> Self {
        Self { unread: true, ..Self::default() }
    }

    /// The trusted head of a tree, by its decimal ID.
    #[must_use]
    pub fn head(&self, tree_id: &str) -> Option<TrustedHead> {
        self.notes.get(tree_id).and_then(|note| TrustedHead::read(note))
    }

    /// The head that was trusted last at this server's address, whatever its tree.
    #[must_use]
    pub fn last_at(&self, server: &str) -> Option<TrustedHead> {
        self.head(server)
    }
}

impl StateFile {
    /// The file at this path; it need not exist.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in the file; nothing if there is none.
    ///
    /// # Errors
    /// [`StateError::File`] when it cannot be read.
    pub fn read(&self) -> Result<Stored, StateError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            // The second where a home is no folder, such as `/dev/null`.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Stored::default());
            }
            Err(source) => return Err(self.failed(source)),
        };
        Ok(match serde_json::from_slice(&bytes) {
            Ok(notes) => Stored { notes, ..Stored::default() },
            Err(_) => Stored { damaged: !bytes.is_empty(), ..Stored::default() },
        })
    }

    /// Keeps a proven head under its decimal tree ID and, if the tree is the active one, under the
    /// address of the server. An inactive one there would make another log's tree the last one at an
    /// address before its active tree was looked at.
    ///
    /// # Errors
    /// [`StateError::Empty`] for a head without leaves, [`StateError::Moved`] when
    /// the tree's head is no longer the one that the proof began with,
    /// [`StateError::File`] when the file cannot be written.
    pub fn keep(
        &self,
        advance: &Advance,
        tree_id: &str,
        active_at: Option<&str>,
    ) -> Result<(), StateError> {
        if advance.to.checkpoint().size == 0 {
            return Err(StateError::Empty);
        }
        let _lock = self.lock()?;
        let mut stored = self.read()?;
        if stored.head(tree_id) != advance.from {
            return Err(StateError::Moved(tree_id.to_owned()));
        }
        let note = advance.to.note();
        let keys = std::iter::once(tree_id).chain(active_at);
        if keys.clone().all(|key| stored.notes.get(key).is_some_and(|n| n == note)) {
            return Ok(());
        }
        for key in keys {
            stored.notes.insert(key.to_owned(), note.to_owned());
        }
        self.replace(&stored.notes).map_err(|source| self.failed(source))
    }

    /// Waits for other writers. The lock ends when the file is closed, also by a crash.
    fn lock(&self) -> Result<File, StateError> {
        let open = || {
            make_folder(self.folder())?;
            let mut name = self.path.clone().into_os_string();
            name.push(".lock");
            let mut options = File::options();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let lock = options.open(name)?;
            lock.lock()?;
            Ok(lock)
        };
        open().map_err(|source| self.failed(source))
    }

    /// Writes beside the file (mode 0600) and renames: readers see old or new, never half.
    fn replace(&self, notes: &BTreeMap<String, String>) -> io::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(self.folder())?;
        new.write_all(&serde_json::to_vec(notes)?)?;
        new.as_file().sync_all()?;
        new.persist(&self.path)?;
        Ok(())
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn failed(&self, source: io::Error) -> StateError {
        StateError::File { path: self.path.clone(), source }
    }
}

/// Makes the folder and those above it, mode 0750.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_file_below_a_file() {
        let home = tempfile::NamedTempFile::new().unwrap();
        let stored = StateFile::at(home.path().join(".rekor").join("state.json")).read().unwrap();
        assert!(stored.notes.is_empty() && !stored.damaged);
    }
}
