//! Whether the files are still those that SQLite believes to have, the write-ahead log above all.
//!
//! Border: looks at the file `-wal` from outside, and at whether database and `-shm` are still in
//! their places; changes nothing. SQLite reads that file
//! from its beginning at a start only. If somebody cuts or replaces it under a running
//! server, SQLite goes on behind the end that it remembers: commits succeed, and the
//! next start finds a hole and throws away all that is behind it. A commit in such a
//! file is no promise, so each one is looked at before it is answered, or shown to a reader.
//!
//! The format is <https://sqlite.org/fileformat2.html#the_write_ahead_log>. What is damaged in
//! the midst of the file, without a change of its length, is not seen here but at the next
//! start; the restore guard knows then what is missing.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::file::{DatabaseFile, Inode};
use crate::store::StoreError;

/// The two magic numbers that a log begins with, without the bit that tells them apart.
const MAGIC: u32 = 0x377f_0682;

/// The neighbour of one database file.
#[derive(Debug)]
pub(super) struct Wal {
    database: DatabaseFile,
    path: PathBuf,
    /// What all processes must find the newest frames by, and lock.
    index: PathBuf,
    /// The one that SQLite has open; none where there is no SQLite.
    index_file: Option<Inode>,
    known: Mutex<Known>,
    /// Held by a commit until it was looked at.
    in_doubt: RwLock<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// The file that SQLite has open.
    file: Option<Inode>,
    /// After the last commit.
    last: Option<Seen>,
    /// A commit that was not looked at yet, or may have happened.
    unseen: Option<Before>,
    /// What was found wrong once stays wrong: later commits would fill the hole.
    damage: Option<String>,
    /// The files are no longer ours.
    left: bool,
}

/// The file at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    file: Inode,
    /// In bytes. It never shrinks while the salts stay the same.
    length: u64,
    /// Drawn anew whenever the log begins from its front.
    salts: [u8; 8],
}

/// What was there before a commit.
#[derive(Clone, Copy, Debug)]
struct Before {
    file: Option<Inode>,
    length: u64,
    /// Nobody is at the commit any more.
    over: bool,
    /// The commit is known to have happened since.
    committed: bool,
}

impl Wal {
    /// Of this database, which must be open, so that the files are SQLite's.
    pub(super) fn beside(database: DatabaseFile) -> Self {
        let (path, index) = (database.beside("-wal"), database.beside("-shm"));
        let file = Inode::at(&path);
        let known = Mutex::new(Known { file, ..Known::default() });
        let index_file = Inode::at(&index);
        Self { database, path, index, index_file, known, in_doubt: RwLock::default() }
    }

