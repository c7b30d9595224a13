//! The last signed checkpoint, kept outside the database.
//!
//! Border: places that hold one signed note each, a file or an object behind a
//! URL, and how a note gets there and back. What the note means for the log is
//! judged in [`crate::log`]; when it is written is decided there, too.
//!
//! A database can be replaced by an older copy of itself in one careless minute,
//! and nothing inside it can tell. These places can: they are not part of the
//! database's backup, so they remember how far the log had come. The file is lost
//! with its machine; what is behind a URL is not.

mod access;
mod address;
mod file;
mod place;
mod remote;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use access::{Access, Token};
pub use address::AddressError;
use file::Lock;
pub use file::NoteFile;
pub use place::{Cause, PlaceError, PlaceName};
pub use remote::Remote;
pub use rusty_s3::Credentials;
use tokio::time::timeout;

/// No note of this log comes near; more is never read. In bytes.
const MAX_BYTES: usize = 1 << 20;

/// How long a disk may take for one call, as long as what is behind a URL.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// How long at most, and how often, the lock of a file is asked for. Who has it writes
/// some 300 bytes.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Where the last signed checkpoint is kept. Clones name the same place.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file of this machine.
    File(NoteFile),
    /// An object behind a URL.
    Remote(Remote),
}

/// A note as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The signed note.
    pub note: String,
    /// Its strong entity tag (RFC 9110 section 8.8.3), where the place has such.
    tag: Option<String>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The note is there, durably as far as the place promises.
    Done,
    /// Nothing was written: since it was read, somebody else wrote the place.
    Overtaken,
}

impl Place {
    /// A file, whose folder must exist when it is written.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(NoteFile::at(path))
    }

    /// What people call it; without anything secret.
    #[must_use]
    pub fn name(&self) -> PlaceName {
        match self {
            Self::File(file) => file.name(),
            Self::Remote(remote) => remote.name().clone(),
        }
    }

    /// The note, or `None` when there is none yet.
    ///
    /// # Errors
    /// [`PlaceError`], also when it is larger than 1 MiB or not UTF-8.
    pub async fn read(&self) -> Result<Option<Kept>, PlaceError> {
        match self {
            Self::File(file) => {
                let note = off_thread(file, NoteFile::read).await?;
                Ok(note.map(|note| Kept { note, tag: None }))
            }
            Self::Remote(remote) => remote.read().await,
        }
    }

    /// Puts the note in the place of what was read there (`None`: of nothing).
    ///
    /// It is taken only if that is still so, except by a server without entity tags and
    /// a file system without locks: there the last writer wins.
    ///
    /// # Errors
    /// [`PlaceError`]; whether the note was written is then unknown for a
    /// [`Place::Remote`], and where a disk gave no answer. Else the former note of a file is still
    /// there.
    pub async fn write(&self, note: &str, over: Option<&Kept>) -> Result<Written, PlaceError> {
        match self {
            Self::File(file) => {
                let (note, over) = (note.to_owned(), over.map(|kept| kept.note.clone()));
                let held = lock(file).await?;
                off_thread(file, move |file| file.replace(over.as_deref(), &note, &held)).await
            }
            Self::Remote(remote) => remote.write(note, over).await,
        }
    }

    /// Makes durable that the note which was read is there: a write may have failed behind that. Needs no
    /// room.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub async fn settle(&self) -> Result<(), PlaceError> {
        match self {
            Self::File(file) => off_thread(file, NoteFile::settle).await,
            // What it gives out it has.
            Self::Remote(_) => Ok(()),
        }
    }

    /// Moves the note to another name that says when (`now`, in Unix seconds), so
    /// that what it proves is not lost, and puts `next`, if any, in its place.
    /// `None` when there was no note. `judged` is what was read there; `None` is a file that could
    /// not be read.
    ///
    /// # Errors
    /// [`PlaceError`]; the former note is then under one of its names at least. It is
    /// [`Cause::Contended`] when there is another note by now, and nothing was done.
    pub async fn set_aside(
        &self,
        now: i64,
        judged: Option<&str>,
        next: Option<&str>,
    ) -> Result<Option<PlaceName>, PlaceError> {
        match self {
            Self::File(file) => {
                let [judged, next] = [judged, next].map(|note| note.map(str::to_owned));
                let held = lock(file).await?;
                let aside = off_thread(file, move |file| {
                    file.set_aside(now, judged.as_deref(), next.as_deref(), &held)
                });
                Ok(aside.await?.map(PlaceName::File))
            }
            Self::Remote(remote) => remote.set_aside(now, judged, next).await,
        }
    }
}

/// A disk may take its time, and the threads that serve must not wait for it. One that hangs keeps one
/// thread, however often it is tried, and nobody waits for that.
async fn off_thread<T: Send + 'static>(
    file: &NoteFile,
    work: impl FnOnce(&NoteFile) -> Result<T, PlaceError> + Send + 'static,
) -> Result<T, PlaceError> {
    let (file, name) = (file.clone(), file.name());
    let done = timeout(DISK_PATIENCE, async move {
        // Never closed.
        let alone = Arc::clone(file.calls()).acquire_owned().await;
        let call = tokio::task::spawn_blocking(move || {
            let _alone = alone;
            work(&file)
        });
        call.await
    });
    match done.await {
        Ok(Ok(done)) => done,
        // The panic hook has reported it.
        Ok(Err(panicked)) => {
            Err(PlaceError { place: name, cause: std::io::Error::other(panicked).into() })
        }
        Err(_) => Err(PlaceError { place: name, cause: Cause::Silent }),
    }
}

/// Waits for the right to write the file, but not for a process that was stopped with it.
async fn lock(file: &NoteFile) -> Result<Lock, PlaceError> {
    let begun = Instant::now();
    loop {
        if let Some(held) = off_thread(file, NoteFile::try_lock).await? {
            return Ok(held);
        }
        if begun.elapsed() > LOCK_PATIENCE {
            return Err(PlaceError { place: file.name(), cause: Cause::Locked });
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

fn set_aside_suffix(now: i64) -> String {
    format!(".set-aside-{now}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_the_file_locked_waits() {
        let folder = tempfile::tempdir().unwrap();
        let file = NoteFile::at(folder.path().join("last-checkpoint"));
        let place = Place::File(file.clone());
        let held = file.try_lock().unwrap().unwrap();
        let first = file.replace(None, "theirs", &held).unwrap();
        let release = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let (ours, ()) = tokio::join!(place.write("ours", None), release);
        assert_eq!((first, ours.unwrap()), (Written::Done, Written::Overtaken));
        let kept = place.read().await.unwrap();
        assert_eq!(place.write("ours", kept.as_ref()).await.unwrap(), Written::Done);
        assert_eq!(file.read().unwrap().as_deref(), Some("ours"));
    }
}
