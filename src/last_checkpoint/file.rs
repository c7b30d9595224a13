//! A note in a file.
//!
//! Border: the file system. Every call blocks.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{Cause, MAX_BYTES, PlaceError, PlaceName, set_aside_suffix};
use crate::durable;

/// The file with the note. Clones name the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteFile(PathBuf);

impl NoteFile {
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
    /// [`PlaceError`], also when the file is larger than 1 MiB or not UTF-8.
    pub fn read(&self) -> Result<Option<String>, PlaceError> {
        let mut bytes = Vec::new();
        let read = File::open(&self.0)
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

    /// Replaces the note, durably (fsync of file and folder).
    ///
    /// # Errors
    /// [`PlaceError`]; the former note is then still there.
    pub fn write(&self, note: &str) -> Result<(), PlaceError> {
        durable::replace(&self.0, note.as_bytes()).map_err(|error| self.failed(error))
    }

    /// Moves the file away, whatever it holds, and writes `next`, if any.
    pub(super) fn set_aside(
        &self,
        now: i64,
        next: Option<&str>,
    ) -> Result<Option<PathBuf>, PlaceError> {
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(set_aside_suffix(now));
        let aside = self.0.with_file_name(name);
        let aside = match fs::rename(&self.0, &aside).and_then(|()| durable::sync_folder(&self.0)) {
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
        PlaceName::File(self.0.clone())
    }

    fn failed(&self, cause: impl Into<Cause>) -> PlaceError {
        PlaceError { place: self.name(), cause: cause.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_and_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let kept = NoteFile::at(folder.path().join("last-checkpoint"));
        assert_eq!(kept.read().unwrap(), None);
        assert_eq!(kept.set_aside(7, None).unwrap(), None);
        kept.write("a note\n").unwrap();
        assert_eq!(kept.read().unwrap().as_deref(), Some("a note\n"));
        let aside = kept.set_aside(7, None).unwrap().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "a note\n");
        assert_eq!(kept.read().unwrap(), None);
        kept.write("another\n").unwrap();
        let aside = kept.set_aside(8, Some("the next\n")).unwrap().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "another\n");
        assert_eq!(kept.read().unwrap().as_deref(), Some("the next\n"));
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