    /// What is committed while this is held is shown to nobody.
    pub(super) async fn unshown(&self) -> RwLockWriteGuard<'_, ()> {
        self.in_doubt.write().await
    }

    /// Waits for a commit that is not looked at yet, and keeps the next one waiting.
    pub(super) async fn shown(&self) -> RwLockReadGuard<'_, ()> {
        self.in_doubt.read().await
    }

    /// Looks at the file before a commit; call it while the write lock is held. Whatever becomes of
    /// the commit, the next look is for it.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(super) fn before_commit(&self) -> Result<(), StoreError> {
        let mut known = self.lock();
        if let Some(before) = &mut known.unseen {
            before.over = true;
        }
        self.look(&mut known)?;
        let (file, length) = match std::fs::metadata(&self.path) {
            Ok(file) => (Some(Inode::of(&file)), file.len()),
            // It may not have begun yet.
            Err(error) if error.kind() == ErrorKind::NotFound => (None, 0),
            Err(error) => return Err(unknown(error)),
        };
        known.unseen = Some(Before { file, length, over: false, committed: false });
        Ok(())
    }

    /// Looks at it again when the commit is done, before it is answered.
    ///
    /// # Errors
    /// `Corrupt` when the file is not the one that was written (then the commit will not be there
    /// after a restart), or condemned. `Unavailable` when it cannot be read; then the next look,
    /// whosever it is, is for this commit.
    pub(super) fn after_commit(&self) -> Result<(), StoreError> {
        let mut known = self.lock();
        if let Some(before) = &mut known.unseen {
            (before.over, before.committed) = (true, true);
        }
        self.look(&mut known)
    }

    /// Looks at it when SQLite has said that the commit failed. Nobody writes frames of it any more,
    /// so that other processes may empty the log from here on. What is wrong is told by the next look.
    pub(super) fn failed_commit(&self) {
        let mut known = self.lock();
        if let Some(before) = &mut known.unseen {
            before.over = true;
        }
        let _ = self.look(&mut known);
    }

    /// Ends all writing: this file cannot be copied into the database. Once no process has the
    /// database open any more, the next one to open it copies it from its front.
    pub(super) fn condemn(&self, why: &str) {
        self.lock().damage.get_or_insert_with(|| why.to_owned());
    }

    /// Looks no more: the database is about to be closed, and its neighbours go with that.
    pub(super) fn leave(&self) {
        self.lock().left = true;
    }

    /// # Errors
    /// `Corrupt` when the file was found damaged, or condemned; `Unavailable` when it cannot be
    /// read and nobody knows.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.look(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, known: &mut Known) -> Result<(), StoreError> {
        if known.left {
            return known.verdict();
        }
        if let Some(what) = self.out_of_place().map_err(unknown)? {
            known.condemn(self.database.path(), what);
        }
        if let Some(before) = known.unseen {
            let now = read(&self.path).map_err(unknown)?;
            if let Some(what) = known.damage(before, now) {
                known.condemn(&self.path, &what);
            }
            known.file = known.file.or(now.map(|now| now.file));
            // A look beside the commit, as for a reader, is not the one that the commit is owed.
            if before.over {
                (known.last, known.unseen) = (now, None);
            }
        }
        known.verdict()
    }

    /// What is wrong with the database or the index of the log: with either in another place, the
    /// next server to open them would not see this one's commits.
    fn out_of_place(&self) -> io::Result<Option<&'static str>> {
        if let Some(what) = self.database.damage()? {
            return Ok(Some(what));
        }
        let same = self.index_file.is_none() || self.index_file == Inode::at(&self.index);
        Ok((!same).then_some("its `-shm` file is gone, or another one is in its place"))
    }
}

fn unknown(error: io::Error) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

impl Known {
    fn condemn(&mut self, path: &Path, what: &str) {
        self.damage.get_or_insert_with(|| {
            format!(
                "{}: {what}. Somebody has changed it under the running server, and what is only in \
                 there is lost at the next start; stop the server, then restore the file or the \
                 database",
                path.display()
            )
        });
    }

    fn damage(&self, before: Before, now: Option<Seen>) -> Option<String> {
        let Some(now) = now else {
            let must_be_there = before.committed || before.length > 0;
            return must_be_there
                .then(|| "the write-ahead log is gone, or does not begin as one".to_owned());
        };
        let others = |file: Inode| file != now.file || before.file.is_some_and(|then| then != file);
        if self.file.is_some_and(others) {
            return Some("another file is in the place of the write-ahead log".to_owned());
        }
        let last = self.last.filter(|last| last.salts == now.salts)?;
        let shortest = before.length.min(now.length);
        let shrank =
            || format!("the write-ahead log had {} bytes and then {shortest}", last.length);
        (shortest < last.length).then(shrank)
    }

    fn verdict(&self) -> Result<(), StoreError> {
        self.damage.clone().map_or(Ok(()), |damage| Err(StoreError::Corrupt(damage)))
    }
}

/// `None` when there is no log, or something else in its place.
fn read(path: &Path) -> io::Result<Option<Seen>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut header = [0; 32];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let [m0, m1, m2, m3, ..] = header;
    let [.., s0, s1, s2, s3, s4, s5, s6, s7, _, _, _, _, _, _, _, _] = header;
    let salts = [s0, s1, s2, s3, s4, s5, s6, s7];
    if u32::from_be_bytes([m0, m1, m2, m3]) & !1 != MAGIC {
        return Ok(None);
    }
    let metadata = file.metadata()?;
    Ok(Some(Seen { file: Inode::of(&metadata), length: metadata.len(), salts }))
}

#[cfg(test)]
mod tests;
