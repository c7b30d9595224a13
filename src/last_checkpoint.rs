//! The last signed checkpoint, kept outside the database.
//!
//! Border: one file with one signed note. What the note means for the log is
//! judged in [`crate::log`]; when it is written is decided there, too.
//!
//! A database can be replaced by an older copy of itself in one careless minute,
//! and nothing inside it can tell. This file can: it is not part of the
//! database's backup, so it remembers how far the log had come.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::durable;

/// No note of this log comes near; more is never read.
const MAX_BYTES: u64 = 1 << 20;

/// The file system refused, or the file holds no text.
#[derive(Debug, thiserror::Error)]
#[error("the last checkpoint in {path}: {source}")]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Where the last signed checkpoint is kept. Clones name the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCheckpoint(PathBuf);

impl LastCheckpoint {
    /// In this file, whose folder must exist when it is written.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The note, or `None` when there is no file.
    ///
    /// # Errors
    /// [`FileError`], also when the file is larger than 1 MiB or not UTF-8.
    pub fn read(&self) -> Result<Option<String>, FileError> {
        let mut note = String::new();
        let read =
            File::open(&self.0).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut note));
        match read {
            Ok(bytes) if bytes as u64 > MAX_BYTES => {
                Err(self.failed(io::Error::other(format!("it has more than {MAX_BYTES} bytes"))))
            }
            Ok(_) => Ok(Some(note)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Replaces the note, durably (fsync of file and folder). Blocks.
    ///
    /// # Errors
    /// [`FileError`]; the former note is then still there.
    pub fn write(&self, note: &str) -> Result<(), FileError> {
        durable::replace(&self.0, note.as_bytes()).map_err(|error| self.failed(error))
    }

    /// Moves the file away under a name that says when (Unix seconds), so that
    /// what it proves is not lost. `None` when there is no file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn set_aside(&self, now: i64) -> Result<Option<PathBuf>, FileError> {
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(format!(".set-aside-{now}"));
        let aside = self.0.with_file_name(name);
        match fs::rename(&self.0, &aside).and_then(|()| durable::sync_folder(&self.0)) {
            Ok(()) => Ok(Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, source: io::Error) -> FileError {
        FileError { path: self.0.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_and_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastCheckpoint::at(folder.path().join("last-checkpoint"));
        assert_eq!(kept.read().unwrap(), None);
        assert_eq!(kept.set_aside(7).unwrap(), None);
        kept.write("a note\n").unwrap();
        assert_eq!(kept.read().unwrap().as_deref(), Some("a note\n"));
        let aside = kept.set_aside(7).unwrap().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "a note\n");
        assert_eq!(kept.read().unwrap(), None);
    }

    #[test]
    fn no_more_than_a_note_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-checkpoint");
        let kept = LastCheckpoint::at(&path);
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(kept.read().unwrap_err().to_string().contains("bytes"));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(kept.read().unwrap_err().to_string().contains("last-checkpoint"));
    }
}
