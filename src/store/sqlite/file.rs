//! The database file itself: which one it is, and what its header says.
//!
//! Border: looks at it beside SQLite, and changes nothing but to make an empty one where there is
//! none. SQLite asks for a file by its name once, never again whether the name still leads there,
//! and takes any write-ahead log that lies beside it for the file's own
//! (<https://sqlite.org/howtocorrupt.html>).

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::durable::beside;
use crate::store::StoreError;

/// One database file, open as long as the process lives.
#[derive(Clone, Debug)]
pub(super) struct DatabaseFile {
    /// Without links, as SQLite resolves it: the neighbours are beside the file, not the link.
    path: PathBuf,
    /// Never closed: when a process closes any of its handles of a file, the system drops all
    /// locks that it has on that file, those of SQLite's connections too
    /// (<https://sqlite.org/howtocorrupt.html>, section 2.2).
    file: &'static File,
    inode: Inode,
    what_for: Use,
}

/// Device and number: another file of the same name has others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode(u64, u64);

/// Why a server must not have the file.
#[derive(Debug, thiserror::Error)]
enum InUse {
    #[error("another server has {} open; one that writes such a file is enough", .0.display())]
    Held(PathBuf),
    #[error(
        "{} has {names} names (hard links), and under each it would have another write-ahead log: \
         remove the others, or make copies of them", path.display()
    )]
    Names { path: PathBuf, names: u64 },
    #[error("locking the database file: {0}")]
    Unknown(#[source] io::Error),
}

/// SQLite's file, or its neighbour, could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
struct Unopened {
    path: PathBuf,
    source: io::Error,
}

/// What a file begins with (<https://sqlite.org/fileformat2.html#the_database_header>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// A database to be, or to be made anew.
    Empty,
    /// Written by way of a write-ahead log.
    Wal,
    /// Never had one since it was made, as a copy by `VACUUM INTO`.
    NoWal,
    Other,
}

/// What for a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To read and write it, as the only one who does.
    Alone,
    /// To read and write it, whoever else does.
    Shared,
    /// To read it; it must be there, and need not be writable.
    Reading,
}

impl DatabaseFile {
    /// Finds the file, or makes an empty one, and refuses what SQLite would take without a word.
    ///
    /// # Errors
    /// `Corrupt` when the write-ahead log beside it is not its own, or it is no database; nothing
    /// was touched then. `Unavailable` when it cannot be opened, or is another server's.
    pub(super) fn open(path: &Path, what_for: Use) -> Result<Self, StoreError> {
        let unopened = unopened(path);
        // The log before the database, here and below: whoever makes them begins with the database.
        let log = log_length(path)?;
        if !path.try_exists().map_err(&unopened)? {
            judge(path, Header::Empty, log)?;
        }
        let writes = what_for != Use::Reading;
        let options =
            File::options().read(true).write(writes).create(writes).mode(0o644).to_owned();
        let file: &File = Box::leak(Box::new(options.open(path).map_err(&unopened)?));
        let path = path.canonicalize().map_err(&unopened)?;
        let metadata = file.metadata().map_err(&unopened)?;
        let database = Self { path, file, inode: Inode::of(&metadata), what_for };
        if what_for == Use::Alone {
            database.hold_alone(metadata.nlink()).map_err(unavailable)?;
        }
        let log = log_length(&database.path)?;
        judge(&database.path, Header::of(file).map_err(&unopened)?, log)?;
        Ok(database)
    }

    /// Keeps other servers away as long as the process lives, whatever name they know the file by:
    /// the fence needs one write-ahead log and one index of it, and those are found by name. This
    /// lock is no obstacle to SQLite's own on Linux; elsewhere, and on a network file system, it
    /// would be.
    fn hold_alone(&self, names: u64) -> Result<(), InUse> {
        if cfg!(target_os = "linux") {
            self.file.try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => InUse::Held(self.path.clone()),
                TryLockError::Error(error) => InUse::Unknown(error),
            })?;
        }
        // Of a server that was killed, the log is still beside its name.
        if names > 1 {
            return Err(InUse::Names { path: self.path.clone(), names });
        }
        Ok(())
    }

    /// Where it is, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether no other process writes it.
    pub(super) fn is_alone(&self) -> bool {
        self.what_for == Use::Alone
    }

    pub(super) fn handle(&self) -> &'static File {
        self.file
    }

    /// Its neighbour of this name.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        beside(&self.path, suffix)
    }

    /// Whether it begins as it must while it is open. Nobody can end the use of a write-ahead log
    /// then; but who only reads begins none, as of a copy by `VACUUM INTO`.
    fn keeps(&self, header: Header) -> bool {
        header == Header::Wal || (self.what_for == Use::Reading && header == Header::NoWal)
    }

    /// What has become of it since it was opened, if anything. Pages that were written over while
    /// the header stayed are not seen here; SQLite says so when it reads them.
    ///
    /// # Errors
    /// When nobody can tell.
    pub(super) fn damage(&self) -> io::Result<Option<&'static str>> {
        match std::fs::metadata(&self.path) {
            Ok(now) if Inode::of(&now) != self.inode => {
                Ok(Some("another file is in the place of the database"))
            }
            Ok(_) => Ok((!self.keeps(Header::of(self.file)?))
                .then_some("something else was written over the database")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some("the database is gone")),
            Err(error) => Err(error),
        }
    }
}

impl Inode {
    pub(super) fn of(file: &Metadata) -> Self {
        Self(file.dev(), file.ino())
    }

    /// Of what is there now, if that can be told.
    pub(super) fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

impl Header {
    fn of(file: &File) -> io::Result<Self> {
        let mut bytes = [0; 20];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Ok(if file.metadata()?.len() == 0 { Self::Empty } else { Self::Other });
            }
            Err(error) => return Err(error),
        }
        // Page size, then how it is to be written and read.
        let [name @ .., _, _, write, read] = bytes;
        Ok(match (&name, write, read) {
            (b"SQLite format 3\0", 2, 2) => Self::Wal,
            (b"SQLite format 3\0", 1, 1) => Self::NoWal,
            _ => Self::Other,
        })
    }
}

/// Whether SQLite may be given such a file with a log of so many bytes beside it.
fn judge(path: &Path, header: Header, log: u64) -> Result<(), StoreError> {
    let what = match (header, log) {
        (Header::Wal, _) | (Header::Empty | Header::NoWal, 0) => return Ok(()),
        (Header::Other, _) => "it is no SQLite database".to_owned(),
        // SQLite would remove the log.
        (Header::Empty, _) => format!(
            "it is missing or empty, but its write-ahead log of {log} bytes is there: put the file \
             back, or move the log away as well"
        ),
        // SQLite would copy the log into it.
        (Header::NoWal, _) => format!(
            "the write-ahead log of {log} bytes beside it is another file's: if this is a backup that \
             was put here, move the files with `-wal` and `-shm` behind its name away"
        ),
    };
    Err(StoreError::Corrupt(format!("{}: {what}", path.display())))
}

fn log_length(database: &Path) -> Result<u64, StoreError> {
    let log = beside(database, "-wal");
    match std::fs::metadata(&log) {
        Ok(log) => Ok(log.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(unopened(&log)(error)),
    }
}

fn unopened(path: &Path) -> impl Fn(io::Error) -> StoreError {
    |source| unavailable(Unopened { path: path.to_owned(), source })
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
