//! Whether the write-ahead log is still the one that SQLite believes to have.
//!
//! Border: looks at the file `-wal` from outside, changes nothing. SQLite reads that file
//! from its beginning at a start only. If somebody cuts or replaces it under a running
//! server, SQLite goes on behind the end that it remembers: commits succeed, and the
//! next start finds a hole and throws away all that is behind it. A commit in such a
//! file is no promise, so each one is looked at before it is answered.
//!
//! The format is <https://sqlite.org/fileformat2.html#the_write_ahead_log>. What is damaged in
//! the midst of the file, without a change of its length, is not seen here but at the next
//! start; the restore guard knows then what is missing.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::store::StoreError;

/// The two magic numbers that a log begins with, without the bit that tells them apart.
const MAGIC: u32 = 0x377f_0682;

/// The neighbour of one database file.
#[derive(Debug)]
pub(super) struct Wal {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// After the last commit.
    last: Option<Seen>,
    /// What was found wrong once stays wrong: later commits would fill the hole.
    damage: Option<String>,
}

/// The file at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// In bytes. It never shrinks while the salts stay the same.
    length: u64,
    /// Drawn anew whenever the log begins from its front.
    salts: [u8; 8],
}

/// What was there before a commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before(Option<u64>);

impl Wal {
    pub(super) fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), known: Mutex::default() }
    }

    /// Looks at the file before a commit; call it while the write lock is held.
    ///
    /// # Errors
    /// `Corrupt` when it was found damaged before, or condemned; `Unavailable` when it cannot be read.
    pub(super) fn before_commit(&self) -> Result<Before, StoreError> {
        self.check()?;
        match std::fs::metadata(&self.path) {
            Ok(file) => Ok(Before(Some(file.len()))),
            // It may not have begun yet.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Before(None)),
            Err(error) => Err(StoreError::Unavailable(Box::new(error))),
        }
    }

    /// Looks at it again when the commit is done, before it is answered.
    ///
    /// # Errors
    /// `Corrupt` when the file is not the one that was written (then the commit will not be there
    /// after a restart), or condemned. `Unavailable` when it cannot be read.
    pub(super) fn after_commit(&self, before: Before) -> Result<(), StoreError> {
        let now = read(&self.path).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let damage = known.damage(before, now).map(|what| {
            format!(
                "{}: {what}. Somebody has changed it under the running server, and what is only in \
                 there is lost at the next start; stop the server, then restore the file or the \
                 database",
                self.path.display()
            )
        });
        known.last = now;
        // Another thread may have condemned it since.
        known.damage = known.damage.take().or(damage);
        known.verdict()
    }

    /// Ends all writing: this file cannot be copied into the database. Once no process has the
    /// database open any more, the next one to open it copies it from its front.
    pub(super) fn condemn(&self, why: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.damage.get_or_insert_with(|| why.to_owned());
    }

    /// # Errors
    /// `Corrupt` when the file was found damaged before, or condemned.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).verdict()
    }
}

impl Known {
    fn damage(&self, before: Before, now: Option<Seen>) -> Option<String> {
        let Some(now) = now else {
            return Some("the write-ahead log is gone, or does not begin as one".to_owned());
        };
        let last = self.last.filter(|last| last.salts == now.salts)?;
        let shortest = before.0.unwrap_or(0).min(now.length);
        let shrank =
            || format!("the write-ahead log had {} bytes and then {shortest}", last.length);
        (shortest < last.length).then(shrank)
    }

    fn verdict(&self) -> Result<(), StoreError> {
        self.damage.clone().map_or(Ok(()), |damage| Err(StoreError::Corrupt(damage)))
    }
}

/// `None` when there is no log, or something else in its place.
fn read(path: &Path) -> std::io::Result<Option<Seen>> {
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
    Ok(Some(Seen { length: file.metadata()?.len(), salts }))
}
