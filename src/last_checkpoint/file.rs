//! A note in a file.
//!
//! Border: the file system. Every call blocks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Cause, MAX_BYTES, PlaceError, PlaceName, Written, set_aside_suffix};
use crate::durable;

/// The file with the note. Clones name the same file.
#[derive(Clone, Debug)]
pub struct NoteFile {
    path: PathBuf,
    /// One call at a time may be on its way to the disk.
    calls: Arc<Semaphore>,
}

/// While this is held, no other process that asks for it writes the file.
#[derive(Debug)]
pub(super) struct Lock {
    /// None where the file system knows no locks.
    _file: Option<File>,
}

impl NoteFile {
    /// In this file, whose folder must exist when it is written.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), calls: Arc::new(Semaphore::new(1)) }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn calls(&self) -> &Arc<Semaphore> {
        &self.calls
    }

    /// The note, or `None` when there is no file.
    ///
    /// # Errors
    /// [`PlaceError`], also when the file is larger than 1 MiB or not UTF-8.
    pub fn read(&self) -> Result<Option<String>, PlaceError> {
        let mut bytes = Vec::new();
        let read = File::open(&self.path)
            .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.len() > MAX_BYTES => Err(self.failed(Cause::TooLarge)),
            Ok(_) => match String::from_utf8(bytes) {
                Ok(note) => Ok(Some(note)),
                Err(_) => Err(self.failed(Cause::NotText)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Replaces the note, whatever is there, durably (fsync of file and folder). Of
    /// several writers the last one wins: [`Place::write`](super::Place::write) compares.
    ///
    /// # Errors
    /// [`PlaceError`]. The former note is then still there; or this one is, and a power failure may
    /// bring the former one back.
    pub fn write(&self, note: &str) -> Result<(), PlaceError> {
        durable::replace(&self.path, note.as_bytes()).map_err(|error| self.failed(error))
    }

    /// Makes durable what the folder has under this name.
    pub(super) fn settle(&self) -> Result<(), PlaceError> {
        let path = durable::followed(&self.path);
        path.and_then(|path| durable::sync_folder(&path)).map_err(|error| self.failed(error))
    }

    /// Replaces the note `over`, or nothing, if that is what is there.
    pub(super) fn replace(
        &self,
        over: Option<&str>,
        note: &str,
        _held: &Lock,
    ) -> Result<Written, PlaceError> {
        if self.read()?.as_deref() != over {
            return Ok(Written::Overtaken);
        }
        self.write(note).map(|()| Written::Done)
    }

    /// The right to write, unless another process has it. It is that of a file beside
    /// this one: this one is another one after each write.
    pub(super) fn try_lock(&self) -> Result<Option<Lock>, PlaceError> {
        let failed = |error: io::Error| self.failed(error);
        let path = durable::beside(&durable::followed(&self.path).map_err(failed)?, ".lock");
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let file = match options.open(&path) {
            // Another user made it. Most file systems lock what can be read.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(&path),
            opened => opened,
        };
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Some(Lock { _file: None }))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Moves the file away, if it holds what was judged or still cannot be read, and writes `next`,
    /// if any. A link stays: what it leads to is moved.
    pub(super) fn set_aside(
        &self,
        now: i64,
        judged: Option<&str>,
        next: Option<&str>,
        _held: &Lock,
    ) -> Result<Option<PathBuf>, PlaceError> {
        match self.read() {
            Ok(Some(note)) if Some(&*note) != judged => return Err(self.failed(Cause::Contended)),
            Err(error) if judged.is_some() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let path = durable::followed(&self.path).map_err(|error| self.failed(error))?;
        let aside = unused(&path, &set_aside_suffix(now));
        let aside = match fs::rename(&path, &aside).and_then(|()| durable::sync_folder(&path)) {
            Ok(()) => Some(aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.failed(error)),
        };
        if let Some(next) = next {
            self.write(next)?;
        }
        Ok(aside)
    }

    pub(super) fn name(&self) -> PlaceName {
        PlaceName::File(self.path.clone())
    }

    fn failed(&self, cause: impl Into<Cause>) -> PlaceError {
        PlaceError { place: self.name(), cause: cause.into() }
    }
}

/// A name beside the path that nothing has: to rename is to write over.
fn unused(path: &Path, suffix: &str) -> PathBuf {
    let mut name = durable::beside(path, suffix);
    let mut number = 1;
    while fs::symlink_metadata(&name).is_ok() {
        number += 1;
        name = durable::beside(path, &format!("{suffix}-{number}"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_and_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let kept = NoteFile::at(folder.path().join("last-checkpoint"));
        let held = kept.try_lock().unwrap().unwrap();
        assert_eq!(kept.read().unwrap(), None);
        assert_eq!(kept.set_aside(7, None, None, &held).unwrap(), None);
        kept.write("a note\n").unwrap();
        assert_eq!(kept.read().unwrap().as_deref(), Some("a note\n"));
        let aside = kept.set_aside(7, Some("a note\n"), None, &held).unwrap().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "a note\n");
        assert_eq!(kept.read().unwrap(), None);
        kept.write("another\n").unwrap();
        let judged = Some("another\n");
        let aside = kept.set_aside(8, judged, Some("the next\n"), &held).unwrap().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "another\n");
        assert_eq!(kept.read().unwrap().as_deref(), Some("the next\n"));
    }

    #[test]
    fn what_was_set_aside_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let kept = NoteFile::at(folder.path().join("last-checkpoint"));
        let held = kept.try_lock().unwrap().unwrap();
        kept.write("0").unwrap();
        let aside = |judged, next| kept.set_aside(7, Some(judged), Some(next), &held);
        let names = [("0", "1"), ("1", "2"), ("2", "3")]
            .map(|(judged, next)| (aside(judged, next).unwrap().unwrap(), judged));
        for (name, judged) in names {
            assert_eq!(fs::read_to_string(name).unwrap(), judged);
        }
        // Another server wrote it since it was judged.
        for judged in [Some("2"), None] {
            let refused = kept.set_aside(7, judged, Some("4"), &held).unwrap_err();
            assert!(matches!(refused.cause, Cause::Contended), "{refused}");
            assert_eq!(kept.read().unwrap().as_deref(), Some("3"));
        }
        // What nobody can read is moved as it is.
        fs::write(kept.path(), [0xff]).unwrap();
        let moved = kept.set_aside(7, None, Some("4"), &held).unwrap().unwrap();
        assert_eq!(fs::read(moved).unwrap(), [0xff]);
        assert_eq!(kept.read().unwrap().as_deref(), Some("4"));
    }

    #[test]
    fn what_was_read_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let kept = NoteFile::at(folder.path().join("last-checkpoint"));
        let held = kept.try_lock().unwrap().unwrap();
        let replace = |over, note| kept.replace(over, note, &held).unwrap();
        assert_eq!(replace(Some("1"), "2"), Written::Overtaken);
        assert_eq!(replace(None, "1"), Written::Done);
        assert_eq!(replace(None, "2"), Written::Overtaken);
        assert_eq!(replace(Some("1"), "2"), Written::Done);
        // A writer that was stopped after it had read.
        assert_eq!(replace(Some("1"), "3"), Written::Overtaken);
        assert_eq!(kept.read().unwrap().as_deref(), Some("2"));
    }

    #[test]
    fn one_writes_at_a_time_also_through_a_link() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = NoteFile::at(disk.path().join("last-checkpoint"));
        let link = NoteFile::at(folder.path().join("link"));
        std::os::unix::fs::symlink(target.path(), link.path()).unwrap();
        let held = link.try_lock().unwrap().unwrap();
        assert!(target.try_lock().unwrap().is_none() && link.try_lock().unwrap().is_none());
        link.write("a note\n").unwrap();
        let judged = Some("a note\n");
        let aside = link.set_aside(7, judged, Some("the next\n"), &held).unwrap().unwrap();
        assert_eq!(aside.parent(), Some(disk.path()));
        assert_eq!(target.read().unwrap().as_deref(), Some("the next\n"));
        assert!(fs::symlink_metadata(link.path()).unwrap().is_symlink());
        drop(held);
        assert!(target.try_lock().unwrap().is_some());
    }

    #[test]
    fn no_more_than_a_note_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-checkpoint");
        let kept = NoteFile::at(&path);
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(kept.read().unwrap_err().to_string().contains("more than 1048576 bytes"));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        let refused = kept.read().unwrap_err().to_string();
        assert!(refused.contains("last-checkpoint") && refused.contains("UTF-8"), "{refused}");
    }
}
